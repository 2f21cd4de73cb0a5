//! Fault injection on the model of the kernel: every fault at every step of every phase of [`super::scenes`].
//!
//! `IFNL_FAULTS_STANZAS` is the number of random stanzas besides those of the repository. The printed lines are read by
//! tests/lane/faults; tests/kernel/faults.rs has the same matrix on a real kernel.

use super::all::PROGRAMS;
use super::faulty::{Fault, Faulty, Rival};
use super::interfaces::{End, survives};
use super::invariants::{at_every_step, text, without_vrfs};
use super::notation_write;
use super::scenes::{self, Scene};
use ifupdown_ng_netlink::kernel::Kernel as _;
use ifupdown_ng_netlink::model::Simulated;
use ifupdown_ng_netlink::plan::netns::move_link;
use ifupdown_ng_netlink::plan::op::{Act, Op};
use ifupdown_ng_netlink::plan::vrf::layout::kernel_l3mdev;
use ifupdown_ng_netlink::stanza::Phase;
use ifupdown_ng_netlink::state::{LinkKind, Map, Netns, Place, Snapshot, State};
use nix::errno::Errno;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The columns of the matrix.
const FAULTS: [(&str, Fault); 13] = [
    ("EPERM", Fault::Refused(Errno::EPERM)),
    ("EEXIST", Fault::Refused(Errno::EEXIST)),
    ("ENODEV", Fault::Refused(Errno::ENODEV)),
    ("EBUSY", Fault::Refused(Errno::EBUSY)),
    ("ENOBUFS", Fault::Refused(Errno::ENOBUFS)),
    ("EOPNOTSUPP", Fault::Refused(Errno::EOPNOTSUPP)),
    ("answer-lost", Fault::LostButMade),
    ("request-lost", Fault::LostOnTheWay),
    ("killed-before", Fault::Killed),
    ("killed-after", Fault::KilledAfter),
    ("rival-same", Fault::Rival(Rival::Same)),
    ("rival-name", Fault::Rival(Rival::TakesName)),
    ("rival-deletes", Fault::Rival(Rival::DeletesLink)),
];

/// Everything that a stanza could change, in all namespaces.
fn everything(found: &Snapshot) -> String {
    let mut all = String::new();
    for (place, state) in &found.places {
        let mut state = state.clone();
        for rules in state.rules.values_mut() {
            // If several rules do the same at the same priority, their number and their protocol do not matter.
            rules.retain(|rule| !rule.same(&kernel_l3mdev(rule.family)));
            rules.dedup_by(|rule, before| rule.same(before));
            for rule in rules {
                rule.protocol = 0;
            }
        }
        // The model does not know the earlier sysctls of a namespace.
        if *place != Place::Here {
            state.sysctls = Map::new();
        }
        let text = text(&state);
        let mut lines: Vec<&str> = text.lines().collect();
        // All but rules, whose order matters.
        lines.sort_by_key(|line| if line.starts_with("rule ") { "rule" } else { line });
        for line in lines {
            let _ = writeln!(all, "{place:?}: {line}");
        }
    }
    for (netns, found) in &found.netns {
        if matches!(found, Netns::Is(_) | Netns::Broken { ours: false }) {
            let _ = writeln!(all, "{netns} is there");
        }
    }
    let netns_links = found.netns_links.values().map(|record| format!("{:?}", record.link));
    let located = found.located.iter().map(|(name, located)| format!("{name} is located: {located:?}"));
    let mut rest: Vec<String> = netns_links.chain(located).collect();
    rest.sort();
    all + &rest.join("\n")
}

/// A state without a namespace.
fn without(found: &Snapshot, place: &Place) -> Snapshot {
    let mut found = found.clone();
    if let Place::In(netns) = place {
        found.places.remove(place);
        found.netns.remove(netns);
    }
    found
}

/// The state when a stanza is down: without the VRFs of other programs, with which rules and sysctls go, and without
/// the namespaces that are kept.
fn at_the_end(found: &Snapshot, kept: &[Place]) -> Snapshot {
    let mut found = kept.iter().fold(found.clone(), |found, place| without(&found, place));
    *found.here_mut() = without_vrfs(&found);
    found
}

/// The lines that differ.
fn difference(is: &str, should: &str) -> String {
    let missing = should.lines().filter(|line| !is.lines().any(|other| other == *line));
    let surplus = is.lines().filter(|line| !should.lines().any(|other| other == *line));
    missing.map(|line| format!("- {line}\n")).chain(surplus.map(|line| format!("+ {line}\n"))).collect()
}

/// The result of one fault, and of the next runs.
struct Trial<'a> {
    scene: &'a Scene,
    /// The state after the phase without a fault.
    whole: &'a Snapshot,
    at: usize,
    kernel: Faulty,
}

impl Trial<'_> {
    /// Fails unless a state is one of these, unchanged or with the act of the other process.
    fn is_one_of(&self, is: &Snapshot, these: &[&Snapshot], what: &str) -> Result<(), String> {
        let Some((rival, _)) = &self.kernel.rival else {
            let (is, these) = (everything(is), these.iter().map(|state| everything(state)));
            let these: Vec<String> = these.collect();
            let found = these.contains(&is);
            return if found { Ok(()) } else { Err(format!("{what}:\n{}", difference(&is, &these[0]))) };
        };
        // Our records do not include the other process's object, which may keep a namespace.
        let place = match &rival.op {
            Op::LinkMove(moving) => &moving.to,
            _ => &rival.at,
        };
        let show = |found: &Snapshot| {
            let mut found = without(found, place);
            found.netns_links = Map::new();
            found.located = Map::new();
            // The settings of a link that is gone do not exist.
            found.places.update_all(|_, state| {
                let state: &mut State = state;
                let links = &state.links;
                state.sysctls.retain(|key, _| {
                    let key = key.to_string();
                    let link = key.strip_suffix(".addr_gen_mode").and_then(|key| key.rsplit('.').next());
                    link.is_none_or(|link| links.contains_key(link))
                });
            });
            everything(&found)
        };
        let iface = &self.scene.interface.name;
        let names = std::iter::once(iface.clone()).chain(move_link::other_names(iface));
        let gone = |name| Act::here(Op::LinkDel { name, kind: LinkKind::Physical });
        let gone: Vec<Act> = names.map(gone).collect();
        let disturbed = |should: &Snapshot, by: &Act| {
            let mut kernel = Simulated(should.clone());
            let _ = kernel.apply(by);
            show(&kernel.0)
        };
        let shown = show(is);
        let found = these.iter().any(|should| {
            show(should) == shown || gone.iter().chain([rival]).any(|by| disturbed(should, by) == shown)
        });
        if found { Ok(()) } else { Err(format!("{what}:\n{}", difference(&shown, &show(these[0])))) }
    }

    /// The state before, except for steps that cannot be rolled back (a link that had lost its other end, one of two
    /// rules that do the same), with and without our records of it.
    fn irrevocable(&self) -> [Snapshot; 2] {
        let Scene { interface, phase, before, .. } = self.scene;
        let mut kernel = Simulated(before.clone());
        let steps = interface.plan(*phase, &Faulty::new(before.clone())).steps;
        for step in steps.iter().take(self.at + 1).filter(|step| step.undo.is_empty()) {
            let _ = kernel.apply(&step.act);
        }
        let mut forgotten = kernel.0.clone();
        forgotten.netns_links.retain(|_, record| record.link.iface != interface.name);
        [kernel.0, forgotten]
    }

    /// The state with all changes but this one, if the kernel may refuse it without the others being rolled back.
    fn without_refused(&self) -> Option<Snapshot> {
        let Scene { interface, phase, before, .. } = self.scene;
        let mut plan = interface.plan(*phase, &Faulty::new(before.clone()));
        let mut kernel = Simulated(before.clone());
        let refused = plan.steps.remove(self.at);
        kernel.assume_all(&plan);
        refused.best_effort.then_some(kernel.0)
    }

    fn judge(&self, end: Option<&End>, fault: Fault) -> Result<(), String> {
        let Scene { interface, phase, before, .. } = self.scene;
        let is = self.kernel.snapshot();
        match end {
            // Between two steps; the following runs must work with this state.
            None => {}
            Some(End::Conflict(lines)) => return Err(format!("a conflict that was none: {lines:?}")),
            Some(End::Failed(_)) if phase.is_down() => {}
            Some(End::Failed(_)) => {
                let [kept, forgotten] = &self.irrevocable();
                let rest = self.without_refused();
                let mut these = vec![before, kept, forgotten];
                these.extend(rest.iter().flat_map(|rest| [rest, self.whole]));
                self.is_one_of(is, &these, "failed, and not as before")?;
            }
            Some(End::Done) => self.is_one_of(is, &[self.whole], "done, and not as it should be")?,
        }
        let in_the_way = self.kernel.rival.as_ref().is_some_and(|(_, could)| *could);
        // A link that moves back finds its name taken, and gets another name.
        let renamed = phase.is_down() && fault == Fault::Rival(Rival::TakesName);
        let mut again = Faulty::new(is.clone());
        match interface.phase(*phase, &mut again) {
            End::Done if renamed => {}
            End::Done => {
                // The stock `link` sets it up, in a phase of its own.
                let mut whole = Faulty::new(self.whole.clone());
                let link = if phase.is_down() { Phase::Down } else { Phase::Up };
                for kernel in [&mut again, &mut whole] {
                    interface.link(link, kernel);
                }
                // Or as if the other process had done this from the start.
                let mut since = Faulty::new(before.clone());
                if let Some((rival, _)) = &self.kernel.rival {
                    let _ = since.apply(rival);
                    interface.phase(*phase, &mut since);
                    interface.link(link, &mut since);
                }
                let these = [whole.snapshot(), since.snapshot()];
                let these = &these[..if self.kernel.rival.is_some() { 2 } else { 1 }];
                self.is_one_of(again.snapshot(), these, "again, and not as it should be")?;
            }
            _ if in_the_way => {}
            other => return Err(format!("again: {other:?}")),
        }
        let Some([start, up, down]) = self.scene.ends.as_deref() else { return Ok(()) };
        let kept: Vec<Place> =
            down.places.keys().filter(|place| !start.places.contains_key(*place)).cloned().collect();
        let mut back = Faulty::new(is.clone());
        match interface.down(&mut back) {
            End::Done if renamed => {}
            End::Done => {
                let [is, start] = [back.snapshot(), start].map(|state| at_the_end(state, &kept));
                self.is_one_of(&is, &[&start], "then down")?;
            }
            other => return Err(format!("then down: {other:?}")),
        }
        let mut again = Faulty::new(is.clone());
        match interface.up(&mut again) {
            End::Done => self.is_one_of(again.snapshot(), &[up], "then up"),
            _ if in_the_way => Ok(()),
            other => Err(format!("then up: {other:?}")),
        }
    }
}

/// If this fault is possible at this step, the result.
fn inject(scene: &Scene, whole: &Snapshot, at: usize, fault: Fault) -> Option<Result<(), String>> {
    let kernel = Faulty::with(scene.before.clone(), at, fault, false);
    let mut trial = Trial { scene, whole, at, kernel };
    let mut end = None;
    let survived = survives(|| end = Some(scene.interface.phase(scene.phase, &mut trial.kernel)));
    if matches!(fault, Fault::Rival(_)) && trial.kernel.rival.is_none() {
        return None;
    }
    let judged = catch_unwind(AssertUnwindSafe(|| {
        at_every_step(&trial.kernel, scene.before.here(), &scene.noise, "");
        trial.judge(end.as_ref().filter(|_| survived), fault)
    }));
    Some(judged.unwrap_or_else(|_| Err("an invariant does not hold".to_owned())).map_err(|why| {
        let step = trial.kernel.history.get(at).map_or("the step at which it was killed", |(act, _)| act);
        format!(
            "{}{} {fault:?} at {at}, {step}: {end:?}\n{why}before:\n{}",
            scene.interface.text,
            scene.phase,
            notation_write::write(scene.before.here())
        )
    }))
}

#[test]
fn every_fault_at_every_step_of_every_phase() {
    let random = std::env::var("IFNL_FAULTS_STANZAS").map_or(15, |number| number.parse().unwrap());
    let mut matrix: BTreeMap<(&str, &str), [usize; 2]> = BTreeMap::new();
    let mut failures = Vec::new();
    for scene in scenes::all(random) {
        let mut whole = Faulty::new(scene.before.clone());
        assert_eq!(scene.interface.phase(scene.phase, &mut whole), End::Done, "{}", scene.interface.text);
        for at in 0..whole.count {
            for (column, fault) in FAULTS {
                let Some(outcome) = inject(&scene, whole.snapshot(), at, fault) else { continue };
                let [injected, survived] = matrix.entry((scene.program.name, column)).or_default();
                *injected += 1;
                match outcome {
                    Ok(()) => *survived += 1,
                    Err(why) => failures.push(why),
                }
            }
        }
    }
    for ((program, column), [injected, survived]) in &matrix {
        println!("fault simulated {program} {column} {injected} {survived}");
    }
    for program in PROGRAMS {
        for (column, _) in &FAULTS[..10] {
            assert!(matrix.contains_key(&(program.name, column)), "{}: no {column}", program.name);
        }
    }
    let shown = failures.iter().take(5).cloned().collect::<Vec<_>>().join("\n\n");
    assert!(failures.is_empty(), "{} faults not survived, the first of them:\n{shown}", failures.len());
}

//! The native part of `ifnetlink apply`: all changes are made, or the state before them is restored.

use crate::deletions::in_sequence;
use crate::pending::{Changes, Mode, pending};
use crate::progress::Progress;
use crate::report::Report;
use crate::rollback::Before;
use crate::targets::{Target, Targets};
use anyhow::Context as _;
use ifupdown_ng_netlink::kernel::apply::Failure;
use ifupdown_ng_netlink::kernel::live::Live;
use ifupdown_ng_netlink::kernel::{Kernel as _, Refusal, applied, apply};
use ifupdown_ng_netlink::plan::Plan;
use ifupdown_ng_netlink::plan::op::{Act, Op};
use ifupdown_ng_netlink::program::run::FAILED;
use ifupdown_ng_netlink::stanza::keywords::OURS;
use ifupdown_ng_netlink::state::{Applied, Query, Section, Snapshot};
use ifupdown_ng_netlink::values::IfName;
use std::collections::{BTreeMap, BTreeSet};

/// Not all of a rollback succeeded.
pub const ROLLED_BACK_IN_PART: u8 = 4;

/// How much of the changes is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All.
    Whole,
    /// Without deletions that cannot be rolled back. A link that is to be deleted is set down. The former stanzas stay
    /// recorded.
    Trial,
    /// Only what a trial left out.
    Removals,
}

/// Applies the native part, or restores what was there before. Returns the exit status. `changes` are those for what was
/// found, if they are known. `begin` is called before the first change.
///
/// # Errors
/// When something cannot be read before the first change, or `begin` fails.
pub fn carry_out(
    targets: &Targets,
    found: Snapshot,
    changes: Option<Changes>,
    extent: Extent,
    kernel: &mut Live,
    report: &mut Report,
    mut begin: impl FnMut(&Before) -> anyhow::Result<()>,
) -> anyhow::Result<u8> {
    let mut before = None;
    let mut keep = |read: Before| {
        begin(&read)?;
        before = Some(read);
        Ok(())
    };
    let Err(error) = make_changes(targets, found, changes, extent, kernel, report, &mut keep) else {
        return Ok(0);
    };
    let Some(before) = before else { return Err(error) };
    let left = before.restore(&BTreeSet::new(), None, kernel);
    report.errors.push(format!("{error:#}; {}", outcome(&left)));
    report.rolled_back(&left);
    Ok(if left.is_empty() { FAILED } else { ROLLED_BACK_IN_PART })
}

/// What a rollback led to, of which this is left.
pub fn outcome(left: &[String]) -> &'static str {
    if left.is_empty() { "all is as before" } else { "not all is as before" }
}

/// Makes the changes in two passes, if the kernel deletes more than they say. The second pass adds what is missing then,
/// and deletes the namespaces that are empty.
/// `begin` gets what is there before the first change.
fn make_changes(
    targets: &Targets,
    mut found: Snapshot,
    mut known: Option<Changes>,
    extent: Extent,
    kernel: &mut Live,
    report: &mut Report,
    begin: &mut dyn FnMut(Before) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut records = Records { targets, extent, awaited: BTreeSet::new(), applied: targets.applied.clone() };
    let mut has_changed = false;
    for disruptive in [true, false] {
        let mode = if disruptive { Mode::Apply { disruptive } } else { Mode::Rest };
        let mut changes = known.take().unwrap_or_else(|| pending(targets, &found, mode));
        match extent {
            Extent::Trial => withhold_deletions(&mut changes, &found),
            Extent::Removals if disruptive => drop(changes.steps.drain(..changes.removals)),
            Extent::Whole | Extent::Removals => {}
        }
        let (plan, ifaces) = in_sequence(&changes);
        has_changed |= !plan.is_empty();
        let mut progress = Progress::of(&plan.steps, &ifaces);
        report.warn(changes.unknown.iter().chain(&plan.warnings).cloned());
        for pending in &changes.pending {
            report.warn(pending.kept.iter().map(|line| format!("{}: {line}", pending.iface)));
        }
        if disruptive {
            records.awaited = changes.awaited().cloned().collect();
            begin(Before::read(&changes.steps, &found, kernel).context(CANNOT_READ)?)?;
        }
        records.write(&found, false, kernel).context(CANNOT_RECORD)?;
        // The steps are rolled back with all that the kernel changed beside them.
        let outcome = apply::up_with(&plan, kernel, |steps| progress.reach(steps, report));
        let refused = outcome.map_err(|failure| Failure { undone: 0, stuck: Vec::new(), ..*failure })?;
        report.warn(refused.iter().map(ToString::to_string));
        report.changes(&changes.steps);
        if !deletes_more(&plan, &found) {
            break;
        }
        found = targets.look(kernel).context(CANNOT_READ)?;
    }
    let mut after = found;
    if has_changed {
        let mut query = Query::default();
        query.here().links.extend(targets.known.iter().map(|target| target.iface.clone()));
        after = kernel.read(&query).context(CANNOT_READ)?;
    }
    records.write(&after, extent != Extent::Trial, kernel).context(CANNOT_RECORD)
}

/// Whether the object of a change is gone for good: a link that is made again has another index, and no sockets and
/// learned entries; a namespace that is made again is another one.
fn is_final(op: &Op) -> bool {
    matches!(op, Op::LinkDel { .. } | Op::NetnsDel(_) | Op::Nested(_))
}

/// Takes the deletions at the end, and what follows them, out of the changes. The links are set down in their place.
fn withhold_deletions(changes: &mut Changes, found: &Snapshot) {
    for (_, plan) in changes.steps.iter_mut().skip(changes.removals) {
        let Some(first) = plan.steps.iter().position(|step| is_final(&step.act.op)) else { continue };
        for step in plan.steps.split_off(first) {
            let Op::LinkDel { name, .. } = &step.act.op else { continue };
            let link = found.places.get(&found.place(&step.act.at)).and_then(|state| state.links.get(name));
            if link.is_some_and(|link| link.up) {
                let [down, up] = [false, true].map(|up| Op::set_up(name, up));
                plan.push_at(&step.act.at, down, Some(up));
            }
        }
    }
}

/// Why a rollback of the changes could not restore the state before: namespaces that would be deleted, or whose
/// interfaces would be changed by ifup.
pub fn final_changes(changes: &Changes) -> Vec<String> {
    let is_removal = |place| place >= changes.removals;
    let mut lines = Vec::new();
    for (place, (iface, plan)) in changes.steps.iter().enumerate() {
        let acts = plan.steps.iter().map(|step| &step.act);
        let of_netns = acts.filter(|act| matches!(act.op, Op::NetnsDel(_) | Op::Nested(_)));
        let is_final = |act: &&Act| !is_removal(place) || matches!(&act.op, Op::Nested(nested) if nested.up);
        lines.extend(of_netns.filter(is_final).map(|act| format!("{iface}: `{act}` cannot be rolled back")));
    }
    lines
}

/// Whether the kernel may delete more than a plan says: with an address other addresses of the same prefix, and routes
/// (net/ipv4/devinet.c `__inet_del_ifa`); with the master of a link that is up its IPv6 addresses and its routes, and
/// those of the VLANs on it (drivers/net/vrf.c `cycle_netdev`). An ifdown in a namespace sets `lo` down there.
pub fn deletes_more(plan: &Plan, found: &Snapshot) -> bool {
    let is_up = |name: &IfName| found.here().links.get(name).is_some_and(|link| link.up);
    plan.steps.iter().any(|step| match &step.act.op {
        Op::AddressDel { .. } | Op::Nested(_) => true,
        Op::LinkSet { name, change } => change.interrupts() && is_up(name),
        _ => false,
    })
}

/// The kernel did not answer.
pub const CANNOT_READ: &str = "cannot read the state of the kernel";
/// Our record was not written.
pub const CANNOT_RECORD: &str = "cannot record the applied stanza";

/// The records of the stanzas that are applied.
struct Records<'a> {
    targets: &'a Targets,
    extent: Extent,
    /// The interfaces whose stanzas are not complete until they appear.
    awaited: BTreeSet<IfName>,
    /// What is recorded.
    applied: BTreeMap<IfName, Applied>,
}

impl Records<'_> {
    /// Records that the stanzas are applied; once all changes are made, also that no former one is.
    fn write(&mut self, found: &Snapshot, is_done: bool, kernel: &Live) -> Result<(), Refusal> {
        let targets = self.targets;
        let directory = kernel.records().directory()?;
        let chosen = targets.known.iter().filter(|target| target.chosen && !target.by_ifup);
        // A record of values for executors of others alone would not be renewed by the next `ifup`.
        let is_renewed = |target: &&Target| target.foreign.is_empty() || target.section.has_any(&OURS);
        let present = chosen.filter(is_renewed).map(|target| {
            (&target.iface, Some(&target.section).filter(|_| !target.configuration.is_empty()))
        });
        let gone = targets.gone().map(|iface| (iface, None));
        for (iface, section) in present.chain(gone) {
            let before = self.applied.get(iface).cloned().unwrap_or_default();
            let mut after = before.clone();
            if let Some(section) = section {
                after.add(Section { index: self.index(iface, found), ..section.clone() });
            }
            if is_done && !self.awaited.contains(iface) {
                after.sections.retain(|other| section.is_some_and(|section| other.has_values_of(section)));
            }
            if after.sections != before.sections {
                applied::write_in(&directory, iface, &after)?;
                self.applied.insert(iface.clone(), after);
            }
        }
        if is_done {
            targets.stale().try_for_each(|iface| applied::write_in(&directory, iface, &Applied::default()))
        } else {
            Ok(())
        }
    }

    /// The index of the link to which a stanza is applied. By it, `hotplug` knows whether a link is another one, so a
    /// link that appeared meanwhile is not recorded. After a trial, nothing is set up any more.
    fn index(&self, iface: &IfName, found: &Snapshot) -> Option<u32> {
        let is_set_up = self.extent != Extent::Removals && !self.awaited.contains(iface);
        found.here().details.get(iface).filter(|_| is_set_up).map(|details| details.index)
    }
}

//! Fault injection on a real kernel, at every netlink message of every phase of a stanza for each executor: the message
//! is refused, its answer is lost, the program is killed before or after it, or another process is faster.
//!
//! strace injects the faults. `IFNL_FAULTS=all` runs all of them; otherwise one in a certain number. The printed lines
//! are read by tests/lane/faults; tests/plain/faults.rs has the same matrix on the model.

mod scenes;
mod tamper;

use crate::features::{Feature, needs};
use crate::lab::{command, in_lab, own_run, phase};
use crate::shown::Shown;
use crate::state::files_in_run;
use crate::tampered::{DOWN, UP, link};
use libtest_mimic::Trial;
use scenes::{SCENES, Scene};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use tamper::{Tampered, calls, stopped, tampered};

pub fn tests() -> Vec<Trial> {
    let test = |scene: &'static Scene| {
        let mut features = vec![Feature::Strace];
        features.extend(scene.program.starts_with("vrf").then_some(Feature::Vrf));
        features.extend(scene.program.starts_with("bridge").then_some(Feature::Vlan));
        let name = format!("faults/{}/{}", scene.program, scene.iface);
        needs(&features, name, move || in_lab(|| matrix(scene)))
    };
    SCENES.iter().map(test).collect()
}

/// One in this many faults, where not all are tried; of the acts of other processes, more.
const SHORT: [usize; 2] = [120, 21];

/// The columns: a name, the call with the fault, and the kind of fault.
const FAULTS: [(&str, &str, &str); 9] = [
    ("EPERM", "sendto", "error=EPERM"),
    ("EEXIST", "sendto", "error=EEXIST"),
    ("ENODEV", "sendto", "error=ENODEV"),
    ("EBUSY", "sendto", "error=EBUSY"),
    ("ENOBUFS", "sendto", "error=ENOBUFS"),
    ("EOPNOTSUPP", "sendto", "error=EOPNOTSUPP"),
    ("answer-lost", "recvfrom", "error=ENOBUFS"),
    ("killed-before", "sendto", "signal=KILL"),
    ("killed-after", "recvfrom", "signal=KILL"),
];

/// A column at the call with this number, or an act of another process after that message, and how it is undone.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Injected((&'static str, &'static str, &'static str), usize),
    Rival(&'static str, &'static str, usize),
}

impl Fault {
    fn column(&self) -> &'static str {
        match self {
            Self::Injected((column, ..), _) => column,
            Self::Rival(..) => "rival",
        }
    }
}

/// Everything that the stanzas could change.
fn state() -> Vec<String> {
    let mut all = Shown::now(None).lines();
    all.extend(Shown::now(Some("blue")).lines().into_iter().map(|line| format!("blue: {line}")));
    for key in ["tcp", "udp", "raw"] {
        all.push(fs::read_to_string(format!("/proc/sys/net/ipv4/{key}_l3mdev_accept")).unwrap_or_default());
    }
    all.push(fs::read_to_string("/proc/sys/net/ipv6/conf/eth0/disable_ipv6").unwrap_or_default());
    all.extend(files_in_run(Path::new("/run")));
    all
}

fn difference(is: &[String], should: &[String]) -> Result<(), String> {
    if is == should {
        return Ok(());
    }
    let lines = |mark: &'static str, these: &[String], those: &[String]| {
        let missing = these.iter().filter(|line| !those.contains(line));
        missing.map(|line| format!("{mark} {line}")).collect::<Vec<_>>()
    };
    let lines = [lines("-", should, is), lines("+", is, should)].concat();
    Err(if lines.is_empty() {
        format!("other order or number\n{}\n\n{}", should.join("\n"), is.join("\n"))
    } else {
        lines.join("\n")
    })
}

impl Scene {
    /// Runs phases that must print nothing.
    fn run(&self, names: &[&str]) -> Result<(), String> {
        for name in names {
            let ran = phase(self.program, self.iface, name, self.keywords);
            if ran.status != 0 || !ran.stderr.is_empty() {
                return Err(ran.to_string());
            }
            link(self.iface, name);
        }
        Ok(())
    }

    /// Goes from the state where everything is down to the state before the phase with this number.
    fn rise(&self, at: usize) -> Result<(), String> {
        self.run(&[UP, DOWN].concat()[..at])
    }

    /// The same, from any state.
    fn reach(&self, at: usize) -> Result<(), String> {
        self.run(&DOWN)?;
        self.rise(at)
    }
}

/// The expected states of a phase.
struct Around {
    at: usize,
    name: &'static str,
    down: Vec<String>,
    before: Vec<String>,
    after: Vec<String>,
}

impl Around {
    fn is_down(&self) -> bool {
        self.at >= UP.len()
    }

    /// The faults to try at this phase, which makes these calls.
    fn faults(&self, scene: &Scene, calls: &[String]) -> Vec<Fault> {
        let numbers = |call| 1..=calls.iter().filter(|made| *made == call).count();
        let injected = FAULTS
            .into_iter()
            // On the way down, a refusal that says that an object is gone is believed. Below, another process deletes
            // the object.
            .filter(|(column, ..)| *column != "ENODEV" || !self.is_down())
            .flat_map(|fault| numbers(fault.1).map(move |number| Fault::Injected(fault, number)));
        let rivals = scene.rivals.iter().filter(|(when, ..)| *when == self.name);
        let rivals =
            rivals.flat_map(|rival| numbers("sendto").map(|number| Fault::Rival(rival.1, rival.2, number)));
        injected.chain(rivals).collect()
    }

    /// Tries one fault; afterwards the state is that before the phase again.
    fn survives(&self, scene: &Scene, fault: Fault, then_down: bool) -> Result<(), String> {
        match fault {
            Fault::Injected((column, call, fate), number) => {
                let ran = tampered(scene, self.name, call, fate, number);
                assert!(ran.happened, "{}, {call} {number}: {}", self.name, ran.ran);
                self.judge(scene, &ran, column == "ENODEV", then_down)
            }
            Fault::Rival(rival, undo, number) => {
                let ran = stopped(scene, self.name, number, rival);
                if ran.status > 1 {
                    return Err(ran.to_string());
                }
                command(&format!("ip {undo}"));
                self.again(scene).map_err(|why| format!("{ran}\nagain: {why}"))?;
                difference(&state(), &self.after).map_err(|why| format!("{ran}\nagain: {why}"))?;
                scene.reach(self.at)
            }
        }
    }

    /// The next ifup or ifdown, up to this phase. ifup runs all phases again.
    fn again(&self, scene: &Scene) -> Result<(), String> {
        if self.is_down() { scene.run(&[self.name]) } else { scene.run(&UP[..=self.at]) }
    }

    /// The part of a state that a failed phase of ifup must not change. Left out is the record, kept until ifdown, that
    /// the interface is not isolated yet. If `netns` fails in post-up, it sets the interface down, with IPv6 as before.
    fn kept_by_a_failure(&self, scene: &Scene, mut state: Vec<String>) -> Vec<String> {
        state.retain(|line| !line.contains("/raised:"));
        let records: Vec<String> =
            state.iter().filter(|line| line.starts_with("/run/") && line.contains(':')).cloned().collect();
        let is_used = |directory: &str| records.iter().any(|file| file.starts_with(&format!("{directory}/")));
        state.retain(|line| {
            !line.starts_with("/run/ifupdown-ng-netlink") || line.contains(':') || is_used(line)
        });
        if scene.program == "netns" && self.name == "post-up" {
            state.retain(|line| !line.ends_with(".disable_ipv6") && !["0\n", "1\n"].contains(&line.as_str()));
            for line in &mut state {
                *line = line.replace(r#""flags":["UP"],"ifname":"eth0""#, r#""flags":[],"ifname":"eth0""#);
            }
            // The place of the changed line among the links.
            state.sort();
        }
        state
    }

    /// Whether the state is right after a fault, and after the next run.
    fn judge(&self, scene: &Scene, ran: &Tampered, gone: bool, then_down: bool) -> Result<(), String> {
        let text = || format!("{}\n", ran.ran);
        match (ran.killed, ran.ran.status) {
            (true, _) => {}
            // The injected error said that the object was gone, so it still exists. The next run deletes it.
            (false, 0) if gone => {}
            (false, 0) => {
                difference(&state(), &self.after).map_err(|lines| text() + "done, but:\n" + &lines)?;
            }
            (false, 1) if self.is_down() => {}
            (false, 1) => {
                let [is, before] =
                    [state(), self.before.clone()].map(|state| self.kept_by_a_failure(scene, state));
                difference(&is, &before).map_err(|lines| text() + "failed, but:\n" + &lines)?;
            }
            _ => return Err(text()),
        }
        if !ran.killed
            && ran.ran.status == 1
            && ran.ran.stderr.lines().any(|line| !line.starts_with(scene.program))
        {
            return Err(text() + "not a line of ours");
        }
        if then_down {
            scene.run(&DOWN).map_err(|why| text() + "then down: " + &why)?;
            difference(&state(), &self.down).map_err(|lines| text() + "then down:\n" + &lines)?;
            scene.rise(self.at)
        } else {
            self.again(scene).map_err(|why| text() + "again: " + &why)?;
            difference(&state(), &self.after).map_err(|lines| text() + "again:\n" + &lines)?;
            scene.reach(self.at)
        }
    }
}

fn matrix(scene: &'static Scene) {
    own_run();
    scene.set_up();
    let everything = std::env::var("IFNL_FAULTS").is_ok_and(|which| which == "all");
    let (mut counts, mut failures, mut turn) = (BTreeMap::<&str, [usize; 2]>::new(), Vec::new(), 0_usize);
    scene.run(&DOWN).unwrap();
    let down = state();
    for (at, name) in UP.into_iter().chain(DOWN).enumerate() {
        // The stock `link` runs in these phases.
        if matches!(name, "up" | "down") {
            scene.run(&[name]).unwrap();
            continue;
        }
        let before = state();
        let calls = calls(scene, name);
        let around = Around { at, name, down: down.clone(), before, after: state() };
        let mut faults = around.faults(scene, &calls);
        faults.retain(|fault| {
            turn += 1;
            everything || turn % SHORT[usize::from(matches!(fault, Fault::Rival(..)))] == 1
        });
        if faults.is_empty() {
            continue;
        }
        scene.reach(at).unwrap();
        for (nth, fault) in faults.into_iter().enumerate() {
            let [injected, survived] = counts.entry(fault.column()).or_default();
            *injected += 1;
            // The next run alternates between the same phase and ifdown.
            match around.survives(scene, fault, (at + nth) % 2 == 1) {
                Ok(()) => *survived += 1,
                Err(why) => {
                    failures.push(format!("{name}, {fault:?}\n{why}"));
                    scene.reach(at).unwrap_or_else(|why| panic!("{}\n{why}", failures.join("\n\n")));
                }
            }
        }
        scene.run(&[name]).unwrap();
    }
    scene.run(&DOWN).unwrap();
    difference(&state(), &down).unwrap();
    for (column, [injected, survived]) in &counts {
        println!("fault kernel {} {column} {injected} {survived}", scene.program);
    }
    assert!(failures.is_empty(), "{} faults not survived:\n{}", failures.len(), failures.join("\n\n"));
    assert!(counts.len() > if everything { 8 } else { 0 }, "{counts:?}");
}

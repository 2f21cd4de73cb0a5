//! One of our programs takes a stanza through its phases, and is killed or refused at every call that changes anything.

use crate::lab::{Ran, SCRATCH, command, phase, phase_command, program, run};
use crate::matrix::{count, is_whole};
use crate::state::State;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::process::Command;
use std::time::Duration;
use std::{fs, thread};

/// The phases of ifup.
pub const UP: [&str; 4] = ["create", "pre-up", "up", "post-up"];
/// The phases of ifdown.
pub const DOWN: [&str; 4] = ["pre-down", "down", "post-down", "destroy"];

/// The calls with which our programs change anything.
const CALLS: &str = "sendto,mount,umount2,unshare,setns,write,rename,unlink,rmdir,mkdir";
/// Faults for some of them: the errors of a machine without free memory or disk space.
const REFUSED: [(&str, &str); 3] = [("sendto", "ENOBUFS"), ("mount", "ENOMEM"), ("unshare", "ENOSPC")];

/// A stanza and the program that reads it.
#[derive(Clone, Copy)]
pub struct Stanza {
    pub program: &'static str,
    pub iface: &'static str,
    pub keywords: &'static [&'static str],
}

/// The state that a test compares.
pub trait Seen: PartialEq + Debug {
    /// Fails with what differs.
    fn assert_same(&self, now: &Self, when: &str) {
        assert_eq!(now, self, "{when}");
    }
}

impl Seen for String {}

impl Seen for State {
    fn assert_same(&self, now: &Self, when: &str) {
        State::assert_same(self, now, when);
    }
}

/// The state with the output of `bridge`.
impl Seen for (State, String, String) {
    fn assert_same(&self, now: &Self, when: &str) {
        self.0.assert_same(&now.0, when);
        assert_eq!((&now.1, &now.2), (&self.1, &self.2), "{when}");
    }
}

/// What the stock `link` does in a phase.
pub fn link(iface: &str, name: &str) {
    if name == "up" || name == "down" {
        command(&format!("ip link set {iface} {name}"));
    }
}

impl Stanza {
    pub fn phase(&self, name: &str) -> Ran {
        let ran = phase(self.program, self.iface, name, self.keywords);
        link(self.iface, name);
        ran
    }

    #[track_caller]
    fn phases<'a>(&self, names: impl IntoIterator<Item = &'a &'a str>) {
        for name in names {
            self.phase(name).quiet();
        }
    }

    #[track_caller]
    pub fn up(&self) {
        self.phases(&UP);
    }

    #[track_caller]
    pub fn down(&self) {
        self.phases(&DOWN);
    }

    /// A phase under strace.
    fn traced(&self, name: &str, options: &[&str]) -> Ran {
        let of_phase = phase_command(self.program, self.iface, name, self.keywords);
        let mut strace = Command::new("strace");
        strace.arg("-qq").args(options).arg(program(self.program));
        strace.env_clear().env("PATH", "/usr/bin:/bin");
        for (key, value) in of_phase.get_envs() {
            strace.env(key, value.unwrap_or_default());
        }
        run(&mut strace)
    }

    /// A phase with a fault at the `number`th of these calls.
    pub fn tampered(&self, name: &str, call: &str, fate: &str, number: usize) -> Ran {
        let (trace, inject) = (format!("trace={call}"), format!("inject={call}:{fate}:when={number}"));
        self.traced(name, &["-o", "/dev/null", "-e", &trace, "-e", &inject])
    }

    /// A phase; returns the calls that change anything.
    fn calls(&self, name: &str) -> BTreeSet<String> {
        let log = format!("{SCRATCH}/calls");
        self.traced(name, &["-o", &log, "-e", &format!("trace={CALLS}")]).quiet();
        link(self.iface, name);
        let log = fs::read_to_string(log).expect("strace's log");
        log.lines().filter_map(|line| Some(line.split_once('(')?.0.to_owned())).collect()
    }

    /// Killed at every call that changes anything, in every phase: then ifup again, or ifdown, and the state is right.
    /// `watch` checks what must hold at every moment, `left` what must be gone with the stanza.
    pub fn killed<S: Seen>(&self, see: impl Fn() -> S, watch: impl Fn(&str), left: impl Fn(&str)) {
        let before = see();
        self.up();
        self.down();
        soon_same(&before, &see, "after one round");
        let mut calls: Vec<_> = UP.iter().map(|name| self.calls(name)).collect();
        let up = settled(&see);
        calls.extend(DOWN.iter().map(|name| self.calls(name)));
        let names: Vec<&str> = UP.into_iter().chain(DOWN).collect();
        let before_it = |at| self.phases(names.iter().take(at));
        self.each_kill(&names, &calls, 40, before_it, |when, is_up| {
            watch(when);
            if is_up {
                self.up();
                soon_same(&up, &see, &format!("{when}, then up"));
            }
            self.down();
            soon_same(&before, &see, &format!("{when}, then down"));
            left(when);
        });
    }

    /// Kills each of these phases at each of its calls. `before` leads to the phase with this number, `after` to the end;
    /// its flag is that of every other time.
    fn each_kill(
        &self,
        names: &[&str],
        calls: &[BTreeSet<String>],
        step: usize,
        before: impl Fn(usize),
        after: impl Fn(&str, bool),
    ) {
        let mut kills = 0;
        for (at, (name, calls)) in names.iter().zip(calls).enumerate() {
            for (nth, call) in calls.iter().enumerate().filter(|(nth, call)| is_tried(at, *nth, call)) {
                for number in every(step, nth) {
                    before(at);
                    let when = format!("{name} killed at {call} {number}");
                    let was_killed = self.tampered(name, call, "signal=KILL", number).status != 0;
                    after(&when, number % 2 == kills % 2);
                    if !was_killed {
                        break;
                    }
                    kills += 1;
                }
            }
        }
        println!("{kills} kills");
        assert!(kills > count(5, 1), "only {kills} kills");
    }

    /// Killed at every call that changes anything on the way from this stanza to `to`. Then a third stanza goes up, and
    /// leads to the state that it leads to from nothing.
    pub fn killed_on_the_way<S: Seen>(
        &self,
        to: &Self,
        third: &Self,
        see: impl Fn() -> S,
        left: impl Fn(&str),
    ) {
        let before = see();
        third.up();
        let wanted = settled(&see);
        third.down();
        soon_same(&before, &see, "after one round");
        self.up();
        let calls: Vec<_> = UP.iter().map(|name| to.calls(name)).collect();
        to.down();
        soon_same(&before, &see, "after an edit");
        left("after an edit");
        let before_it = |at| {
            self.up();
            to.phases(UP.iter().take(at));
        };
        to.each_kill(&UP, &calls, 60, before_it, |when, is_up| {
            let records = command("grep -r . /run/ifupdown-ng-netlink").stdout;
            let when = format!("{when}, with the records\n{records}");
            if is_up {
                third.up();
                soon_same(&wanted, &see, &format!("{when}, then the third stanza up"));
            }
            third.down();
            soon_same(&before, &see, &format!("{when}, then down"));
            left(&when);
        });
    }

    /// Refused at every message of a phase on the way up: an error that names the step, and the earlier state is
    /// restored.
    pub fn refused<S: Seen>(&self, see: impl Fn() -> S, left: impl Fn(&str)) {
        // From now on, the state that the kernel keeps after a first time exists.
        self.up();
        self.down();
        let (clean, mut refusals) = (settled(&see), 0);
        self.phases(&UP[..1]);
        let created = settled(&see);
        self.down();
        for (at, name) in UP.iter().enumerate() {
            for (nth, (call, errno)) in
                REFUSED.into_iter().enumerate().filter(|(nth, (call, _))| is_tried(at, *nth, call))
            {
                for number in every(24, nth) {
                    self.phases(UP.iter().take(at));
                    let before = settled(&see);
                    let ran = self.tampered(name, call, &format!("error={errno}"), number);
                    let (refused, when) = (ran.status != 0, format!("{name}, {call} {number}"));
                    if refused {
                        refusals += 1;
                        // One line, and a second one if an interface that went up had to be set down.
                        let lines = 1 + usize::from(ran.stderr.contains(" and was set down; "));
                        assert!(ran.status == 1 && ran.stderr.lines().count() == lines, "{ran}");
                        assert!(ran.stderr.contains(errno) && !ran.stderr.contains("not undone"), "{ran}");
                        // In the last phase, what an earlier phase prepared for it is also rolled back.
                        let is_created = *name == "post-up" && settled(&see) == created;
                        let expected = if is_created { &created } else { &before };
                        soon_same(expected, &see, &format!("{when}: {}", ran.stderr));
                    }
                    self.down();
                    soon_same(&clean, &see, &format!("{when}, then down"));
                    left(&when);
                    if !refused {
                        break;
                    }
                }
            }
        }
        println!("{refusals} refusals");
        assert!(refusals > count(5, 0), "only {refusals} refusals");
    }
}

/// Whether a kind of call is tried in a phase: all of them in the whole matrix, otherwise messages to the kernel and a
/// third of the others, which differ from phase to phase.
fn is_tried(phase: usize, kind: usize, call: &str) -> bool {
    is_whole() || call == "sendto" || (phase + kind) % 3 == 0
}

/// The numbers of the calls to try, from 1 on: all of them in the whole matrix, otherwise only some, at a fixed
/// distance. The first one differs from kind to kind.
fn every(step: usize, nth: usize) -> impl Iterator<Item = usize> {
    let (step, first) = if is_whole() { (1, 1) } else { (step, nth % 3 + 1) };
    (first..).step_by(step)
}

/// The state once it is the same twice: the kernel updates some of it later.
fn settled<S: Seen>(see: impl Fn() -> S) -> S {
    let mut last = see();
    for _ in 0..20 {
        thread::sleep(Duration::from_millis(100));
        let now = see();
        if now == last {
            break;
        }
        last = now;
    }
    last
}

/// Fails unless the state is the same as before, at once or a little later.
#[track_caller]
fn soon_same<S: Seen>(before: &S, see: impl Fn() -> S, when: &str) {
    for _ in 0..20 {
        if see() == *before {
            return;
        }
        thread::sleep(Duration::from_millis(100));
    }
    before.assert_same(&see(), when);
}

//! What happens between the steps. The setups go up and down, by real ifup and ifdown: forced, slowed down and
//! killed. Packets that the final states forbid are sent every millisecond, and none may arrive. Packets of unrelated
//! streams are sent as well, and none may be lost.
//!
//! `IFNL_ROUNDS` is the number of rounds of each test; without it, one. A test ends with a line `windows/NAME: N sent,
//! N leaked, N lost`, which tests/lane/long adds up.

use crate::features::{Feature, needs};
use crate::ifupdown::{Executors, Ifupdown, Installed, Shell, Version, example};
use crate::lab::{Netns, Ran, in_lab, run, settle};
use crate::matrix;
use crate::state::State;
use libtest_mimic::Trial;
use prober::{Outcome, Prober, Stream, Watch};
use std::process::Command;
use std::thread;
use std::time::Duration;

pub mod prober;
pub mod setups;
mod stations;

/// A setup, its surroundings, and its streams.
pub struct Setup {
    /// The installation with the setup's interfaces, all down.
    pub installed: Installed,
    /// Namespaces by number, for later use.
    pub hosts: Vec<Netns>,
    /// Streams that may not arrive at any time, and streams that must arrive at all times.
    pub always: fn(&[Netns]) -> Vec<Stream<'_>>,
    /// Streams that must not be interrupted while everything is up: neither by a forced ifup, nor when siblings go up
    /// and down.
    pub while_up: fn(&[Netns]) -> Vec<Stream<'_>>,
    /// Where forbidden packets would be seen.
    pub watches: fn(&[Netns]) -> Vec<Watch<'_>>,
    /// Stanzas that go up and down while the others stay up.
    pub siblings: &'static str,
    /// In the short form it only goes up and down: nothing is delayed, and nothing is killed.
    pub is_brief: bool,
    /// Run repeatedly: gives senders the neighbours that they need on new links.
    pub tell: fn(&[Netns]),
    /// Permits the forbidden packets once everything is up. If they are seen then, they would have been seen before as
    /// well.
    pub open: fn(&Setup),
}

pub fn tests() -> Vec<Trial> {
    let usual = Ifupdown::USUAL;
    let mut tests = Vec::new();
    let is_chosen = |name: &str| name != "three-points-routed-nft" || !is_short();
    for (name, needed, make) in setups::ALL.into_iter().filter(|(name, ..)| is_chosen(name)) {
        // Also the executors as separate processes, which make the steps in another order. Only if they can make all
        // steps: only the prefix executor reads the ports of a bridge, and files of namespaces have no `use` lines.
        let needs_prefixes =
            ["bridge-ports", "netns-interfaces"].iter().any(|keyword| example(name).contains(keyword));
        let executors = if needs_prefixes { Executors::Replaced } else { Executors::Absent };
        let single = Ifupdown { version: Version::Bookworm, executors, shell: Shell::Dash };
        for ifupdown in
            if std::env::var_os("IFNL_ROUNDS").is_some() { vec![usual, single] } else { vec![usual] }
        {
            let full = format!("windows/{name}/{ifupdown}");
            tests.push(needs(
                &[needed, &[Feature::Roots, Feature::Strace]].concat(),
                full.clone(),
                move || in_lab(|| probe(&full, &make(ifupdown))),
            ));
        }
    }
    tests
}

/// The number of rounds without `IFNL_ROUNDS`.
pub fn rounds(otherwise: usize) -> usize {
    std::env::var("IFNL_ROUNDS").map_or(otherwise, |rounds| rounds.parse().expect("IFNL_ROUNDS: a number"))
}

/// For ifdown, which would also take down `lo` and everything on it.
const ALL: &str = "-X lo -a";
/// The same for interfaces that ifdown counts as down.
const ALL_FORCED: &str = "-f -X lo -a";

fn probe(name: &str, setup: &Setup) {
    settle();
    let before = State::with_run(&setup.installed);
    let mut outcome = up_and_down(setup, rounds(1));
    before.assert_same(&State::with_run(&setup.installed), "after all rounds");
    outcome += while_up(setup, rounds(1));
    println!("{name}: {} sent, {} leaked, {} lost", outcome.sent, outcome.leaked, outcome.lost);
    assert_eq!((outcome.leaked, outcome.lost), (0, 0), "{name}: {:#?}", outcome.notes);
    could_leak(setup);
    setup.installed.ifdown(ALL);
    setup.installed.ifdown(ALL_FORCED);
}

/// The whole setup goes up and down.
fn up_and_down(setup: &Setup, rounds: usize) -> Outcome {
    let installed = &setup.installed;
    let hosts = &setup.hosts;
    let prober = Prober::start(&(setup.always)(hosts), &(setup.watches)(hosts));
    let rest = || {
        (setup.tell)(hosts);
        thread::sleep(Duration::from_millis(200));
    };
    let down = || {
        installed.ifdown(ALL_FORCED);
        installed.forget();
        rest();
    };
    for round in 0..rounds {
        installed.ifup("-a").quiet();
        rest();
        installed.ifdown(ALL).quiet();
        rest();
        if setup.is_brief && is_short() {
            continue;
        }
        // After every message of every process there is time for some packets.
        slowly(installed, "ifup", "-a").quiet();
        rest();
        slowly(installed, "ifdown", ALL).quiet();
        rest();
        // Every executor is killed at its nth message: on the way up, then on the way down.
        let death = 2 + (round + 1) % 6;
        killed(installed, "ifup", "-a", death);
        rest();
        if round % 2 == 1 {
            installed.ifup("-a");
            rest();
        }
        down();
        installed.ifup("-a").quiet();
        rest();
        killed(installed, "ifdown", ALL, death);
        rest();
        down();
    }
    prober.stop()
}

/// Streams that must not be interrupted by a second ifup, or by siblings that go up and down.
fn while_up(setup: &Setup, rounds: usize) -> Outcome {
    let (installed, hosts) = (&setup.installed, &setup.hosts);
    installed.ifup("-a").quiet();
    settle();
    (setup.tell)(hosts);
    thread::sleep(Duration::from_secs(2));
    let streams = [(setup.always)(hosts), (setup.while_up)(hosts)].concat();
    let prober = Prober::start(&streams, &(setup.watches)(hosts));
    for _ in 0..rounds {
        for sibling in setup.siblings.split_whitespace() {
            installed.ifdown(&format!("-f {sibling}"));
            thread::sleep(Duration::from_millis(200));
            installed.ifup(&format!("-f {sibling}"));
            (setup.tell)(hosts);
        }
        slowly(installed, "ifup", "-f -a");
    }
    prober.stop()
}

/// Neither the whole matrix nor many rounds.
pub fn is_short() -> bool {
    std::env::var_os("IFNL_ROUNDS").is_none() && !matrix::is_whole()
}

/// With the forbidden packets permitted, every watch sees some.
fn could_leak(setup: &Setup) {
    (setup.open)(setup);
    for watch in (setup.watches)(&setup.hosts) {
        let prober = Prober::start(&(setup.always)(&setup.hosts), &[watch]);
        (setup.tell)(&setup.hosts);
        prober.wait_for_leaks(11);
        prober.stop();
    }
}

fn slowly(installed: &Installed, name: &str, arguments: &str) -> Ran {
    traced(installed, name, arguments, "inject=sendto,sendmsg:delay_exit=4000")
}

fn killed(installed: &Installed, name: &str, arguments: &str, message: usize) {
    traced(installed, name, arguments, &format!("inject=sendto:signal=KILL:when={message}"));
}

/// `ifup` or `ifdown`, with faults in the system calls with which it and its children talk to the kernel.
fn traced(installed: &Installed, name: &str, arguments: &str, inject: &str) -> Ran {
    let inner = installed.command(name, arguments);
    let mut strace = Command::new("strace");
    strace.args([
        "-f",
        "-qq",
        "--seccomp-bpf",
        "-o",
        "/dev/null",
        "-e",
        "trace=sendto,sendmsg",
        "-e",
        inject,
    ]);
    strace.arg(inner.get_program()).args(inner.get_args());
    strace.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    run(&mut strace)
}

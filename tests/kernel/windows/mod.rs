//! What happens between the moments: while the six setups go up and down, by real ifup and ifdown, forced, in slow
//! motion and killed, packets that their final states forbid are sent every millisecond, and nobody ever gets one; and
//! packets that do not concern them, none of which is lost.
//!
//! `IFNL_ROUNDS` is how often each of it is done; without it, once. A test ends with a line
//! `windows/NAME: N sent, N leaked, N lost`, which tests/lane/long adds up.

use crate::{
    features::{Feature, needs},
    ifupdown::{Executors, Ifupdown, Installed, Shell, Version, example},
    lab::{Netns, Ran, in_lab, run, settle},
    state::State,
};
use libtest_mimic::Trial;
use prober::{Outcome, Prober, Stream, Watch};
use std::{process::Command, thread, time::Duration};

pub mod prober;
pub mod setups;
mod stations;

/// A setup, its surroundings, and who talks there.
pub struct Setup {
    /// The installation with the setup's interfaces, nothing of it up.
    pub installed: Installed,
    /// By number, for what follows.
    pub hosts: Vec<Netns>,
    /// What may not pass at any time, and what must whatever happens.
    pub always: fn(&[Netns]) -> Vec<Stream<'_>>,
    /// What must not be interrupted while all is up: neither by a forced ifup, nor when the siblings come and go.
    pub while_up: fn(&[Netns]) -> Vec<Stream<'_>>,
    /// Where something would be seen that may not pass.
    pub watches: fn(&[Netns]) -> Vec<Watch<'_>>,
    /// Stanzas that come and go beside the others.
    pub siblings: &'static str,
    /// Every so often: what senders have to know, about links that are new.
    pub tell: fn(&[Netns]),
    /// Lets pass what is forbidden, once all is up; that it is seen then shows that it would have been before.
    pub open: fn(&Setup),
}

pub fn tests() -> Vec<Trial> {
    let usual = Ifupdown::USUAL;
    let mut tests = Vec::new();
    for (name, needed, make) in setups::ALL {
        // The executors in processes of their own, whose steps come in another order, where they can make it all: of a
        // bridge's ports only the prefix executor knows.
        let executors =
            if example(name).contains("bridge-ports") { Executors::Replaced } else { Executors::Absent };
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

/// How many, where `IFNL_ROUNDS` does not say.
pub fn rounds(otherwise: usize) -> usize {
    std::env::var("IFNL_ROUNDS").map_or(otherwise, |rounds| rounds.parse().expect("IFNL_ROUNDS: a number"))
}

/// For ifdown, which would take down `lo` with the rest, and what it carries.
const ALL: &str = "-X lo -a";
/// The same for what ifdown believes to be down.
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

/// The whole setup comes and goes.
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
        // Every message of everybody is followed by time for some packets.
        slowly(installed, "ifup", "-a").quiet();
        rest();
        slowly(installed, "ifdown", ALL).quiet();
        rest();
        // Every executor dies at its nth message: on the way up, then on the way down.
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

/// What must not notice that the same is done again, or that something beside it comes and goes.
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

/// With the door open, every watch sees something.
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

/// `ifup` or `ifdown`, with something done to the system calls by which it and what it starts speak to the kernel.
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

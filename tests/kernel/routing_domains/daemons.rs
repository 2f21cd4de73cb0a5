//! A routing daemon in each of two namespaces: a network is learned, and withdrawn.

use super::{domain, forwarding, outside};
use crate::ifupdown::{Ifupdown, Installed, example};
use crate::lab::{Netns, Ran, command, ip, settle, wait_until};
use crate::pages::checkout;
use crate::probe::ping;
use crate::state::State;

/// The networks that `private` announces.
const LEARNED: [&str; 2] = ["10.97.0.1", "fd00:97::1"];

fn in_root(installed: &Installed, words: &str) -> Ran {
    command(&format!("chroot {} {words}", installed.path("/").display()))
}

/// BIRD, started as the comment in its file says.
fn start(installed: &Installed, domain: &str) {
    let line = format!("ip netns exec {domain} bird -s /run/bird-{domain}.ctl -P /run/bird-{domain}.pid");
    let file = format!("interfaces.d/etc/netns/{domain}/bird/bird.conf");
    let file = checkout().join(file);
    assert!(std::fs::read_to_string(file).unwrap().contains(&line), "the file has another command");
    in_root(installed, &line).ok();
}

fn stop(installed: &Installed, domain: &str) {
    in_root(installed, &format!("birdcl -s /run/bird-{domain}.ctl down")).ok();
    let pid = installed.path(&format!("/run/bird-{domain}.pid"));
    wait_until("BIRD has ended", || !pid.exists());
    // The process ends shortly after its file is deleted.
    wait_until("nobody is inside", || {
        in_root(installed, &format!("ip netns pids {domain}")).stdout.trim().is_empty()
    });
}

/// The routes of the daemon there, of both families.
fn learned(hostile: &Netns) -> usize {
    let text = hostile.ip("-4 route show proto bird") + &hostile.ip("-6 route show proto bird");
    let networks =
        ["10.97.0.0/24 via 10.98.0.1 dev to-private", "fd00:97::/64 via fd00:98::1 dev to-private"];
    let known = networks.iter().filter(|network| text.contains(*network)).count();
    assert_eq!(known, text.lines().count(), "more routes than were announced: {text}");
    known
}

fn is_known(hostile: &Netns, when: &str) {
    wait_until(when, || learned(hostile) == 2);
    for to in LEARNED {
        hostile.within(|| ping(to, None)).expect(when);
    }
}

#[track_caller]
fn is_withdrawn(hostile: &Netns, when: &str) {
    wait_until(when, || learned(hostile) == 0);
    for to in LEARNED {
        hostile.within(|| ping(to, None)).expect_err(when);
    }
}

pub fn daemons(ifupdown: Ifupdown) {
    let _outside = outside();
    forwarding();
    let installed = ifupdown.install(&example("routing-domains"));
    let before = State::with_run(&installed);
    installed.ifup("-a").ok();
    settle();
    let (private, hostile) = (domain(&installed, "private"), domain(&installed, "hostile"));
    hostile.within(settle);
    is_withdrawn(&hostile, "before");
    for domain in ["private", "hostile"] {
        start(&installed, domain);
    }
    is_known(&hostile, "learned");
    // The end in `hostile` is unchanged: the daemon there removes the route.
    private.ip("link set to-hostile down");
    is_withdrawn(&hostile, "the link between them is down");
    private.ip("link set to-hostile up");
    private.ip("addr replace fd00:98::1/126 dev to-hostile nodad");
    is_known(&hostile, "the link is up");
    // By ifdown: the announced network is gone, the sessions stay.
    installed.ifdown("lan-private").quiet();
    is_withdrawn(&hostile, "the network is gone");
    installed.ifup("lan-private").quiet();
    is_known(&hostile, "the network is back");
    // By ifdown: the link is gone, the network stays.
    installed.ifdown("between").quiet();
    is_withdrawn(&hostile, "no link");
    installed.ifup("between").quiet();
    is_known(&hostile, "a new link");
    for domain in ["private", "hostile"] {
        stop(&installed, domain);
    }
    drop((private, hostile));
    installed.ifdown("-a").ok();
    ip("link set lo up");
    before.assert_same(&State::with_run(&installed), "after ifdown -a");
}

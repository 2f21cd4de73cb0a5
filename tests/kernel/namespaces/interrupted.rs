//! Killed at every call that changes anything, refused at every message.

use super::{DOWN, Stanza, UP, card_is_somewhere, nothing_left, state};
use crate::lab::{ip, own_run};

/// The calls by which our programs change anything.
const CALLS: [&str; 10] =
    ["sendto", "mount", "umount2", "unshare", "setns", "write", "rename", "unlink", "rmdir", "mkdir"];

/// At every call that changes anything, in every phase: then ifup again, or ifdown, and all is as it should be.
pub fn killed(stanza: &Stanza) {
    own_run();
    let is_card = stanza.iface == "eth0";
    if is_card {
        ip("link add name eth0 address 02:00:00:00:00:0a type veth peer name far");
        ip("link set far address 02:00:00:00:00:0b up");
    }
    let before = state();
    stanza.up();
    let up = state();
    stanza.down();
    assert_eq!(state(), before);
    let mut kills = 0;
    for (at, name) in UP.iter().chain(&DOWN).enumerate() {
        for call in CALLS {
            for number in 1.. {
                UP.iter().chain(&DOWN).take(at).for_each(|earlier| drop(stanza.phase(earlier).quiet()));
                let when = format!("{name} killed at {call} {number}");
                let was_killed = stanza.tampered(name, call, "signal=KILL", number).status != 0;
                if is_card {
                    card_is_somewhere(&when);
                }
                if number % 2 == kills % 2 {
                    stanza.up();
                    assert_eq!(state(), up, "{when}, then up");
                }
                stanza.down();
                assert_eq!(state(), before, "{when}, then down");
                nothing_left(&when);
                if !was_killed {
                    break;
                }
                kills += 1;
            }
        }
    }
    println!("{kills} kills");
    assert!(kills > 50, "only {kills} kills");
}

/// The kernel refuses the `number`th message of a phase on the way up: what was before is again.
pub fn refused(stanza: &Stanza) {
    own_run();
    if stanza.iface == "eth0" {
        ip("link add name eth0 address 02:00:00:00:00:0a type veth peer name far");
        ip("link set far address 02:00:00:00:00:0b up");
    }
    let (clean, mut refusals) = (state(), 0);
    for (at, name) in UP.iter().enumerate() {
        for (call, errno) in [("sendto", "ENOBUFS"), ("mount", "ENOMEM"), ("unshare", "ENOSPC")] {
            for number in 1.. {
                UP.iter().take(at).for_each(|earlier| drop(stanza.phase(earlier).quiet()));
                let before = state();
                let ran = stanza.tampered(name, call, &format!("error={errno}"), number);
                let refused = ran.status != 0;
                if refused {
                    refusals += 1;
                    assert!(ran.status == 1 && ran.stderr.lines().count() == 1, "{ran}");
                    assert!(ran.stderr.contains(errno) && !ran.stderr.contains("not undone"), "{ran}");
                    assert_eq!(state(), before, "{name}, {call} {number}: {}", ran.stderr);
                }
                stanza.down();
                assert_eq!(state(), clean, "{name}, {call} {number}, then down");
                nothing_left(&format!("{name}, {call} {number}"));
                if !refused {
                    break;
                }
            }
        }
    }
    assert!(refusals > 5, "only {refusals} refusals");
}

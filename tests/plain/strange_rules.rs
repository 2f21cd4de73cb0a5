//! Rules in unusual states: moved, doubled, with another protocol, missing. Every layout is brought up and down in
//! every such state, with a failure and a kill at every step.
//!
//! The earlier rules are restored, except that duplicates are removed, and that the kernel's own rules get the protocol
//! of the kernel.

use super::faulty::{Fault, Faulty};
use super::interfaces::{End, Interface, survives};
use super::invariants::{is_local, stays_sealed};
use super::properties::vrf_with;
use super::{notation, notation_write};
use ifupdown_ng_netlink::plan::vrf::layout::kernel_l3mdev;
use ifupdown_ng_netlink::stanza::Phase;
use ifupdown_ng_netlink::state::{Rule, Snapshot, State};
use ifupdown_ng_netlink::values::Family;
use nix::errno::Errno;

/// Possible rules in IPv4. `32766: lookup main` is added to all.
const FOUND: [(&str, &str); 10] = [
    ("as every namespace is born", "0 lookup local proto kernel"),
    ("a second local", "0 lookup local proto kernel, 0 lookup local proto kernel"),
    ("a second local of another", "0 lookup local proto 3, 0 lookup local proto kernel"),
    ("local put back by hand", "0 lookup local proto 3"),
    ("as VyOS has it", "1000 l3mdev proto kernel, 2000 l3mdev unreachable, 32765 lookup local"),
    (
        "l3mdev before the kernel's",
        "0 lookup local proto kernel, 1000 l3mdev proto 3, 1000 l3mdev proto kernel",
    ),
    (
        "refused by another",
        "0 lookup local proto kernel, 1000 l3mdev proto kernel, 2000 l3mdev unreachable proto 4",
    ),
    (
        "a rule that looks only at some packets",
        "0 lookup local proto kernel, 0 lookup local proto 3 selective",
    ),
    ("a VPN in front", "0 lookup local proto kernel, 5270 lookup 52, 5280 lookup 53 selective"),
    ("no local at all", "1000 l3mdev proto kernel"),
];

/// The state with these rules in IPv4 and none in IPv6.
fn state(rules: &str) -> Snapshot {
    let lines: Vec<String> = rules.split(", ").map(|rule| format!("rule 4 {rule}")).collect();
    notation::parse(&format!("{}\nrule 4 32766 lookup main proto kernel\n", lines.join("\n")))
}

/// The rules, each once, with any protocol, without the kernel's l3mdev rule.
fn essence(state: &State) -> Vec<String> {
    let rules = state.rules[&Family::Ipv4].iter().filter(|rule| !rule.same(&kernel_l3mdev(Family::Ipv4)));
    let mut lines: Vec<String> =
        rules.map(|rule| format!("{} {}", Rule { protocol: 0, ..rule.clone() }, rule.selective)).collect();
    lines.sort();
    lines.dedup();
    lines
}

/// All layouts in all states.
fn every(mut try_one: impl FnMut(&Interface, &Snapshot, &str)) {
    let layouts: [&[(&str, &str)]; 5] = [
        &[("vrf-rules", "yes")],
        &[("vrf-rules", "jump")],
        &[("vrf-rules", "yes"), ("vrf-rules-l3mdev", "500"), ("vrf-rules-unreachable", "600")],
        &[("vrf-rules", "jump"), ("vrf-rules-l3mdev", "500"), ("vrf-rules-unreachable", "no")],
        &[("vrf-rules", "yes"), ("vrf-rules-local", "no")],
    ];
    for layout in layouts {
        let interface = vrf_with("red", "10", layout);
        for (about, rules) in FOUND {
            try_one(&interface, &state(rules), &format!("{}{about}\n", interface.text));
        }
    }
}

/// A rule for local exists at every step, if one existed before.
fn never_without_local(kernel: &Faulty, start: &Snapshot, about: &str) {
    if start.here().rules[&Family::Ipv4].iter().any(is_local) {
        for (step, state) in &kernel.history {
            assert!(
                state.rules[&Family::Ipv4].iter().any(is_local),
                "{about}at {step}\n{}",
                notation_write::write(state)
            );
        }
    }
}

#[test]
fn up_and_down_come_to_rest_and_back() {
    every(|interface, start, about| {
        let mut kernel = Faulty::new(start.clone());
        assert_eq!(interface.up(&mut kernel), End::Done, "{about}");
        never_without_local(&kernel, start, about);
        assert_eq!(interface.left_to_do(Phase::UP, &kernel), [""; 0], "{about}");
        let sealed = super::invariants::sealed(kernel.snapshot().here());
        let mut kernel = Faulty::new(kernel.snapshot().clone());
        assert_eq!(interface.down(&mut kernel), End::Done, "{about}");
        never_without_local(&kernel, start, about);
        stays_sealed(&kernel, &sealed, about);
        assert_eq!(interface.left_to_do(Phase::DOWN, &kernel), [""; 0], "{about}");
        if start.here().rules[&Family::Ipv4].iter().any(is_local) {
            assert_eq!(essence(kernel.snapshot().here()), essence(start.here()), "{about}");
        }
    });
}

#[test]
fn a_failure_is_taken_back_in_any_state() {
    every(|interface, start, about| {
        let mut created = Faulty::new(start.clone());
        assert_eq!(interface.phase(Phase::Create, &mut created), End::Done);
        let before = created.snapshot();
        let mut whole = Faulty::new(before.clone());
        assert_eq!(interface.phase(Phase::PreUp, &mut whole), End::Done);
        for at in 0..whole.count {
            for fault in [Fault::Refused(Errno::EPERM), Fault::LostButMade, Fault::LostOnTheWay] {
                for for_good in [false, true] {
                    let mut kernel = Faulty::with(before.clone(), at, fault, for_good);
                    let about = format!("{about}change {at} {fault:?}");
                    assert_ne!(interface.phase(Phase::PreUp, &mut kernel), End::Done, "{about}");
                    never_without_local(&kernel, start, &about);
                    if !for_good {
                        assert_eq!(essence(kernel.snapshot().here()), essence(before.here()), "{about}");
                    }
                }
            }
        }
    });
}

#[test]
fn a_killed_run_is_finished_in_any_state() {
    every(|interface, start, about| {
        let mut whole = Faulty::new(start.clone());
        assert_eq!(interface.up(&mut whole), End::Done);
        for at in 0..whole.count {
            let mut killed = Faulty::with(start.clone(), at, Fault::Killed, false);
            assert!(!survives(|| drop(interface.up(&mut killed))));
            let about = format!("{about}killed before change {at}\n");
            let mut again = Faulty::new(killed.snapshot().clone());
            assert_eq!(interface.up(&mut again), End::Done, "{about}");
            assert_eq!(essence(again.snapshot().here()), essence(whole.snapshot().here()), "{about}");
            never_without_local(&again, start, &about);
            assert_eq!(interface.left_to_do(Phase::UP, &again), [""; 0], "{about}");
        }
    });
}

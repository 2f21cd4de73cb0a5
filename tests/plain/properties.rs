//! What holds for every stanza of every program, tested on the model of the kernel.
//!
//! The guarantees are those of docs/ARCHITECTURE.md: up is all or nothing, down restores the earlier state, a second
//! run has nothing to do, and after a kill at any point the next run completes the work. All of this is tested at every
//! step of a plan, not only at its end.

use super::all::PROGRAMS;
use super::faulty::{Fault, Faulty};
use super::interfaces::{End, Interface, survives};
use super::invariants::{at_every_step, same, sealed, stays_sealed, text, without_vrfs};
use super::random::{Case, case};
use super::{notation, notation_write};
use ifupdown_ng_netlink::model::Simulated;
use ifupdown_ng_netlink::plan::Plan;
use ifupdown_ng_netlink::stanza::Phase;
use ifupdown_ng_netlink::state::Snapshot;
use ifupdown_ng_netlink::values::Family;
use nix::errno::Errno;
use proptest::prelude::*;

/// The interface of a case and the state before and after ifup; `None` if the stanza cannot go up there.
fn brought_up(case: &Case) -> Option<(Interface, Snapshot, Snapshot, usize)> {
    let interface = case.interface()?;
    let start = case.start(&interface);
    let mut kernel = Faulty::new(start.clone());
    match interface.up(&mut kernel) {
        End::Done => {}
        // A kernel without IPv6, a table that is in use: nothing may have been changed in that phase.
        End::Conflict(_) => return None,
        End::Failed(lines) => panic!("{}in the state\n{}{lines:?}", interface.text, text(start.here())),
    }
    at_every_step(&kernel, start.here(), &case.noise(), &interface.text);
    let final_state = kernel.snapshot().clone();
    Some((interface, start, final_state, kernel.count))
}

/// Faults of every kind at change `at`.
fn faults() -> [Fault; 5] {
    [
        Fault::Refused(Errno::EPERM),
        Fault::Refused(Errno::EBUSY),
        Fault::Refused(Errno::ENOBUFS),
        Fault::LostButMade,
        Fault::LostOnTheWay,
    ]
}

/// The state after a change failed: the one before the phase, unless the other changes are made all the same.
fn after_refusal(plan: &Plan, at: usize, fault: Fault, before: &Snapshot) -> Snapshot {
    let mut kernel = Simulated(before.clone());
    if plan.steps[at].best_effort && matches!(fault, Fault::Refused(_)) {
        let mut rest = plan.clone();
        rest.steps.remove(at);
        kernel.assume_all(&rest);
    }
    kernel.0
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_second_time_there_is_nothing_to_do(case in case()) {
        if let Some((interface, _, after, _)) = brought_up(&case) {
            let mut kernel = Faulty::new(after);
            // A forced ifup finds an interface in another namespace, moves it back, and moves it there again.
            if kernel.snapshot().located.is_empty() {
                prop_assert_eq!(interface.left_to_do(Phase::UP, &kernel), [""; 0], "{}", interface.text);
            } else {
                let phases = [Phase::PreUp, Phase::Up, Phase::PostUp];
                prop_assert_eq!(interface.left_to_do(phases, &kernel), [""; 0], "{}", interface.text);
                let everywhere = |kernel: &Faulty| {
                    kernel.snapshot().places.values().map(|state| notation_write::write(state)).collect::<String>()
                };
                let before = everywhere(&kernel);
                prop_assert_eq!(interface.up(&mut kernel), End::Done);
                prop_assert_eq!(everywhere(&kernel), before, "{}", interface.text);
            }
            prop_assert_eq!(interface.down(&mut kernel), End::Done);
            prop_assert_eq!(interface.left_to_do(Phase::DOWN, &kernel), [""; 0], "{}", interface.text);
        }
    }

    #[test]
    fn down_leaves_what_was_there_before_up(case in case()) {
        if let Some((interface, start, after, _)) = brought_up(&case) {
            let families = sealed(after.here());
            let mut kernel = Faulty::new(after);
            prop_assert_eq!(interface.down(&mut kernel), End::Done);
            same(&without_vrfs(kernel.snapshot()), &without_vrfs(&start), &interface.text);
            at_every_step(&kernel, start.here(), &case.noise(), &interface.text);
            stays_sealed(&kernel, &families, &interface.text);
        }
    }

    #[test]
    fn a_step_that_fails_leaves_what_was_there_before_its_phase(case in case()) {
        let Some(interface) = case.interface() else { return Ok(()) };
        let start = case.start(&interface);
        let mut before = Faulty::new(start.clone());
        for phase in Phase::UP {
            let mut whole = Faulty::new(before.snapshot().clone());
            if interface.phase(phase, &mut whole) != End::Done {
                break;
            }
            let plan = interface.plan(phase, &before);
            for at in 0..whole.count {
                for fault in faults() {
                    let mut kernel = Faulty::with(before.snapshot().clone(), at, fault, false);
                    let end = interface.phase(phase, &mut kernel);
                    let about = format!("{}{phase}, change {at} {fault:?}: {end:?}\n", interface.text);
                    prop_assert!(matches!(end, End::Failed(_)), "{}", about);
                    let left = after_refusal(&plan, at, fault, before.snapshot());
                    same(kernel.snapshot().here(), left.here(), &about);
                    at_every_step(&kernel, start.here(), &case.noise(), &about);

                    // If nothing can be rolled back, a rule for local still exists.
                    let mut kernel = Faulty::with(before.snapshot().clone(), at, fault, true);
                    interface.phase(phase, &mut kernel);
                    at_every_step(&kernel, start.here(), &case.noise(), &about);
                }
            }
            before = whole;
        }
    }

    #[test]
    fn down_goes_on_past_a_failure_and_the_next_one_finishes(case in case()) {
        let Some((interface, start, after, _)) = brought_up(&case) else { return Ok(()) };
        let families = sealed(after.here());
        let mut whole = Faulty::new(after.clone());
        interface.down(&mut whole);
        for at in 0..whole.count {
            for fault in faults() {
                let mut kernel = Faulty::with(after.clone(), at, fault, false);
                let end = interface.down(&mut kernel);
                let about = format!("{}change {at} {fault:?}: {end:?}\n", interface.text);
                prop_assert!(matches!(end, End::Failed(_)), "{}", about);
                at_every_step(&kernel, start.here(), &case.noise(), &about);
                stays_sealed(&kernel, &families, &about);
                prop_assert_eq!(interface.down(&mut kernel), End::Done, "{}", about);
                same(&without_vrfs(kernel.snapshot()), &without_vrfs(&start), &about);

                let mut kernel = Faulty::with(after.clone(), at, fault, true);
                interface.down_regardless(&mut kernel);
                at_every_step(&kernel, start.here(), &case.noise(), &about);
                stays_sealed(&kernel, &families, &about);
            }
        }
    }

    #[test]
    fn killed_on_the_way_up_the_next_run_converges(case in case()) {
        let Some((interface, start, after, count)) = brought_up(&case) else { return Ok(()) };
        for at in 0..count {
            let killed = || {
                let mut kernel = Faulty::with(start.clone(), at, Fault::Killed, false);
                assert!(!survives(|| drop(interface.up(&mut kernel))));
                Faulty::new(kernel.snapshot().clone())
            };
            let about = format!("{}killed before change {at}\n", interface.text);
            let mut again = killed();
            prop_assert_eq!(interface.up(&mut again), End::Done, "{}", about);
            same(again.snapshot().here(), after.here(), &about);
            at_every_step(&again, start.here(), &case.noise(), &about);
            let mut back = killed();
            prop_assert_eq!(interface.down(&mut back), End::Done, "{}", about);
            same(&without_vrfs(back.snapshot()), &without_vrfs(&start), &about);
            at_every_step(&back, start.here(), &case.noise(), &about);
        }
    }

    #[test]
    fn killed_on_the_way_down_the_next_run_converges(case in case()) {
        let Some((interface, start, after, _)) = brought_up(&case) else { return Ok(()) };
        let families = sealed(after.here());
        let mut whole = Faulty::new(after.clone());
        interface.down(&mut whole);
        for at in 0..whole.count {
            let killed = || {
                let mut kernel = Faulty::with(after.clone(), at, Fault::Killed, false);
                assert!(!survives(|| drop(interface.down(&mut kernel))));
                Faulty::new(kernel.snapshot().clone())
            };
            let about = format!("{}killed on the way down before change {at}\n", interface.text);
            let mut again = killed();
            prop_assert_eq!(interface.up(&mut again), End::Done, "{}", about);
            same(again.snapshot().here(), after.here(), &about);
            let mut back = killed();
            prop_assert_eq!(interface.down(&mut back), End::Done, "{}", about);
            same(&without_vrfs(back.snapshot()), &without_vrfs(&start), &about);
            at_every_step(&back, start.here(), &case.noise(), &about);
            stays_sealed(&back, &families, &about);
        }
    }
}

#[test]
fn the_layouts_seal_a_vrf_in_both_families() {
    for layout in ["yes", "jump"] {
        let mut kernel = Faulty::new(notation::parse("rules default"));
        assert_eq!(vrf("red", "10", layout).up(&mut kernel), End::Done);
        assert_eq!(sealed(kernel.snapshot().here()), Family::BOTH, "{layout}");
    }
}

/// A stanza of the program `vrf` that makes a VRF with its rules.
fn vrf(name: &str, table: &str, layout: &str) -> Interface {
    vrf_with(name, table, &[("vrf-rules", layout)])
}

/// The same with these keywords.
pub fn vrf_with(name: &str, table: &str, keywords: &[(&str, &str)]) -> Interface {
    let program = PROGRAMS.iter().find(|program| program.name == "vrf").unwrap();
    Interface::new(program, name, &[&[("vrf-table", table)], keywords].concat()).unwrap()
}

#[test]
fn several_vrfs_share_a_layout_until_the_last_one_goes() {
    for layout in ["yes", "jump"] {
        let (red, blue) = (vrf("red", "10", layout), vrf("blue", "20", layout));
        for (first, last) in [(&red, &blue), (&blue, &red)] {
            let start = notation::parse("rules default");
            let mut kernel = Faulty::new(start.clone());
            assert_eq!([red.up(&mut kernel), blue.up(&mut kernel)], [End::Done, End::Done]);
            let mut kernel = Faulty::new(kernel.snapshot().clone());
            assert_eq!([first.down(&mut kernel), last.down(&mut kernel)], [End::Done, End::Done]);
            stays_sealed(&kernel, &Family::BOTH, layout);
            same(kernel.snapshot().here(), start.here(), layout);
        }
    }
}

#[test]
fn a_layout_is_changed_without_a_gap_while_there_is_one_vrf_and_refused_while_there_are_two() {
    for (old, new) in [("yes", "jump"), ("jump", "yes")] {
        let mut kernel = Faulty::new(notation::parse("rules default"));
        assert_eq!(vrf("red", "10", old).up(&mut kernel), End::Done);
        let start = kernel.snapshot().clone();

        let mut kernel = Faulty::new(start.clone());
        assert_eq!(vrf("red", "10", new).up(&mut kernel), End::Done);
        stays_sealed(&kernel, &Family::BOTH, new);
        let changed = kernel.snapshot().clone();
        for (at, fault) in (0..kernel.count).flat_map(|at| faults().map(|fault| (at, fault))) {
            let mut kernel = Faulty::with(start.clone(), at, fault, false);
            assert_ne!(vrf("red", "10", new).up(&mut kernel), End::Done, "{new} {at} {fault:?}");
            stays_sealed(&kernel, &Family::BOTH, new);
            same(kernel.snapshot().here(), start.here(), &format!("{new}, change {at} {fault:?}\n"));

            let mut killed = Faulty::with(start.clone(), at, Fault::Killed, false);
            assert!(!survives(|| drop(vrf("red", "10", new).up(&mut killed))));
            let mut kernel = Faulty::new(killed.snapshot().clone());
            assert_eq!(vrf("red", "10", new).up(&mut kernel), End::Done);
            stays_sealed(&kernel, &Family::BOTH, new);
            same(kernel.snapshot().here(), changed.here(), &format!("{new}, killed before {at}\n"));
        }
        let mut fresh = Faulty::new(notation::parse("rules default"));
        assert_eq!(vrf("red", "10", new).up(&mut fresh), End::Done);
        same(changed.here(), fresh.snapshot().here(), new);

        let mut kernel = Faulty::new(start.clone());
        let End::Conflict(lines) = vrf("blue", "20", new).up(&mut kernel) else { panic!("{new} over {old}") };
        assert!(lines[0].contains("red uses another layout"), "{lines:?}");
    }
}

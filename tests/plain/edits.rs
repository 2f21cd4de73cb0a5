//! Edited stanzas on the model of the kernel: the step from one random stanza to another one leads to the state that an
//! ifdown with the old one and an ifup with the new one lead to, and so does the ifdown after it.

use super::all::ALL;
use super::asked::asked_for;
use super::faulty::Faulty;
use super::interfaces::{End, Interface};
use super::invariants::text;
use super::random::{Case, case_of};
use ifupdown_ng_netlink::kernel::apply;
use ifupdown_ng_netlink::program::edit::{self, Old};
use ifupdown_ng_netlink::state::{Place, Query, Section, Snapshot, State};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// The state in which both stanzas can be brought up.
fn start(old: &Case, new: &Case, interfaces: [&Interface; 2]) -> Snapshot {
    let mut start = old.start(interfaces[0]);
    let other = new.start(interfaces[1]);
    for (place, state) in other.places {
        let state = State::clone(&state);
        let known = start.places.entry(place).or_default();
        for (name, link) in state.links {
            known.links.entry(name).or_insert(link);
        }
        for (key, value) in state.sysctls {
            known.sysctls.entry(key).or_insert(value);
        }
        for (name, set) in state.bridging.vlans {
            known.bridging.vlans.entry(name).or_insert(set);
        }
        if known.rules.is_empty() {
            known.rules = state.rules;
        }
    }
    for (netns, found) in other.netns {
        start.netns.entry(netns).or_insert(found);
    }
    start
}

fn old(interface: &Interface, case: &Case) -> Old {
    let values = case.values();
    let section =
        Section { keywords: values.keys().cloned().collect(), values: values.into(), ..Section::default() };
    let (configuration, _) = case.program().configure(&section.stanza());
    assert_eq!(interface.name.as_str(), "red0");
    Old::new(&section, configuration)
}

/// The state of all namespaces, a line an object. The sysctls of other namespaces are left out: the model does not know
/// their first values.
fn lines(state: &Snapshot) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for (place, state) in &state.places {
        let known = |line: &&str| *place == Place::Here || !line.starts_with("sysctl");
        // A route stays the same if an address that covers its gateway comes or goes.
        let shown = |line: &str| format!("{place:?} {}", line.replace(" onlink", ""));
        lines.extend(text(state).lines().filter(known).map(shown));
    }
    lines
}

/// What differs, a line each.
fn difference(is: &Faulty, should: &Faulty) -> Vec<String> {
    let (is, should) = (lines(is.snapshot()), lines(should.snapshot()));
    let missing = should.difference(&is).map(|line| format!("- {line}"));
    missing.chain(is.difference(&should).map(|line| format!("+ {line}"))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_edit_leads_where_ifdown_and_ifup_lead(
        (first, second) in (0..ALL.len()).prop_flat_map(|program| (case_of(program), case_of(program)))
    ) {
        let (Some(before), Some(after)) = (first.interface(), second.interface()) else { return Ok(()) };
        let start = start(&first, &second, [&before, &after]);
        let mut fresh = Faulty::new(start.clone());
        let mut kernel = Faulty::new(start.clone());
        if before.up(&mut kernel) != End::Done || before.up(&mut fresh) != End::Done {
            return Ok(());
        }
        let was = fresh.snapshot().here().vrf_table(&after.name);
        before.down(&mut fresh);
        if after.up(&mut fresh) != End::Done {
            return Ok(());
        }
        let about = format!("from\n{}to\n{}", before.text, after.text);
        let (old, mut query) = ([old(&before, &first)], Query::default());
        edit::query(&after.name, &old, &after.configuration, &mut query);
        let found = asked_for(&query, kernel.snapshot());
        let plan = edit::plan(&after.name, &old, &after.configuration, &found);
        prop_assert!(plan.is_ok(), "{about}{plan:?}");
        let plan = plan.unwrap_or_default().plan;
        let about = format!("{about}by\n{plan}");
        prop_assert!(apply::up(&plan, &mut kernel).is_ok(), "{about}");
        prop_assert_eq!(after.up(&mut kernel), End::Done, "{}", about);
        // `vrf-table auto` keeps a table that it would not pick, such as one with a name.
        let table = |of: &Faulty| of.snapshot().here().vrf_table(&after.name);
        let picks = second.values().get("vrf-table").is_some_and(|value| value == "auto");
        if picks && table(&kernel) != table(&fresh) {
            prop_assert_eq!(table(&kernel), was, "{}", about);
            return Ok(());
        }
        prop_assert_eq!(difference(&kernel, &fresh), [""; 0], "{}", about);
        prop_assert_eq!(after.down(&mut kernel), End::Done, "{}", about);
        after.down(&mut fresh);
        prop_assert_eq!(difference(&kernel, &fresh), [""; 0], "down {}", about);
    }
}

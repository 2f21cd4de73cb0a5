//! What must hold in every state, or between two states.

use super::all::PROGRAMS;
use super::faulty::Faulty;
use super::interfaces::{End, Interface};
use super::notation_write;
use ifupdown_ng_netlink::plan::vrf::layout::kernel_l3mdev;
use ifupdown_ng_netlink::state::{Action, LinkKind, Rule, Snapshot, State};
use ifupdown_ng_netlink::values::{Family, TableId};
use std::fmt::Write as _;

/// The state as text, without what the kernel adds with the first VRF and never deletes.
pub fn text(state: &State) -> String {
    let mut state = state.clone();
    for (family, rules) in state.rules.iter_mut() {
        rules.retain(|rule| *rule != kernel_l3mdev(*family));
    }
    let mut text = notation_write::write(&state);
    for (name, details) in &state.details {
        // The model does not know the address that the kernel picks for a new link.
        let is_known = state.links.get(name).is_some_and(|link| link.kind == LinkKind::Physical);
        let mac = details.mac.filter(|_| is_known);
        let address = mac.map_or(String::new(), |mac| format!(" address {mac}"));
        let alias = details.alias.as_ref().map_or(String::new(), |alias| format!(" alias {alias}"));
        let _ = writeln!(text, "details {name} mtu {}{address}{alias}", details.mtu);
    }
    text
}

/// Fails with the lines that differ.
pub fn same(is: &State, should: &State, about: &str) {
    let (is, should) = (text(is), text(should));
    let missing = should.lines().filter(|line| !is.lines().any(|other| other == *line));
    let surplus = is.lines().filter(|line| !should.lines().any(|other| other == *line));
    let lines: Vec<String> =
        missing.map(|line| format!("- {line}")).chain(surplus.map(|line| format!("+ {line}"))).collect();
    assert!(is == should, "{about}{}\nwhole:\n{is}", lines.join("\n"));
}

/// The state when the VRFs of other programs are gone as well: with the last one, rules and sysctls go.
pub fn without_vrfs(found: &Snapshot) -> State {
    let program = PROGRAMS.iter().find(|program| program.name == "vrf-table").unwrap();
    let mut kernel = Faulty::new(found.clone());
    for (name, table) in found.here().vrfs() {
        let vrf = Interface::new(program, name.as_str(), &[("vrf-table", table.get().to_string())]).unwrap();
        assert_eq!(vrf.down(&mut kernel), End::Done);
    }
    kernel.snapshot().here().clone()
}

pub fn is_local(rule: &Rule) -> bool {
    rule.action == Action::Lookup(TableId::LOCAL) && !rule.selective
}

/// The tables in which a packet of a VRF without a route for it is looked up, in the order of the rules.
pub fn escapes(rules: &[Rule]) -> Vec<TableId> {
    let (mut tables, mut from) = (Vec::new(), 0);
    for rule in rules.iter().filter(|rule| !rule.selective) {
        if rule.priority < from {
            continue;
        }
        match rule.action {
            Action::Lookup(table) => tables.push(table),
            Action::UnreachableL3mdev => return tables,
            // A goto whose target is missing is skipped (net/core/fib_rules.c).
            Action::GotoL3mdev(target) if rules.iter().any(|rule| rule.priority == target) => from = target,
            _ => {}
        }
    }
    tables
}

/// The families in which no packet leaves a VRF, not even to the addresses of the host itself.
pub fn sealed(state: &State) -> Vec<Family> {
    let families = state.rules.iter().filter(|(_, rules)| escapes(rules).is_empty());
    families.map(|(family, _)| *family).collect()
}

/// What must hold after every single change.
pub fn at_every_step(kernel: &Faulty, start: &State, noise: &State, about: &str) {
    for (step, state) in &kernel.history {
        let show = || format!("{about}at {step}\n{}", notation_write::write(state));
        for (family, rules) in start.rules.iter() {
            if rules.iter().any(is_local) {
                assert!(state.rules[family].iter().any(is_local), "{family} without local: {}", show());
            }
        }
        for (name, link) in &noise.links {
            assert_eq!(state.links.get(name), Some(link), "a link of others: {}", show());
        }
        for rule in noise.rules.values().flatten() {
            let kept = state.rules.get(&rule.family).is_none_or(|rules| rules.contains(rule));
            assert!(kept, "rule {rule} of others: {}", show());
        }
        assert!(
            noise.routes.iter().all(|route| state.routes.contains(route)),
            "a route of others: {}",
            show()
        );
        assert!(
            noise.addresses.iter().all(|(link, list)| state.addresses.get(link) == Some(list)),
            "{}",
            show()
        );
        assert!(noise.sysctls.iter().all(|(key, value)| state.sysctls.get(key) == Some(value)), "{}", show());
    }
}

/// While a VRF exists, no packet leaves it in these families.
pub fn stays_sealed(kernel: &Faulty, families: &[Family], about: &str) {
    for (step, state) in &kernel.history {
        if state.links.values().any(|link| matches!(link.kind, LinkKind::Vrf(_))) {
            for family in families {
                assert_eq!(
                    escapes(&state.rules[family]),
                    [],
                    "{family} escapes at {step}: {about}{}",
                    notation_write::write(state)
                );
            }
        }
    }
}

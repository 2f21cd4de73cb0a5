//! Moves an interface to another namespace and back, and refuses interfaces that cannot move.

use crate::plan::netns::namespace;
use crate::plan::op::{Act, LinkChange, Move, Op};
use crate::plan::{Plan, Step};
use crate::state::{LinkKind, Located, NetnsLink, Place, Role, Snapshot, State, Sysctl};
use crate::values::IfName;

/// Kinds of links that the kernel does not move to another namespace (`NETIF_F_NETNS_LOCAL`).
const IMMOVABLE: [&str; 4] = ["bond", "team", "amt", "net_failover"];

/// Why an interface cannot move, or must not.
pub fn immovable(iface: &IfName, here: &State) -> Option<String> {
    if let Some(master) = here.links.get(iface).and_then(|link| link.master.as_ref()) {
        return Some(format!(
            "{iface} is a port of {master}; release it with `ip link set {iface} nomaster`"
        ));
    }
    let kind = here.links.get(iface).map(|link| &link.kind);
    let what = match kind {
        _ if iface.as_str() == "lo" => "the loopback interface".to_owned(),
        Some(LinkKind::Vrf(_)) => "a VRF".to_owned(),
        Some(LinkKind::Bridge(_)) => "a bridge".to_owned(),
        Some(LinkKind::Other(kind)) if IMMOVABLE.contains(&kind.as_str()) => format!("a {kind}"),
        _ => return None,
    };
    Some(format!("{iface} is {what} and cannot move; create it inside, with a file for `netns-interfaces`"))
}

/// Names for an interface whose own name is taken when it comes back.
pub fn other_names(iface: &IfName) -> impl Iterator<Item = IfName> {
    let short: String = iface.as_str().chars().take(12).collect();
    (1..10).filter_map(move |n| format!("{short}-{n}").parse().ok())
}

/// Records the target namespace, then moves the interface into it. An interface that comes back is like new, down and
/// with IPv6, so a rollback sets its former state again, also if the kernel moved the interface and then returned an
/// error.
pub fn set_out(link: NetnsLink, here: &State, plan: &mut Plan) {
    let (iface, inner) = (link.iface.clone(), link.name.clone());
    let place = Place::In(link.netns.clone());
    let mut undo = Vec::new();
    let (key, closed) = (ipv6(&iface), "1".to_owned());
    if here.sysctls.get(&key) == Some(&closed) {
        undo.push(Act::here(Op::SysctlSet { key, value: closed }));
    }
    if here.links.get(&iface).is_some_and(|link| link.up) {
        undo.push(Act::here(Op::set_up(&iface, true)));
    }
    undo.push(Act::here(Op::NetnsLinkDel(link.clone())));
    plan.steps.push(Step { act: Act::here(Op::NetnsLinkSet(link)), undo, best_effort: false }.into());
    let moving = |name: &IfName, to: &Place, new_name: &IfName| {
        Op::LinkMove(Move { name: name.clone(), to: to.clone(), new_name: new_name.clone() })
    };
    let back = Act { at: place.clone(), op: moving(&inner, &Place::Here, &iface) };
    let act = Act::here(moving(&iface, &place, &inner));
    plan.steps.push(Step { act, undo: vec![back], best_effort: false }.into());
}

/// Deletes the record of the moved interface.
pub fn forget(iface: &IfName, found: &Snapshot, plan: &mut Plan) {
    if let Some(record) = namespace::recorded(iface, Role::Moved, found) {
        plan.push(Op::NetnsLinkDel(record.link.clone()), None);
    }
}

/// Moves the interface back from its present namespace, and gives it this name.
pub fn bring_back(name: &IfName, located: &Located, plan: &mut Plan) {
    let (old, new) = (located.name.clone(), name.clone());
    if located.place == Place::Here {
        plan.push(
            Op::LinkSet { name: old, change: LinkChange { name: Some(new), ..LinkChange::default() } },
            None,
        );
    } else {
        let moving = Move { name: old, to: Place::Here, new_name: new };
        plan.push_at(&located.place, Op::LinkMove(moving), None);
    }
}

/// The sysctl that turns IPv6 off on the interface.
pub fn ipv6(iface: &IfName) -> Sysctl {
    Sysctl::of_link("ipv6", iface, "disable_ipv6")
}

/// Turns IPv6 off on the interface, so that it gets no IPv6 addresses before it moves.
pub fn close(iface: &IfName, here: &State) -> Plan {
    let (key, mut plan) = (ipv6(iface), Plan::default());
    if here.sysctls.get(&key).is_none_or(|value| value == "1") {
        return plan;
    }
    plan.set_sysctl(&Place::Here, &key, "1", iface, here);
    plan
}

/// Turns IPv6 on again, if [`close`] turned it off.
pub fn reopen(iface: &IfName, here: &State) -> Plan {
    let mut plan = Plan::default();
    plan.restore_sysctl(&Place::Here, &ipv6(iface), |owner| owner != iface, here);
    plan
}

//! An interface on its way back from another namespace, and those that cannot leave.

use crate::{
    interior::home,
    op::{Act, LinkChange, LinkKind, Move, Op, Place, Role, Sysctl},
    plan::Plan,
    snapshot::{Away, Snapshot, State},
    values::IfName,
};

/// Links that the kernel does not let out of their namespace (`NETIF_F_NETNS_LOCAL`).
const IMMOVABLE: [&str; 4] = ["bond", "team", "amt", "net_failover"];

/// Why an interface cannot move.
pub fn immovable(iface: &IfName, here: &State) -> Option<String> {
    let kind = here.links.get(iface).map(|link| &link.kind);
    let what = match kind {
        _ if iface.as_str() == "lo" => "the loopback interface".to_owned(),
        Some(LinkKind::Vrf(_)) => "a VRF".to_owned(),
        Some(LinkKind::Bridge(_)) => "a bridge".to_owned(),
        Some(LinkKind::Other(kind)) if IMMOVABLE.contains(&kind.as_str()) => format!("a {kind}"),
        _ => return None,
    };
    Some(format!("{iface} is {what} and cannot move; make it inside, with a file for `netns-interfaces`"))
}

/// Names for an interface whose own name is taken when it comes back.
pub fn other_names(iface: &IfName) -> impl Iterator<Item = IfName> {
    let short: String = iface.as_str().chars().take(12).collect();
    (1..10).filter_map(move |n| format!("{short}-{n}").parse().ok())
}

/// What takes the way into a namespace back. The interface comes back as new, down and with IPv6: what it was
/// before is set again.
pub fn undo(iface: &IfName, inner: &IfName, place: &Place, here: &State, ipv6: &Sysctl) -> Vec<Act> {
    let back = Move { name: inner.clone(), to: Place::Here, new_name: iface.clone() };
    let mut undo = vec![Act { at: place.clone(), op: Op::LinkMove(back) }];
    if let Some(value) = here.sysctls.get(ipv6).filter(|value| *value == "1") {
        undo.push(Act::here(Op::SysctlSet { key: ipv6.clone(), value: value.clone() }));
    }
    if here.links.get(iface).is_some_and(|link| link.up) {
        undo.push(Act::here(Op::LinkSet { name: iface.clone(), change: LinkChange::Up(true) }));
    }
    undo
}

/// Forgets where the interface went.
pub fn forget(iface: &IfName, found: &Snapshot, plan: &mut Plan) {
    if let Some(residence) = home::residence(iface, Role::Moved, found) {
        plan.push(Op::ResidentDel(residence.resident.clone()), None);
    }
}

/// Brings the interface back from wherever it is.
pub fn bring_back(iface: &IfName, name: &IfName, away: &Away, found: &Snapshot, plan: &mut Plan) {
    let (old, new) = (away.name.clone(), name.clone());
    if away.place == Place::Here {
        plan.push(Op::LinkSet { name: old, change: LinkChange::Name(new) }, None);
    } else {
        let journey = Move { name: old, to: Place::Here, new_name: new };
        plan.push_at(&away.place, Op::LinkMove(journey), None);
    }
    forget(iface, found, plan);
}

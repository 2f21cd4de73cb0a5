//! What goes with a VRF, and with the last one of a namespace.

use crate::{
    plan::{
        Plan,
        op::Op,
        vrf::{l3mdev_accept, layout},
    },
    stanza::Phase,
    state::{Link, Query, Record, Route, State, TableRef, Wants},
    values::{IfName, TableId},
};

/// What [`end`] needs to know of a VRF.
pub fn query(vrf: &IfName, here: &mut Wants) {
    here.links.insert(vrf.clone());
    here.members.insert(vrf.clone());
    here.records.insert(Record::left(vrf));
    here.routes.insert(TableRef::Vrf(vrf.clone()));
    // Whether it is the last.
    here.vrfs.some = true;
    here.rules = true;
    l3mdev_accept::query(here);
}

/// What `vrf-rules` and `vrf-accept` need to know.
pub fn query_rules(phase: Phase, query: &mut Query) {
    let here = query.here();
    here.vrfs.some = true;
    here.rules = true;
    if phase == Phase::Destroy {
        l3mdev_accept::query(here);
    }
}

/// Deletes a VRF that has no members, and what only made sense with it: the routes of ours in its table, and with the
/// last VRF the rules. Nothing gets out meanwhile, since it is down. If it is gone already, the table may be told.
pub fn end(vrf: &IfName, table: Option<TableId>, state: &State, plan: &mut Plan) {
    let table = state.vrf_table(vrf).or(table);
    let link = state.links.get(vrf);
    if link.is_some_and(|link| link.up) {
        plan.push(Op::set_up(vrf, false), None);
    }
    let is_others = state.vrfs().any(|(other, theirs)| other != vrf && Some(theirs) == table);
    let own = |route: &&Route| {
        // Those over it go with it.
        route.is_ours() && Some(route.table) == table && route.dev.as_ref() != Some(vrf)
    };
    for route in state.routes.iter().filter(own).filter(|_| !is_others) {
        plan.push(Op::RouteDel(route.clone()), None);
    }
    if let Some(Link { kind, .. }) = link {
        plan.push(Op::LinkDel { name: vrf.clone(), kind: kind.clone() }, None);
    }
    if state.vrfs().all(|(other, _)| other == vrf) {
        plan.append(restore(state));
    }
    forget_left(vrf, state, plan);
}

/// What is recorded of a VRF that is left: by this it is known again.
pub fn left_mark(vrf: &IfName, state: &State) -> Option<String> {
    let index = state.details.get(vrf).map_or(0, |details| details.index);
    state.vrf_table(vrf).map(|table| format!("{index} {}", table.get()))
}

/// Forgets that a VRF was left.
pub fn forget_left(vrf: &IfName, state: &State, plan: &mut Plan) {
    let key = Record::left(vrf);
    if let Some(value) = state.records.get(&key) {
        plan.push(Op::RecordDel(key.clone()), Some(Op::RecordSet { key, value: value.clone() }));
    }
}

/// Puts the rules and sysctls back, if no VRF is left. While one is (this interface's own included), its packets must
/// not get out: then `vrf-table` does this, after it deleted the last VRF.
pub fn restore_unless_needed(state: &State) -> Plan {
    if state.vrfs().next().is_none() { restore(state) } else { Plan::default() }
}

/// Takes away what is ours, so that what the kernel made stands alone again.
pub fn restore(state: &State) -> Plan {
    let mut plan = layout::restore(state);
    plan.append(l3mdev_accept::restore(state));
    plan
}

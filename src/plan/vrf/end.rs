//! Deletes a VRF with its routes, and after the last VRF of a namespace the rules and sysctls.

use crate::plan::Plan;
use crate::plan::op::Op;
use crate::plan::vrf::{layout, sysctls};
use crate::stanza::Phase;
use crate::state::{Link, Query, Record, Route, State, TableRef, Wants};
use crate::values::{IfName, TableId};

/// Reads all that [`end`] needs to know of a VRF.
pub fn query(vrf: &IfName, here: &mut Wants) {
    here.links.insert(vrf.clone());
    here.members.insert(vrf.clone());
    here.records.insert(Record::left(vrf));
    here.routes.insert(TableRef::Vrf(vrf.clone()));
    // To know whether it is the last one.
    here.vrfs.some = true;
    here.rules = true;
    sysctls::query(here);
}

/// Reads all that `vrf-rules` and `vrf-accept` need to know.
pub fn query_rules(phase: Phase, query: &mut Query) {
    let here = query.here();
    here.vrfs.some = true;
    here.rules = true;
    if phase == Phase::Destroy {
        sysctls::query(here);
    }
}

/// Deletes a VRF without members, our routes in its table, and after the last VRF our rules. No packet leaks meanwhile,
/// since the VRF is down. If the VRF is gone already, `table` may give its table.
pub fn end(vrf: &IfName, table: Option<TableId>, state: &State, plan: &mut Plan) {
    let table = state.vrf_table(vrf).or(table);
    let link = state.links.get(vrf);
    if link.is_some_and(|link| link.up) {
        plan.push(Op::set_up(vrf, false), None);
    }
    let is_others = state.vrfs().any(|(other, theirs)| other != vrf && Some(theirs) == table);
    let own = |route: &&Route| {
        // Routes through the VRF device are deleted with it.
        route.is_ours() && Some(route.table) == table && route.dev.as_ref() != Some(vrf)
    };
    for route in state.routes.iter().filter(own).filter(|_| !is_others) {
        plan.push(Op::RouteDel(route.clone()), None);
    }
    if let Some(Link { kind, .. }) = link {
        plan.push(Op::LinkDel { name: vrf.clone(), kind: kind.clone() }, None);
    }
    plan.append(release_or_restore(vrf, state));
    forget_left(vrf, state, plan);
}

/// The value of the record of a VRF that ifdown left. By it the VRF is recognized.
pub fn left_mark(vrf: &IfName, state: &State) -> Option<String> {
    let index = state.details.get(vrf).map_or(0, |details| details.index);
    state.vrf_table(vrf).map(|table| format!("{index} {}", table.get()))
}

/// Deletes the record that ifdown left a VRF.
pub fn forget_left(vrf: &IfName, state: &State, plan: &mut Plan) {
    let key = Record::left(vrf);
    if let Some(value) = state.records.get(&key) {
        plan.push(Op::RecordDel(key.clone()), Some(Op::RecordSet { key, value: value.clone() }));
    }
}

/// Restores the sysctls of VRFs that no other VRF wants changed, unless the VRF still exists. Restores everything
/// if no VRF exists any more.
pub fn release_unless_needed(vrf: &IfName, state: &State) -> Plan {
    if state.vrf_table(vrf).is_some() { Plan::default() } else { release_or_restore(vrf, state) }
}

fn release_or_restore(vrf: &IfName, state: &State) -> Plan {
    let is_last = state.vrfs().all(|(other, _)| other == vrf);
    if is_last { restore(state) } else { sysctls::release(vrf, state) }
}

/// Restores the rules and sysctls, if no VRF exists any more. As long as one exists (this interface's own included),
/// its packets must not leak. Then `vrf-table` restores them, after it has deleted the last VRF.
pub fn restore_unless_needed(state: &State) -> Plan {
    if state.vrfs().next().is_none() { restore(state) } else { Plan::default() }
}

/// Removes our rules and restores the rules and sysctls that the kernel had.
pub fn restore(state: &State) -> Plan {
    let mut plan = layout::restore(state);
    plan.append(sysctls::restore(state));
    plan
}

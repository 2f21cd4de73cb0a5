//! What a plan costs interfaces that are in use: addresses, routes and sessions that the stanzas do not name; and whether
//! it is allowed to.

use crate::foreign;
use crate::pending::{Changes, Mode, missing, pending};
use crate::targets::Targets;
use ifupdown_ng_netlink::kernel::{Kernel, Refusal};
use ifupdown_ng_netlink::plan::Plan;
use ifupdown_ng_netlink::plan::op::Op;
use ifupdown_ng_netlink::state::{KERNEL_PROTOCOL, LinkKind, Place, Query, Snapshot, State, TableRef};
use ifupdown_ng_netlink::values::{IfName, TableId};
use std::collections::{BTreeMap, BTreeSet};

/// Whether changes may be made.
pub struct Verdict {
    /// Why not, a line each.
    pub refused: Vec<String>,
    /// What they cost, a line each.
    pub costs: Vec<String>,
}

/// Judges changes.
///
/// # Errors
/// When the kernel does not answer.
pub fn judge(
    targets: &Targets,
    found: &Snapshot,
    changes: &Changes,
    disruptive: bool,
    kernel: &mut impl Kernel,
) -> Result<Verdict, Refusal> {
    let mut refused = refusals(changes);
    // Whether what is in the way could be taken down and brought up again.
    let again = (!disruptive && !refused.is_empty())
        .then(|| pending(targets, found, Mode::Apply { disruptive: true }))
        .filter(|again| refusals(again).is_empty());
    if again.is_some() {
        refused = refused.into_iter().map(|line| format!("{line}; or add --disruptive")).collect();
    }
    let changes = again.as_ref().unwrap_or(changes);
    let mut costs = of(&whole(changes), &gone(changes), kernel)?;
    costs.extend(targets.restarted().map(|target| foreign::cost(target, targets)));
    if !disruptive {
        let advice = |cost| format!("{cost}; ifdown and ifup it, or add --disruptive");
        refused.extend(costs.drain(..).map(advice));
    }
    Ok(Verdict { refused, costs })
}

/// All steps, in order.
fn whole(changes: &Changes) -> Plan {
    let mut whole = Plan::default();
    changes.steps.iter().for_each(|(_, plan)| whole.append(plan.clone()));
    whole
}

/// The interfaces that have no stanza any more.
fn gone(changes: &Changes) -> BTreeSet<&IfName> {
    changes.pending.iter().filter(|pending| pending.is_gone).map(|pending| &pending.iface).collect()
}

/// Why the changes cannot be made.
fn refusals(changes: &Changes) -> Vec<String> {
    let mut lines = Vec::new();
    for pending in &changes.pending {
        if pending.is_missing {
            lines.push(format!("{}: {}", pending.iface, missing(&pending.iface, true)));
        }
        lines.extend(pending.problems.iter().map(|problem| format!("{}: {problem}", pending.iface)));
    }
    lines
}

/// What interfaces lose, a line each: those that are set down, given a master, moved, or deleted and made again. What
/// is only deleted is what the edit asks for, and so is all that happens to interfaces that are `gone` from the file.
///
/// # Errors
/// When the kernel does not answer.
fn of(plan: &Plan, gone: &BTreeSet<&IfName>, kernel: &mut impl Kernel) -> Result<Vec<String>, Refusal> {
    let here = || plan.steps.iter().filter(|step| step.act.at == Place::Here);
    let made = here().filter_map(|step| match &step.act.op {
        Op::LinkAdd(new) => Some(&new.name),
        Op::VethAdd(new) => Some(&new.end.name),
        _ => None,
    });
    let made: BTreeSet<&IfName> = made.collect();
    // A member is down while it gets another VRF. The new VRF says why.
    let joining = here().rev().filter_map(|step| match &step.act.op {
        Op::LinkSet { name, change } if matches!(change.master, Some(Some(_))) => Some((name, step)),
        _ => None,
    });
    let joining: BTreeMap<&IfName, _> = joining.filter(|(name, _)| !made.contains(name)).collect();
    let interrupting = here().filter_map(|step| match &step.act.op {
        Op::LinkSet { name, change } if change.interrupts() => {
            Some((name, joining.get(name).copied().unwrap_or(step)))
        }
        Op::LinkMove(away) => Some((&away.name, step)),
        Op::LinkDel { name, .. } if made.contains(name) => Some((name, step)),
        _ => None,
    });
    let mut lines = Vec::new();
    let mut told = BTreeSet::new();
    let mut state = None;
    for (name, step) in interrupting {
        if gone.contains(name) || told.contains(name) {
            continue;
        }
        if state.is_none() {
            state = Some(look(kernel)?);
        }
        // A link leaves only what its old stanza named, so the edit asks for that.
        let leaves = matches!(&step.act.op, Op::LinkSet { change, .. } if change.master == Some(None));
        let losses = state.as_ref().map(|state| losses(name, leaves, state)).unwrap_or_default();
        if !losses.is_empty() {
            told.insert(name);
            lines.push(format!(
                "{name}: `{}` interrupts the interface, which has {}",
                step.act,
                losses.join(", ")
            ));
        }
    }
    // Moved from one namespace to another one: what it has there was not read.
    let moves = || {
        plan.steps.iter().filter_map(|step| match &step.act.op {
            Op::LinkMove(moved) => Some((step, moved)),
            _ => None,
        })
    };
    let here = |place: &Place| *place == Place::Here;
    for (step, back) in moves().filter(|(step, back)| !here(&step.act.at) && here(&back.to)) {
        if moves().any(|(other, away)| here(&other.act.at) && away.name == back.new_name) {
            lines.push(format!("{}: `{}` ends its connections", back.new_name, step.act));
        }
    }
    Ok(lines)
}

/// All links, then their addresses and routes.
fn look(kernel: &mut impl Kernel) -> Result<State, Refusal> {
    let mut query = Query::default();
    query.here().all_links = true;
    let links = kernel.read(&query)?.here().links.keys().cloned().collect();
    let wants = query.here();
    wants.addresses = links;
    wants.routes = BTreeSet::from([TableRef::Id(TableId::MAIN), TableRef::Ours]);
    Ok(kernel.read(&query)?.here().clone())
}

/// What a link would lose: its master, unless it `leaves` that by itself, its members, its addresses, its routes in main and our routes, and the links on
/// top of it.
fn losses(name: &IfName, leaves: bool, state: &State) -> Vec<String> {
    let Some(link) = state.links.get(name).filter(|link| link.up) else { return Vec::new() };
    let master = link.master.iter().filter(|_| !leaves);
    let mut losses: Vec<String> = master.map(|master| format!("master {master}")).collect();
    losses.extend(state.members(name).map(|member| format!("member {member}")));
    losses.extend(state.addresses.get(name).into_iter().flatten().map(|address| address.net.to_string()));
    let routes = state.routes.iter().filter(|route| route.dev.as_ref() == Some(name));
    // The kernel adds its own routes with the addresses.
    let routes = routes.filter(|route| route.protocol != KERNEL_PROTOCOL);
    losses.extend(routes.map(|route| format!("route {route}")));
    let index = state.details.get(name).map(|details| details.index);
    let on_it = state.details.iter().filter(|(upper, details)| {
        let is_veth = matches!(&state.links.get(*upper).map(|link| &link.kind), Some(LinkKind::Other(kind)) if kind == "veth");
        let below = details.peer.filter(|peer| peer.nsid.is_none()).map(|peer| peer.index);
        !is_veth && index.is_some() && below == index
    });
    losses.extend(on_it.map(|(upper, _)| format!("link {upper}")));
    losses
}

#[cfg(test)]
mod tests;

//! What a plan costs interfaces that are in use: addresses, routes and sessions that the stanzas do not name.

use ifupdown_ng_netlink::kernel::{Kernel, Refusal};
use ifupdown_ng_netlink::plan::Plan;
use ifupdown_ng_netlink::plan::op::Op;
use ifupdown_ng_netlink::state::{KERNEL_PROTOCOL, LinkKind, Place, Query, State, TableRef};
use ifupdown_ng_netlink::values::{IfName, TableId};
use std::collections::BTreeSet;

/// What interfaces lose that the plan sets down or gives a master, a line each.
///
/// # Errors
/// When the kernel does not answer.
pub fn of(plan: &Plan, kernel: &mut impl Kernel) -> Result<Vec<String>, Refusal> {
    let here = plan.steps.iter().filter(|step| step.act.at == Place::Here);
    let interrupting = here.filter_map(|step| match &step.act.op {
        Op::LinkSet { name, change } if change.up == Some(false) || change.master.is_some() => {
            Some((name, step))
        }
        _ => None,
    });
    let mut lines = Vec::new();
    let mut told = BTreeSet::new();
    let mut state = None;
    for (name, step) in interrupting {
        if !told.insert(name) {
            continue;
        }
        if state.is_none() {
            state = Some(look(kernel)?);
        }
        let losses = state.as_ref().map(|state| losses(name, state)).unwrap_or_default();
        if !losses.is_empty() {
            lines.push(format!(
                "{name}: `{}` interrupts the interface, which has {}",
                step.act,
                losses.join(", ")
            ));
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

/// What a link would lose: its master, its addresses, its routes in main and our routes, and the links on top of it.
fn losses(name: &IfName, state: &State) -> Vec<String> {
    let Some(link) = state.links.get(name).filter(|link| link.up) else { return Vec::new() };
    let mut losses: Vec<String> = link.master.iter().map(|master| format!("master {master}")).collect();
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

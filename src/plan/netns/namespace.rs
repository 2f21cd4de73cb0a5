//! Namespaces for our links: made for the first link, deleted after the last one.

use crate::plan::Plan;
use crate::plan::op::{Nested, Op};
use crate::stanza::Problem;
use crate::state::{
    Existing, NestedRecord, Netns, NetnsId, NetnsLink, NetnsLinkRecord, Place, Query, Record, Role, Snapshot,
    State,
};
use crate::values::{IfName, NetnsRef};
use std::collections::BTreeSet;

/// Reads all that [`ensure`] and, with `at_the_end`, [`abandon`] need.
pub fn query(netns: &NetnsRef, at_the_end: bool, query: &mut Query) {
    *query.netns.entry(netns.clone()).or_default() |= at_the_end;
    query.netns_links |= at_the_end;
    let wants = query.at(&Place::In(netns.clone()));
    wants.all_links |= at_the_end;
    wants.links.extend("lo".parse::<IfName>().ok());
    wants.records.insert(Record::keep());
}

/// Makes a named namespace that is missing, with `lo` up.
///
/// # Errors
/// The namespace does not exist and cannot be made, or cannot be used.
pub fn ensure(keyword: &str, netns: &NetnsRef, found: &Snapshot) -> Result<Plan, Problem> {
    let wrong = |reason: &str| Err(Problem::new(keyword, netns, reason));
    let mut plan = Plan::default();
    match (found.netns_at(netns), netns) {
        (Some(Netns::Is(existing)), _) if existing.own => {
            return wrong("that is the namespace that ifup itself runs in");
        }
        (Some(Netns::Is(existing)), _) if !existing.ours => return Ok(plan),
        (Some(Netns::Is(_)), _) => {}
        (Some(Netns::Broken { ours: true } | Netns::Absent) | None, NetnsRef::Name(name)) => {
            plan.push(Op::NetnsAdd(name.clone()), Some(Op::NetnsDel(name.clone())));
        }
        (Some(Netns::Broken { .. }), NetnsRef::Name(_)) => {
            let path = netns.path();
            return wrong(&format!("{} is not a network namespace; remove that file", path.display()));
        }
        (Some(Netns::Broken { .. }), _) => return wrong("not a network namespace"),
        (_, NetnsRef::Pid(_)) => return wrong("there is no such process"),
        (_, NetnsRef::Path(_)) => return wrong("there is no such file"),
    }
    let place = Place::In(netns.clone());
    if let Ok(lo) = "lo".parse::<IfName>() {
        if !found.at(&place).links.get(&lo).is_some_and(|lo| lo.up) {
            plan.push_at(&place, Op::set_up(&lo, true), None);
        }
    }
    Ok(plan)
}

/// The links that the modules of tunnels add to every namespace by themselves (net/ipv4/ip_tunnel.c).
const FALLBACK: [(&str, &str); 9] = [
    ("tunl0", "ipip"),
    ("gre0", "gre"),
    ("gretap0", "gretap"),
    ("erspan0", "erspan"),
    ("sit0", "sit"),
    ("ip6tnl0", "ip6tnl"),
    ("ip6gre0", "ip6gre"),
    ("ip_vti0", "vti"),
    ("ip6_vti0", "vti6"),
];

/// The interfaces whose stanzas want a namespace kept.
fn keepers(netns: &NetnsRef, found: &Snapshot) -> BTreeSet<IfName> {
    let recorded = found.at(&Place::In(netns.clone())).records.get(&Record::keep());
    recorded.into_iter().flat_map(|names| names.split(' ')).filter_map(|name| name.parse().ok()).collect()
}

/// Records in a namespace that we made whether the stanza of an interface wants it kept. This outlives the interface,
/// because another one may be the last to leave; it is deleted with the namespace.
pub fn keep(netns: &NetnsRef, iface: &IfName, keep: bool, found: &Snapshot) -> Plan {
    let mut plan = Plan::default();
    let (place, key, mut keepers) = (Place::In(netns.clone()), Record::keep(), keepers(netns, found));
    let changes = if keep { keepers.insert(iface.clone()) } else { keepers.remove(iface) };
    if !changes || found.existing(netns).is_some_and(|existing| !existing.ours) {
        return plan;
    }
    let write = |value: String| Op::RecordSet { key: key.clone(), value };
    let names: Vec<&str> = keepers.iter().map(IfName::as_str).collect();
    let op = if names.is_empty() { Op::RecordDel(key.clone()) } else { write(names.join(" ")) };
    let undo = found.at(&place).records.get(&key).cloned().map_or(Op::RecordDel(key.clone()), write);
    plan.push_at(&place, op, Some(undo));
    plan
}

/// What to do with a namespace when an interface does not use it any more: it is kept if a stanza wants that, and
/// deleted otherwise, see [`abandon`].
pub fn leave(netns: &NetnsRef, iface: &IfName, is_kept: bool, leaving: &[&IfName], found: &Snapshot) -> Plan {
    if !is_kept && keepers(netns, found).iter().all(|keeper| keeper == iface) {
        abandon(netns, leaving, found)
    } else if found.existing(netns).is_some() {
        keep(netns, iface, is_kept, found)
    } else {
        Plan::default()
    }
}

/// Deletes the namespace that the link of a stanza was put into, if the stanza names another one by now, or none.
pub fn abandon_former(
    (iface, role): (&IfName, Role),
    netns: Option<&NetnsRef>,
    leaving: &[&IfName],
    found: &Snapshot,
) -> Plan {
    let Some(record) = recorded(iface, role, found) else { return Plan::default() };
    let is_former = |former: &&NetnsRef| {
        netns.is_none_or(|netns| !is_where(record, netns, found)) && is_where(record, former, found)
    };
    let former = std::iter::once(&record.link.netns).chain(found.netns.keys()).find(is_former);
    // What the stanza wanted when it named that namespace is recorded there.
    let is_kept = |former: &NetnsRef| !keepers(former, found).is_empty();
    former.filter(|former| !is_kept(former)).map_or(Plan::default(), |former| abandon(former, leaving, found))
}

/// Deletes a namespace that we made, if it contains no process and no link except the ones in `leaving`.
fn abandon(netns: &NetnsRef, leaving: &[&IfName], found: &Snapshot) -> Plan {
    let mut plan = Plan::default();
    // Another reference may lead to a namespace that we made under a name.
    let NetnsRef::Name(name) = found.canonical(netns) else { return plan };
    let existing = match found.netns_at(netns) {
        Some(Netns::Is(existing)) if existing.ours => existing,
        Some(Netns::Broken { ours: true }) => {
            plan.push(Op::NetnsDel(name.clone()), None);
            return plan;
        }
        _ => return plan,
    };
    let state = found.at(&Place::In(netns.clone()));
    let fallback = |name: &IfName, kind: &str| FALLBACK.contains(&(name.as_str(), kind));
    let mut inside: Vec<&IfName> = state
        .links
        .iter()
        .filter(|(name, link)| {
            name.as_str() != "lo" && !leaving.contains(name) && !fallback(name, &link.kind.to_string())
        })
        .map(|(name, _)| name)
        .collect();
    let ours = |link: &&IfName| {
        let index = state.details.get(*link).map(|details| details.index);
        // The index of a moved link is that in its namespace. The link may have been renamed there.
        let is_renamed =
            |r: &NetnsLinkRecord| r.link.role == Role::Moved && r.index.is_some() && r.index == index;
        let is_it = |r: &NetnsLinkRecord| r.id.same(existing.id) && (r.link.name == **link || is_renamed(r));
        found.netns_links.values().any(is_it)
    };
    // The link belongs to another stanza, whose ifdown deletes the namespace.
    if inside.iter().any(ours) {
        return plan;
    }
    inside.truncate(8);
    let mut inside: Vec<String> = inside.into_iter().map(ToString::to_string).collect();
    inside.extend(existing.processes.iter().take(8).map(|pid| format!("process {pid}")));
    if inside.is_empty() {
        plan.push(Op::NetnsDel(name.clone()), None);
    } else {
        plan.warnings.push(format!("namespace {netns} is kept: it contains {}", inside.join(", ")));
    }
    plan
}

/// The record of the link that a stanza put into a namespace.
pub fn recorded<'a>(iface: &IfName, role: Role, found: &'a Snapshot) -> Option<&'a NetnsLinkRecord> {
    found.netns_links.get(&(iface.clone(), role))
}

/// Whether a reference leads to the namespace that a link was put into.
pub fn is_where(record: &NetnsLinkRecord, netns: &NetnsRef, found: &Snapshot) -> bool {
    found.existing(netns).is_some_and(|existing| existing.id.same(record.id))
}

/// Where the link of a stanza is: the namespace that it was put into, by a reference that leads there now. Without a
/// record, it is the namespace of the stanza. `None` if the recorded namespace is gone.
pub fn place_of(iface: &IfName, role: Role, netns: &NetnsRef, found: &Snapshot) -> Option<Place> {
    let Some(record) = recorded(iface, role, found) else { return Some(Place::In(netns.clone())) };
    let references = [netns, &record.link.netns].into_iter().chain(found.netns.keys());
    references.into_iter().find(|netns| is_where(record, netns, found)).cloned().map(Place::In)
}

/// Records the namespace that a stanza puts a link into.
pub fn record(plan: &mut Plan, link: NetnsLink) {
    plan.push(Op::NetnsLinkSet(link.clone()), Some(Op::NetnsLinkDel(link)));
}

/// The interfaces file that is up inside a namespace for this interface's stanza. `None` if there is none, or if its
/// namespace is gone.
pub fn nested(iface: &IfName, netns: &NetnsRef, found: &Snapshot) -> Option<NestedRecord> {
    let record = NestedRecord::parse(found.here().records.get(&Record::nested(iface))?)?;
    found.existing(netns).is_some_and(|existing| existing.id.same(record.id)).then_some(record)
}

/// Runs ifdown for the interfaces file that is up inside a namespace.
pub fn nested_down(iface: &IfName, netns: &NetnsRef, found: &Snapshot) -> Plan {
    let (mut plan, iface) = (Plan::default(), iface.clone());
    // By any reference that leads there: a process that the stanza names may have ended.
    let mut references = std::iter::once(netns).chain(found.netns.keys());
    let up = references.find_map(|netns| Some((nested(&iface, netns, found)?, netns.clone())));
    if let Some((NestedRecord { file, .. }, netns)) = up {
        plan.push(Op::Nested(Nested { iface, netns, file, up: false }), None);
    } else if found.here().records.contains_key(&Record::nested(&iface)) {
        plan.push(Op::RecordDel(Record::nested(&iface)), None);
    }
    plan
}

/// Adds to a simulated state the objects that [`ensure`] does not make.
pub fn assume(netns: &NetnsRef, simulated: &mut Snapshot) {
    if let NetnsRef::Name(_) = netns {
        simulated.netns.entry(netns.clone()).or_insert(Netns::Absent);
    } else {
        let id = NetnsId { inode: 1 + simulated.netns.len() as u64, ..NetnsId::default() };
        simulated.netns.insert(netns.clone(), Netns::Is(Existing { id, ..Existing::default() }));
        simulated.places.entry(Place::In(netns.clone())).or_insert_with(|| State::new_namespace().into());
    }
}

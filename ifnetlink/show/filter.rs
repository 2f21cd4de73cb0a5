//! Which links `ifnetlink show` shows.

use ifupdown_ng_netlink::state::{LinkKind, Place, Snapshot, State};
use ifupdown_ng_netlink::values::{IfName, NetnsRef};
use std::collections::{BTreeMap, BTreeSet};

/// What the command line names.
#[derive(Default)]
pub struct Filter {
    /// Links, VRFs and namespaces; without one, all.
    pub names: Vec<String>,
    /// Only what belongs to this VRF.
    pub vrf: Option<String>,
    /// Only what is in this namespace.
    pub netns: Option<String>,
}

/// A name that nothing has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// Neither a link nor a namespace has it.
    Name(String),
    /// No VRF has it.
    Vrf(String),
    /// No namespace has it.
    Netns(String),
}

/// What is shown of one namespace.
pub struct Chosen {
    pub place: Place,
    /// All of it, with its rules.
    pub whole: bool,
    /// The links, and whether the command line names them.
    pub links: BTreeMap<IfName, bool>,
}

/// Selects what is shown.
///
/// # Errors
/// The names that nothing has.
pub fn choose(found: &Snapshot, filter: &Filter) -> Result<Vec<Chosen>, Vec<Missing>> {
    let is_in = |place: &&Place| filter.netns.as_ref().is_none_or(|netns| has_name(found, place, netns));
    let places: Vec<&Place> = found.places.keys().filter(is_in).collect();
    if let (Some(netns), true) = (&filter.netns, places.is_empty()) {
        return Err(vec![Missing::Netns(netns.clone())]);
    }
    // All that can be shown.
    let mut every: Vec<Chosen> = Vec::new();
    for place in places {
        let state = found.at(place);
        let links = match &filter.vrf {
            None => state.links.keys().cloned().collect(),
            Some(vrf) => state
                .links
                .get(vrf.as_str())
                .filter(|link| is_vrf(&link.kind))
                .map_or_else(BTreeSet::new, |_| belonging(state, vrf)),
        };
        if filter.vrf.is_none() || !links.is_empty() {
            let links = links.into_iter().map(|name| (name, false)).collect();
            every.push(Chosen { place: place.clone(), whole: filter.vrf.is_none(), links });
        }
    }
    if let (Some(vrf), true) = (&filter.vrf, every.is_empty()) {
        return Err(vec![Missing::Vrf(vrf.clone())]);
    }
    if filter.names.is_empty() {
        return Ok(every);
    }
    let mut missing = filter.names.clone();
    let mut chosen = Vec::new();
    for every in every {
        let mut part = Chosen { place: every.place.clone(), whole: false, links: BTreeMap::new() };
        let mut netns_named = false;
        for name in &filter.names {
            let is_netns = has_name(found, &every.place, name);
            let is_link = every.links.contains_key(name.as_str());
            if is_netns {
                netns_named = true;
                part.whole |= every.whole;
                for link in every.links.keys() {
                    part.links.entry(link.clone()).or_insert(false);
                }
            }
            if is_link {
                for link in belonging(found.at(&every.place), name) {
                    if every.links.contains_key(&link) {
                        *part.links.entry(link.clone()).or_default() |= link.as_str() == name;
                    }
                }
            }
            if is_netns || is_link {
                missing.retain(|missing| missing != name);
            }
        }
        if netns_named || !part.links.is_empty() {
            chosen.push(part);
        }
    }
    if missing.is_empty() { Ok(chosen) } else { Err(missing.into_iter().map(Missing::Name).collect()) }
}

/// Whether a namespace has this name, or one of several. The one that the command was started in may have one too.
fn has_name(found: &Snapshot, place: &Place, name: &str) -> bool {
    let netns = NetnsRef::Name(name.to_owned());
    match place {
        Place::In(known) => found.canonical(&netns) == known,
        Place::Here => found.existing(&netns).is_some_and(|existing| existing.own),
    }
}

fn is_vrf(kind: &LinkKind) -> bool {
    matches!(kind, LinkKind::Vrf(_))
}

/// A link, its members and theirs. Of a link that is no VRF, also the links on top of these, such as VLANs: those on
/// top of a member of a VRF need not be in the VRF.
fn belonging(state: &State, name: &str) -> BTreeSet<IfName> {
    let mut found: BTreeSet<IfName> = BTreeSet::new();
    let mut next: Vec<&IfName> = state.links.keys().filter(|link| link.as_str() == name).collect();
    let is_no_vrf = |link: &&IfName| state.links.get(*link).is_some_and(|link| !is_vrf(&link.kind));
    let and_upper = next.iter().any(is_no_vrf);
    while let Some(name) = next.pop() {
        if found.insert(name.clone()) {
            next.extend(state.members(name));
            let upper = state.bridging.lower.iter().filter(|(_, lower)| and_upper && *lower == name);
            next.extend(upper.map(|(upper, _)| upper));
        }
    }
    found
}

//! Returns what a query asks for and nothing else, as [`ifupdown_ng_netlink::kernel::live`] does: a plan must not need
//! what its executor did not ask for.

use ifupdown_ng_netlink::state::{
    Link, LinkKind, Map, Netns, Place, Query, Record, Role, Shared, Snapshot, State, Sysctl, Wants,
};
use ifupdown_ng_netlink::values::{NetnsRef, TableId};
use std::collections::{BTreeMap, BTreeSet};

/// The part of a state that answers a query.
pub fn asked_for(query: &Query, found: &Snapshot) -> Snapshot {
    let table_names = if query.table_names { found.table_names.clone() } else { Shared::default() };
    let nothing = Shared::<State>::default();
    let mut asked: BTreeMap<Place, Wants> = BTreeMap::new();
    for (place, wants) in &query.places {
        asked.entry(found.place(place)).or_default().extend(wants.clone());
    }
    let places = asked.iter().filter_map(|(place, wants)| {
        let state = match place {
            Place::Here => found.places.get(place).unwrap_or(&nothing),
            Place::In(_) => found.places.get(place)?,
        };
        Some((place.clone(), part(wants, state, &table_names).into()))
    });
    let mut places: Map<Place, Shared<State>> = places.collect();
    let is_there: BTreeSet<Place> = places.keys().cloned().collect();
    let asks = |netns: &NetnsRef| query.netns.keys().any(|asked| found.canonical(asked) == netns);
    let mut netns = chosen(&found.netns, asks);
    let is_with =
        |netns: &NetnsRef| query.netns.iter().any(|(asked, with)| *with && found.canonical(asked) == netns);
    let without = |netns: &NetnsRef, _: &Netns| !is_with(netns);
    netns.update(without, |_, is| {
        if let Netns::Is(existing) = is {
            existing.processes.clear();
        }
    });
    let existing = netns.iter().filter(|(_, is)| matches!(is, Netns::Is(_)));
    let existing: Vec<NetnsRef> = existing.map(|(netns, _)| netns.clone()).collect();
    let mut again: BTreeMap<Place, Wants> = BTreeMap::new();
    for record in found.netns_links.values() {
        if !query.located.contains(&record.link.iface) {
            continue;
        }
        // The namespace that the link was put into, by a reference that leads there now.
        let is_there = |is: &Netns| matches!(is, Netns::Is(existing) if existing.id.same(record.id));
        let was = found.canonical(&record.link.netns);
        let now = found.netns.iter().find(|(netns, is)| *netns == was && is_there(is));
        if let Some((now, is)) = now.or_else(|| found.netns.iter().find(|(_, is)| is_there(is))) {
            let place = Place::In(now.clone());
            if existing != [now.clone()] {
                netns.insert(now.clone(), is.clone());
                let wants = again.entry(place.clone()).or_insert_with(|| {
                    let mut wants = asked.get(&place).cloned().unwrap_or_default();
                    wants.extend(Wants { originals: true, all_links: true, ..Wants::default() });
                    wants.records.insert(Record::keep());
                    wants
                });
                wants.extend(query.wherever(&record.link.iface));
            }
        }
        // The namespace of the peer of an interface that is asked for.
        if let (Role::Peer, Some(is)) = (record.link.role, found.netns.get(was)) {
            netns.entry(was.clone()).or_insert_with(|| is.clone());
        }
    }
    for (place, wants) in again {
        let state = part(&wants, found.at(&place), &table_names);
        places.insert(place, state.into());
    }
    let of_new = query.sysctls_of_new_namespaces(|place| is_there.contains(&found.place(place)));
    let is_bridge = |link: &Link| matches!(link.kind, LinkKind::Bridge(_));
    let here = places.get(&Place::Here);
    let beside_bridge =
        query.stanzas_beside_bridge && here.is_some_and(|here| here.links.values().any(is_bridge));
    Snapshot {
        places,
        table_names,
        stanzas: found.stanzas.clone().filter(|_| query.stanzas || beside_bridge),
        netns,
        same: found.same.clone(),
        netns_links: chosen(&found.netns_links, |(iface, _)| {
            query.netns_links || query.located.contains(iface)
        }),
        located: chosen(&found.located, |iface| query.located.contains(iface)),
        uncertain: chosen(&found.uncertain, |iface| query.located.contains(iface)),
        of_new_namespaces: chosen(&found.of_new_namespaces, |key| of_new.contains(key)),
        untrusted: chosen(&found.untrusted, |file| query.files.contains(file)),
    }
}

fn part(wants: &Wants, state: &State, names: &BTreeMap<String, TableId>) -> State {
    let mut shown = State::default();
    // Of the VRFs with a table one is enough. Which one, and which of some VRFs, is undefined.
    let is_known = |table| wants.links.iter().any(|name| state.vrf_table(name) == Some(table));
    let tables = state.tables(&wants.vrfs.with, names);
    let with = |table| state.vrfs().filter(|(_, theirs)| *theirs == table).last();
    let with = tables.into_iter().filter(|table| !is_known(*table)).filter_map(with);
    let mut some: Vec<_> = state.vrfs().filter(|_| wants.vrfs.some).collect();
    let some = some.split_off(some.len().saturating_sub(2));
    let told: Vec<_> = with.chain(some).map(|(name, _)| name).collect();
    let vrfs = state.links.iter().filter(|(name, link)| {
        told.contains(name) || (wants.vrfs.all && matches!(link.kind, LinkKind::Vrf(_)))
    });
    let is_member = |link: &Link| link.master.as_ref().is_some_and(|master| wants.members.contains(master));
    let wanted = |name, link| wants.all_links || wants.links.contains(name) || is_member(link);
    let chosen_links = state.links.iter().filter(|(name, link)| wanted(*name, link));
    for (name, link) in vrfs.chain(chosen_links) {
        shown.links.insert(name.clone(), link.clone());
        shown.details.extend(state.details.get(name).map(|details| (name.clone(), details.clone())));
        // The masters of links come with them.
        if let Some(master) = &link.master {
            shown.links.extend(state.links.get(master).map(|link| (master.clone(), link.clone())));
        }
    }
    if wants.bridging.links {
        shown.links.clone_from(&state.links);
        shown.bridging.eligible.clone_from(&state.bridging.eligible);
        shown.bridging.lower.clone_from(&state.bridging.lower);
    }
    shown.bridging.ports = chosen(&state.bridging.ports, |port| shown.links.contains_key(port));
    shown.bridging.vlans =
        chosen(&state.bridging.vlans, |name| wants.bridging.all_vlans || wants.bridging.vlans.contains(name));
    shown.bridging.fdb = chosen(&state.bridging.fdb, |port| {
        let master = state.links.get(port).and_then(|link| link.master.as_ref());
        master.is_some_and(|master| wants.bridging.fdb.contains(master))
    });
    if wants.bridging.allowed {
        shown.bridging.allowed.clone_from(&state.bridging.allowed);
    }
    if wants.used_tables {
        shown.used_tables = state.routes.iter().map(|route| route.table).collect();
    }
    if wants.rules {
        shown.rules.clone_from(&state.rules);
    }
    let tables = shown.tables(&wants.routes, names);
    shown.routes = state.routes.iter().filter(|route| tables.contains(&route.table)).cloned().collect();
    shown.addresses = chosen(&state.addresses, |link| wants.addresses.contains(link));
    let is_original = |record: &Record| wants.originals && record.sysctl().is_some();
    shown.records = chosen(&state.records, |key| wants.records.contains(key) || is_original(key));
    let originals: BTreeSet<Sysctl> =
        shown.records.keys().filter(|record| is_original(record)).filter_map(Record::sysctl).collect();
    shown.sysctls = chosen(&state.sysctls, |key| wants.sysctls.contains(key) || originals.contains(key));
    shown
}

fn chosen<K: Ord + Clone, V: Clone>(all: &Map<K, V>, is: impl Fn(&K) -> bool) -> Map<K, V> {
    all.iter().filter(|(key, _)| is(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
}

//! Restores routes.

use crate::kernel::Refusal;
use crate::kernel::netlink::raw::{Attributes, Object, ip, number};
use crate::kernel::netlink::saved::links::View;
use crate::kernel::netlink::saved::{AF_INET6, Change, Restoration};
use crate::state::{KERNEL_PROTOCOL, Noun, OUR_PROTOCOL, Subject};
use crate::values::IfName;
use rtnetlink::packet_core::{NLM_F_APPEND, NLM_F_CREATE, NLM_F_REPLACE};
use std::collections::{BTreeMap, BTreeSet};

const RTM_NEWROUTE: u16 = 24;
const RTM_DELROUTE: u16 = 25;

// Attributes (include/uapi/linux/rtnetlink.h).
const RTA_DST: u16 = 1;
const RTA_SRC: u16 = 2;
const RTA_OIF: u16 = 4;
const RTA_PRIORITY: u16 = 6;
const RTA_PREFSRC: u16 = 7;
const RTA_MULTIPATH: u16 = 9;
const RTA_CACHEINFO: u16 = 12;
const RTA_TABLE: u16 = 15;
const RTA_EXPIRES: u16 = 23;
const RTA_NH_ID: u16 = 30;
/// What only the kernel sets: the incoming interface, the state, what fills up, the time left.
const READ_ONLY: [u16; 4] = [3, RTA_CACHEINFO, 17, RTA_EXPIRES];
/// What a nexthop object contains: OIF, GATEWAY, MULTIPATH, FLOW, VIA, ENCAP_TYPE, ENCAP.
const OF_NEXTHOP: [u16; 7] = [RTA_OIF, 5, RTA_MULTIPATH, 11, 18, 21, 22];
/// The flags of a next hop that can be set: `onlink` and `pervasive`.
const SETTABLE: u8 = 4 | 2;
const RTN_UNICAST: u8 = 1;
/// The types that the kernel makes with an address: local, broadcast, anycast, multicast.
const OF_ADDRESS: [u8; 4] = [2, 3, 4, 5];
/// The length of a next hop before its attributes (`struct rtnexthop`).
const NEXT_HOP: usize = 8;

/// A route with the indexes that links have now.
#[derive(Debug, Clone)]
struct Route {
    object: Object,
    /// What tells it from other routes.
    identity: Vec<Vec<u8>>,
    /// What it has in common with the routes that it is an alternative to.
    place: Vec<Vec<u8>>,
    devices: BTreeSet<u32>,
    table: u32,
    /// Its time left, in seconds; 0 if it does not expire.
    expires: u32,
}

impl Route {
    /// `None` for an object that is no route. `index` gives the current index of a link.
    fn parse(answer: &[u8], index: &dyn Fn(u32) -> Option<u32>) -> Option<Result<Self, Box<Self>>> {
        let mut object = Object::parse(answer, 12)?;
        let mut is_complete = true;
        let mut devices = BTreeSet::new();
        let mut map = |old: u32| {
            let new = index(old);
            is_complete &= new.is_some();
            devices.extend(new);
            new.unwrap_or_default()
        };
        let flags = object.number(8) & u32::from(SETTABLE);
        object.set_number(8, flags);
        let expires =
            object.attributes.get(RTA_CACHEINFO).and_then(|info| number(info.get(8..)?)).unwrap_or_default();
        let mut attributes = object.attributes.without(&READ_ONLY);
        let has_nexthop = attributes.get(RTA_NH_ID).is_some();
        let mut hops: Vec<Vec<u8>> = Vec::new();
        for (kind, value) in &mut attributes.0 {
            match *kind {
                RTA_OIF => *value = map(number(value)?).to_ne_bytes().to_vec(),
                RTA_MULTIPATH => {
                    hops = next_hops(value, &mut map)?;
                    *value = hops.concat();
                }
                _ => {}
            }
        }
        if has_nexthop {
            // The kernel shows both the nexthop object and what it contains.
            attributes = attributes.without(&OF_NEXTHOP);
            object.set_number(8, 0);
            is_complete = true;
        }
        let table = attributes.number(RTA_TABLE).unwrap_or_else(|| object.byte(4).into());
        let mut identity: Vec<Vec<u8>> = attributes
            .without(&[RTA_MULTIPATH])
            .0
            .into_iter()
            .map(|(kind, value)| [kind.to_ne_bytes().to_vec(), value].concat())
            .collect();
        identity.extend(hops);
        identity.sort();
        identity.push(object.header.clone());
        let of = |kind| attributes.get(kind).unwrap_or_default().to_vec();
        // Family, lengths of prefixes, TOS.
        let mut place = vec![object.header.get(..4)?.to_vec(), table.to_ne_bytes().to_vec()];
        place.extend([of(RTA_DST), of(RTA_SRC), of(RTA_PRIORITY)]);
        object.attributes = attributes;
        let route = Self { object, identity, place, devices, table, expires: expires.div_ceil(HZ) };
        Some(if is_complete { Ok(route) } else { Err(Box::new(route)) })
    }

    fn protocol(&self) -> u8 {
        self.object.byte(5)
    }

    /// Whether it has only some of the next hops of another one.
    fn is_part_of(&self, other: &Self) -> bool {
        self.devices.len() < other.devices.len()
            && self.devices.is_subset(&other.devices)
            && self.protocol() == other.protocol()
    }

    /// Whether the kernel makes it by itself, with an address.
    fn is_of_address(&self) -> bool {
        self.protocol() == KERNEL_PROTOCOL && OF_ADDRESS.contains(&self.object.byte(7))
    }

    fn subject(&self, name: Option<&IfName>) -> Subject {
        let attributes = &self.object.attributes;
        let what = match attributes.get(RTA_DST).map(ip) {
            Some(Some(address)) => format!("{address}/{}", self.object.byte(1)),
            _ => "default".to_owned(),
        };
        let word = match self.object.byte(7) {
            RTN_UNICAST => String::new(),
            6 => "blackhole ".to_owned(),
            7 => "unreachable ".to_owned(),
            8 => "prohibit ".to_owned(),
            other => format!("type {other} "),
        };
        let what = format!("{word}{what} table {}", self.table);
        Subject { noun: Noun::Route, what, dev: name.cloned() }
    }

    fn addition(&self, flag: u16) -> Change {
        let mut object = self.object.clone();
        if self.expires != 0 {
            object.attributes.push(RTA_EXPIRES, self.expires.to_ne_bytes());
        }
        Change { number: RTM_NEWROUTE, flags: NLM_F_CREATE | flag, object }
    }

    fn deletion(&self) -> Change {
        Change { number: RTM_DELROUTE, flags: 0, object: self.object.clone() }
    }
}

/// The unit of times in answers (`USER_HZ`).
const HZ: u32 = 100;

/// The next hops of a route, with the current indexes of links, each padded.
fn next_hops(mut bytes: &[u8], map: &mut dyn FnMut(u32) -> u32) -> Option<Vec<Vec<u8>>> {
    let mut hops = Vec::new();
    while let [length_0, length_1, flags, weight, index @ ..] = bytes {
        let length = usize::from(u16::from_ne_bytes([*length_0, *length_1]));
        let attributes = bytes.get(NEXT_HOP..length)?;
        let mut hop = vec![*length_0, *length_1, *flags & SETTABLE, *weight];
        hop.extend_from_slice(&map(number(index)?).to_ne_bytes());
        hop.extend_from_slice(attributes);
        hop.resize(length.next_multiple_of(4), 0);
        hops.push(hop);
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(hops)
}

/// The routes with the same destination, metric and so on, of one table: those that are to exist, and those that do.
#[derive(Default)]
struct Alternatives {
    wanted: Vec<Route>,
    has: Vec<Route>,
}

/// Which routes are restored.
struct Scope {
    devices: BTreeSet<u32>,
    /// The tables of restored VRFs.
    tables: BTreeSet<u32>,
    /// The tables of other VRFs.
    others: BTreeSet<u32>,
    /// The addresses of restored links: with an address, the kernel deletes the routes that have it as their source.
    addresses: BTreeSet<Vec<u8>>,
}

impl Scope {
    fn has(&self, route: &Route) -> bool {
        let is_ours = route.protocol() == OUR_PROTOCOL && !self.others.contains(&route.table);
        let has_no_device = route.object.byte(7) != RTN_UNICAST;
        !route.devices.is_disjoint(&self.devices)
            || self.tables.contains(&route.table)
            || (is_ours && has_no_device)
    }

    fn had(&self, route: &Route) -> bool {
        let source = route.object.attributes.get(RTA_PREFSRC);
        self.has(route) || source.is_some_and(|source| self.addresses.contains(source))
    }
}

impl Restoration {
    /// Restores the routes over links, in the tables of VRFs, and those of ours that have no device.
    pub fn restore_routes(&mut self) {
        let Some(view) = self.view() else { return };
        for site in 0..self.sites.len() {
            let (scope, Some(now)) = (self.scope(&view, site), self.now(site, Noun::Route)) else { continue };
            let of_now = |index: u32| Some(index);
            let now: Vec<Route> =
                now.iter().filter_map(|answer| Route::parse(answer, &of_now)?.ok()).collect();
            let of_saved = |index: u32| view.index(site, index);
            let mut wanted: Vec<Route> = Vec::new();
            for answer in self.saved(site, Noun::Route) {
                match Route::parse(&answer, &of_saved) {
                    Some(Ok(route)) if scope.had(&route) && !route.is_of_address() => wanted.push(route),
                    Some(Err(route)) if scope.has(&route) && !route.is_of_address() => {
                        let refusal = Refusal::text("a link that it needs is missing");
                        self.note(site, route.subject(None), Err(refusal));
                    }
                    _ => {}
                }
            }
            let name = |route: &Route| {
                let index = route.devices.first()?;
                let links = view.links.get(site)?;
                links.iter().find(|link| link.index == *index).map(|link| link.name.clone())
            };
            let mut places: BTreeMap<Vec<Vec<u8>>, Alternatives> = BTreeMap::new();
            for route in wanted {
                places.entry(route.place.clone()).or_default().wanted.push(route);
            }
            for route in now {
                places.entry(route.place.clone()).or_default().has.push(route);
            }
            for alternatives in places.values() {
                self.restore_alternatives(site, alternatives, &scope, &name);
            }
        }
    }

    fn restore_alternatives(
        &mut self,
        site: usize,
        Alternatives { wanted, has }: &Alternatives,
        scope: &Scope,
        name: &dyn Fn(&Route) -> Option<IfName>,
    ) {
        let without = |these: &[Route], those: &[Route]| -> Vec<Route> {
            let is_in = |route: &Route| those.iter().any(|other| other.identity == route.identity);
            these.iter().filter(|route| !is_in(route)).cloned().collect()
        };
        let (missing, mut more) = (without(wanted, has), without(has, wanted));
        // What is left of a route with several next hops, if a link of one of them went down.
        let is_left = |route: &Route| missing.iter().any(|missing| route.is_part_of(missing));
        more.retain(|route| (scope.has(route) || is_left(route)) && !route.is_of_address());
        if let ([missing], [_], 1, 1) = (&missing[..], &more[..], wanted.len(), has.len()) {
            // A packet finds one of the two at each moment.
            if self.send(site, missing.addition(NLM_F_REPLACE)).is_ok() {
                self.note(site, missing.subject(name(missing).as_ref()), Ok(()));
                return;
            }
        }
        for route in more {
            self.delete(site, route.subject(name(&route).as_ref()), route.deletion());
        }
        for route in missing {
            // IPv4: after the alternatives that were added before.
            let flag = if route.object.byte(0) == AF_INET6 { 0 } else { NLM_F_APPEND };
            self.change(site, route.subject(name(&route).as_ref()), route.addition(flag));
        }
    }

    fn scope(&self, view: &View, site: usize) -> Scope {
        let links = self.sites.get(site).map(|site| site.links.as_slice()).unwrap_or_default();
        let touched = view.touched(site, links);
        let devices: BTreeSet<u32> = touched.iter().map(|(_, now)| now.index).collect();
        let others = view.links.get(site).into_iter().flatten().filter(|link| !devices.contains(&link.index));
        let saved: BTreeSet<u32> = touched.iter().map(|(saved, _)| saved.index).collect();
        let own = |answer: &Vec<u8>| {
            let answer = Object::parse(answer, 8).filter(|answer| saved.contains(&answer.number(4)))?;
            let Attributes(attributes) = answer.attributes.only(&[1, 2]);
            attributes.into_iter().map(|(_, address)| address).next_back()
        };
        Scope {
            others: others.filter_map(super::link::Link::table).collect(),
            tables: touched.iter().filter_map(|(saved, _)| saved.table()).collect(),
            addresses: self.saved(site, Noun::Address).iter().filter_map(own).collect(),
            devices,
        }
    }
}

/// Decodes and encodes a message, whatever it is. Returns the header of the message that adds a route.
#[cfg(any(test, fuzzing))]
pub(super) fn parse_any(message: &[u8]) -> Option<Vec<u8>> {
    let Some(Ok(route)) = Route::parse(message, &Some) else { return None };
    drop(route.subject(None));
    Some(route.addition(0).object.header)
}

//! The stations that ports with `bridge-allow` have, as the table `bridge-allow` of nf_tables holds them.

use crate::state::{Map, Shared};
use crate::values::bridge::station;
use crate::values::{IfName, Mac, Vid};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// A station behind a port, or an address of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Allowed {
    /// The station.
    pub mac: Mac,
    /// The only VLAN; without one, every VLAN.
    pub vid: Option<Vid>,
    /// An address of the station. Without one, this is the station itself.
    pub address: Option<IpAddr>,
}

impl Allowed {
    /// The name of the set that it is an element of.
    pub fn set(&self) -> &'static str {
        match (self.vid, self.address) {
            (None, None) => "stations",
            (None, Some(IpAddr::V4(_))) => "addresses4",
            (None, Some(IpAddr::V6(_))) => "addresses6",
            (Some(_), None) => "vlan-stations",
            (Some(_), Some(IpAddr::V4(_))) => "vlan-addresses4",
            (Some(_), Some(IpAddr::V6(_))) => "vlan-addresses6",
        }
    }

    /// The element as nft(8) takes it.
    pub fn element(&self, port: &IfName) -> String {
        let vid = self.vid.map(|vid| format!(" . {vid}")).unwrap_or_default();
        let address = self.address.map(|address| format!(" . {address}")).unwrap_or_default();
        format!("\"{port}\" . {}{vid}{address}", self.mac)
    }
}

/// `MAC [vlan VID] [ADDRESS]`.
impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.mac.fmt(f)?;
        self.vid.map_or(Ok(()), |vid| write!(f, " vlan {vid}"))?;
        self.address.map_or(Ok(()), |address| write!(f, " {address}"))
    }
}

impl Allowed {
    /// The text that `Display` prints.
    pub fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split(' ').collect();
        let (mac, vid, rest) = station(&words).ok()?;
        let address = match rest {
            [] => None,
            [address] => Some(address.parse().ok()?),
            _ => return None,
        };
        Some(Self { mac, vid, address })
    }
}

/// Stations and their addresses, each once, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stations(Vec<Allowed>);

impl Stations {
    /// Adds one.
    pub fn insert(&mut self, station: Allowed) {
        if let Err(place) = self.0.binary_search(&station) {
            self.0.insert(place, station);
        }
    }

    /// These, and those of the other list.
    #[must_use]
    pub fn with(&self, other: &Self) -> Self {
        self.0.iter().chain(&other.0).copied().collect()
    }

    /// Those that the other list does not have.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let is_left = |station: &&Allowed| other.0.binary_search(station).is_err();
        Self(self.0.iter().filter(is_left).copied().collect())
    }

    /// Each of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Allowed> {
        self.0.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Allowed> for Stations {
    fn from_iter<I: IntoIterator<Item = Allowed>>(stations: I) -> Self {
        let mut all = Self::default();
        stations.into_iter().for_each(|station| all.insert(station));
        all
    }
}

impl<'a> IntoIterator for &'a Stations {
    type Item = &'a Allowed;
    type IntoIter = std::slice::Iter<'a, Allowed>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The IPv6 link-local address that the kernel makes of an Ethernet address (RFC 4291, appendix A).
pub fn link_local(mac: Mac) -> Ipv6Addr {
    let mac = mac.bytes();
    let (vendor, device) = mac.split_at(3);
    let mut bytes = [0; 16];
    bytes[..2].copy_from_slice(&[0xfe, 0x80]);
    bytes[8..11].copy_from_slice(vendor);
    bytes[8] ^= 2;
    bytes[11..13].copy_from_slice(&[0xff, 0xfe]);
    bytes[13..].copy_from_slice(device);
    Ipv6Addr::from(bytes)
}

/// The table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowTable {
    /// It exists, and has all our rules and no other ones. If not, it is made anew by the next change.
    pub intact: bool,
    /// The stations by port.
    pub ports: Map<IfName, Stations>,
    /// The ports without a chain of their own: the kernel deletes it with the link.
    pub bare: Shared<BTreeSet<IfName>>,
    /// How many frames were dropped, by port.
    pub dropped: Shared<BTreeMap<IfName, Dropped>>,
}

/// How many frames were dropped at a port.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Those that the port received.
    pub received: u64,
    /// Those that it was to send.
    pub sent: u64,
}

impl AllowTable {
    /// The stations of a port; empty if it has none.
    pub fn of(&self, port: &IfName) -> Stations {
        self.ports.get(port).cloned().unwrap_or_default()
    }

    /// Changes the stations of a port. A port without stations is not in the table.
    pub fn change(&mut self, port: &IfName, add: &Stations, del: &Stations) {
        let stations = self.of(port).without(del).with(add);
        if stations.is_empty() {
            self.ports.remove(port);
        } else {
            self.ports.insert(port.clone(), stations);
        }
        if self.bare.contains(port) {
            self.bare.remove(port);
        }
        self.intact = !self.ports.is_empty();
    }
}

/// Any station or address of one, for tests.
#[cfg(test)]
pub(crate) fn any_allowed() -> impl proptest::strategy::Strategy<Value = Allowed> {
    use proptest::prelude::*;
    (any::<[u8; 5]>(), prop::option::of(1_u16..4095), any::<Option<IpAddr>>()).prop_filter_map(
        "no Ethernet address",
        |([b, c, d, e, f], vid, address)| {
            let mac = Mac::from_bytes(&[2, b, c, d, e, f])?;
            Some(Allowed { mac, vid: vid.and_then(Vid::new), address })
        },
    )
}

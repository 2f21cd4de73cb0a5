//! Reads the keywords of ports, from the stanza of a port or of a bridge (for the bridge itself, `self`).

use crate::plan::bridge::scope::Scope;
use crate::stanza::{Problem, Stanza};
use crate::state::{Allowed, FdbEntry, PortOptions, Stations, link_local};
use crate::values::bridge::station;
use crate::values::{Invalid, List, Switch, Vid, Vids, VlanSet};
use std::net::IpAddr;
use std::str::FromStr;

/// The VLANs of a port or of a bridge itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Vlans {
    /// These.
    Exactly(VlanSet),
    /// From the stock keywords, which start with the bridge's default PVID.
    Stock {
        /// `bridge-pvid`.
        pvid: Option<Vid>,
        /// `bridge-vids`.
        vids: Vids,
        /// `bridge-allow-untagged`.
        untagged: bool,
    },
}

impl Vlans {
    /// The VLANs on a bridge with this default PVID.
    pub fn resolve(&self, default: Option<Vid>) -> VlanSet {
        match self {
            Self::Exactly(set) => set.clone(),
            Self::Stock { pvid, vids, untagged } => {
                let mut set = VlanSet::access(pvid.or(default.filter(|_| *untagged)));
                vids.0.iter().for_each(|range| set.insert(*range));
                set
            }
        }
    }
}

/// The configuration of a port, from its own stanza or from that of its bridge.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PortConfig {
    /// Its VLANs, with their keyword and its text.
    pub vlans: Option<(&'static str, String, Vlans)>,
    /// Its settings.
    pub options: PortOptions,
    /// The static entries of its forwarding database.
    pub fdb: Vec<FdbEntry>,
    /// The stations that it may have, if only these.
    pub allow: Option<Stations>,
    /// It is the VXLAN end of an EVPN.
    pub evpn: bool,
}

impl PortConfig {
    /// Reads the keywords of ports.
    ///
    /// `inherits`: ifupdown-ng may have put `bridge-pvid` and `bridge-vids` of a bridge into this stanza, if the
    /// bridge's stanza names the interface among its ports (compat.c `compat_ifupdown2_bridge_ports_inherit_vlans`).
    pub fn read(stanza: &Stanza, scope: Scope, inherits: bool) -> Self {
        let switch = |keyword| stanza.get::<Switch>(keyword).map(|Switch(on)| on);
        let mut options = PortOptions {
            isolated: switch("bridge-isolated"),
            learning: switch("bridge-learning"),
            locked: switch("bridge-locked"),
            unicast_flood: switch("bridge-unicast-flood"),
            multicast_flood: switch("bridge-multicast-flood"),
            broadcast_flood: switch("bridge-broadcast-flood"),
            ..PortOptions::default()
        };
        let evpn = scope == Scope::All && switch("vxlan-evpn") == Some(true);
        if scope == Scope::All {
            options.neigh_suppress = switch("bridge-arp-nd-suppress");
        }
        if evpn {
            options.learning = options.learning.or(Some(false));
            options.neigh_suppress = options.neigh_suppress.or(Some(true));
        }
        let fdb = stanza.get::<List<Station>>("bridge-fdb").map_or_else(Vec::new, |List(stations)| {
            stations.into_iter().map(|Station(entry)| entry).collect()
        });
        let allow = stanza
            .get::<List<Entry>>("bridge-allow")
            .map(|List(entries)| entries.into_iter().flat_map(|Entry(stations)| stations).collect());
        Self { vlans: read_vlans(stanza, scope, inherits), options, fdb, allow, evpn }
    }

    /// Whether only stock keywords configure it.
    pub fn is_stock(&self) -> bool {
        let own = PortOptions { neigh_suppress: None, ..self.options.clone() };
        own.is_empty()
            && self.fdb.is_empty()
            && self.allow.is_none()
            && self.vlans.as_ref().is_none_or(|(key, ..)| *key != "bridge-vlan")
    }
}

/// The keywords of the stock executor that conflict with `bridge-vlan`.
const STOCK: [&str; 4] = ["bridge-access", "bridge-pvid", "bridge-vids", "bridge-allow-untagged"];

/// The keywords that ifupdown-ng copies from a bridge to its ports.
const HANDED_DOWN: [&str; 2] = ["bridge-pvid", "bridge-vids"];

/// The reason why two keywords conflict.
fn keep_one(other: &str) -> String {
    format!("conflicts with {other}; keep one of the two")
}

/// The problem of a port's stanza that sets its VLANs with two conflicting keywords. The output of ifquery also has the
/// keywords that were copied from the bridge.
pub fn two_ways(port: &Stanza, bridge: Option<&Stanza>) -> Option<Problem> {
    let vlan = port.text("bridge-vlan")?;
    let own = |keyword: &&str| {
        let of_bridge =
            bridge.filter(|_| HANDED_DOWN.contains(keyword)).and_then(|bridge| bridge.text(keyword));
        port.text(keyword).is_some_and(|text| !of_bridge.is_some_and(|of_bridge| of_bridge.contains(text)))
    };
    STOCK.into_iter().find(own).map(|other| Problem::new("bridge-vlan", vlan, keep_one(other)))
}

fn read_vlans(stanza: &Stanza, scope: Scope, inherits: bool) -> Option<(&'static str, String, Vlans)> {
    let written = |keyword: &'static str, vlans| {
        Some((keyword, stanza.text(keyword).unwrap_or_default().to_owned(), vlans))
    };
    let own = stanza.get::<VlanSet>("bridge-vlan").map(Vlans::Exactly);
    let own = own.and_then(|vlans| written("bridge-vlan", vlans));
    if scope == Scope::Vlan {
        return own;
    }
    let first = STOCK.into_iter().find(|keyword| stanza.text(keyword).is_some());
    if let (Some(first), Some(_)) = (first, stanza.text("bridge-vlan")) {
        if inherits && HANDED_DOWN.contains(&first) {
            return own;
        }
        stanza.reject("bridge-vlan", keep_one(first));
    }
    let access = stanza.get::<Vid>("bridge-access");
    let pvid = stanza.get("bridge-pvid");
    let vids = stanza.get("bridge-vids").unwrap_or(Vids(Vec::new()));
    let untagged = stanza.get("bridge-allow-untagged").is_none_or(|Switch(on)| on);
    match (own, first, access) {
        (Some(own), ..) => Some(own),
        (_, None, _) => None,
        // As in the stock executor: the other keywords have no effect on a port with `bridge-access`.
        (_, _, Some(vid)) => written("bridge-access", Vlans::Exactly(VlanSet::access(Some(vid)))),
        (_, Some(first), None) => written(first, Vlans::Stock { pvid, vids, untagged }),
    }
}

/// `MAC [vlan VID] [ADDRESS…]`: a station, its link-local address, and its other addresses.
struct Entry(Vec<Allowed>);

impl FromStr for Entry {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (mac, vid, addresses) = station(&words)?;
        let of = |address| Allowed { mac, vid, address };
        let mut stations = vec![of(None), of(Some(link_local(mac).into()))];
        for address in addresses {
            stations.push(of(Some(station_address(address)?)));
        }
        Ok(Self(stations))
    }
}

/// The address of a station.
fn station_address(text: &str) -> Result<IpAddr, Invalid> {
    let address: IpAddr = text.parse().map_err(|_| match text.split_once('/') {
        Some((address, _)) if address.parse::<IpAddr>().is_ok() => {
            Invalid::new("has the length of a prefix; write each address of the station alone")
        }
        _ => Invalid::new("not an IP address"),
    })?;
    let is_broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast());
    if address.is_multicast() || address.is_unspecified() || is_broadcast {
        return Err(Invalid::new("not an address that an interface can have"));
    }
    Ok(address)
}

/// `MAC [vlan VID]`.
struct Station(FdbEntry);

impl FromStr for Station {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let words: Vec<&str> = text.split_whitespace().collect();
        match station(&words)? {
            (mac, vid, []) => Ok(Self(FdbEntry { mac, vid })),
            _ => Err(Invalid::new("not MAC [vlan VID]")),
        }
    }
}

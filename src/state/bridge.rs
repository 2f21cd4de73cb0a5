//! Bridges and their ports: settings, VLANs, forwarding database (bridge(8)).

use crate::state::{AllowTable, Map, Shared};
use crate::values::{Centiseconds, IfName, Mac, Vid, VlanProtocol, VlanSet};
use std::collections::BTreeSet;
use std::fmt;

/// Settings of a bridge. If it was read, all settings that the kernel has; if it is wanted, only those to be set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BridgeOptions {
    /// Its own Ethernet address; without one it takes the lowest address of its ports.
    pub address: Option<Mac>,
    /// Whether VLAN filtering is on.
    pub filtering: Option<bool>,
    /// The default PVID: the VLAN of a new port. `Some(None)` means no VLAN.
    pub default_pvid: Option<Option<Vid>>,
    /// The protocol of its VLAN tags.
    pub protocol: Option<VlanProtocol>,
    /// Spanning tree.
    pub stp: Option<bool>,
    /// How long a learned address is kept.
    pub ageing: Option<Centiseconds>,
    /// How long a port listens, and then how long it learns, before it forwards.
    pub forward_delay: Option<Centiseconds>,
    /// How often it sends hello packets.
    pub hello: Option<Centiseconds>,
    /// How long it keeps the information from another bridge.
    pub max_age: Option<Centiseconds>,
    /// Its priority for becoming the root bridge: lower is better.
    pub priority: Option<u16>,
}

impl BridgeOptions {
    /// The settings in which `found` differs from these.
    #[must_use]
    pub fn differing(&self, found: &Self) -> Self {
        Self {
            address: differing(self.address, found.address),
            // A kernel without VLAN filtering shows no value, and does not filter.
            filtering: differing(self.filtering, Some(found.filtering.unwrap_or(false))),
            // Such a kernel has no default PVID either.
            default_pvid: differing(self.default_pvid, Some(found.default_pvid.flatten())),
            protocol: differing(self.protocol, found.protocol),
            stp: differing(self.stp, found.stp),
            ageing: time_differing(self.ageing, found.ageing),
            forward_delay: time_differing(self.forward_delay, found.forward_delay),
            hello: time_differing(self.hello, found.hello),
            max_age: time_differing(self.max_age, found.max_age),
            priority: differing(self.priority, found.priority),
        }
    }

    /// These settings, limited to those that are set in `mask`.
    #[must_use]
    pub fn masked(&self, mask: &Self) -> Self {
        Self {
            address: mask.address.and(self.address),
            filtering: mask.filtering.and(self.filtering),
            default_pvid: mask.default_pvid.and(self.default_pvid),
            protocol: mask.protocol.and(self.protocol),
            stp: mask.stp.and(self.stp),
            ageing: mask.ageing.and(self.ageing),
            forward_delay: mask.forward_delay.and(self.forward_delay),
            hello: mask.hello.and(self.hello),
            max_age: mask.max_age.and(self.max_age),
            priority: mask.priority.and(self.priority),
        }
    }

    /// Takes over the settings that are set in `change`.
    pub fn update(&mut self, change: &Self) {
        let merged = Self {
            address: change.address.or(self.address),
            filtering: change.filtering.or(self.filtering),
            default_pvid: change.default_pvid.or(self.default_pvid),
            protocol: change.protocol.or(self.protocol),
            stp: change.stp.or(self.stp),
            ageing: change.ageing.or(self.ageing),
            forward_delay: change.forward_delay.or(self.forward_delay),
            hello: change.hello.or(self.hello),
            max_age: change.max_age.or(self.max_age),
            priority: change.priority.or(self.priority),
        };
        *self = merged;
    }

    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The settings as `ip link … type bridge` takes them, a blank before each.
    pub fn words(&self) -> String {
        let switch = |on: bool| u32::from(on).to_string();
        let pvid = |pvid: Option<Vid>| pvid.map_or(0, Vid::get).to_string();
        let time = |time: Centiseconds| time.to_string();
        [
            ("vlan_filtering", self.filtering.map(switch)),
            ("vlan_default_pvid", self.default_pvid.map(pvid)),
            ("vlan_protocol", self.protocol.map(|protocol| protocol.to_string())),
            ("stp_state", self.stp.map(switch)),
            ("ageing_time", self.ageing.map(time)),
            ("forward_delay", self.forward_delay.map(time)),
            ("hello_time", self.hello.map(time)),
            ("max_age", self.max_age.map(time)),
            ("priority", self.priority.map(|priority| priority.to_string())),
        ]
        .into_iter()
        .filter_map(|(word, value)| Some(format!(" {word} {}", value?)))
        .collect()
    }
}

fn differing<T: PartialEq + Copy>(wanted: Option<T>, found: Option<T>) -> Option<T> {
    if wanted == found { None } else { wanted }
}

fn time_differing(wanted: Option<Centiseconds>, found: Option<Centiseconds>) -> Option<Centiseconds> {
    wanted.filter(|wanted| !found.is_some_and(|found| wanted.rounds_to(found)))
}

/// Settings of a port of a bridge.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PortOptions {
    /// It exchanges no frames with other isolated ports.
    pub isolated: Option<bool>,
    /// It learns the source addresses of the frames that it receives.
    pub learning: Option<bool>,
    /// It accepts frames only from stations that the forwarding database has on this port.
    pub locked: Option<bool>,
    /// The bridge answers ARP and ND requests for neighbours that it knows, and does not flood them to this port.
    pub neigh_suppress: Option<bool>,
    /// The bridge sends it unicast frames to stations that the forwarding database does not have.
    pub unicast_flood: Option<bool>,
    /// The bridge sends it multicast frames of groups of which it knows no members.
    pub multicast_flood: Option<bool>,
    /// The bridge sends it broadcast frames.
    pub broadcast_flood: Option<bool>,
    /// Its path cost, 1 to 65535.
    pub cost: Option<u32>,
    /// Its priority among the bridge's ports, 0 to 63.
    pub priority: Option<u16>,
}

impl PortOptions {
    /// The settings in which `found` differs from these.
    #[must_use]
    pub fn differing(&self, found: &Self) -> Self {
        Self {
            isolated: differing(self.isolated, found.isolated),
            learning: differing(self.learning, found.learning),
            locked: differing(self.locked, found.locked),
            neigh_suppress: differing(self.neigh_suppress, found.neigh_suppress),
            unicast_flood: differing(self.unicast_flood, found.unicast_flood),
            multicast_flood: differing(self.multicast_flood, found.multicast_flood),
            broadcast_flood: differing(self.broadcast_flood, found.broadcast_flood),
            cost: differing(self.cost, found.cost),
            priority: differing(self.priority, found.priority),
        }
    }

    /// These settings, limited to those that are set in `mask`.
    #[must_use]
    pub fn masked(&self, mask: &Self) -> Self {
        Self {
            isolated: mask.isolated.and(self.isolated),
            learning: mask.learning.and(self.learning),
            locked: mask.locked.and(self.locked),
            neigh_suppress: mask.neigh_suppress.and(self.neigh_suppress),
            unicast_flood: mask.unicast_flood.and(self.unicast_flood),
            multicast_flood: mask.multicast_flood.and(self.multicast_flood),
            broadcast_flood: mask.broadcast_flood.and(self.broadcast_flood),
            cost: mask.cost.and(self.cost),
            priority: mask.priority.and(self.priority),
        }
    }

    /// Takes over the settings that are set in `change`.
    pub fn update(&mut self, change: &Self) {
        let merged = Self {
            isolated: change.isolated.or(self.isolated),
            learning: change.learning.or(self.learning),
            locked: change.locked.or(self.locked),
            neigh_suppress: change.neigh_suppress.or(self.neigh_suppress),
            unicast_flood: change.unicast_flood.or(self.unicast_flood),
            multicast_flood: change.multicast_flood.or(self.multicast_flood),
            broadcast_flood: change.broadcast_flood.or(self.broadcast_flood),
            cost: change.cost.or(self.cost),
            priority: change.priority.or(self.priority),
        };
        *self = merged;
    }

    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The settings as `bridge link set` takes them, a blank before each.
    pub fn words(&self) -> String {
        let switch = |on: bool| if on { "on" } else { "off" }.to_owned();
        [
            ("isolated", self.isolated.map(switch)),
            ("learning", self.learning.map(switch)),
            ("locked", self.locked.map(switch)),
            ("neigh_suppress", self.neigh_suppress.map(switch)),
            ("flood", self.unicast_flood.map(switch)),
            ("mcast_flood", self.multicast_flood.map(switch)),
            ("bcast_flood", self.broadcast_flood.map(switch)),
            ("cost", self.cost.map(|cost| cost.to_string())),
            ("priority", self.priority.map(|priority| priority.to_string())),
        ]
        .into_iter()
        .filter_map(|(word, value)| Some(format!(" {word} {}", value?)))
        .collect()
    }
}

/// A static entry of a bridge's forwarding database: the station is behind the port that has the entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FdbEntry {
    /// The station.
    pub mac: Mac,
    /// The VLAN; without one, all VLANs of the port.
    pub vid: Option<Vid>,
}

impl FdbEntry {
    /// The entry as `bridge fdb` takes it.
    pub fn words(&self, port: &IfName) -> String {
        let vlan = self.vid.map(|vid| format!(" vlan {vid}")).unwrap_or_default();
        format!("{} dev {port} master static{vlan}", self.mac)
    }
}

/// The form of the keyword `bridge-fdb`.
impl fmt::Display for FdbEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.mac.fmt(f)?;
        self.vid.map_or(Ok(()), |vid| write!(f, " vlan {vid}"))
    }
}

/// A device on which VLANs are set: a port, or the bridge itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VlanDevice {
    /// Its name.
    pub name: IfName,
    /// It is the bridge (`self`).
    pub is_bridge: bool,
}

/// The state of bridges and their ports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bridging {
    /// Links that can be ports: Ethernet, not loopback, and neither a bridge nor a VRF.
    pub eligible: Shared<BTreeSet<IfName>>,
    /// The lower link of each VLAN, MAC-VLAN and similar link.
    pub lower: Map<IfName, IfName>,
    /// The ports among the links.
    pub ports: Map<IfName, PortState>,
    /// VLANs of ports and of bridges.
    pub vlans: Map<IfName, VlanSet>,
    /// Static entries by port.
    pub fdb: Map<IfName, BTreeSet<FdbEntry>>,
    /// The stations that ports with `bridge-allow` have.
    pub allowed: AllowTable,
}

/// The state of a port.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PortState {
    /// Its settings.
    pub options: PortOptions,
    /// The spanning tree has not yet decided whether it forwards.
    pub undecided: bool,
    /// It has a carrier, but its bridge has not noticed it yet. If the bridge is up, the port is undecided soon.
    pub unnoticed: bool,
}

//! Bridges and their ports: settings, VLANs, forwarding database (bridge(8)).

use crate::values::{Centiseconds, IfName, Mac, Vid, VlanProtocol, VlanSet};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// Settings of a bridge. Of one that was found, all that the kernel has; of one that is wanted, those that
/// matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BridgeOptions {
    /// Its own Ethernet address; with none given it takes the lowest of its ports'.
    pub address: Option<Mac>,
    /// Whether it looks at VLANs.
    pub filtering: Option<bool>,
    /// The VLAN that a new port is given; `Some(None)` is none.
    pub default_pvid: Option<Option<Vid>>,
    /// The tag it works by.
    pub protocol: Option<VlanProtocol>,
    /// Spanning tree.
    pub stp: Option<bool>,
    /// How long an address is remembered.
    pub ageing: Option<Centiseconds>,
    /// How long a port listens, and then learns, before it forwards.
    pub forward_delay: Option<Centiseconds>,
    /// How often it says hello.
    pub hello: Option<Centiseconds>,
    /// How long it believes what another bridge said.
    pub max_age: Option<Centiseconds>,
    /// Its chance to become the root of the tree: lower is better.
    pub priority: Option<u16>,
}

impl BridgeOptions {
    /// The settings in which `found` differs from these.
    #[must_use]
    pub fn differing(&self, found: &Self) -> Self {
        Self {
            address: differing(self.address, found.address),
            // A kernel without VLAN filtering shows nothing here, and does not filter.
            filtering: differing(self.filtering, Some(found.filtering.unwrap_or(false))),
            // Nor has it a default VLAN.
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

    /// These settings, limited to those that `mask` has.
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

    /// Takes over the settings that `change` has.
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
    /// It remembers the addresses that it hears.
    pub learning: Option<bool>,
    /// It takes frames only from stations that the forwarding database has on it.
    pub locked: Option<bool>,
    /// It answers for neighbours that the bridge knows, and floods no such questions.
    pub neigh_suppress: Option<bool>,
    /// What a path over it costs, 1 to 65535.
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
            cost: differing(self.cost, found.cost),
            priority: differing(self.priority, found.priority),
        }
    }

    /// These settings, limited to those that `mask` has.
    #[must_use]
    pub fn masked(&self, mask: &Self) -> Self {
        Self {
            isolated: mask.isolated.and(self.isolated),
            learning: mask.learning.and(self.learning),
            locked: mask.locked.and(self.locked),
            neigh_suppress: mask.neigh_suppress.and(self.neigh_suppress),
            cost: mask.cost.and(self.cost),
            priority: mask.priority.and(self.priority),
        }
    }

    /// Takes over the settings that `change` has.
    pub fn update(&mut self, change: &Self) {
        let merged = Self {
            isolated: change.isolated.or(self.isolated),
            learning: change.learning.or(self.learning),
            locked: change.locked.or(self.locked),
            neigh_suppress: change.neigh_suppress.or(self.neigh_suppress),
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
    /// In this VLAN; without one, in all that the port is in.
    pub vid: Option<Vid>,
}

impl FdbEntry {
    /// The entry as `bridge fdb` takes it.
    pub fn words(&self, port: &IfName) -> String {
        let vlan = self.vid.map(|vid| format!(" vlan {vid}")).unwrap_or_default();
        format!("{} dev {port} master static{vlan}", self.mac)
    }
}

/// As the keyword `bridge-fdb` has it.
impl fmt::Display for FdbEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.mac.fmt(f)?;
        self.vid.map_or(Ok(()), |vid| write!(f, " vlan {vid}"))
    }
}

/// Something that VLANs are set on: a port, or the bridge itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VlanDevice {
    /// Its name.
    pub name: IfName,
    /// It is the bridge (`self`).
    pub is_bridge: bool,
}

/// What was found, of bridges and their ports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bridging {
    /// Links that a bridge can take: Ethernet, not loopback, and neither a bridge nor a VRF.
    pub eligible: BTreeSet<IfName>,
    /// The link below each VLAN, MAC-VLAN and such.
    pub lower: BTreeMap<IfName, IfName>,
    /// The ports among the links.
    pub ports: BTreeMap<IfName, PortState>,
    /// VLANs of ports and of bridges.
    pub vlans: BTreeMap<IfName, VlanSet>,
    /// Static entries by port.
    pub fdb: BTreeMap<IfName, BTreeSet<FdbEntry>>,
}

impl Bridging {
    /// Nothing found.
    pub const fn new() -> Self {
        Self {
            eligible: BTreeSet::new(),
            lower: BTreeMap::new(),
            ports: BTreeMap::new(),
            vlans: BTreeMap::new(),
            fdb: BTreeMap::new(),
        }
    }
}

/// What a port is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PortState {
    /// Its settings.
    pub options: PortOptions,
    /// The spanning tree has not yet decided whether it forwards.
    pub undecided: bool,
    /// It has a carrier, and its bridge has not noticed: soon to be undecided, if the bridge is up.
    pub unnoticed: bool,
}

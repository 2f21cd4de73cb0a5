//! Bridges: what is known of them, what a stanza says of them, and how one is brought in line with the other.
//!
//! Here are the parts of a snapshot that bridges add. [`config`] and [`port_config`] read the keywords, [`up`] and [`down`] plan,
//! and the module `model` is the part of [`crate::simulate`] that knows what a bridge does.

mod ask;
pub mod config;
pub mod down;
mod model;
mod port;
pub mod port_config;
pub mod up;
pub mod words;

use crate::{
    op::{BridgeOptions, FdbEntry, LinkKind, PortOptions},
    snapshot::State,
    values::{IfName, VlanSet},
};
use std::collections::{BTreeMap, BTreeSet};

/// What to look at, of bridges and their ports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BridgingWants {
    /// All links that a bridge could take or has taken.
    pub links: bool,
    /// The VLANs of these links, ports or bridges, which are looked at as well.
    pub vlans: BTreeSet<IfName>,
    /// The VLANs of all ports and bridges, and [`Self::links`].
    pub all_vlans: bool,
    /// The static entries in the forwarding databases of these bridges.
    pub fdb: BTreeSet<IfName>,
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

impl State {
    /// Whether a link is on another one, directly or not, as a VLAN on a bridge.
    pub fn is_above(&self, link: &IfName, other: &IfName) -> bool {
        let mut below = self.bridging.lower.get(link);
        // As deep as the kernel lets links be stacked (net/core/dev.c `MAX_NEST_DEV`), in case they change meanwhile.
        for _ in 0..8 {
            match below {
                Some(name) if name == other => return true,
                Some(name) => below = self.bridging.lower.get(name),
                None => return false,
            }
        }
        false
    }

    /// Whether a link is a port of something that is up.
    pub fn master_is_up(&self, port: &IfName) -> bool {
        let master = self.links.get(port).and_then(|link| self.links.get(link.master.as_ref()?));
        master.is_some_and(|master| master.up)
    }

    /// Whether VLANs can be set on a bridge and its ports: a kernel without VLAN filtering shows no default VLAN.
    pub fn keeps_vlans(&self, bridge: &IfName) -> bool {
        let keeps =
            |options: &BridgeOptions| options.filtering == Some(true) || options.default_pvid.is_some();
        self.bridge(bridge).is_some_and(keeps)
    }

    /// The settings of a bridge; `None` if there is no bridge of that name.
    pub fn bridge(&self, name: &IfName) -> Option<&BridgeOptions> {
        match &self.links.get(name)?.kind {
            LinkKind::Bridge(options) => Some(options),
            _ => None,
        }
    }
}

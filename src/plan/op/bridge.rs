//! Changes to bridges, their ports, their VLANs and their forwarding databases.

use crate::state::{BridgeOptions, FdbEntry, PortOptions, Stations, VlanDevice};
use crate::values::{IfName, VlanRange};
use std::collections::BTreeMap;
use std::fmt;

/// A change to a bridge that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BridgeOp {
    /// Changes settings of the bridge.
    Set {
        /// The bridge.
        bridge: IfName,
        /// The settings.
        options: BridgeOptions,
    },
    /// Changes settings of a port.
    PortSet {
        /// The port.
        port: IfName,
        /// The settings.
        options: PortOptions,
    },
    /// Adds a port, or the bridge, to VLANs, or changes its flags in them. One message, which the kernel may apply only
    /// in part.
    VlanAdd {
        /// The port or bridge.
        device: VlanDevice,
        /// The VLANs, at least one.
        vlans: Vec<VlanRange>,
    },
    /// Removes it from VLANs. One message, which the kernel may apply only in part.
    VlanDel {
        /// The port or bridge.
        device: VlanDevice,
        /// The VLANs, at least one.
        vlans: Vec<VlanRange>,
    },
    /// Adds a static entry to the forwarding database.
    FdbAdd {
        /// The port behind which the station is.
        port: IfName,
        /// The station.
        entry: FdbEntry,
    },
    /// Removes a static entry.
    FdbDel {
        /// The port behind which the station was.
        port: IfName,
        /// The station.
        entry: FdbEntry,
    },
    /// Changes what stations a port may have, in the table `bridge-allow` of nf_tables. The table is made if it does
    /// not exist, and is deleted with the last port.
    Allow {
        /// The port. A port without stations is not in the table.
        port: IfName,
        /// Those that it gets.
        add: Stations,
        /// Those that it has no longer.
        del: Stations,
    },
}

impl BridgeOp {
    /// The bridge or port that it changes.
    pub fn link(&self) -> &IfName {
        match self {
            Self::Set { bridge, .. } => bridge,
            Self::PortSet { port, .. }
            | Self::FdbAdd { port, .. }
            | Self::FdbDel { port, .. }
            | Self::Allow { port, .. } => port,
            Self::VlanAdd { device, .. } | Self::VlanDel { device, .. } => &device.name,
        }
    }
}

impl fmt::Display for BridgeOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set { bridge, options } => {
                write!(f, "ip link set {bridge}")?;
                options.address.map_or(Ok(()), |address| write!(f, " address {address}"))?;
                match options.words() {
                    words if words.is_empty() => Ok(()),
                    words => write!(f, " type bridge{words}"),
                }
            }
            Self::PortSet { port, options } => write!(f, "bridge link set dev {port}{}", options.words()),
            Self::VlanAdd { device, vlans } => write_vlans(f, "add", device, vlans.iter().copied()),
            Self::VlanDel { device, vlans } => {
                let bare = |range: &VlanRange| VlanRange { pvid: false, untagged: false, ..*range };
                write_vlans(f, "del", device, vlans.iter().map(bare))
            }
            Self::FdbAdd { port, entry } => write!(f, "bridge fdb replace {}", entry.words(port)),
            Self::FdbDel { port, entry } => write!(f, "bridge fdb del {}", entry.words(port)),
            Self::Allow { port, add, del } => {
                let joint = if add.is_empty() || del.is_empty() { "" } else { "; " };
                let (del, add) = (elements("delete", port, del), elements("add", port, add));
                write!(f, "nft '{del}{joint}{add}'")
            }
        }
    }
}

/// A command of nft(8) for each set.
fn elements(verb: &str, port: &IfName, stations: &Stations) -> String {
    let mut sets: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for station in stations {
        sets.entry(station.set()).or_default().push(station.element(port));
    }
    let command = |(set, elements): (&str, Vec<String>)| {
        format!("{verb} element bridge bridge-allow {set} {{ {} }}", elements.join(", "))
    };
    sets.into_iter().map(command).collect::<Vec<_>>().join("; ")
}

/// One command for each range, since bridge(8) takes no more at once.
fn write_vlans(
    f: &mut fmt::Formatter<'_>,
    verb: &str,
    device: &VlanDevice,
    vlans: impl Iterator<Item = VlanRange>,
) -> fmt::Result {
    let own = if device.is_bridge { " self" } else { "" };
    for (place, range) in vlans.enumerate() {
        let joint = if place == 0 { "" } else { " && " };
        write!(f, "{joint}bridge vlan {verb} dev {} vid {range}{own}", device.name)?;
    }
    Ok(())
}

//! Links (ip-link(8)).

use crate::state::BridgeOptions;
use crate::values::{IfName, Mac, TableId};
use std::fmt;

/// The kind of a link, as far as the executors need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkKind {
    /// A VRF with its table.
    Vrf(TableId),
    /// A bridge with its settings.
    Bridge(BridgeOptions),
    /// Any other virtual kind, by the kernel's word for it (`dummy`, `veth`, …).
    Other(String),
    /// A link without a kind: loopback or hardware.
    Physical,
}

impl LinkKind {
    /// The words that follow a link's name on `ip link`'s command line, with a blank before them.
    pub fn type_words(&self) -> String {
        match self {
            Self::Vrf(table) => format!(" type vrf table {}", table.get()),
            Self::Bridge(options) => format!(" type bridge{}", options.words()),
            Self::Other(kind) => format!(" type {kind}"),
            Self::Physical => String::new(),
        }
    }
}

impl fmt::Display for LinkKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vrf(table) => write!(f, "VRF with table {table}"),
            Self::Bridge(_) => f.write_str("bridge"),
            Self::Other(kind) => f.write_str(kind),
            Self::Physical => f.write_str("physical link"),
        }
    }
}

/// A link that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// What it is.
    pub kind: LinkKind,
    /// The link that it is a port of.
    pub master: Option<IfName>,
    /// Whether it is administratively up.
    pub up: bool,
}

/// More about a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Details {
    /// Its number within its namespace.
    pub index: u32,
    /// Its hardware address, if it is an Ethernet-like link.
    pub mac: Option<Mac>,
    /// Its MTU.
    pub mtu: u32,
    /// The link that it belongs to: the other end of a veth pair, or the lower link of a VLAN.
    pub peer: Option<Peer>,
}

/// A link as an attribute of another link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Its number within its namespace.
    pub index: u32,
    /// The id of its namespace (nsid) in the namespace of the query, if the two namespaces differ.
    pub nsid: Option<i32>,
}

//! Links to be made, and the kinds of links that we tell apart.

use super::BridgeOptions;
use crate::values::{IfName, Mac, Mtu, TableId};
use std::fmt;

/// What a link is, as far as the executors care.
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

/// A link to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLink {
    /// Its name.
    pub name: IfName,
    /// Its kind.
    pub kind: LinkKind,
}

impl fmt::Display for NewLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)?;
        if let LinkKind::Bridge(BridgeOptions { address: Some(address), .. }) = &self.kind {
            write!(f, " address {address}")?;
        }
        f.write_str(&self.kind.type_words())
    }
}

/// One property of a link and its new value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkChange {
    /// Up or down.
    Up(bool),
    /// Its hardware address.
    Mac(Mac),
    /// Its MTU.
    Mtu(Mtu),
    /// Its name.
    Name(IfName),
}

impl fmt::Display for LinkChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up(up) => f.write_str(if *up { "up" } else { "down" }),
            Self::Mac(mac) => write!(f, "address {mac}"),
            Self::Mtu(mtu) => write!(f, "mtu {mtu}"),
            Self::Name(name) => write!(f, "name {name}"),
        }
    }
}

//! Links (ip-link(8)).

use crate::state::BridgeOptions;
use crate::values::{IfName, Mac, TableId, VlanId, VlanProtocol};
use std::fmt;

/// The kind of a link, as far as the executors need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkKind {
    /// A VRF with its table.
    Vrf(TableId),
    /// A bridge with its settings.
    Bridge(BridgeOptions),
    /// A VLAN link.
    Vlan(VlanLink),
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
            Self::Vlan(vlan) => format!(" type vlan{}", vlan.words()),
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
            Self::Vlan(_) => f.write_str("vlan"),
            Self::Other(kind) => f.write_str(kind),
            Self::Physical => f.write_str("physical link"),
        }
    }
}

/// A VLAN link: what it sends leaves the lower link with a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VlanLink {
    /// The lower link; `None` if it is in another namespace.
    pub lower: Option<IfName>,
    /// The number in the tag.
    pub id: VlanId,
    /// The protocol of the tag.
    pub protocol: VlanProtocol,
    /// Its flags.
    pub flags: VlanFlags,
}

impl VlanLink {
    /// The words for `ip link add … type vlan`, each with a blank before it.
    fn words(&self) -> String {
        format!(" id {} protocol {}{}", self.id, self.protocol, self.flags.words())
    }
}

/// The flags of a VLAN link. One that is `None` is left to the kernel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VlanFlags {
    /// The tag is taken out of received frames before programs see them; on by default.
    pub reorder_hdr: Option<bool>,
    /// The VLAN is registered by GVRP.
    pub gvrp: Option<bool>,
    /// The VLAN is registered by MVRP.
    pub mvrp: Option<bool>,
    /// The state of the link does not follow that of the lower link.
    pub loose_binding: Option<bool>,
    /// The state of the link follows the ports of a bridge that are in the VLAN.
    pub bridge_binding: Option<bool>,
}

impl VlanFlags {
    /// Those of a new VLAN link.
    pub const NEW: Self = Self {
        reorder_hdr: Some(true),
        gvrp: Some(false),
        mvrp: Some(false),
        loose_binding: Some(false),
        bridge_binding: Some(false),
    };

    /// The flags by the names that `ip` gives them.
    pub fn named(self) -> [(&'static str, Option<bool>); 5] {
        [
            ("reorder_hdr", self.reorder_hdr),
            ("gvrp", self.gvrp),
            ("mvrp", self.mvrp),
            ("loose_binding", self.loose_binding),
            ("bridge_binding", self.bridge_binding),
        ]
    }

    /// Whether these are the flags that `wanted` names.
    pub fn have(self, wanted: Self) -> bool {
        let pairs = self.named().into_iter().zip(wanted.named());
        pairs.into_iter().all(|((_, is), (_, wanted))| wanted.is_none() || is == wanted)
    }

    /// These flags, and where they name none, those of `base`.
    #[must_use]
    pub fn over(self, base: Self) -> Self {
        Self {
            reorder_hdr: self.reorder_hdr.or(base.reorder_hdr),
            gvrp: self.gvrp.or(base.gvrp),
            mvrp: self.mvrp.or(base.mvrp),
            loose_binding: self.loose_binding.or(base.loose_binding),
            bridge_binding: self.bridge_binding.or(base.bridge_binding),
        }
    }

    fn words(self) -> String {
        let word = |(name, is): (&str, Option<bool>)| {
            is.map(|on| format!(" {name} {}", if on { "on" } else { "off" }))
        };
        self.named().into_iter().filter_map(word).collect()
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
    /// Its alias, a text for people.
    pub alias: Option<String>,
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

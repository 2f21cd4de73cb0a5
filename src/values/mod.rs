//! The values that a user may write, as types that can hold only valid values.
//!
//! Each type parses from the text of a stanza with [`std::str::FromStr`]; its error says what is valid. The types do
//! not know the keyword of a value (see [`crate::stanza`]), and do not ask the kernel.

mod address;
pub mod bridge;
mod family;
mod ifname;
mod list;
mod mac;
mod netns;
mod number;
pub mod regex;
mod route;
mod seconds;
mod switch;
mod table;
mod vlan;

pub use address::{Address, AddressOrNone, FarEnd};
pub use family::{Families, Family};
pub use ifname::IfName;
pub use list::{List, Words, words};
pub use mac::Mac;
pub use netns::{NAMED, NetnsRef};
pub use number::{LinkMtu, Mtu, Queues, RulePriority};
pub use route::{Gateway, Metric, RouteKind, RouteSpec, RouteTable, unspecified};
pub use seconds::Centiseconds;
pub use switch::{OrNo, Switch};
pub use table::{TableId, TableRange, TableSpec};
pub use vlan::{DefaultPvid, Vid, Vids, VlanId, VlanProtocol, VlanRange, VlanSet};

use std::fmt;

/// Why a text is not a valid value of a type: the second half of `vrf-table 0: …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid(pub String);

impl Invalid {
    /// An error with this text.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Invalid {}

//! Routing rules (ip-rule(8), net/core/fib_rules.c).

use crate::state::KERNEL_PROTOCOL;
use crate::values::{Family, TableId};
use std::fmt;

/// What a rule does with a packet that it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Looks the packet up in this table, and goes on to the next rule if the table has no route.
    Lookup(TableId),
    /// Looks the packet up in the table of its VRF; matches no packet outside a VRF.
    LookupL3mdev,
    /// Refuses the packet, if it belongs to a VRF.
    UnreachableL3mdev,
    /// Goes on at the first rule with this priority, if the packet belongs to a VRF.
    GotoL3mdev(u32),
    /// Any other action. Such rules belong to other programs and are only read.
    Other,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lookup(table) => write!(f, "table {table}"),
            Self::LookupL3mdev => f.write_str("l3mdev"),
            Self::UnreachableL3mdev => f.write_str("l3mdev unreachable"),
            Self::GotoL3mdev(target) => write!(f, "l3mdev goto {target}"),
            Self::Other => f.write_str("…"),
        }
    }
}

/// A rule. The rules that we add match every packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// IPv4 or IPv6: each family has its own rules.
    pub family: Family,
    /// Its priority: lower comes first; rules with the same priority are in the order in which they were added.
    pub priority: u32,
    /// What it does.
    pub action: Action,
    /// The program that added it.
    pub protocol: u8,
    /// It matches only some packets (by address, mark, interface, …). Never true for our rules.
    pub selective: bool,
}

impl Rule {
    /// A rule for every packet.
    pub fn new(family: Family, priority: u32, action: Action, protocol: u8) -> Self {
        Self { family, priority, action, protocol, selective: false }
    }

    /// Whether both do the same to the same packets at the same priority, whichever program added them.
    pub fn same(&self, other: &Self) -> bool {
        Self { protocol: other.protocol, ..self.clone() } == *other
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pref {} {}", self.priority, self.action)?;
        match self.protocol {
            KERNEL_PROTOCOL => write!(f, " protocol kernel"),
            0 => Ok(()),
            protocol => write!(f, " protocol {protocol}"),
        }
    }
}

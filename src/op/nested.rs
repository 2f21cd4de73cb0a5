//! Whole sets of interfaces inside a namespace.

use super::NetnsId;
use crate::values::{IfName, NetnsRef};
use std::{fmt, path::PathBuf};

/// `ifup -a` or `ifdown -a` inside a namespace, with an interfaces file and a state file of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nested {
    /// The interface of the stanza that has it done.
    pub iface: IfName,
    /// The namespace.
    pub netns: NetnsRef,
    /// The interfaces file.
    pub file: PathBuf,
    /// Up or down.
    pub up: bool,
}

impl fmt::Display for Nested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let program = if self.up { "ifup" } else { "ifdown" };
        write!(f, "ip netns exec {} {program} -a -i {}", self.netns, self.file.display())
    }
}

/// What is up inside a namespace, as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NestedRecord {
    /// Which namespace.
    pub id: NetnsId,
    /// The interfaces file.
    pub file: PathBuf,
}

impl NestedRecord {
    /// What a record tells of: the text that `Display` makes.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.splitn(5, ' ');
        let id = NetnsId::take(&mut words)?;
        Some(Self { id, file: PathBuf::from(words.next()?) })
    }
}

impl fmt::Display for NestedRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.id, self.file.display())
    }
}

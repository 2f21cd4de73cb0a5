//! Interfaces files that are brought up inside a namespace.

use crate::values::{IfName, NetnsRef};
use std::fmt;
use std::path::PathBuf;

/// `ifup -a` or `ifdown -a` inside a namespace, with an interfaces file and a state file of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nested {
    /// The interface of the stanza with `netns-interfaces`.
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

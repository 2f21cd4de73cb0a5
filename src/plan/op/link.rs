//! Links to be made, and the kinds of links that we tell apart.

use crate::{
    state::{BridgeOptions, LinkKind, Place},
    values::{IfName, Mac, Mtu},
};
use std::fmt;

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

/// A link on its way from one namespace to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// The link.
    pub name: IfName,
    /// Where it goes.
    pub to: Place,
    /// Its name there.
    pub new_name: IfName,
}

impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A shell's own process id stands for the namespace that the command is typed in.
        match &self.to {
            Place::Here => write!(f, "{} netns $$", self.name)?,
            Place::In(netns) => write!(f, "{} netns {netns}", self.name)?,
        }
        if self.new_name == self.name { Ok(()) } else { write!(f, " name {}", self.new_name) }
    }
}

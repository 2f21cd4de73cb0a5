//! New links, changes of links, and moves of links.

use crate::state::{BridgeOptions, LinkKind, Place, VlanLink};
use crate::values::{IfName, Mac, Mtu};
use std::fmt;

/// A new link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLink {
    /// Its name.
    pub name: IfName,
    /// Its kind.
    pub kind: LinkKind,
}

impl fmt::Display for NewLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let LinkKind::Vlan(VlanLink { lower: Some(lower), .. }) = &self.kind {
            write!(f, "link {lower} name ")?;
        }
        self.name.fmt(f)?;
        if let LinkKind::Bridge(BridgeOptions { address: Some(address), .. }) = &self.kind {
            write!(f, " address {address}")?;
        }
        f.write_str(&self.kind.type_words())
    }
}

/// Changes of a link, in one message; a field that is `None` is not changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkChange {
    /// Its master, or none.
    pub master: Option<Option<IfName>>,
    /// Its hardware address.
    pub mac: Option<Mac>,
    /// Its MTU.
    pub mtu: Option<Mtu>,
    /// Its alias; an empty one removes it.
    pub alias: Option<String>,
    /// Its name.
    pub name: Option<IfName>,
    /// Up or down.
    pub up: Option<bool>,
}

impl LinkChange {
    /// Whether the link loses what was set up on it: it goes down, or gets another master or none.
    pub fn interrupts(&self) -> bool {
        self.up == Some(false) || self.master.is_some()
    }
}

impl fmt::Display for LinkChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let master = self.master.as_ref().map(|master| match master {
            Some(master) => format!(" master {master}"),
            None => " nomaster".to_owned(),
        });
        let words = [
            master,
            self.mac.map(|mac| format!(" address {mac}")),
            self.mtu.map(|mtu| format!(" mtu {mtu}")),
            self.alias.as_ref().map(|alias| format!(" alias '{alias}'")),
            self.name.as_ref().map(|name| format!(" name {name}")),
            self.up.map(|up| if up { " up" } else { " down" }.to_owned()),
        ];
        words.iter().flatten().try_for_each(|word| f.write_str(word))
    }
}

/// The move of a link from one namespace to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// The link.
    pub name: IfName,
    /// The target namespace.
    pub to: Place,
    /// Its name there.
    pub new_name: IfName,
}

impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `$$` is the process id of the shell: it stands for the namespace in which the command is typed.
        match &self.to {
            Place::Here => write!(f, "{} netns $$", self.name)?,
            Place::In(netns) => write!(f, "{} netns {netns}", self.name)?,
        }
        if self.new_name == self.name { Ok(()) } else { write!(f, " name {}", self.new_name) }
    }
}

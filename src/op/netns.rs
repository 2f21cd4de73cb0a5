//! Namespaces, and what of ours is in them.

use super::Place;
use crate::values::{IfName, Mac, NetnsRef};
use std::{fmt, str::FromStr};

/// Which namespace it is, whatever it is called: the number that `ls -i` shows for its file, and when that
/// file came to be, since the kernel gives a number to another namespace once it is free (fs/nsfs.c).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct NetnsId {
    /// The inode.
    pub inode: u64,
    /// Its modification time in nanoseconds. It stays only as long as something holds the inode, as the
    /// mount of a named namespace does; for others it says nothing.
    pub born: i128,
}

impl NetnsId {
    /// Whether both mean one namespace, which goes by this reference.
    pub fn same(self, other: Self, reference: &NetnsRef) -> bool {
        self.inode == other.inode && (!matches!(reference, NetnsRef::Name(_)) || self.born == other.born)
    }
}

impl fmt::Display for NetnsId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.inode, self.born)
    }
}

/// What a stanza put into a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Its interface.
    Moved,
    /// The peer of its interface.
    Peer,
}

impl Role {
    /// The word for it in the names of records.
    pub fn word(self) -> &'static str {
        match self {
            Self::Moved => "moved",
            Self::Peer => "peer",
        }
    }
}

/// A link of ours in a namespace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Resident {
    /// The interface of the stanza that put it there.
    pub iface: IfName,
    /// What it is to that stanza.
    pub role: Role,
    /// The namespace as the stanza called it.
    pub netns: NetnsRef,
    /// The link's name in there.
    pub name: IfName,
}

/// A [`Resident`] as it was recorded when it moved in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Residence {
    /// Who and where.
    pub resident: Resident,
    /// Which namespace that was.
    pub id: NetnsId,
    /// Its hardware address, by which it is known again when the namespace is gone.
    pub mac: Option<Mac>,
}

impl Residence {
    /// The residence that a record tells of: the text that `Display` makes.
    pub fn parse(iface: IfName, role: Role, text: &str) -> Option<Self> {
        fn next<T: FromStr>(word: Option<&str>) -> Option<T> {
            word?.parse().ok()
        }
        let mut words = text.trim_end().splitn(5, ' ');
        let id = NetnsId { inode: next(words.next())?, born: next(words.next())? };
        let name = next(words.next())?;
        let mac = words.next().and_then(|word| word.parse().ok());
        let netns = next(words.next())?;
        Some(Self { resident: Resident { iface, role, netns, name }, id, mac })
    }
}

impl fmt::Display for Residence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.id, self.resident.name)?;
        match self.mac {
            Some(mac) => write!(f, "{mac}")?,
            None => f.write_str("-")?,
        }
        write!(f, " {}", self.resident.netns)
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

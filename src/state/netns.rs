//! Namespaces, and what of ours is in them.

use crate::{
    state::LinkKind,
    values::{IfName, Mac, NetnsRef},
};
use std::{fmt, str::FromStr};

/// The identity of a namespace, whatever its name. The inode alone is none: the kernel gives the number to another
/// namespace once it is free (fs/nsfs.c).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct NetnsId {
    /// The boot id of the kernel. In some containers `/run` survives a reboot.
    pub boot: u128,
    /// The inode: the number that `ls -iL` shows for the file of the namespace.
    pub inode: u64,
    /// The kernel's own number of the namespace (`SO_NETNS_COOKIE`), which is never used again; since Linux 5.14.
    pub cookie: Option<u64>,
    /// For older kernels: the start time of the process, for a namespace given by a process; else the modification time
    /// of the file, which stays the same as long as the file is mounted.
    pub born: i128,
}

impl NetnsId {
    /// Whether both are certainly one namespace.
    pub fn same(self, other: Self) -> bool {
        let told_apart = match (self.cookie, other.cookie) {
            (Some(one), Some(another)) => one == another,
            _ => self.born == other.born,
        };
        told_apart && (self.boot, self.inode) == (other.boot, other.inode)
    }

    /// Whether the two cannot be told apart: an older kernel, and the namespace was found by another reference.
    pub fn may_be(self, other: Self) -> bool {
        let unknown = self.cookie.is_none() || other.cookie.is_none();
        unknown && (self.boot, self.inode) == (other.boot, other.inode)
    }

    /// Takes the words that `Display` prints.
    pub(super) fn take<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<Self> {
        let inode = words.next()?.parse().ok()?;
        let cookie = match words.next()? {
            "-" => None,
            number => Some(number.parse().ok()?),
        };
        let born = words.next()?.parse().ok()?;
        let boot = u128::from_str_radix(words.next()?, 16).ok()?;
        Some(Self { boot, inode, cookie, born })
    }
}

impl fmt::Display for NetnsId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.inode)?;
        match self.cookie {
            Some(cookie) => write!(f, "{cookie}")?,
            None => f.write_str("-")?,
        }
        write!(f, " {} {:x}", self.born, self.boot)
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
pub struct NetnsLink {
    /// The interface of the stanza that put it there.
    pub iface: IfName,
    /// What it is to that stanza.
    pub role: Role,
    /// The namespace as the stanza called it.
    pub netns: NetnsRef,
    /// The link's name in there.
    pub name: IfName,
}

/// A [`NetnsLink`] as it was recorded when it moved in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetnsLinkRecord {
    /// Who and where.
    pub link: NetnsLink,
    /// Which namespace that was.
    pub id: NetnsId,
    /// Its hardware address, by which it is known again when the namespace is gone.
    pub mac: Option<Mac>,
    /// The index of the link: of a moved one in there, of a peer's own end here. `None` if we were stopped before we
    /// could write it.
    pub index: Option<u32>,
}

impl NetnsLinkRecord {
    /// Reads the text that `Display` makes.
    pub fn parse(iface: IfName, role: Role, text: &str) -> Option<Self> {
        fn next<T: FromStr>(word: Option<&str>) -> Option<T> {
            word?.parse().ok()
        }
        let mut words = text.trim_end().splitn(8, ' ');
        let id = NetnsId::take(&mut words)?;
        let name = next(words.next())?;
        let (mac, index) = (next(words.next()), next(words.next()));
        let netns = next(words.next())?;
        Some(Self { link: NetnsLink { iface, role, netns, name }, id, mac, index })
    }
}

impl fmt::Display for NetnsLinkRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.id, self.link.name)?;
        match self.mac {
            Some(mac) => write!(f, "{mac}")?,
            None => f.write_str("-")?,
        }
        match self.index {
            Some(index) => write!(f, " {index}")?,
            None => f.write_str(" -")?,
        }
        write!(f, " {}", self.link.netns)
    }
}

/// A reference to a network namespace, as it turned out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Netns {
    /// There is nothing of that name, no such process, no such file.
    Absent,
    /// A file that is no network namespace; `ours` if we were stopped before we made it one.
    Broken {
        /// Whether it is what we left.
        ours: bool,
    },
    /// A namespace.
    Is(Existing),
}

/// A namespace that exists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Existing {
    /// Which one.
    pub id: NetnsId,
    /// It is the one that the executor was started in.
    pub own: bool,
    /// We made it.
    pub ours: bool,
    /// Its number as the executor's own namespace knows it, if it has one.
    pub nsid: Option<i32>,
    /// The processes in it, if they were asked for.
    pub processes: Vec<u32>,
}

/// Where an interface of ours is that was moved to another namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The namespace, by a reference that leads there now; [`Place::Here`] if the kernel brought it back
    /// under another name.
    pub place: Place,
    /// Its name there.
    pub name: IfName,
    /// What it is.
    pub kind: LinkKind,
}

/// The namespace in which something is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// The one that the executor was started in.
    Here,
    /// Another one.
    In(NetnsRef),
}

//! Namespaces, and our links in them.

use crate::state::LinkKind;
use crate::values::{IfName, Mac, NetnsRef};
use std::fmt;
use std::str::FromStr;

/// The identity of a namespace, independent of its name. The inode alone is not enough: once the number is free, the
/// kernel gives it to another namespace (fs/nsfs.c).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct NetnsId {
    /// The boot id of the kernel. In some containers `/run` survives a reboot.
    pub boot: u128,
    /// The inode: the number that `ls -iL` shows for the file of the namespace.
    pub inode: u64,
    /// The kernel's own number of the namespace (`SO_NETNS_COOKIE`), which is never reused; since Linux 5.14.
    pub cookie: Option<u64>,
    /// For older kernels: the start time of the process, for a namespace given by a process; else the modification time
    /// of the file, which stays the same as long as the file is mounted.
    pub born: i128,
}

/// `boot` in a record of version 0.1, which did not have it.
const UNKNOWN_BOOT: u128 = u128::MAX;
/// `born` in a record of version 0.1 about the namespace of a process: that version did not compare it.
const UNKNOWN_BIRTH: i128 = i128::MIN;

impl NetnsId {
    /// Whether both are certainly the same namespace. A record of version 0.1 is believed as that version did.
    pub fn same(self, other: Self) -> bool {
        let told_apart = match (self.cookie, other.cookie) {
            (Some(one), Some(another)) => one == another,
            _ => self.born == other.born || [self.born, other.born].contains(&UNKNOWN_BIRTH),
        };
        told_apart && self.has_inode_of(other)
    }

    /// Whether both have the same inode, in the same boot.
    fn has_inode_of(self, other: Self) -> bool {
        let is_unknown = [self.boot, other.boot].contains(&UNKNOWN_BOOT);
        self.inode == other.inode && (is_unknown || self.boot == other.boot)
    }

    /// Whether the two may be the same namespace: on an older kernel, if the namespace was found by another reference.
    pub fn may_be(self, other: Self) -> bool {
        let unknown = self.cookie.is_none() || other.cookie.is_none();
        unknown && self.has_inode_of(other)
    }

    /// Parses the words that `Display` prints.
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

    /// Parses the two words of a record of version 0.1.
    pub(super) fn take_former<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<Self> {
        let (inode, born) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some(Self { boot: UNKNOWN_BOOT, inode, cookie: None, born })
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

/// The role of a link that a stanza put into a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The interface of the stanza.
    Moved,
    /// The peer of the interface of the stanza.
    Peer,
}

impl Role {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Moved, Self::Peer];

    /// The word of the role in the names of records.
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
    /// Its role in that stanza.
    pub role: Role,
    /// The namespace as the stanza names it.
    pub netns: NetnsRef,
    /// The link's name in that namespace.
    pub name: IfName,
}

/// A [`NetnsLink`] as it was recorded before it was moved or created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetnsLinkRecord {
    /// The link, and its namespace.
    pub link: NetnsLink,
    /// The identity of that namespace.
    pub id: NetnsId,
    /// Its hardware address, by which it is recognized after the namespace is gone.
    pub mac: Option<Mac>,
    /// The index: of a moved link, its index in that namespace; of a peer, the index of the other end in the executor's
    /// own namespace. `None` if the run was stopped before it could write the index.
    pub index: Option<u32>,
}

impl NetnsLinkRecord {
    /// Parses the text that `Display` prints.
    pub fn parse(iface: IfName, role: Role, text: &str) -> Option<Self> {
        let mut words = text.trim_end().splitn(8, ' ');
        let Some(id) = NetnsId::take(&mut words) else { return Self::parse_former(iface, role, text) };
        let name = next(words.next())?;
        let (mac, index) = (next(words.next()), next(words.next()));
        let netns = next(words.next())?;
        Some(Self { link: NetnsLink { iface, role, netns, name }, id, mac, index })
    }

    /// Parses a record of version 0.1, which has no index. Its third word is a name, and no time.
    fn parse_former(iface: IfName, role: Role, text: &str) -> Option<Self> {
        let mut words = text.trim_end().splitn(5, ' ');
        let mut id = NetnsId::take_former(&mut words)?;
        let name = next(words.next())?;
        let mac = next(words.next());
        let netns = next(words.next())?;
        if !matches!(netns, NetnsRef::Name(_)) {
            id.born = UNKNOWN_BIRTH;
        }
        Some(Self { link: NetnsLink { iface, role, netns, name }, id, mac, index: None })
    }
}

fn next<T: FromStr>(word: Option<&str>) -> Option<T> {
    word?.parse().ok()
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

/// What a reference to a network namespace leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Netns {
    /// Nothing: no namespace of that name, no such process, no such file.
    Absent,
    /// A file that is not a network namespace; `ours` if one of our runs was stopped while it made the namespace.
    Broken {
        /// Whether the file is ours.
        ours: bool,
    },
    /// A namespace.
    Is(Existing),
}

/// A namespace that exists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Existing {
    /// Its identity.
    pub id: NetnsId,
    /// It is the executor's own namespace.
    pub own: bool,
    /// We made it.
    pub ours: bool,
    /// Its id (nsid) in the executor's own namespace, if it has one.
    pub nsid: Option<i32>,
    /// The processes in it, if they were asked for.
    pub processes: Vec<u32>,
}

/// Where one of our interfaces is that was moved to another namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The namespace, by a reference that leads there now; [`Place::Here`] if the kernel moved the interface back under
    /// another name.
    pub place: Place,
    /// Its name there.
    pub name: IfName,
    /// Its kind.
    pub kind: LinkKind,
}

/// A namespace, seen from the executor.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// The namespace that the executor was started in.
    Here,
    /// Another namespace.
    In(NetnsRef),
}

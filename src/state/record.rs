//! Records: data that must survive from one invocation to the next, because the kernel does not show it.

use crate::state::{NetnsId, NetnsLink, Role, Sysctl};
use crate::values::{IfName, Mac, Mtu};
use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

/// The directory of the records. They are gone after a reboot, like the objects that they describe.
pub const DIRECTORY: &str = "/run/ifupdown-ng-netlink";

/// How the names of the records of applied stanzas begin. The name of the interface follows.
pub const APPLIED: &str = "applied:";

/// How the names of the files begin that a change has which waits for its confirmation. They describe no object.
pub const PENDING: &str = "pending.";

/// The key of a record, unique within a network namespace: a file name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Record(String);

/// The prefix of the keys of [`Record::original`].
pub const ORIGINAL: &str = "sysctl:";

impl Record {
    /// The value that a sysctl had before we first set it, and the interfaces that want it changed: [`Original`].
    pub fn original(key: &Sysctl) -> Self {
        Self(format!("{ORIGINAL}{}", key.to_string().replace('/', "%")))
    }

    /// The record with the file name that consists of these parts.
    pub fn of(prefix: &str, rest: &str) -> Self {
        Self(format!("{prefix}{rest}"))
    }

    /// The sysctl whose former value it records.
    pub fn sysctl(&self) -> Option<Sysctl> {
        self.0.strip_prefix(ORIGINAL)?.replace('%', "/").parse().ok()
    }

    /// The namespace and the name of a link that we moved or created there.
    pub fn netns_link(link: &NetnsLink) -> Self {
        Self::link_elsewhere(link.role, &link.iface)
    }

    /// The same, by the interface of the stanza.
    pub fn link_elsewhere(role: Role, iface: &IfName) -> Self {
        Self(format!("{}:{iface}", role.word()))
    }

    /// That we made the namespace with this inode.
    pub fn made(inode: u64) -> Self {
        Self(format!("netns:{inode}"))
    }

    /// The interfaces file that was brought up inside the namespace of this interface's stanza.
    pub fn nested(iface: &IfName) -> Self {
        Self(format!("interfaces:{iface}"))
    }

    /// In a namespace that we made: the interfaces whose stanzas want it kept, separated by blanks.
    pub fn keep() -> Self {
        Self("keep".to_owned())
    }

    /// That we made the directory of the named namespaces, or the mount that it is.
    pub fn directory() -> Self {
        Self("run-netns".to_owned())
    }

    /// That `ifdown` left this VRF, because it had members: its index, and its table.
    pub fn left(vrf: &IfName) -> Self {
        Self(format!("left:{vrf}"))
    }

    /// The settings of a link before we first changed them: [`LinkOriginal`].
    pub fn link(iface: &IfName) -> Self {
        Self(format!("link:{iface}"))
    }

    /// Whether it records that `ifdown` left a VRF.
    pub fn is_of_left_vrf(&self) -> bool {
        self.0.starts_with("left:")
    }

    /// That an interface was not up when an executor began to isolate it, and is not isolated yet.
    pub fn raised(program: &str, iface: &IfName) -> Self {
        Self(format!("raised:{program}:{iface}"))
    }

    /// The stanza of an interface as it was applied ([`crate::state::Applied`]).
    pub fn applied(iface: &IfName) -> Self {
        Self(format!("{APPLIED}{iface}"))
    }

    /// A file of a change that waits for its confirmation.
    pub fn pending(name: &str) -> Self {
        Self(format!("{PENDING}{name}"))
    }

    /// The file name.
    pub fn file_name(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{DIRECTORY}/{}", self.0)
    }
}

/// The former value of a sysctl, as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Original {
    /// The value before our first change.
    pub value: String,
    /// The interfaces whose stanzas want the sysctl changed: it is restored when the last one goes down. `None` in a
    /// record of version 0.1, which has the value only.
    pub owners: Option<BTreeSet<IfName>>,
}

impl Original {
    /// The record of a first change.
    pub fn new(value: &str, owner: &IfName) -> Self {
        Self { value: value.to_owned(), owners: Some(BTreeSet::from([owner.clone()])) }
    }

    /// Parses the text that `Display` prints: the value, then each owner with `@`. No sysctl below `net.` has a value
    /// that ends with such a word.
    pub fn parse(text: &str) -> Self {
        let (mut value, mut owners) = (text, BTreeSet::new());
        while let Some((rest, owner)) = value.rsplit_once(' ') {
            let Some(Ok(owner)) = owner.strip_prefix('@').map(str::parse) else { break };
            owners.insert(owner);
            value = rest;
        }
        Self { value: value.to_owned(), owners: Some(owners).filter(|owners| !owners.is_empty()) }
    }

    /// The same with another owner. `None` if it is one already, or if the record has no owners.
    pub fn with(mut self, owner: &IfName) -> Option<Self> {
        self.owners.as_mut()?.insert(owner.clone()).then_some(self)
    }
}

impl fmt::Display for Original {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.value)?;
        self.owners.iter().flatten().try_for_each(|owner| write!(f, " @{owner}"))
    }
}

/// The settings of a link before we first changed them, as they were recorded. A setting that was not changed is
/// `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkOriginal {
    /// The index of the link: another link may have the name by now.
    pub index: u32,
    /// Its hardware address.
    pub mac: Option<Mac>,
    /// Its MTU.
    pub mtu: Option<Mtu>,
    /// Its alias; empty if it had none.
    pub alias: Option<String>,
}

impl LinkOriginal {
    /// Whether no setting is recorded.
    pub fn is_empty(&self) -> bool {
        *self == Self { index: self.index, ..Self::default() }
    }

    /// Parses the text that `Display` prints.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.splitn(4, ' ');
        let index = words.next()?.parse().ok()?;
        let (mac, mtu) = (words.next()?.parse().ok(), words.next()?.parse().ok().map(Mtu));
        let alias = words.next()?.strip_prefix('=').map(str::to_owned);
        Some(Self { index, mac, mtu, alias })
    }
}

/// The index, the address, the MTU, and `=` with the alias. `-` stands for a setting that was not changed.
impl fmt::Display for LinkOriginal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_none = |word: Option<String>| word.unwrap_or_else(|| "-".to_owned());
        let (mac, mtu) = (self.mac.map(|mac| mac.to_string()), self.mtu.map(|mtu| mtu.to_string()));
        let alias = self.alias.as_ref().map(|alias| format!("={alias}"));
        write!(f, "{} {} {} {}", self.index, or_none(mac), or_none(mtu), or_none(alias))
    }
}

/// The interfaces file that is up inside a namespace, as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NestedRecord {
    /// The identity of the namespace.
    pub id: NetnsId,
    /// The interfaces file.
    pub file: PathBuf,
}

impl NestedRecord {
    /// Parses the text that `Display` prints.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.splitn(5, ' ');
        if let Some(id) = NetnsId::take(&mut words) {
            return Some(Self { id, file: PathBuf::from(words.next()?) });
        }
        // Of version 0.1. Its third word is a path, and no time.
        let mut words = text.splitn(3, ' ');
        let id = NetnsId::take_former(&mut words)?;
        Some(Self { id, file: PathBuf::from(words.next()?) })
    }
}

impl fmt::Display for NestedRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.id, self.file.display())
    }
}

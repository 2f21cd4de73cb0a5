//! Records: data that must survive from one invocation to the next, because the kernel does not show it.

use crate::state::{NetnsId, NetnsLink, Sysctl};
use crate::values::IfName;
use std::fmt;
use std::path::PathBuf;

/// The directory of the records. They are gone after a reboot, like the objects that they describe.
pub const DIRECTORY: &str = "/run/ifupdown-ng-netlink";

/// How the names of the records of applied stanzas begin. The name of the interface follows.
pub const APPLIED: &str = "applied:";

/// The key of a record, unique within a network namespace: a file name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Record(String);

impl Record {
    /// The value that a sysctl had before we first set it.
    pub fn original(key: &Sysctl) -> Self {
        Self(format!("sysctl:{}", key.to_string().replace('/', "%")))
    }

    /// The namespace and the name of a link that we moved or created there.
    pub fn netns_link(link: &NetnsLink) -> Self {
        Self(format!("{}:{}", link.role.word(), link.iface))
    }

    /// That we made the namespace with this inode.
    pub fn made(inode: u64) -> Self {
        Self(format!("netns:{inode}"))
    }

    /// The interfaces file that was brought up inside the namespace of this interface's stanza.
    pub fn nested(iface: &IfName) -> Self {
        Self(format!("interfaces:{iface}"))
    }

    /// That we made the directory of the named namespaces, or the mount that it is.
    pub fn directory() -> Self {
        Self("run-netns".to_owned())
    }

    /// That `ifdown` left this VRF, because it had members: its index, and its table.
    pub fn left(vrf: &IfName) -> Self {
        Self(format!("left:{vrf}"))
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
        let id = NetnsId::take(&mut words)?;
        Some(Self { id, file: PathBuf::from(words.next()?) })
    }
}

impl fmt::Display for NestedRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.id, self.file.display())
    }
}

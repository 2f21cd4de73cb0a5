//! References to network namespaces.

use crate::values::Invalid;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The directory of iproute2's named namespaces (ip-netns(8)).
pub const NAMED: &str = "/run/netns";

/// A network namespace: a name under `/run/netns`, the process id of one of its members, or a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NetnsRef {
    /// A name that `ip netns` lists.
    Name(String),
    /// The namespace of a process, as a container runtime reports it.
    Pid(u32),
    /// A file of the namespace file system, absolute.
    Path(PathBuf),
}

impl NetnsRef {
    /// The file of the namespace.
    pub fn path(&self) -> PathBuf {
        match self {
            Self::Name(name) => PathBuf::from(NAMED).join(name),
            Self::Pid(pid) => PathBuf::from(format!("/proc/{pid}/ns/net")),
            Self::Path(path) => path.clone(),
        }
    }
}

impl FromStr for NetnsRef {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.contains(char::REPLACEMENT_CHARACTER) {
            return Err(Invalid::new("not UTF-8"));
        }
        if text.starts_with('/') {
            return Ok(Self::Path(PathBuf::from(text)));
        }
        if text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty() {
            return match text.parse() {
                Ok(pid) if pid > 0 => Ok(Self::Pid(pid)),
                _ => Err(Invalid::new("not a process id")),
            };
        }
        let wrong = |reason: &str| Err(Invalid::new(format!("not a name of a network namespace: {reason}")));
        match text {
            "" => wrong("empty"),
            "." | ".." => wrong("a reserved word"),
            _ if text.len() > 255 => wrong("longer than 255 bytes"),
            _ if text.starts_with('-') => wrong("begins with '-'"),
            _ => match text.chars().find(|c| *c == '/' || c.is_whitespace() || c.is_control()) {
                Some(bad) => wrong(&format!("contains {bad:?}")),
                None => Ok(Self::Name(text.to_owned())),
            },
        }
    }
}

impl fmt::Display for NetnsRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Pid(pid) => write!(f, "{pid}"),
            Self::Path(path) => path.display().fmt(f),
        }
    }
}

//! What has to be remembered from one invocation to the next, because the kernel does not show it.

use std::fmt;

/// Where records are kept; gone after a reboot, like what they are about.
pub const DIRECTORY: &str = "/run/ifupdown-ng-netlink";

/// The subject of a record, unique within a network namespace: a file name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Record(String);

impl Record {
    /// The value that a sysctl had before we first set it.
    pub fn original(key: &super::Sysctl) -> Self {
        Self(format!("sysctl:{}", key.to_string().replace('/', "%")))
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

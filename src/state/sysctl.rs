//! Kernel parameters under `/proc/sys/net`, which belong to a network namespace.

use crate::values::Invalid;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// A sysctl below `net.`, as sysctl(8) spells it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sysctl(String);

impl Sysctl {
    /// The sysctl of one interface: `net.FAMILY.conf.IFACE.KEY`.
    pub fn of_link(family: &str, link: &crate::values::IfName, key: &str) -> Self {
        Self(format!("net.{family}.conf.{}.{key}", link.as_str().replace('.', "/")))
    }

    /// The same of the links that will be created.
    pub fn of_new_links(family: &str, key: &str) -> Self {
        Self(format!("net.{family}.conf.default.{key}"))
    }

    /// Its file. A `/` in the key stands for a `.` in a name (`net.ipv4.conf.eth0/1.forwarding`), as in sysctl(8).
    pub fn path(&self) -> PathBuf {
        let swapped = self.0.chars().map(|c| match c {
            '.' => '/',
            '/' => '.',
            other => other,
        });
        PathBuf::from("/proc/sys").join(swapped.collect::<String>())
    }
}

impl FromStr for Sysctl {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let parts = || text.split('.');
        if parts().next() != Some("net") || parts().count() < 2 {
            return Err(Invalid::new("not a sysctl below net."));
        }
        if parts().any(|part| part.is_empty() || part.chars().all(|c| c == '/'))
            || text.chars().any(|c| c.is_whitespace() || c.is_control())
        {
            return Err(Invalid::new("not the name of a sysctl"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Sysctl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

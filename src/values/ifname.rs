//! Names of network interfaces.

use crate::values::Invalid;
use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

/// The length of the longest name that the kernel accepts, in bytes: `IFNAMSIZ - 1`.
const LONGEST: usize = 15;

/// A byte that the kernel treats as a blank at any position (lib/ctype.c), as in `à`.
const NO_BREAK_SPACE: u8 = 0xa0;

/// An interface name that the kernel accepts literally (net/core/dev.c `dev_valid_name`), 1 to 15 bytes.
///
/// Two kinds of names that the kernel accepts are refused: names with `%`, which the kernel treats as a pattern to
/// number (`vrf%d` becomes `vrf0`), and `all` and `default`, which are reserved in `/proc/sys/net/*/conf`
/// (include/net/ip.h `sysctl_dev_name_is_allowed`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IfName(String);

impl IfName {
    /// The name of an existing link. A name that no stanza can contain is escaped. Such a link is not ours, but it has
    /// to be seen, since it keeps a namespace.
    pub fn of_kernel(name: &str) -> Self {
        name.parse().unwrap_or_else(|_| Self(name.escape_debug().to_string()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IfName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = |reason: &str| Err(Invalid::new(format!("not an interface name: {reason}")));
        if text.is_empty() {
            return wrong("empty");
        }
        if text.len() > LONGEST {
            return wrong(&format!("{} bytes, at most {LONGEST} fit", text.len()));
        }
        if matches!(text, "." | ".." | "all" | "default") {
            return wrong("a reserved word");
        }
        if let Some(bad) = text.chars().find(|c| c.is_whitespace() || c.is_control() || "/:%".contains(*c)) {
            return wrong(&format!("contains {bad:?}"));
        }
        if text.contains(char::REPLACEMENT_CHARACTER) {
            return wrong("not UTF-8");
        }
        if text.bytes().any(|byte| byte == NO_BREAK_SPACE) {
            return wrong("contains the byte 0xa0, a blank to the kernel");
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for IfName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for IfName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

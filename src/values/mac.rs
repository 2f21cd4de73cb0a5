//! Hardware addresses of Ethernet-like links.

use crate::values::Invalid;
use std::fmt;
use std::str::FromStr;

/// An Ethernet address that an interface can have: neither multicast nor all zero. The kernel refuses those too
/// (include/linux/etherdevice.h `is_valid_ether_addr`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac([u8; 6]);

impl Mac {
    /// The bytes.
    pub fn bytes(self) -> [u8; 6] {
        self.0
    }

    /// The address with these bytes. `None` for addresses that an interface cannot have: the kernel reports them for
    /// links that are not Ethernet-like and for groups.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().filter(|bytes: &[u8; 6]| bytes[0] & 1 == 0 && *bytes != [0; 6]).map(Self)
    }
}

impl FromStr for Mac {
    type Err = Invalid;

    /// Six bytes in hexadecimal with colons, as in ip-link(8), also after `ether`, as in `hwaddress ether …`.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = || Invalid::new("not an Ethernet address (six bytes as 02:00:00:00:00:01)");
        let text = text.strip_prefix("ether").map_or(text, str::trim_start);
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts.next().filter(|part| matches!(part.len(), 1 | 2)).ok_or_else(wrong)?;
            *byte = u8::from_str_radix(part, 16).map_err(|_| wrong())?;
        }
        if parts.next().is_some() {
            return Err(wrong());
        }
        if bytes[0] & 1 != 0 {
            return Err(Invalid::new("a multicast address, which no interface can have"));
        }
        if bytes == [0; 6] {
            return Err(Invalid::new("all zero, which no interface can have"));
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, rest @ ..] = self.0;
        write!(f, "{first:02x}")?;
        rest.iter().try_for_each(|byte| write!(f, ":{byte:02x}"))
    }
}

//! The two address families of rules and routes.

use crate::values::Invalid;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// IPv4 or IPv6, spelled `ipv4` and `ipv6` in a stanza and `-4` and `-6` on `ip`'s command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4 (`AF_INET`).
    Ipv4,
    /// IPv6 (`AF_INET6`).
    Ipv6,
}

impl Family {
    /// Both, in the order in which they are set up.
    pub const BOTH: [Self; 2] = [Self::Ipv4, Self::Ipv6];

    /// The family of an address.
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::Ipv4 } else { Self::Ipv6 }
    }

    /// The option that selects the family for `ip`.
    pub fn option(self) -> &'static str {
        match self {
            Self::Ipv4 => "-4",
            Self::Ipv6 => "-6",
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ipv4 => "IPv4",
            Self::Ipv6 => "IPv6",
        })
    }
}

impl FromStr for Family {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "ipv4" => Ok(Self::Ipv4),
            "ipv6" => Ok(Self::Ipv6),
            _ => Err(Invalid::new("neither ipv4 nor ipv6")),
        }
    }
}

/// A list of families, without duplicates and in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Families(pub Vec<Family>);

impl FromStr for Families {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let super::Words(mut families) = text.parse::<super::Words<Family>>()?;
        families.sort();
        families.dedup();
        Ok(Self(families))
    }
}

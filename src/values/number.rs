//! Numbers with their own limits.

use crate::values::Invalid;
use std::fmt;
use std::str::FromStr;

/// The size in bytes of the largest packet on a link: 68 to 65535 for an Ethernet-like link (drivers/net/veth.c; the
/// lower limit is IPv4's).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mtu(pub u32);

impl FromStr for Mtu {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        within(text, 68, 65535).map(Self).ok_or_else(|| Invalid::new("not an MTU (68-65535)"))
    }
}

impl fmt::Display for Mtu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The MTU of any link, for instance a loopback or dummy link, on which it may be larger. The kernel knows the limits of
/// each kind (net/core/dev.c `dev_validate_mtu`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkMtu(pub Mtu);

impl FromStr for LinkMtu {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let most = i32::MAX.unsigned_abs();
        within(text, 1, most)
            .map(|mtu| Self(Mtu(mtu)))
            .ok_or_else(|| Invalid::new("not an MTU (1-2147483647)"))
    }
}

/// The number of queues of a link in each direction, 1 to 4096 (net/core/rtnetlink.c).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queues(pub u32);

impl FromStr for Queues {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        within(text, 1, 4096).map(Self).ok_or_else(|| Invalid::new("not a number of queues (1-4096)"))
    }
}

/// The priority of one of our routing rules, 1 to 32765.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RulePriority(pub u32);

impl FromStr for RulePriority {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = || Invalid::new("not a priority of a rule (1-32765) nor no");
        within(text, 1, 32765).map(Self).ok_or_else(wrong)
    }
}

fn within(text: &str, least: u32, most: u32) -> Option<u32> {
    // A leading 0 is octal to ip(8), and a sign has no meaning.
    let is_decimal = text.starts_with(|c: char| c.is_ascii_digit() && c != '0');
    text.parse().ok().filter(|_| is_decimal).filter(|number| (least..=most).contains(number))
}

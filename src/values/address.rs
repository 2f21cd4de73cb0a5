//! Addresses of interfaces.

use crate::values::Invalid;
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

/// An address that an interface can have, with the length of its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address(pub IpNet);

impl FromStr for Address {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let net: IpNet = text.parse().map_err(|_| {
            Invalid::new(match text.parse::<IpAddr>() {
                Ok(address) => format!("without the length of its prefix; write {address}/LENGTH"),
                Err(_) => "not an address with the length of its prefix (ADDRESS/LENGTH)".to_owned(),
            })
        })?;
        if net.addr().is_multicast() || net.addr().is_unspecified() {
            return Err(Invalid::new("not an address that an interface can have"));
        }
        Ok(Self(net))
    }
}

/// An address that an interface can have. ifupdown-ng hands some over without the length of their prefix: those of a
/// stanza that is followed by a line `auto` (interface-file.c). `ip` takes such a one for a single address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandedAddress {
    /// The address.
    pub address: IpAddr,
    /// The length of its prefix.
    pub length: Option<u8>,
}

impl HandedAddress {
    /// The address with its prefix; without one with that of the keyword `netmask`, or else alone.
    pub fn net(self, netmask: Option<Netmask>) -> IpNet {
        let all = IpNet::from(self.address);
        let of_family = netmask.filter(|netmask| self.address.is_ipv4() || !netmask.is_dotted);
        let length = self.length.or(of_family.map(|netmask| netmask.length));
        length.and_then(|length| IpNet::new(self.address, length).ok()).unwrap_or(all)
    }
}

impl FromStr for HandedAddress {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let prefixed = text.contains('/') || text.parse::<IpAddr>().is_err();
        if prefixed {
            return text
                .parse()
                .map(|Address(net)| Self { address: net.addr(), length: Some(net.prefix_len()) });
        }
        let length = if text.contains(':') { 128 } else { 32 };
        let Address(net) = format!("{text}/{length}").parse()?;
        Ok(Self { address: net.addr(), length: None })
    }
}

/// The length of a prefix, as `255.255.255.0` or as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Netmask {
    length: u8,
    is_dotted: bool,
}

impl FromStr for Netmask {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = || Invalid::new("not a netmask (as 255.255.255.0 or 24)");
        if let Ok(mask) = text.parse::<Ipv4Addr>() {
            let length = mask.to_bits().leading_ones();
            let is_whole = mask.to_bits().checked_shl(length).unwrap_or_default() == 0;
            let length = u8::try_from(length).ok().filter(|_| is_whole).ok_or_else(wrong)?;
            return Ok(Self { length, is_dotted: true });
        }
        let length = text.parse().ok().filter(|length| (1..=128).contains(length));
        Ok(Self { length: length.ok_or_else(wrong)?, is_dotted: false })
    }
}

/// The address of the other end of a point-to-point link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FarEnd(pub Ipv4Addr);

impl FromStr for FarEnd {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        text.parse().map(Self).map_err(|_| Invalid::new("not an IPv4 address"))
    }
}

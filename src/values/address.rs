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

/// A value of the keyword `address`. 0.0.0.0 means that the interface is up without an address: the kernel accepts it and
/// adds none (net/ipv4/devinet.c `__inet_insert_ifa`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressOrNone(pub Option<IpNet>);

impl FromStr for AddressOrNone {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let address = text.parse().map_or_else(|_| text.parse().ok(), |net: IpNet| Some(net.addr()));
        if address == Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)) {
            return Ok(Self(None));
        }
        text.parse().map(|Address(net)| Self(Some(net)))
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

//! Addresses of links (ip-address(8)).

use crate::state::OUR_PROTOCOL;
use ipnet::{IpNet, Ipv4Net};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

/// An address of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkAddress {
    /// The address with its prefix. On a point-to-point link the prefix is that of the far end.
    pub net: IpNet,
    /// The address of the far end of a point-to-point link.
    pub peer: Option<Ipv4Addr>,
    /// The broadcast address.
    pub broadcast: Option<Ipv4Addr>,
    /// The program that added it (`IFA_PROTO`): 0 if unknown, as always before Linux 5.18.
    pub protocol: u8,
    /// It has a lifetime (`dynamic` in ip-address(8)): it is from a router advertisement or from DHCP.
    pub is_dynamic: bool,
}

impl LinkAddress {
    /// An address that we add, with the broadcast address of its prefix.
    pub fn ours(net: IpNet) -> Self {
        let broadcast = match net {
            IpNet::V4(v4) if v4.prefix_len() < 31 => Some(v4.broadcast()),
            _ => None,
        };
        Self { net, peer: None, broadcast, protocol: OUR_PROTOCOL, is_dynamic: false }
    }

    /// The same without a broadcast address, as `ip address add` adds it.
    pub fn without_broadcast(net: IpNet) -> Self {
        Self { broadcast: None, ..Self::ours(net) }
    }

    /// An address that we add, on a link to this far end.
    pub fn point_to_point(address: Ipv4Addr, peer: Ipv4Addr) -> Self {
        Self { peer: Some(peer), ..Self::without_broadcast(Ipv4Net::from(address).into()) }
    }

    /// Whether both are the same address for the kernel, which keeps only one of them on a link.
    pub fn same(&self, other: &Self) -> bool {
        (self.net, self.peer) == (other.net, other.peer)
    }

    /// Whether the kernel refuses to add one to a link that has the other: it is the same, or the same IPv6 address with a
    /// prefix of another length (net/ipv6/addrconf.c `inet6_rtm_newaddr`).
    pub fn excludes(&self, other: &Self) -> bool {
        let (own, others) = (self.net.addr(), other.net.addr());
        self.same(other) || (own.is_ipv6() && own == others)
    }

    /// Whether the kernel can have added one like it by itself.
    pub fn is_link_local(&self) -> bool {
        matches!(self.net.addr(), IpAddr::V6(v6) if v6.is_unicast_link_local())
    }

    /// Whether we added it.
    pub fn is_ours(&self) -> bool {
        self.protocol == OUR_PROTOCOL
    }

    /// Whether it can be deleted: it is ours, and no other address is deleted with it. The kernel also deletes the later
    /// addresses of the same prefix (net/ipv4/devinet.c `__inet_del_ifa`).
    pub fn is_deletable(&self, among: &[Self]) -> bool {
        let beside = |other: &Self| !other.is_ours() && other.net.trunc() == self.net.trunc();
        self.is_ours() && (self.net.addr().is_ipv6() || !among.iter().any(beside))
    }
}

/// As `ip address add` takes it.
impl fmt::Display for LinkAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.net.fmt(f)?;
        self.peer.map_or(Ok(()), |peer| write!(f, " peer {peer}"))
    }
}

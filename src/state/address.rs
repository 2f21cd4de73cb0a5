//! Addresses of links (ip-address(8)).

use crate::state::OUR_PROTOCOL;
use ipnet::IpNet;

/// An address of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkAddress {
    /// The address with its prefix.
    pub net: IpNet,
    /// The program that added it (`IFA_PROTO`): 0 if unknown, as always before Linux 5.18.
    pub protocol: u8,
}

impl LinkAddress {
    /// An address that we added.
    pub fn ours(net: IpNet) -> Self {
        Self { net, protocol: OUR_PROTOCOL }
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

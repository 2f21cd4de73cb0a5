//! Addresses in netlink messages.

use crate::kernel::Refusal;
use crate::kernel::netlink::Channel;
use crate::kernel::netlink::link::FEW;
use crate::kernel::netlink::message::RouteNetlinkMessage;
use crate::state::{LinkAddress, State};
use crate::values::{Family, IfName};
use ipnet::IpNet;
use nix::sys::utsname::uname;
use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::address::{AddressAttribute, AddressFlags, AddressMessage, AddressScope};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};

/// The protocol number of a link-local address that the kernel added (`IFAPROT_KERNEL_LL`).
const KERNEL_LINK_LOCAL: u8 = 3;

impl Channel {
    /// Adds the addresses on these links, which were read, to the state; without those that the kernel adds by itself.
    pub(super) fn read_addresses(&mut self, on: &BTreeSet<IfName>, state: &mut State) -> Result<(), Refusal> {
        let of = |link: &IfName| Some((link.clone(), state.details.get(link)?.index));
        let links: Vec<(IfName, u32)> = on.iter().filter_map(of).collect();
        let mut found: BTreeMap<u32, Vec<LinkAddress>> = BTreeMap::new();
        let (all, are_marked) = ([None], marks_link_local());
        let each: Vec<Option<u32>> = links.iter().map(|(_, index)| Some(*index)).collect();
        for asked in if links.len() > FEW { &all[..] } else { &each } {
            let mut query = AddressMessage::default();
            query.header.family = AddressFamily::Unspec;
            query.header.index = asked.unwrap_or_default();
            let answers = self.dump(&RouteNetlinkMessage::GetAddress(query), |answer| match answer {
                RouteNetlinkMessage::NewAddress(message) => {
                    Some((message.header.index, decode(&message, are_marked)?))
                }
                _ => None,
            })?;
            // A kernel before 5.0 answers with all addresses.
            let answers = answers.into_iter().filter(|(index, _)| asked.is_none_or(|asked| asked == *index));
            answers.for_each(|(index, address)| found.entry(index).or_default().push(address));
        }
        let none = Vec::new();
        state.addresses.extend(
            links.into_iter().map(|(link, index)| (link, found.get(&index).unwrap_or(&none).clone())),
        );
        Ok(())
    }

    /// Adds the addresses on all links that were read to the state, without the IPv6 link-local addresses that the
    /// kernel added. Before Linux 5.18 it does not show which these are. Then they are added too.
    pub(super) fn read_all_addresses(&mut self, state: &mut State) -> Result<(), Refusal> {
        let mut query = AddressMessage::default();
        query.header.family = AddressFamily::Unspec;
        let found = self.dump(&RouteNetlinkMessage::GetAddress(query), |answer| match answer {
            RouteNetlinkMessage::NewAddress(message) => Some((message.header.index, decode(&message, true)?)),
            _ => None,
        })?;
        for (name, details) in &state.details {
            let on_it = found.iter().filter(|(index, _)| *index == details.index);
            state.addresses.insert(name.clone(), on_it.map(|(_, address)| *address).collect());
        }
        Ok(())
    }

    /// For each of these addresses that the kernel has not checked for duplicates yet: whether its link has a carrier.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub fn unchecked(&mut self, addresses: &BTreeSet<Ipv6Addr>) -> Result<Vec<bool>, Refusal> {
        let mut query = AddressMessage::default();
        query.header.family = AddressFamily::Inet6;
        let links = self.dump(&RouteNetlinkMessage::GetAddress(query), |answer| match answer {
            RouteNetlinkMessage::NewAddress(message) => unchecked(&message, addresses),
            _ => None,
        })?;
        links.into_iter().map(|index| self.has_carrier(index)).collect()
    }

    pub(super) fn address_add(&mut self, dev: &IfName, address: &LinkAddress) -> Result<(), Refusal> {
        let mut message = encode(self.index(dev)?, address);
        if address.protocol != 0 {
            message.attributes.push(AddressAttribute::Protocol(address.protocol.into()));
        }
        self.change(RouteNetlinkMessage::NewAddress(message), NLM_F_CREATE | NLM_F_EXCL)
    }

    pub(super) fn address_del(&mut self, dev: &IfName, address: &LinkAddress) -> Result<(), Refusal> {
        let message = encode(self.index(dev)?, address);
        self.change(RouteNetlinkMessage::DelAddress(message), 0)
    }
}

/// The index of the link, if the address is one of these and has not been checked yet.
fn unchecked(message: &AddressMessage, addresses: &BTreeSet<Ipv6Addr>) -> Option<u32> {
    let is_one = message.attributes.iter().any(|attribute| {
        matches!(attribute, AddressAttribute::Address(IpAddr::V6(address)) if addresses.contains(address))
    });
    let flags = flags(message)?;
    let usable = flags.intersects(AddressFlags::Optimistic | AddressFlags::Dadfailed);
    (is_one && !usable && flags.contains(AddressFlags::Tentative)).then_some(message.header.index)
}

fn flags(message: &AddressMessage) -> Option<AddressFlags> {
    message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Flags(flags) => Some(*flags),
        _ => None,
    })
}

fn encode(index: u32, address: &LinkAddress) -> AddressMessage {
    let (own, mut message) = (address.net.addr(), AddressMessage::default());
    message.header.family = Family::of(own).address_family();
    message.header.index = index;
    message.header.prefix_len = address.net.prefix_len();
    if matches!(own, IpAddr::V4(v4) if v4.is_loopback()) {
        // As iproute2 does: the address is valid on this host only.
        message.header.scope = AddressScope::Host;
    }
    // The kernel takes an IPv4 address from the first attribute, and the far end of a point-to-point link from the
    // second.
    message.attributes.push(AddressAttribute::Local(own));
    message.attributes.push(AddressAttribute::Address(address.peer.map_or(own, IpAddr::V4)));
    // Without the attribute the kernel sets none.
    message.attributes.extend(address.broadcast.map(AddressAttribute::Broadcast));
    message
}

/// An address that the kernel did not add by itself. Without marks, any link-local address may be one that it added.
pub(super) fn decode(message: &AddressMessage, are_marked: bool) -> Option<LinkAddress> {
    let is_of_kernel = |address: &LinkAddress| match address.protocol {
        0 => !are_marked && address.is_link_local(),
        protocol => protocol == KERNEL_LINK_LOCAL,
    };
    decode_any(message).filter(|address| !is_of_kernel(address))
}

/// Whether the kernel marks the link-local addresses that it adds.
fn marks_link_local() -> bool {
    uname().is_ok_and(|system| system.release().to_str().is_some_and(is_since_5_18))
}

/// Whether this is the release of Linux 5.18 or of a later version.
fn is_since_5_18(release: &str) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map_while(|number| number.parse().ok());
    let version: (Option<u32>, Option<u32>) = (numbers.next(), numbers.next());
    version >= (Some(5), Some(18))
}

/// The address of this host. On a point-to-point link, the address of the far end is another one.
fn decode_any(message: &AddressMessage) -> Option<LinkAddress> {
    let find = |local: bool| {
        message.attributes.iter().find_map(|attribute| match attribute {
            AddressAttribute::Local(address) if local => Some(*address),
            AddressAttribute::Address(address) if !local => Some(*address),
            _ => None,
        })
    };
    let address = find(true).or_else(|| find(false))?;
    let protocol = message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Protocol(protocol) => Some(u8::from(*protocol)),
        _ => None,
    });
    let net = IpNet::new(address, message.header.prefix_len).ok()?;
    let peer = match find(false) {
        Some(IpAddr::V4(far)) if IpAddr::V4(far) != address => Some(far),
        _ => None,
    };
    let broadcast = message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Broadcast(broadcast) => Some(*broadcast),
        _ => None,
    });
    let is_dynamic = flags(message).is_some_and(|flags| !flags.contains(AddressFlags::Permanent));
    Some(LinkAddress { net, peer, broadcast, protocol: protocol.unwrap_or_default(), is_dynamic })
}

#[cfg(test)]
mod tests;

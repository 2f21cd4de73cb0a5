//! Addresses as messages.

use super::Channel;
use crate::{apply::Refusal, values::IfName};
use ipnet::IpNet;
use rtnetlink::packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressMessage},
};
use std::net::IpAddr;

impl Channel {
    /// The addresses on a link, but for those that the kernel makes by itself.
    pub(super) fn read_addresses(&mut self, link: &IfName) -> Result<Vec<IpNet>, Refusal> {
        let Some(index) = self.index_of(link)? else { return Ok(Vec::new()) };
        let mut query = AddressMessage::default();
        query.header.family = AddressFamily::Unspec;
        query.header.index = index;
        let answers = self.dump(&RouteNetlinkMessage::GetAddress(query))?;
        let addresses = answers.iter().filter_map(|answer| match answer {
            RouteNetlinkMessage::NewAddress(message) if message.header.index == index => decode(message),
            _ => None,
        });
        Ok(addresses.collect())
    }
}

/// The address of this host, which on a point-to-point link is not the one of the far end.
fn decode(message: &AddressMessage) -> Option<IpNet> {
    let find = |local: bool| {
        message.attributes.iter().find_map(|attribute| match attribute {
            AddressAttribute::Local(address) if local => Some(*address),
            AddressAttribute::Address(address) if !local => Some(*address),
            _ => None,
        })
    };
    let address = find(true).or_else(|| find(false))?;
    let made_by_the_kernel = matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local());
    if made_by_the_kernel { None } else { IpNet::new(address, message.header.prefix_len).ok() }
}

#[cfg(test)]
mod tests;

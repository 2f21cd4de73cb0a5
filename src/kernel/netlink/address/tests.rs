//! Addresses on the wire, as `ip` received them.

use super::*;
use crate::kernel::netlink::fixture::{answers, damaged};

#[test]
fn what_the_kernel_shows_is_understood() {
    let addresses: Vec<String> = answers("address-dump")
        .iter()
        .filter_map(|answer| match answer {
            RouteNetlinkMessage::NewAddress(message) if message.header.index == 10 => decode(message),
            _ => None,
        })
        .map(|address| address.to_string())
        .collect();
    // No address that the kernel added by itself.
    assert_eq!(addresses, ["10.0.0.2/24", "192.0.2.9/32 peer 192.0.2.10", "fd00::2/64"]);
}

/// `ip -d addr` shows `proto kernel_ll` for it.
#[test]
fn addresses_that_the_kernel_added_are_known_by_their_protocol() {
    let link_local: Vec<bool> = answers("address-dump")
        .iter()
        .filter_map(|answer| match answer {
            RouteNetlinkMessage::NewAddress(message) => decode_any(message),
            _ => None,
        })
        .filter(|address| is_link_local(address.net.addr()))
        .map(|address| address.protocol == KERNEL_LINK_LOCAL)
        .collect();
    assert!(!link_local.is_empty() && link_local.iter().all(|kernel| *kernel), "{link_local:?}");
}

#[test]
fn an_address_that_was_added_is_read_back() {
    let far = LinkAddress::point_to_point("192.0.2.1".parse().unwrap(), "198.51.100.1".parse().unwrap());
    let near = LinkAddress::ours("192.0.2.1/24".parse().unwrap());
    let link_local = LinkAddress::ours("fe80::7/64".parse().unwrap());
    for address in [far, near, LinkAddress::without_broadcast(near.net), link_local] {
        let mut message = encode(7, &address);
        message.attributes.push(AddressAttribute::Protocol(address.protocol.into()));
        assert_eq!(decode(&message), Some(address));
    }
}

#[test]
fn damage_does_not_make_it_panic() {
    damaged("address-dump", |answer| {
        if let RouteNetlinkMessage::NewAddress(message) = answer {
            decode(&message);
        }
    });
}

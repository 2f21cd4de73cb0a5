//! Addresses on the wire, as `ip` received them.

use super::*;
use crate::kernel::netlink::fixture::{answers, damaged};

#[test]
fn what_the_kernel_shows_is_understood() {
    let addresses: Vec<String> = answers("address-dump")
        .iter()
        .filter_map(|answer| match answer {
            RouteNetlinkMessage::NewAddress(message) if message.header.index == 10 => decode(message, true),
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
        .filter(LinkAddress::is_link_local)
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
        assert_eq!(decode(&message, true), Some(address));
    }
}

/// The stock executor `static` gives no protocol. A kernel before 5.18 shows none.
#[test]
fn a_link_local_address_of_a_stanza_is_told_from_that_of_the_kernel() {
    let added = |protocol| LinkAddress { protocol, ..LinkAddress::ours("fe80::1/64".parse().unwrap()) };
    let shown = |protocol: u8| {
        let mut message = encode(7, &added(protocol));
        if protocol != 0 {
            message.attributes.push(AddressAttribute::Protocol(protocol.into()));
        }
        [true, false].map(|are_marked| decode(&message, are_marked))
    };
    assert_eq!(shown(0), [Some(added(0)), None]);
    assert_eq!(shown(KERNEL_LINK_LOCAL), [None, None]);
    for release in ["5.18.0", "5.18-rc1", "5.100.2", "6.1.0-50-amd64", "10.0.1"] {
        assert!(is_since_5_18(release), "{release}");
    }
    for release in ["5.17.9", "5.4.0-18", "4.19.0", "2.6.32", "", "x"] {
        assert!(!is_since_5_18(release), "{release}");
    }
}

#[test]
fn damage_does_not_make_it_panic() {
    damaged("address-dump", |answer| {
        if let RouteNetlinkMessage::NewAddress(message) = answer {
            decode(&message, true);
        }
    });
}

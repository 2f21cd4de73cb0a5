//! VLANs on the wire, against the kernel's answers to `bridge`.

use super::*;
use crate::kernel::netlink::fixture::{answers, damaged};

#[test]
fn what_the_kernel_shows_is_understood() {
    let answers = answers("vlan-dump").into_iter().map(|answer| match answer {
        RouteNetlinkMessage::NewVlan(message) => message,
        other => panic!("{other:?}"),
    });
    let found = by_index(answers);
    // eth1 is a port; the other is its bridge.
    let port = "5 pvid untagged, 7 tagged, 10-20 tagged, 21-22 untagged, 4094 tagged";
    assert_eq!(found[&11], port.parse().unwrap());
    let bridge: Vec<_> = found.iter().filter(|(index, _)| **index != 11).map(|(_, vlans)| vlans).collect();
    assert_eq!(bridge, [&"1 pvid untagged".parse().unwrap()]);
}

#[test]
fn damage_does_not_make_it_panic() {
    damaged("vlan-dump", drop);
}

//! VLANs of one device on the wire, against what the kernel told `bridge`.

use super::*;
use crate::netlink::fixture::{answers, damaged};

#[test]
fn what_the_kernel_shows_is_understood() {
    let mut vlans = VlanSet::default();
    for answer in answers("vlan-dump") {
        let RouteNetlinkMessage::NewVlan(message) = answer else { panic!("{answer:?}") };
        // eth1 is a port; the other is its bridge, in VLAN 1.
        if message.index == 11 {
            message.ranges.into_iter().for_each(|range| vlans.insert(range));
        }
    }
    assert_eq!(
        vlans,
        "5 pvid untagged, 7 tagged, 10-20 tagged, 21-22 untagged, 4094 tagged".parse().unwrap()
    );
}

#[test]
fn damage_does_not_make_it_panic() {
    damaged("vlan-dump", drop);
}

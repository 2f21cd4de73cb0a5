//! Links on the wire, against what `ip` sent and received.

use super::*;
use crate::kernel::netlink::fixture::{Request, answers, damaged};
use crate::kernel::netlink::link_message::master_index;
use crate::state::VlanFlags;
use crate::values::{TableId, VlanId, VlanProtocol};

/// The index of the bridge `red` in the captures.
const RED: u32 = 12;

#[test]
fn what_is_sent_is_what_ip_sends() {
    let kind = LinkKind::Vrf(TableId::new(100_000).unwrap());
    let new = NewLink { name: "vrf1".parse().unwrap(), kind };
    let add = Request::ours(RouteNetlinkMessage::NewLink(encode(&new)), ADD_FLAGS);
    assert_eq!(add, Request::of_ip("link-add-vrf"));
    let eth0 = "eth0".parse().unwrap();
    let set = |index| {
        let message = changed(&eth0, &LinkChange::default(), Some(index));
        Request::ours(RouteNetlinkMessage::SetLink(message), 0)
    };
    assert_eq!(set(RED), Request::of_ip("link-master").by_name("eth0").into_set());
    assert_eq!(set(0), Request::of_ip("link-nomaster").by_name("eth0").into_set());
    let red = "red".parse().unwrap();
    let delete = Request::ours(RouteNetlinkMessage::DelLink(named(&red)), 0);
    assert_eq!(delete, Request::of_ip("link-del").by_name("red"));
}

#[test]
fn what_the_kernel_shows_is_understood() {
    let links: Vec<_> = answers("link-dump")
        .into_iter()
        .filter_map(|answer| match answer {
            RouteNetlinkMessage::NewLink(message) => Some((decode(&message)?, master_index(&message))),
            _ => None,
        })
        .map(|((name, link), master)| format!("{name}: {} up {} master {master:?}", link.kind, link.up))
        .collect();
    for expected in [
        "lo: physical link up true master None",
        "eth0: veth up true master None",
        "eth1: veth up true master Some(12)",
        "red: bridge up false master None",
    ] {
        assert!(links.iter().any(|link| link == expected), "{expected}: {links:#?}");
    }
}

#[test]
fn a_vrf_that_was_made_is_read_back() {
    let kind = LinkKind::Vrf(TableId::new(u32::MAX).unwrap());
    let new = NewLink { name: "vrf1".parse().unwrap(), kind: kind.clone() };
    assert_eq!(decode(&encode(&new)), Some((new.name, Link { kind, master: None, up: false })));
}

/// All but the lower link, which the kernel shows by its index.
#[test]
fn a_vlan_that_was_made_is_read_back() {
    let flags = VlanFlags { gvrp: Some(true), reorder_hdr: Some(false), ..VlanFlags::NEW };
    let vlan =
        VlanLink { lower: None, id: VlanId::new(8).unwrap(), protocol: VlanProtocol::Ieee8021ad, flags };
    let new = NewLink { name: "eth0.8".parse().unwrap(), kind: LinkKind::Vlan(vlan) };
    let link = Link { kind: new.kind.clone(), master: None, up: false };
    assert_eq!(decode(&encode(&new)), Some((new.name, link)));
}

#[test]
fn damage_does_not_make_it_panic() {
    damaged("link-dump", |answer| {
        if let RouteNetlinkMessage::NewLink(message) = answer {
            let _ = decode(&message);
            master_index(&message);
        }
    });
}

//! Three points on two bridges, and behind rules against spoofing.

use super::{MAC, addresses, administrator, stations, table, up};
use crate::{
    bridges::once_up,
    capture::Capture,
    ifupdown::{Ifupdown, example},
    lab::{command, ip},
    probe::{ping, reaches, serve},
};
use std::path::Path;

const TWO_BRIDGES: &str = "
auto br0
iface br0
    bridge-vlan-filtering yes
    bridge-default-pvid none
auto br1
iface br1
    bridge-vlan-filtering yes
    bridge-default-pvid none
auto trunk0
iface trunk0
    bridge-member br0
    bridge-vlan 10, 20
auto trunk1
iface trunk1
    bridge-member br1
    bridge-vlan 10, 20
auto eth0
iface eth0
    bridge-member br0
    bridge-vlan 10 pvid untagged
auto eth2
iface eth2
    bridge-member br0
    bridge-vlan 10, 20
auto eth1
iface eth1
    bridge-member br1
    bridge-vlan 20 pvid untagged
auto eth3
iface eth3
    bridge-member br1
    bridge-vlan 10 pvid untagged
";

/// The VLANs go on over a trunk to a second bridge, where the second station is.
pub fn two_bridges(ifupdown: Ifupdown) {
    let hosts = stations();
    administrator(&hosts[2]);
    addresses(&hosts[3], "eth0", ["192.168.5.5/24", "fd00:5::5/64"]);
    serve(&hosts[3]);
    ip("link add name trunk0 type veth peer name trunk1");
    ["trunk0", "trunk1"].into_iter().for_each(once_up);
    let installed = ifupdown.install(TWO_BRIDGES);
    let before = up(&installed);
    table(&hosts, ["192.168.5.10", "fd00:5::10"], ["192.168.5.20", "fd00:5::20"]);
    for to in ["192.168.5.5", "fd00:5::5"] {
        hosts[0].within(|| reaches("first, to the same VLAN on the other bridge", to, None));
        hosts[1].within(|| ping(to, None).expect_err("the other VLAN, same bridge"));
    }
    before.assert_after_ifdown(&installed);
}

/// With the rules of nftables.d, a frame of anybody but the station behind the port ends there, tagged or not.
pub fn antispoof(ifupdown: Ifupdown) {
    let hosts = stations();
    addresses(&hosts[2], "eth0", ["192.168.5.3/24", "fd00:5::3/64"]);
    serve(&hosts[2]);
    let installed = ifupdown.install(&example("vlan-asymmetric"));
    let before = up(&installed);
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("nftables.d/bridge-antispoof.nft");
    command(&format!("nft -f {}", rules.display())).quiet();
    let third = ["192.168.5.3", "fd00:5::3"];
    table(&hosts, third, third);
    // As somebody else: by IP address, by Ethernet address, and behind a tag.
    let first = &hosts[0];
    addresses(first, "eth0", ["192.168.5.77/24", "fd00:5::77/64"]);
    for (to, own) in third.into_iter().zip(["192.168.5.77", "fd00:5::77"]) {
        first.within(|| ping(to, Some(own)).expect_err("another address"));
    }
    first.ip("link add link eth0 name eth0.10 type vlan id 10");
    first.ip("link set eth0.10 up");
    let heard = Capture::start(&hosts[2], "eth0", &format!("ether src {}", MAC[0]));
    first.within(|| command("ping -q -c 3 -i 0.2 -W 1 -I eth0.10 192.168.5.3"));
    let frames = heard.frames();
    assert!(!frames.iter().any(|frame| frame.contains("802.1Q")), "{frames:#?}");
    first.ip("link del eth0.10");
    let heard = Capture::start(&hosts[2], "eth0", "ether src 02:00:00:00:05:66");
    first.ip("link set eth0 address 02:00:00:00:05:66");
    for to in third {
        first.within(|| ping(to, None).expect_err("another Ethernet address"));
    }
    let frames = heard.frames();
    assert!(frames.is_empty(), "{frames:#?}");
    command("nft delete table bridge antispoof").quiet();
    first.within(|| ping("192.168.5.3", None).expect("without the rules it passes"));
    before.assert_after_ifdown(&installed);
}

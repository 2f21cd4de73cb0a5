//! Three points on two bridges, and with rules against spoofing.

use super::{FIRST, MAC, SECOND, addresses, administrator, babble, stations, table, up};
use crate::bridges::once_up;
use crate::capture::Capture;
use crate::ifupdown::{Ifupdown, example};
use crate::lab::{Netns, command, ip};
use crate::probe::{lost_while, ping, reaches, serve};

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

/// The VLANs continue over a trunk to a second bridge, where the second station is.
pub fn two_bridges(ifupdown: Ifupdown) {
    let hosts = stations();
    administrator(&hosts[2], "802.1Q", [10, 20]);
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

/// Frames of the stations are in their own VLANs and nowhere else, at every moment. On the trunk they have their tags;
/// the host, which is in no VLAN, receives none.
pub fn nowhere_else(ifupdown: Ifupdown) {
    let hosts = stations();
    let here = Netns::current();
    let installed = ifupdown.install(&example("vlan-access-trunk"));
    let pinging = babble(&hosts);
    let (trunk, host) = (Capture::start(&hosts[2], "eth0", ""), Capture::start(&here, "any", ""));
    for round in 1..=2 {
        installed.ifup("-a").quiet();
        installed.ifup("-f -a").quiet();
        for single in ["eth0", "eth1", "eth2"] {
            installed.ifdown(&format!("-f {single}"));
            installed.ifup(&format!("-f {single}")).quiet();
        }
        for mac in &MAC[..2] {
            trunk.wait_for(10 * round, &format!("{mac} >"));
        }
        installed.ifdown_by_force();
    }
    drop(pinging);
    let frames = trunk.frames();
    for (mac, tag) in MAC.into_iter().zip(["vlan 10, ", "vlan 20, "]) {
        let sent = frames.iter().filter(|frame| frame.contains(&format!("{mac} >")));
        let other: Vec<_> = sent.filter(|frame| !frame.contains(tag)).collect();
        assert!(other.is_empty(), "{other:#?}");
    }
    let frames = host.frames();
    // Frames that the ports receive are visible, before they reach the bridge.
    assert!(frames.iter().any(|frame| frame.contains(" eth0 ") && frame.contains(MAC[0])));
    let heard: Vec<_> = frames.iter().filter(|frame| frame.contains(" br0 ")).collect();
    assert!(heard.is_empty(), "{heard:#?}");
}

/// A forced ifup of interfaces that are up, with traffic in both VLANs: nothing is lost.
pub fn steady(ifupdown: Ifupdown) {
    let hosts = stations();
    administrator(&hosts[2], "802.1Q", [10, 20]);
    let here = Netns::current();
    let installed = ifupdown.install(&example("vlan-access-trunk"));
    up(&installed);
    for to in [FIRST[0], SECOND[1]] {
        let (sent, lost) = hosts[2].within(|| {
            ping(to, None).expect("before");
            lost_while(to, || {
                here.within(|| {
                    for _ in 0..3 {
                        installed.ifup("-f -a").quiet();
                    }
                });
            })
        });
        assert!(lost <= 1, "{to}: {lost} of {sent} lost");
    }
    // The test would see a loss.
    let (_, lost) = hosts[2].within(|| {
        lost_while(FIRST[0], || {
            here.within(|| {
                installed.ifdown("-f eth0").ok();
                std::thread::sleep(std::time::Duration::from_millis(300));
                installed.ifup("-f eth0").quiet();
            });
        })
    });
    assert!(lost > 10, "{lost} lost");
}

/// The provider's tags, on untagged frames and on frames with tags of a customer.
pub fn stacked(ifupdown: Ifupdown) {
    let hosts = stations();
    administrator(&hosts[2], "802.1ad", [100, 200]);
    let installed = ifupdown.install(&example("vlan-802.1ad"));
    let before = up(&installed);
    assert!(ip("-d link show br0").contains("vlan_protocol 802.1ad"));
    table(&hosts, ["192.168.5.10", "fd00:5::10"], ["192.168.5.20", "fd00:5::20"]);
    let carried = |who: &str, link: &str, to: &str| {
        let heard = Capture::start(&hosts[2], "eth0", "");
        hosts[0].within(|| ping(to, Some(link))).expect(who);
        let frames = heard.frames();
        frames.into_iter().filter(|frame| frame.contains(MAC[0])).collect::<Vec<_>>()
    };
    let outer = |frame: &String| {
        let (_, rest) = frame.split_once("ethertype 802.1Q-QinQ (0x88a8)")?;
        rest.contains("vlan 100, ").then(|| rest.to_owned())
    };
    let frames = carried("without a tag", "eth0", "192.168.5.10");
    assert!(!frames.is_empty() && frames.iter().all(|frame| outer(frame).is_some()), "{frames:#?}");
    // A VLAN of the customer.
    for (host, below, own) in [(0, "eth0", "10.7.0.1/24"), (2, "eth0.100", "10.7.0.2/24")] {
        hosts[host].ip(&format!("link add link {below} name customer7 type vlan id 7"));
        hosts[host].ip("link set customer7 up");
        hosts[host].ip(&format!("addr add {own} dev customer7"));
    }
    let frames = carried("with a tag", "customer7", "10.7.0.2");
    let inner =
        frames.iter().filter_map(outer).filter(|rest| rest.contains("ethertype 802.1Q (0x8100), vlan 7, "));
    assert!(inner.count() > 0, "{frames:#?}");
    // The same number in an 802.1Q tag is not the provider's VLAN.
    hosts[2].ip("link add link eth0 name q100 type vlan id 100");
    hosts[2].ip("link set q100 up");
    for to in FIRST {
        hosts[2].within(|| ping(to, Some("eth0.100"))).expect("in the provider's VLAN");
        hosts[2].within(|| ping(to, Some("q100"))).expect_err("in one that has its number");
    }
    before.assert_after_ifdown(&installed);
}

/// A port of the example drops every frame that is not from its station, with one of its addresses and in its VLAN.
pub fn antispoof(ifupdown: Ifupdown) {
    let hosts = stations();
    addresses(&hosts[2], "eth0", ["192.168.5.3/24", "fd00:5::3/64"]);
    serve(&hosts[2]);
    let installed = ifupdown.install(&example("vlan-asymmetric"));
    let before = up(&installed);
    let third = ["192.168.5.3", "fd00:5::3"];
    table(&hosts, third, third);
    // With another IP address, with another Ethernet address, and with a tag.
    let first = &hosts[0];
    addresses(first, "eth0", ["192.168.5.77/24", "fd00:5::77/64"]);
    for (to, own) in third.into_iter().zip(["192.168.5.77", "fd00:5::77"]) {
        first.within(|| ping(to, Some(own)).expect_err("another address"));
    }
    // The tag of VLAN 1: without the list, the frame reaches both other stations.
    first.ip("link add link eth0 name eth0.1 type vlan id 1");
    first.ip("link set eth0.1 up");
    let heard = [1, 2].map(|to| Capture::start(&hosts[to], "eth0", &format!("ether src {}", MAC[0])));
    first.within(|| command("ping -q -c 3 -i 0.2 -W 1 -I eth0.1 192.168.5.3"));
    for frames in heard.map(Capture::frames) {
        assert!(frames.is_empty(), "{frames:#?}");
    }
    first.ip("link del eth0.1");
    let heard = Capture::start(&hosts[2], "eth0", "ether src 02:00:00:00:05:66");
    first.ip("link set eth0 address 02:00:00:00:05:66");
    for to in third {
        first.within(|| ping(to, None).expect_err("another Ethernet address"));
    }
    let frames = heard.frames();
    assert!(frames.is_empty(), "{frames:#?}");
    // Without the tables it passes.
    command("nft flush ruleset").quiet();
    first.within(|| ping("192.168.5.3", None).expect("without the tables it passes"));
    before.assert_after_ifdown(&installed);
}

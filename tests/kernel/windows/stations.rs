//! Three points on a bridge with VLANs, and the frames that two of them must never receive from each other.

use super::Setup;
use super::prober::{Stream, Watch};
use super::setups::{here_and_beside, knows, others};
use crate::ifupdown::{Ifupdown, example};
use crate::lab::command;
use crate::three_points as points;

/// No frame of one station ever reaches the other: neither to its address nor to a broadcast address, tagged or not.
pub fn stations(name: &'static str, ifupdown: Ifupdown) -> Setup {
    let three = points::stations();
    let mut hosts = here_and_beside();
    if name == "vlan-access-trunk" {
        points::administrator(&three[2], "802.1Q", [10, 20]);
    } else {
        points::addresses(&three[2], "eth0", ["192.168.5.3/24", "fd00:5::3/64"]);
    }
    hosts.extend(three);
    for (from, to, addresses) in [(2, 1, points::SECOND), (3, 0, points::FIRST)] {
        knows(&hosts[from], "eth0", points::MAC[to], addresses);
        // With a tag.
        for vid in [1, 10, 20] {
            let link = format!("eth0.{vid}");
            hosts[from].ip_batch(&[
                &format!("link add link eth0 name {link} up type vlan id {vid}"),
                &format!("addr add 10.66.{vid}.1/24 dev {link}"),
            ]);
            let neighbour = format!("10.66.{vid}.2");
            knows(&hosts[from], &link, points::MAC[to], [&neighbour, &neighbour]);
        }
    }
    Setup {
        installed: ifupdown.install(&example(name)),
        hosts,
        always: |hosts| {
            let first = [points::SECOND[0], points::SECOND[1], "192.168.5.255", "10.66.20.2"];
            let second = [points::FIRST[0], "192.168.5.255", "10.66.10.2", "10.66.1.2"];
            let first = first.map(|to| Stream::forbidden(&hosts[2], to));
            let second = second.map(|to| Stream::forbidden(&hosts[3], to));
            [&others(hosts)[..2], &first, &second].concat()
        },
        while_up: |hosts| points::FIRST.map(|to| Stream::kept(&hosts[4], to, &hosts[2])).to_vec(),
        watches: |hosts| {
            let at = [(2, FROM_STATION[1]), (3, FROM_STATION[0])];
            at.map(|(at, filter)| Watch { at: &hosts[at], link: "eth0", filter }).to_vec()
        },
        siblings: "eth1",
        is_brief: false,
        tell: |_| (),
        open: |_| {
            command("ip link set br0 type bridge vlan_filtering 0").ok();
            // The lists of vlan-asymmetric.
            command("nft flush ruleset").ok();
            for port in ["eth0", "eth1"] {
                command(&format!("bridge link set dev {port} isolated off")).ok();
            }
        },
    }
}

/// The frames that a station sends.
const FROM_STATION: [&str; 2] = ["ether src 02:00:00:00:05:01", "ether src 02:00:00:00:05:02"];

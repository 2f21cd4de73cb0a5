//! Lists on several lines of a stanza, with the real ifup, which hands over only the last line. All lines count, for the
//! executor of a port, for that of its bridge and for `ifnetlink check`.

use crate::bridges::vlans;
use crate::examples::cards;
use crate::features::{Feature, needs};
use crate::ifupdown::{Executors, Ifupdown, Shell, Version};
use crate::lab::{command, in_lab, ip_json, settle};
use crate::state::State;
use libtest_mimic::Trial;
use std::collections::BTreeSet;

pub fn tests() -> Vec<Trial> {
    let mut tests = Vec::new();
    for version in Version::ALL {
        for executors in [Executors::Replaced, Executors::Present] {
            let ifupdown = Ifupdown { version, executors, shell: Shell::Dash };
            let needed = [Feature::Vrf, Feature::Vlan, Feature::Roots];
            let name = format!("repeated-lines/{ifupdown}");
            tests.push(needs(&needed, name, move || in_lab(|| all_count(ifupdown))));
        }
    }
    tests
}

/// A port with its own bridge, inherited lines, and routes.
const FILE: &str = "\
template trunk
    bridge-member br0
    bridge-vlan 20

auto br0
iface br0
    bridge-vlan-filtering yes
    bridge-default-pvid none
    bridge-vlan 10
    bridge-vlan 30

auto eth0
iface eth0
    bridge-member br0
    bridge-vlan 10 pvid untagged
    bridge-vlan 20

auto eth1
iface eth1
    inherit trunk
    bridge-vlan 30-31
    bridge-fdb 02:00:00:00:00:01 vlan 20
    bridge-fdb 02:00:00:00:00:02 vlan 30

auto red
iface red
    vrf-table 10
    vrf-route unreachable 10.1.0.0/16
    vrf-route unreachable 10.2.0.0/16, unreachable 10.3.0.0/16
";

/// Ports that the bridge takes by `bridge-ports`, which only our `bridge` reads.
const LISTED: &str = "
auto br1
iface br1
    bridge-ports eth2 eth3
    bridge-vlan-aware yes
    bridge-pathcost eth2 50
    bridge-pathcost eth3 60

iface eth2
    bridge-vlan 40 pvid untagged
    bridge-vlan 50

iface eth3
    bridge-vids 60
    bridge-vids 70 80
";

fn assert_up(with_listed: bool) {
    assert_eq!(vlans("br0"), ["10", "30"]);
    assert_eq!(vlans("eth0"), ["10 PVID Egress Untagged", "20"]);
    assert_eq!(vlans("eth1"), ["20", "30", "31"]);
    let mut stations = BTreeSet::new();
    let shown = command("bridge -j fdb show br br0 dev eth1").stdout;
    for entry in serde_json::from_str::<Vec<serde_json::Value>>(&shown).unwrap() {
        if entry["state"] == "static" {
            stations.insert(format!("{} {}", entry["mac"].as_str().unwrap(), entry["vlan"]));
        }
    }
    assert_eq!(stations, ["02:00:00:00:00:01 20", "02:00:00:00:00:02 30"].map(str::to_owned).into());
    let routes = ip_json("-4 route show table 10");
    let routes: BTreeSet<&str> = routes.iter().map(|route| route["dst"].as_str().unwrap()).collect();
    assert_eq!(routes, ["10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"].into());
    if with_listed {
        assert_eq!(vlans("eth2"), ["40 PVID Egress Untagged", "50"]);
        assert_eq!(vlans("eth3"), ["1 PVID Egress Untagged", "60", "70", "80"]);
        let cost = |port: &str| {
            ip_json(&format!("-d link show {port}"))[0]["linkinfo"]["info_slave_data"]["cost"].clone()
        };
        assert_eq!((cost("eth2"), cost("eth3")), (50.into(), 60.into()));
    }
}

fn all_count(ifupdown: Ifupdown) {
    let _hosts = cards();
    let listed = ifupdown.executors == Executors::Replaced;
    let installed = ifupdown.install(&if listed { FILE.to_owned() + LISTED } else { FILE.to_owned() });
    let before = State::with_run(&installed);
    installed.ifup("-a").quiet();
    settle();
    assert_up(listed);
    assert_eq!(installed.ifnetlink("check").quiet().stdout, "");
    let up = State::with_run(&installed);
    // The stock executors report errors for objects that exist already.
    installed.ifup("-f eth0 eth1 red br0");
    settle();
    assert_up(listed);
    assert_eq!(installed.ifnetlink("check").quiet().stdout, "");
    up.assert_same(&State::with_run(&installed), "after ifup -f");
    before.assert_after_ifdown(&installed);
}

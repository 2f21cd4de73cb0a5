//! Edits that need no `--disruptive`: whatever an edit does not name loses no packet.

use super::trial;
use crate::ifupdown::{Executors, Ifupdown, Shell, Version};
use crate::lab::{Netns, command, settle};
use crate::matrix;
use crate::probe::ping;
use crate::windows::prober::{Prober, Stream};
use crate::windows::setups::namespace;
use libtest_mimic::Trial;
use std::thread::sleep;
use std::time::Duration;

/// A VRF with two members, a bridge with VLANs, a VLAN on it, and a namespace with a veth pair.
const FILE: &str = "\
auto red
iface red
    vrf-table 10
    vrf-rules yes

auto eth0
iface eth0
    vrf-member red
    address 192.0.2.1/24
    address 2001:db8:1::1/64

auto eth1
iface eth1
    vrf-member red
    address 198.51.100.1/24
    address 2001:db8:2::1/64

auto br0
iface br0
    bridge-ports eth2 eth3
    bridge-stp off
    bridge-fd 0
    bridge-maxwait 0
    bridge-vlan-filtering yes
    bridge-vlan 10

auto eth2
iface eth2
    bridge-vlan 10 pvid untagged

auto eth3
iface eth3
    bridge-vlan 10 pvid untagged

auto br0.10
iface br0.10
    address 10.0.10.1/24

auto veth0
iface veth0
    veth-peer p0
    veth-peer-netns one
    veth-peer-address 10.0.5.2/24
    address 10.0.5.1/24
";

/// What is replaced in the file, one after the other, and by what. Each thing is added, changed and removed. The first
/// ones are those of the short form.
const CHANGES: &[(&str, &str)] = &[
    ("iface eth2\n    bridge-vlan 10 pvid untagged\n", "iface eth2\n    bridge-vlan 10 pvid untagged, 20\n"),
    ("    vrf-rules yes\n", "    vrf-rules yes\n    vrf-rules-unreachable 1900\n"),
    ("untagged, 20\n", "untagged, 30-40\n"),
    ("unreachable 1900\n", "unreachable 1800\n"),
    ("untagged, 30-40\n", "untagged\n"),
    ("    vrf-rules-unreachable 1800\n", ""),
    ("    vrf-rules yes\n", "    vrf-rules jump\n"),
    ("    vrf-rules jump\n", "    vrf-rules yes\n    vrf-accept udp\n"),
    ("    vrf-accept udp\n", "    vrf-accept tcp raw\n"),
    ("    vrf-accept tcp raw\n", ""),
    (
        "/24\n    address 2001:db8:2",
        "/24\n    vrf-route 10.9.0.0/16 via 198.51.100.2\n    address 2001:db8:2",
    ),
    ("vrf-route 10.9.0.0/16", "vrf-route 10.8.0.0/16 via 198.51.100.3, 10.9.0.0/16"),
    ("    vrf-route 10.8.0.0/16 via 198.51.100.3, 10.9.0.0/16 via 198.51.100.2\n", ""),
    (
        "    address 2001:db8:1",
        "    address 192.0.3.1/24\n    address 2001:db8:3::1/64\n    address 2001:db8:1",
    ),
    ("192.0.3.1/24\n    address 2001:db8:3", "192.0.3.2/24\n    address 2001:db8:4"),
    ("    address 192.0.3.2/24\n    address 2001:db8:4::1/64\n", ""),
    ("    bridge-fd 0\n", "    bridge-fd 0\n    bridge-ageing 100\n    bridge-hello 4\n"),
    ("ageing 100\n    bridge-hello 4\n", "ageing 200\n    bridge-hello 3\n"),
    ("    bridge-ageing 200\n    bridge-hello 3\n", ""),
    ("    veth-peer-address", "    veth-peer-route 10.9.0.0/16 via 10.0.5.1\n    veth-peer-address"),
    ("route 10.9.0.0/16 via 10.0.5.1", "route unreachable 10.8.0.0/16"),
    ("    veth-peer-route unreachable 10.8.0.0/16\n", "    alias trunk\n"),
    ("    alias trunk\n", ""),
    ("auto br0.10\n", "auto br1\niface br1\n    bridge-ports eth4\n    bridge-maxwait 0\n\nauto br0.10\n"),
    ("bridge-ports eth4\n", "bridge-ports eth4 eth5\n"),
    ("auto br1\niface br1\n    bridge-ports eth4 eth5\n    bridge-maxwait 0\n\n", ""),
];

pub fn tests() -> Vec<Trial> {
    let tests = Version::ALL.map(|version| {
        let ifupdown = Ifupdown { version, executors: Executors::Replaced, shell: Shell::Dash };
        trial("apply-unharmed", ifupdown, unharmed)
    });
    tests.into()
}

/// Who sends to whom: through the VRF, through the bridge, over the VLAN on it, and into the namespace.
fn streams<'a>(hosts: &'a [Netns], here: &'a Netns, one: &'a Netns) -> Vec<Stream<'a>> {
    vec![
        Stream::kept(&hosts[0], "198.51.100.2", &hosts[1]),
        Stream::kept(&hosts[1], "2001:db8:1::2", &hosts[0]),
        Stream::kept(&hosts[2], "10.0.10.3", &hosts[3]),
        Stream::kept(&hosts[3], "10.0.10.1", here),
        Stream::kept(here, "10.0.5.2", one),
        Stream::kept(one, "10.0.5.1", here),
    ]
}

fn unharmed(ifupdown: Ifupdown) {
    let here = Netns::current();
    let hosts = Netns::all_beside(&["eth0", "eth1", "eth2", "eth3", "eth4", "eth5"], "eth0", false);
    for (host, addresses, gateways) in [
        (&hosts[0], ["192.0.2.2/24", "2001:db8:1::2/64"], ["192.0.2.1", "2001:db8:1::1"]),
        (&hosts[1], ["198.51.100.2/24", "2001:db8:2::2/64"], ["198.51.100.1", "2001:db8:2::1"]),
    ] {
        let added = addresses.map(|address| format!("addr add {address} dev eth0 nodad"));
        let routed = gateways.map(|gateway| format!("route add default via {gateway}"));
        host.ip_batch(&added.iter().chain(&routed).map(String::as_str).collect::<Vec<_>>());
    }
    hosts[2].ip("addr add 10.0.10.2/24 dev eth0");
    hosts[3].ip("addr add 10.0.10.3/24 dev eth0");
    command("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1").ok();
    let installed = ifupdown.install(FILE);
    let one = namespace(&installed, "one");
    installed.ifnetlink("apply").quiet();
    settle();
    // The neighbours are known before the first packet.
    for (from, to) in [
        (&hosts[0], "198.51.100.2"),
        (&hosts[1], "2001:db8:1::2"),
        (&hosts[2], "10.0.10.3"),
        (&hosts[3], "10.0.10.1"),
        (&here, "10.0.5.2"),
    ] {
        from.within(|| ping(to, None)).unwrap_or_else(|error| panic!("{to}: {error}"));
    }
    let prober = Prober::start(&streams(&hosts, &here, &one), &[]);
    let mut file = FILE.to_owned();
    for (old, new) in &CHANGES[..matrix::count(CHANGES.len(), 4)] {
        assert!(file.contains(old), "{old}");
        file = file.replacen(old, new, 1);
        installed.interfaces(&file);
        let ran = installed.ifnetlink("apply").quiet();
        assert_ne!(ran.stdout, "", "{old} to {new}");
    }
    let outcome = prober.stop();
    assert_eq!(installed.ifnetlink("check").quiet().stdout, "");
    let least = if matrix::is_whole() { 1000 } else { 200 };
    assert!(outcome.lost == 0 && outcome.sent > least, "{outcome:#?}");
    // A loss would have been seen. Not by a link that goes down: the kernel then keeps packets until it finds the
    // neighbour again.
    let prober = Prober::start(&streams(&hosts, &here, &one), &[]);
    command("bridge vlan del vid 10 dev eth2").ok();
    sleep(Duration::from_millis(500));
    command("bridge vlan add vid 10 dev eth2 pvid untagged").ok();
    assert_ne!(prober.stop().lost, 0);
}

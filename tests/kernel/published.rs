//! Interfaces files as people publish them, rewritten: Cumulus Linux, Proxmox VE, Alpine, Debian, hosted servers and
//! OpenWrt. Each goes up, is checked with `ip`, `bridge` and ping, goes up again without a change, and goes down
//! without leaving anything.

use crate::bridges::vlans;
use crate::examples::cards;
use crate::features::{Feature, needs};
use crate::ifupdown::{Executors, Ifupdown, Installed, Shell, Version};
use crate::lab::{Netns, command, in_lab, ip, ip_json, settle, wait_until};
use crate::probe::ping;
use crate::state::State;
use libtest_mimic::Trial;

/// A published file, with cards `eth0` to `eth3`, and what must be true while it is up.
struct Published {
    name: &'static str,
    interfaces: &'static str,
    /// Gets the hosts behind the cards, which have no addresses yet.
    seen: fn(&[Netns], &Installed),
}

const ALL: [Published; 11] = [
    Published { name: "cumulus-management", interfaces: CUMULUS_MANAGEMENT, seen: cumulus_management },
    Published { name: "cumulus-switch", interfaces: CUMULUS_SWITCH, seen: cumulus_switch },
    Published { name: "cumulus-evpn", interfaces: CUMULUS_EVPN, seen: cumulus_evpn },
    Published { name: "vrf-lite", interfaces: VRF_LITE, seen: vrf_lite },
    Published { name: "proxmox", interfaces: PROXMOX, seen: proxmox },
    Published { name: "proxmox-bond", interfaces: PROXMOX_BOND, seen: proxmox_bond },
    Published { name: "debian-bridges", interfaces: DEBIAN_BRIDGES, seen: debian_bridges },
    Published { name: "alpine", interfaces: ALPINE, seen: alpine },
    Published { name: "hosted-routed", interfaces: HOSTED_ROUTED, seen: hosted_routed },
    Published { name: "openwrt", interfaces: OPENWRT, seen: openwrt },
    Published { name: "wireguard", interfaces: WIREGUARD, seen: wireguard },
];

pub fn tests() -> Vec<Trial> {
    let mut tests = Vec::new();
    for published in &ALL {
        for version in Version::ALL {
            let ifupdown = Ifupdown { version, executors: Executors::Replaced, shell: Shell::Dash };
            let needed = [Feature::Vrf, Feature::Vlan, Feature::Roots];
            let name = format!("published/{}/{version:?}", published.name);
            tests.push(needs(&needed, name, move || in_lab(|| try_out(published, ifupdown))));
        }
    }
    tests
}

fn try_out(published: &Published, ifupdown: Ifupdown) {
    let hosts = cards();
    let installed = ifupdown.install(published.interfaces);
    let before = State::with_run(&installed);
    installed.ifup("-a").quiet();
    settle();
    (published.seen)(&hosts, &installed);
    settle();
    let up = State::with_run(&installed);
    installed.ifup("-a").quiet();
    assert_eq!(installed.ifnetlink("check").quiet().stdout, "");
    up.assert_same(&State::with_run(&installed), "after a second ifup -a and ifnetlink check");
    before.assert_after_ifdown(&installed);
}

/// What `ip -j link` shows of a link as its master, or nothing.
fn master(link: &str) -> String {
    let shown = ip_json(&format!("link show {link}"));
    shown[0]["master"].as_str().unwrap_or_default().to_owned()
}

/// Gives the host behind a card addresses: on its card, or on a link for a VLAN.
fn give(host: &Netns, vlan: Option<u16>, addresses: &[&str]) {
    let link = vlan.map_or_else(|| "eth0".to_owned(), |vlan| format!("eth0.{vlan}"));
    if let Some(vlan) = vlan {
        host.ip(&format!("link add link eth0 name {link} up type vlan id {vlan}"));
    }
    for address in addresses {
        let nodad = if address.contains(':') { "nodad" } else { "" };
        host.ip(&format!("addr add {address} dev {link} {nodad}"));
    }
}

/// The default route of a VRF, or of the table main: its gateway and its device.
fn default_route(words: &str) -> (String, String) {
    let routes = ip_json(&format!("route show default {words}"));
    assert_eq!(routes.len(), 1, "{routes:?}");
    let text = |key: &str| routes[0][key].as_str().unwrap_or_default().to_owned();
    (text("gateway"), text("dev"))
}

fn reached(from: &Netns, to: &str) {
    from.within(|| ping(to, None)).unwrap_or_else(|error| panic!("{to}: {error}"));
}

fn not_reached(from: &Netns, to: &str) {
    assert!(from.within(|| ping(to, None)).is_err(), "{to} answers");
}

const CUMULUS_MANAGEMENT: &str = "auto lo
iface lo inet loopback
    address 192.0.2.255/32

# The out-of-band network.
auto mgmt
iface mgmt
    address 127.0.0.1/8
    address ::1/128
    vrf-table auto
    vrf-rules yes

auto eth0
iface eth0
    vrf mgmt
    address 10.20.30.40/24
    gateway 10.20.30.1

auto eth1
iface eth1
    address 192.0.2.10/24
    gateway 192.0.2.1
";

fn cumulus_management(hosts: &[Netns], _: &Installed) {
    give(&hosts[0], None, &["10.20.30.1/24", "198.51.100.1/32"]);
    give(&hosts[1], None, &["192.0.2.1/24", "203.0.113.1/32"]);
    assert_eq!(master("eth0"), "mgmt");
    assert_eq!(default_route("vrf mgmt"), ("10.20.30.1".into(), "eth0".into()));
    assert_eq!(default_route("table main"), ("192.0.2.1".into(), "eth1".into()));
    let vrf = ip_json("-d link show mgmt");
    assert_eq!(vrf[0]["linkinfo"]["info_data"]["table"], 1001);
    ping("127.0.0.1", Some("mgmt")).expect("its own loopback address");
    ping("198.51.100.1", Some("mgmt")).expect("by the gateway of the VRF");
    ping("203.0.113.1", None).expect("by the gateway of the host");
    reached(&hosts[1], "192.0.2.10");
    ping("203.0.113.1", Some("mgmt")).expect_err("by the gateway of the host");
}

const CUMULUS_SWITCH: &str = "auto eth0
iface eth0
    bridge-access 10
    mstpctl-portadminedge yes
    mstpctl-bpduguard yes

auto eth1
iface eth1
    bridge-access 20

auto eth2
iface eth2
    bridge-vids 10 20 30
    bridge-pvid 99

auto br0
iface br0
    bridge-ports eth0 eth1 eth2
    bridge-vlan-aware yes
    bridge-vids 10 20 30
    bridge-pvid 1
    bridge-stp on

auto tenant1
iface tenant1
    vrf-table 1001
    vrf-rules yes

auto tenant2
iface tenant2
    vrf-table 1002
    vrf-rules yes

auto br0.10
iface br0.10
    vrf tenant1
    address 10.1.10.1/24
    address 2001:db8:10::1/64

auto vlan20
iface vlan20
    vlan-id 20
    vlan-raw-device br0
    vrf tenant2
    address 10.1.20.1/24

auto vlan30
iface vlan30
    vlan-id 30
    vlan-raw-device br0
    vrf tenant2
    hwaddress 02:00:00:00:30:01
    address 10.1.30.1/24

auto eth3
iface eth3
    address 192.0.2.1/24
";

fn cumulus_switch(hosts: &[Netns], _: &Installed) {
    command("sysctl -qw net.ipv4.ip_forward=1").ok();
    give(&hosts[0], None, &["10.1.10.10/24", "2001:db8:10::10/64"]);
    give(&hosts[1], None, &["10.1.20.10/24"]);
    give(&hosts[2], Some(10), &["10.1.10.11/24"]);
    give(&hosts[2], Some(30), &["10.1.30.11/24"]);
    give(&hosts[3], None, &["192.0.2.3/24"]);
    hosts[0].ip("route add default via 10.1.10.1");
    hosts[1].ip("route add default via 10.1.20.1");
    hosts[2].ip("route add 10.1.20.0/24 via 10.1.30.1");
    hosts[3].ip("route add default via 192.0.2.1");
    assert_eq!(vlans("eth0"), ["10 PVID Egress Untagged"]);
    assert_eq!(vlans("eth1"), ["20 PVID Egress Untagged"]);
    assert_eq!(vlans("eth2"), ["10", "20", "30", "99 PVID Egress Untagged"]);
    assert_eq!(vlans("br0"), ["1 PVID Egress Untagged", "10", "20", "30"]);
    for (link, vrf) in [("br0.10", "tenant1"), ("vlan20", "tenant2"), ("vlan30", "tenant2")] {
        assert_eq!(master(link), vrf, "{link}");
    }
    assert_eq!(ip_json("link show vlan30")[0]["address"], "02:00:00:00:30:01");
    reached(&hosts[0], "10.1.10.1");
    reached(&hosts[0], "2001:db8:10::1");
    reached(&hosts[0], "10.1.10.11");
    // Routed within a tenant.
    reached(&hosts[1], "10.1.30.11");
    for (from, to) in
        [(0, "10.1.20.1"), (0, "10.1.20.10"), (0, "192.0.2.1"), (0, "192.0.2.3"), (1, "10.1.10.10")]
    {
        not_reached(&hosts[from], to);
    }
    for to in ["10.1.10.1", "10.1.10.10", "10.1.20.10"] {
        not_reached(&hosts[3], to);
    }
    command("sysctl -qw net.ipv4.ip_forward=0").ok();
}

const CUMULUS_EVPN: &str = "auto lo
iface lo inet loopback
    address 10.0.0.11/32
    vxlan-local-tunnelip 10.0.0.11

auto eth3
iface eth3
    address 10.255.0.11/24

auto vni10
iface vni10
    requires lo
    vxlan-id 10010
    vxlan-local-tunnelip 10.0.0.11
    vxlan-learning off
    bridge-access 10
    bridge-learning off
    bridge-arp-nd-suppress on
    mstpctl-portbpdufilter yes
    mstpctl-bpduguard yes
    mtu 1450

auto vni4001
iface vni4001
    vxlan-id 104001
    vxlan-local-tunnelip 10.0.0.11
    vxlan-learning off
    bridge-access 4001
    bridge-learning off

auto eth0
iface eth0
    bridge-access 10

auto bridge
iface bridge
    bridge-ports eth0 vni10 vni4001
    bridge-vlan-aware yes
    bridge-vids 10 4001
    bridge-default-pvid none
    bridge-stp off

auto tenant1
iface tenant1
    vrf-table 1001

auto vlan10
iface vlan10
    alias servers
    vlan-id 10
    vlan-raw-device bridge
    vrf tenant1
    address 10.1.10.1/24

auto vlan4001
iface vlan4001
    vlan-id 4001
    vlan-raw-device bridge
    hwaddress 44:38:39:ff:40:94
    vrf tenant1
";

fn cumulus_evpn(hosts: &[Netns], _: &Installed) {
    const REMOTE: &str = "02:00:00:00:09:02";
    give(&hosts[0], None, &["10.1.10.10/24"]);
    let other = &hosts[3];
    give(other, None, &["10.255.0.12/24"]);
    for words in [
        "addr add 10.0.0.12/32 dev lo",
        "route add 10.0.0.11 via 10.255.0.11 src 10.0.0.12",
        "link add vx type vxlan id 10010 local 10.0.0.12 remote 10.0.0.11 dstport 4789",
        &format!("link set vx address {REMOTE} mtu 1450 up"),
        "addr add 10.1.10.20/24 dev vx",
    ] {
        other.ip(words);
    }
    assert_eq!(vlans("vni10"), ["10 PVID Egress Untagged"]);
    assert_eq!(vlans("vni4001"), ["4001 PVID Egress Untagged"]);
    assert_eq!(vlans("bridge"), ["10", "4001"]);
    assert_eq!((master("vlan10"), master("vlan4001")), ("tenant1".into(), "tenant1".into()));
    let port = ip_json("-d link show vni10");
    let port = &port[0]["linkinfo"];
    assert_eq!(port["info_data"]["learning"], false, "{port}");
    let slave = &port["info_slave_data"];
    assert_eq!((&slave["learning"], &slave["neigh_suppress"]), (&false.into(), &true.into()), "{slave}");
    // As a routing daemon does.
    ip("route add 10.0.0.12 via 10.255.0.12 src 10.0.0.11");
    command(&format!("bridge fdb add {REMOTE} dev vni10 master static vlan 10")).ok();
    command(&format!("bridge fdb add {REMOTE} dev vni10 self dst 10.0.0.12")).ok();
    command("bridge fdb append 00:00:00:00:00:00 dev vni10 self dst 10.0.0.12").ok();
    reached(&hosts[0], "10.1.10.1");
    reached(&hosts[0], "10.1.10.20");
    ping("10.1.10.20", Some("tenant1")).expect("from the VRF through the tunnel");
    ping("10.1.10.10", None).expect_err("from outside the VRF");
    // `ifdown` keeps the routes of a daemon.
    ip("route del 10.0.0.12");
}

const VRF_LITE: &str = "auto red
iface red
    vrf-table 10
    vrf-rules jump
    vrf-route unreachable default metric 4278198272

auto blue
iface blue
    vrf-table 20
    vrf-rules jump
    vrf-route unreachable default metric 4278198272

auto eth0
iface eth0 inet manual

# The same addresses in both.
auto eth0.10
iface eth0.10
    vrf-member red
    address 10.0.0.1/24
    gateway 10.0.0.254

auto eth0.20
iface eth0.20
    vrf-member blue
    address 10.0.0.1/24
    gateway 10.0.0.253

auto eth1
iface eth1
    address 192.0.2.1/24
    gateway 192.0.2.254
";

fn vrf_lite(hosts: &[Netns], _: &Installed) {
    give(&hosts[0], Some(10), &["10.0.0.254/24", "198.51.100.10/32"]);
    give(&hosts[1], None, &["192.0.2.254/24", "198.51.100.1/32"]);
    // The other end of the second VLAN is a separate host.
    let second = Netns::new();
    hosts[0].within(|| {
        ip("link add link eth0 name eth0.20 type vlan id 20");
        second.join("to20", "eth0");
        ip("link add name br20 up type bridge");
        for port in ["eth0.20", "to20"] {
            ip(&format!("link set {port} up master br20"));
        }
    });
    give(&second, None, &["10.0.0.253/24", "198.51.100.20/32"]);
    assert_eq!(default_route("vrf blue metric 1"), ("10.0.0.253".into(), "eth0.20".into()));
    for (to, vrf) in [("198.51.100.10", Some("red")), ("198.51.100.20", Some("blue")), ("198.51.100.1", None)]
    {
        ping(to, vrf).unwrap_or_else(|error| panic!("{to} from {vrf:?}: {error}"));
        for other in [Some("red"), Some("blue"), None].into_iter().filter(|other| *other != vrf) {
            ping(to, other).expect_err(&format!("{to} from {other:?}"));
        }
    }
    reached(&hosts[0], "10.0.0.1");
    reached(&second, "10.0.0.1");
}

const PROXMOX: &str = "auto lo
iface lo inet loopback

iface eth0 inet manual

auto vmbr0
iface vmbr0 inet static
\taddress 192.0.2.2/24
\tgateway 192.0.2.1
\tbridge-ports eth0
\tbridge-stp off
\tbridge-fd 0
\tbridge-vlan-aware yes
\tbridge-vids 2-4094
#The host itself, and its guests

auto vmbr0.50
iface vmbr0.50 inet static
\taddress 10.50.0.2/24
\tmtu 1400

auto vmbr1
iface vmbr1 inet manual
\tbridge-ports none
\tbridge-stp off
\tbridge-fd 0
";

/// The link of a guest, created and put into a VLAN of the bridge as a hypervisor does.
fn guest(name: &str, bridge: &str, vlan: u16) -> Netns {
    let guest = Netns::beside(name, "eth0");
    ip(&format!("link set {name} master {bridge}"));
    for words in ["del vid 1-4094", &format!("add vid {vlan} pvid untagged")] {
        command(&format!("bridge vlan {words} dev {name}")).ok();
    }
    guest
}

fn proxmox(hosts: &[Netns], installed: &Installed) {
    give(&hosts[0], None, &["192.0.2.1/24", "203.0.113.1/32"]);
    give(&hosts[0], Some(50), &["10.50.0.1/24"]);
    give(&hosts[0], Some(77), &["10.77.0.1/24"]);
    assert_eq!(default_route("table main"), ("192.0.2.1".into(), "vmbr0".into()));
    let mut all = vec!["1 PVID Egress Untagged".to_owned()];
    all.extend((2..=4094).map(|vlan| vlan.to_string()));
    assert_eq!(vlans("eth0"), all);
    let bridge = ip_json("-d link show vmbr0");
    assert_eq!(bridge[0]["linkinfo"]["info_data"]["forward_delay"], 0);
    assert_eq!(ip_json("link show vmbr0.50")[0]["mtu"], 1400);
    assert!(ip_json("link show master vmbr1").is_empty());
    ping("203.0.113.1", None).expect("by the gateway");
    ping("10.50.0.1", None).expect("in VLAN 50");
    let (first, second) = (guest("veth100i0", "vmbr0", 77), guest("tap101i0", "vmbr0", 50));
    give(&first, None, &["10.77.0.100/24"]);
    give(&second, None, &["10.50.0.101/24"]);
    settle();
    // Neither ifup nor ifnetlink changes the ports of guests.
    let with_guests = State::with_run(installed);
    let vlans_of_guests = command("bridge vlan show").ok().stdout;
    installed.ifup("-a").quiet();
    assert_eq!(installed.ifnetlink("check").quiet().stdout, "");
    with_guests.assert_same(&State::with_run(installed), "with guests");
    assert_eq!(command("bridge vlan show").ok().stdout, vlans_of_guests);
    reached(&first, "10.77.0.1");
    reached(&second, "10.50.0.1");
    reached(&second, "10.50.0.2");
    second.ip("addr add 10.77.0.101/24 dev eth0");
    not_reached(&second, "10.77.0.1");
    for name in ["veth100i0", "tap101i0"] {
        ip(&format!("link del {name}"));
    }
}

const PROXMOX_BOND: &str = "auto lo
iface lo inet loopback

iface eth0 inet manual

iface eth1 inet manual

auto bond0
iface bond0 inet manual
\tbond-slaves eth0 eth1
\tbond-miimon 100
\tbond-mode active-backup

auto vmbr0
iface vmbr0 inet static
\taddress 192.0.2.2/24
\tgateway 192.0.2.1
\tbridge-ports bond0
\tbridge-stp off
\tbridge-fd 0
\tbridge-vlan-aware yes
\tbridge-vids 2-4094

auto storage
iface storage inet static
\taddress 10.40.0.2/24
\tvlan-id 40
\tvlan-raw-device vmbr0
";

fn proxmox_bond(hosts: &[Netns], _: &Installed) {
    // Both cards lead to one switch.
    let switch = &hosts[0];
    switch.within(|| {
        hosts[1].join("second", "to-first");
        ip("link add name sw type bridge");
        ip("link set sw up");
        for port in ["eth0", "second"] {
            ip(&format!("link set {port} master sw"));
        }
        ip("link add link sw name sw.40 up type vlan id 40");
        for (address, link) in [("192.0.2.1/24", "sw"), ("10.40.0.1/24", "sw.40")] {
            ip(&format!("addr add {address} dev {link}"));
        }
    });
    hosts[1].within(|| {
        ip("link add name sw up type bridge");
        for port in ["eth0", "to-first"] {
            ip(&format!("link set {port} master sw"));
        }
    });
    for (link, above) in [("eth0", "bond0"), ("eth1", "bond0"), ("bond0", "vmbr0")] {
        assert_eq!(master(link), above, "{link}");
    }
    let bond = ip_json("-d link show bond0");
    assert_eq!(bond[0]["linkinfo"]["info_data"]["mode"], "active-backup");
    ping("192.0.2.1", None).expect("over the bond");
    ping("10.40.0.1", None).expect("in VLAN 40, over the bond");
    let active = || {
        let bond = ip_json("-d link show bond0");
        bond[0]["linkinfo"]["info_data"]["active_slave"].as_str().unwrap_or_default().to_owned()
    };
    let first = active();
    ip(&format!("link set {first} down"));
    wait_until("the other card is in use", || ![String::new(), first.clone()].contains(&active()));
    // A switch learns from the first frame.
    wait_until("the other card carries frames", || ping("192.0.2.1", None).is_ok());
    ip(&format!("link set {first} up"));
}

const DEBIAN_BRIDGES: &str = "# One bridge a VLAN, as before there was VLAN filtering.
auto lo
iface lo inet loopback

auto eth0
iface eth0 inet manual
    up ip link set $IFACE promisc on
    down ip link set $IFACE promisc off

auto eth0.10
iface eth0.10 inet manual

auto br10
iface br10 inet static
    bridge-ports eth0.10 eth1
    bridge-waitport 0
    bridge-maxwait 0
    bridge-fd 2
    address 10.10.0.1
    netmask 255.255.255.0

auto eth0.20
iface eth0.20 inet manual

auto br20
iface br20 inet static
    bridge-ports eth0.20 eth2
    bridge-stp off
    bridge-waitport 0
    bridge-fd 0
    address 10.20.0.1/24
    mtu 1400
iface br20 inet6 static
    address fd00:20::1
    netmask 64
";

fn debian_bridges(hosts: &[Netns], _: &Installed) {
    give(&hosts[0], Some(10), &["10.10.0.10/24"]);
    give(&hosts[0], Some(20), &["10.20.0.10/24", "fd00:20::10/64"]);
    give(&hosts[1], None, &["10.10.0.11/24"]);
    give(&hosts[2], None, &["10.20.0.12/24", "fd00:20::12/64"]);
    for (link, above) in [("eth0.10", "br10"), ("eth1", "br10"), ("eth0.20", "br20"), ("eth2", "br20")] {
        assert_eq!(master(link), above, "{link}");
    }
    assert_eq!(ip_json("link show br20")[0]["mtu"], 1400);
    assert_eq!(ip_json("-4 addr show br10")[0]["addr_info"][0]["prefixlen"], 24);
    reached(&hosts[0], "10.10.0.1");
    reached(&hosts[0], "10.10.0.11");
    reached(&hosts[0], "10.20.0.12");
    reached(&hosts[2], "fd00:20::1");
    reached(&hosts[2], "fd00:20::10");
    hosts[2].ip("addr add 10.10.0.12/24 dev eth0");
    not_reached(&hosts[2], "10.10.0.11");
}

const ALPINE: &str = "auto lo
iface lo

auto blue
iface blue
\tvrf-table 1234
\tvrf-rules yes
\tvrf-accept tcp udp

auto eth0
iface eth0
\tvrf-member blue
\taddress 203.0.113.2/24
\taddress 2001:db8::2/64
\tgateway 203.0.113.1
\tgateway 2001:db8::1

auto eth1
iface eth1
\taddress 192.0.2.2/24
\tgateway 192.0.2.1

auto eth2
iface eth2
\tuse netns
\tnetns lab
\tnetns-address 198.51.100.2/24
\tnetns-gateway 198.51.100.1
\tnetns-sysctl net.ipv4.ip_forward=1

auto veth-lab
iface veth-lab
\taddress 10.99.0.1/30
\tveth-peer uplink
\tveth-peer-netns lab
\tveth-peer-address 10.99.0.2/30
";

fn alpine(hosts: &[Netns], installed: &Installed) {
    give(&hosts[0], None, &["203.0.113.1/24", "2001:db8::1/64", "10.1.1.1/32"]);
    give(&hosts[1], None, &["192.0.2.1/24", "10.1.1.2/32"]);
    give(&hosts[2], None, &["198.51.100.1/24", "10.1.1.3/32"]);
    assert_eq!(master("eth0"), "blue");
    assert_eq!(default_route("vrf blue"), ("203.0.113.1".into(), "eth0".into()));
    assert_eq!(default_route("table main"), ("192.0.2.1".into(), "eth1".into()));
    let lab = Netns::at(&installed.path("/run/netns/lab"));
    assert!(command("ip link show eth2").status != 0);
    lab.within(|| {
        assert_eq!(default_route("table main"), ("198.51.100.1".into(), "eth2".into()));
        assert_eq!(command("sysctl -n net.ipv4.ip_forward").ok().stdout, "1\n");
        ping("10.1.1.3", None).expect("by the gateway of the namespace");
        ping("10.99.0.1", None).expect("the host");
        ping("10.1.1.2", None).expect_err("what is behind the host");
    });
    for (to, vrf) in [("10.1.1.1", Some("blue")), ("10.1.1.2", None), ("2001:db8::1", Some("blue"))] {
        ping(to, vrf).unwrap_or_else(|error| panic!("{to} from {vrf:?}: {error}"));
        let other = if vrf.is_some() { None } else { Some("blue") };
        ping(to, other).expect_err(&format!("{to} from {other:?}"));
    }
    not_reached(&hosts[0], "192.0.2.2");
}

const HOSTED_ROUTED: &str = "auto lo
iface lo inet loopback
iface lo inet6 loopback

auto eth0
iface eth0 inet static
    address 203.0.113.10/32
    pointopoint 203.0.113.1
    gateway 203.0.113.1
    post-up echo 1 >/proc/sys/net/ipv4/ip_forward
    post-down echo 0 >/proc/sys/net/ipv4/ip_forward
iface eth0 inet6 static
    address 2001:db8:1::2/128
    gateway fe80::1

# More addresses of the same server, for its guests.
auto vmbr0
iface vmbr0 inet static
    address 203.0.113.10/32
    bridge-ports none
    bridge-stp off
    bridge-fd 0
    up ip route add 198.51.100.16/29 dev $IFACE
    pre-down ip route del 198.51.100.16/29 dev $IFACE
iface vmbr0 inet6 static
    address 2001:db8:1::3/64

# Guests of a customer with a VRF and an address of his own; the gateway is on no prefix.
auto customer
iface customer
    vrf-table 500
    vrf-rules jump

auto eth1
iface eth1 inet static
    vrf-member customer
    address 192.0.2.77/32
    vrf-route default via 192.0.2.1 dev eth1 onlink

# And one whose address lives in a namespace.
auto eth2
iface eth2
    use netns
    netns tenant
    netns-address 192.0.2.88/32, 2001:db8:2::88/128
    netns-route default via 192.0.2.1 dev eth2 onlink, default via fe80::1 dev eth2
";

fn hosted_routed(hosts: &[Netns], installed: &Installed) {
    give(&hosts[0], None, &["203.0.113.1/32", "fe80::1/64", "100.64.0.1/32", "2001:db8:ffff::1/128"]);
    for words in
        ["route add 203.0.113.10 dev eth0", "route add 198.51.100.16/29 via 203.0.113.10 dev eth0 onlink"]
    {
        hosts[0].ip(words);
    }
    hosts[0].ip("-6 route add 2001:db8:1::/64 dev eth0");
    for (host, address) in [(1, "192.0.2.77"), (2, "192.0.2.88")] {
        give(&hosts[host], None, &["192.0.2.1/32", "fe80::1/64", "100.64.0.1/32", "2001:db8:ffff::1/128"]);
        hosts[host].ip(&format!("route add {address} dev eth0"));
    }
    hosts[2].ip("-6 route add 2001:db8:2::88 dev eth0");
    assert_eq!(default_route("table main"), ("203.0.113.1".into(), "eth0".into()));
    assert_eq!(default_route("vrf customer"), ("192.0.2.1".into(), "eth1".into()));
    ping("100.64.0.1", None).expect("by the gateway");
    ping("2001:db8:ffff::1", None).expect("by the link-local gateway");
    ping("100.64.0.1", Some("customer")).expect("by the gateway of the VRF");
    let tenant = Netns::at(&installed.path("/run/netns/tenant"));
    for to in ["100.64.0.1", "2001:db8:ffff::1"] {
        tenant.within(|| ping(to, None)).unwrap_or_else(|error| panic!("{to}: {error}"));
    }
    let guest = Netns::beside("tap0", "eth0");
    ip("link set tap0 master vmbr0");
    give(&guest, None, &["198.51.100.17/29"]);
    guest.ip("route add default via 203.0.113.10 dev eth0 onlink");
    reached(&guest, "100.64.0.1");
    reached(&hosts[0], "198.51.100.17");
    not_reached(&guest, "192.0.2.77");
    not_reached(&hosts[1], "203.0.113.10");
    ip("link del tap0");
}

const OPENWRT: &str =
    "# lan1 u* 10; lan2 u* 10, t 20; lan3 t 10, t 20, u* 30; wan u* 20: the host is t in 10 and 30.
auto br-lan
iface br-lan
    bridge-ports eth0 eth1 eth2 eth3
    bridge-vlan-filtering yes
    bridge-default-pvid none
    bridge-vlan 10, 30

auto eth0
iface eth0
    bridge-vlan 10 pvid untagged

auto eth1
iface eth1
    bridge-vlan 10 pvid untagged, 20

auto eth2
iface eth2
    bridge-vlan 10, 20, 30 pvid untagged

auto eth3
iface eth3
    bridge-vlan 20 pvid untagged

auto br-lan.10
iface br-lan.10 inet static
    address 192.168.10.1
    netmask 255.255.255.0

auto br-lan.30
iface br-lan.30 inet static
    vrf-member guest
    address 192.168.30.1/24

auto guest
iface guest
    vrf-table 30
    vrf-rules yes
";

fn openwrt(hosts: &[Netns], _: &Installed) {
    give(&hosts[0], None, &["192.168.10.10/24", "192.168.20.10/24", "192.168.30.10/24"]);
    give(&hosts[1], None, &["192.168.10.11/24"]);
    give(&hosts[1], Some(20), &["192.168.20.11/24"]);
    give(&hosts[2], None, &["192.168.30.12/24"]);
    give(&hosts[2], Some(10), &["192.168.10.12/24"]);
    give(&hosts[2], Some(20), &["192.168.20.12/24"]);
    give(&hosts[3], None, &["192.168.20.13/24"]);
    assert_eq!(vlans("eth0"), ["10 PVID Egress Untagged"]);
    assert_eq!(vlans("eth1"), ["10 PVID Egress Untagged", "20"]);
    assert_eq!(vlans("eth2"), ["10", "20", "30 PVID Egress Untagged"]);
    assert_eq!(vlans("eth3"), ["20 PVID Egress Untagged"]);
    assert_eq!(vlans("br-lan"), ["10", "30"]);
    for to in ["192.168.10.1", "192.168.10.11", "192.168.10.12"] {
        reached(&hosts[0], to);
    }
    for to in ["192.168.20.13", "192.168.30.12", "192.168.30.1"] {
        not_reached(&hosts[0], to);
    }
    reached(&hosts[1], "192.168.20.13");
    reached(&hosts[3], "192.168.20.12");
    reached(&hosts[2], "192.168.30.1");
    hosts[2].ip("route add 192.168.11.0/24 via 192.168.30.1");
    assert_eq!((master("br-lan.10"), master("br-lan.30")), (String::new(), "guest".into()));
    // The host's address in VLAN 10 does not answer in the VRF.
    hosts[2].ip("addr del 192.168.10.12/24 dev eth0.10");
    hosts[2].ip("route add 192.168.10.0/24 via 192.168.30.1");
    not_reached(&hosts[2], "192.168.10.1");
}

const WIREGUARD: &str = "auto eth0
iface eth0
    address 192.0.2.2/24

# The tunnel's packets leave by eth0, its inside is in the namespace.
auto wg0
iface wg0
    use netns
    requires eth0
    pre-up ip link add wg0 type wireguard
    netns vpn
    netns-address 10.66.0.2/24, fd00:66::2/64
    netns-route default dev wg0
    post-down ip link del wg0

auto veth-vpn
iface veth-vpn
    address 10.67.0.1/30
    veth-peer eth0
    veth-peer-netns vpn
    veth-peer-address 10.67.0.2/30
";

fn wireguard(hosts: &[Netns], installed: &Installed) {
    give(&hosts[0], None, &["192.0.2.1/24"]);
    assert!(command("ip link show wg0").status != 0);
    let vpn = Netns::at(&installed.path("/run/netns/vpn"));
    vpn.within(|| {
        let link = ip_json("-d link show wg0");
        assert_eq!(link[0]["linkinfo"]["info_kind"], "wireguard");
        assert!(link[0]["flags"].as_array().unwrap().contains(&"UP".into()), "{link:?}");
        assert_eq!(default_route("table main metric 0"), (String::new(), "wg0".into()));
        let addresses = ip("-br addr show dev wg0");
        for address in ["10.66.0.2/24", "fd00:66::2/64"] {
            assert!(addresses.contains(address), "{addresses}");
        }
        ping("10.67.0.1", None).expect("the host by the pair");
        ping("192.0.2.1", None).expect_err("past the tunnel");
    });
    ping("192.0.2.1", None).expect("the card");
}

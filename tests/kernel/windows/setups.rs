//! The setups, and which hosts may never reach which; those with VLANs are in [`stations`](super::stations).

use super::Setup;
use super::prober::{STRAY, Stream, Watch};
use super::stations::stations;
use crate::features::Feature;
use crate::ifupdown::{Ifupdown, Installed, example};
use crate::lab::{Netns, batch, command, ip, ip_batch};
use crate::three_points::routed as points;
use std::process::Command;

/// A function that creates a setup.
pub type Make = fn(Ifupdown) -> Setup;

/// Their names, the features of the kernel that they need, and the functions that create them.
pub const ALL: [(&str, &[Feature], Make); 10] = [
    ("management-vrf", &[Feature::Vrf], management_vrf),
    ("routing-domains", &[Feature::Vrf], routing_domains),
    ("container-segment", &[], container_segment),
    ("guests-isolated", &[Feature::Vrf], guests_isolated),
    ("vlan-access-trunk", &[Feature::Vlan], |ifupdown| stations("vlan-access-trunk", ifupdown)),
    ("vlan-asymmetric", &[Feature::Vlan], |ifupdown| stations("vlan-asymmetric", ifupdown)),
    ("vlan-isolated", &[Feature::Vlan], |ifupdown| stations("vlan-isolated", ifupdown)),
    ("three-points-routed", &[Feature::Vrf, Feature::Vlan], |ifupdown| {
        routed("three-points-routed", ifupdown)
    }),
    ("three-points-routed-nft", &[Feature::Vlan], |ifupdown| routed("three-points-routed-nft", ifupdown)),
    ("vpn-namespace", &[Feature::WireGuard], vpn_namespace),
];

/// The lab itself, and a host behind a card that no stanza names. All packets that nothing stops would leave by this
/// card.
pub fn here_and_beside() -> Vec<Netns> {
    let beside = Netns::beside("other", "eth0");
    ip_batch(&[
        "addr add 192.0.3.1/24 dev other",
        "addr add fd00:3::1/64 dev other nodad",
        "route add default via 192.0.3.2 metric 4000",
        "route add default via fd00:3::2 metric 4000",
    ]);
    beside.ip_batch(&[
        "addr add 192.0.3.2/24 dev eth0",
        "addr add fd00:3::2/64 dev eth0 nodad",
        "route add default via 192.0.3.1",
        "route add default via fd00:3::1",
    ]);
    vec![Netns::current(), beside]
}

/// Streams that no setup affects: the host itself, and its other card.
pub fn others(hosts: &[Netns]) -> Vec<Stream<'_>> {
    let (here, beside) = (&hosts[0], &hosts[1]);
    vec![
        Stream::kept(here, "127.0.0.1", here),
        Stream::kept(here, "::1", here),
        Stream::kept(here, "192.0.3.2", beside),
        Stream::kept(beside, "fd00:3::1", here),
    ]
}

fn addresses(host: &Netns, addresses: [&str; 2], gateways: [&str; 2]) {
    let mut lines = Vec::new();
    for (address, gateway) in addresses.into_iter().zip(gateways) {
        let nodad = if address.contains(':') { "nodad" } else { "" };
        lines.push(format!("addr add {address} dev eth0 {nodad}"));
        if !gateway.is_empty() {
            lines.push(format!("route add default via {gateway}"));
        }
    }
    host.ip_batch(&lines.iter().map(String::as_str).collect::<Vec<_>>());
}

/// The neighbours that this namespace knows without asking, wherever the link exists.
pub fn knows(host: &Netns, link: &str, mac: &str, neighbours: [&str; 2]) {
    let lines = neighbours
        .map(|neighbour| format!("neigh replace {neighbour} lladdr {mac} dev {link} nud permanent"));
    host.within(|| {
        let mut ip = Command::new("ip");
        batch(ip.args(["-force", "-batch"]), &lines.each_ref().map(String::as_str))
    });
}

fn forward() {
    command("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1").ok();
}

/// A namespace that exists all the time, so that a process in it can send all the time.
pub fn namespace(installed: &Installed, name: &str) -> Netns {
    command(&format!("chroot {} ip netns add {name}", installed.path("/").display())).ok();
    let namespace = Netns::at(&installed.path("/run/netns").join(name));
    namespace.ip("link set lo up");
    namespace.within(|| command("sysctl -qw net.ipv6.conf.default.accept_dad=0").ok());
    namespace
}

/// A process that is bound to the VRF reaches neither hosts beyond the LAN nor an address of the host outside the VRF.
fn management_vrf(ifupdown: Ifupdown) -> Setup {
    let outside = crate::management_vrf::outside();
    let mut hosts = here_and_beside();
    hosts.extend([outside.gateway, outside.lan, outside.switch]);
    Setup {
        installed: ifupdown.install(&example("management-vrf")),
        hosts,
        always: |hosts| {
            let bound = |to| Stream::forbidden(&hosts[0], to).bound_to("vrf-management");
            let forbidden = ["8.8.8.8", "2001:db8:8::8", "192.0.3.1", "fd00:3::1"].map(bound);
            [others(hosts), forbidden.to_vec()].concat()
        },
        while_up: |hosts| {
            vec![
                Stream::kept(&hosts[0], "10.20.30.7", &hosts[3]).bound_to("vrf-management"),
                Stream::kept(&hosts[0], "fd00:30::7", &hosts[3]).bound_to("vrf-management"),
                Stream::kept(&hosts[3], "10.20.30.40", &hosts[0]),
                Stream::kept(&hosts[0], "10.20.30.1", &hosts[2]),
            ]
        },
        watches: |hosts| {
            [(0, "any"), (1, "eth0"), (2, "eth0")]
                .map(|(at, link)| Watch { at: &hosts[at], link, filter: STRAY })
                .to_vec()
        },
        siblings: "",
        is_brief: false,
        tell: |_| (),
        open: |_| {
            for family in ["-4", "-6"] {
                ip(&format!("{family} rule del pref 2000"));
            }
            // Beyond the gateway are more addresses than those it answers for; packets to the others leave by the other
            // card.
            ip("route add 8.8.8.0/24 via 192.0.3.2 metric 1");
        },
    }
}

/// Packets from `hostile` reach neither `private` nor the outside.
fn routing_domains(ifupdown: Ifupdown) -> Setup {
    let outside = crate::routing_domains::outside();
    let mut hosts = here_and_beside();
    forward();
    let installed = ifupdown.install(&example("routing-domains"));
    hosts.extend([outside, namespace(&installed, "private"), namespace(&installed, "hostile")]);
    Setup {
        installed,
        hosts,
        always: |hosts| {
            let hostile = |to| Stream::forbidden(&hosts[4], to);
            let forbidden = ["10.30.0.2", "fd00:30::2", "192.0.2.20", "192.0.3.2", "fd00:3::2"].map(hostile);
            [others(hosts), forbidden.to_vec()].concat()
        },
        while_up: |hosts| {
            vec![
                Stream::kept(&hosts[3], "192.0.2.20", &hosts[2]),
                Stream::kept(&hosts[2], "10.30.0.2", &hosts[3]),
                Stream::kept(&hosts[3], "fd00:30::1", &hosts[0]),
            ]
        },
        watches: |hosts| {
            [(1, "eth0", FROM_HOSTILE), (2, "eth0", STRAY), (3, "any", STRAY)]
                .map(|(at, link, filter)| Watch { at: &hosts[at], link, filter })
                .to_vec()
        },
        siblings: "veth-hostile",
        is_brief: false,
        tell: |hosts| knows(&hosts[4], "veth0", "02:00:00:00:31:01", ["10.31.0.1", "fd00:31::1"]),
        open: |setup| {
            ip("link set veth-hostile nomaster");
            ip("addr add fd00:31::1/64 dev veth-hostile nodad");
            (setup.tell)(&setup.hosts);
        },
    }
}

/// The container reaches only the host, and only its port 80 can be reached.
fn container_segment(ifupdown: Ifupdown) -> Setup {
    let outside = crate::container_segment::outside();
    let mut hosts = here_and_beside();
    forward();
    let installed = ifupdown.install(&example("container-segment"));
    hosts.extend([outside, namespace(&installed, "vm1")]);
    Setup {
        installed,
        hosts,
        always: |hosts| {
            let out =
                ["192.0.2.20", "2001:db8:1::20", "192.0.3.2"].map(|to| Stream::forbidden(&hosts[3], to));
            let into = ["10.10.20.10", "fd00:20::10"].map(|to| Stream::forbidden(&hosts[2], to));
            [others(hosts), out.to_vec(), into.to_vec()].concat()
        },
        while_up: |hosts| {
            vec![
                Stream::kept(&hosts[3], "10.10.20.1", &hosts[0]),
                Stream::kept(&hosts[3], "fd00:20::1", &hosts[0]),
                Stream::kept(&hosts[0], "10.10.20.10", &hosts[3]),
            ]
        },
        watches: |hosts| {
            [(1, "eth0", FROM_CONTAINER), (2, "eth0", STRAY), (3, "any", STRAY)]
                .map(|(at, link, filter)| Watch { at: &hosts[at], link, filter })
                .to_vec()
        },
        siblings: "",
        is_brief: false,
        tell: |hosts| knows(&hosts[3], "eth0", "02:00:00:00:20:01", ["10.10.20.1", "fd00:20::1"]),
        open: |_| {
            command("nft delete table inet container-segment").ok();
        },
    }
}

/// Guests reach each other and the host, but not the LAN.
fn guests_isolated(ifupdown: Ifupdown) -> Setup {
    let mac = "02:00:00:00:10:01";
    let text = example("guests-isolated");
    let interfaces = text.replace("    bridge-ports", &format!("    bridge-hw {mac}\n    bridge-ports"));
    assert_ne!(interfaces, text);
    let cards = crate::examples::cards();
    let mut hosts = here_and_beside();
    forward();
    hosts.extend(cards);
    addresses(&hosts[2], ["192.168.10.11/24", "fd00:10::11/64"], ["192.168.10.1", "fd00:10::1"]);
    addresses(&hosts[3], ["192.168.10.12/24", "fd00:10::12/64"], ["", ""]);
    addresses(&hosts[4], ["192.168.90.5/24", "fd00:90::5/64"], ["192.168.90.1", "fd00:90::1"]);
    knows(&hosts[2], "eth0", mac, ["192.168.10.1", "fd00:10::1"]);
    Setup {
        installed: ifupdown.install(&interfaces),
        hosts,
        always: |hosts| {
            let out = ["192.168.90.5", "fd00:90::5", "192.0.3.2", "fd00:3::2"];
            let into = ["192.168.10.11", "fd00:10::11"];
            let out = out.map(|to| Stream::forbidden(&hosts[2], to));
            let into = into.map(|to| Stream::forbidden(&hosts[4], to));
            [others(hosts), out.to_vec(), into.to_vec()].concat()
        },
        while_up: |hosts| {
            vec![
                Stream::kept(&hosts[2], "192.168.10.12", &hosts[3]),
                Stream::kept(&hosts[3], "fd00:10::11", &hosts[2]),
            ]
        },
        watches: |hosts| {
            [(1, "eth0", FROM_GUEST), (2, "eth0", STRAY), (4, "eth0", STRAY)]
                .map(|(at, link, filter)| Watch { at: &hosts[at], link, filter })
                .to_vec()
        },
        siblings: "eth2",
        is_brief: false,
        tell: |_| (),
        open: |_| {
            ip("link set virbr3 nomaster");
            ip("addr add fd00:10::1/64 dev virbr3 nodad");
        },
    }
}

/// Two points never reach each other by the router between them.
fn routed(name: &str, ifupdown: Ifupdown) -> Setup {
    let installed = ifupdown.install(&example(name));
    let mut hosts = here_and_beside();
    hosts.extend(["netns1", "netns2", "netns3", "netnsX"].map(|name| namespace(&installed, name)));
    Setup {
        installed,
        hosts,
        always: |hosts| {
            let [first, second, _] = points::POINTS;
            let first = first.map(|to| Stream::forbidden(&hosts[3], to));
            let second = second.map(|to| Stream::forbidden(&hosts[2], to));
            [&others(hosts)[..2], &first, &second].concat()
        },
        // A forced ifup moves each link back for a moment.
        while_up: |_| Vec::new(),
        watches: |hosts| [2, 3].map(|at| Watch { at: &hosts[at], link: "any", filter: STRAY }).to_vec(),
        siblings: "",
        is_brief: true,
        tell: |hosts| {
            knows(&hosts[2], "eth0.10", "02:00:00:00:72:01", points::ROUTER[0]);
            knows(&hosts[3], "eth0.20", "02:00:00:00:72:02", points::ROUTER[1]);
        },
        open: |setup| {
            setup.hosts[5].within(|| {
                if command("nft delete table inet three-points").status != 0 {
                    ip_batch(&points::LEAKS);
                }
            });
        },
    }
}

/// A program in the namespace reaches nothing past the tunnel.
fn vpn_namespace(ifupdown: Ifupdown) -> Setup {
    let provider = crate::vpn_namespace::outside();
    let mut hosts = here_and_beside();
    forward();
    let installed = ifupdown.install(&example("vpn-namespace"));
    hosts.extend([provider, namespace(&installed, "vpn")]);
    Setup {
        installed,
        hosts,
        always: |hosts| {
            let out = ["10.66.1.5", "fd00:66:1::5", "8.8.8.8", "2001:db8:8::8", "192.0.3.2", "fd00:3::2"];
            let out = out.map(|to| Stream::forbidden(&hosts[3], to));
            [others(hosts), out.to_vec()].concat()
        },
        // A forced ifup makes the link again.
        while_up: |_| Vec::new(),
        watches: |hosts| [1, 2].map(|at| Watch { at: &hosts[at], link: "eth0", filter: STRAY }).to_vec(),
        siblings: "wg0",
        is_brief: true,
        tell: |_| (),
        open: |setup| crate::vpn_namespace::way_out(&setup.hosts[3]),
    }
}

/// Packets from these addresses that leave by the other card. While the network does not exist, packets to these
/// addresses leave by it as well; the filters leave those out.
const FROM_CONTAINER: &str = "udp dst port 9 and (src host 10.10.20.10 or src host fd00:20::10)";
const FROM_GUEST: &str = "udp dst port 9 and (src host 192.168.10.11 or src host fd00:10::11)";
const FROM_HOSTILE: &str = "udp dst port 9 and (src host 10.31.0.2 or src host fd00:31::2)";

//! A stanza or two for each executor, which together have every kind of step.

use crate::lab::{SCRATCH, command, ip_batch};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// A stanza, what it needs, and what other processes could do meanwhile.
pub struct Scene {
    pub program: &'static str,
    pub iface: &'static str,
    pub keywords: &'static [&'static str],
    /// What must exist before, as arguments of `ip`.
    pub needs: &'static [&'static str],
    /// A phase, what another process does in it, and how that is undone.
    pub rivals: &'static [(&'static str, &'static str, &'static str)],
}

/// No stanza changes its other end.
const CARD: &[&str] = &["link add name eth0 address 02:00:00:00:00:0a type veth peer name far"];

pub const SCENES: &[Scene] = &[
    Scene {
        program: "vrf-table",
        iface: "red",
        keywords: &["vrf-table 10"],
        needs: &[],
        rivals: &[
            ("create", "link add name red group 77 type bridge", "link del group 77"),
            ("create", "link add name red type vrf table 10", "link show lo"),
            ("destroy", "link del red", "link show lo"),
        ],
    },
    Scene {
        program: "vrf-table",
        iface: "eth0",
        keywords: &["vrf-member red"],
        needs: &[CARD[0], "link add name red up type vrf table 10", "link add name blue type vrf table 20"],
        rivals: &[
            ("pre-up", "link set eth0 master blue", "link set eth0 nomaster"),
            ("post-down", "link set eth0 nomaster", "link show lo"),
        ],
    },
    Scene {
        program: "vrf-rules",
        iface: "red",
        keywords: &["vrf-rules yes", "vrf-accept tcp udp"],
        needs: &[],
        rivals: &[
            ("pre-up", "-4 rule add pref 2000 l3mdev unreachable protocol 73", "link show lo"),
            ("destroy", "-4 rule del pref 2000 l3mdev unreachable protocol 73", "link show lo"),
        ],
    },
    Scene {
        program: "vrf-route",
        iface: "eth0",
        keywords: &[
            "vrf-member red",
            "vrf-route unreachable default metric 4278198272, 192.0.2.0/24 via 10.0.0.9 dev eth0, 10.9.0.0/16 dev eth0 table 77",
        ],
        needs: &[
            CARD[0],
            "link add name red up type vrf table 10",
            "link set eth0 master red up",
            "addr add 10.0.0.1/24 dev eth0",
        ],
        rivals: &[
            (
                "post-up",
                "route add 192.0.2.0/24 dev eth0 table 10",
                "route del 192.0.2.0/24 dev eth0 table 10 proto boot",
            ),
            ("pre-down", "route del 10.9.0.0/16 table 77", "link show lo"),
        ],
    },
    Scene {
        program: "vrf",
        iface: "red",
        keywords: &[
            "vrf-table 10",
            "vrf-rules jump",
            "vrf-accept tcp",
            "vrf-route unreachable default metric 1000",
        ],
        needs: &[],
        rivals: &[
            ("pre-up", "-6 rule del pref 0 table local", "link show lo"),
            ("destroy", "link del red", "link show lo"),
        ],
    },
    Scene {
        program: "netns",
        iface: "eth0",
        keywords: &[
            "netns blue",
            "netns-ifname inner",
            "netns-address 10.1.0.2/24",
            "netns-gateway 10.1.0.1",
            "netns-sysctl net.ipv4.ip_forward=1",
        ],
        needs: CARD,
        rivals: &[
            ("post-up", "-n blue link add name inner group 77 type bridge", "-n blue link del group 77"),
            ("pre-down", "link add name eth0 group 77 type bridge", "link del group 77"),
        ],
    },
    Scene {
        program: "netns-interfaces",
        iface: "eth0",
        keywords: &["netns blue", "netns-interfaces /media/interfaces"],
        needs: &[CARD[0], "netns add blue"],
        rivals: &[],
    },
    Scene {
        program: "veth-peer",
        iface: "veth-blue",
        keywords: &[
            "veth-peer veth0",
            "veth-peer-netns blue",
            "veth-peer-address 10.1.0.2/24",
            "veth-peer-route unreachable 10.9.0.0/16",
        ],
        needs: &[],
        rivals: &[
            ("create", "link add name veth-blue group 77 type bridge", "link del group 77"),
            ("destroy", "link del veth-blue", "link show lo"),
        ],
    },
    Scene {
        program: "veth",
        iface: "v0",
        keywords: &["veth-peer v1", "veth-peer-master br0", "veth-peer-hwaddress 02:00:00:00:00:07"],
        needs: &["link add name br0 up type bridge"],
        rivals: &[("create", "link add name v1 group 77 type bridge", "link del group 77")],
    },
    Scene {
        program: "bridge",
        iface: "br0",
        keywords: &[
            "bridge-ports eth0",
            "bridge-maxwait 0",
            "bridge-vlan-filtering yes",
            "bridge-default-pvid none",
            "bridge-vlan 10-20",
            "bridge-fd 2",
            "bridge-hw 02:00:00:00:00:99",
        ],
        needs: CARD,
        rivals: &[
            ("create", "link add name br0 group 77 type bridge", "link del group 77"),
            ("destroy", "link del br0", "link show lo"),
        ],
    },
    Scene {
        program: "bridge-vlan",
        iface: "eth0",
        keywords: &[
            "bridge-member br0",
            "bridge-vlan 10 pvid untagged, 20-30",
            "bridge-fdb 02:00:00:00:00:01 vlan 10",
            "bridge-isolated yes",
            "bridge-allow 02:00:00:00:00:01 192.0.2.1 2001:db8::1",
        ],
        needs: &[
            CARD[0],
            "link add name br0 up type bridge vlan_filtering 1",
            "link add name br1 type bridge",
        ],
        rivals: &[("pre-up", "link set eth0 master br1", "link set eth0 nomaster")],
    },
];

impl Scene {
    pub fn set_up(&self) {
        // No address comes or goes by itself.
        for key in ["all", "default"] {
            fs::write(format!("/proc/sys/net/ipv6/conf/{key}/addr_gen_mode"), "1").unwrap();
            fs::write(format!("/proc/sys/net/ipv6/conf/{key}/accept_dad"), "0").unwrap();
        }
        // The kernel's own rule 1000 exists from now on.
        command("ip link add name probe type vrf table 7");
        command("ip link del probe");
        ip_batch(self.needs);
        if self.program == "netns-interfaces" {
            nested();
        }
    }
}

/// Replaces ifup and ifdown by scripts that create and delete a link.
fn nested() {
    let scratch = Path::new(SCRATCH);
    fs::write(scratch.join("interfaces"), "").unwrap();
    for directory in ["upper", "work"] {
        fs::create_dir(scratch.join(directory)).unwrap();
    }
    command(
        "mount -t overlay overlay -o lowerdir=/usr/sbin,upperdir=/media/upper,workdir=/media/work /usr/sbin",
    )
    .ok();
    for (name, words) in [
        ("ifup-ng", "ip link add name nested type bridge 2>&1 || true"),
        ("ifdown-ng", "ip link del nested 2>&1 || true"),
    ] {
        let path = Path::new("/usr/sbin").join(name);
        fs::write(&path, format!("#!/bin/sh\n{words}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

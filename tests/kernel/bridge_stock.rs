//! Every keyword of the stock executor `bridge`, applied by it and by ours, and what `ip` and `bridge` show afterwards.

use crate::examples::cards;
use crate::features::{Feature, needs};
use crate::ifupdown::{Executors, Ifupdown, Shell, Version};
use crate::lab::{command, in_lab, ip, settle};
use crate::matrix::some;
use crate::state::counts_by_itself;
use libtest_mimic::Trial;
use serde_json::Value;

/// A stanza for `br0` (with ports eth0 and eth1, unless it names others) and the stanzas of its ports. Then the
/// intended differences of our executor: each a reason, what stock shows, and what ours shows instead.
struct Case {
    name: &'static str,
    bridge: &'static str,
    ports: &'static str,
    instead: &'static [(&'static str, &'static str, &'static str)],
}

const fn same(name: &'static str, bridge: &'static str, ports: &'static str) -> Case {
    Case { name, bridge, ports, instead: &[] }
}

/// A stock forward delay of 5 shows as 4: the kernel keeps it in ticks.
const SECONDS: &str = "documented in seconds; the stock one hands the number to ip, which takes hundredths";
const LATER: &str = "unknown to the stock one of these versions; a later one sets it";
const ON: &str = "documented as on or off; to the stock one of these versions, on is off";

const CASES: [Case; 23] = [
    same("bridge-ports", "bridge-ports eth0 eth1", ""),
    same("bridge-ports-none", "bridge-ports none\nhwaddress 02:00:00:00:00:77", ""),
    same("bridge-waitport", "bridge-ports eth0\nbridge-waitport 1 eth0", ""),
    same("bridge-maxwait", "bridge-ports eth0\nbridge-maxwait 0", ""),
    Case {
        name: "bridge-ageing",
        bridge: "bridge-ports eth0\nbridge-ageing 40",
        ports: "",
        instead: &[(SECONDS, "ageing_time 40", "ageing_time 4000")],
    },
    same("bridge-bridgeprio", "bridge-ports eth0\nbridge-bridgeprio 4096", ""),
    Case {
        name: "bridge-fd",
        bridge: "bridge-ports eth0\nbridge-fd 5",
        ports: "",
        instead: &[(SECONDS, "forward_delay 4", "forward_delay 500")],
    },
    Case {
        name: "bridge-hello",
        bridge: "bridge-ports eth0\nbridge-hello 3",
        ports: "",
        instead: &[(SECONDS, "hello_time 200", "hello_time 300")],
    },
    Case {
        name: "bridge-maxage",
        bridge: "bridge-ports eth0\nbridge-maxage 10",
        ports: "",
        instead: &[(SECONDS, "max_age 2000", "max_age 1000")],
    },
    Case {
        name: "bridge-portprio",
        bridge: "bridge-ports eth0\nbridge-portprio 9",
        ports: "",
        instead: &[
            (
                "the stock one sets it on the bridge, which is no port",
                " eth0 priority 32",
                " eth0 priority 9",
            ),
            ("the same", "info_slave_data priority 32", "info_slave_data priority 9"),
            ("which follows from it", "designated_port 32769", "designated_port 9217"),
            ("which follows from it", " id \"0x8001\"", " id \"0x2401\""),
        ],
    },
    Case {
        name: "bridge-pathcost",
        bridge: "bridge-ports eth0\nbridge-pathcost 77",
        ports: "",
        instead: &[("the stock one of these versions sets it on the bridge", " cost 2", " cost 77")],
    },
    same("bridge-stp-yes", "bridge-ports eth0\nbridge-stp yes\nbridge-maxwait 0", ""),
    Case {
        name: "bridge-stp-on",
        bridge: "bridge-ports eth0\nbridge-stp on\nbridge-maxwait 0",
        ports: "",
        instead: &[(ON, "stp_state 0", "stp_state 1")],
    },
    same("bridge-stp-off", "bridge-ports eth0\nbridge-stp off", ""),
    same("bridge-vlan-aware", "bridge-ports eth0 eth1\nbridge-vlan-aware yes", ""),
    same(
        "bridge-vids",
        "bridge-ports eth0\nbridge-vlan-aware yes\nbridge-vids 10 20-22",
        "iface eth0\nbridge-vids 10 30",
    ),
    same(
        "bridge-pvid",
        "bridge-ports eth0\nbridge-vlan-aware yes\nbridge-pvid 5",
        "iface eth0\nbridge-pvid 6\nbridge-vids 7",
    ),
    same(
        "bridge-access",
        "bridge-ports eth0\nbridge-vlan-aware yes\nbridge-access 8",
        "iface eth0\nbridge-access 9",
    ),
    same(
        "bridge-allow-untagged",
        "bridge-ports eth0\nbridge-vlan-aware yes\nbridge-allow-untagged no\nbridge-vids 4",
        "iface eth0\nbridge-allow-untagged no\nbridge-vids 4",
    ),
    same(
        "port-keywords-that-contradict",
        "bridge-ports eth0\nbridge-vlan-aware yes",
        "iface eth0\nbridge-pvid 6\nbridge-allow-untagged no\nbridge-vids 2 6",
    ),
    Case {
        name: "bridge-default-pvid",
        bridge: "bridge-ports eth0\nbridge-vlan-aware yes\nbridge-default-pvid 100",
        ports: "",
        instead: &[
            ("unknown to the stock one of these versions", "vlan_default_pvid 1", "vlan_default_pvid 100"),
            ("which follows from it", " 1 vlan 1", " 100 vlan 100"),
            ("which follows from it", " 1 flags", " 100 flags"),
            ("which follows from it", ":00 vlan 1", ":00 vlan 100"),
        ],
    },
    Case {
        name: "bridge-arp-nd-suppress",
        bridge: "bridge-ports eth0",
        ports: "iface eth0\nbridge-arp-nd-suppress yes",
        instead: &[
            (LATER, " eth0 neigh_suppress false", " eth0 neigh_suppress true"),
            (LATER, "info_slave_data neigh_suppress false", "info_slave_data neigh_suppress true"),
        ],
    },
    Case {
        name: "vxlan-evpn",
        bridge: "bridge-ports vx0",
        ports: "iface vx0\nvxlan-id 77\nvxlan-local-ip 192.0.2.10\nvxlan-remote-ip 192.0.2.20\n\
                vxlan-peer-ips 192.0.2.20\nhwaddress 02:00:00:00:00:55\nvxlan-evpn yes",
        instead: &[
            (LATER, " vx0 learning true", " vx0 learning false"),
            (LATER, "info_slave_data learning true", "info_slave_data learning false"),
            (LATER, " vx0 neigh_suppress false", " vx0 neigh_suppress true"),
            (LATER, "info_slave_data neigh_suppress false", "info_slave_data neigh_suppress true"),
            (LATER, " vx0 inet6_addr_gen_mode \"eui64\"", " vx0 inet6_addr_gen_mode \"none\""),
        ],
    },
];

pub fn tests() -> Vec<Trial> {
    let mut tests = Vec::new();
    for version in Version::ALL {
        for case in some(&CASES, 3) {
            tests.push(needs(
                &[Feature::Vlan, Feature::Roots],
                format!("bridge-stock/{}/{version:?}", case.name),
                move || compare(case, version),
            ));
        }
        tests.push(needs(
            &[Feature::Vlan, Feature::Roots],
            format!("bridge-stock/bridge-hw/{version:?}"),
            move || {
                hardware_address(version);
            },
        ));
    }
    tests
}

fn interfaces(case: &Case) -> String {
    let indent = |text: &str| {
        text.lines()
            .map(|line| if line.starts_with("iface") { format!("{line}\n") } else { format!("    {line}\n") })
            .collect::<String>()
    };
    format!("iface br0\n{}{}", indent(case.bridge), indent(case.ports))
}

/// What is shown after `ifup br0`.
fn shown(version: Version, executors: Executors, text: &str) -> Vec<String> {
    in_lab(|| {
        let _hosts = cards();
        for n in 0..4 {
            ip(&format!("link set eth{n} address 02:00:00:00:00:{n}0"));
        }
        let installed = Ifupdown { version, executors, shell: Shell::Dash }.install(text);
        // The stock executor calls ifquery without the name of the interfaces file.
        installed.file("/etc/network/interfaces", text);
        let ran = installed.ifup("br0");
        if executors == Executors::Replaced {
            ran.quiet();
        }
        settle();
        let mut lines = Vec::new();
        for words in ["ip -d -j link", "bridge -d -j link", "bridge -j vlan", "bridge -j fdb"] {
            let text = command(words).ok().stdout;
            let value: Value = serde_json::from_str(&text).unwrap_or_default();
            for object in value.as_array().into_iter().flatten() {
                // Learned addresses, and the multicast groups of duplicate address detection.
                if let Some(mac) = object["mac"].as_str() {
                    let group = mac.starts_with("33:33") || mac.starts_with("01:");
                    if group || object["state"] != "permanent" {
                        continue;
                    }
                }
                let mac = object["mac"].as_str().map(|mac| format!(" {mac}")).unwrap_or_default();
                let about = format!("{words} {}{mac}", object["ifname"].as_str().unwrap_or_default());
                flatten(&about, object, &mut lines);
            }
        }
        lines.sort();
        lines
    })
}

/// A line for each value, without those that differ from run to run.
fn flatten(about: &str, value: &Value, lines: &mut Vec<String>) {
    match value {
        Value::Array(list) if list.iter().any(Value::is_object) => {
            for part in list {
                flatten(&format!("{about} {}", part["vlan"]), part, lines);
            }
        }
        Value::Object(object) => {
            for (key, part) in object {
                let counted = counts_by_itself(key) || key.contains("topology_change");
                // The progress of the spanning tree, and values that depend on it.
                let moment = ["ifindex", "link_netnsid", "link_index", "state", "operstate", "flags"];
                // Tunnel links that the kernel creates in every namespace have random addresses.
                let by_chance = about.starts_with("ip -d -j link ip6") && key == "permaddr";
                let is_vlan = value.get("vlan").is_some() && value.get("mac").is_none();
                if !counted && !by_chance && (is_vlan || !moment.contains(&key.as_str())) {
                    flatten(&format!("{about} {key}"), part, lines);
                }
            }
        }
        plain => lines.push(format!("{about} {plain}")),
    }
}

fn compare(case: &Case, version: Version) {
    let text = interfaces(case);
    let stock = shown(version, Executors::Stock, &text);
    let ours = shown(version, Executors::Replaced, &text);
    let mut expected = stock.clone();
    for (why, theirs, own) in case.instead {
        let hit = expected.iter().filter(|line| line.contains(theirs)).count();
        assert!(hit > 0, "{why}: the stock one shows no {theirs:?} any more: {stock:#?}");
        for line in &mut expected {
            *line = line.replace(theirs, own);
        }
    }
    expected.sort();
    let only = |these: &[String], those: &[String]| {
        these.iter().filter(|line| !those.contains(line)).cloned().collect::<Vec<_>>()
    };
    let (missing, extra) = (only(&expected, &ours), only(&ours, &expected));
    assert!(missing.is_empty() && extra.is_empty(), "stock, or expected: {missing:#?}\nours: {extra:#?}");
}

/// Documented as the address that the bridge uses; the stock executor of these versions sets it on every port.
fn hardware_address(version: Version) {
    let text = "iface br0\n    bridge-ports eth0 eth1\n    bridge-hw 02:00:00:00:00:99\n";
    let stock = shown(version, Executors::Stock, text);
    let has = |lines: &[String], link: &str, address: &str| {
        lines.contains(&format!("ip -d -j link {link} address \"{address}\""))
    };
    assert!(has(&stock, "eth0", "02:00:00:00:00:99") && has(&stock, "eth1", "02:00:00:00:00:99"));
    let ours = shown(version, Executors::Replaced, text);
    assert!(has(&ours, "eth0", "02:00:00:00:00:00") && has(&ours, "br0", "02:00:00:00:00:99"));
}

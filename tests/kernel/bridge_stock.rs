//! Every keyword of the stock executor `bridge`, applied by it and by ours, and what `ip` and `bridge` then show.

use crate::{
    examples::cards,
    features::{Feature, needs},
    ifupdown::{Executors, Ifupdown, Shell, Version},
    lab::{command, in_lab, ip},
};
use libtest_mimic::Trial;
use serde_json::Value;

/// A stanza for `br0`, with ports eth0 and eth1 unless it says otherwise, and those of the ports; and how ours differs
/// on purpose: each a reason, what stock shows, and what ours shows in its place.
struct Case {
    name: &'static str,
    bridge: &'static str,
    ports: &'static str,
    instead: &'static [(&'static str, &'static str, &'static str)],
}

const fn same(name: &'static str, bridge: &'static str, ports: &'static str) -> Case {
    Case { name, bridge, ports, instead: &[] }
}

const SECONDS: &str = "documented in seconds; the stock one hands the number to ip, which takes hundredths";
const ON: &str = "documented as on or off; to the stock one of these versions, on is off";

const CASES: [Case; 21] = [
    same("bridge-ports", "bridge-ports eth0 eth1", ""),
    same("bridge-ports-none", "bridge-ports none", ""),
    same("bridge-waitport", "bridge-ports eth0\nbridge-waitport 1 eth0", ""),
    same("bridge-maxwait", "bridge-ports eth0\nbridge-maxwait 0", ""),
    Case {
        name: "bridge-ageing",
        bridge: "bridge-ports eth0\nbridge-ageing 40",
        ports: "",
        instead: &[(SECONDS, "\"ageing_time\":40,", "\"ageing_time\":4000,")],
    },
    same("bridge-bridgeprio", "bridge-ports eth0\nbridge-bridgeprio 4096", ""),
    Case {
        name: "bridge-fd",
        bridge: "bridge-ports eth0\nbridge-fd 5",
        ports: "",
        instead: &[(SECONDS, "\"forward_delay\":5,", "\"forward_delay\":500,")],
    },
    Case {
        name: "bridge-hello",
        bridge: "bridge-ports eth0\nbridge-hello 3",
        ports: "",
        instead: &[(SECONDS, "\"hello_time\":200,", "\"hello_time\":300,")],
    },
    Case {
        name: "bridge-maxage",
        bridge: "bridge-ports eth0\nbridge-maxage 10",
        ports: "",
        instead: &[(SECONDS, "\"max_age\":2000,", "\"max_age\":1000,")],
    },
    Case {
        name: "bridge-portprio",
        bridge: "bridge-ports eth0\nbridge-portprio 9",
        ports: "",
        instead: &[(
            "the stock one sets it on the bridge, which is no port",
            "\"priority\":32",
            "\"priority\":9",
        )],
    },
    Case {
        name: "bridge-pathcost",
        bridge: "bridge-ports eth0\nbridge-pathcost 77",
        ports: "",
        instead: &[("the stock one of these versions sets it on the bridge", "\"cost\":2", "\"cost\":77")],
    },
    same("bridge-stp-yes", "bridge-ports eth0\nbridge-stp yes\nbridge-maxwait 0", ""),
    Case {
        name: "bridge-stp-on",
        bridge: "bridge-ports eth0\nbridge-stp on\nbridge-maxwait 0",
        ports: "",
        instead: &[(ON, "\"stp_state\":0", "\"stp_state\":1")],
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
        "iface eth0\nbridge-pvid 6\nbridge-allow-untagged no\nbridge-vids 1 6",
    ),
    Case {
        name: "bridge-default-pvid",
        bridge: "bridge-ports eth0\nbridge-vlan-aware yes\nbridge-default-pvid 100",
        ports: "",
        instead: &[
            (
                "unknown to the stock one of these versions",
                "\"vlan_default_pvid\":1,",
                "\"vlan_default_pvid\":100,",
            ),
            ("which follows from it", "\"vlan\":1,", "\"vlan\":100,"),
        ],
    },
];

pub fn tests() -> Vec<Trial> {
    let mut tests = Vec::new();
    for version in Version::ALL {
        for case in &CASES {
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
        // The stock one asks ifquery without saying which file is in use.
        installed.file("/etc/network/interfaces", text);
        let ran = installed.ifup("br0");
        if executors == Executors::Replaced {
            ran.quiet();
        }
        ["ip -d -j link", "bridge -d -j link", "bridge -j vlan", "bridge -j fdb"]
            .into_iter()
            .map(|words| {
                let text = command(words).ok().stdout;
                let mut value: Value = serde_json::from_str(&text).unwrap_or_default();
                strip(&mut value);
                value.to_string()
            })
            .collect()
    })
}

/// Removes what differs from run to run.
fn strip(value: &mut Value) {
    match value {
        Value::Array(list) => {
            list.iter_mut().for_each(strip);
            // In the order of hashes and of joining.
            list.sort_by_key(Value::to_string);
        }
        Value::Object(object) => {
            object.retain(|key, _| {
                !key.ends_with("_timer")
                    && !key.contains("ifindex")
                    && key != "link_netnsid"
                    && key != "link_index"
            });
            object.values_mut().for_each(strip);
        }
        _ => {}
    }
}

fn compare(case: &Case, version: Version) {
    let text = interfaces(case);
    let stock = shown(version, Executors::Stock, &text);
    let ours = shown(version, Executors::Replaced, &text);
    let mut expected = stock.join("\n");
    for (why, theirs, own) in case.instead {
        assert!(expected.contains(theirs), "{why}: stock shows no {theirs} any more: {expected}");
        expected = expected.replace(theirs, own);
    }
    for (expected, is) in expected.lines().zip(&ours) {
        assert_eq!(is, expected, "ours, and what is expected of it");
    }
}

/// Documented as the address that the bridge uses; the stock one of these versions gives it to every port.
fn hardware_address(version: Version) {
    let address = |text: &str, link: &str| {
        let links: Value = serde_json::from_str(text).unwrap();
        let link = links.as_array().unwrap().iter().find(|found| found["ifname"] == link).unwrap().clone();
        link["address"].as_str().unwrap().to_owned()
    };
    let text = "iface br0\n    bridge-ports eth0 eth1\n    bridge-hw 02:00:00:00:00:99\n";
    let stock = shown(version, Executors::Stock, text);
    assert_eq!(address(&stock[0], "eth0"), "02:00:00:00:00:99");
    let ours = shown(version, Executors::Replaced, text);
    assert_eq!(address(&ours[0], "eth0"), "02:00:00:00:00:00");
    assert_eq!(address(&ours[0], "br0"), "02:00:00:00:00:99");
}

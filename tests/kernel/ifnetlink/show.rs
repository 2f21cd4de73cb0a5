//! `ifnetlink show`, compared with `ip` and `bridge`.

use crate::examples::cards;
use crate::features::{Feature, needs};
use crate::ifupdown::{Executors, Ifupdown, Installed, Shell, Version, example};
use crate::lab::{Netns, command, in_lab, ip_json, settle};
use libtest_mimic::Trial;
use serde_json::Value;
use std::collections::BTreeSet;

pub fn tests() -> Vec<Trial> {
    let mut tests = Vec::new();
    for name in ["management-vrf", "routing-domains", "vlan-access-trunk"] {
        let ifupdown =
            Ifupdown { version: Version::Trixie, executors: Executors::Replaced, shell: Shell::Dash };
        let needed = [Feature::Vrf, Feature::Vlan, Feature::Roots];
        let test = move || in_lab(|| shows(ifupdown, name));
        tests.push(needs(&needed, format!("ifnetlink/show-{name}"), test));
    }
    tests
}

fn shows(ifupdown: Ifupdown, name: &str) {
    let _hosts = cards();
    let installed = ifupdown.install(&example(name));
    installed.ifup("-a").ok();
    settle();
    let shown: Value = serde_json::from_str(&installed.ifnetlink("show --json").quiet().stdout).unwrap();
    let text = installed.ifnetlink("show").quiet().stdout;
    assert!(!text.contains('\u{1b}'), "no terminal, no colours");
    for within in shown["namespaces"].as_array().unwrap() {
        match within["namespace"].as_str() {
            None => facts(within, &text),
            Some(netns) => {
                let heading = format!("namespace {netns} ours\n");
                assert!(text.contains(&heading), "{heading}{text}");
                Netns::at(&installed.path("/run/netns").join(netns)).within(|| facts(within, &text));
            }
        }
    }
    let named: BTreeSet<&str> = shown["namespaces"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|within| within["namespace"].as_str())
        .collect();
    let listed = command(&format!("ls {}", installed.path("/run/netns").display())).stdout;
    assert_eq!(named, listed.lines().collect());
    pairs(&installed, &shown);
    installed.ifdown("-a");
}

fn names<'a>(values: impl IntoIterator<Item = &'a Value>, key: &str) -> BTreeSet<String> {
    values.into_iter().map(|value| value[key].as_str().unwrap().to_owned()).collect()
}

/// What is shown of the calling thread's namespace.
fn facts(within: &Value, text: &str) {
    let vrfs = within["vrfs"].as_array().unwrap();
    let links = ip_json("-d link show type vrf");
    assert_eq!(names(vrfs, "name"), names(&links, "ifname"));
    for link in &links {
        let vrf = vrfs.iter().find(|vrf| vrf["name"] == link["ifname"]).unwrap();
        let name = vrf["name"].as_str().unwrap();
        let table = &link["linkinfo"]["info_data"]["table"];
        assert_eq!(&vrf["table"], table, "{name}");
        let members: BTreeSet<String> = vrf["members"]
            .as_array()
            .unwrap()
            .iter()
            .map(|member| member.as_str().unwrap().to_owned())
            .collect();
        assert_eq!(members, names(&ip_json(&format!("link show master {name}")), "ifname"), "{name}");
        let shown = vrf["routes"].as_array().unwrap().iter().filter(|route| route["kind"] == "");
        let mut routes = BTreeSet::new();
        for family in ["-4", "-6"] {
            let found = ip_json(&format!("{family} route show table {table} type unicast"));
            routes.extend(names(&found, "dst").into_iter().filter(|dst| dst != "default"));
        }
        let shown: BTreeSet<String> =
            names(shown, "prefix").into_iter().filter(|dst| !dst.ends_with("/0")).collect();
        assert_eq!(shown, routes, "{name}");
        assert!(text.contains(&format!("VRF {name} table {table} up\n")), "{name}: {text}");
        for member in members {
            assert!(
                text.lines().any(|line| line.trim_start().starts_with("members") && line.contains(&member)),
                "{text}"
            );
        }
    }
    for family in ["ipv4", "ipv6"].into_iter().filter(|_| !vrfs.is_empty()) {
        let option = if family == "ipv4" { "-4" } else { "-6" };
        let kernel: Vec<Value> =
            ip_json(&format!("{option} rule")).iter().map(|rule| rule["priority"].clone()).collect();
        let of_family = |rule: &&Value| rule["family"].as_str().unwrap().eq_ignore_ascii_case(family);
        let shown: Vec<Value> = within["rules"]
            .as_array()
            .unwrap()
            .iter()
            .filter(of_family)
            .map(|rule| rule["priority"].clone())
            .collect();
        assert_eq!(shown, kernel, "{family}");
    }
    let bridges = within["bridges"].as_array().unwrap();
    assert_eq!(names(bridges, "name"), names(&ip_json("link show type bridge"), "ifname"));
    for member in bridges.iter().flat_map(|bridge| bridge["members"].as_array().unwrap()) {
        let name = member["name"].as_str().unwrap();
        let shown: Vec<String> = member["vlans"]
            .as_array()
            .unwrap()
            .iter()
            .map(|range| {
                let flag =
                    |key: &str, word: &str| if range[key] == true { word.to_owned() } else { String::new() };
                let end = if range["first"] == range["last"] {
                    String::new()
                } else {
                    format!("-{}", range["last"])
                };
                let words = [
                    format!("{}{end}", range["first"]),
                    flag("pvid", "PVID"),
                    flag("untagged", "Egress Untagged"),
                ];
                words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
            })
            .collect();
        assert_eq!(shown, crate::bridges::vlans(name), "{name}");
        assert!(text.lines().any(|line| line.trim_start().starts_with(name)), "{name}: {text}");
    }
    for link in within["links"].as_array().unwrap() {
        let name = link["name"].as_str().unwrap();
        let found = ip_json(&format!("addr show dev {name}"));
        let is_shown = |address: &&Value| address["scope"] != "link";
        let kernel: BTreeSet<String> = found[0]["addr_info"]
            .as_array()
            .unwrap()
            .iter()
            .filter(is_shown)
            .map(|address| format!("{}/{}", address["local"].as_str().unwrap(), address["prefixlen"]))
            .collect();
        let shown = link["addresses"]
            .as_array()
            .unwrap()
            .iter()
            .map(|text| text.as_str().unwrap().to_owned())
            .collect();
        assert_eq!(kernel, shown, "{name}");
    }
}

/// Each end is the other's link, by the numbers that `ip` shows.
fn pairs(installed: &Installed, shown: &Value) {
    let link = |end: &Value| {
        let words = format!("link show dev {}", end["name"].as_str().unwrap());
        match end["namespace"].as_str() {
            None => ip_json(&words)[0].clone(),
            Some(netns) => {
                Netns::at(&installed.path("/run/netns").join(netns)).within(|| ip_json(&words))[0].clone()
            }
        }
    };
    for pair in shown["pairs"].as_array().unwrap() {
        let (one, other) = (link(&pair[0]), link(&pair[1]));
        let number = |link: &Value, peer: &Value| match peer.get("link_index") {
            Some(index) => *index == link["ifindex"],
            None => peer["link"] == link["ifname"],
        };
        assert!(number(&one, &other) && number(&other, &one), "{pair}: {one} {other}");
    }
    let here: usize = ip_json("link show type veth").len();
    let told = shown["pairs"].as_array().unwrap().iter().flat_map(|pair| pair.as_array().unwrap());
    let own = told.filter(|end| end["namespace"].is_null()).count();
    // The other ends of the cards are in namespaces without a name.
    assert_eq!(own, here - 4, "{shown}");
}

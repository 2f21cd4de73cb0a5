//! The defaults of a new bridge and a new port in interfaces-bridge-vlan(5) are those of the kernel.

use crate::features::needs;
use crate::lab::{command, in_lab, ip};
use crate::pages::pages;
use libtest_mimic::Trial;
use serde_json::Value;

pub fn tests() -> Vec<Trial> {
    vec![needs(&[], "bridge-defaults".to_owned(), unless_told)]
}

/// A keyword, its default on the page, and where `ip` shows which value.
const KERNELS: [(&str, &str, &str, u64); 9] = [
    ("bridge-ageing", "the kernel's is 300.", "/info_data/ageing_time", 30000),
    ("bridge-bridgeprio", "the kernel's is 32768.", "/info_data/priority", 32768),
    ("bridge-fd", "the kernel's is 15.", "/info_data/forward_delay", 1500),
    ("bridge-hello", "the kernel's is 2.", "/info_data/hello_time", 200),
    ("bridge-maxage", "the kernel's is 20.", "/info_data/max_age", 2000),
    ("bridge-stp", "the kernel's is no.", "/info_data/stp_state", 0),
    // The links of a veth pair have 10 Gbit/s.
    ("bridge-pathcost", "2 for 10 Gbit/s", "/info_slave_data/cost", 2),
    ("bridge-portprio", "the kernel's is 32.", "/info_slave_data/priority", 32),
    ("bridge-arp-nd-suppress", "the kernel's is no.", "/info_slave_data/neigh_suppress", 0),
];

fn unless_told() {
    let page = pages().into_iter().find(|page| page.name == "interfaces-bridge-vlan.5").unwrap();
    in_lab(|| {
        ip("link add br0 type bridge");
        ip("link add eth0 master br0 type veth peer name far");
        for (keyword, words, place, expected) in KERNELS {
            assert!(page.entry(keyword).contains(words), "{keyword}: no {words:?}: {}", page.entry(keyword));
            let link = if place.starts_with("/info_data") { "br0" } else { "eth0" };
            let text = command(&format!("ip -d -j link show {link}")).ok().stdout;
            let shown: Value = serde_json::from_str(&text).unwrap();
            let value = shown.pointer(&format!("/0/linkinfo{place}")).unwrap_or(&Value::Null);
            let number = value.as_u64().or(value.as_bool().map(u64::from));
            assert_eq!(number, Some(expected), "{keyword}: {text}");
        }
    });
}

//! What `ip` and `bridge` show of a namespace, with as few program starts as possible.

use crate::lab::{ip_two_lists, run};
use crate::state::without_noise;
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// Lists, as `ip -j` and `bridge -j` print them.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    pub links: Vec<Value>,
    pub addresses: Vec<Value>,
    pub rules: [Vec<Value>; 2],
    pub routes: Vec<Value>,
    pub vlans: Vec<Value>,
    pub fdb: Vec<Value>,
}

/// What `bridge` lists. A kernel without VLAN filtering shows no VLANs.
fn bridge(netns: &[&str], question: &str) -> Vec<Value> {
    let ran = run(Command::new("bridge").args(netns).args(["-j", "-d", question]));
    if ran.status != 0 || ran.stdout.trim().is_empty() {
        return Vec::new();
    }
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran}"))
}

impl Shown {
    /// The calling thread's namespace, or a named one; empty if no namespace has that name.
    pub fn now(netns: Option<&str>) -> Self {
        if netns.is_some_and(|name| !Path::new("/run/netns").join(name).exists()) {
            return Self::default();
        }
        let netns: Vec<&str> = netns.into_iter().flat_map(|name| ["-n", name]).collect();
        let two = |options: &[&str], questions| ip_two_lists(&[&netns[..], options].concat(), questions);
        let [links, addresses] = two(&["-d"], ["link", "addr"]);
        let [[rules4, routes4], [rules6, routes6]] =
            ["-4", "-6"].map(|family| two(&["-d", family], ["rule", "route show table all"]));
        let bridges = links.iter().any(|link| link["linkinfo"]["info_kind"] == "bridge");
        let of_bridges = |question| if bridges { bridge(&netns, question) } else { Vec::new() };
        Self {
            links,
            addresses,
            rules: [rules4, rules6],
            routes: [routes4, routes6].concat(),
            vlans: of_bridges("vlan"),
            fdb: of_bridges("fdb"),
        }
    }

    /// Lines to compare, without what changes by itself.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (about, list) in [
            ("link", &self.links),
            ("address", &self.addresses),
            ("-4 rule", &self.rules[0]),
            ("-6 rule", &self.rules[1]),
            ("route", &self.routes),
            ("vlan", &self.vlans),
            ("fdb", &self.fdb),
        ] {
            let kept = list.iter().cloned().filter_map(quiet).filter_map(without_noise);
            let mut kept: Vec<_> = kept.map(|line| format!("{about} {line}")).collect();
            // The kernel lists links by a part of their indexes, which are new each time. The order of rules has a
            // meaning.
            if !about.ends_with("rule") {
                kept.sort();
            }
            lines.extend(kept);
        }
        lines
    }
}

/// Leaves out what depends on carriers and clocks, and random hardware addresses.
fn quiet(mut value: Value) -> Option<Value> {
    let by_itself = |text: &Value| {
        text.as_str().is_some_and(|text| text.starts_with("fe80:") || text.starts_with("ff00:"))
    };
    if by_itself(&value["dst"]) || value["protocol"] == "kernel" && value.get("dst").is_some() {
        return None;
    }
    if value.get("mac").is_some() && value["state"] != "static" {
        return None;
    }
    let object = value.as_object_mut()?;
    if let Some(flags) = object.get_mut("flags").and_then(Value::as_array_mut) {
        flags.retain(|flag| flag == "UP");
    }
    for key in ["operstate", "address", "permaddr", "link", "link_netnsid", "nhid", "pref", "group"] {
        object.remove(key);
    }
    // The features of a bridge depend on the ports that it had.
    object.retain(|key, _| !["tso_", "gso_", "gro_"].iter().any(|start| key.starts_with(start)));
    if let Some(addresses) = object.get_mut("addr_info").and_then(Value::as_array_mut) {
        addresses.retain(|address| !by_itself(&address["local"]));
        for address in addresses.iter_mut().filter_map(Value::as_object_mut) {
            address.retain(|key, _| matches!(key.as_str(), "local" | "prefixlen"));
        }
    }
    if let Some(info) = object.get_mut("linkinfo").and_then(|info| info.get_mut("info_data")) {
        let keep =
            ["table", "vlan_filtering", "vlan_default_pvid", "vlan_protocol", "stp_state", "forward_delay"];
        info.as_object_mut()?.retain(|key, _| keep.contains(&key.as_str()));
    }
    if let Some(info) = object.get_mut("linkinfo").and_then(|info| info.get_mut("info_slave_data")) {
        let keep = ["isolated", "learning", "locked", "neigh_suppress", "priority"];
        info.as_object_mut()?.retain(|key, _| keep.contains(&key.as_str()));
    }
    Some(value)
}

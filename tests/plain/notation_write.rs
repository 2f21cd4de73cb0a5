//! States of the kernel as text, for comparison. [`super::notation`] reads such text.

use ifupdown_ng_netlink::state::{Allowed, FdbEntry, LinkKind, State};
use std::fmt::Write as _;

/// Writes a state so that differences are easy to read.
pub fn write(state: &State) -> String {
    let mut text = String::new();
    for (name, link) in &state.links {
        let master = link.master.as_ref().map_or(String::new(), |master| format!(" master {master}"));
        let options = match &link.kind {
            LinkKind::Bridge(options) => options.words(),
            LinkKind::Vlan(vlan) => match &vlan.lower {
                Some(lower) => format!(" {} {lower}", vlan.id),
                None => String::new(),
            },
            _ => String::new(),
        };
        let up = if link.up { " up" } else { "" };
        let _ = writeln!(text, "link {name} {}{options}{master}{up}", link.kind);
    }
    for (device, set) in &state.bridging.vlans {
        for range in set.ranges() {
            let _ = writeln!(text, "vlan {device} {range}");
        }
    }
    for (port, state) in &state.bridging.ports {
        let _ = writeln!(text, "port {port}{}", state.options.words());
    }
    for (port, entries) in &state.bridging.fdb {
        for FdbEntry { mac, vid } in entries {
            let vlan = vid.map_or(String::new(), |vid| format!(" vlan {vid}"));
            let _ = writeln!(text, "fdb {port} {mac}{vlan}");
        }
    }
    for (port, stations) in &state.bridging.allowed.ports {
        for Allowed { mac, vid, address } in stations {
            let vlan = vid.map_or(String::new(), |vid| format!(" vlan {vid}"));
            let address = address.map_or(String::new(), |address| format!(" {address}"));
            let _ = writeln!(text, "allow {port} {mac}{vlan}{address}");
        }
    }
    for rule in state.rules.values().flatten() {
        let selective = if rule.selective { " selective" } else { "" };
        let _ = writeln!(text, "rule {} {rule}{selective}", rule.family);
    }
    for (link, addresses) in &state.addresses {
        for address in addresses {
            let protocol = if address.is_ours() { " proto 73" } else { "" };
            let dynamic = if address.is_dynamic { " dynamic" } else { "" };
            let _ = writeln!(text, "address {link} {address}{protocol}{dynamic}");
        }
    }
    let mut routes: Vec<String> = state.routes.iter().map(|route| format!("route {route}")).collect();
    routes.sort();
    for route in &routes {
        let _ = writeln!(text, "{route}");
    }
    for (key, value) in &state.sysctls {
        let _ = writeln!(text, "sysctl {key}={value}");
    }
    for (key, value) in &state.records {
        let _ = writeln!(text, "record {key}={value}");
    }
    text
}

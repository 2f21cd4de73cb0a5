//! The state of the model and of the kernel, as lines; and whether `ip` and `bridge` show the same.

use super::notation_write::write;
use crate::shown::Shown;
use ifupdown_ng_netlink::state;
use ifupdown_ng_netlink::state::{BridgeOptions, LinkKind, OUR_PROTOCOL, Place, Snapshot, State};
use ifupdown_ng_netlink::values::{Centiseconds, IfName};
use serde_json::Value;
use std::collections::BTreeSet;

/// A snapshot as lines, in all places, without derived state that the model does not have.
pub fn written(found: &Snapshot) -> Vec<String> {
    let mut lines = Vec::new();
    for (place, state) in &found.places {
        let mut state = state.clone();
        // Sysctls of a link come and go with it.
        state.sysctls.retain(|key, _| *place == Place::Here && !key.to_string().contains(".conf."));
        // The kernel adds some routes with addresses.
        state.routes.retain(|route| route.protocol == OUR_PROTOCOL);
        state.addresses.retain(|_, addresses| !addresses.is_empty());
        let text = write(&state);
        let mut these: Vec<&str> = text.lines().collect();
        // All but rules, whose order matters.
        these.sort_by_key(|line| if line.starts_with("rule ") { "rule" } else { line });
        lines.extend(these.iter().map(|line| format!("{place:?}: {line}")));
    }
    for (netns, found) in &found.netns {
        lines.extend(matches!(found, state::Netns::Is(_)).then(|| format!("{netns} is there")));
    }
    lines.extend(found.netns_links.values().map(|record| format!("{:?}", record.link)));
    lines.extend(
        found
            .located
            .iter()
            .map(|(name, located)| format!("{name} is located as {} in {:?}", located.name, located.place)),
    );
    lines
}

/// Removes from the kernel's state what the kernel chooses by itself: port costs by the port's speed, links that it
/// created by itself, and times that it rounds to ticks.
pub fn as_modelled(mut found: Snapshot, model: &Snapshot, born: &BTreeSet<String>) -> Snapshot {
    found.places.update_all(|place, state| {
        let state: &mut State = state;
        let modelled = model.at(place);
        let nobodys = |name: &IfName| born.contains(&name.to_string()) && !modelled.links.contains_key(name);
        state.links.retain(|name, _| !nobodys(name));
        state.details.retain(|name, _| !nobodys(name));
        state.bridging.eligible.retain(|name| !nobodys(name));
        state.bridging.ports.update_all(|name, port| {
            if modelled.bridging.ports.get(name).is_some_and(|port| port.options.cost.is_none()) {
                port.options.cost = None;
            }
        });
        state.links.update_all(|name, link| {
            let modelled = modelled.links.get(name).map(|link| &link.kind);
            if let (LinkKind::Bridge(options), Some(LinkKind::Bridge(modelled))) = (&mut link.kind, modelled)
            {
                for (time, modelled) in times(options).into_iter().zip(times(&mut modelled.clone())) {
                    if let (Some(found), Some(wanted)) = (&mut *time, *modelled) {
                        *found = if wanted.0.abs_diff(found.0) <= 1 { wanted } else { *found };
                    }
                }
            }
        });
    });
    found
}

fn times(options: &mut BridgeOptions) -> [&mut Option<Centiseconds>; 4] {
    [&mut options.ageing, &mut options.forward_delay, &mut options.hello, &mut options.max_age]
}

/// Whether the state that was read of a place is the state that `ip` and `bridge` show.
pub fn as_ip_shows(found: &Snapshot, place: &Place) -> Result<(), String> {
    let (state, shown) = (found.at(place), Shown::now(None));
    let same = |about: &str, mut ours: Vec<String>, mut theirs: Vec<String>| {
        if !about.starts_with("rules") {
            ours.sort();
            theirs.sort();
        }
        if ours == theirs { Ok(()) } else { Err(format!("{about}: read {ours:#?}\nshown {theirs:#?}")) }
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let links = state.links.iter().map(|(name, link)| {
        let kind = match &link.kind {
            LinkKind::Vrf(table) => format!("vrf {}", table.get()),
            LinkKind::Bridge(_) => "bridge".to_owned(),
            LinkKind::Vlan(_) => "vlan".to_owned(),
            LinkKind::Other(kind) => kind.clone(),
            LinkKind::Physical => String::new(),
        };
        format!("{name} {kind} {:?} {}", link.master.as_ref().map(ToString::to_string), link.up)
    });
    let links_shown = shown.links.iter().map(|link| {
        let info = &link["linkinfo"];
        let kind = match (text(&info["info_kind"]).as_str(), info["info_data"]["table"].as_u64()) {
            ("vrf", Some(table)) => format!("vrf {table}"),
            (kind, _) => kind.to_owned(),
        };
        let up = link["flags"].as_array().is_some_and(|flags| flags.iter().any(|flag| flag == "UP"));
        format!("{} {kind} {:?} {up}", text(&link["ifname"]), link["master"].as_str())
    });
    same("links", links.collect(), links_shown.collect())?;
    for (rules, rules_shown) in state.rules.values().zip(&shown.rules) {
        let ours = rules.iter().map(|rule| format!("{} {}", rule.priority, rule.protocol == OUR_PROTOCOL));
        let theirs = rules_shown.iter().map(|rule| format!("{} {}", rule["priority"], is_ours(rule)));
        same("rules", ours.collect(), theirs.collect())?;
    }
    let routes = state.routes.iter().filter(|route| route.protocol == OUR_PROTOCOL);
    let routes = routes.map(|route| format!("{} {}", route.prefix, route.metric));
    let routes_shown = shown.routes.iter().filter(|route| is_ours(route)).map(|route| {
        let to = text(&route["dst"]);
        let is_6 = to.contains(':') || route.get("pref").is_some();
        let to = match to.as_str() {
            "default" if is_6 => "::/0".to_owned(),
            "default" => "0.0.0.0/0".to_owned(),
            to if to.contains('/') => to.to_owned(),
            to => format!("{to}/{}", if is_6 { 128 } else { 32 }),
        };
        format!("{to} {}", route["metric"].as_u64().unwrap_or_default())
    });
    same("routes of ours", routes.collect(), routes_shown.collect())?;
    let vlans = state.bridging.vlans.iter().flat_map(|(device, set)| {
        set.ranges().into_iter().flat_map(move |range| {
            (range.first.get()..=range.last.get())
                .map(move |vid| format!("{device} {vid} {} {}", range.pvid, range.untagged))
        })
    });
    let vlans_shown = shown.vlans.iter().flat_map(|device| {
        let ranges = device["vlans"].as_array().cloned().unwrap_or_default();
        let name = text(&device["ifname"]);
        ranges.into_iter().flat_map(move |range| {
            let first = range["vlan"].as_u64().unwrap_or_default();
            let last = range["vlanEnd"].as_u64().unwrap_or(first);
            let is =
                |what: &str| range["flags"].as_array().is_some_and(|all| all.iter().any(|one| one == what));
            let (pvid, untagged) = (is("PVID"), is("Egress Untagged"));
            let name = name.clone();
            (first..=last).map(move |vid| format!("{name} {vid} {pvid} {untagged}"))
        })
    });
    same("VLANs", vlans.collect(), vlans_shown.collect())
}

/// Whether iproute2 shows our protocol, for which it has no name.
fn is_ours(object: &Value) -> bool {
    object["protocol"] == OUR_PROTOCOL.to_string().as_str() || object["protocol"] == OUR_PROTOCOL
}

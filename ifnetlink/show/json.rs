//! The output of `ifnetlink show` as JSON. docs/ifnetlink.schema.json describes it.

use super::view::{Both, Bridge, Far, Shown, View, Vrf, Within};
use ifupdown_ng_netlink::state::{Action, Allowed, OUR_PROTOCOL, Place, Route};
use ifupdown_ng_netlink::values::{IfName, RouteKind, Vid, VlanSet};
use serde_json::{Value, json};

/// All of it.
pub fn json(view: &View) -> Value {
    json!({ "namespaces": list(&view.places, within) })
}

fn list<T>(items: &[T], one: impl Fn(&T) -> Value) -> Value {
    items.iter().map(one).collect()
}

fn within(within: &Within) -> Value {
    json!({
        "namespace": within.netns.as_ref().map(ToString::to_string),
        "ours": within.ours,
        "links": list(&within.links, link),
        "vrfs": list(&within.vrfs, vrf),
        "bridges": list(&within.bridges, bridge),
        "rules": list(&within.rules, rule),
    })
}

fn link(link: &Shown) -> Value {
    json!({
        "name": link.name.as_str(),
        "kind": link.kind,
        "up": link.up,
        "mac": link.mac.map(|mac| mac.to_string()),
        "mtu": link.mtu,
        "master": link.master.as_ref().map(IfName::as_str),
        "peer": link.peer.as_ref().and_then(far),
        "lower": link.lower.as_ref().and_then(far),
        "addresses": list(&link.addresses, |address| address.to_string().into()),
        "vlans": link.vlans.as_ref().map(vlans),
        "allowed": link.allowed.as_ref().map(|(stations, dropped)| {
            json!({
                "stations": stations.iter().map(allowed).collect::<Value>(),
                "dropped": { "received": dropped.received, "sent": dropped.sent },
            })
        }),
    })
}

fn far(far: &Far) -> Option<Value> {
    let Far::At(place, name) = far else { return None };
    let netns = match place {
        Place::Here => None,
        Place::In(netns) => Some(netns.to_string()),
    };
    Some(json!({ "namespace": netns, "name": name.as_str() }))
}

fn allowed(station: &Allowed) -> Value {
    json!({
        "mac": station.mac.to_string(),
        "vlan": station.vid.map(Vid::get),
        "address": station.address.map(|address| address.to_string()),
    })
}

fn vlans(set: &VlanSet) -> Value {
    list(&set.ranges(), |range| {
        json!({ "first": range.first.get(), "last": range.last.get(), "pvid": range.pvid,
                "untagged": range.untagged })
    })
}

fn vrf(vrf: &Vrf) -> Value {
    json!({
        "name": vrf.name.as_str(),
        "table": vrf.table.get(),
        "members": list(&vrf.members, |name| name.as_str().into()),
        "routes": list(&vrf.routes, route),
    })
}

fn route(route: &Route) -> Value {
    let kind = match route.kind {
        RouteKind::Unicast => "unicast",
        kind => kind.word().trim_end(),
    };
    json!({
        "kind": kind,
        "prefix": route.prefix.to_string(),
        "via": route.via.map(|via| via.to_string()),
        "dev": route.dev.as_ref().map(IfName::as_str),
        "src": route.src.map(|src| src.to_string()),
        "metric": route.metric,
        "onlink": route.onlink,
        "protocol": protocol(route.protocol),
        "ours": route.protocol == OUR_PROTOCOL,
    })
}

fn bridge(bridge: &Bridge) -> Value {
    json!({
        "name": bridge.name.as_str(),
        "vlan_filtering": bridge.options.filtering,
        "vlan_default_pvid": bridge.options.default_pvid.flatten().map(Vid::get),
        "ports": list(&bridge.ports, |name| name.as_str().into()),
    })
}

fn rule(Both { families, rule }: &Both) -> Value {
    let action = match rule.action {
        Action::Other => "other".to_owned(),
        action => action.to_string(),
    };
    json!({
        "families": list(families, |family| family.to_string().to_lowercase().into()),
        "priority": rule.priority,
        "action": action,
        "selective": rule.selective,
        "protocol": protocol(rule.protocol),
        "ours": rule.protocol == OUR_PROTOCOL,
    })
}

/// The names that iproute2 gives to protocols of routes and rules (etc/iproute2/rt_protos).
const PROTOCOLS: [(u8, &str); 23] = [
    (0, "unspec"),
    (1, "redirect"),
    (2, "kernel"),
    (3, "boot"),
    (4, "static"),
    (8, "gated"),
    (9, "ra"),
    (10, "mrt"),
    (11, "zebra"),
    (12, "bird"),
    (13, "dnrouted"),
    (14, "xorp"),
    (15, "ntk"),
    (16, "dhcp"),
    (18, "keepalived"),
    (42, "babel"),
    (84, "ovn"),
    (99, "openr"),
    (186, "bgp"),
    (187, "isis"),
    (188, "ospf"),
    (189, "rip"),
    (192, "eigrp"),
];

/// A protocol as `ip -j` prints it: its name, or its number if it has none.
fn protocol(number: u8) -> String {
    let named = PROTOCOLS.iter().find(|(known, _)| *known == number);
    named.map_or_else(|| number.to_string(), |(_, name)| (*name).to_owned())
}

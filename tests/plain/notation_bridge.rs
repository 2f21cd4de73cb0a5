//! The words for bridges and ports in [`super::notation`].

use super::notation::word;
use ifupdown_ng_netlink::state::{BridgeOptions, PortOptions};
use ifupdown_ng_netlink::values::{Centiseconds, Vid};

fn on(words: &mut Vec<&str>) -> bool {
    match words.pop().expect("a switch") {
        "on" | "1" => true,
        "off" | "0" => false,
        other => panic!("{other}: neither on nor off"),
    }
}

pub fn port_options(words: &mut Vec<&str>) -> PortOptions {
    // As a new port is; the path cost depends on the link.
    let mut options = PortOptions {
        isolated: Some(false),
        learning: Some(true),
        locked: Some(false),
        neigh_suppress: Some(false),
        unicast_flood: Some(true),
        multicast_flood: Some(true),
        broadcast_flood: Some(true),
        cost: None,
        priority: Some(32),
    };
    while let Some(next) = words.pop() {
        match next {
            "isolated" => options.isolated = Some(on(words)),
            "learning" => options.learning = Some(on(words)),
            "locked" => options.locked = Some(on(words)),
            "neigh_suppress" => options.neigh_suppress = Some(on(words)),
            "flood" => options.unicast_flood = Some(on(words)),
            "mcast_flood" => options.multicast_flood = Some(on(words)),
            "bcast_flood" => options.broadcast_flood = Some(on(words)),
            "cost" => options.cost = Some(word(words)),
            "priority" => options.priority = Some(word(words)),
            other => panic!("{other}: not a word of a port"),
        }
    }
    options
}

/// The words for a bridge, up to those that any link has.
pub fn bridge_options(words: &mut Vec<&str>) -> BridgeOptions {
    let mut options = BridgeOptions::default();
    let seconds = |words: &mut Vec<&str>| Some(Centiseconds(word(words)));
    while let Some(&next) = words.last() {
        if matches!(next, "master" | "up") {
            break;
        }
        words.pop();
        match next {
            "address" => options.address = Some(word(words)),
            "vlan_filtering" => options.filtering = Some(on(words)),
            "vlan_default_pvid" => options.default_pvid = Some(Vid::new(word(words))),
            "vlan_protocol" => options.protocol = Some(word(words)),
            "stp_state" => options.stp = Some(on(words)),
            "ageing_time" => options.ageing = seconds(words),
            "forward_delay" => options.forward_delay = seconds(words),
            "hello_time" => options.hello = seconds(words),
            "max_age" => options.max_age = seconds(words),
            "priority" => options.priority = Some(word(words)),
            other => panic!("{other}: not a word of a bridge"),
        }
    }
    options
}

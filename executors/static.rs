//! `static` adds addresses and default routes, with every keyword of the stock executor of that name.

use ifupdown_ng_netlink::plan::address::{Static, Table};
use ifupdown_ng_netlink::program::executor::{Executor, Keyword, Program, boxed};
use ifupdown_ng_netlink::program::run::run;
use ifupdown_ng_netlink::stanza::Stanza;
use ifupdown_ng_netlink::state::LinkAddress;
use ifupdown_ng_netlink::values::{AddressOrNone, FarEnd, Gateway, Metric, Words};
use std::net::IpAddr;
use std::process::ExitCode;

/// The program.
pub const PROGRAM: Program = Program {
    name: "static",
    about: "Adds the addresses and the default routes of an interface",
    parts: &[STATIC],
    examples: [
        "static --iface eth0 --check address=192.0.2.10/24 gateway=192.0.2.1",
        "static --iface eth0 --dry-run --phase up address=192.0.2.10/32 point-to-point=192.0.2.1",
    ],
};

#[allow(dead_code, reason = "the programs that contain this one have a main of their own")]
fn main() -> ExitCode {
    run(&PROGRAM)
}

const STATIC: Executor = Executor::new(
    &[
        Keyword {
            name: "address",
            syntax: "ADDRESS/LENGTH",
            help: "An address of the interface; a line for each",
        },
        Keyword { name: "gateway", syntax: "ADDRESS", help: "A gateway of a default route; a line for each" },
        Keyword { name: "metric", syntax: "NUMBER", help: "The metric of the default routes, 1 by default" },
        Keyword {
            name: "point-to-point",
            syntax: "ADDRESS",
            help: "The address of the other end, for the IPv4 addresses of the interface",
        },
    ],
    |stanza| boxed(read(stanza)),
);

fn read(stanza: &Stanza) -> Option<Static> {
    // An interface that moves has its addresses in the other namespace only.
    if !stanza.uses(["address", "addresses", "gateway", "gateways"]) || stanza.uses(["netns"]) {
        return None;
    }
    let peer = stanza.get("point-to-point").map(|FarEnd(peer)| peer);
    let metric = stanza.get("metric").map_or(1, |Metric(metric)| metric);
    let mut addresses: Vec<LinkAddress> = Vec::new();
    let nets = list("address", "addresses", stanza).into_iter().filter_map(|AddressOrNone(net)| net);
    for net in nets {
        let address = match (net.addr(), peer) {
            (IpAddr::V4(own), Some(peer)) => LinkAddress::point_to_point(own, peer),
            _ => LinkAddress::without_broadcast(net),
        };
        if !addresses.iter().any(|other| other.same(&address)) {
            addresses.push(address);
        }
    }
    // A gateway of a VRF is on one of its members.
    let is_vrf = stanza.text("vrf-table").is_some();
    let reaches = |gateway: IpAddr| {
        let link_local = matches!(gateway, IpAddr::V6(v6) if v6.is_unicast_link_local());
        let covers = |address: &LinkAddress| {
            address.peer.map(IpAddr::V4) == Some(gateway)
                || (address.net.contains(&gateway) && address.net.prefix_len() > 0)
        };
        is_vrf || link_local || addresses.iter().any(covers)
    };
    let gateways = list::<Gateway>("gateway", "gateways", stanza)
        .into_iter()
        .map(|Gateway(gateway)| (gateway, !reaches(gateway)))
        .collect();
    Some(Static { gateways, addresses, metric, table: table(stanza)? })
}

/// The values that ifupdown-ng hands over together; by hand, those of the keyword itself.
fn list<T: std::str::FromStr<Err: std::fmt::Display>>(keyword: &str, all: &str, stanza: &Stanza) -> Vec<T> {
    let name = if stanza.text(all).is_some() { all } else { keyword };
    stanza.get::<Words<T>>(name).map(|Words(values)| values).unwrap_or_default()
}

/// The table of the default routes, as the stock executor picks it; `None` if a value is wrong.
fn table(stanza: &Stanza) -> Option<Table> {
    let member = ["vrf-member", "vrf"].into_iter().find(|keyword| stanza.text(keyword).is_some());
    match (member, stanza.text("vrf-table")) {
        (Some(keyword), _) => stanza.get(keyword).map(|vrf| Table::Of { vrf, keyword }),
        (None, None) => Some(Table::Main),
        (None, Some("auto")) => Some(Table::Own),
        (None, Some(_)) => stanza.get("vrf-table").map(Table::Named),
    }
}

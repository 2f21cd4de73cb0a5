//! All programs, for the tests that hold each of them to the same promises.
//!
//! Not a program itself: the tests include this file by its path.

#[path = "bridge.rs"]
mod bridge;
#[path = "bridge-vlan.rs"]
mod bridge_vlan;
#[path = "netns.rs"]
mod netns;
#[path = "netns-interfaces.rs"]
mod netns_interfaces;
#[path = "veth.rs"]
mod veth;
#[path = "veth-peer.rs"]
mod veth_peer;
#[path = "vrf.rs"]
mod vrf;
#[path = "vrf-route.rs"]
mod vrf_route;
#[path = "vrf-rules.rs"]
mod vrf_rules;
#[path = "vrf-table.rs"]
mod vrf_table;

use ifupdown_ng_netlink::executor::Program;

/// The programs, one for each other file of this folder.
pub const PROGRAMS: &[&Program] = &[
    &bridge_vlan::PROGRAM,
    &bridge::PROGRAM,
    &vrf_table::PROGRAM,
    &vrf_rules::PROGRAM,
    &vrf_route::PROGRAM,
    &vrf::PROGRAM,
    &netns::PROGRAM,
    &netns_interfaces::PROGRAM,
    &veth_peer::PROGRAM,
    &veth::PROGRAM,
];

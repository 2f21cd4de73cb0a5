//! All programs in one. It is installed once, with a link for each program name (`make MULTICALL=1`).
//!
//! `ifnetlink`, which reads stanzas as these programs do, includes this file by its path. So do the tests that check
//! every program.

#![allow(clippy::duplicate_mod, reason = "`vrf` and others are made of executors that are programs as well")]

#[path = "bridge.rs"]
mod bridge;
#[path = "bridge-vlan.rs"]
mod bridge_vlan;
#[path = "forward.rs"]
mod forward;
#[path = "link.rs"]
mod link;
#[path = "netns.rs"]
mod netns;
#[path = "netns-interfaces.rs"]
mod netns_interfaces;
#[path = "static.rs"]
mod static_addresses;
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

use ifupdown_ng_netlink::program::executor::Program;
use ifupdown_ng_netlink::program::run::run_one_of;
use std::process::ExitCode;

/// The programs, one for each other file of this directory.
pub const ALL: &[&Program] = &[
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
    &link::PROGRAM,
    &static_addresses::PROGRAM,
    &forward::PROGRAM,
];

/// How many of them, at the end, have keywords of the stock executors only: those that ifupdown-ng starts for every file,
/// so that they are installed only on request (`make DROPIN=all`).
const OF_STOCK: usize = 3;

/// The programs with keywords of this package.
pub const PROGRAMS: &[&Program] = ALL.split_at(ALL.len() - OF_STOCK).0;

/// The programs in place of `link`, `static` and `forward`.
#[allow(dead_code, reason = "not everything that includes this file has a use for them")]
pub const NATIVE: &[&Program] = ALL.split_at(ALL.len() - OF_STOCK).1;

#[allow(dead_code, reason = "the tests have a main of their own")]
fn main() -> ExitCode {
    run_one_of(ALL)
}

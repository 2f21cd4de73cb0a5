//! `vrf`: all keywords that begin with `vrf-` in one process. A stanza then needs no `use` line.
//!
//! The rules come last on the way up. The way down is the reverse, so `vrf-table` restores the rules when it has
//! deleted the last VRF. While a VRF exists, packets cannot leave it.

use ifupdown_ng_netlink::program::executor::Program;
use ifupdown_ng_netlink::program::run::run;
use std::process::ExitCode;

#[path = "vrf-route.rs"]
mod vrf_route;
#[path = "vrf-rules.rs"]
mod vrf_rules;
#[path = "vrf-table.rs"]
mod vrf_table;

/// The program.
pub const PROGRAM: Program = Program {
    name: "vrf",
    about: "Makes an interface a VRF or a member of one, with its routing rules and routes",
    parts: &[
        vrf_table::PROGRAM.parts[0],
        vrf_table::PROGRAM.parts[1],
        vrf_rules::PROGRAM.parts[0],
        vrf_rules::PROGRAM.parts[1],
        vrf_rules::PROGRAM.parts[2],
        vrf_route::PROGRAM.parts[0],
    ],
    examples: [
        "vrf --iface red --check vrf-table=10 vrf-rules=yes",
        "vrf --iface eth1 --dry-run vrf-member=red vrf-route='default via 192.0.2.1'",
    ],
};

#[allow(dead_code, reason = "the programs that contain this one have a main of their own")]
fn main() -> ExitCode {
    run(&PROGRAM)
}

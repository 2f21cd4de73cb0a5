//! `veth`: all keywords that begin with `veth-` in one process. A stanza then needs no `use` line.

use ifupdown_ng_netlink::program::executor::Program;
use ifupdown_ng_netlink::program::run::run;
use std::process::ExitCode;

#[path = "veth-peer.rs"]
mod veth_peer;

/// The program.
pub const PROGRAM: Program = Program {
    name: "veth",
    about: veth_peer::PROGRAM.about,
    parts: veth_peer::PROGRAM.parts,
    examples: [
        "veth --iface veth-guest --check veth-peer=eth0 veth-peer-netns=guest",
        "veth --iface veth-guest --dry-run --phase create veth-peer=eth0 veth-peer-mtu=9000",
    ],
};

#[allow(dead_code, reason = "the programs that contain this one have a main of their own")]
fn main() -> ExitCode {
    run(&PROGRAM)
}

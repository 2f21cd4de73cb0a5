//! `bridge`: every keyword of the stock executor `bridge`, and the keywords of `bridge-vlan`, in one process.

use ifupdown_ng_netlink::plan::bridge::scope::Scope;
use ifupdown_ng_netlink::program::executor::{Executor, Keyword, Program, boxed};
use ifupdown_ng_netlink::program::run::run;
use ifupdown_ng_netlink::stanza::Stanza;
use ifupdown_ng_netlink::values::IfName;
use ifupdown_ng_netlink::values::bridge::Ports;
use std::process::ExitCode;

#[path = "bridge-vlan.rs"]
mod bridge_vlan;

/// The program.
pub const PROGRAM: Program = Program {
    name: "bridge",
    about: "Makes bridges with their ports, settings and VLANs",
    parts: &[BRIDGE],
    examples: [
        "bridge --iface br0 --check bridge-ports='eth0 eth1' bridge-stp=yes",
        "bridge --iface eth0 --dry-run bridge-member=br0 bridge-vlan='10 pvid untagged, 20'",
    ],
};

#[allow(dead_code, reason = "the programs that contain this one have a main of their own")]
fn main() -> ExitCode {
    run(&PROGRAM)
}

const BRIDGE: Executor = Executor {
    isolates: bridge_vlan::isolates,
    depends,
    ..Executor::new(&ALL, |stanza| boxed(bridge_vlan::read(stanza, &ALL, Scope::All)))
};

/// The keywords of the stock executor that `bridge-vlan` does not have.
const STOCK: [Keyword; 17] = [
    Keyword {
        name: "bridge-ports",
        syntax: "[PORT|glob RANGE|regex EXPRESSION] …|none|all",
        help: "Make the interface a bridge with these ports",
    },
    Keyword {
        name: "bridge-waitport",
        syntax: "SECONDS [PORT …]",
        help: "Wait until these ports (all if none is named) exist, at most so long",
    },
    Keyword {
        name: "bridge-maxwait",
        syntax: "SECONDS",
        help: "The longest wait for the spanning tree; twice bridge-fd unless set",
    },
    Keyword { name: "bridge-ageing", syntax: "SECONDS", help: "How long a learnt address is kept" },
    Keyword {
        name: "bridge-bridgeprio",
        syntax: "0-65535",
        help: "The priority of the bridge in the spanning tree; the lowest is the root",
    },
    Keyword {
        name: "bridge-fd",
        syntax: "SECONDS",
        help: "How long a port is in each of the states listening and learning",
    },
    Keyword { name: "bridge-hello", syntax: "SECONDS", help: "The interval of hello messages" },
    Keyword {
        name: "bridge-maxage",
        syntax: "SECONDS",
        help: "How long information from another bridge is valid",
    },
    Keyword {
        name: "bridge-pathcost",
        syntax: "[PORT] 1-65535, …",
        help: "The path cost of a port, of each if none is named",
    },
    Keyword {
        name: "bridge-portprio",
        syntax: "[PORT] 0-63, …",
        help: "The priority of a port, of each if none is named",
    },
    Keyword {
        name: "bridge-stp",
        syntax: "yes|no",
        help: "Whether the bridge takes part in a spanning tree",
    },
    Keyword { name: "bridge-hw", syntax: "MAC", help: "The bridge's own Ethernet address" },
    Keyword {
        name: "bridge-access",
        syntax: "VID",
        help: "The one VLAN of the port, or of the bridge itself: pvid and untagged",
    },
    Keyword {
        name: "bridge-pvid",
        syntax: "VID",
        help: "The VLAN of untagged frames instead of the bridge's default",
    },
    Keyword { name: "bridge-vids", syntax: "VID[-VID] …", help: "Tagged VLANs" },
    Keyword {
        name: "bridge-allow-untagged",
        syntax: "yes|no",
        help: "With no, the port is not in the bridge's default VLAN",
    },
    Keyword {
        name: "bridge-arp-nd-suppress",
        syntax: "yes|no",
        help: "Answer ARP and neighbour discovery for known neighbours instead of flooding them",
    },
];

/// All keywords.
const ALL: [Keyword; STOCK.len() + bridge_vlan::KEYWORDS.len()] = {
    let mut all = [STOCK[0]; STOCK.len() + bridge_vlan::KEYWORDS.len()];
    let mut place = 0;
    while place < all.len() {
        all[place] =
            if place < STOCK.len() { STOCK[place] } else { bridge_vlan::KEYWORDS[place - STOCK.len()] };
        place += 1;
    }
    all
};

/// A member needs its bridge, and a bridge its ports, but for those that `all` or `regex` finds.
fn depends(iface: Option<&str>, stanza: &Stanza) -> Vec<IfName> {
    if stanza.text("bridge-member").is_some() {
        return bridge_vlan::bridge(iface, stanza);
    }
    let ports: Option<Ports> = stanza.text("bridge-ports").and_then(|ports| ports.parse().ok());
    ports.map(|ports| ports.named().to_vec()).unwrap_or_default()
}

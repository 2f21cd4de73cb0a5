//! `bridge-vlan` turns on VLAN filtering of a bridge, and sets the VLANs of its ports and of the bridge itself.

use ifupdown_ng_netlink::plan::bridge::config::Config;
use ifupdown_ng_netlink::plan::bridge::scope::Scope;
use ifupdown_ng_netlink::program::executor::{Executor, Keyword, Program, boxed};
use ifupdown_ng_netlink::program::run::run;
use ifupdown_ng_netlink::stanza::{Phase, Stanza};
use ifupdown_ng_netlink::values::IfName;
use std::process::ExitCode;

/// The program.
pub const PROGRAM: Program = Program {
    name: "bridge-vlan",
    about: "Makes VLAN-aware bridges, and ports of them with exactly the VLANs that are declared",
    parts: &[BRIDGE_VLAN],
    examples: [
        "bridge-vlan --iface br0 --check bridge-vlan-filtering=yes bridge-default-pvid=none",
        "bridge-vlan --iface eth0 --dry-run bridge-member=br0 bridge-vlan='10 pvid untagged, 20'",
    ],
};

#[allow(dead_code, reason = "the programs that contain this one have a main of their own")]
fn main() -> ExitCode {
    run(&PROGRAM)
}

const BRIDGE_VLAN: Executor = Executor {
    isolates,
    depends: bridge,
    ..Executor::new(&KEYWORDS, |stanza| boxed(read(stanza, &KEYWORDS, Scope::Vlan)))
};

/// The keywords of VLAN-aware bridges and of their ports.
pub const KEYWORDS: [Keyword; 14] = [
    Keyword {
        name: "bridge-vlan-filtering",
        syntax: "yes|no",
        help: "Make the interface a bridge, with VLAN filtering on or off",
    },
    Keyword { name: "bridge-vlan-aware", syntax: "yes|no", help: "The same" },
    Keyword {
        name: "bridge-default-pvid",
        syntax: "VID|none",
        help: "The VLAN of ports that have no other; 1 unless set",
    },
    Keyword {
        name: "bridge-vlan-protocol",
        syntax: "802.1Q|802.1ad",
        help: "The VLAN protocol of the bridge",
    },
    Keyword {
        name: "bridge-vlan",
        syntax: "none|VID[-VID] [pvid] [untagged|tagged], …",
        help: "The VLANs of the port, or of the bridge itself: these, and no others",
    },
    Keyword {
        name: "bridge-member",
        syntax: "BRIDGE",
        help: "Make the interface a port of this bridge, before it is up",
    },
    Keyword {
        name: "bridge-isolated",
        syntax: "yes|no",
        help: "Exchange no frames with other isolated ports of the bridge",
    },
    Keyword {
        name: "bridge-learning",
        syntax: "yes|no",
        help: "Learn the addresses of stations from frames",
    },
    Keyword {
        name: "bridge-locked",
        syntax: "yes|no",
        help: "Accept frames only from stations with an entry in the forwarding database",
    },
    Keyword {
        name: "bridge-unicast-flood",
        syntax: "yes|no",
        help: "Send the port unicast frames to stations that the forwarding database does not have",
    },
    Keyword {
        name: "bridge-multicast-flood",
        syntax: "yes|no",
        help: "Send the port multicast frames of groups without known members",
    },
    Keyword { name: "bridge-broadcast-flood", syntax: "yes|no", help: "Send the port broadcast frames" },
    Keyword {
        name: "bridge-fdb",
        syntax: "MAC [vlan VID], …",
        help: "Static entries of the forwarding database: stations behind the port",
    },
    Keyword {
        name: "bridge-allow",
        syntax: "MAC [vlan VID] [ADDRESS …], …",
        help: "The only stations that the port may have: no other address enters or leaves it",
    },
];

/// Reads a stanza, if it has any of these keywords.
pub fn read(stanza: &Stanza, keywords: &'static [Keyword], scope: Scope) -> Option<Config> {
    if stanza.uses(keywords.iter().map(|keyword| keyword.name)) { Config::read(stanza, scope) } else { None }
}

/// The phase after which a port with `bridge-member` is isolated. A port in `bridge-ports` is set up by its bridge.
pub fn isolates(stanza: &Stanza) -> Option<Phase> {
    stanza.uses(["bridge-member"]).then_some(Phase::PreUp)
}

/// The bridge of a port.
pub fn bridge(_: Option<&str>, stanza: &Stanza) -> Vec<IfName> {
    stanza.text("bridge-member").and_then(|bridge| bridge.parse().ok()).into_iter().collect()
}

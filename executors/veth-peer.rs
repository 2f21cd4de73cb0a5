//! `veth-peer` makes an interface one end of a veth pair. The other end is created in `veth-peer-netns`.

use ifupdown_ng_netlink::plan::netns::inside::Inside;
use ifupdown_ng_netlink::plan::netns::veth_peer::VethPeer;
use ifupdown_ng_netlink::program::executor::{Executor, Keyword, Program, boxed};
use ifupdown_ng_netlink::program::run::run;
use ifupdown_ng_netlink::stanza::Stanza;
use ifupdown_ng_netlink::values::{IfName, Switch};
use std::process::ExitCode;

/// The program.
pub const PROGRAM: Program = Program {
    name: "veth-peer",
    about: "Makes an interface one end of a veth pair, and creates the peer in its namespace",
    parts: &[VETH_PEER],
    examples: [
        "veth-peer --iface veth-guest --check veth-peer=eth0 veth-peer-netns=guest",
        "veth-peer --iface veth-guest --dry-run --phase create veth-peer=eth0 veth-peer-mtu=9000",
    ],
};

#[allow(dead_code, reason = "the programs that contain this one have a main of their own")]
fn main() -> ExitCode {
    run(&PROGRAM)
}

const VETH_PEER: Executor =
    Executor { depends: master, ..Executor::new(KEYWORDS, |stanza| boxed(veth_peer(stanza))) };

const KEYWORDS: &[Keyword] = &[
    Keyword {
        name: "veth-peer",
        syntax: "NAME",
        help: "Make the interface one end of a veth pair; the peer has this name",
    },
    Keyword {
        name: "veth-peer-netns",
        syntax: "NAME|PID|PATH",
        help: "The network namespace of the peer; a named one is created if it is missing",
    },
    Keyword { name: "veth-peer-address", syntax: "ADDRESS/LENGTH, …", help: "The peer's addresses" },
    Keyword {
        name: "veth-peer-gateway",
        syntax: "ADDRESS, …",
        help: "Gateways of default routes in the peer's namespace",
    },
    Keyword {
        name: "veth-peer-route",
        syntax: "ROUTE, …",
        help: "Routes in the peer's namespace, spelled as for vrf-route",
    },
    Keyword { name: "veth-peer-hwaddress", syntax: "MAC", help: "The peer's hardware address" },
    Keyword { name: "veth-peer-mtu", syntax: "BYTES", help: "The peer's MTU" },
    Keyword {
        name: "veth-peer-master",
        syntax: "NAME",
        help: "The bridge or VRF of the peer, in the peer's namespace",
    },
    Keyword { name: "veth-peer-up", syntax: "yes|no", help: "Whether the peer is set up; yes by default" },
    Keyword { name: "veth-queues", syntax: "N", help: "The queues of both ends, each way" },
];

fn veth_peer(stanza: &Stanza) -> Option<VethPeer> {
    let peer = stanza.get("veth-peer");
    let netns = stanza.get("veth-peer-netns");
    let mut parsed = VethPeer {
        peer: "lo".parse().ok()?,
        netns,
        mac: stanza.get("veth-peer-hwaddress"),
        mtu: stanza.get("veth-peer-mtu"),
        own_mac: stanza.get("hwaddress"),
        own_mtu: stanza.get("mtu"),
        queues: stanza.get("veth-queues"),
        inside: Inside::parse("veth-peer", stanza),
        master: stanza.get("veth-peer-master"),
        up: stanza.get::<Switch>("veth-peer-up").is_none_or(|Switch(up)| up),
        keep: stanza.text("netns-keep").and_then(|text| text.parse().ok()).is_some_and(|Switch(keep)| keep),
    };
    if stanza.text("veth-peer").is_none() {
        for keyword in KEYWORDS.iter().filter(|keyword| stanza.text(keyword.name).is_some()) {
            stanza.reject(keyword.name, "has no effect without `veth-peer`");
        }
    } else if stanza.text("link-type") == Some("veth") {
        stanza.reject("link-type", "the pair is made by `veth-peer`; leave this line out");
    }
    parsed.peer = peer?;
    // Without a valid namespace, the place of the peer is unknown.
    (parsed.netns.is_some() == stanza.text("veth-peer-netns").is_some()).then_some(parsed)
}

/// Never the peer: it is created together with this interface, not before it.
fn master(_: Option<&str>, stanza: &Stanza) -> Vec<IfName> {
    let beside = stanza.text("veth-peer-netns").is_none();
    let master = stanza.text("veth-peer-master").filter(|_| beside);
    master.and_then(|name| name.parse().ok()).into_iter().collect()
}

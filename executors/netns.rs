//! `netns` moves an interface to another network namespace, and sets it up inside that namespace.
//!
//! On the way up it moves the interface last, after every executor that works on it from outside. On the way down it
//! moves the interface back before any other executor acts on it.

use ifupdown_ng_netlink::plan::netns::inside::Inside;
use ifupdown_ng_netlink::plan::netns::moved::{Made, Moved};
use ifupdown_ng_netlink::plan::netns::sysctls::Settings;
use ifupdown_ng_netlink::program::executor::{Executor, Keyword, Program, boxed};
use ifupdown_ng_netlink::program::run::run;
use ifupdown_ng_netlink::stanza::{Phase, Stanza};
use ifupdown_ng_netlink::values::Switch;
use std::process::ExitCode;

/// The program.
pub const PROGRAM: Program = Program {
    name: "netns",
    about: "Moves an interface to another network namespace, and sets it up there",
    parts: &[NETNS, netns_interfaces::PROGRAM.parts[0]],
    examples: [
        "netns --iface eth1 --check netns=isolated netns-address=192.0.2.10/24",
        "netns --iface eth1 --dry-run --phase post-up netns=isolated netns-ifname=lan0",
    ],
};

#[path = "netns-interfaces.rs"]
mod netns_interfaces;

#[allow(dead_code, reason = "the programs that contain this one have a main of their own")]
fn main() -> ExitCode {
    run(&PROGRAM)
}

const NETNS: Executor = Executor {
    isolates: |stanza| stanza.uses(["netns"]).then_some(Phase::PostUp),
    ..Executor::new(
        &[
            Keyword {
                name: "netns",
                syntax: "NAME|PID|PATH",
                help: "Move the interface to this network namespace; a named one is created if it is missing",
            },
            Keyword { name: "netns-ifname", syntax: "NAME", help: "The interface's name in the namespace" },
            Keyword {
                name: "netns-address",
                syntax: "ADDRESS/LENGTH, …",
                help: "Its addresses in the namespace; it never has them outside",
            },
            Keyword {
                name: "netns-gateway",
                syntax: "ADDRESS, …",
                help: "Gateways of default routes in the namespace",
            },
            Keyword {
                name: "netns-route",
                syntax: "ROUTE, …",
                help: "Routes in the namespace, spelled as for vrf-route",
            },
            Keyword {
                name: "netns-sysctl",
                syntax: "KEY=VALUE, …",
                help: "Kernel parameters below net. in the namespace, set before the interface is up",
            },
            Keyword {
                name: "netns-keep",
                syntax: "yes|no",
                help: "Keep the namespace when nothing is in it any more",
            },
        ],
        |stanza| boxed(netns(stanza)),
    )
};

/// Keywords that give the interface a master.
const MASTERS: [&str; 3] = ["vrf-member", "vrf", "bridge-member"];
/// Keywords that require `netns`.
const DEPENDENT: [&str; 5] =
    ["netns-ifname", "netns-address", "netns-gateway", "netns-route", "netns-sysctl"];

fn netns(stanza: &Stanza) -> Option<Moved> {
    let keep = stanza.get::<Switch>("netns-keep").is_some_and(|Switch(keep)| keep);
    let netns = stanza.get("netns");
    let ifname = stanza.get("netns-ifname");
    let inside = Inside::parse("netns", stanza);
    let sysctls = stanza.get::<Settings>("netns-sysctl");
    if stanza.text("netns").is_none() {
        for keyword in DEPENDENT.into_iter().filter(|keyword| stanza.text(keyword).is_some()) {
            stanza.reject(keyword, "has no effect without `netns`");
        }
    }
    for keyword in MASTERS.into_iter().filter(|keyword| stanza.uses(["netns"]) && stanza.uses([*keyword])) {
        let reason = "conflicts with `netns`: an interface that moves leaves its bridge or VRF";
        stanza.reject(keyword, reason);
    }
    if stanza.uses(["netns"]) && stanza.uses_dhcp() {
        let reason = "conflicts with `netns`: the DHCP client stays outside; give the namespace its own interfaces \
                      file, with netns-interfaces";
        stanza.reject("inet dhcp", reason);
    }
    let netns = netns?;
    let addresses = stanza.text("addresses").unwrap_or_default();
    Some(Moved {
        netns,
        ifname,
        inside: inside.with_plain_lines(stanza),
        sysctls: sysctls.map(|Settings(all)| all).unwrap_or_default(),
        keep,
        ipv6_outside: addresses.contains(':'),
        made: match (stanza.text("link-type"), stanza.text("vlan-raw-device")) {
            (Some("dummy"), _) => Made::Dummy,
            (_, Some(_)) => Made::Vlan,
            _ => Made::ByName,
        },
    })
}

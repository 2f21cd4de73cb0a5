//! `netns-interfaces` brings up all interfaces of a namespace from an interfaces file of its own.

use ifupdown_ng_netlink::plan::netns::interfaces::{Interfaces, default_file};
use ifupdown_ng_netlink::program::executor::{Executor, Keyword, Program, boxed};
use ifupdown_ng_netlink::program::run::run;
use ifupdown_ng_netlink::stanza::Stanza;
use ifupdown_ng_netlink::values::NetnsRef;
use std::path::PathBuf;
use std::process::ExitCode;

/// The program.
pub const PROGRAM: Program = Program {
    name: "netns-interfaces",
    about: "Configures a whole network namespace from an interfaces file of its own",
    parts: &[NETNS_INTERFACES],
    examples: [
        "IF_NETNS=office netns-interfaces --iface eth2 --check netns-interfaces=auto",
        "IF_NETNS=office netns-interfaces --iface eth2 --dry-run netns-interfaces=/etc/network/office",
    ],
};

#[allow(dead_code, reason = "the programs that contain this one have a main of their own")]
fn main() -> ExitCode {
    run(&PROGRAM)
}

const NETNS_INTERFACES: Executor = Executor::new(
    &[Keyword {
        name: "netns-interfaces",
        syntax: "FILE|auto",
        help: "Run ifup -a inside with this interfaces file, and ifdown -a when the interface goes down; auto is \
               /etc/netns/NAME/network/interfaces",
    }],
    |stanza| boxed(netns_interfaces(stanza)),
);

fn netns_interfaces(stanza: &Stanza) -> Option<Interfaces> {
    let written = stanza.text("netns-interfaces")?;
    // The namespace of the interface. If the interface does not move, that of its peer.
    let text = stanza.text("netns").or(stanza.text("veth-peer-netns"));
    let Some(text) = text else {
        stanza.reject("netns-interfaces", "has no effect without `netns` or `veth-peer-netns`");
        return None;
    };
    // An error in this value is reported by the executor that reads the keyword.
    let netns: NetnsRef = text.parse().ok()?;
    let file = match (written, &netns) {
        ("auto", NetnsRef::Name(name)) => default_file(name),
        ("auto", _) => {
            stanza.reject("netns-interfaces", "auto is for a named namespace; give a file");
            return None;
        }
        (path, _) if path.starts_with('/') => PathBuf::from(path),
        _ => {
            stanza.reject("netns-interfaces", "neither auto nor an absolute path");
            return None;
        }
    };
    Some(Interfaces { netns, file, written: written.to_owned() })
}

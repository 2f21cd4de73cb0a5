//! `forward` sets whether packets from an interface are forwarded, with every keyword of the stock executor of that name.

use ifupdown_ng_netlink::plan::forward::{Forward, Setting};
use ifupdown_ng_netlink::program::executor::{Executor, Keyword, Program, boxed};
use ifupdown_ng_netlink::program::run::run;
use ifupdown_ng_netlink::stanza::Stanza;
use ifupdown_ng_netlink::values::Switch;
use std::process::ExitCode;

/// The program.
pub const PROGRAM: Program = Program {
    name: "forward",
    about: "Sets whether packets that an interface receives are forwarded",
    parts: &[FORWARD],
    examples: [
        "forward --iface eth0 --check forward-ipv4=yes forward-ipv6=no",
        "forward --iface eth0 --dry-run --phase up forward-ipv4=yes",
    ],
};

#[allow(dead_code, reason = "the programs that contain this one have a main of their own")]
fn main() -> ExitCode {
    run(&PROGRAM)
}

const FORWARD: Executor = Executor::new(
    &[
        Keyword { name: "forward-ipv4", syntax: "yes|no", help: "Forward IPv4 packets" },
        Keyword { name: "forward-ipv6", syntax: "yes|no", help: "Forward IPv6 packets" },
        Keyword {
            name: "forward-ipv4-mc",
            syntax: "yes|no",
            help: "Forward IPv4 multicast packets; the kernel lets only a multicast router set it",
        },
        Keyword { name: "forward-ipv6-mc", syntax: "yes|no", help: "The same for IPv6" },
    ],
    |stanza| boxed(read(stanza)),
);

/// The keywords, with the sysctl that each stands for.
const SETTINGS: [(&str, &str, &str); 4] = [
    ("forward-ipv4", "ipv4", "forwarding"),
    ("forward-ipv6", "ipv6", "forwarding"),
    ("forward-ipv4-mc", "ipv4", "mc_forwarding"),
    ("forward-ipv6-mc", "ipv6", "mc_forwarding"),
];

fn read(stanza: &Stanza) -> Option<Forward> {
    let settings: Vec<Setting> = SETTINGS
        .into_iter()
        .filter_map(|(keyword, family, name)| {
            let Switch(on) = stanza.get(keyword)?;
            Some(Setting { keyword, family, name, on })
        })
        .collect();
    (!settings.is_empty()).then(|| Forward { settings, moves: stanza.uses(["netns"]) })
}

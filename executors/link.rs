//! `link` makes, configures, sets up and deletes interfaces, with every keyword of the stock executor of that name.

use ifupdown_ng_netlink::plan::link::{LinkSettings, Made, lower_link};
use ifupdown_ng_netlink::program::executor::{Executor, Keyword, Program, boxed};
use ifupdown_ng_netlink::program::run::run;
use ifupdown_ng_netlink::stanza::Stanza;
use ifupdown_ng_netlink::state::VlanFlags;
use ifupdown_ng_netlink::values::{IfName, LinkMtu, Switch};
use std::process::ExitCode;

/// The program.
pub const PROGRAM: Program = Program {
    name: "link",
    about: "Makes dummy links, veth pairs and VLANs, and sets interfaces up and down",
    parts: &[LINK],
    examples: [
        "link --iface eth0.8 --check mtu=1400",
        "link --iface servers --dry-run --phase create vlan-raw-device=eth0 vlan-id=8",
    ],
};

#[allow(dead_code, reason = "the programs that contain this one have a main of their own")]
fn main() -> ExitCode {
    run(&PROGRAM)
}

const LINK: Executor = Executor {
    depends,
    always: true,
    ..Executor::new(
        &[
            Keyword {
                name: "link-type",
                syntax: "dummy|veth",
                help: "Make the interface a dummy link, or one end of a veth pair",
            },
            Keyword {
                name: "veth-peer-name",
                syntax: "NAME",
                help: "The name of the other end of the pair; the kernel picks one by default",
            },
            Keyword {
                name: "vlan-raw-device",
                syntax: "NAME",
                help: "The interface that carries the VLAN; eth0 in the name eth0.8",
            },
            Keyword {
                name: "vlan-id",
                syntax: "0-4094",
                help: "The number of the VLAN; the number in the names eth0.8 and vlan8",
            },
            Keyword {
                name: "vlan-protocol",
                syntax: "802.1Q|802.1ad",
                help: "The protocol of the tags of the VLAN, 802.1Q by default",
            },
            Keyword {
                name: "vlan-reorder-hdr",
                syntax: "on|off",
                help: "Whether programs see received frames without their tag; on by default",
            },
            Keyword { name: "vlan-gvrp", syntax: "on|off", help: "Register the VLAN by GVRP" },
            Keyword { name: "vlan-mvrp", syntax: "on|off", help: "Register the VLAN by MVRP" },
            Keyword {
                name: "vlan-loose-binding",
                syntax: "on|off",
                help: "Do not let the state of the VLAN follow that of the interface that carries it",
            },
            Keyword {
                name: "vlan-bridge-binding",
                syntax: "on|off",
                help: "Let the state of the VLAN follow the ports of the bridge that are in it",
            },
            Keyword { name: "mtu", syntax: "BYTES", help: "The MTU of the interface" },
            Keyword { name: "hwaddress", syntax: "MAC", help: "The hardware address of the interface" },
            Keyword { name: "alias", syntax: "TEXT", help: "A text that `ip link` shows with the interface" },
            Keyword {
                name: "link-options",
                syntax: "mtu BYTES|address MAC",
                help: "The same settings in the words of `ip link set`; mtu and hwaddress win",
            },
        ],
        |stanza| boxed(Some(link(stanza))),
    )
};

fn link(stanza: &Stanza) -> LinkSettings {
    let peer = stanza.get("veth-peer-name");
    let made = match stanza.text("link-type") {
        Some("dummy") => Some(Made::Dummy),
        Some("veth") => Some(Made::Veth { peer }),
        _ => None,
    };
    let flag = |keyword| stanza.get::<Switch>(keyword).map(|Switch(on)| on);
    let flags = VlanFlags {
        reorder_hdr: flag("vlan-reorder-hdr"),
        gvrp: flag("vlan-gvrp"),
        mvrp: flag("vlan-mvrp"),
        loose_binding: flag("vlan-loose-binding"),
        bridge_binding: flag("vlan-bridge-binding"),
    };
    let mut settings = LinkSettings {
        made,
        lower: stanza.get("vlan-raw-device"),
        id: stanza.get("vlan-id"),
        protocol: stanza.get("vlan-protocol"),
        flags,
        mtu: stanza.get("mtu").map(|LinkMtu(mtu)| mtu),
        mac: stanza.get("hwaddress"),
        alias: stanza.whole("alias").map(ToOwned::to_owned),
        // Wrong values are problems of the executor `netns`.
        moved: stanza.text("netns").and_then(|netns| {
            Some((netns.parse().ok()?, stanza.text("netns-ifname").and_then(|name| name.parse().ok())))
        }),
    };
    let options: Vec<&str> = stanza.text("link-options").unwrap_or_default().split_whitespace().collect();
    for pair in options.chunks(2) {
        match pair {
            ["mtu", value] => match value.parse() {
                Ok(LinkMtu(mtu)) => settings.mtu = settings.mtu.or(Some(mtu)),
                Err(error) => stanza.reject("link-options", error),
            },
            ["address", value] => match value.parse() {
                Ok(mac) => settings.mac = settings.mac.or(Some(mac)),
                Err(error) => stanza.reject("link-options", error),
            },
            [word, ..] => {
                stanza.reject("link-options", format_args!("{word}: neither `mtu BYTES` nor `address MAC`"));
            }
            [] => {}
        }
    }
    settings
}

/// A VLAN needs its lower link. Not the other end of a pair: both ends are made together.
fn depends(iface: Option<&str>, stanza: &Stanza) -> Vec<IfName> {
    if stanza.text("link-type").is_some_and(|kind| ["dummy", "veth"].contains(&kind)) {
        return Vec::new();
    }
    let (lower, id) = (stanza.text("vlan-raw-device"), stanza.text("vlan-id"));
    iface.and_then(|iface| lower_link(iface, lower, id)).into_iter().collect()
}

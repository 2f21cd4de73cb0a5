//! `vrf-rules` keeps packets of a VRF in it, by routing rules; `vrf-accept` and `vrf-strict-mode` set the sysctls of
//! VRFs.

use ifupdown_ng_netlink::plan::vrf::layout::{L3MDEV_PRIORITY, Layout, Local};
use ifupdown_ng_netlink::plan::vrf::rules::VrfRules;
use ifupdown_ng_netlink::plan::vrf::settings::VrfSysctls;
use ifupdown_ng_netlink::plan::vrf::sysctls::PROTOCOLS;
use ifupdown_ng_netlink::program::executor::{Executor, Keyword, Program, boxed};
use ifupdown_ng_netlink::program::run::run;
use ifupdown_ng_netlink::stanza::{Phase, Stanza};
use ifupdown_ng_netlink::values::{Families, Family, Invalid, OrNo, RulePriority, Switch, Words};
use std::process::ExitCode;
use std::str::FromStr;

/// The program.
pub const PROGRAM: Program = Program {
    name: "vrf-rules",
    about: "Adds the routing rules that isolate VRFs",
    parts: &[VRF_RULES, VRF_ACCEPT, VRF_STRICT_MODE],
    examples: [
        "vrf-rules --iface red --check vrf-rules=yes",
        "vrf-rules --iface red --dry-run vrf-rules=jump vrf-accept=tcp,udp",
    ],
};

#[allow(dead_code, reason = "the programs that contain this one have a main of their own")]
fn main() -> ExitCode {
    run(&PROGRAM)
}

const VRF_RULES: Executor = Executor {
    isolates: |stanza| stanza.uses(["vrf-rules"]).then_some(Phase::PreUp),
    ..Executor::new(KEYWORDS, |stanza| boxed(vrf_rules(stanza)))
};

const KEYWORDS: &[Keyword] = &[
    Keyword {
        name: "vrf-rules",
        syntax: "yes|jump|no",
        help: "Have VRFs look up their own tables only: local moved behind them (yes), or jumped over (jump)",
    },
    Keyword {
        name: "vrf-rules-l3mdev",
        syntax: "PREF|no",
        help: "Priority of the l3mdev rule, 1000 by default",
    },
    Keyword {
        name: "vrf-rules-unreachable",
        syntax: "PREF|no",
        help: "Priority of the rule that rejects packets without a route in their VRF, 2000 by default",
    },
    Keyword {
        name: "vrf-rules-local",
        syntax: "PREF|no",
        help: "Priority to which `yes` moves the rule for local, 32765 by default",
    },
    Keyword { name: "vrf-rules-family", syntax: "ipv4 ipv6", help: "For which families, both by default" },
];

/// The values of `vrf-rules`.
enum Kind {
    Yes,
    Jump,
    No,
}

impl FromStr for Kind {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "jump" => Ok(Self::Jump),
            switch => match switch.parse() {
                Ok(Switch(true)) => Ok(Self::Yes),
                Ok(Switch(false)) => Ok(Self::No),
                Err(_) => Err(Invalid::new("not one of yes, jump, no")),
            },
        }
    }
}

fn vrf_rules(stanza: &Stanza) -> Option<VrfRules> {
    let priority = |keyword, default| match stanza.get::<OrNo<RulePriority>>(keyword) {
        None => Some(default),
        Some(OrNo(priority)) => priority.map(|RulePriority(priority)| priority),
    };
    let (l3mdev, unreachable, local) = (
        priority("vrf-rules-l3mdev", L3MDEV_PRIORITY),
        priority("vrf-rules-unreachable", 2000),
        priority("vrf-rules-local", 32765),
    );
    let families = stanza.get::<Families>("vrf-rules-family");
    if stanza.text("vrf-rules").is_none() {
        for keyword in KEYWORDS.iter().filter(|keyword| stanza.text(keyword.name).is_some()) {
            stanza.reject(keyword.name, "has no effect without `vrf-rules`");
        }
    }
    let local = match (stanza.get("vrf-rules")?, local) {
        (Kind::No, _) => return None,
        (Kind::Jump, _) => Local::IsJumped,
        (Kind::Yes, Some(priority)) => Local::MovesTo(priority),
        (Kind::Yes, None) => Local::Stays,
    };
    let layout = Layout { l3mdev, unreachable, local };
    if !in_order(&layout, stanza) {
        return None;
    }
    let named = families.is_some();
    let families = families.map_or(Family::BOTH.to_vec(), |Families(families)| families);
    Some(VrfRules { layout, families, named, written: stanza.text("vrf-rules")?.to_owned() })
}

/// Whether the priorities are in order: l3mdev, then unreachable, then local. If not, a keyword that the stanza has is
/// rejected.
fn in_order(layout: &Layout, stanza: &Stanza) -> bool {
    let mut places = vec![("vrf-rules-l3mdev", layout.l3mdev.unwrap_or(L3MDEV_PRIORITY))];
    places.extend(layout.unreachable.map(|place| ("vrf-rules-unreachable", place)));
    if let Local::MovesTo(place) = layout.local {
        places.push(("vrf-rules-local", place));
    }
    for pair in places.windows(2) {
        let [(first, low), (second, high)] = pair else { continue };
        if low < high {
            continue;
        }
        if stanza.text(second).is_some() {
            stanza.reject(second, format!("must come after {first} ({low})"));
        } else {
            stanza.reject(first, format!("must come before {second} ({high})"));
        }
        return false;
    }
    true
}

const VRF_ACCEPT: Executor = Executor::new(
    &[Keyword {
        name: "vrf-accept",
        syntax: "tcp udp raw|none",
        help: "Let unbound sockets of these protocols, and of no others, accept packets of all VRFs",
    }],
    |stanza| boxed(vrf_accept(stanza)),
);

fn vrf_accept(stanza: &Stanza) -> Option<VrfSysctls> {
    stanza.get("vrf-accept").map(|Protocols(protocols)| VrfSysctls::accept(&protocols))
}

const VRF_STRICT_MODE: Executor = Executor::new(
    &[Keyword {
        name: "vrf-strict-mode",
        syntax: "yes|no",
        help: "Have the kernel refuse a VRF with the table of another one",
    }],
    |stanza| boxed(stanza.get("vrf-strict-mode").map(|Switch(is_on)| VrfSysctls::strict_mode(is_on))),
);

/// `none`, or some of `tcp udp raw`.
struct Protocols(Vec<&'static str>);

impl FromStr for Protocols {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text == "none" {
            return Ok(Self(Vec::new()));
        }
        let Words(protocols) = text.parse::<Words<Protocol>>()?;
        Ok(Self(protocols.into_iter().map(|Protocol(name)| name).collect()))
    }
}

/// One of `tcp udp raw`.
struct Protocol(&'static str);

impl FromStr for Protocol {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let known = PROTOCOLS.into_iter().find(|protocol| *protocol == text);
        known.map(Self).ok_or_else(|| Invalid::new("not one of tcp, udp, raw, nor none"))
    }
}

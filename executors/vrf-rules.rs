//! `vrf-rules` keeps what is in a VRF in it, by routing rules; `vrf-accept` lets unbound services answer there.

use ifupdown_ng_netlink::{
    plan::{
        At, Plan,
        op::Op,
        vrf::rules::{self, L3MDEV_PRIORITY, Layout, Local},
    },
    program::{
        executor::{Executor, Keyword, Program, part},
        run::run,
    },
    stanza::{Phase, Problem, Stanza},
    state::{Query, Record, Snapshot, State},
    values::{Families, Family, IfName, Invalid, OrNo, RulePriority, Switch, Words},
};
use std::{process::ExitCode, str::FromStr};

/// The program.
pub const PROGRAM: Program = Program {
    name: "vrf-rules",
    about: "Keeps what is in a VRF in it, by routing rules",
    parts: &[part::<VrfRules>(), part::<VrfAccept>()],
};

#[allow(dead_code, reason = "the programs that contain this one have a main of their own")]
fn main() -> ExitCode {
    run(&PROGRAM)
}

/// `vrf-rules` and its options.
pub struct VrfRules {
    layout: Layout,
    families: Vec<Family>,
    /// The families were named, so that one the kernel lacks is an error.
    named: bool,
    written: String,
}

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

impl Executor for VrfRules {
    const KEYWORDS: &'static [Keyword] = &[
        Keyword {
            name: "vrf-rules",
            syntax: "yes|jump|no",
            help: "Have VRFs look up their own tables only: local moved behind them (yes), or jumped over (jump)",
        },
        Keyword {
            name: "vrf-rules-l3mdev",
            syntax: "PREF|no",
            help: "Where VRFs look up their tables, 1000 by default",
        },
        Keyword {
            name: "vrf-rules-unreachable",
            syntax: "PREF|no",
            help: "Where what a VRF has no route for is refused, 2000 by default",
        },
        Keyword {
            name: "vrf-rules-local",
            syntax: "PREF|no",
            help: "Where `yes` moves the rule for the host's own addresses, 32765 by default",
        },
        Keyword {
            name: "vrf-rules-family",
            syntax: "ipv4 ipv6",
            help: "For which families, both by default",
        },
    ];
    const EXCLUSIVE: bool = true;

    fn parse(stanza: &Stanza) -> Option<Self> {
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
            for keyword in Self::KEYWORDS.iter().filter(|keyword| stanza.text(keyword.name).is_some()) {
                stanza.reject(keyword.name, "says nothing without `vrf-rules`");
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
        Some(Self { layout, families, named, written: stanza.text("vrf-rules")?.to_owned() })
    }

    fn isolates(stanza: &Stanza) -> Option<Phase> {
        stanza.uses(["vrf-rules"]).then_some(Phase::PreUp)
    }

    fn acts(&self, phase: Phase) -> bool {
        matches!(phase, Phase::PreUp | Phase::Destroy)
    }

    fn query(&self, at: At<'_>, query: &mut Query) {
        look(at.phase, query);
    }

    fn plan(&self, at: At<'_>, found: &Snapshot) -> Result<Plan, Vec<Problem>> {
        let state = found.here();
        if at.phase == Phase::Destroy {
            return Ok(unless_needed(state));
        }
        let problem = |reason: String| vec![Problem::new("vrf-rules", &self.written, reason)];
        let mut plan = Plan::default();
        for &family in &self.families {
            if !state.rules.contains_key(&family) {
                if self.named {
                    return Err(problem(format!("vrf-rules-family {family}: this kernel has it disabled")));
                }
                plan.warnings
                    .push(format!("{family} is disabled in this kernel: rules for the other family only"));
                continue;
            }
            let foreign = rules::foreign_to(&self.layout, family, state);
            if let (Some(rule), Some((vrf, _))) =
                (foreign.first(), state.vrfs().find(|(vrf, _)| *vrf != at.iface))
            {
                return Err(problem(format!(
                    "{vrf} stands on another layout ({family} rule {rule}); all VRFs of a namespace share one"
                )));
            }
            plan.append(rules::install(&self.layout, family, state).map_err(problem)?);
        }
        Ok(plan)
    }

    fn assume(&self, _iface: &IfName, world: &mut Snapshot) {
        let state = world.here_mut();
        *state = std::mem::take(state).with_default_rules();
    }
}

/// Whether refusing comes after looking up, and moving local behind both; else a keyword that was written
/// is rejected.
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

/// Both executors of this file look at the same.
fn look(phase: Phase, query: &mut Query) {
    let here = query.here();
    here.vrfs.some = true;
    here.rules = true;
    if phase == Phase::Destroy {
        rules::look_at_accept(here);
    }
}

/// Puts everything back if no VRF is left. While one is (this interface's own included), its packets must
/// not get out: then `vrf-table` does this, after it deleted the last VRF.
fn unless_needed(state: &State) -> Plan {
    if state.vrfs().next().is_none() { rules::restore(state) } else { Plan::default() }
}

/// `vrf-accept`: which unbound sockets take what arrives in a VRF.
pub struct VrfAccept {
    protocols: Vec<&'static str>,
}

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
        let known = rules::ACCEPT_PROTOCOLS.into_iter().find(|protocol| *protocol == text);
        known.map(Self).ok_or_else(|| Invalid::new("not one of tcp, udp, raw, nor none"))
    }
}

impl Executor for VrfAccept {
    const KEYWORDS: &'static [Keyword] = &[Keyword {
        name: "vrf-accept",
        syntax: "tcp udp raw|none",
        help: "Let unbound sockets of exactly these protocols take what arrives in any VRF",
    }];
    const EXCLUSIVE: bool = true;

    fn parse(stanza: &Stanza) -> Option<Self> {
        stanza.get("vrf-accept").map(|Protocols(protocols)| Self { protocols })
    }

    fn acts(&self, phase: Phase) -> bool {
        matches!(phase, Phase::PreUp | Phase::Destroy)
    }

    fn query(&self, at: At<'_>, query: &mut Query) {
        look(at.phase, query);
        rules::look_at_accept(query.here());
    }

    fn plan(&self, at: At<'_>, found: &Snapshot) -> Result<Plan, Vec<Problem>> {
        let (state, mut plan) = (found.here(), Plan::default());
        if at.phase == Phase::Destroy {
            return Ok(unless_needed(state));
        }
        let (mut overruled, others) = (Vec::new(), state.vrfs().find(|(vrf, _)| *vrf != at.iface));
        for (protocol, key) in rules::ACCEPT_PROTOCOLS.into_iter().zip(rules::accept_sysctls()) {
            let wanted = if self.protocols.contains(&protocol) { "1" } else { "0" };
            let Some(now) = state.sysctls.get(&key) else { continue };
            if now == wanted {
                continue;
            }
            // Somebody set it before us, of whose VRF it holds as well.
            overruled.extend(state.records.values().next().and(others).map(|(vrf, _)| (protocol, vrf)));
            let record = Record::original(&key);
            if !state.records.contains_key(&record) {
                plan.push(
                    Op::RecordSet { key: record.clone(), value: now.clone() },
                    Some(Op::RecordDel(record)),
                );
            }
            plan.push(
                Op::SysctlSet { key: key.clone(), value: wanted.to_owned() },
                Some(Op::SysctlSet { key, value: now.clone() }),
            );
        }
        if let Some((_, vrf)) = overruled.first() {
            let protocols: Vec<&str> = overruled.iter().map(|(protocol, _)| *protocol).collect();
            plan.warnings.push(format!(
                "{} set otherwise before, for {vrf}: `vrf-accept` holds for all VRFs of a namespace, so say the same in each",
                protocols.join(", ")
            ));
        }
        Ok(plan)
    }

    fn assume(&self, _iface: &IfName, world: &mut Snapshot) {
        let defaults = rules::accept_sysctls().zip(["0", "0", "1"]);
        world.here_mut().sysctls.extend(defaults.map(|(key, value)| (key, value.to_owned())));
    }
}

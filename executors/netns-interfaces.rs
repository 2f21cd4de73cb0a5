//! `netns-interfaces`: a whole domain from an interfaces file of its own.

use ifupdown_ng_netlink::{
    kernel::netns::inside,
    plan::{
        At, Plan,
        netns::namespace,
        op::{Nested, Op},
    },
    program::{
        executor::{Executor, Keyword, Program, part},
        run::run,
    },
    stanza::{Phase, Problem, Stanza},
    state::{Existing, Netns, Place, Query, Record, Snapshot, State},
    values::{IfName, NetnsRef},
};
use std::{path::PathBuf, process::ExitCode};

/// The program.
pub const PROGRAM: Program = Program {
    name: "netns-interfaces",
    about: "Configures a whole network namespace from an interfaces file of its own",
    parts: &[part::<Interfaces>()],
};

#[allow(dead_code, reason = "the programs that contain this one have a main of their own")]
fn main() -> ExitCode {
    run(&PROGRAM)
}

/// `netns-interfaces`: interfaces that are configured inside, from a file of their own.
pub struct Interfaces {
    netns: NetnsRef,
    file: PathBuf,
    written: String,
}

impl Executor for Interfaces {
    const KEYWORDS: &'static [Keyword] = &[Keyword {
        name: "netns-interfaces",
        syntax: "FILE|auto",
        help: "Run ifup -a inside with this interfaces file, and ifdown -a on the way down; auto is \
               /etc/netns/NAME/network/interfaces",
    }];
    const EXCLUSIVE: bool = true;

    fn parse(stanza: &Stanza) -> Option<Self> {
        let written = stanza.text("netns-interfaces")?;
        // The namespace of the interface, or of its peer if the interface itself stays.
        let text = stanza.text("netns").or(stanza.text("veth-peer-netns"));
        let Some(text) = text else {
            stanza.reject("netns-interfaces", "says nothing without `netns` or `veth-peer-netns`");
            return None;
        };
        // What is wrong with it is reported where it belongs.
        let netns: NetnsRef = text.parse().ok()?;
        let file = match (written, &netns) {
            ("auto", NetnsRef::Name(name)) => inside::default_file(name),
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
        Some(Self { netns, file, written: written.to_owned() })
    }

    fn acts(&self, phase: Phase) -> bool {
        matches!(phase, Phase::Create | Phase::PostUp | Phase::PreDown)
    }

    fn query(&self, at: At<'_>, query: &mut Query) {
        query.netns.entry(self.netns.clone()).or_default();
        query.here().records.insert(Record::nested(at.iface));
        if !at.phase.is_down() {
            query.files.insert(self.file.clone());
        }
    }

    fn plan(&self, at: At<'_>, found: &Snapshot) -> Result<Plan, Vec<Problem>> {
        let iface = at.iface;
        if at.phase == Phase::PreDown {
            return Ok(namespace::nested_down(iface, &self.netns, found));
        }
        if let Some(reason) = found.untrusted.get(&self.file) {
            let reason = format!("{}: {reason}", self.file.display());
            return Err(vec![Problem::new("netns-interfaces", &self.written, reason)]);
        }
        let mut plan = Plan::default();
        if at.phase == Phase::PostUp && namespace::nested(iface, &self.netns, found).is_none() {
            let nested = |up| {
                let (iface, netns, file) = (iface.clone(), self.netns.clone(), self.file.clone());
                Op::Nested(Nested { iface, netns, file, up })
            };
            plan.push(nested(true), Some(nested(false)));
        }
        Ok(plan)
    }

    fn assume(&self, _iface: &IfName, world: &mut Snapshot) {
        // Another program's, and there by then; as a part of that one it is still to be made.
        if !world.netns.contains_key(&self.netns) {
            world.netns.insert(self.netns.clone(), Netns::Is(Existing::default()));
            world.places.insert(Place::In(self.netns.clone()), State::newborn());
        }
    }
}

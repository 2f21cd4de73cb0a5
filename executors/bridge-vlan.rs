//! `bridge-vlan` makes a bridge look at VLANs, and puts ports, and the bridge itself, into the ones they
//! belong to.

use ifupdown_ng_netlink::{
    plan::{
        At, Plan,
        bridge::{config::Config, scope::Scope},
    },
    program::{
        executor::{Executor, Keyword, Program, part},
        run::run,
    },
    stanza::{Phase, Problem, Stanza},
    state::{Query, Snapshot},
    values::IfName,
};
use std::{marker::PhantomData, process::ExitCode};

/// The program.
pub const PROGRAM: Program = Program {
    name: "bridge-vlan",
    about: "Makes VLAN-aware bridges, and ports of them with exactly the VLANs that are declared",
    parts: &[part::<Bridging<Vlans>>()],
};

#[allow(dead_code, reason = "the programs that contain this one have a main of their own")]
fn main() -> ExitCode {
    run(&PROGRAM)
}

/// The keywords of VLAN-aware bridges and of their ports.
pub const KEYWORDS: [Keyword; 10] = [
    Keyword {
        name: "bridge-vlan-filtering",
        syntax: "yes|no",
        help: "Make the interface a bridge that looks at VLANs, or one that does not",
    },
    Keyword { name: "bridge-vlan-aware", syntax: "yes|no", help: "The same" },
    Keyword {
        name: "bridge-default-pvid",
        syntax: "VID|none",
        help: "The VLAN that the bridge gives to ports that are told nothing else; 1 unless set",
    },
    Keyword {
        name: "bridge-vlan-protocol",
        syntax: "802.1Q|802.1ad",
        help: "The tag that the bridge works by",
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
        help: "Remember the addresses of the stations that the port hears",
    },
    Keyword {
        name: "bridge-locked",
        syntax: "yes|no",
        help: "Take frames only from stations that the forwarding database has behind the port",
    },
    Keyword {
        name: "bridge-fdb",
        syntax: "MAC [vlan VID], …",
        help: "Stations behind the port, as static entries of the forwarding database",
    },
];

/// Which keywords of bridges an executor reads.
pub trait Reads: 'static {
    /// The keywords.
    const KEYWORDS: &'static [Keyword];
    /// The same for [`Config`].
    const SCOPE: Scope;

    /// The interfaces that must be up before this one.
    fn depends(stanza: &Stanza) -> Vec<IfName>;
}

/// What a stanza says of bridges, by these keywords.
pub struct Bridging<R> {
    config: Config,
    reads: PhantomData<R>,
}

impl<R: Reads> Executor for Bridging<R> {
    const KEYWORDS: &'static [Keyword] = R::KEYWORDS;
    const EXCLUSIVE: bool = true;

    fn parse(stanza: &Stanza) -> Option<Self> {
        if !stanza.uses(R::KEYWORDS.iter().map(|keyword| keyword.name)) {
            return None;
        }
        Config::read(stanza, R::SCOPE).map(|config| Self { config, reads: PhantomData })
    }

    fn depends(stanza: &Stanza) -> Vec<IfName> {
        R::depends(stanza)
    }

    /// A port that joins by itself. One that its bridge takes is set up by its bridge.
    fn isolates(stanza: &Stanza) -> Option<Phase> {
        stanza.uses(["bridge-member"]).then_some(Phase::PreUp)
    }

    fn acts(&self, phase: Phase) -> bool {
        self.config.acts(phase)
    }

    fn query(&self, at: At<'_>, query: &mut Query) {
        self.config.query(at, query);
    }

    fn plan(&self, at: At<'_>, found: &Snapshot) -> Result<Plan, Vec<Problem>> {
        if at.phase.is_down() { Ok(self.config.plan_down(at, found)) } else { self.config.plan_up(at, found) }
    }

    fn assume(&self, iface: &IfName, world: &mut Snapshot) {
        self.config.assume(iface, world);
    }
}

/// Those of VLAN-aware bridges and of their ports.
pub struct Vlans;

impl Reads for Vlans {
    const KEYWORDS: &'static [Keyword] = &KEYWORDS;
    const SCOPE: Scope = Scope::Vlan;

    fn depends(stanza: &Stanza) -> Vec<IfName> {
        stanza.text("bridge-member").and_then(|bridge| bridge.parse().ok()).into_iter().collect()
    }
}

//! `link-proxy-arp`: a minimal executor to copy from (docs/ARCHITECTURE.md walks through it).
//!
//! tests/plain/worked_example.rs compiles and runs it. It is never installed.

use ifupdown_ng_netlink::plan::{At, Plan, Planner};
use ifupdown_ng_netlink::program::executor::{Executor, Keyword, Program, boxed};
use ifupdown_ng_netlink::program::run::run;
use ifupdown_ng_netlink::stanza::{Phase, Problem};
use ifupdown_ng_netlink::state::{Place, Query, Record, Snapshot, Sysctl};
use ifupdown_ng_netlink::values::{IfName, Switch};
use std::process::ExitCode;

/// The program.
pub const PROGRAM: Program = Program {
    name: "link-proxy-arp",
    about: "Answers ARP for what is behind this host",
    parts: &[LINK_PROXY_ARP],
    examples: [
        "link-proxy-arp --iface eth0 --check link-proxy-arp=yes",
        "link-proxy-arp --iface eth0 --dry-run --phase pre-up link-proxy-arp=yes",
    ],
};

#[allow(dead_code, reason = "the test that contains this one has a main of its own")]
fn main() -> ExitCode {
    run(&PROGRAM)
}

/// The keyword, and how it is read. A value other than `yes` or `no` is reported as an error of the stanza, with the
/// keyword and the value.
const LINK_PROXY_ARP: Executor = Executor::new(
    &[Keyword {
        name: "link-proxy-arp",
        syntax: "yes|no",
        help: "Answer ARP requests for addresses that this host has a route to",
    }],
    |stanza| boxed(stanza.get("link-proxy-arp").map(|Switch(on)| LinkProxyArp { on })),
);

/// The value of `link-proxy-arp`. A value of this type is always valid.
pub struct LinkProxyArp {
    on: bool,
}

impl Planner for LinkProxyArp {
    /// In all other phases the program ends before it opens a socket.
    fn acts(&self, phase: Phase) -> bool {
        matches!(phase, Phase::PreUp | Phase::PostDown)
    }

    /// Everything that the plan needs from the kernel, and nothing else. It is read before the plan is made.
    fn query(&self, at: At<'_>, query: &mut Query) {
        let key = proxy_arp(at.iface);
        query.here().records.insert(Record::original(&key));
        query.here().sysctls.insert(key);
    }

    /// A pure function. If nothing is to be done, the plan is empty. A conflict is a `Problem`.
    fn plan(&self, at: At<'_>, found: &Snapshot) -> Result<Plan, Vec<Problem>> {
        let (state, key, mut plan) = (found.here(), proxy_arp(at.iface), Plan::default());
        if at.phase.is_down() {
            // Restore the earlier value, if we changed it and the interface still exists. Another interface that wants
            // the change would keep it.
            plan.restore_sysctl(&Place::Here, &key, |owner| owner != at.iface, state);
            return Ok(plan);
        }
        if !state.sysctls.contains_key(&key) {
            let reason = format!("there is no interface {}", at.iface);
            return Err(vec![Problem::new("link-proxy-arp", if self.on { "yes" } else { "no" }, reason)]);
        }
        // A record of the earlier value, then the change. Each step has an undo operation, which rolls it back if a
        // later step fails.
        plan.set_sysctl(&Place::Here, &key, if self.on { "1" } else { "0" }, at.iface, state);
        Ok(plan)
    }

    /// The state that MOCK plans in: what must exist before this stanza goes up.
    fn assume(&self, iface: &IfName, world: &mut Snapshot) {
        world.here_mut().sysctls.insert(proxy_arp(iface), "0".to_owned());
    }
}

fn proxy_arp(iface: &IfName) -> Sysctl {
    Sysctl::of_link("ipv4", iface, "proxy_arp")
}

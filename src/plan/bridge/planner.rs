//! The phases in which a bridge or a port may need changes, what is read from the kernel, and which plan is made.

use crate::plan::bridge::config::{Config, Role};
use crate::plan::bridge::port::addr_gen_mode;
use crate::plan::{At, Plan, Planner};
use crate::stanza::{Phase, Problem};
use crate::state::{BridgeOptions, Link, LinkKind, Query, Snapshot, Until, Wait};
use crate::values::IfName;
use crate::values::bridge::Ports;
use std::collections::BTreeSet;

/// How long to wait for a spanning tree to decide about the ports, in seconds: twice the kernel's default forward
/// delay. A forward delay in the stanza replaces that default.
const LISTEN_AND_LEARN: u32 = 30;

impl Config {
    /// How long to wait until the ports forward, at most.
    fn seconds_to_wait(&self) -> u32 {
        match (self.max_wait, self.options.stp) {
            (Some(seconds), _) => seconds,
            (None, Some(true)) => {
                self.options.forward_delay.map_or(LISTEN_AND_LEARN, |delay| (2 * delay.0).div_ceil(100))
            }
            (None, _) => 0,
        }
    }
}

impl Planner for Config {
    fn acts(&self, phase: Phase) -> bool {
        let maybe_bridge = self.role == Role::Bridge || (self.role == Role::Unclear && self.ports.is_some());
        match phase {
            Phase::PreUp => true,
            Phase::PostDown => {
                let own = self.own.vlans.is_some() || self.own.allow.is_some();
                self.role != Role::Unclear || self.ports.is_some() || own
            }
            Phase::Create | Phase::Destroy => maybe_bridge,
            Phase::Up => maybe_bridge && self.seconds_to_wait() > 0,
            _ => false,
        }
    }

    fn query(&self, at: At<'_>, query: &mut Query) {
        let named = self.ports.as_ref().map(Ports::named).unwrap_or_default().to_vec();
        let asks = self.asks_stanzas();
        let may_be_port = at.phase == Phase::PreUp && self.role == Role::Unclear;
        query.stanzas_beside_bridge |= may_be_port;
        query.stanzas |= match at.phase {
            Phase::PreUp => asks || (self.role == Role::Unclear && !self.own.is_stock()),
            Phase::Create | Phase::PostDown => asks,
            Phase::Destroy => asks && self.role == Role::Unclear,
            _ => false,
        };
        if at.phase == Phase::Up {
            query.wait = Some(Wait {
                seconds: self.seconds_to_wait(),
                links: named.into_iter().collect(),
                until: Until::Settled,
            });
            return;
        }
        if let (Phase::PreUp, Some(wait)) = (at.phase, &self.wait_port) {
            let links = if wait.ports.is_empty() { &named } else { &wait.ports };
            let links: BTreeSet<IfName> = links.iter().cloned().collect();
            query.wait = Some(Wait { seconds: wait.seconds, links, until: Until::Exist });
        }
        let here = query.here();
        here.links.insert(at.iface.clone());
        // The ports of the bridge are set down before it is deleted.
        here.bridging.links |= at.phase == Phase::Destroy;
        if matches!(at.phase, Phase::Create | Phase::Destroy) {
            return;
        }
        here.links.extend(self.member.iter().chain(&named).cloned());
        // Other programs may have added ports, so the links of all ports are read.
        let of_ports = asks || self.options.default_pvid.is_some();
        here.bridging.links |= of_ports || may_be_port;
        if at.phase == Phase::PreUp {
            here.bridging.all_vlans |= of_ports;
            here.bridging.vlans.insert(at.iface.clone());
            if asks || !self.own.fdb.is_empty() {
                here.bridging.fdb.insert(self.member.as_ref().unwrap_or(at.iface).clone());
            }
            let evpn = self.own.evpn.then_some(at.iface);
            here.sysctls.extend(named.iter().chain(evpn).filter_map(addr_gen_mode));
        } else if self.own.vlans.is_some() {
            here.bridging.vlans.insert(at.iface.clone());
        }
        here.bridging.allowed |= self.own.allow.is_some();
        query.allowed_of_ports |= asks;
    }

    fn plan(&self, at: At<'_>, found: &Snapshot) -> Result<Plan, Vec<Problem>> {
        if at.phase.is_down() { Ok(self.plan_down(at, found)) } else { self.plan_up(at, found) }
    }

    fn assume(&self, iface: &IfName, simulated: &mut Snapshot) {
        let state = simulated.here_mut();
        let mut add = |name: &IfName, kind: LinkKind| {
            let link = Link { kind: kind.clone(), master: None, up: false };
            if !state.links.contains_key(name) {
                state.links.insert(name.clone(), link);
                state.bridge_made(name, &kind);
            }
        };
        let with_filtering = || {
            let options =
                BridgeOptions { filtering: Some(true), default_pvid: Some(None), ..BridgeOptions::default() };
            LinkKind::Bridge(options)
        };
        if let Some(bridge) = &self.member {
            add(iface, LinkKind::Physical);
            add(bridge, with_filtering());
        }
        for port in self.ports.iter().flat_map(Ports::named) {
            add(port, LinkKind::Physical);
        }
        if self.role == Role::Unclear && self.ports.is_none() {
            add(iface, with_filtering());
        }
    }
}

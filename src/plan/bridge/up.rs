//! Plans the phases of ifup.

use crate::plan::bridge::config::{Config, Role};
use crate::plan::bridge::effects::with_ageing;
use crate::plan::bridge::port::{Draft, Joining, check, unfiltered};
use crate::plan::bridge::port_config::two_ways;
use crate::plan::bridge::scope::Scope;
use crate::plan::op::{BridgeOp, NewLink, Op};
use crate::plan::{At, Plan};
use crate::stanza::{Phase, Problem, Stanzas};
use crate::state::{BridgeOptions, LinkKind, PortOptions, Shared, Snapshot, State, VlanDevice};
use crate::values::{IfName, Vid, VlanRange};

impl Config {
    /// The plan for a phase of ifup.
    ///
    /// # Errors
    /// The conflicts between the stanza and the state.
    pub fn plan_up(&self, at: At<'_>, found: &Snapshot) -> Result<Plan, Vec<Problem>> {
        match (at.phase, self.role_in(at.iface, found)) {
            (Phase::Create, Role::Bridge) => self.create(at.iface, found),
            (Phase::PreUp, Role::Bridge) => self.configure(at.iface, found),
            (Phase::PreUp, Role::Port) => self.join_bridge(at.iface, found),
            (Phase::PreUp, Role::Unclear) => self.configure_existing(at.iface, found),
            _ => Ok(Plan::default()),
        }
    }

    /// Makes the bridge, with all its settings, in one request. Fails if its ports could not join it, as far as that is
    /// known before all of them exist.
    fn create(&self, iface: &IfName, found: &Snapshot) -> Result<Plan, Vec<Problem>> {
        let mut plan = Plan::default();
        let running = found.here().bridge(iface).and_then(|running| running.filtering);
        let filtering = self.options.filtering.or(running) == Some(true);
        let (ports, mut problems) = self.port_configs(iface, found);
        problems.extend(unfiltered(&self.own, iface, filtering));
        problems.extend(ports.iter().filter_map(|(port, config, _)| {
            unfiltered(&config.own, iface, filtering).map(|found| of_port(port, found))
        }));
        if !problems.is_empty() {
            return Err(problems);
        }
        if found.here().links.contains_key(iface) {
            self.require_bridge(iface, found)?;
            return Ok(plan);
        }
        let (name, options) = (iface.clone(), self.options.clone());
        let undo = Op::LinkDel { name: name.clone(), kind: LinkKind::Bridge(BridgeOptions::default()) };
        plan.push(Op::LinkAdd(NewLink { name, kind: LinkKind::Bridge(options) }), Some(undo));
        Ok(plan)
    }

    fn require_bridge<'a>(
        &self,
        iface: &IfName,
        found: &'a Snapshot,
    ) -> Result<&'a BridgeOptions, Vec<Problem>> {
        let wrong = |reason| vec![Problem::new(self.keyword(), iface, reason)];
        match found.here().links.get(iface).map(|link| &link.kind) {
            Some(LinkKind::Bridge(options)) => Ok(options),
            Some(LinkKind::Physical) => {
                Err(wrong(format!("{iface} exists but is not a bridge; give the bridge another name")))
            }
            Some(kind) => {
                Err(wrong(format!("{iface} exists and is a {kind}; ifdown it, or delete it by hand")))
            }
            // The phase create has already reported why the bridge was not made.
            None => match self.create(iface, found) {
                Ok(_) => {
                    Err(wrong("there is no such bridge; the phase create failed or was not run".to_owned()))
                }
                Err(problems) => {
                    Err(problems.into_iter().map(|problem| Problem { reported: true, ..problem }).collect())
                }
            },
        }
    }

    /// The keyword that makes the interface a bridge.
    fn keyword(&self) -> &'static str {
        if self.ports.is_some() { "bridge-ports" } else { "bridge-vlan-filtering" }
    }

    /// Brings the bridge and its ports in line. VLAN filtering is switched last, after the VLANs are set.
    fn configure(&self, iface: &IfName, found: &Snapshot) -> Result<Plan, Vec<Problem>> {
        let running = self.require_bridge(iface, found)?;
        let filtering = self.options.filtering.or(running.filtering) == Some(true);
        let mut draft = Draft::new(found);
        let mut change = with_ageing(self.options.differing(running), running, &self.options);
        let switch = change.filtering.take();
        self.default_pvid_can_change(iface, running, found)?;
        set_bridge(&mut draft, iface, change);
        let (ports, mut problems) = self.port_configs(iface, found);
        problems.extend(unfiltered(&self.own, iface, filtering));
        if let Some((_, _, vlans)) = self.own.vlans.as_ref().filter(|_| draft.state().keeps_vlans(iface)) {
            let wanted = vlans.resolve(draft.state().default_vlans(iface).pvid());
            draft.set_vlans(&VlanDevice { name: iface.clone(), is_bridge: true }, &wanted);
        }
        let mut joining = Vec::new();
        for (port, config, options) in &ports {
            if !draft.state().links.contains_key(port) {
                let without =
                    format!("bridge-ports {port}: there is no such interface; {iface} comes up without it");
                draft.plan.warnings.push(without);
                continue;
            }
            let one = Joining { bridge: iface, port, config: &config.own, options, filtering, set_up: true };
            problems.extend(check(&one, draft.state()).into_iter().map(|found| of_port(port, found)));
            if !filtering && config.own.vlans.is_some() {
                draft.plan.warnings.push(format!("{port} has VLANs, but VLAN filtering is off on {iface}"));
            }
            joining.push(one);
        }
        draft.join_all(iface, &joining);
        set_bridge(&mut draft, iface, BridgeOptions { filtering: switch, ..BridgeOptions::default() });
        if problems.is_empty() { Ok(draft.plan) } else { Err(problems) }
    }

    /// Fails if a new default PVID would change other ports. If the bridge had none, the kernel makes the new one the
    /// PVID of every port, whatever VLANs the port has (net/bridge/br_vlan.c `__br_vlan_set_default_pvid`).
    fn default_pvid_can_change(
        &self,
        iface: &IfName,
        running: &BridgeOptions,
        found: &Snapshot,
    ) -> Result<(), Vec<Problem>> {
        let (Some(Some(wanted)), Some(None)) = (self.options.default_pvid, running.default_pvid) else {
            return Ok(());
        };
        let state = found.here();
        let of_bridge = |name: &IfName| {
            name == iface || state.links.get(name).is_some_and(|link| link.master.as_ref() == Some(iface))
        };
        let hit = state.bridging.vlans.iter().find(|(name, set)| {
            of_bridge(name) && !set.contains(wanted) && (*name != iface || !set.is_empty())
        });
        hit.map_or(Ok(()), |(name, _)| {
            let reason = format!(
                "{iface} has no default VLAN, and the kernel would put {name} into VLAN {wanted}; ifdown {iface} first"
            );
            Err(vec![Problem::new("bridge-default-pvid", wanted, reason)])
        })
    }

    /// The ports with their own stanzas and their settings, and the problems of those stanzas.
    fn port_configs(
        &self,
        iface: &IfName,
        found: &Snapshot,
    ) -> (Vec<(IfName, Config, PortOptions)>, Vec<Problem>) {
        let (mut configs, mut problems) = (Vec::new(), Vec::new());
        let ports = if self.scope == Scope::All { self.own_ports(iface, found) } else { Vec::new() };
        for port in ports {
            let stanza = found.stanzas.as_ref().and_then(|stanzas| stanzas.stanza(&port)).unwrap_or_default();
            let config = Config::read_as_port(&stanza);
            let mut wrong = stanza.take_problems();
            if wrong.is_empty() {
                let own = found.stanzas.as_ref().and_then(|stanzas| stanzas.stanza(iface));
                wrong.extend(two_ways(&stanza, own.as_ref()));
            }
            let reads = |stanzas: &Shared<Stanzas>| stanzas.executors(&port).any(|name| name == "bridge");
            if !wrong.is_empty() && found.stanzas.as_ref().is_some_and(reads) {
                // The executor of the port reports the problem itself.
                let reason = format!("its stanza is invalid; see `ifnetlink check {port}`");
                problems.push(Problem::new("bridge-ports", &port, reason));
            } else {
                problems.extend(wrong.into_iter().map(|found| of_port(&port, found)));
            }
            if let Some(other) = config.member.as_ref().filter(|member| *member != iface) {
                problems.push(Problem::new(
                    &format!("{port}: bridge-member"),
                    other,
                    format!("{iface} lists it as a port"),
                ));
            }
            let mut options = self.settings(&port);
            options.update(&config.settings(&port));
            options.update(&config.own.options);
            configs.push((port, config, options));
        }
        (configs, problems)
    }

    fn join_bridge(&self, iface: &IfName, found: &Snapshot) -> Result<Plan, Vec<Problem>> {
        let Some(bridge) = &self.member else { return Ok(Plan::default()) };
        let state = found.here();
        let wrong = |reason: String| vec![Problem::new("bridge-member", bridge, reason)];
        let filtering = match state.links.get(bridge).map(|link| &link.kind) {
            Some(LinkKind::Bridge(options)) => options.filtering == Some(true),
            Some(kind) => return Err(wrong(format!("not a bridge but a {kind}"))),
            None => {
                return Err(wrong(
                    "there is no such interface; give it a stanza with bridge-vlan-filtering".to_owned(),
                ));
            }
        };
        self.bring_in(iface, bridge, filtering, PortOptions::default(), found)
    }

    /// Makes the interface a port; `options` are its settings in the bridge's stanza.
    fn bring_in(
        &self,
        iface: &IfName,
        bridge: &IfName,
        filtering: bool,
        mut options: PortOptions,
        found: &Snapshot,
    ) -> Result<Plan, Vec<Problem>> {
        options.update(&self.settings(iface));
        options.update(&self.own.options);
        let joining =
            Joining { bridge, port: iface, config: &self.own, options: &options, filtering, set_up: false };
        let mut problems = check(&joining, found.here());
        for problem in problems.iter_mut().filter(|problem| problem.keyword == "bridge-ports") {
            let of_member = Problem::new("bridge-member", bridge, format!("{iface}: {}", problem.reason));
            *problem = Problem { awaits_link: problem.awaits_link, ..of_member };
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut draft = Draft::new(found);
        if !filtering && self.own.vlans.is_some() {
            draft.plan.warnings.push(format!("{iface} has VLANs, but VLAN filtering is off on {bridge}"));
        }
        draft.join(&joining);
        Ok(draft.plan)
    }

    /// Configures a bridge that another program made, a port that exists already, or a port that was created after its
    /// bridge. A port that its bridge takes later needs nothing.
    fn configure_existing(&self, iface: &IfName, found: &Snapshot) -> Result<Plan, Vec<Problem>> {
        let state = found.here();
        let link = state.links.get(iface);
        if state.bridge(iface).is_some() {
            return self.configure(iface, found);
        }
        let master = link.and_then(|link| link.master.as_ref());
        let listing = found.stanzas.as_ref().and_then(|stanzas| stanzas.bridge_of(iface));
        let stanza = |name: &IfName| found.stanzas.as_ref().and_then(|stanzas| stanzas.stanza(name));
        let of_bridge = listing.as_ref().and_then(stanza);
        if let Some(problem) = stanza(iface).and_then(|own| two_ways(&own, of_bridge.as_ref())) {
            return Err(vec![problem]);
        }
        let bridge = master.or(listing.as_ref().filter(|_| link.is_some()));
        if let Some((bridge, running)) = bridge.and_then(|bridge| Some((bridge, state.bridge(bridge)?))) {
            // The executor of the bridge reads the stanza of the port in the same way.
            let listed = stanza(iface).filter(|_| listing.as_ref() == Some(bridge));
            let config = listed.as_ref().map(Self::read_as_port);
            let theirs = listed.as_ref().and_then(|_| Self::read(&stanza(bridge)?, Scope::All));
            let options = theirs.map(|theirs| theirs.settings(iface)).unwrap_or_default();
            let filtering = running.filtering == Some(true);
            return config.as_ref().unwrap_or(self).bring_in(iface, bridge, filtering, options, found);
        }
        if self.own.is_stock() || listing.is_some() {
            return Ok(Plan::default());
        }
        let (keyword, written) = match &self.own.vlans {
            Some((keyword, written, _)) => (*keyword, written.clone()),
            None => ("bridge-member", iface.to_string()),
        };
        let reason = format!("{iface} is not a port of a bridge; add bridge-member BRIDGE");
        Err(vec![Problem::new(keyword, written, reason)])
    }
}

/// A problem with the stanza of a port, reported by its bridge.
fn of_port(port: &IfName, problem: Problem) -> Problem {
    if problem.keyword == "bridge-ports" {
        return problem;
    }
    Problem { keyword: format!("{port}: {}", problem.keyword), ..problem }
}

fn set_bridge(draft: &mut Draft, bridge: &IfName, change: BridgeOptions) {
    if change.is_empty() {
        return;
    }
    let former = draft.state().bridge(bridge).cloned().unwrap_or_default().masked(&change);
    let set = |options| Op::Bridge(BridgeOp::Set { bridge: bridge.clone(), options });
    let mut undo = vec![set(former.clone())];
    if let (Some(None), Some(Some(vid))) = (change.default_pvid, former.default_pvid) {
        undo.extend(leave_default_vlan(bridge, vid, draft.state()));
    }
    for (port, entry) in draft.state().stations_left(bridge, &change) {
        let back = Op::Bridge(BridgeOp::FdbAdd { port: port.clone(), entry });
        draft.push(Op::Bridge(BridgeOp::FdbDel { port, entry }), [back]);
    }
    draft.push(set(change), undo);
}

/// Restores the VLANs of the ports that were not in the default VLAN. When a bridge without a default VLAN gets one, the
/// kernel adds all ports to it and makes it their PVID (net/bridge/br_vlan.c `__br_vlan_set_default_pvid`).
fn leave_default_vlan(bridge: &IfName, vid: Vid, state: &State) -> Vec<Op> {
    let is_of_bridge = |name: &IfName| {
        name == bridge || state.links.get(name).is_some_and(|link| link.master.as_ref() == Some(bridge))
    };
    let vlans = vec![VlanRange { first: vid, last: vid, pvid: false, untagged: false }];
    let mut ops = Vec::new();
    for (name, set) in &state.bridging.vlans {
        if !is_of_bridge(name) || set.contains(vid) {
            continue;
        }
        let device = VlanDevice { name: name.clone(), is_bridge: name == bridge };
        let pvid: Vec<VlanRange> = set.ranges().into_iter().filter(|range| range.pvid).collect();
        ops.push(Op::Bridge(BridgeOp::VlanDel { device: device.clone(), vlans: vlans.clone() }));
        if !pvid.is_empty() {
            ops.push(Op::Bridge(BridgeOp::VlanAdd { device, vlans: pvid }));
        }
    }
    ops
}

//! A plan with a model of the kernel after its steps, and the steps that make a link a port of its bridge.

use crate::plan::bridge::port_config::PortConfig;
use crate::plan::op::{Act, BridgeOp, Op};
use crate::plan::{Plan, Step};
use crate::stanza::Problem;
use crate::state::{FdbEntry, LinkKind, PortOptions, Snapshot, State, Stations, Sysctl, VlanDevice};
use crate::values::{IfName, VlanProtocol, VlanSet};
use std::collections::BTreeSet;

/// A plan, and the state of the kernel after the steps that it has so far.
pub(super) struct Draft {
    pub plan: Plan,
    state: State,
}

/// A link that becomes a port, or a port that is changed.
pub(super) struct Joining<'a> {
    pub bridge: &'a IfName,
    pub port: &'a IfName,
    pub config: &'a PortConfig,
    /// Its settings, from its own stanza and from that of the bridge.
    pub options: &'a PortOptions,
    /// Whether VLAN filtering is on, or will be on at the end of the plan.
    pub filtering: bool,
    /// Whether to set it up; otherwise its state is not changed.
    pub set_up: bool,
}

impl Joining<'_> {
    /// The VLANs that the port has at the end, in a bridge that gives a new port these.
    fn wanted(&self, default: &VlanSet) -> Option<VlanSet> {
        self.config.vlans.as_ref().map(|(_, _, vlans)| vlans.resolve(default.pvid()))
    }
}

impl Draft {
    pub fn new(found: &Snapshot) -> Self {
        Self { plan: Plan::default(), state: found.here().clone() }
    }

    pub fn state(&self) -> &State {
        &self.state
    }

    pub fn push(&mut self, op: Op, undo: impl IntoIterator<Item = Op>) {
        // An error of the model is ignored: the kernel decides.
        let _ = self.state.change_port(&op);
        let undo = undo.into_iter().map(Act::here).collect();
        self.plan.steps.push(Step { act: Act::here(op), undo, best_effort: false }.into());
    }

    fn bridge_op(&mut self, op: BridgeOp, undo: impl IntoIterator<Item = BridgeOp>) {
        self.push(Op::Bridge(op), undo.into_iter().map(Op::Bridge));
    }

    /// Sets the VLANs of a port or bridge to exactly these. Old VLANs are removed before new ones are added: it is
    /// never in more VLANs than before or after.
    pub fn set_vlans(&mut self, device: &VlanDevice, wanted: &VlanSet) {
        let former = self.state().bridging.vlans.get(&device.name).cloned().unwrap_or_default();
        let device = || device.clone();
        let gone = former.without(wanted);
        if !gone.is_empty() {
            let undo = BridgeOp::VlanAdd { device: device(), vlans: gone.clone() };
            self.bridge_op(BridgeOp::VlanDel { device: device(), vlans: gone }, [undo]);
        }
        let vlans = wanted.differing(&former);
        if !vlans.is_empty() {
            // The VLANs that stay, but with other flags.
            let mut staying = former.clone();
            former.without(wanted).into_iter().for_each(|range| staying.remove(range));
            let (added, kept) = (wanted.without(&former), staying.differing(wanted));
            let mut undo = Vec::new();
            if !added.is_empty() {
                undo.push(BridgeOp::VlanDel { device: device(), vlans: added });
            }
            if !kept.is_empty() {
                undo.push(BridgeOp::VlanAdd { device: device(), vlans: kept });
            }
            self.bridge_op(BridgeOp::VlanAdd { device: device(), vlans }, undo);
        }
    }

    /// Makes a link a port with its configuration. Changes of an existing port do not interrupt its traffic.
    pub fn join(&mut self, joining: &Joining<'_>) {
        let lowered = self.enter(joining);
        self.configure(joining, lowered);
    }

    /// The same for several ports of a bridge. While it is down, it forwards nothing. Then all join before one gets its
    /// VLANs: the kernel takes a new port faster while the others have few (`make bench`, part `trunks`).
    pub fn join_all(&mut self, bridge: &IfName, all: &[Joining<'_>]) {
        let is_up = self.state().links.get(bridge).is_some_and(|link| link.up);
        if is_up || all.iter().all(|joining| joining.config.vlans.is_none()) {
            for joining in all {
                self.join(joining);
            }
            return;
        }
        let lowered: Vec<bool> = all.iter().map(|joining| self.enter(joining)).collect();
        for (joining, lowered) in all.iter().zip(lowered) {
            self.configure(joining, lowered);
        }
    }

    /// Makes a link a port. Returns whether it was set down for that.
    fn enter(&mut self, joining: &Joining<'_>) -> bool {
        let Joining { bridge, port, config, .. } = *joining;
        let Some(link) = self.state().links.get(port).cloned() else { return false };
        // Before it joins: no frame of another station is forwarded.
        self.allow(port, config);
        let mut lowered = false;
        if link.master.as_ref() != Some(bridge) {
            let default = self.state().default_vlans(bridge);
            let wanted = joining.wanted(&default);
            let opens = self.opens(joining, wanted.as_ref(), &default);
            if link.up && (opens || (config.evpn && self.link_local(port).is_some())) {
                self.set_up(port, false);
                lowered = true;
            }
            self.push(Op::set_master(port, Some(bridge)), [Op::set_master(port, None)]);
        }
        lowered
    }

    /// Configures a port, and sets it up if it was set down before.
    fn configure(&mut self, joining: &Joining<'_>, lowered: bool) {
        let Joining { bridge, port, config, options, .. } = *joining;
        let Some(is_up) = self.state().links.get(port).map(|link| link.up) else { return };
        let wanted = joining.wanted(&self.state().default_vlans(bridge));
        if config.evpn {
            self.no_link_local(port);
        }
        let former =
            self.state().bridging.ports.get(port).map(|port| port.options.clone()).unwrap_or_default();
        let change = options.differing(&former);
        if !change.is_empty() {
            let undo = BridgeOp::PortSet { port: port.clone(), options: former.masked(&change) };
            self.bridge_op(BridgeOp::PortSet { port: port.clone(), options: change }, [undo]);
        }
        if let Some(wanted) = wanted.as_ref().filter(|_| self.state().keeps_vlans(bridge)) {
            self.set_vlans(&VlanDevice { name: port.clone(), is_bridge: false }, wanted);
        }
        self.add_stations(joining);
        if lowered || (joining.set_up && !is_up) {
            self.set_up(port, true);
        }
    }

    /// Whether the port would forward frames that it must not forward, after it joins the bridge and before its VLANs
    /// and settings are set.
    fn opens(&self, joining: &Joining<'_>, wanted: Option<&VlanSet>, default: &VlanSet) -> bool {
        let Some(bridge) = self.state().links.get(joining.bridge) else { return false };
        let filters = matches!(&bridge.kind, LinkKind::Bridge(options) if options.filtering == Some(true));
        if !bridge.up || (filters && default.is_empty()) {
            return false;
        }
        let restricted = !joining.options.differing(&super::effects::new_port()).is_empty();
        restricted || wanted.is_some_and(|wanted| wanted != default)
    }

    /// Lets the port have the stations of its stanza, and no others.
    fn allow(&mut self, port: &IfName, config: &PortConfig) {
        let Some(wanted) = &config.allow else { return };
        let table = &self.state().bridging.allowed;
        let former = table.of(port);
        if former == *wanted && table.intact && !table.bare.contains(port) {
            return;
        }
        let change =
            |add: Stations, del: Stations| Op::Bridge(BridgeOp::Allow { port: port.clone(), add, del });
        let (new, old) = (wanted.without(&former), former.without(wanted));
        let undo = change(old.clone(), new.clone());
        // If something else has changed the table, all of them are added again.
        let add = if table.intact && !(new.is_empty() && old.is_empty()) { new } else { wanted.clone() };
        self.push(change(add, old), [undo]);
    }

    fn set_up(&mut self, port: &IfName, up: bool) {
        let op = |up| Op::set_up(port, up);
        self.push(op(up), [op(!up)]);
    }

    /// Adds static entries. Other static entries are never removed: the kernel does not show which program added them.
    fn add_stations(&mut self, joining: &Joining<'_>) {
        for &entry in &joining.config.fdb {
            // VLANs that the port joined after the entry was added have no entry yet.
            let each = self.state().entries_of(joining.port, entry);
            let missing: Vec<FdbEntry> = each
                .iter()
                .filter(|entry| self.holder(entry).as_ref() != Some(joining.port))
                .copied()
                .collect();
            if missing == each {
                self.add_station(joining.port, entry, &each);
            } else {
                for entry in missing {
                    self.add_station(joining.port, entry, &[entry]);
                }
            }
        }
    }

    /// The port of the bridge that has a static entry.
    fn holder(&self, entry: &FdbEntry) -> Option<IfName> {
        let holds = |(_, entries): &(&IfName, &BTreeSet<FdbEntry>)| entries.contains(entry);
        self.state().bridging.fdb.iter().find(holds).map(|(port, _)| port.clone())
    }

    /// Adds an entry, for which the kernel makes the entries `each`.
    fn add_station(&mut self, port: &IfName, entry: FdbEntry, each: &[FdbEntry]) {
        let mut undo = vec![BridgeOp::FdbDel { port: port.clone(), entry }];
        for taken in each {
            if let Some(holder) = self.holder(taken) {
                let station = FdbEntry::to_string(taken);
                self.plan.warnings.push(format!("bridge-fdb {station}: was a static entry of {holder}"));
                undo.push(BridgeOp::FdbAdd { port: holder, entry: *taken });
            }
        }
        // Adding the entries on their former ports moves them, so the deletion is not needed.
        if undo.len() > each.len() {
            undo.remove(0);
        }
        self.bridge_op(BridgeOp::FdbAdd { port: port.clone(), entry }, undo);
    }

    /// Turns the link-local address off: the VXLAN end of an EVPN has none (`ip link set … addrgenmode none`).
    fn no_link_local(&mut self, port: &IfName) {
        let Some((key, former)) = self.link_local(port) else { return };
        let set = |value: String| Op::SysctlSet { key: key.clone(), value };
        self.push(set("1".to_owned()), [set(former)]);
    }

    /// The sysctl for the link-local address of a link, and its value; `None` if the link gets no such address, or the
    /// kernel has no IPv6. An address that the link already has is deleted only when the link goes down.
    fn link_local(&self, port: &IfName) -> Option<(Sysctl, String)> {
        let key = addr_gen_mode(port)?;
        let value = self.state().sysctls.get(&key).filter(|value| *value != "1")?.clone();
        Some((key, value))
    }
}

/// The sysctl that says how a link gets its link-local address; 1 means that it gets none.
pub(super) fn addr_gen_mode(port: &IfName) -> Option<Sysctl> {
    format!("net.ipv6.conf.{}.addr_gen_mode", port.as_str().replace('.', "/")).parse().ok()
}

/// The problem of `bridge-vlan` on a bridge with VLAN filtering off. The stock keywords are accepted there, as in the
/// stock executor.
pub(super) fn unfiltered(config: &PortConfig, bridge: &IfName, filtering: bool) -> Option<Problem> {
    let (keyword, written, _) =
        config.vlans.as_ref().filter(|(key, ..)| *key == "bridge-vlan" && !filtering)?;
    let reason = format!("VLAN filtering is off on {bridge}; add bridge-vlan-filtering yes to its stanza");
    Some(Problem::new(keyword, written, reason))
}

/// The problem of a station in `bridge-allow` with a VLAN that its frames cannot be in.
fn wrong_vlan(joining: &Joining<'_>, state: &State) -> Option<Problem> {
    let Joining { bridge, port, config, filtering, .. } = *joining;
    let stations = config.allow.iter().flatten().filter(|station| station.address.is_none());
    let mut with_vlan = stations.filter_map(|station| Some((station.mac, station.vid?)));
    let protocol = state.bridge(bridge).and_then(|options| options.protocol);
    let vlans = config.vlans.as_ref().map(|(_, _, vlans)| vlans.resolve(state.default_vlans(bridge).pvid()));
    with_vlan.find_map(|(mac, vid)| {
        let reason = if !filtering {
            format!("VLAN filtering is off on {bridge}; add bridge-vlan-filtering yes to its stanza")
        } else if protocol == Some(VlanProtocol::Ieee8021ad) {
            format!("the VLANs of {bridge} are those of 802.1ad; leave out `vlan {vid}`")
        } else if vlans.as_ref().is_some_and(|vlans| !vlans.contains(vid)) {
            format!("{port} is not in VLAN {vid}")
        } else {
            return None;
        };
        Some(Problem::new("bridge-allow", format!("{mac} vlan {vid}"), reason))
    })
}

/// The conflicts that keep a link from becoming a port.
pub(super) fn check(joining: &Joining<'_>, state: &State) -> Vec<Problem> {
    let Joining { bridge, port, config, filtering, .. } = *joining;
    let mut problems = Vec::new();
    let link = state.links.get(port);
    if link.is_none() {
        problems.push(Problem::new("bridge-ports", port, "there is no such interface").awaiting());
    }
    let mut wrong = |reason: String| problems.push(Problem::new("bridge-ports", port, reason));
    match link {
        None => {}
        Some(_) if port.as_str() == "lo" => wrong("the loopback interface cannot be a port".to_owned()),
        Some(link) => match (&link.kind, &link.master) {
            (kind @ (LinkKind::Bridge(_) | LinkKind::Vrf(_)), _) => {
                wrong(format!("a {kind} cannot be a port of a bridge"));
            }
            (_, Some(master)) if master != bridge => wrong(format!("a port of {master}")),
            _ => {}
        },
    }
    problems.extend(unfiltered(config, bridge, filtering));
    problems.extend(wrong_vlan(joining, state));
    let Some((_, _, vlans)) = &config.vlans else {
        return problems;
    };
    let set = vlans.resolve(state.default_vlans(bridge).pvid());
    for entry in &config.fdb {
        if let Some(vid) = entry.vid.filter(|vid| !set.contains(*vid)) {
            problems.push(Problem::new("bridge-fdb", entry, format!("{port} is not in VLAN {vid}")));
        }
    }
    problems
}

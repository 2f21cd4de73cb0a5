//! The steps from one simulated state to another one, for the objects that some steps touch.

use crate::model::Simulated;
use crate::plan::bridge::effects::with_ageing;
use crate::plan::op::{Act, BridgeOp, End, LinkChange, Nested, NewVeth, Op};
use crate::plan::{Plan, Step, vrf};
use crate::state::{
    BridgeOptions, Details, FdbEntry, LinkAddress, LinkKind, LinkOriginal, Place, PortOptions, Record,
    Shared, Snapshot, State, Stations, Sysctl, VlanDevice,
};
use crate::values::{IfName, Mtu, NetnsRef};

/// Two states, and the objects in which they may differ.
pub struct Difference<'a> {
    /// The steps that touch these objects.
    pub touched: &'a [Shared<Step>],
    /// The steps of the old stanza from nothing.
    pub made: &'a [Shared<Step>],
    /// The steps of the new stanza from nothing.
    pub wanted: &'a [Shared<Step>],
    /// The state to reach.
    pub fresh: &'a Snapshot,
    /// The interface of the stanza. Other executors set it up and down.
    pub iface: &'a IfName,
}

impl Difference<'_> {
    /// The steps from `base` to the state to reach; `None` if there is no way in place.
    pub fn steps(&self, base: &Simulated) -> Option<Plan> {
        let mut way = Way { to: self, base: base.clone(), plan: Plan::default() };
        for step in self.touched {
            let Step { act, undo, .. } = &**step;
            way.object(act)?;
            undo.iter().try_for_each(|act| way.object(act))?;
        }
        // Static entries go while the port is in their VLAN. Ports are released last: a bridge without ports takes no
        // VLAN.
        let rank = |step: &Shared<Step>| match &step.act.op {
            Op::Bridge(BridgeOp::FdbDel { .. }) => 0,
            Op::LinkSet { change: LinkChange { master: Some(None), .. }, .. } => 2,
            Op::Bridge(BridgeOp::Allow { .. }) => 3,
            _ => 1,
        };
        way.plan.steps.sort_by_key(rank);
        Some(way.plan)
    }

    /// Whether the old stanza had this address. The stock executor `static` does not mark what it adds.
    fn had(&self, place: &Place, link: &IfName, found: &LinkAddress) -> bool {
        self.made.iter().any(|step| match &step.act.op {
            Op::AddressAdd { dev, address } => step.act.at == *place && dev == link && address.same(found),
            _ => false,
        })
    }

    /// Whether the new stanza makes this interface a port. If not, the stanza of a bridge does.
    fn joins(&self, port: &IfName) -> bool {
        self.wanted.iter().any(|step| match &step.act.op {
            Op::LinkSet { name, change } => name == port && matches!(change.master, Some(Some(_))),
            _ => false,
        })
    }

    /// The pair that the new stanza makes with this end.
    fn wanted_pair(&self, end: &IfName) -> Option<&NewVeth> {
        self.wanted.iter().find_map(|step| match &step.act.op {
            Op::VethAdd(new) if new.end.name == *end => Some(new),
            _ => None,
        })
    }
}

/// Whether no address of others is deleted with an address ([`LinkAddress::is_deletable`]). Those that are wanted are
/// added again.
fn is_alone(address: &LinkAddress, now: &[LinkAddress], wanted: &[LinkAddress]) -> bool {
    let is_of_others = |other: &&LinkAddress| {
        let is_known = other.is_ours() || other.same(address) || wanted.iter().any(|kept| kept.same(other));
        !is_known && other.net.trunc() == address.net.trunc()
    };
    address.net.addr().is_ipv6() || !now.iter().any(|other| is_of_others(&other))
}

/// The steps so far, and the state that they lead to.
struct Way<'a> {
    to: &'a Difference<'a>,
    base: Simulated,
    plan: Plan,
}

impl Way<'_> {
    fn push(&mut self, at: &Place, op: Op, undo: Option<Op>) {
        let mut step = Plan::default();
        step.push_at(at, op, undo);
        self.append(step);
    }

    fn append(&mut self, steps: Plan) {
        self.base.assume_all(&steps);
        self.plan.append(steps);
    }

    /// The steps for the object of a change. `None` if the object exists in one of the states only.
    fn object(&mut self, Act { at, op }: &Act) -> Option<()> {
        match op {
            Op::RouteAdd(route) | Op::RouteAppend(route) | Op::RouteReplace(route) | Op::RouteDel(route) => {
                self.route(at, route);
            }
            Op::AddressAdd { dev, address } | Op::AddressDel { dev, address } => {
                let addresses =
                    |state: &Snapshot| state.at(at).addresses.get(dev).cloned().unwrap_or_default();
                let (now, wanted) = (addresses(&self.base.0), addresses(self.to.fresh));
                let is_it = |found: &&LinkAddress| found.same(address);
                let present = now.iter().find(is_it).filter(|found| {
                    found.is_deletable(&now)
                        || (self.to.had(at, dev, found) && is_alone(found, &now, &wanted))
                });
                if let Some(&address) = present.filter(|_| !wanted.iter().any(|found| is_it(&found))) {
                    let dev = dev.clone();
                    let undo = Op::AddressAdd { dev: dev.clone(), address };
                    self.push(at, Op::AddressDel { dev, address }, Some(undo));
                }
            }
            Op::RuleAdd { .. } | Op::RuleDel(_) | Op::RuleDelDuplicate(_) | Op::RuleExpect(_) => {
                // Not the rules of a family that stays as it is.
                let (now, wanted) = (&self.base.0.here().rules, &self.to.fresh.here().rules);
                let other = now.iter().filter(|(family, rules)| wanted.get(family) != Some(rules));
                let rules = other.map(|(family, rules)| (*family, rules.clone())).collect();
                self.append(vrf::layout::restore(&State { rules, ..State::default() }));
            }
            Op::SysctlSet { key, .. } => self.sysctl(at, key)?,
            Op::RecordSet { key, .. } | Op::RecordDel(key) => self.record(at, key),
            Op::Bridge(op) => self.bridge(op)?,
            Op::LinkAdd(new) => {
                self.link(at, &new.name)?;
                let LinkKind::Bridge(options) = &new.kind else { return Some(()) };
                self.settings(&new.name, options)?;
            }
            Op::LinkDel { name, .. } => self.link(at, name)?,
            Op::LinkSet { name, change } => {
                self.link(at, name)?;
                self.change(at, name, change);
            }
            Op::VethAdd(new) => self.pair(at, new)?,
            Op::LinkMove(_) => {
                let located = |state: &Snapshot| {
                    state.located.get(self.to.iface).map(|link| (link.place.clone(), link.name.clone()))
                };
                (located(&self.base.0) == located(self.to.fresh)).then_some(())?;
            }
            Op::NetnsAdd(name) | Op::NetnsDel(name) => {
                let netns = NetnsRef::Name(name.clone());
                let exists = |state: &Snapshot| state.existing(&netns).is_some();
                (exists(&self.base.0) == exists(self.to.fresh)).then_some(())?;
            }
            Op::NetnsLinkSet(link) | Op::NetnsLinkDel(link) => {
                let key = (link.iface.clone(), link.role);
                let known = |state: &Snapshot| state.netns_links.get(&key).map(|record| record.link.clone());
                (known(&self.base.0) == known(self.to.fresh)).then_some(())?;
            }
            Op::Nested(nested) => self.nested(nested),
        }
        Some(())
    }

    fn route(&mut self, at: &Place, route: &crate::state::Route) {
        let find = |state: &Snapshot| {
            let mut routes = state.at(at).routes.iter();
            // A route of a stanza may have no device, which the kernel adds.
            routes.find(|found| found.is_ours() && (route.same(found) || found.same(route))).cloned()
        };
        if let (Some(found), None) = (find(&self.base.0), find(self.to.fresh)) {
            self.push(at, Op::RouteDel(found.clone()), Some(Op::RouteAdd(found)));
        }
    }

    /// A sysctl. If its value in a new namespace is not known, only a new namespace has it.
    fn sysctl(&mut self, at: &Place, key: &Sysctl) -> Option<()> {
        let value = |state: &Snapshot| state.at(at).sysctls.get(key).cloned();
        match (value(&self.base.0), value(self.to.fresh)) {
            (Some(now), Some(wanted)) if now != wanted => {
                let set = |value| Op::SysctlSet { key: key.clone(), value };
                self.push(at, set(wanted), Some(set(now)));
            }
            (Some(_), None) if *at != Place::Here => return None,
            _ => {}
        }
        self.record(at, &Record::original(key));
        Some(())
    }

    /// The interfaces inside a namespace, if another file or none is wanted there.
    fn nested(&mut self, old: &Nested) {
        let key = Record::nested(&old.iface);
        let value = |state: &Snapshot| state.here().records.get(&key).cloned();
        let now = value(&self.base.0);
        if !old.up && now.is_some() && now != value(self.to.fresh) {
            let up = Nested { up: true, ..old.clone() };
            self.push(&Place::Here, Op::Nested(old.clone()), Some(Op::Nested(up)));
        }
    }

    fn record(&mut self, at: &Place, key: &Record) {
        // The sysctl of a link that is in another namespace is not here; it is restored when the link comes back.
        let is_away = self.base.0.located.contains_key(self.to.iface) && *at == Place::Here;
        if is_away && key.sysctl().is_some_and(|key| !self.base.0.here().sysctls.contains_key(&key)) {
            return;
        }
        let value = |state: &Snapshot| state.at(at).records.get(key).cloned();
        let set = |value: String| Op::RecordSet { key: key.clone(), value };
        let now = value(&self.base.0);
        let of_settings = now.as_ref().filter(|_| *key == Record::link(self.to.iface));
        let wanted = match of_settings.and_then(|text| self.still_changed(text)) {
            Some(original) => (!original.is_empty()).then(|| original.to_string()),
            None => value(self.to.fresh),
        };
        match (now, wanted) {
            (Some(now), None) => self.push(at, Op::RecordDel(key.clone()), Some(set(now))),
            (Some(now), Some(wanted)) if now != wanted => self.push(at, set(wanted), Some(set(now))),
            _ => {}
        }
    }

    /// The recorded settings of the link that the new stanza changes too: those that are not restored in the state to
    /// reach. `None` if this is not known.
    fn still_changed(&self, text: &str) -> Option<LinkOriginal> {
        let original = LinkOriginal::parse(text)?;
        let fresh = self.to.fresh;
        let then = match fresh.located.get(self.to.iface) {
            Some(located) => fresh.at(&located.place).details.get(&located.name),
            None => fresh.here().details.get(self.to.iface),
        }?;
        let alias = then.alias.as_deref().unwrap_or_default();
        Some(LinkOriginal {
            mac: original.mac.filter(|mac| then.mac != Some(*mac)),
            mtu: original.mtu.filter(|mtu| then.mtu != mtu.0),
            alias: original.alias.filter(|text| text != alias),
            ..original
        })
    }

    /// A link has to exist in both states, or in none, and to be of the same kind.
    fn link(&mut self, at: &Place, name: &IfName) -> Option<()> {
        let kind = |state: &Snapshot| state.at(at).links.get(name).map(|link| link.kind.clone());
        let same = match (kind(&self.base.0), kind(self.to.fresh)) {
            (Some(LinkKind::Bridge(_)), Some(LinkKind::Bridge(_))) => true,
            (now, wanted) => now == wanted,
        };
        same.then_some(())
    }

    fn change(&mut self, at: &Place, name: &IfName, change: &LinkChange) {
        let link = |state: &Snapshot| state.at(at).links.get(name).cloned();
        let (Some(now), Some(wanted)) = (link(&self.base.0), link(self.to.fresh)) else { return };
        if change.master.is_some() && now.master != wanted.master {
            let master = |master: &Option<IfName>| Op::set_master(name, master.as_ref());
            let is_port = now.master.as_ref().is_some_and(|old| self.base.0.at(at).bridge(old).is_some());
            // What leaves a bridge would forward what it receives to the host.
            let op =
                if is_port && wanted.master.is_none() { Op::release(name) } else { master(&wanted.master) };
            // The kernel releases a member before it joins the other VRF. An interface that is up would be in the host's own
            // routing meanwhile.
            let moves = !is_port && now.master.is_some() && wanted.master.is_some() && now.up;
            if moves {
                self.push(at, Op::set_up(name, false), Some(Op::set_up(name, true)));
            }
            self.push(at, op, Some(master(&now.master)));
            if moves {
                self.push(at, Op::set_up(name, true), Some(Op::set_up(name, false)));
            }
        }
        if change.up.is_some() && name != self.to.iface && now.up && !wanted.up && now.master == wanted.master
        {
            self.push(at, Op::set_up(name, false), Some(Op::set_up(name, true)));
        }
        self.details(at, name, change);
    }

    /// The address, the MTU and the alias of a link, if the old stanza had set them.
    fn details(&mut self, at: &Place, name: &IfName, set: &LinkChange) {
        let details = |state: &Snapshot| state.at(at).details.get(name).cloned();
        let (Some(now), Some(wanted)) = (details(&self.base.0), details(self.to.fresh)) else { return };
        let changed = |from: &Details, to: &Details| LinkChange {
            mac: to.mac.filter(|mac| set.mac.is_some() && from.mac != Some(*mac)),
            mtu: (set.mtu.is_some() && from.mtu != to.mtu).then_some(Mtu(to.mtu)),
            alias: (set.alias.is_some() && from.alias != to.alias)
                .then(|| to.alias.clone().unwrap_or_default()),
            ..LinkChange::default()
        };
        let change = changed(&now, &wanted);
        if change != LinkChange::default() {
            let set = |change| Op::LinkSet { name: name.clone(), change };
            self.push(at, set(change), Some(set(changed(&wanted, &now))));
        }
    }

    /// A veth pair. Its queues are those that it was made with, and so is an address that the kernel picked.
    fn pair(&mut self, at: &Place, old: &NewVeth) -> Option<()> {
        self.link(at, &old.end.name)?;
        self.link(&old.at, &old.peer.name)?;
        let new = self.to.wanted_pair(&old.end.name);
        let picked = |old: &End, new: &End| old.mac.is_some() && new.mac.is_none();
        let again = new.is_some_and(|new| {
            new.queues != old.queues || picked(&old.end, &new.end) || picked(&old.peer, &new.peer)
        });
        (!again).then_some(())?;
        for (at, End { name, mac, mtu }) in [(at, &old.end), (&old.at, &old.peer)] {
            self.details(at, name, &LinkChange { mac: *mac, mtu: *mtu, ..LinkChange::default() });
        }
        Some(())
    }

    /// The settings of a bridge. An address that was once set stays until the bridge is deleted.
    fn settings(&mut self, bridge: &IfName, set: &BridgeOptions) -> Option<()> {
        let options = |state: &Snapshot| state.here().bridge(bridge).cloned();
        let (Some(now), Some(wanted)) = (options(&self.base.0), options(self.to.fresh)) else {
            return Some(());
        };
        if set.address.is_some() && wanted.address.is_none() {
            return None;
        }
        let change = with_ageing(wanted.differing(&now).masked(set), &now, &wanted);
        // The kernel would put every port into the new default VLAN (net/bridge/br_vlan.c
        // `__br_vlan_set_default_pvid`).
        let opens = matches!((change.default_pvid, now.default_pvid), (Some(Some(_)), Some(None)));
        (!opens).then_some(())?;
        for (port, entry) in self.base.0.here().stations_left(bridge, &change) {
            let undo = Op::Bridge(BridgeOp::FdbAdd { port: port.clone(), entry });
            self.push(&Place::Here, Op::Bridge(BridgeOp::FdbDel { port, entry }), Some(undo));
        }
        if change != BridgeOptions::default() {
            let set = |options| Op::Bridge(BridgeOp::Set { bridge: bridge.clone(), options });
            self.push(&Place::Here, set(change.clone()), Some(set(now.masked(&change))));
        }
        Some(())
    }

    fn bridge(&mut self, op: &BridgeOp) -> Option<()> {
        match op {
            BridgeOp::Set { bridge, options } => self.settings(bridge, options),
            BridgeOp::PortSet { port, options } => {
                self.port(port, options);
                Some(())
            }
            BridgeOp::VlanAdd { device, .. } | BridgeOp::VlanDel { device, .. } => self.vlans(device),
            BridgeOp::FdbAdd { port, entry } | BridgeOp::FdbDel { port, entry } => {
                self.station(port, *entry);
                Some(())
            }
            BridgeOp::Allow { port, .. } => {
                self.allowed(port);
                Some(())
            }
        }
    }

    fn port(&mut self, port: &IfName, set: &PortOptions) {
        let options =
            |state: &Snapshot| state.here().bridging.ports.get(port).map(|port| port.options.clone());
        let (Some(now), Some(wanted)) = (options(&self.base.0), options(self.to.fresh)) else {
            return;
        };
        // The kernel computes the cost when the port joins.
        if let (Some(_), None, Some(cost)) = (set.cost, wanted.cost, now.cost) {
            let master = |state: &Snapshot| state.here().links.get(port).and_then(|link| link.master.clone());
            match master(&self.base.0).filter(|bridge| master(self.to.fresh).as_ref() == Some(bridge)) {
                Some(bridge) if !self.to.joins(port) => {
                    let advice = format!("`ifdown {bridge}` and `ifup {bridge}` do that");
                    let line =
                        format!("{port} keeps its cost {cost} until it joins {bridge} again; {advice}");
                    self.plan.warnings.push(line);
                }
                _ => {
                    self.push(&Place::Here, Op::release(port), None);
                    return;
                }
            }
        }
        let change = PortOptions { cost: None, ..wanted.differing(&now).masked(set) };
        if !change.is_empty() {
            let set = |options| Op::Bridge(BridgeOp::PortSet { port: port.clone(), options });
            self.push(&Place::Here, set(change.clone()), Some(set(now.masked(&change))));
        }
    }

    /// The VLANs of a port or of a bridge. A bridge that has lost its last port has no address, and the kernel adds it
    /// to no VLAN (net/bridge/br_vlan.c `__vlan_add`, net/bridge/br_fdb.c `fdb_add_local`).
    fn vlans(&mut self, device: &VlanDevice) -> Option<()> {
        let set = |state: &Snapshot| state.here().bridging.vlans.get(&device.name).cloned();
        let (Some(now), Some(wanted)) = (set(&self.base.0), set(self.to.fresh)) else { return Some(()) };
        let del = |vlans| Op::Bridge(BridgeOp::VlanDel { device: device.clone(), vlans });
        let add = |vlans| Op::Bridge(BridgeOp::VlanAdd { device: device.clone(), vlans });
        let (gone, new) = (now.without(&wanted), wanted.differing(&now));
        let is_empty = device.is_bridge && self.base.0.here().members(&device.name).next().is_none();
        if is_empty && !new.is_empty() {
            return None;
        }
        if !gone.is_empty() {
            self.push(&Place::Here, del(gone.clone()), Some(add(gone)));
        }
        if !new.is_empty() {
            self.push(&Place::Here, add(new), None);
        }
        Some(())
    }

    /// The stations of a port that has none in the state to reach. Other lists are changed by the usual phases.
    fn allowed(&mut self, port: &IfName) {
        let of = |state: &Snapshot| state.here().bridging.allowed.of(port);
        let now = of(&self.base.0);
        if of(self.to.fresh).is_empty() && !now.is_empty() {
            let change = |add, del| Op::Bridge(BridgeOp::Allow { port: port.clone(), add, del });
            let (del, add) = (change(Stations::default(), now.clone()), change(now, Stations::default()));
            self.push(&Place::Here, del, Some(add));
        }
    }

    /// A static entry; without a VLAN, also those that the kernel made of it. They stay when the port leaves a VLAN.
    fn station(&mut self, port: &IfName, entry: FdbEntry) {
        let entries = |state: &Snapshot| {
            let of_port = state.here().bridging.fdb.get(port).into_iter().flatten();
            let of_it =
                |found: &&FdbEntry| found.mac == entry.mac && (entry.vid.is_none() || found.vid == entry.vid);
            of_port.filter(of_it).copied().collect::<Vec<_>>()
        };
        let wanted = entries(self.to.fresh);
        for entry in entries(&self.base.0).into_iter().filter(|entry| !wanted.contains(entry)) {
            let port = port.clone();
            let undo = Op::Bridge(BridgeOp::FdbAdd { port: port.clone(), entry });
            self.push(&Place::Here, Op::Bridge(BridgeOp::FdbDel { port, entry }), Some(undo));
        }
    }
}

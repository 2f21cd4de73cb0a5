//! A veth pair whose peer is created directly in its namespace: `veth-peer`.

use crate::plan::netns::inside::Inside;
use crate::plan::netns::{namespace, veth_pair};
use crate::plan::op::{End, LinkChange, NewVeth, Op};
use crate::plan::{At, Plan, Planner};
use crate::stanza::{Phase, Problem};
use crate::state::{BridgeOptions, Link, LinkKind, NetnsLink, Place, Query, Role, Snapshot};
use crate::values::{IfName, Mac, Mtu, NetnsRef, Queues};

/// `veth-peer`, and the configuration of the peer.
pub struct VethPeer {
    /// The name of the other end.
    pub peer: IfName,
    /// The namespace of the other end; without one, the executor's own.
    pub netns: Option<NetnsRef>,
    /// The peer's hardware address.
    pub mac: Option<Mac>,
    /// The peer's MTU.
    pub mtu: Option<Mtu>,
    /// The interface's hardware address.
    pub own_mac: Option<Mac>,
    /// The interface's MTU.
    pub own_mtu: Option<Mtu>,
    /// The queues of both ends.
    pub queues: Option<Queues>,
    /// Addresses and routes of the peer.
    pub inside: Inside,
    /// The bridge or VRF of the peer.
    pub master: Option<IfName>,
    /// Whether the peer is set up.
    pub up: bool,
    /// Whether a namespace of ours stays when it is empty.
    pub keep: bool,
}

impl Planner for VethPeer {
    fn acts(&self, phase: Phase) -> bool {
        matches!(phase, Phase::Create | Phase::PostUp | Phase::PreDown | Phase::Destroy)
    }

    fn query(&self, at: At<'_>, query: &mut Query) {
        query.located.insert(at.iface.clone());
        query.here().links.insert(at.iface.clone());
        if let Some(netns) = &self.netns {
            namespace::query(netns, at.phase == Phase::Destroy, query);
        }
        let place = self.place();
        let wants = query.at(&place);
        wants.links.insert(self.peer.clone());
        wants.links.extend(self.master.clone());
        if matches!(at.phase, Phase::PostUp | Phase::PreDown) {
            self.inside.query(&self.peer, &place, query);
        }
    }

    fn plan(&self, at: At<'_>, found: &Snapshot) -> Result<Plan, Vec<Problem>> {
        match at.phase {
            Phase::Create => self.create(at.iface, found),
            Phase::PostUp => self.set_up(at.iface, found),
            Phase::PreDown => Ok(self.take_routes(at.iface, found)),
            _ => Ok(self.destroy(at.iface, found)),
        }
    }

    fn assume(&self, _iface: &IfName, simulated: &mut Snapshot) {
        self.netns.iter().for_each(|netns| namespace::assume(netns, simulated));
        if let (Some(master), None | Some(NetnsRef::Pid(_) | NetnsRef::Path(_))) = (&self.master, &self.netns)
        {
            let link = Link { kind: LinkKind::Bridge(BridgeOptions::default()), master: None, up: true };
            simulated.places.entry(self.place()).or_default().links.entry(master.clone()).or_insert(link);
        }
    }
}

impl VethPeer {
    fn place(&self) -> Place {
        self.netns.clone().map_or(Place::Here, Place::In)
    }

    fn problem(&self, reason: impl std::fmt::Display) -> Vec<Problem> {
        vec![Problem::new("veth-peer", &self.peer, reason)]
    }

    fn location(&self) -> String {
        self.netns.as_ref().map_or("here".to_owned(), |netns| format!("in {netns}"))
    }

    fn is_pair(&self, iface: &IfName, found: &Snapshot) -> bool {
        veth_pair::is_pair(iface, &self.peer, self.netns.as_ref(), found)
    }

    fn create(&self, iface: &IfName, found: &Snapshot) -> Result<Plan, Vec<Problem>> {
        if *iface == self.peer && self.netns.is_none() {
            return Err(self.problem("the interface itself; the other end needs another name"));
        }
        let mut plan = Plan::default();
        if let Some(netns) = &self.netns {
            plan = namespace::ensure("veth-peer-netns", netns, found).map_err(|problem| vec![problem])?;
            plan.append(namespace::keep(netns, iface, self.keep, found));
        }
        // The interface is in another namespace, and `netns` moves it back.
        if found.located.contains_key(iface) {
            return Ok(plan);
        }
        let (here, there) = (found.here(), found.at(&self.place()));
        match here.links.get(iface) {
            Some(_) if self.is_pair(iface, found) => {
                self.adjust(found, &mut plan);
                return Ok(plan);
            }
            Some(link) if veth_pair::is_veth(link) && veth_pair::is_orphan(iface, found) => {
                plan.push(Op::LinkDel { name: iface.clone(), kind: link.kind.clone() }, None);
            }
            Some(link) if veth_pair::is_veth(link) => {
                let place = self.location();
                let reason = format!("{iface} exists, but its peer is not {} {place}", self.peer);
                return Err(self.problem(reason + "; ifdown it, or delete it by hand"));
            }
            Some(link) => {
                let reason =
                    format!("{iface} exists and is a {}; ifdown it, or delete it by hand", link.kind);
                return Err(self.problem(reason));
            }
            None => {}
        }
        if let Some(taken) = there.links.get(&self.peer) {
            let place = self.location();
            return Err(self.problem(format!("a {} of that name exists {place}", taken.kind)));
        }
        if let Some(netns) = &self.netns {
            let (iface, name) = (iface.clone(), self.peer.clone());
            namespace::record(&mut plan, NetnsLink { iface, role: Role::Peer, netns: netns.clone(), name });
        }
        let new = NewVeth {
            end: End { name: iface.clone(), mac: self.own_mac, mtu: self.own_mtu },
            peer: End { name: self.peer.clone(), mac: self.mac, mtu: self.mtu },
            at: self.place(),
            queues: self.queues,
            master: None,
        };
        let undo = Op::LinkDel { name: iface.clone(), kind: LinkKind::Other("veth".to_owned()) };
        plan.push(Op::VethAdd(new), Some(undo));
        Ok(plan)
    }

    /// Sets the properties of the peer of an existing pair that a new pair would be created with.
    fn adjust(&self, found: &Snapshot, plan: &mut Plan) {
        let Some(now) = found.at(&self.place()).details.get(&self.peer) else { return };
        let (mut change, mut back) = (LinkChange::default(), LinkChange::default());
        if let (Some(wanted), Some(mac)) = (self.mac, now.mac.filter(|mac| Some(*mac) != self.mac)) {
            (change.mac, back.mac) = (Some(wanted), Some(mac));
        }
        if let Some(wanted) = self.mtu.filter(|wanted| wanted.0 != now.mtu) {
            (change.mtu, back.mtu) = (Some(wanted), Some(Mtu(now.mtu)));
        }
        if change != LinkChange::default() {
            let op = |change| Op::LinkSet { name: self.peer.clone(), change };
            plan.push_at(&self.place(), op(change), Some(op(back)));
        }
    }

    fn set_up(&self, iface: &IfName, found: &Snapshot) -> Result<Plan, Vec<Problem>> {
        let (place, mut plan) = (self.place(), Plan::default());
        if !self.is_pair(iface, found) && !found.located.contains_key(iface) {
            let place = self.location();
            return Err(self.problem(format!("the peer of {iface} is not {} {place}", self.peer)));
        }
        let state = found.at(&place);
        let link = state.links.get(&self.peer);
        if let Some(master) = &self.master {
            let now = link.and_then(|link| link.master.as_ref());
            let wrong = |reason: &str| Err(vec![Problem::new("veth-peer-master", master, reason)]);
            match now {
                Some(now) if now == master => {}
                Some(now) => return wrong(&format!("{} is a port of {now}", self.peer)),
                None if !state.links.contains_key(master) => {
                    return wrong(&format!("there is no such interface {}", self.location()));
                }
                None => {
                    let op = |master| Op::set_master(&self.peer, master);
                    plan.push_at(&place, op(Some(master)), Some(op(None)));
                }
            }
        }
        if self.up && !link.is_some_and(|link| link.up) {
            let op = |up| Op::set_up(&self.peer, up);
            plan.push_at(&place, op(true), Some(op(false)));
        }
        plan.append(self.inside.set_up(&self.peer, &place, found)?);
        Ok(plan)
    }

    /// Deletes the pair, and the namespace after its last user.
    fn destroy(&self, iface: &IfName, found: &Snapshot) -> Plan {
        let mut plan = Plan::default();
        let record = namespace::recorded(iface, Role::Peer, found);
        let mine = veth_pair::record(iface, found).is_some() || self.is_pair(iface, found);
        if let Some(link) = found.here().links.get(iface) {
            if veth_pair::is_veth(link) && mine {
                plan.push(Op::LinkDel { name: iface.clone(), kind: link.kind.clone() }, None);
            } else {
                let place = self.location();
                plan.warnings.push(format!(
                    "not changed: {iface} is a {} whose peer is not {} {place}",
                    link.kind, self.peer
                ));
                return plan;
            }
        }
        // The record leads to a namespace that the stanza no longer names, so it is deleted afterwards.
        let was: Vec<&IfName> = record.map(|record| &record.link.name).into_iter().collect();
        plan.append(namespace::abandon_former((iface, Role::Peer), self.netns.as_ref(), &was, found));
        if let Some(record) = record {
            plan.push(Op::NetnsLinkDel(record.link.clone()), None);
        }
        let leaving: Vec<&IfName> = mine.then_some(&self.peer).into_iter().collect();
        if let Some(netns) = &self.netns {
            plan.append(namespace::leave(netns, iface, self.keep, &leaving, found));
        }
        plan
    }

    /// Deletes our routes in the namespace that the peer was created in.
    fn take_routes(&self, iface: &IfName, found: &Snapshot) -> Plan {
        let place = match &self.netns {
            Some(netns) => namespace::place_of(iface, Role::Peer, netns, found),
            None => Some(Place::Here),
        };
        place.map_or(Plan::default(), |place| self.inside.take_routes(&self.peer, &place, found))
    }
}

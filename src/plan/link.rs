//! Links as the stock executor `link` makes, configures, sets up and deletes them.

use crate::plan::op::{End, LinkChange, NewLink, NewVeth, Op};
use crate::plan::{At, Plan, Planner};
use crate::stanza::{Phase, Problem};
use crate::state::{
    Details, Link, LinkKind, LinkOriginal, Place, Query, Record, Snapshot, State, VlanFlags, VlanLink,
};
use crate::values::{IfName, Mac, Mtu, NetnsRef, VlanId, VlanProtocol};

/// The keywords of `link`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkSettings {
    /// `link-type`.
    pub made: Option<Made>,
    /// `vlan-raw-device`.
    pub lower: Option<IfName>,
    /// `vlan-id`.
    pub id: Option<VlanId>,
    /// `vlan-protocol`.
    pub protocol: Option<VlanProtocol>,
    /// The other keywords of a VLAN.
    pub flags: VlanFlags,
    /// `mtu`.
    pub mtu: Option<Mtu>,
    /// `hwaddress`.
    pub mac: Option<Mac>,
    /// `alias`.
    pub alias: Option<String>,
    /// The namespace that the interface moves to, and its name there.
    pub moved: Option<(NetnsRef, Option<IfName>)>,
}

/// The kinds of links that `link-type` makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Made {
    /// A dummy link.
    Dummy,
    /// A veth pair. The kernel picks a name for the other end unless the stanza has one.
    Veth {
        /// `veth-peer-name`.
        peer: Option<IfName>,
    },
}

impl Made {
    fn word(&self) -> &'static str {
        match self {
            Self::Dummy => "dummy",
            Self::Veth { .. } => "veth",
        }
    }
}

/// A VLAN as a stanza describes it: the name of the lower link, and the number in the tag.
type NamedVlan = (String, String);

/// The VLAN of an interface by its name alone, as the stock executor reads it: `eth0.8`, not `vlan0.8`.
fn vlan_by_name(iface: &str) -> Option<NamedVlan> {
    let is_vlan = !iface.contains(['#', ':']) && !iface.starts_with("vlan");
    let (lower, id) = iface.rsplit_once('.').filter(|_| is_vlan)?;
    Some((lower.to_owned(), id.to_owned()))
}

/// The VLAN of an interface: by its name, by `vlan-raw-device` and the number in its name, or by keywords alone.
fn vlan(iface: &str, lower: Option<&str>, id: Option<&str>) -> Option<NamedVlan> {
    if iface.contains(['#', ':']) {
        return None;
    }
    let number = iface.strip_prefix("vlan");
    match number {
        Some(number) if number.contains('.') => None,
        Some(number) => Some((lower?.to_owned(), number.to_owned())),
        None if iface.contains('.') => vlan_by_name(iface),
        None => Some((lower?.to_owned(), id?.to_owned())),
    }
}

/// The lower link of an interface, if it is a VLAN.
pub fn lower_link(iface: &str, lower: Option<&str>, id: Option<&str>) -> Option<IfName> {
    vlan(iface, lower, id)?.0.parse().ok()
}

impl Planner for LinkSettings {
    fn acts(&self, phase: Phase) -> bool {
        matches!(phase, Phase::Create | Phase::Up | Phase::Down | Phase::Destroy)
    }

    fn query(&self, at: At<'_>, query: &mut Query) {
        query.located.insert(at.iface.clone());
        query.here().links.insert(at.iface.clone());
        query.here().records.insert(Record::link(at.iface));
        if at.phase == Phase::Create {
            let vlan = self.vlan(at.iface).and_then(|(lower, _)| lower.parse().ok());
            query.here().links.extend(vlan);
            query.here().links.extend(self.peer().cloned());
        }
        if let (Some((netns, name)), Phase::Up) = (&self.moved, at.phase) {
            let name = name.as_ref().unwrap_or(at.iface).clone();
            query.at(&Place::In(netns.clone())).links.insert(name);
        }
    }

    fn plan(&self, at: At<'_>, found: &Snapshot) -> Result<Plan, Vec<Problem>> {
        match at.phase {
            Phase::Create => self.create(at.iface, found),
            Phase::Up => self.set_up(at.iface, found).map_err(|problem| vec![problem]),
            Phase::Down => Ok(self.set_down(at.iface, found.here())),
            _ => Ok(self.destroy(at.iface, found.here())),
        }
    }

    fn assume(&self, iface: &IfName, simulated: &mut Snapshot) {
        let here = simulated.here_mut();
        let named = self.vlan(iface).map(|(lower, _)| lower.parse().ok());
        let exists = match (&self.made, named) {
            (Some(_), _) => None,
            (None, Some(lower)) => lower,
            (None, None) => Some(iface.clone()),
        };
        let mac = "02:00:00:00:00:70".parse().ok();
        if let Some(name) = exists {
            let link = Link { kind: LinkKind::Physical, master: None, up: false };
            here.links.entry(name.clone()).or_insert(link);
            let details = Details { index: 70, mac, mtu: 1500, alias: None, peer: None };
            here.details.entry(name).or_insert(details);
        }
    }
}

impl LinkSettings {
    fn vlan(&self, iface: &IfName) -> Option<NamedVlan> {
        let id = self.id.map(|id| id.to_string());
        vlan(iface.as_str(), self.lower.as_ref().map(IfName::as_str), id.as_deref())
    }

    /// The kind of link that the stanza makes, if it makes one; or what is wrong with the description.
    fn kind(&self, iface: &IfName) -> Result<Option<LinkKind>, Problem> {
        if let Some(made) = &self.made {
            return Ok(Some(LinkKind::Other(made.word().to_owned())));
        }
        let Some((lower, id)) = self.vlan(iface) else { return Ok(None) };
        let wrong = |error: crate::values::Invalid| Problem::new("iface", iface, error);
        Ok(Some(LinkKind::Vlan(VlanLink {
            lower: Some(lower.parse().map_err(wrong)?),
            id: id.parse().map_err(wrong)?,
            protocol: self.protocol.unwrap_or(VlanProtocol::Ieee8021q),
            flags: self.flags,
        })))
    }

    /// The other end of the pair, if the stanza names it.
    fn peer(&self) -> Option<&IfName> {
        match &self.made {
            Some(Made::Veth { peer }) => peer.as_ref(),
            _ => None,
        }
    }

    /// The keyword by which the stanza makes the link.
    fn keyword(&self) -> &'static str {
        match (&self.made, &self.lower) {
            (Some(_), _) => "link-type",
            (None, Some(_)) => "vlan-raw-device",
            (None, None) => "iface",
        }
    }

    fn conflict(&self, iface: &IfName, reason: impl std::fmt::Display) -> Problem {
        let value = match (&self.made, &self.lower) {
            (Some(made), _) => made.word(),
            (None, Some(lower)) => lower.as_str(),
            (None, None) => iface.as_str(),
        };
        Problem::new(self.keyword(), value, reason)
    }

    /// Makes the link, unless it exists here or in the namespace that it was moved to.
    fn create(&self, iface: &IfName, found: &Snapshot) -> Result<Plan, Vec<Problem>> {
        let (state, mut plan) = (found.here(), Plan::default());
        if let Some(link) = state.links.get(iface) {
            return match self.kind(iface) {
                Ok(Some(kind)) if !self.fits(iface, link, &kind, state) => Err(vec![self.conflict(
                    iface,
                    format!(
                        "{iface} exists and is a {}; ifdown it, or delete it by hand",
                        described(&link.kind)
                    ),
                )]),
                Ok(Some(_)) => match self.peer().filter(|peer| !is_peer(peer, iface, state)) {
                    Some(peer) => Err(vec![Problem::new(
                        "veth-peer-name",
                        peer,
                        format!("{iface} exists with another peer; ifdown it, or delete it by hand"),
                    )]),
                    None => Ok(plan),
                },
                // A link that only has the name of a VLAN.
                _ => Ok(plan),
            };
        }
        let kind = self.kind(iface).map_err(|problem| vec![problem])?;
        let Some(kind) = kind.filter(|_| !found.located.contains_key(iface)) else { return Ok(plan) };
        if let LinkKind::Vlan(VlanLink { lower: Some(lower), .. }) = &kind {
            if !state.links.contains_key(lower) {
                return Err(vec![self.conflict(iface, format!("there is no interface {lower}"))]);
            }
        }
        let undo = Op::LinkDel { name: iface.clone(), kind: kind.clone() };
        let end = |name: &IfName| End { name: name.clone(), mac: None, mtu: None };
        let op = match &self.made {
            Some(Made::Veth { peer: Some(peer) }) => Op::VethAdd(NewVeth {
                end: end(iface),
                peer: end(peer),
                at: Place::Here,
                queues: None,
                master: None,
            }),
            _ => Op::LinkAdd(NewLink { name: iface.clone(), kind }),
        };
        plan.push(op, Some(undo));
        Ok(plan)
    }

    /// Whether an existing link is what the stanza makes. A link that is no VLAN may have the name of one.
    fn fits(&self, iface: &IfName, link: &Link, wanted: &LinkKind, state: &State) -> bool {
        let (LinkKind::Vlan(is), LinkKind::Vlan(wanted)) = (&link.kind, wanted) else {
            let only_by_name = self.made.is_none() && self.lower.is_none();
            return link.kind == *wanted || (only_by_name && !matches!(link.kind, LinkKind::Vlan(_)));
        };
        let index = |name: &IfName| state.details.get(name).map(|details| details.index);
        let below = state.details.get(iface).and_then(|details| details.peer).map(|peer| peer.index);
        // The lower link may have been named by an alternative name.
        let is_on_it =
            is.lower == wanted.lower || (below.is_some() && wanted.lower.as_ref().and_then(index) == below);
        is_on_it && (is.id, is.protocol) == (wanted.id, wanted.protocol) && is.flags.have(wanted.flags)
    }

    /// Sets the link up, with its settings: here, or in the namespace that it is in.
    fn set_up(&self, iface: &IfName, found: &Snapshot) -> Result<Plan, Problem> {
        let (place, name) = match found.located.get(iface) {
            Some(located) if !found.here().links.contains_key(iface) => (&located.place, &located.name),
            _ => (&Place::Here, iface),
        };
        let (state, mut plan) = (found.at(place), Plan::default());
        let link = state.links.get(name);
        let absent = || {
            let problem = Problem::new("iface", iface, "there is no such interface");
            // The phase create has reported why a link that the stanza makes is not there.
            if matches!(self.kind(iface), Ok(None)) { problem.awaiting() } else { problem }
        };
        let link = link.ok_or_else(absent)?;
        let now = state.details.get(name);
        let changes = self.changes(now);
        self.record(iface, now, &changes, found.here(), &mut plan);
        for change in changes {
            let undo = now.and_then(|now| back(&change, now));
            let op = |change| Op::LinkSet { name: name.clone(), change };
            plan.push_at(place, op(change), undo.map(op));
        }
        if !link.up {
            plan.push_at(place, Op::set_up(name, true), Some(Op::set_up(name, false)));
        }
        Ok(plan)
    }

    /// The settings that differ, a change for each: the kernel may refuse the second one of a message and keep the first.
    fn changes(&self, now: Option<&Details>) -> Vec<LinkChange> {
        let differs = |same: fn(&Details, &Self) -> bool| now.is_none_or(|now| !same(now, self));
        let mac = self.mac.filter(|_| differs(|now, wanted| now.mac == wanted.mac));
        let mtu = self.mtu.filter(|_| differs(|now, wanted| Some(Mtu(now.mtu)) == wanted.mtu));
        let alias = self.alias.clone().filter(|_| differs(|now, wanted| now.alias == wanted.alias));
        let changes = [
            mac.map(|mac| LinkChange { mac: Some(mac), ..LinkChange::default() }),
            mtu.map(|mtu| LinkChange { mtu: Some(mtu), ..LinkChange::default() }),
            alias.map(|alias| LinkChange { alias: Some(alias), ..LinkChange::default() }),
        ];
        changes.into_iter().flatten().collect()
    }

    /// Records the settings of a link that exists without the stanza, before their first change.
    fn record(
        &self,
        iface: &IfName,
        now: Option<&Details>,
        changes: &[LinkChange],
        here: &State,
        plan: &mut Plan,
    ) {
        let Some(now) = now.filter(|_| !changes.is_empty() && !self.is_made(iface)) else { return };
        let (key, text) = (Record::link(iface), here.records.get(&Record::link(iface)));
        let known = text.and_then(|text| LinkOriginal::parse(text)).filter(|known| known.index == now.index);
        let mut original = known.unwrap_or(LinkOriginal { index: now.index, ..LinkOriginal::default() });
        for change in changes.iter().filter_map(|change| back(change, now)) {
            original.mac = original.mac.or(change.mac);
            original.mtu = original.mtu.or(change.mtu);
            original.alias = original.alias.or(change.alias);
        }
        if text != Some(&original.to_string()) {
            let undo = match text {
                Some(text) => Op::RecordSet { key: key.clone(), value: text.clone() },
                None => Op::RecordDel(key.clone()),
            };
            plan.push(Op::RecordSet { key, value: original.to_string() }, Some(undo));
        }
    }

    /// Whether the stanza makes the link.
    fn is_made(&self, iface: &IfName) -> bool {
        self.made.is_some() || self.vlan(iface).is_some()
    }

    /// Sets the link down and restores its settings, as far as they are still those of the stanza.
    fn set_down(&self, iface: &IfName, here: &State) -> Plan {
        let mut plan = Plan::default();
        if here.links.get(iface).is_some_and(|link| link.up) {
            plan.push(Op::set_up(iface, false), Some(Op::set_up(iface, true)));
        }
        let key = Record::link(iface);
        let Some(text) = here.records.get(&key) else { return plan };
        let now = here.details.get(iface);
        let original =
            LinkOriginal::parse(text).filter(|known| now.is_some_and(|now| now.index == known.index));
        if let (Some(original), Some(now)) = (original, now) {
            let is_set = |change: &LinkChange| {
                change.mac.is_none_or(|_| now.mac == self.mac)
                    && change.mtu.is_none_or(|_| Some(Mtu(now.mtu)) == self.mtu)
                    && (change.alias.is_none() || now.alias == self.alias)
            };
            let changes = [
                LinkChange { mac: original.mac, ..LinkChange::default() },
                LinkChange { mtu: original.mtu, ..LinkChange::default() },
                LinkChange { alias: original.alias, ..LinkChange::default() },
            ];
            for change in
                changes.into_iter().filter(|change| *change != LinkChange::default() && is_set(change))
            {
                let op = |change| Op::LinkSet { name: iface.clone(), change };
                let undo = back(&change, now).map(op);
                plan.push(op(change), undo);
            }
        }
        let undo = Op::RecordSet { key: key.clone(), value: text.clone() };
        plan.push(Op::RecordDel(key), Some(undo));
        plan
    }

    /// Deletes the link, if it is of the kind that the stanza makes.
    fn destroy(&self, iface: &IfName, here: &State) -> Plan {
        let mut plan = Plan::default();
        let Some(link) = here.links.get(iface) else { return plan };
        let is_it = match &self.made {
            Some(made) => link.kind == LinkKind::Other(made.word().to_owned()),
            None if self.vlan(iface).is_some() => matches!(link.kind, LinkKind::Vlan(_)),
            None => return plan,
        };
        if is_it {
            plan.push(Op::LinkDel { name: iface.clone(), kind: link.kind.clone() }, None);
        } else if self.made.is_some() || self.lower.is_some() {
            let made = self.made.as_ref().map_or("vlan", Made::word);
            plan.warnings.push(format!("not changed: {iface} is a {}, not a {made}", described(&link.kind)));
        }
        plan
    }
}

/// Whether a link is the other end of a pair, or can be it because that end is in another namespace.
fn is_peer(peer: &IfName, iface: &IfName, state: &State) -> bool {
    let other = state.details.get(iface).and_then(|details| details.peer);
    let index = state.details.get(peer).map(|details| details.index);
    other.is_none_or(|other| other.nsid.is_some() || index == Some(other.index))
}

/// A change that takes another one back; `None` if the former setting is unknown.
fn back(change: &LinkChange, now: &Details) -> Option<LinkChange> {
    let back = LinkChange {
        mac: change.mac.and(now.mac),
        mtu: change.mtu.map(|_| Mtu(now.mtu)),
        alias: change.alias.as_ref().map(|_| now.alias.clone().unwrap_or_default()),
        ..LinkChange::default()
    };
    (back != LinkChange::default()).then_some(back)
}

/// The kind of a link, and what distinguishes it from another of its kind.
fn described(kind: &LinkKind) -> String {
    match kind {
        LinkKind::Vlan(VlanLink { lower: Some(lower), id, .. }) => format!("vlan on {lower} with id {id}"),
        kind => kind.to_string(),
    }
}

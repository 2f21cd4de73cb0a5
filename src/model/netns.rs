//! Namespaces in the model, and changes that concern two of them.

use crate::model::Simulated;
use crate::plan::op::{Move, NewVeth, Op};
use crate::state::{
    Details, Existing, Link, LinkKind, Located, NestedRecord, Netns, NetnsId, NetnsLinkRecord, Peer, Place,
    Record, Role, Shared, State, VlanFlags, VlanLink,
};
use crate::values::{IfName, NetnsRef};
use nix::errno::Errno;

/// The MTU of a new Ethernet-like link (`ETH_DATA_LEN`).
const MTU: u32 = 1500;

impl Simulated {
    /// Makes a change that concerns more than the links of one namespace; `None` for any other change.
    pub(super) fn apply_across(&mut self, at: &Place, op: &Op) -> Option<Result<(), Errno>> {
        let simulated = &mut self.0;
        Some(match op {
            Op::NetnsAdd(name) => self.netns_add(name),
            Op::NetnsDel(name) => {
                let netns = NetnsRef::Name(name.clone());
                let inside = simulated.places.remove(&Place::In(netns.clone())).unwrap_or_default();
                for details in inside.details.values() {
                    if let Some(peer) = details.peer {
                        let of = (details.index, peer.index);
                        let has_it =
                            |_: &Place, state: &Shared<State>| state.other_ends(of, None).next().is_some();
                        simulated.places.update(has_it, |_, state| state.other_end_goes(of, None));
                    }
                }
                match simulated.netns.insert(netns, Netns::Absent) {
                    Some(Netns::Is(_)) => Ok(()),
                    _ => Err(Errno::ENOENT),
                }
            }
            Op::NetnsLinkSet(link) => {
                let id = simulated.existing(&link.netns).map(|existing| existing.id).unwrap_or_default();
                let record = NetnsLinkRecord { link: link.clone(), id, mac: None, index: None };
                simulated.netns_links.insert((link.iface.clone(), link.role), record);
                Ok(())
            }
            Op::NetnsLinkDel(link) => {
                simulated.netns_links.remove(&(link.iface.clone(), link.role));
                if link.role == Role::Moved {
                    simulated.located.remove(&link.iface);
                }
                Ok(())
            }
            Op::LinkMove(moving) => self.link_move(at, moving),
            // The model does not know which parameters exist in other namespaces.
            Op::SysctlSet { key, value } if *at != Place::Here => {
                let inside = simulated.places.entry(at.clone()).or_default();
                inside.sysctls.insert(key.clone(), value.clone());
                Ok(())
            }
            Op::LinkDel { name, .. } => {
                if let Some(index) =
                    simulated.at(at).details.get(name).and_then(|d| Some((d.index, d.peer?.index)))
                {
                    let but = |place: &Place| (place == at).then_some(name);
                    let has_it = |place: &Place, state: &Shared<State>| {
                        state.other_ends(index, but(place)).next().is_some()
                    };
                    simulated.places.update(has_it, |place, state| state.other_end_goes(index, but(place)));
                }
                return None;
            }
            Op::VethAdd(new) => self.veth_add(at, new),
            Op::Nested(nested) => {
                let id = simulated.existing(&nested.netns).map(|existing| existing.id).unwrap_or_default();
                let (key, file) = (Record::nested(&nested.iface), nested.file.clone());
                let records = &mut simulated.here_mut().records;
                records.remove(&key);
                if nested.up {
                    records.insert(key, NestedRecord { id, file }.to_string());
                }
                Ok(())
            }
            _ => return None,
        })
    }

    fn netns_add(&mut self, name: &str) -> Result<(), Errno> {
        let simulated = &mut self.0;
        let netns = NetnsRef::Name(name.to_owned());
        if simulated.existing(&netns).is_some() {
            return Err(Errno::EEXIST);
        }
        let inode = 1 + simulated.netns.len() as u64;
        let id = NetnsId { inode, ..NetnsId::default() };
        simulated.netns.insert(netns.clone(), Netns::Is(Existing { id, ours: true, ..Existing::default() }));
        let sysctls = simulated.of_new_namespaces.clone();
        let new = State { sysctls, ..State::new_namespace() };
        simulated.places.insert(Place::In(netns), new.into());
        Ok(())
    }

    fn link_move(&mut self, at: &Place, Move { name, to, new_name }: &Move) -> Result<(), Errno> {
        let to = &self.0.place(to);
        let same = self.0.same.clone();
        let is_place = |netns: &NetnsRef, place: &Place| matches!(place, Place::In(other) if other == same.get(netns).unwrap_or(netns));
        let places = &mut self.0.places;
        let is_there = |state: &State| state.links.contains_key(name);
        places.get(at).filter(|state| is_there(state)).ok_or(Errno::ENODEV)?;
        if places.get(to).ok_or(Errno::ENOENT)?.links.contains_key(new_name) {
            return Err(Errno::EEXIST);
        }
        let from = places.get_mut(at).ok_or(Errno::ENODEV)?;
        let mut link = from.links.remove(name).ok_or(Errno::ENODEV)?;
        let details = from.details.remove(name);
        from.addresses.remove(name);
        from.bridge_gone(name);
        from.lose_routes(name);
        link.up = false;
        link.master = None;
        let kind = link.kind.clone();
        let there = places.entry(to.clone()).or_default();
        there.links.insert(new_name.clone(), link);
        there.highest.0 = None;
        there.details.extend(details.map(|details| (new_name.clone(), details)));
        for record in self.0.netns_links.values() {
            let link = &record.link;
            if link.role == Role::Moved && link.name == *name && is_place(&link.netns, at) {
                self.0.located.remove(&link.iface);
            }
            if link.role == Role::Moved && link.name == *new_name && is_place(&link.netns, to) {
                let located = Located { place: to.clone(), name: new_name.clone(), kind: kind.clone() };
                self.0.located.insert(link.iface.clone(), located);
            }
        }
        Ok(())
    }

    fn veth_add(&mut self, at: &Place, new: &NewVeth) -> Result<(), Errno> {
        let there = &self.0.place(&new.at);
        let places = &mut self.0.places;
        let ends = [(at, &new.end), (there, &new.peer)];
        if ends
            .iter()
            .any(|(at, end)| places.get(at).is_some_and(|state| state.links.contains_key(&end.name)))
        {
            return Err(Errno::EEXIST);
        }
        let indices = ends.map(|(at, _)| places.entry(at.clone()).or_default().next_index());
        let nsids = [
            self.0.netns.get(&netns(there)).and_then(|found| match found {
                Netns::Is(existing) => existing.nsid,
                _ => None,
            }),
            None,
        ];
        for (n, (at, end)) in ends.into_iter().enumerate() {
            let peer = Peer { index: indices[1 - n], nsid: nsids[n] };
            let mtu = end.mtu.map_or(MTU, |mtu| mtu.0);
            let details = Details { index: indices[n], mac: end.mac, mtu, alias: None, peer: Some(peer) };
            self.0.places.entry(at.clone()).or_default().insert(&end.name, "veth", details);
        }
        let joins = new.master.as_ref().map(|master| Op::set_master(&new.end.name, Some(master)));
        joins.map_or(Ok(()), |op| self.0.places.entry(at.clone()).or_default().apply(&op))
    }
}

fn netns(place: &Place) -> NetnsRef {
    match place {
        Place::In(netns) => netns.clone(),
        Place::Here => NetnsRef::Pid(0),
    }
}

impl State {
    /// A namespace that was just made.
    pub fn new_namespace() -> Self {
        let mut state = Self::default().with_default_rules();
        if let Ok(lo) = "lo".parse() {
            state.links.insert(lo, Link { kind: LinkKind::Physical, master: None, up: false });
        }
        state
    }

    /// The other end of a pair. `of` are the indexes of the deleted end and of the other one; `but` is the name of the
    /// deleted end if it is in this namespace.
    fn other_ends<'a>(&'a self, of: (u32, u32), but: Option<&'a IfName>) -> impl Iterator<Item = &'a IfName> {
        let is_it = move |d: &Details| d.peer.is_some_and(|peer| (peer.index, d.index) == of);
        let ends = self.details.iter().filter(move |(name, details)| Some(*name) != but && is_it(details));
        let is_veth = |kind: &LinkKind| matches!(kind, LinkKind::Other(kind) if kind == "veth");
        let is_pair = move |name: &&IfName| self.links.get(*name).is_some_and(|link| is_veth(&link.kind));
        ends.map(|(name, _)| name).filter(is_pair)
    }

    /// Deletes it.
    fn other_end_goes(&mut self, of: (u32, u32), but: Option<&IfName>) {
        let names: Vec<IfName> = self.other_ends(of, but).cloned().collect();
        for name in names {
            self.links.remove(&name);
            self.details.remove(&name);
            self.addresses.remove(&name);
            self.lose_routes(&name);
            self.bridge_gone(&name);
        }
    }

    /// An index that no link has.
    fn next_index(&mut self) -> u32 {
        let least = 1 + u32::try_from(self.links.len()).unwrap_or_default();
        let highest =
            || self.details.values().map(|details| details.index).max().unwrap_or_default().max(least);
        let next = self.highest.0.unwrap_or_else(highest) + 1;
        self.highest.0 = Some(next);
        next
    }

    /// The kind of a new link as the kernel shows it afterwards.
    pub(super) fn kind_of_new(&self, kind: &LinkKind) -> Result<LinkKind, Errno> {
        let LinkKind::Vlan(vlan) = kind else { return Ok(kind.clone()) };
        let lower = vlan.lower.as_ref().filter(|lower| self.links.contains_key(*lower));
        lower.ok_or(Errno::ENODEV)?;
        let flags = vlan.flags.over(VlanFlags::NEW);
        let is_same = |link: &Link| match &link.kind {
            LinkKind::Vlan(other) => {
                (&other.lower, other.id, other.protocol) == (&vlan.lower, vlan.id, vlan.protocol)
            }
            _ => false,
        };
        if self.links.values().any(is_same) {
            return Err(Errno::EEXIST);
        }
        Ok(LinkKind::Vlan(VlanLink { flags, ..vlan.clone() }))
    }

    /// The details of a new link, and the other end of a veth pair whose name the kernel picks. A VLAN has the address
    /// and the MTU of its lower link.
    pub(super) fn details_of_new(&mut self, name: &IfName, kind: &LinkKind) {
        let new = |index, peer| Details { index, mac: None, mtu: MTU, alias: None, peer };
        let index = self.next_index();
        let at = |index| Some(Peer { index, nsid: None });
        match kind {
            LinkKind::Vlan(VlanLink { lower: Some(lower), .. }) => {
                let lower = self.details.get(lower).cloned();
                let mut details = new(index, at(lower.as_ref().map_or(0, |lower| lower.index)));
                if let Some(lower) = lower {
                    (details.mac, details.mtu) = (lower.mac, lower.mtu);
                }
                self.details.insert(name.clone(), details);
            }
            LinkKind::Other(kind) if kind == "veth" => {
                let peer = self.next_index();
                self.details.insert(name.clone(), new(index, at(peer)));
                let names = (0..).filter_map(|number: u32| format!("veth{number}").parse::<IfName>().ok());
                if let Some(other) = names.into_iter().find(|other| !self.links.contains_key(other)) {
                    self.insert(&other, "veth", new(peer, at(index)));
                }
            }
            LinkKind::Other(_) => {
                self.details.insert(name.clone(), new(index, None));
            }
            _ => {}
        }
    }

    fn insert(&mut self, name: &IfName, kind: &str, details: Details) {
        let link = Link { kind: LinkKind::Other(kind.to_owned()), master: None, up: false };
        self.links.insert(name.clone(), link);
        self.details.insert(name.clone(), details);
    }
}

//! Where links of ours are that went to another namespace: what was recorded, and what is found.

use super::Live;
use crate::{
    apply::Refusal,
    netns,
    op::{LinkKind, Place, Record, Residence, Resident, Role},
    run_dir::RunDir,
    snapshot::{Away, State, Wants},
    values::{IfName, Mac},
};
use std::collections::BTreeMap;

impl Live {
    /// Where an interface of ours is now.
    pub(super) fn find(&mut self, residence: &Residence) -> Result<Option<Away>, Refusal> {
        let Resident { iface, netns, name, .. } = &residence.resident;
        let inode = residence.id.inode;
        for netns in std::iter::once(netns.clone()).chain(netns::search(inode)) {
            // What is gone meanwhile is not where it is.
            let is_it = netns::open(&netns).and_then(|file| netns::id(&file));
            if is_it.is_ok_and(|id| id.same(residence.id, &netns)) {
                let place = Place::In(netns);
                let kind = self.look_for(&place, name)?.map(|(kind, _)| kind);
                return Ok(kind.map(|kind| Away { place, name: name.clone(), kind }));
            }
        }
        // Its namespace is gone. The kernel puts hardware into the first namespace, under its name in the
        // other one, or under one of the kernel's own making if that is taken (net/core/dev.c).
        let (mut state, all) = (State::default(), Wants { all_links: true, ..Wants::default() });
        self.channel(&Place::Here)?.read(&all, &BTreeMap::new(), &mut state)?;
        let mac_of = |name: &IfName| state.details.get(name).and_then(|details| details.mac);
        if state.links.contains_key(iface) && mac_of(iface) == residence.mac {
            return Ok(None);
        }
        let same = |(name, kind)| {
            let details = state.details.get(&name)?;
            let physical = kind == LinkKind::Physical;
            (physical && details.mac.is_some() && details.mac == residence.mac).then_some(Away {
                place: Place::Here,
                name,
                kind,
            })
        };
        Ok(state.links.iter().map(|(name, link)| (name.clone(), link.kind.clone())).find_map(same))
    }

    /// What a link is that is in a place, and its hardware address.
    pub(super) fn look_for(
        &mut self,
        place: &Place,
        name: &IfName,
    ) -> Result<Option<(LinkKind, Option<Mac>)>, Refusal> {
        let (mut state, mut wants) = (State::default(), Wants::default());
        wants.links.insert(name.clone());
        self.channel(place)?.read(&wants, &BTreeMap::new(), &mut state)?;
        let mac = state.details.get(name).and_then(|details| details.mac);
        Ok(state.links.remove(name).map(|link| (link.kind, mac)))
    }

    /// Writes down where a link of ours is about to go.
    pub(super) fn note(&mut self, resident: &Resident) -> Result<(), Refusal> {
        let id = netns::id(&netns::open(&resident.netns)?)?;
        let mac = self.look_for(&Place::Here, &resident.iface)?.and_then(|(_, mac)| mac);
        let residence = Residence { resident: resident.clone(), id, mac };
        RunDir::open()?.write(&Record::resident(resident), &residence.to_string())
    }
}

/// All links of ours that are in another namespace.
pub(super) fn all(own: Option<&RunDir>) -> Result<Vec<Residence>, Refusal> {
    let records = own.map_or_else(|| RunDir::list(""), |own| own.records(""))?;
    let mut found = Vec::new();
    for role in [Role::Moved, Role::Peer] {
        let own = records.iter().filter_map(|(name, text)| {
            let iface = name.strip_prefix(role.word())?.strip_prefix(':')?;
            Residence::parse(iface.parse().ok()?, role, text)
        });
        found.extend(own);
    }
    Ok(found)
}

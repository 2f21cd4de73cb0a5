//! Finds our links in other namespaces, by their records.

use crate::kernel::live::Live;
use crate::kernel::lock::Lock;
use crate::kernel::netns::resolved::Resolved;
use crate::kernel::run_dir::RunDir;
use crate::kernel::{Refusal, netns};
use crate::state::{LinkKind, Located, NetnsLink, NetnsLinkRecord, Place, Record, Role, State, Wants};
use crate::values::{IfName, Mac, NetnsRef};
use std::collections::BTreeMap;

/// The result of a search for a moved interface.
pub(super) enum Found {
    At(Located),
    Nowhere,
    /// A message about the link that may be the interface.
    Uncertain(String),
}

/// The properties of a link that was found.
pub(super) struct Seen {
    kind: LinkKind,
    mac: Option<Mac>,
    index: u32,
}

impl Live {
    /// Finds a moved interface. It is recognized by its index, in a namespace with the recorded identity.
    pub(super) fn find(&mut self, record: &NetnsLinkRecord) -> Result<Found, Refusal> {
        let NetnsLink { iface, netns, name, .. } = &record.link;
        let mut uncertain = None;
        for netns in std::iter::once(netns.clone()).chain(netns::search(record.id.inode)) {
            // A namespace that is gone by now cannot contain the link.
            let Ok(Resolved { id, canonical, .. }) = self.references.resolve(&netns) else { continue };
            let is_it = id.same(record.id);
            if !is_it && !id.may_be(record.id) {
                continue;
            }
            let place = Place::In(canonical);
            let of_that_name = self.look_for(&place, name)?;
            let of_that_index = match (record.index, &of_that_name) {
                // The name may be an alternative name of the link.
                (Some(index), Some(link)) if link.index == index => Some((name.clone(), link.kind.clone())),
                (Some(index), _) => self.channel(&place)?.link_of(index)?,
                (None, Some(link)) => Some((name.clone(), link.kind.clone())),
                (None, None) => None,
            };
            if let (true, Some((name, kind))) = (is_it, of_that_index) {
                return Ok(Found::At(Located { place, name, kind }));
            }
            if of_that_name.is_some() {
                uncertain = Some(format!("{name} in {netns} may be another interface than {iface}"));
            }
            if is_it {
                return Ok(uncertain.map_or(Found::Nowhere, Found::Uncertain));
            }
        }
        if let Some(uncertain) = uncertain {
            return Ok(Found::Uncertain(uncertain));
        }
        // The namespace is gone. The kernel moves hardware to the first namespace, under its name in the other
        // namespace, or under a generated name if that one is taken (net/core/dev.c).
        let (mut state, all) = (State::default(), Wants { all_links: true, ..Wants::default() });
        self.channel(&Place::Here)?.read(&all, &BTreeMap::new(), &mut state)?;
        let mac_of = |name: &IfName| state.details.get(name).and_then(|details| details.mac);
        if state.links.contains_key(iface) && mac_of(iface) == record.mac {
            return Ok(Found::Nowhere);
        }
        let same = |(name, kind)| {
            let details = state.details.get(&name)?;
            let physical = kind == LinkKind::Physical;
            (physical && details.mac.is_some() && details.mac == record.mac).then_some(Located {
                place: Place::Here,
                name,
                kind,
            })
        };
        let mut links = state.links.iter().map(|(name, link)| (name.clone(), link.kind.clone()));
        Ok(links.find_map(same).map_or(Found::Nowhere, Found::At))
    }

    /// The namespace that a link was put into, by a reference that leads there now. `None` if it is gone or cannot be
    /// recognized.
    pub(super) fn present(&mut self, record: &NetnsLinkRecord) -> Option<NetnsRef> {
        let references = std::iter::once(record.link.netns.clone()).chain(netns::search(record.id.inode));
        for netns in references {
            match self.references.resolve(&netns) {
                Ok(Resolved { id, canonical, .. }) if id.same(record.id) => return Some(canonical),
                _ => {}
            }
        }
        None
    }

    /// Deletes the record of a link. If its namespace is gone, the records about that namespace are deleted too.
    pub(super) fn forget(&mut self, link: &NetnsLink) -> Result<(), Refusal> {
        let known = all(self.lock.as_ref().map(Lock::directory))?;
        let is_it = |known: &&NetnsLinkRecord| known.link.iface == link.iface && known.link.role == link.role;
        if let Some(record) = known.iter().find(is_it) {
            let inode = record.id.inode;
            // Another namespace may have the number by now, also one that we made.
            let has_it = |other: &NetnsLinkRecord| other.link != record.link && other.id.inode == inode;
            let is_used = known.iter().any(has_it) || RunDir::read(&Record::made(inode))?.is_some();
            if !is_used && self.is_gone(record) {
                RunDir::forget(inode, "");
            }
        }
        RunDir::open()?.remove(&Record::netns_link(link))
    }

    /// Whether no reference leads to the namespace that a link was put into.
    fn is_gone(&mut self, record: &NetnsLinkRecord) -> bool {
        let mut references = std::iter::once(record.link.netns.clone()).chain(netns::search(record.id.inode));
        !references.any(|netns| {
            let id = self.references.resolve(&netns).map(|resolved| resolved.id);
            id.is_ok_and(|id| id.same(record.id) || id.may_be(record.id))
        })
    }

    /// The properties of a link in a place, if it exists.
    pub(super) fn look_for(&mut self, place: &Place, name: &IfName) -> Result<Option<Seen>, Refusal> {
        let (mut state, mut wants) = (State::default(), Wants::default());
        wants.links.insert(name.clone());
        self.channel(place)?.read(&wants, &BTreeMap::new(), &mut state)?;
        let (link, details) = (state.links.remove(name), state.details.remove(name));
        Ok(link.zip(details).map(|(link, details)| Seen {
            kind: link.kind,
            mac: details.mac,
            index: details.index,
        }))
    }

    /// Records the namespace that a link is about to be moved to or created in.
    pub(super) fn note(&mut self, link: &NetnsLink) -> Result<(), Refusal> {
        let id = self.references.resolve(&link.netns)?.id;
        let mac = self.look_for(&Place::Here, &link.iface)?.and_then(|seen| seen.mac);
        let record = NetnsLinkRecord { link: link.clone(), id, mac, index: None };
        RunDir::open()?.write(&Record::netns_link(link), &record.to_string())
    }

    /// Adds the index of a link to its record. If that fails, the link is recognized by its name.
    pub(super) fn note_index(&mut self, iface: &IfName, role: Role, place: &Place, name: &IfName) {
        let index = self.look_for(place, name).ok().flatten().map(|seen| seen.index);
        let key = Record::link_elsewhere(role, iface);
        let known = RunDir::read(&key).ok().flatten();
        let known = known.and_then(|text| NetnsLinkRecord::parse(iface.clone(), role, &text));
        let Some(record) = known.filter(|known| known.index != index) else { return };
        let text = NetnsLinkRecord { index, ..record }.to_string();
        let _ = RunDir::open().and_then(|directory| directory.write(&key, &text));
    }
}

/// All links of ours that are in another namespace.
pub(super) fn all(own: Option<&RunDir>) -> Result<Vec<NetnsLinkRecord>, Refusal> {
    let mut found = Vec::new();
    for role in [Role::Moved, Role::Peer] {
        let prefix = format!("{}:", role.word());
        let records = own.map_or_else(|| RunDir::list(&prefix), |own| own.records(&prefix))?;
        let parse = |(name, text): (String, String)| NetnsLinkRecord::parse(name.parse().ok()?, role, &text);
        found.extend(records.into_iter().filter_map(parse));
    }
    Ok(found)
}

//! Finds our links in other namespaces, by their records.

use crate::kernel::live::Live;
use crate::kernel::netns::resolved::Resolved;
use crate::kernel::run_dir::RunDir;
use crate::kernel::{Refusal, netns};
use crate::state::{
    LinkKind, Located, Map, NetnsLink, NetnsLinkRecord, NetnsLinks, Place, Record, Role, State, Wants,
};
use crate::values::{IfName, Mac, NetnsRef};
use nix::errno::Errno;
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
        let known = self.moved_links()?;
        if let Some(record) = known.get(&(link.iface.clone(), link.role)) {
            let inode = record.id.inode;
            // Another namespace may have the number by now, also one that we made.
            let has_it = |other: &NetnsLinkRecord| other.link != record.link && other.id.inode == inode;
            let is_used = known.values().any(has_it) || self.references.made.text(inode)?.is_some();
            if !is_used && self.is_gone(record) {
                RunDir::forget(inode, "");
            }
        }
        self.records().directory()?.remove(&Record::netns_link(link))?;
        self.moved_links.iter_mut().for_each(|known| drop(known.remove(&(link.iface.clone(), link.role))));
        Ok(())
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
        // Hardware may come back on its own, and is recognized by its address then.
        let mac = match link.role {
            Role::Moved => self.look_for(&Place::Here, &link.iface)?.and_then(|seen| seen.mac),
            Role::Peer => None,
        };
        let record = NetnsLinkRecord { link: link.clone(), id, mac, index: None };
        self.record(&record)
    }

    /// Adds the index of a link to its record. If that fails, the link is recognized by its name.
    pub(super) fn note_index(&mut self, iface: &IfName, role: Role, place: &Place, name: &IfName) {
        let index = self.channel(place).and_then(|channel| channel.index(name)).ok();
        let known = self.moved_links_of(iface).unwrap_or_default();
        let known = known.get(&(iface.clone(), role)).filter(|known| known.index != index);
        let Some(record) = known.cloned() else { return };
        let _ = self.record(&NetnsLinkRecord { index, ..record });
    }

    fn record(&mut self, record: &NetnsLinkRecord) -> Result<(), Refusal> {
        self.records().directory()?.write(&Record::netns_link(&record.link), &record.to_string())?;
        let key = (record.link.iface.clone(), record.link.role);
        self.moved_links.iter_mut().for_each(|known| drop(known.insert(key.clone(), record.clone())));
        Ok(())
    }

    /// All links of ours that are in another namespace.
    pub(super) fn moved_links(&mut self) -> Result<NetnsLinks, Refusal> {
        if let Some(known) = &self.moved_links {
            return Ok(known.clone());
        }
        let mut found = Map::new();
        for role in Role::ALL {
            let prefix = format!("{}:", role.word());
            let records = self.records().list(&prefix)?;
            found.extend(
                records.into_iter().filter_map(|(name, text)| parsed(name.parse().ok()?, role, &text)),
            );
        }
        self.moved_links = self.lock.as_ref().map(|_| found.clone());
        Ok(found)
    }

    /// The links of one interface.
    pub(super) fn moved_links_of(&self, iface: &IfName) -> Result<NetnsLinks, Refusal> {
        let mut found = Map::new();
        for role in Role::ALL {
            if let Some(known) = &self.moved_links {
                let key = (iface.clone(), role);
                found.extend(known.get(&key).map(|record| (key.clone(), record.clone())));
            } else {
                let text = match self.records().read(&Record::link_elsewhere(role, iface)) {
                    // A symbolic link is no record of ours, and is replaced.
                    Err(Refusal { errno: Some(Errno::ELOOP), .. }) => None,
                    read => read?,
                };
                found.extend(text.and_then(|text| parsed(iface.clone(), role, &text)));
            }
        }
        Ok(found)
    }
}

fn parsed(iface: IfName, role: Role, text: &str) -> Option<((IfName, Role), NetnsLinkRecord)> {
    let record = NetnsLinkRecord::parse(iface.clone(), role, text)?;
    Some(((iface, role), record))
}

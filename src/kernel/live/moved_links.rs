//! Finds our links in other namespaces, by their records.

use crate::kernel::live::Live;
use crate::kernel::lock::Lock;
use crate::kernel::run_dir::RunDir;
use crate::kernel::{Refusal, netns};
use crate::state::{LinkKind, Located, NetnsLink, NetnsLinkRecord, Place, Record, Role, State, Wants};
use crate::values::{IfName, Mac};
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
            let Ok(id) = netns::open(&netns).and_then(|file| netns::id(&netns, &file)) else { continue };
            let is_it = id.same(record.id);
            if !is_it && !id.may_be(record.id) {
                continue;
            }
            let place = Place::In(netns.clone());
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
        let id = netns::id(&link.netns, &netns::open(&link.netns)?)?;
        let mac = self.look_for(&Place::Here, &link.iface)?.and_then(|seen| seen.mac);
        let record = NetnsLinkRecord { link: link.clone(), id, mac, index: None };
        RunDir::open()?.write(&Record::netns_link(link), &record.to_string())
    }

    /// Adds the index of a link to its record. If that fails, the link is recognized by its name.
    pub(super) fn note_index(&mut self, iface: &IfName, role: Role, place: &Place, name: &IfName) {
        let index = self.look_for(place, name).ok().flatten().map(|seen| seen.index);
        let Ok(known) = all(self.lock.as_ref().map(Lock::directory)) else { return };
        let is_it = |known: &NetnsLinkRecord| known.link.iface == *iface && known.link.role == role;
        let Some(record) = known.into_iter().find(is_it).filter(|known| known.index != index) else {
            return;
        };
        let key = Record::netns_link(&record.link);
        let text = NetnsLinkRecord { index, ..record }.to_string();
        let _ = RunDir::open().and_then(|directory| directory.write(&key, &text));
    }
}

/// All links of ours that are in another namespace.
pub(super) fn all(own: Option<&RunDir>) -> Result<Vec<NetnsLinkRecord>, Refusal> {
    let records = own.map_or_else(|| RunDir::list(""), |own| own.records(""))?;
    let mut found = Vec::new();
    for role in [Role::Moved, Role::Peer] {
        let own = records.iter().filter_map(|(name, text)| {
            let iface = name.strip_prefix(role.word())?.strip_prefix(':')?;
            NetnsLinkRecord::parse(iface.parse().ok()?, role, text)
        });
        found.extend(own);
    }
    Ok(found)
}

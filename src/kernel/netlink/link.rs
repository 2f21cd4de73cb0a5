//! Links in netlink messages.

use crate::kernel::Refusal;
use crate::kernel::netlink::Channel;
use crate::kernel::netlink::link_message::{Found, all, changed, decode, encode, members_of, named, of_kind};
use crate::kernel::netlink::message::RouteNetlinkMessage;
use crate::plan::op::{LinkChange, NewLink};
use crate::state::{Link, LinkKind, Peer, State, VlanLink, Wants};
use crate::values::IfName;
use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use rtnetlink::packet_route::link::{InfoKind, LinkAttribute, LinkFlags, LinkMessage};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

/// How many objects are asked for one by one. More are faster found among all.
pub(super) const FEW: usize = 8;

impl Channel {
    /// Reads the wanted links, and their masters.
    pub(super) fn read_links(&mut self, wants: &Wants, state: &mut State) -> Result<(), Refusal> {
        let mut found = Vec::new();
        let mut by_index: BTreeMap<u32, Option<(IfName, Link)>> = BTreeMap::new();
        // By their alternative names (ip-link(8) `altname`), if all links were read.
        let mut alternatives: Option<BTreeMap<IfName, Found>> = None;
        if wants.all_links || wants.links.len() > FEW {
            found = self.dump(&RouteNetlinkMessage::GetLink(all()), Found::of)?;
            by_index.extend(found.iter().map(Found::with_index));
            let named = found
                .iter()
                .flat_map(|found| found.alternatives.iter().map(|name| (name.clone(), found.clone())));
            alternatives = Some(named.collect());
        }
        if !wants.all_links {
            found.retain(|found| wants.links.contains(&found.name));
        }
        let known: BTreeSet<IfName> = found.iter().map(|found: &Found| found.name.clone()).collect();
        let mut asked = BTreeMap::new();
        for name in wants.links.iter().filter(|name| !known.contains(*name)) {
            let answer = match &alternatives {
                Some(alternatives) => alternatives.get(name).cloned(),
                None => self.get(RouteNetlinkMessage::GetLink(named(name)))?.and_then(Found::of),
            };
            let Some(answer) = answer else { continue };
            // A link that was asked for by an alternative name is stored under both names.
            if answer.name != *name {
                asked.insert(answer.details.index, name.clone());
                found.push(Found { name: name.clone(), ..answer.clone() });
            }
            found.push(answer);
        }
        for master in wants.members.iter().filter(|_| !wants.all_links) {
            if let Some(index) = self.index_of(master)? {
                found.extend(self.dump(&RouteNetlinkMessage::GetLink(members_of(index)), Found::of)?);
            }
        }
        let names: BTreeMap<u32, IfName> =
            found.iter().map(|found| (found.details.index, found.name.clone())).collect();
        for Found { name, mut link, details, master, port, .. } in found {
            if let Some(index) = master {
                let known = match by_index.entry(index) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(new) => new.insert(self.by_index(index)?),
                };
                if let Some((master_name, master)) = known {
                    link.master = Some(asked.get(&index).unwrap_or(master_name).clone());
                    state.links.entry(master_name.clone()).or_insert(master.clone());
                }
            }
            if let (LinkKind::Vlan(vlan), Some(Peer { index, nsid: None })) = (&mut link.kind, details.peer) {
                vlan.lower = match names.get(&index) {
                    Some(lower) => Some(lower.clone()),
                    None => self.name_of(index)?,
                };
            }
            state.details.insert(name.clone(), details);
            state.bridging.ports.extend(port.map(|port| (name.clone(), port)));
            state.links.insert(name, link);
        }
        Ok(())
    }

    /// Adds the VRFs to the state: all of them, or [`SOME`].
    pub(super) fn read_vrfs(&mut self, all: bool, state: &mut State) -> Result<(), Refusal> {
        let query = RouteNetlinkMessage::GetLink(of_kind(InfoKind::Vrf));
        let found = self.dump_some(&query, if all { usize::MAX } else { SOME }, |answer| match answer {
            RouteNetlinkMessage::NewLink(message) => decode(&message),
            _ => None,
        })?;
        // A VRF cannot have a master (net/core/dev.c, drivers/net/vrf.c `IFF_NO_RX_HANDLER`).
        for (name, link) in found {
            state.links.entry(name).or_insert(link);
        }
        Ok(())
    }

    /// The index of a link, if it exists.
    pub(super) fn index_of(&mut self, name: &IfName) -> Result<Option<u32>, Refusal> {
        Ok(match self.get(RouteNetlinkMessage::GetLink(named(name)))? {
            Some(RouteNetlinkMessage::NewLink(message)) => Some(message.header.index),
            _ => None,
        })
    }

    /// The name of the link with this index, if it exists.
    pub(super) fn name_of(&mut self, index: u32) -> Result<Option<IfName>, Refusal> {
        Ok(self.by_index(index)?.map(|(name, _)| name))
    }

    /// The name and kind of the link with this index, if it exists.
    ///
    /// # Errors
    /// The kernel refuses to answer.
    pub fn link_of(&mut self, index: u32) -> Result<Option<(IfName, LinkKind)>, Refusal> {
        Ok(self.by_index(index)?.map(|(name, link)| (name, link.kind)))
    }

    /// Whether the link with this index has a carrier.
    pub(super) fn has_carrier(&mut self, index: u32) -> Result<bool, Refusal> {
        let mut query = LinkMessage::default();
        query.header.index = index;
        Ok(match self.get(RouteNetlinkMessage::GetLink(query))? {
            Some(RouteNetlinkMessage::NewLink(message)) => message.header.flags.contains(LinkFlags::LowerUp),
            _ => false,
        })
    }

    fn by_index(&mut self, index: u32) -> Result<Option<(IfName, Link)>, Refusal> {
        let mut query = LinkMessage::default();
        query.header.index = index;
        Ok(match self.get(RouteNetlinkMessage::GetLink(query))? {
            Some(RouteNetlinkMessage::NewLink(message)) => decode(&message),
            _ => None,
        })
    }

    pub(super) fn link_add(&mut self, new: &NewLink) -> Result<(), Refusal> {
        let mut message = encode(new);
        if let LinkKind::Vlan(VlanLink { lower: Some(lower), .. }) = &new.kind {
            message.attributes.push(LinkAttribute::Link(self.index(lower)?));
        }
        self.change(RouteNetlinkMessage::NewLink(message), ADD_FLAGS)?;
        match &new.kind {
            LinkKind::Bridge(options) => self.bridge_verify(&new.name, options),
            _ => Ok(()),
        }
    }

    pub(super) fn link_del(&mut self, name: &IfName) -> Result<(), Refusal> {
        self.change(RouteNetlinkMessage::DelLink(named(name)), 0)
    }

    pub(super) fn link_set(&mut self, name: &IfName, change: &LinkChange) -> Result<(), Refusal> {
        let master = match &change.master {
            Some(Some(master)) => Some(self.index(master)?),
            Some(None) => Some(0),
            None => None,
        };
        let mut message = changed(name, change, master);
        if change.name.is_some() {
            // If the message has an index, its name is the new name.
            message.header.index = self.index(name)?;
        }
        self.change(RouteNetlinkMessage::SetLink(message), 0)
    }
}

/// The number of VRFs to read if not all are wanted. The kernel sends about that many at once, and reading a few more
/// costs less than another socket.
const SOME: usize = 32;

/// Without NLM_F_EXCL the kernel would report success for a link of that name but another kind.
const ADD_FLAGS: u16 = NLM_F_CREATE | NLM_F_EXCL;

#[cfg(test)]
mod tests;

//! Links as messages.

use super::{Channel, bridge, message::RouteNetlinkMessage};
use crate::{
    apply::Refusal,
    bridging::PortState,
    op::{BridgeOptions, LinkKind, NewLink},
    snapshot::{Details, Link, State, Wants},
    values::{IfName, TableId},
};
use rtnetlink::{
    packet_core::{NLM_F_CREATE, NLM_F_EXCL},
    packet_route::link::{
        InfoData, InfoKind, InfoVrf, LinkAttribute, LinkExtentMask, LinkFlags, LinkInfo, LinkMessage,
    },
};
use std::collections::{BTreeMap, BTreeSet};

impl Channel {
    /// Reads the links that are wanted, and the masters of those.
    pub(super) fn read_links(&mut self, wants: &Wants, state: &mut State) -> Result<(), Refusal> {
        let mut found = Vec::new();
        if wants.all_links {
            found = self.dump(&RouteNetlinkMessage::GetLink(all()), Found::of)?;
        }
        let known: BTreeSet<IfName> = found.iter().map(|found: &Found| found.name.clone()).collect();
        let mut asked = BTreeMap::new();
        for name in wants.links.iter().filter(|name| !known.contains(*name)) {
            let Some(answer) = self.get(RouteNetlinkMessage::GetLink(named(name)))?.and_then(Found::of)
            else {
                continue;
            };
            // Asked for by an alternative name (ip-link(8) `altname`), it is known by that one too.
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
        for Found { name, mut link, details, master, port, .. } in found {
            if let Some(index) = master {
                if let Some((master_name, master)) = self.by_index(index)? {
                    link.master = Some(asked.get(&index).unwrap_or(&master_name).clone());
                    state.links.entry(master_name).or_insert(master);
                }
            }
            state.details.insert(name.clone(), details);
            state.bridging.ports.extend(port.map(|port| (name.clone(), port)));
            state.links.insert(name, link);
        }
        Ok(())
    }

    /// The VRFs, all or [`SOME`], added to the state.
    pub(super) fn read_vrfs(&mut self, all: bool, state: &mut State) -> Result<(), Refusal> {
        let query = RouteNetlinkMessage::GetLink(of_kind(InfoKind::Vrf));
        let found = self.dump_some(&query, if all { usize::MAX } else { SOME }, |answer| match answer {
            RouteNetlinkMessage::NewLink(message) => decode(&message),
            _ => None,
        })?;
        // Nothing can be the master of a VRF (net/core/dev.c, drivers/net/vrf.c `IFF_NO_RX_HANDLER`).
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
    /// When the kernel refuses to answer.
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
        self.change(RouteNetlinkMessage::NewLink(encode(new)), ADD_FLAGS)?;
        match &new.kind {
            LinkKind::Bridge(options) => self.bridge_verify(&new.name, options),
            _ => Ok(()),
        }
    }

    pub(super) fn link_up(&mut self, name: &IfName, up: bool) -> Result<(), Refusal> {
        let mut message = named(name);
        message.header.flags = if up { LinkFlags::Up } else { LinkFlags::empty() };
        message.header.change_mask = LinkFlags::Up;
        self.change(RouteNetlinkMessage::SetLink(message), 0)
    }

    pub(super) fn link_del(&mut self, name: &IfName) -> Result<(), Refusal> {
        self.change(RouteNetlinkMessage::DelLink(named(name)), 0)
    }

    pub(super) fn link_master(&mut self, name: &IfName, master: Option<&IfName>) -> Result<(), Refusal> {
        let index = master.map_or(Ok(0), |master| self.index(master))?;
        self.change(RouteNetlinkMessage::SetLink(with_master(name, index)), 0)
    }
}

/// How many VRFs are some. The kernel sends about that many at once, and to read a few more on costs less than another
/// socket.
const SOME: usize = 32;

/// What an answer says of a link.
#[derive(Clone)]
pub(super) struct Found {
    pub(super) name: IfName,
    /// Without its master's name.
    pub(super) link: Link,
    pub(super) details: Details,
    /// Its master's index.
    pub(super) master: Option<u32>,
    /// What it is as a port of a bridge.
    pub(super) port: Option<PortState>,
    /// Whether a bridge can take it.
    pub(super) can_be_port: bool,
}

impl Found {
    /// `None` for other answers.
    pub(super) fn of(answer: RouteNetlinkMessage) -> Option<Self> {
        let RouteNetlinkMessage::NewLink(message) = answer else { return None };
        let (name, link) = decode(&message)?;
        Some(Self {
            link,
            details: super::veth::details(&message),
            master: master_index(&message),
            port: bridge::decode_port(&message),
            // One whose name we would not write is left alone.
            can_be_port: bridge::can_be_port(&message) && name.as_str().parse::<IfName>().is_ok(),
            name,
        })
    }
}

/// Without EXCL the kernel would answer OK for a link of that name but another kind.
const ADD_FLAGS: u16 = NLM_F_CREATE | NLM_F_EXCL;

fn encode(new: &NewLink) -> LinkMessage {
    let mut message = named(&new.name);
    if let LinkKind::Bridge(BridgeOptions { address: Some(address), .. }) = &new.kind {
        message.attributes.push(LinkAttribute::Address(address.bytes().to_vec()));
    }
    message.attributes.push(LinkAttribute::LinkInfo(encode_kind(&new.kind)));
    message
}

fn with_master(name: &IfName, index: u32) -> LinkMessage {
    let mut message = named(name);
    message.attributes.push(LinkAttribute::Controller(index));
    message
}

pub(super) fn named(name: &IfName) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::IfName(name.to_string()));
    message
}

/// All links, without their statistics, which the kernel collects for each.
pub(super) fn all() -> LinkMessage {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
    message
}

fn members_of(master: u32) -> LinkMessage {
    let mut message = all();
    message.attributes.push(LinkAttribute::Controller(master));
    message
}

fn of_kind(kind: InfoKind) -> LinkMessage {
    let mut message = all();
    message.attributes.push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(kind)]));
    message
}

/// The attributes that say what a new link is.
fn encode_kind(kind: &LinkKind) -> Vec<LinkInfo> {
    match kind {
        LinkKind::Vrf(table) => vec![
            LinkInfo::Kind(InfoKind::Vrf),
            LinkInfo::Data(InfoData::Vrf(vec![InfoVrf::TableId(table.get())])),
        ],
        LinkKind::Bridge(options) => vec![
            LinkInfo::Kind(InfoKind::Bridge),
            LinkInfo::Data(InfoData::Bridge(bridge::encode_options(options))),
        ],
        LinkKind::Other(kind) => vec![LinkInfo::Kind(InfoKind::Other(kind.clone()))],
        LinkKind::Physical => Vec::new(),
    }
}

/// A link and its name.
pub(super) fn decode(message: &LinkMessage) -> Option<(IfName, Link)> {
    let name = message.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::IfName(name) => Some(IfName::of_kernel(name)),
        _ => None,
    })?;
    let info = message.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::LinkInfo(info) => Some(info.as_slice()),
        _ => None,
    });
    let up = message.header.flags.contains(LinkFlags::Up);
    let kind = match decode_kind(info.unwrap_or_default()) {
        LinkKind::Bridge(_) => LinkKind::Bridge(bridge::decode_options(message)),
        kind => kind,
    };
    Some((name, Link { kind, master: None, up }))
}

fn decode_kind(info: &[LinkInfo]) -> LinkKind {
    let kind = info.iter().find_map(|info| match info {
        LinkInfo::Kind(kind) => Some(kind),
        _ => None,
    });
    let table = info.iter().find_map(|info| match info {
        LinkInfo::Data(InfoData::Vrf(data)) => data.iter().find_map(|data| match data {
            InfoVrf::TableId(table) => TableId::new(*table),
            _ => None,
        }),
        _ => None,
    });
    match (kind, table) {
        (None, _) => LinkKind::Physical,
        (Some(InfoKind::Vrf), Some(table)) => LinkKind::Vrf(table),
        (Some(InfoKind::Bridge), _) => LinkKind::Bridge(BridgeOptions::default()),
        (Some(kind), _) => LinkKind::Other(kind.to_string()),
    }
}

fn master_index(message: &LinkMessage) -> Option<u32> {
    message.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::Controller(index) if *index != 0 => Some(*index),
        _ => None,
    })
}

#[cfg(test)]
mod tests;

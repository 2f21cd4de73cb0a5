//! The attributes of links in netlink messages.

use crate::kernel::netlink::bridge_message;
use crate::kernel::netlink::message::RouteNetlinkMessage;
use crate::plan::op::{LinkChange, NewLink};
use crate::state::{BridgeOptions, Details, Link, LinkKind, Peer, PortState, VlanFlags, VlanLink};
use crate::values::{IfName, Mac, TableId, VlanId, VlanProtocol};
use rtnetlink::packet_route::link::{
    InfoData, InfoKind, InfoVlan, InfoVrf, LinkAttribute, LinkExtentMask, LinkFlags, LinkInfo, LinkMessage,
    Prop, VlanFlags as VlanBits, VlanProtocol as TagProtocol,
};

/// A link, decoded from an answer.
#[derive(Clone)]
pub(super) struct Found {
    pub(super) name: IfName,
    /// Its alternative names (ip-link(8) `altname`).
    pub(super) alternatives: Vec<IfName>,
    /// The link, without its master's name.
    pub(super) link: Link,
    pub(super) details: Details,
    /// The index of its master.
    pub(super) master: Option<u32>,
    /// Its state as a port of a bridge.
    pub(super) port: Option<PortState>,
    /// Whether it can be a port of a bridge.
    pub(super) can_be_port: bool,
}

impl Found {
    /// Its index, and what the answer to a question for that index is.
    pub(super) fn with_index(&self) -> (u32, Option<(IfName, Link)>) {
        (self.details.index, Some((self.name.clone(), self.link.clone())))
    }

    /// `None` for other answers.
    pub(super) fn of(answer: RouteNetlinkMessage) -> Option<Self> {
        let RouteNetlinkMessage::NewLink(message) = answer else { return None };
        let (name, link) = decode(&message)?;
        Some(Self {
            alternatives: alternatives(&message),
            link,
            details: details(&message),
            master: master_index(&message),
            port: bridge_message::decode_port(&message),
            // A link whose name is not valid in a stanza is left alone.
            can_be_port: bridge_message::can_be_port(&message) && name.as_str().parse::<IfName>().is_ok(),
            name,
        })
    }
}

fn alternatives(message: &LinkMessage) -> Vec<IfName> {
    let lists = message.attributes.iter().filter_map(|attribute| match attribute {
        LinkAttribute::PropList(list) => Some(list),
        _ => None,
    });
    let names = lists.flatten().filter_map(|property| match property {
        Prop::AltIfName(name) => name.parse().ok(),
        _ => None,
    });
    names.collect()
}

pub(super) fn encode(new: &NewLink) -> LinkMessage {
    let mut message = named(&new.name);
    if let LinkKind::Bridge(BridgeOptions { address: Some(address), .. }) = &new.kind {
        message.attributes.push(LinkAttribute::Address(address.bytes().to_vec()));
    }
    message.attributes.push(LinkAttribute::LinkInfo(encode_kind(&new.kind)));
    message
}

/// A change of a link. `master` is the index of its new master, 0 for none.
pub(super) fn changed(name: &IfName, change: &LinkChange, master: Option<u32>) -> LinkMessage {
    let mut message = named(change.name.as_ref().unwrap_or(name));
    let attributes = &mut message.attributes;
    attributes.extend(master.map(LinkAttribute::Controller));
    attributes.extend(change.mac.map(|mac| LinkAttribute::Address(mac.bytes().to_vec())));
    attributes.extend(change.mtu.map(|mtu| LinkAttribute::Mtu(mtu.0)));
    attributes.extend(change.alias.clone().map(LinkAttribute::IfAlias));
    if let Some(up) = change.up {
        message.header.change_mask = LinkFlags::Up;
        message.header.flags.set(LinkFlags::Up, up);
    }
    message
}

pub(super) fn named(name: &IfName) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::IfName(name.to_string()));
    message
}

/// A request for all links, without their statistics, which the kernel would have to collect for each.
pub(super) fn all() -> LinkMessage {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
    message
}

pub(super) fn members_of(master: u32) -> LinkMessage {
    let mut message = all();
    message.attributes.push(LinkAttribute::Controller(master));
    message
}

pub(super) fn of_kind(kind: InfoKind) -> LinkMessage {
    let mut message = all();
    message.attributes.push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(kind)]));
    message
}

/// The attributes with the type of a new link.
fn encode_kind(kind: &LinkKind) -> Vec<LinkInfo> {
    match kind {
        LinkKind::Vrf(table) => vec![
            LinkInfo::Kind(InfoKind::Vrf),
            LinkInfo::Data(InfoData::Vrf(vec![InfoVrf::TableId(table.get())])),
        ],
        LinkKind::Bridge(options) => vec![
            LinkInfo::Kind(InfoKind::Bridge),
            LinkInfo::Data(InfoData::Bridge(bridge_message::encode_options(options))),
        ],
        LinkKind::Vlan(vlan) => {
            vec![LinkInfo::Kind(InfoKind::Vlan), LinkInfo::Data(InfoData::Vlan(encode_vlan(vlan)))]
        }
        LinkKind::Other(kind) => vec![LinkInfo::Kind(InfoKind::Other(kind.clone()))],
        LinkKind::Physical => Vec::new(),
    }
}

/// The flags of a VLAN link, and the bit of each.
const VLAN_FLAGS: [(&str, VlanBits); 5] = [
    ("reorder_hdr", VlanBits::ReorderHdr),
    ("gvrp", VlanBits::Gvrp),
    ("mvrp", VlanBits::Mvrp),
    ("loose_binding", VlanBits::LooseBinding),
    ("bridge_binding", VlanBits::BridgeBinding),
];

fn encode_vlan(vlan: &VlanLink) -> Vec<InfoVlan> {
    let protocol = match vlan.protocol {
        VlanProtocol::Ieee8021q => TagProtocol::Ieee8021Q,
        VlanProtocol::Ieee8021ad => TagProtocol::Ieee8021Ad,
    };
    let (mut flags, mut mask) = (VlanBits::empty(), VlanBits::empty());
    for (name, wanted) in vlan.flags.named() {
        let bit = VLAN_FLAGS.iter().find(|(flag, _)| *flag == name).map(|(_, bit)| *bit);
        if let (Some(bit), Some(on)) = (bit, wanted) {
            mask |= bit;
            flags.set(bit, on);
        }
    }
    let mut data = vec![InfoVlan::Id(vlan.id.get()), InfoVlan::Protocol(protocol)];
    if !mask.is_empty() {
        data.push(InfoVlan::Flags((flags, mask)));
    }
    data
}

/// A VLAN link, without the name of its lower link.
fn decode_vlan(info: &[LinkInfo]) -> Option<VlanLink> {
    let data = info.iter().find_map(|info| match info {
        LinkInfo::Data(InfoData::Vlan(data)) => Some(data),
        _ => None,
    })?;
    let (mut id, mut protocol, mut bits) = (None, VlanProtocol::Ieee8021q, VlanBits::empty());
    for data in data {
        match data {
            InfoVlan::Id(number) => id = VlanId::new(*number),
            InfoVlan::Protocol(TagProtocol::Ieee8021Ad) => protocol = VlanProtocol::Ieee8021ad,
            InfoVlan::Flags((flags, _)) => bits = *flags,
            _ => {}
        }
    }
    let is_set = |bit| Some(bits.contains(bit));
    let flags = VlanFlags {
        reorder_hdr: is_set(VlanBits::ReorderHdr),
        gvrp: is_set(VlanBits::Gvrp),
        mvrp: is_set(VlanBits::Mvrp),
        loose_binding: is_set(VlanBits::LooseBinding),
        bridge_binding: is_set(VlanBits::BridgeBinding),
    };
    Some(VlanLink { lower: None, id: id?, protocol, flags })
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
        LinkKind::Bridge(_) => LinkKind::Bridge(bridge_message::decode_options(message)),
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
        (Some(InfoKind::Vlan), _) => match decode_vlan(info) {
            Some(vlan) => LinkKind::Vlan(vlan),
            None => LinkKind::Other(InfoKind::Vlan.to_string()),
        },
        (Some(kind), _) => LinkKind::Other(kind.to_string()),
    }
}

pub(super) fn master_index(message: &LinkMessage) -> Option<u32> {
    message.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::Controller(index) if *index != 0 => Some(*index),
        _ => None,
    })
}

/// The group of a link in a message.
pub(super) fn group(message: &LinkMessage) -> Option<u32> {
    message.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::Group(group) => Some(*group),
        _ => None,
    })
}

/// The details of a link in a message.
pub(super) fn details(message: &LinkMessage) -> Details {
    let mut details = Details { index: message.header.index, mac: None, mtu: 0, alias: None, peer: None };
    let mut nsid = None;
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::Address(bytes) => details.mac = Mac::from_bytes(bytes),
            LinkAttribute::Mtu(mtu) => details.mtu = *mtu,
            LinkAttribute::IfAlias(alias) => details.alias = Some(alias.clone()),
            LinkAttribute::Link(index) => details.peer = Some(Peer { index: *index, nsid: None }),
            LinkAttribute::LinkNetNsId(id) => nsid = Some(*id),
            _ => {}
        }
    }
    if let Some(peer) = &mut details.peer {
        peer.nsid = nsid;
    }
    details
}

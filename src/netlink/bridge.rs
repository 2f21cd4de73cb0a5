//! Bridges, their ports and their VLANs as messages.

use super::{Channel, link, message::RouteNetlinkMessage};
use crate::{
    apply::Refusal,
    bridging::{BridgingWants, PortState},
    op::{BridgeOp, BridgeOptions, LinkKind, PortOptions},
    snapshot::{Peer, State},
    values::{Centiseconds, IfName, Mac, Vid, VlanProtocol},
};
use rtnetlink::packet_route::link::{
    BridgePortState, BridgeStpState, InfoBridge, InfoBridgePort, InfoData, InfoKind, InfoPortData,
    InfoPortKind, LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage,
    VlanProtocol as WireProtocol,
};
use std::collections::{BTreeMap, BTreeSet};

impl Channel {
    pub(super) fn read_bridging(&mut self, wants: &BridgingWants, state: &mut State) -> Result<(), Refusal> {
        if wants.all_vlans {
            let links = self.read_all_links(state)?;
            self.read_all_vlans(links, state)?;
        } else {
            if wants.links {
                self.read_all_links(state)?;
            }
            wants.vlans.iter().try_for_each(|device| self.read_vlans_of(device, state))?;
        }
        wants.fdb.iter().try_for_each(|bridge| self.read_fdb(bridge, state))
    }

    /// Every port, and every link that could become one; the names of all links by their indices.
    fn read_all_links(&mut self, state: &mut State) -> Result<BTreeMap<u32, IfName>, Refusal> {
        let mut names: BTreeMap<u32, IfName> = BTreeMap::new();
        let found = self.dump(&RouteNetlinkMessage::GetLink(link::all()), |answer| {
            let found = link::Found::of(answer)?;
            names.insert(found.details.index, found.name.clone());
            Some(found)
        })?;
        let mut taken: BTreeSet<IfName> = BTreeSet::new();
        for found in &found {
            let (LinkKind::Other(kind), Some(Peer { index, nsid: None })) =
                (&found.link.kind, found.details.peer)
            else {
                continue;
            };
            let Some(lower) = names.get(&index).filter(|_| STACKED.contains(&kind.as_str())) else {
                continue;
            };
            if kind != "vlan" {
                taken.insert(lower.clone());
            }
            state.bridging.lower.insert(found.name.clone(), lower.clone());
        }
        for mut found in found {
            found.link.master = found.master.and_then(|index| names.get(&index).cloned());
            let is_master = matches!(found.link.kind, LinkKind::Bridge(_) | LinkKind::Vrf(_));
            let takes_frames =
                matches!(&found.link.kind, LinkKind::Other(kind) if NO_PORTS.contains(&kind.as_str()));
            if found.can_be_port && !is_master && !takes_frames && !taken.contains(&found.name) {
                state.bridging.eligible.insert(found.name.clone());
            }
            state.bridging.ports.extend(found.port.map(|port| (found.name.clone(), port)));
            state.links.insert(found.name, found.link);
        }
        Ok(names)
    }

    pub(super) fn bridge_apply(&mut self, op: &BridgeOp) -> Result<(), Refusal> {
        match op {
            BridgeOp::Set { bridge, options } => self.bridge_set(bridge, options),
            BridgeOp::Release { port } => {
                let mut message = link::named(port);
                message.attributes.push(LinkAttribute::Controller(0));
                message.header.change_mask = LinkFlags::Up;
                self.change(RouteNetlinkMessage::SetLink(message), 0)
            }
            BridgeOp::PortSet { port, options } => self.port_set(port, options),
            BridgeOp::VlanAdd { device, vlans } => {
                let message = self.encode_vlans(device, vlans)?;
                self.change(RouteNetlinkMessage::SetLink(message), 0).map_err(in_part)
            }
            BridgeOp::VlanDel { device, vlans } => {
                let message = self.encode_vlans(device, vlans)?;
                self.change(RouteNetlinkMessage::DelLink(message), 0).map_err(in_part)
            }
            BridgeOp::FdbAdd { port, entry } => self.fdb_add(port, entry),
            BridgeOp::FdbDel { port, entry } => self.fdb_del(port, entry),
        }
    }

    fn bridge_set(&mut self, bridge: &IfName, options: &BridgeOptions) -> Result<(), Refusal> {
        let mut message = link::named(bridge);
        message.attributes.extend(options.address.map(|mac| LinkAttribute::Address(mac.bytes().to_vec())));
        let data = encode_options(options);
        if !data.is_empty() {
            let info = vec![LinkInfo::Kind(InfoKind::Bridge), LinkInfo::Data(InfoData::Bridge(data))];
            message.attributes.push(LinkAttribute::LinkInfo(info));
        }
        self.change(RouteNetlinkMessage::NewLink(message), 0).map_err(in_part)?;
        self.bridge_verify(bridge, options)
    }

    /// Fails if a bridge does not have these settings.
    pub(super) fn bridge_verify(&mut self, bridge: &IfName, options: &BridgeOptions) -> Result<(), Refusal> {
        let found = self.link_shown(bridge)?.map(|message| decode_options(&message)).unwrap_or_default();
        let missed = options.differing(&found);
        let address = missed.address.map(|address| format!(" address {address}")).unwrap_or_default();
        shown_without(&(address + &missed.words()))
    }

    /// A link after it was changed: where it cannot be read, the change has to be taken back.
    fn link_shown(&mut self, name: &IfName) -> Result<Option<LinkMessage>, Refusal> {
        Ok(match self.get(RouteNetlinkMessage::GetLink(link::named(name))).map_err(in_part)? {
            Some(RouteNetlinkMessage::NewLink(message)) => Some(message),
            _ => None,
        })
    }

    fn port_set(&mut self, port: &IfName, options: &PortOptions) -> Result<(), Refusal> {
        let mut message = link::named(port);
        let data = InfoPortData::BridgePort(encode_port(options));
        let info = vec![LinkInfo::PortKind(InfoPortKind::Bridge), LinkInfo::PortData(data)];
        message.attributes.push(LinkAttribute::LinkInfo(info));
        self.change(RouteNetlinkMessage::NewLink(message), 0).map_err(in_part)?;
        let found = self.link_shown(port)?.and_then(|message| decode_port(&message)).unwrap_or_default();
        shown_without(&options.differing(&found.options).words())
    }
}

/// A refusal of a message with several parts, the first of which may have been carried out
/// (net/bridge/br_netlink.c `br_afspec`, `br_setport`): to be taken back as if the answer had been lost.
fn in_part(refusal: Refusal) -> Refusal {
    Refusal { answer_lost: true, ..refusal }
}

/// Fails if there are settings that the kernel took and does not show: an older one takes what it does not know
/// without a word.
fn shown_without(missed: &str) -> Result<(), Refusal> {
    if missed.is_empty() {
        return Ok(());
    }
    Err(in_part(Refusal::text(format!(
        "the kernel took this and shows no{missed}; it may be too old for that"
    ))))
}

/// The kinds of links that are on another one; all but VLANs take the frames of that before a bridge could
/// (net/core/dev.c `netdev_rx_handler_register`).
const STACKED: [&str; 6] = ["vlan", "macvlan", "macvtap", "ipvlan", "ipvtap", "macsec"];

/// The kinds among them that are no ports either.
const NO_PORTS: [&str; 3] = ["macvtap", "ipvlan", "ipvtap"];

/// Whether the kernel would take a link as a port (net/bridge/br_if.c `br_add_if`). It has not one of its own address
/// where the module of a tunnel is loaded: `gretap0` and `erspan0` are then in every namespace.
pub(super) fn can_be_port(message: &LinkMessage) -> bool {
    let is_of_one_station =
        |bytes: &Vec<u8>| bytes.len() == 6 && bytes[0] & 1 == 0 && bytes.iter().any(|byte| *byte != 0);
    message.header.link_layer_type == LinkLayerType::Ether
        && message.attributes.iter().any(
            |attribute| matches!(attribute, LinkAttribute::Address(address) if is_of_one_station(address)),
        )
}

pub(super) fn encode_options(options: &BridgeOptions) -> Vec<InfoBridge> {
    let stp = |on| if on { BridgeStpState::KernelStp } else { BridgeStpState::Disabled };
    let protocol = |protocol| match protocol {
        VlanProtocol::Ieee8021q => WireProtocol::Ieee8021Q,
        VlanProtocol::Ieee8021ad => WireProtocol::Ieee8021Ad,
    };
    // The kernel looks at the spanning tree before the delay, which has limits only with one.
    [
        options.filtering.map(InfoBridge::VlanFiltering),
        options.default_pvid.map(|pvid| InfoBridge::VlanDefaultPvid(pvid.map_or(0, Vid::get))),
        options.protocol.map(|wanted| InfoBridge::VlanProtocol(protocol(wanted))),
        options.stp.map(|on| InfoBridge::StpState(stp(on))),
        options.ageing.map(|time| InfoBridge::AgeingTime(time.0)),
        options.forward_delay.map(|time| InfoBridge::ForwardDelay(time.0)),
        options.hello.map(|time| InfoBridge::HelloTime(time.0)),
        options.max_age.map(|time| InfoBridge::MaxAge(time.0)),
        options.priority.map(InfoBridge::Priority),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The settings of a bridge, its address included.
pub(super) fn decode_options(message: &LinkMessage) -> BridgeOptions {
    let mut options = BridgeOptions::default();
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::Address(bytes) => {
                options.address = Mac::from_bytes(bytes);
            }
            LinkAttribute::LinkInfo(infos) => {
                for data in infos.iter().filter_map(|info| match info {
                    LinkInfo::Data(InfoData::Bridge(data)) => Some(data),
                    _ => None,
                }) {
                    for option in data {
                        decode_option(option, &mut options);
                    }
                }
            }
            _ => {}
        }
    }
    options
}

fn decode_option(option: &InfoBridge, options: &mut BridgeOptions) {
    match option {
        InfoBridge::VlanFiltering(on) => options.filtering = Some(*on),
        InfoBridge::VlanDefaultPvid(vid) => options.default_pvid = Some(Vid::new(*vid)),
        InfoBridge::VlanProtocol(protocol) => {
            options.protocol = Some(match protocol {
                WireProtocol::Ieee8021Ad => VlanProtocol::Ieee8021ad,
                _ => VlanProtocol::Ieee8021q,
            });
        }
        InfoBridge::StpState(state) => options.stp = Some(*state != BridgeStpState::Disabled),
        InfoBridge::AgeingTime(time) => options.ageing = Some(Centiseconds(*time)),
        InfoBridge::ForwardDelay(time) => options.forward_delay = Some(Centiseconds(*time)),
        InfoBridge::HelloTime(time) => options.hello = Some(Centiseconds(*time)),
        InfoBridge::MaxAge(time) => options.max_age = Some(Centiseconds(*time)),
        InfoBridge::Priority(priority) => options.priority = Some(*priority),
        _ => {}
    }
}

fn encode_port(options: &PortOptions) -> Vec<InfoBridgePort> {
    [
        options.isolated.map(InfoBridgePort::Isolated),
        options.learning.map(InfoBridgePort::Learning),
        options.locked.map(InfoBridgePort::Locked),
        options.neigh_suppress.map(InfoBridgePort::NeighSupress),
        options.cost.map(InfoBridgePort::Cost),
        options.priority.map(InfoBridgePort::Priority),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What a message says of a link as a port of a bridge; `None` if it is none.
pub(super) fn decode_port(message: &LinkMessage) -> Option<PortState> {
    let settings = message.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::LinkInfo(infos) => infos.iter().find_map(|info| match info {
            LinkInfo::PortData(InfoPortData::BridgePort(settings)) => Some(settings),
            _ => None,
        }),
        _ => None,
    })?;
    let mut port = PortState::default();
    for setting in settings {
        let options = &mut port.options;
        match setting {
            InfoBridgePort::Isolated(on) => options.isolated = Some(*on),
            InfoBridgePort::Learning(on) => options.learning = Some(*on),
            InfoBridgePort::Locked(on) => options.locked = Some(*on),
            InfoBridgePort::NeighSupress(on) => options.neigh_suppress = Some(*on),
            InfoBridgePort::Cost(cost) => options.cost = Some(*cost),
            InfoBridgePort::Priority(priority) => options.priority = Some(*priority),
            InfoBridgePort::State(BridgePortState::Listening | BridgePortState::Learning) => {
                port.undecided = true;
            }
            InfoBridgePort::State(BridgePortState::Disabled) => {
                port.unnoticed = message.header.flags.contains(LinkFlags::LowerUp);
            }
            _ => {}
        }
    }
    Some(port)
}

#[cfg(test)]
mod tests;

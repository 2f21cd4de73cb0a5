//! Settings of bridges and ports as attributes of links.

use crate::state::{BridgeOptions, PortOptions, PortState};
use crate::values::{Centiseconds, Mac, Vid, VlanProtocol};
use rtnetlink::packet_route::link::{
    BridgePortState, BridgeStpState, InfoBridge, InfoBridgePort, InfoData, InfoPortData, LinkAttribute,
    LinkFlags, LinkInfo, LinkLayerType, LinkMessage, VlanProtocol as WireProtocol,
};

/// Whether the kernel accepts a link as a port (net/bridge/br_if.c `br_add_if`). It refuses links without a valid
/// address of their own: `gretap0` and `erspan0`, which exist in every namespace if the module of their tunnel is
/// loaded.
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
    // The kernel applies `stp_state` before the forward delay, which has limits only with a spanning tree.
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

/// The settings of a bridge, including its address.
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

pub(super) fn encode_port(options: &PortOptions) -> Vec<InfoBridgePort> {
    [
        options.isolated.map(InfoBridgePort::Isolated),
        options.learning.map(InfoBridgePort::Learning),
        options.locked.map(InfoBridgePort::Locked),
        options.neigh_suppress.map(InfoBridgePort::NeighSupress),
        options.unicast_flood.map(InfoBridgePort::UnicastFlood),
        options.multicast_flood.map(InfoBridgePort::MulticastFlood),
        options.broadcast_flood.map(InfoBridgePort::BroadcastFlood),
        options.cost.map(InfoBridgePort::Cost),
        options.priority.map(InfoBridgePort::Priority),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The state of a link as a port of a bridge; `None` if it is not a port.
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
            InfoBridgePort::UnicastFlood(on) => options.unicast_flood = Some(*on),
            InfoBridgePort::MulticastFlood(on) => options.multicast_flood = Some(*on),
            InfoBridgePort::BroadcastFlood(on) => options.broadcast_flood = Some(*on),
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

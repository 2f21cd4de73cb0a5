//! Bridges, their ports and their VLANs in netlink messages.

use crate::kernel::Refusal;
use crate::kernel::netlink::bridge_message::{decode_options, decode_port, encode_options, encode_port};
use crate::kernel::netlink::message::RouteNetlinkMessage;
use crate::kernel::netlink::{Channel, link_message};
use crate::plan::op::BridgeOp;
use crate::state::{BridgeOptions, BridgingWants, LinkKind, Peer, PortOptions, State};
use crate::values::IfName;
use rtnetlink::packet_route::link::{
    InfoData, InfoKind, InfoPortData, InfoPortKind, LinkAttribute, LinkInfo, LinkMessage,
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
        wants.fdb.iter().try_for_each(|bridge| self.read_fdb(bridge, state))?;
        self.read_allowed(wants, state)
    }

    /// Reads every port, and every link that can be a port. Returns the names of all links by their indexes.
    fn read_all_links(&mut self, state: &mut State) -> Result<BTreeMap<u32, IfName>, Refusal> {
        let mut names: BTreeMap<u32, IfName> = BTreeMap::new();
        let found = self.dump(&RouteNetlinkMessage::GetLink(link_message::all()), |answer| {
            let found = link_message::Found::of(answer)?;
            names.insert(found.details.index, found.name.clone());
            Some(found)
        })?;
        let mut taken: BTreeSet<IfName> = BTreeSet::new();
        for found in &found {
            let Some(Peer { index, nsid: None }) = found.details.peer else { continue };
            let is_vlan = matches!(found.link.kind, LinkKind::Vlan(_));
            let is_stacked =
                matches!(&found.link.kind, LinkKind::Other(kind) if STACKED.contains(&kind.as_str()));
            let Some(lower) = names.get(&index).filter(|_| is_vlan || is_stacked) else { continue };
            if is_stacked {
                taken.insert(lower.clone());
            }
            state.bridging.lower.insert(found.name.clone(), lower.clone());
        }
        for mut found in found {
            found.link.master = found.master.and_then(|index| names.get(&index).cloned());
            if let LinkKind::Vlan(vlan) = &mut found.link.kind {
                vlan.lower = state.bridging.lower.get(&found.name).cloned();
            }
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
            BridgeOp::Allow { port, add, del } => self.allow(port, add, del),
        }
    }

    fn bridge_set(&mut self, bridge: &IfName, options: &BridgeOptions) -> Result<(), Refusal> {
        let mut message = link_message::named(bridge);
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

    /// Reads a link after a change. If it cannot be read, the change has to be rolled back.
    fn link_shown(&mut self, name: &IfName) -> Result<Option<LinkMessage>, Refusal> {
        Ok(match self.get(RouteNetlinkMessage::GetLink(link_message::named(name))).map_err(in_part)? {
            Some(RouteNetlinkMessage::NewLink(message)) => Some(message),
            _ => None,
        })
    }

    fn port_set(&mut self, port: &IfName, options: &PortOptions) -> Result<(), Refusal> {
        let mut message = link_message::named(port);
        let data = InfoPortData::BridgePort(encode_port(options));
        let info = vec![LinkInfo::PortKind(InfoPortKind::Bridge), LinkInfo::PortData(data)];
        message.attributes.push(LinkAttribute::LinkInfo(info));
        self.change(RouteNetlinkMessage::NewLink(message), 0).map_err(in_part)?;
        let found = self.link_shown(port)?.and_then(|message| decode_port(&message)).unwrap_or_default();
        shown_without(&options.differing(&found.options).words())
    }
}

/// Marks a refusal of a message with several parts, of which the first may have been applied (net/bridge/br_netlink.c
/// `br_afspec`, `br_setport`). The change is then rolled back, as after a lost answer.
fn in_part(refusal: Refusal) -> Refusal {
    Refusal { answer_lost: true, ..refusal }
}

/// Fails if the kernel accepted settings and does not show them: an older kernel ignores unknown settings without an
/// error.
fn shown_without(missed: &str) -> Result<(), Refusal> {
    if missed.is_empty() {
        return Ok(());
    }
    Err(in_part(Refusal::text(format!(
        "the kernel accepted this but does not report{missed}; it may be too old"
    ))))
}

/// The kinds of links that are on top of another link. All but VLANs take the frames of the lower link before a bridge
/// could (net/core/dev.c `netdev_rx_handler_register`).
const STACKED: [&str; 5] = ["macvlan", "macvtap", "ipvlan", "ipvtap", "macsec"];

/// The kinds among them that cannot be ports.
const NO_PORTS: [&str; 3] = ["macvtap", "ipvlan", "ipvtap"];

#[cfg(test)]
mod tests;

//! VLANs of ports and bridges in netlink messages.
//!
//! They are set as a part of a link (`br_afspec` in net/bridge/br_netlink.c), and read by RTM_GETVLAN
//! (net/bridge/br_vlan.c, since Linux 5.6), for one device or for all.

use crate::kernel::Refusal;
use crate::kernel::netlink::Channel;
use crate::kernel::netlink::message::RouteNetlinkMessage;
use crate::kernel::netlink::vlan_message::VlanMessage;
use crate::state::{State, VlanDevice};
use crate::values::{IfName, Vid, VlanRange, VlanSet};
use nix::errno::Errno;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::link::{
    AfSpecBridge, BridgeFlag, BridgeVlanInfo, BridgeVlanInfoFlags, LinkAttribute, LinkMessage,
};
use std::collections::BTreeMap;

/// The VLANs in the answers, by the index of the device. A device without VLANs is missing.
fn by_index(answers: impl IntoIterator<Item = VlanMessage>) -> BTreeMap<u32, VlanSet> {
    let mut found: BTreeMap<u32, VlanSet> = BTreeMap::new();
    for VlanMessage { index, ranges } in answers {
        let vlans = found.entry(index).or_default();
        for range in ranges {
            vlans.insert(range);
        }
    }
    found
}

impl Channel {
    /// Reads the VLANs of a device, if it is a bridge or a port of one. The link has been read before.
    pub(super) fn read_vlans_of(&mut self, device: &IfName, state: &mut State) -> Result<(), Refusal> {
        let Some(index) = state.details.get(device).map(|details| details.index) else { return Ok(()) };
        // The kernel refuses the request for any other device.
        if has_vlans(state, device) {
            let vlans = self.dump_vlans(index)?.remove(&index).unwrap_or_default();
            state.bridging.vlans.insert(device.clone(), vlans);
        }
        Ok(())
    }

    /// Reads the VLANs of all bridges and ports among these links, which have been read before.
    pub(super) fn read_all_vlans(
        &mut self,
        links: BTreeMap<u32, IfName>,
        state: &mut State,
    ) -> Result<(), Refusal> {
        let mut found = self.dump_vlans(0)?;
        for (index, device) in links {
            if has_vlans(state, &device) {
                state.bridging.vlans.insert(device, found.remove(&index).unwrap_or_default());
            }
        }
        Ok(())
    }

    fn dump_vlans(&mut self, index: u32) -> Result<BTreeMap<u32, VlanSet>, Refusal> {
        let query = VlanMessage { index, ranges: Vec::new() };
        let answers = self.dump(&RouteNetlinkMessage::GetVlan(query), |answer| match answer {
            RouteNetlinkMessage::NewVlan(message) => Some(message),
            _ => None,
        });
        match answers {
            Ok(answers) => Ok(by_index(answers)),
            // The module bridge is not loaded, or the kernel has no VLAN filtering, so no VLANs exist.
            Err(Refusal { errno: Some(Errno::EOPNOTSUPP), .. }) => Ok(BTreeMap::new()),
            Err(refusal) => Err(refusal),
        }
    }

    pub(super) fn encode_vlans(
        &mut self,
        device: &VlanDevice,
        vlans: &[VlanRange],
    ) -> Result<LinkMessage, Refusal> {
        let mut message = LinkMessage::default();
        message.header.interface_family = AddressFamily::Bridge;
        message.header.index = self.index(&device.name)?;
        let mut spec = Vec::new();
        if device.is_bridge {
            // `self`; the crate calls it the lower device.
            spec.push(AfSpecBridge::Flags(BridgeFlag::LowerDev));
        }
        for range in vlans {
            let mut flags = BridgeVlanInfoFlags::empty();
            flags.set(BridgeVlanInfoFlags::Pvid, range.pvid);
            flags.set(BridgeVlanInfoFlags::Untagged, range.untagged);
            let mut push = |vid: Vid, place| {
                let info = BridgeVlanInfo { flags: flags | place, vid: vid.get() };
                spec.push(AfSpecBridge::VlanInfo(info));
            };
            if range.first == range.last {
                push(range.first, BridgeVlanInfoFlags::empty());
            } else {
                push(range.first, BridgeVlanInfoFlags::RangeBegin);
                push(range.last, BridgeVlanInfoFlags::RangeEnd);
            }
        }
        message.attributes.push(LinkAttribute::AfSpecBridge(spec));
        Ok(message)
    }
}

fn has_vlans(state: &State, device: &IfName) -> bool {
    state.bridge(device).is_some() || state.bridging.ports.contains_key(device)
}

#[cfg(test)]
mod tests;

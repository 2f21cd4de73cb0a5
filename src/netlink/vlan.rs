//! VLANs of ports and bridges as messages.
//!
//! They are set as a part of a link (`br_afspec` in net/bridge/br_netlink.c), and read by RTM_GETVLAN
//! (net/bridge/br_vlan.c, since Linux 5.6), which tells those of one device, or of all. netlink-packet-route has no such
//! message; the states and statistics in it are not read.

use super::{Channel, message::RouteNetlinkMessage};
use crate::{
    apply::Refusal,
    op::VlanDevice,
    snapshot::State,
    values::{IfName, Vid, VlanRange, VlanSet},
};
use nix::errno::Errno;
use rtnetlink::{
    packet_core::{DecodeError, Emitable, NlasIterator, Parseable, parse_u16},
    packet_route::{
        AddressFamily,
        link::{AfSpecBridge, BridgeFlag, BridgeVlanInfo, BridgeVlanInfoFlags, LinkAttribute, LinkMessage},
    },
};
use std::collections::BTreeMap;

/// What comes before the attributes (`struct br_vlan_msg`): the family, three bytes of nothing, the index of the device.
const HEADER: usize = 8;
// Attributes, and those within an entry (include/uapi/linux/if_bridge.h).
const BRIDGE_VLANDB_ENTRY: u16 = 1;
const BRIDGE_VLANDB_ENTRY_INFO: u16 = 1;
const BRIDGE_VLANDB_ENTRY_RANGE: u16 = 2;

/// The question about a device, or about all with the index 0; or an answer, of which there may be several for each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct VlanMessage {
    index: u32,
    ranges: Vec<VlanRange>,
}

impl Emitable for VlanMessage {
    fn buffer_len(&self) -> usize {
        HEADER
    }

    /// A question: answers are only received.
    fn emit(&self, buffer: &mut [u8]) {
        buffer[..HEADER].fill(0);
        buffer[0] = AddressFamily::Bridge.into();
        buffer[4..HEADER].copy_from_slice(&self.index.to_ne_bytes());
    }
}

impl Parseable<[u8]> for VlanMessage {
    fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        let Some(([_, _, _, _, index @ ..], attributes)) = bytes.split_first_chunk::<HEADER>() else {
            return Err(DecodeError::from("VLANs without a header"));
        };
        let mut message = Self { index: u32::from_ne_bytes(*index), ranges: Vec::new() };
        for attribute in NlasIterator::new(attributes) {
            let attribute = attribute?;
            if attribute.kind() == BRIDGE_VLANDB_ENTRY {
                message.ranges.extend(range(attribute.value())?);
            }
        }
        Ok(message)
    }
}

/// One VLAN, or several that are treated alike; `None` for a number that is none.
fn range(entry: &[u8]) -> Result<Option<VlanRange>, DecodeError> {
    let (mut info, mut last) = (None, None);
    for attribute in NlasIterator::new(entry) {
        let attribute = attribute?;
        match attribute.kind() {
            BRIDGE_VLANDB_ENTRY_INFO => info = Some(BridgeVlanInfo::try_from(attribute.value())?),
            BRIDGE_VLANDB_ENTRY_RANGE => last = Vid::new(parse_u16(attribute.value())?),
            _ => {}
        }
    }
    Ok(info.and_then(|BridgeVlanInfo { flags, vid }| {
        let first = Vid::new(vid)?;
        Some(VlanRange {
            first,
            last: last.unwrap_or(first),
            pvid: flags.contains(BridgeVlanInfoFlags::Pvid),
            untagged: flags.contains(BridgeVlanInfoFlags::Untagged),
        })
    }))
}

/// The VLANs that answers tell, by the index of the device. One that is in none is not among them.
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
    /// The VLANs of a device, if it is a bridge or the port of one. What it is has been read before.
    pub(super) fn read_vlans_of(&mut self, device: &IfName, state: &mut State) -> Result<(), Refusal> {
        let Some(index) = state.details.get(device).map(|details| details.index) else { return Ok(()) };
        // The kernel refuses to tell of anything else.
        if has_vlans(state, device) {
            let vlans = self.dump_vlans(index)?.remove(&index).unwrap_or_default();
            state.bridging.vlans.insert(device.clone(), vlans);
        }
        Ok(())
    }

    /// The VLANs of all bridges and ports among these links, which have been read before.
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
            // The module bridge is not loaded, or the kernel has no VLAN filtering: there are no VLANs.
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
            // `self`, which the crate calls the lower device.
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

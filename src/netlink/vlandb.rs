//! The VLANs of one bridge or port as messages.
//!
//! A dump of links tells the VLANs of all ports there are. RTM_GETVLAN (net/bridge/br_vlan.c, since Linux 5.6) tells those
//! of one device, and netlink-packet-route has no such message. What is asked and read of it is here; the states and
//! statistics of VLANs are not, nor is changing any.

use super::{Channel, message::RouteNetlinkMessage, vlan::decode_range};
use crate::{
    apply::Refusal,
    snapshot::State,
    values::{IfName, Vid, VlanRange, VlanSet},
};
use rtnetlink::{
    packet_core::{DecodeError, Emitable, NlasIterator, Parseable, parse_u16},
    packet_route::{AddressFamily, link::BridgeVlanInfo},
};

/// What comes before the attributes (`struct br_vlan_msg`): the family, three bytes of nothing, the index of the device.
const HEADER: usize = 8;
// Attributes, and those within an entry (include/uapi/linux/if_bridge.h).
const BRIDGE_VLANDB_ENTRY: u16 = 1;
const BRIDGE_VLANDB_ENTRY_INFO: u16 = 1;
const BRIDGE_VLANDB_ENTRY_RANGE: u16 = 2;

/// The question about a device, or the answer, of which there may be several.
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
    Ok(info.and_then(|info| {
        let first = Vid::new(info.vid)?;
        Some(decode_range(first, last.unwrap_or(first), info.flags))
    }))
}

impl Channel {
    /// The VLANs of a device, if it is a bridge or the port of one. What it is has been read before.
    pub(super) fn read_vlans_of(&mut self, device: &IfName, state: &mut State) -> Result<(), Refusal> {
        // The kernel refuses to tell of anything else.
        let has_vlans = state.bridge(device).is_some() || state.bridging.ports.contains_key(device);
        let Some(details) = state.details.get(device).filter(|_| has_vlans) else { return Ok(()) };
        let query = VlanMessage { index: details.index, ranges: Vec::new() };
        let answers = self.dump(&RouteNetlinkMessage::GetVlan(query), |answer| match answer {
            RouteNetlinkMessage::NewVlan(message) => Some(message.ranges),
            _ => None,
        })?;
        let mut vlans = VlanSet::default();
        answers.into_iter().flatten().for_each(|range| vlans.insert(range));
        state.bridging.vlans.insert(device.clone(), vlans);
        Ok(())
    }
}

#[cfg(test)]
mod tests;

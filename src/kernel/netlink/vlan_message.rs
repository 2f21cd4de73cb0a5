//! RTM_GETVLAN and its answers, which netlink-packet-route does not have. The states and statistics in them are not read.

use crate::values::{Vid, VlanRange};
use rtnetlink::{
    packet_core::{DecodeError, Emitable, NlasIterator, Parseable, parse_u16},
    packet_route::{
        AddressFamily,
        link::{BridgeVlanInfo, BridgeVlanInfoFlags},
    },
};

/// What comes before the attributes (`struct br_vlan_msg`): the family, three bytes of nothing, the index of the device.
const HEADER: usize = 8;
// Attributes, and those within an entry (include/uapi/linux/if_bridge.h).
const BRIDGE_VLANDB_ENTRY: u16 = 1;
const BRIDGE_VLANDB_ENTRY_INFO: u16 = 1;
const BRIDGE_VLANDB_ENTRY_RANGE: u16 = 2;

/// The question about a device, or about all with the index 0; or an answer, of which there may be several for each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct VlanMessage {
    pub(super) index: u32,
    pub(super) ranges: Vec<VlanRange>,
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

//! RTM_GETVLAN and its answers, which netlink-packet-route does not have. Their states and statistics are not read.

use crate::values::{Vid, VlanRange};
use rtnetlink::packet_core::{DecodeError, Emitable, NlasIterator, Parseable, parse_u16};
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::link::{BridgeVlanInfo, BridgeVlanInfoFlags};

/// The length of the header before the attributes (`struct br_vlan_msg`): the family, three unused bytes, the index of
/// the device.
const HEADER: usize = 8;
// Attributes, and attributes within an entry (include/uapi/linux/if_bridge.h).
const BRIDGE_VLANDB_ENTRY: u16 = 1;
const BRIDGE_VLANDB_ENTRY_INFO: u16 = 1;
const BRIDGE_VLANDB_ENTRY_RANGE: u16 = 2;

/// A request for a device, or for all with the index 0; or an answer. A device may have several answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VlanMessage {
    pub(super) index: u32,
    pub(super) ranges: Vec<VlanRange>,
}

impl Emitable for VlanMessage {
    fn buffer_len(&self) -> usize {
        HEADER
    }

    /// Encodes a request; answers are only received.
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

/// One VLAN, or several with the same flags; `None` if a number is not a VLAN.
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

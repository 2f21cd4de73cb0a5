//! VLANs of ports and bridges as messages.

use super::{Channel, link, message::RouteNetlinkMessage};
use crate::{
    apply::Refusal,
    op::VlanDevice,
    snapshot::State,
    values::{Vid, VlanRange, VlanSet},
};
use rtnetlink::packet_route::{
    AddressFamily,
    link::{
        AfSpecBridge, BridgeFlag, BridgeVlanInfo, BridgeVlanInfoFlags, LinkAttribute, LinkExtentMask,
        LinkMessage,
    },
};

impl Channel {
    /// The VLANs of all ports and bridges.
    pub(super) fn read_vlans(&mut self, state: &mut State) -> Result<(), Refusal> {
        let mut query = LinkMessage::default();
        query.header.interface_family = AddressFamily::Bridge;
        query.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::BrvlanCompressed]));
        let found = self.dump(&RouteNetlinkMessage::GetLink(query), |answer| {
            let RouteNetlinkMessage::NewLink(message) = answer else { return None };
            let (name, _) = link::decode(&message)?;
            // Without an attribute it is in none.
            Some((name, decode_vlans(&message)))
        })?;
        state.bridging.vlans.extend(found);
        Ok(())
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

pub(super) fn decode_vlans(message: &LinkMessage) -> VlanSet {
    let mut set = VlanSet::default();
    let mut begun = None;
    let specs = message.attributes.iter().filter_map(|attribute| match attribute {
        LinkAttribute::AfSpecBridge(specs) => Some(specs),
        _ => None,
    });
    for spec in specs.flatten() {
        let AfSpecBridge::VlanInfo(info) = spec else { continue };
        let Some(vid) = Vid::new(info.vid) else { continue };
        if info.flags.contains(BridgeVlanInfoFlags::RangeBegin) {
            begun = Some(vid);
            continue;
        }
        let first =
            begun.take().filter(|_| info.flags.contains(BridgeVlanInfoFlags::RangeEnd)).unwrap_or(vid);
        set.insert(decode_range(first, vid, info.flags));
    }
    set
}

/// VLANs that are treated alike, as these flags say.
pub(super) fn decode_range(first: Vid, last: Vid, flags: BridgeVlanInfoFlags) -> VlanRange {
    VlanRange {
        first,
        last,
        pvid: flags.contains(BridgeVlanInfoFlags::Pvid),
        untagged: flags.contains(BridgeVlanInfoFlags::Untagged),
    }
}

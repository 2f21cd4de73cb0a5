//! Forwarding databases of bridges in netlink messages.

use crate::kernel::Refusal;
use crate::kernel::netlink::Channel;
use crate::kernel::netlink::message::RouteNetlinkMessage;
use crate::state::{FdbEntry, State};
use crate::values::{IfName, Mac, Vid};
use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::neighbour::{
    NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

impl Channel {
    /// Adds the static entries of a bridge to the state.
    pub(super) fn read_fdb(&mut self, bridge: &IfName, state: &mut State) -> Result<(), Refusal> {
        let Some(index) = self.index_of(bridge)? else { return Ok(()) };
        let mut query = NeighbourMessage::default();
        query.header.family = AddressFamily::Bridge;
        query.attributes.push(NeighbourAttribute::Controller(index));
        let mut names: BTreeMap<u32, Option<IfName>> = BTreeMap::new();
        let found = self.dump(&RouteNetlinkMessage::GetNeighbour(query), |answer| {
            let RouteNetlinkMessage::NewNeighbour(message) = answer else { return None };
            let of_this_bridge = message.attributes.contains(&NeighbourAttribute::Controller(index));
            decode(&message).filter(|_| of_this_bridge).map(|entry| (message.header.ifindex, entry))
        })?;
        for (port, entry) in found {
            let port = match names.entry(port) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => new.insert(self.name_of(port)?),
            };
            if let Some(port) = port {
                state.bridging.fdb.entry(port.clone()).or_default().insert(entry);
            }
        }
        Ok(())
    }

    /// Adds an entry. It replaces an entry that the bridge has learned for the station.
    pub(super) fn fdb_add(&mut self, port: &IfName, entry: &FdbEntry) -> Result<(), Refusal> {
        let message = self.encode_fdb(port, entry)?;
        self.change(RouteNetlinkMessage::NewNeighbour(message), NLM_F_CREATE | NLM_F_REPLACE)
    }

    pub(super) fn fdb_del(&mut self, port: &IfName, entry: &FdbEntry) -> Result<(), Refusal> {
        let message = self.encode_fdb(port, entry)?;
        self.change(RouteNetlinkMessage::DelNeighbour(message), 0)
    }

    fn encode_fdb(&mut self, port: &IfName, entry: &FdbEntry) -> Result<NeighbourMessage, Refusal> {
        let mut message = NeighbourMessage::default();
        message.header.family = AddressFamily::Bridge;
        message.header.ifindex = self.index(port)?;
        // NUD_NOARP means a static entry; permanent entries are addresses of the bridge itself.
        message.header.state = NeighbourState::Noarp;
        message.header.flags = NeighbourFlags::Controller;
        message.attributes.push(NeighbourAttribute::LinkLayerAddress(entry.mac.bytes().to_vec()));
        message.attributes.extend(entry.vid.map(|vid| NeighbourAttribute::Vlan(vid.get())));
        Ok(message)
    }
}

pub(super) fn decode(message: &NeighbourMessage) -> Option<FdbEntry> {
    if message.header.state != NeighbourState::Noarp {
        return None;
    }
    let (mut mac, mut vid) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::LinkLayerAddress(bytes) => {
                mac = Mac::from_bytes(bytes);
            }
            NeighbourAttribute::Vlan(number) => vid = Vid::new(*number),
            _ => {}
        }
    }
    Some(FdbEntry { mac: mac?, vid })
}

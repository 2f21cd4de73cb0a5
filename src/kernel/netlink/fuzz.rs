//! Answers of the kernel as a fuzzer makes them, and in the tests: damaged at random, truncated, with unknown attributes
//! and wrong lengths.
//!
//! The random test starts with the captures of tests/wire, and runs as long as tests/plain/timed.rs says. The fuzz target
//! is fuzz/fuzz_targets/netlink.rs.

use crate::kernel::netlink::message::RouteNetlinkMessage;
use crate::kernel::netlink::{
    address, bridge_allow, bridge_message, fdb, link_message, raw, route, rule, saved,
};
use crate::values::Family;
use rtnetlink::packet_core::{NetlinkMessage, NetlinkPayload};

/// Reads a datagram in every way in which the answers of the kernel are read. Returns the number of messages of route
/// netlink.
///
/// # Panics
/// A fault was found.
pub fn answer(datagram: &[u8]) -> usize {
    let _ = raw::outcome(-1, datagram);
    let found = messages(datagram);
    // Each message begins with a header of 16 bytes, which limits their number.
    assert!(found.len() <= datagram.len() / 16 + 1, "{} messages", found.len());
    found.iter().for_each(read);
    bridge_allow::read_any(datagram);
    saved::read_any(datagram);
    // A saved message has no netlink header.
    saved::read_any(datagram.get(16..).unwrap_or_default());
    found.len()
}

/// The messages of one datagram, up to the first that cannot be read.
pub fn messages(mut datagram: &[u8]) -> Vec<RouteNetlinkMessage> {
    let mut found = Vec::new();
    while let Ok(message) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(datagram) {
        let length = usize::try_from(message.header.length).unwrap_or(0).next_multiple_of(4);
        if let NetlinkPayload::InnerMessage(inner) = message.payload {
            found.push(inner);
        }
        if length == 0 || length >= datagram.len() {
            break;
        }
        datagram = &datagram[length..];
    }
    found
}

/// Reads a message as the requesting code would.
fn read(message: &RouteNetlinkMessage) {
    match message {
        RouteNetlinkMessage::NewLink(shown) => {
            drop(link_message::Found::of(message.clone()));
            let _ = (link_message::details(shown), bridge_message::decode_options(shown));
        }
        RouteNetlinkMessage::NewRule(message) => {
            let _ = Family::BOTH.map(|family| rule::decode(family, message));
        }
        RouteNetlinkMessage::NewRoute(message) => {
            let _ = Family::BOTH.map(|family| route::decode(family, message));
        }
        RouteNetlinkMessage::NewAddress(message) => drop(address::decode(message, true)),
        RouteNetlinkMessage::NewNeighbour(message) => drop(fdb::decode(message)),
        _ => {}
    }
}

#[cfg(test)]
mod tests;

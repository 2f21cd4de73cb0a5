//! Answers of the kernel, damaged at random: truncated, with unknown attributes and wrong lengths.
//!
//! It starts with the captures of tests/wire, and runs as long as tests/plain/timed.rs says.

use crate::kernel::netlink::message::RouteNetlinkMessage;
use crate::kernel::netlink::{address, bridge_message, fdb, fixture, link_message, raw, route, rule};
use crate::values::Family;
use proptest::prelude::*;

#[path = "../../../tests/plain/timed.rs"]
mod timed;

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
        RouteNetlinkMessage::NewAddress(message) => drop(address::decode(message)),
        RouteNetlinkMessage::NewNeighbour(message) => drop(fdb::decode(message)),
        _ => {}
    }
}

/// A damage to the bytes of an answer.
#[derive(Debug, Clone)]
enum Damage {
    Cut(prop::sample::Index),
    Set(prop::sample::Index, u8),
    Length(prop::sample::Index, u16),
    Insert(prop::sample::Index, Vec<u8>),
    Repeat(prop::sample::Index, prop::sample::Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        at().prop_map(Damage::Cut),
        (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        (at(), prop_oneof![0_u16..64, any::<u16>()]).prop_map(|(at, length)| Damage::Length(at, length)),
        (at(), prop::collection::vec(any::<u8>(), 0..40)).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        (at(), at()).prop_map(|(from, to)| Damage::Repeat(from, to)),
    ]
}

fn apply(damage: &Damage, bytes: &mut Vec<u8>) {
    if bytes.is_empty() {
        return;
    }
    match damage {
        Damage::Cut(at) => bytes.truncate(at.index(bytes.len())),
        Damage::Set(at, byte) => {
            let place = at.index(bytes.len());
            bytes[place] = *byte;
        }
        // Lengths and kinds of attributes are at multiples of four bytes.
        Damage::Length(at, length) => {
            let place = at.index(bytes.len()) & !3;
            bytes.splice(place..(place + 2).min(bytes.len()), length.to_ne_bytes());
        }
        Damage::Insert(at, new) => {
            let place = at.index(bytes.len());
            bytes.splice(place..place, new.iter().copied());
        }
        Damage::Repeat(from, to) => {
            let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
            let part = bytes[from.min(to)..from.max(to)].to_vec();
            if bytes.len() + part.len() < 65536 {
                bytes.extend(part);
            }
        }
    }
}

#[test]
fn what_the_kernel_sends() {
    let recorded = fixture::all_datagrams();
    assert!(recorded.len() > 5);
    let damaged = (0..recorded.len(), prop::collection::vec(damage(), 1..6)).prop_map(|(which, damages)| {
        let mut bytes = recorded[which].clone();
        for damage in &damages {
            apply(damage, &mut bytes);
        }
        bytes
    });
    let mut messages = 0;
    let executions = timed::fuzz("netlink", damaged, |bytes| {
        let _ = raw::outcome(-1, &bytes);
        let found = fixture::messages(&bytes);
        // Each message begins with a header of 16 bytes, which limits their number.
        assert!(found.len() <= bytes.len() / 16 + 1, "{} messages", found.len());
        for message in &found {
            read(message);
        }
        messages += found.len() as u64;
    });
    // Most damaged answers must still contain readable messages.
    assert!(messages > executions / 4, "{messages} messages in {executions} answers");
}

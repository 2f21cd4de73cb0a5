//! The captures of tests/wire, damaged at random, and what the fuzz target has found.

use super::answer;
use crate::kernel::netlink::fixture;
use proptest::prelude::*;

#[path = "../../../../fuzz/entries/corpus.rs"]
mod corpus;
#[path = "../../../../tests/plain/timed.rs"]
mod timed;

#[test]
fn every_answer_of_the_corpus() {
    corpus::each("netlink", |bytes| {
        answer(bytes);
    });
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
        messages += answer(&bytes) as u64;
    });
    // Most damaged answers must still contain readable messages.
    assert!(messages > executions / 4, "{messages} messages in {executions} answers");
}

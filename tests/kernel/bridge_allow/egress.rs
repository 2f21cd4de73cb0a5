//! What leaves the port: frames to a listed station, and to all or many.

use super::frames::{BROADCAST, IPV6, Mac, PEER, PEER6, ether, ipv6, mac_text, tagged, udp};
use super::kinds::Frames;
use super::rules::{Actions, Layout};
use super::wire::{Sender, Tap};
use super::{FIRST, IN_20, OTHER, list, wait_for_carrier};
use crate::examples::cards;
use crate::lab::{Netns, command};
use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

/// Frames to the station behind eth0: the VLAN that they are sent in, their destination, and whether they arrive.
fn kinds(layout: Layout) -> Vec<(Option<u16>, &'static str, Mac, bool)> {
    let both = [
        ("listed", FIRST.mac, true),
        ("other", OTHER.mac, false),
        ("peer", [2, 0, 0, 0, 5, 8], false),
        ("one-bit", [2, 0, 0, 0, 5, 0x81], false),
        ("not-local", [0, 0, 0, 0, 5, 1], false),
        ("broadcast", BROADCAST, true),
        ("multicast4", [1, 0, 0x5e, 0, 0, 0xfb], true),
        ("multicast6", [0x33, 0x33, 0, 0, 0, 1], true),
    ];
    match layout {
        Layout::Plain => {
            let tagged = both.map(|(name, to, arrives)| (Some(7), name, to, arrives));
            both.into_iter().map(|(name, to, arrives)| (None, name, to, arrives)).chain(tagged).collect()
        }
        Layout::Vlans => {
            let in_10 = both.map(|(name, to, arrives)| (Some(10), name, to, arrives));
            // The first station is listed for VLAN 10, whose frames leave without a tag.
            let in_20 = both.map(|(name, to, arrives)| (Some(20), name, to, arrives && to != FIRST.mac));
            let listed = [(Some(20), "listed-there", IN_20.mac, true)];
            in_10.into_iter().chain(in_20).chain(listed).collect()
        }
    }
}

fn frames(layout: Layout) -> (Frames, BTreeSet<u32>) {
    let (mut frames, mut arriving) = (Frames::default(), BTreeSet::new());
    let packet = ipv6(PEER6, FIRST.v6, &[], 17, &udp(1, 2, b"payload"));
    for (number, (vid, name, to, arrives)) in (0..).zip(kinds(layout)) {
        let frame = ether(to, PEER, IPV6, &packet);
        let tags: Vec<_> = vid.iter().map(|vid| (0x8100, *vid)).collect();
        frames.add(format!("{name} in {vid:?}"), tagged(&frame, &tags));
        arriving.extend(arrives.then_some(number));
    }
    (frames, arriving)
}

/// The numbers of the frames that arrive behind eth0, sent from the station behind eth1 and from the host.
fn arrived(stations: &[Netns], frames: &Frames) -> [BTreeSet<u32>; 2] {
    [(&stations[1], "eth0"), (&Netns::current(), "br0")].map(|(at, link)| {
        let mut tap = Tap::new(&stations[0], "eth0");
        let sender = Sender::new(at, link);
        frames.marked(0).iter().for_each(|frame| sender.send(frame));
        thread::sleep(Duration::from_millis(300));
        tap.read();
        tap.arrived
    })
}

/// Unicast to another station does not leave the port: neither when the bridge floods it, nor when an entry says that the
/// station is there.
pub fn test(layout: Layout, how: impl Fn(Layout) -> Actions) {
    let stations = cards();
    let actions = how(layout);
    (actions.up)(&list(layout));
    wait_for_carrier(&stations);
    let (frames, arriving) = frames(layout);
    let check = |what: &str| {
        for (from, arrived) in ["the other port", "the host"].into_iter().zip(arrived(&stations, &frames)) {
            let wrong: Vec<_> = arrived.symmetric_difference(&arriving).collect();
            let wrong: Vec<_> = wrong.into_iter().map(|number| &frames.0[*number as usize].name).collect();
            assert!(wrong.is_empty(), "{what}, from {from}: {wrong:?}");
        }
    };
    command("bridge fdb flush dev eth0 master");
    check("with an empty table");
    for vid in if layout == Layout::Vlans { &["vlan 10", "vlan 20"][..] } else { &[""] } {
        command(&format!("bridge fdb add {} dev eth0 master static {vid}", mac_text(OTHER.mac))).quiet();
    }
    check("with an entry of another station");
    println!("{} frames, {} arrive", frames.0.len(), arriving.len());
    (actions.down)();
}

/// Without rules all of them arrive.
pub fn without_rules(stations: &[Netns], layout: Layout) {
    // The bridge has learned at eth0 what the other tests sent from there.
    command("ip link set br0 type bridge fdb_flush").quiet();
    let (frames, _) = frames(layout);
    for arrived in arrived(stations, &frames) {
        assert_eq!(arrived.len(), frames.0.len());
    }
}

//! Forged frames while the port comes up, while it gets another list, and while it goes down. A station that stays in the
//! list loses no frame meanwhile.

use super::frames::{
    ARP, Arp, BROADCAST, IPV4, IPV6, Ipv4, PEER, PEER4, PEER6, Station, UDP, ether, ipv6, tagged, udp,
};
use super::kinds::Frames;
use super::rules::{Actions, Entry, Layout};
use super::wire::{Sender, Tap};
use super::{FIRST, legitimate, list, send, wait_for_carrier};
use crate::examples::cards;
use crate::lab::{Netns, command};
use crate::matrix;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A station that is in the list for a time.
const GUEST: Station = Station::new(5, 7);
/// The numbers from here on are those of the frames that may not be lost.
const KEPT: u32 = 1 << 31;
/// The numbers from here on are those of the guest.
const OF_GUEST: u32 = 1 << 30;

/// Frames on their way from the station behind eth0.
struct Traffic {
    stop: Arc<AtomicBool>,
    /// The next number of a frame that may not be lost.
    next: Arc<AtomicU32>,
    /// How often every kind was sent.
    rounds: Arc<AtomicU32>,
    thread: JoinHandle<[Tap; 2]>,
}

impl Traffic {
    fn start(stations: &[Netns], forged: &Frames) -> Self {
        let sender = Sender::new(&stations[0], "eth0");
        let mut taps = [Tap::new(&stations[1], "eth0"), Tap::new(&Netns::current(), "br0")];
        let (stop, next, rounds) =
            (Arc::<AtomicBool>::default(), Arc::<AtomicU32>::default(), Arc::<AtomicU32>::default());
        let (stopped, number, round) = (stop.clone(), next.clone(), rounds.clone());
        let forged = forged.marked(0);
        let thread = thread::spawn(move || {
            // With priority over all other processes.
            command(&format!("chrt -f -p 50 {}", nix::unistd::gettid())).ok();
            // Kinds that are similar do not follow each other: each step sees many.
            let order: Vec<usize> = (0..97).flat_map(|first| (first..forged.len()).step_by(97)).collect();
            let mut sent = 0;
            while !stopped.load(Ordering::Relaxed) {
                for _ in 0..6 {
                    sender.send(&forged[order[sent % order.len()]]);
                    sent += 1;
                }
                round.store(u32::try_from(sent / order.len()).unwrap(), Ordering::Relaxed);
                sender.send(&kept(number.fetch_add(1, Ordering::Relaxed)));
                taps.iter_mut().for_each(Tap::read);
                thread::sleep(Duration::from_millis(1));
            }
            thread::sleep(Duration::from_millis(300));
            taps.iter_mut().for_each(Tap::read);
            println!("{sent} forged frames");
            taps
        });
        Self { stop, next, rounds, thread }
    }

    fn next(&self) -> u32 {
        self.next.load(Ordering::Relaxed)
    }

    /// Waits until every kind was sent once more.
    fn wait_for_round(&self) {
        let first = self.rounds.load(Ordering::Relaxed);
        while self.rounds.load(Ordering::Relaxed) < first + 2 {
            assert!(!self.thread.is_finished(), "the sender");
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn stop(self) -> [BTreeSet<u32>; 2] {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the sender").map(|tap| tap.arrived)
    }
}

/// Without rules all of them are seen, so that they would have been seen before.
pub fn without_rules(stations: &[Netns], forged: &Frames) {
    let traffic = Traffic::start(stations, forged);
    traffic.wait_for_round();
    for arrived in traffic.stop() {
        let numbers: Vec<u32> = arrived.range(..OF_GUEST).copied().collect();
        let wanted = (0..).zip(&forged.0).filter(|(_, frame)| !frame.is_dropped);
        assert_eq!(numbers, wanted.map(|(number, _)| number).collect::<Vec<u32>>());
    }
}

/// A frame of the station that stays in the list.
fn kept(number: u32) -> Vec<u8> {
    let plain = udp(4000, 4001, b"payload");
    let mut frames = Frames::default();
    let frame = match number % 3 {
        0 => ether(PEER, FIRST.mac, IPV4, &Ipv4::new(FIRST.v4, PEER4, UDP, &plain).bytes()),
        1 => ether(PEER, FIRST.mac, IPV6, &ipv6(FIRST.v6, PEER6, &[], UDP, &plain)),
        _ => ether(BROADCAST, FIRST.mac, ARP, &Arp::request((FIRST.mac, FIRST.v4), PEER4).bytes()),
    };
    frames.add("", tagged(&frame, &[]));
    frames.0[0].marked(KEPT + number)
}

pub fn test(layout: Layout, how: impl Fn(Layout) -> Actions) {
    let stations = cards();
    let actions = how(layout);
    let forged = super::kinds(layout).forged;
    let usual = list(layout);
    let mut longer = usual.clone();
    longer.push(Entry { station: GUEST, vid: (layout == Layout::Vlans).then_some(10) });
    let of_guest = legitimate::all(GUEST);
    let guest_arrives = || {
        let arrived = send(&stations, &of_guest, OF_GUEST);
        let count = |all: &BTreeSet<u32>| all.range(OF_GUEST..KEPT).count();
        [count(&arrived.other_port), count(&arrived.host)]
    };
    let traffic = Traffic::start(&stations, &forged);
    let mut kept: Vec<Range<u32>> = Vec::new();
    traffic.wait_for_round();
    for round in 0..matrix::count(5, 2) {
        (actions.up)(if round % 2 == 0 { &usual } else { &longer });
        wait_for_carrier(&stations);
        // The frame that is on its way now may have been sent before.
        let first = traffic.next() + 1;
        for _ in 0..matrix::count(4, 2) {
            (actions.change)(&longer);
            assert_eq!(guest_arrives(), [of_guest.0.len(); 2], "a station that was added");
            (actions.change)(&usual);
            assert_eq!(guest_arrives(), [0; 2], "a station that was removed");
            (actions.change)(&usual);
        }
        if round == 0 {
            traffic.wait_for_round();
        }
        kept.push(first..traffic.next());
        (actions.down)();
        thread::sleep(Duration::from_millis(200));
    }
    let places = ["the other port", "the host"];
    for (place, arrived) in places.into_iter().zip(traffic.stop()) {
        let leaked = arrived.range(..OF_GUEST).map(|number| &forged.0[*number as usize].name);
        let leaked: Vec<_> = leaked.collect();
        let some = &leaked[..leaked.len().min(40)];
        assert!(leaked.is_empty(), "{place}: {} kinds arrived: {some:#?}", leaked.len());
        let numbers = kept.iter().cloned().flatten();
        let lost: Vec<u32> = numbers.filter(|number| !arrived.contains(&(KEPT + number))).collect();
        let of = kept.iter().map(|range| range.end - range.start).sum::<u32>();
        assert!(lost.is_empty(), "{place}: {} of {of} lost: {:?}", lost.len(), &lost[..lost.len().min(40)]);
        println!("{place}: {} kinds, none arrived; {of} frames, none lost", forged.0.len());
    }
}

//! `bridge-allow`: the port of a bridge lets in only what the listed stations send. Forged frames of many kinds are sent
//! byte by byte; raw sockets at another port and on the bridge itself say which arrived.
//!
//! Without the keyword, everything must arrive.

use crate::examples::cards;
use crate::features::{Feature, needs};
use crate::ifupdown::{Executors, Ifupdown, Shell, Version, Way};
use crate::lab::{Netns, command, in_lab, wait_until};
use crate::matrix::is_whole;
use frames::{Station, mac_text};
use kinds::{Frames, Kinds};
use libtest_mimic::Trial;
use rules::{Actions, Entry, Layout, by_keyword, unguarded};
use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::Duration;
use wire::{Sender, Tap};

mod egress;
mod forged;
pub mod frames;
mod kinds;
mod legitimate;
mod link_local;
mod rules;
mod tables;
mod windows;
pub mod wire;

/// The station at the PVID, and the one in VLAN 20.
const FIRST: Station = Station::new(5, 1);
const IN_20: Station = Station::new(20, 1);
/// A station that no list has.
const OTHER: Station = Station::new(5, 4);

pub fn tests() -> Vec<Trial> {
    let mut tests = tables::tests();
    for layout in [Layout::Plain, Layout::Vlans] {
        tests.push(needs(
            &[Feature::Vlan],
            format!("bridge-allow/suite-sees-everything/{layout:?}"),
            move || {
                in_lab(|| sees_everything(layout));
            },
        ));
    }
    tests.extend(Version::ALL.into_iter().flat_map(of_version));
    tests
}

/// The tests of the keyword.
fn of_version(version: Version) -> Vec<Trial> {
    let ifupdown = Ifupdown { version, executors: Executors::Replaced, shell: Shell::Dash };
    let mut tests = Vec::new();
    let mut add = |name: String, test: Box<dyn FnOnce() + Send>| {
        let name = format!("bridge-allow/{name}/{ifupdown}");
        tests.push(needs(&[Feature::Vlan, Feature::Roots], name, move || in_lab(test)));
    };
    let keyword = move |way| move |layout| by_keyword(layout, ifupdown, way);
    for layout in [Layout::Plain, Layout::Vlans] {
        add(format!("spoof/{layout:?}"), Box::new(move || spoof(layout, keyword(Way::Ifup))));
        add(format!("egress/{layout:?}"), Box::new(move || egress::test(layout, keyword(Way::Ifup))));
        // Each way with one of the layouts, in the short form.
        let is_wanted = |way: &Way| is_whole() || (*way == Way::Ifup) == (layout == Layout::Plain);
        for way in Way::ALL.into_iter().filter(is_wanted) {
            let name = format!("windows/{way:?}/{layout:?}");
            add(name, Box::new(move || windows::test(layout, keyword(way))));
        }
    }
    add("link-local".to_owned(), Box::new(move || link_local::test(keyword(Way::Ifup))));
    tests
}

/// The list of the port.
fn list(layout: Layout) -> Vec<Entry> {
    match layout {
        Layout::Plain => vec![Entry { station: FIRST, vid: None }],
        Layout::Vlans => {
            vec![Entry { station: FIRST, vid: Some(10) }, Entry { station: IN_20, vid: Some(20) }]
        }
    }
}

fn kinds(layout: Layout) -> Kinds {
    match layout {
        Layout::Plain => kinds::without_vlans(FIRST, OTHER),
        Layout::Vlans => kinds::with_vlans(FIRST, IN_20, OTHER),
    }
}

/// Waits until the links have their carriers, and the ports forward: a kernel may need a second for this. The listed
/// station sends a frame that may pass.
fn wait_for_carrier(stations: &[Netns]) {
    const NUMBER: u32 = u32::MAX;
    let sender = Sender::new(&stations[0], "eth0");
    let mut taps = [Tap::new(&stations[1], "eth0"), Tap::new(&Netns::current(), "br0")];
    let frame = legitimate::all(FIRST).0[0].marked(NUMBER);
    wait_until("a frame arrives", || {
        sender.send(&frame);
        taps.iter_mut().for_each(Tap::read);
        taps.iter().all(|tap| tap.arrived.contains(&NUMBER))
    });
    wait_until("a carrier", || stations[1].ip("link show eth0").contains("state UP"));
}

/// What arrived from the station behind eth0, by number.
struct Arrived {
    /// At the station behind eth1.
    other_port: BTreeSet<u32>,
    /// At the bridge itself.
    host: BTreeSet<u32>,
}

/// Sends all frames; the first has this number.
fn send(stations: &[Netns], frames: &Frames, first: u32) -> Arrived {
    let sender = Sender::new(&stations[0], "eth0");
    let mut taps = [Tap::new(&stations[1], "eth0"), Tap::new(&Netns::current(), "br0")];
    for some in frames.marked(first).chunks(64) {
        for frame in some {
            sender.send(frame);
        }
        taps.iter_mut().for_each(Tap::read);
    }
    // Frames on their way arrive.
    thread::sleep(Duration::from_millis(300));
    taps.iter_mut().for_each(Tap::read);
    let [other_port, host] = taps.map(|tap| tap.arrived);
    Arrived { other_port, host }
}

impl Arrived {
    /// Fails unless exactly those frames arrived at both places.
    #[track_caller]
    fn assert(&self, what: &str, frames: &Frames, wanted: impl Fn(&kinds::Frame) -> bool) {
        let mut wrong = Vec::new();
        for (number, frame) in (0..).zip(&frames.0) {
            for (place, arrived) in [("the other port", &self.other_port), ("the host", &self.host)] {
                if arrived.contains(&number) != wanted(frame) {
                    wrong.push(format!("{} at {place}", frame.name));
                }
            }
        }
        let some: Vec<_> = wrong.iter().step_by(1 + wrong.len() / 80).collect();
        assert!(wrong.is_empty(), "{what}: {} of {}: {some:#?}", wrong.len(), 2 * frames.0.len());
    }
}

/// The Ethernet addresses that the bridge has learned at eth0.
fn learned() -> BTreeSet<String> {
    let text = command("bridge -j fdb show br br0 dynamic").ok().stdout;
    let entries: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap_or_default();
    let at_port = entries.iter().filter(|entry| entry["ifname"] == "eth0");
    at_port.filter_map(|entry| entry["mac"].as_str()).map(str::to_owned).collect()
}

/// None of the forged frames arrives, all others do, and the bridge learns no forged address.
fn spoof(layout: Layout, how: impl Fn(Layout) -> Actions) {
    let stations = cards();
    let actions = how(layout);
    (actions.up)(&list(layout));
    wait_for_carrier(&stations);
    let kinds = kinds(layout);
    send(&stations, &kinds.legitimate, 0).assert("did not arrive", &kinds.legitimate, |_| true);
    send(&stations, &kinds.forged, 0).assert("arrived", &kinds.forged, |_| false);
    // The first ones did not change anything for the second.
    send(&stations, &kinds.legitimate, 0).assert("did not arrive", &kinds.legitimate, |_| true);
    let listed: BTreeSet<String> = list(layout).iter().map(|entry| mac_text(entry.station.mac)).collect();
    assert_eq!(learned(), listed, "learned at eth0");
    let mut families = BTreeMap::<&str, usize>::new();
    for frame in &kinds.forged.0 {
        *families.entry(frame.name.split('/').next().unwrap()).or_default() += 1;
    }
    println!("{} forged kinds, {} legitimate: {families:?}", kinds.forged.0.len(), kinds.legitimate.0.len());
    assert!(kinds.forged.0.len() >= 200);
    (actions.down)();
}

/// Without rules everything arrives, except what the kernel drops in any case, and the bridge learns forged addresses.
fn sees_everything(layout: Layout) {
    let stations = cards();
    (unguarded(layout).up)(&list(layout));
    wait_for_carrier(&stations);
    let kinds = kinds(layout);
    let mut names = BTreeSet::new();
    for (what, frames) in [("legitimate", &kinds.legitimate), ("forged", &kinds.forged)] {
        let arrived = send(&stations, frames, 0);
        arrived.assert(&format!("{what}, did not arrive"), frames, |frame| !frame.is_dropped);
        for frame in &frames.0 {
            assert!(names.insert(format!("{what} {}", frame.name)), "two kinds {}", frame.name);
        }
    }
    assert!(learned().contains(&mac_text(OTHER.mac)), "{:?}", learned());
    let dropped = kinds.forged.0.iter().filter(|frame| frame.is_dropped).count();
    println!("{} arrived, {dropped} were dropped by the kernel", names.len() - dropped);
    windows::without_rules(&stations, &kinds.forged);
    egress::without_rules(&stations, layout);
}

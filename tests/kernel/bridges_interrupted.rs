//! Bridges and ports: killed at every step, refused at every step, and brought up and down repeatedly.

use crate::bridges::{aware, everything, lab};
use crate::examples::cards;
use crate::features::{Feature, needs};
use crate::ifupdown::{Executors, Ifupdown, Shell, Version, example};
use crate::lab::{command, in_lab, ip, wait_until};
use crate::state::State;
use crate::tampered::Stanza;
use libtest_mimic::Trial;

/// A bridge with two ports, and VLANs of its own.
const BRIDGE: Stanza = Stanza {
    program: "bridge",
    iface: "br1",
    keywords: &[
        "bridge-ports p1 p2",
        "bridge-hw 02:00:00:00:00:99",
        "bridge-vlan-filtering yes",
        "bridge-default-pvid none",
        "bridge-vlan 5 pvid untagged, 10-12",
        "bridge-pathcost p1 50",
        "bridge-ageing 100",
    ],
};

/// A port of a bridge that exists and is up.
const PORT: Stanza = Stanza {
    program: "bridge-vlan",
    iface: "p3",
    keywords: &[
        "bridge-member br0",
        "bridge-vlan 10 pvid untagged, 20-30, 40 untagged",
        "bridge-isolated yes",
        "bridge-learning no",
        "bridge-fdb 02:00:00:00:00:01 vlan 10",
        "bridge-allow 02:00:00:00:00:01 192.0.2.1 2001:db8::1, 02:00:00:00:00:02 vlan 20 192.0.2.2",
    ],
};

pub fn tests() -> Vec<Trial> {
    let mut tests = Vec::new();
    let traced = [Feature::Vlan, Feature::Strace];
    for (name, stanza) in [("bridge", BRIDGE), ("bridge-vlan", PORT)] {
        tests.push(needs(&traced, format!("bridges/killed/{name}"), move || in_lab(|| killed(&stanza))));
        tests.push(needs(&traced, format!("bridges/refused/{name}"), move || in_lab(|| refused(&stanza))));
    }
    for version in Version::ALL {
        let ifupdown = Ifupdown { version, executors: Executors::Replaced, shell: Shell::Dash };
        for name in ["bridge", "vlan-asymmetric", "vlan-access-trunk-netns"] {
            let needed = [Feature::Vlan, Feature::Roots];
            tests.push(needs(&needed, format!("bridges/rounds/{name}/{ifupdown}"), move || {
                in_lab(|| rounds(name, ifupdown));
            }));
        }
    }
    tests
}

/// Ports that are down, and a bridge of another program.
fn found() {
    lab();
    aware("br0");
    ip("link set br0 address 02:00:00:00:00:90 up");
    // A bridge keeps the limits of its former ports. It also keeps their missing carrier, once it has noticed that.
    ip("link set p3 master br0 up");
    ip("link set p3 nomaster down");
    wait_until("br0 has no carrier", || ip("link show br0").contains("NO-CARRIER"));
}

fn killed(stanza: &Stanza) {
    found();
    let see = || {
        let (state, vlans, fdb) = everything();
        (state.without_carriers(), vlans, fdb)
    };
    stanza.killed(see, |_| {}, |_| {});
}

/// The state without what a bridge keeps of a former port: limits of size.
fn refused(stanza: &Stanza) {
    found();
    let see = || {
        let (_, vlans, fdb) = everything();
        ip("-br link") + &command("bridge -d link show").ok().stdout + &vlans + &fdb
    };
    stanza.refused(see, |_| {});
}

/// Up and down, as often as `IFNL_ROUNDS` says: each time the same VLANs, and nothing left. The addresses that the
/// kernel derives from a hardware address, and the order of their routes, differ each time.
fn rounds(name: &str, ifupdown: Ifupdown) {
    let _hosts = cards();
    let installed = ifupdown.install(&example(name));
    let before = State::with_run(&installed);
    let count = std::env::var("IFNL_ROUNDS")
        .map_or(crate::matrix::count(5, 2), |rounds| rounds.parse().expect("a number"));
    let mut first = None;
    for _ in 0..count {
        installed.ifup("-a").quiet();
        let vlans = command("bridge vlan").ok().stdout;
        assert!(vlans.lines().count() > 1, "{vlans}");
        assert_eq!(*first.get_or_insert_with(|| vlans.clone()), vlans);
        before.assert_after_ifdown(&installed);
    }
}

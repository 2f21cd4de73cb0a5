//! Interfaces without a stanza that others depend on: ifupdown-ng brings them up with an empty stanza, and `ifnetlink`
//! does the same.

use super::trial;
use super::whole::{NOTHING, counted_lines as counted, now};
use crate::examples::cards;
use crate::ifupdown::{Executors, Ifupdown, Installed, Shell, Version};
use crate::lab::{command, ip, ip_batch};
use crate::state::State;
use libtest_mimic::Trial;
use std::collections::BTreeSet;

pub fn tests() -> Vec<Trial> {
    let mut tests = Vec::new();
    for version in Version::ALL {
        for executors in [Executors::Replaced, Executors::Native] {
            let ifupdown = Ifupdown { version, executors, shell: Shell::Dash };
            tests.push(trial("apply-implied", ifupdown, implied));
        }
        let ifupdown = Ifupdown { version, executors: Executors::Replaced, shell: Shell::Dash };
        tests.push(trial("apply-implied-kept", ifupdown, kept));
        tests.push(trial("apply-implied-absent", ifupdown, absent));
    }
    tests
}

/// A VLAN, one on a VLAN, and a bridge with a card and a VLAN as its ports.
const FILE: &str = "auto eth1.8\niface eth1.8\n    address 192.0.2.1/24\n\n\
                    auto eth0.6.7\niface eth0.6.7\n    address 198.51.100.1/24\n\n\
                    auto br0\niface br0\n    use bridge\n    bridge-ports eth2 eth3.5\n    bridge-maxwait 0\n    \
                    address 203.0.113.1/24\n";

/// Nothing is up.
fn begin(ifupdown: Ifupdown) -> (Installed, State) {
    let installed = ifupdown.install(NOTHING);
    installed.ifup("-a").ok();
    ip_batch(&["link set eth0 down", "link set eth1 down", "link set eth2 down", "link set eth3 down"]);
    let before = State::with_run(&installed);
    (installed, before)
}

/// The state and the state file after a fresh `ifup -a`, which is taken down again.
fn fresh(file: &str, installed: &Installed) -> (State, BTreeSet<String>) {
    installed.interfaces(file);
    installed.ifup("-a").ok();
    let wanted = (now(), counted(installed));
    installed.ifdown("-a").ok();
    ip("link set lo up");
    wanted
}

/// Runs `apply`, after which `check` finds nothing.
fn apply(file: &str, installed: &Installed) -> String {
    installed.interfaces(file);
    let ran = installed.ifnetlink("apply").quiet();
    assert_eq!(installed.ifnetlink("check").quiet().stdout, "", "after {ran}");
    assert_eq!(installed.ifnetlink("apply").quiet().stdout, "", "again, after {ran}");
    ran.stdout
}

fn implied(ifupdown: Ifupdown) {
    let _hosts = cards();
    let (installed, before) = begin(ifupdown);
    let (wanted, wanted_counted) = fresh(FILE, &installed);
    let names = ["br0", "eth0", "eth0.6", "eth0.6.7", "eth1", "eth1.8", "eth2", "eth3", "eth3.5"];
    let of_ifup = wanted_counted.iter().map(|line| line.split('=').next().unwrap());
    assert_eq!(of_ifup.collect::<BTreeSet<_>>(), BTreeSet::from(names));
    let is_as_fresh = |how: &str| {
        wanted.assert_same(&now(), how);
        assert_eq!(counted(&installed), wanted_counted, "{how}");
    };
    let is_as_before = |how: &str| {
        before.assert_same(&State::with_run(&installed), how);
        assert_eq!(counted(&installed), BTreeSet::new(), "{how}");
    };
    let ran = apply(FILE, &installed);
    is_as_fresh(&ran);
    let ran = apply(NOTHING, &installed);
    is_as_before(&ran);
    // The real ifdown takes down what `apply` has counted.
    apply(FILE, &installed);
    installed.ifdown("-a").ok();
    ip("link set lo up");
    let ran = apply(NOTHING, &installed);
    is_as_before(&ran);
    // `apply` counts like the real ifup: one VLAN less, the others stay.
    installed.interfaces(FILE);
    installed.ifup("-a").ok();
    let ran = apply(FILE, &installed);
    is_as_fresh(&ran);
    let without = FILE.split_once("\n\n").unwrap().1;
    let ran = apply(without, &installed);
    assert!(ran.lines().any(|line| line.starts_with("eth1: ")), "{ran}");
    assert!(!counted(&installed).iter().any(|line| line.starts_with("eth1")), "{:?}", counted(&installed));
    let ran = apply(NOTHING, &installed);
    is_as_before(&ran);
    // It is down, although something else depends on it.
    apply(FILE, &installed);
    ip("link set eth2 down");
    let ran = installed.ifnetlink("check");
    assert!(ran.status == 3 && ran.stdout.starts_with("eth2: "), "{ran}");
    apply(FILE, &installed);
    is_as_fresh("down in between");
}

/// The stanza of a port is removed and added, while the bridge has the port.
fn kept(ifupdown: Ifupdown) {
    let _hosts = cards();
    let (installed, before) = begin(ifupdown);
    let without = "auto br0\niface br0\n    bridge-ports eth2\n    bridge-maxwait 0\n";
    let with = format!("auto eth2\niface eth2\n    mtu 1400\n\n{without}");
    let of_without = fresh(without, &installed).0;
    let of_with = fresh(&with, &installed).0;
    // The stock executor does not restore it.
    ip("link set eth2 mtu 1500");
    apply(&with, &installed);
    of_with.assert_same(&now(), "with its stanza");
    let ran = apply(without, &installed);
    of_without.assert_same(&now(), &ran);
    let names = |installed: &Installed| -> Vec<String> {
        counted(installed).iter().map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect()
    };
    assert_eq!(names(&installed), ["br0=br0 1", "eth2=eth2 2"]);
    let ran = apply(&with, &installed);
    of_with.assert_same(&now(), &ran);
    let ran = apply(NOTHING, &installed);
    before.assert_same(&State::with_run(&installed), &ran);
    assert_eq!(counted(&installed), BTreeSet::new());
    // A word of a stanza is no dependency.
    let word = "auto veth0\niface veth0\n    veth-peer eth9\n    alias eth1\n";
    apply(word, &installed);
    assert_eq!(counted(&installed), ["veth0=veth0 1 explicit".to_owned()].into());
    apply(NOTHING, &installed);
    before.assert_same(&State::with_run(&installed), "a word");
}

/// An interface that does not exist is neither made nor counted: a VLAN on it and a member of it are refused, and a
/// bridge comes up without it.
fn absent(ifupdown: Ifupdown) {
    let _hosts = cards();
    let (installed, before) = begin(ifupdown);
    for (file, line) in [
        ("auto eth9.8\niface eth9.8\n    address 192.0.2.1/24\n", "there is no interface eth9"),
        ("auto eth1\niface eth1\n    vrf-member red\n", "vrf-member red: there is no such interface"),
        ("auto eth1\niface eth1\n    bridge-member br7\n", "bridge-member br7: "),
    ] {
        installed.interfaces(file);
        let ran = installed.ifnetlink("apply");
        assert!(ran.status == 1 && ran.stderr.contains(line), "{file}{ran}");
        assert_eq!(ran.stderr.lines().count(), 1, "{ran}");
        before.assert_same(&State::with_run(&installed), file);
        assert_eq!(counted(&installed), BTreeSet::new(), "{file}");
    }
    installed.interfaces("auto br0\niface br0\n    bridge-ports eth2 eth9\n    bridge-maxwait 0\n");
    for _ in 0..2 {
        let ran = installed.ifnetlink("apply").ok();
        assert!(ran.stderr.contains("eth9: there is no such interface; br0 comes up without it"), "{ran}");
        let lines = ["br0=br0 1 explicit", "eth2=eth2 2"].map(str::to_owned);
        assert_eq!(counted(&installed), lines.into(), "{ran}");
    }
    assert_ne!(command("ip link show eth9").status, 0);
    apply(NOTHING, &installed);
    before.assert_same(&State::with_run(&installed), "to nothing");
}

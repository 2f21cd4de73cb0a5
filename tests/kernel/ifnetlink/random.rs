//! Random edits of random files on one running system. After each, `ifnetlink apply` has brought the system to the state
//! that `ifup -a` gives on a fresh machine, and `ifnetlink check` finds nothing. At the end `ifdown -a` leaves nothing.
//!
//! `IFNL_SEQUENCES` is the number of sequences, which are the same each time. `IFNL_SEED` names one sequence, and only
//! this one is run. A failure prints the seed and the edit.

use super::files::{CARDS, File};
use super::whole::counted_lines;
use crate::features::{Feature, needs};
use crate::ifupdown::{Executors, Ifupdown, Installed, Shell, Version};
use crate::lab::{Netns, in_lab, ip, ip_batch, run, settle};
use crate::matrix;
use crate::random::Random;
use crate::state::State;
use libtest_mimic::Trial;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;

pub fn tests() -> Vec<Trial> {
    // One for each version of ifupdown-ng.
    let needed = [Feature::Vrf, Feature::Vlan, Feature::Roots];
    let share = |share| needs(&needed, format!("ifnetlink/random/{share}"), move || sequences(share));
    (0..2).map(share).collect()
}

fn sequences(share: u64) {
    let mut failed = Vec::new();
    let mut edits = 0;
    for seed in matrix::seeds("IFNL_SEQUENCES", matrix::count(20, 2)).filter(|seed| seed % 2 == share) {
        let outcome = catch_unwind(AssertUnwindSafe(|| in_lab(|| sequence(seed, &mut edits))));
        if outcome.is_err() {
            println!("random: IFNL_SEED={seed} fails\n");
            failed.push(seed);
        }
    }
    println!("random: {edits} edits, {} failed", failed.len());
    assert!(failed.is_empty(), "sequences with IFNL_SEED={failed:?} failed");
}

/// A machine with cards, and without interfaces that are up.
pub struct Machine {
    pub installed: Installed,
    _hosts: Vec<Netns>,
}

impl Machine {
    /// The calling thread's lab.
    pub fn new(ifupdown: Ifupdown) -> Self {
        // An address is usable at once.
        fs::write("/proc/sys/net/ipv6/conf/default/accept_dad", "0").unwrap();
        let hosts = Netns::all_beside(&CARDS, "eth0", false);
        let machine = Self { installed: ifupdown.install(""), _hosts: hosts };
        reset_cards();
        machine
    }

    /// The state, also that in namespaces, without what depends on time.
    pub fn now(&self) -> State {
        let mut state = now();
        let directory = self.installed.path("/run/netns");
        let mut names: Vec<_> =
            fs::read_dir(&directory).into_iter().flatten().flatten().map(|entry| entry.file_name()).collect();
        names.sort();
        for name in names {
            let there = Netns::at(&directory.join(&name));
            state.join(&name.to_string_lossy(), there.within(now));
        }
        state
    }

    /// Takes everything down: it is as before.
    pub fn down(&self, before: &State, when: &str) {
        let ran = self.installed.ifdown("-a").ok();
        ip("link set lo up");
        let left = State::with_run(&self.installed);
        without_cycled_flags(before.clone())
            .assert_same(&without_cycled_flags(left), &format!("{when}\n{ran}"));
    }

    /// The lines of the state file, but for `lo`.
    pub fn counted(&self) -> BTreeSet<String> {
        counted_lines(&self.installed)
    }
}

/// The state without what depends on the way to it: who added an address or a default route, since the stock `static`
/// does not mark them; and which of the addresses with one prefix is the first, which `apply` leaves as it is.
fn now() -> State {
    settle();
    let bridge = |words: &str| run(Command::new("bridge").arg("-j").args(words.split(' '))).ok().stdout;
    let list = |words| -> Vec<Value> { serde_json::from_str(&bridge(words)).unwrap_or_default() };
    let mut state = State::now().without_carriers().without_time(&[]);
    state.add("VLANs", list("vlan show").iter().map(ToString::to_string).collect());
    let fdb = list("fdb show");
    let is_static = |entry: &&Value| entry.get("master").is_some() && entry["state"] == "static";
    state.add("FDB", fdb.iter().filter(is_static).map(ToString::to_string).collect());
    without_cycled_flags(state).map(|line| {
        let Ok(mut value) = serde_json::from_str::<Value>(line) else { return line.to_owned() };
        let object = value.as_object_mut().unwrap();
        if object.get("dst").is_some_and(|dst| dst == "default") && object.contains_key("gateway") {
            object.remove("protocol");
        }
        if object.get("protocol").is_some_and(|protocol| protocol == "kernel") {
            object.remove("prefsrc");
        }
        if let Some(addresses) = object.get_mut("addr_info").and_then(Value::as_array_mut) {
            for address in addresses.iter_mut().filter_map(Value::as_object_mut) {
                address.remove("secondary");
                address.remove("protocol");
            }
            addresses.sort_by_key(ToString::to_string);
        }
        value.to_string()
    })
}

/// The state without the flags that the kernel sets for good when a link below a port joins or leaves a VRF
/// (drivers/net/vrf.c `cycle_netdev`).
fn without_cycled_flags(state: State) -> State {
    state.map(|line| {
        let Ok(mut value) = serde_json::from_str::<Value>(line) else { return line.to_owned() };
        let object = value.as_object_mut().unwrap();
        for key in ["promiscuity", "allmulti"] {
            object.remove(key);
        }
        if let Some(flags) = object.get_mut("flags").and_then(Value::as_array_mut) {
            flags.retain(|flag| flag != "PROMISC" && flag != "ALLMULTI");
        }
        value.to_string()
    })
}

/// The settings that the stock `link` and `forward` leave.
fn reset_cards() {
    let mut lines = Vec::new();
    for (number, card) in CARDS.into_iter().enumerate() {
        lines.push(format!("link set {card} mtu 1500 alias \"\" address 02:00:00:00:00:0{number}"));
        fs::write(format!("/proc/sys/net/ipv4/conf/{card}/forwarding"), "0").unwrap();
    }
    ip_batch(&lines.iter().map(String::as_str).collect::<Vec<_>>());
}

/// The state after `ifup -a` of a file on another machine, with the stock `link`, `static` and `forward`.
pub fn fresh(ifupdown: Ifupdown, file: &str) -> (State, BTreeSet<String>) {
    in_lab(|| {
        let machine = Machine::new(Ifupdown { executors: Executors::Replaced, ..ifupdown });
        machine.installed.interfaces(file);
        let ran = machine.installed.ifup("-a");
        assert_eq!(ran.status, 0, "a fresh machine\n{file}\n{ran}");
        if !ran.stderr.is_empty() {
            println!("a fresh machine: {ran}");
        }
        (machine.now(), machine.counted())
    })
}

fn sequence(seed: u64, edits: &mut usize) {
    let version = Version::ALL[usize::try_from(seed % 2).unwrap()];
    // After the stock `link`, `static` and `forward`, the settings of links stay, and our records.
    let ifupdown = Ifupdown { version, executors: Executors::Native, shell: Shell::Dash };
    let mut random = Random(seed);
    let machine = Machine::new(ifupdown);
    let installed = &machine.installed;
    let nothing = "auto lo\niface lo inet loopback\n";
    installed.interfaces(nothing);
    installed.ifup("-a").ok();
    let before = State::with_run(installed);
    let mut file = File::new(&mut random);
    let mut old = nothing.to_owned();
    for edit in 0..matrix::count(10, 3) {
        let text = file.to_string();
        let when = format!("IFNL_SEED={seed} {version:?}, edit {edit}\n--- from\n{old}\n--- to\n{text}\n---");
        installed.interfaces(&text);
        let linted = installed.ifnetlink("lint /mnt/interfaces");
        assert!(linted.status == 0 && linted.stdout.is_empty(), "{when}\n{linted}");
        let was = random.rarely(3).then(|| (machine.now(), machine.counted()));
        let mut ran = installed.ifnetlink(if was.is_some() { "apply -a" } else { "apply -a --disruptive" });
        if let Some((state, counted)) = was.filter(|_| ran.status != 0) {
            assert_eq!(ran.status, 1, "{when}\n{ran}");
            state.assert_same(&machine.now(), &format!("{when}\nrefused\n{ran}"));
            assert_eq!(machine.counted(), counted, "{when}\nrefused\n{ran}");
            ran = installed.ifnetlink("apply -a --disruptive");
        }
        assert_eq!(ran.status, 0, "{when}\n{ran}");
        let checked = installed.ifnetlink("check");
        assert!(
            checked.status == 0 && checked.stdout.is_empty() && checked.stderr.is_empty(),
            "{when}\n{ran}\n{checked}"
        );
        let (state, counted) = fresh(ifupdown, &text);
        state.assert_same(&machine.now(), &format!("{when}\n{ran}"));
        assert_eq!(machine.counted(), counted, "{when}\n{ran}");
        *edits += 1;
        file = file.edited(&mut random);
        old = text;
    }
    machine.down(&before, &format!("IFNL_SEED={seed} {version:?}: ifdown -a of\n{old}"));
}

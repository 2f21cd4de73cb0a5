//! `ifnetlink apply` beside another one, beside `ifup` and beside `ifdown`, which start at random moments, while the
//! interfaces file is replaced. No program waits forever. Afterwards `check` names each interface that the state file has
//! lost, and one more `apply` leads to the state of a fresh machine.
//!
//! `IFNL_SEQUENCES` and `IFNL_SEED` as for the random edits.

use super::files::File;
use super::random::{Machine, fresh};
use crate::features::{Feature, needs};
use crate::ifupdown::{Executors, Ifupdown, Shell, Version};
use crate::lab::{Ran, in_lab, run};
use crate::matrix;
use crate::random::Random;
use crate::state::State;
use libtest_mimic::Trial;
use serde_json::Value;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant};

/// Files in a sequence.
const FILES: usize = 4;
/// In seconds. An `apply` gives up after half a minute, and `ifup` waits for it.
const LIMIT: u64 = 300;

pub fn tests() -> Vec<Trial> {
    let needed = [Feature::Vrf, Feature::Vlan, Feature::Roots];
    vec![needs(&needed, "ifnetlink/beside", sequences)]
}

fn sequences() {
    let mut failed = Vec::new();
    let mut lost = 0;
    for seed in matrix::seeds("IFNL_SEQUENCES", matrix::count(20, 1)) {
        if catch_unwind(AssertUnwindSafe(|| in_lab(|| sequence(seed, &mut lost)))).is_err() {
            println!("beside: IFNL_SEED={seed} fails\n");
            failed.push(seed);
        }
    }
    println!("beside: {lost} entries of the state file were lost");
    assert!(failed.is_empty(), "sequences with IFNL_SEED={failed:?} failed");
}

fn sequence(seed: u64, lost: &mut usize) {
    let version = Version::ALL[usize::try_from(seed % 2).unwrap()];
    // Only ours record the addresses of a stanza that has no other keyword of ours.
    let ifupdown = Ifupdown { version, executors: Executors::Native, shell: Shell::Dash };
    let mut random = Random(seed);
    let machine = Machine::new(ifupdown);
    let installed = &machine.installed;
    installed.interfaces("auto lo\niface lo inet loopback\n");
    installed.ifup("-a").ok();
    let before = State::with_run(installed);
    let mut file = File::new(&mut random);
    installed.interfaces(&file.to_string());
    installed.ifnetlink("apply -a").ok();
    for round in 0..FILES {
        let new = file.edited(&mut random);
        let text = new.to_string();
        let when =
            format!("IFNL_SEED={seed} {version:?}, round {round}\n--- from\n{file}\n--- to\n{text}\n---");
        let names = [file.names(), new.names()].concat();
        installed.file("/mnt/interfaces.new", &text);
        let ran = at_once(&machine, &names, &mut random);
        let when = format!("{when}\n{}", ran.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
        let checked = installed.ifnetlink("check");
        assert!([0, 3].contains(&checked.status), "{when}\n{checked}");
        let counted = machine.counted();
        for name in new.names() {
            if !counted.iter().any(|line| line.starts_with(&format!("{name}="))) {
                *lost += 1;
                let is_named = checked.stdout.lines().any(|line| line.starts_with(&format!("{name}: ")));
                assert!(is_named, "{when}\n{name} is not counted: {counted:?}\n{checked}");
            }
        }
        let ran = installed.ifnetlink("apply -a --disruptive");
        assert_eq!(ran.status, 0, "{when}\n{ran}");
        let checked = installed.ifnetlink("check");
        assert!(checked.status == 0 && checked.stdout.is_empty(), "{when}\n{ran}\n{checked}");
        let (state, counted) = fresh(ifupdown, &text);
        without_mtu_of_vlans(state)
            .assert_same(&without_mtu_of_vlans(machine.now()), &format!("{when}\n{ran}"));
        forget_what_ifup_put_back(&machine, &ran, &new.names());
        assert_eq!(machine.counted(), counted, "{when}\n{ran}");
        file = new;
    }
    machine.down(&before, &format!("IFNL_SEED={seed} {version:?}: ifdown -a of\n{file}"));
}

/// The state without the MTU of VLAN interfaces. The kernel lowers it when the link below gets a smaller one for a while,
/// and does not raise it again (net/8021q/vlan.c `vlan_device_event`).
fn without_mtu_of_vlans(state: State) -> State {
    state.map(|line| {
        let Ok(mut value) = serde_json::from_str::<Value>(line) else { return line.to_owned() };
        if value["linkinfo"]["info_kind"] == "vlan" {
            value.as_object_mut().unwrap().remove("mtu");
        }
        value.to_string()
    })
}

/// An `ifup` of another interface can put back an entry that `apply` has removed. With `-i`, nothing tells whether it is
/// that of another file: `apply` names it and leaves it. Here it is removed by hand.
fn forget_what_ifup_put_back(machine: &Machine, ran: &Ran, names: &[&str]) {
    let path = machine.installed.path("/run/ifstate");
    let text = fs::read_to_string(&path).unwrap();
    let is_named = |name: &str| {
        let line = format!("ifnetlink: warning: {name}: it is up, and nothing records from which file");
        ran.stderr.lines().any(|known| known == line)
    };
    let is_known = |line: &&str| {
        let name = line.split('=').next().unwrap();
        names.contains(&name) || !is_named(name)
    };
    let mut lines: Vec<&str> = text.lines().filter(is_known).collect();
    lines.push("");
    fs::write(&path, lines.join("\n")).unwrap();
}

/// Runs programs at once; some start before the file is replaced by the new one, some after it.
fn at_once(machine: &Machine, names: &[&str], random: &mut Random) -> Vec<Ran> {
    let installed = &machine.installed;
    let number = 2 + random.below(3);
    let switched = Duration::from_millis(random.below(400) as u64);
    let mut commands = Vec::new();
    for _ in 0..number {
        let after = Duration::from_millis(random.below(800) as u64);
        let name = random.one(names);
        let words = match random.below(8) {
            0..=3 => "apply -a --disruptive".to_owned(),
            4 => format!("ifup {name}"),
            5 => format!("ifdown {name}"),
            6 => format!("ifup -f {name}"),
            _ => "ifup -a".to_owned(),
        };
        commands.push((after, words));
    }
    thread::scope(|scope| {
        let running: Vec<_> = commands
            .into_iter()
            .map(|(after, words)| {
                scope.spawn(move || {
                    thread::sleep(after);
                    let begun = Instant::now();
                    let ran = match words.split_once(' ').unwrap() {
                        ("apply", _) => installed.ifnetlink(&words),
                        (program, arguments) => run(&mut installed.command(program, arguments)),
                    };
                    assert!(begun.elapsed() < Duration::from_secs(LIMIT), "too long: {ran}");
                    ran
                })
            })
            .collect();
        thread::sleep(switched);
        fs::rename(installed.path("/mnt/interfaces.new"), installed.path("/mnt/interfaces")).unwrap();
        running.into_iter().map(|running| running.join().unwrap()).collect()
    })
}

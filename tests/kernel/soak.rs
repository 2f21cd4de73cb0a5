//! The setups up and down repeatedly, in every way that ifup and ifdown are called: nothing accumulates.
//!
//! `IFNL_ROUNDS` is the number of all rounds, the same part for each setup; without it, one for each.

use crate::features::{Feature, needs};
use crate::ifupdown::{Ifupdown, Installed};
use crate::lab::{Ran, command, in_lab, run, settle};
use crate::state::State;
use crate::windows::setups::{ALL, Make};
use crate::windows::{is_short, rounds};
use libtest_mimic::Trial;
use std::collections::BTreeMap;
use std::time::Duration;
use std::{fs, thread};

pub fn tests() -> Vec<Trial> {
    let all = ALL.into_iter().enumerate().step_by(if is_short() { 3 } else { 1 });
    let tests = all.map(|(first_way, (name, needed, make))| {
        let needed = [needed, &[Feature::Roots]].concat();
        needs(&needed, format!("soak/{name}"), move || {
            in_lab(|| soak(name, make, first_way));
        })
    });
    tests.collect()
}

fn soak(name: &str, make: Make, first_way: usize) {
    let setup = make(Ifupdown::USUAL);
    let installed = &setup.installed;
    // Other tests have processes in these namespaces. In this test ifup and ifdown create and delete them.
    let chroot = format!("chroot {} ip netns", installed.path("/").display());
    for line in command(&format!("{chroot} list")).ok().stdout.lines() {
        command(&format!("{chroot} del {}", line.split(' ').next().unwrap_or_default())).ok();
    }
    // From now on, programs, modules and caches of the kernel are loaded.
    plainly(installed);
    settle();
    let (state, kernel) = (State::with_run(installed), Kernel::at_rest(None));
    let mut left = Vec::new();
    let number = rounds(ALL.len()).div_ceil(ALL.len());
    for round in 0..number {
        let ways = [plainly, forced, one_by_one, two_at_once];
        ways[(first_way + round) % ways.len()](installed);
        let differences = state.differences(&State::with_run(installed));
        left.extend(differences.into_iter().map(|what| format!("round {round}: {what}")));
    }
    let after = Kernel::at_rest(Some(&kernel));
    println!("before: {kernel}\nafter:  {after}");
    left.extend(after.more_than(&kernel, number));
    println!("soak/{name}: {number} rounds, {} left behind", left.len());
    assert!(left.is_empty(), "{left:#?}");
}

const ALL_BUT_LO: &str = "-X lo -a";
const ALL_BUT_LO_FORCED: &str = "-f -X lo -a";

fn plainly(installed: &Installed) {
    installed.ifup("-a").quiet();
    installed.ifdown(ALL_BUT_LO).quiet();
}

fn forced(installed: &Installed) {
    installed.ifup("-a").quiet();
    ours_are_quiet(&installed.ifup("-f -a"));
    down_by_force(installed);
}

/// A forced ifup counts every interface and its dependencies once more, so that it needs as many ifdown.
fn down_by_force(installed: &Installed) {
    for _ in 0..3 {
        ours_are_quiet(&installed.ifdown(ALL_BUT_LO_FORCED));
    }
    installed.forget();
}

/// As OpenRC does it.
fn one_by_one(installed: &Installed) {
    let names = run(&mut installed.command("ifquery", "--auto --list")).ok().stdout;
    for name in names.lines().filter(|name| *name != "lo") {
        let up = installed.ifup(name);
        if up.status != 0 {
            installed.ifdown(&format!("--force {name}"));
            panic!("{up}");
        }
    }
    for name in names.lines().rev().filter(|name| *name != "lo") {
        ours_are_quiet(&installed.ifdown(&format!("--force {name}")));
    }
    installed.forget();
}

/// Each may find that the other was faster, and the last one writes the state file.
fn two_at_once(installed: &Installed) {
    for (name, arguments) in [("ifup", "-f -a"), ("ifdown", ALL_BUT_LO_FORCED)] {
        let commands = [(); 2].map(|()| installed.command(name, arguments));
        let running = commands.map(|mut command| thread::spawn(move || run(&mut command)));
        for running in running {
            running.join().expect("it ends");
        }
    }
    down_by_force(installed);
}

/// The stock executors report errors for objects that exist or are gone already; ours do not. Ours name what still uses
/// a VRF or a bridge that goes down.
pub fn ours_are_quiet(ran: &Ran) {
    let needed =
        |line: &str| line.contains(" is kept, since it has members: ") || line.contains(" was a port of ");
    let ours: Vec<_> = ran.stderr.lines().filter(|line| is_ours(line) && !needed(line)).collect();
    assert!(ours.is_empty(), "{ran}");
}

fn is_ours(line: &str) -> bool {
    ["vrf: ", "netns: ", "veth: ", "bridge: "].iter().any(|program| line.starts_with(program))
}

/// The objects in the kernel, besides those of a namespace.
struct Kernel(BTreeMap<&'static str, u64>);

impl Kernel {
    fn now() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let number = |path: &str| read(path).split_whitespace().next().and_then(|n| n.parse().ok());
        // Memory cached for each processor would otherwise count as used.
        let _ = fs::write("/sys/kernel/slab/net_namespace/shrink", "1");
        let memory = read("/proc/meminfo");
        let unreclaimable = memory.lines().find_map(|line| line.strip_prefix("SUnreclaim:"));
        let processes = fs::read_dir("/proc").map(|all| {
            let names = all.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
            // The kernel's own threads start and end.
            names
                .filter(|pid| !read(&format!("/proc/{pid}/cmdline")).is_empty() && pid.parse::<u32>().is_ok())
                .count()
        });
        Self(BTreeMap::from([
            ("namespaces", number("/sys/kernel/slab/net_namespace/objects").unwrap_or_default()),
            ("mounts", read("/proc/self/mountinfo").lines().count() as u64),
            ("open files", number("/proc/sys/fs/file-nr").unwrap_or_default()),
            ("own descriptors", fs::read_dir("/proc/self/fd").map_or(0, Iterator::count) as u64),
            ("processes", processes.unwrap_or_default() as u64),
            (
                KILOBYTES,
                unreclaimable
                    .and_then(|text| text.trim().split(' ').next()?.parse().ok())
                    .unwrap_or_default(),
            ),
        ]))
    }

    /// Returns once the count is not above the earlier one, or does not change: the kernel frees objects later.
    fn at_rest(before: Option<&Self>) -> Self {
        let mut now = Self::now();
        for _ in 0..60 {
            thread::sleep(Duration::from_secs(1));
            let earlier = std::mem::replace(&mut now, Self::now());
            match before {
                Some(before) if now.more_than(before, 1).is_empty() => break,
                None if now.more_than(&earlier, 1).is_empty() && earlier.more_than(&now, 1).is_empty() => {
                    break;
                }
                _ => {}
            }
        }
        now
    }

    fn more_than(&self, before: &Self, rounds: usize) -> Vec<String> {
        let more = self.0.iter().filter(|(what, number)| {
            let allowed = match **what {
                // Some for caches; the rest would show memory that leaks with every round.
                KILOBYTES => 2048 + 4 * rounds as u64,
                "open files" => 64,
                _ => 0,
            };
            **number > before.0[*what] + allowed
        });
        more.map(|(what, number)| format!("{what}: {number}, and {} before", before.0[what])).collect()
    }
}

const KILOBYTES: &str = "KiB of slabs";

impl std::fmt::Display for Kernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let all: Vec<_> = self.0.iter().map(|(what, number)| format!("{number} {what}")).collect();
        f.write_str(&all.join(", "))
    }
}

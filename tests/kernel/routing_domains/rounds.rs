//! Up and down repeatedly, and many at once: nothing is left, nothing is confused.

use super::{forwarding, outside};
use crate::ifupdown::{Ifupdown, Installed, example};
use crate::lab::{Netns, ip, run, settle};
use crate::matrix;
use crate::state::State;
use std::path::Path;
use std::{fs, thread};

/// As often as `IFNL_ROUNDS` says, or a number that fits into a run of all tests.
fn how_often() -> usize {
    std::env::var("IFNL_ROUNDS").map_or(matrix::count(3, 2), |text| text.parse().expect("IFNL_ROUNDS=N"))
}

/// The mounts for namespaces that the calling thread sees.
fn mounts() -> Vec<String> {
    let mounts = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
    mounts.lines().filter(|line| line.contains("/run/netns")).map(str::to_owned).collect()
}

/// Processes that run in the installation.
fn processes(installed: &Installed) -> Vec<String> {
    let root = fs::canonicalize(installed.path("/")).unwrap();
    let pids = fs::read_dir("/proc").unwrap().flatten();
    pids.filter(|pid| fs::read_link(pid.path().join("root")).is_ok_and(|its| its == root))
        .map(|pid| fs::read_to_string(pid.path().join("comm")).unwrap_or_default())
        .collect()
}

/// Open files of this process.
fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// The namespaces in the kernel, named or not. The kernel deletes them later, and counts them by memory pages.
fn namespaces() -> Option<usize> {
    let slabs = fs::read_to_string("/proc/slabinfo").ok()?;
    let line = slabs.lines().find(|line| line.starts_with("net_namespace "))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

pub fn rounds(ifupdown: Ifupdown) {
    let _outside = outside();
    forwarding();
    let installed = ifupdown.install(&example("routing-domains"));
    let before = State::with_run(&installed);
    let (files, alive) = (open_files(), namespaces());
    let mut first = None;
    for round in 1..=how_often() {
        let when = format!("round {round}");
        installed.ifup("-a").quiet();
        settle();
        let up = State::with_run(&installed);
        first.get_or_insert_with(|| up.clone()).assert_same(&up, &when);
        installed.ifdown("-a").quiet();
        ip("link set lo up");
        before.assert_same(&State::with_run(&installed), &when);
        assert_eq!(mounts(), [""; 0], "{when}");
        assert_eq!(processes(&installed), [""; 0], "{when}");
        assert_eq!(open_files(), files, "{when}");
    }
    println!("{} rounds, namespaces before and after: {alive:?}, {:?}", how_often(), namespaces());
    crate::lab::wait_until("the namespaces are gone", || namespaces() < alive.map(|alive| alive + 20));
}

/// Many stanzas in as many namespaces, by as many `ifup` at once, repeated.
pub fn many_at_once(ifupdown: Ifupdown) {
    let many = matrix::count(20, 5);
    let stanza = |n: usize| {
        format!(
            "iface v{n}\n    address 10.2.{n}.1/24\n    veth-peer veth0\n    veth-peer-netns d{n}\n    \
             veth-peer-address 10.2.{n}.2/24, fd00:2:{n}::2/64\n    veth-peer-gateway 10.2.{n}.1\n"
        )
    };
    let installed = ifupdown.install(&(1..=many).map(stanza).collect::<String>());
    let before = State::with_run(&installed);
    let all = |name: &str| {
        thread::scope(|scope| {
            for n in 1..=many {
                // Forced: several at once lose each other's lines of ifup's state file.
                let mut command = installed.command(name, &format!("--force v{n}"));
                scope.spawn(move || run(&mut command).quiet());
            }
        });
    };
    for round in 0..matrix::count(3, 1) {
        all("ifup");
        let layers = |path: &Path| {
            let at = |line: &&String| line.split(' ').nth(4) == path.to_str();
            mounts().iter().filter(at).count()
        };
        let directory = installed.path("/run/netns");
        assert_eq!(layers(&directory), 1, "round {round}: {:#?}", mounts());
        for n in 1..=many {
            let file = directory.join(format!("d{n}"));
            assert_eq!(layers(&file), 1, "round {round}: {:#?}", mounts());
            let inside = Netns::at(&file);
            let addresses = inside.ip("-br addr show dev veth0");
            for address in [format!("10.2.{n}.2/24"), format!("fd00:2:{n}::2/64")] {
                assert!(addresses.contains(&address), "round {round}: {addresses}");
            }
            assert!(
                inside.ip("route").contains(&format!("default via 10.2.{n}.1 dev veth0")),
                "round {round}"
            );
            let links = inside.ip("-br link show type veth");
            assert_eq!(links.lines().count(), 1, "round {round}: more in d{n} than its own: {links}");
        }
        all("ifdown");
        assert_eq!(mounts(), [""; 0], "round {round}");
        before.assert_same(&State::with_run(&installed), &format!("round {round}"));
    }
}

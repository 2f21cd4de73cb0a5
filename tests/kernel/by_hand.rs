//! Every program run by hand: `--dry-run` and `--check` print what a run then does, VERBOSE what it did, and nothing is
//! left.

use crate::features::{Feature, needs};
use crate::lab::{Ran, SCRATCH, in_lab, ip, ip_batch, own_run, phase_command, program, run, settle};
use crate::state::State;
use libtest_mimic::Trial;
use std::fs;
use std::path::Path;
use std::process::Command;

/// A program, what must exist before, the interface, and the lines of its stanza.
type Row = (&'static str, &'static [&'static str], &'static str, &'static [&'static str]);

const CARD: &str = "link add name eth0 type veth peer name far0";

const ROWS: [Row; 9] = [
    ("vrf-table", &[], "red", &["vrf-table=10"]),
    ("vrf-rules", &[], "red", &["vrf-rules=yes", "vrf-accept=tcp udp"]),
    (
        "vrf-route",
        &[CARD, "link set eth0 up", "link set far0 up"],
        "eth0",
        &["vrf-route=192.0.2.0/24 dev eth0 table 10"],
    ),
    ("vrf", &[], "red", &["vrf-table=10", "vrf-rules=jump", "vrf-route=unreachable default"]),
    (
        "netns",
        &[CARD],
        "eth0",
        &["netns=blue", "netns-address=192.0.2.1/24, fd00::1/64", "netns-sysctl=net.ipv4.ip_default_ttl=65"],
    ),
    (
        "veth-peer",
        &[],
        "v0",
        &["veth-peer=v1", "veth-peer-netns=blue", "veth-peer-address=192.0.2.1/24", "veth-peer-mtu=1400"],
    ),
    ("veth", &[], "v0", &["veth-peer=v1", "veth-peer-address=192.0.2.1/24"]),
    (
        "bridge-vlan",
        &[
            CARD,
            "link add name br0 type bridge vlan_filtering 1",
            // A bridge keeps what it took over from its first port.
            "link set eth0 master br0",
            "link set eth0 nomaster",
        ],
        "eth0",
        &["bridge-member=br0", "bridge-vlan=10 pvid untagged, 20-30"],
    ),
    (
        "bridge",
        &[CARD],
        "br0",
        &["bridge-ports=eth0", "bridge-vlan-aware=yes", "bridge-fd=4", "bridge-pathcost=eth0 100"],
    ),
];

const UP: [&str; 4] = ["create", "pre-up", "up", "post-up"];
const DOWN: [&str; 4] = ["pre-down", "down", "post-down", "destroy"];

pub fn tests() -> Vec<Trial> {
    let needed = |name: &str| match name.split('-').next() {
        Some("vrf") => vec![Feature::Vrf],
        Some("bridge") => vec![Feature::Vlan],
        _ => Vec::new(),
    };
    let test = |row: Row| needs(&needed(row.0), format!("by-hand/{}", row.0), move || in_lab(|| rounds(row)));
    let mut tests: Vec<Trial> = ROWS.into_iter().map(test).collect();
    tests.push(needs(&[], "by-hand/netns-interfaces", || in_lab(nested)));
    tests
}

fn by_hand((name, _, iface, keywords): Row, options: &[&str]) -> Ran {
    let mut command = Command::new(program(name));
    command.env_clear().args(["--iface", iface]).args(options).args(keywords);
    run(&mut command)
}

/// What `--dry-run` and `--check` print for a phase; they must change nothing.
fn announced(row: Row, phase: &str) -> Vec<String> {
    let before = State::now();
    let dry = by_hand(row, &["--phase", phase, "--dry-run"]).quiet().stdout;
    let check = by_hand(row, &["--phase", phase, "--check"]);
    let status = if dry.is_empty() { 0 } else { 3 };
    assert_eq!((check.status, &check.stdout, check.stderr.as_str()), (status, &dry, ""), "{phase}: {check}");
    before.assert_same(&State::now(), "after --dry-run and --check");
    dry.lines().map(str::to_owned).collect()
}

/// Fails unless a run reported exactly these steps.
#[track_caller]
fn told(ran: Ran, (name, _, iface, _): Row, steps: &[String]) {
    let ran = ran.ok();
    let lines: Vec<String> = steps.iter().map(|step| format!("{name}: {iface}: {step}")).collect();
    assert_eq!(ran.stderr.lines().collect::<Vec<_>>(), lines, "{ran}");
    assert_eq!(ran.stdout, "", "{ran}");
}

fn rounds(row: Row) {
    own_run();
    let (name, before, iface, keywords) = row;
    ip_batch(before);
    settle();
    let clean = State::now();
    let all = by_hand(row, &["--dry-run"]).quiet().stdout;
    assert!(!all.is_empty(), "{name} would do nothing");
    let mut done = String::new();
    for phase in UP {
        let steps = announced(row, phase);
        told(by_hand(row, &["--phase", phase, "--verbose"]), row, &steps);
        done.extend(steps.iter().map(|step| format!("{step}\n")));
        assert_eq!(announced(row, phase), [""; 0], "{phase} again");
    }
    assert_eq!(all, done, "all phases at once, and one after the other");
    let up = State::now();
    assert_eq!(by_hand(row, &["--check"]).quiet().stdout, "");
    // As ifup -v runs it.
    let lines: Vec<String> = keywords.iter().map(|pair| pair.replacen('=', " ", 1)).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    for phase in DOWN {
        let steps = announced(row, phase);
        told(run(phase_command(name, iface, phase, &lines).env("VERBOSE", "1")), row, &steps);
    }
    clean.assert_same(&State::now(), "after the phases of ifdown");
    assert_ne!(clean, up, "{name} did nothing");
}

/// The program that runs ifup, which does not exist here.
fn nested() {
    own_run();
    let file = Path::new(SCRATCH).join("blue");
    fs::write(&file, "").unwrap();
    ip("netns add blue");
    let options = ["--iface", "eth0", "--phase", "post-up"];
    for (option, status) in [("--dry-run", 0), ("--check", 3)] {
        let mut command = Command::new(program("netns-interfaces"));
        command.env_clear().env("IF_NETNS", "blue").args(options).arg(option);
        let ran = run(command.arg(format!("netns-interfaces={}", file.display())));
        assert_eq!((ran.status, ran.stderr.as_str()), (status, ""), "{ran}");
        assert_eq!(ran.stdout, format!("ip netns exec blue ifup -a -i {}\n", file.display()));
    }
    ip("netns del blue");
}

//! Lists on several lines: ifupdown-ng hands over the last line, and executors read the others from the file.

use super::all::PROGRAMS;
use super::support::{command, run};
use ifupdown_ng_netlink::stanza::keywords::LISTS;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

/// All keywords whose value ends with any number of entries.
#[test]
fn the_lists_are_those_of_the_tables() {
    let all = PROGRAMS.iter().flat_map(|program| program.keywords());
    let lists = all.filter(|keyword| keyword.syntax.ends_with('…')).map(|keyword| keyword.name);
    assert_eq!(lists.collect::<BTreeSet<_>>(), LISTS.into_iter().collect());
}

/// A file with this text, in a directory of its own.
fn file(name: &str, text: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("repeated-{name}"));
    fs::create_dir_all(&directory).unwrap();
    let path = directory.join("interfaces");
    fs::write(&path, text).unwrap();
    path
}

/// The plan of an executor for eth0, which gets this file and these variables.
fn plan(program: &str, phase: &str, file: &str, variables: &[(&str, &str)]) -> String {
    let fixed = [("IFACE", "eth0"), ("PHASE", phase), ("MOCK", "1"), ("INTERFACES_FILE", file)];
    let ran = run(command(program, fixed.into_iter().chain(variables.iter().copied())));
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{program} {variables:?}");
    ran.out
}

const PORT: &str = "iface eth0\n  bridge-member br0\n  bridge-vlan 10 pvid untagged,\n  bridge-vlan\n  mtu 1500\n  \
                    bridge_vlan 20\n";

#[test]
fn all_lines_of_a_list_count() {
    let path = file("all", PORT);
    let member = ("IF_BRIDGE_MEMBER", "br0");
    let both = plan("bridge", "pre-up", path.to_str().unwrap(), &[member, ("IF_BRIDGE_VLAN", "20")]);
    let one_line = [member, ("IF_BRIDGE_VLAN", "10 pvid untagged, 20")];
    assert_eq!(both, plan("bridge", "pre-up", "/nonexistent", &one_line));
    assert!(both.contains("vid 10 pvid untagged") && both.contains("vid 20"), "{both}");
    let text = "iface eth0\n  vrf-member red\n  vrf-route 192.0.2.0/24 dev eth0\n  vrf-route 198.51.100.0/24 dev eth0\n";
    let path = file("routes", text);
    let routes = [("IF_VRF_MEMBER", "red"), ("IF_VRF_ROUTE", "198.51.100.0/24 dev eth0")];
    for phase in ["post-up", "pre-down"] {
        let plan = plan("vrf", phase, path.to_str().unwrap(), &routes);
        assert!(plan.contains("192.0.2.0/24") && plan.contains("198.51.100.0/24"), "{plan}");
    }
}

/// Each line may be as long as ifupdown-ng reads it.
#[test]
fn the_lines_together_may_be_longer_than_one() {
    let vlans = |first: u16| {
        let all: Vec<String> = (first..first + 700).map(|vlan| (2 * vlan).to_string()).collect();
        all.join(",")
    };
    let (one, other) = (vlans(1), vlans(1001));
    assert!(one.len() < 4000 && other.len() < 4000 && one.len() + other.len() > 4096);
    let path = file(
        "long",
        &format!("iface eth0\n  bridge-member br0\n  bridge-vlan {one}\n  bridge-vlan {other}\n"),
    );
    let plan = plan(
        "bridge",
        "pre-up",
        path.to_str().unwrap(),
        &[("IF_BRIDGE_MEMBER", "br0"), ("IF_BRIDGE_VLAN", &other)],
    );
    for vlan in [2, 1400, 2002, 3400] {
        assert!(
            plan.contains(&format!("vid {vlan} ")) || plan.contains(&format!("vid {vlan}\n")),
            "{vlan}: {plan}"
        );
    }
}

/// What ifup handed over is the truth: the file may be another one than ifup has read.
#[test]
fn another_file_or_none_changes_nothing() {
    let path = file("another", PORT);
    let path = path.to_str().unwrap();
    let member = ("IF_BRIDGE_MEMBER", "br0");
    let other = [member, ("IF_BRIDGE_VLAN", "30")];
    let alone = plan("bridge", "pre-up", "/nonexistent", &other);
    assert!(alone.contains("vid 30"), "{alone}");
    assert_eq!(plan("bridge", "pre-up", path, &other), alone);
    let broken = file(
        "broken",
        &format!(
            "{PORT}source {path}.none\niface eth0\n  inherit eth0\n  address 10.0.0.1\n  inherit eth0\n"
        ),
    );
    assert_eq!(plan("bridge", "pre-up", broken.to_str().unwrap(), &other), alone);
}

/// Without a list, and for `depend`, the file is not opened: this one would never end.
#[test]
fn the_file_is_read_only_if_it_is_needed() {
    let fifo = file("fifo", "").with_file_name("fifo");
    let _ = fs::remove_file(&fifo);
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let fifo = fifo.to_str().unwrap();
    assert_eq!(
        plan("bridge", "depend", fifo, &[("IF_BRIDGE_MEMBER", "br0"), ("IF_BRIDGE_VLAN", "20")]),
        "br0\n"
    );
    assert_eq!(
        plan("vrf", "create", fifo, &[("IF_VRF_TABLE", "10")]),
        "ip link add eth0 type vrf table 10\n"
    );
}

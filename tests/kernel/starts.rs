//! The cost of a run that changes something, by strace: one process, one message for each change, and few other calls.
//!
//! The tests without privilege measure a run that changes nothing.

use crate::features::{Feature, needs};
use crate::lab::{in_lab, ip, own_run, program, run};
use crate::matrix::is_whole;
use crate::variable::variable;
use libtest_mimic::Trial;
use std::fs;
use std::process::Command;

pub fn tests() -> Vec<Trial> {
    let strace = [Feature::Strace];
    let vrf = [Feature::Strace, Feature::Vrf];
    let vlan = [Feature::Strace, Feature::Vlan];
    let mut tests = vec![
        needs(&strace, "starts/veth-pair", || in_lab(veth_pair)),
        needs(&vrf, "starts/vrf-and-member", || in_lab(vrf_and_member)),
        needs(&vrf, "starts/among-many-vrfs", || in_lab(among_many_vrfs)),
        needs(&vlan, "starts/vlans-of-a-port", || in_lab(vlans_of_a_port)),
        needs(&vlan, "starts/among-a-hundred-ports", || in_lab(among_a_hundred_ports)),
    ];
    if is_whole() {
        tests.push(needs(&[Feature::Vrf], "starts/memory", || in_lab(memory)));
    }
    tests
}

/// The system calls of one run.
struct Calls(Vec<String>);

impl Calls {
    /// One phase of a program, with these lines of a stanza.
    #[track_caller]
    fn of(name: &str, iface: &str, phase: &str, keywords: &[(&str, &str)]) -> Self {
        let log = "/run/calls";
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-o", log]).arg(program(name));
        strace.env_clear().env("PATH", "/usr/bin:/bin").env("IFACE", iface).env("PHASE", phase);
        for (keyword, value) in keywords {
            strace.env(variable(keyword), value);
        }
        run(&mut strace).quiet();
        let text = fs::read_to_string(log).unwrap();
        fs::remove_file(log).unwrap();
        // "PID NAME(ARGUMENTS", or the end of a call that another process interrupted.
        let calls: Vec<_> = text
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(_, call)| call.trim().to_owned())
            .collect();
        // The first call of the standard library, after the loader.
        let first = calls.iter().position(|call| call.starts_with("poll([{fd=0")).expect("a call");
        Self(calls[first..].to_vec())
    }

    fn count(&self, starts: &[&str]) -> usize {
        self.0.iter().filter(|call| starts.iter().any(|start| call.starts_with(start))).count()
    }

    /// This number of messages change something, all in this one process, with at most that many calls in all.
    #[track_caller]
    fn make(&self, changes: usize, calls: usize) {
        let all = self.0.join("\n");
        // Only changes ask for an acknowledgement.
        let sent = |call: &&String| call.starts_with("sendto(") && call.contains("NLM_F_ACK");
        assert_eq!(self.0.iter().filter(sent).count(), changes, "{all}");
        assert_eq!(self.count(&["clone", "fork", "vfork", "exec"]), 0, "{all}");
        // Another socket shows the number of the namespace, for the record of the applied stanza.
        assert_eq!(self.count(&["socket(AF_NETLINK"]), 1, "{all}");
        assert!(self.count(&["socket("]) <= 2, "{all}");
        // One read for each answer, and none that finds nothing.
        assert_eq!(self.0.iter().filter(|call| call.contains("EAGAIN")).count(), 0, "{all}");
        assert!(self.0.len() <= calls, "{} calls:\n{all}", self.0.len());
    }
}

fn veth_pair() {
    own_run();
    Calls::of("veth-peer", "v0", "create", &[("veth-peer", "v1")]).make(1, 150);
    assert!(ip("link show v0").contains("v0@v1"));
    // Again, when everything exists.
    Calls::of("veth-peer", "v0", "create", &[("veth-peer", "v1")]).make(0, 130);
}

fn vrf_and_member() {
    own_run();
    Calls::of("vrf", "red", "create", &[("vrf-table", "10")]).make(1, 150);
    ip("link set red up");
    ip("link add v0 type veth peer name v1");
    // The record says that it has not joined yet.
    Calls::of("vrf", "v0", "pre-up", &[("vrf-member", "red")]).make(1, 180);
    assert!(ip("link show v0").contains("master red"));
}

/// One `ip` for many commands.
fn batch(lines: impl Iterator<Item = String>) {
    fs::write("/run/batch", lines.collect::<String>()).unwrap();
    ip("-batch /run/batch");
}

fn vrfs(count: u32) -> impl Iterator<Item = String> {
    (1..=count).map(|n| format!("link add v{n} type vrf table {n}\n"))
}

/// However many VRFs exist, only the relevant ones are read. All are read if the table had another owner before.
fn among_many_vrfs() {
    own_run();
    batch(vrfs(300));
    let received = |phase, table| {
        let keywords = [("vrf-table", table), ("vrf-rules", "yes")];
        Calls::of("vrf", "red", phase, &keywords).count(&["recv"])
    };
    let moved = || ip("rule show pref 32765").contains("lookup local");
    for (phase, answers) in [("create", 10), ("pre-up", 40), ("destroy", 30)] {
        let received = received(phase, "5000");
        assert!(received <= answers, "{phase}: {received} datagrams");
        assert_eq!(moved(), phase != "create", "{phase}: it is not the last VRF");
    }
    // A table stays when its VRF is deleted.
    let again = received("create", "5000");
    assert!((12..60).contains(&again), "{again} datagrams for 300 VRFs");
    assert!(ip("-d link show red").contains("vrf table 5000"));
    // The table is that of this interface already, so no other owner has to be looked for.
    let steady = received("create", "5000");
    assert!(steady <= 10, "{steady} datagrams");
    let mut taken = Command::new(program("vrf"));
    taken.env_clear().envs([("IFACE", "blue"), ("PHASE", "create"), (variable("vrf-table").as_str(), "277")]);
    let refused = run(&mut taken);
    assert_eq!(refused.stderr, "vrf: blue: vrf-table 277: already the table of v277\n");
}

fn vlans_of_a_port() {
    own_run();
    ip("link add br0 type bridge vlan_filtering 1 vlan_default_pvid 0");
    ip("link add v0 type veth peer name v1");
    ip("link set v0 master br0");
    let vids: Vec<_> = (2..4000).step_by(5).map(|vid| vid.to_string()).collect();
    Calls::of("bridge-vlan", "v0", "pre-up", &[("bridge-member", "br0"), ("bridge-vlan", &vids.join(","))])
        // The record says that it has not joined yet.
        .make(1, 180);
    assert_eq!(crate::lab::command("bridge vlan show dev v0").stdout.lines().count(), vids.len() + 1);
}

/// Of a hundred ports only that of the stanza is read, on the way up, again, and on the way down.
fn among_a_hundred_ports() {
    own_run();
    let ports = (1..=100).map(|n| format!("link add d{n} type dummy\nlink set d{n} master br0\n"));
    batch(
        ["link add br0 type bridge vlan_filtering 1\nlink add v0 type dummy\n".to_owned()]
            .into_iter()
            .chain(ports),
    );
    let vlans = "10 pvid untagged, 20-29, 31, 33 untagged, 35";
    let keywords = [("bridge-member", "br0"), ("bridge-vlan", vlans)];
    let mut told = None;
    for (phase, changes, most) in [("pre-up", 3, 180), ("pre-up", 0, 170), ("post-down", 1, 120)] {
        let calls = Calls::of("bridge-vlan", "v0", phase, &keywords);
        assert!(calls.count(&["recv"]) <= 13, "{}", calls.0.join("\n"));
        calls.make(changes, most);
        let now = crate::lab::command("bridge -j vlan show dev v0").stdout;
        if changes == 0 {
            assert_eq!(told.as_ref(), Some(&now));
        }
        told = Some(now);
    }
}

/// The memory of a run does not grow with other programs' objects, except the little that is kept of each. The limit is
/// for data alone, so that it also holds for dynamically linked programs.
fn memory() {
    const KILOBYTES: u32 = 1200;
    own_run();
    let rules = (1..=4000).map(|n| format!("rule add from 192.0.2.1 pref 10000 table {n}\n"));
    batch(vrfs(1000).chain(rules));
    for phase in ["create", "pre-up"] {
        let mut limited = Command::new("sh");
        limited.args(["-c", &format!("ulimit -d {KILOBYTES}; exec \"$0\"")]).arg(program("vrf"));
        limited
            .env("IFACE", "red")
            .env("PHASE", phase)
            .env("IF_VRF_TABLE", "5000")
            .env("IF_VRF_RULES", "yes");
        run(&mut limited).ok();
        let moved = ip("rule show pref 32765");
        assert_eq!(moved.contains("lookup local"), phase == "pre-up", "{phase}: {moved}");
    }
}

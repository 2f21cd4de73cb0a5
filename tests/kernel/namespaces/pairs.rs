//! Pairs with one end in another namespace; many namespaces, and many rounds.

use super::{card, moved_stanza, nothing_left, pair_stanza, state};
use crate::lab::{Netns, command, ip, ip_json, own_run, phase, phase_command, run, wait_until};
use crate::tampered::{DOWN, UP, link};
use std::process::Command;
use std::{fs, thread};

pub fn pair() {
    own_run();
    let (stanza, before) = (pair_stanza(), state());
    stanza.up();
    let up = state();
    let inside = Netns::named("blue");
    let link = inside.ip("link show veth0");
    assert!(link.contains("02:00:00:00:00:01") && link.contains("LOWER_UP"), "{link}");
    assert!(ip("link show veth-blue").contains("02:00:00:00:00:02"));
    ip("addr add 10.1.0.1/24 dev veth-blue");
    command("ping -c 1 -W 3 10.1.0.2").ok();
    ip("addr del 10.1.0.1/24 dev veth-blue");
    stanza.up();
    assert_eq!(state(), up, "again");
    // If one end is deleted, both are; the next ifup creates both again.
    inside.ip("link del veth0");
    stanza.up();
    assert_eq!(state(), up, "made again");
    // A pair of another program is left alone.
    stanza.down();
    drop(inside);
    assert_eq!(state(), before);
    nothing_left("after down");
    ip("link add name veth-blue type veth peer name elsewhere");
    stanza.phase("create").refuses(
        1,
        "veth: veth-blue: veth-peer veth0: veth-blue exists, but its peer is not veth0 in blue; ifdown it, or delete it by hand",
    );
    stanza.phase("destroy").ok();
    assert!(ip("-br link").contains("elsewhere"), "deleted a link of another program");
    // What only the creation of a pair can set, at both ends.
    let keywords =
        ["veth-peer v1", "veth-peer-netns blue", "mtu 1450", "veth-peer-mtu 1400", "veth-queues 3"];
    phase("veth", "v0", "create", &keywords).quiet();
    let of = |links: Vec<serde_json::Value>| {
        let link = links.into_iter().next().unwrap();
        ["mtu", "num_tx_queues", "num_rx_queues"].map(|key| link[key].as_u64().unwrap())
    };
    assert_eq!(of(ip_json("-d link show v0")), [1450, 3, 3]);
    assert_eq!(of(ip_json("-n blue -d link show v1")), [1400, 3, 3]);
    phase("veth", "v0", "destroy", &keywords).quiet();
}

/// The namespace is deleted and created again, as when a container is replaced; also while a process uses the old one.
pub fn pair_replaced() {
    own_run();
    let stanza = pair_stanza();
    stanza.up();
    let up = state();
    for held in [false, true] {
        let process =
            held.then(|| Command::new("ip").args(["netns", "exec", "blue", "sleep", "600"]).spawn().unwrap());
        if let Some(process) = &process {
            let inside = || command("ip netns pids blue").stdout.contains(&process.id().to_string());
            wait_until("it is inside", inside);
        }
        ip("netns del blue");
        ip("netns add blue");
        ip("-n blue link set lo up");
        stanza.up();
        assert_eq!(state(), up, "held: {held}");
        if let Some(mut process) = process {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }
    stanza.down();
    assert!(ip("netns").contains("blue"), "deleted a namespace of another program");
}

/// `netns` and `veth-peer` in one stanza: a link between two namespaces.
pub fn both() {
    own_run();
    let lines = [
        "veth-peer b0",
        "veth-peer-netns b",
        "veth-peer-address 10.1.0.2/30",
        "netns a",
        "netns-ifname a0",
        "netns-address 10.1.0.1/30",
    ];
    let all = |names: [&str; 4]| {
        for name in names {
            // In the order of the stanza: up in the order of the lines, down in reverse.
            let mut programs = ["veth", "netns"];
            if names == DOWN {
                programs.reverse();
            }
            for program in programs {
                phase(program, "ab", name, &lines).quiet();
            }
            link("ab", name);
        }
    };
    all(UP);
    ip("netns exec a ping -c 1 -W 3 10.1.0.2");
    all(UP);
    ip("netns exec a ping -c 1 -W 3 10.1.0.2");
    assert!(command("ip link show dev ab").status != 0, "an end is still here");
    all(DOWN);
    nothing_left("after both");
}

/// A stanza has the link-local address that the kernel gives to the peer by itself. A phase that fails does not delete it.
pub fn address_of_kernel() {
    own_run();
    let address = "fe80::ff:fe00:1/64";
    let lines = [
        "veth-peer veth0",
        "veth-peer-netns blue",
        "veth-peer-hwaddress 02:00:00:00:00:01",
        &format!("veth-peer-address {address}"),
        "veth-peer-route 10.9.0.0/16 via 10.250.0.9",
    ];
    phase("veth", "veth-blue", "create", &lines).quiet();
    ip("link set veth-blue up");
    ip("-n blue link set veth0 up");
    let shown = || ip("-n blue -6 addr show dev veth0");
    wait_until("the address of the kernel", || shown().contains(address));
    let ran = phase("veth", "veth-blue", "post-up", &lines);
    assert!(ran.status == 1 && ran.stderr.contains("route add 10.9.0.0/16"), "{ran}");
    assert!(shown().contains(address), "{ran}");
    phase("veth", "veth-blue", "destroy", &lines).ok();
}

/// Another run deletes an unfinished record just after this run has released the lock: this run writes it again.
pub fn unfinished_deleted() {
    own_run();
    let stanza = pair_stanza();
    let whole = phase_command(stanza.program, stanza.iface, "create", stanza.keywords);
    let mut strace = Command::new("strace");
    strace.args(["-qq", "-o", "/dev/null", "-e", "trace=/^rename"]);
    strace.args(["-e", "inject=/^rename:delay_enter=3000000:when=1"]).arg(whole.get_program()).env_clear();
    strace.envs(whole.get_envs().filter_map(|(name, value)| Some((name, value?))));
    thread::scope(|scope| {
        let written = scope.spawn(|| run(&mut strace));
        wait_until("something unfinished is deleted", || {
            let unfinished = command("find /run/ifupdown-ng-netlink -name *.new -print -delete").stdout;
            assert!(!unfinished.is_empty() || !written.is_finished(), "nothing was unfinished");
            !unfinished.is_empty()
        });
        written.join().unwrap().quiet();
    });
    stanza.up();
    stanza.down();
    nothing_left("after all");
}

/// Twenty stanzas in twenty namespaces at once, twice.
pub fn many_at_once() {
    own_run();
    for round in 0..crate::matrix::count(3, 1) {
        let run_all = |names: [&'static str; 4]| {
            thread::scope(|scope| {
                for n in 0..20 {
                    scope.spawn(move || {
                        let (iface, netns) = (format!("v{n}"), format!("veth-peer-netns d{n}"));
                        let address = format!("veth-peer-address 10.2.{n}.2/24");
                        let lines = ["veth-peer veth0", netns.as_str(), address.as_str()];
                        for name in names {
                            phase("veth", &iface, name, &lines).quiet();
                        }
                    });
                }
            });
        };
        run_all(UP);
        let mounts = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
        assert_eq!(mounts.matches(" /run/netns ").count(), 1, "round {round}: {mounts}");
        for n in 0..20 {
            assert_eq!(mounts.matches(&format!(" /run/netns/d{n} ")).count(), 1, "round {round}: {mounts}");
            let addresses = Netns::named(&format!("d{n}")).ip("-br addr show dev veth0");
            assert!(addresses.contains(&format!("10.2.{n}.2/24")), "round {round}: {addresses}");
        }
        run_all(DOWN);
        nothing_left(&format!("round {round}"));
    }
}

pub fn rounds() {
    card();
    let before = state();
    for _ in 0..crate::matrix::count(100, 15) {
        for stanza in [moved_stanza(), pair_stanza()] {
            stanza.up();
            stanza.down();
        }
        nothing_left("a round");
    }
    assert_eq!(state(), before);
}

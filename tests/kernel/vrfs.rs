//! VRFs: what holds for all of a namespace, their own loopback addresses, and members that have addresses before.

use crate::features::{Feature, needs};
use crate::ifupdown::{Executors, Ifupdown, Shell, Version, example};
use crate::lab::{Netns, command, in_lab, ip, ip_json, own_run, phase, program, run, settle};
use crate::monitor::Monitor;
use crate::probe::{PORT, echo, ping, tcp_reaches, unreachable};
use crate::state::State;
use libtest_mimic::Trial;
use std::fs;
use std::process::Command;

pub fn tests() -> Vec<Trial> {
    let mut tests = vec![
        needs(&[Feature::Vrf], "vrfs/strict-mode", || in_lab(strict_mode)),
        needs(&[Feature::Vrf], "vrfs/addresses-stay", || in_lab(addresses_stay)),
        needs(&[Feature::Vrf, Feature::Strace], "vrfs/killed-while-joining", killed_while_joining),
    ];
    for (version, way) in Version::ALL.into_iter().flat_map(|version| [(version, "apply"), (version, "ifup")])
    {
        let ifupdown = Ifupdown { version, executors: Executors::Replaced, shell: Shell::Dash };
        let name = format!("vrfs/moved-by-{way}/{version:?}");
        tests.push(needs(&[Feature::Vrf, Feature::Roots], name, move || in_lab(|| moved(ifupdown, way))));
    }
    for (version, layout) in
        Version::ALL.into_iter().flat_map(|version| [(version, "jump"), (version, "yes")])
    {
        let ifupdown = Ifupdown { version, executors: Executors::Replaced, shell: Shell::Dash };
        let name = format!("vrfs/loopback/{layout}/{version:?}");
        tests.push(needs(&[Feature::Vrf, Feature::Roots], name, move || {
            in_lab(|| loopback(ifupdown, layout));
        }));
    }
    tests
}

/// The kernel refuses the VRF of another program, as long as a stanza wants that.
fn strict_mode() {
    own_run();
    let duplicate = || run(Command::new("ip").args(["link", "add", "blue", "type", "vrf", "table", "10"]));
    let strict = || fs::read_to_string("/proc/sys/net/vrf/strict_mode").unwrap();
    let both = |phases: [&str; 2], iface: &str, keywords: &[&str]| {
        for name in phases {
            phase("vrf", iface, name, keywords).quiet();
        }
    };
    let (up, down) = (["create", "pre-up"], ["post-down", "destroy"]);
    let keywords = ["vrf-table 10", "vrf-strict-mode yes"];
    both(up, "red", &keywords);
    let ran = duplicate();
    assert!(ran.status == 2 && ran.stderr.contains("Table is used by another VRF"), "{ran}");
    // The sysctl is needed until the last VRF whose stanza wants it is gone.
    both(up, "green", &["vrf-table 11", "vrf-strict-mode yes"]);
    both(down, "red", &keywords);
    assert_eq!(strict(), "1\n");
    both(down, "green", &["vrf-table 11", "vrf-strict-mode yes"]);
    assert_eq!(strict(), "0\n");
    // With a second VRF of the table, the kernel refuses the sysctl.
    both(up, "red", &["vrf-table 10"]);
    duplicate().ok();
    let ran = phase("vrf-rules", "red", "pre-up", &["vrf-strict-mode yes"]);
    let line =
        "vrf-rules: red: vrf-strict-mode yes: blue and red have the same table; delete one of the two\n";
    assert_eq!((ran.status, &*ran.stderr), (1, line), "{ran}");
    fs::write("/proc/sys/net/vrf/strict_mode", "1").expect_err("two VRFs with a table");
    assert_eq!(strict(), "0\n");
}

/// Programs that are bound to a VRF reach each other by its 127.0.0.1 and ::1, and not those of the host.
fn loopback(ifupdown: Ifupdown, layout: &str) {
    let _far = Netns::new();
    ip("link add eth0 type dummy");
    let installed = ifupdown.install(&example("vrf-rules").replace("jump", layout));
    let before = State::with_run(&installed);
    installed.ifup("-a").quiet();
    settle();
    let (vrf, inside, outside) = (Some("vrf-red"), PORT + 1, PORT + 2);
    for own in ["127.0.0.1", "::1"] {
        let on = |port| std::net::SocketAddr::new(own.parse().unwrap(), port);
        echo(on(inside), vrf);
        // The stanza has `vrf-accept tcp`. So that this one is of no VRF, it is bound to lo.
        echo(on(outside), Some("lo"));
        ping(own, vrf).unwrap_or_else(|error| panic!("{own} of the VRF: {error}"));
        tcp_reaches(own, inside, vrf).expect("the VRF's own service");
        tcp_reaches(own, outside, vrf).expect_err("the host's service, from the VRF");
        tcp_reaches(own, outside, None).expect("the host's service");
        tcp_reaches(own, inside, None).expect_err("the VRF's service, from the host");
    }
    before.assert_after_ifdown(&installed);
    // Without these addresses there are none in the VRF.
    installed.interfaces("auto vrf-red\niface vrf-red\n  vrf-table 1010\n  vrf-rules yes\n");
    installed.ifup("-a").quiet();
    unreachable("bound", "127.0.0.1", vrf);
}

/// A member gets another VRF while it is up: none of its routes is in the table main, not even for a moment.
fn moved(ifupdown: Ifupdown, way: &str) {
    let far = Netns::all_beside(&["eth0"], "eth0", false).remove(0);
    far.ip("addr add 10.1.0.2/24 dev eth0");
    let file = |vrf: &str| {
        let vrfs = [("red", 10), ("blue", 20)].map(|(name, table)| {
            format!("auto {name}\niface {name}\n    vrf-table {table}\n    vrf-rules yes\n")
        });
        let addresses = "    address 10.1.0.1/24\n    address fd00:1::1/64\n";
        vrfs.concat() + &format!("auto eth0\niface eth0\n    vrf-member {vrf}\n{addresses}")
    };
    let installed = ifupdown.install(&file("red"));
    let before = State::with_run(&installed);
    installed.ifup("-a").quiet();
    settle();
    ping("10.1.0.2", Some("red")).expect("in red");
    let monitor = Monitor::start();
    installed.interfaces(&file("blue"));
    match way {
        "apply" => installed.ifnetlink("apply --disruptive").ok(),
        _ => installed.ifup("-f eth0"),
    };
    settle();
    ping("10.1.0.2", Some("blue")).expect("in blue");
    monitor.saw_none_in_main(20);
    assert_eq!(installed.ifnetlink("check").quiet().stdout, "");
    installed.ifdown("-a").ok();
    ip("link set lo up");
    installed.interfaces("auto lo\niface lo\n");
    installed.ifnetlink("apply").ok();
    before.assert_same(&State::with_run(&installed), "after ifdown -a");
}

/// The permanent global addresses of eth0, without what depends on time.
fn addresses() -> Vec<String> {
    let links = ip_json("addr show dev eth0 scope global");
    let found = links[0]["addr_info"].as_array().unwrap().iter();
    // ip(8) prints an empty object for one of another scope.
    let found = found.filter(|address| address.get("local").is_some() && address.get("dynamic").is_none());
    let mut texts: Vec<String> = found
        .map(|address| {
            let mut address = address.clone();
            let tentative = address.as_object_mut().unwrap().remove("tentative");
            assert!(tentative.is_none(), "{address}");
            address.to_string()
        })
        .collect();
    texts.sort();
    texts
}

/// A card with addresses of other programs.
fn card_in_use() {
    own_run();
    for words in [
        "link add red up type vrf table 10",
        "link add eth0 up type dummy",
        "addr add 10.1.0.1/24 dev eth0",
        "addr add fd00:1::1/64 dev eth0",
        "addr add fd00:2::1/64 dev eth0 noprefixroute nodad",
        "addr add fd00:3::1 peer fd00:3::2 dev eth0 nodad",
        "addr add fd00:4::1/64 dev eth0 valid_lft 600 preferred_lft 600",
    ] {
        ip(words);
    }
    settle();
}

const KEEP: &str = "/proc/sys/net/ipv6/conf/eth0/keep_addr_on_down";
const MEMBER: &[&str] = &["vrf-member red"];

fn joined() {
    settle();
    assert_eq!(ip_json("link show eth0")[0]["master"], "red");
    assert_eq!(fs::read_to_string(KEEP).unwrap(), "0\n");
    for (family, prefix) in [("-6", "fd00:1::/64"), ("-4", "10.1.0.0/24")] {
        let routes = |table: &str| ip(&format!("{family} route show table {table} {prefix}"));
        assert!(!routes("10").is_empty(), "{prefix}");
        assert_eq!(routes("main"), "", "{prefix}");
    }
    assert_eq!(command("find /run -name sysctl:*").stdout, "");
}

/// An interface that is up keeps its addresses when it joins a VRF, and their routes move into the VRF's table.
fn addresses_stay() {
    card_in_use();
    let before = addresses();
    assert_eq!(before.len(), 4, "{before:?}");
    let ran = phase("vrf-table", "eth0", "pre-up", MEMBER);
    // In the order in which the kernel lists them.
    let line = "vrf-table: eth0: warning: eth0 had 10.1.0.1/24, fd00:4::1/64, fd00:3::1/128, fd00:2::1/64, \
                fd00:1::1/64 when it joined red: its TCP sessions end, and routes of other programs are lost\n";
    assert_eq!((ran.status, &*ran.stderr), (0, line), "{ran}");
    joined();
    assert_eq!(addresses(), before);
    phase("vrf-table", "eth0", "pre-up", MEMBER).quiet();
}

/// After a kill before any of the writes to files, the next run leaves nothing set and no record.
fn killed_while_joining() {
    for kill in 1.. {
        let ended = in_lab(|| {
            card_in_use();
            let before = addresses();
            let mut strace = Command::new("strace");
            strace.args(["-f", "-qq", "-e", "trace=write,unlink,unlinkat", "-o", "/dev/null", "-e"]);
            strace.arg(format!("inject=write,unlink,unlinkat:signal=KILL:when={kill}"));
            strace.arg(program("vrf-table")).env_clear().envs([
                ("IFACE", "eth0"),
                ("PHASE", "pre-up"),
                ("IF_VRF_MEMBER", "red"),
            ]);
            let ran = run(&mut strace);
            phase("vrf-table", "eth0", "pre-up", MEMBER);
            joined();
            assert!(addresses() == before, "kill {kill}: {before:?} {:?}", addresses());
            ran.status == 0
        });
        if ended {
            println!("{} kills", kill - 1);
            // The record, two values of the sysctl, the end of the record, and the applied stanza.
            assert!(kill > 5, "{kill}");
            break;
        }
    }
}

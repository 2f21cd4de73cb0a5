//! A stanza that is edited while its interface is up: for each keyword it is changed, removed and added. Then `ifdown`
//! leaves nothing, and `ifup -f` leads to the state that a fresh `ifup` leads to.

use crate::edit_table::{EDITS, Edit, MORE, NATIVE};
use crate::features::{Feature, needs};
use crate::ifupdown::{Executors, Ifupdown, Installed, Shell, Version};
use crate::lab::{
    Netns, Ran, command, in_lab, ip, ip_batch, ip_json, own_run, phase, run, settle, wait_until,
};
use crate::matrix;
use crate::state::State;
use crate::tampered::{DOWN, Stanza, UP, link};
use ifupdown_ng_netlink::stanza::keywords::OURS;
use libtest_mimic::Trial;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

/// A stanza, an edited one, and a third one.
const WAYS: [(&str, [Stanza; 3]); 4] = [
    (
        "vrf",
        [
            stanza(
                "vrf",
                "red",
                &["vrf-table 10", "vrf-rules yes", "vrf-accept tcp", "vrf-route blackhole 10.9.0.0/16"],
            ),
            stanza("vrf", "red", &["vrf-table 11", "vrf-rules jump", "vrf-route blackhole 10.8.0.0/16"]),
            stanza(
                "vrf",
                "red",
                &["vrf-table 11", "vrf-accept udp", "vrf-route unreachable default metric 1000"],
            ),
        ],
    ),
    (
        "bridge",
        [
            stanza(
                "bridge",
                "br0",
                &[
                    "bridge-ports eth1 eth2",
                    "bridge-vlan-filtering yes",
                    "bridge-vlan 10",
                    "bridge-ageing 100",
                ],
            ),
            stanza(
                "bridge",
                "br0",
                &["bridge-ports eth2 eth3", "bridge-vlan-filtering yes", "bridge-vlan 20", "bridge-fd 10"],
            ),
            stanza("bridge", "br0", &["bridge-ports eth3", "bridge-pathcost 10"]),
        ],
    ),
    (
        "veth",
        [
            stanza(
                "veth",
                "veth0",
                &[
                    "veth-peer p0",
                    "veth-peer-hwaddress 02:00:00:00:01:02",
                    "hwaddress 02:00:00:00:01:01",
                    "veth-peer-netns one",
                    "veth-peer-address 10.0.1.1/24",
                    "veth-peer-route 10.9.0.0/16 via 10.0.1.2",
                ],
            ),
            stanza(
                "veth",
                "veth0",
                &[
                    "veth-peer p0",
                    "veth-peer-hwaddress 02:00:00:00:01:02",
                    "hwaddress 02:00:00:00:01:01",
                    "veth-peer-netns one",
                    "veth-peer-address 10.0.2.1/24",
                    "veth-peer-mtu 1400",
                ],
            ),
            stanza(
                "veth",
                "veth0",
                &[
                    "veth-peer p1",
                    "veth-peer-hwaddress 02:00:00:00:01:02",
                    "hwaddress 02:00:00:00:01:01",
                    "veth-peer-netns two",
                ],
            ),
        ],
    ),
    (
        "netns",
        [
            stanza(
                "netns",
                "eth1",
                &["netns one", "netns-address 10.0.1.1/24", "netns-sysctl net.ipv4.ip_forward=1"],
            ),
            stanza("netns", "eth1", &["netns two", "netns-address 10.0.2.1/24", "netns-ifname a0"]),
            stanza("netns", "eth1", &["netns one", "netns-route unreachable 10.9.0.0/16"]),
        ],
    ),
];

const fn stanza(program: &'static str, iface: &'static str, keywords: &'static [&'static str]) -> Stanza {
    Stanza { program, iface, keywords }
}

fn killed([first, second, third]: [Stanza; 3]) {
    own_run();
    let _hosts = Netns::all_beside(&["eth1", "eth2", "eth3"], "eth0", false);
    let see = || {
        let mut state = State::now().without_carriers();
        for name in ["one", "two"].into_iter().filter(|name| Path::new("/run/netns").join(name).exists()) {
            state.join(name, Netns::named(name).within(State::now).without_carriers());
        }
        state.without_time(&[])
    };
    first.killed_on_the_way(&second, &third, see, |when| {
        let files = command("find /run/ifupdown-ng-netlink").stdout;
        assert_eq!(files, "", "{when}");
    });
}

pub fn tests() -> Vec<Trial> {
    let mut tests = vec![Trial::test("edits/every-keyword", || {
        let missing: Vec<_> =
            OURS.into_iter().filter(|ours| !EDITS.iter().any(|edit| edit.keyword == *ours)).collect();
        if missing.is_empty() { Ok(()) } else { Err(format!("no edit of {missing:?}").into()) }
    })];
    tests.push(needs(&[Feature::Vrf], "edits/records", || in_lab(records)));
    for (name, stanzas) in WAYS {
        let features = [Feature::Vrf, Feature::Vlan, Feature::Strace];
        tests.push(needs(&features, format!("edits/killed/{name}"), move || in_lab(|| killed(stanzas))));
    }
    for version in Version::ALL {
        let ifupdown = Ifupdown { version, executors: Executors::Replaced, shell: Shell::Dash };
        let mut add = |name: &str, test: fn(Ifupdown)| {
            let name = format!("edits/{name}/{version:?}");
            tests.push(needs(&[Feature::Vrf, Feature::Roots], name, move || in_lab(|| test(ifupdown))));
        };
        add("keyword-gone", keyword_gone);
        add("stanza-gone", stanza_gone);
        add("members", members);
        let native = Ifupdown { executors: Executors::Native, ..ifupdown };
        for (place, edit) in NATIVE.iter().enumerate() {
            let name = format!("edits/native/{}-{place}/{version:?}", edit.keyword);
            tests.push(needs(&[Feature::Vrf, Feature::Vlan, Feature::Roots], name, move || {
                in_lab(|| edited(edit, place, native));
            }));
        }
        for (place, edit) in matrix::some(EDITS.iter().chain(MORE).enumerate(), EACH) {
            let nth = if place < EDITS.len() { String::new() } else { format!("-{place}") };
            let name = format!("edits/{}{nth}/{version:?}", edit.keyword);
            tests.push(needs(&[Feature::Vrf, Feature::Vlan, Feature::Roots], name, move || {
                in_lab(|| edited(edit, place, ifupdown));
            }));
        }
    }
    tests
}

/// The short form takes one keyword of so many, and one edit of it.
const EACH: usize = 14;

/// The three edits: changed, removed, added.
fn edited(edit: &Edit, place: usize, ifupdown: Ifupdown) {
    let _hosts = hosts();
    let installed = install(ifupdown);
    let before = now(edit, &installed);
    for (which, (what, from, to)) in edit.files().into_iter().enumerate() {
        if !matrix::is_whole() && which != place / EACH % 3 {
            continue;
        }
        // A stanza that cannot go up has no fresh state, and nothing to come from.
        installed.interfaces(&to);
        let fresh = is_up(edit.iface, &installed.ifup("-a"));
        let wanted = fresh.then(|| now(edit, &installed));
        end(edit, &installed, &before, &format!("{what}: a fresh {to}"));
        installed.interfaces(&from);
        if !is_up(edit.iface, &installed.ifup("-a")) {
            end(edit, &installed, &before, &format!("{what}: a fresh {from}"));
            continue;
        }
        installed.interfaces(&to);
        end(edit, &installed, &before, &format!("{what}, then ifdown: {from}\nto\n{to}"));
        let Some(wanted) = wanted else { continue };
        installed.interfaces(&from);
        installed.ifup("-a").ok();
        installed.interfaces(&to);
        let ran = installed.ifup(&format!("-f {}", edit.iface)).ok();
        let mut followed = now(edit, &installed);
        if ran.stderr.contains(
            "bridge: eth1: warning: eth1 keeps its cost 10 until it joins br0 again; `ifdown br0` and `ifup br0` do that",
        ) {
            followed = followed.replace("\"cost\":10,", "\"cost\":2,");
        }
        wanted.assert_same(&followed, &format!("{what}, then ifup -f: {from}\nto\n{to}\n{ran}"));
        end(edit, &installed, &before, &format!("{what}, then ifup -f and ifdown: {from}\nto\n{to}"));
    }
}

/// The links that the files of the table name.
pub fn hosts() -> Vec<Netns> {
    let hosts = Netns::all_beside(&["eth1", "eth2", "eth3"], "eth0", false);
    ip_batch(&["link add dummybr0 type bridge", "link add dummybr1 type bridge"]);
    hosts
}

/// An installation with the files that the files of the table name.
pub fn install(ifupdown: Ifupdown) -> Installed {
    let installed = ifupdown.install("");
    for (file, address) in [("inside-a", "10.1.0.1/24"), ("inside-b", "10.2.0.1/24")] {
        installed.file(&format!("/run/{file}"), &format!("auto lo\niface lo\n    address {address}\n"));
    }
    installed
}

/// Whether ifup succeeded, and found the link. Version 0.11.4 ignores the exit status of executors, whose errors are on
/// stderr.
pub fn is_up(iface: &str, ran: &Ran) -> bool {
    let of_it = format!(": {iface}: ");
    let mut lines = ran.stderr.lines().filter(|line| line.contains(&of_it));
    let is_harmless =
        |line: &str| line.contains(": warning: ") && !line.contains(" completed when it appears");
    ran.status == 0 && lines.all(is_harmless)
}

/// The last keyword that selects our executor is removed. Neither ifup nor ifdown starts it then: `ifnetlink check`
/// names what is left, and `ifnetlink apply` removes it.
fn keyword_gone(ifupdown: Ifupdown) {
    let _hosts = Netns::all_beside(&["eth1"], "eth0", false);
    let red = "auto red\niface red\n    vrf-table 10\n\n";
    let eth1 = "auto eth1\niface eth1\n    address 10.0.1.1/24\n";
    let installed = ifupdown.install(&format!("{red}{eth1}    vrf-member red\n"));
    let before = State::with_run(&installed);
    installed.ifup("-a").quiet();
    installed.interfaces(&format!("{red}{eth1}"));
    let line = "eth1: ip link set eth1 nomaster\n";
    let ran = installed.ifnetlink("check");
    assert!(ran.status == 3 && ran.stdout == line, "{ran}");
    let ran = installed.ifnetlink("apply eth1");
    assert!(ran.status == 1 && ran.stderr.contains("--disruptive"), "{ran}");
    let ran = installed.ifnetlink("apply --disruptive eth1").ok();
    assert_eq!(ran.stdout, line);
    assert_eq!(ip_json("link show eth1")[0]["master"], serde_json::Value::Null);
    installed.ifnetlink("check").quiet();
    // The stock executors take the stanza down and leave its record, until the next `apply`.
    installed.ifdown("eth1").quiet();
    assert!(State::with_run(&installed).differences(&before).concat().contains("applied:eth1"));
    installed.ifnetlink("apply lo").quiet();
    before.assert_after_ifdown(&installed);
}

/// The whole stanza of an interface that is up is removed.
fn stanza_gone(ifupdown: Ifupdown) {
    let red =
        "auto red\niface red\n    vrf-table 10\n    vrf-rules yes\n    vrf-route blackhole 10.9.0.0/16\n";
    let installed = ifupdown.install(&red.replace("10.9.0.0", "10.8.0.0"));
    let before = State::with_run(&installed);
    installed.ifup("-a").quiet();
    // Recorded anew by ifnetlink, it is still a stanza of this file.
    installed.interfaces(red);
    installed.ifnetlink("apply red").ok();
    installed.interfaces("auto lo\niface lo\n");
    let ran = installed.ifnetlink("check");
    assert!(ran.status == 3 && ran.stdout.contains("red: ip link del red type vrf table 10\n"), "{ran}");
    assert!(
        ran.stdout.contains("red: ip -4 route del blackhole 10.9.0.0/16 table 10 protocol 73\n"),
        "{ran}"
    );
    installed.ifnetlink("apply red").ok();
    before.assert_same(&State::with_run(&installed), "after apply");
    installed.ifnetlink("check").quiet();
}

/// A VRF with members is never made again: its other settings follow the stanza, its table does not.
fn members(ifupdown: Ifupdown) {
    let _hosts = Netns::all_beside(&["eth1"], "eth0", false);
    let file = |table: u32, route: &str| {
        format!(
            "auto red\niface red\n    vrf-table {table}\n    vrf-route {route}\n\n\
             auto eth1\niface eth1\n    vrf-member red\n    address 10.0.1.1/24\n"
        )
    };
    let installed = ifupdown.install(&file(10, "blackhole 10.9.0.0/16"));
    let before = State::with_run(&installed);
    let red = || (ip_json("link show red")[0]["ifindex"].clone(), ip_json("link show master red").len());
    installed.ifup("-a").quiet();
    let was = red();
    installed.interfaces(&file(10, "blackhole 10.8.0.0/16"));
    installed.ifup("-f red").quiet();
    assert_eq!(red(), was);
    let routes = ip("route show vrf red");
    assert!(routes.contains("blackhole 10.8.0.0/16") && !routes.contains("10.9.0.0"), "{routes}");
    installed.interfaces(&file(11, "blackhole 10.8.0.0/16"));
    let ran = installed.ifup("-f red");
    let line =
        "vrf: red: vrf-table 11: red exists and is a VRF with table 10; ifdown it, or delete it by hand\n";
    assert!(ran.stderr.contains(line), "{ran}");
    assert_eq!(red(), was);
    // With its members down it is made again.
    installed.ifdown("eth1").ok();
    installed.ifup("-f red").quiet();
    assert_eq!(ip_json("-d link show red")[0]["linkinfo"]["info_data"]["table"], 11);
    for _ in 0..3 {
        installed.ifdown("-f -a").ok();
    }
    installed.forget();
    ip("link set lo up");
    before.assert_same(&State::with_run(&installed), "after ifdown");
}

/// Records that are of no use: of another boot or another start of a container, cut, lost, of another link.
fn records() {
    own_run();
    let before = State::now();
    let applied = || {
        let path = command("find /run/ifupdown-ng-netlink -name applied:red").stdout;
        Path::new(path.trim_end()).to_owned()
    };
    let up = |phases: &[&str]| {
        for name in phases {
            phase("vrf", "red", name, &["vrf-table 10", "vrf-route blackhole 10.9.0.0/16"]).quiet();
            link("red", name);
        }
    };
    let down = |table: &str| -> Vec<Ran> {
        let keywords = [table, "vrf-route blackhole 10.9.0.0/16"];
        DOWN.iter().map(|name| phase("vrf", "red", name, &keywords).ok()).collect()
    };
    let left = |when: &str| {
        before.assert_same(&State::now(), when);
        assert_eq!(command("find /run/ifupdown-ng-netlink").stdout, "", "{when}");
    };
    // A good record: the edited table does not matter.
    up(&UP);
    assert_eq!(fs::metadata(applied()).unwrap().permissions().mode() & 0o777, 0o600);
    down("vrf-table 11");
    left("with a record");
    let text = |text: &str| fs::write(applied(), text).unwrap();
    let good = {
        up(&UP);
        fs::read_to_string(applied()).unwrap()
    };
    let (head, rest) = good.split_once('\n').unwrap();
    let (identity, boot) = head.rsplit_once(' ').unwrap();
    let other_boot = format!("{identity} {}\n{rest}", boot.replace(['1', '2', '3'], "4").replace('a', "b"));
    let (begin, init) = identity.rsplit_once(' ').unwrap();
    let other_init = format!("{begin} {} {boot}\n{rest}", init.parse::<u64>().unwrap() + 1);
    for (what, record) in [
        ("another boot", other_boot.as_str()),
        ("another process 1", &other_init),
        ("cut", &good[..good.len() / 3]),
        ("empty", ""),
    ] {
        up(&UP);
        text(record);
        let last = down("vrf-table 11").pop().unwrap();
        let line = "vrf: red: warning: not changed: red is a VRF with table 10, not a VRF with table 11\n";
        assert_eq!(last.stderr, line, "{what}");
        down("vrf-table 10");
        left(what);
    }
    // Another link of that name, made after the record: the stanza of the file counts.
    up(&UP);
    ip_batch(&["link del red", "link add red type vrf table 10"]);
    down("vrf-table 11");
    assert_eq!(ip_json("link show type vrf").len(), 1);
    down("vrf-table 10");
    left("another link");
    // Upgraded between two phases: the record begins with the first phase of this version.
    up(&UP[..2]);
    fs::remove_file(applied()).unwrap();
    up(&UP[2..]);
    down("vrf-table 11");
    left("upgraded between two phases");
}

/// The state here and in the namespaces, and the files of an installation.
pub fn now(edit: &Edit, installed: &Installed) -> State {
    settle();
    let is_undecided = || {
        let links = ip("-d link show");
        // During a change of the topology the kernel forgets addresses sooner (net/bridge/br_stp.c).
        ["state listening", "state learning", "topology_change 1"]
            .into_iter()
            .any(|text| links.contains(text))
    };
    wait_until("the spanning tree has decided", || !is_undecided());
    let mut state = State::with_run(installed).without_carriers();
    for name in ["one", "two"] {
        let path = installed.path(&format!("/run/netns/{name}"));
        if path.exists() {
            state.join(name, Netns::at(&path).within(State::now).without_carriers());
        }
    }
    // The kernel picks the address of the peer at random. The bridges differ once they had a port.
    let random = if edit.keyword == "veth-peer-hwaddress" { "p0" } else { "" };
    state.without_time(&[random, "dummybr0", "dummybr1"])
}

/// Takes everything down, as often as it was counted. Nothing may be left.
pub fn end(edit: &Edit, installed: &Installed, before: &State, when: &str) {
    let mut ran = installed.ifdown("-a");
    if ran.status == 0 {
        ran = installed.ifdown("-f -a");
    }
    ip("link set lo up");
    let now = now(edit, installed);
    if edit.keyword == "netns-keep" && installed.path("/run/netns/one").exists() {
        for mount in ["/run/netns/one", "/run/netns"] {
            run(Command::new("umount").arg(installed.path(mount))).ok();
        }
        let _ = std::fs::remove_dir_all(installed.path("/run/netns"));
        let _ = std::fs::remove_dir_all(installed.path("/run/ifupdown-ng-netlink"));
        installed.forget();
        return;
    }
    before.assert_same(&now, &format!("{when}\n{ran}"));
    installed.forget();
}

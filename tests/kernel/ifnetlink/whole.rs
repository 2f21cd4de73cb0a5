//! `ifnetlink apply` of whole files: from nothing, from one file to another one, and to a file without stanzas.

use super::trial;
use crate::examples::cards;
use crate::features::{Feature, needs};
use crate::ifupdown::{Executors, Ifupdown, Installed, Shell, Version, example};
use crate::lab::{Ran, command, in_lab, ip, ip_json, settle};
use crate::matrix;
use crate::schema::valid;
use crate::state::State;
use libtest_mimic::Trial;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::process::Command;

/// A file without interfaces.
pub const NOTHING: &str = "auto lo\niface lo inet loopback\n";

/// Setups of which each is applied over each other one. They use the same cards in different ways.
pub const SETUPS: [&str; 9] = [
    "management-vrf",
    "routing-domains",
    "vlan-access-trunk",
    "vlan-asymmetric-netns",
    "guests-isolated",
    "container-segment",
    "overlapping-vrfs",
    "netns",
    "veth-peer",
];

pub fn tests() -> Vec<Trial> {
    let mut tests = Vec::new();
    for version in Version::ALL {
        let ifupdown = Ifupdown { version, executors: Executors::Replaced, shell: Shell::Dash };
        if matrix::is_whole() {
            for (place, name) in SETUPS.into_iter().enumerate() {
                tests.push(trial(&format!("apply-from-{name}"), ifupdown, move |ifupdown| {
                    transitions(place, ifupdown);
                }));
            }
        }
        // In two parts, so that both processors are busy.
        for (part, setups) in [&SETUPS[..5], &SETUPS[4..]].into_iter().enumerate() {
            let name = format!("apply-each/{part}");
            tests.push(trial(&name, ifupdown, move |ifupdown| each(setups, ifupdown)));
        }
        tests.push(trial("apply-state-file", ifupdown, state_file));
        tests.push(trial("apply-addresses", ifupdown, addresses));
        tests.push(trial("apply-link-local", ifupdown, link_local));
        tests.push(trial("apply-refused", ifupdown, refused));
        tests.push(trial("apply-again", ifupdown, again));
        tests.push(trial("apply-many-files", ifupdown, many_files));
        tests.push(trial("apply-altname", ifupdown, alternative_name));
        let needed = [Feature::Vrf, Feature::Vlan, Feature::Roots, Feature::Strace];
        tests.push(needs(&needed, format!("ifnetlink/apply-starts/{ifupdown}"), move || {
            in_lab(|| starts(ifupdown));
        }));
        let needed = [Feature::Vrf, Feature::Roots, Feature::Strace];
        tests.push(needs(&needed, format!("ifnetlink/apply-pair-with-master/{ifupdown}"), move || {
            in_lab(|| pair_with_master(ifupdown));
        }));
        for fate in ["error=ENOBUFS", "signal=KILL"] {
            let needed = [Feature::Vrf, Feature::Vlan, Feature::Roots, Feature::Strace];
            let name = format!("ifnetlink/apply-{}/{ifupdown}", &fate[..fate.find('=').unwrap()]);
            tests.push(needs(&needed, name, move || in_lab(|| interrupted(ifupdown, fate))));
        }
    }
    tests
}

/// The state without what depends on time, and without who added an address or a default route: the stock `static`
/// does not mark them. The kernel picks the address of `veth-vm1` at random.
pub fn now() -> State {
    settle();
    let state = State::now().without_carriers().without_time(&["veth-vm1"]);
    state.replace(",\"protocol\":\"0x49\"", "").replace("\"protocol\":\"boot\"", "\"protocol\":\"73\"")
}

/// The lines of the state file, but for `lo`.
pub fn counted_lines(installed: &Installed) -> BTreeSet<String> {
    let text = fs::read_to_string(installed.path("/run/ifstate")).unwrap_or_default();
    text.lines().filter(|line| !line.starts_with("lo=")).map(str::to_owned).collect()
}

/// The interfaces that are up in the state file, but for `lo`.
pub fn counted(installed: &Installed) -> BTreeSet<String> {
    let text = fs::read_to_string(installed.path("/run/ifstate")).unwrap_or_default();
    let names = text.lines().filter_map(|line| line.split('=').next()).filter(|name| *name != "lo");
    names.map(str::to_owned).collect()
}

/// The state and the entries of the state file after an `ifup -a` of a file, which is taken down again.
pub fn fresh(file: &str, installed: &Installed) -> (State, BTreeSet<String>) {
    installed.interfaces(file);
    installed.ifup("-a").ok();
    let state = (now(), counted(installed));
    installed.ifdown("-a").ok();
    ip("link set lo up");
    state
}

/// From one setup to the others, and to nothing after each.
fn transitions(place: usize, ifupdown: Ifupdown) {
    let _hosts = cards();
    let installed = ifupdown.install(NOTHING);
    installed.ifup("-a").ok();
    let before = State::with_run(&installed);
    let from = example(SETUPS[place]);
    let (of_from, counted_from) = fresh(&from, &installed);
    let others = SETUPS.into_iter().enumerate().filter(|(other, _)| *other != place);
    for (_, name) in others {
        let to = example(name);
        let (of_to, counted_to) = fresh(&to, &installed);
        let ran = applied(&from, "", &installed);
        of_from.assert_same(&now(), &format!("{} from nothing\n{ran}", SETUPS[place]));
        assert_eq!(counted(&installed), counted_from);
        let ran = applied(&to, "--disruptive", &installed);
        of_to.assert_same(&now(), &format!("from {} to {name}\n{ran}", SETUPS[place]));
        assert_eq!(counted(&installed), counted_to);
        let ran = applied(NOTHING, "", &installed);
        before.assert_same(&State::with_run(&installed), &format!("from {name} to nothing\n{ran}"));
        assert_eq!(counted(&installed), BTreeSet::new());
    }
}

/// From nothing to the first of these setups, from each to the next one, and from the last one to nothing.
fn each(setups: &[&str], ifupdown: Ifupdown) {
    let _hosts = cards();
    let installed = ifupdown.install(NOTHING);
    installed.ifup("-a").ok();
    let before = State::with_run(&installed);
    let wanted: Vec<_> = setups.iter().map(|name| fresh(&example(name), &installed)).collect();
    let mut from = "nothing";
    for (name, (state, entries)) in setups.iter().zip(wanted) {
        let arguments = if from == "nothing" { "" } else { "--disruptive" };
        let ran = applied(&example(name), arguments, &installed);
        state.assert_same(&now(), &format!("from {from} to {name}\n{ran}"));
        assert_eq!(counted(&installed), entries, "from {from} to {name}");
        from = name;
    }
    let ran = applied(NOTHING, "", &installed);
    before.assert_same(&State::with_run(&installed), &format!("from {from} to nothing\n{ran}"));
    assert_eq!(counted(&installed), BTreeSet::new());
}

/// Applies a file, after which `check` finds nothing.
fn applied(file: &str, arguments: &str, installed: &Installed) -> Ran {
    installed.interfaces(file);
    let ran = installed.ifnetlink(&format!("apply {arguments}")).ok();
    assert_eq!(installed.ifnetlink("check").quiet().stdout, "", "after {ran}");
    ran
}

/// Addresses of an interface that the stock executors brought up: nothing shows who added one that the stanza no longer
/// has, so it is reported. From the first `apply` on it is recorded. Those of other programs stay.
fn addresses(ifupdown: Ifupdown) {
    let _hosts = cards();
    let file = |addresses: &[&str]| {
        let lines = addresses.iter().map(|address| format!("    address {address}\n")).collect::<Vec<_>>();
        format!("auto eth1\niface eth1\n{}", lines.concat())
    };
    let installed = ifupdown.install(&file(&["192.0.2.1/24", "2001:db8::1/64"]));
    installed.ifup("-a").quiet();
    settle();
    assert_eq!(installed.ifnetlink("check").quiet().stdout, "");
    let shown = || {
        let links = ip_json("addr show eth1");
        let addresses = links[0]["addr_info"].as_array().unwrap().clone();
        let global = addresses.into_iter().filter(|address| address["scope"] == "global");
        global.map(|address| address["local"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    let are =
        |addresses: &[&str]| addresses.iter().map(|address| (*address).to_owned()).collect::<BTreeSet<_>>();
    installed.interfaces(&file(&["198.51.100.1/24"]));
    let ran = installed.ifnetlink("apply").ok();
    let warning = "ifnetlink: warning: eth1: addresses that the stanza does not have are kept: 192.0.2.1/24, \
                   2001:db8::1/64; delete them by hand\n";
    assert_eq!(
        (ran.stdout.as_str(), ran.stderr.as_str()),
        ("eth1: ip address add 198.51.100.1/24 dev eth1\n", warning)
    );
    assert_eq!(shown(), are(&["192.0.2.1", "198.51.100.1", "2001:db8::1"]));
    for address in ["192.0.2.1/24", "2001:db8::1/64"] {
        ip(&format!("addr del {address} dev eth1"));
    }
    ip("addr add 203.0.113.7/32 dev eth1");
    installed.interfaces(&file(&["198.51.100.2/24"]));
    let ran = installed.ifnetlink("apply").ok();
    assert!(ran.stderr.contains(": 203.0.113.7/32; delete them by hand\n"), "{ran}");
    assert_eq!(shown(), are(&["198.51.100.2", "203.0.113.7"]));
    assert_eq!(installed.ifnetlink("check").ok().stdout, "");
}

/// Link-local addresses of a stanza, which the stock `static` adds without a mark. The one that the kernel added stays.
fn link_local(ifupdown: Ifupdown) {
    let _hosts = cards();
    ip("link set eth1 address 02:00:00:00:00:77");
    let file = |addresses: &[&str]| {
        let lines = addresses.iter().map(|address| format!("    address {address}\n")).collect::<Vec<_>>();
        format!("auto eth1\niface eth1\n{}", lines.concat())
    };
    let installed = ifupdown.install(&file(&["2001:db8::1/64", "fe80::1/64"]));
    installed.ifup("-a").quiet();
    settle();
    let has = |addresses: &[&str], when: &Ran| {
        let links = ip_json("-6 addr show eth1");
        let all = links[0]["addr_info"].as_array().unwrap().iter();
        let shown: BTreeSet<String> = all
            .map(|address| format!("{}/{}", address["local"].as_str().unwrap(), address["prefixlen"]))
            .collect();
        let wanted: BTreeSet<String> =
            addresses.iter().chain(&["fe80::ff:fe00:77/64"]).map(|address| (*address).to_owned()).collect();
        assert_eq!(shown, wanted, "{when}");
    };
    let ran = installed.ifnetlink("check").quiet();
    assert_eq!(ran.stdout, "");
    has(&["2001:db8::1/64", "fe80::1/64"], &ran);
    let apply = |addresses: &[&str]| {
        installed.interfaces(&file(addresses));
        let ran = installed.ifnetlink("apply").quiet();
        has(addresses, &ran);
        let lines = ran.stdout.lines().map(|line| line.replace("eth1: ip address ", ""));
        lines.collect::<BTreeSet<String>>()
    };
    let lines = |lines: &[&str]| lines.iter().map(|line| format!("{line} dev eth1")).collect();
    // From here on it is recorded that fe80::1 is that of the stanza.
    let added = apply(&["2001:db8::1/64", "fe80::1/64", "fe80::2/64"]);
    assert_eq!(added, lines(&["add fe80::2/64"]));
    let changed = apply(&["2001:db8::1/64", "fe80::2/64", "fe80::3/64"]);
    assert_eq!(changed, lines(&["add fe80::3/64", "del fe80::1/64"]));
    assert_eq!(apply(&["2001:db8::1/64"]), lines(&["del fe80::2/64", "del fe80::3/64"]));
    // That of another program stays.
    ip("addr add fe80::4/64 dev eth1");
    let ran = installed.ifnetlink("check").ok();
    let warning = "ifnetlink: eth1: warning: addresses that the stanza does not have are kept: fe80::4/64; delete them by \
                   hand\n";
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", warning));
}

/// An entry that is lost in the state file is reported and repaired. An `ifup` that runs is waited for.
fn state_file(ifupdown: Ifupdown) {
    let _hosts = cards();
    let file = "auto red\niface red\n    vrf-table 10\n\nauto eth1\niface eth1\n    vrf-member red\n";
    let installed = ifupdown.install(file);
    let before = State::with_run(&installed);
    installed.ifnetlink("apply").ok();
    assert_eq!(counted(&installed), ["eth1", "red"].map(str::to_owned).into());
    let path = installed.path("/run/ifstate");
    let whole = fs::read_to_string(&path).unwrap();
    fs::write(&path, whole.lines().filter(|line| !line.starts_with("eth1=")).collect::<Vec<_>>().join("\n"))
        .unwrap();
    let ran = installed.ifnetlink("check");
    let line = "eth1: ifup does not count it as up; `ifnetlink apply eth1` corrects that\n";
    assert_eq!((ran.status, ran.stdout.as_str(), ran.stderr.as_str()), (3, line, ""));
    installed.ifnetlink("apply eth1").quiet();
    assert_eq!(counted(&installed), ["eth1", "red"].map(str::to_owned).into());
    assert_eq!(installed.ifnetlink("check").quiet().stdout, "");
    // The real ifdown finds what apply brought up.
    installed.ifdown("eth1").quiet();
    installed.ifdown("red").quiet();
    ip("link set lo up");
    before.assert_same(&State::with_run(&installed), "after ifdown");
}

/// A change that the kernel refuses: nothing is changed.
fn refused(ifupdown: Ifupdown) {
    let _hosts = cards();
    let red = "auto red\niface red\n    vrf-table 10\n    vrf-rules yes\n";
    let installed = ifupdown.install(red);
    installed.ifnetlink("apply").ok();
    let before = State::with_run(&installed);
    let route = "    vrf-route 10.1.0.0/16 dev eth1, 10.2.0.0/16 via 203.0.113.1 dev eth1\n";
    let eth1 =
        format!("auto eth1\niface eth1\n    vrf-member red\n    mtu 1400\n    address 192.0.2.1/24\n{route}");
    installed.interfaces(&format!(
        "{}\nauto blue\niface blue\n    vrf-table 20\n\n{eth1}",
        red.replace("rules yes", "rules jump")
    ));
    let json = valid("apply", &installed.ifnetlink("apply --dry-run --json").quiet().stdout);
    let first = serde_json::json!({ "interface": "blue", "text": "ip link add blue type vrf table 20" });
    assert!(json["applied"] == false && json["changes"].as_array().unwrap().contains(&first), "{json}");
    before.assert_same(&State::with_run(&installed), "after a dry run");
    let ran = installed.ifnetlink("apply --json");
    let json = valid("apply", &ran.stdout);
    assert!(ran.status == 1 && ran.stderr.is_empty() && json["applied"] == false, "{ran}");
    assert_eq!(json["changes"], serde_json::json!([]));
    before.assert_same(&State::with_run(&installed), "refused, as JSON");
    let ran = installed.ifnetlink("apply");
    assert_eq!(ran.status, 1, "{ran}");
    assert_eq!(ran.stdout, "", "{ran}");
    let text = "ip -4 route add 10.2.0.0/16 via 203.0.113.1 dev eth1 table 10 protocol 73: ";
    assert!(ran.stderr.starts_with(&format!("ifnetlink: {text}")), "{ran}");
    assert!(ran.stderr.ends_with("; all is as before\n"), "{ran}");
    settle();
    before.assert_same(&State::with_run(&installed), &format!("refused\n{ran}"));
    assert_eq!(counted(&installed), ["red".to_owned()].into());
}

/// Each request to the kernel of the way from one setup to another one fails, or is the last one of a killed program. A
/// failure leads back to the state before; after a kill, the next `apply` leads to the new setup.
fn interrupted(ifupdown: Ifupdown, fate: &str) {
    let _hosts = cards();
    let installed = ifupdown.install(NOTHING);
    installed.ifup("-a").ok();
    let [from, to] = ["management-vrf", "guests-isolated"].map(example);
    let (wanted, _) = fresh(&to, &installed);
    let apply = |file: &str| {
        installed.interfaces(file);
        installed.ifnetlink("apply --disruptive").ok();
    };
    let files = || State::with_run(&installed).without_carriers().without_time(&[]);
    apply(&from);
    settle();
    let before = files();
    // The first third of the requests only reads.
    let step = matrix::count(5, 15);
    let mut failures = 0;
    for number in (step..).step_by(step) {
        installed.interfaces(&to);
        let inject = format!("inject=sendto:{fate}:when={number}");
        let options = ["-f", "-o", "/dev/null", "-e", "trace=sendto", "-e", &inject];
        let ran = installed.traced_ifnetlink(&options, "apply --disruptive");
        settle();
        if ran.status == 0 {
            break;
        }
        failures += 1;
        let when = format!("{fate} at request {number}\n{ran}");
        if fate.starts_with("error") {
            assert_eq!(ran.status, 1, "{when}");
            before.assert_same(&files(), &when);
        } else {
            apply(&to);
            wanted.assert_same(&now(), &when);
            apply(&from);
            settle();
            before.assert_same(&files(), &when);
        }
    }
    assert!(failures > 3, "{failures}");
}

/// `apply` starts no program up or down. If a stanza has commands or needs executors of others: ifup.
fn starts(ifupdown: Ifupdown) {
    let _hosts = cards();
    let installed = ifupdown.install(NOTHING);
    for (name, file) in
        SETUPS.map(|name| (name, example(name))).into_iter().chain([("nothing", NOTHING.to_owned())])
    {
        installed.interfaces(&file);
        let log = format!("/tmp/starts-{name}");
        let options = ["-f", "-qq", "-e", "trace=execve,execveat", "-o", &log];
        installed.traced_ifnetlink(&options, "apply --disruptive").ok();
        let calls = fs::read_to_string(&log).unwrap();
        let started: Vec<&str> =
            calls.lines().filter(|call| call.contains("execve") && call.ends_with(" = 0")).collect();
        let is_native = !["pre-up nft", "vxlan-"].iter().any(|foreign| file.contains(foreign));
        let by_ifup = started.iter().filter(|call| call.contains("sbin/ifup")).count();
        // Two are the chroot of the test, and ifnetlink.
        assert_eq!((started.len() == 2, by_ifup == 0), (is_native, is_native), "{name}: {calls}");
        if !is_native {
            // Otherwise the next setup would need ifdown.
            installed.interfaces(NOTHING);
            installed.ifnetlink("apply --disruptive").ok();
        }
    }
}

/// The end of a new pair joins its VRF or bridge in the message that makes the pair. The result is that of ifup.
fn pair_with_master(ifupdown: Ifupdown) {
    let file = "auto red\niface red\n    vrf-table 10\n    vrf-rules yes\n\n\
                auto br0\niface br0\n    bridge-vlan-filtering yes\n    bridge-default-pvid 5\n\n\
                auto one\niface one\n    veth-peer eth0\n    veth-peer-netns net1\n    hwaddress 02:00:00:00:00:01\n    \
                veth-peer-hwaddress 02:00:00:00:01:01\n    vrf-member red\n    address 10.0.0.1/24\n\n\
                auto two\niface two\n    veth-peer eth0\n    veth-peer-netns net2\n    hwaddress 02:00:00:00:00:02\n    \
                veth-peer-hwaddress 02:00:00:00:01:02\n    bridge-member br0\n    bridge-vlan 10 pvid untagged, 20\n";
    let installed = ifupdown.install(NOTHING);
    let before = State::with_run(&installed);
    let (by_ifup, _) = fresh(file, &installed);
    let options = ["-f", "-qq", "-s", "4096", "-e", "trace=sendto", "-o", "/tmp/pairs"];
    installed.traced_ifnetlink(&options, "apply").ok();
    by_ifup.assert_same(&now(), "by apply");
    let sent = fs::read_to_string("/tmp/pairs").unwrap();
    let joins: Vec<&str> = sent.lines().filter(|line| line.contains("IFLA_MASTER")).collect();
    assert!(joins.len() == 2 && joins.iter().all(|line| line.contains("\"veth\"")), "{joins:#?}");
    installed.interfaces(NOTHING);
    let printed = installed.ifnetlink("apply").ok();
    before.assert_same(&State::with_run(&installed), &printed.to_string());
}

/// Each interface that changes is locked by an open file. The usual limit of open files is 1024; here it is 32.
fn many_files(ifupdown: Ifupdown) {
    let stanza = |number: usize| {
        format!(
            "auto pair{number}\niface pair{number}\n    veth-peer end{number}\n    veth-peer-netns net{number}\n\n"
        )
    };
    let installed = ifupdown.install(&(0..40).map(stanza).collect::<String>());
    installed.ifnetlink_under("prlimit", &["--nofile=32:"], "apply").ok();
    let names = || fs::read_dir(installed.path("/run/netns")).map_or(0, Iterator::count);
    assert_eq!((names(), ip_json("link show type veth").len()), (40, 40));
    installed.interfaces(NOTHING);
    installed.ifnetlink_under("prlimit", &["--nofile=32:"], "apply --disruptive").ok();
    assert_eq!((names(), ip_json("link show type veth").len()), (0, 0));
}

/// A stanza names a link by an alternative name. Few links are read one by one, and many all at once.
fn alternative_name(ifupdown: Ifupdown) {
    for number in 0..12 {
        ip(&format!("link add card{number} type dummy"));
    }
    // Also by one that is not UTF-8.
    let add = ["link", "property", "add", "dev", "card0", "altname"];
    let added = Command::new("ip").args(add).arg(OsStr::from_bytes(b"caf\xe9")).status().unwrap();
    assert!(added.success());
    ip("link property add dev card0 altname uplink");
    let stanza =
        |name: &str, last: usize| format!("auto {name}\niface {name}\n    address 192.0.2.{last}/32\n\n");
    let mut file = stanza("uplink", 100);
    let installed = ifupdown.install(&file);
    installed.ifnetlink("apply").ok();
    assert!(ip("address show dev card0").contains("192.0.2.100/32"));
    file.extend((1..12).map(|number| stanza(&format!("card{number}"), number)));
    file = file.replace("192.0.2.100", "192.0.2.101");
    installed.interfaces(&file);
    installed.ifnetlink("apply").ok();
    let addresses = ip("address show dev card0");
    assert!(addresses.contains("192.0.2.101/32") && !addresses.contains("192.0.2.100/32"), "{addresses}");
    assert!(ip("address show dev card11").contains("192.0.2.11/32"));
    assert_eq!(installed.ifnetlink("check").quiet().stdout, "");
}

/// A VRF with members gets another table: it and its members are taken down and brought up again, and nothing else is.
fn again(ifupdown: Ifupdown) {
    let _hosts = cards();
    let file = |table: u32| {
        format!(
            "auto red\niface red\n    vrf-table {table}\n    vrf-rules yes\n\nauto eth1\niface eth1\n    vrf-member red\n    \
             address 192.0.2.1/24\n    gateway 192.0.2.254\n\nauto eth2\niface eth2\n    address 198.51.100.1/24\n"
        )
    };
    let installed = ifupdown.install(&file(20));
    installed.ifnetlink("apply").quiet();
    let wanted = now();
    installed.interfaces(&file(10));
    let refusal = installed.ifnetlink("apply");
    assert!(
        refusal.status == 1 && refusal.stderr.contains("red exists and is a VRF with table 20"),
        "{refusal}"
    );
    let index = |name: &str| ip_json(&format!("link show {name}"))[0]["ifindex"].clone();
    let (red, eth2) = (index("red"), index("eth2"));
    let ran = installed.ifnetlink("apply --disruptive").ok();
    assert!(ran.stderr.contains("warning: eth1: "), "{ran}");
    assert!(!ran.stdout.contains("eth2"), "{ran}");
    assert_ne!(index("red"), red);
    assert_eq!(index("eth2"), eth2);
    assert_eq!(installed.ifnetlink("check").quiet().stdout, "");
    assert!(ip("route show table 10").contains("default via 192.0.2.254 dev eth1"));
    installed.interfaces(&file(20));
    installed.ifnetlink("apply --disruptive").ok();
    wanted.assert_same(&now(), "there and back");
    assert_eq!(command("ip link show red").status, 0);
}

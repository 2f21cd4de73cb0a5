//! The state of namespaces is saved, destroyed at random by `ip` and `bridge`, and restored.
//!
//! `IFNL_SEQUENCES` (40) is the number of sequences of random changes, which are the same each time. `IFNL_SEED` names
//! one sequence, and only this one is run.

use crate::features::{Feature, needs};
use crate::lab::{Netns, SCRATCH, command, in_lab, ip_json, own_run, settle};
use crate::matrix::{count, seeds};
use crate::random::Random;
use crate::state::State;
use ifupdown_ng_netlink::kernel::live::Live;
use ifupdown_ng_netlink::kernel::netlink::saved;
use ifupdown_ng_netlink::state::{Kept, Links, Place, Saved, Snapshot};
use ifupdown_ng_netlink::values::NetnsRef;
use libtest_mimic::Trial;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::fd::AsRawFd as _;
use std::process::Command;

pub fn tests() -> Vec<Trial> {
    let all = [Feature::Vrf, Feature::Vlan];
    vec![
        needs(&[], "saved/reported", || in_lab(reported)),
        needs(&[], "saved/random-without-vrf", || sequences(false)),
        needs(&all, "saved/random", || sequences(true)),
        needs(&[Feature::Strace, Feature::Vrf, Feature::Vlan], "saved/killed", || in_lab(killed)),
    ]
}

/// The other namespace.
const THERE: &str = "there";

fn there() -> Place {
    Place::In(NetnsRef::Name(THERE.to_owned()))
}

/// The links that are restored, here and there, by names that they have or that the random changes give them.
const ALL: [&str; 15] =
    ["d0", "d1", "d2", "d0.5", "d0.6", "br0", "br0.7", "v0", "p0", "w0", "w1", "red", "blue", "new0", "new1"];

/// These links, here and there.
fn links_named(names: &[&str]) -> Links {
    let names = || names.iter().map(|name| name.parse().unwrap()).collect();
    [(Place::Here, names()), (there(), names())].into()
}

/// Everything that is compared.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    state: State,
    more: Vec<String>,
}

impl Seen {
    fn now() -> Self {
        settle();
        let other = Netns::named(THERE);
        other.within(settle);
        let mut state = State::now().without_time(&[]);
        state.join(THERE, other.within(State::now).without_time(&[]));
        let mut more = Self::more();
        more.extend(other.within(Self::more).into_iter().map(|line| format!("{THERE}: {line}")));
        Self { state, more }
    }

    /// What [`State`] leaves out: indexes, addresses of bridges and VRFs, link-local addresses, VLANs, FDB entries.
    fn more() -> Vec<String> {
        let mut lines = Vec::new();
        for link in ip_json("link") {
            lines.push(format!("{} {} {}", link["ifname"], link["ifindex"], link["address"]));
        }
        for link in ip_json("-6 addr") {
            for address in link["addr_info"].as_array().into_iter().flatten() {
                if address["scope"] == "link" {
                    lines.push(format!("{} {} {}", link["ifname"], address["local"], address["protocol"]));
                }
            }
        }
        let bridge = |words: &str| -> Vec<Value> {
            let text = command(&format!("bridge -j {words}")).ok().stdout;
            if text.trim().is_empty() { Vec::new() } else { serde_json::from_str(&text).unwrap() }
        };
        for entry in bridge("fdb show") {
            let is_learned = entry["state"] == "" && !entry["flags"].to_string().contains("extern_learn");
            if entry.get("master").is_some() && !is_learned {
                lines.push(entry.to_string());
            }
        }
        lines.extend(bridge("vlan show").iter().map(Value::to_string));
        lines.sort();
        lines
    }

    #[track_caller]
    fn assert_same(&self, now: &Self, when: &str) {
        let mut difference = self.state.differences(&now.state);
        for (mark, these, those) in [("-", &self.more, &now.more), ("+", &now.more, &self.more)] {
            let only = these.iter().filter(|line| !those.contains(line));
            difference.extend(only.map(|line| format!("{mark} {line}")));
        }
        assert!(difference.is_empty(), "{when}:\n{}", difference.join("\n"));
    }
}

/// Commands for `ip`, or for `bridge` after `bridge:`. A kernel without VRFs may have no dummies either, and ifb is similar.
fn run(lines: &[&str], full: bool, must_succeed: bool) {
    for line in lines {
        let line = if full { (*line).to_owned() } else { line.replace("type dummy", "type ifb") };
        let line = if full {
            line.replace("snooping 0", "snooping 0 vlan_filtering 1 vlan_default_pvid 5")
        } else {
            line
        };
        if line == "settle" {
            settle();
            continue;
        }
        let ran = match line.strip_prefix("bridge:") {
            Some(words) => command(&format!("bridge {words}")),
            None => command(&format!("ip {line}")),
        };
        if must_succeed {
            ran.ok();
        }
    }
}

/// Links of every kind with everything that is restored.
#[allow(clippy::too_many_lines, reason = "a list")]
fn build(full: bool) {
    run(
        &[
            "netns add there",
            "-n there link set lo up",
            "link add name d0 address 02:00:00:00:00:d0 txqueuelen 77 type dummy",
            "link set d0 mtu 1480 alias a-card group 7 up",
            "link property add dev d0 altname dummy-zero",
            "link add name d1 address 02:00:00:00:00:d1 type dummy",
            "link set d1 up promisc on allmulticast on arp off",
            "link add name d2 address 02:00:00:00:00:d2 type dummy",
            "link add name u0 address 02:00:00:00:00:0f type dummy",
            "link set u0 up",
            "link add name br0 address 02:00:00:00:00:b0 type bridge ageing_time 12300 priority 4096 mcast_snooping 0",
            "link add name v0 address 02:00:00:00:00:a0 type veth peer name p0 address 02:00:00:00:00:a1 netns there",
            "link add name w0 address 02:00:00:00:00:c0 type veth peer name w1 address 02:00:00:00:00:c1",
            "link set v0 master br0 up",
            "link set w0 master br0 up",
            "link set v0 type bridge_slave isolated on learning off cost 17 hairpin on",
            "link set br0 up",
            "link set w1 up addrgenmode none",
            "-n there link set p0 up mtu 1400",
            "addr add 10.0.0.1/24 dev d0 label d0:one",
            "addr add 10.0.0.2/24 dev d0",
            "addr add 10.0.0.3/24 dev d0 valid_lft 90000 preferred_lft 80000",
            "addr add 10.0.1.1 peer 10.0.1.2/32 dev d0 metric 44",
            "addr add 10.0.2.1/24 broadcast + scope link dev d1",
            "addr add 10.0.3.1/24 dev d1 noprefixroute",
            "addr add 10.0.4.1/24 dev br0",
            "addr add 10.0.5.1/24 dev u0",
            "addr add fd00:1::1/64 dev d0",
            "addr add fd00:1::2/64 dev d0 nodad",
            "addr add fd00:1::3/64 dev d0 valid_lft 90000 preferred_lft 0",
            "addr add fd00:2::1 peer fd00:2::2 dev d0 metric 55",
            "addr add fd00:3::1/64 dev d1 noprefixroute",
            "addr add fd00:4::1/64 dev br0 home",
            "addr add fd00:5::1/64 dev u0",
            "-n there addr add 10.0.4.2/24 dev p0",
            "-n there addr add fd00:4::2/64 dev p0",
            "-n there route add default via 10.0.4.1",
            "route add 10.1.0.0/16 via 10.0.0.9 dev d0 src 10.0.0.2 metric 5 mtu 1300 advmss 1200",
            "route add 10.1.0.0/16 via 10.0.0.8 dev d0 metric 6 proto 99",
            "route add 10.2.0.0/16 nexthop via 10.0.0.9 dev d0 weight 3 nexthop via 10.0.4.9 dev br0",
            "route add 10.3.0.0/16 via 192.0.2.1 dev d0 onlink",
            "route add 10.4.0.0/16 via 10.3.0.1 dev d0 onlink table 50",
            "route add blackhole 10.5.0.0/16 proto 73",
            "route add 10.6.0.0/16 dev u0 src 10.0.0.2",
            "route add 10.7.0.0/16 dev d1 scope link tos 8 table 60 proto 73",
            "route add local 10.8.0.0/16 dev lo table 60 proto 73",
            "route add fd01::/32 via fd00:1::9 dev d0 pref high metric 5",
            "route add fd02::/32 nexthop via fd00:1::9 dev d0 nexthop via fd00:4::9 dev br0",
            "route add fd03::/32 dev d0 src fd00:1::2 table 50",
            "route add unreachable fd04::/32 metric 4278198272 proto 73",
            "settle",
            "nexthop add id 7 via 10.0.0.9 dev d0",
            "nexthop add id 8 via 10.0.4.9 dev br0",
            "nexthop add id 9 group 7/8",
            "route add 10.9.0.0/16 nhid 7",
            "route add 10.10.0.0/16 nhid 9",
            "rule add pref 100 from 10.9.9.0/24 table 50 proto 73",
            "rule add pref 100 iif d0 table 60 proto 99",
            "rule add pref 200 not fwmark 7 goto 32766 proto 73",
            "-6 rule add pref 100 to fd09::/32 table 50 proto 73",
            "-6 rule add pref 300 oif d1 prohibit",
        ],
        full,
        true,
    );
    if full {
        run(
            &[
                "link add name red type vrf table 100",
                "link set red up",
                "link add name blue type vrf table 200",
                "link set blue up",
                "link set d2 master red up",
                "link set w1 master blue",
                "addr add 127.0.0.1/8 dev red",
                "addr add 10.20.0.1/24 dev d2",
                "addr add fd20::1/64 dev d2",
                "addr add 10.21.0.1/24 dev w1",
                "route add default via 10.20.0.9 vrf red",
                "route add 10.22.0.0/16 via 10.0.5.9 dev u0 table 100",
                "route add unreachable default metric 4278198272 table 100",
                "route add fd22::/32 via fd20::9 vrf red",
                "route add 10.23.0.0/16 via 10.21.0.9 dev w1 table 200",
                "bridge:vlan add vid 10-20 dev v0",
                "bridge:vlan add vid 30 pvid untagged dev v0",
                "bridge:vlan del vid 5 dev w0",
                "bridge:vlan add vid 7 dev br0 self",
                "bridge:fdb add 02:00:00:00:01:04 dev v0 master static vlan 10",
                "link add link d0 name d0.5 type vlan id 5",
                "link set d0.5 up mtu 1300",
                "addr add 10.24.0.1/24 dev d0.5",
                "addr add fd24::1/64 dev d0.5",
                "link add link d0 name d0.6 type vlan proto 802.1ad id 6 loose_binding on",
                "link add link br0 name br0.7 address 02:00:00:00:00:b7 type vlan id 7",
                "link set br0.7 up",
                "addr add 10.25.0.1/24 dev br0.7",
                "route add 10.26.0.0/16 via 10.25.0.9",
            ],
            full,
            true,
        );
    }
    // After the VLANs: the kernel adds them to each VLAN of a port.
    run(
        &[
            "bridge:fdb add 02:00:00:00:01:01 dev v0 master static",
            "bridge:fdb add 02:00:00:00:01:02 dev w0 master static sticky",
            "bridge:fdb add 02:00:00:00:01:03 dev w0 master extern_learn",
        ],
        full,
        true,
    );
}

/// A random change, which may fail.
fn change(random: &mut Random, full: bool, links: &[&str], own: &str) -> String {
    let link = random.one(links);
    let mut masters = vec!["nomaster", "master br0"];
    if full {
        masters.extend(["master red", "master blue"]);
    }
    let words = match random.below(if full { 30 } else { 26 }) {
        0 | 1 => format!("link set {link} down"),
        2 => format!("link set {link} up"),
        3 | 4 => format!("link del {link}"),
        5 => format!("link set {link} down; link set {link} name new1"),
        6 => format!("link set new1 name {link}"),
        7 | 8 => format!("link set {link} netns there"),
        9 => format!("link set {link} {}", random.one(&masters)),
        10 => format!("link set {link} mtu {}", random.one(&[1000, 1280, 1500, 9000])),
        11 => format!("link set {link} address 02:00:00:00:02:{:02x}", random.below(200)),
        12 => format!("addr flush dev {link}"),
        13 => format!("addr del {} dev d0", random.one(&["10.0.0.1/24", "10.0.0.2/24", "fd00:1::1/64"])),
        14 => format!("addr add 10.0.0.{}/24 dev {link}", random.below(200)),
        15 => format!("addr add fd00:1::{}/64 dev {link}", random.below(200)),
        16 => {
            format!("route flush {}", random.one(&["table 50", "table 100 proto boot", "dev d0", "dev br0"]))
        }
        17 => format!("-6 route flush table {} proto boot", random.one(&["50", "100"])),
        18 => format!(
            "route add 10.{}.0.0/16 dev {link} table {}",
            30 + random.below(9),
            random.one(&[50, 254])
        ),
        19 => format!("{}rule flush proto 73", random.one(&["", "-6 "])),
        20 => random
            .one(&[
                "rule add pref 100 from 10.9.8.0/24 table 51 proto 73",
                // As `vrf-rules` does. The kernel does not show the priority 0.
                "rule add pref 32000 table local proto 73; rule del pref 0",
            ])
            .to_string(),
        21 => format!("link del {link}; link add name {link} type dummy"),
        22 => format!("link set {link} alias other group 0 txqueuelen 9 promisc off arp on"),
        23 => format!("link set {link} addrgenmode {}", random.one(&["eui64", "none"])),
        24 => "link set br0 type bridge ageing_time 30000 priority 8 mcast_snooping 1".to_owned(),
        25 => random
            .one(&[
                "bridge:fdb del 02:00:00:00:01:01 dev v0 master",
                "bridge:fdb add 02:00:00:00:01:09 dev w0 master static",
                "link set v0 type bridge_slave isolated off learning on cost 4 hairpin off",
                "nexthop del id 7",
                "link property del dev d0 altname dummy-zero",
            ])
            .to_string(),
        26 => {
            format!("link del {link}; link add name {link} type vrf table {}", random.one(&[100, 200, 300]))
        }
        27 => "link set br0 type bridge vlan_filtering 0 vlan_default_pvid 1".to_owned(),
        28 => format!("bridge:vlan del vid {} dev v0", random.one(&[10, 15, 30])),
        _ => format!("bridge:vlan add vid {} dev {}", random.one(&[5, 12, 40]), random.one(&["v0", "w0"])),
    };
    let is_there = random.below(5) == 0 && !words.starts_with("bridge:");
    if !is_there {
        return words;
    }
    let words = words.replace("netns there", &format!("netns {own}"));
    words.split("; ").map(|words| format!("-n there {words}")).collect::<Vec<_>>().join("; ")
}

/// Random changes, each sequence in namespaces of its own.
fn sequences(full: bool) {
    let mut failed = Vec::new();
    for seed in seeds("IFNL_SEQUENCES", count(40, if full { 4 } else { 1 })) {
        let outcome = std::panic::catch_unwind(|| in_lab(|| sequence(seed, full)));
        failed.extend(outcome.is_err().then_some(seed));
    }
    assert!(failed.is_empty(), "sequences with IFNL_SEED={failed:?} failed");
}

fn with_rules() -> Kept {
    Kept { rules: true, ..Kept::default() }
}

fn sequence(seed: u64, full: bool) {
    own_run();
    build(full);
    let mut random = Random(seed);
    let kept = Kept {
        sysctls: ["net.ipv4.conf.d0.forwarding", "net.ipv6.conf.d1.accept_ra"]
            .iter()
            .map(|key| key.parse().unwrap())
            .collect(),
        ..with_rules()
    };
    fs::write("/proc/sys/net/ipv4/conf/d0/forwarding", "1").unwrap();
    fs::write("/proc/sys/net/ipv6/conf/d1/accept_ra", "2").unwrap();
    settle();
    let places = BTreeMap::from([(Place::Here, kept), (there(), with_rules())]);
    let text = Live::new(None, None).save(&places, &Snapshot::default()).unwrap().to_string();
    // Other programs go on meanwhile.
    run(
        &[
            "addr add 10.0.5.2/24 dev u0",
            "route add 10.60.0.0/16 via 10.0.5.9 dev u0",
            "rule add pref 150 from 10.60.0.0/16 table 50",
            "link set u0 mtu 1450",
        ],
        full,
        true,
    );
    let before = Seen::now();
    let file = File::open("/proc/thread-self/ns/net").unwrap();
    let own = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
    // Sometimes only a few links are changed, and all others must stay.
    let few: Vec<&str> = (0..2).map(|_| random.one(&ALL)).chain(["new0", "new1"]).collect();
    let is_few = seed % 2 == 1;
    let links = if is_few { &few[..] } else { &ALL[..] };
    let mut changes = format!("  {links:?}\n");
    let mut left = 3 + random.below(16);
    while left > 0 {
        let words = change(&mut random, full, links, &own);
        let is_of_link = |name: &&str| words.split([' ', ';']).any(|word| word == *name);
        if is_few && !links.iter().any(is_of_link) {
            continue;
        }
        run(&words.split("; ").collect::<Vec<_>>(), full, false);
        changes = format!("{changes}  {words}\n");
        left -= 1;
    }
    // Another process restores.
    let saved = Saved::parse(&text).unwrap();
    let touched = saved::affected(&saved, &links_named(links));
    let failures = Live::new(None, None).restore(&saved, &touched);
    // The addresses can be used at once.
    let shown = ip_json("-6 addr show tentative");
    let unusable = shown.iter().filter(|link| {
        let name = link["ifname"].as_str().unwrap_or_default();
        touched[&Place::Here].iter().any(|touched| touched.as_str() == name)
            && link["addr_info"].as_array().is_some_and(|addresses| !addresses.is_empty())
    });
    let unusable: Vec<String> = unusable.map(Value::to_string).collect();
    assert!(unusable.is_empty(), "IFNL_SEED={seed}\n{changes}{unusable:#?}");
    let failures: Vec<String> = failures.iter().map(ToString::to_string).collect();
    let when = format!("IFNL_SEED={seed}\n{changes}failures {failures:#?}");
    before.assert_same(&Seen::now(), &when);
    assert!(failures.is_empty(), "{when}");
    let quiet = Live::new(None, None).restore(&saved, &touched);
    assert!(quiet.is_empty(), "again: {quiet:?}");
    before.assert_same(&Seen::now(), &format!("again, {when}"));
}

/// What cannot be restored is reported, and the rest is restored. A link comes back from a namespace that did not exist
/// when the state was saved.
fn reported() {
    own_run();
    let all = [
        "netns add gone",
        "link add name e0 type veth peer name e1",
        "link set e0 up",
        "link set e1 up",
        "addr add 10.0.0.1/24 dev e0",
        "addr add fd00::1/64 dev e0",
        "tuntap add name t0 mode tap",
        "addr add 10.0.1.1/24 dev t0",
    ];
    run(&all, true, true);
    settle();
    let see = || {
        let links = ip_json("link show dev e0").iter().map(|link| link["ifindex"].to_string()).collect();
        [links, ip_json("addr show dev e0")[0]["addr_info"].to_string()]
    };
    let before = see();
    let gone = Place::In(NetnsRef::Name("gone".to_owned()));
    let late = Place::In(NetnsRef::Name("late".to_owned()));
    let places = BTreeMap::from([(Place::Here, Kept::default()), (gone.clone(), Kept::default())]);
    let saved = Live::new(None, None).save(&places, &Snapshot::default()).unwrap();
    run(&["netns del gone", "netns add late", "link set e0 netns late", "link del t0"], true, true);
    let names = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect();
    let links = Links::from([
        (Place::Here, names(&["e0", "e1", "t0"])),
        (gone, names(&["x"])),
        (late, names(&["e0"])),
    ]);
    let failures = Live::new(None, None).restore(&saved, &links);
    let failures: Vec<String> = failures.iter().map(ToString::to_string).collect();
    assert_eq!(
        failures,
        [
            "gone: namespace: this namespace does not exist any more",
            "link t0: a link of this kind cannot be made again"
        ]
    );
    settle();
    assert_eq!(see(), before);
}

/// The file with the saved state, in a process that only restores it.
const RESTORE: &str = "IFNL_RESTORE";

/// Restores in a process of its own: this program with another variable.
pub fn restore_if_asked() -> bool {
    let Some(file) = std::env::var_os(RESTORE) else { return false };
    let saved = Saved::parse(&fs::read_to_string(file).unwrap()).unwrap();
    Live::new(None, None).restore(&saved, &links_named(&ALL));
    true
}

/// A process that restores is killed at every call that changes anything, or some of them. Then another one restores.
fn killed() {
    own_run();
    build(true);
    settle();
    let places = BTreeMap::from([(Place::Here, with_rules()), (there(), with_rules())]);
    let text = Live::new(None, None).save(&places, &Snapshot::default()).unwrap().to_string();
    let file = format!("{SCRATCH}/saved");
    fs::write(&file, &text).unwrap();
    let (saved, before) = (Saved::parse(&text).unwrap(), Seen::now());
    let (step, mut kills) = (count(12, 60), 0);
    for number in (5..).step_by(step) {
        let destroy = [
            "link del red",
            "link add name red type vrf table 300",
            "link set d0 down",
            "addr flush dev br0",
            "link del d0.5",
            "link set w1 netns there",
            "link del v0",
            "link set d1 down",
            "link set d1 name new0",
            "link set d2 down",
            "link set d2 name d1",
            "rule flush proto 73",
            "rule add pref 90 from 10.9.8.0/24 table 51 proto 73",
            "route flush table 50",
            "link add name new1 type dummy",
        ];
        run(&destroy, true, true);
        let inject = format!("inject=sendto,setns,write:signal=KILL:when={number}");
        let mut strace = Command::new("strace");
        strace.args(["-qq", "-o", "/dev/null", "-e", "trace=sendto,setns,write", "-e", &inject]);
        strace.arg(std::env::current_exe().unwrap()).env(RESTORE, &file);
        let was_killed = crate::lab::run(&mut strace).status != 0;
        let failures = Live::new(None, None).restore(&saved, &links_named(&ALL));
        let when = format!("killed at call {number}: {failures:?}");
        before.assert_same(&Seen::now(), &when);
        assert!(failures.is_empty(), "{when}");
        if !was_killed {
            break;
        }
        kills += 1;
    }
    println!("{kills} kills");
    assert!(kills > count(5, 1), "only {kills} kills");
}

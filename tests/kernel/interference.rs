//! Random sequences of `ifup`, `ifdown` and acts of other programs on one kernel, and invariants checked after each
//! act.
//!
//! - Our acts remove and change nothing of other programs: their rules, routes, links, VLANs, FDB entries, namespaces
//!   and sysctls are seen as before.
//! - While the VRF's rules exist, the host behind a VRF member reaches no host in the table main.
//! - After a forced `ifdown` of everything (every third time twice) nothing of ours is left. Every fourth time,
//!   everything that other programs created is then removed, and `ifup -a` gives the full state again.
//!
//! `IFNL_SEQUENCES` (50, 16 in the short form) is the number of sequences, which are the same each time. `IFNL_SEED`
//! names one sequence, and only this one is run. A failure prints the seed and the acts so far.
//!
//! The state is checked with `ip -j`, `bridge -j`, the files below `/run` and pings.

use crate::features::{Feature, needs};
use crate::ifupdown::{Executors, Ifupdown, Installed, Shell, Version};
use crate::lab::{Netns, Ran, in_lab, ip, ip_batch, run};
use crate::matrix::{count, seeds};
use crate::probe::ping;
use crate::random::Random;
use crate::shown::Shown;
use libtest_mimic::Trial;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

/// Tests that share the sequences, so that several machines can run them.
const SHARES: u64 = 4;

pub fn tests() -> Vec<Trial> {
    let needed = [Feature::Vrf, Feature::Vlan, Feature::Roots];
    let share = |share| needs(&needed, format!("interference/{share}"), move || sequences(share));
    (0..SHARES).map(share).collect()
}

/// Acts that break an invariant by a known fault (docs of faults, by number). Set to true to enable them.
mod known {
    /// H5: if other programs deleted a link or its namespace, `ifdown` of 0.12.1 ends before our part (the stock
    /// `static` fails), and our files in `/run` stay.
    pub const MISSING_LINK_GOES_DOWN: bool = false;
}

fn sequences(share: u64) {
    let all = seeds("IFNL_SEQUENCES", count(50, 8));
    let plans: Vec<Plan> = all.map(Plan::new).filter(|plan| plan.share() == share).collect();
    let mut failed = Vec::new();
    let mut full = BTreeMap::new();
    let mut acts = 0;
    let start = processor_seconds();
    for plan in &plans {
        let seed = plan.seed;
        let full: &[String] = if plan.ends_with_all_up() {
            full.entry((plan.version as u8, plan.stanzas()))
                .or_insert_with(|| in_lab(|| World::new(plan).full()))
        } else {
            &[]
        };
        let told = in_lab(|| World::new(plan).sequence(plan, full));
        acts += plan.acts.len();
        if let Err(told) = told {
            println!("interference: IFNL_SEED={seed} fails\n{told}\n");
            failed.push(seed);
        }
    }
    println!(
        "interference: {} sequences, {acts} acts, {} failed, {} s of processor time",
        plans.len(),
        failed.len(),
        processor_seconds() - start
    );
    assert!(failed.is_empty(), "sequences with IFNL_SEED={failed:?} failed");
}

/// The processor time of the machine since it started.
fn processor_seconds() -> u64 {
    let text = fs::read_to_string("/proc/stat").unwrap();
    let numbers: Vec<u64> =
        text.lines().next().unwrap().split(' ').filter_map(|word| word.parse().ok()).collect();
    // User, nice and system time, in hundredths of a second.
    numbers[..3].iter().sum::<u64>() / 100
}

/// Stanzas that belong together.
struct Group {
    stanzas: &'static str,
    names: &'static [&'static str],
    /// The cards that they need.
    cards: &'static [&'static str],
}

const VRF: Group = Group {
    stanzas: "auto red
iface red
    vrf-table 10
    vrf-rules LAYOUT
    vrf-accept tcp
    vrf-route unreachable default metric 4278198272

auto eth0
iface eth0
    vrf-member red
    address 10.0.0.1/24
    address fd00::1/64

auto eth1
iface eth1
    vrf-member red
    address 10.0.1.1/24
    vrf-route 10.7.0.0/16 via 10.0.1.5
",
    names: &["red", "eth0", "eth1"],
    cards: &["eth0", "eth1"],
};

const NETNS: Group = Group {
    stanzas: "auto eth2
iface eth2
    use netns
    netns blue
    netns-ifname lan
    netns-address 10.0.2.1/24
    netns-route 10.8.0.0/16 via 10.0.2.5
    netns-sysctl net.ipv4.ip_forward=1

auto pair
iface pair
    address 10.0.4.1/30
    veth-peer inner
    veth-peer-netns blue
    veth-peer-address 10.0.4.2/30
",
    names: &["eth2", "pair"],
    cards: &["eth2"],
};

const BRIDGE: Group = Group {
    stanzas: "auto br0
iface br0
    bridge-vlan-filtering yes
    bridge-default-pvid none

auto eth3
iface eth3
    bridge-member br0
    bridge-vlan 10 pvid untagged, 20
    bridge-fdb 02:00:00:00:03:05 vlan 10

auto eth4
iface eth4
    bridge-member br0
    bridge-vlan 20 pvid untagged
",
    names: &["br0", "eth3", "eth4"],
    cards: &["eth3", "eth4"],
};

/// What another program creates besides ours: lines for `ip`, `ip -4`, `ip -6` or `bridge`. Most differ from ours in
/// one attribute only.
const OTHERS: &[&[&str]] = &[
    &["ip link add other0 type dummy", "ip link set other0 up", "ip addr add 192.0.2.129/25 dev other0"],
    // A VRF by hand, with a member.
    &[
        "ip link add green type vrf table 30",
        "ip link add green0 type dummy",
        "ip link set green0 master green",
    ],
    &["ip link add green type vrf table 30", "ip link set green up"],
    // Rules: another selector, priority, table, protocol.
    &["ip -4 rule add pref 2000 from 198.51.100.0/24 unreachable"],
    &["ip -6 rule add pref 2000 from 2001:db8::/32 unreachable"],
    &["ip -4 rule add pref 2000 iif lo unreachable"],
    &["ip -4 rule add pref 2000 l3mdev unreachable protocol 4"],
    &["ip -6 rule add pref 2000 l3mdev unreachable protocol 4"],
    &["ip -4 rule add pref 2001 l3mdev unreachable protocol 4"],
    &["ip -4 rule add pref 32765 lookup local protocol 4"],
    &["ip -6 rule add pref 32765 lookup local protocol 4"],
    &["ip -4 rule add pref 32765 lookup 99 protocol 4"],
    &["ip -4 rule add pref 32765 from 198.51.100.0/24 lookup local protocol 4"],
    &["ip -4 rule add pref 1000 from 198.51.100.0/24 lookup 10 protocol 4"],
    &["ip -4 rule add pref 5270 lookup 52 protocol 4"],
    &["ip -4 rule add pref 100 tos 0x10 lookup 10 protocol 4"],
    // Routes: another metric, protocol, table, type, TOS.
    &["ip -4 route add unreachable default table 10 metric 100 protocol 4"],
    &["ip -4 route add unreachable default table 10 metric 4278198272 protocol 4"],
    &["ip -4 route add blackhole default table 10 metric 4278198271 protocol 4"],
    &["ip -4 route add unreachable default tos 0x10 table 10 metric 4278198272 protocol 4"],
    &["ip -4 route add unreachable default table 11 metric 4278198272 protocol 4"],
    &["ip -4 route add unreachable 10.7.0.0/16 table 10 metric 7 protocol 4"],
    &["ip -4 route add unreachable 10.7.0.0/16 table main protocol 4"],
    &["ip -6 route add unreachable default table 10 metric 4278198271 protocol 4"],
    &["ip -4 route add unreachable 10.0.0.0/24 table 99 protocol 4"],
    // A bridge by hand.
    &[
        "ip link add other-br type bridge vlan_filtering 1",
        "ip link add other-port type dummy",
        "ip link set other-port master other-br",
        "bridge vlan add vid 20 untagged dev other-port",
        "bridge fdb add 02:00:00:00:03:05 dev other-port master static vlan 20",
    ],
    // In our bridge, on our port.
    &["ip link add guest0 type dummy", "ip link set guest0 master br0", "bridge vlan add vid 10 dev guest0"],
    &["bridge fdb add 02:00:00:00:03:06 dev eth3 master static vlan 20"],
    &["ip link add link eth4 name eth4.7 type vlan id 7"],
    // Namespaces by hand, one of them with the name of ours, and links in them.
    &["ip netns add side"],
    &["ip netns add blue"],
    &["ip link add guest1 type dummy", "ip link set guest1 netns blue"],
    // Links with the names of ours.
    &["ip link add red type dummy"],
    &["ip link add red type vrf table 11"],
    &["ip link add br0 type dummy"],
    &["ip link add pair type dummy"],
];

#[derive(Debug, Clone, Copy)]
enum Act {
    Up(&'static str),
    UpForced(&'static str),
    Down(&'static str),
    /// An entry of [`OTHERS`].
    Add(usize),
    /// A link is renamed, and renamed back at the next act of this kind for it.
    Rename(&'static str),
    /// A link is moved to a namespace `side`, and moved back at the next act of this kind for it.
    Move(&'static str),
    Delete(&'static str),
    /// A card is created again if it is missing.
    Remake(&'static str),
    /// The namespace `blue` is deleted.
    DeleteNetns,
    /// The same, and it is created again.
    RemakeNetns,
    /// A member of the VRF, or a port, is released from its master.
    Release(&'static str),
    /// A sysctl that no stanza names.
    Sysctl(&'static str),
}

const SYSCTLS: [&str; 2] = ["net/ipv4/ip_default_ttl", "net/ipv4/conf/lo/arp_ignore"];

/// A sequence, by its seed.
struct Plan {
    seed: u64,
    version: Version,
    layout: &'static str,
    groups: Vec<&'static Group>,
    acts: Vec<Act>,
}

impl Plan {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let version = random.one(&Version::ALL);
        let bookworm = version == Version::Bookworm;
        // Each layout with each version, in as few sets of stanzas as possible.
        let (groups, layout) = match random.below(6) {
            0 | 1 => (vec![&VRF], if bookworm { "yes" } else { "jump" }),
            2 | 3 => (vec![&VRF, &NETNS], if bookworm { "jump" } else { "yes" }),
            4 => (vec![&NETNS], ""),
            _ => (vec![&BRIDGE], ""),
        };
        let names: Vec<&str> = groups.iter().flat_map(|group| group.names).copied().collect();
        let mut acts: Vec<Act> = Vec::new();
        if random.below(2) == 0 {
            acts.extend(names.iter().map(|name| Act::Up(name)));
        }
        for _ in 0..4 + random.below(5) {
            let name = random.one(&names);
            let act = match random.below(24) {
                0..=4 => Act::Up(name),
                5 | 6 => Act::UpForced(name),
                7..=10 => Act::Down(name),
                11..=17 => Act::Add(random.below(OTHERS.len())),
                18 => Act::Rename(name),
                19 => Act::Move(name),
                20 => random.one(&[Act::Delete(name), Act::Release(name)]),
                21 => Act::Remake(name),
                22 => random.one(&[Act::DeleteNetns, Act::RemakeNetns]),
                _ => Act::Sysctl(random.one(&SYSCTLS)),
            };
            acts.push(act);
        }
        Self { seed, version, layout, groups, acts }
    }

    /// Whether everything goes up at its end, which takes as long as everything before.
    fn ends_with_all_up(&self) -> bool {
        self.seed % 4 == 0
    }

    /// The share that runs it. Sequences with the same stanzas are in the same share, which makes their full state once.
    fn share(&self) -> u64 {
        let second = self.groups.len() > 1 || self.names().any(|name| name == "br0");
        self.version as u64 * 2 + u64::from(second)
    }

    fn stanzas(&self) -> String {
        let all: Vec<&str> = self.groups.iter().map(|group| group.stanzas).collect();
        all.join("\n").replace("LAYOUT", self.layout)
    }

    fn names(&self) -> impl Iterator<Item = &'static str> {
        self.groups.iter().flat_map(|group| group.names).copied()
    }

    fn cards(&self) -> impl Iterator<Item = &'static str> {
        self.groups.iter().flat_map(|group| group.cards).copied()
    }
}

/// The state, a line each, and what a sequence needs to know about it.
#[derive(Debug, Clone, Default)]
struct Seen {
    lines: BTreeSet<String>,
    links: BTreeMap<String, Link>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Link {
    index: u64,
    kind: String,
    master: String,
}

impl Seen {
    fn has(&self, line: &str) -> bool {
        self.lines.contains(line)
    }

    fn index(&self, name: &str) -> Option<u64> {
        self.links.get(name).map(|link| link.index)
    }

    fn master(&self, name: &str) -> &str {
        self.links.get(name).map_or("", |link| &link.master)
    }

    /// Whether the kernel refuses packets of a VRF whose table has no route.
    fn is_closed(&self) -> bool {
        self.lines.iter().any(|line| {
            line.starts_with("-4 rule ") && line.contains("l3mdev") && line.contains("unreachable")
        })
    }
}

struct World {
    installed: Installed,
    home: File,
    cards: Vec<&'static str>,
    /// The host behind all cards but `eth9`.
    behind: Netns,
    /// The host behind `eth9`, which is in the table main and not a card of a stanza.
    main: Netns,
    told: String,
    /// What other programs have added, by its index in [`OTHERS`].
    added: BTreeSet<usize>,
    /// Lines of other programs that must be seen.
    others: BTreeSet<String>,
    /// Links that another program moved or renamed, and the command that moves or renames them back.
    astray: BTreeMap<String, String>,
    /// What `ifup` has brought up and `ifdown` has not taken down.
    up: BTreeSet<&'static str>,
    /// Whether other programs deleted the namespace `blue`, or a link of a stanza.
    deleted: bool,
    /// Whether other programs changed the VRF, or a member of it, since the member went up.
    breached: bool,
}

/// The host behind `eth9`.
const FAR_IN_MAIN: [&str; 2] = ["192.0.2.5", "2001:db8::5"];
/// What the host behind a VRF member must not reach: the host behind `eth9`, and this host's address in the table main.
const IN_MAIN: [&str; 3] = [FAR_IN_MAIN[0], FAR_IN_MAIN[1], "192.0.2.1"];

impl World {
    fn new(plan: &Plan) -> Self {
        let (behind, main) = (Netns::new(), Netns::new());
        // An address is usable at once, and is shown the same each time.
        fs::write("/proc/sys/net/ipv6/conf/default/accept_dad", "0").unwrap();
        for card in plan.cards() {
            make_card(&behind, card);
        }
        main.join("eth9", "eth0");
        ip_batch(&["addr add 192.0.2.1/25 dev eth9", "addr add 2001:db8::1/64 dev eth9"]);
        main.ip_batch(&[
            &format!("addr add {}/25 dev eth0", FAR_IN_MAIN[0]),
            &format!("addr add {}/64 dev eth0 nodad", FAR_IN_MAIN[1]),
            "route add 10.0.0.0/8 via 192.0.2.1",
            "route add fd00::/16 via 2001:db8::1",
        ]);
        for key in ["net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"] {
            fs::write(format!("/proc/sys/{key}"), "1").unwrap();
        }
        let ifupdown = Ifupdown { version: plan.version, executors: Executors::Replaced, shell: Shell::Dash };
        Self {
            installed: ifupdown.install(&plan.stanzas()),
            home: File::open("/proc/thread-self/ns/net").unwrap(),
            cards: plan.cards().collect(),
            behind,
            main,
            told: format!(
                "{:?}, vrf-rules {}, {:?}",
                plan.version,
                plan.layout,
                plan.names().collect::<Vec<_>>()
            ),
            added: BTreeSet::new(),
            others: BTreeSet::new(),
            astray: BTreeMap::new(),
            up: BTreeSet::new(),
            deleted: false,
            breached: false,
        }
    }

    /// Everything up, as `ip` and `bridge` show it without other acts. The ping out of the VRF is first tried without a
    /// VRF, to prove that the ping works.
    fn full(self) -> Vec<String> {
        if self.cards.contains(&"eth0") {
            ip_batch(&["link set eth0 up", "addr add 10.0.0.1/24 dev eth0", "addr add fd00::1/64 dev eth0"]);
            for to in IN_MAIN {
                self.behind.within(|| ping(to, None)).expect("the path that the VRF blocks");
            }
            ip_batch(&["link set eth0 down", "addr flush dev eth0"]);
        }
        self.installed.ifup("-X lo -a").quiet();
        let full = self.full_lines();
        self.installed.ifdown("-X lo -a").quiet();
        full
    }

    /// Everything that is up, here and in the namespace `blue`.
    fn full_lines(&self) -> Vec<String> {
        let mut lines = Shown::now(None).lines();
        let blue = self.installed.path("/run/netns/blue");
        if is_netns(&blue) {
            let inside = Netns::at(&blue).within(|| Shown::now(None).lines());
            lines.extend(inside.into_iter().map(|line| format!("in blue {line}")));
        }
        // Other programs made these rules, or the kernel did once a VRF existed.
        lines.retain(|line| !line.contains("\"priority\":1000,"));
        lines
    }

    fn tell(&mut self, ran: &Ran) {
        use std::fmt::Write as _;
        let said = format!("{}{}", ran.stdout, ran.stderr);
        let _ = write!(self.told, " (status {})", ran.status);
        for line in said.lines() {
            let _ = write!(self.told, "\n      {line}");
        }
    }

    fn sequence(mut self, plan: &Plan, full: &[String]) -> Result<(), String> {
        let mut before = self.look();
        for act in &plan.acts {
            let told = format!("\n  {act:?}");
            self.told.push_str(&told);
            let ours = self.make(*act, &before);
            let now = self.look();
            self.judge(*act, ours, &before, &now).map_err(|why| format!("{}\n{why}", self.told))?;
            before = now;
        }
        self.end(plan, full).map_err(|why| format!("{}\n{why}", self.told))
    }

    /// Makes an act; returns whether it is one of ours.
    fn make(&mut self, act: Act, before: &Seen) -> bool {
        let links = &before.links;
        match act {
            Act::Up(name) | Act::UpForced(name) => {
                let forced = matches!(act, Act::UpForced(_));
                let ran = self.installed.ifup(&format!("{}{name}", if forced { "-f " } else { "" }));
                self.tell(&ran);
                // 0.11.4 counts an interface that failed as up.
                if (self.up.insert(name) || forced) && name == "eth0" && !ran.stderr.contains("vrf: ") {
                    self.breached &= ran.status != 0;
                }
            }
            Act::Down(name) => {
                let ran = self.installed.ifdown(name);
                self.tell(&ran);
                self.up.remove(name);
            }
            Act::Add(number) => {
                self.added.insert(number);
                self.hand(OTHERS[number]);
            }
            Act::Rename(name) => {
                let other = format!("{name}-x");
                match self.astray.remove(name) {
                    Some(back) => self.hand(&[&back]),
                    None if links.contains_key(name) => {
                        self.hand(&[
                            &format!("ip link set {name} down"),
                            &format!("ip link set {name} name {other}"),
                            &format!("ip link set {other} up"),
                        ]);
                        let back = format!(
                            "ip link set {other} down\nip link set {other} name {name}\nip link set {name} up"
                        );
                        self.astray.insert(name.to_owned(), back);
                        self.breached = true;
                    }
                    None => {}
                }
            }
            Act::Move(name) => match self.astray.remove(name) {
                Some(back) => self.hand(&[&back]),
                None if links.get(name).is_some_and(|link| link.kind == "veth") => {
                    self.hand(&["ip netns add side", &format!("ip link set {name} netns side")]);
                    let home = format!("/proc/{}/fd/{}", std::process::id(), self.home.as_raw_fd());
                    let back = format!("ip -n side link set {name} netns {home}");
                    self.astray.insert(name.to_owned(), back);
                    self.breached = true;
                }
                None => {}
            },
            Act::Delete(name) => {
                self.hand(&[&format!("ip link del {name}")]);
                (self.deleted, self.breached) = (true, true);
            }
            Act::Release(name) => {
                self.hand(&[&format!("ip link set {name} nomaster")]);
                self.breached = true;
            }
            Act::Remake(name) => {
                let missing = !links.contains_key(name) && !self.is_elsewhere(name);
                if let Some(card) = self.cards.iter().find(|card| **card == name && missing) {
                    make_card(&self.behind, card);
                    self.breached = true;
                }
            }
            Act::DeleteNetns | Act::RemakeNetns => {
                self.deleted = true;
                self.hand(&["ip netns del blue"]);
                if matches!(act, Act::RemakeNetns) {
                    self.hand(&["ip netns add blue"]);
                }
            }
            Act::Sysctl(key) => {
                let _ = fs::write(format!("/proc/sys/{key}"), "1");
            }
        }
        matches!(act, Act::Up(_) | Act::UpForced(_) | Act::Down(_))
    }

    /// What other programs do, in the root of the installation, where `/run/netns` is. It may fail.
    fn hand(&mut self, lines: &[&str]) {
        use std::fmt::Write as _;
        for line in lines.iter().flat_map(|lines| lines.lines()) {
            let ran = self.by_hand(line);
            if ran.status != 0 {
                let _ = write!(self.told, " [{line}: {}]", ran.stderr.lines().next().unwrap_or_default());
            }
        }
    }

    fn by_hand(&self, line: &str) -> Ran {
        run(Command::new("chroot").arg(self.installed.path("/")).args(line.split(' ')))
    }

    fn is_elsewhere(&self, name: &str) -> bool {
        let astray = self.astray.contains_key(name);
        astray || name == "eth2" && self.inside("blue").iter().any(|link| link == "lan")
    }

    /// The names of the links in a namespace.
    fn inside(&self, netns: &str) -> Vec<String> {
        let path = self.installed.path("/run/netns").join(netns);
        if !is_netns(&path) {
            return Vec::new();
        }
        let text = Netns::at(&path).within(|| fs::read_to_string("/proc/thread-self/net/dev").unwrap());
        let names =
            text.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name.trim().to_owned());
        names.filter(|name| name != "lo").collect()
    }

    fn look(&self) -> Seen {
        let shown = Shown::now(None);
        let mut seen = Seen::default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        for link in &shown.links {
            let (name, kind) = (text(&link["ifname"]), text(&link["linkinfo"]["info_kind"]));
            let (index, master) = (link["ifindex"].as_u64().unwrap(), text(&link["master"]));
            let data = &link["linkinfo"]["info_data"];
            seen.lines.insert(format!("link {name} {index} {kind} table {}", data["table"]));
            if !master.is_empty() {
                seen.lines.insert(format!("master {name} {master}"));
            }
            seen.links.insert(name, Link { index, kind, master });
        }
        for link in &shown.addresses {
            for address in link["addr_info"].as_array().into_iter().flatten() {
                let line = format!(
                    "address {} {} {}",
                    text(&link["ifname"]),
                    text(&address["local"]),
                    address["prefixlen"]
                );
                seen.lines.insert(line);
            }
        }
        for (family, rules) in ["-4", "-6"].into_iter().zip(&shown.rules) {
            seen.lines.extend(rules.iter().map(|rule| format!("{family} rule {rule}")));
        }
        for route in &shown.routes {
            let words =
                ["type", "dst", "tos", "gateway", "dev", "table", "metric", "protocol"].map(
                    |key| match &route[key] {
                        Value::Null => String::new(),
                        Value::String(text) => format!(" {key} {text}"),
                        other => format!(" {key} {other}"),
                    },
                );
            seen.lines.insert(format!("route{}", words.concat()));
        }
        for device in &shown.vlans {
            for vlan in device["vlans"].as_array().into_iter().flatten() {
                seen.lines.insert(format!("vlan {} {vlan}", text(&device["ifname"])));
            }
        }
        for entry in shown.fdb.iter().filter(|entry| entry["state"] == "static") {
            seen.lines.insert(format!(
                "fdb {} {} {}",
                text(&entry["ifname"]),
                text(&entry["mac"]),
                entry["vlan"]
            ));
        }
        for entry in fs::read_dir(self.installed.path("/run/netns")).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if is_netns(&entry.path()) {
                let inode = fs::metadata(entry.path()).unwrap().ino();
                seen.lines.insert(format!("netns {name} {inode}"));
                seen.lines.extend(self.inside(&name).iter().map(|link| format!("in {name} {link}")));
            }
        }
        for key in SYSCTLS {
            let value = fs::read_to_string(format!("/proc/sys/{key}")).unwrap();
            seen.lines.insert(format!("sysctl {key} {}", value.trim()));
        }
        seen
    }

    /// Checks the invariants after an act.
    fn judge(&mut self, act: Act, ours: bool, before: &Seen, now: &Seen) -> Result<(), String> {
        if ours {
            // What is on one of our ports, or in one of our bridges, is deleted with it.
            let stays =
                |name: &str| now.index(name) == before.index(name) && now.master(name) == before.master(name);
            let [port, bridge] = ["eth3", "br0"].map(stays);
            self.others.retain(|line| {
                now.has(line)
                    || (port || !line.starts_with("fdb eth3 "))
                        && (bridge || !line.starts_with("vlan guest0 ") && line != "master guest0 br0")
            });
            if let Some(lost) = self.others.iter().find(|line| !now.has(line)) {
                return Err(format!("others had, and it is gone: {lost}\nnow {:#?}", now.lines));
            }
        } else {
            self.others.retain(|line| now.has(line));
            let made = matches!(act, Act::Add(_) | Act::RemakeNetns | Act::Sysctl(_));
            let new = now.lines.iter().filter(|line| !before.has(line) && !by_the_kernel(line));
            self.others.extend(new.filter(|line| made || line.starts_with("netns ")).cloned());
        }
        let member = now.master("eth0") == "red" && now.links["red"].kind == "vrf";
        if now.is_closed() && (member || !self.breached && self.up.contains("eth0")) {
            for to in IN_MAIN {
                if self.behind.within(|| ping(to, None)).is_ok() {
                    return Err(format!(
                        "{to} in the table main answers a host behind the VRF\nnow {:#?}",
                        now.lines
                    ));
                }
            }
        }
        Ok(())
    }

    /// Everything down, forced; nothing of ours is left. Then everything of other programs is removed, and all goes up.
    fn end(&mut self, plan: &Plan, full: &[String]) -> Result<(), String> {
        for back in std::mem::take(&mut self.astray).into_values() {
            self.hand(&[&back]);
        }
        // The rules stay while a VRF exists.
        let mut before = self.look();
        for (name, link) in before.links.clone() {
            let foreign = self.others.contains(&before.line_of(&name));
            if foreign && (link.kind == "vrf" || ["red", "br0", "pair"].contains(&name.as_str())) {
                self.hand(&[&format!("ip link del {name}")]);
            }
        }
        let deleted = std::mem::replace(&mut before, self.look());
        self.others.retain(|line| before.has(line) || !deleted.has(line));
        self.told.push_str("\n  down by force");
        // One at a time: `ifdown -a` of 0.12.1 ends at the first interface that fails.
        let again = plan.names().filter(|_| plan.seed % 3 == 0);
        for name in plan.names().chain(again) {
            let ran = self.installed.ifdown(&format!("-f {name}"));
            self.tell(&ran);
        }
        self.installed.forget();
        let now = self.look();
        self.up.clear();
        self.judge(Act::Down("all"), true, &before, &now)?;
        self.nothing_of_ours(&now)?;
        if !plan.ends_with_all_up() {
            return Ok(());
        }
        self.told.push_str("\n  without others");
        for name in now
            .links
            .keys()
            .filter(|name| !["lo", "eth9"].contains(&name.as_str()) && !self.cards.contains(&name.as_str()))
        {
            self.by_hand(&format!("ip link del {name}"));
        }
        for number in std::mem::take(&mut self.added) {
            for line in OTHERS[number]
                .iter()
                .filter(|line| line.contains(" rule add ") || line.contains(" route add "))
            {
                self.by_hand(&line.replace(" add ", " del "));
            }
        }
        for name in ["side", "blue"] {
            if now.lines.iter().any(|line| line.starts_with(&format!("netns {name} "))) {
                self.by_hand(&format!("ip netns del {name}"));
            }
        }
        let links = self.look().links;
        for card in self.cards.clone() {
            if !links.contains_key(card) {
                make_card(&self.behind, card);
            }
        }
        let ran = self.installed.ifup("-X lo -a");
        self.tell(&ran);
        let up = self.full_lines();
        if up != full {
            let only = |these: &[String], those: &[String]| -> Vec<String> {
                these.iter().filter(|line| !those.contains(line)).cloned().collect()
            };
            let (missing, more) = (only(full, &up), only(&up, full));
            return Err(format!("not the full state: missing {missing:#?}\nmore {more:#?}"));
        }
        self.told.push_str("\n  down");
        let ran = self.installed.ifdown("-X lo -a");
        self.tell(&ran);
        self.others.clear();
        let now = self.look();
        self.nothing_of_ours(&now)
    }

    fn nothing_of_ours(&self, now: &Seen) -> Result<(), String> {
        let mut left: Vec<String> = Vec::new();
        for line in now.lines.difference(&self.others) {
            let words: Vec<&str> = line.split(' ').collect();
            let ours = match words[..] {
                ["-4" | "-6", "rule", ..] => !is_rule_of_the_kernel(line),
                ["route", ..] => line.contains(" protocol 73"),
                ["link", name, ..] => ["red", "br0", "pair", "inner", "lan"].contains(&name),
                ["master", name, ..] => self.cards.contains(&name),
                ["netns", "blue", _] => !self.others.iter().any(|line| line.starts_with("in blue ")),
                ["in", "blue", name] => ["inner", "lan", "eth2"].contains(&name),
                _ => false,
            };
            left.extend(ours.then(|| line.clone()));
        }
        for (card, link) in now.links.iter().filter(|(name, _)| self.cards.contains(&name.as_str())) {
            left.extend((link.kind != "veth").then(|| format!("{card} is a {}", link.kind)));
        }
        let kept = now.lines.iter().any(|line| line.starts_with("netns "));
        let records = self.installed.path("/run/ifupdown-ng-netlink");
        let files = fs::read_dir(&records)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path().display().to_string());
        let deleted = self.deleted && !known::MISSING_LINK_GOES_DOWN;
        left.extend(files.filter(|_| !kept && !deleted));
        for protocol in ["tcp", "udp", "raw"] {
            let key = format!("/proc/sys/net/ipv4/{protocol}_l3mdev_accept");
            let value = fs::read_to_string(&key).unwrap();
            left.extend((value != fs_default(protocol)).then(|| format!("{key} = {value}")));
        }
        if left.is_empty() {
            Ok(())
        } else {
            Err(format!("ours, and it is left: {left:#?}\nof others {:#?}", self.others))
        }
    }
}

impl Seen {
    fn line_of(&self, name: &str) -> String {
        let start = format!("link {name} ");
        self.lines.iter().find(|line| line.starts_with(&start)).cloned().unwrap_or_default()
    }
}

/// A card with a host behind it.
fn make_card(behind: &Netns, card: &str) {
    let far = format!("f-{card}");
    behind.join(card, &far);
    ip(&format!("link set {card} down"));
    if card == "eth0" {
        behind.ip_batch(&[
            &format!("addr add 10.0.0.5/24 dev {far}"),
            &format!("addr add fd00::5/64 dev {far} nodad"),
            "route add default via 10.0.0.1",
            "route add default via fd00::1",
        ]);
    }
}

/// What the kernel adds to the objects of other programs.
fn by_the_kernel(line: &str) -> bool {
    let address = line.starts_with("address ") && line.contains(" fe80:");
    let rule = is_rule_of_the_kernel(line);
    let route =
        line.starts_with("route") && (line.contains(" protocol kernel") || line.contains(" dst ff00:"));
    address || rule || route
}

fn is_rule_of_the_kernel(line: &str) -> bool {
    let Some((_, json)) = line.split_once(" rule ") else { return false };
    let rule: Value = serde_json::from_str(json).unwrap();
    let plain = rule["src"] == "all" && rule.get("protocol").is_none_or(|protocol| protocol == "kernel");
    plain
        && match rule["priority"].as_u64() {
            Some(0) => rule["table"] == "local",
            Some(1000) => rule.get("l3mdev").is_some(),
            Some(32766) => rule["table"] == "main",
            Some(32767) => rule["table"] == "default",
            _ => false,
        }
}

/// The value of `net.ipv4.*_l3mdev_accept` in a new namespace.
fn fs_default(protocol: &str) -> &'static str {
    if protocol == "raw" { "1\n" } else { "0\n" }
}

fn is_netns(path: &Path) -> bool {
    let device = |path: &Path| fs::metadata(path).ok().map(|is| is.dev());
    device(path).is_some_and(|device_of| Some(device_of) == device(Path::new("/proc/self/ns/net")))
}

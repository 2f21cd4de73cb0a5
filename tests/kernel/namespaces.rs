//! Namespaces: killed anywhere, held by others, taken away, many at once; a link is never lost.
//!
//! `eth0` stands for a card: one end of a pair whose other end, `far`, is outside our programs' reach.

use crate::{
    features::{Feature, needs},
    lab::{Netns, Ran, command, in_lab, ip, own_run, phase, phase_command, program, run, wait_until},
};
use libtest_mimic::Trial;
use std::{fs, path::Path, process::Command, thread};

pub fn tests() -> Vec<Trial> {
    let mut tests = Vec::new();
    for (name, test) in [
        ("round", round as fn()),
        ("as-ip-netns-has-it", like_iproute2),
        ("closed-on-the-way-in", closed),
        ("kept-while-used", kept_while_used),
        ("name-deleted-while-held", name_deleted_while_held),
        ("taken-names", taken_names),
        ("foreign-namespace", foreign_namespace),
        ("refusals", refusals),
        ("pair", pair),
        ("pair-replaced-namespace", pair_replaced),
        ("both", both),
        ("many-at-once", many_at_once),
        ("rounds", rounds),
    ] {
        tests.push(needs(&[], format!("namespaces/{name}"), move || in_lab(test)));
    }
    for (name, stanza) in [("netns", moved_stanza()), ("veth", pair_stanza())] {
        tests.push(needs(&[Feature::Strace], format!("namespaces/killed/{name}"), move || {
            in_lab(|| killed(&stanza));
        }));
        tests.push(needs(&[Feature::Strace], format!("namespaces/refused/{name}"), move || {
            in_lab(|| refused(&stanza));
        }));
    }
    tests
}

/// A stanza and the program that reads it.
#[derive(Clone, Copy)]
struct Stanza {
    program: &'static str,
    iface: &'static str,
    keywords: &'static [&'static str],
}

fn moved_stanza() -> Stanza {
    Stanza {
        program: "netns",
        iface: "eth0",
        keywords: &[
            "netns blue",
            "netns-ifname inner",
            "netns-address 10.1.0.2/24, fd00:1::2/64",
            "netns-gateway 10.1.0.1",
            "netns-route unreachable 10.9.0.0/16, 10.8.0.0/16 via 10.1.0.3",
            "netns-sysctl net.ipv4.ip_forward=1, net.ipv4.conf.inner.rp_filter=2",
        ],
    }
}

fn pair_stanza() -> Stanza {
    Stanza {
        program: "veth",
        iface: "veth-blue",
        keywords: &[
            "veth-peer veth0",
            "veth-peer-netns blue",
            "veth-peer-hwaddress 02:00:00:00:00:01",
            "hwaddress 02:00:00:00:00:02",
            "veth-peer-address 10.1.0.2/24, fd00:1::2/64",
            "veth-peer-gateway 10.1.0.1",
            "veth-peer-route unreachable 10.9.0.0/16",
        ],
    }
}

/// What the stock `link` does in a phase.
fn link(iface: &str, name: &str) {
    let change = match name {
        "up" => "up",
        "down" => "down",
        _ => return,
    };
    command(&format!("ip link set {iface} {change}"));
}

const UP: [&str; 4] = ["create", "pre-up", "up", "post-up"];
const DOWN: [&str; 4] = ["pre-down", "down", "post-down", "destroy"];

impl Stanza {
    fn phase(&self, name: &str) -> Ran {
        let ran = phase(self.program, self.iface, name, self.keywords);
        link(self.iface, name);
        ran
    }

    #[track_caller]
    fn up(&self) {
        UP.iter().for_each(|name| drop(self.phase(name).quiet()));
    }

    #[track_caller]
    fn down(&self) {
        DOWN.iter().for_each(|name| drop(self.phase(name).quiet()));
    }

    /// A phase in which the kernel does something at the `number`th of these calls.
    fn tampered(&self, name: &str, call: &str, fate: &str, number: usize) -> Ran {
        let of_phase = phase_command(self.program, self.iface, name, self.keywords);
        let mut strace = Command::new("strace");
        strace.args(["-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e"]);
        strace.arg(format!("inject={call}:{fate}:when={number}")).arg(program(self.program));
        strace.env_clear().env("PATH", "/usr/bin:/bin");
        for (key, value) in of_phase.get_envs() {
            strace.env(key, value.unwrap_or_default());
        }
        run(&mut strace)
    }
}

/// A card with its far end up, as a machine finds it.
fn card() {
    own_run();
    ip("link add name eth0 address 02:00:00:00:00:0a type veth peer name far");
    ip("link set far address 02:00:00:00:00:0b up");
}

/// Everything here and in `blue`, without what changes by itself.
fn state() -> String {
    let mut text = ip("-br link") + &ip("-br -4 addr") + &command("ip rule").stdout;
    text += &command("sysctl net.ipv6.conf.eth0.disable_ipv6").stdout;
    for words in ["-br link", "-br addr", "route", "-6 route show proto 73"] {
        text += &command(&format!("ip -n blue {words}")).stdout;
    }
    text += &command("ip netns exec blue sysctl net.ipv4.ip_forward").stdout;
    // Numbers of links, carriers, and addresses that the kernel makes by itself.
    let kept = text.lines().map(|line| {
        let words = line.split_whitespace().filter(|word| !word.starts_with("fe80:"));
        let words = words.map(|word| word.split('@').next().unwrap_or_default());
        let still = words.filter(|word| !matches!(*word, "UP" | "DOWN" | "LOWERLAYERDOWN" | "linkdown"));
        still.filter(|word| !word.starts_with('<')).collect::<Vec<_>>().join(" ")
    });
    let mut lines: Vec<String> = kept.collect();
    lines.sort();
    lines.join("\n")
}

/// Nothing of ours is left below `/run`, and nothing is mounted there.
#[track_caller]
fn nothing_left(when: &str) {
    let files = command("find /run -mindepth 1").stdout;
    assert!(files.is_empty(), "{when}: {files}");
    let mounts = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
    let netns: Vec<_> = mounts.lines().filter(|line| line.contains("netns")).collect();
    assert!(netns.is_empty(), "{when}: {netns:#?}");
}

/// The card is here or in `blue`.
#[track_caller]
fn card_is_somewhere(when: &str) {
    let links = ip("link") + &command("ip -n blue link").stdout;
    assert!(links.contains("02:00:00:00:00:0a"), "{when}: the card is lost: {links}");
}

fn round() {
    card();
    let (stanza, before) = (moved_stanza(), state());
    stanza.up();
    let inside = Netns::named("blue");
    assert!(!ip("-br link").contains("eth0@"), "still here");
    let addresses = inside.ip("-br addr show dev inner");
    assert!(addresses.contains("10.1.0.2/24") && addresses.contains("fd00:1::2/64"), "{addresses}");
    let routes = inside.ip("route");
    for route in ["default via 10.1.0.1 dev inner", "unreachable 10.9.0.0/16", "10.8.0.0/16 via 10.1.0.3"] {
        assert!(routes.contains(route), "{route}: {routes}");
    }
    assert!(inside.ip("link show lo").contains("LOOPBACK,UP"), "lo is down");
    assert_eq!(inside.within(|| command("sysctl -n net.ipv4.ip_forward").stdout), "1\n");
    ip("addr add 10.1.0.1/24 dev far");
    command("ping -c 1 -W 3 10.1.0.2").ok();
    ip("addr del 10.1.0.1/24 dev far");
    let up = state();
    // Each phase again, and a whole forced ifup.
    stanza.phase("post-up").quiet();
    assert_eq!(state(), up, "after post-up again");
    stanza.up();
    assert_eq!(state(), up, "after all phases again");
    drop(inside);
    stanza.down();
    assert_eq!(state(), before);
    nothing_left("after down");
    stanza.down();
    assert_eq!(state(), before);
}

/// `ip netns` sees ours as its own, and we see its own as one.
fn like_iproute2() {
    own_run();
    ip("link add name eth0 type veth peer name far");
    let stanza = moved_stanza();
    stanza.up();
    assert_eq!(ip("netns").split_whitespace().next(), Some("blue"));
    ip("netns exec blue true");
    let mode = |path: &str| command(&format!("stat -c %a/%i {path}")).ok().stdout;
    assert!(mode("/run/netns").starts_with("755/"), "{}", mode("/run/netns"));
    assert!(mode("/run/netns/blue").starts_with("444/"), "{}", mode("/run/netns/blue"));
    let layers = || {
        let mounts = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
        let at = |path: &str| mounts.lines().filter(|l| l.split(' ').nth(4) == Some(path)).count();
        assert!(mounts.lines().any(|l| l.contains(" /run/netns ") && l.contains("shared:")), "{mounts}");
        (at("/run/netns"), at("/run/netns/blue"))
    };
    assert_eq!(layers(), (1, 1));
    ip("netns add other");
    ip("netns del other");
    assert_eq!(layers(), (1, 1));
    stanza.phase("pre-down").quiet();
    ip("netns del blue");
    stanza.down();
    // One that somebody else made is used, and kept.
    ip("netns add blue");
    let made = mode("/run/netns/blue");
    let forward = ip("netns exec blue sysctl -n net.ipv4.ip_forward");
    stanza.up();
    stanza.down();
    assert_eq!(mode("/run/netns/blue"), made);
    assert!(ip("-n blue link show lo").contains("state DOWN"), "its lo was touched");
    assert_eq!(ip("netns exec blue sysctl -n net.ipv4.ip_forward"), forward);
}

/// With `netns-address` the card has no address here at any moment, not even one that IPv6 gives itself.
fn closed() {
    card();
    let mut monitor = Command::new("ip");
    let log = "/run/addresses";
    let file = fs::File::create(log).unwrap();
    let mut monitor = monitor.args(["monitor", "address"]).stdout(file).spawn().unwrap();
    let stanza = moved_stanza();
    ip("addr add 192.0.2.1/32 dev lo");
    wait_until("the monitor is listening", || fs::read_to_string(log).unwrap().contains("192.0.2.1"));
    stanza.up();
    stanza.down();
    ip("addr del 192.0.2.1/32 dev lo");
    wait_until("the monitor has seen it all", || fs::read_to_string(log).unwrap().contains("Deleted"));
    monitor.kill().unwrap();
    monitor.wait().unwrap();
    let seen = fs::read_to_string(log).unwrap();
    assert!(!seen.contains("eth0"), "{seen}");
}

/// A process, or a link of somebody else, keeps the namespace; the card comes back all the same.
fn kept_while_used() {
    card();
    let (stanza, before) = (moved_stanza(), state());
    stanza.up();
    let mut process = Command::new("ip").args(["netns", "exec", "blue", "sleep", "600"]).spawn().unwrap();
    let pid = process.id();
    wait_until("it is inside", || command("ip netns pids blue").stdout.contains(&pid.to_string()));
    ["pre-down", "down", "post-down"].iter().for_each(|name| drop(stanza.phase(name).quiet()));
    card_is_somewhere("with a process inside");
    assert!(ip("-br link").contains("eth0"), "not back");
    let kept = stanza.phase("destroy").ok();
    let line = format!("netns: eth0: warning: namespace blue is kept, it has process {pid} in it\n");
    assert_eq!(kept.stderr, line);
    process.kill().unwrap();
    process.wait().unwrap();
    ip("-n blue link add name theirs type veth peer name theirs2");
    stanza.up();
    ["pre-down", "down", "post-down"].iter().for_each(|name| drop(stanza.phase(name).quiet()));
    let kept = stanza.phase("destroy").ok();
    assert_eq!(kept.stderr, "netns: eth0: warning: namespace blue is kept, it has theirs, theirs2 in it\n");
    ip("-n blue link del theirs");
    stanza.phase("destroy").quiet();
    assert_eq!(state(), before);
    nothing_left("after all");
}

/// `ip netns del` takes only the name away while a process is inside; the card is found by that process.
fn name_deleted_while_held() {
    card();
    let (stanza, before) = (moved_stanza(), state());
    for forced in [false, true] {
        stanza.up();
        let mut process = Command::new("ip").args(["netns", "exec", "blue", "sleep", "600"]).spawn().unwrap();
        wait_until("it is inside", || {
            command("ip netns pids blue").stdout.contains(&process.id().to_string())
        });
        ip("netns del blue");
        assert!(!ip("-br link").contains("eth0"), "the kernel let go of it by itself");
        if forced {
            // A forced ifup fetches it, and moves it into a new namespace of that name.
            stanza.up();
            assert!(Netns::named("blue").ip("-br addr").contains("10.1.0.2/24"));
        }
        stanza.down();
        assert_eq!(state(), before, "forced: {forced}");
        nothing_left("after down");
        process.kill().unwrap();
        process.wait().unwrap();
    }
}

fn taken_names() {
    card();
    let stanza = moved_stanza();
    // Inside: nothing is moved.
    ip("netns add blue");
    ip("-n blue link add name inner type veth peer name inner2");
    ["create", "pre-up"].iter().for_each(|name| drop(stanza.phase(name).quiet()));
    let inside = state();
    stanza.phase("post-up").refuses(
        1,
        "netns: eth0: netns blue: there is a veth named inner in there; choose another name with `netns-ifname`",
    );
    assert_eq!(state(), inside);
    stanza.down();
    ip("-n blue link del inner");
    ip("netns del blue");
    // What iproute2 made is not ours to delete.
    nix::mount::umount("/run/netns").unwrap();
    fs::remove_dir("/run/netns").unwrap();
    // Outside, on the way back: it comes back under another name.
    stanza.up();
    ip("link add name eth0 type veth peer name impostor");
    stanza.phase("create").refuses(
        1,
        "netns: eth0: netns blue: eth0 is in there as inner, and there is a veth of that name outside; rename that one",
    );
    let back = stanza.phase("pre-down").ok();
    assert_eq!(
        back.stderr,
        "netns: eth0: warning: there is another eth0; the one that comes back from blue is eth0-1 now\n"
    );
    assert!(ip("link show eth0-1").contains("02:00:00:00:00:0a"));
    ip("link del impostor");
    ip("link set eth0-1 name eth0");
    stanza.phase("destroy").quiet();
    nothing_left("after the names");
}

/// A namespace by process id: never deleted, its parameters put back.
fn foreign_namespace() {
    card();
    let mut process = Command::new("unshare").args(["-n", "sleep", "600"]).spawn().unwrap();
    let pid = process.id();
    let own = fs::read_link("/proc/thread-self/ns/net").unwrap();
    let path = format!("/proc/{pid}/ns/net");
    wait_until("its own namespace", || fs::read_link(&path).is_ok_and(|theirs| theirs != own));
    let inside = |words: &str| command(&format!("nsenter --net={path} {words}")).ok().stdout;
    let forward = || inside("sysctl -n net.ipv4.ip_forward net.ipv4.ip_default_ttl");
    let (before, was) = (state(), forward());
    for reference in [pid.to_string(), path.clone()] {
        let lines = [
            format!("netns {reference}"),
            "netns-address 10.1.0.2/24".to_owned(),
            "netns-sysctl net.ipv4.ip_forward=1, net.ipv4.ip_default_ttl=77".to_owned(),
        ];
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let step = |name: &str| {
            phase("netns", "eth0", name, &lines).quiet();
            link("eth0", name);
        };
        UP.iter().for_each(|name| step(name));
        assert!(inside("ip -br addr").contains("10.1.0.2/24"));
        assert_eq!(forward(), "1\n77\n");
        DOWN.iter().for_each(|name| step(name));
        assert_eq!((state(), forward()), (before.clone(), was.clone()), "{reference}");
        nothing_left(&reference);
    }
    // It ends while the card is in it. This card has a driver that goes with its namespace.
    let lines = [format!("netns {pid}")];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    UP.iter().for_each(|name| drop(phase("netns", "eth0", name, &lines).quiet()));
    process.kill().unwrap();
    process.wait().unwrap();
    wait_until("the far end is gone too", || !ip("-br link").contains("far"));
    DOWN.iter().for_each(|name| drop(phase("netns", "eth0", name, &lines).quiet()));
    nothing_left("after the end of the process");
    phase("netns", "eth0", "create", &lines)
        .refuses(1, &format!("netns: eth0: netns {pid}: there is no such process"));
}

/// Exact messages, and nothing changed.
fn refusals() {
    card();
    ip("link add name br0 type bridge");
    ip("netns add taken");
    ip("-n taken link add name veth0 type veth peer name veth1");
    fs::write("/run/file", "").unwrap();
    fs::write("/run/netns/stale", "").unwrap();
    let long = "n".repeat(256);
    let before = state() + &command("find /run").stdout;
    let name = "not a name of a network namespace";
    let cases: Vec<(&str, &str, Vec<String>, i32, String)> = [
        ("netns", "eth0", "netns a/b", 2, format!("netns a/b: {name}: contains '/'")),
        ("netns", "eth0", "netns ..", 2, format!("netns ..: {name}: a reserved word")),
        ("netns", "eth0", &format!("netns {long}"), 2, format!("netns {long}: {name}: longer than 255 bytes")),
        ("netns", "eth0", "netns 4194305", 1, "netns 4194305: there is no such process".to_owned()),
        ("netns", "eth0", "netns /run/file", 1, "netns /run/file: not a network namespace".to_owned()),
        ("netns", "eth0", "netns /proc/self/ns/mnt", 1, "netns /proc/self/ns/mnt: not a network namespace".to_owned()),
        (
            "netns",
            "eth0",
            "netns /proc/self/ns/net",
            1,
            "netns /proc/self/ns/net: that is the namespace that ifup itself runs in".to_owned(),
        ),
        ("netns", "eth0", "netns /run/nothing", 1, "netns /run/nothing: there is no such file".to_owned()),
        ("netns", "eth0", "netns stale", 1, "netns stale: /run/netns/stale is no network namespace; remove that file".to_owned()),
        ("netns", "lo", "netns blue", 1, "netns blue: lo is the loopback interface and cannot move; make it inside, with a file for `netns-interfaces`".to_owned()),
        ("netns", "br0", "netns blue", 1, "netns blue: br0 is bridge and cannot move; make it inside, with a file for `netns-interfaces`".to_owned()),
        ("netns", "eth0", "netns blue;netns-address 10.0.0.1", 2, "netns-address 10.0.0.1: 10.0.0.1: without the length of its prefix; write 10.0.0.1/LENGTH".to_owned()),
        ("netns", "eth0", "netns blue;netns-address 10.0.0.1/24;netns-gateway 10.0.1.1", 2, "netns-gateway 10.0.1.1: 10.0.1.1 is on no prefix of netns-address; or say `default via 10.0.1.1 dev … onlink` in netns-route".to_owned()),
        ("netns", "eth0", "netns-address 10.0.0.1/24", 2, "netns-address 10.0.0.1/24: says nothing without `netns`".to_owned()),
        ("netns", "eth0", "netns blue;netns-sysctl kernel.hostname=x", 2, "netns-sysctl kernel.hostname=x: kernel.hostname=x: not a sysctl below net.".to_owned()),
        ("netns", "eth0", "netns blue;netns-interfaces etc/x", 2, "netns-interfaces etc/x: neither auto nor an absolute path".to_owned()),
        ("netns", "eth0", "netns blue;netns-interfaces /run/none", 1, "netns-interfaces /run/none: /run/none: No such file or directory (os error 2)".to_owned()),
        ("veth", "v0", "veth-peer v0", 1, "veth-peer v0: the interface itself; the other end needs another name".to_owned()),
        ("veth", "v0", "veth-peer veth0;veth-peer-netns taken", 1, "veth-peer veth0: there is a veth of that name in taken".to_owned()),
        ("veth", "v0", "veth-peer far", 1, "veth-peer far: there is a veth of that name here".to_owned()),
        ("veth", "br0", "veth-peer v1", 1, "veth-peer v1: br0 exists and is a bridge; ifdown it, or delete it by hand".to_owned()),
        ("veth", "eth0", "veth-peer v1", 1, "veth-peer v1: eth0 exists, and its other end is not v1 here; ifdown it, or delete it by hand".to_owned()),
        ("veth", "v0", "veth-peer v1;veth-peer-hwaddress 01:00:5e:00:00:01", 2, "veth-peer-hwaddress 01:00:5e:00:00:01: a multicast address, which no interface can have".to_owned()),
        ("veth", "v0", "veth-peer v1;veth-peer-mtu 10", 2, "veth-peer-mtu 10: not an MTU (68-65535)".to_owned()),
        ("veth", "v0", "veth-peer v1;veth-queues 0", 2, "veth-queues 0: not a number of queues (1-4096)".to_owned()),
        ("veth", "v0", "veth-peer-mtu 1400", 2, "veth-peer-mtu 1400: says nothing without `veth-peer`".to_owned()),
        ("veth", "v0", "veth-peer v1;link-type veth", 2, "link-type veth: the pair is made by `veth-peer`; leave this line out".to_owned()),
    ]
    .into_iter()
    .map(|(program, iface, lines, status, text)| {
        (program, iface, lines.split(';').map(str::to_owned).collect(), status, text)
    })
    .collect();
    for (program, iface, lines, status, text) in cases {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        phase(program, iface, "create", &lines).refuses(status, &format!("{program}: {iface}: {text}"));
        assert_eq!(state() + &command("find /run").stdout, before, "{lines:?}");
    }
}

fn pair() {
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
    // One end goes, both go; the next ifup makes both again.
    inside.ip("link del veth0");
    stanza.up();
    assert_eq!(state(), up, "made again");
    // A pair that is somebody else's is left alone.
    stanza.down();
    drop(inside);
    assert_eq!(state(), before);
    nothing_left("after down");
    ip("link add name veth-blue type veth peer name elsewhere");
    stanza.phase("create").refuses(
        1,
        "veth: veth-blue: veth-peer veth0: veth-blue exists, and its other end is not veth0 in blue; ifdown it, or delete it by hand",
    );
    stanza.phase("destroy").ok();
    assert!(ip("-br link").contains("elsewhere"), "deleted what is not ours");
}

/// The namespace is deleted and made again, as a container is replaced: also while a process holds the old one.
fn pair_replaced() {
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
    assert!(ip("netns").contains("blue"), "deleted a namespace that somebody else made");
}

/// One stanza, both: a link between two domains.
fn both() {
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
            // As in a stanza: up in the order of the lines, down in reverse.
            let mut programs = ["veth", "netns"];
            if names == DOWN {
                programs.reverse();
            }
            programs.iter().for_each(|program| drop(phase(program, "ab", name, &lines).quiet()));
            link("ab", name);
        }
    };
    all(UP);
    ip("netns exec a ping -c 1 -W 3 10.1.0.2");
    all(UP);
    ip("netns exec a ping -c 1 -W 3 10.1.0.2");
    assert!(!ip("-br link").contains("ab"), "an end is still here");
    all(DOWN);
    nothing_left("after both");
}

/// Twenty stanzas in twenty namespaces at once, and again.
fn many_at_once() {
    own_run();
    for round in 0..3 {
        let run_all = |names: [&'static str; 4]| {
            thread::scope(|scope| {
                for n in 0..20 {
                    scope.spawn(move || {
                        let (iface, netns) = (format!("v{n}"), format!("veth-peer-netns d{n}"));
                        let address = format!("veth-peer-address 10.2.{n}.2/24");
                        let lines = ["veth-peer veth0", netns.as_str(), address.as_str()];
                        names.iter().for_each(|name| drop(phase("veth", &iface, name, &lines).quiet()));
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

fn rounds() {
    card();
    let before = state();
    for _ in 0..100 {
        for stanza in [moved_stanza(), pair_stanza()] {
            stanza.up();
            stanza.down();
        }
        nothing_left("a round");
    }
    assert_eq!(state(), before);
}

/// The calls by which our programs change anything.
const CALLS: [&str; 10] =
    ["sendto", "mount", "umount2", "unshare", "setns", "write", "rename", "unlink", "rmdir", "mkdir"];

/// At every call that changes anything, in every phase: then ifup again, or ifdown, and all is as it should be.
fn killed(stanza: &Stanza) {
    own_run();
    let is_card = stanza.iface == "eth0";
    if is_card {
        ip("link add name eth0 address 02:00:00:00:00:0a type veth peer name far");
        ip("link set far address 02:00:00:00:00:0b up");
    }
    let before = state();
    stanza.up();
    let up = state();
    stanza.down();
    assert_eq!(state(), before);
    let mut kills = 0;
    for (at, name) in UP.iter().chain(&DOWN).enumerate() {
        for call in CALLS {
            for number in 1.. {
                UP.iter().chain(&DOWN).take(at).for_each(|earlier| drop(stanza.phase(earlier).quiet()));
                let when = format!("{name} killed at {call} {number}");
                let was_killed = stanza.tampered(name, call, "signal=KILL", number).status != 0;
                if is_card {
                    card_is_somewhere(&when);
                }
                if number % 2 == kills % 2 {
                    stanza.up();
                    assert_eq!(state(), up, "{when}, then up");
                }
                stanza.down();
                assert_eq!(state(), before, "{when}, then down");
                nothing_left(&when);
                if !was_killed {
                    break;
                }
                kills += 1;
            }
        }
    }
    println!("{kills} kills");
    assert!(kills > 50, "only {kills} kills");
}

/// The kernel refuses the `number`th message of a phase on the way up: what was before is again.
fn refused(stanza: &Stanza) {
    own_run();
    if stanza.iface == "eth0" {
        ip("link add name eth0 address 02:00:00:00:00:0a type veth peer name far");
        ip("link set far address 02:00:00:00:00:0b up");
    }
    let (clean, mut refusals) = (state(), 0);
    for (at, name) in UP.iter().enumerate() {
        for (call, errno) in [("sendto", "ENOBUFS"), ("mount", "ENOMEM"), ("unshare", "ENOSPC")] {
            for number in 1.. {
                UP.iter().take(at).for_each(|earlier| drop(stanza.phase(earlier).quiet()));
                let before = state();
                let ran = stanza.tampered(name, call, &format!("error={errno}"), number);
                let refused = ran.status != 0;
                if refused {
                    refusals += 1;
                    assert!(ran.status == 1 && ran.stderr.lines().count() == 1, "{ran}");
                    assert!(ran.stderr.contains(errno) && !ran.stderr.contains("not undone"), "{ran}");
                    assert_eq!(state(), before, "{name}, {call} {number}: {}", ran.stderr);
                }
                stanza.down();
                assert_eq!(state(), clean, "{name}, {call} {number}, then down");
                nothing_left(&format!("{name}, {call} {number}"));
                if !refused {
                    break;
                }
            }
        }
    }
    assert!(refusals > 5, "only {refusals} refusals");
    assert!(Path::new("/run").is_dir());
}

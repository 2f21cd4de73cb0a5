//! Interfaces in other namespaces: as iproute2 sees them, used by other programs, deleted.

use super::{card, card_is_somewhere, moved_stanza, nothing_left, state};
use crate::lab::{Netns, command, ip, own_run, phase, wait_until};
use crate::tampered::{DOWN, Stanza, UP, link};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::process::{Child, Command};
use std::time::Duration;
use std::{fs, thread};

pub fn round() {
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

/// `ip netns` treats our namespaces as its own, and we treat its namespaces as ours.
pub fn like_iproute2() {
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
    // A namespace that another program created is used, and kept.
    ip("netns add blue");
    let identity = mode("/run/netns/blue");
    let forward = ip("netns exec blue sysctl -n net.ipv4.ip_forward");
    stanza.up();
    stanza.down();
    assert_eq!(mode("/run/netns/blue"), identity);
    assert!(ip("-n blue link show lo").contains("state DOWN"), "its lo was touched");
    assert_eq!(ip("netns exec blue sysctl -n net.ipv4.ip_forward"), forward);
}

/// With `netns-address` the card never has an address here, not even one that IPv6 generates.
pub fn closed() {
    card();
    let mut monitor = Command::new("ip");
    let log = "/run/addresses";
    let file = fs::File::create(log).unwrap();
    let mut monitor = monitor.args(["monitor", "address"]).stdout(file).spawn().unwrap();
    let stanza = moved_stanza();
    wait_until("the monitor is listening", || {
        // Reported each time, and not kept while no process listens.
        ip("addr replace 192.0.2.1/32 dev lo");
        fs::read_to_string(log).unwrap().contains("192.0.2.1")
    });
    stanza.up();
    stanza.down();
    ip("addr del 192.0.2.1/32 dev lo");
    wait_until("the monitor has seen it all", || fs::read_to_string(log).unwrap().contains("Deleted"));
    monitor.kill().unwrap();
    monitor.wait().unwrap();
    let seen = fs::read_to_string(log).unwrap();
    assert!(!seen.contains("eth0"), "{seen}");
}

/// A process, or a link of another program, keeps the namespace; the card is moved back all the same.
pub fn kept_while_used() {
    card();
    let (stanza, before) = (moved_stanza(), state());
    stanza.up();
    let mut process = Command::new("ip").args(["netns", "exec", "blue", "sleep", "600"]).spawn().unwrap();
    let pid = process.id();
    wait_until("it is inside", || command("ip netns pids blue").stdout.contains(&pid.to_string()));
    for name in ["pre-down", "down", "post-down"] {
        stanza.phase(name).quiet();
    }
    card_is_somewhere("with a process inside");
    assert!(ip("-br link").contains("eth0"), "not back");
    let kept = stanza.phase("destroy").ok();
    let line = format!("netns: eth0: warning: namespace blue is kept: it contains process {pid}\n");
    assert_eq!(kept.stderr, line);
    process.kill().unwrap();
    process.wait().unwrap();
    ip("-n blue link add name theirs type veth peer name theirs2");
    stanza.up();
    for name in ["pre-down", "down", "post-down"] {
        stanza.phase(name).quiet();
    }
    let kept = stanza.phase("destroy").ok();
    assert_eq!(kept.stderr, "netns: eth0: warning: namespace blue is kept: it contains theirs, theirs2\n");
    ip("-n blue link del theirs");
    stanza.phase("destroy").quiet();
    assert_eq!(state(), before);
    nothing_left("after all");
}

/// `ip netns del` only deletes the name while a process is inside; the card is found by that process.
pub fn name_deleted_while_held() {
    card();
    let (stanza, before) = (moved_stanza(), state());
    for forced in [false, true] {
        stanza.up();
        let mut process = Command::new("ip").args(["netns", "exec", "blue", "sleep", "600"]).spawn().unwrap();
        wait_until("it is inside", || {
            command("ip netns pids blue").stdout.contains(&process.id().to_string())
        });
        ip("netns del blue");
        assert!(!ip("-br link").contains("eth0"), "the kernel released it by itself");
        if forced {
            // A forced ifup moves it back, and then into a new namespace of that name.
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

pub fn taken_names() {
    card();
    let stanza = moved_stanza();
    // Inside the namespace: nothing is moved.
    ip("netns add blue");
    ip("-n blue link add name inner type veth peer name inner2");
    for name in ["create", "pre-up"] {
        stanza.phase(name).quiet();
    }
    let inside = state().replace("disable_ipv6 = 1", "disable_ipv6 = 0");
    stanza.phase("post-up").refuses(
        1,
        "netns: eth0: netns blue: a veth named inner exists in the namespace; choose another name with `netns-ifname`",
    );
    assert_eq!(state(), inside);
    stanza.down();
    ip("-n blue link del inner");
    ip("netns del blue");
    // We do not delete what iproute2 created.
    nix::mount::umount("/run/netns").unwrap();
    fs::remove_dir("/run/netns").unwrap();
    // Outside, on the way back: it gets another name.
    stanza.up();
    ip("link add name eth0 type veth peer name impostor");
    stanza.phase("create").refuses(
        1,
        "netns: eth0: netns blue: eth0 is in the namespace as inner, and a veth of that name exists outside; rename the one outside",
    );
    let back = stanza.phase("pre-down").ok();
    assert_eq!(
        back.stderr,
        "netns: eth0: warning: another eth0 exists; the interface that returns from blue is named eth0-1\n"
    );
    assert!(ip("link show eth0-1").contains("02:00:00:00:00:0a"));
    ip("link del impostor");
    ip("link set eth0-1 name eth0");
    stanza.phase("destroy").quiet();
    nothing_left("after the names");
}

/// A namespace by process id: never deleted, its parameters restored.
pub fn foreign_namespace() {
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
        for name in UP {
            step(name);
        }
        assert!(inside("ip -br addr").contains("10.1.0.2/24"));
        assert_eq!(forward(), "1\n77\n");
        for name in DOWN {
            step(name);
        }
        assert_eq!((state(), forward()), (before.clone(), was.clone()), "{reference}");
        nothing_left(&reference);
    }
    // It ends while the card is inside. The driver of this card deletes the card with its namespace.
    let lines = [format!("netns {pid}")];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    for name in UP {
        phase("netns", "eth0", name, &lines).quiet();
    }
    process.kill().unwrap();
    process.wait().unwrap();
    wait_until("the far end is gone too", || !ip("-br link").contains("far"));
    for name in DOWN {
        phase("netns", "eth0", name, &lines).quiet();
    }
    nothing_left("after the end of the process");
    phase("netns", "eth0", "create", &lines)
        .refuses(1, &format!("netns: eth0: netns {pid}: there is no such process"));
}

/// A process in a namespace of its own, and the inode of that namespace.
struct Container(Child, u64);

impl Container {
    fn new() -> Self {
        let child = Command::new("unshare").args(["-n", "sleep", "600"]).spawn().unwrap();
        let own = fs::metadata("/proc/thread-self/ns/net").unwrap().ino();
        let inode = || fs::metadata(format!("/proc/{}/ns/net", child.id())).map_or(own, |found| found.ino());
        wait_until("its own namespace", || inode() != own);
        let inode = inode();
        Self(child, inode)
    }

    fn ip(&self, words: &str) -> String {
        command(&format!("nsenter --net=/proc/{}/ns/net ip {words}", self.0.id())).ok().stdout
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Uses up the free numbers between used ones, until the next number is always the following one. Cards come after
/// that: a card has numbers too, and they are free again when it is moved or deleted.
fn fill() -> Vec<Container> {
    // The numbers of an earlier test must be free by now.
    thread::sleep(Duration::from_secs(2));
    let mut all: Vec<Container> = Vec::new();
    while all.len() < 100 {
        all.push(Container::new());
        let steps: Vec<i128> =
            all.windows(2).map(|pair| i128::from(pair[1].1) - i128::from(pair[0].1)).rev().take(4).collect();
        if steps.len() == 4 && steps.iter().all(|step| *step == steps[0] && *step > 0) {
            break;
        }
    }
    all
}

/// Tries again if another program on this machine got the number that a test needs.
fn until_it_has_the_number(attempt: impl Fn() -> bool) {
    assert!((0..10).any(|_| attempt()), "no namespace got the number of the one before");
}

/// Creates namespaces until one has this inode. The kernel uses the lowest free one.
fn of_inode(inode: u64) -> Option<Container> {
    let mut others = Vec::new();
    // The kernel frees the numbers of a namespace a little later, one after the other.
    thread::sleep(Duration::from_secs(1));
    for _ in 0..10 {
        let made = Container::new();
        if made.1 == inode {
            return Some(made);
        }
        others.push(made);
        thread::sleep(Duration::from_millis(100));
    }
    None
}

/// The next container has the number of the one before, and an interface of the same name. That interface is not ours.
pub fn next_container() {
    until_it_has_the_number(next_container_once);
}

fn next_container_once() -> bool {
    let others = fill();
    let first = Container::new();
    card();
    let (pid, inode) = (first.0.id(), first.1);
    let lines = [
        format!("netns {pid}"),
        "netns-ifname eth9".to_owned(),
        "netns-address 10.1.0.2/24".to_owned(),
        "netns-sysctl net.ipv4.ip_default_ttl=77".to_owned(),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    phase("netns", "eth0", "post-up", &lines).quiet();
    assert!(first.ip("-br addr").contains("10.1.0.2/24"));
    drop(first);
    wait_until("the card went with it", || !ip("-br link").contains("far"));
    let next = of_inode(inode);
    let Some(next) = next else { return false };
    // Only its identity differs: it has the name, the MAC address and the index.
    next.ip("link add name eth9 address 02:00:00:00:00:0a type veth peer name eth8");
    next.ip("addr add 10.1.0.2/24 dev eth9");
    next.ip("route add unreachable 10.9.0.0/16 proto 73");
    let before = next.ip("-d addr") + &next.ip("route");
    for name in DOWN {
        phase("netns", "eth0", name, &lines).quiet();
    }
    assert_eq!(next.ip("-d addr") + &next.ip("route"), before, "another container's interface was touched");
    assert!(!ip("-br link").contains("eth"), "another container's interface was taken: {}", ip("-br link"));
    drop(others);
    true
}

/// The same with a name: deleted, and created again by another program.
pub fn next_of_the_name() {
    until_it_has_the_number(next_of_the_name_once);
}

fn next_of_the_name_once() -> bool {
    let others = fill();
    let first = Container::new();
    card();
    let number = first.1;
    ip(&format!("netns attach red {}", first.0.id()));
    let lines = ["netns red", "netns-ifname eth9", "netns-sysctl net.ipv4.ip_default_ttl=77"];
    phase("netns", "eth0", "post-up", &lines).quiet();
    ip("netns del red");
    drop(first);
    wait_until("the card went with it", || !ip("-br link").contains("far"));
    let Some(next) = of_inode(number) else { return false };
    ip(&format!("netns attach red {}", next.0.id()));
    ip("-n red link add name eth9 address 02:00:00:00:00:0a type veth peer name eth8");
    ip("netns exec red sysctl -qw net.ipv4.ip_default_ttl=99");
    for name in DOWN {
        phase("netns", "eth0", name, &lines).quiet();
    }
    assert!(ip("-n red link").contains("eth9"), "another namespace's interface was taken");
    assert_eq!(ip("netns exec red sysctl -n net.ipv4.ip_default_ttl"), "99\n");
    drop(others);
    true
}

/// In the right namespace, another interface has the name; our interface was renamed or deleted.
pub fn another_of_the_name() {
    card();
    let stanza = Stanza { program: "netns", iface: "eth0", keywords: &["netns blue", "netns-ifname inner"] };
    ip("netns add blue");
    stanza.phase("post-up").quiet();
    ip("-n blue link set inner down");
    ip("-n blue link set inner name renamed");
    ip("-n blue link add name inner type veth peer name theirs");
    stanza.phase("pre-down").quiet();
    assert!(ip("link show eth0").contains("02:00:00:00:00:0a"), "the renamed one is not back");
    assert!(ip("-n blue -br link").contains("inner"), "another interface was taken");
    ip("-n blue link del inner");
    stanza.phase("post-up").quiet();
    ip("-n blue link del inner");
    ip("-n blue link add name inner address 02:00:00:00:00:0a type veth peer name theirs");
    let ran = stanza.phase("pre-down").ok();
    assert_eq!(
        ran.stderr,
        "netns: eth0: warning: not changed: inner in blue may be another interface than eth0\n"
    );
    assert!(ip("-n blue -br link").contains("inner"), "another interface was taken");
}

/// A parameter of another program's namespace is restored, however long it is.
pub fn long_parameters() {
    card();
    ip("netns add blue");
    let ports = |step: usize, last: usize| {
        (1001..last).step_by(step).map(|port| port.to_string()).collect::<Vec<_>>().join(",")
    };
    let read = || ip("netns exec blue cat /proc/sys/net/ipv4/ip_local_reserved_ports").trim().to_owned();
    let stanza = Stanza {
        program: "netns",
        iface: "eth0",
        keywords: &["netns blue", "netns-sysctl net.ipv4.ip_local_reserved_ports=10"],
    };
    for before in [ports(2, 1018), ports(2, 9000)] {
        // In one write: the kernel takes each write as the whole list.
        fs::write("/run/ports", &before).unwrap();
        ip(
            "netns exec blue dd if=/run/ports of=/proc/sys/net/ipv4/ip_local_reserved_ports bs=1M status=none",
        );
        assert_eq!(read(), before);
        stanza.up();
        assert_eq!(read(), "10");
        stanza.down();
        assert_eq!(read(), before);
    }
}

/// By an alternative name, in both directions; and on the way back while a link of another program has it as its name.
pub fn alternative_names() {
    card();
    ip("link property add dev eth0 altname enp7s0");
    for iface in ["enp7s0", "eth0"] {
        let stanza = Stanza {
            program: "netns",
            iface: "enp7s0",
            keywords: &["netns blue", "netns-address 10.1.0.2/24"],
        };
        let stanza = Stanza { iface: if iface == "eth0" { "eth0" } else { "enp7s0" }, ..stanza };
        stanza.up();
        assert!(ip("-n blue addr show dev eth0").contains("10.1.0.2/24"), "{iface}");
        stanza.up();
        assert!(ip("-n blue addr show dev eth0").contains("10.1.0.2/24"), "{iface}, again");
        stanza.down();
        assert!(ip("link show eth0").contains("altname enp7s0"), "{iface}");
    }
    nothing_left("after both");
    let stanza = Stanza { program: "netns", iface: "eth0", keywords: &["netns blue"] };
    stanza.up();
    ip("link add name other type veth peer name other2");
    ip("link property add dev other altname eth0");
    ip("link property add dev other altname eth0-1");
    let back = stanza.phase("pre-down").ok();
    assert_eq!(
        back.stderr,
        "netns: eth0: warning: another eth0 exists; the interface that returns from blue is named eth0-2\n"
    );
    assert!(ip("link show eth0-2").contains("02:00:00:00:00:0a"));
}

/// A link with a name that is invalid in stanzas keeps a namespace as any other link does.
pub fn strange_names() {
    card();
    for (name, shown) in [(&b"a\x07b"[..], "a\\u{7}b"), (b"a\xffb", "a?b")] {
        let stanza = Stanza { program: "netns", iface: "eth0", keywords: &["netns blue"] };
        stanza.up();
        let name = std::ffi::OsStr::from_bytes(name);
        let mut add = Command::new("ip");
        add.args(["-n", "blue", "link", "add", "name"]).arg(name).args(["type", "bridge"]);
        assert!(add.status().unwrap().success());
        for phase in ["pre-down", "down", "post-down"] {
            stanza.phase(phase).quiet();
        }
        let kept = stanza.phase("destroy").ok();
        assert_eq!(
            kept.stderr,
            format!("netns: eth0: warning: namespace blue is kept: it contains {shown}\n")
        );
        let mut del = Command::new("ip");
        assert!(del.args(["-n", "blue", "link", "del"]).arg(name).status().unwrap().success());
        stanza.phase("destroy").quiet();
        nothing_left(shown);
    }
}

/// A route from an address that was just added, while duplicate address detection runs.
pub fn fresh_source() {
    const ROUTE: &str = "netns-route 2001:db8:9::/64 via fd00:1::1 src fd00:1::2";
    card();
    let stanza = Stanza {
        program: "netns",
        iface: "eth0",
        keywords: &["netns blue", "netns-address fd00:1::2/64", ROUTE],
    };
    for _ in 0..2 {
        stanza.up();
        let routes = ip("-n blue -6 route");
        assert!(routes.contains("2001:db8:9::/64 via fd00:1::1 dev eth0 proto 73 src fd00:1::2"), "{routes}");
        stanza.down();
    }
    own_run();
    let peer = Stanza {
        program: "veth",
        iface: "v0",
        keywords: &[
            "veth-peer v1",
            "veth-peer-netns blue",
            "veth-peer-address fd00:1::2/64",
            "veth-peer-route 2001:db8:9::/64 via fd00:1::1 src fd00:1::2",
        ],
    };
    peer.up();
    let routes = ip("-n blue -6 route");
    assert!(routes.contains("2001:db8:9::/64 via fd00:1::1 dev v1 proto 73 src fd00:1::2"), "{routes}");
    peer.down();
    nothing_left("after all");
}

//! A VRF stays isolated in difficult cases: `ifdown` of the VRF before its members, an `ifup` that fails halfway,
//! routes that outlive their VRF.

use crate::features::{Feature, needs};
use crate::ifupdown::{Executors, Ifupdown, Installed, Shell, Version};
use crate::lab::{Netns, command, in_lab, ip, ip_json, own_run, phase, settle};
use crate::probe::ping;
use crate::state::State;
use libtest_mimic::Trial;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn6, sendto, setsockopt, socket,
    sockopt,
};
use std::net::{Ipv6Addr, SocketAddrV6};
use std::os::fd::AsRawFd as _;
use std::time::Duration;

pub fn tests() -> Vec<Trial> {
    let mut tests = Vec::new();
    for version in Version::ALL {
        for executors in [Executors::Replaced, Executors::Absent] {
            let ifupdown = Ifupdown { version, executors, shell: Shell::Dash };
            let mut add = |name: &str, test: fn(Ifupdown)| {
                let name = format!("walls/{name}/{ifupdown}");
                tests.push(needs(&[Feature::Vrf, Feature::Roots], name, move || in_lab(|| test(ifupdown))));
            };
            add("vrf-before-members", vrf_before_members);
            add("vrf-missing", vrf_missing);
            add("bridge-or-namespace-missing", others_missing);
            add("source-just-added", source_just_added);
        }
    }
    let mut add = |name: &str, test: fn()| {
        tests.push(needs(&[Feature::Vrf], format!("walls/{name}"), move || in_lab(test)));
    };
    add("routes-go-with-their-vrf", routes_go);
    add("ipv6-metric-0", metric_0);
    add("routes-of-others", routes_of_others);
    add("default-of-a-router", default_of_a_router);
    add("link-local-gateway", link_local_gateway);
    add("table-with-routes", table_with_routes);
    add("ipv6-disabled", ipv6_disabled);
    add("vrf-of-others", vrf_of_others);
    add("rules-of-others", rules_of_others);
    add("members-of-others", members_of_others);
    tests
}

/// A host behind each of `eth1`, `eth2` and `eth3`.
fn hosts() -> [Netns; 3] {
    [1, 2, 3].map(|n| {
        let host = Netns::beside(&format!("eth{n}"), "eth0");
        host.ip(&format!("addr add 10.0.{n}.2/24 dev eth0"));
        host.ip(&format!("addr add fd00:{n}::2/64 dev eth0 nodad"));
        host.ip(&format!("-4 route add default via 10.0.{n}.1"));
        host.ip(&format!("-6 route add default via fd00:{n}::1"));
        host
    })
}

/// `eth1` and `eth2` in `red`, `eth3` outside.
const INTERFACES: &str = "auto red
iface red
    vrf-table 10
    vrf-rules yes
    vrf-route unreachable default metric 4278198272

auto eth1
iface eth1
    vrf-member red
    address 10.0.1.1/24
    address fd00:1::1/64

auto eth2
iface eth2
    vrf-member red
    address 10.0.2.1/24
    address fd00:2::1/64

auto eth3
iface eth3
    address 10.0.3.1/24
    address fd00:3::1/64
";

fn forwarding() {
    command("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1").ok();
}

/// What the host behind `eth1` reaches: its own VRF with the host's address in it, and nothing outside.
#[track_caller]
fn is_closed(hosts: &[Netns; 3]) {
    hosts[0].within(|| {
        for to in ["10.0.1.1", "fd00:1::1", "10.0.2.2", "fd00:2::2"] {
            ping(to, None).unwrap_or_else(|error| panic!("in the VRF: {to}: {error}"));
        }
        for to in ["10.0.3.1", "fd00:3::1", "10.0.3.2", "fd00:3::2"] {
            ping(to, None).expect_err(to);
        }
    });
}

fn masters(names: [&str; 2]) -> [serde_json::Value; 2] {
    names.map(|name| ip_json(&format!("link show {name}"))[0]["master"].clone())
}

/// OpenRC takes the VRF down first, since it orders interfaces by name.
fn vrf_before_members(ifupdown: Ifupdown) {
    let hosts = hosts();
    forwarding();
    let installed = ifupdown.install(INTERFACES);
    for card in ["eth1", "eth2", "eth3"] {
        ip(&format!("link set {card} down"));
    }
    let before = State::with_run(&installed);
    installed.ifup("-a").quiet();
    settle();
    is_closed(&hosts);
    let ran = installed.ifdown("red").ok();
    let line = "red: warning: red is kept, since it has members: eth1, eth2; it is deleted with the ifdown of the last one\n";
    assert!(ran.stderr.ends_with(line) && ran.stderr.lines().count() == 1, "{ran}");
    assert_eq!(masters(["eth1", "eth2"]), ["red", "red"]);
    is_closed(&hosts);
    assert!(ip("-4 route show vrf red").contains("unreachable default"));
    // This has no effect: ifupdown-ng still counts it as up.
    installed.ifup("red").quiet();
    is_closed(&hosts);
    installed.ifdown("eth2").quiet();
    assert_eq!(masters(["eth1", "red"]), ["red".into(), serde_json::Value::Null]);
    installed.ifdown("eth1").quiet();
    assert_eq!(ip_json("link show type vrf"), Vec::<serde_json::Value>::new());
    installed.ifdown("eth3").quiet();
    before.assert_after_ifdown(&installed);
    // After another ifup in between, the VRF stays when its members go down.
    installed.ifup("-a").quiet();
    installed.ifdown("red").ok();
    installed.ifup("-f red").quiet();
    installed.ifdown("eth1").quiet();
    installed.ifdown("eth2").quiet();
    assert_eq!(ip_json("link show type vrf").len(), 1);
    assert!(ip("rule").contains("2000:"));
    installed.ifdown_by_force();
    before.assert_same(&State::with_run(&installed), "down by force");
}

/// The card of a VRF that does not exist stays down, also with the version that ignores failures; a card that is up is
/// not changed.
fn vrf_missing(ifupdown: Ifupdown) {
    let hosts = hosts();
    for card in ["eth1", "eth2", "eth3"] {
        ip(&format!("link set {card} down"));
    }
    let file = |member: &str| {
        let vrf = if ifupdown.executors == Executors::Replaced {
            "vrf-member"
        } else {
            "use vrf-table\n    vrf_member"
        };
        format!(
            "auto eth1\niface eth1\n    {vrf} {member}\n    address 10.0.1.1/24\n    address fd00:1::1/64\n"
        )
    };
    let isolated = |installed: &Installed| {
        ip("link add lo0 type dummy");
        ip("link del lo0");
        hosts[0].within(|| ping("10.0.1.1", None)).expect_err("outside");
        assert!(!ip_json("link show eth1")[0]["flags"].as_array().unwrap().contains(&"UP".into()));
        let left = command(&format!("ls {}", installed.path("/run/ifupdown-ng-netlink").display()));
        if ifupdown.version == Version::Bookworm {
            assert_ne!(left.status, 0, "{left}");
        }
    };
    // It has a stanza, but is not a VRF.
    let bad = "iface red\n    link-type dummy\n\n";
    let installed = ifupdown.install("");
    for member in ["red", "a/b"] {
        installed.file("/mnt/interfaces", &(bad.to_owned() + &file(member)));
        let ran = installed.ifup("eth1");
        let line = "eth1 came up without the isolation of its stanza and was set down; ifup -f eth1 when the cause is fixed\n";
        assert_eq!(ran.stderr.ends_with(line), ifupdown.version == Version::Bookworm, "{ran}");
        isolated(&installed);
        installed.ifdown("-f eth1");
        installed.ifdown("-f red");
        installed.forget();
        command("ip link del red");
    }
    // In its VRF and up, it stays so, even if the stanza changes.
    installed.interfaces(INTERFACES);
    installed.ifup("red eth1").quiet();
    settle();
    installed.file("/mnt/interfaces", &file("a/b"));
    installed.ifup("-f eth1");
    assert_eq!(masters(["eth1", "eth1"]), ["red", "red"]);
    hosts[0].within(|| ping("10.0.1.1", None)).unwrap();
}

/// The kernel checks the address of a route's `src` for duplicates for two seconds after the stock executor added it.
fn source_just_added(ifupdown: Ifupdown) {
    let _hosts = hosts();
    for card in ["eth1", "eth2", "eth3"] {
        ip(&format!("link set {card} down"));
    }
    let route = "vrf-route default via fd00:1::2 dev eth1 src fd00:1::1, 2001:db8::/32 via fd00:1::2 dev eth1 src fd00:1::1 table main";
    let file =
        INTERFACES.replace("    address fd00:1::1/64\n", &format!("    address fd00:1::1/64\n    {route}\n"));
    let installed = ifupdown.install(&file);
    installed.ifup("red eth1").quiet();
    assert!(ip("-6 route show vrf red default").contains("src fd00:1::1"));
    assert!(ip("-6 route show 2001:db8::/32").contains("src fd00:1::1"));
    // The stock executor reports errors for addresses that exist.
    installed.ifup("-f eth1").ok();
    installed.ifdown("-f eth1").ok();
    assert_eq!(ip("-6 route show 2001:db8::/32"), "");
}

fn red(keywords: &[&str]) {
    for name in ["create", "pre-up", "post-up"] {
        phase("vrf", "red", name, keywords).quiet();
        ip("link set red up");
    }
}

fn down(keywords: &[&str]) {
    for name in ["pre-down", "post-down", "destroy"] {
        phase("vrf", "red", name, keywords).quiet();
    }
}

/// A route that was removed from the stanza while it was up goes with the VRF, also if the record of the applied stanza
/// is lost; a route of another program stays.
fn routes_go() {
    own_run();
    red(&[
        "vrf-table 10",
        "vrf-route unreachable default, blackhole 10.9.0.0/16, blackhole 10.9.0.0/16 table 11",
    ]);
    ip("route add blackhole 10.8.0.0/16 table 10 proto static");
    command("rm -r /run/ifupdown-ng-netlink").ok();
    down(&["vrf-table 10"]);
    let table = |family: &str, table: u32| {
        let shown = ip_json(&format!("{family} route show table {table}"));
        shown.iter().map(|route| route["dst"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(table("-4", 10), ["10.8.0.0/16"]);
    assert_eq!(table("-6", 10), Vec::<String>::new());
    assert_eq!(table("-4", 11), ["10.9.0.0/16"]);
}

/// For IPv6 the kernel changes a metric of 0 to 1024.
fn metric_0() {
    own_run();
    let keywords =
        ["vrf-table 10", "vrf-route unreachable 2001:db8::/32 metric 0, unreachable 10.9.0.0/16 metric 0"];
    red(&keywords);
    assert_eq!(ip_json("-6 route show table 10")[0]["metric"], 1024);
    phase("vrf", "red", "post-up", &keywords).quiet();
    phase("vrf", "red", "pre-down", &keywords).quiet();
    assert_eq!(ip("-6 route show table 10") + &ip("-4 route show table 10"), "");
}

/// A route for some packets only does not take the place of ours.
fn routes_of_others() {
    own_run();
    let _hosts = hosts();
    red(&["vrf-table 10"]);
    phase("vrf", "eth1", "pre-up", &["vrf-member red"]).quiet();
    ip("link set eth1 up");
    ip("addr add 10.0.1.1/24 dev eth1");
    ip("addr add fd00:1::1/64 dev eth1 nodad");
    settle();
    ip("-4 route add 10.9.0.0/16 tos 0x10 via 10.0.1.2 table 10");
    ip("-6 route add default from fd00:7::/64 via fd00:1::2 dev eth1 table 10");
    let others = || {
        let tables = ip("-4 route show table 10") + &ip("-6 route show table 10");
        let lines = tables.lines().filter(|line| !line.contains("proto 73")).map(str::to_owned);
        lines.collect::<Vec<String>>()
    };
    let before = others();
    let keywords = ["vrf-member red", "vrf-route 10.9.0.0/16 via 10.0.1.2, default via fd00:1::2 dev eth1"];
    let ours = || {
        let words = ["-4 route show table 10 proto 73", "-6 route show table 10 proto 73"];
        words.map(|words| ip_json(words).iter().map(|route| route["gateway"].clone()).collect::<Vec<_>>())
    };
    for _ in 0..2 {
        phase("vrf", "eth1", "post-up", &keywords).quiet();
        assert_eq!(ours(), [["10.0.1.2"], ["fd00:1::2"]]);
        assert_eq!(others(), before);
    }
    phase("vrf", "eth1", "pre-down", &keywords).quiet();
    assert_eq!(ours(), [Vec::<serde_json::Value>::new(), Vec::new()]);
    assert_eq!(others(), before);
    // A route of another program is in its place.
    ip("-6 route add 2001:db8::/32 via fd00:1::2 dev eth1 table 10 proto static");
    let rival = ["vrf-member red", "vrf-route 2001:db8::/32 via fd00:1::3 dev eth1"];
    assert_eq!(phase("vrf", "eth1", "post-up", &rival).status, 1);
}

/// A host sends router advertisements to `eth1` (RFC 4861, 4.2), with this lifetime in seconds.
fn advertise(host: &Netns, lifetime: u16) {
    host.within(|| {
        let index = ip_json("link show dev eth0")[0]["ifindex"].as_u64().unwrap().try_into().unwrap();
        let protocol = SockProtocol::IcmpV6;
        let fd = socket(AddressFamily::Inet6, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol).unwrap();
        // The kernel accepts a router only on its own link.
        setsockopt(&fd, sockopt::Ipv6Ttl, &255).unwrap();
        let [high, low] = lifetime.to_be_bytes();
        // Type and code, and a checksum that the kernel sets.
        let advertisement = [134, 0, 0, 0, 64, 0, high, low, 0, 0, 0, 0, 0, 0, 0, 0];
        let to: Ipv6Addr = "fe80::1".parse().unwrap();
        let to = SockaddrIn6::from(SocketAddrV6::new(to, 0, 0, index));
        let sent = sendto(fd.as_raw_fd(), &advertisement, &to, MsgFlags::empty()).unwrap();
        assert_eq!(sent, advertisement.len());
    });
}

/// The kernel's default route from a router does not conflict with ours, whichever was first.
fn default_of_a_router() {
    own_run();
    let hosts = hosts();
    let keywords = ["vrf-member red", "vrf-route default via fd00:1::2 dev eth1"];
    red(&["vrf-table 10"]);
    phase("vrf", "eth1", "pre-up", &keywords).quiet();
    ip("link set eth1 up");
    for address in ["fd00:1::1/64", "fe80::1/64"] {
        ip(&format!("addr add {address} dev eth1 nodad"));
    }
    hosts[0].ip("addr add fe80::2/64 dev eth0 nodad");
    settle();
    let wait_for = |advertised: bool| {
        let is_there = || !ip("-6 route show table 10 default proto ra").is_empty();
        (0..100).find(|_| {
            std::thread::sleep(Duration::from_millis(50));
            is_there() == advertised
        })
    };
    let gateways = || {
        let shown = ip("-6 route show table 10 default");
        ["fd00:1::2", "fe80:"].map(|gateway| shown.contains(&format!("via {gateway}")))
    };
    advertise(&hosts[0], 1800);
    wait_for(true).expect("a default route of a router");
    for _ in 0..2 {
        phase("vrf", "eth1", "post-up", &keywords).quiet();
        assert_eq!(gateways(), [true, true]);
    }
    phase("vrf", "eth1", "pre-down", &keywords).quiet();
    assert_eq!(gateways(), [false, true]);
    advertise(&hosts[0], 0);
    wait_for(false).expect("the default route of the router is gone");
    phase("vrf", "eth1", "post-up", &keywords).quiet();
    advertise(&hosts[0], 1800);
    wait_for(true).expect("a default route of a router");
    phase("vrf", "eth1", "post-up", &keywords).quiet();
    assert_eq!(gateways(), [true, true]);
    phase("vrf", "eth1", "pre-down", &keywords).quiet();
    assert_eq!(gateways(), [false, true]);
}

/// A link-local gateway is on the interface of the stanza.
fn link_local_gateway() {
    own_run();
    let _hosts = hosts();
    red(&["vrf-table 10"]);
    phase("vrf", "eth1", "pre-up", &["vrf-member red"]).quiet();
    ip("link set eth1 up");
    settle();
    for _ in 0..2 {
        phase("vrf", "eth1", "post-up", &["vrf-member red", "vrf-route default via fe80::1"]).quiet();
        let routes = ip_json("-6 route show table 10 default");
        assert_eq!([&routes[0]["gateway"], &routes[0]["dev"]], ["fe80::1", "eth1"]);
    }
    phase("vrf", "eth1", "pre-down", &["vrf-member red", "vrf-route default via fe80::1"]).quiet();
    assert_eq!(ip("-6 route show table 10 default"), "");
    phase("vrf", "red", "create", &["vrf-table 10", "vrf-route default via fe80::1"]).refuses(
        2,
        "vrf: red: vrf-route default via fe80::1: via fe80::1: a link-local gateway requires dev",
    );
}

/// `auto` takes no table that has routes of another program.
fn table_with_routes() {
    own_run();
    ip("-4 route add blackhole default table 1001");
    ip("-6 route add blackhole default table 1002");
    red(&["vrf-table auto"]);
    assert_eq!(ip_json("-d link show red")[0]["linkinfo"]["info_data"]["table"], 1003);
    phase("vrf", "red", "create", &["vrf-table auto"]).quiet();
    down(&["vrf-table auto"]);
    assert_eq!(ip_json("link show type vrf"), Vec::<serde_json::Value>::new());
}

/// The error names the sysctl.
fn ipv6_disabled() {
    own_run();
    let _hosts = hosts();
    command("sysctl -qw net.ipv6.conf.eth1.disable_ipv6=1").ok();
    let ran = phase("vrf", "eth1", "post-up", &["vrf-route 2001:db8::/32 dev eth1 table 77"]);
    assert!(ran.status == 1 && ran.stderr.ends_with("; its sysctl disable_ipv6 is 1\n"), "{ran}");
    assert_eq!(command("ip -6 route show table 77").stdout, "");
}

/// The same for a bridge and a namespace that do not exist.
fn others_missing(ifupdown: Ifupdown) {
    let hosts = hosts();
    ip("link set eth1 down");
    let installed = ifupdown.install("");
    // No process has this number: it is above the maximum.
    for isolation in ["use bridge-vlan\n    bridge-member br0", "use netns\n    netns 4194305"] {
        for addresses in ["10.0.1.1/24", "10.0.1.1/24\n    address fd00:1::1/64"] {
            installed.file(
                "/mnt/interfaces",
                &format!("auto eth1\niface eth1\n    {isolation}\n    address {addresses}\n"),
            );
            let ran = installed.ifup("eth1");
            let line = "eth1 came up without the isolation of its stanza and was set down; ifup -f eth1 when the cause is fixed\n";
            assert_eq!(ran.stderr.ends_with(line), ifupdown.version == Version::Bookworm, "{ran}");
            hosts[0].within(|| ping("10.0.1.1", None)).expect_err("outside");
            assert!(!ip_json("link show eth1")[0]["flags"].as_array().unwrap().contains(&"UP".into()));
            installed.ifdown("-f eth1");
            installed.forget();
            assert_eq!(command("sysctl -n net.ipv6.conf.eth1.disable_ipv6").stdout, "0\n");
            let left = command(&format!("ls {}", installed.path("/run/ifupdown-ng-netlink").display()));
            assert_ne!(left.status, 0, "{left}");
        }
    }
    // If it is up already, it stays up.
    installed.file(
        "/mnt/interfaces",
        "auto eth1\niface eth1\n    address 10.0.1.1/24\n    use netns\n    netns 4194305\n",
    );
    ip("addr add 10.0.1.1/24 dev eth1");
    ip("link set eth1 up");
    settle();
    assert_ne!(installed.ifup("-f eth1").stderr, "");
    hosts[0].within(|| ping("10.0.1.1", None)).unwrap();
}

/// A VRF of another program has the name of ours and another table: its table gets no routes of ours.
fn vrf_of_others() {
    own_run();
    ip("link add red up type vrf table 11");
    let refused = "vrf: red: vrf-route unreachable default: red is a VRF with table 11, not 10";
    phase("vrf", "red", "post-up", &["vrf-table 10", "vrf-route unreachable default"]).refuses(1, refused);
    assert_eq!(ip("-4 route show table 11") + &ip("-6 route show table 11"), "");
    phase("vrf", "red", "post-up", &["vrf-table 11", "vrf-route unreachable default"]).quiet();
    phase("vrf", "red", "pre-down", &["vrf-table 11", "vrf-route unreachable default"]).quiet();
    assert_eq!(ip("-4 route show table 11") + &ip("-6 route show table 11"), "");
}

/// Rules of another program that do the same as ours stay, whenever they were added.
fn rules_of_others() {
    own_run();
    let others = ["pref 32765 lookup local protocol 4", "pref 2000 l3mdev unreachable protocol 4"];
    let shown = || {
        // iproute2's name of the protocol 4.
        let theirs = |family: &str| ip(&format!("{family} rule")).matches(" proto static").count();
        ["-4", "-6"].map(theirs)
    };
    for family in ["-4", "-6"] {
        ip(&format!("{family} rule add {}", others[0]));
    }
    let keywords = ["vrf-table 10", "vrf-rules yes"];
    red(&keywords);
    assert_eq!(shown(), [1, 1]);
    // Ours are marked as well.
    for family in ["-4", "-6"] {
        assert!(ip(&format!("{family} rule show pref 2000")).ends_with(" proto 73\n"), "{family}");
    }
    for family in ["-4", "-6"] {
        ip(&format!("{family} rule add {}", others[1]));
    }
    red(&keywords);
    assert_eq!(shown(), [2, 2]);
    red(&["vrf-table 10", "vrf-rules jump"]);
    assert_eq!(shown(), [2, 2]);
    down(&["vrf-table 10", "vrf-rules jump"]);
    assert_eq!(shown(), [2, 2]);
}

/// A member that another program added stays one, whatever becomes of the stanza of the VRF.
fn members_of_others() {
    own_run();
    let keywords = ["vrf-table 10", "vrf-rules yes"];
    red(&keywords);
    ip("link add theirs master red type dummy");
    let is_member = || assert_eq!(ip_json("link show theirs")[0]["master"], "red");
    red(&keywords);
    is_member();
    let warned = phase("vrf", "red", "destroy", &keywords).ok();
    let line = "vrf: red: warning: red is kept, since it has members: theirs; it is deleted with the ifdown of the last one\n";
    assert_eq!(warned.stderr, line);
    is_member();
    ip("link set theirs nomaster");
    down(&keywords);
    assert_eq!(ip_json("link show type vrf"), Vec::<serde_json::Value>::new());
}

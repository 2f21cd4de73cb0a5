//! `ifnetlink check` reports what `ip` and `bridge` changed without ifup, and nothing else.

use super::trial;
use crate::examples::cards;
use crate::ifupdown::{Executors, Ifupdown, Installed, Shell, Version, example};
use crate::lab::{Netns, command, ip, settle};
use libtest_mimic::Trial;

pub fn tests() -> Vec<Trial> {
    let mut tests = Vec::new();
    let mut add = |name: &str, version, executors, test: fn(Ifupdown)| {
        tests.push(trial(name, Ifupdown { version, executors, shell: Shell::Dash }, test));
    };
    for version in Version::ALL {
        for executors in Executors::ALL {
            add("check-vrf", version, executors, vrf);
        }
        add("check-veth", version, Executors::Replaced, veth);
        add("check-vlan", version, Executors::Replaced, vlan);
        add("check-which", version, Executors::Replaced, which);
        add("check-accept", version, Executors::Replaced, accept);
    }
    add("check-stock", Version::Trixie, Executors::Stock, stock);
    add("check-unread", Version::Trixie, Executors::Stock, unread);
    add("check-unread", Version::Trixie, Executors::Replaced, unread);
    tests
}

/// A change, and the lines that report it.
type Row<'a> = (&'a str, &'a [&'a str]);

/// Makes each change, compares the report, and has ifup correct it for these interfaces.
fn drifts(installed: &Installed, interfaces: &str, rows: &[Row<'_>], mut make: impl FnMut(&str)) {
    for (change, lines) in rows {
        make(change);
        let ran = installed.ifnetlink("check");
        assert_eq!((ran.status, ran.stderr.as_str()), (3, ""), "{change}: {ran}");
        assert_eq!(ran.stdout.lines().collect::<Vec<_>>(), *lines, "{change}");
        // The stock executors report errors for objects that exist already.
        installed.ifup(&format!("-f {interfaces}"));
        settle();
        assert_eq!(installed.ifnetlink("check").quiet().stdout, "", "after {change} and ifup -f");
    }
}

fn vrf(ifupdown: Ifupdown) {
    let _hosts = cards();
    let installed = ifupdown.install(&example("management-vrf"));
    let everything = installed.ifnetlink("check");
    assert_eq!(everything.status, 3, "before ifup: {everything}");
    assert!(everything.stdout.starts_with("vrf-management: ip link add vrf-management type vrf table 1\n"));
    assert!(everything.stdout.contains("\neth0: ip link set eth0 master vrf-management\n"), "{everything}");
    installed.ifup("-a").quiet();
    settle();
    assert_eq!(installed.ifnetlink("check").quiet().stdout, "");
    assert_eq!(installed.ifnetlink("check --json").quiet().stdout, "[]\n");
    let rows: &[Row<'_>] = &[
        (
            "ip -6 rule del pref 2000",
            &["vrf-management: ip -6 rule add pref 2000 l3mdev unreachable protocol 73"],
        ),
        ("ip -4 rule add pref 0 table local", &["vrf-management: ip -4 rule del pref 0 table local"]),
        (
            "ip route del 10.20.30.0/24 dev eth0 table main",
            &["eth0: ip -4 route add 10.20.30.0/24 dev eth0 table main protocol 73"],
        ),
        (
            "sysctl -w net.ipv4.tcp_l3mdev_accept=0",
            &["vrf-management: sysctl -w net.ipv4.tcp_l3mdev_accept=1"],
        ),
    ];
    drifts(&installed, "vrf-management eth0", rows, |change| drop(command(change).ok()));
    ip("link set eth0 nomaster");
    let ran = installed.ifnetlink("check eth0");
    assert_eq!((ran.status, ran.stderr.as_str()), (3, ""), "{ran}");
    assert!(ran.stdout.starts_with("eth0: ip link set eth0 master vrf-management\n"), "{ran}");
    let json = installed.ifnetlink("check --json eth0").stdout;
    let objects: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
    let steps: Vec<String> = objects
        .iter()
        .map(|object| {
            format!("{}: {}", object["interface"].as_str().unwrap(), object["step"].as_str().unwrap())
        })
        .collect();
    assert_eq!(steps, ran.stdout.lines().collect::<Vec<_>>());
    ip("link set eth0 master vrf-management");
    installed.ifdown("-a");
}

fn veth(ifupdown: Ifupdown) {
    let _hosts = cards();
    let installed = ifupdown.install(&example("veth-peer"));
    installed.ifup("-a").quiet();
    settle();
    let guest = || Netns::at(&installed.path("/run/netns/guest"));
    let rows: &[Row<'_>] = &[
        (
            "addr del 192.0.2.2/24 dev eth0",
            &[
                "veth-guest: ip -n guest address add 192.0.2.2/24 dev eth0",
                "veth-guest: ip -n guest -4 route add default via 192.0.2.1 dev eth0 table main protocol 73",
            ],
        ),
        (
            "-6 route del default",
            &[
                "veth-guest: ip -n guest -6 route add default via 2001:db8:1::1 dev eth0 table main protocol 73",
            ],
        ),
        ("link set eth0 mtu 1300", &["veth-guest: ip -n guest link set eth0 mtu 1400"]),
        (
            "link set eth0 address 02:00:00:00:00:99",
            &["veth-guest: ip -n guest link set eth0 address 02:00:00:00:00:02"],
        ),
    ];
    drifts(&installed, "veth-guest", rows, |change| drop(guest().ip(change)));
    installed.ifdown("-a");
}

fn vlan(ifupdown: Ifupdown) {
    let _hosts = cards();
    let installed = ifupdown.install(&example("vlan-access-trunk"));
    installed.ifup("-a").quiet();
    settle();
    let rows: &[Row<'_>] = &[
        ("bridge vlan add dev eth0 vid 99", &["eth0: bridge vlan del dev eth0 vid 99"]),
        ("bridge vlan del dev eth1 vid 20", &["eth1: bridge vlan add dev eth1 vid 20 pvid untagged"]),
        (
            "ip link set br0 type bridge vlan_filtering 0",
            &["br0: ip link set br0 type bridge vlan_filtering 1"],
        ),
        (
            "ip link set eth2 nomaster",
            &[
                "eth2: ip link set eth2 master br0",
                "eth2: bridge vlan add dev eth2 vid 10 && bridge vlan add dev eth2 vid 20",
            ],
        ),
    ];
    drifts(&installed, "br0 eth0 eth1 eth2", rows, |change| drop(command(change).ok()));
    installed.ifdown("-a");
}

/// Which interfaces are checked: those named; those that are auto; without either, also those that are up. Templates
/// are not interfaces; their lines are reported for those that inherit them.
fn which(ifupdown: Ifupdown) {
    let _hosts = cards();
    let installed = ifupdown.install(
        "template member\n    vrf-member red\n\
         auto red\niface red\n    vrf-table 10\n\
         auto eth0\niface eth0\n    inherit member\n\
         iface eth1\n    inherit member\n\
         iface eth2\n    vrf-member red\n    vrf-route default dev lo table 70000000000\n\
         auto eth3\niface eth3\n    address 192.0.2.1/24\n",
    );
    installed.ifup("-a").quiet();
    let out = |arguments: &str| installed.ifnetlink(arguments).stdout;
    ip("link set eth0 nomaster");
    let eth0 = "eth0: ip link set eth0 master red\n";
    let eth1 = "eth1: ip link set eth1 master red\n";
    assert_eq!([out("check"), out("check -a"), out("check eth1")], [eth0, eth0, eth1]);
    installed.ifup("eth1").quiet();
    ip("link set eth1 nomaster");
    assert_eq!([out("check"), out("check -a"), out("check eth1")], [&(eth0.to_owned() + eth1), eth0, eth1]);
    assert_eq!(installed.ifnetlink("check eth3 red").quiet().stdout, "");
    installed
        .ifnetlink("check eth9")
        .refuses(2, "ifnetlink: eth9: there is no such stanza in /mnt/interfaces");
    let wrong = installed.ifnetlink("check eth2 eth0");
    assert_eq!((wrong.status, wrong.stdout.as_str()), (2, eth0), "{wrong}");
    assert!(
        wrong.stderr.starts_with("ifnetlink: eth2: vrf-route default dev lo table 70000000000: "),
        "{wrong}"
    );
    assert_eq!(wrong.stderr.lines().count(), 1, "{wrong}");
}

/// A stanza that none of our executors reads is not reported as correct.
fn unread(ifupdown: Ifupdown) {
    let installed = ifupdown.install("");
    let stock = ifupdown.executors == Executors::Stock;
    for (stanza, reader) in
        [("vrf-table 10", "vrf-table"), ("netns red", "netns"), ("bridge-vlan 10", "bridge-vlan")]
    {
        installed.file("/mnt/interfaces", &format!("auto eth1\niface eth1\n    {stanza}\n"));
        let ran = installed.ifnetlink("check");
        let line = |what: String| {
            format!("ifnetlink: eth1: {stanza}: no executor of this package reads it; {what}\n")
        };
        if stock {
            assert_eq!((ran.status, ran.stderr), (2, line(format!("{reader} is not installed"))));
        } else if reader == "netns" {
            assert_eq!((ran.status, ran.stderr), (2, line("add `use netns`".to_owned())));
        } else {
            assert!(!ran.stderr.contains("reads it"), "{ran}");
        }
    }
}

/// Executors that are not ours are ignored.
fn stock(ifupdown: Ifupdown) {
    let _hosts = cards();
    let installed = ifupdown.install("auto br0\niface br0\n    bridge-ports eth0\n    bridge-fd 3\n");
    assert_eq!(installed.ifnetlink("check").quiet().stdout, "");
}

/// A VRF that ifdown kept for its members has a record, but its stanza has no `vrf-accept` that another one could
/// conflict with.
fn accept(ifupdown: Ifupdown) {
    ip("link add eth0 type dummy");
    let stanzas = "auto red\niface red\n    vrf-table 10\n    vrf-rules yes\n\n\
        auto eth0\niface eth0\n    vrf-member red\n\n\
        auto blue\niface blue\n    vrf-table 20\n    vrf-accept tcp\n";
    let installed = ifupdown.install(stanzas);
    installed.ifup("red").quiet();
    installed.ifup("eth0").quiet();
    let kept = installed.ifdown("-f red").ok();
    assert!(kept.stderr.contains("red is kept, since it has members: eth0"), "{kept}");
    let ran = installed.ifnetlink("check");
    assert!(ran.stdout.contains("blue: sysctl -w net.ipv4.tcp_l3mdev_accept=1\n"), "{ran}");
    assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("conflicts"), "{ran}");
}

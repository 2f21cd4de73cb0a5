//! `ifnetlink apply` while sessions run, and what it refuses.

use super::trial;
use super::whole::{NOTHING, counted_lines};
use crate::bridges::vlans;
use crate::examples::cards;
use crate::flows::Flow;
use crate::ifupdown::{Executors, Ifupdown, Installed, Shell, Version, example};
use crate::lab::{Netns, SCRATCH, command, ip, ip_json, settle};
use crate::probe::{PORT, ping};
use crate::state::State;
use libtest_mimic::Trial;
use std::collections::BTreeSet;
use std::fs;
use std::thread::sleep;
use std::time::Duration;

pub fn tests() -> Vec<Trial> {
    let mut tests = Vec::new();
    for version in Version::ALL {
        let ifupdown = Ifupdown { version, executors: Executors::Replaced, shell: Shell::Dash };
        tests.push(trial("apply-vlan", ifupdown, vlan));
        tests.push(trial("apply-vrf", ifupdown, vrf));
        tests.push(trial("apply-veth", ifupdown, veth));
        tests.push(trial("apply-renumbered", ifupdown, renumbered));
        tests.push(trial("apply-prefix-length", ifupdown, prefix_length));
        tests.push(trial("apply-netns", ifupdown, netns));
        tests.push(trial("apply-netns-sysctl", ifupdown, netns_sysctl));
        tests.push(trial("apply-many-gone", ifupdown, many_gone));
        let native = Ifupdown { executors: Executors::Native, ..ifupdown };
        tests.push(trial("apply-settings", native, settings));
        tests.push(trial("apply-other-file", ifupdown, other_file));
        tests.push(trial("apply-other-stanza", ifupdown, other_stanza));
        tests.push(trial("apply-pair-made-again", ifupdown, pair_made_again));
        tests.push(trial("apply-moved-stanza", ifupdown, moved_stanza));
        tests.push(trial("apply-disruptive", ifupdown, disruptive));
    }
    tests
}

/// Applies a changed file while a session runs, which must not stall; returns the printed lines.
fn applied(installed: &Installed, file: &str, interfaces: &str, flow: Flow) -> Vec<String> {
    sleep(Duration::from_millis(500));
    let lines = changed(installed, file, interfaces);
    sleep(Duration::from_millis(500));
    flow.close();
    lines
}

/// Applies a changed file; afterwards nothing is left to do. Returns the printed lines.
fn changed(installed: &Installed, file: &str, interfaces: &str) -> Vec<String> {
    installed.interfaces(file);
    let lines = installed.ifnetlink(&format!("apply {interfaces}")).quiet().stdout;
    assert_eq!(installed.ifnetlink("check").quiet().stdout, "", "after apply");
    assert_eq!(installed.ifnetlink(&format!("apply {interfaces}")).quiet().stdout, "", "again");
    lines.lines().map(str::to_owned).collect()
}

/// A change that is not allowed is reported in one line, and nothing changes.
fn refused(installed: &Installed, file: &str, interfaces: &str, line: &str) {
    installed.interfaces(file);
    let before = State::with_run(installed);
    installed.ifnetlink(&format!("apply {interfaces}")).refuses(1, line);
    before.assert_same(&State::with_run(installed), line);
}

fn vlan(ifupdown: Ifupdown) {
    let hosts = cards();
    for (host, address) in [(&hosts[0], "192.0.2.1/24"), (&hosts[1], "192.0.2.2/24")] {
        host.ip(&format!("addr add {address} dev eth0"));
    }
    let file = |bridge: &str, eth1: &str, eth2: &str| {
        format!(
            "auto br0\niface br0\n    bridge-vlan-filtering yes\n    bridge-default-pvid none\n{bridge}\
             auto eth0\niface eth0\n    bridge-member br0\n    bridge-vlan 10 pvid untagged\n\
             auto eth1\niface eth1\n    bridge-member br0\n    bridge-vlan {eth1}\n\
             auto eth2\niface eth2\n    bridge-member br0\n    bridge-vlan {eth2}\n"
        )
    };
    let installed = ifupdown.install(&file("", "10 pvid untagged", "10, 20"));
    installed.ifup("-a").quiet();
    settle();
    let flow = hosts[0].within(|| Flow::open("192.0.2.2", PORT, None, &hosts[1]));
    let changed = file("    bridge-vlan 99\n", "10 pvid untagged, 40", "20-30");
    let lines = applied(&installed, &changed, "br0 eth0 eth1 eth2", flow);
    assert_eq!(
        lines,
        [
            "br0: bridge vlan add dev br0 vid 99 self",
            "eth1: bridge vlan add dev eth1 vid 40",
            "eth2: bridge vlan del dev eth2 vid 10",
            "eth2: bridge vlan add dev eth2 vid 21-30",
        ]
    );
    assert_eq!(vlans("eth0"), ["10 PVID Egress Untagged"]);
    assert_eq!(vlans("eth1"), ["10 PVID Egress Untagged", "40"]);
    assert_eq!(vlans("br0"), ["99"]);
    assert_eq!(vlans("eth2").len(), 11);
    installed.interfaces(&file("", "5000", "20"));
    installed
        .ifnetlink("apply eth1 eth2")
        .refuses(2, "ifnetlink: /mnt/interfaces:12: bridge-vlan 5000: 5000: not a VLAN (1-4094)");
    assert_eq!(vlans("eth2").len(), 11);
    installed.ifdown("-a");
}

/// Our routes in a table, and whether our rules exist.
fn ours(table: u32) -> (Vec<String>, usize) {
    let is_ours = |value: &serde_json::Value| value["protocol"] == "73";
    let routes = ip_json(&format!("-4 route show table {table}"));
    let routes = routes.iter().filter(|route| is_ours(route));
    let rules = ip_json("-4 rule").into_iter().chain(ip_json("-6 rule"));
    (routes.map(|route| route["dst"].as_str().unwrap().to_owned()).collect(), rules.filter(is_ours).count())
}

fn vrf(ifupdown: Ifupdown) {
    let hosts = cards();
    hosts[0].ip("addr add 192.0.2.2/24 dev eth0");
    let file = |table: u32, rules: &str, routes: &str| {
        format!(
            "auto red\niface red\n    vrf-table {table}\n{rules}\
             auto eth0\niface eth0\n    vrf-member red\n    address 192.0.2.1/24\n    vrf-route {routes}\n\
             auto eth1\niface eth1\n    address 192.0.2.65/30\n    vrf-route 10.9.0.0/16 dev eth1 table 10\n"
        )
    };
    let installed = ifupdown.install(&file(
        10,
        "    vrf-rules yes\n",
        "10.1.0.0/16 via 192.0.2.2, 10.2.0.0/16 via 192.0.2.2",
    ));
    installed.ifup("-a").quiet();
    settle();
    assert_eq!(ours(10).0, ["10.1.0.0/16", "10.2.0.0/16", "10.9.0.0/16"]);
    let flow = || Flow::open("192.0.2.2", PORT, Some("red"), &hosts[0]);
    let changed =
        file(10, "    vrf-rules jump\n", "10.2.0.0/16 via 192.0.2.2 metric 5, 10.3.0.0/16 via 192.0.2.2");
    applied(&installed, &changed, "red eth0", flow());
    assert_eq!(ours(10).0, ["10.2.0.0/16", "10.3.0.0/16", "10.9.0.0/16"]);
    let rules = ip("rule");
    assert!(rules.contains("goto 1000"), "{rules}");
    let plain = file(10, "", "10.3.0.0/16 via 192.0.2.2");
    applied(&installed, &plain, "red eth0", flow());
    assert_eq!(ours(10), (vec!["10.3.0.0/16".to_owned(), "10.9.0.0/16".to_owned()], 0));
    assert!(ip("rule").starts_with("0:\tfrom all lookup local\n"), "{}", ip("rule"));
    refused(
        &installed,
        &file(20, "    vrf-rules yes\n", "10.4.0.0/16 via 192.0.2.2"),
        "red",
        "ifnetlink: red: vrf-table 20: red exists and is a VRF with table 10; ifdown it, or delete it by hand",
    );
    installed.interfaces(&plain);
    installed.ifdown("-a");
}

fn veth(ifupdown: Ifupdown) {
    let _hosts = cards();
    let installed = ifupdown.install(&example("veth-peer"));
    installed.ifup("-a").quiet();
    settle();
    let guest = Netns::at(&installed.path("/run/netns/guest"));
    let flow = Flow::open("192.0.2.2", PORT, None, &guest);
    let changed = example("veth-peer").replace("192.0.2.2/24, ", "192.0.2.2/24, 192.0.2.3/24, ").replace(
        "gateway 192.0.2.1, 2001:db8:1::1",
        "gateway 192.0.2.1\n    veth-peer-route 203.0.113.0/24 via 192.0.2.1",
    );
    let lines = applied(&installed, &changed, "veth-guest", flow);
    assert_eq!(
        lines,
        [
            "veth-guest: ip -n guest address add 192.0.2.3/24 dev eth0",
            "veth-guest: ip -n guest -4 route add 203.0.113.0/24 via 192.0.2.1 table main protocol 73",
            "veth-guest: ip -n guest -6 route del default via 2001:db8:1::1 dev eth0 table main protocol 73",
        ]
    );
    assert!(guest.ip("addr show dev eth0").contains("192.0.2.3/24"));
    assert_eq!(guest.ip("-6 route show default"), "");
    assert!(guest.ip("route").contains("203.0.113.0/24 via 192.0.2.1"));
    // The pair would have to be made again.
    installed.interfaces(&changed.replace("netns guest", "netns other"));
    let before = State::with_run(&installed);
    let ran = installed.ifnetlink("apply veth-guest");
    let line = "ifnetlink: veth-guest: `ip link set veth-guest down` interrupts the interface, which has 192.0.2.1/24, \
                2001:db8:1::1/64; ifdown and ifup it, or add --disruptive\n";
    assert!(ran.status == 1 && ran.stderr.starts_with(line), "{ran}");
    before.assert_same(&State::with_run(&installed), line);
    installed.interfaces(&changed);
    installed.ifdown("-a");
}

/// Replaces the addresses of the stanza by others: with the first of a prefix the kernel deletes the later ones, and
/// then the routes that lose their gateway. Addresses of another program stay.
fn renumbered(ifupdown: Ifupdown) {
    let installed = ifupdown.install(&example("veth-peer"));
    installed.ifup("-a").quiet();
    settle();
    let guest = Netns::at(&installed.path("/run/netns/guest"));
    guest.within(|| {
        command(
            "sysctl -q -w net.ipv4.conf.all.promote_secondaries=0 net.ipv4.conf.eth0.promote_secondaries=0",
        )
        .ok()
    });
    guest.ip("addr add 198.51.100.1/24 dev eth0");
    guest.ip("addr add 2001:db8:1::99/64 dev eth0 nodad");
    let file =
        example("veth-peer").replace("192.0.2.2/24, 2001:db8:1::2/64", "192.0.2.5/24, 2001:db8:1::5/64");
    let again = "veth-guest: ip -n guest address add 192.0.2.5/24 dev eth0";
    assert_eq!(
        changed(&installed, &file, "veth-guest"),
        [
            again,
            "veth-guest: ip -n guest address add 2001:db8:1::5/64 dev eth0",
            "veth-guest: ip -n guest address del 192.0.2.2/24 dev eth0",
            "veth-guest: ip -n guest address del 2001:db8:1::2/64 dev eth0",
            again,
        ]
    );
    let addresses = |family: &str| {
        let shown = guest.ip(&format!("{family} -o addr show dev eth0 scope global"));
        let words = shown.lines().filter_map(|line| Some(line.split_whitespace().nth(3)?.to_owned()));
        words.collect::<BTreeSet<_>>()
    };
    assert_eq!(addresses("-4"), ["192.0.2.5/24", "198.51.100.1/24"].map(str::to_owned).into());
    assert_eq!(addresses("-6"), ["2001:db8:1::5/64", "2001:db8:1::99/64"].map(str::to_owned).into());
    for (family, gateway) in [("-4", "192.0.2.1"), ("-6", "2001:db8:1::1")] {
        assert!(guest.ip(&format!("{family} route show default")).contains(gateway));
        guest.within(|| ping(gateway, None)).unwrap();
    }
    // An address of another program, which the kernel would delete with ours.
    guest.ip("addr add 192.0.2.99/24 dev eth0");
    assert_eq!(
        changed(&installed, &example("veth-peer"), "veth-guest"),
        [
            "veth-guest: ip -n guest address add 192.0.2.2/24 dev eth0",
            "veth-guest: ip -n guest address add 2001:db8:1::2/64 dev eth0",
            "veth-guest: ip -n guest address del 2001:db8:1::5/64 dev eth0",
        ]
    );
    assert!(addresses("-4").contains("192.0.2.99/24"));
    installed.ifdown("-a");
}

/// Only the lengths of IPv6 prefixes change. The kernel has such an address only once on a link.
fn prefix_length(ifupdown: Ifupdown) {
    let installed = ifupdown.install(&example("veth-peer"));
    installed.ifup("-a").quiet();
    settle();
    let guest = Netns::at(&installed.path("/run/netns/guest"));
    let file = |length: u8| {
        let address = |last: u8| format!("2001:db8:1::{last}/{length}");
        example("veth-peer").replace("2001:db8:1::1/64", &address(1)).replace("2001:db8:1::2/64", &address(2))
    };
    for (from, to) in [(64, 48), (48, 56)] {
        let (here, inside) = ("veth-guest: ip address", "veth-guest: ip -n guest address");
        assert_eq!(
            changed(&installed, &file(to), ""),
            [
                format!("{here} del 2001:db8:1::1/{from} dev veth-guest"),
                format!("{here} add 2001:db8:1::1/{to} dev veth-guest"),
                format!("{inside} del 2001:db8:1::2/{from} dev eth0"),
                format!("{inside} add 2001:db8:1::2/{to} dev eth0"),
            ]
        );
        for (shown, address) in [
            (ip("-6 -o addr show dev veth-guest scope global"), "2001:db8:1::1"),
            (guest.ip("-6 -o addr show dev eth0 scope global"), "2001:db8:1::2"),
        ] {
            assert!(shown.lines().count() == 1 && shown.contains(&format!("{address}/{to} ")), "{shown}");
        }
    }
    settle();
    guest.within(settle);
    guest.within(|| ping("2001:db8:1::1", None)).unwrap();
    installed.ifdown("-a");
}

fn netns(ifupdown: Ifupdown) {
    let hosts = cards();
    for words in ["addr add 192.0.2.20/24 dev eth0", "link set eth0 up"] {
        hosts[1].ip(words);
    }
    let installed = ifupdown.install(&example("netns"));
    installed.ifup("-a").quiet();
    settle();
    let isolated = Netns::at(&installed.path("/run/netns/isolated"));
    let flow = isolated.within(|| Flow::open("192.0.2.20", PORT, None, &hosts[1]));
    let changed = example("netns")
        .replace("192.0.2.10/24, ", "192.0.2.10/24, 192.0.2.11/24, ")
        .replace("203.0.113.0/24 via", "198.51.100.0/24 via");
    let lines = applied(&installed, &changed, "eth1", flow);
    assert_eq!(
        lines,
        [
            "eth1: ip -n isolated address add 192.0.2.11/24 dev lan0",
            "eth1: ip -n isolated -4 route add 198.51.100.0/24 via 192.0.2.254 table main protocol 73",
            "eth1: ip -n isolated -4 route del 203.0.113.0/24 via 192.0.2.254 dev lan0 table main protocol 73",
        ]
    );
    assert!(isolated.ip("addr show dev lan0").contains("192.0.2.11/24"));
    refused(
        &installed,
        &changed.replace("netns isolated", "netns other"),
        "eth1",
        "ifnetlink: eth1: `ip -n isolated link set lan0 netns $$ name eth1` ends its connections; ifdown and ifup it, or add --disruptive",
    );
    installed.interfaces(&changed);
    installed.ifdown("-a");
}

/// A sysctl is set in a namespace that the same run makes. It is restored when the stanzas that set it are gone, and the
/// namespace stays.
fn netns_sysctl(ifupdown: Ifupdown) {
    const TTL: &str = "net.ipv4.ip_default_ttl";
    let _hosts = cards();
    let installed = ifupdown.install("auto lo\niface lo\n");
    let stanza = |card: &str, lines: &str| {
        format!("auto {card}\niface {card}\n    use netns\n    netns blue\n{lines}\n")
    };
    let setting = format!("    netns-sysctl {TTL}=77\n");
    let all = stanza("eth0", &setting) + &stanza("eth1", &setting) + &stanza("eth2", "");
    changed(&installed, &all, "");
    let blue = Netns::at(&installed.path("/run/netns/blue"));
    let ttl = || blue.within(|| fs::read_to_string("/proc/sys/net/ipv4/ip_default_ttl").unwrap());
    assert_eq!(ttl(), "77\n");
    changed(&installed, &(stanza("eth1", &setting) + &stanza("eth2", "")), "");
    assert_eq!(ttl(), "77\n", "eth1 still sets it");
    changed(&installed, &stanza("eth2", ""), "");
    assert_eq!(ttl(), "64\n", "no stanza sets it");
    changed(&installed, "auto lo\niface lo\n", "");
}

/// All stanzas go. The kernel deletes the links at once; if another program has a link in the group that is used for
/// that, one by one, and that link stays.
fn many_gone(ifupdown: Ifupdown) {
    const GROUP: &str = "1768320620";
    let _hosts = cards();
    let nothing = "auto lo\niface lo\n";
    let installed = ifupdown.install(nothing);
    installed.ifup("-a").ok();
    let pair = |n| {
        format!(
            "auto w{n}\niface w{n}\n    address 10.0.{n}.1/24\n    use veth-peer\n    veth-peer x{n}\n    \
             veth-peer-netns n{n}\n    veth-peer-address 10.0.{n}.2/24\n    veth-peer-gateway 10.0.{n}.1\n"
        )
    };
    let mut file: String = std::iter::once(nothing.to_owned()).chain((1..=4).map(pair)).collect();
    file += "auto red\niface red\n    vrf-table 10\n    vrf-rules yes\n\
             auto br0\niface br0\n    bridge-ports eth1\n    bridge-vlan-aware yes\n\
             auto eth2\niface eth2\n    vrf-member red\n";
    for other in [false, true] {
        if other {
            ip("link add theirs type dummy");
            ip(&format!("link set theirs group {GROUP}"));
        }
        let before = State::with_run(&installed);
        changed(&installed, &file, "");
        installed.interfaces(nothing);
        let path = format!("{SCRATCH}/calls");
        let options = ["-f", "-e", "trace=sendto", "-e", "signal=none", "-o", &path];
        installed.traced_ifnetlink(&options, "apply --disruptive").quiet();
        let calls = fs::read_to_string(&path).unwrap();
        assert_eq!(calls.matches("nlmsg_type=RTM_DELLINK").count(), if other { 6 } else { 1 }, "{calls}");
        settle();
        before.assert_same(&State::with_run(&installed), "all gone");
    }
    assert!(ip("-d link show theirs").contains(&format!("group {GROUP} ")));
}

/// An edit that adds settings of a card and removes other keywords. ifdown restores the settings.
fn settings(ifupdown: Ifupdown) {
    let _hosts = cards();
    let installed = ifupdown.install("auto lo\niface lo\n");
    let br0 = "auto br0\niface br0\n    bridge-ports none\n";
    let card = |lines: &str| format!("{br0}auto eth1\niface eth1\n{lines}");
    let link = || ip("-d -o link show eth1");
    assert!(link().contains("mtu 1500") && !link().contains("alias"), "{}", link());
    changed(&installed, &card("    bridge-member br0\n    bridge-isolated yes\n    mtu 1450\n"), "");
    let with =
        card("    bridge-member br0\n    alias uplink\n    mtu 1400\n    hwaddress 02:00:00:00:00:77\n");
    let address = link().split_once("link/ether ").unwrap().1[..17].to_owned();
    changed(&installed, &with, "");
    assert!(link().contains("mtu 1400") && link().contains("alias uplink"), "{}", link());
    assert!(link().contains("link/ether 02:00:00:00:00:77"), "{}", link());
    installed.ifdown("-a").quiet();
    assert!(link().contains("mtu 1500") && !link().contains("alias"), "{}", link());
    assert!(link().contains(&address), "{}", link());
}

/// An edit makes a pair again, with its end in a namespace that stays: the new end has another index.
fn pair_made_again(ifupdown: Ifupdown) {
    let file = |queues: u32| {
        format!(
            "auto keep\niface keep\n    veth-peer kept\n    veth-peer-netns blue\n\n\
             auto pair\niface pair\n    veth-peer end\n    veth-peer-netns blue\n    veth-queues {queues}\n    \
             address 192.0.2.1/24\n    veth-peer-address 192.0.2.2/24\n    veth-peer-gateway 192.0.2.1\n"
        )
    };
    let installed = ifupdown.install(&file(1));
    installed.ifnetlink("apply").ok();
    let blue = Netns::at(&installed.path("/run/netns/blue"));
    let index = || ip_json("link show pair")[0]["link_index"].clone();
    let before = index();
    installed.interfaces(&file(2));
    installed.ifnetlink("apply --disruptive").ok();
    assert_ne!(index(), before);
    assert!(blue.ip("address show dev end").contains("192.0.2.2/24"));
    assert!(blue.ip("route").contains("default via 192.0.2.1 dev end"));
    assert_eq!(installed.ifnetlink("check").quiet().stdout, "");
}

/// A stanza moves from one interfaces file to another one, with its interface up. Then it is removed.
fn moved_stanza(ifupdown: Ifupdown) {
    let pair = "auto pair\niface pair\n    veth-peer end\n    address 192.0.2.1/24\n";
    let nothing = "auto lo\niface lo\n";
    let installed = ifupdown.install(nothing);
    installed.file("/mnt/other", pair);
    installed.ifup("-i /mnt/other -a").quiet();
    let index = || ip_json("link show pair")[0]["ifindex"].clone();
    let before = index();
    installed.interfaces(pair);
    installed.ifnetlink("apply").quiet();
    assert_eq!(index(), before);
    installed.interfaces(nothing);
    installed.ifnetlink("apply --disruptive").ok();
    assert_eq!(ip_json("link show type veth").len(), 0);
}

/// Another VRF is up whose stanza is not in the file: neither its rules nor its routes are deleted.
/// An interface that was brought up with the stanza of another name stays as it is, also if it has a stanza of its own.
fn other_stanza(ifupdown: Ifupdown) {
    let _hosts = cards();
    let file = |address: &str| {
        format!(
            "auto red\niface red\n    vrf-table 10\n    vrf-rules yes\n\n\
             auto eth0\niface eth0\n    address {address}\n\n\
             auto eth2\niface eth2\n    address 203.0.113.1/24\n\n\
             iface office\n    address 203.0.113.9/24\n\n\
             iface home\n    vrf-member red\n    address 198.51.100.1/24\n    \
             vrf-route 10.9.0.0/16 via 198.51.100.2 dev eth1\n"
        )
    };
    let installed = ifupdown.install(&file("192.0.2.1/24"));
    let before = State::with_run(&installed);
    installed.ifup("red eth0 eth1=home eth2=office").ok();
    let kept = || {
        settle();
        [ip("-4 addr show dev eth1"), ip("-4 addr show dev eth2"), ip("route show table 10"), ip("-4 rule")]
    };
    let (up, entries) = (kept(), counted_lines(&installed));
    assert!(up[0].contains("master red") && up[0].contains("198.51.100.1/24"), "{up:?}");
    assert!(up[1].contains("203.0.113.9/24") && up[2].contains("10.9.0.0/16"), "{up:?}");
    assert!(entries.contains("eth1=home 1 explicit"), "{entries:?}");
    installed.interfaces(&file("192.0.2.1/24\n    address 192.0.2.2/24"));
    let ran = installed.ifnetlink("apply");
    let warning = |of: &str, stanza: &str| {
        format!("warning: {of}: it is up with the stanza {stanza}; it is neither compared nor changed\n")
    };
    let warnings = format!("ifnetlink: {}ifnetlink: {}", warning("eth1", "home"), warning("eth2", "office"));
    assert_eq!((ran.status, ran.stderr.as_str()), (0, warnings.as_str()), "{ran}");
    assert!(ran.stdout.lines().all(|line| line.starts_with("eth0: ")), "{ran}");
    assert!(ip("-4 addr show dev eth0").contains("192.0.2.2/24"), "{ran}");
    assert_eq!((kept(), counted_lines(&installed)), (up, entries), "{ran}");
    let checked = installed.ifnetlink("check");
    assert_eq!((checked.status, checked.stdout.as_str()), (0, ""), "{checked}");
    installed.ifdown("eth1 eth2 eth0 red").ok();
    // What `apply` recorded of keywords that stock executors read goes with the next `apply`.
    installed.interfaces(NOTHING);
    installed.ifnetlink("apply").ok();
    before.assert_same(&State::with_run(&installed), "after ifdown");
}

fn other_file(ifupdown: Ifupdown) {
    let _hosts = cards();
    let red = "auto red\niface red\n    vrf-table 10\n    vrf-rules yes\n";
    let eth0 = "auto eth0\niface eth0\n    vrf-member red\n    address 192.0.2.1/24\n    \
                vrf-route 192.0.2.0/24 dev eth0 table 20, unreachable 10.8.0.0/16 table 20\n";
    let blue = |routes: &str| format!("auto blue\niface blue\n    vrf-table 20\n{routes}");
    let installed = ifupdown.install("auto lo\niface lo\n");
    installed.file("/mnt/other", &format!("{red}{eth0}"));
    installed.ifup("-i /mnt/other -a").quiet();
    let both = blue("    vrf-route unreachable 10.9.0.0/16\n")
        + "auto br0:0\niface br0:0\n    address 192.0.2.9/24\n";
    installed.interfaces(&both);
    installed.ifup("blue").quiet();
    settle();
    let routes = |family: &str| ip(&format!("{family} route show table 20"));
    let rules = [ip("-4 rule"), ip("-6 rule")];
    assert!(rules[0].contains("2000:") && rules[1].contains("2000:"), "{rules:?}");
    let before = routes("-4");
    for route in ["10.8.0.0/16", "10.9.0.0/16", "192.0.2.0/24 dev eth0"] {
        assert!(before.contains(route), "{before}");
    }
    let of_eth0 = "routes that no stanza has are kept: unreachable 10.8.0.0/16 table 20 protocol 73; eth0, red may need \
                   them, whose stanzas are in another file";
    let prints = |command: &str, status: i32, lines: &str| {
        let ran = installed.ifnetlink(command);
        let who = if command == "check" { "blue: warning: " } else { "warning: blue: " };
        let warning = format!("ifnetlink: {who}{of_eth0}\n");
        assert_eq!((ran.status, ran.stdout.as_str(), ran.stderr), (status, lines, warning), "{command}");
    };
    // The alias does not prevent it.
    prints("check", 0, "");
    // It is recorded that this route is blue's.
    installed.interfaces(&blue(""));
    let of_blue = "blue: ip -4 route del unreachable 10.9.0.0/16 table 20 protocol 73\n";
    prints("check", 3, of_blue);
    prints("apply blue", 0, of_blue);
    assert_eq!([ip("-4 rule"), ip("-6 rule")], rules);
    let before: String = before.split_inclusive('\n').filter(|line| !line.contains("10.9.0.0")).collect();
    assert_eq!(routes("-4"), before);
    // The same after ifup's state file is lost.
    installed.forget();
    installed.interfaces(&(red.to_owned() + eth0 + &blue("")));
    installed.ifup("blue");
    installed.ifnetlink("apply blue");
    assert_eq!([ip("-4 rule"), ip("-6 rule")], rules);
    assert_eq!(routes("-4"), before);
    // Interfaces that are up, whose stanzas ask for none of these.
    installed.ifup("-f -a");
    assert_eq!(installed.ifnetlink("apply blue").quiet().stdout, "");
    assert_eq!([ip("-4 rule"), ip("-6 rule")], rules);
}

/// A card with addresses and a default route becomes a port of a bridge.
fn disruptive(ifupdown: Ifupdown) {
    let _hosts = cards();
    let file = |eth1: &str| {
        format!(
            "auto br0\niface br0\n    bridge-vlan-filtering yes\n    bridge-default-pvid none\n\
             auto eth0\niface eth0\n    bridge-member br0\n    bridge-vlan 10 pvid untagged\n\
             auto eth1\niface eth1\n    address 192.0.2.1/24\n    address 2001:db8:1::1/64\n{eth1}"
        )
    };
    let installed = ifupdown.install(&file(""));
    installed.ifup("-a").quiet();
    settle();
    for words in ["-4 route add default via 192.0.2.254", "-6 route add default via 2001:db8:1::fe"] {
        ip(&format!("{words} dev eth1"));
    }
    let member = file("    bridge-member br0\n    bridge-vlan 20 pvid untagged\n");
    installed.interfaces(&member);
    let before = State::with_run(&installed);
    let ran = installed.ifnetlink("apply eth1");
    let line = "ifnetlink: eth1: `ip link set eth1 master br0` interrupts the interface, which has 192.0.2.1/24, 2001:db8:1::1/64, \
                route default via 192.0.2.254 dev eth1 table main";
    assert!(ran.status == 1 && ran.stderr.starts_with(line), "{ran}");
    assert!(ran.stderr.ends_with("; ifdown and ifup it, or add --disruptive\n"), "{ran}");
    before.assert_same(&State::with_run(&installed), "refused");
    let ran = installed.ifnetlink("apply --disruptive eth1").ok();
    assert!(ran.stderr.starts_with("ifnetlink: warning: eth1: "), "{ran}");
    assert_eq!(ip_json("link show eth1")[0]["master"], "br0");
    assert_eq!(vlans("eth1"), ["20 PVID Egress Untagged"]);
    // A card that has nothing to lose.
    installed.interfaces(&(member + "auto eth2\niface eth2\n"));
    installed.ifup("eth2").quiet();
    installed.interfaces(
        &(file("") + "auto eth2\niface eth2\n    bridge-member br0\n    bridge-vlan 20 pvid untagged\n"),
    );
    installed.ifnetlink("apply eth2").quiet();
    assert_eq!(ip_json("link show eth2")[0]["master"], "br0");
}

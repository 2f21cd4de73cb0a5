//! Bridges in use: ports that come late or never, stations in new VLANs, links that cannot be ports, bridges taken down
//! before their ports. The results are checked with `ip`, `bridge` and packets.

use crate::bridges::{lab, once_up, vlans};
use crate::capture::Capture;
use crate::examples::cards;
use crate::features::{Feature, needs};
use crate::ifupdown::{Executors, Ifupdown, Shell, Version};
use crate::lab::{command, in_lab, ip, ip_json, own_run, phase, phase_command, run, settle};
use crate::probe::ping;
use libtest_mimic::Trial;

pub fn tests() -> Vec<Trial> {
    let mut tests = vec![
        needs(&[], "bridges/plain", || in_lab(plain)),
        needs(&[], "bridges/all-wrong-at-once", || in_lab(all_wrong_at_once)),
        needs(&[], "bridges/flood", || in_lab(flood)),
        needs(&[Feature::Vlan], "bridges/station-in-a-new-vlan", || in_lab(station_in_a_new_vlan)),
        needs(&[Feature::Vlan], "bridges/all-but-what-cannot-be-a-port", || {
            in_lab(all_but_what_cannot_be_a_port);
        }),
    ];
    for version in Version::ALL {
        let ifupdown = Ifupdown { version, executors: Executors::Replaced, shell: Shell::Dash };
        let mut add = |name: &str, test: fn(Ifupdown)| {
            let needed = [Feature::Vlan, Feature::Roots];
            tests.push(needs(&needed, format!("bridges/{name}/{ifupdown}"), move || {
                in_lab(|| test(ifupdown));
            }));
        };
        add("missing-port", missing_port);
        add("missing-port-waited-for", missing_port_waited_for);
        add("ports-by-patterns", ports_by_patterns);
        add("words-handed-down", words_handed_down);
        add("errors-of-a-port-once", errors_of_a_port_once);
        add("down-before-its-ports", down_before_its_ports);
    }
    tests
}

fn link(name: &str) -> serde_json::Value {
    ip_json(&format!("-d link show {name}")).remove(0)
}

fn is_up(name: &str) -> bool {
    link(name)["flags"].as_array().unwrap().iter().any(|flag| flag == "UP")
}

fn is_port_of(name: &str, bridge: &str) -> bool {
    link(name)["master"] == bridge
}

/// A bridge without VLAN keywords, which works on kernels without VLAN filtering. Its times cannot be kept exactly by a
/// kernel of 250 ticks a second.
fn plain() {
    lab();
    let keywords = [
        "bridge-ports p1 p9 p2",
        "bridge-hello 1.25",
        "bridge-fd 2.01",
        "bridge-ageing 10.01",
        "bridge-maxage 6.25",
    ];
    phase("bridge", "br0", "create", &keywords).quiet();
    let ran = phase("bridge", "br0", "pre-up", &keywords);
    ran.refuses(
        0,
        "bridge: br0: warning: bridge-ports p9: there is no such interface; br0 comes up without it",
    );
    let data = link("br0")["linkinfo"]["info_data"].clone();
    for (name, wanted) in
        [("hello_time", 125), ("forward_delay", 201), ("ageing_time", 1001), ("max_age", 625)]
    {
        let found = data[name].as_u64().unwrap();
        assert!(found.abs_diff(wanted) <= 1, "{name} {found}");
    }
    for port in ["p1", "p2"] {
        assert!(is_port_of(port, "br0") && is_up(port), "{port}");
    }
    let again = run(phase_command("bridge", "br0", "pre-up", &keywords).env("VERBOSE", "1"));
    assert_eq!((again.status, again.stderr.lines().count()), (0, 1), "only the warning: {again}");
    for down in ["post-down", "destroy"] {
        phase("bridge", "br0", down, &keywords).quiet();
    }
    assert!(command("ip link show br0").status != 0 && link("p1")["master"].is_null() && !is_up("p1"));
}

/// Every error is reported, also when there are several.
fn all_wrong_at_once() {
    own_run();
    phase("vrf", "red", "create", &["vrf-table ten", "vrf-rules maybe"]).refuses(
        2,
        "vrf: red: vrf-rules maybe: not one of yes, jump, no\nvrf: red: vrf-table ten: not a name of rt_tables",
    );
    phase("bridge", "lo", "create", &["bridge-vlan-filtering yes", "bridge-fd 31", "bridge-vlan 0"]).refuses(
        2,
        "bridge: lo: bridge-fd 31: not a time from 0 to 30 seconds\nbridge: lo: bridge-vlan 0: 0: not a VLAN (1-4094)",
    );
    assert!(command("ip link show red").status != 0);
}

/// A port gets frames to an unknown station, to a group and to all, or does not. A static entry makes a station known.
fn flood() {
    let hosts = cards();
    let (sender, [quiet, usual]) = (&hosts[0], [&hosts[1], &hosts[2]]);
    let unknown = "02:00:00:00:77:77";
    // What is sent, the destination of the frames, and the keyword.
    let kinds = [
        ("10.9.0.77", unknown, "bridge-unicast-flood"),
        ("-I eth0 239.1.1.1", "01:00:5e:01:01:01", "bridge-multicast-flood"),
        ("-b 10.9.0.255", "ff:ff:ff:ff:ff:ff", "bridge-broadcast-flood"),
    ];
    phase("bridge", "br0", "create", &["bridge-ports none"]).quiet();
    for port in ["eth0", "eth1", "eth2"] {
        phase("bridge", port, "pre-up", &["bridge-member br0"]).quiet();
    }
    for link in ["br0", "eth0", "eth1", "eth2"] {
        ip(&format!("link set {link} up"));
    }
    sender.ip("addr add 10.9.0.1/24 dev eth0");
    sender.ip(&format!("neigh add 10.9.0.77 lladdr {unknown} dev eth0"));
    settle();
    let arrive = |keywords: &[&str]| {
        phase("bridge", "eth1", "pre-up", keywords).quiet();
        let captures = [quiet, usual].map(|host| Capture::start(host, "eth0", "icmp"));
        for (to, ..) in kinds {
            sender.within(|| command(&format!("ping -c 3 -i 0.1 -W 1 {to}")));
        }
        captures.map(|capture| {
            let frames = capture.frames();
            kinds
                .map(|(_, mac, _)| frames.iter().filter(|frame| frame.contains(&format!("> {mac},"))).count())
        })
    };
    assert_eq!(arrive(&["bridge-member br0"]), [[3; 3]; 2]);
    for (place, (_, _, keyword)) in kinds.into_iter().enumerate() {
        let keywords = kinds.map(|(.., one)| format!("{one} {}", if one == keyword { "no" } else { "yes" }));
        let mut keywords: Vec<&str> = keywords.iter().map(String::as_str).collect();
        keywords.push("bridge-member br0");
        let mut expected = [3; 3];
        expected[place] = 0;
        assert_eq!(arrive(&keywords), [expected, [3; 3]], "{keyword}");
    }
    let known = format!("bridge-fdb {unknown}");
    let keywords = ["bridge-member br0", "bridge-unicast-flood no", "bridge-broadcast-flood yes", &known];
    assert_eq!(arrive(&keywords), [[3; 3], [0, 3, 3]]);
}

/// The station of a locked port is let in, also in a VLAN that was added later. A station that another port has moves,
/// with a warning.
fn station_in_a_new_vlan() {
    let hosts = cards();
    let (station, other) = (&hosts[0], "02:00:00:00:00:99");
    let mac = station.within(|| link("eth0")["address"].as_str().unwrap().to_owned());
    let whole = ["bridge-vlan-filtering yes", "bridge-default-pvid none", "bridge-vlan 10, 20, 30"];
    for up in ["create", "pre-up"] {
        phase("bridge", "br0", up, &whole).quiet();
    }
    let port = |vlans: &str| {
        let fdb = format!("bridge-fdb {mac}, {other}");
        let vlans = format!("bridge-vlan {vlans}");
        phase("bridge", "eth0", "pre-up", &["bridge-member br0", "bridge-locked yes", &vlans, &fdb])
    };
    port("10, 20").quiet();
    for link in ["br0", "eth0"] {
        ip(&format!("link set {link} up"));
    }
    let reach = |vid: u32| {
        ip(&format!("link add link br0 name br0.{vid} up type vlan id {vid}"));
        ip(&format!("addr add 10.9.{vid}.1/24 dev br0.{vid}"));
        station.ip(&format!("link add link eth0 name eth0.{vid} up type vlan id {vid}"));
        station.ip(&format!("addr add 10.9.{vid}.2/24 dev eth0.{vid}"));
        settle();
        station.within(|| ping(&format!("10.9.{vid}.1"), None))
    };
    reach(10).expect("in a VLAN that it was in before");
    port("10, 20, 30").quiet();
    reach(30).expect("in a VLAN that was added");
    let again = port("10, 20, 30");
    assert_eq!((again.status, again.stderr.as_str()), (0, ""), "{again}");
    // An entry of another program for a station that eth1's stanza also has.
    let theirs = ["bridge-member br0", "bridge-vlan 10", &format!("bridge-fdb {other} vlan 10")];
    phase("bridge", "eth1", "pre-up", &theirs).refuses(
        0,
        &format!("bridge: eth1: warning: bridge-fdb {other} vlan 10: was a static entry of eth0"),
    );
    let fdb = command("bridge fdb show br br0").ok().stdout;
    assert!(fdb.contains(&format!("{other} dev eth1 vlan 10 master br0 static")), "{fdb}");
    assert!(fdb.contains(&format!("{other} dev eth0 vlan 20 master br0 static")), "{fdb}");
    // The frames of another Ethernet address are dropped, because the port is locked.
    station.ip("link set eth0.10 address 02:00:00:00:00:98");
    station.within(|| ping("10.9.10.1", None)).expect_err("from another Ethernet address");
    phase("bridge", "eth0", "pre-up", &["bridge-member br0", "bridge-locked no"]).quiet();
    // The requests that were dropped count no more.
    station.ip("neigh flush all");
    station.within(|| ping("10.9.10.1", None)).expect("at a port that is not locked");
}

fn all_but_what_cannot_be_a_port() {
    lab();
    for words in [
        "link add d1 type dummy",
        "link add link d1 name under1 type macvlan",
        "link add d2 type dummy",
        "link add link d2 name under2 type ipvlan",
        "link add d3 type dummy",
        "link add link d3 name under3 type macvtap",
        "link add free type dummy",
    ] {
        ip(words);
    }
    let all = ["bridge-ports all"];
    for _ in 0..2 {
        for up in ["create", "pre-up"] {
            phase("bridge", "br0", up, &all).quiet();
        }
        for port in ["p1", "p2", "p3", "free", "under1"] {
            assert!(is_port_of(port, "br0"), "{port}");
        }
        for port in ["d1", "d2", "d3", "under2", "under3"] {
            assert!(link(port)["master"].is_null(), "{port}");
        }
        // br0.7 is not a port after the second run either: it is a link on top of the bridge.
        if command("ip link show br0.7").status != 0 {
            ip("link add link br0 name br0.7 type vlan id 7");
        }
    }
    assert!(link("br0.7")["master"].is_null());
}

/// One of two ports is missing: the bridge and what comes after it are up. The port joins when it exists, by its own
/// ifup.
fn missing_port(ifupdown: Ifupdown) {
    let _hosts = cards();
    let installed = ifupdown.install(
        "auto br0\niface br0\n    bridge-ports eth0 eth9\n    bridge-vlan-aware yes\n    address 10.1.0.1/24\n\
         auto eth3\niface eth3\n    address 10.3.0.1/24\n",
    );
    let ran = installed.ifup("-a");
    let warning =
        "bridge: br0: warning: bridge-ports eth9: there is no such interface; br0 comes up without it\n";
    assert_eq!(ran.stderr.matches(warning).count(), 1, "{ran}");
    assert!(is_port_of("eth0", "br0") && is_up("eth0") && is_up("br0") && is_up("eth3"), "{ran}");
    assert!(ip("addr show dev br0").contains("10.1.0.1/24"));
    ip("link add name eth9 type veth peer name far9");
    once_up("eth9");
    installed.interfaces(
        "auto br0\niface br0\n    bridge-ports eth0 eth9\n    bridge-vlan-aware yes\n    bridge-pathcost eth9 7\n\
         \x20   address 10.1.0.1/24\n\
         iface eth9\n    bridge-access 20\n\
         auto eth3\niface eth3\n    address 10.3.0.1/24\n",
    );
    installed.ifup("-f eth9").quiet();
    assert!(is_port_of("eth9", "br0") && is_up("eth9"));
    assert_eq!(vlans("eth9"), ["20 PVID Egress Untagged"]);
    assert!(command("bridge -d link show dev eth9").ok().stdout.contains("cost 7 "));
}

/// `glob` and `regex` as in ifupdown2: each is about the next word, a `glob` is a list of names, and a `regex` matches up to
/// the end of a name. What cannot be a port, or is one of another bridge, is left out.
fn ports_by_patterns(ifupdown: Ifupdown) {
    let _hosts = cards();
    for name in ["swp1", "swp2", "swp3", "swp10", "swp4x", "xswp7", "lan0s1", "taken"] {
        ip(&format!("link add {name} type dummy"));
    }
    ip("link add swp9 type bridge");
    ip("link set taken master swp9");
    let installed = ifupdown.install(
        "auto br0\niface br0\n    bridge-ports glob swp1-2 glob lan[0-0]s[1-1] regex swp[37|]?0? regex (lo|br0|taken|swp9) eth0\n\
         \x20   bridge-pathcost swp10 7\n",
    );
    installed.ifup("-a").quiet();
    let ports = || -> Vec<String> {
        let links = ip_json("link show master br0");
        let mut names: Vec<String> =
            links.iter().map(|link| link["ifname"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(ports(), ["eth0", "lan0s1", "swp1", "swp2", "swp3", "xswp7"]);
    assert!(is_up("swp3") && is_up("swp1") && is_port_of("taken", "swp9"));
    installed.ifup("-f br0").quiet();
    assert_eq!(ports().len(), 6);
    installed.ifdown("br0").quiet();
    assert!(link("swp3")["master"].is_null());
}

fn missing_port_waited_for(ifupdown: Ifupdown) {
    let _hosts = cards();
    let installed = ifupdown.install(
        "iface br0\n    bridge-ports eth0 eth9\n    bridge-waitport 1 eth9\n    address 10.1.0.1/24\n",
    );
    let ran = installed.ifup("br0");
    assert!(ran.stderr.contains("warning: bridge-ports eth9: there is no such interface"), "{ran}");
    assert!(is_port_of("eth0", "br0") && is_up("br0"), "{ran}");
    assert!(ip("addr show dev br0").contains("10.1.0.1/24"));
}

/// Keywords that ifupdown-ng passes on from the bridge do not count as keywords of the port.
fn words_handed_down(ifupdown: Ifupdown) {
    let _hosts = cards();
    let installed = ifupdown.install(
        "iface eth0\n    bridge-vlan 30 pvid\n\
         iface eth1\n\
         iface br0\n    bridge-ports eth0 eth1\n    bridge-vlan-aware yes\n    bridge-pvid 4\n    bridge-vids 40\n",
    );
    installed.ifup("br0").quiet();
    assert_eq!(vlans("eth0"), ["30 PVID"]);
    assert_eq!(vlans("br0"), ["4 PVID Egress Untagged", "40"]);
    installed.ifup("-f eth0").quiet();
    assert_eq!(vlans("eth0"), ["30 PVID"]);
    installed.ifdown("br0").quiet();
    // In one stanza, the same two keywords conflict.
    installed.interfaces("iface eth0\n    bridge-vlan 30\n    bridge-vids 40\n");
    let ran = installed.ifup("-f eth0");
    assert!(
        ran.stderr.contains("bridge-vlan 30: conflicts with bridge-vids; keep one of the two\n"),
        "{ran}"
    );
}

/// An error in a port's stanza is reported once, by the port; the bridge names the port and stops.
fn errors_of_a_port_once(ifupdown: Ifupdown) {
    let _hosts = cards();
    let installed = ifupdown.install(
        "iface eth0\n    bridge-vlan 5000\niface br0\n    bridge-ports eth0\n    bridge-vlan-filtering yes\n",
    );
    let ran = installed.ifup("br0");
    assert_eq!(ran.stderr.matches("5000: not a VLAN (1-4094)").count(), 1, "{ran}");
    assert!(!ran.stderr.contains("there is no such bridge"), "{ran}");
    assert!(command("ip link show br0").status != 0, "{ran}");
    if ifupdown.version == Version::Bookworm {
        let line = "bridge: br0: bridge-ports eth0: its stanza is invalid; see `ifnetlink check eth0`\n";
        assert!(ran.stderr.contains(line), "{ran}");
    }
    let checked = installed.ifnetlink("check eth0");
    assert!(
        checked.stderr.contains("/mnt/interfaces:2: bridge-vlan 5000: 5000: not a VLAN (1-4094)\n"),
        "{checked}"
    );
}

/// A bridge that goes down before its ports leaves none of them up: their frames reach neither the host nor another
/// port.
fn down_before_its_ports(ifupdown: Ifupdown) {
    let hosts = cards();
    let installed = ifupdown.install(
        "iface br0\n    bridge-vlan-filtering yes\n    bridge-default-pvid none\n\
         iface eth0\n    bridge-member br0\n    bridge-vlan 10 pvid untagged\n\
         iface eth1\n    bridge-member br0\n    bridge-vlan 10 pvid untagged\n",
    );
    hosts[0].ip("addr add 10.9.0.1/24 dev eth0");
    hosts[1].ip("addr add 10.9.0.2/24 dev eth0");
    let passes = || hosts[0].within(|| ping("10.9.0.2", None)).is_ok();
    installed.ifup("br0 eth0 eth1").quiet();
    settle();
    assert!(passes());
    let ran = installed.ifdown("-f br0");
    for port in ["eth0", "eth1"] {
        let line = format!(
            "bridge: br0: warning: {port} was a port of br0 and is set down; ifup br0, then ifup -f {port}\n"
        );
        assert!(ran.stderr.contains(&line), "{ran}");
        assert!(link(port)["master"].is_null() && !is_up(port), "{port}: {ran}");
    }
    assert!(command("ip link show br0").status != 0, "{ran}");
    ip("addr add 192.0.2.1/32 dev lo");
    hosts[0].ip("route add 192.0.2.1/32 dev eth0");
    assert!(hosts[0].within(|| ping("192.0.2.1", None)).is_err(), "the host is reached");
    installed.ifup("-f br0").quiet();
    installed.ifup("-f eth0 eth1").quiet();
    settle();
    assert!(passes());
    installed.ifdown("eth0 eth1 br0").quiet();
}

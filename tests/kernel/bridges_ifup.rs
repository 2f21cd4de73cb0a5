//! Bridges by the real ifup: the faults of the stock executor that ours must not have, and ports with stanzas.

use crate::bridges::{once_up, vlans};
use crate::capture::Capture;
use crate::examples::cards;
use crate::features::{Feature, needs};
use crate::ifupdown::{Executors, Ifupdown, Shell, Version};
use crate::lab::{Netns, command, in_lab, ip, own_run, phase, settle};
use crate::probe::ping;
use crate::state::State;
use libtest_mimic::Trial;

pub fn tests() -> Vec<Trial> {
    let mut tests = Vec::new();
    for version in Version::ALL {
        let ifupdown = Ifupdown { version, executors: Executors::Replaced, shell: Shell::Dash };
        let needed = [Feature::Vlan, Feature::Vrf, Feature::Roots];
        let mut add = |name: &str, test: fn(Ifupdown)| {
            tests.push(needs(&needed, format!("bridges/{name}/{ifupdown}"), move || {
                in_lab(|| test(ifupdown));
            }));
        };
        add("requires-are-no-ports", requires_are_no_ports);
        add("port-with-a-dependency", port_with_a_dependency);
        add("named-br", named_br);
        add("port-stanzas", port_stanzas);
        add("wrong-port-stanza", wrong_port_stanza);
        add("misspelt-keyword", misspelt_keyword);
        add("cut-list", cut_list);
        add("all", all);
        add("spanning-tree", spanning_tree);
        add("evpn", evpn);
    }
    let trial = needs(&[Feature::Vlan], "bridges/tunnels-are-no-ports", || in_lab(tunnels_are_no_ports));
    tests.push(trial);
    tests
}

/// #213, #236: an interface that is required, or that another executor reports as a dependency, is not a port.
fn requires_are_no_ports(ifupdown: Ifupdown) {
    let _hosts = cards();
    let installed = ifupdown.install(
        "iface red\n    vrf-table 10\n\
         iface eth3\n\
         iface br0\n    requires eth3\n    bridge-ports eth0 eth1\n    vrf-member red\n\
         iface br1\n    bridge-ports none\n    vrf-member red\n",
    );
    let before = State::with_run(&installed);
    installed.ifup("br0").quiet();
    installed.ifup("br1").quiet();
    for (link, master) in [("eth0", "br0"), ("eth1", "br0"), ("br0", "red"), ("br1", "red")] {
        assert!(ip(&format!("link show {link}")).contains(&format!("master {master}")), "{link}");
    }
    assert!(!ip("link show eth3").contains("master"));
    assert!(!ip("link show red").contains("master"));
    installed.ifdown("br0").quiet();
    installed.ifdown("br1").quiet();
    before.assert_same(&State::with_run(&installed), "after ifdown");
}

/// A port's own stanza, with VLANs and a dependency: the stock executor would make the dependency a port of the port,
/// and delete the port on the way down.
fn port_with_a_dependency(ifupdown: Ifupdown) {
    let _hosts = cards();
    let installed = ifupdown.install(
        "iface eth0\n    bridge-access 30\n    requires eth3\n\
         iface eth1\n    bridge-member br0\n    bridge-vlan 40\n    requires eth3\n\
         iface eth3\n\
         iface br0\n    bridge-ports eth0\n    bridge-vlan-filtering yes\n",
    );
    let before = State::with_run(&installed);
    installed.ifup("br0 eth1").quiet();
    assert_eq!(vlans("eth0"), ["30 PVID Egress Untagged"]);
    assert_eq!(vlans("eth1"), ["40"]);
    assert!(!ip("link show eth3").contains("master"));
    installed.ifdown("eth1 br0").quiet();
    installed.ifup("eth0").quiet();
    installed.ifdown("eth0").quiet();
    before.assert_same(&State::with_run(&installed), "after ifdown");
}

/// #256.
fn named_br(ifupdown: Ifupdown) {
    let _hosts = cards();
    let installed = ifupdown.install("iface br\n    bridge-ports eth0\n");
    let before = State::with_run(&installed);
    installed.ifup("br").quiet();
    assert!(ip("link show eth0").contains("master br "));
    installed.ifdown("br").quiet();
    before.assert_same(&State::with_run(&installed), "after ifdown");
}

/// Keywords of ports in the ports' own stanzas: by template, from another file, and written twice.
fn port_stanzas(ifupdown: Ifupdown) {
    let _hosts = cards();
    let installed = ifupdown.install(
        "source /mnt/ports\n\
         iface br0\n    bridge-ports eth0 eth1 eth2 eth3\n    bridge-vlan-aware yes\n    bridge-default-pvid 9\n",
    );
    installed.file(
        "/mnt/ports",
        "template access\niface access\n    bridge-access 30\n\
         iface eth0\n    inherit access\n\
         iface eth1\n    bridge-vids 7 8-9\n    bridge-vids 12\n    bridge-pvid 6\n    bridge-pathcost 5\n\
         iface eth2\n    bridge-vlan 40 pvid, \\\n        41 untagged\n    bridge-isolated yes\n    vxlan_evpn yes\n",
    );
    installed.ifup("br0").quiet();
    assert_eq!(vlans("eth0"), ["30 PVID Egress Untagged"]);
    assert_eq!(vlans("eth1"), ["6 PVID Egress Untagged", "7", "8", "9", "12"]);
    assert_eq!(vlans("eth2"), ["40 PVID", "41 Egress Untagged"]);
    assert_eq!(vlans("eth3"), ["9 PVID Egress Untagged"]);
    assert_eq!(vlans("br0"), ["9 PVID Egress Untagged"]);
    let port = |name: &str| command(&format!("bridge -d link show dev {name}")).ok().stdout;
    assert!(port("eth1").contains("cost 5 "), "{}", port("eth1"));
    for words in ["isolated on", "neigh_suppress on", "learning off"] {
        assert!(port("eth2").contains(words), "{}", port("eth2"));
    }
    assert_eq!(command("sysctl -n net.ipv6.conf.eth2.addr_gen_mode").ok().stdout, "1\n");
    installed.ifdown("br0").quiet();
    assert!(command("ip link show br0").status != 0);
    assert!(!ip("link show eth0").contains("master"));
}

/// An error in a port's stanza keeps its bridge from being created.
fn wrong_port_stanza(ifupdown: Ifupdown) {
    let _hosts = cards();
    let installed = ifupdown.install(
        "iface eth0\n    bridge_vlan 5000\niface br0\n    bridge-ports eth0\n    bridge-vlan-filtering yes\n",
    );
    let ran = installed.ifup("br0");
    let line = "bridge: br0: eth0: bridge-vlan 5000: 5000: not a VLAN (1-4094)\n";
    assert!(ran.stderr.contains(line), "{ran}");
    assert!(command("ip link show br0").status != 0);
    assert!(!ip("link show eth0").contains("master"));
}

/// For a misspelt keyword, ifup and check name the right one; the port is in no bridge.
fn misspelt_keyword(ifupdown: Ifupdown) {
    let _hosts = cards();
    let installed = ifupdown.install(
        "iface br0\n    bridge-vlan-filtering yes\n    bridge-default-pvid none\n\
         iface eth0\n    bridge-memebr br0\n    bridge-vlan 10 pvid untagged\n\
         iface eth1\n    bridge-member br0\n    bridge-vlans 10 pvid untagged\n",
    );
    installed.ifup("br0").quiet();
    for (port, number, line) in [
        ("eth0", 5, "bridge-memebr: unknown keyword; did you mean bridge-member?"),
        ("eth1", 9, "bridge-vlans: unknown keyword; did you mean bridge-vlan?"),
    ] {
        let ran = installed.ifup(port);
        assert!(ran.stderr.contains(&format!("bridge: {port}: {line}\n")), "{ran}");
        assert_eq!(ran.stderr.matches("unknown keyword").count(), 1, "{ran}");
        assert_eq!(ran.status == 0, ifupdown.version == Version::Bookworm, "{ran}");
        assert!(!ip(&format!("link show {port}")).contains("master"), "{port}");
        let checked = installed.ifnetlink(&format!("check {port}"));
        assert_eq!(checked.status, 2, "{checked}");
        assert!(checked.stderr.contains(&format!("/mnt/interfaces:{number}: {line}\n")), "{checked}");
    }
}

/// A list that is longer than ifupdown-ng's limit is refused, wherever it is cut: as a line, or as a variable.
fn cut_list(ifupdown: Ifupdown) {
    let _hosts = cards();
    let vlans: Vec<String> = (1..=2000).map(|half| (2 * half).to_string()).collect();
    let installed = ifupdown.install("");
    for indent in ["    ", "\t", " "] {
        installed.interfaces(&format!(
            "iface br0\n    bridge-vlan-filtering yes\n    bridge-default-pvid none\n\
             iface eth0\n    bridge-member br0\n{indent}bridge-vlan {}\n",
            vlans.join(", ")
        ));
        let ran = installed.ifup("br0 eth0");
        assert!(ran.stderr.contains("bridge: eth0: bridge-vlan 2, 4, 6, 8, 10, …: "), "{ran}");
        assert!(ran.stderr.contains("ifupdown-ng cuts a line at 4094 bytes"), "{ran}");
        assert!(!ip("link show eth0").contains("master"), "{indent:?}");
        installed.ifdown("-f eth0 br0");
        let _ = command("ip link del br0");
    }
}

fn all(ifupdown: Ifupdown) {
    let _hosts = cards();
    ip("link add name red type vrf table 10");
    ip("link add name eth9 type veth peer name peer9");
    once_up("peer9");
    ip("link set eth9 master red");
    let installed = ifupdown.install("iface br0\n    bridge-ports all\n    bridge-stp no\n");
    let before = State::with_run(&installed);
    installed.ifup("br0").quiet();
    // Already a port of another program's bridge.
    assert!(ip("link show eth9").contains("master red"));
    for port in ["eth0", "eth1", "eth2", "eth3"] {
        assert!(ip(&format!("link show {port}")).contains("master br0"), "{port}");
    }
    installed.ifdown("br0").quiet();
    before.assert_same(&State::with_run(&installed), "after ifdown");
}

/// If the module of a tunnel is loaded, every namespace has links that cannot be bridge ports.
fn tunnels_are_no_ports() {
    ip("link add name gre9 type gretap local 192.0.2.1 remote 192.0.2.2");
    let inside = Netns::new();
    inside.within(|| {
        assert!(ip("link show gretap0").contains("00:00:00:00:00:00"));
        own_run();
        ip("link add name eth0 type veth peer name far0");
        for up in ["create", "pre-up"] {
            phase("bridge", "br0", up, &["bridge-ports all"]).quiet();
        }
        assert_eq!(ip("-br link show master br0").lines().count(), 2);
        assert!(ip("link show eth0").contains("master br0"));
        for down in ["post-down", "destroy"] {
            phase("bridge", "br0", down, &["bridge-ports all"]).quiet();
        }
    });
}

/// ifup returns when the ports forward, and not before; without a port in listening state, at once.
fn spanning_tree(ifupdown: Ifupdown) {
    let _hosts = cards();
    let stanza = "iface br0\n    bridge-ports eth0\n    bridge-stp on\n    bridge-fd 2\n    bridge-hello 1\n    bridge-maxage 6\n";
    // Longer than necessary, since the clock of an emulated machine leaps.
    let installed = ifupdown.install(&format!("{stanza}    bridge-maxwait 90\n"));
    let begin = std::time::Instant::now();
    installed.ifup("br0").quiet();
    let took = begin.elapsed().as_secs_f64();
    assert!(command("bridge link show dev eth0").ok().stdout.contains("state forwarding"));
    assert!((3.5..60.0).contains(&took), "{took}");
    installed.ifdown("br0").quiet();
    installed.interfaces(&format!("{stanza}    bridge-maxwait 0\n"));
    installed.ifup("br0").quiet();
    assert!(!command("bridge link show dev eth0").ok().stdout.contains("state forwarding"));
    installed.ifdown("br0").quiet();
}

/// The tunnel port learns nothing, answers for the neighbours that the bridge knows, and has no address.
fn evpn(ifupdown: Ifupdown) {
    const REMOTE: &str = "02:00:00:00:09:02";
    let hosts = cards();
    let (station, outside) = (&hosts[0], &hosts[3]);
    for words in [
        "addr add 192.0.2.20/24 dev eth0",
        "link add vx0 type vxlan id 77 local 192.0.2.20 remote 192.0.2.10 dstport 4789",
        &format!("link set vx0 address {REMOTE} up"),
        "addr add 10.9.0.2/24 dev vx0",
        "addr add fd00:9::2/64 dev vx0 nodad",
    ] {
        outside.ip(words);
    }
    station.ip("addr add 10.9.0.1/24 dev eth0");
    station.ip("addr add fd00:9::1/64 dev eth0 nodad");
    let installed = ifupdown.install(
        "iface eth3\n    address 192.0.2.10/24\n\
         iface vx0\n    requires eth3\n    vxlan-id 77\n    vxlan-local-ip 192.0.2.10\n\
         \x20   vxlan-remote-ip 192.0.2.20\n    vxlan-peer-ips 192.0.2.20\n    vxlan-evpn yes\n\
         iface br0\n    bridge-ports eth0 vx0\n",
    );
    let before = State::with_run(&installed);
    installed.ifup("br0").quiet();
    settle();
    for to in ["10.9.0.2", "fd00:9::2"] {
        station.within(|| ping(to, None)).expect("through the tunnel");
    }
    let addresses = ip("addr show dev vx0");
    assert!(!addresses.contains("inet6"), "{addresses}");
    // The station's address was learned; those behind the tunnel were not.
    let learned = |port: &str| {
        let shown = command(&format!("bridge fdb show dev {port}")).ok().stdout;
        shown.lines().any(|line| line.contains("master br0") && !line.contains("permanent"))
    };
    assert!(learned("eth0") && !learned("vx0"));
    // As a routing daemon adds it.
    command(&format!("bridge fdb add {REMOTE} dev vx0 master static")).ok();
    ip(&format!("neigh replace 10.9.0.2 lladdr {REMOTE} dev br0 nud permanent"));
    station.ip("neigh flush all");
    let heard = Capture::start(outside, "vx0", "arp");
    station.within(|| ping("10.9.0.2", None)).expect("with the bridge's answer");
    let _ = station.within(|| ping("10.9.0.3", None));
    let frames = heard.frames();
    let asked = |address: &str| frames.iter().any(|frame| frame.contains(&format!("who-has {address} ")));
    assert!(!asked("10.9.0.2") && asked("10.9.0.3"), "{frames:#?}");
    installed.ifdown("br0 vx0 eth3").quiet();
    before.assert_same(&State::with_run(&installed), "after ifdown");
}

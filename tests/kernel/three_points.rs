//! Three points on a bridge: two stations that must never receive anything from each other, and one that reaches both.
//! Tagged, untagged with VLANs that differ by direction, and in one VLAN with isolated ports. Then with a router in place
//! of the bridge.

use crate::capture::Capture;
use crate::examples::cards;
use crate::features::{Feature, needs};
use crate::ifupdown::{Executors, Ifupdown, Installed, Shell, Version, example};
use crate::lab::{Netns, command, in_lab, settle};
use crate::matrix;
use crate::probe::{PORT, Pinging, ping, reaches, serve, tcp_reaches};
use crate::state::State;
use libtest_mimic::Trial;

pub const FIRST: [&str; 2] = ["192.168.5.1", "fd00:5::1"];
pub const SECOND: [&str; 2] = ["192.168.5.4", "fd00:5::4"];
pub const MAC: [&str; 3] = ["02:00:00:00:05:01", "02:00:00:00:05:02", "02:00:00:00:05:03"];

#[path = "three_points_further.rs"]
mod further;
#[path = "three_points_netns.rs"]
mod netns;
#[path = "three_points_routed.rs"]
pub mod routed;

pub fn tests() -> Vec<Trial> {
    let mut tests = Vec::new();
    let mut add = |name: String, test: fn(Ifupdown), ifupdown| {
        let needed = [Feature::Vlan, Feature::Roots];
        tests.push(needs(&needed, format!("three-points/{name}/{ifupdown}"), move || {
            in_lab(|| test(ifupdown));
        }));
    };
    for version in Version::ALL {
        for executors in Executors::ALL {
            let ifupdown = Ifupdown { version, executors, shell: Shell::Dash };
            add("tagged".to_owned(), tagged, ifupdown);
            add("untagged".to_owned(), untagged, ifupdown);
            add("isolated".to_owned(), isolated, ifupdown);
        }
        let ifupdown = Ifupdown { version, executors: Executors::Replaced, shell: Shell::Dash };
        add("never-a-frame".to_owned(), never_a_frame, ifupdown);
        add("two-bridges".to_owned(), further::two_bridges, ifupdown);
        add("nowhere-else".to_owned(), further::nowhere_else, ifupdown);
        add("steady".to_owned(), further::steady, ifupdown);
        add("stacked".to_owned(), further::stacked, ifupdown);
        add("antispoof".to_owned(), further::antispoof, ifupdown);
        add("netns/tagged".to_owned(), netns::tagged, ifupdown);
        add("netns/untagged".to_owned(), netns::untagged, ifupdown);
        add("netns/never-a-frame".to_owned(), netns::never_a_frame, ifupdown);
        add("routed/by-vrf".to_owned(), routed::by_vrf, ifupdown);
        add("routed/by-nft".to_owned(), routed::by_nft, ifupdown);
        if matrix::is_whole() {
            add("routed/again".to_owned(), routed::again, ifupdown);
        }
    }
    tests
}

/// Stations behind eth0, eth1 and eth2. The first two are in the same network on purpose.
pub fn stations() -> Vec<Netns> {
    let hosts = cards();
    for (host, mac) in hosts.iter().zip(MAC) {
        host.ip_batch(&["link set eth0 down", &format!("link set eth0 address {mac}"), "link set eth0 up"]);
    }
    addresses(&hosts[0], "eth0", ["192.168.5.1/24", "fd00:5::1/64"]);
    addresses(&hosts[1], "eth0", ["192.168.5.4/24", "fd00:5::4/64"]);
    hosts.iter().take(2).for_each(serve);
    hosts
}

pub fn addresses(host: &Netns, link: &str, addresses: [&str; 2]) {
    let lines = addresses.map(|address| {
        let nodad = if address.contains(':') { " nodad" } else { "" };
        format!("addr add {address} dev {link}{nodad}")
    });
    host.ip_batch(&lines.each_ref().map(String::as_str));
}

/// The administrator's side of the trunk: a link and a route for each VLAN, with tags of this protocol.
pub fn administrator(host: &Netns, protocol: &str, vids: [u16; 2]) {
    for (vid, own, peer) in [
        (vids[0], ["192.168.5.10/32", "fd00:5::10/128"], FIRST),
        (vids[1], ["192.168.5.20/32", "fd00:5::20/128"], SECOND),
    ] {
        let link = format!("eth0.{vid}");
        host.ip(&format!("link add link eth0 name {link} up type vlan protocol {protocol} id {vid}"));
        addresses(host, &link, own);
        let routes = [0, 1].map(|family| {
            let own = own[family].split('/').next().unwrap();
            format!("route add {} dev {link} src {own}", peer[family])
        });
        host.ip_batch(&routes.each_ref().map(String::as_str));
    }
    serve(host);
}

/// Reaches and is reached, by ping and TCP over IPv4 and IPv6.
fn table(hosts: &[Netns], seen_by_first: [&str; 2], seen_by_second: [&str; 2]) {
    for to in FIRST.into_iter().chain(SECOND) {
        hosts[2].within(|| reaches("third", to, None));
    }
    for to in seen_by_first {
        hosts[0].within(|| reaches("first", to, None));
    }
    for to in seen_by_second {
        hosts[1].within(|| reaches("second", to, None));
    }
    apart(hosts);
}

/// The two stations do not reach each other, and receive no frame of each other.
fn apart(hosts: &[Netns]) {
    let heard = [listen(&hosts[1], MAC[0]), listen(&hosts[0], MAC[1])];
    for (from, to) in [(0, SECOND), (1, FIRST)] {
        for to in to {
            hosts[from].within(|| ping(to, None).expect_err("the other station answered"));
            hosts[from].within(|| tcp_reaches(to, PORT, None).expect_err("the other station answered TCP"));
        }
    }
    for capture in heard {
        let frames = capture.frames();
        assert!(frames.is_empty(), "{frames:#?}");
    }
}

fn listen(host: &Netns, from: &str) -> Capture {
    Capture::start(host, "eth0", &format!("ether src {from}"))
}

fn up(installed: &Installed) -> State {
    let before = State::with_run(installed);
    installed.ifup("-a").quiet();
    settle();
    before
}

/// The lines of `bridge vlan` for a link, without its name.
fn vlans(link: &str) -> Vec<String> {
    let shown = command(&format!("bridge vlan show dev {link}")).ok().stdout;
    let lines = shown.lines().skip(1).map(|line| line.trim_start_matches(link).trim().to_owned());
    lines.filter(|line| !line.is_empty()).collect()
}

fn tagged(ifupdown: Ifupdown) {
    let hosts = stations();
    administrator(&hosts[2], "802.1Q", [10, 20]);
    let installed = ifupdown.install(&example("vlan-access-trunk"));
    let before = up(&installed);
    assert_eq!(vlans("eth0"), ["10 PVID Egress Untagged"]);
    assert_eq!(vlans("eth2"), ["10", "20"]);
    assert_eq!(vlans("br0"), [""; 0]);
    table(&hosts, ["192.168.5.10", "fd00:5::10"], ["192.168.5.20", "fd00:5::20"]);
    before.assert_after_ifdown(&installed);
}

/// The third station has one link without VLANs.
fn untagged(ifupdown: Ifupdown) {
    let hosts = stations();
    addresses(&hosts[2], "eth0", ["192.168.5.3/24", "fd00:5::3/64"]);
    serve(&hosts[2]);
    let installed = ifupdown.install(&example("vlan-asymmetric"));
    let before = up(&installed);
    assert_eq!(vlans("eth0"), ["1 Egress Untagged", "10 PVID Egress Untagged"]);
    assert_eq!(vlans("eth2"), ["1 PVID Egress Untagged", "10 Egress Untagged", "20 Egress Untagged"]);
    let third = ["192.168.5.3", "fd00:5::3"];
    table(&hosts, third, third);
    // Nor does one see the packets between the third station and the other; except broadcasts.
    let unicast = format!("ether host {} and not ether multicast", MAC[0]);
    let sees_none = || {
        let seen = Capture::start(&hosts[1], "eth0", &unicast);
        for to in FIRST {
            hosts[2].within(|| command(&format!("ping -q -i 0.02 -c 20 {to}")).ok());
        }
        let frames = seen.frames();
        assert!(frames.is_empty(), "{frames:#?}");
    };
    sees_none();
    // The static entries and the lists are for this purpose: without both it would see them.
    for (port, station, vid) in [("eth0", MAC[0], 1), ("eth1", MAC[1], 1), ("eth2", MAC[2], 10)] {
        command(&format!("bridge fdb del {station} dev {port} master static vlan {vid}")).ok();
    }
    sees_none();
    command("nft flush ruleset").quiet();
    let seen = Capture::start(&hosts[1], "eth0", &unicast);
    let mut pinging = Pinging::default();
    pinging.start(&hosts[2], FIRST[0]);
    seen.wait_for(20, MAC[0]);
    drop(pinging);
    before.assert_after_ifdown(&installed);
}

fn isolated(ifupdown: Ifupdown) {
    let hosts = stations();
    addresses(&hosts[2], "eth0", ["192.168.5.3/24", "fd00:5::3/64"]);
    serve(&hosts[2]);
    let installed = ifupdown.install(&example("vlan-isolated"));
    let before = up(&installed);
    let third = ["192.168.5.3", "fd00:5::3"];
    table(&hosts, third, third);
    before.assert_after_ifdown(&installed);
}

/// Sends to the other station all the time: to its address and to broadcast addresses, over both families.
fn babble(hosts: &[Netns]) -> Pinging {
    let mut pinging = Pinging::default();
    for (from, to, mac) in [(0, SECOND, MAC[1]), (1, FIRST, MAC[0])] {
        for address in to {
            hosts[from].ip(&format!("neigh replace {address} lladdr {mac} dev eth0 nud permanent"));
        }
        for address in to.into_iter().chain(["192.168.5.99", "fd00:5::99"]) {
            pinging.start(&hosts[from], address);
        }
    }
    pinging
}

/// No frame while the bridge goes up, goes down, or is changed; for each of the three examples.
fn never_a_frame(ifupdown: Ifupdown) {
    let hosts = stations();
    let installed = ifupdown.install(&example("vlan-access-trunk"));
    let _babble = babble(&hosts);
    let heard = [listen(&hosts[1], MAC[0]), listen(&hosts[0], MAC[1])];
    for name in ["vlan-access-trunk", "vlan-asymmetric", "vlan-isolated", "vlan-access-trunk"] {
        installed.interfaces(&example(name));
        installed.ifup("-a").quiet();
        installed.ifup("-f -a").quiet();
        // Single ports go down and up while the bridge is up and forwards.
        for port in ["eth0", "eth1"] {
            installed.ifdown(&format!("-f {port}"));
            installed.ifup(&format!("-f {port}")).quiet();
        }
        installed.ifdown_by_force();
        assert!(command("ip link show br0").status != 0);
    }
    // From one layout to the next while everything is up.
    for name in ["vlan-access-trunk", "vlan-asymmetric", "vlan-access-trunk"] {
        installed.interfaces(&example(name));
        installed.ifup("-f -a").quiet();
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    for capture in heard {
        let frames = capture.frames();
        assert!(frames.is_empty(), "{frames:#?}");
    }
    // The same capture sees what is allowed to pass.
    let heard = listen(&hosts[1], MAC[0]);
    installed.interfaces(&example("vlan-access-trunk").replace("20 pvid", "10 pvid"));
    installed.ifup("-f -a").quiet();
    heard.wait_for(11, MAC[0]);
}

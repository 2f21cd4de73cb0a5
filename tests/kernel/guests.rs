//! Guests on a bridge, isolated or routed, separated by VRF or by rules of nft.

use crate::capture::Capture;
use crate::examples::cards;
use crate::features::{Feature, needs};
use crate::ifupdown::{Executors, Ifupdown, Shell, Version, example};
use crate::lab::{Netns, command, in_lab, settle};
use crate::probe::{PORT, Pinging, ping, reaches, serve, tcp_reaches};
use crate::state::State;
use libtest_mimic::Trial;

const GUESTS: [[&str; 2]; 2] = [["192.168.10.11", "fd00:10::11"], ["192.168.10.12", "fd00:10::12"]];
const LAN: [&str; 2] = ["192.168.90.5", "fd00:90::5"];
const BRIDGE: [&str; 2] = ["192.168.10.1", "fd00:10::1"];

pub fn tests() -> Vec<Trial> {
    let mut tests = Vec::new();
    for version in Version::ALL {
        let ifupdown = Ifupdown { version, executors: Executors::Replaced, shell: Shell::Dash };
        let mut add = |name: String, test: fn(&'static str, Ifupdown), example: &'static str| {
            let needed = [Feature::Vrf, Feature::Roots];
            let name = format!("guests/{name}/{ifupdown}");
            tests.push(needs(&needed, name, move || in_lab(|| test(example, ifupdown))));
        };
        for name in ["guests-isolated", "guests-isolated-nft", "guests-routed", "guests-routed-nft"] {
            add(name.to_owned(), table, name);
        }
        for name in ["guests-isolated", "guests-isolated-nft"] {
            add(format!("never-a-frame/{name}"), never_a_frame, name);
        }
        add("without-rules".to_owned(), without_rules, "guests-isolated-nft");
    }
    tests
}

/// Two guests behind eth0 and eth1, and a host of the LAN behind eth2. All have a default route to the host, which
/// forwards.
fn hosts() -> Vec<Netns> {
    let hosts = cards();
    let networks = [("192.168.10", "fd00:10:", ".11", ":11"), ("192.168.10", "fd00:10:", ".12", ":12")];
    for (host, (net4, net6, own4, own6)) in
        hosts.iter().zip(networks.into_iter().chain([("192.168.90", "fd00:90:", ".5", ":5")]))
    {
        host.ip_batch(&[
            &format!("addr add {net4}{own4}/24 dev eth0"),
            &format!("addr add {net6}{own6}/64 dev eth0 nodad"),
            &format!("route add default via {net4}.1"),
            &format!("route add default via {net6}:1"),
        ]);
        serve(host);
    }
    command("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1").ok();
    hosts
}

/// The guest gets an error at once, since the host has no route for it, and the LAN gets no answer.
fn apart(hosts: &[Netns]) {
    for guest in &hosts[..2] {
        for to in LAN {
            let refused = guest.within(|| ping(to, None).expect_err("guest to LAN"));
            assert!(refused.contains("nreachable") || refused.contains("No route"), "{refused}");
            let refused = guest.within(|| tcp_reaches(to, PORT, None).expect_err("guest to LAN"));
            assert!(
                ["connect: ENETUNREACH", "connect: EHOSTUNREACH"].contains(&refused.as_str()),
                "{refused}"
            );
        }
    }
    for to in GUESTS.concat() {
        hosts[2].within(|| ping(to, None).expect_err("LAN to guest"));
        hosts[2].within(|| tcp_reaches(to, PORT, None).expect_err("LAN to guest"));
    }
}

fn together(hosts: &[Netns]) {
    for guest in &hosts[..2] {
        for to in LAN {
            guest.within(|| reaches("guest to LAN", to, None));
        }
    }
    for to in GUESTS.concat() {
        hosts[2].within(|| reaches("LAN to guest", to, None));
    }
}

fn table(name: &str, ifupdown: Ifupdown) {
    let hosts = hosts();
    let installed = ifupdown.install(&example(name));
    let before = State::with_run(&installed);
    installed.ifup("-a").quiet();
    settle();
    for (guest, others) in hosts.iter().zip([GUESTS[1], GUESTS[0]]) {
        for to in others {
            guest.within(|| reaches("guest to guest", to, None));
        }
        for to in BRIDGE {
            guest.within(|| ping(to, None).expect("guest to the host's address on the bridge"));
        }
    }
    if name.starts_with("guests-routed") {
        together(&hosts);
    } else {
        apart(&hosts);
    }
    before.assert_after_ifdown(&installed);
    assert_eq!(command("nft list ruleset").ok().stdout, "", "rules are left");
}

/// The rules separate them: without them everything passes.
fn without_rules(name: &str, ifupdown: Ifupdown) {
    let hosts = hosts();
    let installed = ifupdown.install(&example(name));
    installed.ifup("-a").quiet();
    settle();
    let nft = |file: &str| {
        let root = installed.path("/").display().to_string();
        command(&format!("chroot {root} nft -f /etc/nftables.d/{file}")).quiet();
    };
    nft("guests-off.nft");
    together(&hosts);
    nft("guests-isolated.nft");
    apart(&hosts);
    nft("guests-routed.nft");
    together(&hosts);
    // The one allowed network and no other: the same host of the LAN, behind another card.
    let text = example("guests-routed-nft").replace("eth2", "eth3");
    let elsewhere = &hosts[3];
    for (address, default) in [("192.168.91.5/24", "192.168.91.1"), ("fd00:91::5/64", "fd00:91::1")] {
        elsewhere.ip(&format!("addr add {address} dev eth0"));
        elsewhere.ip(&format!("route add default via {default}"));
    }
    serve(elsewhere);
    installed.interfaces(&text.replace("192.168.90", "192.168.91").replace("fd00:90", "fd00:91"));
    installed.ifup("eth3").quiet();
    settle();
    for to in ["192.168.91.5", "fd00:91::5"] {
        hosts[0].within(|| tcp_reaches(to, PORT, None).expect_err("guest to another network"));
    }
    nft("guests-off.nft");
    for to in ["192.168.91.5", "fd00:91::5"] {
        hosts[0].within(|| reaches("guest to another network, without rules", to, None));
    }
}

/// Nothing passes, neither when everything is up nor while it goes up and down, repeated and forced.
fn never_a_frame(name: &str, ifupdown: Ifupdown) {
    let hosts = hosts();
    let installed = ifupdown.install(&example(name));
    let mut pinging = Pinging::default();
    for (from, to) in [(0, LAN), (1, LAN), (2, GUESTS[0]), (2, GUESTS[1])] {
        for to in to {
            pinging.start(&hosts[from], to);
        }
    }
    let listen = || {
        let of_guests = "src net 192.168.10.0/24 or src net fd00:10::/64";
        let of_lan = "src net 192.168.90.0/24 or src net fd00:90::/64";
        [(2, of_guests), (0, of_lan), (1, of_lan)]
            .map(|(host, filter)| Capture::start(&hosts[host], "eth0", &format!("{filter} and not arp")))
    };
    let heard = listen();
    for _ in 0..2 {
        installed.ifup("-a").quiet();
        installed.ifup("-f -a");
        settle();
        // Not with single interfaces either, now that every neighbour is known.
        for single in ["eth2", "virbr3"] {
            installed.ifdown(&format!("-f {single}"));
            installed.ifup(&format!("-f {single}"));
        }
        settle();
        installed.ifdown_by_force();
        assert!(command("ip link show virbr3").status != 0);
    }
    for capture in heard {
        let frames = capture.frames();
        // Leave out what the host itself says about its own addresses: those packets are not the other guest's.
        let own = ["192.168.10.1 >", "192.168.90.1 >", "fd00:10::1 >", "fd00:90::1 >"];
        let frames: Vec<_> =
            frames.iter().filter(|frame| !own.iter().any(|own| frame.contains(own))).collect();
        assert!(frames.is_empty(), "{frames:#?}");
    }
    // The same capture sees what is allowed to pass.
    let heard = listen();
    installed.interfaces(&example(&name.replace("isolated", "routed")));
    installed.ifup("-a").quiet();
    for capture in heard {
        capture.wait_for(11, "");
    }
    installed.ifdown("-a").quiet();
}

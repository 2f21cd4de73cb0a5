//! Guests on a bridge, isolated or routed, by VRF.

use crate::{
    examples::cards,
    features::{Feature, needs},
    ifupdown::{Executors, Ifupdown, Shell, Version, example},
    lab::{Netns, command, in_lab, settle},
    probe::{PORT, ping, reaches, serve, tcp_reaches},
    state::State,
};
use libtest_mimic::Trial;

const GUESTS: [[&str; 2]; 2] = [["192.168.10.11", "fd00:10::11"], ["192.168.10.12", "fd00:10::12"]];
const LAN: [&str; 2] = ["192.168.90.5", "fd00:90::5"];

pub fn tests() -> Vec<Trial> {
    let mut tests = Vec::new();
    for version in Version::ALL {
        let ifupdown = Ifupdown { version, executors: Executors::Replaced, shell: Shell::Dash };
        for name in ["guests-isolated", "guests-routed"] {
            tests.push(needs(
                &[Feature::Vrf, Feature::Roots],
                format!("guests/{name}/{ifupdown}"),
                move || in_lab(|| table(name, ifupdown)),
            ));
        }
    }
    tests
}

/// Two guests behind eth0 and eth1, and a host of the LAN behind eth2. All have a default route to the host.
fn hosts() -> Vec<Netns> {
    let hosts = cards();
    let networks = [("192.168.10", "fd00:10:", ".11", ":11"), ("192.168.10", "fd00:10:", ".12", ":12")];
    for (host, (net4, net6, own4, own6)) in
        hosts.iter().zip(networks.into_iter().chain([("192.168.90", "fd00:90:", ".5", ":5")]))
    {
        host.ip(&format!("addr add {net4}{own4}/24 dev eth0"));
        host.ip(&format!("addr add {net6}{own6}/64 dev eth0 nodad"));
        host.ip(&format!("-4 route add default via {net4}.1"));
        host.ip(&format!("-6 route add default via {net6}:1"));
        serve(host);
    }
    hosts
}

fn table(name: &str, ifupdown: Ifupdown) {
    let hosts = hosts();
    command("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1").ok();
    let installed = ifupdown.install(&example(name));
    let before = State::with_run(&installed);
    installed.ifup("-a").quiet();
    settle();
    let guests = &hosts[..2];
    for (guest, others) in guests.iter().zip([GUESTS[1], GUESTS[0]]) {
        for to in others {
            guest.within(|| reaches("guest to guest", to, None));
        }
        for to in ["192.168.10.1", "fd00:10::1"] {
            guest.within(|| ping(to, None).expect("guest to the host's address on the bridge"));
        }
        for to in LAN {
            if name == "guests-routed" {
                guest.within(|| reaches("guest to LAN", to, None));
            } else {
                let refused = guest.within(|| ping(to, None).expect_err("guest to LAN"));
                assert!(refused.contains("nreachable") || refused.contains("No route"), "{refused}");
                guest.within(|| tcp_reaches(to, PORT, None).expect_err("guest to LAN"));
            }
        }
    }
    for to in GUESTS.concat() {
        if name == "guests-routed" {
            hosts[2].within(|| reaches("LAN to guest", to, None));
        } else {
            hosts[2].within(|| ping(to, None).expect_err("LAN to guest"));
            hosts[2].within(|| tcp_reaches(to, PORT, None).expect_err("LAN to guest"));
        }
    }
    before.assert_after_ifdown(&installed);
}

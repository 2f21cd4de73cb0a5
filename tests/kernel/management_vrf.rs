//! Service isolation with one network card: which hosts reach which, at every stage.

use crate::features::{Feature, needs};
use crate::ifupdown::{Ifupdown, Shell, example};
use crate::lab::{Netns, in_lab, ip, ip_batch, settle};
use crate::probe::{PORT, echo, reaches, serve, serve_here, tcp_reaches};
use crate::state::State;
use crate::tables;
use crate::tables::{BOUND_PORT, INTERNET, VRF};
use libtest_mimic::Trial;
use std::net::{IpAddr, SocketAddr};

pub fn tests() -> Vec<Trial> {
    let mut tests = Vec::new();
    for ifupdown in Ifupdown::all() {
        for layout in ["yes", "jump"] {
            tests.push(needs(
                &[Feature::Vrf, Feature::Roots],
                format!("management-vrf/table/{layout}/{ifupdown}"),
                move || in_lab(|| table(ifupdown, layout)),
            ));
        }
    }
    for ifupdown in Ifupdown::all().into_iter().filter(|ifupdown| ifupdown.shell == Shell::Dash) {
        tests.push(needs(
            &[Feature::Vrf, Feature::Roots],
            format!("management-vrf/reachable/{ifupdown}"),
            move || {
                for (name, answers) in [("management-vrf", false), ("management-vrf-reachable", true)] {
                    in_lab(|| reachable(ifupdown, name, answers));
                }
            },
        ));
    }
    tests
}

/// With the variant, an unbound service answers clients behind the gateway; without the variant it does not.
fn reachable(ifupdown: Ifupdown, name: &str, answers: bool) {
    let outside = outside();
    // The client is the gateway itself, with an address that is not of the LAN.
    for (to, from) in [("10.20.30.40", INTERNET[0]), ("fd00:30::40", INTERNET[1])] {
        outside.gateway.ip(&format!("route add {to} dev eth0 src {from}"));
    }
    let installed = ifupdown.install(&example(name));
    let before = State::with_run(&installed);
    installed.ifup("-a").quiet();
    settle();
    serve_here();
    for to in ["10.20.30.40", "fd00:30::40"] {
        let answer = outside.gateway.within(|| tcp_reaches(to, PORT, None));
        assert_eq!(answer.is_ok(), answers, "{name}: {to}: {answer:?}");
        outside.lan.within(|| tcp_reaches(to, PORT, None)).expect("a client of the LAN");
    }
    for to in INTERNET {
        reaches("unbound", to, None);
    }
    before.assert_after_ifdown(&installed);
}
/// The LAN: a bridge with the card, a host and the gateway, all in one outside namespace. The Internet is behind the
/// gateway.
pub struct Outside {
    pub switch: Netns,
    pub lan: Netns,
    pub gateway: Netns,
}

/// `eth0` of the lab, down and without addresses, leads to the LAN.
pub fn outside() -> Outside {
    let switch = Netns::beside("eth0", "p0");
    ip("link set eth0 down");
    let (lan, gateway) = (Netns::new(), Netns::new());
    switch.within(|| {
        lan.join("p1", "eth0");
        gateway.join("p2", "eth0");
        ip_batch(&[
            "link add name switch up type bridge",
            "link set p0 master switch",
            "link set p1 master switch",
            "link set p2 master switch",
        ]);
    });
    lan.ip_batch(&["addr add 10.20.30.7/24 dev eth0", "addr add fd00:30::7/64 dev eth0 nodad"]);
    gateway.ip_batch(&["addr add 10.20.30.1/24 dev eth0", "addr add fd00:30::1/64 dev eth0 nodad"]);
    let internet = INTERNET.map(|address| format!("addr add {address} dev lo"));
    gateway.ip_batch(&internet.each_ref().map(String::as_str));
    for host in [&lan, &gateway] {
        serve(host);
    }
    Outside { switch, lan, gateway }
}

fn table(ifupdown: Ifupdown, layout: &str) {
    let outside = outside();
    let interfaces = example("management-vrf").replace("vrf-rules yes", &format!("vrf-rules {layout}"));
    let installed = ifupdown.install(&interfaces);
    let before = State::with_run(&installed);
    installed.ifup("-a").quiet();
    settle();
    serve_here();
    for any in ["0.0.0.0", "::"] {
        echo(SocketAddr::new(any.parse::<IpAddr>().unwrap(), BOUND_PORT), VRF);
    }
    tables::management_vrf(&outside.lan);
    before.assert_after_ifdown(&installed);
}

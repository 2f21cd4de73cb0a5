//! Service isolation with one network card: who reaches whom, before, while and after.

use crate::{
    features::{Feature, needs},
    ifupdown::{Ifupdown, example},
    lab::{Netns, in_lab, ip, settle},
    probe::{echo, serve, serve_here},
    state::State,
    tables::{self, BOUND_PORT, INTERNET, VRF},
};
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
    tests
}

/// The LAN: a bridge with the card, a host and the gateway on it, all in one outside namespace, and behind the
/// gateway the Internet.
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
        ip("link add name switch up type bridge");
        for port in ["p0", "p1", "p2"] {
            ip(&format!("link set {port} master switch"));
        }
    });
    for address in ["10.20.30.7/24", "fd00:30::7/64 nodad"] {
        lan.ip(&format!("addr add {address} dev eth0"));
    }
    for address in ["10.20.30.1/24", "fd00:30::1/64 nodad"] {
        gateway.ip(&format!("addr add {address} dev eth0"));
    }
    for address in INTERNET {
        gateway.ip(&format!("addr add {address} dev lo"));
    }
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

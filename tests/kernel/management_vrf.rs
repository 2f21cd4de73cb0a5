//! Service isolation with one network card: who reaches whom, before, while and after.

use crate::{
    features::{Feature, needs},
    ifupdown::{Ifupdown, example},
    lab::{Netns, in_lab, ip, settle},
    probe::{PORT, echo, reaches, serve, serve_here, unreachable},
    state::State,
};
use libtest_mimic::Trial;
use std::net::{IpAddr, SocketAddr};

const OWN: [&str; 2] = ["10.20.30.40", "fd00:30::40"];
const LAN: [&str; 2] = ["10.20.30.7", "fd00:30::7"];
pub const INTERNET: [&str; 2] = ["8.8.8.8", "2001:db8:8::8"];
pub const VRF: Option<&str> = Some("vrf-management");

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

/// Every row of the reachability table.
fn check(outside: &Outside) {
    for to in LAN.into_iter().chain(INTERNET) {
        reaches("unbound", to, None);
    }
    for to in LAN {
        reaches("bound", to, VRF);
    }
    for to in INTERNET {
        unreachable("bound", to, VRF);
    }
    for to in OWN {
        outside.lan.within(|| reaches("LAN host to unbound service", to, None));
        let bound = |port| crate::probe::tcp_reaches(to, port, None);
        outside.lan.within(|| bound(BOUND_PORT).expect("LAN host to bound service"));
    }
    for to in ["127.0.0.1", "::1"].into_iter().chain(OWN) {
        reaches("unbound, own address", to, None);
    }
}

/// The port of the service that is bound to the VRF.
const BOUND_PORT: u16 = PORT + 1;

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
    check(&outside);
    before.assert_after_ifdown(&installed);
}

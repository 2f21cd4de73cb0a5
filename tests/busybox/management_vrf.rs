//! Service isolation with one network card.

use crate::{
    lab::{Netns, ip},
    machine::{State, addresses, beside, ifdown, ifup, interfaces, join, settle},
    probe::{PORT, echo, reaches, serve, serve_here, tcp_reaches, unreachable},
};
use std::net::SocketAddr;

const OWN: [&str; 2] = ["10.20.30.40", "fd00:30::40"];
const LAN: [&str; 2] = ["10.20.30.7", "fd00:30::7"];
const INTERNET: [&str; 2] = ["8.8.8.8", "2001:db8:8::8"];
const VRF: Option<&str> = Some("vrf-management");

/// `eth0` leads to a switch with a host of the LAN and the gateway on it.
fn outside() -> [Netns; 3] {
    let switch = beside("eth0", "p0");
    let (lan, gateway) = (Netns::new(), Netns::new());
    switch.within(|| ip("link add switch type bridge"));
    for (port, host) in [("p1", &lan), ("p2", &gateway)] {
        join(&switch, port, host, "eth0");
    }
    switch.within(|| {
        ip("link set switch up");
        for port in ["p0", "p1", "p2"] {
            ip(&format!("link set {port} master switch"));
            ip(&format!("link set {port} up"));
        }
    });
    addresses(&lan, "eth0", &["10.20.30.7/24", "fd00:30::7/64"]);
    addresses(&gateway, "eth0", &["10.20.30.1/24", "fd00:30::1/64"]);
    addresses(&gateway, "lo", &["8.8.8.8/32", "2001:db8:8::8/128"]);
    for host in [&lan, &gateway] {
        serve(host);
    }
    [switch, lan, gateway]
}

/// Every row.
pub fn table() {
    let [_switch, lan, _gateway] = outside();
    let before = State::now();
    interfaces("management-vrf", str::to_owned);
    ifup("-a").quiet();
    settle();
    serve_here();
    for any in ["0.0.0.0", "::"] {
        echo(SocketAddr::new(any.parse().unwrap(), PORT + 1), VRF);
    }
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
        lan.within(|| reaches("LAN host to unbound service", to, None));
        lan.within(|| tcp_reaches(to, PORT + 1, None)).expect("LAN host to bound service");
    }
    for to in ["127.0.0.1", "::1"].into_iter().chain(OWN) {
        reaches("unbound, own address", to, None);
    }
    ifdown("-a");
    before.assert_still();
}

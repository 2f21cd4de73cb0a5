//! Service isolation with one network card.

use crate::lab::{Netns, ip};
use crate::machine::{State, addresses, beside, ifdown, ifup, interfaces, join, settle};
use crate::probe::{echo, serve, serve_here};
use crate::tables;
use crate::tables::{BOUND_PORT, VRF};
use std::net::SocketAddr;

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
        echo(SocketAddr::new(any.parse().unwrap(), BOUND_PORT), VRF);
    }
    tables::management_vrf(&lan);
    ifdown("-a");
    before.assert_still();
}

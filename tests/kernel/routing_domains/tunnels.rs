//! Tunnels that end in a namespace and whose packets leave by the host's card.

use super::domain;
use crate::ifupdown::Ifupdown;
use crate::lab::{Netns, command, in_lab, ip, settle};
use crate::probe::ping;
use crate::state::State;

const STANZAS: &str = "
auto eth0
iface eth0
    address 192.0.2.10/24
    address 2001:db8:1::10/64

auto gre-private
iface gre-private
    requires eth0
    use tunnel
    tunnel-mode gre
    tunnel-local 192.0.2.10
    tunnel-remote 192.0.2.20
    netns private
    netns-ifname tunnel4
    netns-address 10.33.0.1/24, fd00:33::1/64
    netns-route 10.133.0.0/16 dev tunnel4

auto gre6-private
iface gre6-private
    requires eth0
    use tunnel
    tunnel-mode ip6gre
    tunnel-local 2001:db8:1::10
    tunnel-remote 2001:db8:1::20
    netns private
    netns-ifname tunnel6
    netns-address 10.34.0.1/24, fd00:34::1/64
";

/// The other end of both, on the card's network.
fn outside() -> Netns {
    let outside = Netns::beside("eth0", "eth0");
    ip("link set eth0 down");
    for words in [
        "addr add 192.0.2.20/24 dev eth0",
        "addr add 2001:db8:1::20/64 dev eth0 nodad",
        "link add tunnel4 type gre local 192.0.2.20 remote 192.0.2.10",
        "addr add 10.33.0.2/24 dev tunnel4",
        "addr add fd00:33::2/64 dev tunnel4 nodad",
        "link set tunnel4 up",
        "link add tunnel6 type ip6gre local 2001:db8:1::20 remote 2001:db8:1::10",
        "addr add 10.34.0.2/24 dev tunnel6",
        "addr add fd00:34::2/64 dev tunnel6 nodad",
        "link set tunnel6 up",
    ] {
        outside.ip(words);
    }
    outside
}

/// How many packets left by the card.
fn sent() -> u64 {
    let text = ip("-s -j link show eth0");
    serde_json::from_str::<serde_json::Value>(&text).unwrap()[0]["stats64"]["tx"]["packets"].as_u64().unwrap()
}

pub fn gre(ifupdown: Ifupdown) {
    // When the modules are first loaded, they add their own links to every namespace.
    in_lab(|| {
        ip("link add gre4 type gre local 192.0.2.10 remote 192.0.2.20");
        ip("link add gre6 type ip6gre local 2001:db8:1::10 remote 2001:db8:1::20");
    });
    let outside = outside();
    let installed = ifupdown.install(STANZAS);
    let before = State::with_run(&installed);
    for round in 0..2 {
        installed.ifup("-a").quiet();
        settle();
        let private = domain(&installed, "private");
        private.within(settle);
        assert!(!ip("link").contains("-private"), "a tunnel is outside");
        for to in ["10.33.0.2", "fd00:33::2", "10.34.0.2", "fd00:34::2"] {
            let packets = sent();
            private.within(|| ping(to, None)).unwrap_or_else(|error| panic!("{to}, round {round}: {error}"));
            assert!(sent() > packets, "nothing left by eth0 for {to}");
            // Inner packets are in the namespace alone: this host has no route for them.
            ping(to, None).expect_err("from outside the namespace");
        }
        for from in ["10.33.0.1", "fd00:33::1", "10.34.0.1", "fd00:34::1"] {
            outside.within(|| ping(from, None)).expect("from the other end");
        }
        let device = private.ip("-d link show tunnel4") + &private.ip("-d link show tunnel6");
        assert!(device.contains("remote 192.0.2.20") && device.contains("remote 2001:db8:1::20"), "{device}");
        drop(private);
        installed.ifdown("-a").quiet();
        ip("link set lo up");
        before.assert_same(&State::with_run(&installed), "after ifdown -a");
    }
    // The tunnel is deleted with its namespace, and the stock `tunnel` reports that it does not exist.
    installed.ifup("-a").quiet();
    command(&format!("chroot {} ip netns del private", installed.path("/").display())).ok();
    for iface in ["gre-private", "gre6-private", "eth0"] {
        let ran = installed.ifdown(&format!("-f {iface}"));
        assert!(!ran.stderr.contains("netns"), "{ran}");
    }
    ip("link set lo up");
    before.assert_same(&State::with_run(&installed), "after the namespace was deleted");
}

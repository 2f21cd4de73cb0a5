//! Routing domains: namespaces joined by veth pairs.

use crate::{
    lab::{Netns, ip, wait_until},
    machine::{State, addresses, beside, ifdown, ifup, interfaces, join, settle},
    probe::ping,
};
use std::fs;

/// Without the tunnel, which the stock executor `vxlan` makes with iproute2.
fn without_tunnel(text: &str) -> String {
    let stanzas: Vec<&str> = text.split("\n\n").collect();
    let kept: Vec<&str> =
        stanzas.iter().filter(|stanza| !stanza.contains("iface vx-private")).copied().collect();
    assert_eq!(kept.len(), stanzas.len() - 1);
    kept.join("\n\n") + "\n"
}

/// Every row but the tunnel's.
pub fn table() {
    let outside = beside("eth0", "eth0");
    addresses(&outside, "eth0", &["192.0.2.20/24", "2001:db8:1::20/64"]);
    outside.within(|| {
        ip("route add 10.0.0.0/8 via 192.0.2.10");
        ip("-6 route add fd00::/16 via 2001:db8:1::10");
    });
    for forwarding in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
        fs::write(format!("/proc/sys/net/{forwarding}"), "1").unwrap();
    }
    let before = State::now();
    interfaces("routing-domains", without_tunnel);
    ifup("-a");
    settle();
    let [private, hostile] = ["private", "hostile"].map(Netns::named);
    private.within(settle);
    hostile.within(settle);
    for (domain, device, there, host) in [
        (&private, None, ["10.30.0.2", "fd00:30::2"], ["10.30.0.1", "fd00:30::1"]),
        (&hostile, Some("vrf-hostile"), ["10.31.0.2", "fd00:31::2"], ["10.31.0.1", "fd00:31::1"]),
    ] {
        for to in there {
            ping(to, device).expect("host to domain");
        }
        for to in host.into_iter().chain(["192.168.77.1", "fd00:77::1"]) {
            domain.within(|| ping(to, None)).expect("domain to host, and to its own of the same addresses");
        }
    }
    for to in ["192.0.2.20", "2001:db8:1::20"] {
        private.within(|| ping(to, None)).expect("private to the outside");
        hostile.within(|| ping(to, None)).expect_err("hostile to the outside");
    }
    for to in ["10.99.0.1", "fd00:99::1"] {
        hostile.within(|| ping(to, None)).expect("the named prefix");
    }
    for to in ["10.30.0.2", "fd00:30::2"] {
        hostile.within(|| ping(to, None)).expect_err("the rest of private");
    }
    late(&private);
    drop((private, hostile));
    ifdown("-a");
    before.assert_still();
}

/// A link that somebody makes later.
fn late(private: &Netns) {
    let far = Netns::new();
    join(&Netns::current(), "tun0", &far, "far");
    addresses(&far, "far", &["10.8.0.1/24"]);
    ifup("tun0");
    wait_until("tun0 in private", || private.within(|| ip("addr")).contains("10.8.0.2/24"));
    far.within(|| ping("10.8.0.2", None)).expect("tun0 from outside");
    ifdown("tun0");
    assert!(ip("link").contains("tun0"), "tun0 is not back");
    ip("link del tun0");
}

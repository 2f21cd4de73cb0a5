//! Routing domains: namespaces joined by veth pairs.

use crate::lab::{Netns, ip, wait_until};
use crate::machine::{State, addresses, beside, ifdown, ifup, interfaces, join, settle};
use crate::probe::ping;
use crate::tables;
use std::fs;

/// Without the tunnel, which the stock executor `vxlan` makes with iproute2.
fn without_tunnel(text: &str) -> String {
    let stanzas: Vec<&str> = text.split("\n\n").collect();
    let kept: Vec<&str> =
        stanzas.iter().filter(|stanza| !stanza.contains("iface vx-private")).copied().collect();
    assert_eq!(kept.len(), stanzas.len() - 1);
    kept.join("\n\n") + "\n"
}

/// Every row except those of the tunnel.
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
    tables::routing_domains(&private, &hostile);
    late(&private);
    drop((private, hostile));
    ifdown("-a");
    before.assert_still();
}

/// A link that another program creates later.
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

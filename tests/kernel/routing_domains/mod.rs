//! Routing domains: which hosts reach which, and which card packets leave by; routing daemons, tunnels, many rounds.

mod daemons;
mod rounds;
mod tunnels;

use crate::features::{Feature, needs};
use crate::ifupdown::{Executors, Ifupdown, Installed, Shell, Version, example};
use crate::lab::{Netns, command, in_lab, ip, settle, wait_until};
use crate::probe::{ping, tcp_reaches};
use crate::state::State;
use crate::tables;
use libtest_mimic::Trial;

pub fn tests() -> Vec<Trial> {
    let mut tests = Vec::new();
    for version in Version::ALL {
        for executors in Executors::ALL {
            let ifupdown = Ifupdown { version, executors, shell: Shell::Dash };
            tests.push(needs(
                &[Feature::Vrf, Feature::Roots],
                format!("routing-domains/table/{ifupdown}"),
                move || in_lab(|| table(ifupdown)),
            ));
        }
        let ifupdown = Ifupdown { version, ..Ifupdown::USUAL };
        for (name, test) in [
            ("daemons", daemons::daemons as fn(Ifupdown)),
            ("gre", tunnels::gre),
            ("rounds", rounds::rounds),
            ("many-at-once", rounds::many_at_once),
        ] {
            tests.push(needs(
                &[Feature::Vrf, Feature::Roots],
                format!("routing-domains/{name}/{version:?}"),
                move || in_lab(|| test(ifupdown)),
            ));
        }
    }
    tests
}

/// A named namespace of the installation, whose `/run` is not ours.
fn domain(installed: &Installed, name: &str) -> Netns {
    Netns::at(&installed.path("/run/netns").join(name))
}

/// The outside: a host on the card's network, which is also the other end of the tunnel.
pub fn outside() -> Netns {
    let outside = Netns::beside("eth0", "eth0");
    ip("link set eth0 down");
    outside.ip_batch(&[
        "addr add 192.0.2.20/24 dev eth0",
        "addr add 2001:db8:1::20/64 dev eth0 nodad",
        "route add 10.0.0.0/8 via 192.0.2.10",
        "route add fd00::/16 via 2001:db8:1::10",
        "link add vx0 type vxlan id 77 local 192.0.2.20 remote 192.0.2.10 dstport 4789",
        "addr add 10.32.0.2/24 dev vx0",
        "addr add fd00:32::2/64 dev vx0 nodad",
        "link set vx0 up",
    ]);
    outside
}

/// As the example needs it.
fn forwarding() {
    command("sysctl -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1").ok();
}

fn table(ifupdown: Ifupdown) {
    let outside = outside();
    forwarding();
    let installed = ifupdown.install(&example("routing-domains"));
    let before = State::with_run(&installed);
    installed.ifup("-a").ok();
    settle();
    let (private, hostile) = (domain(&installed, "private"), domain(&installed, "hostile"));
    private.within(settle);
    hostile.within(settle);

    tables::routing_domains(&private, &hostile);
    hostile.ip("route del 10.99.0.0/24");
    hostile.within(|| ping("10.99.0.1", None)).expect_err("without the route");
    overlap(&private, &hostile);
    tunnel(&outside, &private);
    late(&installed, &private);
    drop((private, hostile));

    installed.ifdown("-a").ok();
    ip("link set lo up");
    before.assert_same(&State::with_run(&installed), "after ifdown -a");
}

/// The same address in both namespaces, with a different service behind it.
fn overlap(private: &Netns, hostile: &Netns) {
    for (domain, port) in [(private, 1001), (hostile, 1002)] {
        domain.within(|| {
            for any in ["0.0.0.0", "::"] {
                crate::probe::echo(std::net::SocketAddr::new(any.parse().unwrap(), port), None);
            }
        });
    }
    for to in ["192.168.77.1", "fd00:77::1"] {
        private.within(|| tcp_reaches(to, 1001, None)).expect("its own");
        hostile.within(|| tcp_reaches(to, 1002, None)).expect("its own");
        private.within(|| tcp_reaches(to, 1002, None)).expect_err("the other's");
        hostile.within(|| tcp_reaches(to, 1001, None)).expect_err("the other's");
    }
}

/// Inner packets are in private alone; the outer packets leave by the host's card.
fn tunnel(outside: &Netns, private: &Netns) {
    let sent = || {
        let text = ip("-s -j link show eth0");
        serde_json::from_str::<serde_json::Value>(&text).unwrap()[0]["stats64"]["tx"]["packets"]
            .as_u64()
            .unwrap()
    };
    let packets = sent();
    for to in ["10.32.0.2", "fd00:32::2"] {
        private.within(|| ping(to, None)).expect("through the tunnel");
    }
    assert!(sent() > packets, "nothing left by eth0");
    outside.within(|| ping("10.32.0.1", None)).expect("from the other end");
    assert!(!ip("link").contains("vx-private"), "the tunnel is outside");
}

/// A link that another program creates later.
fn late(installed: &Installed, private: &Netns) {
    ip("link add name tun0 type veth peer name far");
    ip("link set far up");
    ip("addr add 10.8.0.1/24 dev far");
    installed.ifup("tun0").ok();
    wait_until("tun0 in private", || private.ip("-br addr").contains("10.8.0.2/24"));
    ping("10.8.0.2", None).expect("tun0 from outside");
    installed.ifdown("tun0").ok();
    assert!(ip("link").contains("tun0"), "tun0 is not back");
    ip("link del tun0");
}

//! Three points with a router between them: links, namespaces and the router are all created by stanzas. VRFs separate
//! the first two, or rules of nft.

use super::netns::stations;
use crate::examples::{after_ifdown_by_force, as_before_when_forced};
use crate::ifupdown::{Ifupdown, Installed, Way, example};
use crate::lab::{Netns, command, settle};
use crate::probe::{PORT, ping, reaches, serve, tcp_reaches};
use crate::state::State;

/// The addresses of the points, and those of the router in the same networks.
pub const POINTS: [[&str; 2]; 3] =
    [["192.168.10.1", "fd00:10::1"], ["192.168.20.1", "fd00:20::1"], ["192.168.30.1", "fd00:30::1"]];
pub const ROUTER: [[&str; 2]; 3] =
    [["192.168.10.254", "fd00:10::fe"], ["192.168.20.254", "fd00:20::fe"], ["192.168.30.254", "fd00:30::fe"]];
/// Routes that lead from the first point to the second in the router, and back.
pub const LEAKS: [&str; 4] = [
    "route add 192.168.20.0/24 dev veth2.20 table 110",
    "route add fd00:20::/64 dev veth2.20 table 110",
    "route add 192.168.10.0/24 dev veth1.10 table 120",
    "route add fd00:10::/64 dev veth1.10 table 120",
];

#[track_caller]
fn not_reached(who: &str, host: &Netns, to: &str) {
    host.within(|| {
        ping(to, None).expect_err(who);
        tcp_reaches(to, PORT, None).expect_err(who);
    });
}

/// The first two points, in both directions.
fn between(points: &[Netns], check: impl Fn(&Netns, &str)) {
    for (from, other) in [(0, 1), (1, 0)] {
        for to in POINTS[other] {
            check(&points[from], to);
        }
    }
}

fn apart(points: &[Netns], when: &str) {
    between(points, |from, to| not_reached(when, from, to));
}

/// Every row.
fn table(points: &[Netns]) {
    for (from, other) in [(0, 2), (1, 2), (2, 0), (2, 1)] {
        for to in POINTS[other] {
            points[from].within(|| reaches(&format!("point {from}"), to, None));
        }
    }
    apart(points, "the other point");
    for (from, host) in points.iter().enumerate() {
        for (network, addresses) in ROUTER.iter().enumerate() {
            for to in addresses {
                if network == from {
                    host.within(|| ping(to, None)).expect("the router, in the point's own network");
                } else {
                    not_reached("the router, in another network", host, to);
                }
            }
        }
    }
}

/// The third point forwards, and the others have routes to each other: by the third point, then by the router.
fn with_help(points: &[Netns]) {
    points[2].within(|| command("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1").ok());
    let networks = [["192.168.10.0/24", "fd00:10::/64"], ["192.168.20.0/24", "fd00:20::/64"]];
    let route = |host: &Netns, network: &str, via: &str, link: &str| {
        host.ip(&format!("route replace {network} via {via} dev {link} onlink"));
    };
    for family in [0, 1] {
        for network in networks {
            route(&points[2], network[family], ROUTER[2][family], "eth0");
        }
        route(&points[0], networks[1][family], POINTS[2][family], "eth0.10");
        route(&points[1], networks[0][family], POINTS[2][family], "eth0.20");
    }
    apart(points, "by the third point");
    for family in [0, 1] {
        route(&points[0], networks[1][family], ROUTER[0][family], "eth0.10");
        route(&points[1], networks[0][family], ROUTER[1][family], "eth0.20");
    }
    apart(points, "by the router");
}

/// `open` removes the separation: then the first two reach each other.
fn both_ways(name: &str, ifupdown: Ifupdown, open: impl Fn(&Netns)) {
    let installed = ifupdown.install("");
    let before = State::with_run(&installed);
    for way in Way::ALL {
        installed.interfaces(&example(name));
        installed.bring_up(way);
        let points = stations(&installed);
        let router = router(&installed);
        router.within(settle);
        points.iter().chain([&router]).for_each(serve);
        table(&points);
        if way == Way::Ifup {
            with_help(&points);
            open(&router);
            between(&points, |from, to| from.within(|| reaches("without the separation", to, None)));
        }
        drop((points, router));
        before.assert_after(way, &installed);
    }
}

fn router(installed: &Installed) -> Netns {
    Netns::at(&installed.path("/run/netns/netnsX"))
}

pub fn by_vrf(ifupdown: Ifupdown) {
    both_ways("three-points-routed", ifupdown, |router| router.ip_batch(&LEAKS));
}

pub fn by_nft(ifupdown: Ifupdown) {
    both_ways("three-points-routed-nft", ifupdown, |router| {
        router.within(|| command("nft delete table inet three-points").ok());
    });
}

/// Up, a point and the router by force, and down, repeated: each time the same.
pub fn again(ifupdown: Ifupdown) {
    let installed = ifupdown.install(&example("three-points-routed"));
    let before = State::with_run(&installed);
    for _ in 0..10 {
        as_before_when_forced(&installed, &["veth-netns1", "veth-netns3"]);
        after_ifdown_by_force(&installed, &before);
    }
}

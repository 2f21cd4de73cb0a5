//! Routes on the wire, against what `ip` sent and received.

use super::*;
use crate::kernel::netlink::fixture::{Request, answers, damaged};
use crate::state::OUR_PROTOCOL;
use rtnetlink::packet_core::{NLM_F_EXCL, NLM_F_REPLACE};

/// The index of `eth0` in the captures.
const ETH0: u32 = 10;

/// The attribute with a route's destination.
const RTA_DST: u16 = 1;

/// A route of ours in table 10, as `ip` spells it: `PREFIX [via ADDRESS] [metric N]`.
fn route(prefix: &str, via: Option<&str>, metric: u32) -> Route {
    Route {
        table: TableId::new(10).unwrap(),
        prefix: prefix.parse().unwrap(),
        kind: RouteKind::Unicast,
        via: via.map(|via| via.parse().unwrap()),
        dev: Some("eth0".parse().unwrap()),
        src: None,
        metric,
        onlink: false,
        protocol: OUR_PROTOCOL,
    }
}

fn add(route: &Route, replace: bool) -> Request {
    let index = route.dev.as_ref().map(|_| ETH0);
    Request::ours(
        RouteNetlinkMessage::NewRoute(encode(route, index)),
        NLM_F_CREATE | if replace { NLM_F_REPLACE } else { NLM_F_EXCL },
    )
}

#[test]
fn what_is_sent_is_what_ip_sends() {
    let via = route("192.0.2.0/24", Some("10.0.0.1"), 5);
    let onlink = Route { src: Some("10.0.0.2".parse().unwrap()), onlink: true, ..via.clone() };
    assert_eq!(add(&onlink, false), Request::of_ip("route-add"));
    assert_eq!(add(&via, true), Request::of_ip("route-replace"));
    let unreachable = Route {
        kind: RouteKind::Unreachable,
        table: TableId::new(100_000).unwrap(),
        dev: None,
        ..route("::/0", None, 4_278_198_272)
    };
    // For the IPv6 default route `ip` sends the destination too, which is zero. A missing destination means the same.
    assert_eq!(add(&unreachable, false), Request::of_ip("route-add-unreachable").without(RTA_DST));
    assert_eq!(add(&route("198.51.100.0/24", None, 0), false), Request::of_ip("route-add-link"));
}

/// `ip` leaves the metric out and the kernel uses 1024; we send it.
#[test]
fn an_ipv6_route_names_the_metric_that_the_kernel_would_take() {
    let ours = add(&route("2001:db8::/32", Some("fd00::1"), 1024), false);
    let without = add(&route("2001:db8::/32", Some("fd00::1"), 0), false);
    assert_eq!(without, Request::of_ip("route-add-ipv6"));
    assert_ne!(ours, without);
}

/// `ip` deletes with scope "nowhere" and type "unspecified", which match any; we send the values that we added the
/// route with.
#[test]
fn a_route_is_deleted_as_it_was_added() {
    let via = route("192.0.2.0/24", Some("10.0.0.1"), 5);
    let mut message = encode(&via, Some(ETH0));
    message.header.scope = RouteScope::NoWhere;
    message.header.kind = RouteType::Unspec;
    assert_eq!(Request::ours(RouteNetlinkMessage::DelRoute(message), 0), Request::of_ip("route-del"));
}

fn read(family: Family, name: &str) -> Vec<String> {
    let routes = answers(name).into_iter().filter_map(|answer| match answer {
        RouteNetlinkMessage::NewRoute(message) => decode(family, &message),
        _ => None,
    });
    let in_table = routes.filter(|(route, _)| route.table.get() == 10);
    in_table.map(|(route, index)| format!("{route} index {}", index.unwrap_or(0))).collect()
}

#[test]
fn what_the_kernel_shows_is_understood() {
    // The multipath route and the broadcast route are not handled, and not shown.
    let ipv4 = [
        "blackhole 10.66.0.0/16 table 10 protocol 3 index 0",
        "192.0.2.0/24 via 10.0.0.1 table 10 src 10.0.0.2 metric 5 onlink protocol 73 index 10",
        "198.51.100.0/24 table 10 protocol 73 index 10",
    ];
    assert_eq!(read(Family::Ipv4, "route-dump-ipv4"), ipv4);
    // The kernel has IPv6 routes without a next hop at `lo`, index 1.
    let ipv6 = [
        "prohibit 2001:db8:66::/48 table 10 protocol 3 index 1",
        "2001:db8::/32 via fd00::1 table 10 protocol 73 index 10",
    ];
    assert_eq!(read(Family::Ipv6, "route-dump-ipv6"), ipv6);
}

#[test]
fn damage_does_not_make_it_panic() {
    for (family, name) in [(Family::Ipv4, "route-dump-ipv4"), (Family::Ipv6, "route-dump-ipv6")] {
        damaged(name, |answer| {
            if let RouteNetlinkMessage::NewRoute(message) = answer {
                decode(family, &message);
            }
        });
    }
}

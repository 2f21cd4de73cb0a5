//! The executors of ifupdown-ng, and the packages of Alpine that own them.

/// The names in /usr/libexec/ifupdown-ng of ifupdown-ng 0.12.1 on Debian 13; the test program `busybox` compares them with
/// that directory. The package is that of Alpine, whose `bridge` and `bond` are stubs; it has no `tunnel`.
pub const STOCK: [(&str, Option<&str>); 18] = [
    ("batman", Some("ifupdown-ng-batman")),
    ("bond", Some("ifupdown-ng")),
    ("bridge", Some("ifupdown-ng")),
    ("dhcp", Some("ifupdown-ng")),
    ("ethtool", Some("ifupdown-ng-ethtool")),
    ("forward", Some("ifupdown-ng")),
    ("gre", Some("ifupdown-ng-iproute2")),
    ("ipv6-ra", Some("ifupdown-ng")),
    ("link", Some("ifupdown-ng")),
    ("mpls", Some("ifupdown-ng-iproute2")),
    ("ppp", Some("ifupdown-ng-ppp")),
    ("static", Some("ifupdown-ng")),
    ("tunnel", None),
    ("vrf", Some("ifupdown-ng-iproute2")),
    ("vxlan", Some("ifupdown-ng-iproute2")),
    ("wifi", Some("ifupdown-ng-wifi")),
    ("wireguard", Some("ifupdown-ng-wireguard")),
    ("wireguard-quick", Some("ifupdown-ng-wireguard-quick")),
];

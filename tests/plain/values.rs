//! Values: what they accept, what they refuse and with which error, and that no text makes them panic.

use ifupdown_ng_netlink::state::Sysctl;
use ifupdown_ng_netlink::values::{
    Address, AddressOrNone, Family, FarEnd, Gateway, IfName, LinkMtu, List, Metric, Mtu, NetnsRef, OrNo,
    RouteKind, RouteSpec, RouteTable, Switch, TableId, TableSpec, VlanId, VlanProtocol,
};
use proptest::prelude::*;
use std::fmt::Display;
use std::str::FromStr;

/// Parses, with the error as text.
fn parse<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

fn error<T: FromStr<Err: Display>>(text: &str) -> String {
    parse::<T>(text).err().unwrap_or_else(|| panic!("{text:?} was taken"))
}

#[test]
fn names_of_interfaces() {
    for good in ["lo", "eth0.8", "abcdefghijklmno", "-a", "main", "vrf_red", "ü", "a=b", "veth#1"] {
        assert_eq!(parse::<IfName>(good).unwrap().as_str(), good);
    }
    for (bad, why) in [
        ("", "empty"),
        (".", "a reserved word"),
        ("..", "a reserved word"),
        ("all", "a reserved word"),
        ("default", "a reserved word"),
        ("abcdefghijklmnop", "16 bytes, at most 15 fit"),
        ("üüüüüüüü", "16 bytes, at most 15 fit"),
        ("vrf%d", "contains '%'"),
        ("a b", "contains ' '"),
        ("a/b", "contains '/'"),
        ("a:b", "contains ':'"),
        ("a\tb", "contains '\\t'"),
        ("a\u{7f}b", "contains '\\u{7f}'"),
        ("re\u{fffd}", "not UTF-8"),
        ("\u{e0}", "contains the byte 0xa0, a blank to the kernel"),
    ] {
        assert_eq!(error::<IfName>(bad), format!("not an interface name: {why}"), "{bad:?}");
    }
}

/// As the stock executors hand them to `ip`.
#[test]
fn values_of_link_and_static() {
    for (text, number) in [("0", 0), ("8", 8), ("010", 8), ("0x7B", 123), ("4094", 4094)] {
        assert_eq!(parse::<VlanId>(text).unwrap().get(), number, "{text}");
    }
    for bad in ["", "4095", "08", "0x", "-1", "+1", "left", "8 "] {
        assert_eq!(error::<VlanId>(bad), "not the number of a VLAN tag (0-4094)", "{bad:?}");
    }
    for text in ["802.1ad", "QinQ", "q-in-q"] {
        assert_eq!(parse::<VlanProtocol>(text), Ok(VlanProtocol::Ieee8021ad), "{text}");
    }
    for none in ["0.0.0.0", "0.0.0.0/0", "0.0.0.0/24"] {
        assert_eq!(parse::<AddressOrNone>(none), Ok(AddressOrNone(None)), "{none}");
    }
    let address = "192.0.2.1/24";
    assert_eq!(parse::<AddressOrNone>(address), Ok(AddressOrNone(Some(address.parse().unwrap()))));
    for bad in ["::/64", "224.0.0.1/24", "0.0.0.0/33", "192.0.2.1", "0", ""] {
        assert_eq!(parse::<AddressOrNone>(bad).err(), parse::<Address>(bad).err(), "{bad}");
        assert!(parse::<AddressOrNone>(bad).is_err(), "{bad}");
    }
    for (text, mtu) in [("1", 1), ("65536", 65536), ("2147483647", 2_147_483_647)] {
        assert_eq!(parse::<LinkMtu>(text), Ok(LinkMtu(Mtu(mtu))), "{text}");
    }
    for bad in ["0", "01500", "2147483648", "big"] {
        assert_eq!(error::<LinkMtu>(bad), "not an MTU (1-2147483647)", "{bad}");
    }
    assert_eq!(parse::<Gateway>("fe80::1"), Ok(Gateway("fe80::1".parse().unwrap())));
    assert_eq!(error::<Gateway>("192.0.2.1/24"), "not an IP address");
    assert_eq!(parse::<FarEnd>("192.0.2.1"), Ok(FarEnd("192.0.2.1".parse().unwrap())));
    assert_eq!(error::<FarEnd>("fe80::1"), "not an IPv4 address");
    assert_eq!(parse::<Metric>("0"), Ok(Metric(0)));
    assert_eq!(error::<Metric>("4294967296"), "not a metric (0-4294967295)");
}

#[test]
fn routing_tables() {
    for (text, number) in
        [("1", 1), ("4294967295", u32::MAX), ("0x1F4", 500), ("local", 255), ("main", 254), ("default", 253)]
    {
        assert_eq!(parse::<TableSpec>(text), Ok(TableSpec::Id(TableId::new(number).unwrap())), "{text}");
    }
    assert_eq!(parse::<TableSpec>("red-1"), Ok(TableSpec::Name("red-1".to_owned())));
    for bad in
        ["0", "0x0", "00", "4294967296", "0x100000000", "0x", "0x+1", "1a", "1 2", "99999999999999999999"]
    {
        assert_eq!(error::<TableSpec>(bad), "not a routing table (1-4294967295)", "{bad:?}");
    }
    for bad in ["-1", "a b"] {
        assert_eq!(
            error::<TableSpec>(bad),
            "not a routing table (1-4294967295) nor a name of rt_tables",
            "{bad:?}"
        );
    }
    assert!([253, 254, 255].into_iter().all(|id| TableId::new(id).unwrap().is_reserved()));
    assert!([1, 252, 256, u32::MAX].into_iter().all(|id| !TableId::new(id).unwrap().is_reserved()));
    assert_eq!(TableId::new(0), None);
}

#[test]
fn switches_families_and_the_lack_of_a_value() {
    for (text, on) in [
        ("yes", true),
        ("true", true),
        ("on", true),
        ("1", true),
        ("no", false),
        ("false", false),
        ("off", false),
        ("0", false),
    ] {
        assert_eq!(parse(text), Ok(Switch(on)));
    }
    for bad in ["", "Yes", "ja", "2"] {
        assert_eq!(error::<Switch>(bad), "neither yes nor no");
        assert_eq!(error::<Family>(bad), "neither ipv4 nor ipv6");
    }
    assert_eq!([parse("ipv4"), parse("ipv6")], [Ok(Family::Ipv4), Ok(Family::Ipv6)]);
    assert_eq!([parse("no"), parse("yes")], [Ok(OrNo(None)), Ok(OrNo(Some(Switch(true))))]);
    assert_eq!(error::<OrNo<Switch>>("maybe"), "neither yes nor no");
}

#[test]
fn lists_tell_every_wrong_entry() {
    assert_eq!(
        parse::<List<Switch>>(" yes ,no,, on, "),
        Ok(List(vec![Switch(true), Switch(false), Switch(true)]))
    );
    assert_eq!(error::<List<Switch>>(","), "a list without an entry");
    assert_eq!(error::<List<Switch>>("yes, a, no, b"), "a: neither yes nor no; b: neither yes nor no");
}

#[test]
fn namespaces() {
    for (text, path) in [
        ("red", "/run/netns/red"),
        ("1234", "/proc/1234/ns/net"),
        ("/run/docker/netns/x", "/run/docker/netns/x"),
        ("10a", "/run/netns/10a"),
    ] {
        assert_eq!(parse::<NetnsRef>(text).unwrap().path().to_str(), Some(path));
    }
    for bad in ["", ".", "..", "-x", "a/b", "a b", "a\nb", &"x".repeat(256)] {
        assert!(error::<NetnsRef>(bad).starts_with("not a name of a network namespace: "), "{bad:?}");
    }
    assert_eq!(error::<NetnsRef>("0"), "not a process id");
    assert_eq!(error::<NetnsRef>("99999999999"), "not a process id");
    assert_eq!(error::<NetnsRef>("a\u{fffd}"), "not UTF-8");
}

#[test]
fn routes() {
    let route = |text| parse::<RouteSpec>(text).unwrap();
    let full = route("10.0.0.0/8 via 192.0.2.1 dev eth0 src 192.0.2.2 metric 5 onlink table 100");
    assert_eq!((full.kind, full.metric, full.onlink), (RouteKind::Unicast, Some(5), true));
    assert_eq!(full.table, RouteTable::Table(TableSpec::Id(TableId::new(100).unwrap())));
    // A single address is a prefix of full length; `default` has the family of its gateway.
    assert_eq!(route("192.0.2.1 dev eth0").prefix, Some("192.0.2.1/32".parse().unwrap()));
    assert_eq!(route("default via fd00::1").prefix, Some("::/0".parse().unwrap()));
    assert_eq!(route("default dev eth0").prefix, None);
    assert_eq!(route("unreachable default metric 4278198272 vrf red").kind, RouteKind::Unreachable);
    for (bad, why) in [
        ("", "no prefix"),
        ("unreachable", "no prefix"),
        ("default", "neither via nor dev"),
        ("10.0.0.0/8 metric 5", "neither via nor dev"),
        ("10.0.0.1/8 dev x", "10.0.0.1/8: has host bits, 10.0.0.0/8 is meant?"),
        ("10.0.0.0/33 dev x", "10.0.0.0/33: not a prefix (ADDRESS/LENGTH) nor default"),
        ("10.0.0.0/8 via", "nothing after via"),
        ("10.0.0.0/8 via x", "via x: not an IP address"),
        ("10.0.0.0/8 dev a/b", "dev a/b: not an interface name: contains '/'"),
        ("10.0.0.0/8 dev x metric -1", "metric -1: not a number"),
        ("10.0.0.0/8 dev x table 0", "table 0: not a routing table (1-4294967295)"),
        ("10.0.0.0/8 dev x mtu 1400", "mtu: not a word of a route"),
        ("10.0.0.0/8 via 192.0.2.1 onlink", "onlink needs via and dev"),
        ("10.0.0.0/8 via fd00::1", "IPv4 and IPv6 in one route"),
        ("default via fd00::1 src 192.0.2.1", "IPv4 and IPv6 in one route"),
        ("10.0.0.0/8 dev a dev b", "dev: dev is already given"),
        ("10.0.0.0/8 dev a table 1 vrf red", "vrf: table is already given"),
        ("blackhole 10.0.0.0/8 dev x", "blackhole takes no via, dev, src or onlink"),
        ("prohibit 10.0.0.0/8 src 10.0.0.1", "prohibit takes no via, dev, src or onlink"),
    ] {
        assert_eq!(error::<RouteSpec>(bad), why, "{bad:?}");
    }
}

#[test]
fn sysctls_stay_below_net() {
    for (key, path) in [
        ("net.ipv4.tcp_l3mdev_accept", "/proc/sys/net/ipv4/tcp_l3mdev_accept"),
        ("net.ipv4.conf.eth0/8.forwarding", "/proc/sys/net/ipv4/conf/eth0.8/forwarding"),
    ] {
        assert_eq!(parse::<Sysctl>(key).unwrap().path().to_str(), Some(path));
    }
    for bad in [
        "",
        "net",
        "kernel.hostname",
        "network.x",
        "net.",
        "net..x",
        "net.//.kernel",
        "net./.x",
        "net.a b",
        "net.a\n",
    ] {
        assert!(parse::<Sysctl>(bad).is_err(), "{bad:?}");
    }
}

/// Words for routes and other values, so that random texts are parsed beyond the first word.
fn words() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "unreachable",
        "default",
        "10.0.0.0/8",
        "fd00::/8",
        "192.0.2.1",
        "via",
        "dev",
        "src",
        "metric",
        "onlink",
        "table",
        "vrf",
        "eth0",
        "red",
        "0",
        "7",
        "4294967295",
        "0x10",
        ",",
        "-",
        "%",
        "/",
        "..",
        "\u{fffd}",
        "no",
        "yes",
    ]);
    prop::collection::vec(word, 0..10).prop_map(|words| words.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_a_value_panic(text in prop_oneof![any::<String>(), words(), "[ -~]{0,40}"]) {
        let _ = parse::<IfName>(&text);
        let _ = parse::<TableSpec>(&text);
        let _ = parse::<NetnsRef>(&text);
        let _ = parse::<List<RouteSpec>>(&text);
        let _ = parse::<Sysctl>(&text);
        let _ = parse::<OrNo<Switch>>(&text);
        let _ = parse::<List<Family>>(&text);
    }

    /// A displayed value is parsed as the same value.
    #[test]
    fn display_and_parse_are_inverse(text in prop_oneof![any::<String>(), words(), "[a-z0-9.]{1,15}", any::<u32>().prop_map(|id| id.to_string())]) {
        if let Ok(name) = parse::<IfName>(&text) {
            prop_assert_eq!(parse::<IfName>(&name.to_string()), Ok(name));
        }
        if let Ok(table) = parse::<TableSpec>(&text) {
            prop_assert_eq!(parse::<TableSpec>(&table.to_string()), Ok(table));
        }
        if let Ok(netns) = parse::<NetnsRef>(&text) {
            prop_assert_eq!(parse::<NetnsRef>(&netns.to_string()), Ok(netns));
        }
        if let Ok(key) = parse::<Sysctl>(&text) {
            prop_assert_eq!(parse::<Sysctl>(&key.to_string()), Ok(key));
        }
    }

    /// A name that we accept can be used in a path and on a command line, and the kernel accepts it.
    #[test]
    fn a_name_is_harmless(text in any::<String>()) {
        if let Ok(name) = parse::<IfName>(&text) {
            let name = name.as_str();
            prop_assert!((1..16).contains(&name.len()) && !name.contains(['/', '%', ':', '\n', ' ', '\0']));
            prop_assert!(name != "." && name != "..");
        }
    }

    /// No sysctl reaches a file outside of /proc/sys/net.
    #[test]
    fn a_sysctl_is_below_net(text in "net(\\.[./a-z]{0,4}){0,4}") {
        if let Ok(key) = parse::<Sysctl>(&text) {
            let path = key.path();
            prop_assert!(path.starts_with("/proc/sys/net/"), "{path:?}");
            let climbs = path.components().any(|part| part == std::path::Component::ParentDir);
            prop_assert!(!climbs, "{path:?}");
        }
    }
}

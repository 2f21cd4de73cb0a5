//! Errors of stanzas and conflicts, in their exact words.

use super::{card, state};
use crate::lab::{command, ip, phase};
use std::fs;

/// Exact messages, and nothing changed.
pub fn refusals() {
    card();
    ip("link add name br0 type bridge");
    ip("netns add taken");
    ip("-n taken link add name veth0 type veth peer name veth1");
    fs::write("/run/file", "").unwrap();
    fs::write("/run/netns/stale", "").unwrap();
    let long = "n".repeat(256);
    let before = state() + &command("find /run").stdout;
    let name = "not a name of a network namespace";
    let cases: Vec<(&str, &str, Vec<String>, i32, String)> = [
        ("netns", "eth0", "netns a/b", 2, format!("netns a/b: {name}: contains '/'")),
        ("netns", "eth0", "netns ..", 2, format!("netns ..: {name}: a reserved word")),
        ("netns", "eth0", &format!("netns {long}"), 2, format!("netns {long}: {name}: longer than 255 bytes")),
        ("netns", "eth0", "netns 4194305", 1, "netns 4194305: there is no such process".to_owned()),
        ("netns", "eth0", "netns /run/file", 1, "netns /run/file: not a network namespace".to_owned()),
        ("netns", "eth0", "netns /proc/self/ns/mnt", 1, "netns /proc/self/ns/mnt: not a network namespace".to_owned()),
        (
            "netns",
            "eth0",
            "netns /proc/self/ns/net",
            1,
            "netns /proc/self/ns/net: that is the namespace that ifup itself runs in".to_owned(),
        ),
        ("netns", "eth0", "netns /run/nothing", 1, "netns /run/nothing: there is no such file".to_owned()),
        ("netns", "eth0", "netns stale", 1, "netns stale: /run/netns/stale is not a network namespace; remove that file".to_owned()),
        ("netns", "lo", "netns blue", 1, "netns blue: lo is the loopback interface and cannot move; create it inside, with a file for `netns-interfaces`".to_owned()),
        ("netns", "br0", "netns blue", 1, "netns blue: br0 is a bridge and cannot move; create it inside, with a file for `netns-interfaces`".to_owned()),
        ("netns", "eth0", "netns blue;netns-address 10.0.0.1", 2, "netns-address 10.0.0.1: 10.0.0.1: without the length of its prefix; write 10.0.0.1/LENGTH".to_owned()),
        ("netns", "eth0", "netns blue;netns-address 10.0.0.1/24;netns-gateway 10.0.1.1", 2, "netns-gateway 10.0.1.1: 10.0.1.1 is in no prefix of netns-address; or write `default via 10.0.1.1 dev … onlink` in netns-route".to_owned()),
        ("netns", "eth0", "netns-address 10.0.0.1/24", 2, "netns-address 10.0.0.1/24: has no effect without `netns`".to_owned()),
        ("netns", "eth0", "netns blue;netns-sysctl kernel.hostname=x", 2, "netns-sysctl kernel.hostname=x: kernel.hostname=x: not a sysctl below net.".to_owned()),
        ("netns", "eth0", "netns blue;netns-interfaces etc/x", 2, "netns-interfaces etc/x: neither auto nor an absolute path".to_owned()),
        ("netns", "eth0", "netns blue;netns-interfaces /run/none", 1, "netns-interfaces /run/none: /run/none: No such file or directory (os error 2)".to_owned()),
        ("veth", "v0", "veth-peer v0", 1, "veth-peer v0: the interface itself; the other end needs another name".to_owned()),
        ("veth", "v0", "veth-peer veth0;veth-peer-netns taken", 1, "veth-peer veth0: a veth of that name exists in taken".to_owned()),
        ("veth", "v0", "veth-peer far", 1, "veth-peer far: a veth of that name exists here".to_owned()),
        ("veth", "br0", "veth-peer v1", 1, "veth-peer v1: br0 exists and is a bridge; ifdown it, or delete it by hand".to_owned()),
        ("veth", "eth0", "veth-peer v1", 1, "veth-peer v1: eth0 exists, but its peer is not v1 here; ifdown it, or delete it by hand".to_owned()),
        ("veth", "v0", "veth-peer v1;veth-peer-hwaddress 01:00:5e:00:00:01", 2, "veth-peer-hwaddress 01:00:5e:00:00:01: a multicast address, which no interface can have".to_owned()),
        ("veth", "v0", "veth-peer v1;veth-peer-mtu 10", 2, "veth-peer-mtu 10: not an MTU (68-65535)".to_owned()),
        ("veth", "v0", "veth-peer v1;hwaddress 01:00:5e:00:00:01", 2, "hwaddress 01:00:5e:00:00:01: a multicast address, which no interface can have".to_owned()),
        ("veth", "v0", "veth-peer v1;mtu 10", 2, "mtu 10: not an MTU (68-65535)".to_owned()),
        ("veth", "v0", "veth-peer a/b", 2, "veth-peer a/b: not an interface name: contains '/'".to_owned()),
        ("veth", "v0", &format!("veth-peer v1;veth-peer-netns {long}"), 2, format!("veth-peer-netns {long}: {name}: longer than 255 bytes")),
        ("veth", "v0", "veth-peer v1;veth-peer-netns 4194305", 1, "veth-peer-netns 4194305: there is no such process".to_owned()),
        ("veth", "v0", "veth-peer v1;veth-peer-netns /run/file", 1, "veth-peer-netns /run/file: not a network namespace".to_owned()),
        ("veth", "v0", "veth-peer v1;veth-peer-address 10.0.0.1", 2, "veth-peer-address 10.0.0.1: 10.0.0.1: without the length of its prefix; write 10.0.0.1/LENGTH".to_owned()),
        ("veth", "v0", "veth-peer v1;veth-peer-address 10.0.0.1/24;veth-peer-gateway 10.0.1.1", 2, "veth-peer-gateway 10.0.1.1: 10.0.1.1 is in no prefix of veth-peer-address; or write `default via 10.0.1.1 dev … onlink` in veth-peer-route".to_owned()),
        ("veth", "v0", "veth-peer v1;veth-queues 0", 2, "veth-queues 0: not a number of queues (1-4096)".to_owned()),
        ("veth", "v0", "veth-peer-mtu 1400", 2, "veth-peer-mtu 1400: has no effect without `veth-peer`".to_owned()),
        ("veth", "v0", "veth-peer v1;link-type veth", 2, "link-type veth: the pair is made by `veth-peer`; leave this line out".to_owned()),
    ]
    .into_iter()
    .map(|(program, iface, lines, status, text)| {
        (program, iface, lines.split(';').map(str::to_owned).collect(), status, text)
    })
    .collect();
    for (program, iface, lines, status, text) in cases {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        phase(program, iface, "create", &lines).refuses(status, &format!("{program}: {iface}: {text}"));
        assert_eq!(state() + &command("find /run").stdout, before, "{lines:?}");
    }
}

/// As with a bridge, which is tested above.
pub fn vrf() {
    ip("link add name red type vrf table 7");
    let before = state();
    phase("netns", "red", "create", &["netns blue"]).refuses(
        1,
        "netns: red: netns blue: red is a VRF and cannot move; create it inside, with a file for `netns-interfaces`",
    );
    assert_eq!(state(), before);
}

/// A port of another program's bridge stays there.
pub fn ports() {
    card();
    ip("link add name br0 type bridge");
    ip("link set eth0 master br0");
    for name in ["create", "pre-up", "post-up"] {
        phase("netns", "eth0", name, &["netns blue"]).refuses(
            1,
            "netns: eth0: netns blue: eth0 is a port of br0; release it with `ip link set eth0 nomaster`",
        );
        assert!(ip("link show eth0").contains("master br0"), "removed from the bridge");
    }
    for keyword in ["vrf-member", "vrf", "bridge-member"] {
        phase("netns", "eth0", "create", &["netns blue", &format!("{keyword} red")]).refuses(
            2,
            &format!(
                "netns: eth0: {keyword} red: conflicts with `netns`: an interface that moves leaves its bridge or VRF"
            ),
        );
    }
}

/// A card that could not move is down, and has IPv6 as before: its next stanza may be another one.
pub fn failed_in_post_up() {
    card();
    let ipv6 = || command("sysctl -n net.ipv6.conf.eth0.disable_ipv6").ok().stdout;
    let (taken, route) =
        (["netns taken", "netns-ifname veth0"], ["netns blue", "netns-route 10.9.0.0/16 via 10.250.0.9"]);
    ip("netns add taken");
    ip("-n taken link add name veth0 type veth peer name veth1");
    for lines in [taken, route] {
        let lines = [lines[0], lines[1], "netns-address 10.1.0.2/24"];
        for name in ["create", "pre-up"] {
            phase("netns", "eth0", name, &lines).quiet();
        }
        assert_eq!(ipv6(), "1\n");
        ip("link set eth0 up");
        let ran = phase("netns", "eth0", "post-up", &lines);
        assert_eq!((ran.status, ran.stderr.lines().count()), (1, 2), "{ran}");
        assert!(ran.stderr.ends_with("was set down; ifup -f eth0 when the cause is fixed\n"), "{ran}");
        assert_eq!(ipv6(), "0\n", "{ran}");
        assert!(!ip("link show eth0").contains(",UP"), "up, and not in its namespace");
        assert!(!command("find /run/ifupdown-ng-netlink").stdout.contains("sysctl:"), "{ran}");
        // The next stanza starts from the same state as the first.
        phase("netns", "eth0", "pre-up", &lines).quiet();
        assert_eq!(ipv6(), "1\n");
        phase("netns", "eth0", "destroy", &lines).quiet();
        assert_eq!(ipv6(), "0\n");
    }
}

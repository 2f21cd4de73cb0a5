//! What went wrong in other programs of the field (docs/SECURITY.md), tried here.

use super::unprivileged::by_nobody;
use super::{PAIR, create, destroy};
use crate::bridge_allow::frames::{
    ALL_NODES, ICMPV6, IPV6, Station, ether, ipv6, multicast6, router_advertise,
};
use crate::bridge_allow::wire::Sender;
use crate::lab::{Netns, command, ip, ip_json, own_run, phase, run, wait_until};
use std::fs;
use std::io::Write as _;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

/// Another program deletes a link of ours, and makes one of that name. ifdown leaves it.
pub fn delete_by_name() {
    own_run();
    for other in ["type dummy", "type bridge", "type veth peer name theirs"] {
        create().quiet();
        ip("link del v0");
        ip(&format!("link add name v0 {other}"));
        let link = || ip_json("link show dev v0")[0]["ifindex"].clone();
        let index = link();
        for name in ["pre-down", "down", "post-down", "destroy"] {
            phase("veth", "v0", name, &PAIR).ok();
        }
        assert_eq!(link(), index, "{other}");
        ip("link del v0");
        phase("veth", "v0", "destroy", &PAIR).ok();
        assert!(!ip("netns").contains("blue"), "{other}");
    }
}

/// The same for VRFs.
pub fn delete_vrf_by_name() {
    own_run();
    for (other, stays) in [("type dummy", true), ("type vrf table 11", true), ("type vrf table 10", false)] {
        phase("vrf", "red", "create", &["vrf-table 10"]).quiet();
        ip("link del red");
        ip(&format!("link add name red {other}"));
        for name in ["pre-down", "down", "post-down", "destroy"] {
            phase("vrf", "red", name, &["vrf-table 10"]).ok();
        }
        assert_eq!(command("ip link show dev red").status == 0, stays, "{other}");
        command("ip link del red");
    }
}

/// What the kernel has counted on a link: advertisements that arrived.
fn advertisements(link: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/thread-self/net/dev_snmp6/{link}")).unwrap();
    let counter = text.lines().find(|line| line.starts_with("Icmp6InRouterAdvertisements"));
    counter.and_then(|line| line.split_whitespace().nth(1)).unwrap().parse().unwrap()
}

/// A router advertisement of a default route, with the prefix fd00:66::/64.
fn advertisement() -> Vec<u8> {
    let (router, prefix) = (Station::new(0x66, 1), Station::new(0x66, 0).v6);
    // The option: 64 bits, on the link and for addresses, each for an hour.
    let option = [&[3, 4, 64, 0xc0, 0, 0, 14, 16, 0, 0, 14, 16, 0, 0, 0, 0][..], &prefix.octets()].concat();
    let mut message = router_advertise(&option);
    let (from, to) = (router.link_local(), ALL_NODES);
    // The kernel checks the sum over addresses, length, protocol and message (RFC 8200, section 8.1).
    let length = u16::try_from(message.len()).unwrap().to_be_bytes();
    let summed = [&from.octets()[..], &to.octets(), &length, &[0, ICMPV6], &message].concat();
    let words = summed.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    let sum: u32 = words.sum();
    let sum = !u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    ether(multicast6(to), router.mac, IPV6, &ipv6(from, to, &[], ICMPV6, &message))
}

/// A program in a namespace sends router advertisements to the end of the pair that is outside. The kernel accepts them
/// there, unless the stanza sets a parameter against it.
pub fn rogue_router() {
    own_run();
    for accepted in [true, false] {
        create().quiet();
        if !accepted {
            // A line `pre-up` of the stanza: the link is down until later.
            assert!(!ip("link show dev v0").contains(",UP"));
            command("sysctl -qw net.ipv6.conf.v0.accept_ra=0").ok();
        }
        ip("link set v0 up");
        phase("veth", "v0", "post-up", &PAIR).quiet();
        let inside = Netns::named("blue");
        inside.ip("link set veth0 up");
        wait_until("an address", || ip("-6 addr show dev v0 -tentative").contains("inet6 fe80:"));
        let sender = Sender::new(&inside, "veth0");
        wait_until("advertisements", || {
            sender.send(&advertisement());
            advertisements("v0") > 2
        });
        let routes = ip("-6 route show default dev v0") + &ip("-6 addr show dev v0 scope global");
        let has = [routes.contains("proto ra"), routes.contains("fd00:66:")];
        assert_eq!(has, [accepted; 2], "{routes}");
        drop((inside, sender));
        destroy();
    }
}

/// A stanza with IPv4 addresses only. The kernel gives the link an IPv6 address too, unless the stanza sets a parameter against it.
pub fn ipv6_left_on() {
    own_run();
    for (sysctl, has) in [("net.ipv4.ip_default_ttl=64", true), ("net.ipv6.conf.all.disable_ipv6=1", false)] {
        ip("link add name eth0 type veth peer name far");
        ip("link set far up");
        let sysctl = format!("netns-sysctl {sysctl}");
        let keywords = ["netns blue", "netns-address 10.1.0.2/24", sysctl.as_str()];
        for name in ["create", "pre-up", "up", "post-up"] {
            phase("netns", "eth0", name, &keywords).quiet();
        }
        let inside = || Netns::named("blue").ip("addr show dev eth0");
        wait_until("IPv4", || inside().contains("inet 10.1.0.2/24"));
        if has {
            wait_until("IPv6", || inside().contains("inet6 fe80:"));
        }
        assert_eq!(inside().contains("inet6"), has, "{}", inside());
        for name in ["pre-down", "down", "post-down", "destroy"] {
            phase("netns", "eth0", name, &keywords).quiet();
        }
        ip("link del eth0");
    }
}

/// Sockets that a process of the host listens on: which of them a process in a namespace reaches.
pub fn sockets_of_the_host() {
    own_run();
    create().quiet();
    let path = UnixListener::bind("/run/with-a-path").unwrap();
    let name = SocketAddr::from_abstract_name("ifupdown-ng-netlink").unwrap();
    let _abstract = UnixListener::bind_addr(&name).unwrap();
    let accepting = std::thread::spawn(move || path.accept().unwrap());
    let inside = Netns::named("blue");
    inside.within(|| {
        // The file system is not that of the namespace: so a resolver that is asked over such a socket answers.
        UnixStream::connect("/run/with-a-path").unwrap().write_all(b"x").unwrap();
        UnixStream::connect_addr(&name).expect_err("an abstract socket of the host");
    });
    accepting.join().unwrap();
    // Outside of the namespace, also if the process is in a VRF.
    UnixStream::connect_addr(&name).unwrap();
    drop(inside);
    destroy();
}

/// Since Linux 5.7, a process without privilege may bind its socket to any link, so to any VRF. It cannot enter a
/// namespace.
pub fn bound_by_every_user() {
    own_run();
    let host = Netns::beside("eth0", "eth0");
    host.ip("addr add 192.0.2.2/24 dev eth0");
    phase("vrf", "red", "create", &["vrf-table 10", "vrf-rules yes"]).quiet();
    phase("vrf", "red", "pre-up", &["vrf-table 10", "vrf-rules yes"]).quiet();
    ip("link set red up");
    phase("vrf", "eth0", "pre-up", &["vrf-member red"]).quiet();
    ip("addr add 192.0.2.1/24 dev eth0");
    fs::write("/proc/sys/net/ipv4/ping_group_range", "0 2147483647").unwrap();
    let ping = |options: &[&str]| {
        let words = [&["ping", "-n", "-c", "1", "-W", "3"], options, &["192.0.2.2"]].concat();
        run(&mut by_nobody(&words))
    };
    let unbound = ping(&[]);
    assert_ne!(unbound.status, 0, "{unbound}");
    ping(&["-I", "red"]).ok();
    ip("netns add blue");
    let entered = run(&mut by_nobody(&["nsenter", "--net=/run/netns/blue", "true"]));
    assert_ne!(entered.status, 0, "{entered}");
}

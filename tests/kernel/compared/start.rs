//! Random states of a kernel in which stanzas are brought up.

use crate::lab::{SCRATCH, command};
use ifupdown_ng_netlink::values::IfName;
use proptest::prelude::*;
use std::fs;

/// The state before, and how many phases another stanza of the same interface has completed.
#[derive(Debug, Clone)]
pub struct State {
    words: Vec<&'static str>,
    /// How many phases of its ifup.
    pub former: usize,
}

/// What all states have: the objects that stanzas name.
const ALWAYS: &[&str] = &[
    "link add name eth0 address 02:00:00:00:00:0a type veth peer name far0",
    "link add name eth1 address 02:00:00:00:00:0b type veth peer name far1",
    "link add name br7 type bridge",
    "netns add other",
];

/// What some states have, in that many of eight; an object that cannot be created is left out.
const SOMETIMES: &[(u8, &str)] = &[
    (1, "link add name red0 type bridge"),
    (6, "link add name br0 type bridge vlan_filtering 1"),
    (8, "link add name br0 type bridge"),
    (7, "link add name blue type vrf table 20"),
    (7, "link add name green type vrf table 21"),
    (3, "netns add private"),
    (1, "link add name eth7 type veth peer name far7"),
    (1, "link add name veth0 type veth peer name far3"),
    (3, "link set red0 master br7"),
    (3, "link set red0 master blue"),
    (3, "link set red0 master br0"),
    (3, "link set eth0 master br7"),
    (3, "link set eth1 master blue"),
    (3, "link set red0 up"),
    (3, "link set br0 up"),
    (3, "link set eth0 up"),
    (3, "addr add 10.0.0.5/24 dev eth0"),
    (3, "addr add 10.0.0.2/24 dev red0"),
    (3, "link add name eth9 up type veth peer name far9"),
    (3, "link add name br9 up type bridge"),
    (3, "addr add 10.99.0.1/24 dev eth9"),
    (3, "-4 rule add pref 5270 from 192.0.2.1 lookup 52 protocol 3"),
    (3, "-6 rule add pref 5270 from 2001:db8::1 lookup 52 protocol 3"),
    (3, "-4 rule add pref 2000 l3mdev unreachable protocol 73"),
    (3, "-4 rule add pref 32765 lookup local protocol 73"),
    (3, "-6 rule add pref 2000 l3mdev unreachable"),
    (3, "-4 route add unreachable 10.9.0.0/16 table 10 protocol 73"),
    (3, "-4 route add unreachable 203.0.113.0/24 table 99 protocol 4"),
    (3, "-6 route add unreachable 2001:db8::/32 table 20 protocol 73"),
    // Like ours but for one attribute.
    (2, "-4 rule add pref 32765 lookup local protocol 4"),
    (2, "-6 rule add pref 2000 l3mdev unreachable tos 0x10"),
    (2, "-4 route add unreachable 10.9.0.0/16 tos 0x10 table 10 protocol 4"),
    (2, "-4 route add blackhole 10.7.0.0/16 metric 1 table 10 protocol 4"),
    (2, "-6 route add unreachable default from 2001:db8:5::/48 table 10 protocol 4"),
];

pub fn state() -> impl Strategy<Value = State> {
    let some: Vec<_> =
        SOMETIMES.iter().map(|(eighths, _)| prop::bool::weighted(f64::from(*eighths) / 8.0)).collect();
    (some, 0_usize..=4).prop_map(|(chosen, former)| State {
        words: SOMETIMES.iter().zip(chosen).filter(|(_, is)| *is).map(|((_, words), _)| *words).collect(),
        former,
    })
}

impl State {
    /// Creates it, with this link unless the stanza creates its own.
    pub fn set_up(&self, needed: Option<&IfName>) {
        // No address or route comes or goes by itself.
        for key in ["all", "default"] {
            fs::write(format!("/proc/sys/net/ipv6/conf/{key}/addr_gen_mode"), "1").unwrap();
            fs::write(format!("/proc/sys/net/ipv6/conf/{key}/accept_dad"), "0").unwrap();
        }
        let link = needed.map(|name| format!("link add name {name} type veth peer name far2"));
        let all = link.iter().map(String::as_str).chain(ALWAYS.iter().chain(&self.words).copied());
        let all: Vec<&str> = all.collect();
        let batch = format!("{SCRATCH}/state");
        // A line of a batch file cannot have -4 or -6: `ip` takes them on its command line, one batch each.
        for family in ["", "-4", "-6"] {
            let lines = all.iter().filter_map(|words| match words.split_once(' ') {
                Some((option, words)) if option.starts_with('-') => (option == family).then_some(words),
                _ => family.is_empty().then_some(*words),
            });
            fs::write(&batch, lines.collect::<Vec<_>>().join("\n") + "\n").unwrap();
            command(&format!("ip {family} -force -batch {batch}"));
        }
        fs::write("/run/other", "").unwrap();
        command("mount --bind /run/netns/other /run/other").ok();
    }
}

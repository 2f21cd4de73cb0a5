//! Random stanzas, and random kernel states in which they are brought up.

use super::all::ALL;
use super::interfaces::Interface;
use super::notation;
use ifupdown_ng_netlink::program::executor::Program;
use ifupdown_ng_netlink::stanza::Phase;
use ifupdown_ng_netlink::state::{Snapshot, State};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::subsequence;
use std::collections::BTreeMap;

/// Possible values of a keyword. A keyword that is missing here fails a test.
pub fn values(keyword: &str) -> &'static [&'static str] {
    match keyword {
        "vrf-table" => &["10", "11", "4294967295", "auto", "named"],
        "vrf-table-range" => &["1001-5000", "10-12", "20-22"],
        "vrf-member" | "vrf" => &["blue", "green"],
        "vrf-rules" => &["yes", "yes", "jump", "jump", "no"],
        "vrf-rules-l3mdev" => &["1000", "500", "no"],
        "vrf-rules-unreachable" => &["2000", "1500", "no"],
        "vrf-rules-local" => &["32765", "2500", "no"],
        "vrf-rules-family" => &["ipv4", "ipv6", "ipv4 ipv6"],
        "vrf-accept" => &["tcp", "tcp udp raw", "udp", "none"],
        "vrf-route" => &[
            "unreachable default",
            "unreachable default metric 4278198272, 192.0.2.0/24 via 10.0.0.1 dev eth0",
            "10.9.0.0/16 dev eth0 table 10",
            "blackhole 2001:db8::/32 vrf blue, prohibit 198.51.100.0/24 table named",
            // Metrics that the kernel changes (0 is 1024 in IPv6), and a route twice.
            "unreachable 2001:db8:1::/48 metric 0 table 10, blackhole 10.7.0.0/16 metric 0 table 10",
            "unreachable 2001:db8:1::/48 table 10, unreachable 2001:db8:1::/48 metric 1024 table 10",
            "blackhole 10.6.1.2 metric 4294967295 table 10, blackhole 10.6.1.2/32 metric 4294967295 table 10",
            "default via fd00::1 dev eth0 onlink",
        ],
        "netns" | "veth-peer-netns" => &["private", "4711", "/run/other"],
        "netns-ifname" => &["inner", "eth7"],
        "netns-address" | "veth-peer-address" => &["10.0.0.2/24", "fd00::2/64, 10.0.0.3/24"],
        "netns-gateway" | "veth-peer-gateway" => &["10.0.0.1", "fe80::1"],
        "netns-route" | "veth-peer-route" => {
            &["unreachable 10.9.0.0/16", "10.8.0.0/16 via 10.0.0.7, blackhole 2001:db8::/32 table 77"]
        }
        "netns-sysctl" => &["net.ipv4.ip_forward=1", "net.ipv4.ip_default_ttl=65, net.ipv4.ip_forward=0"],
        "netns-interfaces" => &["auto", "/etc/private"],
        "veth-peer" | "veth-peer-name" => &["veth0", "eth7"],
        "veth-peer-hwaddress" => &["02:00:00:00:00:01"],
        "veth-peer-mtu" => &["1400", "65535"],
        "veth-peer-master" => &["br7"],
        "veth-queues" => &["1", "8"],
        "bridge-vlan-filtering" | "bridge-vlan-aware" => &["yes", "yes", "yes", "no"],
        "bridge-default-pvid" => &["none", "1", "100"],
        "bridge-vlan-protocol" => &["802.1Q", "802.1ad"],
        "bridge-vlan" => &[
            "10 pvid untagged",
            "1-4094",
            "1 pvid, 10-20 untagged, 30",
            "none",
            // Ranges of one VLAN, adjacent ranges, overlapping ranges, and a VLAN twice.
            "20-20 untagged, 21, 22-30, 31-40",
            "100-200, 150 untagged, 150 pvid untagged, 100-200",
        ],
        "bridge-member" => &["br0"],
        "vrf-strict-mode"
        | "bridge-isolated"
        | "bridge-learning"
        | "bridge-locked"
        | "bridge-unicast-flood"
        | "bridge-multicast-flood"
        | "bridge-broadcast-flood"
        | "bridge-allow-untagged"
        | "bridge-arp-nd-suppress"
        | "bridge-stp"
        | "netns-keep"
        | "veth-peer-up"
        | "forward-ipv4"
        | "forward-ipv6"
        | "forward-ipv4-mc"
        | "forward-ipv6-mc" => &["yes", "no"],
        "bridge-fdb" => &["02:00:00:00:00:01", "02:00:00:00:00:01 vlan 10, 02:00:00:00:00:02"],
        "bridge-allow" => &[
            "02:00:00:00:00:01",
            "02:00:00:00:00:01 192.0.2.1 2001:db8::1, 02:00:00:00:00:02 192.0.2.2",
            "02:00:00:00:00:01 vlan 10 192.0.2.1, 02:00:00:00:00:01 vlan 20 fd00::1",
        ],
        "bridge-ports" => &["none", "eth0", "eth0 eth1", "glob eth0-1", "regex ^eth[01]", "eth1 regex ^eth0"],
        "bridge-waitport" => &["0", "1 eth0"],
        "bridge-maxwait" => &["0", "5"],
        "bridge-ageing" => &["0", "300", "10.01"],
        "bridge-bridgeprio" => &["0", "4096", "65535"],
        // Some are not a whole number of the kernel's ticks, of 1 or 4 ms.
        "bridge-fd" => &["2", "15", "2.5"],
        "bridge-hello" => &["1", "2.5", "1.25"],
        "bridge-maxage" => &["6", "20", "6.25"],
        "bridge-pathcost" => &["4", "eth0 100, eth1 200"],
        "bridge-portprio" => &["8", "eth0 1", "63"],
        "bridge-hw" => &["02:00:00:00:00:99"],
        "bridge-access" | "bridge-pvid" => &["10", "20"],
        "bridge-vids" => &["30 40-50", "1", "20-20 21 20-25"],
        "link-type" => &["dummy", "veth"],
        "vlan-raw-device" => &["eth0", "eth1"],
        "vlan-id" => &["8", "0x10", "4094"],
        "vlan-protocol" => &["802.1Q", "802.1ad", "qinq"],
        "vlan-reorder-hdr" | "vlan-gvrp" | "vlan-mvrp" | "vlan-loose-binding" | "vlan-bridge-binding" => {
            &["on", "off"]
        }
        "mtu" => &["1400", "9000"],
        "hwaddress" => &["02:00:00:00:00:01", "ether 02:00:00:00:00:02"],
        "alias" => &["uplink", "the card on the left"],
        "link-options" => &["mtu 1300", "address 02:00:00:00:00:03 mtu 1400"],
        "address" => &["10.0.0.2/24", "10.0.0.2/24 10.0.0.3/24 fd00::2/64", "fe80::2/64 192.0.2.7/32"],
        "gateway" => &["10.0.0.1", "fd00::1 10.0.0.1", "fe80::1"],
        "metric" => &["0", "20"],
        "point-to-point" => &["10.0.0.1", "192.0.2.1"],
        _ => &[],
    }
}

/// The keywords to choose from: all of a program. If a stanza is either a bridge or a port of one, those of either.
fn choices(program: &Program) -> Vec<Vec<&'static str>> {
    let all: Vec<&'static str> = program.keywords().map(|keyword| keyword.name).collect();
    if !all.contains(&"bridge-member") {
        return vec![all];
    }
    let of_ports = [
        "bridge-member",
        "bridge-isolated",
        "bridge-learning",
        "bridge-locked",
        "bridge-unicast-flood",
        "bridge-multicast-flood",
        "bridge-broadcast-flood",
        "bridge-fdb",
        "bridge-allow",
    ];
    let of_both =
        ["bridge-vlan", "bridge-access", "bridge-pvid", "bridge-vids", "bridge-pathcost", "bridge-portprio"];
    let port = all.iter().filter(|name| of_ports.contains(name) || of_both.contains(name));
    let bridge = all.iter().filter(|name| !of_ports.contains(name));
    vec![port.copied().collect(), bridge.copied().collect()]
}

/// A stanza and the state in which it is brought up.
#[derive(Debug, Clone)]
pub struct Case {
    program: usize,
    keywords: Vec<(&'static str, String)>,
    /// Objects of other programs, which must be left alone.
    noise: Vec<&'static str>,
    /// The kernel has no IPv6.
    no_ipv6: bool,
}

/// Objects that no stanza above names.
const NOISE: [&str; 9] = [
    "link eth9 physical up",
    "link br9 bridge up",
    "address eth9 10.99.0.1/24",
    "rule 4 5270 lookup 52 proto 3 selective",
    "rule 6 5270 lookup 52 proto 3 selective",
    "rule 4 100 lookup 77 proto 17 selective",
    "route 203.0.113.0/24 via 10.99.0.2 dev eth9 table main proto 3",
    "route unreachable 0.0.0.0/0 table 99 proto 4",
    "sysctl net.ipv4.ip_forward=1",
];

/// A program's random stanza in a random state.
pub fn case() -> impl Strategy<Value = Case> {
    (0..ALL.len()).prop_flat_map(case_of)
}

/// The same, of the program with this number.
pub fn case_of(program: usize) -> impl Strategy<Value = Case> {
    let stanza = Just(program).prop_flat_map(|program| {
        let chosen = prop::sample::select(choices(ALL[program]));
        let chosen = chosen.prop_flat_map(|names| {
            let all = 1..=names.len();
            subsequence(names, all)
        });
        let chosen = chosen.prop_flat_map(|names| {
            names
                .into_iter()
                .map(|name| {
                    any::<prop::sample::Index>().prop_map(move |i| (name, i.get(values(name)).to_string()))
                })
                .collect::<Vec<_>>()
        });
        (Just(program), chosen)
    });
    let noise = vec(any::<bool>(), NOISE.len()).prop_map(|chosen| {
        NOISE.into_iter().zip(chosen).filter(|(_, is)| *is).map(|(line, _)| line).collect()
    });
    (stanza, noise, prop::bool::weighted(0.1)).prop_map(|((program, keywords), noise, no_ipv6)| Case {
        program,
        keywords,
        noise,
        no_ipv6,
    })
}

impl Case {
    /// The program that reads the stanza.
    pub fn program(&self) -> &'static Program {
        ALL[self.program]
    }

    /// The keywords and their values.
    pub fn values(&self) -> BTreeMap<String, String> {
        self.keywords.iter().map(|(keyword, value)| ((*keyword).to_owned(), value.clone())).collect()
    }

    /// The stanza; `None` if the chosen keywords are not valid together.
    pub fn interface(&self) -> Option<Interface> {
        Interface::new(self.program(), "red0", &self.keywords)
    }

    /// The smallest state in which the stanza can be brought up, and the noise.
    pub fn start(&self, interface: &Interface) -> Snapshot {
        let mut start = interface.configuration.simulated(&interface.name, Phase::Create);
        let state = start.here_mut();
        *state = std::mem::take(state).with_default_rules();
        let noise = self.noise();
        let numbers = notation::parse("table named 10\ntable other 1001\n").table_names;
        start.table_names.extend(numbers.iter().map(|(name, id)| (name.clone(), *id)));
        let state = start.here_mut();
        state.links.extend(noise.links);
        state.addresses.extend(noise.addresses);
        state.routes.extend(noise.routes.iter().cloned());
        state.sysctls.extend(noise.sysctls);
        for (family, rules) in noise.rules.iter() {
            let all = state.rules.entry(*family).or_default();
            all.extend_from_slice(rules);
            all.sort_by_key(|rule| rule.priority);
        }
        // Another program sets it up, after us.
        state.links.get_mut(&interface.name).into_iter().for_each(|link| link.up = false);
        if state.vrfs().next().is_some() {
            state.rules.iter_mut().for_each(|(family, rules)| {
                rules.push(ifupdown_ng_netlink::plan::vrf::layout::kernel_l3mdev(*family));
                rules.sort_by_key(|rule| rule.priority);
            });
        }
        if self.no_ipv6 {
            state.rules.remove(&ifupdown_ng_netlink::values::Family::Ipv6);
        }
        start
    }

    /// Objects in the state that the stanza does not need.
    pub fn noise(&self) -> State {
        let lines = if self.noise.contains(&"link eth9 physical up") {
            self.noise.join("\n")
        } else {
            let without = |line: &&&str| !line.contains("eth9");
            self.noise.iter().filter(without).copied().collect::<Vec<_>>().join("\n")
        };
        notation::parse(&lines).here().clone()
    }
}

#[test]
fn every_keyword_has_values_to_try() {
    for program in ALL {
        for keyword in program.keywords() {
            assert!(!values(keyword.name).is_empty(), "no values for {}", keyword.name);
        }
    }
}

//! Keywords that no executor reads, and values that ifupdown-ng truncates.

use super::all::PROGRAMS;
use super::support::{Ran, command, run};
use super::variable::variable;
use ifupdown_ng_netlink::stanza::Stanza;
use ifupdown_ng_netlink::stanza::keywords::{OURS, Unknown};
use std::collections::BTreeSet;

#[test]
fn the_list_is_that_of_the_executors() {
    let all = PROGRAMS.iter().flat_map(|program| program.keywords().map(|keyword| keyword.name));
    assert_eq!(all.collect::<BTreeSet<_>>(), OURS.into_iter().collect());
}

fn run_phase(program: &str, phase: &str, keywords: &[(&str, &str)]) -> Ran {
    let variables: Vec<(String, &str)> =
        keywords.iter().map(|(keyword, value)| (variable(keyword), *value)).collect();
    let given = variables.iter().map(|(name, value)| (name.as_str(), *value));
    run(command(program, [("IFACE", "eth0"), ("PHASE", phase)].into_iter().chain(given)))
}

#[test]
fn a_misspelt_keyword_is_an_error_in_create_and_no_later_phase_goes_on() {
    for (program, keyword, meant) in [
        ("vrf", "vrf-memeber", "vrf-member"),
        ("vrf", "vrf-acept", "vrf-accept"),
        ("vrf-rules", "vrf-rule", "vrf-rules"),
        ("bridge", "bridge-vlans", "bridge-vlan"),
        ("bridge-vlan", "bridge-vlan-filter", "bridge-vlan-filtering"),
        ("bridge", "bridge-memebr", "bridge-member"),
        ("netns", "netns-adress", "netns-address"),
        ("netns-interfaces", "netns-interface", "netns-interfaces"),
        ("veth", "veth-peer-addr", "veth-peer-address"),
        ("veth-peer", "veth-peer-nets", "veth-peer-netns"),
    ] {
        let line = format!("{program}: eth0: {keyword}: unknown keyword; did you mean {meant}?\n");
        let stanza = [(keyword, "1")];
        assert_eq!(run_phase(program, "create", &stanza), Ran::new(2, "", &line));
        for phase in ["pre-up", "up", "post-up"] {
            assert_eq!(run_phase(program, phase, &stanza), Ran::new(2, "", ""), "{keyword} {phase}");
        }
        for phase in ["depend", "pre-down", "down", "post-down", "destroy"] {
            assert_eq!(run_phase(program, phase, &stanza), Ran::new(0, "", ""), "{keyword} {phase}");
        }
        // Executors of another family do not report it either.
        let other = if program.starts_with("vrf") { "netns" } else { "vrf" };
        assert_eq!(run_phase(other, "create", &stanza), Ran::new(0, "", ""), "{other} {keyword}");
    }
}

#[test]
fn other_unknown_keywords_with_our_prefixes_are_warnings_and_those_of_others_are_passed_over() {
    for (program, keyword, warning) in [
        ("vrf", "vrf-colour", "vrf-colour: unknown keyword; ignored"),
        ("bridge", "bridge-mcsnoop", "bridge-mcsnoop: not supported; ignored"),
        ("bridge", "bridge-mcquerier", "bridge-mcquerier: not supported; ignored"),
        ("bridge", "bridge-vlan-stats", "bridge-vlan-stats: not supported; ignored"),
        ("bridge", "bridge-hwaddress", "bridge-hwaddress: ignored; bridge-hw sets the address of a bridge"),
    ] {
        let line = format!("{program}: eth0: warning: {warning}\n");
        assert_eq!(run_phase(program, "create", &[(keyword, "1")]), Ran::new(0, "", &line));
        assert_eq!(run_phase(program, "pre-up", &[(keyword, "1")]), Ran::new(0, "", ""));
    }
    for keyword in ["bridge-gcint", "bridge-vlan-vni-map", "bridge-pathcosts", "bridge-trunk"] {
        assert_eq!(run_phase("bridge", "create", &[(keyword, "1")]), Ran::new(0, "", ""), "{keyword}");
    }
}

/// `ifnetlink` checks every keyword of a stanza. Those of the stock executors do not resemble ours.
#[test]
fn keywords_of_stock_executors_are_not_taken_for_misspelt() {
    let stock = "address addresses gateway gateways mtu hwaddress requires inherit use alias link-type link-netns \
                 vlan-id vlan-raw-device vlan-protocol vxlan-id vxlan-local-ip vxlan-peer-ips vxlan-evpn tunnel-mode \
                 tunnel-local bond-members bond-mode batman-ifaces batman-gw-mode forward-ipv4 forward-ipv6 \
                 wireguard-config-path wireguard-addr ppp-provider wifi-config-path wifi-ssid dhcp-hostname dhcp-script \
                 ethtool-ring-rx mstpctl-ports bridge-gcint veth-peer-name gre-local pre-up post-down mesh-id routing-route";
    let stanza = Stanza::new(stock.split_whitespace().map(|keyword| (keyword, "1")));
    let unknown = Unknown::of(&stanza, None);
    assert!(unknown.misspelt.is_empty() && unknown.warnings.is_empty(), "{unknown:?}");
    let of_all = Unknown::of(&Stanza::new([("vfr-member", "red"), ("bridge_vlans", "10")]), None);
    let lines: Vec<String> = of_all.misspelt.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "bridge-vlans: unknown keyword; did you mean bridge-vlan?",
            "vfr-member: unknown keyword; did you mean vrf-member?"
        ]
    );
}

/// Even numbers, so that they form no ranges: as many as fit into this many bytes.
fn vlans(bytes: usize) -> String {
    let vlans: Vec<String> = (1..=2000).map(|half| (2 * half).to_string()).collect();
    let mut list = vlans.join(", ");
    list.truncate(bytes);
    list
}

#[test]
fn a_value_that_may_lack_its_end_is_refused() {
    let name = "IF_BRIDGE_VLAN=".len();
    for length in [4095, 4093] {
        let value = vlans(length - name);
        let shown = value.trim().len();
        let line = format!(
            "bridge: eth0: bridge-vlan 2, 4, 6, 8, 10, …: {shown} bytes, and ifupdown-ng cuts a line at 4094 bytes \
             without a message; make it shorter, as by ranges\n"
        );
        let stanza = [("bridge-member", "br0"), ("bridge-vlan", value.as_str())];
        assert_eq!(run_phase("bridge", "create", &stanza), Ran::new(2, "", &line), "{length}");
        // Not pre-up, which writes a record below /run.
        assert_eq!(run_phase("bridge", "up", &stanza), Ran::new(2, "", ""), "{length}");
        assert_eq!(run_phase("bridge", "depend", &stanza), Ran::new(0, "br0\n", ""), "{length}");
    }
    let value = vlans(4000 - name);
    let stanza = [("bridge-member", "br0"), ("bridge-vlan", value.rsplit_once(',').unwrap().0)];
    assert_eq!(run_phase("bridge", "create", &stanza), Ran::new(0, "", ""));
    // Every list of every executor.
    for (program, keywords) in [
        ("vrf", vec!["vrf-route"]),
        ("netns", vec!["netns", "netns-address"]),
        ("netns", vec!["netns", "addresses"]),
        ("veth", vec!["veth-peer", "veth-peer-route"]),
    ] {
        let long = "192.0.2.1/24,".repeat(400);
        let value =
            |keyword: &str| if keyword.contains('-') || keyword == "addresses" { &long[..4080] } else { "x" };
        let stanza: Vec<(&str, &str)> = keywords.iter().map(|keyword| (*keyword, value(keyword))).collect();
        let ran = run_phase(program, "create", &stanza);
        assert!(ran.code == 2 && ran.err.contains("ifupdown-ng cuts a line at 4094 bytes"), "{ran:?}");
    }
}

/// Blanks and commas are the same where no value contains blanks; a comma may be part of a parameter's value.
#[test]
fn lists_take_blanks_and_commas() {
    let plan = |program: &str, phase: &str, keywords: &[(&str, &str)]| {
        let variables: Vec<(String, &str)> =
            keywords.iter().map(|(keyword, value)| (variable(keyword), *value)).collect();
        let given = variables.iter().map(|(name, value)| (name.as_str(), *value));
        let fixed = [("IFACE", "eth0"), ("PHASE", phase), ("MOCK", "1")];
        let ran = run(command(program, fixed.into_iter().chain(given)));
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{keywords:?}");
        ran.out
    };
    let alike = |program: &str, phase: &str, keyword: &str, ways: [&str; 3], rest: &[(&str, &str)]| {
        let [one, two, three] = ways.map(|value| plan(program, phase, &[&[(keyword, value)], rest].concat()));
        assert!(!one.is_empty() && one == two && one == three, "{keyword}: {one} {two} {three}");
    };
    let table: &[(&str, &str)] = &[("vrf-table", "10")];
    alike("vrf", "pre-up", "vrf-accept", ["tcp udp", "tcp, udp", "tcp,udp"], table);
    let rules: &[(&str, &str)] = &[("vrf-table", "10"), ("vrf-rules", "on")];
    alike("vrf", "pre-up", "vrf-rules-family", ["ipv4 ipv6", "ipv4,ipv6", "ipv6, ipv4"], rules);
    alike("bridge", "pre-up", "bridge-ports", ["p1 p2", "p1,p2", "p1, p2"], &[]);
    alike("bridge", "pre-up", "bridge-vids", ["7 9-9", "7,9", "7, 9"], &[("bridge-member", "br0")]);
    let netns: &[(&str, &str)] = &[("netns", "blue")];
    let addresses = ["192.0.2.1/24 192.0.2.2/24", "192.0.2.1/24,192.0.2.2/24", "192.0.2.1/24, 192.0.2.2/24"];
    alike("netns", "post-up", "netns-address", addresses, netns);
    assert_eq!(
        plan("vrf", "pre-up", &[("vrf-table", "10"), ("vrf-rules", "on")]),
        plan("vrf", "pre-up", &[("vrf-table", "10"), ("vrf-rules", "yes")])
    );
    assert_eq!(
        run_phase("bridge", "depend", &[("bridge-ports", "p1,p2, p3")]),
        Ran::new(0, "p1 p2 p3\n", "")
    );
    let reserved = "net.ipv4.ip_local_reserved_ports=1001,1003, net.ipv4.tcp_rmem=4096 87380 6291456";
    let both = plan("netns", "post-up", &[("netns", "blue"), ("netns-sysctl", reserved)]);
    for line in ["ip_local_reserved_ports=1001,1003\n", "tcp_rmem=4096 87380 6291456\n"] {
        assert!(both.contains(line), "{both}");
    }
}

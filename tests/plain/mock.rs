//! MOCK: what would be done, in a state that has everything that the stanza needs. Upstream's tests of its own
//! executors run them like this.

use super::all::ALL;
use super::cli::check;
use super::support::{Ran, command, run};
use super::variable::variable;

#[test]
fn mock_prints_command_lines_and_nothing_else() {
    let vrf = "MOCK=echo;IFACE=vrf-red;IF_VRF_TABLE=1;IF_VRF_MEMBER=;";
    let port = "MOCK=echo;IFACE=eth0;IF_VRF_TABLE=;IF_VRF_MEMBER=vrf-red;";
    for program in ["vrf", "vrf-table"] {
        check(&[
            // tests/linux/vrf_test of ifupdown-ng: leader_bringup, leader_teardown, member_bringup.
            (program, &format!("{vrf}PHASE=create"), 0, "ip link add vrf-red type vrf table 1\n", ""),
            (program, &format!("{vrf}PHASE=destroy"), 0, "ip link del vrf-red type vrf table 1\n", ""),
            (program, &format!("{port}PHASE=pre-up"), 0, "ip link set eth0 master vrf-red\n", ""),
            (program, &format!("{port}PHASE=post-down"), 0, "ip link set eth0 nomaster\n", ""),
            (program, &format!("{port}PHASE=depend"), 0, "vrf-red\n", ""),
            // A name of rt_tables stands for a number that is not looked up.
            (
                program,
                "MOCK=1;IFACE=red;PHASE=create;IF_VRF_TABLE=office",
                0,
                "ip link add red type vrf table 1001\n",
                "",
            ),
            (
                program,
                "MOCK=1;IFACE=red;PHASE=create;IF_VRF_TABLE=auto",
                0,
                "ip link add red type vrf table 1001\n",
                "",
            ),
            // An empty MOCK counts as not set; a bad value is still an error.
            (program, "MOCK=;IFACE=red;PHASE=up;IF_VRF_TABLE=1", 0, "", ""),
        ]);
    }
    let route = "MOCK=1;IFACE=eth0;IF_VRF_MEMBER=red;IF_VRF_ROUTE=192.0.2.0/24 via 10.0.0.1 dev eth0";
    let line = "192.0.2.0/24 via 10.0.0.1 dev eth0 table 1001 protocol 73\n";
    check(&[
        ("vrf", &format!("{route};PHASE=post-up"), 0, &format!("ip -4 route add {line}"), ""),
        ("vrf", &format!("{route};PHASE=pre-down"), 0, &format!("ip -4 route del {line}"), ""),
        (
            "vrf",
            "MOCK=1;IFACE=red;PHASE=pre-up;IF_VRF_TABLE=0",
            2,
            "",
            "vrf: red: vrf-table 0: not a routing table (1-4294967295)\n",
        ),
        (
            "vrf",
            "MOCK=1;IFACE=red;PHASE=pre-up;IF_VRF_TABLE=10;IF_VRF_RULES=yes;IF_VRF_RULES_FAMILY=ipv4",
            0,
            "ip -4 rule add pref 2000 l3mdev unreachable protocol 73
ip -4 rule add pref 32765 table local protocol 73
ip -4 rule show pref 32765 table local protocol 73
ip -4 rule del pref 0 table local protocol kernel
",
            "",
        ),
    ]);
}

/// A program, an interface, the lines of its stanza, and the output in each phase that is named; none in all others.
type Row<'a> = (&'a str, &'a str, &'a [&'a str], &'a [(&'a str, &'a str)]);

const ROWS: &[Row<'_>] = &[
    (
        "vrf-table",
        "red",
        &["vrf-table=10"],
        &[
            ("create", "ip link add red type vrf table 10\n"),
            ("destroy", "ip link del red type vrf table 10\n"),
        ],
    ),
    (
        "vrf-rules",
        "red",
        &["vrf-rules=jump", "vrf-rules-family=ipv6"],
        &[
            (
                "pre-up",
                "ip -6 rule add pref 1000 l3mdev protocol kernel
ip -6 rule add pref 2000 l3mdev unreachable protocol 73
ip -6 rule add pref 0 l3mdev goto 1000 protocol 73
ip -6 rule add pref 0 table local protocol kernel
ip -6 rule show pref 0 l3mdev goto 1000 protocol 73
ip -6 rule del pref 0 table local protocol kernel
",
            ),
            (
                "destroy",
                "ip -6 rule del pref 0 l3mdev goto 1000 protocol 73
ip -6 rule del pref 2000 l3mdev unreachable protocol 73
",
            ),
        ],
    ),
    (
        "vrf-route",
        "eth0",
        &["vrf-route=192.0.2.0/24 dev eth0 table 10"],
        &[
            ("post-up", "ip -4 route add 192.0.2.0/24 dev eth0 table 10 protocol 73\n"),
            ("pre-down", "ip -4 route del 192.0.2.0/24 dev eth0 table 10 protocol 73\n"),
        ],
    ),
    (
        "vrf",
        "eth0",
        &["vrf=red", "vrf-route=192.0.2.0/24 dev eth0"],
        &[
            ("pre-up", "ip link set eth0 master red\n"),
            ("post-up", "ip -4 route add 192.0.2.0/24 dev eth0 table 1001 protocol 73\n"),
            ("pre-down", "ip -4 route del 192.0.2.0/24 dev eth0 table 1001 protocol 73\n"),
            ("post-down", "ip link set eth0 nomaster\n"),
            ("depend", "red\n"),
        ],
    ),
    (
        "netns",
        "eth0",
        &["netns=blue", "netns-address=192.0.2.1/24"],
        &[
            ("create", "ip netns add blue\nip -n blue link set lo up\n"),
            (
                "pre-up",
                "echo 0 @eth0 > /run/ifupdown-ng-netlink/sysctl:net.ipv6.conf.eth0.disable_ipv6
sysctl -w net.ipv6.conf.eth0.disable_ipv6=1
",
            ),
            (
                "post-up",
                "echo blue eth0 > /run/ifupdown-ng-netlink/moved:eth0
ip link set eth0 netns blue
ip -n blue link set eth0 up
ip -n blue address add 192.0.2.1/24 dev eth0
",
            ),
            ("pre-down", "ip -n blue link set eth0 netns $$\nrm /run/ifupdown-ng-netlink/moved:eth0\n"),
            (
                "destroy",
                "sysctl -w net.ipv6.conf.eth0.disable_ipv6=0
rm /run/ifupdown-ng-netlink/sysctl:net.ipv6.conf.eth0.disable_ipv6
ip netns del blue
",
            ),
        ],
    ),
    (
        "netns-interfaces",
        "eth0",
        &["netns-interfaces=/etc/blue", "veth-peer-netns=blue"],
        &[
            ("post-up", "ip netns exec blue ifup -a -i /etc/blue\n"),
            ("pre-down", "ip netns exec blue ifdown -a -i /etc/blue\n"),
        ],
    ),
    (
        "veth-peer",
        "v0",
        &["veth-peer=v1", "veth-peer-address=192.0.2.1/24"],
        &[
            ("create", "ip link add v0 type veth peer name v1\n"),
            ("post-up", "ip link set v1 up\nip address add 192.0.2.1/24 dev v1\n"),
            ("destroy", "ip link del v0 type veth\n"),
        ],
    ),
    (
        "veth",
        "v0",
        &["veth-peer=v1", "veth-peer-up=no", "veth-peer-netns=1"],
        &[
            (
                "create",
                "echo 1 v1 > /run/ifupdown-ng-netlink/peer:v0\nip link add v0 type veth peer name v1 netns 1\n",
            ),
            ("destroy", "ip link del v0 type veth\nrm /run/ifupdown-ng-netlink/peer:v0\n"),
        ],
    ),
    (
        "bridge-vlan",
        "eth0",
        &["bridge-member=br0", "bridge-vlan=10 pvid untagged, 20"],
        &[
            (
                "pre-up",
                "ip link set eth0 master br0
bridge vlan add dev eth0 vid 10 pvid untagged && bridge vlan add dev eth0 vid 20
",
            ),
            ("post-down", "ip link set eth0 nomaster\n"),
            ("depend", "br0\n"),
        ],
    ),
    (
        "bridge",
        "br0",
        &["bridge-ports=eth0 eth1", "bridge-stp=off", "bridge-fd=4"],
        &[
            ("create", "ip link add br0 type bridge stp_state 0 forward_delay 400\n"),
            (
                "pre-up",
                "ip link set eth0 master br0\nip link set eth0 up\nip link set eth1 master br0\nip link set eth1 up\n",
            ),
            ("post-down", "ip link set eth0 nomaster down\nip link set eth1 nomaster down\n"),
            ("destroy", "ip link del br0 type bridge\n"),
            ("depend", "eth0 eth1\n"),
        ],
    ),
    // tests/linux/link_test and static_test of ifupdown-ng.
    (
        "link",
        "servers",
        &["vlan-raw-device=eth0", "vlan-id=123", "mtu=1492"],
        &[
            ("create", "ip link add link eth0 name servers type vlan id 123 protocol 802.1Q\n"),
            ("up", "ip link set servers mtu 1492\nip link set servers up\n"),
            ("down", "ip link set servers down\n"),
            ("destroy", SERVERS_GONE),
            ("depend", "eth0\n"),
        ],
    ),
    (
        "static",
        "eth0",
        &["address=203.0.113.2/24", "gateway=203.0.113.1"],
        &[
            (
                "up",
                "ip address add 203.0.113.2/24 dev eth0
ip -4 route add default via 203.0.113.1 dev eth0 table main metric 1 protocol 73
",
            ),
            (
                "down",
                "ip -4 route del default via 203.0.113.1 dev eth0 table main metric 1 protocol 73
ip address del 203.0.113.2/24 dev eth0
",
            ),
        ],
    ),
    (
        "forward",
        "eth0",
        &["forward-ipv4=yes"],
        &[
            (
                "up",
                "echo 0 @eth0 > /run/ifupdown-ng-netlink/sysctl:net.ipv4.conf.eth0.forwarding
sysctl -w net.ipv4.conf.eth0.forwarding=1
",
            ),
            (
                "down",
                "sysctl -w net.ipv4.conf.eth0.forwarding=0
rm /run/ifupdown-ng-netlink/sysctl:net.ipv4.conf.eth0.forwarding
",
            ),
        ],
    ),
];

/// The kernel shows every flag of a VLAN.
const SERVERS_GONE: &str = "ip link del servers type vlan id 123 protocol 802.1Q reorder_hdr on gvrp off mvrp off \
                            loose_binding off bridge_binding off\n";

/// As ifup runs them and as a user does.
#[test]
fn every_program_says_in_every_phase_what_it_would_do() {
    let phases = ["create", "pre-up", "up", "post-up", "pre-down", "down", "post-down", "destroy", "depend"];
    for (program, iface, keywords, printed) in ROWS {
        for phase in phases {
            let lines = printed.iter().find(|(when, _)| *when == phase).map_or("", |(_, lines)| *lines);
            let variables: Vec<(String, &str)> = keywords
                .iter()
                .filter_map(|pair| pair.split_once('='))
                .map(|(keyword, value)| (variable(keyword), value))
                .collect();
            let variables = variables.iter().map(|(name, value)| (name.as_str(), *value));
            let always = [("MOCK", "echo"), ("IFACE", iface), ("PHASE", phase)];
            assert_eq!(
                run(command(program, variables.chain(always))),
                Ran::new(0, lines, ""),
                "{program} {phase}"
            );
            let mut by_hand = command(program, [("MOCK", "echo")]);
            // Keywords of another program are not accepted from a user.
            let known = ALL.iter().find(|known| known.name == *program).unwrap();
            let known =
                |pair: &str| known.keywords().any(|keyword| pair.starts_with(&format!("{}=", keyword.name)));
            for pair in *keywords {
                if known(pair) {
                    by_hand.arg(pair);
                } else {
                    let (keyword, value) = pair.split_once('=').unwrap();
                    by_hand.env(variable(keyword), value);
                }
            }
            by_hand.args(["--iface", iface, "--phase", phase]);
            assert_eq!(run(by_hand), Ran::new(0, lines, ""), "{program} {phase} by hand");
        }
    }
    for program in ALL {
        assert!(ROWS.iter().any(|(known, ..)| *known == program.name), "{}: not shown", program.name);
    }
}

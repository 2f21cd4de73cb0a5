//! MOCK: what would be done, in a world that has all that the stanza needs. Upstream's tests of its own
//! executors run them like this.

use super::cli::check;

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
            // MOCK that is set and empty is not set; a bad value stays one.
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

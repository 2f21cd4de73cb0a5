//! Invalid stanzas, with the errors of the pages: one line and status 2, before anything is changed. Those of VRFs are
//! in cli.rs.

use super::cli::check_wrong;

/// A program, the keywords of a stanza, and the line.
type Row<'a> = (&'a str, &'a str, &'a str);

fn check_all(rows: &[Row<'_>]) {
    for (program, keywords, line) in rows {
        check_wrong(program, keywords, line);
    }
}

#[test]
fn routes() {
    check_all(&[
        ("vrf-route", "IF_VRF_TABLE=1;IF_VRF_ROUTE=blackhole", "vrf-route blackhole: blackhole: no prefix"),
        (
            "vrf-route",
            "IF_VRF_TABLE=1;IF_VRF_ROUTE=default over x",
            "vrf-route default over x: default over x: over: not a word of a route",
        ),
        (
            "vrf-route",
            "IF_VRF_TABLE=1;IF_VRF_ROUTE=default dev x dev y",
            "vrf-route default dev x dev y: default dev x dev y: dev: dev is already given",
        ),
        (
            "vrf-route",
            "IF_VRF_ROUTE=default dev x table 1 vrf y",
            "vrf-route default dev x table 1 vrf y: default dev x table 1 vrf y: vrf: table is already given",
        ),
        (
            "vrf-route",
            "IF_VRF_TABLE=1;IF_VRF_ROUTE=default via x",
            "vrf-route default via x: default via x: via x: not an IP address",
        ),
        (
            "vrf-route",
            "IF_VRF_TABLE=1;IF_VRF_ROUTE=default dev x metric y",
            "vrf-route default dev x metric y: default dev x metric y: metric y: not a number",
        ),
        (
            "vrf-route",
            "IF_VRF_TABLE=1;IF_VRF_ROUTE=default dev x onlink",
            "vrf-route default dev x onlink: default dev x onlink: onlink needs via and dev",
        ),
        (
            "vrf-route",
            "IF_VRF_TABLE=1;IF_VRF_ROUTE=default dev x table -1",
            "vrf-route default dev x table -1: default dev x table -1: table -1: not a routing table (1-4294967295) nor \
             a name of rt_tables",
        ),
    ]);
}

#[test]
fn namespaces() {
    let long = "n".repeat(256);
    check_all(&[
        ("netns", "IF_NETNS=..", "netns ..: not a name of a network namespace: a reserved word"),
        ("netns", "IF_NETNS=-x", "netns -x: not a name of a network namespace: begins with '-'"),
        ("netns", "IF_NETNS=a/b", "netns a/b: not a name of a network namespace: contains '/'"),
        (
            "netns",
            &format!("IF_NETNS={long}"),
            &format!("netns {long}: not a name of a network namespace: longer than 255 bytes"),
        ),
        ("netns", "IF_NETNS=0", "netns 0: not a process id"),
        ("netns", "IF_NETNS_IFNAME=x", "netns-ifname x: has no effect without `netns`"),
        ("netns", "IF_NETNS=x;IF_NETNS_KEEP=maybe", "netns-keep maybe: neither yes nor no"),
        ("netns", "IF_NETNS=x;IF_GATEWAYS=192.0.2", "gateways 192.0.2: 192.0.2: not an IP address"),
        (
            "netns",
            "IF_NETNS=x;IF_NETNS_ADDRESS=192.0.2.1",
            "netns-address 192.0.2.1: 192.0.2.1: without the length of its prefix; write 192.0.2.1/LENGTH",
        ),
        (
            "netns",
            "IF_NETNS=x;IF_NETNS_ADDRESS=x/24",
            "netns-address x/24: x/24: not an address with the length of its prefix (ADDRESS/LENGTH)",
        ),
        (
            "netns",
            "IF_NETNS=x;IF_NETNS_ADDRESS=224.0.0.1/4",
            "netns-address 224.0.0.1/4: 224.0.0.1/4: not an address that an interface can have",
        ),
        ("netns", "IF_NETNS=x;IF_NETNS_SYSCTL=net.a", "netns-sysctl net.a: net.a: not KEY=VALUE"),
        (
            "netns",
            "IF_NETNS=x;IF_NETNS_SYSCTL=net.a=1, net.b",
            "netns-sysctl net.a=1, net.b: net.b: not KEY=VALUE",
        ),
        ("netns", "IF_NETNS=x;IF_NETNS_SYSCTL=net.a=", "netns-sysctl net.a=: net.a=: no value"),
        (
            "netns",
            "IF_NETNS=x;IF_NETNS_SYSCTL=vm.swappiness=1",
            "netns-sysctl vm.swappiness=1: vm.swappiness=1: not a sysctl below net.",
        ),
        (
            "netns",
            "IF_NETNS=x;IF_NETNS_SYSCTL=net..a=1",
            "netns-sysctl net..a=1: net..a=1: not the name of a sysctl",
        ),
        (
            "netns-interfaces",
            "IF_NETNS_INTERFACES=auto",
            "netns-interfaces auto: has no effect without `netns` or `veth-peer-netns`",
        ),
    ]);
}

#[test]
fn pairs() {
    check_all(&[
        ("veth-peer", "IF_VETH_PEER=x;IF_VETH_PEER_MTU=67", "veth-peer-mtu 67: not an MTU (68-65535)"),
        ("veth-peer", "IF_VETH_PEER=x;IF_VETH_QUEUES=0", "veth-queues 0: not a number of queues (1-4096)"),
        (
            "veth-peer",
            "IF_VETH_PEER=x;IF_VETH_PEER_HWADDRESS=x",
            "veth-peer-hwaddress x: not an Ethernet address (six bytes as 02:00:00:00:00:01)",
        ),
        (
            "veth-peer",
            "IF_VETH_PEER=x;IF_VETH_PEER_HWADDRESS=01:00:00:00:00:01",
            "veth-peer-hwaddress 01:00:00:00:00:01: a multicast address, which no interface can have",
        ),
        (
            "veth-peer",
            "IF_VETH_PEER=x;IF_VETH_PEER_HWADDRESS=00:00:00:00:00:00",
            "veth-peer-hwaddress 00:00:00:00:00:00: all zero, which no interface can have",
        ),
    ]);
}

#[test]
fn vlans() {
    check_all(&[
        ("bridge-vlan", "IF_BRIDGE_VLAN=0", "bridge-vlan 0: 0: not a VLAN (1-4094)"),
        ("bridge-vlan", "IF_BRIDGE_VLAN=3-2", "bridge-vlan 3-2: 3-2: ends before it begins; write 2-3"),
        ("bridge-vlan", "IF_BRIDGE_VLAN=,", "bridge-vlan ,: a list without an entry"),
        (
            "bridge-vlan",
            "IF_BRIDGE_VLAN=2 trunk",
            "bridge-vlan 2 trunk: 2 trunk: trunk is not pvid, untagged or tagged",
        ),
        (
            "bridge-vlan",
            "IF_BRIDGE_VLAN=2 tagged untagged",
            "bridge-vlan 2 tagged untagged: 2 tagged untagged: both tagged and untagged",
        ),
        (
            "bridge-vlan",
            "IF_BRIDGE_VLAN=2-3 pvid",
            "bridge-vlan 2-3 pvid: 2-3 pvid: a range cannot be pvid; name the one VLAN that is",
        ),
        ("bridge-vlan", "IF_BRIDGE_VLAN=1-3, 2", "bridge-vlan 1-3, 2: VLAN 2 is named twice"),
        (
            "bridge-vlan",
            "IF_BRIDGE_DEFAULT_PVID=x",
            "bridge-default-pvid x: neither a VLAN (1-4094) nor none",
        ),
        ("bridge-vlan", "IF_BRIDGE_VLAN_PROTOCOL=x", "bridge-vlan-protocol x: neither 802.1Q nor 802.1ad"),
        (
            "bridge-vlan",
            "IF_BRIDGE_VLAN_FILTERING=yes;IF_BRIDGE_VLAN_AWARE=no",
            "bridge-vlan-aware no: conflicts with bridge-vlan-filtering; keep one of the two",
        ),
        (
            "bridge-vlan",
            "IF_BRIDGE_FDB=02:00:00:00:00:01 5",
            "bridge-fdb 02:00:00:00:00:01 5: 02:00:00:00:00:01 5: not MAC [vlan VID]",
        ),
        (
            "bridge-vlan",
            "IF_BRIDGE_ALLOW=02:00:00:00:00:01 10.0.0.1/24",
            "bridge-allow 02:00:00:00:00:01 10.0.0.1/24: 02:00:00:00:00:01 10.0.0.1/24: has the length of a prefix; write each address of the station alone",
        ),
        (
            "bridge-vlan",
            "IF_BRIDGE_ALLOW=02:00:00:00:00:01 red",
            "bridge-allow 02:00:00:00:00:01 red: 02:00:00:00:00:01 red: not an IP address",
        ),
        (
            "bridge-vlan",
            "IF_BRIDGE_ALLOW=02:00:00:00:00:01 ff02::1",
            "bridge-allow 02:00:00:00:00:01 ff02::1: 02:00:00:00:00:01 ff02::1: not an address that an interface can have",
        ),
        (
            "bridge-vlan",
            "IF_BRIDGE_VLAN_FILTERING=yes;IF_BRIDGE_ISOLATED=yes",
            "bridge-isolated yes: for a port, not for a bridge",
        ),
    ]);
}

#[test]
fn bridges() {
    check_all(&[
        (
            "bridge",
            "IF_BRIDGE_MEMBER=br0;IF_BRIDGE_VLAN=2;IF_BRIDGE_VIDS=3",
            "bridge-vlan 2: conflicts with bridge-vids; keep one of the two",
        ),
        (
            "bridge",
            "IF_BRIDGE_MEMBER=br0;IF_BRIDGE_STP=yes",
            "bridge-stp yes: a port of a bridge, as bridge-member makes it, cannot be a bridge",
        ),
        (
            "bridge",
            "IF_BRIDGE_PORTS=glob swp*",
            "bridge-ports glob swp*: glob: swp*: not a range such as swp1-10 or swp[1-10]s[0-3].100",
        ),
        (
            "bridge",
            "IF_BRIDGE_PORTS=regex swp(1",
            "bridge-ports regex swp(1: regex: swp(1: not understood at (1; use glob, or name each port",
        ),
        ("bridge", "IF_BRIDGE_PORTS=eth0 glob", "bridge-ports eth0 glob: glob: no range follows"),
        ("bridge", "IF_BRIDGE_PORTS=regex", "bridge-ports regex: regex: no expression follows"),
        (
            "bridge",
            "IF_BRIDGE_PORTS=glob p[0-99]s[0-99]",
            "bridge-ports glob p[0-99]s[0-99]: glob: p[0-99]s[0-99]: more than 4096 names",
        ),
        ("bridge", "IF_BRIDGE_PORTS=x;IF_BRIDGE_WAITPORT=x", "bridge-waitport x: not SECONDS [PORT …]"),
        (
            "bridge",
            "IF_BRIDGE_PORTS=x;IF_BRIDGE_MAXWAIT=-1",
            "bridge-maxwait -1: not a number (0-4294967295)",
        ),
        (
            "bridge",
            "IF_BRIDGE_PORTS=x;IF_BRIDGE_PATHCOST=x y z",
            "bridge-pathcost x y z: x y z: not [PORT] NUMBER",
        ),
        (
            "bridge",
            "IF_BRIDGE_PORTS=x;IF_BRIDGE_PORTPRIO=64",
            "bridge-portprio 64: 64: not a number from 0 to 63",
        ),
        ("bridge", "IF_BRIDGE_PORTS=x;IF_BRIDGE_FD=1.234", "bridge-fd 1.234: not a time in seconds"),
        ("bridge", "IF_BRIDGE_PORTS=x;IF_BRIDGE_FD=31", "bridge-fd 31: not a time from 0 to 30 seconds"),
        (
            "bridge",
            "IF_BRIDGE_PORTS=x;IF_BRIDGE_STP=yes;IF_BRIDGE_FD=1",
            "bridge-fd 1: not a time from 2 to 30 seconds",
        ),
        (
            "bridge",
            "IF_BRIDGE_PORTS=x;IF_BRIDGE_HELLO=11",
            "bridge-hello 11: not a time from 1 to 10 seconds",
        ),
        (
            "bridge",
            "IF_BRIDGE_PORTS=x;IF_BRIDGE_MAXAGE=41",
            "bridge-maxage 41: not a time from 6 to 40 seconds",
        ),
    ]);
}

//! For each keyword an interfaces file in which it is changed, removed and added while the interface is up.

/// An edit of one keyword.
#[derive(Debug, Clone, Copy)]
pub struct Edit {
    /// The keyword.
    pub keyword: &'static str,
    /// The interface of the stanza that is edited.
    pub iface: &'static str,
    /// The interfaces file; `{}` stands for the line of the keyword.
    pub file: &'static str,
    /// The value before, and the value after.
    pub values: [&'static str; 2],
}

const VRF: &str = "auto red\niface red\n    use vrf\n    vrf-table 10\n{}";
const VRF_RULES: &str = "auto red\niface red\n    use vrf\n    vrf-table 10\n    vrf-rules yes\n{}";
const MEMBER: &str = "auto red\niface red\n    vrf-table 10\n
auto blue\niface blue\n    vrf-table 20\n
auto eth1\niface eth1\n    use vrf\n    address 10.0.1.1/24\n{}";
const NETNS: &str = "auto eth1\niface eth1\n    use netns\n    netns one\n    netns-address 10.0.1.1/24\n{}";
const PAIR: &str = "auto veth0\niface veth0\n    use veth\n    hwaddress 02:00:00:00:01:01\n    veth-peer p0
    veth-peer-netns one\n    veth-peer-hwaddress 02:00:00:00:01:02\n    veth-peer-address 10.0.5.2/24\n{}";
const PAIR_HERE: &str =
    "auto veth0\niface veth0\n    use veth\n    hwaddress 02:00:00:00:01:01\n    veth-peer p0
    veth-peer-hwaddress 02:00:00:00:01:02\n{}";
const BRIDGE: &str =
    "auto br0\niface br0\n    use bridge\n    bridge-ports eth1 eth2\n    bridge-maxwait 0\n{}";
const FILTERING: &str =
    "auto br0\niface br0\n    use bridge\n    bridge-ports eth1 eth2\n    bridge-maxwait 0
    bridge-vlan-filtering yes\n{}";
const PORT: &str = "auto br0\niface br0\n    bridge-vlan-filtering yes\n
auto br1\niface br1\n    bridge-vlan-filtering yes\n
auto eth1\niface eth1\n    use bridge\n    bridge-member br0\n{}";
const LISTED: &str =
    "auto br0\niface br0\n    bridge-ports eth1\n    bridge-vlan-filtering yes\n    bridge-maxwait 0\n
auto eth1\niface eth1\n    use bridge\n{}";

impl Edit {
    /// The three edits, each with the file before and the file after.
    pub fn files(&self) -> [(&'static str, String, String); 3] {
        let [old, new] = self.values.map(|value| format!("    {} {value}\n", self.keyword));
        let with = |line: &str| self.file.replace("{}", line);
        [
            ("changed", with(&old), with(&new)),
            ("removed", with(&old), with("")),
            ("added", with(""), with(&new)),
        ]
    }

    /// The same, where the interface is in use: a VRF has a member, a bridge and a veth pair have an address.
    pub fn files_in_use(&self) -> [(&'static str, String, String); 3] {
        let more = match self.iface {
            "red" => "\nauto eth3\niface eth3\n    vrf-member red\n    address 10.0.9.1/24\n",
            "br0" => "    address 10.0.9.1/24\n",
            "veth0" => "    address 10.0.5.1/24\n",
            _ => "",
        };
        self.files().map(|(what, old, new)| (what, old + more, new + more))
    }
}

/// The edits of all keywords.
pub const EDITS: &[Edit] = &[
    edit("vrf-table", "red", "auto red\niface red\n    use vrf\n    vrf-rules yes\n{}", ["10", "11"]),
    edit(
        "vrf-table-range",
        "red",
        "auto red\niface red\n    use vrf\n    vrf-table auto\n{}",
        ["6000-6010", "7000-7010"],
    ),
    edit("vrf-member", "eth1", MEMBER, ["red", "blue"]),
    edit("vrf", "eth1", MEMBER, ["red", "blue"]),
    edit("vrf-rules", "red", VRF, ["yes", "jump"]),
    edit("vrf-rules-l3mdev", "red", VRF_RULES, ["900", "800"]),
    edit("vrf-rules-unreachable", "red", VRF_RULES, ["2100", "1900"]),
    edit("vrf-rules-local", "red", VRF_RULES, ["32764", "3000"]),
    edit("vrf-rules-family", "red", VRF_RULES, ["ipv4", "ipv6"]),
    edit("vrf-accept", "red", VRF, ["tcp", "udp raw"]),
    edit("vrf-strict-mode", "red", VRF, ["yes", "no"]),
    edit(
        "vrf-route",
        "red",
        VRF,
        ["blackhole 10.9.0.0/16", "unreachable 10.8.0.0/16, unreachable default metric 4278198272"],
    ),
    edit("netns", "eth1", "auto eth1\niface eth1\n    use netns\n{}", ["one", "two"]),
    edit("netns-ifname", "eth1", NETNS, ["a0", "b0"]),
    edit(
        "netns-address",
        "eth1",
        "auto eth1\niface eth1\n    use netns\n    netns one\n{}",
        ["10.0.2.1/24", "10.0.3.1/24"],
    ),
    edit("netns-gateway", "eth1", NETNS, ["10.0.1.2", "10.0.1.3"]),
    edit("netns-route", "eth1", NETNS, ["10.9.0.0/16 via 10.0.1.2", "unreachable 10.9.0.0/16"]),
    edit("netns-sysctl", "eth1", NETNS, ["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"]),
    edit("netns-keep", "eth1", NETNS, ["no", "yes"]),
    edit("netns-interfaces", "eth1", NETNS, ["/run/inside-a", "/run/inside-b"]),
    edit(
        "veth-peer",
        "veth0",
        "auto veth0\niface veth0\n    use veth\n    hwaddress 02:00:00:00:01:01\n    veth-peer-hwaddress 02:00:00:00:01:02\n{}",
        ["p0", "p1"],
    ),
    edit("veth-peer-netns", "veth0", PAIR_HERE, ["one", "two"]),
    edit("veth-peer-address", "veth0", PAIR_HERE, ["10.0.6.2/24", "10.0.7.2/24, fd00:7::2/64"]),
    edit("veth-peer-gateway", "veth0", PAIR, ["10.0.5.1", "10.0.5.3"]),
    edit("veth-peer-route", "veth0", PAIR, ["10.9.0.0/16 via 10.0.5.1", "unreachable 10.9.0.0/16"]),
    edit(
        "veth-peer-hwaddress",
        "veth0",
        "auto veth0\niface veth0\n    use veth\n    hwaddress 02:00:00:00:01:01\n    veth-peer p0\n{}",
        ["02:00:00:00:01:03", "02:00:00:00:01:04"],
    ),
    edit("veth-peer-mtu", "veth0", PAIR, ["1400", "1300"]),
    edit("veth-peer-master", "veth0", PAIR_HERE, ["dummybr0", "dummybr1"]),
    edit("veth-peer-up", "veth0", PAIR, ["no", "yes"]),
    edit("veth-queues", "veth0", PAIR, ["2", "3"]),
    edit(
        "bridge-ports",
        "br0",
        "auto br0\niface br0\n    use bridge\n    bridge-stp no\n    bridge-maxwait 0\n{}",
        ["eth1 eth2", "eth2 eth3"],
    ),
    edit("bridge-waitport", "br0", BRIDGE, ["1 eth1", "2 eth2"]),
    edit(
        "bridge-maxwait",
        "br0",
        "auto br0\niface br0\n    use bridge\n    bridge-ports eth1 eth2\n{}",
        ["0", "1"],
    ),
    edit("bridge-ageing", "br0", BRIDGE, ["100", "200"]),
    edit("bridge-bridgeprio", "br0", BRIDGE, ["100", "200"]),
    edit("bridge-fd", "br0", BRIDGE, ["10", "20"]),
    edit("bridge-hello", "br0", BRIDGE, ["3", "4"]),
    edit("bridge-maxage", "br0", BRIDGE, ["15", "18"]),
    edit(
        "bridge-stp",
        "br0",
        "auto br0\niface br0\n    use bridge\n    bridge-ports eth1 eth2\n    bridge-fd 2\n{}",
        ["yes", "no"],
    ),
    edit("bridge-hw", "br0", BRIDGE, ["02:00:00:00:02:01", "02:00:00:00:02:02"]),
    edit("bridge-pathcost", "br0", BRIDGE, ["eth1 10", "eth2 20"]),
    edit("bridge-portprio", "br0", BRIDGE, ["eth1 10", "eth2 20"]),
    edit("bridge-access", "br0", FILTERING, ["7", "8"]),
    edit("bridge-pvid", "br0", FILTERING, ["7", "8"]),
    edit("bridge-vids", "br0", FILTERING, ["10 20", "20 30"]),
    edit("bridge-allow-untagged", "br0", FILTERING, ["no", "yes"]),
    edit("bridge-arp-nd-suppress", "eth1", PORT, ["yes", "no"]),
    edit("bridge-vlan-filtering", "br0", BRIDGE, ["yes", "no"]),
    edit("bridge-vlan-aware", "br0", BRIDGE, ["yes", "no"]),
    edit("bridge-default-pvid", "br0", FILTERING, ["5", "none"]),
    edit("bridge-vlan-protocol", "br0", FILTERING, ["802.1ad", "802.1Q"]),
    edit("bridge-vlan", "eth1", PORT, ["10 pvid untagged", "20, 30"]),
    edit(
        "bridge-member",
        "eth1",
        "auto br0\niface br0\n    bridge-vlan-filtering yes\n
auto br1\niface br1\n    bridge-vlan-filtering yes\n
auto eth1\niface eth1\n    use bridge\n{}",
        ["br0", "br1"],
    ),
    edit("bridge-isolated", "eth1", PORT, ["yes", "no"]),
    edit("bridge-learning", "eth1", PORT, ["no", "yes"]),
    edit("bridge-locked", "eth1", PORT, ["yes", "no"]),
    edit("bridge-unicast-flood", "eth1", PORT, ["no", "yes"]),
    edit("bridge-multicast-flood", "eth1", PORT, ["no", "yes"]),
    edit("bridge-broadcast-flood", "eth1", PORT, ["no", "yes"]),
    edit("bridge-fdb", "eth1", PORT, ["02:00:00:00:03:01", "02:00:00:00:03:02"]),
    edit(
        "bridge-allow",
        "eth1",
        PORT,
        ["02:00:00:00:03:01 10.0.3.1", "02:00:00:00:03:01 10.0.3.2 fd00:3::2"],
    ),
];

/// Edits of keywords that have another meaning in other stanzas.
pub const MORE: &[Edit] = &[
    edit("vrf-rules-local", "red", VRF_RULES, ["32765", "no"]),
    edit("vrf-rules-unreachable", "red", VRF_RULES, ["no", "2000"]),
    edit(
        "vrf-route",
        "eth1",
        "auto red\niface red\n    vrf-table 10\n
auto eth1\niface eth1\n    vrf-member red\n    address 10.0.1.1/24\n{}",
        ["10.9.0.0/16 via 10.0.1.2", "10.8.0.0/16 via 10.0.1.3"],
    ),
    edit("bridge-vlan", "br0", FILTERING, ["10", "20, 30"]),
    edit("bridge-vlan", "eth1", LISTED, ["10 pvid untagged", "20, 30"]),
    edit("bridge-pathcost", "eth1", LISTED, ["10", "20"]),
    edit("bridge-default-pvid", "br0", FILTERING, ["none", "5"]),
    edit("netns-keep", "eth1", NETNS, ["yes", "no"]),
];

const CARD: &str = "auto eth1\niface eth1\n    use static\n    use forward\n    address 10.0.1.1/24\n{}";
const BARE: &str = "auto eth1\niface eth1\n    use static\n{}";
const ROUTED: &str = "auto eth1\niface eth1\n    address 10.0.1.1/24\n    gateway 10.0.1.2\n{}";
const VLAN: &str = "auto eth1.8\niface eth1.8\n    address 10.0.8.1/24\n{}";

/// Keywords of the stock `link`, `static` and `forward`, with ours in their place.
pub const NATIVE: &[Edit] = &[
    edit("mtu", "eth1", CARD, ["1400", "1300"]),
    edit("hwaddress", "eth1", CARD, ["02:00:00:00:01:07", "02:00:00:00:01:08"]),
    edit("alias", "eth1", CARD, ["the card", "uplink"]),
    edit("link-options", "eth1", CARD, ["mtu 1400", "mtu 1300"]),
    edit("address", "eth1", BARE, ["10.0.1.1/24", "2001:db8::1/64"]),
    edit("address", "eth1", CARD, ["10.0.1.2/24", "10.0.1.3/24"]),
    edit("gateway", "eth1", CARD, ["10.0.1.2", "10.0.1.3"]),
    edit("metric", "eth1", ROUTED, ["20", "30"]),
    edit("point-to-point", "eth1", CARD, ["192.0.2.1", "192.0.2.2"]),
    edit("forward-ipv4", "eth1", CARD, ["yes", "no"]),
    edit("forward-ipv6", "eth1", CARD, ["yes", "no"]),
    edit("vlan-protocol", "eth1.8", VLAN, ["802.1ad", "802.1Q"]),
    edit("vlan-gvrp", "eth1.8", VLAN, ["on", "off"]),
    edit("mtu", "eth1.8", VLAN, ["1400", "1300"]),
];

const NAMED_VLAN: &str = "auto vl8\niface vl8\n    vlan-raw-device eth1\n    address 10.0.8.1/24\n{}";
const RAW_VLAN: &str = "auto vl8\niface vl8\n    vlan-id 8\n    address 10.0.8.1/24\n{}";
const REQUIRES: &str = "auto eth2\niface eth2\n\nauto eth3\niface eth3\n
auto eth1\niface eth1\n    address 10.0.1.1/24\n{}";

/// Edits that `apply` makes and that `ifup -f` does not make, or the other way round than above.
pub const APPLIED: &[Edit] = &[
    edit("vlan-id", "vl8", NAMED_VLAN, ["8", "9"]),
    edit("vlan-raw-device", "vl8", RAW_VLAN, ["eth1", "eth2"]),
    edit("vlan-protocol", "eth1.8", VLAN, ["802.1Q", "802.1ad"]),
    edit("vlan-gvrp", "eth1.8", VLAN, ["off", "on"]),
    edit("requires", "eth1", REQUIRES, ["eth2", "eth3"]),
    edit("bridge-vlan-filtering", "br0", BRIDGE, ["no", "yes"]),
    edit("bridge-vlan-protocol", "br0", FILTERING, ["802.1Q", "802.1ad"]),
    edit("bridge-stp", "br0", BRIDGE, ["no", "yes"]),
    edit("bridge-pathcost", "eth1", PORT, ["10", "20"]),
    edit("veth-peer-up", "veth0", PAIR, ["yes", "no"]),
];

/// All of them.
pub const TABLES: [&[Edit]; 4] = [EDITS, MORE, NATIVE, APPLIED];

const fn edit(
    keyword: &'static str,
    iface: &'static str,
    file: &'static str,
    values: [&'static str; 2],
) -> Edit {
    Edit { keyword, iface, file, values }
}

//! How the port becomes guarded: not at all, by rules of nft that say the same as the keyword, or by the keyword.

use super::frames::{Station, mac_text};
use crate::ifupdown::{Ifupdown, Installed, Way};
use crate::lab::{SCRATCH, command, ip, ip_batch, ip_json};
use std::fmt::Write as _;
use std::fs;
use std::net::Ipv6Addr;

/// A station of the list, with its VLAN.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    pub station: Station,
    pub vid: Option<u16>,
}

/// The bridge of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Without VLANs.
    Plain,
    /// eth0 has the PVID 10 untagged, and 20; eth1 has both with tags.
    Vlans,
}

/// Does something with a list.
type Act = Box<dyn Fn(&[Entry])>;

/// What happens to eth0, the port. br0 exists, with its other port eth1.
pub struct Actions {
    /// It joins the bridge with this list.
    pub up: Act,
    /// It gets another list.
    pub change: Act,
    /// It leaves the bridge.
    pub down: Box<dyn Fn()>,
}

/// Without rules: everything arrives.
pub fn unguarded(layout: Layout) -> Actions {
    bridge(layout);
    Actions {
        up: Box::new(move |_| join(layout)),
        change: Box::new(|_| {}),
        down: Box::new(|| drop(ip("link set eth0 down nomaster"))),
    }
}

/// With the rules of this file.
pub fn by_reference(layout: Layout) -> Actions {
    bridge(layout);
    let load = move |list: &[Entry]| {
        let file = format!("{SCRATCH}/reference.nft");
        fs::write(&file, reference(layout, list)).unwrap();
        command(&format!("nft -f {file}")).quiet();
    };
    Actions {
        up: Box::new(move |list| {
            load(list);
            join(layout);
        }),
        change: Box::new(load),
        down: Box::new(|| {
            ip("link set eth0 nomaster");
            ip("link set eth0 down");
            command("nft delete table bridge reference").quiet();
        }),
    }
}

/// With the keyword, by real ifup and ifdown. A list is changed by `ifup -f` or by `ifnetlink apply`.
pub fn by_keyword(layout: Layout, ifupdown: Ifupdown, way: Way) -> Actions {
    let installed: &'static Installed = Box::leak(Box::new(ifupdown.install(&stanzas(layout, &[]))));
    installed.ifup("br0 eth1").quiet();
    hear_everything();
    Actions {
        up: Box::new(move |list| {
            installed.interfaces(&stanzas(layout, list));
            installed.ifup("eth0").quiet();
        }),
        change: Box::new(move |list| {
            installed.interfaces(&stanzas(layout, list));
            match way {
                Way::Ifup => installed.ifup("-f eth0").quiet(),
                Way::Apply => installed.ifnetlink("apply eth0").quiet(),
            };
        }),
        down: Box::new(|| {
            installed.ifdown("-f eth0");
            let port = ip_json("link show eth0").remove(0);
            assert!(port["master"].is_null(), "{port}");
            // A forced ifup counted once more, and eth0 would count as up.
            installed.forget();
            installed.ifup("br0 eth1").quiet();
        }),
    }
}

/// The interfaces file.
fn stanzas(layout: Layout, list: &[Entry]) -> String {
    let [filtering, port, trunk] = match layout {
        Layout::Plain => [""; 3],
        Layout::Vlans => [
            "    bridge-vlan-filtering yes\n    bridge-default-pvid none\n    bridge-vlan 10, 20\n",
            "    bridge-vlan 10 pvid untagged, 20\n",
            "    bridge-vlan 10, 20\n",
        ],
    };
    let entry = |Entry { station, vid }: &Entry| {
        let vlan = vid.map(|vid| format!(" vlan {vid}")).unwrap_or_default();
        format!("{}{vlan} {} {}", mac_text(station.mac), station.v4, station.v6)
    };
    let list: Vec<String> = list.iter().map(entry).collect();
    let list = list.join(", ");
    format!(
        "iface br0\n    bridge-ports none\n{filtering}\
         iface eth0\n    bridge-member br0\n{port}    bridge-allow {list}\n\
         iface eth1\n    bridge-member br0\n{trunk}"
    )
}

fn bridge(layout: Layout) {
    let filtering = if layout == Layout::Vlans { "vlan_filtering 1 vlan_default_pvid 0" } else { "" };
    ip_batch(&[
        &format!("link add br0 type bridge {filtering}"),
        "link set eth1 master br0",
        "link set eth1 up",
        "link set br0 up",
    ]);
    if layout == Layout::Vlans {
        for vid in ["10", "20"] {
            command(&format!("bridge vlan add dev eth1 vid {vid}")).quiet();
            command(&format!("bridge vlan add dev br0 vid {vid} self")).quiet();
        }
    }
    hear_everything();
}

/// The host sees the frames that the bridge floods, and the bridge forwards multicast to every port.
fn hear_everything() {
    ip("link set br0 promisc on type bridge mcast_snooping 0");
}

fn join(layout: Layout) {
    ip("link set eth0 master br0");
    if layout == Layout::Vlans {
        command("bridge vlan add dev eth0 vid 10 pvid untagged").quiet();
        command("bridge vlan add dev eth0 vid 20").quiet();
    }
    ip("link set eth0 up");
}

/// The rules, in one transaction.
fn reference(layout: Layout, list: &[Entry]) -> String {
    let mut rules =
        String::from("table bridge reference {}\ndelete table bridge reference\ntable bridge reference {\n");
    for (number, entry) in list.iter().enumerate() {
        station(&mut rules, number, entry.station);
    }
    let (mut dispatch, mut out) = (String::new(), String::new());
    let mut macs = Vec::new();
    for (number, Entry { station, vid }) in list.iter().enumerate() {
        let mac = mac_text(station.mac);
        match (layout, vid) {
            (Layout::Vlans, Some(10)) => {
                writeln!(dispatch, "ether type != 8021q ether saddr {mac} goto station{number}").unwrap();
                writeln!(dispatch, "vlan id {{ 0, 10 }} ether saddr {mac} goto station{number}").unwrap();
            }
            (Layout::Vlans, Some(vid)) => {
                writeln!(dispatch, "vlan id {vid} ether saddr {mac} goto station{number}").unwrap();
                writeln!(out, "vlan id {vid} ether daddr {mac} accept").unwrap();
            }
            _ => writeln!(dispatch, "ether saddr {mac} goto station{number}").unwrap(),
        }
        macs.push(mac);
    }
    if layout == Layout::Vlans {
        out.push_str("ether type 8021q drop\n");
    }
    let macs = macs.join(", ");
    write!(
        rules,
        r#"
chain listed {{
    {dispatch}
    drop
}}
chain guarded {{
    # Not `meta protocol`: on newer kernels that is the one behind a second tag, or behind PPPoE.
    ether type {{ arp, ip, ip6 }} goto listed
    ether type {{ 8021q, 8021ad }} @ll,128,16 {{ 0x0800, 0x0806, 0x86dd }} goto listed
    drop
}}
chain local {{
    meta protocol {{ 1, 4 }} drop
    ether saddr {{ {macs} }} accept
    drop
}}
chain out {{
    ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00 accept
    {out}
    ether daddr {{ {macs} }} accept
    drop
}}
chain prerouting {{
    type filter hook prerouting priority -300
    iifname "eth0" goto guarded
}}
chain input {{
    type filter hook input priority -300
    iifname "eth0" ether daddr & ff:ff:ff:ff:ff:f0 == 01:80:c2:00:00:00 goto local
}}
chain postrouting {{
    type filter hook postrouting priority 300
    oifname "eth0" goto out
}}
}}
"#
    )
    .unwrap();
    rules
}

/// The chains of a station: its Ethernet address and VLAN are known to be right.
fn station(rules: &mut String, number: usize, station: Station) {
    let (mac, v4, v6, link_local) = (mac_text(station.mac), station.v4, station.v6, station.link_local());
    let raw_mac = mac.replace(':', "");
    let raw = |address: Ipv6Addr| format!("{:032x}", u128::from(address));
    let (raw6, raw_link_local) = (raw(v6), raw(link_local));
    let raw4 = u32::from(v4);
    // Raw, because nft would compare the protocol in front of a tag.
    let arp = "meta protocol arp @nh,0,48 0x000108000604";
    // Of the payload of an ICMPv6 message: bit 64 is its target, bit 192 the option behind it.
    write!(
        rules,
        r"
chain nd{number} {{
    @th,0,8 135 ip6 length 24 accept
    @th,0,8 135 ip6 length 32 @th,192,16 0x0101 @th,208,48 0x{raw_mac} accept
    @th,0,8 135 ip6 length 32 @th,192,16 0x0e01 accept
    @th,0,8 136 @th,64,128 != 0x{raw6} @th,64,128 != 0x{raw_link_local} drop
    @th,0,8 136 ip6 length 24 accept
    @th,0,8 136 ip6 length 32 @th,192,16 0x0201 @th,208,48 0x{raw_mac} accept
    @th,0,8 133 ip6 length 8 accept
    @th,0,8 133 ip6 length 16 @th,64,16 0x0101 @th,80,48 0x{raw_mac} accept
    drop
}}
chain unspecified{number} {{
    meta l4proto 58 @th,0,8 {{ 131, 132, 143 }} accept
    ip6 nexthdr 58 @th,0,8 135 @th,64,128 0x{raw6} goto nd{number}
    ip6 nexthdr 58 @th,0,8 135 @th,64,128 0x{raw_link_local} goto nd{number}
    drop
}}
chain six{number} {{
    # nft does not look behind an authentication header (51).
    ip6 saddr :: goto unspecified{number}
    ip6 saddr != {{ {v6}, {link_local} }} drop
    # The version first: otherwise nft would compare the protocol in front of a tag.
    ip6 version 6 frag frag-off != 0 accept
    ip6 version 6 frag more-fragments 1 ip6 nexthdr != 44 drop
    ip6 version 6 frag more-fragments 1 @nh,320,8 {{ 0, 43, 44, 51, 60 }} drop
    ip6 version 6 frag more-fragments 1 ip6 length < 16 drop
    ip6 nexthdr 58 @th,0,8 133-137 goto nd{number}
    meta l4proto 58 @th,0,8 133-137 drop
    meta l4proto 58 @th,0,8 != 133 accept
    meta l4proto 17 th sport != 547 accept
    meta l4proto != {{ 17, 51, 58 }} accept
    drop
}}
chain four{number} {{
    ip saddr 0.0.0.0 ip daddr 255.255.255.255 udp sport 68 udp dport 67 @th,288,48 0x{raw_mac} accept
    ip saddr != {v4} drop
    ip frag-off & 0x1fff != 0 accept
    meta l4proto != 17 accept
    meta l4proto 17 th sport != 67 accept
    drop
}}
chain station{number} {{
    {arp} @nh,48,16 1-2 @nh,64,48 0x{raw_mac} @nh,112,32 {raw4} accept
    {arp} @nh,48,16 1 @nh,64,48 0x{raw_mac} @nh,112,32 0 @nh,192,32 {raw4} accept
    meta protocol ip goto four{number}
    meta protocol ip6 goto six{number}
    drop
}}
"
    )
    .unwrap();
}

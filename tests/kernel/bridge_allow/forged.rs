//! What a listed station may not send.

use super::frames::{
    ALL_NODES, ALL_ROUTERS, ARP, Arp, BROADCAST, Header, ICMP, ICMPV6, IPV4, IPV6, Ipv4, Mac, PEER, PEER4,
    PEER6, Station, TCP, UDP, advertise, authentication, dhcp, ether, fragment, icmp, ipv6, ipv6_of_length,
    jumbo, link_option, llc, mld, mld_report, multicast6, nonce, padding_options, redirect, router_advertise,
    router_alert, router_solicit, routing, solicit, solicited, tcp_syn, udp,
};
use super::kinds::Frames;
use super::legitimate;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::slice;

const ANY4: Ipv4Addr = Ipv4Addr::UNSPECIFIED;
const ANY6: Ipv6Addr = Ipv6Addr::UNSPECIFIED;

/// All, without a tag: `own` is listed, `other` is not.
pub fn all(own: Station, other: Station) -> Frames {
    let mut frames = Frames::default();
    sources(&mut frames, own, other);
    protocols(&mut frames, own, other);
    arp(&mut frames, own, other);
    arp_shapes(&mut frames, own);
    v4_sources(&mut frames, own, other);
    v4_shapes(&mut frames, own, other);
    v4_dhcp(&mut frames, own, other);
    v6_sources(&mut frames, own, other);
    v6_headers(&mut frames, own, other);
    v6_unspecified(&mut frames, own, other);
    v6_servers(&mut frames, own, other);
    v6_hidden(&mut frames, own);
    discovery(&mut frames, own, other);
    discovery_shapes(&mut frames, own, other);
    discovery_behind_headers(&mut frames, own);
    frames
}

/// Everything that a station may send, from another Ethernet address.
fn sources(frames: &mut Frames, own: Station, other: Station) {
    let mut near = [own.mac; 3];
    near[0][5] ^= 0x80;
    near[1][0] ^= 2;
    near[2].reverse();
    near[2][0] &= 0xfe;
    for (name, mac) in
        [("other", other.mac), ("one-bit", near[0]), ("not-local", near[1]), ("reversed", near[2])]
    {
        for frame in legitimate::all(own).0 {
            let mut bytes = frame.bytes;
            bytes[6..12].copy_from_slice(&mac);
            frames.add(format!("source/{name}/{}", frame.name), bytes);
        }
    }
    let packet = ether(PEER, own.mac, IPV4, &Ipv4::new(own.v4, PEER4, UDP, &udp(4000, 4001, b"")).bytes());
    let mut group = own.mac;
    group[0] |= 1;
    for (name, mac) in [("broadcast", BROADCAST), ("multicast", group), ("zero", [0; 6])] {
        let mut bytes = packet.clone();
        bytes[6..12].copy_from_slice(&mac);
        frames.add_dropped(format!("source/{name}"), bytes);
    }
    // Everything of another station, as a machine with two addresses would send it.
    for frame in legitimate::all(other).0 {
        frames.add(format!("source/all-other/{}", frame.name), frame.bytes);
    }
}

fn protocols(frames: &mut Frames, own: Station, other: Station) {
    let packet = Ipv4::new(own.v4, PEER4, UDP, &udp(4000, 4001, b"")).bytes();
    for protocol in [
        0x0600, 0x0801, 0x0805, 0x0807, 0x0842, 0x22f3, 0x6003, 0x6558, 0x6559, 0x8035, 0x809b, 0x80f3,
        0x8137, 0x86dc, 0x86de, 0x8808, 0x8809, 0x880b, 0x8847, 0x8848, 0x8863, 0x8864, 0x886d, 0x888e,
        0x88a2, 0x88b5, 0x88b7, 0x88be, 0x88cc, 0x88e5, 0x88e7, 0x88f5, 0x88f7, 0x8902, 0x8906, 0x8914,
        0x892f, 0x893a, 0x894f, 0x9000, 0x9100, 0x9200, 0x9300, 0xa0ed, 0xb7ea, 0xcafe, 0xffff,
    ] {
        frames.add(format!("protocol/{protocol:04x}"), ether(PEER, own.mac, protocol, &packet));
    }
    let rarp = Arp { operation: 3, ..Arp::request((own.mac, own.v4), PEER4) };
    frames.add("rarp/request", ether(BROADCAST, own.mac, 0x8035, &rarp.bytes()));
    let rarp = Arp { operation: 4, ..Arp::request((other.mac, other.v4), PEER4) };
    frames.add("rarp/reply", ether(BROADCAST, own.mac, 0x8035, &rarp.bytes()));
    let ppp = [&[0x11, 0, 0, 1, 0, 30, 0, 0x21][..], &packet].concat();
    frames.add("pppoe/session", ether(PEER, own.mac, 0x8864, &ppp));
    let packet6 = ipv6(own.v6, PEER6, &[], UDP, &udp(4000, 4001, b""));
    let ppp = [&[0x11, 0, 0, 1, 0, 50, 0, 0x57][..], &packet6].concat();
    frames.add("pppoe/session-ipv6", ether(PEER, own.mac, 0x8864, &ppp));
    frames.add("pppoe/offer", ether(PEER, own.mac, 0x8863, &[0x11, 7, 0, 0, 0, 4, 1, 1, 0, 0]));
    let label = [&[0, 0, 0x11, 64][..], &packet].concat();
    frames.add("mpls/unicast", ether(PEER, own.mac, 0x8847, &label));
    frames.add("mpls/multicast", ether(PEER, own.mac, 0x8848, &label));
    let bpdu = [&[0x42, 0x42, 3][..], &[0; 35]].concat();
    frames.add("llc/bpdu", llc([1, 0x80, 0xc2, 0, 0, 0], own.mac, &bpdu));
    frames.add("llc/bpdu-from-other", llc([1, 0x80, 0xc2, 0, 0, 0], other.mac, &bpdu));
    frames.add("llc/bpdu-unicast", llc(PEER, own.mac, &bpdu));
    let pvst = [&[0xaa, 0xaa, 3, 0, 0, 12, 1, 11][..], &[0; 35]].concat();
    frames.add("llc/pvst", llc([1, 0, 12, 0xcc, 0xcc, 0xcd], own.mac, &pvst));
    let cdp = [&[0xaa, 0xaa, 3, 0, 0, 12, 0x20, 0][..], &[2, 180, 0, 0]].concat();
    frames.add("llc/cdp", llc([1, 0, 12, 0xcc, 0xcc, 0xcc], own.mac, &cdp));
    frames.add("llc/ipx-raw", llc(PEER, own.mac, &[0xff; 30]));
    frames.add("llc/netbios", llc(BROADCAST, own.mac, &[0xf0, 0xf0, 3, 0, 0, 0, 0]));
    frames.add("llc/is-is", llc([9, 0, 0x2b, 0, 0, 5], own.mac, &[0xfe, 0xfe, 3, 0x83, 0, 0, 0]));
    frames.add("llc/ip", llc(PEER, own.mac, &[&[6, 6, 3][..], &packet].concat()));
    for length in [0, 1, 46, 1500, 1501, 1535] {
        frames.add(format!("llc/length-{length}"), ether(PEER, own.mac, length, &packet));
    }
}

fn arp(frames: &mut Frames, own: Station, other: Station) {
    let broadcast = Ipv4Addr::BROADCAST;
    let (me, them) = ((own.mac, own.v4), (other.mac, other.v4));
    let mut add = |name: &str, to: Mac, arp: Arp| {
        frames.add(format!("arp/{name}"), ether(to, own.mac, ARP, &arp.bytes()));
    };
    for (name, sender) in [
        ("sender-mac", (other.mac, own.v4)),
        ("sender-ip", (own.mac, other.v4)),
        ("sender", them),
        ("sender-ip-peer", (own.mac, PEER4)),
        ("sender-ip-next", (own.mac, Ipv4Addr::from(u32::from(own.v4) ^ 1))),
        ("sender-ip-broadcast", (own.mac, broadcast)),
        ("sender-ip-multicast", (own.mac, Ipv4Addr::new(224, 0, 0, 1))),
        ("sender-ip-loopback", (own.mac, Ipv4Addr::LOCALHOST)),
        ("sender-mac-zero", ([0; 6], own.v4)),
        ("sender-mac-broadcast", (BROADCAST, own.v4)),
        ("sender-mac-peer", (PEER, PEER4)),
    ] {
        add(&format!("request/{name}"), BROADCAST, Arp::request(sender, PEER4));
        add(&format!("request-unicast/{name}"), PEER, Arp::request(sender, PEER4));
        add(&format!("reply/{name}"), PEER, Arp::reply(sender, (PEER, PEER4)));
        add(&format!("gratuitous/{name}"), BROADCAST, Arp::request(sender, sender.1));
        add(&format!("gratuitous-reply/{name}"), BROADCAST, Arp::reply(sender, (BROADCAST, sender.1)));
    }
    for (name, target) in [("other", other.v4), ("peer", PEER4), ("any", ANY4), ("broadcast", broadcast)] {
        add(&format!("probe/target-{name}"), BROADCAST, Arp::request((own.mac, ANY4), target));
    }
    add("probe/sender-mac", BROADCAST, Arp::request((other.mac, ANY4), own.v4));
    add("probe/sender-mac-zero", BROADCAST, Arp::request(([0; 6], ANY4), own.v4));
    add("probe/other", BROADCAST, Arp::request((other.mac, ANY4), other.v4));
    add("probe/as-reply", BROADCAST, Arp::reply((own.mac, ANY4), (BROADCAST, own.v4)));
    add("probe/as-reply-to-other", PEER, Arp::reply((own.mac, ANY4), them));
    add("reply/to-all-for-other", BROADCAST, Arp::reply((own.mac, other.v4), (BROADCAST, PEER4)));
    add("reply/to-other-as-peer", PEER, Arp::reply((own.mac, PEER4), them));
    for operation in [0, 3, 4, 5, 8, 9, 10, 25, 256, 512, 0xffff] {
        add(&format!("operation-{operation}"), BROADCAST, Arp { operation, ..Arp::request(me, PEER4) });
    }
}

fn arp_shapes(frames: &mut Frames, own: Station) {
    let usual = Arp::request((own.mac, own.v4), PEER4);
    let mut add = |name: String, arp: Arp| {
        frames.add(format!("arp/{name}"), ether(BROADCAST, own.mac, ARP, &arp.bytes()));
    };
    for htype in [0, 6, 15, 32, 256, 0xffff] {
        add(format!("htype-{htype}"), Arp { htype, ..usual });
    }
    for ptype in [0, 0x0806, 0x0801, 0x86dd, 8, 0xffff] {
        add(format!("ptype-{ptype:04x}"), Arp { ptype, ..usual });
    }
    for length in [0, 1, 5, 7, 8, 20, 255] {
        add(format!("hlen-{length}"), Arp { hlen: length, ..usual });
        add(format!("plen-{length}"), Arp { plen: length, ..usual });
    }
    add("lengths-exchanged".to_owned(), Arp { hlen: 4, plen: 6, ..usual });
    for length in [0, 6, 8, 14, 17] {
        let bytes = &usual.bytes()[..length];
        frames.add_short(format!("arp/cut-at-{length}"), ether(PEER, own.mac, ARP, bytes));
    }
}

fn v4_sources(frames: &mut Frames, own: Station, other: Station) {
    let plain = udp(4000, 4001, b"payload");
    let mut add = |name: String, from: Ipv4Addr, protocol: u8, payload: &[u8]| {
        let packet = Ipv4::new(from, PEER4, protocol, payload).bytes();
        frames.add(format!("ipv4/{name}"), ether(PEER, own.mac, IPV4, &packet));
    };
    for (name, from) in [
        ("other", other.v4),
        ("peer", PEER4),
        ("next", Ipv4Addr::from(u32::from(own.v4) ^ 1)),
        ("network", Ipv4Addr::from(u32::from(own.v4) & 0xffff_ff00)),
        ("elsewhere", Ipv4Addr::new(198, 51, 100, 7)),
        ("loopback", Ipv4Addr::LOCALHOST),
        ("broadcast", Ipv4Addr::BROADCAST),
        ("multicast", Ipv4Addr::new(224, 0, 0, 1)),
        ("link-local", Ipv4Addr::new(169, 254, 7, 7)),
        ("unspecified", ANY4),
    ] {
        for (what, protocol, payload) in [
            ("udp", UDP, &plain),
            ("tcp", TCP, &tcp_syn()),
            ("ping", ICMP, &icmp(8, &[0, 1, 0, 1])),
            ("ping-answer", ICMP, &icmp(0, &[0, 1, 0, 1])),
        ] {
            add(format!("source-{name}/{what}"), from, protocol, payload);
        }
    }
    for (name, from) in [("other", other.v4), ("unspecified", ANY4)] {
        add(format!("source-{name}/redirect"), from, ICMP, &icmp(5, &[0; 32]));
        add(format!("source-{name}/dns-answer"), from, UDP, &udp(53, 4000, b"answer"));
        for protocol in [0, 2, 4, 41, 47, 50, 51, 58, 88, 89, 103, 112, 132, 136, 253, 255] {
            add(format!("source-{name}/protocol-{protocol}"), from, protocol, &[0x11; 40]);
        }
    }
}

fn v4_shapes(frames: &mut Frames, own: Station, other: Station) {
    let plain = udp(4000, 4001, b"payload");
    let usual = Ipv4::new(other.v4, PEER4, UDP, &plain);
    let mut add = |name: &str, packet: &[u8]| {
        frames.add(format!("ipv4/{name}"), ether(PEER, own.mac, IPV4, packet));
    };
    let source_route = &[131, 7, 4, 192, 168, 5, 9, 1];
    for (name, options) in [
        ("router-alert", &[0x94, 4, 0, 0][..]),
        ("nothing", &[1; 40]),
        ("source-route", source_route),
        ("record-route", &[7, 7, 4, 0, 0, 0, 0, 0]),
        // The listed address, where a longer header would have its source.
        ("own-address", &own.v4.octets()),
    ] {
        add(&format!("options/{name}"), &Ipv4 { options, ..usual.clone() }.bytes());
    }
    for (from_name, from) in [("other", other.v4), ("unspecified", ANY4)] {
        for (name, fragment) in
            [("first", 0x2000), ("middle", 0x2007), ("last", 7), ("far", 0x1fff), ("whole", 0x4000)]
        {
            for (what, protocol) in [("udp", UDP), ("tcp", TCP), ("icmp", ICMP)] {
                let packet = Ipv4 { from, fragment, protocol, payload: vec![8; 24], ..usual.clone() };
                add(&format!("fragment-{name}/{from_name}/{what}"), &packet.bytes());
            }
        }
        let tiny = Ipv4 { from, fragment: 0x2000, payload: plain[..8].to_vec(), ..usual.clone() };
        add(&format!("fragment-tiny/{from_name}"), &tiny.bytes());
    }
    let mut change = |name: &str, place: usize, value: u8| {
        let mut bytes = usual.bytes();
        bytes[place] = value;
        frames.add(format!("ipv4/{name}"), ether(PEER, own.mac, IPV4, &bytes));
    };
    change("version-6", 0, 0x65);
    change("version-0", 0, 5);
    change("header-of-16", 0, 0x44);
    change("header-of-60", 0, 0x4f);
    change("header-of-0", 0, 0x40);
    change("length-too-large", 2, 0xff);
    change("length-too-small", 3, 10);
    for length in [0, 1, 12, 15] {
        let bytes = &usual.bytes()[..length];
        frames.add_short(format!("ipv4/cut-at-{length}"), ether(PEER, own.mac, IPV4, bytes));
    }
    let inside = ipv6(other.v6, PEER6, &[], UDP, &plain);
    frames.add("ipv4/holds-ipv6", ether(PEER, own.mac, IPV4, &inside));
    frames.add("ipv6/holds-ipv4", ether(PEER, own.mac, IPV6, &usual.bytes()));
}

fn v4_dhcp(frames: &mut Frames, own: Station, other: Station) {
    let all = Ipv4Addr::BROADCAST;
    let mut add = |name: &str, packet: Ipv4<'_>| {
        frames.add(format!("dhcp/{name}"), ether(BROADCAST, own.mac, IPV4, &packet.bytes()));
    };
    let discover = dhcp(1, own.mac, 1);
    for (name, client) in [("other", other.mac), ("peer", PEER), ("zero", [0; 6]), ("broadcast", BROADCAST)] {
        for (kind, what) in [(1, "discover"), (3, "request"), (4, "decline"), (7, "release")] {
            let message = udp(68, 67, &dhcp(1, client, kind));
            add(&format!("{what}/chaddr-{name}"), Ipv4::new(ANY4, all, UDP, &message));
        }
    }
    // A parser that expects a header of 20 bytes would find the listed address.
    let mut message = dhcp(1, other.mac, 1);
    message[24..30].copy_from_slice(&own.mac);
    let message = udp(68, 67, &message);
    add("chaddr-moved-by-options", Ipv4 { options: &[1; 4], ..Ipv4::new(ANY4, all, UDP, &message) });
    for (name, to) in [("peer", PEER4), ("multicast", Ipv4Addr::new(224, 0, 0, 1)), ("unspecified", ANY4)] {
        add(&format!("discover-to-{name}"), Ipv4::new(ANY4, to, UDP, &udp(68, 67, &discover)));
    }
    for (from, to) in [(68, 68), (68, 66), (69, 67), (4000, 67), (68, 4000), (67, 67), (67, 68)] {
        add(&format!("ports-{from}-{to}"), Ipv4::new(ANY4, all, UDP, &udp(from, to, &discover)));
    }
    let tcp = udp(68, 67, &discover);
    add("as-tcp", Ipv4::new(ANY4, all, TCP, &tcp));
    add("as-sctp", Ipv4::new(ANY4, all, 132, &tcp));
    add("later-fragment", Ipv4 { fragment: 1, ..Ipv4::new(ANY4, all, UDP, &tcp) });
    add("cut-before-chaddr", Ipv4::new(ANY4, all, UDP, &udp(68, 67, &discover[..20])));
    for (name, from) in [("own", own.v4), ("other", other.v4), ("peer", PEER4), ("unspecified", ANY4)] {
        for (kind, what) in [(2, "offer"), (5, "ack"), (6, "nak")] {
            let message = udp(67, 68, &dhcp(2, PEER, kind));
            add(&format!("server/{what}/{name}"), Ipv4::new(from, all, UDP, &message));
        }
        let message = udp(67, 68, &dhcp(2, PEER, 2));
        let usual = Ipv4::new(from, all, UDP, &message);
        add(&format!("server/unicast/{name}"), Ipv4 { to: PEER4, ..usual.clone() });
        add(&format!("server/options/{name}"), Ipv4 { options: &[1; 12], ..usual.clone() });
        add(&format!("server/first-fragment/{name}"), Ipv4 { fragment: 0x2000, ..usual.clone() });
        let tiny = Ipv4 { payload: message[..8].to_vec(), fragment: 0x2000, ..usual };
        add(&format!("server/tiny-fragment/{name}"), tiny);
        for to in [67, 69, 4000] {
            let message = udp(67, to, &dhcp(2, PEER, 2));
            add(&format!("server/to-port-{to}/{name}"), Ipv4::new(from, all, UDP, &message));
        }
    }
}

/// Adds IPv6 packets of the listed station's Ethernet address.
struct Packets<'a> {
    frames: &'a mut Frames,
    mac: Mac,
}

impl Packets<'_> {
    fn raw(&mut self, name: impl Into<String>, packet: &[u8]) {
        let to: Ipv6Addr = <[u8; 16]>::try_from(&packet[24..40]).unwrap().into();
        let to = if to.is_multicast() { multicast6(to) } else { PEER };
        self.frames.add(name, ether(to, self.mac, IPV6, packet));
    }

    fn add(
        &mut self,
        name: impl Into<String>,
        [from, to]: [Ipv6Addr; 2],
        headers: &[Header],
        protocol: u8,
        payload: &[u8],
    ) {
        self.raw(name, &ipv6(from, to, headers, protocol, payload));
    }
}

fn v6_sources(frames: &mut Frames, own: Station, other: Station) {
    let mut packets = Packets { frames, mac: own.mac };
    for (name, from) in [
        ("other", other.v6),
        ("peer", PEER6),
        ("next", Ipv6Addr::from(u128::from(own.v6) ^ 1)),
        ("network", Ipv6Addr::from(u128::from(own.v6) >> 64 << 64)),
        ("elsewhere", Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7)),
        ("link-local-other", other.link_local()),
        ("link-local-one", Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1)),
        ("link-local-subnet", Ipv6Addr::from(u128::from(own.link_local()) | (1 << 64))),
        ("loopback", Ipv6Addr::LOCALHOST),
        ("multicast", ALL_NODES),
        ("mapped", own.v4.to_ipv6_mapped()),
        ("compatible", own.v4.to_ipv6_compatible()),
        ("site-local", Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 1)),
    ] {
        for (what, protocol, payload) in [
            ("udp", UDP, &udp(4000, 4001, b"payload")),
            ("tcp", TCP, &tcp_syn()),
            ("ping", ICMPV6, &icmp(128, &[0, 1, 0, 1])),
            ("ping-answer", ICMPV6, &icmp(129, &[0, 1, 0, 1])),
            ("unreachable", ICMPV6, &icmp(1, &[0; 44])),
            ("nothing", 59, &vec![]),
        ] {
            packets.add(format!("ipv6/source-{name}/{what}"), [from, PEER6], &[], protocol, payload);
        }
    }
    for protocol in [1, 2, 4, 41, 47, 50, 88, 89, 103, 112, 132, 135, 136, 139, 140, 143, 253, 255] {
        let name = format!("ipv6/source-other/protocol-{protocol}");
        packets.add(name, [other.v6, PEER6], &[], protocol, &[0; 40]);
    }
    for (version, packet) in [4, 0, 15].map(|version| {
        let mut packet = ipv6(other.v6, PEER6, &[], UDP, &udp(4000, 4001, b""));
        packet[0] = version << 4;
        (version, packet)
    }) {
        packets.raw(format!("ipv6/version-{version}"), &packet);
    }
    for length in [0, 1, 8, 20, 23] {
        let bytes = &ipv6(other.v6, PEER6, &[], UDP, &[])[..length];
        frames.add_short(format!("ipv6/cut-at-{length}"), ether(PEER, own.mac, IPV6, bytes));
    }
}

/// Extension headers, alone and one after the other.
fn headers() -> Vec<(&'static str, Vec<Header>)> {
    vec![
        ("hop-by-hop", vec![padding_options(0)]),
        ("router-alert", vec![router_alert()]),
        ("jumbo", vec![jumbo(70000)]),
        ("destination-options", vec![padding_options(60)]),
        ("routing-0", vec![routing(0)]),
        ("routing-2", vec![routing(2)]),
        ("routing-4", vec![routing(4)]),
        ("atomic-fragment", vec![fragment(0, false)]),
        ("first-fragment", vec![fragment(0, true)]),
        ("authentication", vec![authentication()]),
        ("hop-by-hop-destination", vec![padding_options(0), padding_options(60)]),
        ("destination-destination", vec![padding_options(60), padding_options(60)]),
        ("destination-fragment", vec![padding_options(60), fragment(0, false)]),
        ("fragment-destination", vec![fragment(0, true), padding_options(60)]),
        ("fragment-fragment", vec![fragment(0, false), fragment(0, false)]),
        ("hop-by-hop-fragment", vec![padding_options(0), fragment(0, true)]),
        ("authentication-destination", vec![authentication(), padding_options(60)]),
        ("many", vec![padding_options(60); 12]),
    ]
}

fn v6_headers(frames: &mut Frames, own: Station, other: Station) {
    let mut packets = Packets { frames, mac: own.mac };
    for (from_name, from) in [("other", other.v6), ("link-local-other", other.link_local())] {
        let way = [from, PEER6];
        for (name, headers) in headers() {
            for (what, protocol, payload) in [
                ("udp", UDP, &udp(4000, 4001, b"payload")),
                ("tcp", TCP, &tcp_syn()),
                ("ping", ICMPV6, &icmp(128, &[0, 1, 0, 1])),
            ] {
                let name = format!("ipv6/{name}/{from_name}/{what}");
                packets.add(name, way, &headers, protocol, payload);
            }
        }
        for (name, header) in [
            ("middle", fragment(7, true)),
            ("last", fragment(7, false)),
            ("far", fragment(0x1fff, false)),
            ("tiny-first", fragment(0, true)),
        ] {
            for protocol in [UDP, TCP, ICMPV6, 60, 59] {
                let name = format!("ipv6/fragment-{name}/{from_name}/{protocol}");
                packets.add(name, way, slice::from_ref(&header), protocol, &[8; 8]);
            }
        }
        // Jumbo payloads state a length of 0.
        let options = [&[UDP][..], &jumbo(70000).1[1..], &udp(4000, 4001, b"payload")].concat();
        packets
            .raw(format!("ipv6/jumbo-of-length-0/{from_name}"), &ipv6_of_length(from, PEER6, 0, 0, &options));
    }
}

fn v6_unspecified(frames: &mut Frames, own: Station, other: Station) {
    let mut packets = Packets { frames, mac: own.mac };
    for (to_name, to) in [("peer", PEER6), ("all", ALL_NODES), ("routers", ALL_ROUTERS)] {
        let way = [ANY6, to];
        for (name, protocol, payload) in [
            ("udp", UDP, udp(4000, 4001, b"payload")),
            ("dhcp-solicit", UDP, udp(546, 547, &[1, 0, 0, 7])),
            ("tcp", TCP, tcp_syn()),
            ("ping", ICMPV6, icmp(128, &[0, 1, 0, 1])),
            ("ping-answer", ICMPV6, icmp(129, &[0, 1, 0, 1])),
            ("mld-query", ICMPV6, mld(130)),
            ("node-query", ICMPV6, icmp(139, &[0; 28])),
            ("certification-path", ICMPV6, icmp(148, &[0; 8])),
            ("mobile-prefix", ICMPV6, icmp(146, &[0; 4])),
            ("router-solicit", ICMPV6, router_solicit(&[])),
            ("router-solicit-with-own", ICMPV6, router_solicit(&link_option(1, own.mac))),
            ("router-solicit-with-other", ICMPV6, router_solicit(&link_option(1, other.mac))),
            ("router-advertise", ICMPV6, router_advertise(&[])),
            ("advertise-own", ICMPV6, advertise(0x20, own.v6, &link_option(2, own.mac))),
            ("advertise-other", ICMPV6, advertise(0x20, other.v6, &link_option(2, other.mac))),
            ("redirect", ICMPV6, redirect(PEER6, other.v6)),
            ("nothing", 59, vec![]),
            ("ospf", 89, vec![0; 40]),
        ] {
            packets.add(format!("ipv6/unspecified/{name}-to-{to_name}"), way, &[], protocol, &payload);
        }
    }
    for (name, target) in
        [("other", other.v6), ("link-local-other", other.link_local()), ("peer", PEER6), ("any", ANY6)]
    {
        for (what, options) in [("", vec![]), ("-with-nonce", nonce())] {
            let way = [ANY6, solicited(target)];
            let message = solicit(target, &options);
            packets.add(format!("dad{what}/{name}"), way, &[], ICMPV6, &message);
            packets.add(format!("dad{what}/{name}/unicast"), [ANY6, PEER6], &[], ICMPV6, &message);
            for (header, headers) in headers() {
                let name = format!("dad{what}/{name}/{header}");
                packets.add(name, way, &headers, ICMPV6, &message);
            }
        }
    }
    let way = [ANY6, solicited(own.v6)];
    for (what, options) in [("source", link_option(1, other.mac)), ("target", link_option(2, own.mac))] {
        packets.add(format!("dad/with-{what}"), way, &[], ICMPV6, &solicit(own.v6, &options));
    }
    // Only reports pass behind hop-by-hop options.
    packets.add("ipv6/unspecified/udp-behind-alert", way, &[router_alert()], UDP, &udp(1, 2, b""));
    for (name, payload) in [("query", mld(130)), ("ping", icmp(128, &[0; 4]))] {
        packets.add(format!("mld/{name}-from-unspecified"), way, &[router_alert()], ICMPV6, &payload);
    }
    for (name, message) in [("report", mld_report()), ("report-1", mld(131)), ("done", mld(132))] {
        for (from_name, from) in [("other", other.v6), ("link-local-other", other.link_local())] {
            let name = format!("mld/{name}-from-{from_name}");
            packets.add(name, [from, ALL_ROUTERS], &[router_alert()], ICMPV6, &message);
        }
    }
}

fn v6_servers(frames: &mut Frames, own: Station, other: Station) {
    let mut packets = Packets { frames, mac: own.mac };
    let sources = [
        ("own", own.v6),
        ("link-local", own.link_local()),
        ("other", other.v6),
        ("link-local-other", other.link_local()),
    ];
    let prefix = [&[3, 4, 64, 0xc0, 0, 0, 0x80, 0, 0, 0, 0x40, 0, 0, 0, 0, 0][..], &other.v6.octets()];
    let prefix = prefix.concat();
    let messages = [
        ("dhcp-advertise", UDP, udp(547, 546, &[2, 0, 0, 7])),
        ("dhcp-reply", UDP, udp(547, 546, &[7, 0, 0, 7])),
        ("dhcp-relay", UDP, udp(547, 547, &[13, 0])),
        ("dhcp-to-another-port", UDP, udp(547, 4000, &[7, 0])),
        ("router-advertise", ICMPV6, router_advertise(&[])),
        ("router-advertise-with-source", ICMPV6, router_advertise(&link_option(1, own.mac))),
        ("router-advertise-with-prefix", ICMPV6, router_advertise(&prefix)),
        ("redirect", ICMPV6, redirect(own.v6, PEER6)),
        ("redirect-to-other", ICMPV6, redirect(other.v6, PEER6)),
    ];
    for (from_name, from) in sources {
        for (name, protocol, message) in &messages {
            let way = [from, ALL_NODES];
            packets.add(format!("server/{name}/{from_name}"), way, &[], *protocol, message);
            packets.add(format!("server/{name}/{from_name}/unicast"), [from, PEER6], &[], *protocol, message);
            for (header, headers) in headers() {
                let name = format!("server/{name}/{from_name}/{header}");
                packets.add(name, way, &headers, *protocol, message);
            }
            // Only the first 8 bytes.
            let tiny = [fragment(0, true)];
            packets.add(
                format!("server/{name}/{from_name}/tiny"),
                way,
                &tiny,
                *protocol,
                &message[..8.min(message.len())],
            );
        }
    }
}

/// Packets of a listed address that do not show what they are.
fn v6_hidden(frames: &mut Frames, own: Station) {
    let mut packets = Packets { frames, mac: own.mac };
    for (from_name, from) in [("own", own.v6), ("link-local", own.link_local())] {
        let way = [from, ALL_NODES];
        let first = fragment(0, true);
        // The fragment ends after its header, or after options: the type is in the next fragment.
        for protocol in [UDP, ICMPV6] {
            let mut add = |name: &str, headers: &[_]| {
                let name = format!("hidden/{name}/{protocol}/{from_name}");
                let packet = ipv6(from, PEER6, headers, protocol, &[]);
                packets.frames.add_short(name.clone(), ether(PEER, own.mac, IPV6, &packet));
                // Bytes after the end of the packet, which the receiver discards, look like ports or a type. They do not
                // count.
                if name.contains("fragment-of") {
                    packets.raw(format!("{name}/with-trailer"), &packet);
                }
            };
            add("first-fragment-empty", slice::from_ref(&first));
            add("first-fragment-of-options", &[first.clone(), padding_options(60)]);
            add("options-before-first-fragment", &[padding_options(60), first.clone()]);
            add("first-fragment-of-two-options", &[first.clone(), padding_options(60), padding_options(60)]);
            add(
                "fragment-of-options-behind-options",
                &[padding_options(60), first.clone(), padding_options(60)],
            );
            add("first-fragment-of-routing", &[first.clone(), routing(0)]);
            add("empty", &[]);
            add("options-and-nothing", &[padding_options(60)]);
        }
        // Options longer than the packet, or cut.
        let mut long = padding_options(60);
        long.1[1] = 200;
        for (name, headers) in [
            ("long-options", vec![long.clone()]),
            ("long-options-of-first-fragment", vec![first.clone(), long.clone()]),
            ("long-options-after-options", vec![padding_options(60), long.clone()]),
        ] {
            packets.add(format!("hidden/{name}/{from_name}"), way, &headers, ICMPV6, &router_advertise(&[]));
        }
        for (name, next) in [("hop-by-hop", 0), ("routing", 43), ("fragment", 44), ("options", 60)] {
            let packet = ipv6_of_length(from, PEER6, next, 0, &[]);
            packets.frames.add_short(
                format!("hidden/cut-before-{name}/{from_name}"),
                ether(PEER, own.mac, IPV6, &packet),
            );
        }
        for (name, protocol) in [("udp", UDP), ("icmp", ICMPV6)] {
            let packet = ipv6_of_length(from, PEER6, protocol, 0, &[]);
            packets.frames.add_short(
                format!("hidden/cut-before-{name}/{from_name}"),
                ether(PEER, own.mac, IPV6, &packet),
            );
        }
    }
}

fn discovery(frames: &mut Frames, own: Station, other: Station) {
    let mut packets = Packets { frames, mac: own.mac };
    let other_option = |kind| link_option(kind, other.mac);
    let own_option = |kind| link_option(kind, own.mac);
    // From an address that is not listed.
    for (from_name, from) in [("other", other.v6), ("link-local-other", other.link_local()), ("peer", PEER6)]
    {
        for (option_name, option) in [("without", vec![]), ("own", own_option(1)), ("other", other_option(1))]
        {
            let name = |what: &str| format!("nd/{what}/from-{from_name}/option-{option_name}");
            packets.add(name("solicit"), [from, solicited(PEER6)], &[], ICMPV6, &solicit(PEER6, &option));
            packets.add(name("solicit-unicast"), [from, PEER6], &[], ICMPV6, &solicit(PEER6, &option));
            let to_routers = [from, ALL_ROUTERS];
            packets.add(name("router-solicit"), to_routers, &[], ICMPV6, &router_solicit(&option));
        }
        for (option_name, option) in [("without", vec![]), ("own", own_option(2)), ("other", other_option(2))]
        {
            for (target_name, target) in [("own", own.v6), ("itself", from)] {
                for flags in [0, 0x20, 0x60, 0xe0] {
                    let name = format!(
                        "nd/advertise-{target_name}/from-{from_name}/option-{option_name}/{flags:02x}"
                    );
                    let message = advertise(flags, target, &option);
                    packets.add(name, [from, ALL_NODES], &[], ICMPV6, &message);
                }
            }
        }
    }
    // From a listed address.
    for (from_name, from) in [("own", own.v6), ("link-local", own.link_local())] {
        let name = |what: &str| format!("nd/{what}/from-{from_name}");
        let message = solicit(PEER6, &other_option(1));
        packets.add(name("solicit-source-other"), [from, solicited(PEER6)], &[], ICMPV6, &message);
        packets.add(name("solicit-source-other-unicast"), [from, PEER6], &[], ICMPV6, &message);
        for (option_name, mac) in [("peer", PEER), ("zero", [0; 6]), ("broadcast", BROADCAST)] {
            let message = solicit(PEER6, &link_option(1, mac));
            let name = name(&format!("solicit-source-{option_name}"));
            packets.add(name, [from, solicited(PEER6)], &[], ICMPV6, &message);
        }
        let message = router_solicit(&other_option(1));
        packets.add(name("router-solicit-source-other"), [from, ALL_ROUTERS], &[], ICMPV6, &message);
        for (target_name, target) in [
            ("other", other.v6),
            ("link-local-other", other.link_local()),
            ("peer", PEER6),
            ("any", ANY6),
            ("next", Ipv6Addr::from(u128::from(own.v6) ^ 1)),
        ] {
            for (option_name, option) in
                [("without", vec![]), ("own", own_option(2)), ("other", other_option(2))]
            {
                for flags in [0x20, 0x60] {
                    let name = name(&format!("advertise-{target_name}/option-{option_name}/{flags:02x}"));
                    let message = advertise(flags, target, &option);
                    packets.add(name.clone(), [from, PEER6], &[], ICMPV6, &message);
                    packets.add(format!("{name}/all"), [from, ALL_NODES], &[], ICMPV6, &message);
                }
            }
        }
        for target in [own.v6, own.link_local()] {
            let message = advertise(0x60, target, &other_option(2));
            packets.add(name(&format!("advertise-{target}-other")), [from, PEER6], &[], ICMPV6, &message);
        }
    }
}

/// Options of other types, lengths and numbers than a station sends. `kind` is the type of the option that it would send.
fn odd_options(kind: u8, own: Mac, other: Mac) -> Vec<(&'static str, Vec<u8>)> {
    let (good, bad) = (link_option(kind, own), link_option(kind, other));
    let of_length = |length: u8| [&[kind, length], &own[..]].concat();
    vec![
        ("two-good-bad", [&good[..], &bad].concat()),
        ("two-bad-good", [&bad[..], &good].concat()),
        ("two-good", [&good[..], &good].concat()),
        ("nonce-good", [&nonce()[..], &good].concat()),
        ("nonce-bad", [&nonce()[..], &bad].concat()),
        ("good-nonce", [&good[..], &nonce()].concat()),
        ("wrong-type", link_option(3 - kind, own)),
        ("wrong-type-bad", link_option(3 - kind, other)),
        ("type-0", link_option(0, own)),
        ("type-3", link_option(3, own)),
        ("type-5", link_option(5, own)),
        ("type-31", link_option(31, own)),
        ("type-255", link_option(255, own)),
        ("length-0", of_length(0)),
        ("length-2-cut", of_length(2)),
        ("length-2", [&of_length(2)[..], &[0; 8]].concat()),
        ("length-3", [&of_length(3)[..], &[0; 16]].concat()),
        ("length-255", of_length(255)),
        ("length-0-then-bad", [&of_length(0)[..], &bad].concat()),
        ("one-byte", vec![kind]),
        ("two-bytes", vec![kind, 1]),
        ("four-bytes", good[..4].to_vec()),
        ("seven-bytes", good[..7].to_vec()),
        ("nine-bytes", [&good[..], &[0]].concat()),
        ("twelve-bytes", [&good[..], &[0; 4]].concat()),
        ("ninety-six-bytes", [&good[..], &[7; 88]].concat()),
    ]
}

fn discovery_shapes(frames: &mut Frames, own: Station, other: Station) {
    type Make = fn(Ipv6Addr, &[u8]) -> Vec<u8>;
    let messages: [(&str, u8, Make); 3] = [
        ("solicit", 1, solicit),
        ("advertise", 2, |target, options| advertise(0x20, target, options)),
        ("router-solicit", 1, |_, options| router_solicit(options)),
    ];
    let mut packets = Packets { frames, mac: own.mac };
    for (from_name, from) in [("own", own.v6), ("link-local", own.link_local()), ("unspecified", ANY6)] {
        for (message, kind, make) in messages {
            for (name, options) in odd_options(kind, own.mac, other.mac) {
                let name = format!("nd-shape/{message}/{name}/from-{from_name}");
                packets.add(name, [from, ALL_NODES], &[], ICMPV6, &make(own.v6, &options));
            }
            let whole = make(own.v6, &[]);
            for cut in [4, 6, whole.len() - 1] {
                let name = format!("nd-shape/{message}/cut-at-{cut}/from-{from_name}");
                packets.add(name, [from, ALL_NODES], &[], ICMPV6, &whole[..cut]);
            }
            // The header states another length than the packet has.
            let whole = make(own.v6, &link_option(kind, own.mac));
            for length in [0, 4, 23, 25, 31, 33, 40] {
                let packet = ipv6_of_length(from, ALL_NODES, ICMPV6, length, &whole);
                packets.raw(format!("nd-shape/{message}/states-{length}/from-{from_name}"), &packet);
            }
        }
        // Only a solicitation has a nonce.
        for (message, bytes) in
            [("advertise", advertise(0x20, own.v6, &nonce())), ("router-solicit", router_solicit(&nonce()))]
        {
            let name = format!("nd-shape/{message}/nonce/from-{from_name}");
            packets.add(name, [from, ALL_NODES], &[], ICMPV6, &bytes);
        }
    }
}

/// Neighbour discovery that would pass without the header before it.
fn discovery_behind_headers(frames: &mut Frames, own: Station) {
    let mut packets = Packets { frames, mac: own.mac };
    for (header, headers) in headers() {
        for (from_name, from) in [("own", own.v6), ("link-local", own.link_local())] {
            for (name, message) in [
                ("solicit", solicit(PEER6, &link_option(1, own.mac))),
                ("solicit-without-option", solicit(PEER6, &[])),
                ("advertise", advertise(0x60, from, &link_option(2, own.mac))),
                ("advertise-without-option", advertise(0x60, from, &[])),
                ("router-solicit", router_solicit(&link_option(1, own.mac))),
            ] {
                let name = format!("nd-behind/{header}/{name}/{from_name}");
                packets.add(name, [from, PEER6], &headers, ICMPV6, &message);
            }
            let way = [ANY6, solicited(from)];
            packets.add(
                format!("nd-behind/{header}/dad/{from_name}"),
                way,
                &headers,
                ICMPV6,
                &solicit(from, &[]),
            );
        }
    }
}

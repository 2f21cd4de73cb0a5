//! What a listed station sends.

use super::frames::{
    ALL_NODES, ALL_ROUTERS, ARP, Arp, BROADCAST, ICMP, ICMPV6, IPV4, IPV6, Ipv4, Mac, PEER, PEER4, PEER6,
    Station, TCP, UDP, advertise, dhcp, ether, fragment, icmp, ipv6, link_option, mld, mld_report,
    multicast6, nonce, padding_options, router_alert, router_solicit, solicit, solicited, tcp_syn, udp,
};
use super::kinds::Frames;
use std::net::{Ipv4Addr, Ipv6Addr};

const MDNS4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const MDNS6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);
const MLD_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x16);
const DHCP_SERVERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);

pub fn all(station: Station) -> Frames {
    let mut frames = Frames::default();
    arp(&mut frames, station);
    v4(&mut frames, station);
    v6(&mut frames, station);
    discovery(&mut frames, station);
    frames
}

fn arp(frames: &mut Frames, Station { mac, v4, .. }: Station) {
    let any = Ipv4Addr::UNSPECIFIED;
    let mut add = |name: &str, to: Mac, arp: Arp| {
        frames.add(format!("arp/{name}"), ether(to, mac, ARP, &arp.bytes()));
    };
    add("request", BROADCAST, Arp::request((mac, v4), PEER4));
    add("request-unicast", PEER, Arp::request((mac, v4), PEER4));
    add("reply", PEER, Arp::reply((mac, v4), (PEER, PEER4)));
    add("probe", BROADCAST, Arp::request((mac, any), v4));
    add("announcement", BROADCAST, Arp::request((mac, v4), v4));
    add("gratuitous-reply", BROADCAST, Arp::reply((mac, v4), (BROADCAST, v4)));
}

fn v4(frames: &mut Frames, Station { mac, v4, .. }: Station) {
    let echo = icmp(8, &[0, 1, 0, 1, 1, 2, 3, 4]);
    let (plain, big) = (udp(4000, 4001, b"payload"), vec![7; 1400]);
    let mut add = |name: &str, to: Mac, packet: Ipv4<'_>| {
        frames.add(format!("ipv4/{name}"), ether(to, mac, IPV4, &packet.bytes()));
    };
    let to_peer = |protocol: u8, payload: &[u8]| Ipv4::new(v4, PEER4, protocol, payload);
    add("ping", PEER, to_peer(ICMP, &echo));
    add("ping-answer", PEER, to_peer(ICMP, &icmp(0, &[0, 1, 0, 1])));
    add("unreachable", PEER, to_peer(ICMP, &icmp(3, &[0; 32])));
    add("tcp", PEER, to_peer(TCP, &tcp_syn()));
    add("udp", PEER, to_peer(UDP, &plain));
    add("udp-broadcast", BROADCAST, Ipv4::new(v4, Ipv4Addr::new(192, 168, 5, 255), UDP, &plain));
    add("mdns", [1, 0, 0x5e, 0, 0, 0xfb], Ipv4::new(v4, MDNS4, UDP, &udp(5353, 5353, b"query")));
    let alert = &[0x94, 4, 0, 0];
    let group = Ipv4Addr::new(224, 0, 0, 22);
    let igmp = Ipv4 { options: alert, ..Ipv4::new(v4, group, 2, &[0x22, 0, 0, 0, 0, 0, 0, 0]) };
    add("igmp", [1, 0, 0x5e, 0, 0, 0x16], igmp);
    add("udp-with-options", PEER, Ipv4 { options: alert, ..to_peer(UDP, &plain) });
    add("esp", PEER, to_peer(50, &[0, 0, 0, 9, 0, 0, 0, 1, 9, 9, 9, 9]));
    add("gre", PEER, to_peer(47, &[0, 0, 8, 0, 9, 9, 9, 9]));
    // A ping of three fragments.
    let first = [&echo[..4], &big[4..]].concat();
    add("ping-first-fragment", PEER, Ipv4 { fragment: 0x2000, ..to_peer(ICMP, &first) });
    add("ping-middle-fragment", PEER, Ipv4 { fragment: 0x20af, ..to_peer(ICMP, &big) });
    add("ping-last-fragment", PEER, Ipv4 { fragment: 350, ..to_peer(ICMP, &big[..77]) });
    add("udp-last-fragment", PEER, Ipv4 { fragment: 175, ..to_peer(UDP, &[0, 67, 0, 68, 0, 9]) });
    let from_none = |payload: &[u8]| Ipv4::new(Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST, UDP, payload);
    add("dhcp-discover", BROADCAST, from_none(&udp(68, 67, &dhcp(1, mac, 1))));
    add("dhcp-request", BROADCAST, from_none(&udp(68, 67, &dhcp(1, mac, 3))));
    add("dhcp-decline", BROADCAST, from_none(&udp(68, 67, &dhcp(1, mac, 4))));
    add("dhcp-renewal", PEER, to_peer(UDP, &udp(68, 67, &dhcp(1, mac, 3))));
    add("dhcp-release", PEER, to_peer(UDP, &udp(68, 67, &dhcp(1, mac, 7))));
}

fn v6(frames: &mut Frames, station: Station) {
    let Station { mac, v6, .. } = station;
    let link_local = station.link_local();
    let any = Ipv6Addr::UNSPECIFIED;
    let mut add = |name: &str, packet: Vec<u8>| {
        let to: Ipv6Addr = <[u8; 16]>::try_from(&packet[24..40]).unwrap().into();
        let to = if to.is_multicast() { multicast6(to) } else { PEER };
        frames.add(format!("ipv6/{name}"), ether(to, mac, IPV6, &packet));
    };
    let (plain, big) = (udp(4000, 4001, b"payload"), vec![7; 1400]);
    let echo = icmp(128, &[0, 1, 0, 1, 1, 2, 3, 4]);
    for (name, from) in [("global", v6), ("link-local", link_local)] {
        let to_peer =
            |headers: &[_], protocol: u8, payload: &[u8]| ipv6(from, PEER6, headers, protocol, payload);
        add(&format!("{name}/ping"), to_peer(&[], ICMPV6, &echo));
        add(&format!("{name}/ping-answer"), to_peer(&[], ICMPV6, &icmp(129, &[0, 1, 0, 1])));
        add(&format!("{name}/too-big"), to_peer(&[], ICMPV6, &icmp(2, &[0; 44])));
        add(&format!("{name}/tcp"), to_peer(&[], TCP, &tcp_syn()));
        add(&format!("{name}/udp"), to_peer(&[], UDP, &plain));
        add(&format!("{name}/esp"), to_peer(&[], 50, &[0, 0, 0, 9, 0, 0, 0, 1, 9, 9, 9, 9]));
        add(&format!("{name}/udp-behind-destination-options"), to_peer(&[padding_options(60)], UDP, &plain));
        add(&format!("{name}/udp-behind-hop-by-hop"), to_peer(&[padding_options(0)], UDP, &plain));
        add(&format!("{name}/udp-atomic-fragment"), to_peer(&[fragment(0, false)], UDP, &plain));
        // A ping of three fragments.
        let first = [&echo[..8], &big[8..]].concat();
        add(&format!("{name}/ping-first-fragment"), to_peer(&[fragment(0, true)], ICMPV6, &first));
        add(&format!("{name}/ping-middle-fragment"), to_peer(&[fragment(175, true)], ICMPV6, &big));
        add(&format!("{name}/ping-last-fragment"), to_peer(&[fragment(350, false)], ICMPV6, &big[..77]));
        add(&format!("{name}/udp-first-fragment"), to_peer(&[fragment(0, true)], UDP, &plain[..8]));
        add(&format!("{name}/mdns"), ipv6(from, MDNS6, &[], UDP, &udp(5353, 5353, b"query")));
    }
    for (name, from) in [("unspecified", any), ("link-local", link_local)] {
        let alert = [router_alert()];
        add(&format!("mld2-report/{name}"), ipv6(from, MLD_ROUTERS, &alert, ICMPV6, &mld_report()));
        add(&format!("mld1-report/{name}"), ipv6(from, solicited(v6), &alert, ICMPV6, &mld(131)));
        add(&format!("mld1-done/{name}"), ipv6(from, ALL_ROUTERS, &alert, ICMPV6, &mld(132)));
    }
    let solicit_server = udp(546, 547, &[1, 0, 0, 7, 0, 8, 0, 2, 0, 0]);
    add("dhcp-solicit", ipv6(link_local, DHCP_SERVERS, &[], UDP, &solicit_server));
}

fn discovery(frames: &mut Frames, station: Station) {
    let Station { mac, v6, .. } = station;
    let link_local = station.link_local();
    let (own_source, own_target) = (link_option(1, mac), link_option(2, mac));
    let mut add = |name: String, from: Ipv6Addr, to: Ipv6Addr, message: &[u8]| {
        let to_mac = if to.is_multicast() { multicast6(to) } else { PEER };
        frames.add(format!("nd/{name}"), ether(to_mac, mac, IPV6, &ipv6(from, to, &[], ICMPV6, message)));
    };
    for (name, own) in [("global", v6), ("link-local", link_local)] {
        let any = Ipv6Addr::UNSPECIFIED;
        add(format!("dad/{name}"), any, solicited(own), &solicit(own, &[]));
        add(format!("dad-with-nonce/{name}"), any, solicited(own), &solicit(own, &nonce()));
        add(format!("solicit/{name}"), own, solicited(PEER6), &solicit(PEER6, &own_source));
        add(format!("solicit-without-option/{name}"), own, PEER6, &solicit(PEER6, &[]));
        add(format!("solicit-with-nonce/{name}"), own, solicited(PEER6), &solicit(PEER6, &nonce()));
        add(format!("advertise/{name}"), own, PEER6, &advertise(0x60, own, &own_target));
        add(format!("advertise-without-option/{name}"), own, PEER6, &advertise(0x40, own, &[]));
        add(format!("advertise-to-all/{name}"), own, ALL_NODES, &advertise(0x20, own, &own_target));
        add(format!("router-solicit/{name}"), own, ALL_ROUTERS, &router_solicit(&own_source));
        add(format!("router-solicit-without-option/{name}"), own, ALL_ROUTERS, &router_solicit(&[]));
    }
    add("advertise-other-own-address".into(), link_local, PEER6, &advertise(0x60, v6, &own_target));
}

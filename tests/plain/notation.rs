//! States of the kernel as text, one object a line, in the words of `ip`.
//!
//! ```text
//! rules default                               the rules of every new namespace, both families
//! rule 4 1000 l3mdev proto kernel             family, priority, action, who added it
//! rule 4 5270 lookup 52 proto 3 selective     … a rule for some packets only
//! link red vrf 10 up
//! link eth0 physical master red up
//! link eth0.8 vlan 8 eth0                     tag and lower link
//! details eth0 mtu 1400 alias uplink          `address` and `on INDEX` after it: hardware address, lower link
//! pair v0 v1                                  these two are the ends of one veth pair
//! address eth0 10.20.30.40/24                 `proto 73` after it: one of ours; `dynamic`: it has a lifetime
//! route unreachable 0.0.0.0/0 table 10 metric 4278198272 proto 73
//! sysctl net.ipv4.tcp_l3mdev_accept=0
//! record net.ipv4.tcp_l3mdev_accept=0 @red    the value before we first set it, and who wants it changed (since 0.2)
//! record keep=eth0 eth1                       who wants the namespace kept
//! table red 100                               a name of rt_tables
//! netns blue ours process 7                   a namespace: absent, ours, foreign, own, broken, unfinished
//! netns /mnt/blue is blue                     another reference that leads to the same namespace
//! netns 4711 was 4712                         the same, until the process 4711 ended
//! in blue link eth0 physical up               what is in it
//! moved wan blue eth0 physical                where wan of this namespace is; `peer` for the other end of a pair;
//! moved wan blue eth0 earlier                 the same, in an earlier namespace of that name
//! link br0 bridge vlan_filtering 1 vlan_default_pvid 0 up
//! vlan eth0 10-20 untagged                    as `bridge vlan` has it; of a port, or of a bridge itself
//! port eth0 isolated on                       as `bridge link set` has it, on top of what a new port is
//! fdb eth0 02:00:00:00:00:01 vlan 10          a static entry
//! allow eth0 02:00:00:00:00:01 vlan 10 10.0.0.1  a station that the port may have, or one of its addresses
//! stanza eth0 bridge-vlan 10 pvid untagged    a line of another stanza of the interfaces file
//! ```

use super::notation_bridge::{bridge_options, port_options};
use ifupdown_ng_netlink::stanza::Stanzas;
use ifupdown_ng_netlink::state::{
    Action, Allowed, Details, Existing, FdbEntry, Link, LinkAddress, LinkKind, Located, Netns, NetnsId,
    NetnsLink, NetnsLinkRecord, Peer, Place, Record, Role, Route, Rule, Snapshot, State, Stations, Sysctl,
    VlanFlags, VlanLink,
};
use ifupdown_ng_netlink::values::{Family, IfName, NetnsRef, RouteKind, TableId, VlanId, VlanProtocol};
use std::fmt::Write as _;
use std::str::FromStr;

/// Reads a state.
#[allow(clippy::too_many_lines, reason = "a line of the notation an arm")]
pub fn parse(text: &str) -> Snapshot {
    let mut found = Snapshot::default();
    let mut stanzas = String::new();
    for line in text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()) {
        let mut words: Vec<&str> = line.split_whitespace().rev().collect();
        let Some(noun) = words.pop() else { continue };
        if noun == "netns" {
            let netns: NetnsRef = word(&mut words);
            if words.last() == Some(&"was") {
                words.pop();
                let now: NetnsRef = word(&mut words);
                if let Some(Netns::Is(existing)) = found.netns.get_mut(&now) {
                    existing.id = identity(&netns);
                }
                continue;
            }
            if words.last() == Some(&"is") {
                words.pop();
                found.same.insert(netns, word(&mut words));
                continue;
            }
            let id = identity(&netns);
            let is = |ours, own| Netns::Is(Existing { id, ours, own, ..Existing::default() });
            let what = match words.pop().expect("what it is") {
                "absent" => Netns::Absent,
                "ours" => is(true, false),
                "foreign" => is(false, false),
                "own" => is(false, true),
                "broken" => Netns::Broken { ours: false },
                "unfinished" => Netns::Broken { ours: true },
                other => panic!("{other}: not what a namespace is"),
            };
            if matches!(what, Netns::Is(_)) {
                found.places.insert(Place::In(netns.clone()), State::new_namespace().into());
            }
            while words.last() == Some(&"process") {
                words.pop();
                let pid = word(&mut words);
                if let Netns::Is(existing) = found.netns.entry(netns.clone()).or_insert(what.clone()) {
                    existing.processes.push(pid);
                }
            }
            found.netns.entry(netns).or_insert(what);
            assert!(words.is_empty(), "{line:?}: what is {words:?}?");
            continue;
        }
        if let "moved" | "peer" = noun {
            let role = if noun == "moved" { Role::Moved } else { Role::Peer };
            let earlier = words.first() == Some(&"earlier");
            words.retain(|word| *word != "earlier");
            let (iface, netns, name): (IfName, NetnsRef, IfName) =
                (word(&mut words), word(&mut words), word(&mut words));
            if role == Role::Moved && !earlier {
                let (kind, is_it) = (
                    link_kind(&mut words),
                    |is: &Netns| matches!(is, Netns::Is(now) if now.id.same(identity(&netns))),
                );
                let now = found.netns.iter().find(|(_, is)| is_it(is)).map_or(&netns, |(now, _)| now);
                let place = Place::In(now.clone());
                found.located.insert(iface.clone(), Located { place, name: name.clone(), kind });
            }
            let id = NetnsId { born: -i128::from(earlier), ..identity(&netns) };
            let index = (words.last() == Some(&"index")).then(|| {
                words.pop();
                word(&mut words)
            });
            let link = NetnsLink { iface, role, netns, name };
            let key = (link.iface.clone(), link.role);
            found.netns_links.insert(key, NetnsLinkRecord { link, id, mac: None, index });
            assert!(words.is_empty(), "{line:?}: what is {words:?}?");
            continue;
        }
        let place = match noun {
            "in" => Place::In(word(&mut words)),
            _ => Place::Here,
        };
        let noun = if noun == "in" { words.pop().expect("an object") } else { noun };
        let state: &mut State = found.places.entry(place).or_default();
        match noun {
            "rules" => {
                assert_eq!(word::<String>(&mut words), "default");
                *state = std::mem::take(state).with_default_rules();
            }
            "rule" => {
                let rule = rule(&mut words);
                state.rules.entry(rule.family).or_default().push(rule);
            }
            "link" => {
                let name = word(&mut words);
                let link = link(&mut words);
                state.links.insert(name, link);
            }
            "pair" => {
                let ends: [IfName; 2] = [word(&mut words), word(&mut words)];
                for (name, (index, peer)) in ends.into_iter().zip([(71, 72), (72, 71)]) {
                    let peer = Some(Peer { index: peer, nsid: None });
                    state.details.insert(name, Details { index, mac: None, mtu: 1500, alias: None, peer });
                }
            }
            "details" => {
                let name = word(&mut words);
                let mut details = Details { index: 70, mac: None, mtu: 1500, alias: None, peer: None };
                while let Some(next) = words.pop() {
                    match next {
                        "address" => details.mac = Some(word(&mut words)),
                        "mtu" => details.mtu = word(&mut words),
                        "alias" => details.alias = Some(word(&mut words)),
                        "on" => details.peer = Some(Peer { index: word(&mut words), nsid: None }),
                        other => panic!("{other}: not a detail of a link"),
                    }
                }
                state.details.insert(name, details);
            }
            "address" => {
                let link = word(&mut words);
                let address = address(&mut words);
                state.addresses.entry(link).or_default().push(address);
            }
            "route" => state.routes.push(route(&mut words)),
            "sysctl" => {
                let (key, value) = line.split_once("sysctl ").unwrap().1.trim().split_once('=').unwrap();
                state.sysctls.insert(key.parse().unwrap(), value.to_owned());
                words.clear();
            }
            "record" => {
                let (key, value) = line.split_once("record ").unwrap().1.trim().split_once('=').unwrap();
                let record = match (key.strip_prefix("left:"), key.strip_prefix("link:")) {
                    (Some(vrf), _) => Record::left(&vrf.parse().unwrap()),
                    (_, Some(link)) => Record::link(&link.parse().unwrap()),
                    _ if key == "keep" => Record::keep(),
                    _ => Record::original(&key.parse::<Sysctl>().unwrap()),
                };
                state.records.insert(record, value.to_owned());
                words.clear();
            }
            "table" => {
                let name: String = word(&mut words);
                found.table_names.insert(name, table(&mut words));
            }
            "vlan" => {
                let device = word(&mut words);
                let set = state.bridging.vlans.entry(device).or_default();
                let range: Vec<&str> = words.drain(..).rev().collect();
                set.insert(range.join(" ").parse().unwrap());
            }
            "port" => {
                let port = word(&mut words);
                let state = state.bridging.ports.entry(port).or_default();
                state.options.update(&port_options(&mut words));
            }
            "fdb" => {
                let port = word(&mut words);
                let mac = word(&mut words);
                let vid = words.pop().map(|_| word(&mut words));
                state.bridging.fdb.entry(port).or_default().insert(FdbEntry { mac, vid });
            }
            "allow" => {
                let port: IfName = word(&mut words);
                let mac = word(&mut words);
                let vid = (words.last() == Some(&"vlan")).then(|| {
                    words.pop();
                    word(&mut words)
                });
                let address = words.pop().map(|address| address.parse().unwrap());
                let add = [Allowed { mac, vid, address }].into_iter().collect();
                state.bridging.allowed.change(&port, &add, &Stations::default());
            }
            "stanza" => {
                let iface: String = word(&mut words);
                let line: Vec<&str> = words.drain(..).rev().collect();
                let _ = writeln!(stanzas, "iface {iface}\n  {}", line.join(" "));
            }
            _ => panic!("{line:?}: no such object"),
        }
        assert!(words.is_empty(), "{line:?}: what is {words:?}?");
    }
    if !stanzas.is_empty() {
        found.stanzas = Some(Stanzas::parse(&stanzas).into());
    }
    found
}

/// A number for each reference.
fn identity(netns: &NetnsRef) -> NetnsId {
    let inode =
        netns.to_string().bytes().fold(7, |inode: u64, byte| inode.wrapping_mul(31) + u64::from(byte));
    NetnsId { inode, ..NetnsId::default() }
}

pub fn word<T: FromStr<Err: std::fmt::Debug>>(words: &mut Vec<&str>) -> T {
    words.pop().expect("another word").parse().unwrap()
}

fn table(words: &mut Vec<&str>) -> TableId {
    match words.pop().expect("a table") {
        "local" => TableId::LOCAL,
        "main" => TableId::MAIN,
        "default" => TableId::DEFAULT,
        number => TableId::new(number.parse().unwrap()).unwrap(),
    }
}

fn protocol(words: &mut Vec<&str>) -> u8 {
    match words.pop().expect("a protocol") {
        "kernel" => 2,
        number => number.parse().unwrap(),
    }
}

fn address(words: &mut Vec<&str>) -> LinkAddress {
    let mut address = LinkAddress { protocol: 0, ..LinkAddress::ours(word(words)) };
    while let Some(next) = words.pop() {
        match next {
            "peer" => address.peer = Some(word(words)),
            "proto" => address.protocol = protocol(words),
            "dynamic" => address.is_dynamic = true,
            other => panic!("{other}: not a word of an address"),
        }
    }
    address
}

fn rule(words: &mut Vec<&str>) -> Rule {
    let family = if word::<u8>(words) == 4 { Family::Ipv4 } else { Family::Ipv6 };
    let mut rule = Rule::new(family, word(words), Action::Other, 0);
    while let Some(next) = words.pop() {
        match next {
            "lookup" => rule.action = Action::Lookup(table(words)),
            "l3mdev" => rule.action = Action::LookupL3mdev,
            "unreachable" => rule.action = Action::UnreachableL3mdev,
            "goto" => rule.action = Action::GotoL3mdev(word(words)),
            "other" => rule.action = Action::Other,
            "proto" => rule.protocol = protocol(words),
            "selective" => rule.selective = true,
            other => panic!("{other}: not a word of a rule"),
        }
    }
    rule
}

fn link_kind(words: &mut Vec<&str>) -> LinkKind {
    match words.pop().expect("a kind") {
        "vrf" => LinkKind::Vrf(table(words)),
        "physical" => LinkKind::Physical,
        "vlan" if words.last().is_some_and(|id| id.parse::<VlanId>().is_ok()) => {
            let (id, lower) = (word(words), Some(word(words)));
            let protocol = VlanProtocol::Ieee8021q;
            LinkKind::Vlan(VlanLink { lower, id, protocol, flags: VlanFlags::NEW })
        }
        "bridge" => LinkKind::Bridge(bridge_options(words)),
        other => LinkKind::Other(other.to_owned()),
    }
}

fn link(words: &mut Vec<&str>) -> Link {
    let kind = link_kind(words);
    let mut link = Link { kind, master: None, up: false };
    while let Some(next) = words.pop() {
        match next {
            "master" => link.master = Some(word(words)),
            "up" => link.up = true,
            other => panic!("{other}: not a word of a link"),
        }
    }
    link
}

fn route(words: &mut Vec<&str>) -> Route {
    let kind = match words.last() {
        Some(&"unreachable") => RouteKind::Unreachable,
        Some(&"blackhole") => RouteKind::Blackhole,
        Some(&"prohibit") => RouteKind::Prohibit,
        _ => RouteKind::Unicast,
    };
    if kind != RouteKind::Unicast {
        words.pop();
    }
    let prefix: ipnet::IpNet = word(words);
    let metric = Route::default_metric(Family::of(prefix.addr()));
    let (table_, protocol_) = (TableId::MAIN, 0);
    let mut route = Route {
        table: table_,
        prefix,
        kind,
        via: None,
        dev: None,
        src: None,
        metric,
        onlink: false,
        protocol: protocol_,
    };
    while let Some(next) = words.pop() {
        match next {
            "via" => route.via = Some(word(words)),
            "dev" => route.dev = Some(word(words)),
            "src" => route.src = Some(word(words)),
            "metric" => route.metric = word(words),
            "onlink" => route.onlink = true,
            "table" => route.table = table(words),
            "proto" => route.protocol = protocol(words),
            other => panic!("{other}: not a word of a route"),
        }
    }
    route
}

#[test]
fn reads_what_the_head_of_this_file_says() {
    let this = include_str!("notation.rs");
    let example: String = this
        .lines()
        .skip_while(|line| !line.contains("```text"))
        .skip(1)
        .take_while(|line| !line.contains("```"))
        .map(|line| line.trim_start_matches("//! ").split("  ").next().unwrap_or_default().to_owned() + "\n")
        .collect();
    let found = parse(&example);
    assert_eq!(found.here().links.len(), 4);
    assert_eq!(found.here().bridging.vlans.len(), 1);
    assert!(found.stanzas.is_some());
    assert_eq!(found.here().rules[&Family::Ipv4].len(), 5);
    assert_eq!(found.table_names["red"].get(), 100);
}

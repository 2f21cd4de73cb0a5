//! States of the kernel as text, a line an object, in words that `ip` would use.
//!
//! ```text
//! rules default                               what every namespace is born with, both families
//! rule 4 1000 l3mdev proto kernel             family, priority, action, who added it
//! rule 4 5270 lookup 52 proto 3 selective     … a rule that looks only at some packets
//! link red vrf 10 up
//! link eth0 physical master red up
//! address eth0 10.20.30.40/24
//! route unreachable 0.0.0.0/0 table 10 metric 4278198272 proto 73
//! sysctl net.ipv4.tcp_l3mdev_accept=0
//! record net.ipv4.tcp_l3mdev_accept=0         the value that it had before we first set it
//! table red 100                               a name of rt_tables
//! netns blue ours process 7                   a namespace: absent, ours, foreign, own, broken, unfinished
//! in blue link eth0 physical up               what is in it
//! moved wan blue eth0 physical                where wan of this namespace is; `peer` for the other end of a pair
//! ```

use ifupdown_ng_netlink::{
    op::{Action, LinkKind, NetnsId, Place, Record, Residence, Resident, Role, Route, Rule, Sysctl},
    snapshot::{Away, Existing, Link, Netns, Snapshot, State},
    values::{Family, IfName, NetnsRef, RouteKind, TableId},
};
use std::{fmt::Write as _, str::FromStr};

/// Reads a state.
pub fn parse(text: &str) -> Snapshot {
    let mut found = Snapshot::default();
    for line in text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()) {
        let mut words: Vec<&str> = line.split_whitespace().rev().collect();
        let Some(noun) = words.pop() else { continue };
        if noun == "netns" {
            let netns: NetnsRef = word(&mut words);
            let is =
                |ours, own| Netns::Is(Existing { id: NetnsId::default(), ours, own, ..Existing::default() });
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
                found.places.insert(Place::In(netns.clone()), State::newborn());
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
            let (iface, netns, name): (IfName, NetnsRef, IfName) =
                (word(&mut words), word(&mut words), word(&mut words));
            if role == Role::Moved {
                let (place, kind) = (Place::In(netns.clone()), link(&mut words).kind);
                found.away.insert(iface.clone(), Away { place, name: name.clone(), kind });
            }
            let resident = Resident { iface, role, netns, name };
            found.residences.push(Residence { resident, id: NetnsId::default(), mac: None });
            assert!(words.is_empty(), "{line:?}: what is {words:?}?");
            continue;
        }
        let place = match noun {
            "in" => Place::In(word(&mut words)),
            _ => Place::Here,
        };
        let noun = if noun == "in" { words.pop().expect("an object") } else { noun };
        let state = found.places.entry(place).or_default();
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
            "address" => {
                let link = word(&mut words);
                state.addresses.entry(link).or_default().push(word(&mut words));
            }
            "route" => state.routes.push(route(&mut words)),
            "sysctl" => {
                let (key, value) = line.split_once("sysctl ").unwrap().1.trim().split_once('=').unwrap();
                state.sysctls.insert(key.parse().unwrap(), value.to_owned());
                words.clear();
            }
            "record" => {
                let (key, value) = line.split_once("record ").unwrap().1.trim().split_once('=').unwrap();
                state.records.insert(Record::original(&key.parse::<Sysctl>().unwrap()), value.to_owned());
                words.clear();
            }
            "table" => {
                let name: String = word(&mut words);
                found.table_names.insert(name, table(&mut words));
            }
            _ => panic!("{line:?}: no such object"),
        }
        assert!(words.is_empty(), "{line:?}: what is {words:?}?");
    }
    found
}

fn word<T: FromStr<Err: std::fmt::Debug>>(words: &mut Vec<&str>) -> T {
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

fn link(words: &mut Vec<&str>) -> Link {
    let kind = match words.pop().expect("a kind") {
        "vrf" => LinkKind::Vrf(table(words)),
        "physical" => LinkKind::Physical,
        other => LinkKind::Other(other.to_owned()),
    };
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

/// Writes a state, so that a difference reads well.
pub fn write(state: &State) -> String {
    let mut text = String::new();
    for (name, link) in &state.links {
        let master = link.master.as_ref().map_or(String::new(), |master| format!(" master {master}"));
        let _ = writeln!(text, "link {name} {}{master}{}", link.kind, if link.up { " up" } else { "" });
    }
    for rule in state.rules.values().flatten() {
        let selective = if rule.selective { " selective" } else { "" };
        let _ = writeln!(text, "rule {} {rule}{selective}", rule.family);
    }
    for (link, addresses) in &state.addresses {
        for address in addresses {
            let _ = writeln!(text, "address {link} {address}");
        }
    }
    let mut routes: Vec<String> = state.routes.iter().map(|route| format!("route {route}")).collect();
    routes.sort();
    for route in &routes {
        let _ = writeln!(text, "{route}");
    }
    for (key, value) in &state.sysctls {
        let _ = writeln!(text, "sysctl {key}={value}");
    }
    for (key, value) in &state.records {
        let _ = writeln!(text, "record {key}={value}");
    }
    text
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
    assert_eq!(found.here().links.len(), 2);
    assert_eq!(found.here().rules[&Family::Ipv4].len(), 5);
    assert_eq!(found.table_names["red"].get(), 100);
}

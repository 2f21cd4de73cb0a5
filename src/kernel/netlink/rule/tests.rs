//! Rules on the wire, against what `ip` sent and received.

use super::*;
use crate::kernel::netlink::fixture::{Request, answers, damaged};
use crate::state::{KERNEL_PROTOCOL, OUR_PROTOCOL};
use Family::{Ipv4, Ipv6};

fn add(family: Family, priority: u32, action: Action, protocol: u8) -> Request {
    let rule = Rule::new(family, priority, action, protocol);
    Request::ours(RouteNetlinkMessage::NewRule(encode(&rule)), add_flags(false))
}

#[test]
fn what_is_sent_is_what_ip_sends() {
    let large = TableId::new(100_000).unwrap();
    for (name, ours) in [
        ("rule-add-local", add(Ipv4, 32765, Action::Lookup(TableId::LOCAL), OUR_PROTOCOL)),
        ("rule-add-l3mdev", add(Ipv6, 1000, Action::LookupL3mdev, KERNEL_PROTOCOL)),
        ("rule-add-unreachable", add(Ipv4, 2000, Action::UnreachableL3mdev, OUR_PROTOCOL)),
        ("rule-add-goto", add(Ipv4, 0, Action::GotoL3mdev(1000), OUR_PROTOCOL)),
        ("rule-add-large-table", add(Ipv4, 300, Action::Lookup(large), OUR_PROTOCOL)),
    ] {
        assert_eq!(ours, Request::of_ip(name), "{name}");
    }
    let rule = Rule::new(Ipv4, 32765, Action::Lookup(TableId::LOCAL), OUR_PROTOCOL);
    let mut message = encode(&rule);
    // `ip` deletes a rule with any action; we send the action.
    message.header.action = RuleAction::Unspec;
    let delete = Request::ours(RouteNetlinkMessage::DelRule(message), 0);
    assert_eq!(delete, Request::of_ip("rule-del"));
}

#[test]
fn a_second_rule_like_it_is_asked_for_without_excl() {
    assert_eq!([add_flags(false), add_flags(true)], [NLM_F_CREATE | NLM_F_EXCL, NLM_F_CREATE]);
}

fn read(family: Family, name: &str) -> Vec<String> {
    let rules = answers(name).into_iter().filter_map(|answer| match answer {
        RouteNetlinkMessage::NewRule(message) => Some(decode(family, &message)),
        _ => None,
    });
    rules.map(|rule| format!("{rule}{}", if rule.selective { " selective" } else { "" })).collect()
}

#[test]
fn what_the_kernel_shows_is_understood() {
    // In the order of tests/wire/capture. Every rule that matches only some packets is selective.
    let ipv4 = [
        "pref 0 table local protocol kernel",
        "pref 0 l3mdev goto 1000 protocol 73",
        "pref 5 table local protocol 3 selective",
        "pref 6 table 52 selective",
        "pref 7 table local selective",
        "pref 8 table 51820 selective",
        "pref 9 table main selective",
        "pref 10 …",
        "pref 11 …",
        "pref 12 table 9 selective",
        "pref 300 table 100000 protocol 73",
        "pref 2000 l3mdev unreachable protocol 73",
        "pref 32766 table main protocol kernel",
        "pref 32767 table default protocol kernel",
    ];
    assert_eq!(read(Ipv4, "rule-dump-ipv4"), ipv4);
    let ipv6 = [
        "pref 0 table local protocol kernel",
        "pref 1000 l3mdev protocol kernel",
        "pref 32766 table main protocol kernel",
    ];
    assert_eq!(read(Ipv6, "rule-dump-ipv6"), ipv6);
}

#[test]
fn an_attribute_that_nobody_knows_makes_a_rule_selective() {
    let mut message = encode(&Rule::new(Ipv4, 0, Action::Lookup(TableId::LOCAL), KERNEL_PROTOCOL));
    assert!(!decode(Ipv4, &message).selective);
    let unknown = rtnetlink::packet_core::DefaultNla::new(999, vec![1, 2, 3, 4]);
    message.attributes.push(RuleAttribute::Other(unknown));
    assert!(decode(Ipv4, &message).selective);
}

#[test]
fn damage_does_not_make_it_panic() {
    for (family, name) in [(Ipv4, "rule-dump-ipv4"), (Ipv6, "rule-dump-ipv6")] {
        damaged(name, |answer| {
            if let RouteNetlinkMessage::NewRule(message) = answer {
                decode(family, &message);
            }
        });
    }
}

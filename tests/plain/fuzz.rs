//! Random input from outside: environments, values, and output of other programs.
//!
//! No panic, no hang, and no answer that is much longer than the input. timed.rs says how long each test runs;
//! src/kernel/netlink/fuzz.rs tests netlink messages.

use super::all::PROGRAMS;
use super::random::values;
use super::support::run;
use super::timed::fuzz;
use super::variable::variable;
use ifupdown_ng_netlink::kernel::rt_tables;
use ifupdown_ng_netlink::plan::At;
use ifupdown_ng_netlink::plan::netns::sysctls::Setting;
use ifupdown_ng_netlink::stanza::environment::Found;
use ifupdown_ng_netlink::stanza::{Phase, Stanzas};
use ifupdown_ng_netlink::state::{NestedRecord, NetnsLinkRecord, Query, Role, Sysctl};
use ifupdown_ng_netlink::values::{
    Address, Centiseconds, DefaultPvid, Families, IfName, List, Mac, Mtu, NetnsRef, OrNo, Queues, RouteSpec,
    RulePriority, Switch, TableRange, TableSpec, Vids, VlanProtocol, VlanRange,
};
use proptest::collection::vec;
use proptest::prelude::*;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

/// Values of stanzas, words of them, and random text.
fn text() -> impl Strategy<Value = String> {
    let known: Vec<&'static str> = PROGRAMS
        .iter()
        .flat_map(|program| program.keywords())
        .flat_map(|keyword| values(keyword.name).iter().copied())
        .collect();
    let word = prop::sample::select(known);
    let mixed =
        (vec(word.clone(), 1..4), any::<prop::sample::Index>(), any::<char>()).prop_map(|(words, at, c)| {
            let mut chars: Vec<char> = words.join(" ").chars().collect();
            let place = at.index(chars.len());
            chars[place] = c;
            chars.into_iter().collect::<String>()
        });
    let long = (word.clone(), 0_usize..3000).prop_map(|(word, times)| format!("{word}, ").repeat(times));
    prop_oneof![
        4 => word.prop_map(str::to_owned),
        4 => mixed,
        2 => any::<String>(),
        2 => "[ -~]{0,60}",
        1 => "[0-9.,:/ -]{0,200}",
        1 => long,
    ]
}

#[test]
fn values_of_every_sort() {
    fuzz("values", text(), |text| {
        let _ = text.parse::<Address>();
        let _ = text.parse::<Centiseconds>();
        let _ = text.parse::<DefaultPvid>();
        let _ = text.parse::<Families>();
        let _ = text.parse::<IfName>();
        let _ = text.parse::<List<RouteSpec>>();
        let _ = text.parse::<List<Setting>>();
        let _ = text.parse::<Mac>();
        let _ = text.parse::<Mtu>();
        let _ = text.parse::<NetnsRef>();
        let _ = text.parse::<OrNo<RulePriority>>();
        let _ = text.parse::<Queues>();
        let _ = text.parse::<Switch>();
        let _ = text.parse::<TableRange>();
        let _ = text.parse::<TableSpec>();
        let _ = text.parse::<Vids>();
        let _ = text.parse::<VlanProtocol>();
        let _ = text.parse::<List<VlanRange>>();
        if let Ok(key) = text.parse::<Sysctl>() {
            assert!(key.path().starts_with("/proc/sys/net"), "{key}");
        }
    });
}

#[test]
fn environments_from_reading_to_the_plan() {
    let keywords = (0..PROGRAMS.len()).prop_flat_map(|program| {
        let names: Vec<&str> = PROGRAMS[program].keywords().map(|keyword| keyword.name).collect();
        (Just(program), vec((prop::sample::select(names), text()), 0..8))
    });
    let phases: Vec<&'static str> =
        Phase::UP.iter().chain(&Phase::DOWN).map(|phase| phase.as_str()).chain(["", "depend", "x"]).collect();
    let all = (
        keywords,
        prop::sample::select(phases),
        prop_oneof!["[a-z0-9.]{1,15}", any::<String>()],
        any::<bool>(),
    );
    fuzz("environments", all, |((program, keywords), phase, iface, alone)| {
        let program = PROGRAMS[program];
        let mut variables: Vec<(OsString, OsString)> =
            vec![("IFACE".into(), OsString::from_vec(iface.into_bytes())), ("PHASE".into(), phase.into())];
        for (keyword, value) in keywords {
            variables.push((variable(keyword).into(), value.into()));
        }
        let found = Found::in_environment(variables);
        assert!(program.depends(found.iface.as_deref(), &found.stanza()).len() < 10_000);
        let Ok(invocation) = found.invocation() else { return };
        let (configuration, problems) = program.configure(&invocation.stanza);
        assert!(problems.iter().all(|problem| problem.to_string().lines().count() == 1));
        for &phase in invocation.phases.iter().filter(|phase| configuration.acts(**phase)) {
            let at = At { iface: &invocation.iface, phase, alone };
            configuration.query(at, &mut Query::default());
            let simulated = configuration.simulated(&invocation.iface, phase);
            let _ = configuration.plan(at, &simulated);
        }
    });
}

#[test]
fn depend_exits_with_0_whatever_it_is_given() {
    let bytes = prop_oneof![vec(1_u8.., 0..300), text().prop_map(String::into_bytes)];
    let all = (0..PROGRAMS.len(), vec(bytes, 12), any::<bool>());
    fuzz("depend", all, |(program, values, mock)| {
        let program = PROGRAMS[program];
        let mut command = super::support::command(program.name, [("PHASE", "depend")]);
        for (keyword, value) in program.keywords().zip(values) {
            // A process cannot get an argument with a NUL.
            let value: Vec<u8> = value.into_iter().filter(|byte| *byte != 0).take(100_000).collect();
            let name = variable(keyword.name);
            command.env(name, OsString::from_vec(value));
        }
        if mock {
            command.env("MOCK", "1");
        }
        let ran = run(command);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", program.name);
        assert!(ran.out.len() < 1024 && ran.out.lines().count() < 2, "{}", ran.out);
    });
}

/// Lines as ifquery prints them, and of interfaces files, which look the same; in any order and damaged.
#[test]
fn what_ifquery_prints() {
    let line = prop_oneof![
        Just("iface br0".to_owned()),
        Just("auto eth0".to_owned()),
        Just("  bridge-ports eth0 eth1".to_owned()),
        Just("  bridge_vlan 10".to_owned()),
        (text(), text()).prop_map(|(a, b)| format!("  {a} {b}")),
        text(),
    ];
    fuzz("ifquery", vec(line, 0..20), |lines| {
        let stanzas = Stanzas::parse(&lines.join("\n"));
        for name in ["br0", "eth0"].map(|name| name.parse::<IfName>().unwrap()) {
            let stanza = stanzas.stanza(&name);
            let _ = (stanzas.text(&name, "bridge-vlan"), stanzas.bridge_of(&name));
            for program in PROGRAMS {
                let _ = stanza.as_ref().map(|stanza| program.configure(stanza));
            }
        }
    });
}

#[test]
fn names_of_tables() {
    let line = prop_oneof!["[0-9x]{1,12} [a-z]{1,9}", "[ -~]{0,40}", any::<String>()];
    fuzz("rt_tables", vec(line, 0..20), |lines| {
        assert!(rt_tables::parse(&lines.join("\n")).count() <= lines.join("\n").lines().count());
    });
}

#[test]
fn what_we_remembered_ourselves() {
    let word = prop_oneof!["[0-9-]{1,40}", "[ -~]{0,20}", any::<String>()];
    fuzz("records", vec(word, 0..7), |words| {
        let text = words.join(" ");
        let _ = NestedRecord::parse(&text);
        for role in [Role::Moved, Role::Peer] {
            if let Some(record) = NetnsLinkRecord::parse("eth0".parse().unwrap(), role, &text) {
                let again = NetnsLinkRecord::parse("eth0".parse().unwrap(), role, &record.to_string());
                assert_eq!(again, Some(record), "{text:?}");
            }
        }
    });
}

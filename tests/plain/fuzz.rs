//! Random input from outside: environments, values, and output of other programs.
//!
//! No panic, no hang, and no answer that is much longer than the input. timed.rs says how long each test runs;
//! src/kernel/netlink/fuzz.rs tests netlink messages.

use super::all::ALL;
use super::random::values;
use super::support::run;
use super::timed::fuzz;
use super::variable::variable;
use ifupdown_ng_netlink::kernel::rt_tables;
use ifupdown_ng_netlink::plan::At;
use ifupdown_ng_netlink::plan::netns::sysctls::Setting;
use ifupdown_ng_netlink::stanza::environment::Found;
use ifupdown_ng_netlink::stanza::file::{self, Files, Version};
use ifupdown_ng_netlink::stanza::{Phase, Stanzas};
use ifupdown_ng_netlink::state::{LinkOriginal, NestedRecord, NetnsLinkRecord, Query, Role, Sysctl};
use ifupdown_ng_netlink::values::{
    Address, Centiseconds, DefaultPvid, Families, FarEnd, Gateway, IfName, LinkMtu, List, Mac, Metric, Mtu,
    NetnsRef, OrNo, Queues, RouteSpec, RulePriority, Switch, TableRange, TableSpec, Vids, VlanId,
    VlanProtocol, VlanRange,
};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

/// Values of stanzas, words of them, and random text.
fn text() -> impl Strategy<Value = String> {
    let known: Vec<&'static str> = ALL
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
        let _ = text.parse::<FarEnd>();
        let _ = text.parse::<Gateway>();
        let _ = text.parse::<IfName>();
        let _ = text.parse::<LinkMtu>();
        let _ = text.parse::<List<RouteSpec>>();
        let _ = text.parse::<List<Setting>>();
        let _ = text.parse::<Mac>();
        let _ = text.parse::<Metric>();
        let _ = text.parse::<Mtu>();
        let _ = text.parse::<NetnsRef>();
        let _ = text.parse::<OrNo<RulePriority>>();
        let _ = text.parse::<Queues>();
        let _ = text.parse::<Switch>();
        let _ = text.parse::<TableRange>();
        let _ = text.parse::<TableSpec>();
        let _ = text.parse::<Vids>();
        let _ = text.parse::<VlanId>();
        let _ = text.parse::<VlanProtocol>();
        let _ = text.parse::<List<VlanRange>>();
        if let Ok(key) = text.parse::<Sysctl>() {
            assert!(key.path().starts_with("/proc/sys/net"), "{key}");
        }
    });
}

#[test]
fn environments_from_reading_to_the_plan() {
    let keywords = (0..ALL.len()).prop_flat_map(|program| {
        let names: Vec<&str> = ALL[program].keywords().map(|keyword| keyword.name).collect();
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
        let program = ALL[program];
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
    let all = (0..ALL.len(), vec(bytes, 12), any::<bool>());
    fuzz("depend", all, |(program, values, mock)| {
        let program = ALL[program];
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
            for program in ALL {
                let _ = stanza.as_ref().map(|stanza| program.configure(stanza));
            }
        }
    });
}

/// Files by name; every pattern and every directory means all of them.
struct InMemory(BTreeMap<String, Vec<u8>>);

impl Files for InMemory {
    fn text(&mut self, file: &str) -> Result<Vec<u8>, String> {
        self.0.get(file).cloned().ok_or_else(|| "not found".to_owned())
    }

    fn expand(&mut self, pattern: &str) -> Vec<String> {
        if pattern.contains('*') { self.0.keys().cloned().collect() } else { vec![pattern.to_owned()] }
    }

    fn directory(&mut self, _: &str, _: bool) -> Result<Vec<String>, String> {
        Ok(self.0.keys().cloned().collect())
    }

    fn hostname(&mut self) -> String {
        "host".to_owned()
    }
}

/// Interfaces files that read each other and whose stanzas inherit from each other, in any order and damaged.
#[test]
fn interfaces_files() {
    let name = || prop::sample::select(vec!["a", "b", "br0", "br0.7", "lo", "é"]);
    let line = prop_oneof![
        4 => (prop::sample::select(vec!["iface", "template", "auto", "inherit"]), name())
            .prop_map(|(keyword, name)| format!("{keyword} {name}")),
        2 => (name(), name()).prop_map(|(a, b)| format!("iface {a} inherits {b} inherits {a}")),
        2 => (prop::sample::select(vec!["source", "source-directory"]), prop_oneof![name(), Just("*")])
            .prop_map(|(keyword, name)| format!("{keyword} {name}")),
        2 => prop::sample::select(vec![
            "address 192.0.2.1", "address ::1", "netmask 255.255.0.0", "use dhcp", "use bridge", "bridge-vids 10",
            "bridge-ports a b c", "requires a a b", "hostname x", "mtu 1500 \\\n", "up x \\\r\n#", "\\",
        ]).prop_map(str::to_owned),
        2 => (text(), text()).prop_map(|(a, b)| format!("  {a} {b}")),
        1 => any::<String>(),
    ];
    // A file that is repeated doubles the addresses of its stanzas each time.
    let text = (vec(line, 0..30), prop_oneof![9 => 1_usize..3, 1 => 1_usize..400])
        .prop_map(|(lines, times)| (lines.join("\n") + "\n").repeat(times).into_bytes());
    let any = prop_oneof![9 => text, 1 => vec(any::<u8>(), 0..6000)];
    let versions = prop::sample::select(vec![Version::V0_11, Version::V0_12, Version::Head]);
    fuzz("interfaces files", (vec(any, 1..4), versions), |(texts, version)| {
        let length: usize = texts.iter().map(|text| text.split(|byte| *byte == b'\n').count()).sum();
        let names = ["a", "b", "br0"].map(str::to_owned);
        let mut files = InMemory(names.into_iter().zip(texts).collect());
        let Ok(reading) = file::read("a", version, &mut files) else { return };
        let stanzas = reading.stanzas;
        let count: usize = stanzas.interfaces().map(|name| stanzas.written(name).len()).sum();
        assert!(count <= 1 << 20, "{count} lines");
        assert!(reading.problems.iter().all(|problem| problem.to_string().len() < 20_000));
        let places = stanzas
            .interfaces()
            .flat_map(|name| stanzas.written(name))
            .filter_map(|line| line.place.as_ref());
        for place in places {
            assert!((1..=length).contains(&place.line), "{place}");
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
        if let Some(record) = LinkOriginal::parse(&text) {
            assert_eq!(LinkOriginal::parse(&record.to_string()), Some(record), "{text:?}");
        }
        for role in [Role::Moved, Role::Peer] {
            if let Some(record) = NetnsLinkRecord::parse("eth0".parse().unwrap(), role, &text) {
                let again = NetnsLinkRecord::parse("eth0".parse().unwrap(), role, &record.to_string());
                assert_eq!(again, Some(record), "{text:?}");
            }
        }
    });
}

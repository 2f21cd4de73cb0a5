//! Random input from outside: environments, values, and output of other programs.
//!
//! fuzz/entries/inputs.rs says what is done with them, here and by the targets of cargo-fuzz. timed.rs says how long
//! each test runs; src/kernel/netlink/fuzz.rs tests netlink messages.

#[path = "../../fuzz/entries/corpus.rs"]
mod corpus;
#[path = "../../fuzz/entries/inputs.rs"]
mod inputs;

use super::all::ALL;
use super::random::values;
use super::support::run;
use super::timed::fuzz;
use super::variable::variable;
use ifupdown_ng_netlink::stanza::Phase;
use ifupdown_ng_netlink::stanza::file::Version;
use inputs::InMemory;
use proptest::collection::vec;
use proptest::prelude::*;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

/// The inputs that the targets of cargo-fuzz have found.
#[test]
fn every_input_of_the_corpus() {
    corpus::each("values", inputs::values);
    corpus::each("environment", inputs::environment);
    corpus::each("interfaces", inputs::interfaces);
    corpus::each("records", inputs::records);
}

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
    fuzz("values", text(), |text| inputs::value(&text));
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
        inputs::program(program, variables, alone);
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
    fuzz("ifquery", vec(line, 0..20), |lines| inputs::ifquery(&lines.join("\n")));
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
        inputs::interfaces_files(&mut InMemory::new(texts), version);
    });
}

#[test]
fn names_of_tables() {
    let line = prop_oneof!["[0-9x]{1,12} [a-z]{1,9}", "[ -~]{0,40}", any::<String>()];
    fuzz("rt_tables", vec(line, 0..20), |lines| inputs::tables(&lines.join("\n")));
}

#[test]
fn what_we_remembered_ourselves() {
    let word = prop_oneof!["[0-9-]{1,40}", "[ -~]{0,20}", any::<String>()];
    fuzz("records", vec(word, 0..7), |words| inputs::record(&words.join(" ")));
}

//! What the fuzz targets and the random tests do with their input: values, environments, interfaces files, records.
//!
//! No panic, no hang, and no answer that is much longer than the input.

#![allow(dead_code, reason = "a fuzz target has one of these inputs")]

#[path = "in_memory.rs"]
mod in_memory;

pub use in_memory::InMemory;

use crate::all::ALL;
use ifupdown_ng_netlink::kernel::ifstate::Entry;
use ifupdown_ng_netlink::kernel::rt_tables;
use ifupdown_ng_netlink::plan::At;
use ifupdown_ng_netlink::plan::netns::sysctls::Setting;
use ifupdown_ng_netlink::program::executor::Program;
use ifupdown_ng_netlink::stanza::Stanzas;
use ifupdown_ng_netlink::stanza::environment::Found;
use ifupdown_ng_netlink::stanza::file::{self, Version};
use ifupdown_ng_netlink::state::{
    Allowed, Applied, LinkOriginal, NestedRecord, NetnsLinkRecord, Original, Query, Role, Saved, Sysctl,
};
use ifupdown_ng_netlink::values::bridge::Ports;
use ifupdown_ng_netlink::values::regex::Regex;
use ifupdown_ng_netlink::values::{
    Address, Centiseconds, DefaultPvid, Families, FarEnd, Gateway, IfName, LinkMtu, List, Mac, Metric, Mtu,
    NetnsRef, OrNo, Queues, RouteSpec, RulePriority, Switch, TableRange, TableSpec, Vids, VlanId,
    VlanProtocol, VlanRange,
};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

/// A text as a value of every sort.
pub fn value(text: &str) {
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
    let names =
        ["eth0", "swp1s3", "a", "veth-guest.4094"].iter().filter_map(|name| name.parse::<IfName>().ok());
    let (regex, ports) = (text.parse::<Regex>(), text.parse::<Ports>());
    for name in names {
        let _ = regex.as_ref().map(|regex| regex.matches(name.as_str()));
        let _ = ports.as_ref().map(|ports| ports.has(&name));
    }
}

/// The same, of a fuzzer.
pub fn values(bytes: &[u8]) {
    value(&String::from_utf8_lossy(bytes));
}

/// A program with these variables, from its environment to its plans on the model.
pub fn program(program: &Program, variables: Vec<(OsString, OsString)>, alone: bool) {
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
}

/// The same, of a fuzzer: the name of the program, then the variables, each with a NUL at its end, as execve(2) gets
/// them.
pub fn environment(bytes: &[u8]) {
    let mut texts = bytes.split(|byte| *byte == 0);
    let name = texts.next().unwrap_or_default();
    let Some(known) = ALL.iter().find(|program| program.name.as_bytes() == name) else { return };
    let variables = texts.filter_map(|text| {
        let end = text.iter().position(|byte| *byte == b'=')?;
        let (name, value) = text.split_at(end);
        Some((OsString::from_vec(name.to_vec()), OsString::from_vec(value[1..].to_vec())))
    });
    let variables: Vec<_> = variables.collect();
    for alone in [false, true] {
        program(known, variables.clone(), alone);
    }
}

/// What ifquery prints.
pub fn ifquery(text: &str) {
    let stanzas = Stanzas::parse(text);
    for name in ["br0", "eth0"].iter().filter_map(|name| name.parse::<IfName>().ok()) {
        let stanza = stanzas.stanza(&name);
        let _ = (stanzas.text(&name, "bridge-vlan"), stanzas.bridge_of(&name));
        for program in ALL {
            let _ = stanza.as_ref().map(|stanza| program.configure(stanza));
        }
    }
}

/// Interfaces files, of which `a` is the first.
pub fn interfaces_files(files: &mut InMemory, version: Version) {
    let length = files.lines();
    let Ok(reading) = file::read("a", version, files) else { return };
    let stanzas = reading.stanzas;
    let count: usize = stanzas.interfaces().map(|name| stanzas.written(name).len()).sum();
    assert!(count <= 1 << 20, "{count} lines");
    assert!(reading.problems.iter().all(|problem| problem.to_string().len() < 20_000));
    let lines = stanzas.interfaces().flat_map(|name| stanzas.written(name));
    for place in lines.filter_map(|line| line.place.as_ref()) {
        assert!((1..=length).contains(&place.line), "{place}");
    }
}

/// Both, of a fuzzer.
pub fn interfaces(bytes: &[u8]) {
    for version in [Version::V0_11, Version::V0_12, Version::Head] {
        interfaces_files(&mut InMemory::of(bytes), version);
    }
    ifquery(&String::from_utf8_lossy(bytes));
}

/// The names of tables.
pub fn tables(text: &str) {
    assert!(rt_tables::parse(text).count() <= text.lines().count());
}

/// The text of a record. What is understood is written as text that leads back.
pub fn record(text: &str) {
    let _ = NestedRecord::parse(text);
    let original = Original::parse(text);
    assert_eq!(Original::parse(&original.to_string()), original, "{text:?}");
    if let Some(record) = LinkOriginal::parse(text) {
        assert_eq!(LinkOriginal::parse(&record.to_string()), Some(record), "{text:?}");
    }
    for role in [Role::Moved, Role::Peer] {
        let parse = |text: &str| NetnsLinkRecord::parse("eth0".parse().ok()?, role, text);
        if let Some(record) = parse(text) {
            assert_eq!(parse(&record.to_string()), Some(record), "{text:?}");
        }
    }
    if let Some(applied) = Applied::parse(text) {
        assert_eq!(Applied::parse(&applied.to_string()), Some(applied), "{text:?}");
    }
    if let Some(saved) = Saved::parse(text) {
        assert_eq!(saved.to_string(), text);
    }
    if let Some(allowed) = Allowed::parse(text) {
        assert_eq!(Allowed::parse(&allowed.to_string()), Some(allowed), "{text:?}");
    }
    if let Some(entry) = Entry::parse(text) {
        assert_eq!(Entry::parse(&entry.line()), Some(entry), "{text:?}");
    }
}

/// Both, of a fuzzer.
pub fn records(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    tables(&text);
    record(&text);
}

//! The stanzas of other interfaces, as ifupdown-ng reads them.
//!
//! A port of a bridge may have its VLANs in its own stanza, which ifupdown-ng does not hand to an executor of the
//! bridge. `ifnetlink` gets no stanza at all. So `ifquery` is asked for all stanzas at once; it resolves sources,
//! templates and inheritance.

use crate::stanza::{Stanza, canonical};
use crate::values::{IfName, words};
use std::collections::{BTreeMap, BTreeSet};

/// The stanzas of an interfaces file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stanzas {
    /// Their lines, in order, by interface.
    lines: BTreeMap<String, Vec<(String, String)>>,
    /// The interfaces that are `auto`.
    auto: BTreeSet<String>,
}

impl Stanzas {
    /// Reads the output of `ifquery --list --pretty-print`.
    pub fn parse(text: &str) -> Self {
        let mut stanzas = Self::default();
        let mut current = None;
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("iface ") {
                current = name.split_whitespace().next().map(str::to_owned);
                if let Some(name) = &current {
                    stanzas.lines.entry(name.clone()).or_default();
                }
            } else if let Some(name) = line.strip_prefix("auto ") {
                stanzas.auto.insert(name.trim().to_owned());
            } else if !line.starts_with(' ') {
                current = None;
            } else if let (Some(name), Some((keyword, value))) = (&current, line.trim_start().split_once(' '))
            {
                let lines = stanzas.lines.entry(name.clone()).or_default();
                lines.push((canonical(keyword), value.to_owned()));
            }
        }
        stanzas
    }

    /// The stanza of an interface. Repeated lines of a keyword whose value is a list are joined.
    pub fn stanza(&self, iface: &IfName) -> Option<Stanza> {
        let mut values: BTreeMap<&str, String> = BTreeMap::new();
        for (keyword, value) in self.lines.get(iface.as_str())? {
            let joined = values.entry(keyword).or_default();
            match keyword.as_str() {
                "bridge-vlan" | "bridge-fdb" | "bridge-vids" if !joined.is_empty() => {
                    joined.push_str(", ");
                    joined.push_str(value);
                }
                _ => joined.clone_from(value),
            }
        }
        Some(Stanza::new(values))
    }

    /// The value of a keyword in the stanza of an interface.
    pub fn text(&self, iface: &IfName, keyword: &str) -> Option<&str> {
        let lines = self.lines.get(iface.as_str())?;
        lines.iter().rev().find(|(found, _)| found == keyword).map(|(_, value)| value.trim())
    }

    /// The interface whose stanza names this one among its bridge-ports.
    pub fn bridge_of(&self, iface: &IfName) -> Option<IfName> {
        let names = |(keyword, value): &(String, String)| {
            keyword == "bridge-ports" && words(value).any(|port| port == iface.as_str())
        };
        let (bridge, _) = self.lines.iter().find(|(_, lines)| lines.iter().any(names))?;
        bridge.parse().ok()
    }

    /// Whether a stanza is for this name or for a VLAN on it, or has the name as a word: ifup brings up the interfaces
    /// that a stanza depends on.
    pub fn mentions(&self, name: &str) -> bool {
        let word = |text: &str| text.split([' ', '\t', ',']).any(|word| word == name);
        let vlan = |iface: &str| iface.rsplit_once('.').is_some_and(|(raw, _)| raw == name);
        self.lines
            .iter()
            .any(|(iface, lines)| iface == name || vlan(iface) || lines.iter().any(|(_, value)| word(value)))
    }

    /// The lines of an interface's stanza.
    pub fn lines(&self, iface: &str) -> impl Iterator<Item = (&str, &str)> {
        let lines = self.lines.get(iface).into_iter().flatten();
        lines.map(|(keyword, value)| (keyword.as_str(), value.trim()))
    }

    /// The interfaces, by name.
    pub fn interfaces(&self) -> impl Iterator<Item = &str> {
        self.lines.keys().map(String::as_str)
    }

    /// Whether `ifup -a` brings it up.
    pub fn is_auto(&self, iface: &str) -> bool {
        self.auto.contains(iface)
    }

    /// The executors of an interface, in the order in which ifupdown-ng runs them.
    pub fn executors(&self, iface: &IfName) -> impl Iterator<Item = &str> {
        let lines = self.lines.get(iface.as_str()).into_iter().flatten();
        lines.filter(|(keyword, _)| keyword == "use").map(|(_, name)| name.trim())
    }

    /// The stanza as ifupdown-ng hands it to executors (lifecycle.c `build_environment`): the last line of a repeated
    /// keyword, all addresses and gateways, and for a bridge its `requires` as its ports.
    pub fn environment(&self, iface: &IfName) -> Option<Stanza> {
        let lines = self.lines.get(iface.as_str())?;
        let is_bridge = self.executors(iface).any(|name| name == "bridge");
        let mut variables: BTreeMap<&str, String> = BTreeMap::new();
        for (keyword, value) in lines {
            match keyword.as_str() {
                "address" | "gateway" => {
                    let all = if keyword == "address" { "addresses" } else { "gateways" };
                    let all = variables.entry(all).or_default();
                    all.push_str(value.trim());
                    all.push(' ');
                    variables.entry(keyword).or_insert_with(|| value.clone());
                    continue;
                }
                "requires" if is_bridge => drop(variables.insert("bridge-ports", value.clone())),
                _ => {}
            }
            variables.insert(keyword, value.clone());
        }
        Some(Stanza::handed_over(variables))
    }
}

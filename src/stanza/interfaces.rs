//! The stanzas of other interfaces, as ifupdown-ng reads them.
//!
//! A port of a bridge may have its VLANs in its own stanza, which ifupdown-ng does not hand to an executor of the
//! bridge. Of a repeated keyword it hands over only the last line. `ifnetlink` gets no stanza at all. So
//! [`crate::stanza::file`] reads the files themselves.

use crate::stanza::file::address::Address;
use crate::stanza::keywords::LISTS;
use crate::stanza::{Stanza, canonical};
use crate::values::bridge::Ports;
use crate::values::{IfName, words};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// A line of an interfaces file, displayed as `FILE:LINE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, as its `source` line or the command line names it.
    pub file: Arc<str>,
    /// The line, counted from 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// How a keyword came into a stanza.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It is written there.
    Written,
    /// It is written in a stanza from which this one inherits.
    Inherited,
    /// ifupdown-ng adds it, as `use` for the prefix of a keyword.
    Implied,
}

/// A keyword of a stanza with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The keyword, as in our tables ([`canonical`]).
    pub keyword: Arc<str>,
    /// The value, with trailing blanks.
    pub value: Arc<str>,
    /// Where the keyword is written, or the keyword that implies this one; `None` from ifquery.
    pub place: Option<Place>,
    /// How it came into the stanza; [`Origin::Written`] from ifquery, which does not show it.
    pub origin: Origin,
}

impl Line {
    /// Whether it is about the ports of a bridge, and names this one, itself or by a pattern.
    pub fn has_port(&self, port: &str) -> bool {
        if &*self.keyword != "bridge-ports" {
            return false;
        }
        let ports = || self.value.parse::<Ports>().ok().zip(port.parse().ok());
        words(&self.value).any(|word| word == port) || ports().is_some_and(|(ports, port)| ports.has(&port))
    }
}

/// The stanzas of one name, which ifupdown-ng joins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Joined {
    /// Their lines, in order.
    pub lines: Vec<Line>,
    /// The lines with `iface` or `template` that begin them.
    pub begins: Vec<Begin>,
}

/// A line with `iface` or `template`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begin {
    /// Where it is.
    pub place: Place,
    /// The words after the name, such as `inet static`.
    pub words: Arc<str>,
}

/// The stanzas of an interfaces file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stanzas {
    /// By interface.
    interfaces: BTreeMap<String, Joined>,
    /// By template. A stanza from which another one inherits is a template.
    templates: BTreeMap<String, Joined>,
    /// The interfaces and templates, in the order in which the file names them first.
    order: Vec<String>,
    /// The interfaces that are `auto`.
    auto: BTreeSet<String>,
}

impl Stanzas {
    /// Reads the output of `ifquery --list --pretty-print`.
    pub fn parse(text: &str) -> Self {
        let mut stanzas = Self::default();
        let mut current = None;
        for line in text.lines() {
            let begin = |keyword| line.strip_prefix(keyword).map(|rest: &str| rest.split_whitespace().next());
            if let Some(name) = begin("iface ") {
                current = name.map(|name| stanzas.begin(name, false));
            } else if let Some(name) = begin("template ") {
                current = name.map(|name| stanzas.begin(name, true));
            } else if let Some(name) = line.strip_prefix("auto ") {
                // ifquery prints an interface without a name too.
                stanzas.auto.extend(Some(name.trim()).filter(|name| !name.is_empty()).map(str::to_owned));
            } else if !line.starts_with(' ') {
                current = None;
            } else if let (Some((template, name)), Some((keyword, value))) =
                (&current, line.trim_start().split_once(' '))
            {
                let of = if *template { &mut stanzas.templates } else { &mut stanzas.interfaces };
                of.entry(name.clone()).or_default().lines.push(Line {
                    keyword: canonical(keyword).into(),
                    value: value.into(),
                    place: None,
                    origin: Origin::Written,
                });
            }
        }
        stanzas
    }

    /// The stanza that ifupdown-ng makes for an interface that others depend on and that has none (interface.c
    /// `lif_interface_init`).
    pub fn implied(name: &str) -> Self {
        let uses = |executor: &str| Line {
            keyword: "use".into(),
            value: executor.into(),
            place: None,
            origin: Origin::Implied,
        };
        let vlan = name.contains('.').then(|| uses("vlan"));
        let lines = std::iter::once(uses("link")).chain(vlan).collect();
        let mut stanzas = Self::default();
        stanzas.add(name, false, Joined { lines, ..Joined::default() });
        stanzas
    }

    /// Adds a stanza without lines; returns where its lines belong.
    fn begin(&mut self, name: &str, template: bool) -> (bool, String) {
        self.add(name, template, Joined::default());
        (template, name.to_owned())
    }

    /// Adds the stanzas of one name.
    pub(super) fn add(&mut self, name: &str, template: bool, joined: Joined) {
        let of = if template { &mut self.templates } else { &mut self.interfaces };
        if !of.contains_key(name) {
            of.insert(name.to_owned(), joined);
            self.order.push(name.to_owned());
        }
    }

    /// Makes an interface `auto`.
    pub(super) fn add_auto(&mut self, name: &str) {
        self.auto.insert(name.to_owned());
    }

    /// The stanza of an interface. Repeated lines of a keyword whose value is a list are joined.
    pub fn stanza(&self, iface: &IfName) -> Option<Stanza> {
        let mut values: BTreeMap<&str, String> = BTreeMap::new();
        for Line { keyword, value, .. } in &self.interfaces.get(iface.as_str())?.lines {
            value.as_ref().clone_into(values.entry(keyword).or_default());
        }
        let mut stanza = Stanza::new(values);
        self.join(iface, &mut stanza);
        Some(stanza)
    }

    /// Adds the earlier lines of lists to a stanza that has only the last ones ([`Stanza::join`]).
    pub fn join(&self, iface: &IfName, stanza: &mut Stanza) {
        for keyword in LISTS {
            let lines = self.lines(iface.as_str()).filter(|(of, value)| *of == keyword && !value.is_empty());
            stanza.join(keyword, &lines.map(|(_, value)| value).collect::<Vec<_>>());
        }
    }

    /// The value of a keyword in the stanza of an interface.
    pub fn text(&self, iface: &IfName, keyword: &str) -> Option<&str> {
        self.line(iface.as_str(), keyword).map(|line| line.value.trim())
    }

    /// The line of a keyword in the stanza of an interface: the last one, which counts.
    pub fn line(&self, iface: &str, keyword: &str) -> Option<&Line> {
        self.written(iface).iter().rev().find(|line| &*line.keyword == keyword)
    }

    /// The same stanzas, but with these keywords and values in the stanza of an interface.
    #[must_use]
    pub fn with_stanza<'a>(
        mut self,
        iface: &IfName,
        values: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let line = |(keyword, value): (&str, &str)| Line {
            keyword: keyword.into(),
            value: value.into(),
            place: None,
            origin: Origin::Written,
        };
        self.interfaces.entry(iface.to_string()).or_default().lines = values.into_iter().map(line).collect();
        self
    }

    /// The interface whose stanza names this one among its bridge-ports.
    pub fn bridge_of(&self, iface: &IfName) -> Option<IfName> {
        let names = |line: &Line| line.has_port(iface.as_str());
        let (bridge, _) = self.interfaces.iter().find(|(_, joined)| joined.lines.iter().any(names))?;
        bridge.parse().ok()
    }

    /// Whether a stanza is for this name or for a VLAN on it, or has the name as a word: ifup brings up the interfaces
    /// that a stanza depends on.
    pub fn mentions(&self, name: &str) -> bool {
        let word = |text: &str| text.split([' ', '\t', ',']).any(|word| word == name);
        let vlan = |iface: &str| iface.rsplit_once('.').is_some_and(|(raw, _)| raw == name);
        let has_name = |line: &Line| word(&line.value) || line.has_port(name);
        let named = |joined: &Joined| joined.lines.iter().any(has_name);
        self.has(name) || self.interfaces.iter().any(|(iface, joined)| vlan(iface) || named(joined))
    }

    /// Whether any stanza has this keyword.
    pub fn uses(&self, keyword: &str) -> bool {
        self.interfaces.values().any(|joined| joined.lines.iter().any(|line| &*line.keyword == keyword))
    }

    /// The lines of an interface's stanza.
    pub fn lines(&self, iface: &str) -> impl Iterator<Item = (&str, &str)> {
        self.written(iface).iter().map(|line| (&*line.keyword, line.value.trim()))
    }

    /// The lines of an interface's stanza, with their places.
    pub fn written(&self, iface: &str) -> &[Line] {
        self.interfaces.get(iface).map(|joined| joined.lines.as_slice()).unwrap_or_default()
    }

    /// The lines that begin the stanzas of an interface; none from ifquery.
    pub fn begins(&self, iface: &str) -> &[Begin] {
        self.interfaces.get(iface).map(|joined| joined.begins.as_slice()).unwrap_or_default()
    }

    /// The lines of a template.
    pub fn template(&self, name: &str) -> Option<&[Line]> {
        self.templates.get(name).map(|joined| joined.lines.as_slice())
    }

    /// The interfaces and templates, in the order of the file.
    pub fn order(&self) -> impl Iterator<Item = &str> {
        self.order.iter().map(String::as_str)
    }

    /// The interfaces, by name.
    pub fn interfaces(&self) -> impl Iterator<Item = &str> {
        self.interfaces.keys().map(String::as_str)
    }

    /// Whether there is a stanza for an interface.
    pub fn has(&self, iface: &str) -> bool {
        self.interfaces.contains_key(iface)
    }

    /// Whether `ifup -a` brings it up.
    pub fn is_auto(&self, iface: &str) -> bool {
        self.auto.contains(iface)
    }

    /// The executors of an interface, in the order in which ifupdown-ng runs them.
    pub fn executors(&self, iface: &IfName) -> impl Iterator<Item = &str> {
        let lines = self.written(iface.as_str()).iter();
        lines.filter(|line| &*line.keyword == "use").map(|line| line.value.trim())
    }

    /// The stanza as executors read it. ifupdown-ng hands over (lifecycle.c `build_environment`) the last line of a
    /// repeated keyword, all addresses and gateways, and for a bridge its `requires` as its ports. The executors add the
    /// earlier lines of lists.
    pub fn environment(&self, iface: &IfName) -> Option<Stanza> {
        let lines = &self.interfaces.get(iface.as_str())?.lines;
        let is_bridge = self.executors(iface).any(|name| name == "bridge");
        let netmask = lines.iter().find(|line| &*line.keyword == "netmask").map(|line| &*line.value);
        // It completes each address, also one that it does not complete when it reads the file.
        let completed = |text: &str| {
            let address = Address::parse(text).map(|mut address| {
                address.complete(netmask);
                address.text()
            });
            address.unwrap_or_else(|| text.to_owned())
        };
        let mut variables: BTreeMap<&str, String> = BTreeMap::new();
        for Line { keyword, value, .. } in lines {
            match &**keyword {
                "address" | "gateway" => {
                    let all = if &**keyword == "address" { "addresses" } else { "gateways" };
                    let is_address = all == "addresses";
                    let text = if is_address { completed(value.trim()) } else { value.trim().to_owned() };
                    let all = variables.entry(all).or_default();
                    all.push_str(&text);
                    all.push(' ');
                    variables.entry(keyword).or_insert(text);
                    continue;
                }
                "requires" if is_bridge => drop(variables.insert("bridge-ports", value.as_ref().to_owned())),
                _ => {}
            }
            variables.insert(keyword, value.as_ref().to_owned());
        }
        let mut stanza = Stanza::handed_over(variables);
        self.join(iface, &mut stanza);
        Some(stanza)
    }
}

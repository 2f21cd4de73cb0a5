//! What is wrong between stanzas that are right by themselves: two VRFs with one table, a port on two bridges, circles
//! of dependencies, two stanzas of one name.

use crate::finding::Finding;
use crate::stanza::{Dependency, ReadStanza};
use ifupdown_ng_netlink::stanza::{Begin, Line, Place, Stanzas};
use ifupdown_ng_netlink::values::bridge::Ports;
use ifupdown_ng_netlink::values::{IfName, TableId, TableSpec};
use std::collections::{BTreeMap, BTreeSet};

/// All of this.
pub fn findings(stanzas: &Stanzas, read: &[ReadStanza], tables: &BTreeMap<String, TableId>) -> Vec<Finding> {
    let mut findings = two_stanzas(stanzas);
    findings.extend(two_vrfs(stanzas, tables));
    findings.extend(two_bridges(stanzas));
    findings.extend(circles(read));
    findings
}

/// The interfaces in the order of the file, with the line of a keyword that counts.
fn lines<'a>(stanzas: &'a Stanzas, keyword: &'static str) -> impl Iterator<Item = (&'a str, &'a Line)> {
    stanzas.order().filter_map(move |name| Some((name, stanzas.line(name, keyword)?)))
}

fn at(place: Option<&Place>) -> String {
    place.map(ToString::to_string).unwrap_or_default()
}

/// ifupdown-ng joins the stanzas of one name. One for each address family is usual.
fn two_stanzas(stanzas: &Stanzas) -> Vec<Finding> {
    fn family(begin: &Begin) -> Option<&str> {
        begin.words.split_whitespace().find(|word| matches!(*word, "inet" | "inet6"))
    }
    let mut findings = Vec::new();
    for name in stanzas.interfaces() {
        let begins = stanzas.begins(name);
        for (number, begin) in begins.iter().enumerate() {
            let differs = |earlier: &Begin| matches!((family(earlier), family(begin)), (Some(one), Some(other)) if one != other);
            let Some(earlier) = begins[..number].iter().find(|earlier| !differs(earlier)) else { continue };
            let text = format!("iface {name}: ifupdown-ng joins it with the stanza at {}", earlier.place);
            findings.push(Finding::new(Some(begin.place.clone()), name, "iface", text).into_warning());
        }
    }
    findings
}

fn two_vrfs(stanzas: &Stanzas, tables: &BTreeMap<String, TableId>) -> Vec<Finding> {
    let mut known: BTreeMap<String, (&str, &Line)> = BTreeMap::new();
    let mut findings = Vec::new();
    for (name, line) in lines(stanzas, "vrf-table") {
        let value = line.value.trim();
        let table = match value.parse() {
            Ok(TableSpec::Id(id)) => id.to_string(),
            Ok(TableSpec::Name(table)) => tables.get(&table).map_or(table, ToString::to_string),
            Err(_) => continue,
        };
        if table == "auto" {
            continue;
        }
        match known.get(&table) {
            Some((other, earlier)) => {
                let at = at(earlier.place.as_ref());
                let text = format!("vrf-table {value}: {other} has the same table, {at}");
                findings.push(Finding::new(line.place.clone(), name, "vrf-table", text).and(other));
            }
            None => drop(known.insert(table, (name, line))),
        }
    }
    findings
}

fn two_bridges(stanzas: &Stanzas) -> Vec<Finding> {
    let mut all: Vec<(IfName, String, &str, &Line)> = Vec::new();
    for name in stanzas.order() {
        let line = |keyword| stanzas.line(name, keyword);
        if let Some(line) = line("bridge-ports") {
            if let Ok(ports) = line.value.parse::<Ports>() {
                all.extend(ports.named().iter().map(|port| (port.clone(), name.to_owned(), name, line)));
            }
        }
        if let Some(line) = line("bridge-member") {
            if let Ok(port) = name.parse() {
                all.push((port, line.value.trim().to_owned(), name, line));
            }
        }
    }
    let mut findings = Vec::new();
    for (number, (port, bridge, name, line)) in all.iter().enumerate() {
        let earlier = all[..number].iter().find(|(of, other, ..)| of == port && other != bridge);
        let Some((_, other, of, earlier)) = earlier else { continue };
        let keyword = &*line.keyword;
        let value = if keyword == "bridge-member" { bridge.as_str() } else { port.as_str() };
        let text =
            format!("{keyword} {value}: {port} is a port of {other} too, {}", at(earlier.place.as_ref()));
        findings.push(Finding::new(line.place.clone(), name, keyword, text).and(of));
    }
    findings
}

/// Each circle once, at the dependency of its first interface in the file.
fn circles(read: &[ReadStanza]) -> Vec<Finding> {
    let by_name: BTreeMap<&str, usize> =
        read.iter().enumerate().map(|(number, stanza)| (stanza.iface.as_str(), number)).collect();
    let edges: Vec<Vec<(usize, &Dependency)>> = read
        .iter()
        .map(|stanza| {
            let known = |edge: &Dependency| by_name.get(edge.on.as_str()).copied();
            stanza.depends.iter().filter_map(|edge| Some((known(edge)?, edge))).collect()
        })
        .collect();
    let mut findings = Vec::new();
    let mut reported: BTreeSet<usize> = BTreeSet::new();
    for start in 0..read.len() {
        if reported.contains(&start) {
            continue;
        }
        let Some(path) = way_back(start, &edges) else { continue };
        reported.extend(path.iter().map(|(from, _)| *from));
        let name = |number: usize| read[number].iface.as_str();
        let names: Vec<&str> = path.iter().map(|(from, _)| name(*from)).chain([name(start)]).collect();
        let Some((_, edge)) = path.first() else { continue };
        let text = format!(
            "{} {}: a circle of dependencies: {}; ifupdown-ng brings one of them up too early",
            edge.keyword,
            edge.on,
            names.join(" -> ")
        );
        let mut finding = Finding::new(edge.place.clone(), name(start), &edge.keyword, text);
        finding.interfaces.extend(names.into_iter().map(str::to_owned));
        findings.push(finding);
    }
    findings
}

/// The shortest way from a node back to it, as nodes with the edge by which each is left.
fn way_back<'a>(
    start: usize,
    edges: &[Vec<(usize, &'a Dependency)>],
) -> Option<Vec<(usize, &'a Dependency)>> {
    // The node and edge by which each node was reached.
    let mut reached: BTreeMap<usize, (usize, &Dependency)> = BTreeMap::new();
    let mut nodes = vec![start];
    while !nodes.is_empty() {
        let mut next = Vec::new();
        for from in nodes {
            for (to, edge) in &edges[from] {
                if !reached.contains_key(to) {
                    reached.insert(*to, (from, edge));
                    next.push(*to);
                }
            }
        }
        nodes = next;
    }
    let mut path = Vec::new();
    let mut node = start;
    loop {
        let (from, edge) = *reached.get(&node)?;
        path.insert(0, (from, edge));
        if from == start {
            return Some(path);
        }
        node = from;
    }
}

//! The stanzas to work on, read by the executors that ifupdown-ng would run for them.

use ifupdown_ng_netlink::kernel::{Kernel, Refusal, ifquery};
use ifupdown_ng_netlink::program::executor::{Configuration, Program, configure};
use ifupdown_ng_netlink::stanza::Stanzas;
use ifupdown_ng_netlink::stanza::keywords::Unknown;
use ifupdown_ng_netlink::state::{Query, Snapshot, TableRef};
use ifupdown_ng_netlink::values::IfName;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// What was asked for.
pub struct Options {
    /// The interfaces file.
    pub file: PathBuf,
    /// The directory of the executors.
    pub executors: PathBuf,
    /// Take all interfaces that are `auto`.
    pub auto: bool,
    /// Take these interfaces.
    pub interfaces: Vec<String>,
}

/// An interface whose stanza has keywords of our programs.
pub struct Target {
    /// The interface.
    pub iface: IfName,
    /// Its stanza.
    pub configuration: Configuration,
    /// Whether it was asked for. The others are up, and what their stanzas ask for must not be removed.
    pub chosen: bool,
    /// The interfaces that come before it.
    depends: Vec<IfName>,
}

impl Target {
    /// Adds what has to be read for this interface.
    pub fn query(&self, query: &mut Query) {
        query.here().links.insert(self.iface.clone());
        self.configuration.query_up(&self.iface, query);
    }
}

/// The interfaces that were asked for, and the others that are up.
pub struct Targets {
    /// The whole interfaces file.
    pub stanzas: Stanzas,
    /// The stanzas that can be worked on, each after those that it depends on.
    pub known: Vec<Target>,
    /// Why a stanza that was asked for cannot be worked on, a line each.
    pub wrong: Vec<String>,
    /// Warnings about these stanzas, a line each.
    pub warnings: Vec<String>,
    /// The interfaces that ifup has brought up.
    pub running: BTreeSet<String>,
    /// Every stanza that is up could be read. What none of them asks for can then be removed.
    pub complete: bool,
    /// The interfaces of the file that are up, or were asked for.
    listed: BTreeSet<IfName>,
    /// The interfaces that ifup has brought up, but that are not in the file.
    not_in_file: BTreeSet<String>,
    /// The interfaces that have a stanza for our executors, but that ifup has not brought up.
    idle: BTreeSet<IfName>,
}

impl Targets {
    /// Reads the interfaces file and the stanzas that were asked for: the named ones. If none is named, those that are
    /// `auto` and, without `options.auto`, also those that are up.
    ///
    /// # Errors
    /// When ifquery cannot read the file.
    pub fn read(options: &Options, programs: &[&'static Program]) -> Result<Self, Refusal> {
        let stanzas = ifquery::stanzas(&options.file)?;
        let running = ifquery::running(&options.file)?;
        let (mut known, mut wrong, mut complete) = (Vec::new(), Vec::new(), true);
        let mut warnings = Vec::new();
        let named = !options.interfaces.is_empty();
        let chosen: BTreeSet<&str> = if named {
            options.interfaces.iter().map(String::as_str).collect()
        } else {
            let also = |name: &str| !options.auto && running.contains(name);
            stanzas.interfaces().filter(|name| stanzas.is_auto(name) || also(name)).collect()
        };
        let others = stanzas.interfaces().filter(|name| !chosen.contains(name));
        let all = chosen.iter().map(|name| (*name, true)).chain(others.map(|name| (name, false)));
        let ours: Vec<_> =
            programs.iter().copied().filter(|program| is_ours(&options.executors, program.name)).collect();
        let (mut listed, mut idle) = (BTreeSet::new(), BTreeSet::new());
        for (name, chosen) in all {
            let iface: IfName = match name.parse() {
                Ok(iface) => iface,
                Err(error) if named && chosen => {
                    wrong.push(format!("{name}: {error}"));
                    continue;
                }
                // An alias such as eth0:1 is not an interface of the kernel, and our executors do nothing for it.
                Err(_) => continue,
            };
            let Some(stanza) = stanzas.environment(&iface) else {
                wrong.push(format!("{iface}: there is no such stanza in {}", options.file.display()));
                continue;
            };
            let used: Vec<_> = stanzas
                .executors(&iface)
                .filter_map(|used| ours.iter().copied().find(|program| program.name == used))
                .collect();
            if chosen {
                let unread = unread(name, &stanzas, &used, programs, &ours);
                wrong.extend(unread.into_iter().map(|line| format!("{iface}: {line}")));
            }
            let (configuration, mut problems) = configure(&used, &stanza);
            let mut unknown = Unknown::of(&stanza, None);
            problems.append(&mut unknown.misspelt);
            if !chosen && !running.contains(name) {
                if !configuration.is_empty() {
                    idle.insert(iface);
                }
                continue;
            }
            listed.insert(iface.clone());
            complete &= problems.is_empty();
            if chosen {
                wrong.extend(problems.iter().map(|problem| format!("{iface}: {problem}")));
                warnings.extend(unknown.warnings.iter().map(|warning| format!("{iface}: {warning}")));
            }
            // An interface that was named may still have objects of ours from an earlier stanza.
            if problems.is_empty() && (named && chosen || !configuration.is_empty()) {
                let depends = used.iter().flat_map(|program| program.depends(Some(iface.as_str()), &stanza));
                known.push(Target { depends: depends.collect(), iface, configuration, chosen });
            }
        }
        let mut ordered = Vec::new();
        while let Some(target) = known.first() {
            let iface = target.iface.clone();
            take(&iface, &mut known, &mut ordered);
        }
        let not_in_file = running.iter().filter(|name| !stanzas.mentions(name)).cloned().collect();
        Ok(Self { stanzas, known: ordered, wrong, warnings, running, complete, listed, not_in_file, idle })
    }

    /// The interfaces that may need our routes, but whose stanza is not in the file or, according to ifup, not up.
    pub fn may_need_routes(&self, found: &Snapshot) -> BTreeSet<String> {
        let state = found.here();
        let is_used = |iface: &&IfName| {
            let master = state.links.get(*iface).and_then(|link| link.master.as_ref());
            master.is_some_and(|master| state.vrf_table(master).is_some())
                || state.routes.iter().any(|route| route.is_ours() && route.dev.as_ref() == Some(*iface))
        };
        let idle = self.idle.iter().filter(is_used).map(ToString::to_string);
        self.not_in_file.iter().cloned().chain(idle).chain(self.may_need_rules(found)).collect()
    }

    /// The VRFs in the kernel that may need rules, but whose stanza is not in the file or, according to ifup, not up.
    pub fn may_need_rules(&self, found: &Snapshot) -> BTreeSet<String> {
        let vrfs = found.here().vrfs().map(|(vrf, _)| vrf);
        vrfs.filter(|vrf| !self.listed.contains(*vrf)).map(ToString::to_string).collect()
    }

    /// Whether the file has a stanza for an interface.
    pub fn has_stanza(&self, iface: &IfName) -> bool {
        self.stanzas.interfaces().any(|name| name == iface.as_str())
    }

    /// The state of the kernel for all of them.
    ///
    /// # Errors
    /// When the kernel does not answer.
    pub fn look(&self, kernel: &mut impl Kernel) -> Result<Snapshot, Refusal> {
        let mut query = Query::default();
        for target in &self.known {
            target.query(&mut query);
        }
        // To find what no stanza asks for any more, read everything of ours.
        query.here().rules = true;
        query.here().vrfs.all = true;
        query.here().links.extend(self.idle.iter().cloned());
        for wants in query.places.values_mut() {
            wants.routes.insert(TableRef::Ours);
        }
        // The stanzas have been read already.
        (query.stanzas, query.stanzas_beside_bridge) = (false, false);
        let mut found = kernel.read(&query)?;
        found.stanzas = Some(self.stanzas.clone());
        Ok(found)
    }
}

/// The keywords of a stanza that are ours but that none of its executors reads, a line each. Keywords that only an
/// executor in place of a stock one reads are left out: the stock executor reads them too.
fn unread(
    iface: &str,
    stanzas: &Stanzas,
    used: &[&Program],
    programs: &[&'static Program],
    ours: &[&'static Program],
) -> Vec<String> {
    let reads = |program: &&Program, keyword: &str| program.keywords().any(|own| own.name == keyword);
    let mut lines = Vec::new();
    for (keyword, value) in stanzas.lines(iface) {
        let reader = programs.iter().find(|program| {
            reads(program, keyword)
                && keyword.starts_with(beginning(program.name))
                && !REPLACES.contains(&program.name)
        });
        let Some(reader) = reader else { continue };
        if used.iter().any(|program| reads(program, keyword)) {
            continue;
        }
        lines.push(if ours.iter().any(|program| program.name == reader.name) {
            format!("{keyword} {value}: no executor of this package reads it; add `use {}`", reader.name)
        } else {
            format!(
                "{keyword} {value}: no executor of this package reads it; {} is not installed",
                reader.name
            )
        });
    }
    lines
}

/// The executors that replace stock ones of the same name.
const REPLACES: [&str; 3] = ["vrf", "veth", "bridge"];

/// A program's name up to its first dash.
fn beginning(name: &str) -> &str {
    name.split('-').next().unwrap_or(name)
}

/// Moves an interface to the others, after the interfaces that it depends on.
fn take(iface: &IfName, from: &mut Vec<Target>, to: &mut Vec<Target>) {
    let Some(place) = from.iter().position(|target| target.iface == *iface) else { return };
    let target = from.remove(place);
    target.depends.iter().for_each(|name| take(name, from, to));
    to.push(target);
}

/// Whether the executor of this name is one of ours. Those of ifupdown-ng are scripts.
fn is_ours(directory: &Path, name: &str) -> bool {
    let mut beginning = [0; 2];
    let read = File::open(directory.join(name)).and_then(|mut file| file.read_exact(&mut beginning));
    read.is_ok() && beginning != *b"#!"
}

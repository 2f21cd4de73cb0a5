//! One stanza, read by the executors that ifupdown-ng would run for it, and what is wrong in it.

use crate::all::{NATIVE, PROGRAMS};
use crate::finding::Finding;
use ifupdown_ng_netlink::plan::link::lower_link;
use ifupdown_ng_netlink::program::executor::{Configuration, Program, configure};
use ifupdown_ng_netlink::stanza::keywords::{LISTS, OURS, Unknown};
use ifupdown_ng_netlink::stanza::{Line, Origin, Phase, Place, Problem, Stanza, Stanzas};
use ifupdown_ng_netlink::state::Section;
use ifupdown_ng_netlink::values::{IfName, words};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The executors of a directory.
pub struct Executors {
    /// Those that are installed in the directory.
    installed: Vec<&'static Program>,
    directory: PathBuf,
    /// Whether there is an executor of this name, once it was asked for.
    found: RefCell<BTreeMap<String, bool>>,
}

impl Executors {
    /// Those in this directory.
    pub fn installed_in(directory: &Path) -> Self {
        let installed = PROGRAMS.iter().copied().filter(|program| is_ours(directory, program.name)).collect();
        Self { installed, directory: directory.to_owned(), found: RefCell::default() }
    }

    /// The program of this package that does the work of an executor. The work of some stock executors is done here,
    /// whichever is installed.
    fn program(&self, name: &str) -> Option<&'static Program> {
        self.installed.iter().chain(NATIVE).copied().find(|program| program.name == name)
    }

    /// Whether an executor of this name is installed, and not carried out here.
    fn is_foreign(&self, name: &str) -> bool {
        self.program(name).is_none() && !NOTHING.contains(&name) && !name.is_empty() && self.exists(name)
    }

    /// Whether a recorded stanza has commands, or needs an executor of others.
    pub fn has_foreign(&self, old: &Section) -> bool {
        !self.foreign(old, false).is_empty() || !self.foreign(old, true).is_empty()
    }

    /// The executors of others, and the phases, whose values or commands differ between two stanzas.
    pub fn changed(&self, old: &Section, new: &Section) -> BTreeSet<String> {
        let are_known = !old.lines.is_empty() && !new.lines.is_empty();
        let (before, after) = (self.foreign(old, are_known), self.foreign(new, are_known));
        let names = before.keys().chain(after.keys());
        names.filter(|name| before.get(*name) != after.get(*name)).map(|name| (*name).to_owned()).collect()
    }

    /// The executors of others and the phases of a stanza, each with its lines. Only with all `lines`, an executor that has
    /// no keyword of its own is surely found.
    fn foreign<'a>(&self, section: &'a Section, lines: bool) -> BTreeMap<&'a str, Vec<(&'a str, &'a str)>> {
        let mut found: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
        let all = section.lines.iter().filter(|_| lines).map(|(keyword, value)| (keyword, value));
        let last = section.values.iter().filter(|_| !lines);
        for (keyword, value) in all.chain(last).map(|(keyword, value)| (keyword.as_str(), value.trim())) {
            let is_command = keyword.parse::<Phase>().is_ok();
            let name = match keyword {
                "use" => value,
                _ if is_command => keyword,
                _ => beginning(keyword),
            };
            if is_command || (self.is_foreign(name) && (lines || keyword != "use")) {
                found.entry(name).or_default().push((keyword, value));
            }
        }
        found
    }

    /// Whether ifupdown-ng finds an executor of this name. It skips one that is missing.
    fn exists(&self, name: &str) -> bool {
        let mut found = self.found.borrow_mut();
        *found.entry(name.to_owned()).or_insert_with(|| self.directory.join(name).exists())
    }
}

/// Whether the executor of this name is one of ours. Those of ifupdown-ng are scripts.
fn is_ours(directory: &Path, name: &str) -> bool {
    let mut beginning = [0; 2];
    let read = File::open(directory.join(name)).and_then(|mut file| file.read_exact(&mut beginning));
    read.is_ok() && beginning != *b"#!"
}

/// The executors that replace stock ones of the same name.
const REPLACES: [&str; 3] = ["vrf", "veth", "bridge"];

/// Executors with nothing to do; `link` for the loopback interface.
const NOTHING: [&str; 2] = ["link", "loopback"];

/// Stock executors that create their interface.
pub const CREATE: [&str; 8] =
    ["batman", "bond", "gre", "ppp", "tunnel", "vxlan", "wireguard", "wireguard-quick"];

/// An interface that must be up before another one.
#[derive(Debug, Clone)]
pub struct Dependency {
    /// The interface.
    pub on: String,
    /// The keyword that names it.
    pub keyword: String,
    /// Where that keyword is.
    pub place: Option<Place>,
}

/// A stanza.
pub struct ReadStanza {
    /// The interface.
    pub iface: IfName,
    /// What our executors do.
    pub configuration: Configuration,
    /// Our executors read it without a problem.
    pub is_sound: bool,
    /// What is wrong in it.
    pub findings: Vec<Finding>,
    /// The interfaces that come before it.
    pub depends: Vec<Dependency>,
    /// Another executor, or a command of the stanza, creates the interface.
    pub is_created_by_others: bool,
    /// The keywords that none of our executors reads.
    pub of_others: Vec<String>,
    /// The executors of others, and the phases for which the stanza has commands.
    pub foreign: Vec<String>,
    /// The stanza, as it is recorded when it is applied.
    pub section: Section,
    /// The file has none: ifupdown-ng makes it, because others depend on the interface.
    pub is_implied: bool,
}

impl ReadStanza {
    /// Adds the stanzas that ifupdown-ng makes: for each interface that others depend on, and that has none.
    pub fn add_implied(read: &mut Vec<Self>, stanzas: &Stanzas, executors: &Executors) {
        let mut next = 0;
        while let Some(stanza) = read.get(next) {
            let has_none = |name: &&String| {
                // ifupdown-ng refuses a template, and always knows the loopback interface.
                let is_in_file = name.as_str() == "lo" || stanzas.order().any(|known| known == name.as_str());
                !is_in_file && !read.iter().any(|known| known.iface.as_str() == name.as_str())
            };
            let names = stanza.depends.iter().map(|dependency| &dependency.on).filter(has_none);
            let names: BTreeSet<IfName> = names.filter_map(|name| name.parse().ok()).collect();
            let made = names.iter().filter_map(|iface| {
                Self::read(iface, &Stanzas::implied(iface.as_str()), executors)
                    .map(|stanza| Self { is_implied: true, ..stanza })
            });
            let made: Vec<Self> = made.collect();
            read.extend(made);
            next += 1;
        }
    }

    /// Reads the stanza of an interface; `None` if there is none.
    pub fn read(iface: &IfName, stanzas: &Stanzas, executors: &Executors) -> Option<Self> {
        let stanza = stanzas.environment(iface)?;
        // The loopback interface is always up.
        let is_needed = |name: &&str| *name != "link" || iface.as_str() != "lo";
        let names = stanzas.executors(iface).filter(is_needed);
        let used: Vec<_> = names.filter_map(|name| executors.program(name)).collect();
        let lines = Lines { iface: iface.as_str(), stanzas };
        let (configuration, mut problems) = configure(&used, &stanza);
        let mut unknown = Unknown::of(&stanza, None);
        problems.append(&mut unknown.misspelt);
        let mut findings = lines.repeated();
        findings.extend(lines.unread(&used, executors));
        findings.extend(problems.iter().flat_map(|problem| lines.locate(problem, &used, &stanza)));
        for warning in unknown.warnings {
            let keyword = warning.split(':').next().unwrap_or_default();
            let place = lines.place(keyword);
            findings.push(Finding::new(place, iface.as_str(), keyword, &warning).into_warning());
        }
        let mut depends = lines.depends();
        for on in used.iter().flat_map(|program| program.depends(Some(iface.as_str()), &stanza)) {
            let keywords = used.iter().flat_map(|program| program.keywords());
            depends.extend(lines.naming(on.as_str(), keywords.map(|keyword| keyword.name)));
        }
        let of_others = lines.of_others(&used);
        let foreign = lines.foreign(&used, executors);
        let is_created_by_others = lines.is_created(&foreign);
        let is_sound = problems.is_empty();
        let keywords: Vec<&str> =
            used.iter().flat_map(|program| program.keywords()).map(|keyword| keyword.name).collect();
        let ports = stanzas.text(iface, "bridge-ports").map(str::to_owned);
        let section =
            Section { ports, lines: lines.of_no_program().into(), ..Section::of(&stanza, &keywords, None) };
        let iface = iface.clone();
        Some(Self {
            iface,
            configuration,
            is_sound,
            findings,
            depends,
            is_created_by_others,
            of_others,
            foreign,
            section,
            is_implied: false,
        })
    }
}

/// The lines of one interface.
struct Lines<'a> {
    iface: &'a str,
    stanzas: &'a Stanzas,
}

impl<'a> Lines<'a> {
    fn all(&self) -> &'a [Line] {
        self.stanzas.written(self.iface)
    }

    /// The line of a keyword that counts.
    fn line(&self, keyword: &str) -> Option<&'a Line> {
        self.stanzas.line(self.iface, keyword)
    }

    /// Where a keyword is that an executor got: its last line, or the begin of the stanza.
    fn place(&self, keyword: &str) -> Option<Place> {
        let written = match keyword {
            "addresses" => "address",
            "gateways" => "gateway",
            // ifupdown-ng hands over the one in place of the other.
            "bridge-ports" if self.line(keyword).is_none() => "requires",
            keyword => keyword,
        };
        let begin = || self.stanzas.begins(self.iface).last().map(|begin| begin.place.clone());
        self.line(written).and_then(|line| line.place.clone()).or_else(begin)
    }

    /// The lines that a problem is about: of a list, each line that has it alone, otherwise the last line.
    fn locate(&self, problem: &Problem, used: &[&Program], stanza: &Stanza) -> Vec<Finding> {
        let keyword = problem.keyword.as_str();
        let lines =
            self.all().iter().filter(|line| &*line.keyword == keyword && !line.value.trim().is_empty());
        let alone = |line: &Line| {
            let pairs = stanza.keywords().map(|name| {
                (
                    name,
                    if name == keyword { line.value.trim() } else { stanza.text(name).unwrap_or_default() },
                )
            });
            let (_, problems) = configure(used, &Stanza::new(pairs));
            let problem = problems.into_iter().find(|problem| problem.keyword == keyword)?;
            Some(Finding::of(line.place.clone(), self.iface, &problem))
        };
        let found: Vec<Finding> = if LISTS.contains(&keyword) && lines.clone().count() > 1 {
            lines.filter_map(alone).collect()
        } else {
            Vec::new()
        };
        if found.is_empty() { vec![Finding::of(self.place(keyword), self.iface, problem)] } else { found }
    }

    /// Lines that have no effect because a later line has the same keyword. A line that overrides an inherited one is
    /// as it should be.
    fn repeated(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (number, line) in self.all().iter().enumerate() {
            let keyword = &*line.keyword;
            if line.origin != Origin::Written || !OURS.contains(&keyword) || LISTS.contains(&keyword) {
                continue;
            }
            let later = self.all()[number + 1..].iter().rev().find(|later| later.keyword == line.keyword);
            let Some(later) = later.filter(|later| later.value.trim() != line.value.trim()) else { continue };
            let at = later.place.as_ref().map(ToString::to_string).unwrap_or_default();
            let text =
                format!("{keyword} {}: only the last line of this keyword counts, {at}", line.value.trim());
            findings.push(Finding::new(line.place.clone(), self.iface, keyword, text));
        }
        findings
    }

    /// The keywords of ours that none of the executors reads. Keywords that only an executor in place of a stock one
    /// reads are left out: the stock executor reads them too.
    fn unread(&self, used: &[&Program], executors: &Executors) -> Vec<Finding> {
        let reads = |program: &&Program, keyword: &str| program.keywords().any(|own| own.name == keyword);
        let mut findings = Vec::new();
        for line in self.all() {
            let keyword = &*line.keyword;
            let reader = PROGRAMS.iter().find(|program| {
                reads(program, keyword)
                    && keyword.starts_with(beginning(program.name))
                    && !REPLACES.contains(&program.name)
            });
            let Some(reader) = reader else { continue };
            if used.iter().any(|program| reads(program, keyword)) {
                continue;
            }
            let is_installed = executors.installed.iter().any(|program| program.name == reader.name);
            let value = line.value.trim();
            let text = if is_installed {
                format!("{keyword} {value}: no executor of this package reads it; add `use {}`", reader.name)
            } else {
                format!(
                    "{keyword} {value}: no executor of this package reads it; {} is not installed",
                    reader.name
                )
            };
            findings.push(Finding::new(line.place.clone(), self.iface, keyword, text));
        }
        findings
    }

    /// The line with one of these keywords that names an interface.
    fn naming(&self, name: &str, keywords: impl IntoIterator<Item = &'static str>) -> Option<Dependency> {
        let mut lines = keywords.into_iter().filter_map(|keyword| self.line(keyword));
        let line = lines.find(|line| words(&line.value).any(|word| word == name) || line.has_port(name))?;
        Some(Dependency {
            on: name.to_owned(),
            keyword: line.keyword.as_ref().to_owned(),
            place: line.place.clone(),
        })
    }

    /// What must be up before the interface: `requires`, and what the stock executors find.
    fn depends(&self) -> Vec<Dependency> {
        let of = |line: &Line| -> Vec<Dependency> {
            let keyword = &line.keyword;
            let dependency = |on: &str| Dependency {
                on: on.to_owned(),
                keyword: keyword.as_ref().to_owned(),
                place: line.place.clone(),
            };
            words(&line.value).map(dependency).collect()
        };
        // ifupdown-ng reads the first line of `requires`.
        let requires = self.all().iter().find(|line| &*line.keyword == "requires");
        let named = [requires, self.line("bond-members")];
        let mut depends: Vec<Dependency> = named.into_iter().flatten().flat_map(of).collect();
        let value = |keyword| self.line(keyword).map(|line| line.value.trim());
        let is_made = value("link-type").is_some_and(|kind| ["dummy", "veth"].contains(&kind));
        let raw = lower_link(self.iface, value("vlan-raw-device"), value("vlan-id"));
        if let Some(raw) = raw.filter(|_| !is_made) {
            let named = self.line("vlan-raw-device").filter(|line| line.value.trim() == raw.as_str());
            let keyword = named.map_or("iface", |line| &line.keyword).to_owned();
            let place = named.map_or_else(|| self.place(""), |line| line.place.clone());
            depends.push(Dependency { on: raw.to_string(), keyword, place });
        }
        depends
    }

    /// The lines with other keywords than ours.
    fn of_no_program(&self) -> Vec<(String, String)> {
        let others = self.stanzas.lines(self.iface).filter(|(keyword, _)| !OURS.contains(keyword));
        others.map(|(keyword, value)| (keyword.to_owned(), value.to_owned())).collect()
    }

    /// Whether one of these executors of others, or a command, creates the interface.
    fn is_created(&self, foreign: &[String]) -> bool {
        let adds = |line: &Line| {
            let words: Vec<&str> = line.value.split_whitespace().collect();
            ["create", "pre-up"].contains(&&*line.keyword)
                && words.windows(2).any(|pair| pair == ["link", "add"])
        };
        let creates = |name: &String| CREATE.contains(&name.as_str()) || REPLACES.contains(&name.as_str());
        self.all().iter().any(adds) || foreign.iter().any(creates)
    }

    /// The executors of others, and the phases for which the stanza has commands.
    fn foreign(&self, used: &[&Program], executors: &Executors) -> Vec<String> {
        let is_ours = |name: &str| used.iter().any(|program| program.name == name);
        let phases = || Phase::UP.into_iter().chain(Phase::DOWN);
        let mut foreign = Vec::new();
        for line in self.all() {
            let (keyword, value) = (&*line.keyword, line.value.trim());
            if keyword == "use" && !is_ours(value) && !NOTHING.contains(&value) && executors.exists(value) {
                foreign.push(value.to_owned());
            } else if phases().any(|phase| phase.as_str() == keyword) {
                foreign.push(keyword.to_owned());
            }
        }
        foreign.dedup();
        foreign
    }

    /// The written keywords that none of these executors reads, each once.
    fn of_others(&self, used: &[&Program]) -> Vec<String> {
        let mut keywords: Vec<String> = Vec::new();
        for line in self.all().iter().filter(|line| line.origin != Origin::Implied) {
            let keyword = &*line.keyword;
            let is_read = used.iter().any(|program| program.keywords().any(|own| own.name == keyword));
            let is_known = keywords.iter().any(|known| known == keyword);
            if !is_read && !is_known && !["use", "inherit", "requires"].contains(&keyword) {
                keywords.push(keyword.to_owned());
            }
        }
        keywords
    }
}

/// A program's name up to its first dash.
fn beginning(name: &str) -> &str {
    name.split('-').next().unwrap_or(name)
}

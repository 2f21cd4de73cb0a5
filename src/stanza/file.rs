//! Reads interfaces files as ifupdown-ng does (interface-file.c, interface.c, compat.c), and keeps the place of each
//! keyword. The result is that of `ifquery --list --pretty-print`; tests/kernel/reader.rs compares both.
//!
//! Files are read by [`crate::kernel::interfaces_file`].

pub(super) mod address;
mod aliases;
mod lines;
mod problem;
mod settings;

pub use aliases::Version;
pub use problem::{FileProblem, Reason};

use crate::stanza::canonical;
use crate::stanza::interfaces::{Begin, Joined, Line, Origin, Place, Stanzas};
use address::Address;
use lines::{Lines, Words};
use problem::DEEPEST;
use settings::{Setting, Settings};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Files, as interfaces files name them.
pub trait Files {
    /// The text of a file; empty for a directory.
    ///
    /// # Errors
    /// The reason why it cannot be read.
    fn text(&mut self, file: &str) -> Result<Vec<u8>, String>;

    /// The existing files that a name or pattern of `source` means, sorted.
    fn expand(&mut self, pattern: &str) -> Vec<String>;

    /// The paths of the regular files in a directory, in the order of readdir(3). `links` are followed or left out.
    ///
    /// # Errors
    /// The reason why it cannot be read.
    fn directory(&mut self, directory: &str, links: bool) -> Result<Vec<String>, String>;

    /// The name of the host, which is the default of `dhcp-hostname`.
    fn hostname(&mut self) -> String;
}

/// What was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// The stanzas.
    pub stanzas: Stanzas,
    /// The problems that do not stop ifupdown-ng, in the order of the lines.
    pub problems: Vec<FileProblem>,
    /// Whether another version of ifupdown-ng may read these files differently. The head gives every stanza a line
    /// `inherit defaults`, and creates that interface; if no file has a line for it, that alone does not count.
    pub depends_on_version: bool,
}

/// How many lines may be read, added and inherited.
const MOST: usize = 1 << 20;
/// How many bytes all files may have.
const LONGEST: usize = 16 << 20;

/// Whether the settings of ifupdown-ng let ifup and ifdown run the scripts of `/etc/network/if-*.d`.
pub fn has_scripts(files: &mut impl Files) -> bool {
    Settings::read(files).is_on(Setting::AddonScripts)
}

/// Reads a file and the files that it names.
///
/// # Errors
/// The problem at which ifupdown-ng reads nothing, or our limits.
pub fn read(file: &str, version: Version, files: &mut impl Files) -> Result<Reading, FileProblem> {
    let settings = Settings::read(files);
    let mut reader = Reader {
        files,
        version,
        settings,
        drafts: Vec::new(),
        index: BTreeMap::new(),
        current: None,
        no_defaults: BTreeSet::new(),
        loaded: BTreeSet::new(),
        open: Vec::new(),
        place: None,
        problems: Vec::new(),
        depends_on_version: false,
        lines: MOST,
        bytes: LONGEST,
    };
    let lo = reader.draft("lo")?;
    reader.drafts[lo].auto = true;
    reader.use_executor(lo, "loopback")?;
    reader.file(file)?;
    reader.inherit_vlans()?;
    let (problems, depends_on_version) = (std::mem::take(&mut reader.problems), reader.depends_on_version);
    Ok(Reading { stanzas: reader.stanzas(), problems, depends_on_version })
}

/// A keyword with its value, before the file ends.
#[derive(Debug, Clone)]
struct Entry {
    /// The keyword as ifupdown-ng has it.
    keyword: Arc<str>,
    value: Value,
    place: Option<Place>,
    origin: Origin,
}

#[derive(Debug, Clone)]
enum Value {
    Text(Arc<str>),
    Address(Address),
}

impl Entry {
    /// Its value, if it is a text with this keyword.
    fn text(&self, keyword: &str) -> Option<&Arc<str>> {
        match &self.value {
            Value::Text(text) if &*self.keyword == keyword => Some(text),
            _ => None,
        }
    }
}

/// An interface or template, before the file ends.
#[derive(Debug)]
struct Draft {
    name: String,
    entries: Vec<Entry>,
    begins: Vec<Begin>,
    /// The values of `use`.
    used: BTreeSet<Arc<str>>,
    auto: bool,
    template: bool,
    bridge: bool,
}

impl Draft {
    fn first(&self, keyword: &str) -> Option<&Arc<str>> {
        self.entries.iter().find_map(|entry| entry.text(keyword))
    }
}

struct Reader<'f, F> {
    files: &'f mut F,
    version: Version,
    settings: Settings,
    /// In the order in which lines name them.
    drafts: Vec<Draft>,
    index: BTreeMap<String, usize>,
    /// The stanza to which keywords belong. A file continues that of the file before.
    current: Option<usize>,
    /// The interfaces with `no-defaults`.
    no_defaults: BTreeSet<usize>,
    /// The files that were read, by name.
    loaded: BTreeSet<String>,
    /// The files of which this one is the last.
    open: Vec<String>,
    /// Of the line that is read.
    place: Option<Place>,
    problems: Vec<FileProblem>,
    /// As in [`Reading`].
    depends_on_version: bool,
    /// How many lines are left of [`MOST`].
    lines: usize,
    /// How many bytes are left of [`LONGEST`].
    bytes: usize,
}

impl<F: Files> Reader<'_, F> {
    fn fatal(&self, reason: Reason) -> FileProblem {
        FileProblem { place: self.place.clone(), reason }
    }

    fn problem(&mut self, reason: Reason) {
        let problem = self.fatal(reason);
        self.problems.push(problem);
    }

    /// Counts lines that are read, added or visited.
    fn spend(&mut self, lines: usize) -> Result<(), FileProblem> {
        self.lines = self.lines.checked_sub(lines).ok_or_else(|| self.fatal(Reason::TooLong))?;
        Ok(())
    }

    fn file(&mut self, file: &str) -> Result<(), FileProblem> {
        if self.loaded.contains(file) {
            let circle = self.open.iter().any(|open| open == file);
            let reason = if circle { Reason::SourceCircle } else { Reason::ReadBefore };
            self.problem(reason(file.to_owned()));
            return Ok(());
        }
        if self.open.len() >= DEEPEST {
            return Err(self.fatal(Reason::TooDeep));
        }
        let text = self.files.text(file);
        let text = text.map_err(|error| self.fatal(Reason::Unreadable { file: file.to_owned(), error }))?;
        self.bytes = self.bytes.checked_sub(text.len()).ok_or_else(|| self.fatal(Reason::TooLong))?;
        self.loaded.insert(file.to_owned());
        self.open.push(file.to_owned());
        let place = self.place.take();
        let name: Arc<str> = file.into();
        for line in Lines::new(&text) {
            self.spend(1)?;
            self.place = Some(Place { file: Arc::clone(&name), line: line.number() });
            if line.cut {
                self.problem(Reason::Cut);
            }
            self.line(&mut Words::new(&line.bytes))?;
        }
        self.finalize()?;
        self.place = place;
        self.open.pop();
        Ok(())
    }

    fn line(&mut self, words: &mut Words<'_>) -> Result<(), FileProblem> {
        let keyword = words.word();
        if !keyword.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return Ok(());
        }
        // In the head it is also a keyword of its own.
        self.depends_on_version |= keyword == "defaults";
        match keyword.as_str() {
            "auto" => self.auto(&words.word()),
            "iface" | "interface" | "template" => self.iface(&keyword, &words.word(), words),
            "defaults" if self.version == Version::Head => self.iface(&keyword, &keyword, words),
            "source" => self.source(&words.word()),
            "source-directory" => self.source_directory(&words.word()),
            _ => self.keyword(&keyword, words),
        }
    }

    /// A keyword of a stanza.
    fn keyword(&mut self, keyword: &str, words: &mut Words<'_>) -> Result<(), FileProblem> {
        let Some(current) = self.current else {
            self.problem(Reason::NoStanza(keyword.to_owned()));
            return Ok(());
        };
        match keyword {
            "address" => self.address(current, &words.word()),
            "gateway" => {
                self.use_executor(current, "static")?;
                self.add(current, keyword, &words.word(), Origin::Written)
            }
            "hostname" | "dhcp-hostname" => {
                self.remove_first(current, "dhcp-hostname");
                self.add(current, "dhcp-hostname", &words.word(), Origin::Written)
            }
            "inherit" => self.inherit(current, &words.word()),
            "use" => self.use_written(current, &words.word()),
            _ => {
                self.depends_on_version |= aliases::depend_on_version(keyword);
                let keyword = aliases::renamed(keyword, self.version);
                if keyword == "bridge-ports" {
                    self.drafts[current].bridge = true;
                }
                self.add(current, keyword, &words.rest(), Origin::Written)?;
                match keyword.split_once('-').filter(|_| self.settings.is_on(Setting::SelectExecutors)) {
                    Some((executor, _)) => self.use_executor(current, executor),
                    None => Ok(()),
                }
            }
        }
    }

    /// The interface or template of a name, which is created with its first mention.
    fn draft(&mut self, name: &str) -> Result<usize, FileProblem> {
        if let Some(index) = self.index.get(name) {
            return Ok(*index);
        }
        self.depends_on_version |= name == "defaults" && self.version != Version::Head;
        let index = self.drafts.len();
        self.drafts.push(Draft {
            name: name.to_owned(),
            entries: Vec::new(),
            begins: Vec::new(),
            used: BTreeSet::new(),
            auto: false,
            template: false,
            bridge: false,
        });
        self.index.insert(name.to_owned(), index);
        self.use_executor(index, "link")?;
        if name.contains('.') {
            self.use_executor(index, "vlan")?;
        }
        Ok(index)
    }

    fn add(&mut self, to: usize, keyword: &str, value: &str, origin: Origin) -> Result<(), FileProblem> {
        self.push(to, keyword, Value::Text(value.into()), origin)
    }

    fn push(&mut self, to: usize, keyword: &str, value: Value, origin: Origin) -> Result<(), FileProblem> {
        self.spend(1)?;
        let place = self.place.clone();
        self.drafts[to].entries.push(Entry { keyword: keyword.into(), value, place, origin });
        Ok(())
    }

    fn remove_first(&mut self, from: usize, keyword: &str) {
        let entries = &mut self.drafts[from].entries;
        if let Some(at) = entries.iter().position(|entry| entry.text(keyword).is_some()) {
            entries.remove(at);
        }
    }

    fn use_executor(&mut self, to: usize, executor: &str) -> Result<(), FileProblem> {
        self.use_from(to, executor, Origin::Implied)
    }

    fn use_written(&mut self, to: usize, executor: &str) -> Result<(), FileProblem> {
        if executor.is_empty() {
            self.problem(Reason::NoValue("use".to_owned()));
        }
        self.use_from(to, executor, Origin::Written)
    }

    fn use_from(&mut self, to: usize, executor: &str, origin: Origin) -> Result<(), FileProblem> {
        if !self.drafts[to].used.contains(executor) {
            self.drafts[to].used.insert(executor.into());
            self.add(to, "use", executor, origin)?;
        }
        match executor {
            "bridge" => self.drafts[to].bridge = true,
            "dhcp" if self.settings.is_on(Setting::Hostname) => {
                // For each keyword that implies `use dhcp`, again.
                let hostname = self.files.hostname();
                self.add(to, "dhcp-hostname", &hostname, Origin::Implied)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn address(&mut self, to: usize, text: &str) -> Result<(), FileProblem> {
        let Some(address) = Address::parse(text) else {
            self.problem(Reason::NotAnAddress(text.to_owned()));
            return Ok(());
        };
        self.use_executor(to, "static")?;
        self.push(to, "address", Value::Address(address), Origin::Written)
    }

    /// `auto` begins a stanza, so that the next keywords belong to the interface that it names.
    fn auto(&mut self, name: &str) -> Result<(), FileProblem> {
        if name.is_empty() {
            self.problem(Reason::NoValue("auto".to_owned()));
            if self.current.is_none() {
                return Ok(());
            }
            // In a stanza, ifupdown-ng creates an interface without a name.
        }
        let index = self.draft(name)?;
        self.drafts[index].auto |= !self.drafts[index].template;
        self.current = Some(index);
        Ok(())
    }

    fn iface(&mut self, keyword: &str, name: &str, words: &mut Words<'_>) -> Result<(), FileProblem> {
        if name.is_empty() {
            self.problem(Reason::NoValue(keyword.to_owned()));
            return Ok(());
        }
        self.finalize()?;
        let index = self.draft(name)?;
        self.current = Some(index);
        let rest = Words::new(words.rest_bytes()).rest();
        let begin = |place| Begin { place, words: rest.as_str().into() };
        self.drafts[index].begins.extend(self.place.clone().map(begin));
        if keyword == "template" || keyword == "defaults" {
            self.drafts[index].auto = false;
            self.drafts[index].template = true;
        }
        let mut word = words.word();
        while !word.is_empty() {
            let next = words.word();
            match word.as_str() {
                "dhcp" | "ppp" => self.use_executor(index, &word)?,
                "inherits" => self.inherit(index, &next)?,
                "no-defaults" => drop(self.no_defaults.insert(index)),
                _ => {}
            }
            word = next;
        }
        let without = self.drafts[index].template || self.no_defaults.contains(&index);
        // With `inherit defaults`, the head forgets that it is a bridge.
        self.depends_on_version |= self.drafts[index].bridge;
        if self.version == Version::Head && !without {
            let parent = self.draft("defaults")?;
            self.inherit_from(index, parent)?;
        }
        Ok(())
    }

    fn inherit(&mut self, child: usize, name: &str) -> Result<(), FileProblem> {
        if name.is_empty() {
            self.problem(Reason::NoValue("inherit".to_owned()));
            return Ok(());
        }
        if !self.index.contains_key(name) {
            self.problem(Reason::UnknownTemplate(name.to_owned()));
        }
        let parent = self.draft(name)?;
        if !self.settings.is_on(Setting::AnyParent) && !self.drafts[parent].template {
            self.problem(Reason::NoTemplate(name.to_owned()));
            return Ok(());
        }
        let own = &self.drafts[child].name;
        let inherits = |entry: &Entry| entry.text("inherit").is_some_and(|name| **name == **own);
        if parent == child || self.drafts[parent].entries.iter().any(inherits) {
            self.problem(Reason::TemplateCircle(name.to_owned()));
        }
        self.inherit_from(child, parent)
    }

    /// Copies the lines that the parent has so far. Addresses are copied even if the child has them.
    fn inherit_from(&mut self, child: usize, parent: usize) -> Result<(), FileProblem> {
        let entries = self.drafts[parent].entries.clone();
        let name = self.drafts[parent].name.clone();
        self.spend(entries.len() + self.drafts[child].entries.len())?;
        self.drafts[parent].template |= self.settings.is_on(Setting::ConvertParents);
        self.drafts[child].bridge = self.drafts[parent].bridge;
        self.add(child, "inherit", &name, Origin::Written)?;
        if parent == child {
            let endless = entries.iter().any(|entry| matches!(entry.value, Value::Address(_)));
            return if endless { Err(self.fatal(Reason::Endless(name))) } else { Ok(()) };
        }
        let child = &mut self.drafts[child];
        let pair = |entry: &Entry| match &entry.value {
            Value::Text(text) => Some((Arc::clone(&entry.keyword), Arc::clone(text))),
            Value::Address(_) => None,
        };
        let mut present: BTreeSet<_> = child.entries.iter().filter_map(pair).collect();
        for entry in entries {
            if pair(&entry).is_none_or(|pair| present.insert(pair)) {
                child.used.extend(entry.text("use").cloned());
                let origin =
                    if entry.origin == Origin::Implied { Origin::Implied } else { Origin::Inherited };
                child.entries.push(Entry { origin, ..entry });
            }
        }
        Ok(())
    }

    /// Completes the addresses of the current stanza, at its end or at the end of a file, and removes its first
    /// `netmask`.
    fn finalize(&mut self) -> Result<(), FileProblem> {
        let Some(current) = self.current else { return Ok(()) };
        self.spend(self.drafts[current].entries.len())?;
        let draft = &mut self.drafts[current];
        let netmask = draft.first("netmask").cloned();
        for entry in &mut draft.entries {
            if let Value::Address(address) = &mut entry.value {
                address.complete(netmask.as_deref());
            }
        }
        self.remove_first(current, "netmask");
        Ok(())
    }

    fn source(&mut self, name: &str) -> Result<(), FileProblem> {
        if name.is_empty() {
            self.problem(Reason::NoValue("source".to_owned()));
            return Ok(());
        }
        let found = self.files.expand(name);
        self.depends_on_version |= found != [name];
        if self.version == Version::V0_11 {
            return self.file(name);
        }
        if found.is_empty() {
            self.problem(Reason::NothingFound(name.to_owned()));
        }
        found.iter().try_for_each(|file| self.file(file))
    }

    fn source_directory(&mut self, directory: &str) -> Result<(), FileProblem> {
        if directory.is_empty() {
            self.problem(Reason::NoValue("source-directory".to_owned()));
            return Ok(());
        }
        let links = self.version == Version::Head;
        let found = self.files.directory(directory, links);
        self.depends_on_version |= self.files.directory(directory, !links) != found;
        match found {
            Ok(found) => found.iter().try_for_each(|file| self.file(file)),
            Err(error) => {
                self.problem(Reason::Directory { directory: directory.to_owned(), error });
                Ok(())
            }
        }
    }

    /// The ports of a bridge get its `bridge-pvid` and `bridge-vids`, if they have none.
    fn inherit_vlans(&mut self) -> Result<(), FileProblem> {
        let mut bridge = if self.settings.is_on(Setting::InheritVlans) { 0 } else { self.drafts.len() };
        // The ports that this creates are at the end, and are no bridges.
        while bridge < self.drafts.len() {
            let draft = &self.drafts[bridge];
            bridge += 1;
            let ports = draft.first("bridge-ports").filter(|ports| draft.bridge && &***ports != "none");
            let Some(ports) = ports.cloned() else { continue };
            let vlans = ["bridge-pvid", "bridge-vids"].map(|keyword| {
                let entry = draft.entries.iter().find(|entry| entry.text(keyword).is_some());
                entry.map(|entry| Entry { origin: Origin::Implied, ..entry.clone() })
            });
            if vlans.iter().all(Option::is_none) {
                continue;
            }
            let mut words = Words::new(ports.as_bytes());
            loop {
                let port = words.word();
                if port.is_empty() {
                    break;
                }
                if !self.settings.is_on(Setting::CreatePorts) && !self.index.contains_key(&port) {
                    continue;
                }
                self.place = vlans.iter().flatten().find_map(|entry| entry.place.clone());
                let port = self.draft(&port)?;
                for entry in vlans.iter().flatten() {
                    self.spend(self.drafts[port].entries.len())?;
                    if self.drafts[port].first(&entry.keyword).is_none() {
                        self.drafts[port].entries.push(entry.clone());
                    }
                }
            }
        }
        Ok(())
    }

    fn stanzas(&mut self) -> Stanzas {
        let mut stanzas = Stanzas::default();
        // `auto` alone creates an interface without a name.
        for draft in self.drafts.drain(..).filter(|draft| !draft.name.is_empty()) {
            if draft.auto {
                stanzas.add_auto(&draft.name);
            }
            let mut requires = false;
            let line = |entry: Entry| {
                let value = match &entry.value {
                    Value::Address(address) => address.text().into(),
                    Value::Text(names) if &*entry.keyword == "requires" && !requires => {
                        requires = true;
                        required(names).into()
                    }
                    Value::Text(text) => Arc::clone(text),
                };
                let keyword = canonical(&entry.keyword).into();
                Line { keyword, value, place: entry.place, origin: entry.origin }
            };
            let lines = draft.entries.into_iter().map(line).collect();
            stanzas.add(&draft.name, draft.template, Joined { lines, begins: draft.begins });
        }
        stanzas
    }
}

/// The interfaces of `requires`. ifupdown-ng leaves out each name that is a part of the names before it.
fn required(names: &str) -> String {
    let mut kept = String::new();
    let mut words = Words::new(names.as_bytes());
    loop {
        let name = words.word();
        if name.is_empty() {
            return kept;
        }
        if !kept.contains(&name) {
            kept.push_str(&name);
            kept.push(' ');
        }
    }
}

#[cfg(test)]
mod tests;

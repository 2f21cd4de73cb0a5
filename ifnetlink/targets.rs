//! The stanzas to work on, read by the executors that ifupdown-ng would run for them.

use crate::all::{ALL, PROGRAMS};
use crate::by_name::{ByName, Named};
use crate::file::InterfacesFile;
use crate::finding::Finding;
use crate::stanza::{Executors, ReadStanza};
use ifupdown_ng_netlink::kernel::ifstate::{Entry, StateFile};
use ifupdown_ng_netlink::kernel::{Kernel, Refusal, applied};
use ifupdown_ng_netlink::plan::link::lower_link;
use ifupdown_ng_netlink::program::edit::{self, Beside, Old};
use ifupdown_ng_netlink::program::executor::{Configuration, Program, configure};
use ifupdown_ng_netlink::stanza::Stanzas;
use ifupdown_ng_netlink::stanza::keywords::OURS;
use ifupdown_ng_netlink::state::{Applied, Query, Section, Shared, Snapshot, TableRef};
use ifupdown_ng_netlink::values::{IfName, words};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The interfaces file that is compiled into ifupdown-ng.
pub const INTERFACES_FILE: &str = "/etc/network/interfaces";

/// What was asked for.
#[derive(Debug, Clone)]
pub struct Options {
    /// The interfaces file.
    pub file: PathBuf,
    /// The directory of the executors.
    pub executors: PathBuf,
    /// Take all interfaces that are `auto`.
    pub auto: bool,
    /// Take these interfaces.
    pub interfaces: Vec<String>,
    /// The state file of ifupdown-ng.
    pub state_file: PathBuf,
    /// Also take the interfaces that those depend on, if they are not up.
    pub with_dependencies: bool,
}

/// An interface whose stanza has keywords of our programs.
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Target {
    /// The interface.
    pub iface: IfName,
    /// Its stanza.
    pub configuration: Configuration,
    /// Whether it was asked for. The others are up, and what their stanzas ask for must not be removed.
    pub chosen: bool,
    /// Another executor, or a command of the stanza, creates the interface.
    pub is_created_by_others: bool,
    /// The stanza, as it is recorded when it is applied.
    pub section: Section,
    /// The interfaces that come before it.
    pub depends: Vec<IfName>,
    /// The executors of others, and the phases for which the stanza has commands.
    pub foreign: Vec<String>,
    /// The file has no stanza for it: it is brought up with an empty one, because others depend on it.
    pub is_implied: bool,
    /// It is not up, and ifup has to bring it up: because of those, or of those of an interface that it depends on.
    pub by_ifup: bool,
}

/// What is recorded of an interface, and that is not all in its stanza any more.
pub struct Former {
    /// The interface.
    pub iface: IfName,
    /// The stanzas that were applied, oldest first.
    pub stanzas: Vec<Old>,
}

impl Named for Target {
    fn iface(&self) -> &IfName {
        &self.iface
    }
}

impl Named for Former {
    fn iface(&self) -> &IfName {
        &self.iface
    }
}

impl Target {
    fn new(stanza: ReadStanza, file: &Path, chosen: bool) -> Self {
        let depends = stanza.depends.iter().filter_map(|dependency| dependency.on.parse().ok());
        Self {
            depends: depends.collect(),
            iface: stanza.iface,
            configuration: stanza.configuration,
            chosen,
            is_created_by_others: stanza.is_created_by_others,
            section: Section { file: Some(file.to_owned()), ..stanza.section },
            foreign: stanza.foreign,
            is_implied: stanza.is_implied,
            by_ifup: false,
        }
    }

    /// Adds what has to be read for this interface.
    pub fn query(&self, query: &mut Query) {
        query.here().links.insert(self.iface.clone());
        self.configuration.query_up(&self.iface, query);
    }
}

/// The interfaces that were asked for, and the others that are up.
pub struct Targets {
    /// The whole interfaces file.
    pub stanzas: Shared<Stanzas>,
    /// The stanzas that can be worked on, each after those that it depends on.
    pub known: ByName<Target>,
    /// What is wrong in the file or in the stanzas that were asked for, and names that have no stanza.
    pub wrong: Vec<Finding>,
    /// Warnings about these.
    pub warnings: Vec<Finding>,
    /// The interfaces that ifup has brought up.
    pub running: BTreeSet<String>,
    /// The interfaces that are up, or were asked for, and whose stanzas are invalid. What no stanza asks for is then
    /// unknown.
    pub unsound: Vec<IfName>,
    /// The interfaces that were asked for, with the keywords that only other executors read.
    pub others: Vec<(IfName, Vec<String>)>,
    /// The former stanzas of the interfaces that were asked for, and of those that have none any more.
    pub former: ByName<Former>,
    /// The records of all interfaces.
    pub applied: BTreeMap<IfName, Applied>,
    /// The interfaces that were named.
    asked: BTreeSet<String>,
    /// The state file.
    counted: Vec<Entry>,
    executors: Executors,
    /// A stanza without a keyword of ours.
    none: Configuration,
    /// The interfaces of the file that are up, or were asked for.
    listed: BTreeSet<IfName>,
    /// The interfaces that ifup has brought up, but that are not in the file, or have another stanza.
    not_in_file: BTreeSet<String>,
    /// The interfaces that have a stanza for our executors, but that ifup has not brought up.
    idle: BTreeSet<IfName>,
    /// What each interface depends on that is up with the stanza of another name.
    needed_by_mapped: Vec<BTreeSet<IfName>>,
}

impl Targets {
    /// Reads the interfaces file and the stanzas that were asked for: the named ones. If none is named, those that are
    /// `auto` and, without `options.auto`, also those that are up.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn read(options: &Options) -> Result<Self, Refusal> {
        Self::with_records(options, applied::all()?.into_iter().collect())
    }

    /// The same with these records.
    ///
    /// # Errors
    /// As for [`Targets::read`].
    pub fn with_records(options: &Options, applied: BTreeMap<IfName, Applied>) -> Result<Self, Refusal> {
        let executors = Executors::installed_in(&options.executors);
        let file = InterfacesFile::read(&options.file.to_string_lossy(), None, &executors);
        let InterfacesFile { stanzas, mut read, findings } =
            file.map_err(|problem| Refusal::text(problem.to_string()))?;
        ReadStanza::add_implied(&mut read, &stanzas, &executors);
        let counted = StateFile::new(&options.state_file).read()?;
        let mapped = mapped(&counted, &stanzas);
        let needed_by_mapped = needed_by(&mapped, &read);
        read.retain(|stanza| !mapped.contains_key(stanza.iface.as_str()));
        let running: BTreeSet<String> = counted.iter().map(|entry| entry.name.clone()).collect();
        let named = !options.interfaces.is_empty();
        let is_named = |name: &str| options.interfaces.iter().any(|chosen| chosen == name);
        let by_default = |name: &str| stanzas.is_auto(name) || (!options.auto && running.contains(name));
        let asked = |name: &str| is_named(name) || !named && by_default(name);
        let is_up = |name: &str| running.contains(name);
        let dependencies = dependencies(&read, asked, is_up, options.with_dependencies);
        let is_chosen = |name: &str| asked(name) || dependencies.contains(name);
        let (mut warnings, mut wrong): (Vec<Finding>, Vec<Finding>) = findings
            .into_iter()
            .filter(|finding| finding.concerns(is_chosen))
            .partition(|found| found.is_warning);
        let is_up_or_recorded =
            |name: &str| running.contains(name) || applied.keys().any(|known| known.as_str() == name);
        wrong.extend(no_stanza(options, |name| stanzas.has(name) || is_up_or_recorded(name)));
        let (mut known, mut unsound) = (Vec::new(), Vec::new());
        let (mut listed, mut idle, mut others) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
        for stanza in read {
            let (iface, is_implied) = (&stanza.iface, stanza.is_implied);
            // It may have a stanza in another interfaces file.
            let is_others = is_implied && is_of_other(applied.get(iface), &options.file);
            let chosen = is_chosen(iface.as_str()) && !is_others;
            if !chosen && !running.contains(iface.as_str()) {
                let is_idle = !is_implied && !stanza.configuration.is_empty();
                idle.extend(is_idle.then(|| iface.clone()));
                continue;
            }
            listed.extend((!is_implied).then(|| iface.clone()));
            if chosen && !stanza.of_others.is_empty() {
                others.push((iface.clone(), stanza.of_others.clone()));
            }
            if !stanza.is_sound {
                unsound.push(iface.clone());
                continue;
            }
            // An interface that was named may still have objects of ours from an earlier stanza.
            if named && chosen || !stanza.configuration.is_empty() {
                known.push(Target::new(stanza, &options.file, chosen));
            }
        }
        while let Some(place) = unneeded(&known) {
            known.remove(place);
        }
        // Also one that only an interface without a stanza needs.
        let used: BTreeSet<&str> = known.iter().map(|target| target.iface.as_str()).collect();
        let is_elsewhere = |name: &&String| {
            mapped.contains_key(*name) || !used.contains(name.as_str()) && !stanzas.mentions(name)
        };
        let not_in_file: BTreeSet<String> = running.iter().filter(is_elsewhere).cloned().collect();
        let mut known = in_order(known, |target| &target.iface, |target| target.depends.clone());
        mark_by_ifup(&mut known, &running);
        let known = ByName::from(known);
        warnings.extend(mapped.iter().filter(|(name, _)| !named || is_named(name)).map(not_compared));
        let is_asked = |name: &str| (!named || is_named(name)) && !mapped.contains_key(name);
        let mut former = Vec::new();
        let beside = beside(&applied);
        for (iface, records) in applied.iter().filter(|(iface, _)| is_asked(iface.as_str())) {
            let target = known.of(iface);
            let is_ours = target.map_or(!idle.contains(iface), |target| target.chosen);
            if is_ours && !unsound.contains(iface) {
                let with_native = running.contains(iface.as_str());
                let stanzas = old(records, target, &options.file, with_native);
                let stanzas: Vec<Old> = stanzas.into_iter().map(|old| old.beside(beside.clone())).collect();
                former.extend((!stanzas.is_empty()).then(|| Former { iface: iface.clone(), stanzas }));
            }
        }
        let unrecorded_names = not_in_file.iter().filter(|name| is_asked(name) && name.as_str() != "lo");
        let unrecorded_names = unrecorded_names.filter_map(|name| name.parse::<IfName>().ok());
        let explicit = |name: &str| counted.iter().any(|entry| entry.name == name && entry.is_explicit);
        for iface in unrecorded_names.filter(|iface| !applied.contains_key(iface)) {
            let was_implied = !explicit(iface.as_str()) && was_implied(&iface, &options.file, &applied);
            warnings.extend(unrecorded(iface, was_implied, options, &mut former));
        }
        let named = |former: &Former| applied.get(&former.iface).map(|applied| named_in(&applied.sections));
        let former = in_order(former, |former| &former.iface, |former| named(former).unwrap_or_default());
        Ok(Self {
            stanzas: stanzas.into(),
            known,
            wrong,
            warnings,
            running,
            unsound,
            others,
            former: former.into(),
            applied,
            asked: options.interfaces.iter().cloned().collect(),
            counted,
            executors,
            none: Configuration::default(),
            listed,
            not_in_file,
            idle,
            needed_by_mapped,
        })
    }

    /// The interfaces that are to be brought up or taken down, or whose stanzas were edited, by their records.
    pub fn unapplied(&self) -> BTreeSet<String> {
        let is_applied = |target: &Target| {
            let iface = &target.iface;
            self.running.contains(iface.as_str())
                && self.applied.contains_key(iface)
                && !self.has_former(iface)
        };
        let changed =
            self.known.iter().filter(|target| target.chosen && !target.by_ifup && !is_applied(target));
        changed.map(|target| &target.iface).chain(self.gone()).map(ToString::to_string).collect()
    }

    /// Whether the records and the state file are still as they were read.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn are_current(&self, options: &Options) -> Result<bool, Refusal> {
        let counted = StateFile::new(&options.state_file).read()?;
        Ok(counted == self.counted
            && applied::all()?.iter().map(|(iface, applied)| (iface, applied)).eq(&self.applied))
    }

    /// The stanzas by which an interface is taken down: those that are recorded, or the present one.
    pub fn old(&self, target: &Target) -> Vec<Old> {
        let applied = self.applied.get(&target.iface).map(|applied| applied.sections.as_slice());
        let sections = applied.filter(|sections| !sections.is_empty());
        let sections = sections.unwrap_or(std::slice::from_ref(&target.section));
        sections.iter().map(|section| read_old(section, true)).collect()
    }

    /// The interfaces that an interface depends on, or depended on with the recorded stanzas.
    pub fn dependencies_of(&self, iface: &IfName) -> Vec<IfName> {
        let former = self.applied.get(iface).map(|applied| named_in(&applied.sections));
        let target = self.known.of(iface);
        former
            .into_iter()
            .flatten()
            .chain(target.into_iter().flat_map(|target| target.depends.clone()))
            .collect()
    }

    /// Whether an interface was brought up with other settings of the link itself, which are not compared once it is in
    /// another namespace.
    pub fn has_other_settings(&self, target: &Target) -> bool {
        let sections = self.applied.get(&target.iface).map_or(&[][..], |applied| &applied.sections);
        let of = |section: &Section| {
            ["mtu", "hwaddress", "alias", "link-options"].map(|name| section.values.get(name).cloned())
        };
        sections.iter().any(|section| of(section) != of(&target.section))
    }

    /// The recorded stanza of an interface; the newest one, if an edit was not completed.
    pub fn newest(&self, iface: &IfName) -> Option<&Section> {
        self.applied.get(iface)?.sections.last()
    }

    /// Whether ifup would count an interface as explicit: one that was asked for, and not only one that others need.
    pub fn is_explicit(&self, target: &Target) -> bool {
        let name = target.iface.as_str();
        !target.is_implied && (self.stanzas.is_auto(name) || self.asked.contains(name))
    }

    /// What each interface depends on that is up, or will be. `ifup` itself counts what those need that it brings up.
    pub fn needed(&self) -> impl Iterator<Item = BTreeSet<&IfName>> {
        let known = self.known.iter().filter(|target| !target.by_ifup);
        let known = known.map(|target| target.depends.iter().collect());
        known.chain(self.needed_by_mapped.iter().map(|needed| needed.iter().collect()))
    }

    /// Whether an interface was named.
    pub fn is_named(&self, iface: &IfName) -> bool {
        self.asked.contains(iface.as_str())
    }

    /// The interfaces that have no stanza any more, and that no other one needs, as a bridge needs its ports.
    pub fn gone(&self) -> impl Iterator<Item = &IfName> {
        let former = self.former.iter().map(|former| &former.iface);
        former.filter(|iface| !self.has_stanza(iface) && !self.is_known(iface))
    }

    /// Whether an interface is up that has no stanza any more: it is taken down like by ifdown.
    pub fn is_taken_down(&self, iface: &IfName) -> bool {
        !self.has_stanza(iface) && !self.is_known(iface) && self.running.contains(iface.as_str())
    }

    /// The interfaces that have no stanza any more, but recorded commands or keywords of executors of others.
    pub fn gone_with_foreign(&self) -> impl Iterator<Item = (&IfName, &Section)> {
        let gone = self.gone().filter(|iface| self.is_taken_down(iface));
        gone.filter_map(|iface| Some((iface, self.newest(iface)?)))
            .filter(|(_, old)| self.executors.has_foreign(old))
    }

    /// Whether an interface was brought up, by its record, but is missing in the state file.
    pub fn is_lost(&self, iface: &IfName) -> bool {
        self.applied.contains_key(iface) && !self.running.contains(iface.as_str())
    }

    /// The interfaces that only stock executors took down, which leave the record.
    pub fn stale(&self) -> impl Iterator<Item = &IfName> {
        let is_stock = |applied: &Applied| !applied.sections.iter().any(|section| section.has_any(&OURS));
        let is_up = |iface: &IfName| self.running.contains(iface.as_str()) || self.is_known(iface);
        let stale = self.applied.iter().filter(move |(iface, applied)| is_stock(applied) && !is_up(iface));
        stale.map(|(iface, _)| iface)
    }

    /// Those that were asked for and that ifdown and ifup have to bring up again.
    pub fn restarted(&self) -> impl Iterator<Item = &Target> {
        self.known.iter().filter(|target| target.chosen && self.is_restarted(target))
    }

    /// Those for which ifup has to be run. It brings up those that they need itself.
    pub fn by_ifup(&self) -> impl Iterator<Item = &Target> {
        self.known.iter().filter(|target| target.by_ifup && !target.is_implied)
    }

    /// The executors of others, and the phases with commands, for which an interface that is up was brought up with another
    /// stanza. Without a record this is unknown, and taken for none.
    pub fn changed_foreign(&self, target: &Target) -> BTreeSet<String> {
        let newest = self.newest(&target.iface).filter(|_| self.running.contains(target.iface.as_str()));
        newest.map(|old| self.executors.changed(old, &target.section)).unwrap_or_default()
    }

    /// Whether ifdown has to take an interface down, because of those.
    fn is_restarted(&self, target: &Target) -> bool {
        !self.changed_foreign(target).is_empty()
    }

    /// Whether an interface had another stanza.
    pub fn has_former(&self, iface: &IfName) -> bool {
        self.former.of(iface).is_some()
    }

    /// Whether the stanza of an interface can be worked on.
    pub fn is_known(&self, iface: &IfName) -> bool {
        self.known.of(iface).is_some()
    }

    /// The stanza of an interface as our executors read it; an empty one if it has none any more.
    pub fn configuration(&self, iface: &IfName) -> &Configuration {
        let target = self.known.of(iface);
        target.map_or(&self.none, |target| &target.configuration)
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
        self.stanzas.has(iface.as_str())
    }

    /// The state of the kernel for all of them.
    ///
    /// # Errors
    /// When the kernel does not answer.
    pub fn look(&self, kernel: &mut impl Kernel) -> Result<Snapshot, Refusal> {
        let mut query = Query::default();
        for target in &self.known {
            let mut own = Query::default();
            target.query(&mut own);
            query.add(&target.iface, own);
        }
        for Former { iface, stanzas } in &self.former {
            let mut own = Query::default();
            edit::query(iface, stanzas, self.configuration(iface), &mut own);
            query.add(iface, own);
        }
        // A namespace may be deleted and made again.
        query.of_new_namespaces = query.of_others().sysctls;
        // To find what no stanza asks for any more, read everything of ours.
        query.here().rules = true;
        query.here().vrfs.all = true;
        query.netns_links = true;
        query.here().links.extend(self.idle.iter().cloned());
        for wants in query.places.values_mut().chain(query.elsewhere.values_mut()) {
            wants.routes.insert(TableRef::Ours);
        }
        // The stanzas have been read already.
        (query.stanzas, query.stanzas_beside_bridge) = (false, false);
        let mut found = kernel.read(&query)?;
        found.stanzas = Some(self.stanzas.clone());
        Ok(found)
    }
}

/// The programs that read all keywords together.
const WHOLE: [&str; 8] = ["link", "vrf", "veth", "netns", "netns-interfaces", "bridge", "static", "forward"];

/// The recorded stanzas that are not the present one. A stanza of another interfaces file is none that is gone.
fn old(applied: &Applied, target: Option<&Target>, file: &Path, with_native: bool) -> Vec<Old> {
    let is_present = |section: &&Section| {
        target.is_some_and(|target| {
            section.is_same(&target.section) && section.keywords.is_subset(&target.section.keywords)
        })
    };
    let of_file = |section: &&Section| target.is_some() || section.file.as_deref() == Some(file);
    let former = applied.sections.iter().filter(of_file).filter(|section| !is_present(section));
    former.map(|section| read_old(section, with_native)).collect()
}

/// The stanzas that were applied last, as those that are beside each of them.
fn beside(records: &BTreeMap<IfName, Applied>) -> Beside {
    Beside::of(records.iter().filter_map(|(iface, applied)| Some((iface, applied.sections.last()?))))
}

/// A recorded stanza, also as the stock executors read it.
pub fn read_old(section: &Section, with_native: bool) -> Old {
    let named = |name: &str| {
        let programs = if with_native { ALL } else { PROGRAMS };
        programs.iter().copied().find(|program| program.name == name)
    };
    let whole: Vec<&Program> = WHOLE.into_iter().filter_map(named).collect();
    Old::new(section, configure(&whole, &section.applied_stanza()).0.without_problems())
}

/// The names that were asked for and have no stanza.
fn no_stanza(options: &Options, is_known: impl Fn(&str) -> bool) -> impl Iterator<Item = Finding> {
    let unknown = options.interfaces.iter().filter(move |name| !is_known(name));
    unknown.map(|name| {
        let text = match name.parse::<IfName>() {
            Err(error) => format!("{name}: {error}"),
            Ok(_) => format!("{name}: there is no such stanza in {}", options.file.display()),
        };
        Finding::new(None, name, "", text)
    })
}

/// Marks those that ifup has to bring up. They are in the order of their dependencies.
fn mark_by_ifup(known: &mut [Target], running: &BTreeSet<String>) {
    let mut by_ifup: BTreeSet<IfName> = BTreeSet::new();
    for target in known {
        let needs = !target.foreign.is_empty() || target.depends.iter().any(|on| by_ifup.contains(on));
        target.by_ifup = target.chosen && needs && !running.contains(target.iface.as_str());
        by_ifup.extend(target.by_ifup.then(|| target.iface.clone()));
    }
}

/// An interface that is up, but has neither a stanza in the file nor a record. It is taken down as one of an empty stanza,
/// if it cannot be one of another file. Returns what is said about it, unless it never had a stanza.
fn unrecorded(
    iface: IfName,
    was_implied: bool,
    options: &Options,
    former: &mut Vec<Former>,
) -> Option<Finding> {
    let name = iface.to_string();
    let text = if was_implied || options.file == Path::new(INTERFACES_FILE) {
        former.push(Former { iface, stanzas: vec![read_old(&Section::default(), true)] });
        "it has no stanza any more, and its addresses stay: nothing records what it had"
    } else {
        "it is up, and nothing records from which file"
    };
    (!was_implied).then(|| Finding::new(None, &name, "", format!("{name}: {text}")).into_warning())
}

/// An interface without a stanza on which none of the others depends.
fn unneeded(known: &[Target]) -> Option<usize> {
    let needed: BTreeSet<&IfName> = known.iter().flat_map(|target| &target.depends).collect();
    known.iter().position(|target| target.is_implied && !needed.contains(&target.iface))
}

/// Whether an interface has a stanza of another interfaces file.
fn is_of_other(applied: Option<&Applied>, file: &Path) -> bool {
    let sections = applied.into_iter().flat_map(|applied| &applied.sections);
    sections.filter_map(|section| section.file.as_deref()).any(|of| of != file)
}

/// The interfaces that were brought up as `NAME=STANZA`, with those stanzas, if the file has them.
fn mapped(counted: &[Entry], stanzas: &Stanzas) -> BTreeMap<String, String> {
    let other = counted.iter().filter(|entry| entry.stanza != entry.name && stanzas.has(&entry.stanza));
    other.map(|entry| (entry.name.clone(), entry.stanza.clone())).collect()
}

/// What each of these interfaces depends on by its stanza.
fn needed_by(mapped: &BTreeMap<String, String>, read: &[ReadStanza]) -> Vec<BTreeSet<IfName>> {
    let stanzas = mapped.values().filter_map(|name| read.iter().find(|stanza| stanza.iface.as_str() == name));
    let needed = |stanza: &ReadStanza| stanza.depends.iter().filter_map(|on| on.on.parse().ok()).collect();
    stanzas.map(needed).collect()
}

/// An interface of those. The stanza is not read as one of it: nothing of it is compared or changed.
fn not_compared((name, stanza): (&String, &String)) -> Finding {
    let text = format!("{name}: it is up with the stanza {stanza}; it is neither compared nor changed");
    Finding::new(None, name, "", text).into_warning()
}

/// Whether a recorded stanza of this file needed an interface.
fn was_implied(iface: &IfName, file: &Path, records: &BTreeMap<IfName, Applied>) -> bool {
    records.iter().any(|(upper, applied)| {
        let of_file = applied.sections.iter().filter(|section| section.file.as_deref() == Some(file));
        let of_file: Vec<Section> = of_file.cloned().collect();
        let is_on_it = lower_link(upper.as_str(), None, None).is_some_and(|lower| lower == *iface);
        !of_file.is_empty() && (is_on_it || named_in(&of_file).contains(iface))
    })
}

/// The interfaces on which those that were asked for depend and that are not up, with their own dependencies: all, or only
/// those without a stanza.
fn dependencies(
    read: &[ReadStanza],
    is_asked: impl Fn(&str) -> bool,
    is_up: impl Fn(&str) -> bool,
    all: bool,
) -> BTreeSet<String> {
    let implied = |name: &str| read.iter().any(|stanza| stanza.is_implied && stanza.iface.as_str() == name);
    let mut found: BTreeSet<String> = BTreeSet::new();
    loop {
        let before = found.len();
        let is_needed = |name: &str| is_asked(name) || found.contains(name);
        let stanzas = read.iter().filter(|stanza| is_needed(stanza.iface.as_str()));
        let needed = stanzas.flat_map(|stanza| &stanza.depends).map(|dependency| &dependency.on);
        let is_more = |on: &&String| !is_up(on) && !is_asked(on) && (all || implied(on));
        let more: Vec<String> = needed.filter(is_more).cloned().collect();
        found.extend(more);
        if found.len() == before {
            return found;
        }
    }
}

/// Puts each interface after those that it depends on.
pub fn in_order<T>(
    from: Vec<T>,
    iface: impl Fn(&T) -> &IfName,
    depends: impl Fn(&T) -> Vec<IfName>,
) -> Vec<T> {
    let names: Vec<IfName> = from.iter().map(|item| iface(item).clone()).collect();
    let mut left: BTreeMap<&IfName, T> = names.iter().zip(from).collect();
    let mut ordered = Vec::new();
    for name in &names {
        take(name, &mut left, &mut ordered, &depends);
    }
    ordered
}

/// Moves an interface to the others, after the interfaces that it depends on.
fn take<T>(
    name: &IfName,
    from: &mut BTreeMap<&IfName, T>,
    to: &mut Vec<T>,
    depends: &impl Fn(&T) -> Vec<IfName>,
) {
    let Some(item) = from.remove(name) else { return };
    for name in depends(&item) {
        take(&name, from, to, depends);
    }
    to.push(item);
}

/// The interfaces that recorded stanzas name.
fn named_in(sections: &[Section]) -> Vec<IfName> {
    const NAME: [&str; 7] = [
        "requires",
        "bridge-ports",
        "bridge-member",
        "vrf",
        "vrf-member",
        "vlan-raw-device",
        "veth-peer-master",
    ];
    let values =
        sections.iter().flat_map(|section| NAME.into_iter().filter_map(|name| section.values.get(name)));
    values.flat_map(|value| words(value)).filter_map(|word| word.parse().ok()).collect()
}

#[cfg(test)]
pub mod tests;

//! The stanzas to work on, read by the executors that ifupdown-ng would run for them.

use crate::file::InterfacesFile;
use crate::finding::Finding;
use crate::stanza::{Executors, ReadStanza};
use ifupdown_ng_netlink::kernel::{Kernel, Refusal, applied, ifquery};
use ifupdown_ng_netlink::program::edit::{self, Old};
use ifupdown_ng_netlink::program::executor::{Configuration, Program, configure};
use ifupdown_ng_netlink::stanza::Stanzas;
use ifupdown_ng_netlink::state::{Applied, Query, Section, Snapshot, TableRef};
use ifupdown_ng_netlink::values::IfName;
use std::collections::BTreeSet;
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
    /// Another executor, or a command of the stanza, creates the interface.
    pub is_created_by_others: bool,
    /// The stanza, as it is recorded when it is applied.
    pub section: Section,
    /// The interfaces that come before it.
    depends: Vec<IfName>,
}

/// What is recorded of an interface, and that is not all in its stanza any more.
pub struct Former {
    /// The interface.
    pub iface: IfName,
    /// The stanzas that were applied, oldest first.
    pub stanzas: Vec<Old>,
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
    pub former: Vec<Former>,
    /// A stanza without a keyword of ours.
    none: Configuration,
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
    /// The file cannot be read, or ifquery fails.
    pub fn read(options: &Options, programs: &'static [&'static Program]) -> Result<Self, Refusal> {
        let executors = Executors::installed_in(&options.executors, programs);
        let file = InterfacesFile::read(&options.file.to_string_lossy(), ifquery::version(), &executors);
        let InterfacesFile { stanzas, read, findings } =
            file.map_err(|problem| Refusal::text(problem.to_string()))?;
        let running = ifquery::running(&options.file)?;
        let named = !options.interfaces.is_empty();
        let is_chosen = |name: &str| {
            if named {
                return options.interfaces.iter().any(|chosen| chosen == name);
            }
            stanzas.is_auto(name) || (!options.auto && running.contains(name))
        };
        let (warnings, mut wrong): (Vec<Finding>, Vec<Finding>) = findings
            .into_iter()
            .filter(|finding| finding.concerns(is_chosen))
            .partition(|found| found.is_warning);
        let applied = applied::all()?;
        for name in &options.interfaces {
            if applied.iter().any(|(iface, _)| iface.as_str() == name) {
                continue;
            }
            let text = match name.parse::<IfName>() {
                Err(error) => format!("{name}: {error}"),
                Ok(_) if stanzas.interfaces().any(|known| known == name) => continue,
                Ok(_) => format!("{name}: there is no such stanza in {}", options.file.display()),
            };
            wrong.push(Finding::new(None, name, "", text));
        }
        let (mut known, mut unsound) = (Vec::new(), Vec::new());
        let (mut listed, mut idle, mut others) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
        for stanza in read {
            let ReadStanza { iface, configuration, .. } = stanza;
            let section = Section { file: Some(options.file.clone()), ..stanza.section };
            let chosen = is_chosen(iface.as_str());
            if !chosen && !running.contains(iface.as_str()) {
                if !configuration.is_empty() {
                    idle.insert(iface);
                }
                continue;
            }
            listed.insert(iface.clone());
            if chosen && !stanza.of_others.is_empty() {
                others.push((iface.clone(), stanza.of_others));
            }
            if !stanza.is_sound {
                unsound.push(iface);
                continue;
            }
            // An interface that was named may still have objects of ours from an earlier stanza.
            if named && chosen || !configuration.is_empty() {
                let depends = stanza.depends.iter().filter_map(|dependency| dependency.on.parse().ok());
                let depends = depends.collect();
                let is_created_by_others = stanza.is_created_by_others;
                known.push(Target { iface, configuration, chosen, is_created_by_others, section, depends });
            }
        }
        let mut ordered = Vec::new();
        while let Some(target) = known.first() {
            let iface = target.iface.clone();
            take(&iface, &mut known, &mut ordered);
        }
        let not_in_file = running.iter().filter(|name| !stanzas.mentions(name)).cloned().collect();
        let known = ordered;
        let mut former = Vec::new();
        for (iface, applied) in applied {
            let target = known.iter().find(|target| target.iface == iface);
            let is_asked =
                if named { options.interfaces.iter().any(|name| name == iface.as_str()) } else { true };
            let is_ours = target.map_or(!idle.contains(&iface), |target| target.chosen);
            if is_asked && is_ours && !unsound.contains(&iface) {
                let stanzas = old(&applied, target, &options.file, programs);
                former.extend((!stanzas.is_empty()).then_some(Former { iface, stanzas }));
            }
        }
        Ok(Self {
            stanzas,
            known,
            wrong,
            warnings,
            running,
            unsound,
            others,
            former,
            none: Configuration::default(),
            listed,
            not_in_file,
            idle,
        })
    }

    /// Whether the stanza of an interface can be worked on.
    pub fn is_known(&self, iface: &IfName) -> bool {
        self.known.iter().any(|target| target.iface == *iface)
    }

    /// The stanza of an interface as our executors read it; an empty one if it has none any more.
    pub fn configuration(&self, iface: &IfName) -> &Configuration {
        let target = self.known.iter().find(|target| target.iface == *iface);
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
        for Former { iface, stanzas } in &self.former {
            edit::query(iface, stanzas, self.configuration(iface), &mut query);
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

/// The programs that read all keywords of this package together.
const WHOLE: [&str; 4] = ["vrf", "veth", "netns", "bridge"];

/// The recorded stanzas that are not the present one. A stanza of another interfaces file is none that is gone.
fn old(
    applied: &Applied,
    target: Option<&Target>,
    file: &Path,
    programs: &'static [&'static Program],
) -> Vec<Old> {
    let whole: Vec<&Program> =
        programs.iter().copied().filter(|program| WHOLE.contains(&program.name)).collect();
    let is_present = |section: &&Section| {
        target.is_some_and(|target| {
            section.is_same(&target.section) && section.keywords.is_subset(&target.section.keywords)
        })
    };
    let of_file = |section: &&Section| target.is_some() || section.file.as_deref() == Some(file);
    let former = applied.sections.iter().filter(of_file).filter(|section| !is_present(section));
    let read = |section: &Section| configure(&whole, &section.applied_stanza()).0.without_problems();
    former.map(|section| Old::new(section, read(section))).collect()
}

/// Moves an interface to the others, after the interfaces that it depends on.
fn take(iface: &IfName, from: &mut Vec<Target>, to: &mut Vec<Target>) {
    let Some(place) = from.iter().position(|target| target.iface == *iface) else { return };
    let target = from.remove(place);
    target.depends.iter().for_each(|name| take(name, from, to));
    to.push(target);
}

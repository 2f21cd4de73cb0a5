//! The stanzas to work on, read as the executors that ifupdown-ng would run for them read them.

use ifupdown_ng_netlink::{
    apply::{Kernel, Refusal},
    executor::{Configuration, Program, configure},
    snapshot::{Query, Snapshot},
    stanzas::{self, Stanzas},
    values::IfName,
};
use std::{
    collections::BTreeSet,
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

/// What was asked for.
pub struct Options {
    /// The interfaces file.
    pub file: PathBuf,
    /// The directory of the executors.
    pub executors: PathBuf,
    /// All interfaces that are `auto`.
    pub auto: bool,
    /// These interfaces.
    pub interfaces: Vec<String>,
}

/// An interface whose stanza has something for our programs.
pub struct Target {
    /// The interface.
    pub iface: IfName,
    /// Its stanza.
    pub configuration: Configuration,
    /// The interfaces that come before it.
    depends: Vec<IfName>,
}

/// The interfaces that were asked for.
pub struct Targets {
    /// The whole interfaces file.
    pub stanzas: Stanzas,
    /// The stanzas that can be worked on, each after those that it depends on.
    pub known: Vec<Target>,
    /// Why others cannot, a line each.
    pub wrong: Vec<String>,
}

impl Targets {
    /// Reads the interfaces file, and in it the stanzas that were asked for: those named, or else those that are
    /// `auto` and, unless only these are wanted, those that are up.
    ///
    /// # Errors
    /// When ifquery cannot read the file.
    pub fn read(options: &Options, programs: &[&'static Program]) -> Result<Self, Refusal> {
        let stanzas = Stanzas::read(&options.file)?;
        let (mut known, mut wrong) = (Vec::new(), Vec::new());
        let names: Vec<&str> = if options.interfaces.is_empty() {
            let others = options.auto || stanzas.interfaces().all(|name| stanzas.is_auto(name));
            let running = if others { BTreeSet::new() } else { stanzas::running(&options.file)? };
            stanzas.interfaces().filter(|name| stanzas.is_auto(name) || running.contains(*name)).collect()
        } else {
            options.interfaces.iter().map(String::as_str).collect()
        };
        let ours: Vec<_> =
            programs.iter().copied().filter(|program| is_ours(&options.executors, program.name)).collect();
        for name in names {
            let iface: IfName = match name.parse() {
                Ok(iface) => iface,
                Err(error) => {
                    wrong.push(format!("{name}: {error}"));
                    continue;
                }
            };
            let Some(stanza) = stanzas.environment(&iface) else {
                wrong.push(format!("{iface}: there is no such stanza in {}", options.file.display()));
                continue;
            };
            let used: Vec<_> = stanzas
                .executors(&iface)
                .filter_map(|used| ours.iter().copied().find(|program| program.name == used))
                .collect();
            let (configuration, problems) = configure(&used, &stanza);
            wrong.extend(problems.iter().map(|problem| format!("{iface}: {problem}")));
            if problems.is_empty() && !configuration.is_empty() {
                let depends = used.iter().flat_map(|program| program.depends(Some(iface.as_str()), &stanza));
                known.push(Target { depends: depends.collect(), iface, configuration });
            }
        }
        let mut ordered = Vec::new();
        while let Some(target) = known.first() {
            let iface = target.iface.clone();
            take(&iface, &mut known, &mut ordered);
        }
        Ok(Self { stanzas, known: ordered, wrong })
    }

    /// What was found for all of them.
    ///
    /// # Errors
    /// When the kernel does not answer.
    pub fn look(&self, kernel: &mut impl Kernel) -> Result<Snapshot, Refusal> {
        let mut query = Query::default();
        for Target { iface, configuration, .. } in &self.known {
            configuration.query_up(iface, &mut query);
        }
        // They are here already.
        query.stanzas = false;
        let mut found = kernel.read(&query)?;
        found.stanzas = Some(self.stanzas.clone());
        Ok(found)
    }
}

/// Moves an interface to the others, and before it what it depends on.
fn take(iface: &IfName, from: &mut Vec<Target>, to: &mut Vec<Target>) {
    let Some(place) = from.iter().position(|target| target.iface == *iface) else { return };
    let target = from.remove(place);
    target.depends.iter().for_each(|name| take(name, from, to));
    to.push(target);
}

/// Whether the executor of this name is one of ours: those of ifupdown-ng are scripts.
fn is_ours(directory: &Path, name: &str) -> bool {
    let mut beginning = [0; 2];
    let read = File::open(directory.join(name)).and_then(|mut file| file.read_exact(&mut beginning));
    read.is_ok() && beginning != *b"#!"
}

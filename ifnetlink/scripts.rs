//! The scripts of `/etc/network/if-*.d`, which ifup and ifdown run for every interface.

use crate::pending::Changes;
use crate::report::Report;
use crate::targets::{Options, Targets};
use ifupdown_ng_netlink::kernel::{ifupdown, interfaces_file};
use ifupdown_ng_netlink::program::run::FAILED;
use ifupdown_ng_netlink::stanza::Phase;
use ifupdown_ng_netlink::state::Section;
use ifupdown_ng_netlink::values::IfName;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Instant;

/// The scripts to run once the native changes are made.
pub struct Scripts(Vec<Due>);

/// The scripts of one directory for one interface.
struct Due {
    iface: IfName,
    phase: Phase,
    directory: PathBuf,
    /// The stanza: the recorded one for what was taken down.
    section: Section,
}

impl Scripts {
    /// Those for interfaces that the changes bring up, take down, or both. An edit in place runs none.
    pub fn due(targets: &Targets, changes: &Changes) -> Self {
        if !interfaces_file::has_scripts() {
            return Self(Vec::new());
        }
        // ifdown runs those of the others.
        let by_ifdown: BTreeSet<&IfName> = targets.gone_with_foreign().map(|(iface, _)| iface).collect();
        let gone = targets.gone().filter(|iface| targets.is_taken_down(iface) && !by_ifdown.contains(iface));
        let gone: Vec<&IfName> = gone.collect();
        let is_again = |iface: &IfName| changes.again.contains(iface);
        let has_changes =
            |iface: &IfName| changes.steps.iter().any(|(of, plan)| of == iface && !plan.is_empty());
        let native = || {
            let native = targets.known.iter().filter(|target| target.chosen && !target.by_ifup);
            let native = native.filter(|target| !target.configuration.is_empty());
            native.filter(|target| !changes.absent.contains(&target.iface))
        };
        let again: Vec<&IfName> =
            native().map(|target| &target.iface).filter(|iface| is_again(iface)).collect();
        let directory = |phase| Some((phase, ifupdown::scripts(phase)?));
        let [up, down] = [Phase::UP, Phase::DOWN]
            .map(|phases| phases.into_iter().filter_map(directory).collect::<Vec<_>>());
        let mut scripts = Self(Vec::new());
        for iface in gone.into_iter().rev().chain(again.into_iter().rev()) {
            let present = native().find(|target| target.iface == *iface).map(|target| &target.section);
            let section = targets.newest(iface).or(present).cloned().unwrap_or_default();
            scripts.add(iface, &down, &section);
        }
        for target in native() {
            let iface = &target.iface;
            // If only its entry in the state file is lost, it is up.
            let is_up =
                targets.running.contains(iface.as_str()) || (targets.is_lost(iface) && !has_changes(iface));
            if is_again(iface) || !is_up {
                scripts.add(iface, &up, &target.section);
            }
        }
        scripts
    }

    fn add(&mut self, iface: &IfName, directories: &[(Phase, PathBuf)], section: &Section) {
        let due = |(phase, directory): &(Phase, PathBuf)| {
            let (iface, directory, section) = (iface.clone(), directory.clone(), section.clone());
            Due { iface, phase: *phase, directory, section }
        };
        self.0.extend(directories.iter().map(due));
    }

    /// Adds them to the changes that are printed.
    pub fn list(&self, report: &mut Report) {
        self.0.iter().for_each(|due| report.scripts(&due.iface, &due.directory));
    }

    /// Runs them, and continues after failures. Returns the exit status. Nothing may be locked: a script may run ifup,
    /// or one of our programs.
    pub fn run(&self, options: &Options, report: &mut Report) -> u8 {
        let mut code = 0;
        for due in &self.0 {
            let (iface, directory) = (&due.iface, &due.directory);
            let begun = Instant::now();
            report.scripts(iface, directory);
            if let Err(refusal) = ifupdown::run_scripts(directory, &due.variables(options)) {
                let command = format!("run-parts {}", directory.display());
                report.errors.push(format!("{iface}: the command `{command}` failed: {refusal}"));
                code = FAILED;
            }
            report.took(iface, &format!("if-{}.d", due.phase), begun.elapsed());
        }
        code
    }
}

impl Due {
    /// The environment, as ifupdown-ng builds it (lifecycle.c `build_environment`).
    fn variables(&self, options: &Options) -> Vec<(String, String)> {
        let mode = if self.phase.is_down() { "stop" } else { "start" };
        let file = options.file.to_string_lossy();
        let fixed = [
            ("IFACE", self.iface.as_str()),
            ("PHASE", self.phase.as_str()),
            ("MODE", mode),
            ("METHOD", "none"),
            ("INTERFACES_FILE", &file),
            ("IF_ADDRESSES", ""),
            ("IF_GATEWAYS", ""),
        ];
        let fixed = fixed.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let name = |keyword: &str| format!("IF_{}", keyword.to_ascii_uppercase().replace('-', "_"));
        let values = self.section.values.iter();
        fixed.chain(values.map(|(keyword, value)| (name(keyword), value.clone()))).collect()
    }
}

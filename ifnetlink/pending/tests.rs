//! Random edits of random files on the model of the kernel: after each, nothing is pending, and the state is that of a
//! new system with the edited file.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "that is how a test fails")]

#[allow(dead_code, reason = "the tests on a real kernel use the rest")]
#[path = "../../tests/kernel/ifnetlink/files.rs"]
mod files;

use super::{Mode, pending};
use crate::all::PROGRAMS;
use crate::random::Random;
use crate::targets::{Options, Targets};
use crate::transaction::{deletes_more, whole};
use files::File;
use ifupdown_ng_netlink::kernel::apply;
use ifupdown_ng_netlink::model::Simulated;
use ifupdown_ng_netlink::state::{Applied, Details, Link, LinkKind, Place, Route, Section, Snapshot, Sysctl};
use ifupdown_ng_netlink::values::IfName;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

/// A directory with the files of an installation.
struct Installation(PathBuf);

impl Installation {
    fn new() -> Self {
        let directory = std::env::temp_dir().join(format!("ifnl-random-{}", std::process::id()));
        fs::create_dir_all(directory.join("executors")).unwrap();
        for program in PROGRAMS {
            fs::write(directory.join("executors").join(program.name), "\x7fELF").unwrap();
        }
        Self(directory)
    }

    /// An interfaces file, while the interfaces with a record are up.
    fn targets(&self, text: &str, applied: &BTreeMap<IfName, Applied>) -> Targets {
        let path = |name: &str| self.0.join(name);
        fs::write(path("interfaces"), text).unwrap();
        let counted = applied.keys().map(|iface| format!("{iface}={iface} 1\n"));
        fs::write(path("ifstate"), counted.collect::<String>()).unwrap();
        let options = Options {
            file: path("interfaces"),
            executors: path("executors"),
            auto: true,
            interfaces: Vec::new(),
            state_file: path("ifstate"),
            with_dependencies: true,
        };
        let targets = Targets::with_records(&options, applied.clone()).unwrap();
        assert_eq!(targets.wrong, [], "{text}");
        targets
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A running system on the model.
#[derive(Clone)]
struct System {
    kernel: Simulated,
    applied: BTreeMap<IfName, Applied>,
}

impl System {
    fn new() -> Self {
        let mut start = Snapshot::default();
        let here = start.here_mut();
        *here = std::mem::take(here).with_default_rules();
        for (index, name) in (1..).zip(["lo", "eth0", "eth1", "eth2", "eth3"]) {
            let name: IfName = name.parse().unwrap();
            let mac = format!("02:00:00:00:00:{index:02}").parse().ok();
            here.details.insert(name.clone(), Details { index, mac, mtu: 1500, alias: None, peer: None });
            here.links.insert(name, Link { kind: LinkKind::Physical, master: None, up: false });
        }
        for protocol in ["tcp", "udp", "raw"] {
            let key = format!("net.ipv4.{protocol}_l3mdev_accept").parse().unwrap();
            here.sysctls.insert(key, if protocol == "raw" { "1" } else { "0" }.to_owned());
        }
        let default = "net.ipv4.conf.default.forwarding".parse().unwrap();
        here.sysctls.insert(default, "0".to_owned());
        // The model does not know the sysctls of new links.
        for link in files::LINKS {
            let key = Sysctl::of_link("ipv4", &link.parse().unwrap(), "forwarding");
            here.sysctls.insert(key, "0".to_owned());
        }
        Self { kernel: Simulated(start), applied: BTreeMap::new() }
    }

    /// Makes all changes, as `apply` does; returns the steps.
    fn apply(&mut self, targets: &Targets) -> Result<String, String> {
        let mut text = String::new();
        for disruptive in [true, false] {
            let found = targets.look(&mut self.kernel).unwrap();
            let mode = if disruptive { Mode::Apply { disruptive } } else { Mode::Rest };
            let changes = pending(targets, &found, mode);
            let problems = changes.pending.iter().flat_map(|pending| &pending.problems);
            let problems: Vec<String> = problems.map(ToString::to_string).collect();
            for (iface, plan) in &changes.steps {
                let lines = plan.steps.iter().map(|step| format!("{iface}: {}\n", step.act));
                text.extend(lines);
            }
            if !problems.is_empty() {
                return Err(format!("{text}{}", problems.join("\n")));
            }
            let plan = whole(&changes);
            apply::up(&plan, &mut self.kernel).map_err(|failure| format!("{text}{failure}"))?;
            if !deletes_more(&plan, &found) {
                break;
            }
        }
        self.applied.clear();
        for target in &targets.known {
            let index = self.kernel.0.here().details.get(&target.iface).map(|details| details.index);
            let section = Section { index, ..target.section.clone() };
            let applied = Applied { sections: vec![section], ..Applied::default() };
            self.applied.insert(target.iface.clone(), applied);
            let link = self.kernel.0.here_mut().links.get_mut(&target.iface);
            if let Some(link) = link {
                link.up = true;
            }
        }
        Ok(text)
    }

    /// What `check` finds.
    fn pending(&mut self, installation: &Installation, text: &str) -> Vec<String> {
        let targets = installation.targets(text, &self.applied);
        let found = targets.look(&mut self.kernel).unwrap();
        let steps = pending(&targets, &found, Mode::Check).steps;
        let lines =
            steps.iter().flat_map(|(iface, plan)| plan.steps.iter().map(move |step| (iface, &step.act)));
        lines.map(|(iface, act)| format!("{iface}: {act}")).collect()
    }

    /// The state, a line each.
    fn lines(&self) -> BTreeSet<String> {
        let mut lines = BTreeSet::new();
        for (place, state) in &self.kernel.0.places {
            let mut add = |text: String| lines.insert(format!("{place:?} {text}"));
            for (name, link) in &state.links {
                add(format!("{name} {link:?}"));
            }
            for (name, details) in &state.details {
                add(format!("{name} mtu {} alias {:?}", details.mtu, details.alias));
            }
            for (name, address) in
                state.addresses.iter().flat_map(|(name, all)| all.iter().map(move |one| (name, one)))
            {
                add(format!("{name} {address}"));
            }
            // The model does not delete routes whose link it does not know with the link.
            let is_known = |route: &&Route| route.dev.is_some() || route.via.is_none();
            for route in state.routes.iter().filter(is_known) {
                add(route.to_string().replace(" onlink", ""));
            }
            for rule in state.rules.values().flatten().filter(|rule| rule.priority != 1000) {
                add(rule.to_string());
            }
            if *place == Place::Here {
                for (key, value) in state.sysctls.iter().filter(|(_, value)| *value != "0") {
                    add(format!("{key} = {value}"));
                }
            }
            for (name, set) in &state.bridging.vlans {
                add(format!("{name} {set:?}"));
            }
            for (name, entry) in
                state.bridging.fdb.iter().flat_map(|(name, all)| all.iter().map(move |one| (name, one)))
            {
                add(format!("{name} {entry:?}"));
            }
        }
        lines
    }
}

#[test]
fn random_edits_lead_where_a_new_system_leads() {
    let installation = Installation::new();
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds =
        number("IFNL_SEED").map_or_else(|| 0..number("IFNL_SEQUENCES").unwrap_or(8), |seed| seed..seed + 1);
    let mut failed = Vec::new();
    for seed in seeds {
        let mut random = Random(seed);
        let mut system = System::new();
        let mut file = File::new(&mut random);
        let mut old = String::new();
        for edit in 0..10 {
            let text = file.to_string();
            let when = format!("IFNL_SEED={seed} Model, edit {edit}\n--- from\n{old}\n--- to\n{text}\n---\n");
            let mut wrong = Vec::new();
            match System::new().apply(&installation.targets(&text, &BTreeMap::new())) {
                Err(refused) => wrong.push(format!("fresh: {refused}")),
                Ok(_) => match system.apply(&installation.targets(&text, &system.applied.clone())) {
                    Err(refused) => wrong.push(format!("refused: {refused}")),
                    Ok(steps) => {
                        let mut fresh = System::new();
                        fresh.apply(&installation.targets(&text, &BTreeMap::new())).unwrap();
                        let (is, should) = (system.lines(), fresh.lines());
                        wrong.extend(should.difference(&is).map(|line| format!("- {line}")));
                        wrong.extend(is.difference(&should).map(|line| format!("+ {line}")));
                        let known = fresh.pending(&installation, &text);
                        let more = system.pending(&installation, &text).into_iter();
                        let more = more.filter(|line| !known.contains(line));
                        wrong.extend(more.map(|line| format!("check: {line}")));
                        if !wrong.is_empty() {
                            wrong.insert(0, steps);
                        }
                    }
                },
            }
            if !wrong.is_empty() {
                println!("{when}{}\nrandom: IFNL_SEED={seed} fails\n", wrong.join("\n"));
                failed.push(seed);
                break;
            }
            file = file.edited(&mut random);
            old = text;
        }
    }
    assert!(failed.is_empty(), "IFNL_SEED={failed:?}");
}

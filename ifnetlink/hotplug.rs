//! `ifnetlink hotplug` completes the stanzas that name a link that has just appeared: its own, which ifup brought up
//! without the link, and those of bridges that name it as a port.
//!
//! udev and mdev run it for each link. Most links are not late: those that our executors made or moved, those that
//! appear before ifup has run, those that ifdown has returned. So it waits until no ifup or ifdown runs, and no change
//! waits for its confirmation, and then decides by our records: a stanza that is applied has one, with the index that
//! the link had then.

use crate::apply::{self, Request};
use crate::file::InterfacesFile;
use crate::journal::{self, Found};
use crate::report::Output;
use crate::stanza::{CREATE, Executors, ReadStanza};
use crate::targets::{Options, read_old};
use anyhow::Context as _;
use ifupdown_ng_netlink::kernel::ifstate::StateFile;
use ifupdown_ng_netlink::kernel::live::Live;
use ifupdown_ng_netlink::kernel::{Kernel as _, Refusal, applied, ifupdown, syslog};
use ifupdown_ng_netlink::plan::At;
use ifupdown_ng_netlink::program::arguments;
use ifupdown_ng_netlink::program::message::complain;
use ifupdown_ng_netlink::program::run::FAILED;
use ifupdown_ng_netlink::stanza::{Phase, Stanzas};
use ifupdown_ng_netlink::state::{Applied, Query, Section, Snapshot, State};
use ifupdown_ng_netlink::values::IfName;
use ifupdown_ng_netlink::values::bridge::Ports;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long to wait until no ifup or ifdown runs.
const LIMIT: Duration = Duration::from_secs(300);
/// How often to look.
const INTERVAL: Duration = Duration::from_millis(200);
/// systemd is process 1 (sd_booted(3)).
const SYSTEMD: &str = "/run/systemd/system";
/// It starts a program as a unit.
const SYSTEMD_RUN: &str = "/usr/bin/systemd-run";
/// This program.
const SELF: &str = "/proc/self/exe";

/// Completes the stanzas that name a link. Without a link, starts this program again for the link of the event.
///
/// # Errors
/// The stanzas or the kernel cannot be read, or a change failed.
pub fn hotplug(options: &Options, link: Option<&str>) -> anyhow::Result<u8> {
    let Some(name) = link else {
        return arguments::link_of_event().map_or(Ok(0), |name| start(options, &name).map(|()| 0));
    };
    let mut done = complete(options, name);
    // A change that began meanwhile refuses this one.
    while !matches!(done, Ok(0)) && is_change_waiting() {
        done = complete(options, name);
    }
    if let Err(error) = &done {
        syslog::log("ifnetlink", true, &format!("hotplug: {name}: {error:#}"));
    }
    done
}

/// Starts this program for a link, apart from the device manager, which waits for what it runs. With systemd, a process
/// that udev leaves behind is killed, and the file systems are read-only.
fn start(options: &Options, name: &str) -> anyhow::Result<()> {
    let own = fs::read_link(SELF).context(SELF)?;
    if Path::new(SYSTEMD).exists() {
        let mut command = Command::new(SYSTEMD_RUN);
        command.args(["--quiet", "--no-block", "--collect", "--property=After=networking.service", "--"]);
        let status = with_arguments(command.arg(own), options, name).status().context(SYSTEMD_RUN)?;
        anyhow::ensure!(status.success(), "systemd-run failed for {name}");
        return Ok(());
    }
    let mut command = Command::new(own);
    with_arguments(&mut command, options, name);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    command.spawn().context(SELF)?;
    Ok(())
}

/// Adds the arguments for a link.
fn with_arguments<'a>(command: &'a mut Command, options: &Options, name: &str) -> &'a mut Command {
    command.arg("hotplug").arg("-i").arg(&options.file).arg("-E").arg(&options.executors);
    command.arg("-S").arg(&options.state_file).arg("--").arg(name)
}

/// Whether a change waits for its confirmation. That ends by itself.
fn is_change_waiting() -> bool {
    matches!(journal::find(), Ok(Found::Waiting(_)))
}

/// Waits until nothing else changes interfaces.
fn wait() {
    let mut begun = Instant::now();
    loop {
        if is_change_waiting() {
            begun = Instant::now();
        } else if !ifupdown::is_running() || begun.elapsed() >= LIMIT {
            return;
        }
        std::thread::sleep(INTERVAL);
    }
}

fn complete(options: &Options, name: &str) -> anyhow::Result<u8> {
    // A name that no stanza can have.
    let Ok(name) = name.parse::<IfName>() else { return Ok(0) };
    wait();
    let state_file = StateFile::new(&options.state_file);
    // ifup has not run yet.
    if !options.state_file.exists() {
        return Ok(0);
    }
    let executors = Executors::installed_in(&options.executors);
    let file = InterfacesFile::read(&options.file.to_string_lossy(), None, &executors);
    let file =
        file.map_err(|problem| Refusal::text(problem.to_string())).context(apply::CANNOT_READ_STANZAS)?;
    let records = applied::all().context(apply::CANNOT_READ_STANZAS)?;
    let mut kernel = Live::new(Some(options.file.clone()), Some(options.executors.clone()));
    let found = look(&name, &file.stanzas, &records, &mut kernel)?;
    let names = names(&name, found.here());
    let mut code = 0;
    let own = file.read.iter().find(|stanza| names.contains(&stanza.iface));
    if let Some(stanza) = own {
        let record = records.iter().find(|(iface, _)| *iface == stanza.iface).map(|(_, applied)| applied);
        let entries = state_file.read().context(apply::CANNOT_READ_STANZAS)?;
        let is_counted = entries.iter().any(|entry| entry.name == stanza.iface.as_str());
        let is_auto = file.stanzas.is_auto(stanza.iface.as_str());
        if is_due(stanza, record, is_counted, is_auto, found.here()) {
            let request = Request { dry_run: false, disruptive: true, confirm: false, output: Output::Quiet };
            let interfaces = vec![stanza.iface.to_string()];
            code =
                apply::apply(&Options { interfaces, with_dependencies: true, ..options.clone() }, request)?;
        }
    }
    for (bridge, applied) in records.iter().filter(|(bridge, _)| !names.contains(bridge)) {
        let section =
            applied.sections.last().filter(|section| names.iter().any(|name| has_port(section, name)));
        if let Some(section) = section {
            code = code.max(join(bridge, section, &names, &mut kernel)?);
        }
    }
    Ok(code)
}

/// Reads the link, and those that the file or a record names: the link may have one of the names as an alternative name.
fn look(
    name: &IfName,
    stanzas: &Stanzas,
    records: &[(IfName, Applied)],
    kernel: &mut Live,
) -> anyhow::Result<Snapshot> {
    let mut query = Query::default();
    let links = &mut query.here().links;
    links.insert(name.clone());
    links.extend(stanzas.interfaces().filter_map(|name| name.parse::<IfName>().ok()));
    for section in records.iter().flat_map(|(_, applied)| &applied.sections) {
        links.extend(ports(section).iter().flat_map(Ports::named).cloned());
    }
    kernel.read(&query).context("cannot read the state of the kernel")
}

/// The names of the link by which stanzas may name it; none if it does not exist any more.
fn names(name: &IfName, state: &State) -> Vec<IfName> {
    let Some(link) = state.details.get(name) else { return Vec::new() };
    let others =
        state.details.iter().filter(|(other, details)| *other != name && details.index == link.index);
    std::iter::once(name).chain(others.map(|(other, _)| other)).cloned().collect()
}

/// Whether the stanza of the link is to be completed.
fn is_due(
    stanza: &ReadStanza,
    record: Option<&Applied>,
    is_counted: bool,
    is_auto: bool,
    state: &State,
) -> bool {
    let index = state.details.get(&stanza.iface).map(|details| details.index);
    if let Some(record) = record {
        // If it is the same link, it was not away.
        return record.sections.iter().all(|section| section.index.is_none() || section.index != index);
    }
    let is_down = state.links.get(&stanza.iface).is_some_and(|link| !link.up && link.master.is_none());
    if is_counted {
        return is_down;
    }
    // ifup failed because there was no link. Not if the stanza makes the link, or if ifdown may have moved it back.
    let at = At { iface: &stanza.iface, phase: Phase::Create, alone: true };
    let makes = |name: &String| {
        CREATE.contains(&name.as_str()) || name.parse::<Phase>().is_ok_and(|phase| !phase.is_down())
    };
    let is_made = stanza.is_created_by_others || stanza.foreign.iter().any(makes);
    let creates = stanza.configuration.plan(at, &Snapshot::default());
    let is_ours = !stanza.section.keywords.is_empty();
    is_auto && is_down && is_ours && !is_made && creates.is_ok_and(|plan| plan.is_empty())
}

/// `bridge-ports` of a recorded stanza.
fn ports(section: &Section) -> Option<Ports> {
    let written = section.ports.as_ref().or_else(|| section.values.get("bridge-ports"))?;
    written.parse().ok()
}

fn has_port(section: &Section, name: &IfName) -> bool {
    ports(section).is_some_and(|ports| ports.has(name))
}

/// Makes the link a port of a bridge, as the applied stanza of the bridge asks. Nothing else of the bridge is changed.
fn join(bridge: &IfName, section: &Section, names: &[IfName], kernel: &mut Live) -> anyhow::Result<u8> {
    let old = read_old(section, false);
    let at = At { iface: bridge, phase: Phase::PreUp, alone: false };
    let mut query = Query::default();
    old.query(at, &mut query);
    query.wait = None;
    kernel.lock().context("cannot lock out other runs")?;
    let found = kernel.read(&query).context("cannot read the state of the kernel")?;
    let planned = old.plan(at, &found);
    let (mut plan, problems) = planned.map_or_else(|error| error, |plan| (plan, Vec::new()));
    let is_of_port = |name: Option<&IfName>| name.is_some_and(|name| names.contains(name));
    plan.steps.retain(|step| is_of_port(step.act.links().first().map(|(_, name)| name)));
    let done = ifupdown_ng_netlink::kernel::apply::up(&plan, kernel);
    kernel.unlock();
    let mut lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.extend(done.err().map(|failure| failure.to_string()));
    for line in &lines {
        let line = format!("{bridge}: {line}");
        complain(&format_args!("ifnetlink: {line}"));
        syslog::log("ifnetlink", true, &format!("hotplug: {line}"));
    }
    if lines.is_empty() && !plan.is_empty() {
        syslog::log("ifnetlink", false, &format!("hotplug: changed {}", names[0]));
    }
    Ok(if lines.is_empty() { 0 } else { FAILED })
}

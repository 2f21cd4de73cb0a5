//! `ifnetlink apply` brings the running system to the interfaces file.
//!
//! What this package and the stock executors `link`, `static` and `forward` do is planned for all interfaces together
//! and applied under one lock; if a step fails, all steps are rolled back. Stanzas with other executors or with commands
//! are left to ifdown, before that, and to ifup, after it.

use crate::cost;
use crate::foreign;
use crate::pending::{Changes, Mode, missing, pending};
use crate::rollback::Before;
use crate::targets::{Options, Target, Targets};
use anyhow::Context as _;
use ifupdown_ng_netlink::kernel::apply::Failure;
use ifupdown_ng_netlink::kernel::ifstate::{Entry, StateFile, StateLock};
use ifupdown_ng_netlink::kernel::live::Live;
use ifupdown_ng_netlink::kernel::{Kernel as _, Refusal, applied, apply};
use ifupdown_ng_netlink::plan::Plan;
use ifupdown_ng_netlink::plan::op::Op;
use ifupdown_ng_netlink::program::arguments;
use ifupdown_ng_netlink::program::message::complain;
use ifupdown_ng_netlink::program::run::{FAILED, MISCONFIGURED};
use ifupdown_ng_netlink::stanza::keywords::OURS;
use ifupdown_ng_netlink::state::{Applied, Query, Section, Snapshot};
use ifupdown_ng_netlink::values::IfName;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

/// What was asked for, beside the interfaces.
#[derive(Debug, Clone, Copy)]
pub struct Request {
    /// Change nothing, only print the changes.
    pub dry_run: bool,
    /// Make changes that cost an interface in use something.
    pub disruptive: bool,
    /// Print JSON.
    pub json: bool,
}

/// Not all of a rollback succeeded.
const ROLLED_BACK_IN_PART: u8 = 4;

/// Makes the changes and prints them; returns the exit status. If anything conflicts with a change, no change is made.
///
/// # Errors
/// When the stanzas or the kernel cannot be read, or nothing can be printed.
pub fn apply(options: &Options, request: Request) -> anyhow::Result<u8> {
    let options = &Options { with_dependencies: true, ..options.clone() };
    let mut report = Report::default();
    let code = carry_out(options, request, &mut report)?;
    report.print(request, code).context("cannot print what was done")?;
    Ok(code)
}

fn carry_out(options: &Options, request: Request, report: &mut Report) -> anyhow::Result<u8> {
    let state_file = StateFile::new(&options.state_file);
    let mut kernel = Live::new(None, arguments::executors());
    let mut locks: BTreeMap<String, StateLock> = BTreeMap::new();
    // The lock of an interface is taken before ours, as `ifup` does, so that neither waits for the other.
    let (targets, found) = loop {
        let targets = Targets::read(options).context("cannot read the stanzas")?;
        if !targets.wrong.is_empty() {
            report.errors.extend(targets.wrong.iter().map(ToString::to_string));
            report.findings = targets.wrong.iter().map(crate::finding::Finding::json).collect();
            return Ok(MISCONFIGURED);
        }
        if !request.dry_run {
            kernel.lock().context("cannot lock out other runs")?;
        }
        let found = targets.look(&mut kernel).context(CANNOT_READ)?;
        let changes = pending(&targets, &found, Mode::Apply { disruptive: request.disruptive });
        let restarts: Vec<&Target> =
            targets.known.iter().filter(|target| target.chosen && targets.is_restarted(target)).collect();
        let mut refused = refusals(&changes);
        let mut costs = cost::of(&whole(&changes), &gone(&changes), &mut kernel).context(CANNOT_READ)?;
        costs.extend(restarts.iter().map(|target| foreign::cost(target)));
        if request.disruptive {
            report.warn(costs);
        } else {
            let advice = |cost| format!("{cost}; ifdown and ifup it, or add --disruptive");
            refused.extend(costs.into_iter().map(advice));
        }
        if !refused.is_empty() {
            report.errors.extend(refused);
            return Ok(FAILED);
        }
        if request.dry_run {
            would_change(&targets, &changes, &restarts, report);
            return Ok(0);
        }
        let touched = touched(&targets, &changes, &restarts);
        if !touched.iter().all(|name| locks.contains_key(name)) {
            kernel.unlock();
            let names: BTreeSet<String> = locks.keys().cloned().chain(touched).collect();
            locks.clear();
            for name in names {
                let lock = state_file.lock(&name).with_context(|| format!("{name}: cannot lock it"))?;
                locks.insert(name, lock);
            }
            continue;
        }
        if restarts.is_empty() && targets.gone_with_foreign().next().is_none() {
            break (targets, found);
        }
        kernel.unlock();
        locks.clear();
        if let Err(error) = foreign_down(options, &targets, &restarts, &state_file, report) {
            report.errors.push(format!("{error:#}"));
            return Ok(FAILED);
        }
    };
    let code = native(&targets, found, &mut kernel, report)?;
    if code != 0 {
        return Ok(code);
    }
    // One for the interface itself and one for each that depends on it, as ifup counts them.
    let dependents =
        |iface: &IfName| targets.known.iter().filter(|target| target.depends.contains(iface)).count();
    let entry = |target: &Target| {
        let name = target.iface.as_str();
        let is_explicit = target.chosen && !targets.is_dependency(name);
        Entry::new(name, 1 + dependents(&target.iface), is_explicit)
    };
    let native = targets.known.iter().filter(|target| !target.by_ifup && !target.configuration.is_empty());
    let added: Vec<Entry> = native.map(entry).collect();
    let removed = targets.gone().map(ToString::to_string).collect();
    state_file.change(&added, &removed).context(CANNOT_WRITE_STATE)?;
    kernel.unlock();
    locks.clear();
    let mut code = 0;
    for target in targets.known.iter().filter(|target| target.by_ifup) {
        report.command("ifup", &target.iface);
        if let Err(error) = foreign::ifup(options, &target.iface) {
            report.errors.push(format!("{}: {error}", target.iface));
            code = FAILED;
        }
    }
    Ok(code)
}

/// Prints what would be done.
fn would_change(targets: &Targets, changes: &Changes, restarts: &[&Target], report: &mut Report) {
    let again = restarts.iter().map(|target| &target.iface);
    let leaving = targets.gone_with_foreign().map(|(iface, _)| iface);
    again.clone().chain(leaving).for_each(|iface| report.command("ifdown", iface));
    report.changes(changes);
    let new = targets.known.iter().filter(|target| target.by_ifup).map(|target| &target.iface);
    again.chain(new).for_each(|iface| report.command("ifup", iface));
}

/// Takes down, with ifdown and the recorded stanzas, what ifup brings up again, and what has no stanza any more.
fn foreign_down(
    options: &Options,
    targets: &Targets,
    restarts: &[&Target],
    state_file: &StateFile,
    report: &mut Report,
) -> anyhow::Result<()> {
    let again = restarts.iter().map(|target| {
        let old = targets.newest(&target.iface).unwrap_or(&target.section);
        (&target.iface, target.foreign.as_slice(), old)
    });
    let leaving = targets.gone_with_foreign().map(|(iface, old)| (iface, &[][..], old));
    for (iface, uses, old) in again.chain(leaving) {
        foreign::ifdown(options, iface, uses, old).with_context(|| iface.to_string())?;
        report.command("ifdown", iface);
        // ifdown leaves it there if other interfaces depend on it.
        state_file.change(&[], &BTreeSet::from([iface.to_string()])).context(CANNOT_WRITE_STATE)?;
    }
    Ok(())
}

/// Applies the native part, or restores what was there before.
fn native(targets: &Targets, found: Snapshot, kernel: &mut Live, report: &mut Report) -> anyhow::Result<u8> {
    let mut before = None;
    let Err(error) = make_changes(targets, found, kernel, report, &mut before) else { return Ok(0) };
    let Some(before) = before else { return Err(error) };
    let left = before.restore(kernel);
    let outcome = if left.is_empty() { "all is as before" } else { "not all is as before" };
    report.errors.push(format!("{error:#}; {outcome}"));
    report.errors.extend(left.iter().map(|line| format!("not restored: {line}")));
    report.lines.clear();
    Ok(if left.is_empty() { FAILED } else { ROLLED_BACK_IN_PART })
}

/// Makes the changes in two passes: when the kernel deletes an address, it also deletes other addresses of the same
/// prefix, and routes (net/ipv4/devinet.c `__inet_del_ifa`). The second pass adds those that are missing. `before` is
/// set before the first change.
fn make_changes(
    targets: &Targets,
    mut found: Snapshot,
    kernel: &mut Live,
    report: &mut Report,
    before: &mut Option<Before>,
) -> anyhow::Result<()> {
    for disruptive in [true, false] {
        let changes = pending(targets, &found, Mode::Apply { disruptive });
        let plan = whole(&changes);
        report.warn(changes.unknown.iter().chain(&plan.warnings).cloned());
        for pending in &changes.pending {
            report.warn(pending.kept.iter().map(|line| format!("{}: {line}", pending.iface)));
        }
        if before.is_none() {
            *before = Some(Before::read(&plan, kernel).context(CANNOT_READ)?);
        }
        record(targets, &found, false).context(CANNOT_RECORD)?;
        // The steps are rolled back with all that the kernel changed beside them.
        let refused = apply::up(&plan, kernel).map_err(|failure| Failure {
            undone: 0,
            stuck: Vec::new(),
            ..*failure
        })?;
        report.warn(refused.iter().map(ToString::to_string));
        report.changes(&changes);
        if !plan.steps.iter().any(|step| matches!(step.act.op, Op::AddressDel { .. })) {
            break;
        }
        found = targets.look(kernel).context(CANNOT_READ)?;
    }
    let mut query = Query::default();
    query.here().links.extend(targets.known.iter().map(|target| target.iface.clone()));
    let after = kernel.read(&query).context(CANNOT_READ)?;
    record(targets, &after, true).context(CANNOT_RECORD)
}

const CANNOT_READ: &str = "cannot read the state of the kernel";
const CANNOT_WRITE_STATE: &str = "cannot write the state file of ifupdown-ng";
const CANNOT_RECORD: &str = "cannot record the applied stanza";

/// All steps, in order.
fn whole(changes: &Changes) -> Plan {
    let mut whole = Plan::default();
    changes.steps.iter().for_each(|(_, plan)| whole.append(plan.clone()));
    whole
}

/// The interfaces that have no stanza any more.
fn gone<'a>(changes: &Changes<'a>) -> BTreeSet<&'a IfName> {
    changes.pending.iter().filter(|pending| pending.is_gone).map(|pending| pending.iface).collect()
}

/// Why the changes cannot be made.
fn refusals(changes: &Changes) -> Vec<String> {
    let mut lines = Vec::new();
    for pending in &changes.pending {
        if pending.is_missing {
            lines.push(format!("{}: {}", pending.iface, missing(pending.iface, true)));
        }
        lines.extend(pending.problems.iter().map(|problem| format!("{}: {problem}", pending.iface)));
    }
    lines
}

/// The interfaces that change, or whose entry in the state file does.
fn touched(targets: &Targets, changes: &Changes, restarts: &[&Target]) -> BTreeSet<String> {
    let planned = changes.steps.iter().filter(|(_, plan)| !plan.is_empty()).map(|(iface, _)| *iface);
    let new = targets.known.iter().filter(|target| target.chosen && !target.by_ifup);
    let new = new.map(|target| &target.iface).filter(|iface| !targets.running.contains(iface.as_str()));
    let restarts = restarts.iter().map(|target| &target.iface);
    planned.chain(new).chain(targets.gone()).chain(restarts).map(ToString::to_string).collect()
}

/// Records that the stanzas are applied; once all changes are made, also that no former one is.
fn record<'a>(targets: &'a Targets, found: &Snapshot, is_done: bool) -> Result<(), Refusal> {
    let chosen = targets.known.iter().filter(|target| target.chosen && !target.by_ifup);
    // A record of values for executors of others alone would not be renewed by the next `ifup`.
    let is_renewed = |target: &&Target| target.foreign.is_empty() || target.section.has_any(&OURS);
    let section = |target: &'a Target| Some(&target.section).filter(|_| !target.configuration.is_empty());
    let present = chosen.filter(is_renewed).map(|target| (&target.iface, section(target)));
    let gone = targets.gone().map(|iface| (iface, None));
    for (iface, section) in present.chain(gone) {
        let before = applied::read(iface)?.unwrap_or_default();
        let mut after = before.clone();
        if let Some(section) = section {
            let index = found.here().details.get(iface).map(|details| details.index);
            after.add(Section { index, ..section.clone() });
        }
        if is_done {
            after.sections.retain(|other| section.is_some_and(|section| other.values == section.values));
        }
        if after.sections != before.sections {
            applied::write(iface, &after)?;
        }
    }
    if is_done {
        targets.stale().try_for_each(|iface| applied::write(iface, &Applied::default()))
    } else {
        Ok(())
    }
}

/// What is printed at the end.
#[derive(Debug, Default)]
struct Report {
    /// The changes, each with the interface of its stanza.
    lines: Vec<(IfName, String)>,
    warnings: Vec<String>,
    errors: Vec<String>,
    findings: Vec<serde_json::Value>,
}

impl Report {
    fn warn(&mut self, lines: impl IntoIterator<Item = String>) {
        for line in lines {
            if !self.warnings.contains(&line) {
                self.warnings.push(line);
            }
        }
    }

    fn command(&mut self, name: &str, iface: &IfName) {
        self.lines.push((iface.clone(), format!("{name} {iface}")));
    }

    fn changes(&mut self, changes: &Changes) {
        for (iface, plan) in &changes.steps {
            let acts = plan.steps.iter().map(|step| &step.act).filter(|act| !act.op.is_a_note());
            self.lines.extend(acts.map(|act| ((*iface).clone(), act.to_string())));
        }
    }

    fn print(&self, request: Request, code: u8) -> std::io::Result<()> {
        let text = if request.json {
            let lines = self.lines.iter();
            let changes = lines.map(|(iface, text)| json!({ "interface": iface.as_str(), "text": text }));
            let whole = json!({
                "applied": code == 0 && !request.dry_run,
                "changes": changes.collect::<Vec<_>>(),
                "errors": self.errors,
                "findings": self.findings,
                "warnings": self.warnings,
            });
            format!("{whole}\n")
        } else {
            let warnings = self.warnings.iter().map(|line| format!("warning: {line}"));
            for line in warnings.chain(self.errors.iter().cloned()) {
                complain(&format_args!("ifnetlink: {line}"));
            }
            let lines: Vec<_> = self.lines.iter().map(|(iface, text)| format!("{iface}: {text}\n")).collect();
            lines.concat()
        };
        std::io::stdout().write_all(text.as_bytes())
    }
}

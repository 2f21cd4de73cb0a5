//! The native part of `ifnetlink apply`: all changes are made, or the state before them is restored.

use crate::pending::{Changes, Mode, pending};
use crate::report::Report;
use crate::rollback::Before;
use crate::targets::{Target, Targets};
use anyhow::Context as _;
use ifupdown_ng_netlink::kernel::apply::Failure;
use ifupdown_ng_netlink::kernel::live::Live;
use ifupdown_ng_netlink::kernel::{Kernel as _, Refusal, applied, apply};
use ifupdown_ng_netlink::plan::Plan;
use ifupdown_ng_netlink::plan::op::Op;
use ifupdown_ng_netlink::program::run::FAILED;
use ifupdown_ng_netlink::stanza::keywords::OURS;
use ifupdown_ng_netlink::state::{Applied, Query, Section, Snapshot};

/// Not all of a rollback succeeded.
const ROLLED_BACK_IN_PART: u8 = 4;

/// Applies the native part, or restores what was there before. Returns the exit status.
///
/// # Errors
/// When something cannot be read before the first change.
pub fn carry_out(
    targets: &Targets,
    found: Snapshot,
    kernel: &mut Live,
    report: &mut Report,
) -> anyhow::Result<u8> {
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

/// The kernel did not answer.
pub const CANNOT_READ: &str = "cannot read the state of the kernel";
const CANNOT_RECORD: &str = "cannot record the applied stanza";

/// All steps, in order.
pub fn whole(changes: &Changes) -> Plan {
    let mut whole = Plan::default();
    changes.steps.iter().for_each(|(_, plan)| whole.append(plan.clone()));
    whole
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

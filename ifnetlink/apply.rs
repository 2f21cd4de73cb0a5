//! `ifnetlink apply`: interfaces that are up get what their stanzas now have, without going down.

use crate::all::PROGRAMS;
use crate::cost;
use crate::pending::{Pending, missing, pending};
use crate::targets::{Options, Targets};
use anyhow::Context as _;
use ifupdown_ng_netlink::kernel::live::Live;
use ifupdown_ng_netlink::kernel::{Refusal, applied, apply};
use ifupdown_ng_netlink::plan::Plan;
use ifupdown_ng_netlink::plan::op::Op;
use ifupdown_ng_netlink::program::arguments;
use ifupdown_ng_netlink::program::message::complain;
use ifupdown_ng_netlink::program::run::{FAILED, MISCONFIGURED};
use ifupdown_ng_netlink::stanza::keywords::OURS;
use ifupdown_ng_netlink::state::{Section, Snapshot};
use std::io::Write as _;

/// Makes the changes and prints them; returns the exit status. If anything conflicts with a change, no change is made.
///
/// # Errors
/// When the stanzas or the kernel cannot be read, or nothing can be printed.
pub fn apply(options: &Options, disruptive: bool) -> anyhow::Result<u8> {
    let targets = Targets::read(options, PROGRAMS).context("cannot read the stanzas")?;
    let mut kernel = Live::new(None, arguments::executors());
    kernel.lock().context("cannot lock out other runs")?;
    // Two passes: when the kernel deletes an address, it also deletes other addresses of the same prefix, and routes
    // (net/ipv4/devinet.c `__inet_del_ifa`). The second pass adds those that are missing.
    for _ in 0..2 {
        let found = targets.look(&mut kernel).context("cannot read the state of the kernel")?;
        let Changes { plan, lines, mut warnings, mut refused } = Changes::new(&targets, &found);
        let costs = cost::of(&plan, &mut kernel).context("cannot read the state of the kernel")?;
        if disruptive {
            warnings.extend(costs);
        } else {
            let advice = |cost| format!("{cost}; ifdown and ifup it, or add --disruptive");
            refused.extend(costs.into_iter().map(advice));
        }
        let lines_of_stanzas = targets.wrong.iter().map(ToString::to_string);
        for line in lines_of_stanzas.chain(refused.iter().cloned()) {
            complain(&format_args!("ifnetlink: {line}"));
        }
        if !targets.wrong.is_empty() {
            return Ok(MISCONFIGURED);
        }
        if !refused.is_empty() {
            return Ok(FAILED);
        }
        for warning in warnings.iter().chain(&plan.warnings) {
            complain(&format_args!("ifnetlink: warning: {warning}"));
        }
        record(&targets, &found, false).context("cannot record the applied stanza")?;
        if let Err(failure) = apply::up(&plan, &mut kernel) {
            complain(&format_args!("ifnetlink: {failure}"));
            return Ok(FAILED);
        }
        record(&targets, &found, true).context("cannot record the applied stanza")?;
        std::io::stdout().write_all(lines.as_bytes()).context("cannot print what was done")?;
        if !plan.steps.iter().any(|step| matches!(step.act.op, Op::AddressDel { .. })) {
            break;
        }
    }
    Ok(0)
}

/// Records that the stanzas are applied; once all changes are made, also that no former one is.
fn record(targets: &Targets, found: &Snapshot, is_done: bool) -> Result<(), Refusal> {
    let chosen = targets.known.iter().filter(|target| target.chosen);
    let present = chosen.map(|target| (&target.iface, Some(&target.section)));
    let gone = targets
        .former
        .iter()
        .filter(|former| !targets.is_known(&former.iface))
        .map(|former| (&former.iface, None));
    for (iface, section) in present.chain(gone) {
        let before = applied::read(iface)?.unwrap_or_default();
        let mut after = before.clone();
        if let Some(section) = section.filter(|section| !section.keywords.is_empty()) {
            let index = found.here().details.get(iface).map(|details| details.index);
            after.add(Section { index, ..section.clone() });
        }
        if is_done {
            after.remove(&OURS, |other| section.is_none_or(|section| other.values != section.values));
        }
        if after.sections != before.sections {
            applied::write(iface, &after)?;
        }
    }
    Ok(())
}

/// The changes to make, and what conflicts with them.
struct Changes {
    plan: Plan,
    /// The changes as they are printed.
    lines: String,
    /// What is not changed, and why.
    warnings: Vec<String>,
    refused: Vec<String>,
}

impl Changes {
    fn new(targets: &Targets, found: &Snapshot) -> Self {
        let (mut whole, mut lines, mut refused) = (Plan::default(), Vec::new(), Vec::new());
        let mut warnings = Vec::new();
        let (all, unknown) = pending(targets, found);
        warnings.extend(unknown);
        for Pending { iface, former: mut plan, is_gone, plan: wanted, surplus, is_missing, problems, kept } in
            all
        {
            plan.append(wanted);
            plan.append(surplus);
            if !is_gone && !targets.running.contains(iface.as_str()) {
                refused.push(format!("{iface}: not up; ifup it"));
                continue;
            }
            if is_missing {
                refused.push(format!("{iface}: {}", missing(iface, true)));
                continue;
            }
            refused.extend(problems.iter().map(|problem| format!("{iface}: {problem}")));
            warnings.extend(kept.iter().map(|line| format!("{iface}: {line}")));
            refused.extend(
                why_not(&plan).filter(|_| !is_gone).map(|why| format!("{iface}: {why}; ifdown and ifup it")),
            );
            let changes = plan.steps.iter().filter(|step| !step.act.op.is_a_note());
            lines.extend(changes.map(|step| format!("{iface}: {}\n", step.act)));
            whole.append(plan);
        }
        Self { plan: whole, lines: lines.concat(), warnings, refused }
    }
}

/// Why a plan cannot be carried out on an interface that is in use: the interface would lose what other executors set.
fn why_not(plan: &Plan) -> Option<String> {
    plan.steps.iter().find_map(|step| match &step.act.op {
        Op::LinkAdd(_) | Op::VethAdd(_) => Some(format!("not up: `{}` has to be run first", step.act)),
        Op::LinkMove(_) | Op::LinkDel { .. } => Some(format!("`{}` would end its connections", step.act)),
        _ => None,
    })
}

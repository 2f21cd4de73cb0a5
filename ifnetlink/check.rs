//! `ifnetlink check` finds what is wrong in the stanzas, then compares them with the kernel.

use crate::apply::{ABANDONED, WAITING};
use crate::finding::Finding;
use crate::journal::{self, Outcome};
use crate::pending::{Changes, Mode, Pending, missing, pending};
use crate::targets::{Options, Targets};
use anyhow::Context as _;
use ifupdown_ng_netlink::kernel::live::Live;
use ifupdown_ng_netlink::plan::op::{Act, Op};
use ifupdown_ng_netlink::plan::{Plan, Step};
use ifupdown_ng_netlink::program::message::complain;
use ifupdown_ng_netlink::program::run::{DRIFTED, MISCONFIGURED};
use ifupdown_ng_netlink::state::Shared;
use ifupdown_ng_netlink::values::IfName;
use serde_json::json;
use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};

/// The kind of a difference between a stanza and the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The command that would correct it.
    Step,
    /// The command that would remove what no stanza has any more.
    Leftover,
    /// What conflicts with correcting it.
    Problem,
    /// The interface does not exist.
    Missing,
    /// It is up, and the state file of ifupdown-ng does not have it.
    Uncounted,
}

impl Kind {
    /// Its name for machines.
    fn name(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Leftover => "leftover",
            Self::Problem => "problem",
            Self::Missing => "missing",
            Self::Uncounted => "uncounted",
        }
    }
}

/// A difference between the stanza of an interface and the kernel.
struct Difference {
    iface: IfName,
    kind: Kind,
    text: String,
}

/// A change that waits for its confirmation, or was not confirmed.
fn of_last_change() -> anyhow::Result<Vec<String>> {
    let line = match journal::find()? {
        journal::Found::Nothing => None,
        journal::Found::Waiting(_) => Some(WAITING.to_owned()),
        journal::Found::Abandoned(_) => Some(ABANDONED.to_owned()),
    };
    let outcome = Outcome::read()?.map(|outcome| outcome.report.errors).unwrap_or_default();
    let outcome = outcome.into_iter().map(|line| format!("the last change: {line}"));
    Ok(line.into_iter().chain(outcome).map(|line| format!("warning: {line}")).collect())
}

/// Prints what differs; returns the exit status.
///
/// # Errors
/// When the stanzas cannot be read, or nothing can be printed.
pub fn check(options: &Options, machine: bool) -> anyhow::Result<u8> {
    let targets = Targets::read(options).context("cannot read the stanzas")?;
    let mut kernel = Live::default();
    for finding in targets.wrong.iter().chain(&targets.warnings) {
        complain(&format_args!("ifnetlink: {finding}"));
    }
    let snapshot = targets.look(&mut kernel).context("cannot read the state of the kernel")?;
    let (mut found, mut warnings) = (Vec::new(), of_last_change()?);
    let Changes { pending: all, unknown, .. } = pending(&targets, &snapshot, Mode::Check);
    for Pending { iface, former, plan, surplus, is_missing, problems, kept, .. } in &all {
        let planned = [former, surplus].into_iter().flat_map(|plan| &plan.warnings);
        warnings.extend(kept.iter().chain(planned).map(|line| format!("{iface}: warning: {line}")));
        let mut add = |kind, text| found.push(Difference { iface: (*iface).clone(), kind, text });
        different(former).for_each(|act| add(Kind::Leftover, act.to_string()));
        if *is_missing {
            add(Kind::Missing, missing(iface, targets.running.contains(iface.as_str())));
        } else {
            different(plan).for_each(|act| add(Kind::Step, act.to_string()));
            different(surplus).for_each(|act| add(Kind::Leftover, act.to_string()));
        }
        for problem in problems {
            add(Kind::Problem, problem.to_string());
        }
        let is_as_recorded =
            former.is_empty() && plan.is_empty() && surplus.is_empty() && problems.is_empty();
        if is_as_recorded && !is_missing && targets.is_lost(iface) {
            let text = format!("ifup does not count it as up; `ifnetlink apply {iface}` corrects that");
            add(Kind::Uncounted, text);
        }
    }
    warnings.extend(unknown.map(|line| format!("warning: {line}")));
    for line in &warnings {
        complain(&format_args!("ifnetlink: {line}"));
    }
    let text = if machine {
        let findings: Vec<_> = targets.wrong.iter().chain(&targets.warnings).map(Finding::json).collect();
        let differences = found.iter().map(|Difference { iface, kind, text }| {
            json!({ "interface": iface.as_str(), "kind": kind.name(), "text": text })
        });
        let others = targets
            .others
            .iter()
            .map(|(iface, keywords)| json!({ "interface": iface.as_str(), "keywords": keywords }));
        let whole = json!({
            "findings": findings,
            "differences": differences.collect::<Vec<_>>(),
            "warnings": warnings,
            "compared": all.iter().map(|pending| pending.iface.as_str()).collect::<Vec<_>>(),
            "not_compared": others.collect::<Vec<_>>(),
        });
        format!("{whole}\n")
    } else {
        let line = |Difference { iface, text, .. }: &Difference| format!("{iface}: {text}\n");
        let mut text: String = found.iter().map(line).collect();
        if std::io::stdout().is_terminal() {
            let is_well = found.is_empty() && targets.wrong.is_empty();
            text += &summary(is_well, &all, &targets.others);
        }
        text
    };
    std::io::stdout().write_all(text.as_bytes()).context("cannot print what differs")?;
    Ok(match (targets.wrong.is_empty(), found.is_empty()) {
        (false, _) => MISCONFIGURED,
        (true, false) => DRIFTED,
        (true, true) => 0,
    })
}

/// The lines at the end for a terminal: whether nothing differs, and what was not compared.
fn summary(is_well: bool, all: &[Pending], others: &[(IfName, Vec<String>)]) -> String {
    let mut text = String::new();
    let compared: Vec<_> = all.iter().map(|pending| pending.iface.as_str()).collect();
    if is_well && !compared.is_empty() {
        let _ = writeln!(text, "nothing differs: {}", compared.join(", "));
    }
    let other = |(iface, keywords): &(IfName, Vec<String>)| format!("{iface} ({})", keywords.join(", "));
    if !others.is_empty() {
        let others: Vec<_> = others.iter().map(other).collect();
        let _ = writeln!(text, "not compared, since other executors read it: {}", others.join(", "));
    }
    text
}

/// The changes of a plan that make a difference. A plan may add a rule a second time and delete the first one, so that
/// it comes after another new rule (`vrf-rules jump`): then only the new rule is a difference.
fn different(plan: &Plan) -> impl Iterator<Item = &Act> {
    let moved = |step: &Shared<Step>| {
        let (Op::RuleAdd { rule, .. } | Op::RuleDel(rule) | Op::RuleDelDuplicate(rule)) = &step.act.op else {
            return false;
        };
        let is_here = |other: &&Shared<Step>| other.act.at == step.act.at;
        let others = || plan.steps.iter().filter(is_here).map(|other| &other.act.op);
        let added = others().any(|op| matches!(op, Op::RuleAdd { rule: other, .. } if other == rule));
        let deleted = others()
            .any(|op| matches!(op, Op::RuleDel(other) | Op::RuleDelDuplicate(other) if other == rule));
        let beside = others().any(|op| {
            matches!(op, Op::RuleAdd { rule: other, .. }
                if other != rule && other.family == rule.family && other.priority == rule.priority)
        });
        added && deleted && beside
    };
    let steps = plan.steps.iter().filter(|step| !step.act.op.is_a_note());
    steps.filter(move |step| !moved(step)).map(|step| &step.act)
}

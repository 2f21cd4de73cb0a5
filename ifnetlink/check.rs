//! `ifnetlink check` compares the stanzas with the kernel.

use crate::all::PROGRAMS;
use crate::pending::{Pending, pending};
use crate::targets::{Options, Targets};
use anyhow::Context as _;
use ifupdown_ng_netlink::kernel::live::Live;
use ifupdown_ng_netlink::program::message::complain;
use ifupdown_ng_netlink::program::run::{DRIFTED, MISCONFIGURED};
use serde_json::json;
use std::io::Write as _;

/// A difference between a stanza and the kernel.
enum Drift {
    /// The command that would correct it.
    Step(String),
    /// What conflicts with correcting it.
    InTheWay(String),
}

/// Prints what differs; returns the exit status.
///
/// # Errors
/// When the stanzas cannot be read, or nothing can be printed.
pub fn check(options: &Options, machine: bool) -> anyhow::Result<u8> {
    let targets = Targets::read(options, PROGRAMS).context("cannot read the stanzas")?;
    let mut kernel = Live::default();
    for line in &targets.wrong {
        complain(&format_args!("ifnetlink: {line}"));
    }
    for line in &targets.warnings {
        complain(&format_args!("ifnetlink: warning: {line}"));
    }
    let snapshot = targets.look(&mut kernel).context("cannot read the state of the kernel")?;
    let mut found = Vec::new();
    for Pending { iface, plan, problems, kept } in pending(&targets, &snapshot) {
        if let Some(line) = kept {
            complain(&format_args!("ifnetlink: {iface}: warning: {line}"));
        }
        let steps = plan.steps.iter().filter(|step| !step.act.op.is_a_note());
        found.extend(steps.map(|step| (iface, Drift::Step(step.act.to_string()))));
        found.extend(problems.iter().map(|problem| (iface, Drift::InTheWay(problem.to_string()))));
    }
    let text = if machine {
        let objects = found.iter().map(|(iface, drift)| match drift {
            Drift::Step(step) => json!({ "interface": iface.as_str(), "step": step }),
            Drift::InTheWay(problem) => json!({ "interface": iface.as_str(), "problem": problem }),
        });
        format!("{}\n", objects.collect::<serde_json::Value>())
    } else {
        let line = |(iface, Drift::Step(text) | Drift::InTheWay(text)): &_| format!("{iface}: {text}\n");
        found.iter().map(line).collect()
    };
    std::io::stdout().write_all(text.as_bytes()).context("cannot print what differs")?;
    Ok(match (targets.wrong.is_empty(), found.is_empty()) {
        (false, _) => MISCONFIGURED,
        (true, false) => DRIFTED,
        (true, true) => 0,
    })
}

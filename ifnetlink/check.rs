//! `ifnetlink check`: what of the stanzas is not so in the kernel.

use crate::{
    all::PROGRAMS,
    targets::{Options, Target, Targets},
};
use anyhow::Context as _;
use ifupdown_ng_netlink::{
    live::Live,
    run::{DRIFTED, MISCONFIGURED, complain},
    simulate::Simulated,
    snapshot::Snapshot,
    values::IfName,
};
use serde_json::json;
use std::io::Write as _;

/// Something that is not as a stanza has it.
enum Drift {
    /// The command that would make it so.
    Step(String),
    /// What cannot be made so while the interface is up.
    InTheWay(String),
}

/// Prints what differs; the exit status.
///
/// # Errors
/// When the stanzas cannot be read, or nothing can be printed.
pub fn check(options: &Options, machine: bool) -> anyhow::Result<u8> {
    let targets = Targets::read(options, PROGRAMS).context("cannot read the stanzas")?;
    let mut kernel = Live::new(None);
    for line in &targets.wrong {
        complain(&format_args!("ifnetlink: {line}"));
    }
    let found =
        differences(&targets, targets.look(&mut kernel).context("cannot read the state of the kernel")?);
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

/// What differs between stanzas and what was found. Each is compared with what the kernel will be when those before it
/// are in step.
fn differences(targets: &Targets, found: Snapshot) -> Vec<(&IfName, Drift)> {
    let (mut world, mut differences) = (Simulated(found), Vec::new());
    for Target { iface, configuration, .. } in &targets.known {
        let (plan, problems) = match configuration.plan_up(iface, &world.0) {
            Ok(plan) => (plan, Vec::new()),
            Err(conflict) => conflict,
        };
        world.assume_all(&plan);
        let steps = plan.steps.iter().filter(|step| !step.act.op.is_a_note());
        differences.extend(steps.map(|step| (iface, Drift::Step(step.act.to_string()))));
        differences.extend(problems.iter().map(|problem| (iface, Drift::InTheWay(problem.to_string()))));
    }
    differences
}

//! Applies a plan: in ifup all or nothing, in ifdown as much as possible.

use crate::kernel::{Kernel, Refusal, When};
use crate::plan::netns::move_link;
use crate::plan::op::{Act, LinkChange, Move, Op};
use crate::plan::{Plan, Step};
use crate::state::{Action, LinkKind, NetnsLink, Place, Record, Route, Shared};
use crate::values::IfName;
use nix::errno::Errno;
use std::fmt;
use std::net::IpAddr;

/// A step that failed, and the rollback of the steps before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The change that failed.
    pub act: Act,
    /// Why.
    pub cause: Refusal,
    /// How many steps before it were rolled back.
    pub undone: usize,
    /// The changes of the rollback that failed, and why.
    pub stuck: Vec<(Act, Refusal)>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.act, self.cause)?;
        if let Some(hint) = hint(&self.act.op, &self.cause) {
            write!(f, "; {hint}")?;
        }
        match self.undone {
            0 => {}
            1 => f.write_str("; 1 step before it undone")?,
            n => write!(f, "; {n} steps before it undone")?,
        }
        self.stuck.iter().try_for_each(|(act, cause)| write!(f, "; not undone: {act}: {cause}"))
    }
}

impl std::error::Error for Failure {}

/// What to check or change, if the error alone does not say it.
fn hint(op: &Op, cause: &Refusal) -> Option<&'static str> {
    match (op, cause.errno?) {
        (Op::LinkAdd(_), Errno::EOPNOTSUPP) => Some("does this kernel have the module for that type?"),
        (
            Op::RouteAdd(Route { src: Some(IpAddr::V6(_)), .. })
            | Op::RouteAppend(Route { src: Some(IpAddr::V6(_)), .. })
            | Op::RouteReplace(Route { src: Some(IpAddr::V6(_)), .. }),
            Errno::EINVAL,
        ) => Some("the source address is missing, or tentative as long as its link has no carrier"),
        _ => None,
    }
}

/// Makes the changes in order. If one fails, the earlier ones are rolled back, last first. It is not a failure if the
/// object of a deletion is already gone (another program has just deleted it, or its namespace is gone): then the
/// earlier changes, which replace it, must not be rolled back. Returns the refusals of changes that are made as far as
/// possible.
///
/// # Errors
/// The failed change, and the changes that could not be rolled back.
pub fn up(plan: &Plan, kernel: &mut impl Kernel) -> Result<Vec<Failure>, Box<Failure>> {
    up_with(plan, kernel, |_| ())
}

/// The same. After each step, `progress` gets the number of steps that are made.
///
/// # Errors
/// As [`up`].
pub fn up_with(
    plan: &Plan,
    kernel: &mut impl Kernel,
    mut progress: impl FnMut(usize),
) -> Result<Vec<Failure>, Box<Failure>> {
    let (mut done, mut refused): (Vec<&Step>, Vec<Failure>) = (Vec::new(), Vec::new());
    let mut deleted = 0;
    for (before, step) in plan.steps.iter().enumerate() {
        progress(before);
        if deleted <= before {
            deleted = before + delete_together(&plan.steps[before..], kernel);
        }
        log::info!("{}", step.act);
        if before < deleted {
            done.push(step);
            continue;
        }
        let Err(cause) = kernel.apply(&step.act) else {
            done.push(step);
            continue;
        };
        if cause.means_done(&step.act.op, When::Up) {
            done.push(step);
            continue;
        }
        if cause.means_present(&step.act.op) {
            continue;
        }
        if step.best_effort && !cause.answer_lost {
            refused.push(Failure { act: step.act.clone(), cause, undone: 0, stuck: Vec::new() });
            continue;
        }
        let mut undo = Undo::default();
        // If the answer was lost, the change may have been made, so it is rolled back as well.
        if cause.answer_lost {
            undo.step(step, kernel);
        }
        let undone = done.iter().rev().filter(|step| undo.step(step, kernel)).count();
        return Err(Box::new(Failure { act: step.act.clone(), cause, undone, stuck: undo.stuck }));
    }
    progress(plan.steps.len());
    Ok(refused)
}

/// Deletes the links that the first steps delete, if these are several, at once. The number of steps that are made then.
fn delete_together(steps: &[Shared<Step>], kernel: &mut impl Kernel) -> usize {
    let Some(&Act { ref at, op: Op::LinkDel { .. } }) = steps.first().map(|step| &step.act) else { return 0 };
    let names = steps.iter().map_while(|step| match &step.act.op {
        Op::LinkDel { name, .. } if step.act.at == *at => Some(name),
        _ => None,
    });
    let names: Vec<&IfName> = names.collect();
    if names.len() > 1 && kernel.delete_links(at, &names) { names.len() } else { 0 }
}

/// A rollback.
#[derive(Default)]
struct Undo {
    stuck: Vec<(Act, Refusal)>,
    held: Held,
}

impl Undo {
    /// Rolls one step back, and continues after failures. Returns whether there was anything to roll back and all of it
    /// succeeded.
    fn step(&mut self, step: &Step, kernel: &mut impl Kernel) -> bool {
        let before = self.stuck.len();
        for act in &step.undo {
            if self.held.holds(act) {
                self.stuck.push((act.clone(), Refusal::text("its replacement is missing")));
                continue;
            }
            log::info!("{act}");
            match kernel.apply(act) {
                Ok(()) => {}
                Err(cause) if cause.means_done(&act.op, When::Rollback) => {}
                Err(cause) => {
                    self.held.failed(act);
                    self.stuck.push((act.clone(), cause));
                }
            }
        }
        !step.undo.is_empty() && self.stuck.len() == before
    }
}

/// Makes the changes in order, and continues after failures. A change whose object is already gone counts as done.
/// After some failures, later changes that rely on the failed one are not made.
///
/// # Errors
/// Every change that failed.
pub fn down(plan: &Plan, kernel: &mut impl Kernel) -> Result<(), Vec<Failure>> {
    let (mut failures, mut held) = (Vec::new(), Held::default());
    for step in &plan.steps {
        let act = &step.act;
        if held.holds(act) {
            continue;
        }
        log::info!("{act}");
        match kernel.apply(act) {
            Ok(()) => {}
            Err(cause) if cause.means_done(&act.op, When::Down) => {}
            Err(cause) => {
                held.failed(act);
                failures.push(Failure { act: act.clone(), cause, undone: 0, stuck: Vec::new() });
            }
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(failures) }
}

/// Changes that failed. Changes that rely on them are not made.
#[derive(Default)]
struct Held(Vec<Act>);

impl Held {
    fn failed(&mut self, act: &Act) {
        self.0.push(act.clone());
    }

    fn holds(&self, act: &Act) -> bool {
        let relies_on = |failed: &Op| match (failed, &act.op) {
            // No rule is deleted before its replacement exists.
            (Op::RuleExpect(missing) | Op::RuleAdd { rule: missing, .. }, Op::RuleDel(rule)) => {
                missing.family == rule.family
            }
            (Op::RuleAdd { rule: missing, .. }, Op::RuleExpect(rule)) => missing == rule,
            // The jump tells the next run that one of the two rules for local is ours.
            (Op::RuleDelDuplicate(local), Op::RuleDel(rule)) => {
                matches!(rule.action, Action::GotoL3mdev(_)) && local.family == rule.family
            }
            // The rules isolate a VRF as long as it exists, and it exists as long as our routes are in its table.
            (Op::RouteDel(route), Op::LinkDel { kind: LinkKind::Vrf(table), .. }) => route.table == *table,
            (
                Op::LinkDel { kind: LinkKind::Vrf(_), .. } | Op::RouteDel(_),
                Op::RuleAdd { .. }
                | Op::RuleExpect(_)
                | Op::RuleDel(_)
                | Op::RuleDelDuplicate(_)
                | Op::SysctlSet { .. }
                | Op::RecordSet { .. }
                | Op::RecordDel(_),
            ) if act.at == Place::Here => true,
            // A port that stays up after its bridge is deleted would be an ordinary link of the host.
            (
                Op::LinkSet { change: LinkChange { master: Some(None), .. }, .. },
                Op::LinkDel { kind: LinkKind::Bridge(_), .. },
            ) => true,
            // The record that a VRF was left stays until everything that is deleted with the VRF is gone.
            (
                Op::RuleAdd { .. }
                | Op::RuleExpect(_)
                | Op::RuleDel(_)
                | Op::RuleDelDuplicate(_)
                | Op::SysctlSet { .. },
                Op::RecordDel(record),
            ) if record.is_of_left_vrf() => true,
            // The record of a sysctl's former value stays until that value is restored.
            (Op::SysctlSet { key, .. }, Op::RecordDel(record)) => *record == Record::original(key),
            // The same for the settings of a link.
            (Op::LinkSet { name, .. }, Op::RecordDel(record)) => *record == Record::link(name),
            _ => false,
        };
        // If a link could not be moved back, renamed or deleted, its record and its namespace stay. It may have been
        // renamed in the namespace, and its own name may be taken outside.
        let is_of = |link: &NetnsLink, name: &IfName| {
            [&link.name, &link.iface].contains(&name)
                || move_link::other_names(&link.iface).any(|other| other == *name)
        };
        let strands = |failed: &Op| match (failed, &act.op) {
            // A record may lead to a namespace that the stanza no longer names.
            (Op::LinkMove(_) | Op::LinkDel { .. } | Op::Nested(_), Op::NetnsDel(_))
            | (Op::NetnsDel(_), Op::NetnsLinkDel(_)) => true,
            (Op::LinkMove(Move { name, new_name, .. }), Op::NetnsLinkDel(link)) => {
                is_of(link, name) || is_of(link, new_name)
            }
            (
                Op::LinkSet { name, change: LinkChange { name: Some(new_name), .. } },
                Op::NetnsLinkDel(link),
            ) => is_of(link, name) || is_of(link, new_name),
            (Op::LinkDel { name, .. }, Op::NetnsLinkDel(link)) => is_of(link, name),
            _ => false,
        };
        // If a sysctl in another namespace could not be restored, or a route or record there could not be deleted, the
        // record of the link stays too: it leads the next run there, and without it that run could take the records for
        // those of the next namespace.
        let outlives = |failed: &Act| {
            let stays = matches!(
                failed.op,
                Op::SysctlSet { .. } | Op::RouteDel(_) | Op::RecordSet { .. } | Op::RecordDel(_)
            );
            failed.at != Place::Here && stays && matches!(act.op, Op::NetnsLinkDel(_))
        };
        let holds = |failed: &Act| {
            failed.at == act.at && relies_on(&failed.op) || strands(&failed.op) || outlives(failed)
        };
        self.0.iter().any(holds)
    }
}

//! Carries a plan out: going up all or nothing, going down as much as possible.

use crate::{
    kernel::{Kernel, Refusal},
    plan::{
        Plan, Step,
        op::{Act, LinkChange, Move, Op},
    },
    state::{Action, LinkKind, Place, Record, Route},
};
use nix::errno::Errno;
use std::{fmt, net::IpAddr};

/// A step that failed, and what became of those before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The change that failed.
    pub act: Act,
    /// Why.
    pub cause: Refusal,
    /// How many changes before it were taken back.
    pub undone: usize,
    /// The changes that could not be taken back, and why.
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

/// What to change, where the error alone does not say.
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

/// Makes the changes in order. When one fails, those before it are taken back, last first. What was to be
/// taken away and is gone already (somebody else did it just now, or its namespace died) is no failure: what
/// was added in its place must not be taken back.
///
/// # Errors
/// The failed change and what could not be taken back.
pub fn up(plan: &Plan, kernel: &mut impl Kernel) -> Result<(), Box<Failure>> {
    for (done, step) in plan.steps.iter().enumerate() {
        log::info!("{}", step.act);
        let Err(cause) = kernel.apply(&step.act) else { continue };
        if cause.is_gone() && step.act.op.is_removal() {
            continue;
        }
        let mut undo = Undo::default();
        // Where the answer was lost, the change may have been made: it is taken back as well.
        if cause.answer_lost {
            undo.step(step, kernel);
        }
        let undone = plan.steps[..done].iter().rev().filter(|step| undo.step(step, kernel)).count();
        return Err(Box::new(Failure { act: step.act.clone(), cause, undone, stuck: undo.stuck }));
    }
    Ok(())
}

/// Takes steps back.
#[derive(Default)]
struct Undo {
    stuck: Vec<(Act, Refusal)>,
    held: Held,
}

impl Undo {
    /// Takes one step back, and goes on past failures; whether there was anything to take back, and it was.
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
                Err(cause) if cause.makes_needless(act) && act.op.is_of_existing() => {}
                // The step whose answer was lost was not made.
                Err(cause) if cause.is_there(act) => {}
                Err(cause) => {
                    self.held.failed(act);
                    self.stuck.push((act.clone(), cause));
                }
            }
        }
        !step.undo.is_empty() && self.stuck.len() == before
    }
}

/// Makes the changes in order and goes on past failures; what is already gone counts as done. Some failures
/// hold later changes back.
///
/// # Errors
/// Every change that failed.
pub fn down(plan: &Plan, kernel: &mut impl Kernel) -> Result<(), Vec<Failure>> {
    let (mut failures, mut held) = (Vec::new(), Held::default());
    for Step { act, .. } in &plan.steps {
        if held.holds(act) {
            continue;
        }
        log::info!("{act}");
        match kernel.apply(act) {
            Ok(()) => {}
            Err(cause) if cause.makes_needless(act) || cause.is_there(act) => {}
            Err(cause) => {
                held.failed(act);
                failures.push(Failure { act: act.clone(), cause, undone: 0, stuck: Vec::new() });
            }
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(failures) }
}

/// Changes that failed, and hold back those that rely on them.
#[derive(Default)]
struct Held(Vec<Act>);

impl Held {
    fn failed(&mut self, act: &Act) {
        self.0.push(act.clone());
    }

    fn holds(&self, act: &Act) -> bool {
        let relies_on = |failed: &Op| match (failed, &act.op) {
            // No rule goes before the one that takes over is there.
            (Op::RuleExpect(missing) | Op::RuleAdd { rule: missing, .. }, Op::RuleDel(rule)) => {
                missing.family == rule.family
            }
            (Op::RuleAdd { rule: missing, .. }, Op::RuleExpect(rule)) => missing == rule,
            // The jump tells the next run that one of the two rules for local is ours.
            (Op::RuleDelDuplicate(local), Op::RuleDel(rule)) => {
                matches!(rule.action, Action::GotoL3mdev(_)) && local.family == rule.family
            }
            // The rules hold what is in a VRF for as long as it exists, and it does as long as ours are in its table.
            (Op::RouteDel(route), Op::LinkDel { kind: LinkKind::Vrf(table), .. }) => route.table == *table,
            (
                Op::LinkDel { kind: LinkKind::Vrf(_), .. } | Op::RouteDel(_),
                Op::RuleAdd { .. }
                | Op::RuleExpect(_)
                | Op::RuleDel(_)
                | Op::RuleDelDuplicate(_)
                | Op::SysctlSet { .. }
                | Op::RecordDel(_),
            )
            // A port that stays up would be a link of the host's.
            | (Op::LinkSet { change: LinkChange { master: Some(None), .. }, .. }, Op::LinkDel { kind: LinkKind::Bridge(_), .. }) => true,
            // That a VRF was left is known until all that goes with it is gone.
            (
                Op::RuleAdd { .. }
                | Op::RuleExpect(_)
                | Op::RuleDel(_)
                | Op::RuleDelDuplicate(_)
                | Op::SysctlSet { .. },
                Op::RecordDel(record),
            ) if record.is_of_left_vrf() => true,
            // What a sysctl was is remembered until it is so again.
            (Op::SysctlSet { key, .. }, Op::RecordDel(record)) => *record == Record::original(key),
            _ => false,
        };
        // Wherever a link of ours is, that stays known, and it stays there, until it is back or gone.
        let strands = |failed: &Op| match (failed, &act.op) {
            (Op::LinkMove(_) | Op::LinkDel { .. } | Op::Nested(_), Op::NetnsDel(_)) => true,
            (Op::LinkMove(Move { name, .. }) | Op::LinkDel { name, .. }, Op::NetnsLinkDel(link)) => {
                [&link.name, &link.iface].contains(&name)
            }
            _ => false,
        };
        // What was remembered in another namespace is not taken for what was so in the next one.
        let outlives = |failed: &Act| {
            failed.at != Place::Here
                && matches!((&failed.op, &act.op), (Op::RecordDel(_), Op::NetnsLinkDel(_)))
        };
        let holds = |failed: &Act| {
            failed.at == act.at && relies_on(&failed.op) || strands(&failed.op) || outlives(failed)
        };
        self.0.iter().any(holds)
    }
}

//! Carries a plan out: going up all or nothing, going down as much as possible.

use crate::{
    op::{Act, Action, BridgeOp, LinkKind, Move, Op, Place, Record, Route},
    plan::{Plan, Step},
    snapshot::{Query, Snapshot},
};
use nix::errno::Errno;
use std::{fmt, net::IpAddr};

/// What plans are made about and carried out on: the running kernel ([`crate::live`]), or a model of it
/// ([`crate::simulate`]).
pub trait Kernel {
    /// Looks at what the query names.
    ///
    /// # Errors
    /// When the kernel does not answer; that something does not exist is an answer.
    fn read(&mut self, query: &Query) -> Result<Snapshot, Refusal>;

    /// Makes one change.
    ///
    /// # Errors
    /// When the kernel refuses, or its answer is lost.
    fn apply(&mut self, act: &Act) -> Result<(), Refusal>;
}

/// Why the kernel did not do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The error, if it has a number.
    pub errno: Option<Errno>,
    /// The kernel's own words (extended ACK), or ours where it has none.
    pub text: Option<String>,
    /// No answer came, so that the change may have been made all the same.
    pub answer_lost: bool,
}

impl Refusal {
    /// A refusal with this error and nothing more.
    pub fn errno(errno: Errno) -> Self {
        Self { errno: Some(errno), text: None, answer_lost: false }
    }

    /// A failure that the kernel gave no number to.
    pub fn text(text: impl Into<String>) -> Self {
        Self { errno: None, text: Some(text.into()), answer_lost: false }
    }

    /// An input or output error, with what it is about.
    pub fn io(error: &std::io::Error, about: impl fmt::Display) -> Self {
        let errno = error.raw_os_error().map(Errno::from_raw);
        let text = if errno.is_some() { about.to_string() } else { format!("{about}: {error}") };
        Self { errno, text: Some(text), answer_lost: false }
    }

    /// Whether the object in question does not exist.
    pub fn is_gone(&self) -> bool {
        matches!(self.errno, Some(Errno::ENODEV | Errno::ENOENT | Errno::ESRCH | Errno::EADDRNOTAVAIL))
    }

    /// Whether the change has nothing left to do, since its object is gone.
    fn makes_needless(&self, act: &Act) -> bool {
        match act.op {
            // The parameter went with its link; any other refusal leaves it as it is.
            Op::SysctlSet { .. } => self.errno == Some(Errno::ENOENT),
            Op::RecordSet { .. } | Op::LinkUp { up: true, .. } => false,
            _ => self.is_gone() && !act.op.is_addition(),
        }
    }

    /// Whether what is added exists already.
    fn is_there(&self, act: &Act) -> bool {
        self.errno == Some(Errno::EEXIST) && act.op.is_addition()
    }
}

/// What the kernel says of a device whose sysctl disable_ipv6 is 1 (net/ipv6/addrconf.c, net/ipv6/route.c).
const IPV6_IS_DISABLED: [&str; 2] = ["IPv6 is disabled on this device", "IPv6 is disabled on nexthop device"];

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(errno) = self.errno {
            write!(f, "{} ({errno:?})", errno.desc())?;
        }
        match (&self.text, self.errno) {
            (Some(text), Some(_)) => write!(f, ": {text}")?,
            (Some(text), None) => f.write_str(text)?,
            (None, _) => {}
        }
        match self.errno {
            Some(Errno::EPERM) => f.write_str("; this needs root (CAP_NET_ADMIN)"),
            // The kernel says so in its own words where it means something else.
            Some(Errno::EACCES)
                if self.text.as_ref().is_some_and(|text| {
                    IPV6_IS_DISABLED.iter().any(|disabled| text.starts_with(disabled))
                }) =>
            {
                f.write_str("; its sysctl disable_ipv6 is 1")
            }
            Some(Errno::EACCES) => f.write_str("; this needs root"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Refusal {}

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
                Err(cause) if cause.makes_needless(act) && act.op.is_of_what_is_there() => {}
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
            | (Op::Bridge(BridgeOp::Release { .. }), Op::LinkDel { kind: LinkKind::Bridge(_), .. }) => true,
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
            (Op::LinkMove(Move { name, .. }) | Op::LinkDel { name, .. }, Op::ResidentDel(resident)) => {
                [&resident.name, &resident.iface].contains(&name)
            }
            _ => false,
        };
        // What was remembered in another namespace is not taken for what was so in the next one.
        let outlives = |failed: &Act| {
            failed.at != Place::Here
                && matches!((&failed.op, &act.op), (Op::RecordDel(_), Op::ResidentDel(_)))
        };
        let holds = |failed: &Act| {
            failed.at == act.at && relies_on(&failed.op) || strands(&failed.op) || outlives(failed)
        };
        self.0.iter().any(holds)
    }
}

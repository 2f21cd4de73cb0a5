//! Fails closed where ifupdown-ng continues after an error.
//!
//! Version 0.11.4 ignores the exit status of executors: an interface whose VRF, bridge or namespace is missing comes up
//! outside it, with its addresses. So phase pre-up records an interface that is not up yet, and the record is deleted
//! once the interface is isolated as its stanza says. If the record still exists in phase post-up, the interface is
//! checked, and set down if it is not isolated. An interface that is up already when ifup begins (`ifup -f`) is never
//! recorded. An interface that does not exist in pre-up may be made by a command of the stanza, in phase up: then it is
//! isolated in post-up.

use crate::kernel::live::Live;
use crate::kernel::run_dir::RunDir;
use crate::kernel::{Kernel as _, Refusal, apply};
use crate::plan::op::{Act, Op};
use crate::program::executor::Program;
use crate::stanza::Phase;
use crate::stanza::environment::{Invocation, Mode};
use crate::state::{Query, Record};

/// The value of the record, if the interface did not exist in phase pre-up.
const ABSENT: &str = "absent";

/// The guard of an interface in one phase.
pub struct Guard<'a> {
    program: &'a Program,
    invocation: &'a Invocation,
    record: Record,
    /// The phase after which the interface is isolated.
    isolated: Phase,
}

/// Deletes the record of an interface that goes down. Its stanza may isolate nothing any more.
pub fn leave(program: &Program, invocation: &Invocation) {
    // A record that stays is deleted by the next ifup.
    let _ = forget(&Record::raised(program.name, &invocation.iface));
}

/// The value of the record. One that cannot be read counts as missing.
fn recorded(record: &Record) -> Option<String> {
    RunDir::read(record).ok().flatten()
}

fn forget(record: &Record) -> Result<(), Refusal> {
    if recorded(record).is_some() {
        let directory = RunDir::open()?;
        directory.remove(record)?;
        directory.remove_if_empty();
    }
    Ok(())
}

impl<'a> Guard<'a> {
    /// `None` if the stanza isolates nothing, or if nothing is changed (`--dry-run`, `--check`, MOCK).
    pub fn new(program: &'a Program, invocation: &'a Invocation) -> Option<Self> {
        let isolated = program.isolates(&invocation.stanza).filter(|_| invocation.mode == Mode::Apply)?;
        let record = Record::raised(program.name, &invocation.iface);
        Some(Self { program, invocation, record, isolated })
    }

    /// Runs before the phase. A record that cannot be written is a warning.
    ///
    /// # Errors
    /// In phase pre-up: the kernel cannot be read. In phase post-up: the interface is not isolated, and was set down.
    pub fn before(&self, kernel: &mut Live, warnings: &mut Vec<String>) -> Result<(), String> {
        match self.phase() {
            Phase::PreUp => {
                let is_up = self
                    .is_up(kernel)
                    .map_err(|refusal| format!("cannot read the state of the kernel: {refusal}"))?;
                let value = if is_up.is_none() { ABSENT } else { "" };
                let noted = if is_up == Some(true) {
                    self.forget()
                } else {
                    RunDir::open().and_then(|directory| directory.write(&self.record, value))
                };
                if let Err(refusal) = noted {
                    warnings.push(format!("cannot record that it is not up yet: {refusal}"));
                }
                Ok(())
            }
            Phase::PostUp if self.isolated < Phase::PostUp => {
                let Some(value) = recorded(&self.record) else { return Ok(()) };
                let is_done = self.is_isolated(kernel, value == ABSENT, warnings);
                let done = if is_done { Ok(()) } else { self.set_down(kernel) };
                let _ = self.forget();
                done
            }
            _ => Ok(()),
        }
    }

    /// Runs after the phase, whether it succeeded or not.
    ///
    /// # Errors
    /// The interface is not isolated, and was set down.
    pub fn after(&self, kernel: &mut Live, succeeded: bool) -> Result<(), String> {
        if self.phase() != self.isolated {
            return Ok(());
        }
        let Some(value) = recorded(&self.record) else { return Ok(()) };
        let last = self.isolated == Phase::PostUp;
        let done = if last && !succeeded { self.set_down(kernel) } else { Ok(()) };
        if last || (succeeded && value != ABSENT) {
            let _ = self.forget();
        }
        done
    }

    fn phase(&self) -> Phase {
        self.invocation.phases[0]
    }

    fn forget(&self) -> Result<(), Refusal> {
        forget(&self.record)
    }

    /// Whether the interface is up, if it exists.
    fn is_up(&self, kernel: &mut Live) -> Result<Option<bool>, Refusal> {
        let mut query = Query::default();
        query.here().links.insert(self.invocation.iface.clone());
        let found = kernel.read(&query)?;
        Ok(found.here().links.get(&self.invocation.iface).map(|link| link.up))
    }

    /// Whether the interface is isolated, or can be by now if it is `late`.
    fn is_isolated(&self, kernel: &mut Live, is_late: bool, warnings: &mut Vec<String>) -> bool {
        let (configuration, problems) = self.program.configure(&self.invocation.stanza);
        let mut query = Query::default();
        configuration.query_isolated(&self.invocation.iface, &mut query);
        if !problems.is_empty() || (is_late && kernel.lock().is_err()) {
            return false;
        }
        let found = kernel.read(&query).ok();
        let plan = found.and_then(|found| configuration.plan_isolated(&self.invocation.iface, &found).ok());
        let is_done = plan.is_some_and(|mut plan| {
            if is_late {
                warnings.append(&mut plan.warnings);
            }
            plan.is_empty() || (is_late && apply::up(&plan, kernel).is_ok())
        });
        kernel.unlock();
        is_done
    }

    fn set_down(&self, kernel: &mut Live) -> Result<(), String> {
        let name = &self.invocation.iface;
        if matches!(self.is_up(kernel), Ok(None | Some(false))) {
            return Ok(());
        }
        let act = Act::here(Op::set_up(name, false));
        Err(match kernel.apply(&act) {
            Ok(()) => format!(
                "{name} came up without the isolation of its stanza and was set down; ifup -f {name} when the cause is fixed"
            ),
            Err(refusal) => format!(
                "{name} came up without the isolation of its stanza and cannot be set down: {refusal}"
            ),
        })
    }
}

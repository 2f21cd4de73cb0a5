//! The `main` that all executors share.
//!
//! It keeps what every executor promises: `depend` cannot fail, all problems are reported at once and only once,
//! nothing is opened if there is nothing to do, and the exit status has a fixed meaning.

use crate::kernel::live::Live;
use crate::kernel::{Kernel, applied, apply};
use crate::model::Simulated;
use crate::plan::op::Op;
use crate::plan::{At, Plan, Planned, without_awaited};
use crate::program::applied::Memory;
use crate::program::edit;
use crate::program::executor::{Configuration, Program};
use crate::program::guard::{self, Guard};
use crate::program::message::complain;
use crate::program::{arguments, inside, lists};
use crate::stanza::environment::{self, Found, Invocation, Mode, mentions};
use crate::stanza::keywords::Unknown;
use crate::stanza::{Phase, Problem, Stanza};
use crate::state::{Query, Snapshot};
use crate::values::IfName;
use anyhow::Context as _;
use std::fmt::Display;
use std::io::Write as _;
use std::process::ExitCode;

/// The number of bytes that ifupdown-ng reads of the answer to `depend` (execute.c: one `read` of 1024 bytes).
const DEPEND_BYTES: usize = 1023;

/// The `main` of one program that contains all executors. Links with their names start it.
pub fn run_one_of(programs: &[&Program]) -> ExitCode {
    let name = arguments::own_name();
    if let Some(program) = programs.iter().find(|program| name.as_deref() == Some(program.name.as_ref())) {
        return run(program);
    }
    if let Some(arguments) = arguments::inside() {
        return inside::become_inside(&arguments);
    }
    if Found::in_process().is_depend() {
        return ExitCode::SUCCESS;
    }
    let names: Vec<_> = programs.iter().map(|program| program.name).collect();
    complain(&format_args!(
        "{}: start this program by a link that is named {}",
        name.unwrap_or_default().to_string_lossy(),
        names.join(", ")
    ));
    ExitCode::from(MISCONFIGURED)
}

/// The `main` of every executor.
pub fn run(program: &Program) -> ExitCode {
    let by_hand = !arguments::is_empty();
    if let Some(arguments) = by_hand.then(arguments::inside).flatten() {
        return inside::become_inside(&arguments);
    }
    if !by_hand
        && !program.is_for_every_stanza()
        && !mentions(program.name, program.keywords().map(|keyword| keyword.name))
        && !environment::iface().is_some_and(|iface| applied::exists(&iface))
    {
        return ExitCode::SUCCESS;
    }
    let found = Found::in_process();
    if !by_hand && found.is_depend() {
        return depend(program, found.iface.as_deref(), &found.stanza());
    }
    let invocation = match arguments::invocation(program, &found) {
        Ok(invocation) => invocation,
        Err(code) => return code,
    };
    if invocation.phases == [Phase::Depend] {
        return depend(program, Some(invocation.iface.as_str()), &invocation.stanza);
    }
    start_logger(program, &invocation, found.log);
    let report =
        |line: &dyn Display| complain(&format_args!("{}: {}: {line}", program.name, invocation.iface));
    let Outcome { warnings, errors, code, .. } = execute(program, &invocation);
    for line in &warnings {
        report(&format_args!("warning: {line}"));
    }
    for line in &errors {
        report(line);
    }
    ExitCode::from(code)
}

/// Answers `depend` in one write. The exit status is always 0, even after a panic: with any other status, ifupdown-ng
/// refuses to configure any interface at all.
fn depend(program: &Program, iface: Option<&str>, stanza: &Stanza) -> ExitCode {
    std::panic::set_hook(Box::new(|_| std::process::exit(0)));
    let mut answer = String::new();
    for name in program.depends(iface, stanza) {
        if answer.len() + name.as_str().len() < DEPEND_BYTES {
            answer.push_str(name.as_str());
            answer.push(' ');
        }
    }
    if !answer.is_empty() {
        answer.pop();
        answer.push('\n');
        // A failure to write cannot be reported, and a failing exit status would be worse.
        let _ = std::io::stdout().write_all(answer.as_bytes());
    }
    ExitCode::SUCCESS
}

fn start_logger(program: &Program, invocation: &Invocation, by_environment: bool) {
    if !invocation.verbose && !by_environment {
        return;
    }
    let (name, iface) = (program.name, invocation.iface.clone());
    let mut builder = env_logger::Builder::from_env(env_logger::Env::default());
    if invocation.verbose {
        builder.filter_module(env!("CARGO_CRATE_NAME"), log::LevelFilter::Info);
    }
    builder.format(move |buffer, record| writeln!(buffer, "{name}: {iface}: {}", record.args())).init();
}

/// The outcome of an invocation: lines to print, and the exit status.
#[derive(Debug, Default)]
struct Outcome {
    warnings: Vec<String>,
    errors: Vec<String>,
    code: u8,
    /// What to do because a phase of ifup failed.
    give_up: Plan,
}

impl Outcome {
    fn fail(&mut self, code: u8, lines: impl IntoIterator<Item = impl ToString>) {
        self.errors.extend(lines.into_iter().map(|line| line.to_string()));
        self.code = self.code.max(code);
    }
}

/// The kernel refused a change, or a conflict was found.
pub const FAILED: u8 = 1;
/// The stanza is invalid.
pub const MISCONFIGURED: u8 = 2;
/// `--check` found something to do.
pub const DRIFTED: u8 = 3;

fn execute(program: &Program, invocation: &Invocation) -> Outcome {
    let mut kernel = Live::new(invocation.interfaces_file.clone(), arguments::executors());
    // In a phase of ifdown the record counts, if there is one: the file is read only without it.
    let is_down = invocation.phases[0].is_down();
    let completed = (!is_down).then(|| lists::complete(program, invocation, &mut kernel));
    let invocation = completed.as_ref().unwrap_or(invocation);
    let mut warnings = Vec::new();
    if invocation.mode == Mode::Apply && invocation.phases[0] == Phase::PostDown {
        guard::leave(program, invocation);
    }
    let guard = Guard::new(program, invocation);
    if let Some(Err(error)) = guard.as_ref().map(|guard| guard.before(&mut kernel, &mut warnings)) {
        let mut outcome = Outcome { warnings, ..Outcome::default() };
        outcome.fail(FAILED, [error]);
        return outcome;
    }
    let mut outcome = carry_out(program, invocation, &mut kernel).unwrap_or_else(|error| {
        let mut outcome = Outcome::default();
        outcome.fail(FAILED, [format!("{error:#}")]);
        outcome
    });
    if let Some(Err(error)) = guard.map(|guard| guard.after(&mut kernel, outcome.code == 0)) {
        outcome.fail(FAILED, [error]);
    }
    if let Err(failures) = apply::down(&outcome.give_up, &mut kernel) {
        outcome.fail(FAILED, failures);
    }
    outcome.warnings.append(&mut warnings);
    kernel.finish();
    outcome
}

fn carry_out(program: &Program, invocation: &Invocation, kernel: &mut Live) -> anyhow::Result<Outcome> {
    let is_applied = invocation.mode == Mode::Apply;
    let mut memory = Memory::of(program, invocation);
    let is_down = invocation.phases[0].is_down();
    if is_applied && is_down {
        memory.read().context(CANNOT_READ_APPLIED)?;
        if let Some(outcome) = take_down(program, invocation, &mut memory, kernel)? {
            return Ok(outcome);
        }
    }
    let completed = is_down.then(|| lists::complete(program, invocation, kernel));
    let invocation = completed.as_ref().unwrap_or(invocation);
    let (configuration, mut problems) = program.configure(&invocation.stanza);
    let mut outcome = Outcome::default();
    if !invocation.phases[0].is_down() {
        let mut unknown = Unknown::of(&invocation.stanza, Some(program.name));
        problems.append(&mut unknown.misspelt);
        if invocation.phases[0] == Phase::Create && invocation.mode != Mode::Mock {
            outcome.warnings = unknown.warnings;
        }
    }
    if !problems.is_empty() && refuses(invocation, &problems, &mut outcome) {
        let told = !outcome.errors.is_empty() && invocation.mode != Mode::Mock;
        if told && invocation.phases[0] == Phase::Create {
            outcome.fail(FAILED, conflicts(&configuration.without_problems(), invocation));
        }
        return Ok(outcome);
    }
    if is_applied && invocation.phases[0] == Phase::Create {
        memory.read().context(CANNOT_READ_APPLIED)?;
        if memory.is_edited() {
            follow(program, invocation, &configuration, &mut memory, kernel, &mut outcome)?;
        }
    }
    let phases = || invocation.phases.iter().filter(|phase| configuration.acts(**phase));
    if outcome.code != 0 || phases().next().is_none() {
        return Ok(outcome);
    }
    let alone = invocation.phases.len() > 1;
    let at = |phase| At { iface: &invocation.iface, phase, alone };
    if invocation.mode == Mode::Mock {
        for &phase in phases() {
            let simulated = configuration.simulated(&invocation.iface, phase);
            print(&settle(configuration.plan(at(phase), &simulated), &mut outcome))?;
        }
        return Ok(outcome);
    }
    let mut query = Query::default();
    phases().for_each(|&phase| configuration.query(at(phase), &mut query));
    if let (Some(wait), Mode::Apply) = (&query.wait, invocation.mode) {
        // Not under the lock: another run may have to act before the wait ends.
        kernel.wait(wait).context("cannot wait")?;
    }
    if is_applied {
        kernel.lock().context(CANNOT_LOCK)?;
    }
    let mut simulated = Simulated(kernel.read(&query).context(CANNOT_READ)?);
    for &phase in phases() {
        let mut planned = configuration.plan(at(phase), &simulated.0);
        if is_applied && !alone {
            planned = without_link(planned);
        }
        let plan = settle(planned, &mut outcome);
        if outcome.code != 0 && !phase.is_down() {
            if invocation.mode == Mode::Apply {
                outcome.give_up = configuration.give_up(at(phase), &simulated.0);
            }
            break;
        }
        match invocation.mode {
            Mode::Apply if phase.is_down() => {
                if let Err(failures) = apply::down(&plan, kernel) {
                    outcome.fail(FAILED, failures);
                }
                memory.discard().context(CANNOT_RECORD_APPLIED)?;
            }
            Mode::Apply => {
                bring_up(&plan, at(phase), &configuration, &mut memory, kernel, &simulated.0, &mut outcome)?;
            }
            Mode::DryRun | Mode::Check | Mode::Mock => {
                print(&plan)?;
                if invocation.mode == Mode::Check && !plan.is_empty() {
                    outcome.fail(DRIFTED, [""; 0]);
                }
                simulated.assume_all(&plan);
            }
        }
    }
    Ok(outcome)
}

/// Applies the plan of a phase of ifup, for a stanza that is recorded before and stays recorded if that succeeds.
fn bring_up(
    plan: &Plan,
    at: At<'_>,
    configuration: &Configuration,
    memory: &mut Memory,
    kernel: &mut Live,
    found: &Snapshot,
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    memory.read().context(CANNOT_READ_APPLIED)?;
    let is_first = !memory.is_present();
    memory.begin(found).context(CANNOT_RECORD_APPLIED)?;
    match apply::up(plan, kernel) {
        Err(failure) => {
            if is_first {
                memory.forget_present().context(CANNOT_RECORD_APPLIED)?;
            }
            // The changes that the warnings are about were not made, or were rolled back.
            outcome.warnings.clear();
            outcome.fail(FAILED, [failure]);
            outcome.give_up = configuration.give_up(at, found);
        }
        Ok(refused) => {
            outcome.warnings.extend(refused.iter().map(ToString::to_string));
            if makes(plan, at.iface) {
                let mut query = Query::default();
                query.here().links.insert(at.iface.clone());
                // The interface is made, and the record is right without its index.
                let _ = kernel.read(&query).and_then(|found| memory.begin(&found));
            }
        }
    }
    let is_last = !Phase::UP.into_iter().any(|later| later > at.phase && configuration.acts(later));
    if is_last && outcome.code == 0 {
        memory.settle().context(CANNOT_RECORD_APPLIED)?;
    }
    Ok(())
}

const CANNOT_READ: &str = "cannot read the state of the kernel";
const CANNOT_LOCK: &str = "cannot lock out other runs";
const CANNOT_READ_APPLIED: &str = "cannot read the record of the applied stanza";
const CANNOT_RECORD_APPLIED: &str = "cannot record the applied stanza";

/// Whether a plan makes the interface.
fn makes(plan: &Plan, iface: &IfName) -> bool {
    plan.steps.iter().any(|step| match &step.act.op {
        Op::LinkAdd(new) => new.name == *iface,
        Op::VethAdd(new) => new.end.name == *iface,
        _ => false,
    })
}

/// A phase of ifdown with the stanzas that were applied, whatever the file says now. `None` if none is recorded, or if
/// the interface is another one by now.
fn take_down(
    program: &Program,
    invocation: &Invocation,
    memory: &mut Memory,
    kernel: &mut Live,
) -> anyhow::Result<Option<Outcome>> {
    let old = memory.old(program, false);
    let (iface, phase) = (&invocation.iface, invocation.phases[0]);
    if old.is_empty() {
        return Ok(None);
    }
    let acts = |phase| old.iter().any(|old| old.configuration.acts(phase));
    let is_last = !Phase::DOWN.into_iter().any(|later| later > phase && acts(later));
    let mut outcome = Outcome::default();
    if !acts(phase) && !is_last {
        return Ok(Some(outcome));
    }
    kernel.lock().context(CANNOT_LOCK)?;
    let at = At { iface, phase, alone: false };
    let mut query = Query::default();
    old.iter().filter(|old| old.configuration.acts(phase)).for_each(|old| old.query(at, &mut query));
    query.here().links.insert(iface.clone());
    let mut simulated = Simulated(kernel.read(&query).context(CANNOT_READ)?);
    if memory.is_stale(&simulated.0) {
        memory.end().context(CANNOT_RECORD_APPLIED)?;
        return Ok(None);
    }
    for old in old.iter().rev() {
        let plan = settle(old.plan(at, &simulated.0), &mut outcome);
        if let Err(failures) = apply::down(&plan, kernel) {
            outcome.fail(FAILED, failures);
        }
        simulated.assume_all(&plan);
    }
    if old.len() > 1 {
        // The interface is as one of the stanzas says, and not as the others.
        outcome.warnings.retain(|line| !line.starts_with("not changed"));
    }
    if is_last && outcome.code == 0 {
        memory.end().context(CANNOT_RECORD_APPLIED)?;
    }
    Ok(Some(outcome))
}

/// Removes what only the stanzas have that were applied before.
fn follow(
    program: &Program,
    invocation: &Invocation,
    new: &Configuration,
    memory: &mut Memory,
    kernel: &mut Live,
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    kernel.lock().context(CANNOT_LOCK)?;
    memory.read().context(CANNOT_READ_APPLIED)?;
    let (iface, old) = (&invocation.iface, memory.old(program, true));
    let mut query = Query::default();
    edit::query(iface, &old, new, &mut query);
    let found = kernel.read(&query).context(CANNOT_READ)?;
    if !memory.is_stale(&found) {
        // If the stanza cannot go up, its phases report the reason.
        let mut plan = edit::plan(iface, &old, new, &found).unwrap_or_default().plan;
        outcome.warnings.append(&mut plan.warnings);
        memory.begin(&found).context(CANNOT_RECORD_APPLIED)?;
        if let Err(failure) = apply::up(&plan, kernel) {
            outcome.fail(FAILED, [failure]);
            return Ok(());
        }
    }
    // The phases that the new stanza has still to run may remove more.
    if Phase::UP.into_iter().any(|phase| new.acts(phase)) {
        return Ok(());
    }
    memory.settle().context(CANNOT_RECORD_APPLIED)
}

/// The conflicts that `create` finds, so that they are reported together with the problems of the stanza.
fn conflicts(configuration: &Configuration, invocation: &Invocation) -> Vec<Problem> {
    let at = At { iface: &invocation.iface, phase: Phase::Create, alone: false };
    if !configuration.acts(at.phase) {
        return Vec::new();
    }
    let mut query = Query::default();
    configuration.query(at, &mut query);
    // A failure to read is ignored here. It is reported once the stanza is right.
    let found = Live::new(invocation.interfaces_file.clone(), arguments::executors()).read(&query).ok();
    let planned = found.map(|found| configuration.plan(at, &found));
    planned.and_then(Result::err).map(|(_, problems)| problems).unwrap_or_default()
}

/// Whether a stanza with problems is refused.
///
/// In the phases of ifup it always is. ifupdown-ng runs every phase of an executor with the same stanza, so the
/// problems are reported once, in `create`. In the phases of ifdown, the valid keywords are still taken down, and the
/// problems are reported in the last phase: changes that a wrong keyword made earlier may be left over.
fn refuses(invocation: &Invocation, problems: &[Problem], outcome: &mut Outcome) -> bool {
    let phase = invocation.phases[0];
    let tells = if phase.is_down() { Phase::Destroy } else { Phase::Create };
    if invocation.by_hand || invocation.mode == Mode::Mock || phase == tells {
        outcome.fail(MISCONFIGURED, problems);
    } else if !phase.is_down() {
        outcome.fail(MISCONFIGURED, [""; 0]);
    }
    !phase.is_down()
}

/// The plan without what awaits the interface, which is a warning.
fn without_link(planned: Planned) -> Planned {
    let (mut planned, awaited) = without_awaited(planned);
    if let Ok(plan) = &mut planned {
        plan.warnings.extend(awaited.iter().map(Problem::until_it_appears));
    }
    planned
}

/// The plan. Its warnings and conflicts are moved into the outcome.
fn settle(planned: Planned, outcome: &mut Outcome) -> Plan {
    let mut plan = planned.unwrap_or_else(|(plan, problems)| {
        outcome.fail(FAILED, problems.iter().filter(|problem| !problem.reported));
        plan
    });
    outcome.warnings.append(&mut plan.warnings);
    plan
}

fn print(plan: &Plan) -> anyhow::Result<()> {
    std::io::stdout().write_all(plan.to_string().as_bytes()).context("cannot print the plan")
}

//! `ifnetlink apply` brings the running system to the interfaces file.
//!
//! What this package and the stock executors `link`, `static` and `forward` do is planned for all interfaces together
//! and applied under one lock; if a step fails, all steps are rolled back. Stanzas with other executors or with commands
//! are left to ifdown, before that, and to ifup, after it.

use crate::cost::{self, Verdict};
use crate::foreign;
use crate::journal;
use crate::pending::{Changes, Mode, pending};
use crate::report::{Output, Report};
use crate::scripts::Scripts;
use crate::targets::{Options, Target, Targets};
use crate::transaction::{self, CANNOT_READ, CANNOT_RECORD, Extent};
use anyhow::Context as _;
use ifupdown_ng_netlink::kernel::ifstate::{Entry, StateFile, StateLock};
use ifupdown_ng_netlink::kernel::live::Live;
use ifupdown_ng_netlink::program::run::{FAILED, MISCONFIGURED};
use ifupdown_ng_netlink::state::Snapshot;
use ifupdown_ng_netlink::values::IfName;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// What was asked for, beside the interfaces.
#[allow(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
#[derive(Debug, Clone, Copy)]
pub struct Request {
    /// Change nothing, only print the changes.
    pub dry_run: bool,
    /// Make changes that cost an interface in use something.
    pub disruptive: bool,
    /// Roll the changes back if nobody confirms them.
    pub confirm: bool,
    /// What to print.
    pub output: Output,
}

/// Makes the changes and prints them; returns the exit status. If anything conflicts with a change, no change is made.
///
/// # Errors
/// When the stanzas or the kernel cannot be read, or nothing can be printed.
pub fn apply(options: &Options, request: Request) -> anyhow::Result<u8> {
    let mut report = Report::new(request);
    let outcome = carry_out(options, request, &mut report);
    if !request.dry_run {
        report.log(outcome.as_ref());
    }
    let code = outcome?;
    report.print(request, code).context("cannot print what was done")?;
    Ok(code)
}

/// All that is needed to make the changes.
pub struct Prepared {
    /// The stanzas.
    pub targets: Targets,
    /// What the kernel has.
    pub found: Snapshot,
    /// The changes to make.
    pub changes: Changes,
    /// The kernel, locked.
    pub kernel: Live,
    /// The locks of the interfaces that change, by name.
    pub locks: BTreeMap<String, StateLock>,
    /// The state file.
    pub state_file: StateFile,
    /// The scripts to run after the changes.
    pub scripts: Scripts,
}

/// Reads the stanzas and the kernel, and takes the locks. What ifup has to bring up again is taken down. If there is
/// nothing to do, or it is refused, that is the exit status.
///
/// # Errors
/// When the stanzas or the kernel cannot be read.
pub fn prepare(
    options: &Options,
    request: Request,
    report: &mut Report,
) -> anyhow::Result<Result<Prepared, u8>> {
    let state_file = StateFile::new(&options.state_file);
    let mut kernel = Live::new(None, Some(options.executors.clone()));
    let mut locks: BTreeMap<String, StateLock> = BTreeMap::new();
    // The lock of an interface is taken before ours, as `ifup` does, so that neither waits for the other.
    loop {
        let mut targets = Targets::read(options).context(CANNOT_READ_STANZAS)?;
        report.of_file(&targets);
        if !targets.wrong.is_empty() {
            return Ok(Err(MISCONFIGURED));
        }
        if !request.dry_run {
            // Before the locks: a rollback leaves out an interface that is locked.
            if is_refused(report)? {
                return Ok(Err(FAILED));
            }
            // Those that surely change, so that the kernel need not be read again with their locks.
            let is_first = locks.is_empty();
            if is_first {
                locks = lock_all(&targets.unapplied(), &state_file)?;
            }
            kernel.lock().context(CANNOT_LOCK)?;
            if is_first && !locks.is_empty() && !targets.are_current(options).context(CANNOT_READ_STANZAS)? {
                kernel.unlock();
                continue;
            }
            // It may have begun meanwhile.
            if is_refused(report)? {
                return Ok(Err(FAILED));
            }
        }
        let found = targets.look(&mut kernel).context(CANNOT_READ)?;
        let changes = pending(&targets, &found, Mode::Apply { disruptive: request.disruptive });
        let restarts: Vec<&Target> = targets.restarted().collect();
        let Verdict { mut refused, costs } =
            cost::judge(&targets, &found, &changes, request.disruptive, &mut kernel).context(CANNOT_READ)?;
        report.warn(costs);
        report.warn(changes.left_out());
        if request.confirm {
            refused.extend(without_way_back(&targets, &changes, &restarts));
        }
        if !refused.is_empty() {
            report.errors.extend(refused);
            return Ok(Err(FAILED));
        }
        if request.dry_run {
            would_change(&targets, &changes, &restarts, report);
            return Ok(Err(0));
        }
        let touched = touched(&targets, &changes, &restarts);
        if !touched.iter().all(|name| locks.contains_key(name)) {
            kernel.unlock();
            let names: BTreeSet<String> = locks.keys().cloned().chain(touched).collect();
            locks.clear();
            locks = lock_all(&names, &state_file)?;
            continue;
        }
        if restarts.is_empty() && targets.gone_with_foreign().next().is_none() {
            let scripts = Scripts::due(&targets, &changes);
            targets.known.retain(|target| !changes.absent.contains(&target.iface));
            return Ok(Ok(Prepared { targets, found, changes, kernel, locks, state_file, scripts }));
        }
        kernel.unlock();
        locks.clear();
        if let Err(error) = foreign_down(options, &targets, &restarts, &state_file, report) {
            report.errors.push(format!("{error:#}"));
            return Ok(Err(FAILED));
        }
    }
}

/// Whether another change comes first.
fn is_refused(report: &mut Report) -> anyhow::Result<bool> {
    match journal::find()? {
        journal::Found::Nothing => Ok(false),
        journal::Found::Waiting(_) => {
            report.errors.push(WAITING.to_owned());
            Ok(true)
        }
        journal::Found::Abandoned(_) => {
            report.warn([ABANDONED.to_owned()]);
            Ok(false)
        }
    }
}

/// Takes the locks of some interfaces. All runs take them in the same order, so that none waits for another one that
/// waits for it.
///
/// # Errors
/// One cannot be taken.
pub fn lock_all(
    names: &BTreeSet<String>,
    state_file: &StateFile,
) -> anyhow::Result<BTreeMap<String, StateLock>> {
    let lock = |name: &String| {
        let lock = state_file.lock(name).with_context(|| format!("{name}: cannot lock it"))?;
        Ok((name.clone(), lock))
    };
    names.iter().map(lock).collect()
}

fn carry_out(options: &Options, request: Request, report: &mut Report) -> anyhow::Result<u8> {
    let Prepared { targets, found, changes, mut kernel, locks, state_file, scripts } =
        match prepare(options, request, report)? {
            Ok(prepared) => prepared,
            Err(code) => return Ok(code),
        };
    journal::forget()?;
    let code =
        transaction::carry_out(&targets, found, Some(changes), Extent::Whole, &mut kernel, report, |_| {
            Ok(())
        })?;
    if code != 0 {
        return Ok(code);
    }
    state_file.change(&entries(&targets), &removed(&targets)).context(CANNOT_WRITE_STATE)?;
    kernel.unlock();
    drop(locks);
    let mut code = scripts.run(options, report);
    for target in targets.by_ifup() {
        let begun = Instant::now();
        report.command("ifup", &target.iface);
        if let Err(error) = foreign::ifup(options, &target.iface) {
            report.errors.push(format!("{}: {error}", target.iface));
            code = FAILED;
        }
        report.took(&target.iface, "ifup", begun.elapsed());
        kernel.lock().context(CANNOT_LOCK)?;
        foreign::remember(target).context(CANNOT_RECORD)?;
        kernel.unlock();
    }
    Ok(code)
}

/// The entries of the state file for the interfaces that are up after the changes: counted once for the interface
/// itself, and once for each interface that depends on it, as `ifup` counts them.
pub fn entries(targets: &Targets) -> Vec<Entry> {
    let mut dependents: BTreeMap<&IfName, usize> = BTreeMap::new();
    for iface in targets.needed().flatten() {
        *dependents.entry(iface).or_default() += 1;
    }
    let count = |iface: &IfName| 1 + dependents.get(iface).copied().unwrap_or_default();
    let entry = |target: &Target| {
        Entry::new(target.iface.as_str(), count(&target.iface), targets.is_explicit(target))
    };
    let native = targets.known.iter().filter(|target| !target.by_ifup);
    native.filter(|target| !target.configuration.is_empty()).map(entry).collect()
}

/// The interfaces whose entries are removed from the state file.
pub fn removed(targets: &Targets) -> BTreeSet<String> {
    targets.gone().map(ToString::to_string).collect()
}

/// What cannot be rolled back: what ifup and ifdown do, and what is deleted for good.
fn without_way_back(targets: &Targets, changes: &Changes, restarts: &[&Target]) -> Vec<String> {
    let by_ifup = targets.by_ifup().chain(restarts.iter().copied());
    let lines = by_ifup.map(|target| {
        let (iface, uses) = (&target.iface, target.foreign.join(", "));
        if uses.is_empty() {
            format!("{iface}: ifup brings it up, because of an interface that it needs")
        } else {
            format!("{iface}: ifup brings it up, because of {uses}")
        }
    });
    let gone = targets.gone_with_foreign().map(|(iface, _)| format!("{iface}: ifdown takes it down"));
    let is_final = transaction::final_changes(changes);
    let lines = lines.chain(gone).map(|line| format!("{line}; that cannot be rolled back")).chain(is_final);
    lines.map(|line| format!("{line}; apply it without --confirm")).collect()
}

/// Another change comes first.
pub const WAITING: &str = "a change waits for its confirmation; keep it with `ifnetlink confirm`, or roll it back with `ifnetlink confirm --no`";
/// The processes of a change were killed.
pub const ABANDONED: &str =
    "the last change was neither confirmed nor rolled back: its processes were killed";
const CANNOT_LOCK: &str = "cannot lock out other runs";
/// The interfaces file or our records cannot be read.
pub const CANNOT_READ_STANZAS: &str = "cannot read the stanzas";
/// The state file cannot be read or written.
pub const CANNOT_WRITE_STATE: &str = "cannot write the state file of ifupdown-ng";

/// Prints what would be done.
fn would_change(targets: &Targets, changes: &Changes, restarts: &[&Target], report: &mut Report) {
    let again = restarts.iter().map(|target| &target.iface);
    let leaving = targets.gone_with_foreign().map(|(iface, _)| iface);
    let by_ifdown: Vec<&IfName> = again.chain(leaving).collect();
    for iface in &by_ifdown {
        report.command("ifdown", iface);
    }
    let by_ifup = |target: &Target| {
        (target.by_ifup && !target.is_implied)
            || (!target.foreign.is_empty() && by_ifdown.contains(&&target.iface))
    };
    let by_ifup: Vec<_> =
        targets.known.iter().filter(|target| by_ifup(target)).map(|target| &target.iface).collect();
    let is_native = |iface: &IfName| targets.has_stanza(iface) || !by_ifdown.contains(&iface);
    report.changes(changes.steps.iter().filter(|(iface, _)| is_native(iface) && !by_ifup.contains(&iface)));
    Scripts::due(targets, changes).list(report);
    for iface in by_ifup {
        report.command("ifup", iface);
    }
}

/// Takes down, with ifdown and the recorded stanzas, what ifup brings up again, and what has no stanza any more.
fn foreign_down(
    options: &Options,
    targets: &Targets,
    restarts: &[&Target],
    state_file: &StateFile,
    report: &mut Report,
) -> anyhow::Result<()> {
    let again = restarts.iter().map(|target| {
        let old = targets.newest(&target.iface).unwrap_or(&target.section);
        (&target.iface, target.foreign.as_slice(), old)
    });
    let leaving = targets.gone_with_foreign().map(|(iface, old)| (iface, &[][..], old));
    for (iface, uses, old) in again.chain(leaving) {
        let begun = Instant::now();
        foreign::ifdown(options, iface, uses, old).with_context(|| iface.to_string())?;
        report.command("ifdown", iface);
        report.took(iface, "ifdown", begun.elapsed());
        // ifdown leaves it there if other interfaces depend on it.
        state_file.change(&[], &BTreeSet::from([iface.to_string()])).context(CANNOT_WRITE_STATE)?;
    }
    Ok(())
}

/// The interfaces that change, or whose entry in the state file does.
fn touched(targets: &Targets, changes: &Changes, restarts: &[&Target]) -> BTreeSet<String> {
    let planned = changes.steps.iter().filter(|(_, plan)| !plan.is_empty()).map(|(iface, _)| iface);
    let new = targets.known.iter().filter(|target| target.chosen && !target.by_ifup);
    let new = new.map(|target| &target.iface).filter(|iface| !targets.running.contains(iface.as_str()));
    let restarts = restarts.iter().map(|target| &target.iface);
    planned.chain(new).chain(targets.gone()).chain(restarts).map(ToString::to_string).collect()
}

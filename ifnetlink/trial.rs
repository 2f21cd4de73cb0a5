//! The process of `ifnetlink apply --confirm` that makes the changes and waits for the answer.
//!
//! It is in a session of its own and has no terminal, so that nothing that happens to the session of the user, such as
//! a lost connection, stops it. If it is killed, the process in the foreground starts it again: it goes on from the
//! journal.

use crate::apply::{self, CANNOT_READ_STANZAS, CANNOT_WRITE_STATE, Prepared, Request, lock_all, prepare};
use crate::journal::{self, Answer, Journal, Outcome, Phase};
use crate::report::Report;
use crate::rollback::Before;
use crate::scripts::Scripts;
use crate::targets::{Options, Targets};
use crate::transaction::{self, CANNOT_READ, Extent, ROLLED_BACK_IN_PART};
use anyhow::Context as _;
use ifupdown_ng_netlink::kernel::ifstate::{Entry, StateFile};
use ifupdown_ng_netlink::kernel::live::Live;
use ifupdown_ng_netlink::kernel::lock;
use ifupdown_ng_netlink::kernel::run_dir::RunDir;
use ifupdown_ng_netlink::kernel::syslog;
use ifupdown_ng_netlink::program::run::FAILED;
use ifupdown_ng_netlink::values::IfName;
use nix::unistd::setsid;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How often to look for an answer.
const INTERVAL: Duration = Duration::from_millis(50);

/// Makes the changes, waits, and keeps them or rolls them back; or continues that, if it is started again. Returns the
/// exit status.
///
/// # Errors
/// Only if even the outcome cannot be written.
pub fn run(options: &Options, request: Request, limit: Duration, is_again: bool) -> anyhow::Result<u8> {
    // It fails if this process is the first one of its session already.
    let _ = setsid();
    let Some(_watch) = lock::watch()? else { return Ok(FAILED) };
    let mut report = Report::new(request);
    let outcome = match Journal::read()?.filter(|_| is_again) {
        Some(journal) => Ok(resume(options, journal, &mut report)),
        None => begin(options, request, limit, &mut report),
    };
    let code = outcome.unwrap_or_else(|error| {
        report.errors.push(format!("{error:#}"));
        FAILED
    });
    for line in &report.errors {
        syslog::log("ifnetlink", code != 0, &format!("apply: {line}"));
    }
    if code != 0 {
        Outcome { code, report }.write()?;
    }
    Journal::remove()?;
    Ok(code)
}

/// Makes the changes and waits.
fn begin(options: &Options, request: Request, limit: Duration, report: &mut Report) -> anyhow::Result<u8> {
    let Prepared { targets, found, changes, mut kernel, locks, state_file, scripts } =
        match prepare(options, request, report)? {
            Ok(prepared) => prepared,
            Err(code) => return Ok(code),
        };
    let mut journal = Journal {
        phase: Phase::Changing,
        limit,
        deadline: Duration::ZERO,
        before: Before::default(),
        records: None,
        entries: [Vec::new(), Vec::new()],
        uses: BTreeMap::new(),
        report: Report::default(),
    };
    journal::forget()?;
    let write = |before: &Before| {
        journal.before = before.clone();
        journal.write().context(CANNOT_WRITE)
    };
    let code =
        transaction::carry_out(&targets, found, Some(changes), Extent::Trial, &mut kernel, report, write)?;
    if code != 0 {
        return Ok(code);
    }
    let settled = settle(&mut journal, &targets, &state_file, report);
    drop(locks);
    kernel.unlock();
    if let Err(error) = settled {
        return Ok(roll_back(options, journal, &format!("{error:#}"), report));
    }
    if journal.before.parts.is_empty() {
        // There is nothing to confirm.
        let code = keep(options, &mut journal, Some((targets, scripts)), report);
        Outcome { code, report: report.clone() }.write()?;
        return Ok(code);
    }
    let names: Vec<&str> = journal.before.parts.keys().map(IfName::as_str).collect();
    let line = format!(
        "apply: changed {}; rolled back in {} s unless confirmed",
        names.join(", "),
        journal.limit.as_secs()
    );
    syslog::log("ifnetlink", false, &line);
    Ok(wait(options, journal, Some((targets, scripts)), report))
}

/// Writes the state file, and notes in the journal that the changes are made.
fn settle(
    journal: &mut Journal,
    targets: &Targets,
    state_file: &StateFile,
    report: &Report,
) -> anyhow::Result<()> {
    let added = apply::entries(targets);
    let of_added = || -> anyhow::Result<Vec<Entry>> {
        let entries = state_file.read().context(CANNOT_WRITE_STATE)?;
        let is_added = |entry: &Entry| added.iter().any(|added| added.name == entry.name);
        Ok(entries.into_iter().filter(is_added).collect())
    };
    let before = of_added()?;
    state_file.change(&added, &BTreeSet::new()).context(CANNOT_WRITE_STATE)?;
    journal.entries = [before, of_added()?];
    journal.records = Some(RunDir::list("")?);
    let uses = journal.before.parts.keys();
    journal.uses = uses.map(|iface| (iface.clone(), state_file.last_use(iface.as_str()))).collect();
    journal.phase = Phase::Waiting;
    journal.deadline = journal::now()? + journal.limit;
    journal.report = report.clone();
    journal.write().context(CANNOT_WRITE)
}

/// Continues after this process was killed.
fn resume(options: &Options, mut journal: Journal, report: &mut Report) -> u8 {
    *report = journal.report.clone();
    match journal.phase {
        Phase::Changing | Phase::Returning => {
            roll_back(options, journal, "the process that made the changes was killed", report)
        }
        Phase::Waiting => wait(options, journal, None, report),
        Phase::Keeping => keep(options, &mut journal, None, report),
    }
}

/// Waits for the answer.
fn wait(options: &Options, mut journal: Journal, planned: Option<Planned>, report: &mut Report) -> u8 {
    loop {
        // A file that cannot be read is no confirmation.
        match Answer::read().unwrap_or_default() {
            Some(Answer::Keep) => return keep(options, &mut journal, planned, report),
            Some(Answer::Return) => {
                return roll_back(options, journal, "the changes were refused", report);
            }
            None => {}
        }
        // Without a clock the promise can only be kept now.
        if journal::now().is_ok_and(|now| now < journal.deadline) {
            std::thread::sleep(INTERVAL);
        } else {
            let why = format!("nobody confirmed the changes in {} s", journal.limit.as_secs());
            return roll_back(options, journal, &why, report);
        }
    }
}

const CANNOT_WRITE: &str = "cannot write the journal";

/// What this process knows if it was not killed.
type Planned = (Targets, Scripts);

/// Makes the deletions that were withheld, and records that the new stanzas are applied.
fn keep(options: &Options, journal: &mut Journal, planned: Option<Planned>, report: &mut Report) -> u8 {
    journal.phase = Phase::Keeping;
    // The journal that is there has the same answer.
    let _ = journal.write();
    let (targets, scripts) = planned.unzip();
    let mut code = delete(options, journal, targets, report).unwrap_or_else(|error| {
        report.errors.push(format!("{error:#}"));
        FAILED
    });
    if code == 0 {
        syslog::log("ifnetlink", false, "apply: the changes are confirmed");
    } else {
        report.errors.push(NOT_DELETED.to_owned());
    }
    if let Some(scripts) = scripts {
        code = code.max(scripts.run(options, report));
    }
    // All else was printed before.
    report.warnings.clear();
    code
}

const NOT_DELETED: &str =
    "the changes are kept, but not all that has no stanza any more is deleted; `ifnetlink apply` does that";

fn delete(
    options: &Options,
    journal: &Journal,
    targets: Option<Targets>,
    report: &mut Report,
) -> anyhow::Result<u8> {
    let state_file = StateFile::new(&options.state_file);
    let mut kernel = Live::new(None, Some(options.executors.clone()));
    let names = journal.before.parts.keys().map(ToString::to_string).collect();
    let _locks = lock_all(&names, &state_file)?;
    kernel.lock().context("cannot lock out other runs")?;
    let mut targets = match targets {
        Some(targets) => targets,
        // The process that read them was killed.
        None => Targets::read(options).context(CANNOT_READ_STANZAS)?,
    };
    // An interface that ifup or ifdown has changed since is as they left it.
    let is_used = |iface: &IfName| is_used(iface, journal, &state_file);
    for target in targets.known.iter_mut() {
        target.chosen &= !is_used(&target.iface);
    }
    targets.former.retain(|former| !is_used(&former.iface));
    let found = targets.look(&mut kernel).context(CANNOT_READ)?;
    let begin = |_: &Before| Ok(());
    let code = transaction::carry_out(&targets, found, None, Extent::Removals, &mut kernel, report, begin)?;
    if code == 0 {
        state_file.change(&[], &apply::removed(&targets)).context(CANNOT_WRITE_STATE)?;
    }
    Ok(code)
}

/// Returns to the state before, but for the interfaces that ifup or ifdown has changed since.
fn roll_back(options: &Options, mut journal: Journal, why: &str, report: &mut Report) -> u8 {
    syslog::log("ifnetlink", true, &format!("apply: {why}; rolling back"));
    let was_complete = journal.records.is_some();
    journal.phase = Phase::Returning;
    // The journal that is there is as good for a second attempt.
    let _ = journal.write();
    let state_file = StateFile::new(&options.state_file);
    let mut kernel = Live::new(None, Some(options.executors.clone()));
    let (mut locks, mut without) = (Vec::new(), BTreeSet::new());
    for iface in journal.before.parts.keys() {
        // An ifup that changes the interface at this moment has its lock.
        match state_file.try_lock(iface.as_str()) {
            Ok(None) => drop(without.insert(iface.clone())),
            Ok(Some(lock)) => locks.push(lock),
            Err(_) => {}
        }
        if was_complete && is_used(iface, &journal, &state_file) {
            without.insert(iface.clone());
        }
    }
    while kernel.lock().is_err() {
        syslog::log("ifnetlink", true, "apply: another run holds the lock; the rollback waits for it");
    }
    let left = journal.before.restore(&without, journal.records.as_deref(), &mut kernel);
    let [before, after] = journal.entries.map(|entries| {
        let is_in = |entry: &Entry| !without.iter().any(|iface| iface.as_str() == entry.name);
        entries.into_iter().filter(is_in).collect::<Vec<_>>()
    });
    let counted = state_file.restore(&before, &after);
    report.errors.push(format!(
        "{why}: {}, and the interfaces file still has the changes",
        transaction::outcome(&left)
    ));
    report.rolled_back(&left);
    report.errors.extend(counted.err().map(|refusal| format!("{CANNOT_WRITE_STATE}: {refusal}")));
    report.errors.extend(
        without
            .iter()
            .map(|iface| format!("{iface}: it stays as it is, since ifup or ifdown changed it meanwhile")),
    );
    if left.is_empty() { FAILED } else { ROLLED_BACK_IN_PART }
}

/// Whether ifup or ifdown ran for an interface since it was changed, or for one that depends on it: it is counted
/// otherwise then.
fn is_used(iface: &IfName, journal: &Journal, state_file: &StateFile) -> bool {
    let name = iface.as_str();
    let is_same_use = journal.uses.get(iface).is_none_or(|last| *last == state_file.last_use(name));
    let of = |entries: &[Entry]| entries.iter().find(|entry| entry.name == name).cloned();
    let counted = of(&journal.entries[1]);
    let is_counted = counted.is_none() || state_file.read().is_ok_and(|entries| of(&entries) == counted);
    !is_same_use || !is_counted
}

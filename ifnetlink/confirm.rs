//! `ifnetlink apply --confirm` in the foreground, and `ifnetlink confirm`.
//!
//! The changes are made by another process (`trial.rs`). This one prints, asks, and starts the other one again if it is
//! killed. Whatever happens to this one, the other one goes on.

use crate::apply::{ABANDONED, Request, WAITING};
use crate::journal::{self, Answer, Found, Journal, Outcome, Phase};
use crate::report::{Output, PENDING, Report};
use anyhow::Context as _;
use ifupdown_ng_netlink::kernel::lock;
use ifupdown_ng_netlink::program::arguments;
use ifupdown_ng_netlink::program::message::complain;
use ifupdown_ng_netlink::program::run::{FAILED, MISCONFIGURED};
use std::fmt::Display;
use std::io::{IsTerminal as _, stdin};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long to wait for a confirmation, on a terminal.
pub const DEFAULT: Duration = Duration::from_secs(120);

/// The process that makes the changes is started.
pub const FIRST: &str = "first";
/// It is started again.
pub const AGAIN: &str = "again";

/// How often to look.
const INTERVAL: Duration = Duration::from_millis(50);
/// How often to start the other process, at most.
const STARTS: usize = 10;

/// Has the changes made, and asks. Without a terminal it does not ask, and does not wait. Returns the exit status.
///
/// # Errors
/// The other process cannot be started, or its files cannot be read.
pub fn apply(request: Request, limit: Option<Duration>) -> anyhow::Result<u8> {
    let is_asked = stdin().is_terminal();
    if limit.is_none() && !is_asked {
        say("--confirm: without a terminal, say how long to wait: --confirm=SECONDS");
        return Ok(MISCONFIGURED);
    }
    let Some(_watch) = lock::begin_watch()? else {
        say(WAITING);
        return Ok(FAILED);
    };
    if Journal::read()?.is_some() {
        say(format_args!("warning: {ABANDONED}"));
    }
    journal::forget()?;
    let mut process = start(FIRST)?;
    let (mut starts, mut is_waiting) = (1, false);
    loop {
        if let Some(status) = process.try_wait().context("waitpid")? {
            if let Some(code) = status.code() {
                return finish(request, u8::try_from(code).unwrap_or(FAILED), is_waiting);
            }
            if starts == STARTS || !Journal::exists() {
                say("the process that makes the changes was killed");
                return Ok(FAILED);
            }
            starts += 1;
            process = start(AGAIN)?;
        }
        // It may be long.
        let journal = if is_waiting { None } else { Journal::read()? };
        if let Some(journal) = journal.filter(|journal| journal.phase == Phase::Waiting) {
            is_waiting = true;
            if !is_asked {
                journal.report.print(request, PENDING).context("cannot print what was done")?;
                let seconds = journal.limit.as_secs();
                say(format_args!(
                    "pending: `ifnetlink confirm` within {seconds} s keeps the changes; else they are rolled back"
                ));
                return Ok(PENDING);
            }
            // A terminal that does not read must not keep this process from watching the other one.
            std::thread::spawn(move || ask(request, &journal));
        }
        std::thread::sleep(INTERVAL);
    }
}

/// Prints a line for the user.
fn say(line: impl Display) {
    complain(&format_args!("ifnetlink: {line}"));
}

/// Starts this program again with the same arguments, as the process that makes the changes.
fn start(which: &str) -> anyhow::Result<Child> {
    let (own, _) = arguments::all();
    let mut command = Command::new("/proc/self/exe");
    command.args([arguments::DETACHED, which]).args(own.iter().skip(1));
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().context("cannot start the process that makes the changes")
}

/// Prints the changes, and reads the answer.
fn ask(request: Request, journal: &Journal) {
    // What cannot be printed or read is no answer.
    let is_printed = request.output == Output::Json || journal.report.print(request, PENDING).is_ok();
    let seconds = journal.limit.as_secs();
    say(format_args!(
        "press Enter within {seconds} s to keep the changes, or type `no` and Enter to roll them back"
    ));
    let mut line = String::new();
    if !is_printed || !stdin().read_line(&mut line).is_ok_and(|length| length > 0) {
        return;
    }
    let answer = if line.trim().is_empty() { Answer::Keep } else { Answer::Return };
    if let Err(error) = answer.write() {
        say(format_args!("{error:#}"));
    }
}

/// Prints the outcome. It was refused or rolled back at once, unless the changes were waiting for their confirmation.
fn finish(request: Request, code: u8, was_waiting: bool) -> anyhow::Result<u8> {
    let outcome = Outcome::read()?;
    let mut report = outcome.map_or_else(Report::default, |outcome| outcome.report);
    if was_waiting {
        report.warnings.clear();
    } else {
        Outcome::remove()?;
    }
    if code == 0 && was_waiting && request.output == Output::Text {
        say("the changes are confirmed");
    }
    report.print(request, code).context("cannot print what was done")?;
    Ok(code)
}

/// `ifnetlink confirm`: keeps the changes, or has them rolled back. Returns the exit status.
///
/// # Errors
/// The files cannot be read or written.
pub fn confirm(answer: Answer) -> anyhow::Result<u8> {
    match journal::find()? {
        Found::Nothing => {
            say("no change waits for its confirmation");
            return Ok(FAILED);
        }
        Found::Abandoned(_) => {
            say(ABANDONED);
            return Ok(FAILED);
        }
        Found::Waiting(_) => answer.write()?,
    }
    while Journal::exists() {
        if !lock::is_watched()? {
            say(ABANDONED);
            return Ok(FAILED);
        }
        std::thread::sleep(INTERVAL);
    }
    let Some(Outcome { code, report }) = Outcome::read()? else { return Ok(0) };
    let is_as_asked = answer == Answer::Return && code == FAILED;
    for line in report.errors.iter().filter(|_| !is_as_asked) {
        say(line);
    }
    Ok(if is_as_asked { 0 } else { code })
}

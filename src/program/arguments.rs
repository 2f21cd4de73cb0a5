//! The arguments of an executor that is run by hand; ifupdown-ng passes none.

use crate::kernel::netns::inside;
use crate::program::executor::Program;
use crate::program::message::complain;
use crate::stanza::environment::{Found, Invocation, Mode};
use crate::stanza::{Phase, Stanza, canonical};
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

/// Whether there are no arguments. Then only the environment counts.
pub fn is_empty() -> bool {
    std::env::args_os().len() <= 1
}

/// The arguments of a process that enters a namespace and then runs ifup; `None` for any other process.
pub fn inside() -> Option<Vec<OsString>> {
    let mut arguments = std::env::args_os().skip(1);
    (arguments.next()? == inside::ARGUMENT).then(|| arguments.collect())
}

/// The first argument of a process that `ifnetlink apply --confirm` starts, before all others. The second one says
/// which process it is.
pub const DETACHED: &str = "--detached";

/// All arguments, the name of the program first, without [`DETACHED`] and its value; and that value.
pub fn all() -> (Vec<OsString>, Option<OsString>) {
    let mut arguments: Vec<OsString> = std::env::args_os().collect();
    let is_detached = arguments.get(1).is_some_and(|argument| argument == DETACHED) && arguments.len() > 2;
    let which = is_detached.then(|| arguments.drain(1..3).next_back()).flatten();
    (arguments, which)
}

/// The link of an event, as udev and mdev name it to the programs that they run.
pub fn link_of_event() -> Option<String> {
    std::env::var("INTERFACE").ok()
}

/// The name that this process was started by.
pub fn own_name() -> Option<OsString> {
    PathBuf::from(std::env::args_os().next()?).file_name().map(ToOwned::to_owned)
}

/// The directory of this executor. ifupdown-ng starts each executor by its absolute path.
pub fn executors() -> Option<PathBuf> {
    let own = PathBuf::from(std::env::args_os().next()?);
    let at = own.parent().filter(|at| at.is_absolute())?;
    Some(at.to_owned())
}

/// The invocation, from the environment and the arguments together.
///
/// # Errors
/// The exit status. The help, the version or the errors are already printed.
pub fn invocation(program: &Program, found: &Found) -> Result<Invocation, ExitCode> {
    if is_empty() {
        return found.invocation().map_err(|lines| wrong(program, lines));
    }
    by_hand(program, found, std::env::args_os())
}

fn wrong(program: &Program, lines: Vec<String>) -> ExitCode {
    for line in lines {
        complain(&format_args!("{}: {line}", program.name));
    }
    ExitCode::from(2)
}

/// The invocation, from the environment and from these arguments. The first is the name of the program.
///
/// # Errors
/// As of [`invocation`].
pub fn by_hand(
    program: &Program,
    found: &Found,
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<Invocation, ExitCode> {
    let matches = command(program).try_get_matches_from(arguments).map_err(|error| {
        let help = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
        // If printing fails, nothing can report it.
        let _ = error.print();
        if help { ExitCode::SUCCESS } else { ExitCode::from(2) }
    })?;
    read(program, found, &matches).map_err(|lines| wrong(program, lines))
}

/// The command line, from the program's own tables.
fn command(program: &Program) -> Command {
    let option = |name: &'static str, help: &'static str| Arg::new(name).long(name).help(help);
    let flag = |name, help| option(name, help).action(ArgAction::SetTrue);
    Command::new(program.name)
        .version(env!("CARGO_PKG_VERSION"))
        .about(program.about)
        .after_help(end_of_help(program))
        .arg(option("iface", "The interface of the stanza [environment: IFACE]").value_name("IFACE"))
        .arg(option("phase", "create, pre-up, up, post-up, pre-down, down, post-down, destroy or depend [environment: PHASE]").value_name("PHASE"))
        .arg(flag("dry-run", "Print what would be done, and do nothing; without --phase, all phases of ifup"))
        .arg(flag("check", "Like --dry-run, and exit with 3 if there is anything to do").conflicts_with("dry-run"))
        .arg(flag("verbose", "Print each step [environment: VERBOSE]"))
        .arg(
            Arg::new("keywords")
                .value_name("KEYWORD=VALUE")
                .help("A line of the stanza; the values of lists are separated by commas")
                .num_args(0..)
                .value_parser(|pair: &str| {
                    pair.split_once('=')
                        .map(|(keyword, value)| (canonical(keyword), value.to_owned()))
                        .ok_or("not KEYWORD=VALUE")
                }),
        )
}

fn end_of_help(program: &Program) -> String {
    let lines = program.keywords().map(|k| format!("  {} {}\n      {}\n", k.name, k.syntax, k.help));
    let text: String = lines.collect();
    format!(
        "Keywords:\n{text}\nifupdown-ng runs this program for every phase of an interface; see ifupdown-executor(7).\n\n\
         Examples:\n  {}",
        program.examples.join("\n  ")
    )
}

fn read(program: &Program, found: &Found, matches: &ArgMatches) -> Result<Invocation, Vec<String>> {
    let given = matches.get_many::<(String, String)>("keywords").into_iter().flatten();
    let mut wrong = Vec::new();
    for (keyword, _) in given.clone() {
        if !program.keywords().any(|known| known.name == keyword) {
            wrong.push(format!("{keyword}: not a keyword of {}", program.name));
        }
    }
    let mode = match (matches.get_flag("check"), matches.get_flag("dry-run"), found.mock) {
        (true, ..) => Mode::Check,
        (_, true, _) => Mode::DryRun,
        (.., true) => Mode::Mock,
        _ => Mode::Apply,
    };
    let phase = matches.get_one::<String>("phase").or(found.phase.as_ref());
    let phases = match phase.map(|text| text.parse::<Phase>()) {
        Some(Ok(phase)) => vec![phase],
        Some(Err(error)) => {
            wrong.push(error);
            Vec::new()
        }
        None if matches!(mode, Mode::Check | Mode::DryRun) => Phase::UP.to_vec(),
        None => {
            wrong.push("--phase is needed".to_owned());
            Vec::new()
        }
    };
    let iface = matches.get_one::<String>("iface").or(found.iface.as_ref());
    let iface = match iface.map(|text| text.parse().map_err(|error| format!("--iface {text}: {error}"))) {
        Some(Ok(iface)) => Some(iface),
        Some(Err(error)) => {
            wrong.push(error);
            None
        }
        None => {
            wrong.push("--iface is needed".to_owned());
            None
        }
    };
    let keywords = found.keywords.iter().chain(given);
    match iface {
        Some(iface) if wrong.is_empty() => Ok(Invocation {
            iface,
            phases,
            mode,
            verbose: matches.get_flag("verbose") || found.verbose,
            by_hand: true,
            stanza: Stanza::handed_over(keywords.map(|(keyword, value)| (keyword, value))),
            interfaces_file: found.interfaces_file.clone(),
        }),
        _ => Err(wrong),
    }
}

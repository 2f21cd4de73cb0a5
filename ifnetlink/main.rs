//! `ifnetlink` compares the stanzas of our executors with the running kernel.
//!
//! The command line and the exit status are here; each command has a file of its name. The executors define the
//! keywords; this program knows no keyword by itself.

mod across;
#[path = "../executors/all.rs"]
mod all;
mod apply;
mod by_name;
mod check;
mod confirm;
mod cost;
mod deletions;
mod exec;
mod file;
mod finding;
mod foreign;
mod hotplug;
mod journal;
mod lint;
mod pending;
mod progress;
#[cfg(test)]
#[path = "../tests/kernel/random.rs"]
mod random;
mod report;
mod rollback;
mod scripts;
mod show;
mod stanza;
mod targets;
#[cfg(test)]
mod tests;
mod transaction;
mod trial;

use crate::journal::Answer;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use ifupdown_ng_netlink::kernel::ifstate::STATE_FILE;
use ifupdown_ng_netlink::program::message::complain;
use ifupdown_ng_netlink::program::run::FAILED;
use ifupdown_ng_netlink::program::{arguments, inside};
use ifupdown_ng_netlink::stanza::file::Version;
use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};
use report::Output;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use targets::{INTERFACES_FILE, Options};

fn main() -> ExitCode {
    // `apply` starts this program again to run ifup inside a namespace.
    if let Some(arguments) = arguments::inside() {
        return inside::become_inside(&arguments);
    }
    let (arguments, detached) = arguments::all();
    let matches = command().mut_subcommand("exec", exec::with_vrf).get_matches_from(arguments);
    if matches.subcommand_name() != Some("exec") {
        allow_many_files();
    }
    let outcome = match matches.subcommand() {
        Some(("lint", matches)) => {
            let files: Vec<String> = matches.get_many("file").into_iter().flatten().cloned().collect();
            lint::lint(&files, &options(matches).executors, version(matches), matches.get_flag("json"))
        }
        Some(("check", matches)) => check::check(&options(matches), matches.get_flag("json")),
        Some(("apply", matches)) => apply(matches, detached.as_deref()),
        Some(("confirm", matches)) => {
            confirm::confirm(if matches.get_flag("no") { Answer::Return } else { Answer::Keep })
        }
        Some(("hotplug", matches)) => {
            hotplug::hotplug(&options(matches), matches.get_one::<String>("link").map(String::as_str))
        }
        Some(("show", matches)) => show::show(matches),
        Some(("exec", matches)) => exec::exec(matches),
        // clap requires one of the subcommands.
        _ => Ok(0),
    };
    ExitCode::from(outcome.unwrap_or_else(|error| {
        complain(&format_args!("ifnetlink: {error:#}"));
        FAILED
    }))
}

/// The number of files that may be open at once. Each interface that changes needs one for its lock, and each namespace
/// two. Without this, the limit is usually 1024.
const FILES: rlim_t = 1 << 16;

/// Raises the limit of open files, as far as that is allowed. If it is not, what cannot be opened is reported.
fn allow_many_files() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, FILES.min(hard).max(soft), hard);
    }
}

/// `detached`: which process of `--confirm` this is, if it is not the one in the foreground.
fn apply(matches: &ArgMatches, detached: Option<&OsStr>) -> anyhow::Result<u8> {
    let request = apply::Request {
        dry_run: matches.get_flag("dry-run"),
        disruptive: matches.get_flag("disruptive"),
        confirm: matches.contains_id("confirm"),
        output: match (matches.get_flag("json"), matches.get_flag("quiet")) {
            (true, _) => Output::Json,
            (false, true) => Output::Quiet,
            (false, false) => Output::Text,
        },
    };
    let options = Options { with_dependencies: true, ..options(matches) };
    // Without a value: 0.
    let seconds = matches.get_one::<u32>("confirm").copied().filter(|seconds| *seconds > 0);
    let limit = seconds.map(|seconds| Duration::from_secs(seconds.into()));
    match detached {
        Some(which) => {
            trial::run(&options, request, limit.unwrap_or(confirm::DEFAULT), which == confirm::AGAIN)
        }
        None if request.confirm && !request.dry_run => confirm::apply(request, limit),
        None => apply::apply(&options, request),
    }
}

fn command() -> Command {
    let json = Arg::new("json").long("json").action(ArgAction::SetTrue).help("For machines");
    let [_, executors] = files();
    let lint = Command::new("lint")
        .about("Finds what is wrong in interfaces files, without root and without the kernel")
        .after_help(
            "Exit status: 0 if nothing is wrong, 2 if something is wrong, 1 on other errors.\n\n\
             Examples:\n  \
             ifnetlink lint\n  \
             ifnetlink lint --ifupdown 0.11 interfaces.d/trunk",
        )
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .num_args(0..)
                .default_value(INTERFACES_FILE)
                .help("Interfaces files"),
        )
        .arg(executors)
        .arg(
            Arg::new("ifupdown")
                .long("ifupdown")
                .value_name("VERSION")
                .value_parser(["0.11", "0.12", "0.13"])
                .help("The ifupdown-ng that reads the files; the installed one by default, 0.12 if there is none"),
        )
        .arg(json.clone());
    let auto = Arg::new("auto").short('a').long("auto").action(ArgAction::SetTrue);
    let auto =
        auto.help("The interfaces that are auto; without this and without IFACE, also those that are up");
    let check = Command::new("check")
        .about("Finds what is wrong in the stanzas, then prints the commands that would bring the kernel in line")
        .after_help(
            "Exit status: 0 if nothing differs, 3 if something differs, 2 if a stanza is invalid, 1 on other errors.\n\n\
             Examples:\n  \
             ifnetlink check\n  \
             ifnetlink check -i /etc/network/interfaces.new br0",
        )
        .args([auto.clone(), interfaces()])
        .args(files())
        .arg(state_file())
        .arg(json.clone());
    let flag = |name, help| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    let apply = Command::new("apply")
        .about("Brings the running system to the interfaces file: all changes, or none")
        .after_help(
            "Exit status: 0 if all is applied, 1 if it is refused or rolled back, 4 if it is rolled back in part, \
             2 if a stanza is invalid, 5 if it waits for its confirmation.\n\n\
             Examples:\n  \
             ifnetlink apply --dry-run\n  \
             ifnetlink apply --disruptive br0 eth1",
        )
        .args([auto, interfaces()])
        .arg(flag("dry-run", "Print the changes and make none"))
        .arg(flag("disruptive", "Also make changes that cost an interface in use its addresses, routes or sessions"))
        .arg(
            Arg::new("confirm")
                .long("confirm")
                .value_name("SECONDS")
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value("0")
                .value_parser(value_parser!(u32))
                .help("Roll the changes back unless they are confirmed in this time, 120 s by default on a terminal"),
        )
        .arg(flag("quiet", "Print errors and warnings only").short('q').conflicts_with("json"))
        .args(files())
        .arg(state_file())
        .arg(json.clone());
    let confirm = Command::new("confirm")
        .about("Keeps the changes of `ifnetlink apply --confirm`")
        .after_help(
            "Exit status: 0 if they are kept, or rolled back as --no asks; 1 if no change waits, or it is too late.\n\n\
             Examples:\n  \
             ifnetlink confirm\n  \
             ifnetlink confirm --no",
        )
        .arg(flag("no", "Roll the changes back at once"));
    let hotplug = Command::new("hotplug")
        .about("Completes the stanzas that name a link that has just appeared")
        .after_help(
            "Exit status: 0 if nothing is to be done, or it is done; 1 on errors, 2 if a stanza is invalid.\n\n\
             Examples:\n  \
             ifnetlink hotplug eth1\n  \
             ifnetlink hotplug -i /etc/network/interfaces.new eth1",
        )
        .arg(
            Arg::new("link")
                .value_name("LINK")
                .help("The link; without it, that of the event for which udev or mdev runs the program"),
        )
        .args(files())
        .arg(state_file());
    Command::new("ifnetlink")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Compares stanzas of VRFs, namespaces, veth pairs and bridges with the running kernel, and applies them")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommands([lint, check, apply, confirm, hotplug, show::command().arg(json), exec::command()])
}

fn interfaces() -> Arg {
    Arg::new("iface").value_name("IFACE").num_args(0..).conflicts_with("auto").help("Interfaces")
}

/// The state file, with the option letter of ifup(8).
fn state_file() -> Arg {
    let argument = Arg::new("state-file").long("state-file").short('S').value_name("FILE");
    argument
        .default_value(STATE_FILE)
        .value_parser(value_parser!(PathBuf))
        .help("The state file of ifupdown-ng")
}

/// Where the stanzas and the executors are, with the option letters of ifup(8).
fn files() -> [Arg; 2] {
    let path = |name, short, value, default, help| {
        let argument = Arg::new(name).long(name).short(short).value_name(value).help(help);
        argument.default_value(default).value_parser(value_parser!(PathBuf))
    };
    [
        path("interfaces", 'i', "FILE", INTERFACES_FILE, "The interfaces file"),
        path("executor-path", 'E', "DIRECTORY", "/usr/libexec/ifupdown-ng", "Where the executors are"),
    ]
}

/// The version of ifupdown-ng that reads the files; `None`: the installed one.
fn version(matches: &ArgMatches) -> Option<Version> {
    let version = matches.get_one::<String>("ifupdown").map(String::as_str)?;
    Some(match version {
        "0.11" => Version::V0_11,
        "0.12" => Version::V0_12,
        _ => Version::Head,
    })
}

fn options(matches: &ArgMatches) -> Options {
    let path = |name| matches.try_get_one::<PathBuf>(name).ok().flatten().cloned().unwrap_or_default();
    Options {
        file: path("interfaces"),
        executors: path("executor-path"),
        state_file: path("state-file"),
        with_dependencies: false,
        auto: matches.try_get_one("auto").ok().flatten().copied().unwrap_or_default(),
        interfaces: matches
            .try_get_many::<String>("iface")
            .ok()
            .flatten()
            .into_iter()
            .flatten()
            .cloned()
            .collect(),
    }
}

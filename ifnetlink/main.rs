//! `ifnetlink` compares the stanzas of our executors with the running kernel.
//!
//! The command line and the exit status are here; each command has a file of its name. The executors define the
//! keywords; this program knows no keyword by itself.

mod across;
#[path = "../executors/all.rs"]
mod all;
mod apply;
mod check;
mod cost;
mod exec;
mod file;
mod finding;
mod lint;
mod pending;
mod show;
mod stanza;
mod targets;
#[cfg(test)]
mod tests;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use ifupdown_ng_netlink::kernel::ifquery;
use ifupdown_ng_netlink::program::message::complain;
use ifupdown_ng_netlink::program::run::FAILED;
use ifupdown_ng_netlink::stanza::file::Version;
use std::path::PathBuf;
use std::process::ExitCode;
use targets::Options;

fn main() -> ExitCode {
    let matches = command().mut_subcommand("exec", exec::with_vrf).get_matches();
    let outcome = match matches.subcommand() {
        Some(("lint", matches)) => {
            let files: Vec<String> = matches.get_many("file").into_iter().flatten().cloned().collect();
            lint::lint(&files, &options(matches).executors, version(matches), matches.get_flag("json"))
        }
        Some(("check", matches)) => check::check(&options(matches), matches.get_flag("json")),
        Some(("apply", matches)) => apply::apply(&options(matches), matches.get_flag("disruptive")),
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
                .default_value("/etc/network/interfaces")
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
    let check = Command::new("check")
        .about("Finds what is wrong in the stanzas, then prints the commands that would bring the kernel in line")
        .after_help(
            "Exit status: 0 if nothing differs, 3 if something differs, 2 if a stanza is invalid, 1 on other errors.\n\n\
             Examples:\n  \
             ifnetlink check\n  \
             ifnetlink check -i /etc/network/interfaces.new br0",
        )
        .arg(
            Arg::new("auto")
                .short('a')
                .long("auto")
                .action(ArgAction::SetTrue)
                .help("The interfaces that are auto; without this and without IFACE, also those that are up"),
        )
        .arg(interfaces().conflicts_with("auto"))
        .args(files())
        .arg(json.clone());
    let apply = Command::new("apply")
        .about("Brings interfaces that are up in line with their stanzas, without taking them down")
        .after_help(
            "If something cannot be changed that way, a line says what, and nothing is changed.\n\
             Exit status: 0 if nothing differs any more, 2 if a stanza is invalid, 1 on other errors.\n\n\
             Examples:\n  \
             ifnetlink apply br0\n  \
             ifnetlink apply --disruptive br0 eth1",
        )
        .arg(interfaces().num_args(1..).required(true))
        .arg(
            Arg::new("disruptive")
                .long("disruptive")
                .action(ArgAction::SetTrue)
                .help("Also make changes that cost an interface in use its addresses, routes or sessions"),
        )
        .args(files());
    Command::new("ifnetlink")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Compares stanzas of VRFs, namespaces, veth pairs and bridges with the running kernel, and applies them")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommands([lint, check, apply, show::command().arg(json), exec::command()])
}

fn interfaces() -> Arg {
    Arg::new("iface").value_name("IFACE").num_args(0..).help("Interfaces")
}

/// Where the stanzas and the executors are, with the option letters of ifup(8).
fn files() -> [Arg; 2] {
    let path = |name, short, value, default, help| {
        let argument = Arg::new(name).long(name).short(short).value_name(value).help(help);
        argument.default_value(default).value_parser(value_parser!(PathBuf))
    };
    [
        path("interfaces", 'i', "FILE", "/etc/network/interfaces", "The interfaces file"),
        path("executor-path", 'E', "DIRECTORY", "/usr/libexec/ifupdown-ng", "Where the executors are"),
    ]
}

/// The version of ifupdown-ng that reads the files.
fn version(matches: &ArgMatches) -> Version {
    match matches.get_one::<String>("ifupdown").map(String::as_str) {
        Some("0.11") => Version::V0_11,
        Some("0.12") => Version::V0_12,
        Some(_) => Version::Head,
        None => ifquery::version(),
    }
}

fn options(matches: &ArgMatches) -> Options {
    let path = |name| matches.try_get_one::<PathBuf>(name).ok().flatten().cloned().unwrap_or_default();
    Options {
        file: path("interfaces"),
        executors: path("executor-path"),
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

//! `ifnetlink exec`: a command in a network namespace, as `ip netns exec` does it.

use anyhow::{Context as _, bail};
use clap::{Arg, ArgMatches, Command, value_parser};
use ifupdown_ng_netlink::kernel::netns;
use ifupdown_ng_netlink::program::inside::{self, Named};
use ifupdown_ng_netlink::program::message::complain;
use ifupdown_ng_netlink::program::run::MISCONFIGURED;
use ifupdown_ng_netlink::values::NetnsRef;
use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::os::unix::process::CommandExt as _;
use std::process;

/// The exit statuses of env(1) and of a shell for a command that does not exist, or cannot be executed.
const NOT_FOUND: u8 = 127;
const NOT_EXECUTABLE: u8 = 126;

/// The command line.
pub fn command() -> Command {
    let netns = Arg::new("netns").value_name("NETNS").value_parser(str::parse::<NetnsRef>).required(true);
    let netns = netns
        .help("A name as `ip netns` lists it, the id of a process in the namespace, or the path of its file");
    let with_examples = |command: Command| {
        command.after_help(
            "Exit status: that of the command; 127 if it does not exist, 126 if it cannot be executed, 1 on other errors.\n\n\
             Examples:\n  \
             ifnetlink exec netns guest ping 192.0.2.1\n  \
             ifnetlink exec netns 4711 ifnetlink show",
        )
    };
    let netns = Command::new("netns").about("A network namespace").args([netns, words().required(true)]);
    with_examples(Command::new("exec"))
        .about("Runs a command in a network namespace, as `ip netns exec` does")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommand(with_examples(netns))
}

/// Accepts `exec vrf` too, which has an error of its own. No help and no completion offers it.
pub fn with_vrf(command: Command) -> Command {
    command.subcommand(Command::new("vrf").hide(true).disable_help_flag(true).arg(words()))
}

/// The command and its arguments, whatever they look like.
fn words() -> Arg {
    Arg::new("command")
        .value_name("COMMAND")
        .value_parser(value_parser!(OsString))
        .num_args(1..)
        .trailing_var_arg(true)
        .allow_hyphen_values(true)
        .help("The command, and its arguments")
}

/// Executes the command. Returns only if this fails.
///
/// # Errors
/// The namespace cannot be entered.
pub fn exec(matches: &ArgMatches) -> anyhow::Result<u8> {
    let Some(("netns", matches)) = matches.subcommand() else {
        let reason = "exec vrf: a command in a VRF needs a BPF program; run `ip vrf exec` of iproute2";
        complain(&format_args!("ifnetlink: {reason}"));
        return Ok(MISCONFIGURED);
    };
    let words: Vec<&OsString> = matches.get_many("command").into_iter().flatten().collect();
    match (matches.get_one("netns"), &words[..]) {
        (Some(netns), [program, arguments @ ..]) => in_netns(&named_first(netns), program, arguments),
        // clap requires both.
        _ => Ok(MISCONFIGURED),
    }
}

/// A number is a name if a namespace has that name, as for iproute2: otherwise the command would run in the namespace of
/// any process.
fn named_first(netns: &NetnsRef) -> NetnsRef {
    if let NetnsRef::Pid(pid) = netns {
        let named = NetnsRef::Name(pid.to_string());
        if named.path().exists() {
            return named;
        }
    }
    netns.clone()
}

fn in_netns(netns: &NetnsRef, program: &OsStr, arguments: &[&OsString]) -> anyhow::Result<u8> {
    let about = format!("exec netns {netns}");
    let file = match (netns::open(netns), netns) {
        (Ok(file), _) => file,
        (Err(refusal), NetnsRef::Name(_)) if refusal.is_gone() => {
            bail!("{about}: there is no namespace of that name; `ifnetlink show` prints those that exist")
        }
        (Err(refusal), NetnsRef::Pid(_)) if refusal.is_gone() => {
            bail!("{about}: there is no process with that id")
        }
        (Err(refusal), _) => return Err(refusal).context(about),
    };
    let name = match netns {
        NetnsRef::Name(name) => Some(OsStr::new(name)),
        NetnsRef::Pid(_) | NetnsRef::Path(_) => None,
    };
    for warning in inside::enter(&file, name, Named::IfMounted).context(about.clone())? {
        let warning = format!("{about}: {warning}");
        complain(&format_args!("ifnetlink: warning: {warning}"));
    }
    let error = process::Command::new(program).args(arguments).exec();
    complain(&format_args!("ifnetlink: {about}: {}: {error}", program.to_string_lossy()));
    Ok(if error.kind() == ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE })
}

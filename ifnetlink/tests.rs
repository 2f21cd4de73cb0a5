//! The command line: its examples, and its completion for bash. And files that the fuzzer has found.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "that is how a test fails")]

#[path = "../fuzz/entries/corpus.rs"]
mod corpus;
#[path = "../fuzz/entries/lint.rs"]
mod linted;

use clap::builder::{PossibleValuesParser, StyledStr};
use clap::{Arg, Command, ValueHint};
use clap_complete::aot::{Bash, generate};
use std::path::Path;

#[test]
fn the_help_of_every_command_ends_with_two_examples_that_are_accepted() {
    let commands = super::command();
    for command in commands.get_subcommands() {
        let name = command.get_name();
        let help = command.get_after_help().map(StyledStr::to_string).unwrap_or_default();
        let (_, examples) = help.split_once("Examples:\n").expect(name);
        assert_eq!(examples.lines().count(), 2, "{name}: {examples}");
        for line in examples.lines() {
            let read = super::command().try_get_matches_from(line.split_whitespace());
            let read = read.unwrap_or_else(|error| panic!("{line}: {error}"));
            assert!(
                line.starts_with("  ifnetlink ") && read.subcommand_name() == Some(name),
                "{name}: {line}"
            );
        }
    }
}

/// Prints the interfaces of this namespace. The function of clap_complete puts it into a string in double quotes, and
/// bash then expands each word of the result, so that a name such as `$(reboot)` must not be among them.
const INTERFACES: &str =
    r"$(printf '%s\n' /sys/class/net/*/ | sed -n 's|^/sys/class/net/\([A-Za-z0-9._-]*\)/$|\1|p')";

/// Prints the named namespaces, in the same way.
const NAMESPACES: &str = r"$(printf '%s\n' /run/netns/* | sed -n 's|^/run/netns/\([A-Za-z0-9._-]*\)$|\1|p')";

/// The same command line, with what clap_complete is to offer for the values.
fn completed(command: Command) -> Command {
    let values = |arg: Arg| {
        let value = arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
        match value.as_deref() {
            Some("IFACE" | "NAME" | "VRF") => arg.value_parser([INTERFACES]),
            Some("NETNS") => arg.value_parser([NAMESPACES]),
            // Nothing. clap_complete would offer the word itself.
            Some("COMMAND") => arg.value_parser(PossibleValuesParser::new([""; 0])),
            Some("FILE") => arg.value_hint(ValueHint::FilePath),
            Some("DIRECTORY") => arg.value_hint(ValueHint::DirPath),
            _ => arg,
        }
    };
    command.mut_args(values).mut_subcommands(completed)
}

/// The packages install this file, so that no program contains clap_complete.
#[test]
fn the_completion_is_that_of_this_command_line() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("dist/ifnetlink.bash");
    let mut script = Vec::new();
    generate(Bash, &mut completed(super::command()), "ifnetlink", &mut script);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &script).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let current = found.as_bytes() == script;
    assert!(current, "run `BLESS=1 cargo test --bin ifnetlink`, which writes {}", path.display());
}

#[test]
fn every_file_of_the_corpus() {
    corpus::each("lint", linted::lint);
}

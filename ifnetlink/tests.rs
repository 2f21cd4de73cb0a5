//! The command line: the examples of its help.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "that is how a test fails")]

use clap::builder::StyledStr;

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

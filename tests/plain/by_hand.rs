//! The programs as a user runs them, with arguments.

use super::all::ALL;
use super::support::{Ran, command, run};
use ifupdown_ng_netlink::program::arguments;
use ifupdown_ng_netlink::stanza::environment::{Found, Mode};

#[test]
fn every_spelling_of_a_keyword_is_the_same() {
    let expected = Ran::new(0, "ip link add red type vrf table 7\n", "");
    for spelling in ["vrf-table=7", "vrf_table=7", "VRF-Table=7", "IF_VRF_TABLE=7"] {
        let mut started = command("vrf-table", [("MOCK", "1")]);
        started.args(["--iface", "red", "--phase", "create"]);
        if let Some(value) = spelling.strip_prefix("IF_VRF_TABLE=") {
            started.env("IF_VRF_TABLE", value);
        } else {
            started.arg(spelling);
        }
        assert_eq!(run(started), expected, "{spelling}");
    }
    // ifupdown-ng keeps trailing blanks.
    let blanks = [("MOCK", "1"), ("IFACE", "red"), ("PHASE", "create"), ("IF_VRF_TABLE", "  7  ")];
    assert_eq!(run(command("vrf-table", blanks)), expected);
}

/// Runs a program by hand.
fn by_hand(program: &str, arguments: &[&str]) -> Ran {
    let mut started = command(program, []);
    started.args(arguments);
    run(started)
}

#[test]
fn arguments_that_make_no_sense_are_told_with_status_2() {
    let rows: &[(&[&str], &str)] = &[
        (&["--iface", "red", "vrf-table=10"], "vrf-table: --phase is needed\n"),
        (&["--dry-run", "vrf-table=10"], "vrf-table: --iface is needed\n"),
        (
            &["--phase", "later", "vrf-table=10"],
            "vrf-table: PHASE \"later\": not a phase\nvrf-table: --iface is needed\n",
        ),
        (&["--iface", "re%d", "--dry-run"], "vrf-table: --iface re%d: not an interface name: contains '%'\n"),
        (
            &["--iface", "red", "--check", "vrf-tabel=10", "vrf-route=default"],
            "vrf-table: vrf-tabel: not a keyword of vrf-table\nvrf-table: vrf-route: not a keyword of vrf-table\n",
        ),
        (
            &["--iface", "red", "--check", "vrf-table=0"],
            "vrf-table: red: vrf-table 0: not a routing table (1-4294967295)\n",
        ),
        (
            &["--iface", "red", "--phase", "pre-up", "vrf-table=0"],
            "vrf-table: red: vrf-table 0: not a routing table (1-4294967295)\n",
        ),
    ];
    for (arguments, err) in rows {
        assert_eq!(by_hand("vrf-table", arguments), Ran::new(2, "", err), "{arguments:?}");
    }
    for arguments in [&["--dry-run", "--check"][..], &["--frobnicate"], &["vrf-table"], &["--phase"]] {
        let ran = by_hand("vrf-table", arguments);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{arguments:?}");
        assert!(ran.err.starts_with("error: "), "{arguments:?}: {}", ran.err);
    }
    let ran = by_hand("vrf-table", &["--chekc"]);
    assert!(ran.err.contains("  tip: a similar argument exists: '--check'\n"), "{}", ran.err);
    let ran = by_hand("vrf-table", &["--dry-run", "vrf-table"]);
    assert!(ran.err.contains(": not KEYWORD=VALUE\n"), "{}", ran.err);
    // The programs start themselves with this argument.
    let line = "--inside: for internal use only\n";
    assert_eq!(by_hand("vrf-table", &["--inside"]), Ran::new(1, "", line));
}

#[test]
fn a_problem_is_one_line_whatever_is_in_the_value() {
    let ran = by_hand("vrf-table", &["--iface", "red", "--check", "vrf-member=a\nb\u{1b}[31m"]);
    let line = "vrf-table: red: vrf-member a\\nb\\u{1b}[31m: not an interface name: contains '\\n'\n";
    assert_eq!(ran, Ran::new(2, "", line));
}

#[test]
fn help_names_every_keyword_and_version_the_program() {
    for program in ALL {
        let help = by_hand(program.name, &["--help"]);
        assert_eq!((help.code, help.err.as_str()), (0, ""), "{}", program.name);
        assert!(help.out.starts_with(program.about), "{}", help.out);
        for keyword in program.keywords() {
            let line = format!("\n  {} {}\n      {}\n", keyword.name, keyword.syntax, keyword.help);
            assert!(help.out.contains(&line), "{line}");
        }
        for option in ["--iface", "--phase", "--dry-run", "--check", "--verbose", "--help", "--version"] {
            assert!(help.out.contains(option), "{} {option}", program.name);
        }
        let version = format!("{} {}\n", program.name, env!("CARGO_PKG_VERSION"));
        assert_eq!(by_hand(program.name, &["--version"]), Ran::new(0, &version, ""));
    }
}

/// The words of a command line, as a shell separates them.
fn words(line: &str) -> Vec<String> {
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &format!("printf '%s\\n' {line}")]);
    run(shell).out.lines().map(str::to_owned).collect()
}

#[test]
fn help_ends_with_two_examples_that_are_accepted_and_change_nothing() {
    for program in ALL {
        let help = by_hand(program.name, &["--help"]).out;
        let (_, examples) = help.split_once("\n\nExamples:\n").expect("examples");
        assert_eq!(examples.lines().count(), 2, "{}: {examples}", program.name);
        for line in examples.lines() {
            let words = words(line);
            let name = words.iter().position(|word| *word == program.name).expect("the program");
            let variables = words[..name].iter().filter_map(|word| word.split_once('='));
            let found = Found::in_environment(variables.map(|(name, value)| (name.into(), value.into())));
            let given = words[name..].iter().map(Into::into);
            let invocation = arguments::by_hand(program, &found, given);
            let invocation = invocation.unwrap_or_else(|_| panic!("refused: {line}"));
            assert!(matches!(invocation.mode, Mode::Check | Mode::DryRun), "{line}");
            let (configuration, problems) = program.configure(&invocation.stanza);
            assert_eq!(problems, [], "{line}");
            let acts = invocation.phases.iter().any(|phase| configuration.acts(*phase));
            assert!(acts, "nothing to do: {line}");
        }
    }
}

#[test]
fn neither_verbose_nor_a_log_level_disturbs_mock() {
    for variable in ["VERBOSE", "RUST_LOG"] {
        let environment =
            [("IFACE", "eth0"), ("PHASE", "pre-up"), ("MOCK", "echo"), ("IF_VRF", "red"), (variable, "info")];
        assert_eq!(
            run(command("vrf", environment)),
            Ran::new(0, "ip link set eth0 master red\n", ""),
            "{variable}"
        );
    }
    let ran = by_hand("vrf", &["--iface", "eth0", "--phase", "up", "--verbose", "vrf=red"]);
    assert_eq!(ran, Ran::new(0, "", ""));
}

/// As the user `nobody` if this is root: the test cannot change the machine.
#[test]
fn without_root_it_says_so() {
    let mut started = if nix::unistd::geteuid().is_root() {
        let mut setpriv = std::process::Command::new("setpriv");
        setpriv
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(super::support::binary("vrf-table"));
        setpriv.env_clear();
        setpriv
    } else {
        command("vrf-table", [])
    };
    started.args(["--iface", "ifnl-no-root", "--phase", "create", "vrf-table=4294967295"]);
    let Ok(output) = started.stdin(std::process::Stdio::null()).output() else {
        return super::support::skip("without_root_it_says_so", "setpriv");
    };
    let ran = Ran::from(output);
    if ran.code == 126 || ran.err.starts_with("setpriv:") {
        return super::support::skip("without_root_it_says_so", "setpriv");
    }
    assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{}", ran.err);
    assert!(
        ran.err.starts_with("vrf-table: ifnl-no-root: ") && ran.err.ends_with("; this needs root\n"),
        "{}",
        ran.err
    );
    assert_eq!(ran.err.lines().count(), 1);
}

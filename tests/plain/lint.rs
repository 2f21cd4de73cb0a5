//! `ifnetlink lint`: a table of wrong files with the lines that must be printed, and files in which nothing is wrong.

use super::pages::{migrating, pages, readme, tasks};
use super::schema::valid;
use super::support::{Ran, command, files, root, run};
use proc_macro2::{TokenStream, TokenTree};
use std::fs;
use std::path::{Path, PathBuf};

/// The executors of this package, as a package installs them.
const INSTALLED: [&str; 10] = [
    "bridge",
    "bridge-vlan",
    "netns",
    "netns-interfaces",
    "veth",
    "veth-peer",
    "vrf",
    "vrf-route",
    "vrf-rules",
    "vrf-table",
];

/// A directory of executors: ours, without some, and with scripts in place of some. Nothing starts them.
fn executors(at: &Path, without: &[&str], stock: &[&str]) -> PathBuf {
    let directory = at.join("executors");
    fs::create_dir_all(&directory).unwrap();
    for name in INSTALLED {
        let path = directory.join(name);
        if stock.contains(&name) {
            fs::write(path, "#!/bin/sh\n").unwrap();
        } else if !without.contains(&name) {
            fs::write(path, "\x7fELF").unwrap();
        }
    }
    directory
}

/// An empty directory of this name.
fn directory(name: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("lint").join(name);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    directory
}

/// Checks the file `interfaces` of a directory.
fn lint(at: &Path, executors: &Path, arguments: &[&str]) -> Ran {
    let mut started = command("ifnetlink", []);
    started
        .current_dir(at)
        .args(["lint", "interfaces", "--ifupdown", "0.12", "-E"])
        .arg(executors)
        .args(arguments);
    run(started)
}

/// A case of tests/lint/wrong.
struct Case {
    name: String,
    without: Vec<String>,
    stock: Vec<String>,
    /// By name; `interfaces` is the first.
    files: Vec<(String, String)>,
    /// The lines that must be printed.
    lines: Vec<String>,
}

fn cases() -> Vec<Case> {
    let text = fs::read_to_string(root().join("tests/lint/wrong")).unwrap();
    let mut cases = Vec::new();
    for block in text.split("\n== ").skip(1) {
        let (head, rest) = block.split_once('\n').unwrap();
        let (body, expected) = rest.split_once("--\n").unwrap_or_else(|| panic!("{head}: nothing expected"));
        let (name, options) = head.split_once(", ").unwrap_or((head, ""));
        let programs = |option: &str| {
            let names = options.strip_prefix(option).unwrap_or_default();
            names.split_whitespace().map(str::to_owned).collect()
        };
        let mut files = Vec::new();
        for part in format!("interfaces\n{body}").split("++ ") {
            let (name, text) = part.split_once('\n').unwrap();
            files.push((name.to_owned(), text.to_owned()));
        }
        let line = |line: &str| {
            let begins = line.starts_with(|c: char| c.is_ascii_digit());
            if begins { format!("interfaces:{line}\n") } else { format!("{line}\n") }
        };
        let lines = expected.lines().filter(|text| !text.is_empty()).map(line).collect();
        let (without, stock) = (programs("without"), programs("stock"));
        cases.push(Case { name: name.to_owned(), without, stock, files, lines });
    }
    cases
}

#[test]
fn every_wrong_file_is_reported_as_written() {
    let cases = cases();
    assert!(cases.len() >= 60, "{}", cases.len());
    let mut wrong = Vec::new();
    for Case { name, without, stock, files, lines } in &cases {
        let at = directory(name);
        for (file, text) in files {
            fs::write(at.join(file), text).unwrap();
        }
        let names = |names: &[String]| names.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
        let (without, stock) = (names(without), names(stock));
        let [without, stock] = [&without, &stock].map(|names| names.split(' ').collect::<Vec<_>>());
        let executors = executors(&at, &without, &stock);
        assert!(!lines.is_empty(), "{name}");
        let status = if lines.iter().all(|line| line.contains(": warning: ")) { 0 } else { 2 };
        let ran = lint(&at, &executors, &[]);
        let expected = Ran::new(status, &lines.concat(), "");
        if ran != expected {
            wrong.push(format!("== {name}\n{}{}-- expected {status}\n{}", ran.out, ran.err, expected.out));
            continue;
        }
        // The same for machines.
        let ran = lint(&at, &executors, &["--json"]);
        assert_eq!((ran.code, ran.err.as_str()), (status, ""), "{name}");
        let json = valid("lint", &ran.out);
        let findings = json["findings"].as_array().unwrap();
        let line = |finding: &serde_json::Value| {
            let text = |key: &str| finding[key].as_str().unwrap();
            let warning = if text("severity") == "warning" { "warning: " } else { "" };
            assert!(text("text").starts_with(text("keyword")), "{finding}");
            format!("{}:{}: {warning}{}\n", text("file"), finding["line"], text("text"))
        };
        assert_eq!(&findings.iter().map(line).collect::<Vec<_>>(), lines, "{name}");
    }
    assert!(wrong.is_empty(), "{} of {}\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// The string literals with stanzas in a source.
fn literals(source: TokenStream, found: &mut Vec<String>) {
    for token in source {
        match token {
            TokenTree::Group(group) => literals(group.stream(), found),
            TokenTree::Literal(literal) => {
                let text = literal.to_string();
                if text.contains("\niface ") {
                    found.push(text.trim_matches('"').replace("\\t", "\t"));
                }
            }
            _ => {}
        }
    }
}

#[test]
fn nothing_is_wrong_in_files_that_work() {
    let at = directory("right");
    let executors = executors(&at, &[], &[]);
    let mut published = Vec::new();
    literals(
        fs::read_to_string(root().join("tests/kernel/published.rs")).unwrap().parse().unwrap(),
        &mut published,
    );
    assert_eq!(published.len(), 11);
    let examples = files("interfaces.d", "").into_iter();
    let examples = examples.filter(|path| path.extension().is_none_or(|ending| ending != "conf"));
    let examples: Vec<String> = examples.map(|path| fs::read_to_string(path).unwrap()).collect();
    assert!(examples.len() > 20, "{}", examples.len());
    let pages = pages();
    let blocks = pages.iter().flat_map(|page| page.stanzas()).map(str::to_owned);
    let cookbook = tasks().into_iter().flat_map(|task| task.blocks);
    let cookbook = cookbook.filter(|block| block.starts_with("auto "));
    let blocks = blocks.chain(readme()).chain(migrating()).chain(cookbook);
    for text in published.into_iter().chain(examples).chain(blocks) {
        fs::write(at.join("interfaces"), &text).unwrap();
        assert_eq!(lint(&at, &executors, &[]), Ran::new(0, "", ""), "{text}");
    }
}

/// Several files, each by itself; a file that cannot be read; the rules of each version.
#[test]
fn files_are_checked_one_by_one() {
    let at = directory("several");
    let executors = executors(&at, &[], &[]);
    let text = "iface red\n    vrf-table 10\nsource more*\n";
    for name in ["interfaces", "other"] {
        fs::write(at.join(name), text).unwrap();
    }
    let none = "warning: source more*: no such file\n";
    let ran = lint(&at, &executors, &["other"]);
    assert_eq!(ran, Ran::new(0, &format!("interfaces:3: {none}other:3: {none}"), ""));
    let ran = lint(&at, &executors, &["nowhere"]);
    let line = "nowhere: No such file or directory (os error 2)\n";
    assert_eq!(ran, Ran::new(2, &format!("interfaces:3: {none}{line}"), ""));
    let run_with = |version: &str| {
        let mut started = command("ifnetlink", []);
        started.current_dir(&at).args(["lint", "--ifupdown", version, "other", "-E"]).arg(&executors);
        run(started)
    };
    // 0.11 knows no patterns, and reads nothing at all.
    let line = "other:3: source more*: No such file or directory (os error 2)\n";
    assert_eq!(run_with("0.11"), Ran::new(2, line, ""));
    fs::write(at.join("other"), "defaults\n    vrf-member red\niface eth0\n    vrf-memeber red\n").unwrap();
    let line = "other:4: vrf-memeber: unknown keyword; did you mean vrf-member?\n";
    assert_eq!(run_with("0.13"), Ran::new(2, line, ""));
}

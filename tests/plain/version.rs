//! The version stands in Cargo.toml only: no other file of the tree repeats it.

use super::support::{Ran, files, root, run, skip};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Files that name versions: what changed in each, and what cargo writes.
const MAY_NAME_IT: [&str; 2] = ["CHANGELOG.md", "Cargo.lock"];

/// The files of the tree: those that git tracks, or all files of a tarball, in which nothing else is.
fn tree() -> Vec<PathBuf> {
    let mut git = Command::new("git");
    git.current_dir(root()).args(["-c", "safe.directory=*", "ls-files"]);
    if let Ok(listed) = git.output() {
        if listed.status.success() {
            return Ran::from(listed).out.lines().map(|line| root().join(line)).collect();
        }
    }
    let built = [".git", "target", "vendor", ".cargo"].map(|directory| root().join(directory));
    files("", "").into_iter().filter(|path| !built.iter().any(|built| path.starts_with(built))).collect()
}

/// Whether the text has this version, and not as a part of a longer number such as an address.
fn names(text: &str, version: &str) -> bool {
    text.match_indices(version).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + version.len()..]);
        let is_part = |c: char| c.is_ascii_digit() || c == '.';
        let mut next = after.chars();
        let ends = match next.next() {
            Some('.') => !next.next().is_some_and(|c| c.is_ascii_digit()),
            Some(c) => !c.is_ascii_digit(),
            None => true,
        };
        ends && !before.ends_with(is_part)
    })
}

#[test]
fn versions_are_told_from_longer_numbers() {
    for text in ["7.8.9", "v7.8.9.", "(7.8.9-1)", "pkgver=7.8.9\n"] {
        assert!(names(text, "7.8.9"), "{text}");
    }
    for text in ["10.7.8.9/24", "7.8.9.1", "7.8.91", "17.8.9", "7.8.1"] {
        assert!(!names(text, "7.8.9"), "{text}");
    }
}

#[test]
fn only_cargo_toml_names_the_version() {
    let mut found = Vec::new();
    for path in tree() {
        // A link, or a file that is deleted and not committed yet, has no text of its own.
        let Ok(bytes) = fs::read(&path) else { continue };
        for line in String::from_utf8_lossy(&bytes).lines().filter(|line| names(line, VERSION)) {
            let path = path.strip_prefix(root()).unwrap().display().to_string();
            if !MAY_NAME_IT.contains(&path.as_str()) {
                found.push(format!("{path}: {line}"));
            }
        }
    }
    assert_eq!(found, [format!("Cargo.toml: version = \"{VERSION}\"")]);
}

fn changelog(version: &str) -> Ran {
    let mut command = Command::new("sh");
    command.current_dir(root()).args(["dist/changelog", version]);
    run(command)
}

/// dpkg reads the version and the date of the newest heading of CHANGELOG.md.
#[test]
fn the_debian_package_has_this_version() {
    let printed = changelog(VERSION);
    assert_eq!((printed.code, printed.err.as_str()), (0, ""));
    let file = std::env::temp_dir().join(format!("ifnl-changelog-{}", std::process::id()));
    fs::write(&file, &printed.out).unwrap();
    let mut parse = Command::new("dpkg-parsechangelog");
    parse.arg("--file").arg(&file).arg("--all");
    let parsed = parse.output();
    fs::remove_file(&file).unwrap();
    // 127: in QEMU's user mode, a program that does not exist is started all the same.
    let parsed = parsed.map_or_else(|_| Ran::new(127, "", ""), Ran::from);
    if parsed.code == 127 {
        return skip("the_debian_package_has_this_version", "dpkg-dev");
    }
    assert_eq!((parsed.code, parsed.err.as_str()), (0, ""));
    let has = |line: &str| parsed.out.lines().any(|found| found == line);
    assert!(has(&format!("Version: {VERSION}-1")), "{}", parsed.out);
    let list = fs::read_to_string(root().join("CHANGELOG.md")).unwrap();
    let heading = list.lines().find(|line| line.starts_with(&format!("## {VERSION} ("))).unwrap();
    let day = heading.split(['(', ')']).nth(1).unwrap();
    let mut date = Command::new("date");
    date.args(["-u", "-d", &format!("{day} 00:00"), "+Timestamp: %s"]);
    assert!(has(run(date).out.trim_end()), "{day}: {}", parsed.out);
}

#[test]
fn a_version_without_a_heading_is_refused() {
    let refused = changelog("9.9.9");
    assert_eq!((refused.code, refused.out.as_str()), (1, ""));
    assert!(refused.err.contains(VERSION) && refused.err.contains("9.9.9"), "{}", refused.err);
}

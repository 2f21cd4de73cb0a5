//! Rules about the code itself that no compiler keeps.

use super::{
    all::PROGRAMS,
    support::{files, root},
};
use std::{fs, path::Path};

/// The sources in these folders, by their path within the package.
fn sources(folders: &[&str]) -> Vec<(String, String)> {
    let paths = folders.iter().flat_map(|folder| files(folder, ".rs"));
    let within = |path: &Path| path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
    paths.map(|path| (within(&path), fs::read_to_string(&path).unwrap())).collect()
}

/// The lines of code, without comments and without the unit tests at the end of a file.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(number, line)| (number + 1, line));
    lines
        .take_while(|(_, line)| !line.starts_with("mod tests {"))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Fails for each line of code that has one of these words, unless it is in a file that may have it.
fn only_in(folders: &[&str], words: &[&str], allowed: &[&str]) {
    let mut found = Vec::new();
    for (path, text) in sources(folders) {
        if allowed.iter().any(|allowed| path.starts_with(allowed))
            || path.ends_with("tests.rs")
            || path.ends_with("fixture.rs")
            || path.ends_with("fuzz.rs")
        {
            continue;
        }
        let lines = code(&text).filter(|(_, line)| words.iter().any(|word| line.contains(word)));
        found.extend(lines.map(|(number, line)| format!("{path}:{number}: {}", line.trim())));
    }
    assert!(found.is_empty(), "{words:?} only in {allowed:?}:\n{}", found.join("\n"));
}

#[test]
fn only_netlink_knows_rtnetlink() {
    only_in(
        &["src", "executors", "ifnetlink"],
        &["rtnetlink", "netlink_packet", "netlink_sys"],
        &["src/netlink/"],
    );
}

#[test]
fn only_the_edge_reads_environment_and_arguments() {
    only_in(
        &["src", "executors", "ifnetlink"],
        &["std::env", "env::var", "env::args"],
        &["src/invocation.rs", "src/command_line.rs"],
    );
}

#[test]
fn executors_touch_nothing() {
    let worldly = [
        "std::fs",
        "std::net::Udp",
        "std::net::Tcp",
        "std::process::Command",
        "nix::",
        "std::thread",
        "std::io",
    ];
    only_in(&["executors"], &worldly, &[]);
}

#[test]
fn plans_are_pure() {
    let worldly = [
        "std::fs",
        "std::io",
        "std::process",
        "nix::unistd",
        "nix::fcntl",
        "std::time",
        "crate::kernel::live",
        "crate::kernel::netlink",
    ];
    for pure in [
        "src/plan.rs",
        "src/rules.rs",
        "src/simulate.rs",
        "src/snapshot.rs",
        "src/stanza.rs",
        "src/op/",
        "src/values/",
    ] {
        let rest: Vec<(String, String)> =
            sources(&["src"]).into_iter().filter(|(path, _)| path.starts_with(pure)).collect();
        assert!(!rest.is_empty(), "{pure}");
        for (path, text) in rest {
            for (number, line) in code(&text) {
                assert!(!worldly.iter().any(|word| line.contains(word)), "{path}:{number}: {line}");
            }
        }
    }
}

#[test]
fn nothing_panics_on_purpose() {
    only_in(
        &["src", "executors", "ifnetlink"],
        &[".unwrap()", ".expect(", "panic!(", "unreachable!(", "todo!(", "eprintln!(", "println!("],
        &[],
    );
}

#[test]
fn every_module_says_what_it_is_for() {
    for (path, text) in sources(&["src", "executors", "ifnetlink", "tests"]) {
        assert!(text.starts_with("//! "), "{path} does not open with what it is for");
    }
}

#[test]
fn every_program_is_one_file_and_known_everywhere() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let executors = files("executors", ".rs");
    let names: Vec<_> = executors.iter().map(|path| path.file_stem().unwrap().to_str().unwrap()).collect();
    for name in names.iter().filter(|name| **name != "all") {
        let program = PROGRAMS.iter().find(|program| program.name == *name);
        assert!(program.is_some(), "executors/{name}.rs is not in executors/all.rs");
        assert!(
            manifest.contains(&format!("name = \"{name}\"\npath = \"executors/{name}.rs\"")),
            "{name} in Cargo.toml"
        );
    }
    assert_eq!(PROGRAMS.len() + 1, names.len());
}

#[test]
fn the_map_names_every_module() {
    let map = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap();
    for (path, _) in sources(&["src", "ifnetlink"]) {
        let known = map.contains(&path)
            || Path::new(&path).ancestors().any(|folder| map.contains(&format!("`{}/`", folder.display())));
        assert!(known || path == "src/lib.rs", "docs/ARCHITECTURE.md does not name {path}");
    }
}

/// Debian 13's Rust is 1.85; a newer one takes conditions that this does not, and does not say so.
#[test]
fn conditions_are_written_for_the_oldest_rust() {
    for folder in ["src", "executors", "ifnetlink", "examples", "tests"] {
        for path in files(folder, ".rs") {
            let text = fs::read_to_string(&path).unwrap();
            // In a condition `let` stands first or not at all, and nothing is joined to it.
            let mut open = false;
            for (number, line) in text.lines().enumerate() {
                let code = line.trim_start();
                let joined = open && code.starts_with("&& ");
                assert!(!joined, "{}:{}: `if let … && …`", path.display(), number + 1);
                let begins =
                    ["if let ", "} else if let ", "while let "].iter().any(|words| code.starts_with(words));
                open = begins && !code.ends_with('{');
                assert!(!code.starts_with(concat!("&& ", "let ")), "{}:{}", path.display(), number + 1);
            }
        }
    }
}

//! Rules about the code that the compiler does not check.

use super::all::ALL;
use super::support::{files, is_unit_test, root};
use proc_macro2::token_stream::IntoIter;
use proc_macro2::{TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::iter::Peekable;
use std::path::Path;

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
        if allowed.iter().any(|allowed| path.starts_with(allowed)) || is_unit_test(&path) {
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
        &["src/kernel/netlink/"],
    );
}

#[test]
fn only_the_edge_reads_environment_and_arguments() {
    only_in(
        &["src", "executors", "ifnetlink"],
        &["std::env", "env::var", "env::args"],
        &["src/stanza/environment.rs", "src/program/arguments.rs"],
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
    let worldly =
        ["std::fs", "std::io", "std::process", "nix::unistd", "nix::fcntl", "std::time", "crate::kernel"];
    for pure in ["src/values/", "src/stanza/", "src/state/", "src/plan/"] {
        let rest: Vec<(String, String)> = sources(&["src"])
            .into_iter()
            .filter(|(path, _)| path.starts_with(pure) && !path.ends_with("environment.rs"))
            .collect();
        assert!(!rest.is_empty(), "{pure}");
        for (path, text) in rest {
            for (number, line) in code(&text) {
                assert!(!worldly.iter().any(|word| line.contains(word)), "{path}:{number}: {line}");
            }
        }
    }
}

/// The directories of `src/`: each uses only those before it.
const ORDER: [&str; 7] = ["values", "stanza", "state", "plan", "kernel", "model", "program"];

/// The paths that begin with `crate` in some tokens, without `crate`.
fn paths(tokens: TokenStream, found: &mut Vec<Vec<String>>) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(name) if name == "crate" => follow(&mut tokens, &[], found),
            TokenTree::Group(group) => paths(group.stream(), found),
            _ => {}
        }
    }
}

/// The paths that continue from here; with braces, one for each.
fn follow(tokens: &mut Peekable<IntoIter>, before: &[String], found: &mut Vec<Vec<String>>) {
    let mut path = before.to_vec();
    while tokens.next_if(|token| token.to_string() == ":").is_some() {
        tokens.next_if(|token| token.to_string() == ":");
        match tokens.next() {
            Some(TokenTree::Ident(name)) => path.push(name.to_string()),
            Some(TokenTree::Group(group)) => {
                let mut inner = group.stream().into_iter().peekable();
                while let Some(token) = inner.next() {
                    if let TokenTree::Ident(name) = token {
                        follow(&mut inner, &[path.clone(), vec![name.to_string()]].concat(), found);
                    }
                }
                return;
            }
            _ => break,
        }
    }
    found.push(path);
}

/// Which file of `src/` uses which others, by path.
fn uses() -> BTreeMap<String, BTreeSet<String>> {
    let files: BTreeMap<String, String> = sources(&["src"])
        .into_iter()
        .filter(|(path, _)| !is_unit_test(path) && !path.ends_with("lib.rs"))
        .collect();
    let file_of = |path: &[String]| {
        let lengths = (1..=path.len()).rev();
        lengths
            .flat_map(|length| {
                let module = path[..length].join("/");
                [format!("src/{module}.rs"), format!("src/{module}/mod.rs")]
            })
            .find(|file| files.contains_key(file))
    };
    let used = |file: &String, text: &String| {
        let code = code(text).map(|(_, line)| line).collect::<Vec<_>>().join("\n");
        // The attribute of a test module at the end is still there.
        let code = code.trim_end().trim_end_matches("#[cfg(test)]").trim_end();
        let mut found = Vec::new();
        paths(code.parse().unwrap_or_else(|error| panic!("{file}: {error}")), &mut found);
        found.iter().filter_map(|path| file_of(path)).filter(|used| used != file).collect()
    };
    files.iter().map(|(file, text)| (file.clone(), used(file, text))).collect()
}

#[test]
fn each_folder_uses_only_those_before_it() {
    let place = |file: &str| {
        let folder = file.split('/').nth(1).unwrap();
        ORDER
            .iter()
            .position(|name| *name == folder)
            .unwrap_or_else(|| panic!("{file} is in none of {ORDER:?}"))
    };
    let uses = uses();
    for (file, used) in &uses {
        let above: Vec<_> = used.iter().filter(|used| place(used) > place(file)).collect();
        assert!(above.is_empty(), "{file} uses {above:?}");
    }
    assert!(uses.values().map(BTreeSet::len).sum::<usize>() > 200, "{uses:#?}");
}

#[test]
fn no_files_use_each_other() {
    let mut left = uses();
    // Remove the files that use none of the rest, until no such file is left.
    loop {
        let done: Vec<String> = left
            .iter()
            .filter(|(_, used)| !used.iter().any(|used| left.contains_key(used)))
            .map(|(file, _)| file.clone())
            .collect();
        if done.is_empty() {
            break;
        }
        left.retain(|file, _| !done.contains(file));
    }
    assert!(left.is_empty(), "in a circle, or above one: {:#?}", left.keys());
}

#[test]
fn unsafe_code_is_forbidden() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let (_, lints) = manifest.split_once("[lints.rust]\n").unwrap();
    assert_eq!(lints.lines().next(), Some("unsafe_code = \"forbid\""));
    only_in(&["src", "executors", "ifnetlink"], &["unsafe {", "unsafe fn", "allow(unsafe_code"], &[]);
}

/// A socket with a name could be reached by other users.
#[test]
fn no_program_listens() {
    let words =
        ["Listener", "UnixDatagram::bind", "UdpSocket", "bind_addr", "from_abstract_name", "socket::listen"];
    only_in(&["src", "executors", "ifnetlink"], &words, &[]);
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
        let program = ALL.iter().find(|program| program.name == *name);
        assert!(program.is_some(), "executors/{name}.rs is not in executors/all.rs");
        assert!(
            manifest.contains(&format!("name = \"{name}\"\npath = \"executors/{name}.rs\"")),
            "{name} in Cargo.toml"
        );
    }
    assert_eq!(ALL.len() + 1, names.len());
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

/// Debian 13's Rust is 1.85. A newer compiler accepts conditions that 1.85 does not, without a warning.
#[test]
fn conditions_are_written_for_the_oldest_rust() {
    for folder in ["src", "executors", "ifnetlink", "examples", "tests"] {
        for path in files(folder, ".rs") {
            let text = fs::read_to_string(&path).unwrap();
            // In a condition, `let` is the first word, if at all, and nothing is joined to it.
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

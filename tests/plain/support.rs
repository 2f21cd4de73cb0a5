//! What several modules need: where the package is, and how its programs are run.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The top directory of the package.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Whether a source file, by its path in the package, is part of the unit tests.
pub fn is_unit_test(path: &str) -> bool {
    ["tests.rs", "fuzz.rs", "fixture.rs"].iter().any(|name| path.ends_with(name))
        || ["/tests/", "/fixture/"].iter().any(|folder| path.contains(folder))
}

/// The program of this name, as it was built for the tests.
pub fn binary(name: &str) -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_vrf")).with_file_name(name)
}

/// A program whose environment contains only these variables, and whose input is empty.
pub fn command<'a>(name: &str, environment: impl IntoIterator<Item = (&'a str, &'a str)>) -> Command {
    let mut command = Command::new(binary(name));
    command.env_clear().envs(environment).stdin(Stdio::null());
    command
}

/// The result of a program: exit status, standard output and standard error.
#[derive(Debug, PartialEq, Eq)]
pub struct Ran {
    /// The exit status; -1 stands for a signal.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Ran {
    /// An expected result.
    pub fn new(code: i32, out: &str, err: &str) -> Self {
        Self { code, out: out.to_owned(), err: err.to_owned() }
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Runs a program to its end.
pub fn run(mut command: Command) -> Ran {
    command.output().unwrap().into()
}

/// The files below a directory of the package, sorted, with this suffix; none if it does not exist.
pub fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![root().join(folder)]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Reports that a test was skipped, and why, in a form that `make test` counts. If `REQUIRE` names what is missing, the
/// test fails instead.
pub fn skip(test: &str, missing: &str) {
    let required = std::env::var("REQUIRE").unwrap_or_default();
    assert!(!required.split(',').any(|name| name == missing), "{test}: {missing} is required and missing");
    // Bypasses the output capture of the test harness, so that it is shown.
    let _ = std::io::Write::write_all(
        &mut std::io::stderr(),
        format!("\nSKIP {test}: no {missing}\n").as_bytes(),
    );
}

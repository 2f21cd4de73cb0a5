//! The interfaces file and the state of ifupdown-ng, from ifquery(8).

use crate::kernel::Refusal;
use crate::stanza::Stanzas;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Names of the program. If classic ifupdown is installed as well, the second name belongs to classic ifupdown.
const PROGRAMS: [&str; 2] = ["ifquery-ng", "ifquery"];
/// Its directories; ifupdown-ng 0.12.1 and older do not pass PATH.
const DIRECTORIES: [&str; 4] = ["/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/bin"];

/// Asks for the stanzas of a file. ifquery runs no executor for dependencies meanwhile.
///
/// # Errors
/// ifquery does not exist, or it fails.
pub fn stanzas(file: &Path) -> Result<Stanzas, Refusal> {
    Ok(Stanzas::parse(&ifquery(file, &["-L", "-P"])?))
}

/// The interfaces that are up in the state file of ifupdown-ng.
///
/// # Errors
/// ifquery does not exist, or it fails.
pub fn running(file: &Path) -> Result<BTreeSet<String>, Refusal> {
    Ok(ifquery(file, &["-r"])?.lines().map(|line| line.trim().to_owned()).collect())
}

/// The output of ifquery for a file. With a property, ifquery skips dependencies, for which it would run executors. For
/// a list, it does not matter which property.
fn ifquery(file: &Path, question: &[&str]) -> Result<String, Refusal> {
    let candidates = DIRECTORIES
        .iter()
        .flat_map(|directory| PROGRAMS.iter().map(move |program| Path::new(directory).join(program)));
    // `ifquery-ng` in any directory comes before `ifquery` in any directory.
    let mut found: Vec<PathBuf> = candidates.filter(|path| path.exists()).collect();
    found.sort_by_key(|path| !path.ends_with(PROGRAMS[0]));
    let program = found.first().ok_or_else(|| {
        Refusal::text(format!("there is no {} in {}", PROGRAMS.join(" or "), DIRECTORIES.join(", ")))
    })?;
    let output = Command::new(program)
        .arg("-i")
        .arg(file)
        .args(["-E", "/nonexistent", "-p", "use"])
        .args(question)
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Refusal::io(&error, program.display()))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        let first = words.lines().next().unwrap_or("no reason given");
        return Err(Refusal::text(format!("{} -i {}: {first}", program.display(), file.display())));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

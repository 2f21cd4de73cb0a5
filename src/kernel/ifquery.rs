//! What ifupdown-ng says of the interfaces file, and of its own state (ifquery(8)).

use crate::{kernel::Refusal, stanza::Stanzas};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Names of the program: where classic ifupdown is installed as well, the second one is its.
const PROGRAMS: [&str; 2] = ["ifquery-ng", "ifquery"];
/// Where it is; ifupdown-ng 0.12.1 and older hand over no PATH.
const DIRECTORIES: [&str; 4] = ["/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/bin"];

/// Asks for the stanzas of a file. No executor is asked for dependencies meanwhile.
///
/// # Errors
/// When there is no ifquery, or it fails.
pub fn stanzas(file: &Path) -> Result<Stanzas, Refusal> {
    Ok(Stanzas::parse(&ifquery(file, &["-L", "-P"])?))
}

/// The interfaces that ifupdown-ng has up, by its own account.
///
/// # Errors
/// When there is no ifquery, or it fails.
pub fn running(file: &Path) -> Result<BTreeSet<String>, Refusal> {
    Ok(ifquery(file, &["-r"])?.lines().map(|line| line.trim().to_owned()).collect())
}

/// What ifquery prints of a file. A property makes it leave out dependencies altogether, for which it would run
/// executors; which one does not matter where a list is asked for.
fn ifquery(file: &Path, question: &[&str]) -> Result<String, Refusal> {
    let candidates = DIRECTORIES
        .iter()
        .flat_map(|directory| PROGRAMS.iter().map(move |program| Path::new(directory).join(program)));
    // In every directory the unambiguous name comes first, and before it the one in no other.
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

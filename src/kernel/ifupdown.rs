//! The version and the state of ifupdown-ng, from ifquery(8).

use crate::kernel::Refusal;
use crate::stanza::file::Version;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Names of the program. If classic ifupdown is installed as well, the second name belongs to classic ifupdown.
const PROGRAMS: [&str; 2] = ["ifquery-ng", "ifquery"];
/// Its directories; ifupdown-ng 0.12.1 and older do not pass PATH.
const DIRECTORIES: [&str; 4] = ["/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/bin"];

/// The interfaces that are up in the state file of ifupdown-ng.
///
/// # Errors
/// ifquery does not exist, or it fails.
pub fn running(file: &Path) -> Result<BTreeSet<String>, Refusal> {
    let program = program()?;
    // With a property, ifquery skips dependencies, for which it would run executors. For a list, it does not matter
    // which property.
    let output = Command::new(&program)
        .arg("-i")
        .arg(file)
        .args(["-E", "/nonexistent", "-p", "use", "-r"])
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Refusal::io(&error, program.display()))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        let first = words.lines().next().unwrap_or("no reason given");
        return Err(Refusal::text(format!("{} -i {}: {first}", program.display(), file.display())));
    }
    let words = String::from_utf8_lossy(&output.stdout);
    Ok(words.lines().map(|line| line.trim().to_owned()).collect())
}

/// The version of ifupdown-ng whose files are read. Debian 12's 0.11.4~rc1 calls itself 0.11.3. Without ifquery, or if it
/// is that of classic ifupdown, the most widely installed version.
pub fn version() -> Version {
    let ask = |program| Command::new(program).arg("-V").env_clear().stdin(Stdio::null()).output().ok();
    let output = program().ok().and_then(ask).map(|output| output.stdout).unwrap_or_default();
    version_in(&String::from_utf8_lossy(&output))
}

/// The version in the output of `ifquery -V`. 0.13 has no public source; it is taken for the head, as which it was built.
fn version_in(output: &str) -> Version {
    let version = output.lines().find_map(|line| line.strip_prefix("ifupdown-ng "));
    let mut numbers = version.into_iter().flat_map(|version| version.trim().split('.'));
    let mut number = || numbers.next().and_then(|number| number.parse::<u32>().ok());
    match (number(), number()) {
        (Some(0), Some(..=11)) => Version::V0_11,
        (Some(0), Some(12)) | (None, _) | (_, None) => Version::V0_12,
        _ => Version::Head,
    }
}

fn program() -> Result<PathBuf, Refusal> {
    let candidates = DIRECTORIES
        .iter()
        .flat_map(|directory| PROGRAMS.iter().map(move |program| Path::new(directory).join(program)));
    // `ifquery-ng` in any directory comes before `ifquery` in any directory.
    let mut found: Vec<PathBuf> = candidates.filter(|path| path.exists()).collect();
    found.sort_by_key(|path| !path.ends_with(PROGRAMS[0]));
    found.into_iter().next().ok_or_else(|| {
        Refusal::text(format!("there is no {} in {}", PROGRAMS.join(" or "), DIRECTORIES.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_those_of_the_rules() {
        for (output, version) in [
            ("ifupdown-ng 0.11.3\n", Version::V0_11),
            ("ifupdown-ng 0.12.1\n\nCopyright (c) 2020\n", Version::V0_12),
            ("ifupdown-ng 0.13.0\n", Version::Head),
            ("ifquery version 0.8.44\n", Version::V0_12),
            ("", Version::V0_12),
        ] {
            assert_eq!(version_in(output), version, "{output:?}");
        }
    }
}

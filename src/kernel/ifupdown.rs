//! The programs of ifupdown-ng: where they are, and their version.

use crate::kernel::Refusal;
use crate::stanza::file::Version;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The directories of the programs; ifupdown-ng 0.12.1 and older do not pass PATH.
const DIRECTORIES: [&str; 4] = ["/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/bin"];

/// The version of ifupdown-ng whose files are read. Debian 12's 0.11.4~rc1 calls itself 0.11.3. Without ifquery, or if it
/// is that of classic ifupdown, the most widely installed version.
pub fn version() -> Version {
    let ask = |program| Command::new(program).arg("-V").env_clear().stdin(Stdio::null()).output().ok();
    let output = program("ifquery").ok().and_then(ask).map(|output| output.stdout).unwrap_or_default();
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

/// The program of this name: `ifup`, `ifdown` or `ifquery`. If classic ifupdown is installed as well, that name belongs
/// to classic ifupdown, and the program of ifupdown-ng is `NAME-ng`.
///
/// # Errors
/// There is none.
pub fn program(name: &str) -> Result<PathBuf, Refusal> {
    let names = [format!("{name}-ng"), name.to_owned()];
    // `NAME-ng` in any directory comes before `NAME` in any directory.
    let paths = names.iter().flat_map(|name| DIRECTORIES.map(|directory| Path::new(directory).join(name)));
    paths.into_iter().find(|path| path.exists()).ok_or_else(|| {
        Refusal::text(format!("there is no {} in {}", names.join(" or "), DIRECTORIES.join(", ")))
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

//! The programs of ifupdown-ng: where they are, and their version. And the scripts that it runs.

use crate::kernel::Refusal;
use crate::stanza::Phase;
use crate::stanza::file::Version;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

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

/// The names of the processes that bring interfaces up and down.
const RUNNING: [&str; 4] = ["ifup", "ifdown", "ifup-ng", "ifdown-ng"];
/// OpenRC starts the service `networking`, which runs ifup for one interface after the other.
const STARTING: &str = "/run/openrc/starting/networking";

/// Whether an ifup or ifdown of root runs in this network namespace, or OpenRC starts them. Any user can give a process
/// such a name.
pub fn is_running() -> bool {
    let own = fs::read_link("/proc/self/ns/net").ok();
    let is_one = |directory: PathBuf| {
        let name = fs::read_to_string(directory.join("comm")).unwrap_or_default();
        RUNNING.contains(&name.trim_end())
            && fs::metadata(&directory).is_ok_and(|found| found.uid() == 0)
            && fs::read_link(directory.join("ns/net")).ok() == own
    };
    let mut processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    Path::new(STARTING).exists() || processes.any(|process| is_one(process.path()))
}

/// The program that ifupdown-ng runs for the scripts of a phase.
const RUN_PARTS: &str = "/bin/run-parts";
/// How long ifupdown-ng waits for it. 0.11 waits without a limit.
const LIMIT: Duration = Duration::from_secs(300);
/// PATH in the environment of executors and scripts, since 0.13.
const PATH: &str = "/usr/bin:/bin:/usr/sbin:/sbin";

/// The directory with the scripts of a phase; `None` if there are none.
pub fn scripts(phase: Phase) -> Option<PathBuf> {
    let directory = PathBuf::from(format!("/etc/network/if-{phase}.d"));
    let has_any = fs::read_dir(&directory).is_ok_and(|mut entries| entries.next().is_some());
    has_any.then_some(directory)
}

/// Whether there are scripts of any phase.
pub fn has_scripts() -> bool {
    Phase::UP.into_iter().chain(Phase::DOWN).any(|phase| scripts(phase).is_some())
}

/// Runs the scripts of a directory as ifupdown-ng does (lifecycle.c, execute.c), with these variables and no others.
/// What they print goes to stderr.
///
/// # Errors
/// `run-parts` cannot be started. A script fails: `run-parts` has printed its name. Or all together take longer than
/// 300 s. Then `run-parts` is killed, and the script continues.
pub fn run_scripts(directory: &Path, variables: &[(String, String)]) -> Result<(), Refusal> {
    let mut command = Command::new(RUN_PARTS);
    command.arg(directory).env_clear().stdout(io::stderr());
    if version() == Version::Head {
        command.env("PATH", PATH);
    }
    let child = command.envs(variables.iter().map(|(name, value)| (name, value))).spawn();
    let mut child = child.map_err(|error| Refusal::io(&error, RUN_PARTS))?;
    let ended = wait(&mut child, LIMIT).map_err(|error| Refusal::io(&error, RUN_PARTS))?;
    match ended {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(Refusal::text(status.to_string())),
        None => Err(Refusal::text(format!("it did not end within {} s", LIMIT.as_secs()))),
    }
}

/// Waits until a process ends. If that takes too long, it is killed, and there is no status.
fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let begun = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if begun.elapsed() >= limit {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_does_not_end_is_killed() -> io::Result<()> {
        let begun = Instant::now();
        let mut process = Command::new("sleep").arg("600").spawn()?;
        assert_eq!(wait(&mut process, Duration::from_millis(20))?, None);
        assert!(process.try_wait()?.is_some() && begun.elapsed() < Duration::from_secs(60));
        let mut process = Command::new("sh").args(["-c", "exit 7"]).spawn()?;
        assert_eq!(wait(&mut process, LIMIT)?.and_then(|status| status.code()), Some(7));
        Ok(())
    }

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

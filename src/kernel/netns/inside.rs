//! Runs the real ifup and ifdown inside a namespace.
//!
//! They need their own mount namespace, and a process cannot return from it. So this program starts itself again, and
//! that process then executes ifup.

use crate::kernel::netns::{id, open};
use crate::kernel::run_dir::RunDir;
use crate::kernel::{Refusal, trust};
use crate::plan::op::Nested;
use crate::state::NetnsId;
use crate::values::NetnsRef;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The first argument of the process that executes ifup.
pub const ARGUMENT: &str = "--inside";
/// The PATH in which ifup is looked for, and which ifup gets.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";
/// The state file of ifup within the directory of the namespace; its locks begin with the same name.
const STATE: &str = "ifstate";

/// Runs ifup or ifdown and waits for it. Its output goes where our own messages go. The executors are those in `executors`
/// if the stock ones are there too, otherwise those in the usual directory of ifupdown-ng.
///
/// # Errors
/// It cannot be run, or it fails. It may have made some of its changes.
pub fn run(nested: &Nested, executors: Option<&Path>) -> Result<(), Refusal> {
    // The commands in the file run as root.
    let file = trust::file(&nested.file).map_err(Refusal::text)?;
    let inode = id(&nested.netns, &open(&nested.netns)?)?.inode;
    let state = RunDir::of(inode)?.join(STATE);
    let program = program(nested.up, PATH)?;
    let executors = executors.filter(|at| at.join("link").exists());
    let outcome = Command::new("/proc/self/exe")
        .args([ARGUMENT.into(), nested.netns.path().into_os_string(), name(&nested.netns).into()])
        .args([program.as_os_str(), "-a".as_ref(), "-i".as_ref(), file.as_os_str()])
        .args(["-S".as_ref(), state.as_os_str()])
        .args(executors.into_iter().flat_map(|at| ["-E".as_ref(), at.as_os_str()]))
        .env_clear()
        .env("PATH", PATH)
        .stdin(Stdio::null())
        .status()
        .map_err(|error| Refusal::io(&error, program.display()))?;
    if outcome.success() {
        if !nested.up {
            RunDir::forget(inode, STATE);
        }
        return Ok(());
    }
    let text = format!("{} failed with {outcome}; see its output above", program.display());
    Err(Refusal { answer_lost: true, ..Refusal::text(text) })
}

/// Deletes the state file of ifup for a namespace.
pub fn forget(netns: NetnsId) {
    RunDir::forget(netns.inode, STATE);
}

/// The name under which ip-netns(8) looks for files in `/etc/netns`; empty for a process or a path.
fn name(netns: &NetnsRef) -> &str {
    match netns {
        NetnsRef::Name(name) => name,
        NetnsRef::Pid(_) | NetnsRef::Path(_) => "",
    }
}

/// The path of ifup or ifdown. If another program has that name, ifupdown-ng's name ends in `-ng`.
fn program(up: bool, directories: &str) -> Result<PathBuf, Refusal> {
    let name = if up { "ifup" } else { "ifdown" };
    let names = [format!("{name}-ng"), name.to_owned()];
    let mut found =
        names.iter().flat_map(|name| directories.split(':').map(move |at| Path::new(at).join(name)));
    found
        .find(|path| path.exists())
        .ok_or_else(|| Refusal::text(format!("there is neither {name}-ng nor {name} in {directories}")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

//! The process that enters a namespace and then runs ifup.

use crate::kernel::netns;
use crate::kernel::netns::inside::ARGUMENT;
use crate::plan::netns::interfaces::ETC;
use crate::program::message::complain;
use crate::values::{NAMED, NetnsRef};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::statvfs::{FsFlags, statvfs};
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Enters a namespace and executes a program there. The arguments are the namespace's file, its name (may be empty),
/// the program, and the program's arguments. Returns only if this fails.
pub fn become_inside(arguments: &[OsString]) -> ExitCode {
    let outcome = match arguments {
        [netns, name, program, rest @ ..] => match enter(Path::new(netns), Path::new(name)) {
            Ok(()) => Command::new(program).args(rest).exec().to_string(),
            Err(error) => error,
        },
        _ => "for internal use only".to_owned(),
    };
    complain(&format_args!("{ARGUMENT}: {outcome}"));
    ExitCode::FAILURE
}

/// Does what `ip netns exec` does: `/sys` shows the namespace, and the files of `/etc/netns/NAME` are mounted over
/// those in `/etc`.
///
/// Unlike with `ip netns exec`, the mounts of named namespaces stay shared: a named namespace that is made inside is
/// visible outside.
fn enter(netns: &Path, name: &Path) -> Result<(), String> {
    const NONE: Option<&str> = None;
    let at = |path: &Path| format!("{}: ", path.display());
    let file = netns::open(&NetnsRef::Path(netns.to_owned())).map_err(|refusal| refusal.to_string())?;
    setns(&file, CloneFlags::CLONE_NEWNET).map_err(|errno| at(netns) + errno.desc())?;
    unshare(CloneFlags::CLONE_NEWNS).map_err(|errno| errno.desc().to_owned())?;
    enslave_mounts(!name.as_os_str().is_empty())?;
    let read_only = statvfs("/sys").is_ok_and(|found| found.flags().contains(FsFlags::ST_RDONLY));
    let flags = if read_only { MsFlags::MS_RDONLY } else { MsFlags::empty() };
    mount(Some("sysfs"), "/sys", Some("sysfs"), flags, NONE)
        .map_err(|errno| "/sys: ".to_owned() + errno.desc())?;
    if name.as_os_str().is_empty() {
        return Ok(());
    }
    for entry in fs::read_dir(Path::new(ETC).join(name)).into_iter().flatten().flatten() {
        let (source, target) = (entry.path(), Path::new("/etc").join(entry.file_name()));
        // As `ip netns exec` does: the other files are mounted all the same.
        if let Err(errno) = mount(Some(&source), &target, NONE, MsFlags::MS_BIND, NONE) {
            let (source, target) = (source.display(), target.display());
            complain(&format_args!("warning: cannot bind {source} to {target}: {}", errno.desc()));
        }
    }
    Ok(())
}

/// Keeps mounts that are made in this mount namespace from appearing outside. Every mount becomes a slave, also a mount
/// that a link in `/etc` leads to. Only the directory of the named namespaces, and the mounts in it, stay shared. If
/// that directory is not a mount yet and nothing in `/etc` is covered, the mount that contains it stays shared too.
fn enslave_mounts(covers_etc: bool) -> Result<(), String> {
    const TABLE: &str = "/proc/thread-self/mountinfo";
    let table = fs::read(TABLE).map_err(|error| format!("{TABLE}: {error}"))?;
    let mounts: Vec<(PathBuf, bool)> = table.split(|byte| *byte == b'\n').filter_map(mount_point).collect();
    let named = Path::new(NAMED);
    let holder = mounts.iter().map(|(path, _)| path).filter(|path| named.starts_with(path)).max();
    let holder = holder.filter(|holder| *holder == named || !covers_etc).cloned();
    for (path, is_autofs) in mounts {
        // Accessing an autofs mount could trigger a mount there, and wait for it.
        if is_autofs || path.starts_with(named) || Some(&path) == holder.as_ref() {
            continue;
        }
        match mount(None::<&str>, &path, None::<&str>, MsFlags::MS_SLAVE, None::<&str>) {
            // The mount is hidden below another mount.
            Ok(()) | Err(Errno::EINVAL | Errno::ENOENT | Errno::ENOTDIR | Errno::EACCES) => {}
            Err(errno) => return Err(format!("{}: {}", path.display(), errno.desc())),
        }
    }
    Ok(())
}

/// The mount point of a line of mountinfo (proc(5)), and whether it is an autofs mount.
fn mount_point(line: &[u8]) -> Option<(PathBuf, bool)> {
    let mut words = line.split(|byte| *byte == b' ');
    let mut escaped = words.nth(4)?;
    let mut path = Vec::new();
    while let [byte, rest @ ..] = escaped {
        // An escape such as \040.
        let octal =
            rest.get(..3).and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        escaped = if let Some(special) = octal.filter(|_| *byte == b'\\') {
            path.push(special);
            &rest[3..]
        } else {
            path.push(*byte);
            rest
        };
    }
    let is_autofs = words.skip_while(|word| *word != b"-").nth(1) == Some(b"autofs");
    Some((PathBuf::from(OsString::from_vec(path)), is_autofs))
}

#[cfg(test)]
mod tests;

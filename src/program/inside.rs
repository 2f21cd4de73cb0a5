//! Enters a namespace as `ip netns exec` does, and executes a program there.

use crate::kernel::mounts::{self, Mount};
use crate::kernel::netns::inside::ARGUMENT;
use crate::kernel::{Refusal, netns};
use crate::plan::netns::interfaces::ETC;
use crate::program::message::complain;
use crate::values::{NAMED, NetnsRef};
use nix::errno::Errno;
use nix::fcntl::{self, OFlag};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::stat::{Mode, umask};
use nix::sys::statvfs::{FsFlags, statvfs};
use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const NONE: Option<&str> = None;
const SYS: &str = "/sys";
const AUTOFS: &str = "autofs";
/// The control groups of this process.
const GROUPS: &str = "/proc/thread-self/cgroup";
/// The part of a control group before the name of its VRF.
const VRFS: &str = "/vrf/";

/// The write permission of group and others.
const WRITE_BY_OTHERS: Mode = Mode::S_IWGRP.union(Mode::S_IWOTH);

/// Enters a namespace and executes ifup or ifdown there. The arguments are the namespace's file, its name (may be
/// empty), the program, and the program's arguments. Returns only if this fails.
pub fn become_inside(arguments: &[OsString]) -> ExitCode {
    let outcome = match arguments {
        [netns, name, program, rest @ ..] => {
            let name = Some(name.as_os_str()).filter(|name| !name.is_empty());
            let file = netns::open(&NetnsRef::Path(PathBuf::from(netns)));
            match file.and_then(|file| enter(&file, name, Named::CanBegin)) {
                Ok(warnings) => {
                    for line in warnings {
                        complain(&format_args!("warning: {line}"));
                    }
                    // ifup makes its state file, which is in our directory, as the umask says.
                    umask(umask(Mode::empty()) | WRITE_BY_OTHERS);
                    Command::new(program).args(rest).exec().to_string()
                }
                Err(refusal) => refusal.to_string(),
            }
        }
        _ => "for internal use only".to_owned(),
    };
    complain(&format_args!("{ARGUMENT}: {outcome}"));
    ExitCode::FAILURE
}

/// Which mounts of named namespaces that are made inside are visible outside too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// All, if their directory is a mount of its own. Otherwise none.
    IfMounted,
    /// All. If their directory is not a mount yet, and nothing in `/etc` is replaced, then all mounts in the mount that
    /// contains the directory are visible outside.
    CanBegin,
}

/// Enters a namespace as `ip netns exec` does: `/sys` shows the namespace, and the files of `/etc/netns/NAME` are
/// mounted over those in `/etc`. Returns warnings.
///
/// Unlike with `ip netns exec`, the mounts of named namespaces stay shared: a named namespace that is made inside is
/// visible outside. And what is mounted below `/sys`, such as the control groups, is there inside too.
///
/// # Errors
/// The kernel refuses, or it is not a network namespace. The process may then be partly inside.
pub fn enter(netns: &File, name: Option<&OsStr>, named: Named) -> Result<Vec<String>, Refusal> {
    setns(netns, CloneFlags::CLONE_NEWNET).map_err(|errno| match errno {
        Errno::EINVAL => Refusal::text("not a network namespace"),
        errno => refusal(errno, "setns"),
    })?;
    unshare(CloneFlags::CLONE_NEWNS).map_err(|errno| refusal(errno, "unshare"))?;
    let mounts = mounts::all()?;
    let mut warnings = Vec::new();
    warnings.extend(leave_vrf(&mounts));
    enslave(&mounts, named == Named::CanBegin && name.is_none())?;
    warnings.extend(show_in_sys(&mounts)?);
    let replaced = name.map(|name| fs::read_dir(Path::new(ETC).join(name)));
    for entry in replaced.into_iter().flatten().flatten().flatten() {
        // As `ip netns exec` does: the other files are mounted all the same.
        let target = Path::new("/etc").join(entry.file_name());
        warnings.extend(bind(&entry.path(), &target, &entry.path()).err().map(|(_, line)| line));
    }
    Ok(warnings)
}

/// The refusal of a step. These need another capability than netlink messages.
fn refusal(errno: Errno, about: impl Display) -> Refusal {
    match errno {
        Errno::EPERM => {
            Refusal::text(format!("{} (EPERM): {about}; this needs root (CAP_SYS_ADMIN)", errno.desc()))
        }
        errno => Refusal::io(&errno.into(), about),
    }
}

/// Keeps mounts that are made in this mount namespace from appearing outside. Every mount becomes a slave, also a mount
/// that a link in `/etc` leads to. Only the directory of the named namespaces, and the mounts in it, stay shared, and on
/// request the mount that contains this directory.
fn enslave(mounts: &[Mount], keeps_holder: bool) -> Result<(), Refusal> {
    let named = Path::new(NAMED);
    let holder = mounts.iter().map(|mount| &mount.point).filter(|point| named.starts_with(point)).max();
    let holder = holder.filter(|_| keeps_holder);
    for Mount { point, kind, .. } in mounts {
        // Accessing an autofs mount could trigger a mount there, and wait for it.
        if kind == AUTOFS || point.starts_with(named) || Some(point) == holder {
            continue;
        }
        match mount(NONE, point, NONE, MsFlags::MS_SLAVE, NONE) {
            // The mount is hidden below another mount.
            Ok(()) | Err(Errno::EINVAL | Errno::ENOENT | Errno::ENOTDIR | Errno::EACCES) => {}
            Err(errno) => return Err(refusal(errno, point.display())),
        }
    }
    Ok(())
}

/// Mounts a `/sys` that shows the namespace over the present one, with the options of that one. A read-only one must not
/// become writable. What is mounted below the present one is mounted below the new one too: the control groups, and what
/// a container runtime hides. Returns warnings.
fn show_in_sys(mounts: &[Mount]) -> Result<Vec<String>, Refusal> {
    let present = mounts.iter().rfind(|mount| mount.point == Path::new(SYS));
    let is_below = |mount: &&Mount| present.is_some_and(|present| mount.parent == present.id);
    let below = mounts.iter().filter(is_below).filter(|mount| mount.kind != AUTOFS);
    // Once the present one is covered, these paths lead elsewhere.
    let handle = |path: &Path| fcntl::open(path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty());
    let below: Vec<(&Path, OwnedFd)> =
        below.filter_map(|mount| Some((mount.point.as_path(), handle(&mount.point).ok()?))).collect();
    let found = statvfs(SYS).map_or(FsFlags::empty(), |found| found.flags());
    let options = [
        (FsFlags::ST_RDONLY, MsFlags::MS_RDONLY),
        (FsFlags::ST_NOSUID, MsFlags::MS_NOSUID),
        (FsFlags::ST_NODEV, MsFlags::MS_NODEV),
        (FsFlags::ST_NOEXEC, MsFlags::MS_NOEXEC),
    ];
    let options = options.into_iter().filter(|(option, _)| found.contains(*option));
    let options = options.map(|(_, option)| option).collect();
    match mount(Some("sysfs"), SYS, Some("sysfs"), options, NONE) {
        Ok(()) => {}
        // The present one shows the namespace already.
        Err(Errno::EBUSY) => return Ok(Vec::new()),
        Err(errno) => return Err(refusal(errno, SYS)),
    }
    let bound = below.iter().map(|(path, handle)| {
        let source = format!("/proc/self/fd/{}", handle.as_raw_fd());
        match bind(Path::new(&source), path, path) {
            // The directory of a link that is not in this namespace.
            Ok(()) | Err((Errno::ENOENT, _)) => None,
            Err((_, line)) => Some(line),
        }
    });
    Ok(bound.flatten().collect())
}

/// Mounts a file, or a directory with what is mounted in it, at another path. The error has a text, which names the
/// file as `name`.
fn bind(source: &Path, target: &Path, name: &Path) -> Result<(), (Errno, String)> {
    mount(Some(source), target, NONE, MsFlags::MS_BIND | MsFlags::MS_REC, NONE).map_err(|errno| {
        (errno, format!("cannot bind {} to {}: {}", name.display(), target.display(), errno.desc()))
    })
}

/// Leaves the control group by which `ip vrf exec` binds the sockets of its processes to a VRF: they would be bound to
/// an index of another namespace. iproute2 does the same (ip/ipvrf.c `vrf_reset`). Returns a warning.
fn leave_vrf(mounts: &[Mount]) -> Option<String> {
    let groups = fs::read_to_string(GROUPS).unwrap_or_default();
    let (vrfs, vrf) = groups.lines().find_map(vrf_group)?;
    let within = |mount: &Mount| Some(mount.point.join(Path::new(vrfs).strip_prefix(&mount.root).ok()?));
    let Some(place) = mounts.iter().filter(|mount| mount.kind == "cgroup2").find_map(within) else {
        return Some(format!("cannot leave VRF {vrf}: cgroup2 is not mounted"));
    };
    let place = place.join("cgroup.procs");
    // 0 is the process that writes.
    let outcome = OpenOptions::new().write(true).open(&place).and_then(|mut file| file.write_all(b"0"));
    outcome.err().map(|error| format!("cannot leave VRF {vrf}: {}: {error}", place.display()))
}

/// The control group of all VRFs and the name of the VRF, from a line of a process in a VRF (cgroups(7),
/// `/proc/PID/cgroup`; ip/ipvrf.c `vrf_identify`).
fn vrf_group(line: &str) -> Option<(&str, &str)> {
    let path = line.strip_prefix("0::")?;
    let (before, vrf) = path.split_once(VRFS)?;
    Some((&path[..before.len() + VRFS.len() - 1], vrf))
}

#[cfg(test)]
mod tests;

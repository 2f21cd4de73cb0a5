//! Reads and writes kernel parameters as files below `/proc/sys`, and nowhere else.

use crate::kernel::Refusal;
use crate::state::Sysctl;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::Mode;
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Component, Path};

/// More bytes than any parameter has: a list of all ports has 380 thousand bytes.
const LONGEST: usize = 1 << 19;
/// The directory of all parameters.
const ROOT: &str = "/proc/sys";

/// The value of a parameter, without the line end; `None` if the kernel has no such parameter.
///
/// # Errors
/// The kernel does not show it.
pub(super) fn read(key: &Sysctl) -> Result<Option<String>, Refusal> {
    let refuse = |error: &std::io::Error| Refusal::io(error, key);
    let mut file = match find(key, OFlag::O_RDONLY) {
        Err(refusal) if refusal.errno == Some(Errno::ENOENT) => return Ok(None),
        found => found?,
    };
    // Some parameters return only as much as fits in the first read (kernel/sysctl.c `proc_do_large_bitmap`).
    let (mut bytes, mut length) = (vec![0; LONGEST], 0);
    loop {
        match file.read(&mut bytes[length..]).map_err(|error| refuse(&error))? {
            0 => break,
            more => length += more,
        }
    }
    if length == LONGEST {
        return Err(refuse(&Errno::EFBIG.into()));
    }
    Ok(Some(String::from_utf8_lossy(&bytes[..length]).trim_end().to_owned()))
}

/// Sets a parameter.
///
/// # Errors
/// The kernel refuses.
pub(super) fn write(key: &Sysctl, value: &str) -> Result<(), Refusal> {
    let path = key.path();
    let written = find(key, OFlag::O_WRONLY)?.write_all(value.as_bytes());
    written.map_err(|error| Refusal::io(&error, path.display()))
}

fn find(key: &Sysctl, flags: OFlag) -> Result<File, Refusal> {
    let path = key.path();
    let refuse = |errno: Errno| Refusal::io(&errno.into(), path.display());
    let directory = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let root = open(ROOT, directory, Mode::empty()).map_err(refuse)?;
    let below = path.strip_prefix(ROOT).map_err(|_| refuse(Errno::EINVAL))?;
    let file = beneath(root, below, flags | OFlag::O_NONBLOCK).map_err(refuse)?;
    // The file itself is checked: another file system may be mounted over it, or over a directory of its path.
    if fstatfs(&file).map_err(refuse)?.filesystem_type() != PROC_SUPER_MAGIC {
        return Err(Refusal::text(format!("{}: not on a proc file system", path.display())));
    }
    Ok(file)
}

/// Opens a file below a directory: no part of the path may be `..` or a link.
fn beneath(root: OwnedFd, path: &Path, flags: OFlag) -> Result<File, Errno> {
    let on_the_way = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let (mut at, mut parts) = (root, path.components().peekable());
    while let Some(part) = parts.next() {
        let Component::Normal(name) = part else { return Err(Errno::EINVAL) };
        if parts.peek().is_none() {
            let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            return openat(&at, name, flags, Mode::empty()).map(File::from);
        }
        at = openat(&at, name, on_the_way, Mode::empty())?;
    }
    Err(Errno::EINVAL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::symlink};

    #[test]
    fn nothing_leads_out_of_the_directory() {
        let top = std::env::temp_dir().join(format!("ifnl-beneath-{}", std::process::id()));
        let root = top.join("sys");
        fs::create_dir_all(root.join("net")).unwrap();
        fs::write(top.join("secret"), "secret").unwrap();
        fs::write(root.join("net/value"), "1").unwrap();
        symlink("../../secret", root.join("net/link")).unwrap();
        symlink("..", root.join("net/up")).unwrap();
        let open = |path: &str| {
            let root = open(&root, OFlag::O_PATH | OFlag::O_DIRECTORY, Mode::empty()).unwrap();
            beneath(root, Path::new(path), OFlag::O_RDONLY).map(drop)
        };
        assert_eq!(open("net/value"), Ok(()));
        assert_eq!(open("net/link"), Err(Errno::ELOOP));
        assert_eq!(open("net/up/net/value"), Err(Errno::ENOTDIR));
        for path in ["net/../../secret", "../secret", "/etc/passwd", "", "."] {
            assert_eq!(open(path), Err(Errno::EINVAL), "{path}");
        }
        assert_eq!(open("net/none"), Err(Errno::ENOENT));
        fs::remove_dir_all(top).unwrap();
    }
}

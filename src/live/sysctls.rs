//! Kernel parameters as files: read and written below `/proc/sys`, and nowhere else.

use crate::{apply::Refusal, op::Sysctl};
use nix::{
    errno::Errno,
    fcntl::{OFlag, open, openat},
    sys::{
        stat::Mode,
        statfs::{PROC_SUPER_MAGIC, fstatfs},
    },
};
use std::{
    fs::File,
    io::{Read as _, Write as _},
    os::fd::OwnedFd,
    path::{Component, Path},
};

/// Where all of them are.
const ROOT: &str = "/proc/sys";

/// The value of a parameter, without the end of its line; `None` if the kernel has none of that name.
///
/// # Errors
/// When it does not tell.
pub(super) fn read(key: &Sysctl) -> Result<Option<String>, Refusal> {
    let mut value = String::new();
    let read = find(key, OFlag::O_RDONLY).map_err(std::io::Error::from);
    match read.and_then(|mut file| file.read_to_string(&mut value)) {
        Ok(_) => Ok(Some(value.trim_end().to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Refusal::io(&error, key)),
    }
}

/// Sets a parameter.
///
/// # Errors
/// When the kernel refuses.
pub(super) fn write(key: &Sysctl, value: &str) -> Result<(), Refusal> {
    let file = find(key, OFlag::O_WRONLY).map_err(std::io::Error::from);
    file.and_then(|mut file| file.write_all(value.as_bytes()))
        .map_err(|error| Refusal::io(&error, key.path().display()))
}

fn find(key: &Sysctl, flags: OFlag) -> Result<File, Errno> {
    let directory = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let root = open(ROOT, directory, Mode::empty())?;
    if fstatfs(&root)?.filesystem_type() != PROC_SUPER_MAGIC {
        return Err(Errno::ENODEV);
    }
    let path = key.path();
    beneath(root, path.strip_prefix(ROOT).map_err(|_| Errno::EINVAL)?, flags)
}

/// Opens a file below a directory: no part of the way may lead up or be a link.
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

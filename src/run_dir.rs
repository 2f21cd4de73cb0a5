//! Our directory under `/run`: records, one subdirectory for each network namespace.
//!
//! It is written by root on behalf of stanzas, so it is trusted only if nobody else can write there.

use crate::{
    apply::Refusal,
    op::{DIRECTORY, Record},
};
use std::{
    fs::{self, DirBuilder},
    io::{self, ErrorKind},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::{Path, PathBuf},
};

/// The directory of one network namespace.
#[derive(Debug)]
pub struct RunDir(PathBuf);

impl RunDir {
    /// The directory of the calling thread's namespace, not made until it is needed.
    fn path() -> Result<PathBuf, Refusal> {
        let own = Path::new("/proc/thread-self/ns/net");
        let inode = fs::metadata(own).map_err(|error| Refusal::io(&error, own.display()))?.ino();
        Ok(Path::new(DIRECTORY).join(format!("netns-{inode}")))
    }

    /// The directory of the calling thread's namespace, made if it is missing.
    ///
    /// # Errors
    /// When it cannot be made, or somebody else could write there.
    pub fn open() -> Result<Self, Refusal> {
        let path = Self::path()?;
        make_private(Path::new(DIRECTORY))?;
        make_private(&path)?;
        Ok(Self(path))
    }

    /// Reads a record of the calling thread's namespace.
    ///
    /// # Errors
    /// When it exists and cannot be read.
    pub fn read(record: &Record) -> Result<Option<String>, Refusal> {
        let path = Self::path()?.join(record.file_name());
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Refusal::io(&error, path.display())),
        }
    }

    /// Writes a record, whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, record: &Record, value: &str) -> Result<(), Refusal> {
        let path = self.0.join(record.file_name());
        let new = self.0.join(format!("{}.new", record.file_name()));
        fs::write(&new, value)
            .and_then(|()| fs::rename(&new, &path))
            .map_err(|error| Refusal::io(&error, path.display()))
    }

    /// Forgets a record, and with the last one the directory: after `ifdown` nothing is left.
    ///
    /// # Errors
    /// When it exists and cannot be removed.
    pub fn remove(&self, record: &Record) -> Result<(), Refusal> {
        let path = self.0.join(record.file_name());
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(Refusal::io(&error, path.display()));
            }
            _ => {}
        }
        // They stay as long as they hold anything else.
        let _ = fs::remove_dir(&self.0).and_then(|()| fs::remove_dir(DIRECTORY));
        Ok(())
    }
}

/// Makes a directory that only its owner can write, or checks that it is one.
fn make_private(path: &Path) -> Result<(), Refusal> {
    let refuse = |error: io::Error| Refusal::io(&error, path.display());
    match DirBuilder::new().mode(0o755).create(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(refuse(error)),
        _ => {}
    }
    let found = fs::symlink_metadata(path).map_err(refuse)?;
    let private =
        found.is_dir() && found.uid() == nix::unistd::geteuid().as_raw() && found.mode() & 0o022 == 0;
    if private {
        Ok(())
    } else {
        Err(Refusal::text(format!("{}: not a directory of our own", path.display())))
    }
}

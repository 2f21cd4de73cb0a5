//! Our directory under `/run`: records, one subdirectory for each network namespace.
//!
//! It is written by root on behalf of stanzas, so it is trusted only if nobody else can write there.

use crate::{
    apply::Refusal,
    op::{DIRECTORY, Record},
};
use nix::errno::Errno;
use std::{
    fs::{self, DirBuilder},
    io::{self, ErrorKind},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::{Path, PathBuf},
};

/// How often to make the directories while others delete them.
const ATTEMPTS: usize = 100;

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
        for _ in 1..ATTEMPTS {
            match Self::make(&path) {
                // Another run that had nothing left to remember deleted the one or the other just now.
                Err(refusal) if refusal.errno == Some(Errno::ENOENT) => {}
                made => return made,
            }
        }
        Self::make(&path)
    }

    fn make(path: &Path) -> Result<Self, Refusal> {
        make_private(Path::new(DIRECTORY))?;
        make_private(path)?;
        Ok(Self(path.to_owned()))
    }

    /// The file that [`crate::lock`] locks.
    pub(crate) fn lock_path(&self) -> PathBuf {
        self.0.join("lock")
    }

    /// Deletes the lock file and, if no record is left, the directories. To be called by who holds the lock.
    pub(crate) fn remove_if_empty_but_for_lock(&self) {
        // What cannot be deleted does no harm, and is deleted by the next run.
        let _ = fs::remove_file(self.lock_path());
        let _ = fs::remove_dir(&self.0).and_then(|()| fs::remove_dir(DIRECTORY));
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

    /// Forgets a record.
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

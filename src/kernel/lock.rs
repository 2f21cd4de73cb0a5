//! Keeps two runs in one network namespace apart.
//!
//! The lock is a file that only root can open: a lock on something that everybody can open (the namespace's
//! own file, a directory) could be held by everybody. It is deleted by whoever holds it, so that nothing is
//! left; what a killed run leaves is taken over by the next.

use crate::kernel::{Refusal, run_dir::RunDir};
use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg, OFlag},
};
use std::{
    fs::{File, OpenOptions},
    io::ErrorKind,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::Path,
    time::{Duration, Instant},
};

/// How long to wait for another run; each holds the lock for some milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often to look.
const INTERVAL: Duration = Duration::from_millis(10);

/// Held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    _file: Flock<File>,
    directory: RunDir,
}

impl Lock {
    /// The directory that the lock is in, checked when it was taken: that of the namespace it was taken in.
    pub fn directory(&self) -> &RunDir {
        &self.directory
    }

    /// As dropping it, where the process ends next: the file, which has no name any more, is left for the kernel to close.
    pub fn leave(self) {
        self.directory.remove_if_empty_but_for_lock();
        std::mem::forget(self);
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.directory.remove_if_empty_but_for_lock();
    }
}

/// Waits until no other run holds the lock of the calling thread's namespace, and takes it.
///
/// # Errors
/// When that takes longer than half a minute, or the file cannot be made.
pub fn own_namespace() -> Result<Lock, Refusal> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let directory = RunDir::open()?;
        if let Some(file) = attempt(&directory.lock_path())? {
            return Ok(Lock { _file: file, directory });
        }
        std::thread::sleep(INTERVAL);
    }
    Err(Refusal::text(format!("another run has held the lock for {} s", PATIENCE.as_secs())))
}

/// Takes the lock unless somebody holds it, or deletes the file just now.
fn attempt(path: &Path) -> Result<Option<Flock<File>>, Refusal> {
    let refuse = |error: std::io::Error| Refusal::io(&error, path.display());
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600).custom_flags(OFlag::O_NOFOLLOW.bits());
    let file = match options.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refuse(error)),
    };
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) if lock.metadata().map_err(refuse)?.nlink() > 0 => Ok(Some(lock)),
        // Deleted by the one who held it, between our opening and locking it.
        Ok(_) | Err((_, Errno::EAGAIN)) => Ok(None),
        Err((_, errno)) => Err(Refusal { text: Some(path.display().to_string()), ..Refusal::errno(errno) }),
    }
}

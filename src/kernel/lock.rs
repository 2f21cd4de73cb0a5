//! Keeps two runs from changing the same network namespace at the same time.
//!
//! The lock is a file that only root can open. Any user could hold a lock on a file that everybody can open, such as
//! the namespace's own file or a directory. The holder deletes the file at the end. The next run takes over a file that
//! a killed run left.

use crate::kernel::Refusal;
use crate::kernel::run_dir::RunDir;
use crate::state::Record;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};
use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long to wait for another run; each holds the lock for some milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often to try.
const INTERVAL: Duration = Duration::from_millis(10);

/// Held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    _file: Flock<File>,
    directory: RunDir,
}

impl Lock {
    /// The directory of the lock: that of the namespace in which it was taken. It was checked then.
    pub fn directory(&self) -> &RunDir {
        &self.directory
    }

    /// Like dropping it, for a process that ends next: the kernel closes the file, which has no name any more.
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
/// That takes longer than half a minute, or the file cannot be made.
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

/// Opens a file to be locked, which is made if it is missing.
fn open(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600).custom_flags(OFlag::O_NOFOLLOW.bits());
    options.open(path)
}

/// Takes the lock. `None` if another run holds it, or has just deleted the file.
fn attempt(path: &Path) -> Result<Option<Flock<File>>, Refusal> {
    let refuse = |error: std::io::Error| Refusal::io(&error, path.display());
    let file = match open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refuse(error)),
    };
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) if lock.metadata().map_err(refuse)?.nlink() > 0 => Ok(Some(lock)),
        // The holder deleted the file after it was opened here and before it was locked.
        Ok(_) | Err((_, Errno::EAGAIN)) => Ok(None),
        Err((_, errno)) => Err(Refusal { text: Some(path.display().to_string()), ..Refusal::errno(errno) }),
    }
}

/// Held by each process that watches a change which waits for its confirmation, until it is dropped.
#[derive(Debug)]
pub struct Watch {
    _file: Flock<File>,
}

/// Begins to watch a change; `None` if another one is watched.
///
/// # Errors
/// The file of the watch cannot be made or locked.
pub fn begin_watch() -> Result<Option<Watch>, Refusal> {
    let Some(lock) = lock_watched(FlockArg::LockExclusiveNonblock)? else { return Ok(None) };
    match lock.relock(FlockArg::LockSharedNonblock) {
        Ok(()) => Ok(Some(Watch { _file: lock })),
        // It is released for a moment.
        Err(Errno::EAGAIN) => Ok(None),
        Err(errno) => Err(Refusal::errno(errno)),
    }
}

/// Takes part in the watch. Several processes may; `None` if one begins to watch another change.
///
/// # Errors
/// The file of the watch cannot be made or locked.
pub fn watch() -> Result<Option<Watch>, Refusal> {
    Ok(lock_watched(FlockArg::LockSharedNonblock)?.map(|lock| Watch { _file: lock }))
}

/// Whether a process takes part in the watch.
///
/// # Errors
/// The file of the watch exists and cannot be opened.
pub fn is_watched() -> Result<bool, Refusal> {
    if RunDir::read(&watched())?.is_none() {
        return Ok(false);
    }
    Ok(lock_watched(FlockArg::LockExclusiveNonblock)?.is_none())
}

fn lock_watched(how: FlockArg) -> Result<Option<Flock<File>>, Refusal> {
    let path = RunDir::open()?.path_of(&watched());
    let file = open(&path).map_err(|error| Refusal::io(&error, path.display()))?;
    match Flock::lock(file, how) {
        Ok(lock) => Ok(Some(lock)),
        Err((_, Errno::EAGAIN)) => Ok(None),
        Err((_, errno)) => Err(Refusal { text: Some(path.display().to_string()), ..Refusal::errno(errno) }),
    }
}

/// The file of the watch.
pub fn watched() -> Record {
    Record::pending("watch")
}

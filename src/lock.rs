//! Keeps two runs in one network namespace apart.
//!
//! The file that is locked is the namespace's own (`/proc/thread-self/ns/net`): all who open it get one
//! inode (fs/nsfs.c), the lock goes with its holder, and nothing is left in any directory.

use crate::apply::Refusal;
use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
};
use std::{fs::File, time::Duration};

/// How long to wait for another run; each holds the lock for some milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often to look.
const INTERVAL: Duration = Duration::from_millis(10);

/// Waits until no other run holds the lock of the calling thread's namespace, and holds it until the answer
/// is dropped.
///
/// # Errors
/// When that takes longer than half a minute.
pub fn own_namespace() -> Result<Flock<File>, Refusal> {
    let path = "/proc/thread-self/ns/net";
    let mut file = File::open(path).map_err(|error| Refusal::io(&error, path))?;
    for _ in 0..PATIENCE.as_millis() / INTERVAL.as_millis() {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err((back, Errno::EAGAIN)) => file = back,
            Err((_, errno)) => return Err(Refusal::errno(errno)),
        }
        std::thread::sleep(INTERVAL);
    }
    Err(Refusal::text(format!("another run has held {path} for {} s", PATIENCE.as_secs())))
}

//! Makes and deletes named namespaces as ip-netns(8) does.

use crate::kernel::netns::{id, own, stranded};
use crate::kernel::run_dir::{Records, RunDir};
use crate::kernel::{Refusal, trust};
use crate::state::{NetnsId, Record};
use crate::values::{NAMED, NetnsRef};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::ErrorKind;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const NONE: Option<&str> = None;
/// How long to wait for another program; each one needs some milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often to try.
const INTERVAL: Duration = Duration::from_millis(10);
/// The value of [`Record::directory`] if we made the directory.
const MADE: &str = "made";

/// Whether we made the namespace that a reference leads to.
pub(super) fn is_ours(netns: &NetnsRef, id: NetnsId, made: &mut Made) -> Result<bool, Refusal> {
    match netns {
        NetnsRef::Name(name) => made.is_recorded(id, name),
        NetnsRef::Pid(_) | NetnsRef::Path(_) => Ok(false),
    }
}

/// Whether a file that is not a namespace, or a missing file, is what one of our runs left when it was stopped, or what
/// is left of one of our namespaces that another program deleted.
pub(super) fn is_unfinished(netns: &NetnsRef, made: &mut Made) -> Result<bool, Refusal> {
    let NetnsRef::Name(name) = netns else { return Ok(false) };
    let is_missing =
        || fs::symlink_metadata(netns.path()).is_err_and(|error| error.kind() == ErrorKind::NotFound);
    Ok(is_left(name, made)? || (is_missing() && is_ours_and_empty(made)?))
}

/// Whether it is left by a run of ours: its record is there, but the file is empty or missing.
fn is_left(name: &str, made: &mut Made) -> Result<bool, Refusal> {
    Ok(!made.of(name)?.is_empty()
        && match fs::symlink_metadata(Path::new(NAMED).join(name)) {
            Ok(file) => file.is_file() && file.len() == 0,
            Err(error) => error.kind() == ErrorKind::NotFound,
        })
}

/// Checks that a name cannot be redirected: only root can write to the directory, and a link in it belongs to root.
///
/// # Errors
/// The reason why the name must not be used.
pub(super) fn check(name: &str) -> Result<(), Refusal> {
    let Ok(directory) = fs::symlink_metadata(NAMED) else { return Ok(()) };
    if !directory.is_dir() {
        return Err(Refusal::text(format!("{NAMED}: not a directory")));
    }
    let path = Path::new(NAMED).join(name);
    let link = fs::symlink_metadata(&path).ok().filter(|found| found.is_symlink() && found.uid() != 0);
    let of_the_link = || link.map(|found| format!("{} belongs to user {}", path.display(), found.uid()));
    trust::others_change(Path::new(NAMED), &directory)
        .or_else(of_the_link)
        .map_or(Ok(()), |reason| Err(trust::refusal(&reason)))
}

/// All namespaces that have a name.
pub fn all() -> impl Iterator<Item = NetnsRef> {
    let names = fs::read_dir(NAMED).into_iter().flatten().flatten();
    names.filter_map(|entry| entry.file_name().into_string().ok()).map(NetnsRef::Name)
}

/// Whether we made the directory and it is not needed any more.
fn is_ours_and_empty(made: &Made) -> Result<bool, Refusal> {
    let is_empty = || {
        let empty = fs::read_dir(NAMED).is_ok_and(|mut entries| entries.next().is_none());
        empty || !Path::new(NAMED).exists()
    };
    Ok(made.records.read(&Record::directory())?.is_some() && is_empty())
}

/// The prefix of the keys of [`Record::made`].
const PREFIX: &str = "netns:";

/// The records of the namespaces that we made. The value of each is the identity and the name.
#[derive(Debug, Default)]
pub struct Made {
    /// By inode, once they are read. They are kept as long as this run holds the lock: nothing else changes them then.
    texts: Option<BTreeMap<u64, String>>,
    records: Records,
}

impl Made {
    /// Those among these records.
    pub fn new(records: Records) -> Self {
        Self { texts: None, records }
    }

    fn texts(&mut self) -> Result<&mut BTreeMap<u64, String>, Refusal> {
        let known = self.texts.take().filter(|_| self.records.are_locked());
        let read = || {
            let records = self.records.list(PREFIX)?;
            Ok(records.into_iter().filter_map(|(inode, text)| Some((inode.parse().ok()?, text))).collect())
        };
        let texts = known.map_or_else(read, Ok)?;
        Ok(self.texts.insert(texts))
    }

    /// The record of the namespace with this inode.
    ///
    /// # Errors
    /// It exists and cannot be read.
    pub fn text(&mut self, inode: u64) -> Result<Option<String>, Refusal> {
        if self.records.are_locked() {
            return Ok(self.texts()?.get(&inode).cloned());
        }
        self.records.read(&Record::made(inode))
    }

    /// Whether the record of a namespace that we made has this identity and name.
    pub(super) fn is_recorded(&mut self, id: NetnsId, name: &str) -> Result<bool, Refusal> {
        // Version 0.1 recorded the time and the name.
        let is_it =
            |recorded: String| recorded == text(id, name) || recorded == format!("{} {name}", id.born);
        Ok(self.text(id.inode)?.is_some_and(is_it))
    }

    /// The inodes in the records about namespaces of this name.
    fn of(&mut self, name: &str) -> Result<Vec<u64>, Refusal> {
        let is_it = |text: &str| text.rsplit_once(' ').is_some_and(|(_, recorded)| recorded == name);
        Ok(self.texts()?.iter().filter(|(_, text)| is_it(text)).map(|(inode, _)| *inode).collect())
    }

    fn add(&mut self, id: NetnsId, name: &str) -> Result<(), Refusal> {
        self.records.directory()?.write(&Record::made(id.inode), &text(id, name))?;
        self.texts.iter_mut().for_each(|texts| drop(texts.insert(id.inode, text(id, name))));
        Ok(())
    }

    fn remove(&mut self, inode: u64) -> Result<(), Refusal> {
        self.records.directory()?.remove(&Record::made(inode))?;
        self.texts.iter_mut().for_each(|texts| drop(texts.remove(&inode)));
        Ok(())
    }

    /// Deletes the records about namespaces of this name.
    fn forget(&mut self, name: &str) -> Result<(), Refusal> {
        for inode in self.of(name)? {
            RunDir::forget(inode, "");
            self.remove(inode)?;
        }
        Ok(())
    }
}

/// The value of the record of a namespace.
fn text(id: NetnsId, name: &str) -> String {
    format!("{id} {name}")
}

/// Makes a namespace and gives it a name. `lo` in it is down.
///
/// # Errors
/// A namespace of that name exists, or the kernel refuses.
pub fn add(name: &str, known: &mut Made) -> Result<(File, NetnsId), Refusal> {
    let lock = lock()?;
    let outcome = add_locked(name, known);
    if outcome.is_err() {
        unshare_directory(lock, known)?;
    }
    outcome
}

fn add_locked(name: &str, known: &mut Made) -> Result<(File, NetnsId), Refusal> {
    let path = Path::new(NAMED).join(name);
    let about = |error: &std::io::Error| Refusal::io(error, path.display());
    share()?;
    let netns = new()?;
    // The record is written before the file, so that the rest of a stopped run is known to be ours.
    let id = id(&NetnsRef::Name(name.to_owned()), &netns)?;
    if is_left(name, known)? {
        remove_file(&path)?;
        known.forget(name)?;
    }
    RunDir::forget(id.inode, "");
    known.add(id, name)?;
    let made = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o0)
        .open(&path)
        .map_err(|error| about(&error))
        .and_then(|_| {
            let source = format!("/proc/self/fd/{}", netns.as_raw_fd());
            mount(Some(source.as_str()), &path, NONE, MsFlags::MS_BIND, NONE).map_err(|errno| {
                let _ = fs::remove_file(&path);
                about(&errno.into())
            })
        });
    match made {
        Ok(()) => Ok((netns, id)),
        Err(refusal) => {
            known.remove(id.inode)?;
            Err(refusal)
        }
    }
}

/// Deletes the name of a namespace. The namespace exists as long as a process or a socket is in it.
///
/// # Errors
/// The kernel refuses. It is not an error if the name does not exist.
pub fn delete(name: &str, known: &mut Made) -> Result<(), Refusal> {
    let path = Path::new(NAMED).join(name);
    let lock = lock()?;
    if let Ok(file) = fs::metadata(&path) {
        RunDir::forget(file.ino(), "");
    }
    match umount2(&path, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW) {
        // Not mounted: a deletion was stopped halfway.
        Ok(()) | Err(Errno::EINVAL | Errno::ENOENT) => {}
        Err(errno) => return Err(Refusal::io(&errno.into(), path.display())),
    }
    remove_file(&path)?;
    known.forget(name)?;
    unshare_directory(lock, known)
}

fn remove_file(path: &Path) -> Result<(), Refusal> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Refusal::io(&error, path.display())),
        _ => Ok(()),
    }
}

/// Makes a namespace, which exists as long as the file is open. The calling thread stays in its own.
///
/// # Errors
/// The kernel refuses.
pub fn new() -> Result<File, Refusal> {
    let back = own()?;
    unshare(CloneFlags::CLONE_NEWNET).map_err(Refusal::errno)?;
    let new = own();
    if let Err(errno) = setns(&back, CloneFlags::CLONE_NEWNET) {
        stranded(errno);
    }
    new
}

/// Takes the same lock as iproute2 (ip/ipnetns.c `netns_add`), so that no other program changes the directory.
fn lock() -> Result<Flock<File>, Refusal> {
    let about = |error: &std::io::Error| Refusal::io(error, NAMED);
    loop {
        // The record is written before the directory is made, so that the rest of a stopped run is known to be ours.
        if !Path::new(NAMED).exists() {
            RunDir::open()?.write(&Record::directory(), MADE)?;
        }
        match DirBuilder::new().mode(0o755).create(NAMED) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(about(&error)),
            _ => {}
        }
        let flags = (OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW).bits();
        let directory = OpenOptions::new().read(true).custom_flags(flags).open(NAMED);
        let directory = directory.map_err(|error| about(&error))?;
        let found = directory.metadata().map_err(|error| about(&error))?;
        if let Some(reason) = trust::others_change(Path::new(NAMED), &found) {
            return Err(trust::refusal(&reason));
        }
        let inode = found.ino();
        let lock = wait_for(directory)?;
        // The previous holder of the lock may have removed the directory.
        if fs::metadata(NAMED).is_ok_and(|found| found.ino() == inode) {
            return Ok(lock);
        }
    }
}

/// Takes the lock on the directory. Every user can hold it, so the wait is limited.
fn wait_for(mut directory: File) -> Result<Flock<File>, Refusal> {
    let begun = Instant::now();
    loop {
        directory = match Flock::lock(directory, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err((directory, Errno::EAGAIN)) if begun.elapsed() < PATIENCE => directory,
            Err((_, Errno::EAGAIN)) => {
                let seconds = PATIENCE.as_secs();
                let text =
                    format!("a process has held a lock on {NAMED} for {seconds} s; `fuser {NAMED}` names it");
                return Err(Refusal::text(text));
            }
            Err((_, errno)) => return Err(Refusal::errno(errno)),
        };
        thread::sleep(INTERVAL);
    }
}

/// Whether this run has shared the directory. The kernel goes through all mounts in it each time.
static IS_SHARED: AtomicBool = AtomicBool::new(false);

/// Makes the directory a shared mount, so that mounts in it propagate to other mount namespaces.
fn share() -> Result<(), Refusal> {
    if IS_SHARED.load(Ordering::Relaxed) {
        return Ok(());
    }
    share_now()?;
    IS_SHARED.store(true, Ordering::Relaxed);
    Ok(())
}

fn share_now() -> Result<(), Refusal> {
    let refuse = |errno: Errno| Refusal::io(&errno.into(), NAMED);
    let share = || mount(NONE, NAMED, NONE, MsFlags::MS_SHARED | MsFlags::MS_REC, NONE);
    match share() {
        Err(Errno::EINVAL) => {}
        other => return other.map_err(refuse),
    }
    // The directory is not a mount yet. A bind mount of it would be in the peer group of the mount that contains it,
    // and propagate there too, so it gets its own peer group. This is done at another path, so that mount namespaces
    // that only receive mounts (slaves) also receive the mounts in it.
    let bind = MsFlags::MS_BIND | MsFlags::MS_REC;
    if RunDir::read(&Record::directory())?.is_none() {
        RunDir::open()?.write(&Record::directory(), "mounted")?;
    }
    clear_stage();
    match DirBuilder::new().mode(0o700).create(STAGE) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(Refusal::io(&error, STAGE)),
        _ => {}
    }
    let staged = || {
        mount(Some(NAMED), STAGE, NONE, bind, NONE)?;
        mount(NONE, STAGE, NONE, MsFlags::MS_PRIVATE, NONE)?;
        mount(NONE, STAGE, NONE, MsFlags::MS_SHARED, NONE)?;
        mount(Some(STAGE), NAMED, NONE, bind, NONE)
    };
    let outcome = staged();
    clear_stage();
    outcome.map_err(refuse)
}

/// The path at which the mount of the directory is prepared.
const STAGE: &str = "/run/ifupdown-ng-netlink/netns-mount";

/// Removes the mounts there, of this run or of one that was killed.
fn clear_stage() {
    while umount2(STAGE, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW).is_ok() {}
    let _ = fs::remove_dir(STAGE);
}

/// Removes the directory, if it is empty and we made it.
fn unshare_directory(lock: Flock<File>, known: &Made) -> Result<(), Refusal> {
    if !is_ours_and_empty(known)? {
        return Ok(());
    }
    IS_SHARED.store(false, Ordering::Relaxed);
    clear_stage();
    // It is fine if the directory is not mounted. The lock is still held during the removal.
    let _ = umount2(NAMED, MntFlags::MNT_DETACH);
    if known.records.read(&Record::directory())?.as_deref() == Some(MADE) {
        // A directory that is not empty stays.
        let _ = fs::remove_dir(NAMED);
    }
    known.records.directory()?.remove(&Record::directory())?;
    drop(lock);
    Ok(())
}

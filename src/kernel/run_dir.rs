//! Our directory under `/run`: records, one subdirectory for each network namespace.
//!
//! Root writes it on behalf of stanzas, so it is trusted only if no other user can write there.

use crate::kernel::{Refusal, trust};
use crate::state::{DIRECTORY, PENDING, Record};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// How often to try while other runs delete the directory.
const ATTEMPTS: usize = 100;

/// The name of the lock file, which is not a record.
const LOCK: &str = "lock";
/// The suffix of a record that is being written.
const UNFINISHED: &str = ".new";

/// The directory of one network namespace.
#[derive(Debug, Clone)]
pub struct RunDir(PathBuf);

impl RunDir {
    /// The path of the directory of the calling thread's namespace. The directory may not exist.
    fn path() -> Result<PathBuf, Refusal> {
        let own = Path::new("/proc/thread-self/ns/net");
        let inode = fs::metadata(own).map_err(|error| Refusal::io(&error, own.display()))?.ino();
        Ok(Path::new(DIRECTORY).join(format!("netns-{inode}")))
    }

    /// The directory of the calling thread's namespace, if it exists. Most starts of an executor end here: before anything
    /// was applied, there is none of any namespace.
    fn found() -> Result<Option<Self>, Refusal> {
        if !is_above_safe()? || !is_own(Path::new(DIRECTORY))? {
            return Ok(None);
        }
        let path = Self::path()?;
        Ok(is_own(&path)?.then_some(Self(path)))
    }

    /// The directory of the calling thread's namespace, made if it is missing.
    ///
    /// # Errors
    /// It cannot be made, or another user could write there.
    pub fn open() -> Result<Self, Refusal> {
        let path = Self::path()?;
        // Another run that has no records left may delete either directory meanwhile.
        repeat_if_gone(|| Self::make(&path))
    }

    fn make(path: &Path) -> Result<Self, Refusal> {
        make_private(path)?;
        Ok(Self(path.to_owned()))
    }

    /// The file that [`crate::kernel::lock`] locks.
    pub(crate) fn lock_path(&self) -> PathBuf {
        self.0.join(LOCK)
    }

    /// The path of a file.
    pub(crate) fn path_of(&self, record: &Record) -> PathBuf {
        self.0.join(record.file_name())
    }

    /// Deletes the lock file and, if no record is left, the directories. Only the holder of the lock may call this.
    pub(crate) fn remove_if_empty_but_for_lock(&self) {
        // A file that cannot be deleted does no harm; the next run deletes it.
        let _ = fs::remove_file(self.lock_path());
        if self.remove_if_empty() {
            return;
        }
        // Unfinished records of a killed run are deleted too.
        for entry in fs::read_dir(&self.0).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().ends_with(UNFINISHED) {
                let _ = fs::remove_file(entry.path());
            }
        }
        self.remove_if_empty();
    }

    /// Deletes the directory if it is empty. Returns whether it is gone.
    pub(crate) fn remove_if_empty(&self) -> bool {
        let gone = fs::remove_dir(&self.0).is_ok();
        if gone {
            let _ = fs::remove_dir(DIRECTORY);
        }
        gone
    }

    /// Reads a record of the calling thread's namespace.
    ///
    /// # Errors
    /// It exists and cannot be read.
    pub fn read(record: &Record) -> Result<Option<String>, Refusal> {
        Self::found()?.map_or(Ok(None), |directory| directory.get(record))
    }

    /// Reads a record of this directory.
    ///
    /// # Errors
    /// It exists and cannot be read.
    pub fn get(&self, record: &Record) -> Result<Option<String>, Refusal> {
        let path = self.path_of(record);
        match read_file(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Refusal::io(&error, path.display())),
        }
    }

    /// The records of the calling thread's namespace with this prefix. The prefix is removed from their names.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn list(prefix: &str) -> Result<Vec<(String, String)>, Refusal> {
        Self::found()?.map_or(Ok(Vec::new()), |directory| directory.records(prefix))
    }

    /// The same for this directory.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn records(&self, prefix: &str) -> Result<Vec<(String, String)>, Refusal> {
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Refusal::io(&error, self.0.display())),
        };
        let mut records = Vec::new();
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some(rest) = name.to_str().and_then(|name| name.strip_prefix(prefix)) else { continue };
            // A file that `write` had not finished is not a record.
            let is_other = name == LOCK || name.as_encoded_bytes().starts_with(PENDING.as_bytes());
            if rest.ends_with(UNFINISHED) || is_other {
                continue;
            }
            if let Ok(text) = read_file(&entry.path()) {
                records.push((rest.to_owned(), text));
            }
        }
        records.sort();
        Ok(records)
    }

    /// The directory of the namespace with this inode, made if it is missing.
    ///
    /// # Errors
    /// As for [`RunDir::open`].
    pub fn of(inode: u64) -> Result<PathBuf, Refusal> {
        let path = Path::new(DIRECTORY).join(format!("netns-{inode}"));
        make_private(&path)?;
        Ok(path)
    }

    /// Removes the files about the namespace with this inode whose names have this prefix (empty for all). No file may
    /// outlive the namespace, since the kernel reuses the number.
    pub fn forget(inode: u64, prefix: &str) {
        let path = Path::new(DIRECTORY).join(format!("netns-{inode}"));
        for entry in fs::read_dir(&path).into_iter().flatten().flatten() {
            if entry.file_name().to_str().is_some_and(|name| name.starts_with(prefix)) {
                let _ = fs::remove_file(entry.path());
            }
        }
        let _ = fs::remove_dir(&path).and_then(|()| fs::remove_dir(DIRECTORY));
    }

    /// Writes a record completely or not at all.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, record: &Record, value: &str) -> Result<(), Refusal> {
        match self.write_once(record, value) {
            // Another run that releases the lock deletes unfinished records. It also deletes the directory of a
            // namespace whose lock this run does not hold.
            Err(refusal) if is_gone(&refusal) => repeat_if_gone(|| {
                make_private(&self.0)?;
                self.write_once(record, value)
            }),
            written => written,
        }
    }

    /// Makes these the records of this directory, by the names that [`RunDir::list`] returns for an empty prefix. If
    /// `after` is given, only records that differ there are restored, and of these only those that are still as there.
    ///
    /// # Errors
    /// One cannot be written or removed.
    pub fn restore(
        &self,
        before: &[(String, String)],
        after: Option<&[(String, String)]>,
    ) -> Result<(), Refusal> {
        let now = self.records("")?;
        let text_of = |list: &[(String, String)], name: &String| {
            list.iter().find(|(known, _)| known == name).map(|(_, text)| text.clone())
        };
        let names: BTreeSet<&String> = before.iter().chain(&now).map(|(name, _)| name).collect();
        for name in names {
            let (wanted, has) = (text_of(before, name), text_of(&now, name));
            let stays = after.map(|after| text_of(after, name));
            if wanted == has || stays.is_some_and(|after| after == wanted || after != has) {
                continue;
            }
            match wanted {
                Some(text) => self.write_named(name, &text)?,
                None => self.remove(&Record::of("", name))?,
            }
        }
        Ok(())
    }

    fn write_once(&self, record: &Record, value: &str) -> Result<(), Refusal> {
        self.write_named(record.file_name(), value)
    }

    fn write_named(&self, name: &str, value: &str) -> Result<(), Refusal> {
        let path = self.0.join(name);
        let new = self.0.join(format!("{name}{UNFINISHED}"));
        write_file(&new, value)
            .and_then(|()| fs::rename(&new, &path))
            .map_err(|error| Refusal::io(&error, path.display()))
    }

    /// Deletes a record of the calling thread's namespace, and the directory if it is empty then.
    ///
    /// # Errors
    /// The record exists and cannot be removed.
    pub fn discard(record: &Record) -> Result<(), Refusal> {
        if let Some(directory) = Self::found()? {
            directory.remove(record)?;
            directory.remove_if_empty();
        }
        Ok(())
    }

    /// Deletes a record.
    ///
    /// # Errors
    /// It exists and cannot be removed.
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

/// Our records of the calling thread's namespace. If this run holds the lock, the directory is there and was checked.
#[derive(Debug, Clone, Default)]
pub struct Records(Option<RunDir>);

impl Records {
    /// Those in the directory of this lock, if there is one.
    pub fn of(locked: Option<&RunDir>) -> Self {
        Self(locked.cloned())
    }

    /// Whether nothing else changes them, because this run holds the lock.
    pub fn are_locked(&self) -> bool {
        self.0.is_some()
    }

    /// The directory, made if it is missing.
    ///
    /// # Errors
    /// As for [`RunDir::open`].
    pub fn directory(&self) -> Result<RunDir, Refusal> {
        self.0.clone().map_or_else(RunDir::open, Ok)
    }

    /// Reads a record.
    ///
    /// # Errors
    /// It exists and cannot be read.
    pub fn read(&self, record: &Record) -> Result<Option<String>, Refusal> {
        self.0.as_ref().map_or_else(|| RunDir::read(record), |own| own.get(record))
    }

    /// Those with this prefix, as [`RunDir::list`] returns them.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn list(&self, prefix: &str) -> Result<Vec<(String, String)>, Refusal> {
        self.0.as_ref().map_or_else(|| RunDir::list(prefix), |own| own.records(prefix))
    }
}

/// Whether a file or directory was deleted just before.
fn is_gone(refusal: &Refusal) -> bool {
    refusal.errno == Some(Errno::ENOENT)
}

/// Repeats an attempt as long as another run deletes a file or directory that it needs.
fn repeat_if_gone<T>(mut attempt: impl FnMut() -> Result<T, Refusal>) -> Result<T, Refusal> {
    for _ in 1..ATTEMPTS {
        match attempt() {
            Err(refusal) if is_gone(&refusal) => {}
            done => return done,
        }
    }
    attempt()
}

/// Makes one of our directories, and its parent first, so that only their owner can write there; or checks existing
/// ones. Nothing is made in a directory that fails the check.
fn make_private(path: &Path) -> Result<(), Refusal> {
    for path in [Path::new(DIRECTORY), path] {
        match DirBuilder::new().mode(0o755).create(path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(Refusal::io(&error, path.display()));
            }
            _ => {}
        }
        if !is_own(path)? || (path == Path::new(DIRECTORY) && !is_above_safe()?) {
            return Err(Refusal { text: None, ..Refusal::errno(Errno::ENOENT) });
        }
    }
    Ok(())
}

/// The directories that passed the check. No other user can change or replace them since, so they are checked once.
static CHECKED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Checks a directory, unless it has passed the check before: then it may be gone by now.
fn once(path: &Path, check: impl FnOnce() -> Result<bool, Refusal>) -> Result<bool, Refusal> {
    let mut checked = CHECKED.lock().unwrap_or_else(PoisonError::into_inner);
    if checked.contains(path) {
        return Ok(true);
    }
    let is_fine = check()?;
    if is_fine {
        checked.insert(path.to_owned());
    }
    Ok(is_fine)
}

/// Whether a directory exists at this path. It must belong to us, and no other user may write there.
fn is_own(path: &Path) -> Result<bool, Refusal> {
    once(path, || check_own(path))
}

fn check_own(path: &Path) -> Result<bool, Refusal> {
    let Some(found) = look(path)? else { return Ok(false) };
    let own = nix::unistd::geteuid();
    if found.is_dir() && found.uid() == 0 && !own.is_root() {
        return Err(Refusal { text: Some(path.display().to_string()), ..Refusal::errno(Errno::EACCES) });
    }
    if !found.is_dir() || found.uid() != own.as_raw() {
        return Err(Refusal::text(format!(
            "{}: not a directory that this package created; remove it",
            path.display()
        )));
    }
    trust::others_change(path, &found).map_or(Ok(true), |reason| refuse(&reason))
}

/// Whether the directory above all of ours exists. Other users must not be able to replace ours.
fn is_above_safe() -> Result<bool, Refusal> {
    let Some(above) = Path::new(DIRECTORY).parent() else { return Ok(false) };
    once(above, || {
        let Some(found) = look(above)? else { return Ok(false) };
        trust::others_replace(above, &found).map_or(Ok(true), |reason| refuse(&reason))
    })
}

fn look(path: &Path) -> Result<Option<Metadata>, Refusal> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Refusal::io(&error, path.display())),
    }
}

fn refuse(reason: &str) -> Result<bool, Refusal> {
    Err(trust::refusal(reason))
}

/// Reads a file. A symbolic link is refused.
fn read_file(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let mut file = OpenOptions::new().read(true).custom_flags(OFlag::O_NOFOLLOW.bits()).open(path)?;
    file.read_to_string(&mut text)?;
    Ok(text)
}

/// Makes a file and writes it. An existing file is removed first: it is the rest of a killed run. Only root can read it,
/// since a stanza may contain a key.
fn write_file(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file: File = match options.open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            fs::remove_file(path)?;
            options.open(path)?
        }
        opened => opened?,
    };
    file.write_all(text.as_bytes())
}

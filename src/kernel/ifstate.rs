//! The state file of ifupdown-ng: the interfaces that it has brought up.
//!
//! ifup reads the file when it starts, and writes the whole file when it ends, without a lock on it
//! (libifupdown/state.c, cmd/ifupdown.c). It locks only the interface that it was asked for, by a file beside the
//! state file. So an `ifup` of another interface that runs at the same time can write the file without our change.

use crate::kernel::Refusal;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The file that is compiled into ifupdown-ng.
pub const STATE_FILE: &str = "/run/ifstate";

/// How long to wait for an `ifup` or `ifdown` of an interface.
const LIMIT: Duration = Duration::from_secs(30);
/// How often to try.
const INTERVAL: Duration = Duration::from_millis(10);
/// How often to write a change that another program overwrites.
const ATTEMPTS: usize = 10;

/// A line of the file: an interface that is up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name by which it was brought up.
    pub name: String,
    /// The stanza: a name, unless the interface was brought up as `NAME=STANZA`.
    pub stanza: String,
    /// How many interfaces and commands need it, as ifupdown-ng counts.
    pub count: usize,
    /// Somebody asked for it: it is not taken down with the last interface that needs it.
    pub is_explicit: bool,
}

impl Entry {
    /// An interface that was brought up by its own name.
    pub fn new(name: &str, count: usize, is_explicit: bool) -> Self {
        Self { name: name.to_owned(), stanza: name.to_owned(), count, is_explicit }
    }

    /// Parses a line of the file.
    pub fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let whole = words.next()?;
        let (name, stanza) = whole.split_once('=').unwrap_or((whole, whole));
        let count = words.next().and_then(|count| count.parse().ok()).unwrap_or(1).max(1);
        let is_explicit = words.next().is_some();
        Some(Self { name: name.to_owned(), stanza: stanza.to_owned(), count, is_explicit })
    }

    /// The line of the file, with its end.
    pub fn line(&self) -> String {
        let explicit = if self.is_explicit { " explicit" } else { "" };
        format!("{}={} {}{explicit}\n", self.name, self.stanza, self.count)
    }
}

/// A state file.
#[derive(Debug, Clone)]
pub struct StateFile(PathBuf);

impl StateFile {
    /// The file with this path. It need not exist: then no interface is up.
    pub fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// The interfaces that are up. Of two lines with one name, the later one counts.
    ///
    /// # Errors
    /// The file exists and cannot be read.
    pub fn read(&self) -> Result<Vec<Entry>, Refusal> {
        let text = match fs::read(&self.0) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Refusal::io(&error, self.0.display())),
        };
        let (mut entries, mut names): (Vec<Entry>, _) = (Vec::new(), BTreeSet::new());
        for entry in String::from_utf8_lossy(&text).lines().filter_map(Entry::parse) {
            if !names.insert(entry.name.clone()) {
                entries.retain(|known| known.name != entry.name);
            }
            entries.push(entry);
        }
        Ok(entries)
    }

    /// The names of the interfaces that are up.
    ///
    /// # Errors
    /// As for [`StateFile::read`].
    pub fn names(&self) -> Result<BTreeSet<String>, Refusal> {
        Ok(self.read()?.into_iter().map(|entry| entry.name).collect())
    }

    /// Adds interfaces, or sets how they are counted, and removes others. The rest of the file stays as it is.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn change(&self, added: &[Entry], removed: &BTreeSet<String>) -> Result<(), Refusal> {
        self.edit(|entries| {
            entries.retain(|entry| !removed.contains(&entry.name));
            for entry in added {
                match entries.iter_mut().find(|known| known.name == entry.name) {
                    Some(known) => {
                        known.count = entry.count;
                        known.is_explicit |= entry.is_explicit;
                    }
                    None => entries.push(entry.clone()),
                }
            }
        })
    }

    /// Undoes a change of some entries: from what they were after it to what they were before. An entry that another
    /// program has changed since stays.
    ///
    /// # Errors
    /// As for [`StateFile::change`].
    pub fn restore(&self, before: &[Entry], after: &[Entry]) -> Result<(), Refusal> {
        let of_name = |list: &[Entry], name: &str| list.iter().find(|entry| entry.name == name).cloned();
        self.edit(|entries| {
            let names: BTreeSet<&String> = before.iter().chain(after).map(|entry| &entry.name).collect();
            for name in names {
                if of_name(entries, name) != of_name(after, name) {
                    continue;
                }
                let place = entries.iter().position(|entry| entry.name == *name);
                match (place, of_name(before, name)) {
                    (Some(place), Some(former)) => entries[place] = former,
                    (Some(place), None) => drop(entries.remove(place)),
                    (None, former) => entries.extend(former),
                }
            }
        })
    }

    /// Makes a change, as often as needed.
    fn edit(&self, change: impl Fn(&mut Vec<Entry>)) -> Result<(), Refusal> {
        for _ in 0..ATTEMPTS {
            let before = self.read()?;
            let mut entries = before.clone();
            change(&mut entries);
            if entries == before {
                return Ok(());
            }
            self.write(&entries).map_err(|error| Refusal::io(&error, self.0.display()))?;
            // An `ifup` that read the file before this change may have written it after this change: read it again.
        }
        Ok(())
    }

    /// The file that `ifup` and `ifdown` lock for an interface.
    fn lock_path(&self, name: &str) -> PathBuf {
        let mut path = self.0.clone().into_os_string();
        path.push(format!(".{name}.lock"));
        PathBuf::from(path)
    }

    /// Changes with each `ifup` and `ifdown` of an interface, also with those that fail: they truncate the file that
    /// they lock (cmd/ifupdown.c `acquire_state_lock`). Empty if there was none.
    pub fn last_use(&self, name: &str) -> String {
        let found = fs::metadata(self.lock_path(name));
        found.map_or_else(|_| String::new(), |found| format!("{} {}", found.ino(), change_time(&found)))
    }

    /// Writes the file completely or not at all.
    fn write(&self, entries: &[Entry]) -> io::Result<()> {
        let mut new = self.0.clone().into_os_string();
        new.push(".new");
        let mode = fs::metadata(&self.0).map_or(0o644, |found| found.mode() & 0o777);
        // The rest of a killed run.
        let _ = fs::remove_file(&new);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&new)?;
        entries.iter().try_for_each(|entry| file.write_all(entry.line().as_bytes()))?;
        fs::rename(&new, &self.0)
    }

    /// Keeps `ifup` and `ifdown` from changing an interface, until the lock is dropped.
    ///
    /// # Errors
    /// Another program changes the interface, and does not end within half a minute.
    pub fn lock(&self, name: &str) -> Result<StateLock, Refusal> {
        let begun = Instant::now();
        loop {
            if let Some(lock) = self.try_lock(name)? {
                return Ok(lock);
            }
            if begun.elapsed() >= LIMIT {
                return Err(Refusal::text("`ifup` or `ifdown` is changing it"));
            }
            std::thread::sleep(INTERVAL);
        }
    }

    /// The same without waiting; `None` if another program changes the interface.
    ///
    /// # Errors
    /// The file of the lock cannot be made or locked.
    pub fn try_lock(&self, name: &str) -> Result<Option<StateLock>, Refusal> {
        let path = self.lock_path(name);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&path).map_err(|error| Refusal::io(&error, path.display()))?;
        let whole = libc::flock {
            l_type: libc::F_WRLCK.try_into().unwrap_or_default(),
            l_whence: libc::SEEK_SET.try_into().unwrap_or_default(),
            l_start: 0,
            l_len: 0,
            l_pid: 0,
        };
        // It excludes the locks of F_SETLK, which ifup takes, and ends only with this file (fcntl(2)).
        match fcntl(&file, FcntlArg::F_OFD_SETLK(&whole)) {
            Ok(_) => Ok(Some(StateLock { _file: file })),
            Err(Errno::EAGAIN | Errno::EACCES | Errno::EINTR) => Ok(None),
            Err(errno) => Err(Refusal { text: Some(path.display().to_string()), ..Refusal::errno(errno) }),
        }
    }
}

/// The time of the last change of a file, in nanoseconds.
fn change_time(file: &fs::Metadata) -> i128 {
    i128::from(file.ctime()) * 1_000_000_000 + i128::from(file.ctime_nsec())
}

/// Held until it is dropped.
#[derive(Debug)]
pub struct StateLock {
    _file: File,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The lines are those of lif_state_read and lif_state_write.
    #[test]
    fn entries_are_those_of_ifupdown_ng() {
        let entry = |name: &str, stanza: &str, count, is_explicit| Entry {
            name: name.to_owned(),
            stanza: stanza.to_owned(),
            count,
            is_explicit,
        };
        for (line, read) in [
            ("lo=lo 1 explicit", entry("lo", "lo", 1, true)),
            ("eth0=home 2", entry("eth0", "home", 2, false)),
            ("eth0", entry("eth0", "eth0", 1, false)),
            ("eth0=eth0 0", entry("eth0", "eth0", 1, false)),
        ] {
            assert_eq!(Entry::parse(line), Some(read), "{line}");
        }
        assert_eq!(Entry::parse("  "), None);
        assert_eq!(entry("a", "b", 3, true).line(), "a=b 3 explicit\n");
    }

    #[test]
    fn a_change_leaves_the_rest() {
        let directory = std::env::temp_dir().join(format!("ifstate-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join("ifstate");
        let file = StateFile::new(&path);
        assert_eq!(file.read().unwrap(), []);
        fs::write(&path, "lo=lo 1 explicit\neth0=eth0 2\neth1=home 1\n").unwrap();
        file.change(
            &[Entry::new("eth0", 3, true), Entry::new("eth2", 1, false)],
            &["eth1".to_owned()].into(),
        )
        .unwrap();
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "lo=lo 1 explicit\neth0=eth0 3 explicit\neth2=eth2 1\n"
        );
        let entry = |name: &str, count, is_explicit| Entry::new(name, count, is_explicit);
        file.restore(
            &[entry("eth0", 2, false), entry("eth3", 1, true)],
            &[entry("eth0", 3, true), entry("eth2", 9, false)],
        )
        .unwrap();
        let text = "lo=lo 1 explicit\neth0=eth0 2\neth2=eth2 1\neth3=eth3 1 explicit\n";
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        let _lock = file.lock("eth0").unwrap();
        assert!(directory.join("ifstate.eth0.lock").exists());
        fs::remove_dir_all(&directory).unwrap();
    }
}

//! Whether anybody but root can change what is at a path: what we run, or rely on, must not be others' to change.

use crate::kernel::Refusal;
use std::{
    fs::{self, Metadata},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// The right to write, for group and others.
const OTHERS: u32 = 0o022;
/// In a directory with this bit others can add files but not replace ours.
const STICKY: u32 = 0o1000;

/// Why others can change a file or what is in a directory, if they can. Access lists count: their mask stands
/// where the group's rights would.
pub fn others_change(path: &Path, found: &Metadata) -> Option<String> {
    // Nearly everything is root's, which needs no question.
    if found.uid() != 0 && found.uid() != nix::unistd::geteuid().as_raw() {
        return Some(format!("{} belongs to user {}", path.display(), found.uid()));
    }
    (found.mode() & OTHERS != 0).then(|| format!("others can write {}", path.display()))
}

/// Why others can put something else in the place of what is in a directory, if they can.
pub fn others_replace(path: &Path, found: &Metadata) -> Option<String> {
    others_change(path, found).filter(|_| found.uid() != 0 || found.mode() & STICKY == 0)
}

/// The refusal to use what others can change.
pub fn refusal(reason: &str) -> Refusal {
    Refusal::text(format!("{reason}; let only root write it, or delete it"))
}

/// The file that a path leads to, by a path without links, if nobody else can change the one or the other.
///
/// # Errors
/// Why it must not be used.
pub fn file(path: &Path) -> Result<PathBuf, String> {
    let whole = fs::canonicalize(path).map_err(|error| error.to_string())?;
    let look = |part: &Path| fs::symlink_metadata(part).map_err(|error| error.to_string());
    let found = look(&whole)?;
    if !found.is_file() {
        return Err("not a file".to_owned());
    }
    if let Some(reason) = others_change(&whole, &found) {
        return Err(reason);
    }
    for part in whole.ancestors().skip(1) {
        if let Some(reason) = others_replace(part, &look(part)?) {
            return Err(reason);
        }
    }
    Ok(whole)
}

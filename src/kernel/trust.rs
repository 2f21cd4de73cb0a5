//! Checks whether users other than root can change a file: files that we run or rely on must not be writable by them.

use crate::kernel::Refusal;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The write permission of group and others.
const OTHERS: u32 = 0o022;
/// In a directory with this bit, other users can add files but not replace ours.
const STICKY: u32 = 0o1000;

/// The reason why other users can change a file, or the contents of a directory, if they can. ACLs count: their mask
/// takes the place of the group's permissions.
pub fn others_change(path: &Path, found: &Metadata) -> Option<String> {
    // Nearly all files belong to root; then the user id of the process is not needed.
    if found.uid() != 0 && found.uid() != nix::unistd::geteuid().as_raw() {
        return Some(format!("{} belongs to user {}", path.display(), found.uid()));
    }
    (found.mode() & OTHERS != 0).then(|| format!("others can write {}", path.display()))
}

/// The reason why other users can replace the files in a directory, if they can.
pub fn others_replace(path: &Path, found: &Metadata) -> Option<String> {
    others_change(path, found).filter(|_| found.uid() != 0 || found.mode() & STICKY == 0)
}

/// The error for a file that other users can change.
pub fn refusal(reason: &str) -> Refusal {
    Refusal::text(format!("{reason}; let only root write it, or delete it"))
}

/// The canonical path of a file, without links, if other users can change neither the file nor its path.
///
/// # Errors
/// The reason why it must not be used.
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

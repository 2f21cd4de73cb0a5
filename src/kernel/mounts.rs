//! The mounts that this process sees, as the kernel lists them (proc(5), `mountinfo`).

use crate::kernel::Refusal;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

const TABLE: &str = "/proc/thread-self/mountinfo";

/// A mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Its number.
    pub id: u64,
    /// The number of the mount that it is on.
    pub parent: u64,
    /// The part of the file system that is mounted. Of a namespace file, `net:[INODE]`.
    pub root: PathBuf,
    /// Where it is mounted.
    pub point: PathBuf,
    /// The file system's type.
    pub kind: String,
}

/// All mounts. A mount comes after the one that it covers.
///
/// # Errors
/// `/proc` is not mounted.
pub fn all() -> Result<Vec<Mount>, Refusal> {
    let table = fs::read(TABLE).map_err(|error| Refusal::io(&error, TABLE))?;
    Ok(table.split(|byte| *byte == b'\n').filter_map(read).collect())
}

/// The mount of a line.
fn read(line: &[u8]) -> Option<Mount> {
    let mut words = line.split(|byte| *byte == b' ');
    let mut number = || std::str::from_utf8(words.next()?).ok()?.parse().ok();
    let (id, parent) = (number()?, number()?);
    let root = path(words.nth(1)?);
    let point = path(words.next()?);
    let kind = words.skip_while(|word| *word != b"-").nth(1)?;
    Some(Mount { id, parent, root, point, kind: String::from_utf8_lossy(kind).into_owned() })
}

/// A path, in which the kernel writes blanks as escapes such as `\040`.
fn path(mut escaped: &[u8]) -> PathBuf {
    let mut path = Vec::new();
    while let [byte, rest @ ..] = escaped {
        let octal =
            rest.get(..3).and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        escaped = if let Some(special) = octal.filter(|_| *byte == b'\\') {
            path.push(special);
            &rest[3..]
        } else {
            path.push(*byte);
            rest
        };
    }
    OsString::from_vec(path).into()
}

#[cfg(test)]
mod tests;

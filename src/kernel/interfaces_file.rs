//! Opens the interfaces files that [`crate::stanza::file`] reads.

use crate::kernel::ifupdown;
use crate::stanza::Stanzas;
use crate::stanza::file::{self, FileProblem, Files, Reading, Reason, Version};
use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

/// Reads an interfaces file and the files that it names. A relative name is relative to the working directory.
///
/// # Errors
/// The problem at which ifupdown-ng reads nothing, or a limit of the reader.
pub fn read(file: &str, version: Version) -> Result<Reading, FileProblem> {
    file::read(file, version, &mut Opened)
}

/// Reads them as the installed ifupdown-ng does. Its version is asked for only if it makes a difference.
///
/// # Errors
/// As [`read`].
pub fn installed(file: &str) -> Result<Reading, FileProblem> {
    let assumed = Version::V0_12;
    let reading = read(file, assumed);
    let is_known = reading.as_ref().is_ok_and(|reading| !reading.depends_on_version);
    // Scripts get every value of a stanza, and `inherit defaults` too.
    let has_scripts = || has_scripts() && ifupdown::has_scripts();
    if is_known && !has_scripts() {
        return reading;
    }
    match ifupdown::version() {
        version if version == assumed => reading,
        version => read(file, version),
    }
}

/// Reads the file that ifup uses while it runs this executor. Its version is unknown. 0.11 and 0.12 differ in files that
/// 0.11 does not accept, and in keywords of other executors. Only the head has lines `defaults`.
///
/// # Errors
/// As [`read`].
pub fn in_use(file: &str) -> Result<Stanzas, FileProblem> {
    let reading = read(file, Version::V0_12)?;
    let is_first = |problem: &FileProblem| problem.reason == Reason::NoStanza("defaults".to_owned());
    let stanzas = &reading.stanzas;
    let later =
        || stanzas.interfaces().any(|name| stanzas.lines(name).any(|(keyword, _)| keyword == "defaults"));
    if reading.problems.iter().any(is_first) || later() {
        return Ok(read(file, Version::Head)?.stanzas);
    }
    Ok(reading.stanzas)
}

/// Whether the settings of ifupdown-ng let ifup and ifdown run the scripts of `/etc/network/if-*.d`.
pub fn has_scripts() -> bool {
    file::has_scripts(&mut Opened)
}

/// The files of this machine.
struct Opened;

/// How many bytes of a file are read: more than the reader accepts.
const MOST: u64 = 1 << 25;
/// How many files a pattern may mean.
const MOST_FILES: usize = 10_000;

impl Files for Opened {
    fn text(&mut self, file: &str) -> Result<Vec<u8>, String> {
        let opened = File::open(file).map_err(|error| error.to_string())?;
        let is_directory = opened.metadata().is_ok_and(|metadata| metadata.is_dir());
        let mut text = Vec::new();
        // fopen(3) opens a directory, and reads nothing.
        if !is_directory {
            opened.take(MOST).read_to_end(&mut text).map_err(|error| error.to_string())?;
        }
        Ok(text)
    }

    /// As glob(3) does. ifupdown-ng uses wordexp(3), which also replaces `~` and variables and removes quotes.
    fn expand(&mut self, pattern: &str) -> Vec<String> {
        if !pattern.contains(['*', '?', '[']) {
            return if Path::new(pattern).exists() { vec![pattern.to_owned()] } else { Vec::new() };
        }
        let mut found = vec![String::new()];
        for (place, part) in pattern.split('/').enumerate() {
            let slash = if place == 0 { "" } else { "/" };
            found = found.into_iter().flat_map(|before| names(&format!("{before}{slash}"), part)).collect();
            found.truncate(MOST_FILES);
        }
        found.sort();
        found
    }

    fn directory(&mut self, directory: &str, links: bool) -> Result<Vec<String>, String> {
        let entries = fs::read_dir(directory).map_err(|error| error.to_string())?;
        let regular = |entry: &fs::DirEntry| {
            let path = entry.path();
            if links { path.is_file() } else { entry.file_type().is_ok_and(|kind| kind.is_file()) }
        };
        let entries = entries.flatten().filter(regular);
        Ok(entries.map(|entry| format!("{directory}/{}", entry.file_name().to_string_lossy())).collect())
    }

    fn hostname(&mut self) -> String {
        let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        name.trim_end().to_owned()
    }
}

/// The names of a directory that match a part of a pattern, with the directory.
fn names(directory: &str, part: &str) -> Vec<String> {
    if !part.contains(['*', '?', '[']) {
        let name = format!("{directory}{part}");
        let exists = match part {
            // The beginning of an absolute name, or the end of a directory's name.
            "" => directory.is_empty() || Path::new(directory).is_dir(),
            _ => fs::symlink_metadata(&name).is_ok(),
        };
        return if exists { vec![name] } else { Vec::new() };
    }
    let entries = fs::read_dir(if directory.is_empty() { "." } else { directory });
    let names = entries.into_iter().flatten().flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    // Rust omits these two names of readdir(3). As files they are empty, but each ends a stanza.
    let names = names.chain([".", ".."].map(str::to_owned));
    let matching = names.filter(|name| {
        let hidden = name.starts_with('.') && !part.starts_with('.');
        !hidden && matches(part.as_bytes(), name.as_bytes())
    });
    matching.map(|name| format!("{directory}{name}")).collect()
}

/// fnmatch(3) with `*`, `?` and `[…]`.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut rest) = (pattern, name);
    // After the last `*`: the pattern, and the name of which the `*` may match one byte more.
    let mut again: Option<(&[u8], &[u8])> = None;
    loop {
        match (at.split_first(), rest.split_first()) {
            (Some((b'*', after)), _) => {
                again = Some((after, rest));
                at = after;
                continue;
            }
            (None, None) => return true,
            (Some((wanted, after)), Some((byte, left))) => {
                let (matched, after) = match wanted {
                    b'?' => (true, after),
                    b'[' => bracket(after, *byte).unwrap_or((*byte == b'[', after)),
                    wanted => (wanted == byte, after),
                };
                if matched {
                    (at, rest) = (after, left);
                    continue;
                }
            }
            _ => {}
        }
        let Some((after, [_, left @ ..])) = again else { return false };
        again = Some((after, left));
        (at, rest) = (after, left);
    }
}

/// Whether the set after a `[` has a byte, and the pattern after the set; `None` if the set does not end.
fn bracket(set: &[u8], byte: u8) -> Option<(bool, &[u8])> {
    let (negated, set) = match set {
        [b'!' | b'^', rest @ ..] => (true, rest),
        _ => (false, set),
    };
    // A `]` in the first place is a member.
    let end = 1 + set.get(1..)?.iter().position(|end| *end == b']')?;
    let (mut members, mut found) = (&set[..end], false);
    while let [first, rest @ ..] = members {
        if let [b'-', last, rest @ ..] = rest {
            found |= (*first..=*last).contains(&byte);
            members = rest;
        } else {
            found |= *first == byte;
            members = rest;
        }
    }
    Some((found != negated, &set[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_the_shell() {
        for (pattern, name, expected) in [
            ("*", "a", true),
            ("*.cfg", "a.cfg", true),
            ("*.cfg", "a.cfg~", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("?", "", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]a]", "]", true),
            ("[a", "[a", true),
            ("[a-", "[a-", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }
}

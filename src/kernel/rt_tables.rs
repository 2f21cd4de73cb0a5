//! The names of routing tables, from the files of iproute2 (ip-route(8), /etc/iproute2/rt_tables).

use crate::values::TableId;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// The files that iproute2 reads: first the distribution's, then the administrator's, which win.
const FILES: [&str; 3] =
    ["/usr/lib/iproute2/rt_tables", "/usr/share/iproute2/rt_tables", "/etc/iproute2/rt_tables"];
/// The directories of further files, with names ending in `.conf`.
const DIRECTORIES: [&str; 3] =
    ["/usr/lib/iproute2/rt_tables.d", "/usr/share/iproute2/rt_tables.d", "/etc/iproute2/rt_tables.d"];

/// All names. A file that cannot be read is skipped.
pub fn read() -> BTreeMap<String, TableId> {
    let mut names = BTreeMap::new();
    for (file, directory) in FILES.iter().zip(DIRECTORIES) {
        let mut paths: Vec<PathBuf> =
            fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        paths.retain(|path| path.extension().is_some_and(|end| end == "conf"));
        paths.sort();
        paths.insert(0, PathBuf::from(file));
        for path in paths {
            if let Ok(bytes) = fs::read(&path) {
                names.extend(parse(&String::from_utf8_lossy(&bytes)));
            }
        }
    }
    names
}

/// The lines `NUMBER NAME`. `#` starts a comment. Other lines are skipped, as in iproute2.
pub fn parse(text: &str) -> impl Iterator<Item = (String, TableId)> {
    text.lines().filter_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let number = words.next()?;
        let id = match number.strip_prefix("0x") {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        Some((words.next()?.to_owned(), TableId::new(id)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_iproute2_reads() {
        let text = "# reserved\n255\tlocal\n 0 unspec\n100 red # the red one\n0x1F4 blue\nnonsense\n7\n";
        let names: Vec<_> = parse(text).map(|(name, id)| (name, id.get())).collect();
        assert_eq!(names, [("local".into(), 255), ("red".into(), 100), ("blue".into(), 500)]);
    }
}

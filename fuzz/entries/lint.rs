//! What the fuzz target and a unit test do with an interfaces file: all that `ifnetlink lint` finds in it.

#[allow(dead_code, reason = "other entries need more of it")]
#[path = "in_memory.rs"]
mod in_memory;

use crate::all::PROGRAMS;
use crate::file::InterfacesFile;
use crate::stanza::Executors;
use ifupdown_ng_netlink::stanza::file::{self, Version};
use in_memory::InMemory;
use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

/// A directory in which all our executors are installed.
fn directory() -> &'static PathBuf {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(|| {
        let directory = std::env::temp_dir().join(format!("ifnl-fuzz-{}", std::process::id()));
        let made = fs::create_dir_all(&directory);
        let written =
            PROGRAMS.iter().try_for_each(|program| fs::write(directory.join(program.name), "\x7fELF"));
        assert!(made.is_ok() && written.is_ok(), "{}", directory.display());
        directory
    })
}

/// Each finding is one line.
pub fn lint(bytes: &[u8]) {
    for version in [Version::V0_11, Version::V0_12, Version::Head] {
        let Ok(reading) = file::read("a", version, &mut InMemory::of(bytes)) else { continue };
        // It remembers each name, so there is a new one for each input.
        let file = InterfacesFile::of("a", reading, &Executors::installed_in(directory()));
        for finding in file.findings {
            assert_eq!(finding.to_string().lines().count(), 1, "{finding}");
            let _ = finding.json();
        }
    }
}

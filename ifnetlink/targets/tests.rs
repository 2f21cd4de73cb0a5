//! An installation of ifupdown-ng in a directory, for tests on the model of the kernel.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

use crate::all::PROGRAMS;
use crate::targets::{Options, Targets};
use ifupdown_ng_netlink::state::Applied;
use ifupdown_ng_netlink::values::IfName;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// A directory with the files of an installation.
pub struct Installation {
    directory: PathBuf,
    /// Take only interfaces that are `auto`.
    auto: bool,
}

impl Installation {
    /// One with our executors.
    pub fn new(name: &str, auto: bool) -> Self {
        let directory = std::env::temp_dir().join(format!("ifnl-{name}-{}", std::process::id()));
        let executors = directory.join("executors");
        fs::create_dir_all(&executors).unwrap();
        for program in PROGRAMS {
            fs::write(executors.join(program.name), "\x7fELF").unwrap();
        }
        Self { directory, auto }
    }

    /// An interfaces file, while the interfaces with a record are up.
    pub fn targets(&self, text: &str, applied: &BTreeMap<IfName, Applied>) -> Targets {
        let path = |name: &str| self.directory.join(name);
        fs::write(path("interfaces"), text).unwrap();
        let counted = applied.keys().map(|iface| format!("{iface}={iface} 1\n"));
        fs::write(path("ifstate"), counted.collect::<String>()).unwrap();
        let options = Options {
            file: path("interfaces"),
            executors: path("executors"),
            auto: self.auto,
            interfaces: Vec::new(),
            state_file: path("ifstate"),
            with_dependencies: true,
        };
        Targets::with_records(&options, applied.clone()).unwrap()
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

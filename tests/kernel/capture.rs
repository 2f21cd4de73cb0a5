//! What passes a link, as tcpdump sees it.

use crate::lab::{Netns, wait_until};
use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

/// A running capture of what comes in at a link.
#[derive(Debug)]
pub struct Capture {
    tcpdump: Child,
    frames: PathBuf,
}

impl Capture {
    /// Begins to capture frames that match the filter; returns when nothing is missed any more.
    pub fn start(host: &Netns, link: &str, filter: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = |what| PathBuf::from(format!("{}/capture-{number}.{what}", crate::lab::SCRATCH));
        let (frames, log) = (path("frames"), path("log"));
        let tcpdump = host.within(|| {
            Command::new("tcpdump")
                .args(["-i", link, "-Q", "in", "-n", "-e", "-l", "-s", "128"])
                .args(filter.split_whitespace())
                .stdin(Stdio::null())
                .stdout(File::create(&frames).unwrap())
                .stderr(File::create(&log).unwrap())
                .spawn()
                .expect("tcpdump")
        });
        wait_until("tcpdump listens", || {
            let said = fs::read_to_string(&log).expect("its log");
            assert!(!said.contains("No such device"), "{said}");
            said.contains("listening on")
        });
        Self { tcpdump, frames }
    }

    /// Ends it; the frames, a line each.
    pub fn frames(mut self) -> Vec<String> {
        // What is on its way arrives.
        std::thread::sleep(std::time::Duration::from_millis(300));
        self.tcpdump.kill().unwrap();
        self.tcpdump.wait().unwrap();
        fs::read_to_string(&self.frames).unwrap().lines().map(str::to_owned).collect()
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let _ = self.tcpdump.kill();
        let _ = self.tcpdump.wait();
    }
}

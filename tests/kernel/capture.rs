//! The packets on a link, as tcpdump sees them.

use crate::lab::{Netns, wait_until};
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A running capture of the frames that come in on a link.
#[derive(Debug)]
pub struct Capture {
    tcpdump: Child,
    frames: PathBuf,
}

impl Capture {
    /// Begins to capture frames that match the filter; returns when the capture misses none.
    pub fn start(host: &Netns, link: &str, filter: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = |what| PathBuf::from(format!("{}/capture-{number}.{what}", crate::lab::SCRATCH));
        let (frames, log) = (path("frames"), path("log"));
        let tcpdump = host.within(|| {
            Command::new("tcpdump")
                // Show each frame at once: otherwise tcpdump gets them in batches, and the last batch is lost when it
                // ends.
                .args(["--immediate-mode", "-i", link, "-Q", "in", "-n", "-e", "-l", "-s", "128"])
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

    /// Waits for that many frames that show this text.
    #[track_caller]
    pub fn wait_for(&self, count: usize, text: &str) {
        wait_until(&format!("{count} frames with {text:?}"), || {
            self.seen().iter().filter(|frame| frame.contains(text)).count() >= count
        });
    }

    /// Ends it; returns the frames, a line each.
    pub fn frames(mut self) -> Vec<String> {
        // Frames on their way arrive.
        std::thread::sleep(std::time::Duration::from_millis(300));
        // If it sleeps in poll(2), it has read everything.
        wait_until("tcpdump has read what there is", || {
            let stat = fs::read_to_string(format!("/proc/{}/stat", self.tcpdump.id())).expect("it runs");
            stat.contains(") S ")
        });
        self.tcpdump.kill().unwrap();
        self.tcpdump.wait().unwrap();
        self.seen()
    }

    fn seen(&self) -> Vec<String> {
        fs::read_to_string(&self.frames).unwrap().lines().map(str::to_owned).collect()
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let _ = self.tcpdump.kill();
        let _ = self.tcpdump.wait();
    }
}

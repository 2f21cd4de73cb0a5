//! Watches the routes of a namespace by `ip monitor`, so that a route which was there for a moment only is seen.

use crate::lab::{SCRATCH, ip, wait_until};
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// Every change of a route in the calling thread's namespace.
pub struct Monitor {
    ip: Child,
    seen: PathBuf,
}

impl Monitor {
    pub fn start() -> Self {
        let seen = PathBuf::from(format!("{SCRATCH}/monitor"));
        let mut ip = Command::new("ip");
        ip.args(["monitor", "route"]).stdin(Stdio::null()).stdout(File::create(&seen).unwrap());
        let monitor = Self { ip: ip.spawn().expect("ip monitor"), seen };
        monitor.wait();
        monitor
    }

    /// Waits until it has seen everything up to now.
    fn wait(&self) {
        let count = || fs::read_to_string(&self.seen).unwrap().matches(" table 77 ").count();
        let before = count();
        wait_until("ip monitor listens", || {
            ip("route add unreachable 203.0.113.1 table 77");
            ip("route del unreachable 203.0.113.1 table 77");
            count() > before
        });
    }

    /// No route was ever in the table main, and some were in this one.
    #[track_caller]
    pub fn saw_none_in_main(&self, table: u32) {
        self.wait();
        let seen = fs::read_to_string(&self.seen).unwrap();
        // `ip` names every other table.
        let main: Vec<_> = seen.lines().filter(|line| !line.contains(" table ")).collect();
        assert!(main.is_empty(), "in main: {main:?}");
        assert!(seen.contains(&format!(" dev eth0 table {table} ")), "{seen}");
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        let _ = self.ip.kill();
        let _ = self.ip.wait();
    }
}

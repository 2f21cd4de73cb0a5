//! The Alpine package: its size, and its scripts, by which the stock executors are replaced and restored.

use crate::lab::command;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

const EXECUTORS: &str = "/usr/libexec/ifupdown-ng";
const LINKS: [&str; 3] = ["vrf", "bridge", "veth"];

const MDEV: &str = "/etc/mdev.conf";
const MDEV_LINES: &str = "# of the administrator\nnull root:root 666\n";

fn path(name: &str) -> std::path::PathBuf {
    Path::new(EXECUTORS).join(name)
}

fn script(name: &str) {
    command(&format!("sh -e /package/ifupdown-ng-netlink.{name}")).quiet();
}

fn text(name: &str) -> Option<Vec<u8>> {
    fs::read(path(name)).ok()
}

/// The stock executors as they were before.
static STOCK: OnceLock<[Option<Vec<u8>>; 3]> = OnceLock::new();

#[track_caller]
fn in_place(kept: [Option<&[u8]>; 3]) {
    for (name, kept) in LINKS.into_iter().zip(kept) {
        assert_eq!(fs::read_link(path(name)).unwrap(), Path::new("ifupdown-ng-netlink"), "{name}");
        assert!(text(&format!("{name}.ifupdown-ng")).as_deref() == kept, "{name}: what is kept");
    }
}

/// Installation, and everything that apk does to these files meanwhile.
pub fn install() {
    let stock = STOCK.get_or_init(|| LINKS.map(text));
    assert!(stock[0].is_some() && stock[1].is_some() && stock[2].is_none());
    // All executors, as packages have them. `make bench` measures the resident memory.
    let size = fs::metadata(path("ifupdown-ng-netlink")).unwrap().len();
    assert!(size <= 2_500_000, "{size} bytes");
    script("trigger");
    in_place([stock[0].as_deref(), stock[1].as_deref(), None]);
    // The line of mdev is added once, and the administrator's lines stay.
    fs::write(MDEV, MDEV_LINES).unwrap();
    for _ in 0..2 {
        script("post-install");
        let text = fs::read_to_string(MDEV).unwrap();
        assert!(text.ends_with(MDEV_LINES) && text.matches("ifnetlink hotplug").count() == 1, "{text}");
    }
    script("trigger");
    in_place([stock[0].as_deref(), stock[1].as_deref(), None]);
    // The stock package is upgraded: apk writes a file and renames it to the path of the link.
    let upgrade = |text: &[u8]| {
        fs::write(path(".apk.new"), text).unwrap();
        fs::rename(path(".apk.new"), path("vrf")).unwrap();
        script("trigger");
    };
    upgrade(b"newer");
    in_place([Some(b"newer"), stock[1].as_deref(), None]);
    // The stock package is removed, and with it its file, which is now the link; then it is installed again.
    fs::remove_file(path("vrf")).unwrap();
    script("trigger");
    in_place([None, stock[1].as_deref(), None]);
    upgrade(stock[0].as_deref().unwrap());
    in_place([stock[0].as_deref(), stock[1].as_deref(), None]);
}

/// Removal.
pub fn remove() {
    script("pre-deinstall");
    assert_eq!(fs::read_to_string(MDEV).unwrap(), MDEV_LINES);
    assert!(LINKS.map(text) == *STOCK.get().expect("installed before"), "stock executors");
    for name in LINKS {
        assert!(!path(&format!("{name}.ifupdown-ng")).exists(), "{name}: left behind");
    }
    // Together with the stock package, whose files are deleted first.
    script("trigger");
    fs::remove_file(path("vrf")).unwrap();
    script("pre-deinstall");
    assert!(text("vrf").is_none() && text("vrf.ifupdown-ng").is_none());
}

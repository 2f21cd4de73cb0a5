//! The Alpine packages: their size, what the main one leaves alone, and their scripts. What apk itself does is in
//! tests/alpine.

use crate::lab::command;
use crate::machine::{State, ifdown, ifup};
use crate::stock::STOCK;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

const EXECUTORS: &str = "/usr/libexec/ifupdown-ng";
/// The stock executors, copied before anything was installed.
const BEFORE: &str = "/package/stock";
const LINKS: [&str; 3] = ["vrf", "bridge", "veth"];

const MDEV: &str = "/etc/mdev.conf";
const MDEV_LINES: &str = "# of the administrator\nnull root:root 666\n";

fn path(name: &str) -> PathBuf {
    Path::new(EXECUTORS).join(name)
}

/// A script of a package. What it prints.
fn script(name: &str) -> String {
    let ran = command(&format!("sh -e /package/ifupdown-ng-netlink{name}")).ok();
    assert_eq!(ran.stderr, "");
    ran.stdout
}

fn names(directory: &str) -> Vec<String> {
    let found = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = found.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A file in place of that of another package, as apk writes it.
fn replace(name: &str, write: impl Fn(&Path)) {
    let new = path(".apk.new");
    write(&new);
    fs::rename(new, path(name)).unwrap();
}

fn interfaces(text: &str) {
    fs::write("/etc/network/interfaces", text).unwrap();
}

fn exists(link: &str) -> bool {
    Path::new("/sys/class/net").join(link).exists()
}

/// Without the subpackage: no file of ifupdown-ng has changed, and a stanza names the executors.
pub fn alone() {
    assert_eq!(names(BEFORE), STOCK.map(|(name, _)| name));
    for (name, _) in STOCK {
        let before = fs::read(Path::new(BEFORE).join(name)).unwrap();
        assert!(fs::read(path(name)).unwrap() == before, "{name} has changed");
    }
    assert!(!path("veth").exists());
    // All executors, as packages have them. `make bench` measures the resident memory.
    let size = fs::metadata(path("ifupdown-ng-netlink")).unwrap().len();
    assert!(size <= 2_500_000, "{size} bytes");

    let before = State::now();
    interfaces("iface red\n    use vrf-table\n    use vrf-rules\n    vrf_table 10\n    vrf_rules yes\n");
    ifup("red").quiet();
    assert!(exists("red"));
    assert!(command("ip -6 rule").ok().stdout.contains("unreachable"), "no rules");
    ifdown("red");
    before.assert_still();
}

/// /etc/mdev.conf belongs to another package: the scripts only say what to change.
pub fn mdev() {
    let hint = "at the beginning of /etc/mdev.conf";
    assert_eq!(script(".post-install"), "", "no mdev");
    fs::write(MDEV, MDEV_LINES).unwrap();
    assert!(script(".post-install").contains(hint));
    assert_eq!(script(".post-deinstall"), "");
    assert_eq!(fs::read_to_string(MDEV).unwrap(), MDEV_LINES);
    let with_line = fs::read_to_string("/usr/share/ifupdown-ng-netlink/mdev.conf").unwrap() + MDEV_LINES;
    fs::write(MDEV, &with_line).unwrap();
    assert_eq!(script(".post-install"), "", "it is there");
    assert!(script(".post-deinstall").contains("Remove the line"));
    assert_eq!(fs::read_to_string(MDEV).unwrap(), with_line);
}

/// The subpackage, whose links the other tests need.
pub fn dropin() {
    for name in LINKS {
        replace(name, |new| symlink("ifupdown-ng-netlink", new).unwrap());
    }
    // It is installed.
    assert_eq!(script("-dropin.post-deinstall"), "");
}

/// The subpackage is removed. apk deletes its files, and then runs its script.
pub fn remove() {
    let fix = |said: &str| said.lines().find_map(|line| Some(line.split_once("apk fix ")?.1.to_owned()));
    for name in LINKS {
        fs::remove_file(path(name)).unwrap();
    }
    let script = || fix(&script("-dropin.post-deinstall"));
    assert_eq!(script().as_deref(), Some("ifupdown-ng ifupdown-ng-iproute2"));
    // What the script says of ifup.
    interfaces("iface red\n    vrf-table 10\n");
    ifup("red");
    assert!(!exists("red"), "an executor that is not there");
    command("ifdown -f red").ok();

    let stock = |name: &str| {
        replace(name, |new| assert!(fs::copy(Path::new(BEFORE).join(name), new).unwrap() > 0));
    };
    stock("bridge");
    assert_eq!(script().as_deref(), Some("ifupdown-ng-iproute2"));
    fs::remove_file(path("bridge")).unwrap();
    stock("vrf");
    assert_eq!(script().as_deref(), Some("ifupdown-ng"));
    stock("bridge");
    assert_eq!(script(), None);
    // Without ifupdown-ng-iproute2.
    for name in ["vrf", "gre", "bridge"] {
        fs::remove_file(path(name)).unwrap();
    }
    assert_eq!(script().as_deref(), Some("ifupdown-ng"));
    // Everything is removed.
    fs::remove_dir_all(EXECUTORS).unwrap();
    assert_eq!(script(), None);
}

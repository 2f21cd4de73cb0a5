//! `ifnetlink exec netns`, without iproute2.

use crate::lab::{Ran, command, run};
use crate::machine::{State, ifdown, ifup, interfaces};
use std::fs;
use std::process::Command;

/// A command in `guest`.
fn inside(words: &[&str]) -> Ran {
    run(Command::new("ifnetlink").args(["exec", "netns", "guest"]).args(words))
}

/// A command in the namespace of a veth pair.
pub fn in_a_namespace() {
    let before = State::now();
    let none = "ifnetlink: exec netns guest: there is no namespace of that name; `ifnetlink show` prints those that exist";
    inside(&["true"]).refuses(1, none);
    interfaces("veth-peer", str::to_owned);
    ifup("-a").quiet();
    for list in ["ls /sys/class/net", "sed -n 's/^ *\\(.*\\):.*/\\1/p' /proc/net/dev"] {
        let ran = inside(&["sh", "-c", list]).quiet();
        let mut links: Vec<&str> = ran.stdout.lines().collect();
        links.sort_unstable();
        assert_eq!(links, ["eth0", "lo"], "{list}");
    }
    let address = inside(&["ip", "-o", "addr", "show", "dev", "eth0"]).quiet();
    assert!(address.stdout.contains("192.0.2.2/24"), "{address}");
    inside(&["ping", "-c", "1", "-W", "5", "192.0.2.1"]).ok();
    fs::create_dir_all("/etc/netns/guest").unwrap();
    fs::write("/etc/netns/guest/resolv.conf", "inside\n").unwrap();
    fs::write("/etc/resolv.conf", "outside\n").unwrap();
    assert_eq!(inside(&["cat", "/etc/resolv.conf"]).quiet().stdout, "inside\n");
    assert_eq!(command("cat /etc/resolv.conf").quiet().stdout, "outside\n");
    let mounts = || command("cat /proc/self/mountinfo").stdout;
    let mounted = mounts();
    inside(&["mount", "-t", "tmpfs", "tmpfs", "/media"]).quiet();
    assert_eq!(mounts(), mounted);
    assert_eq!(
        inside(&["printf", "<%s>", "-x", "--help", "a b", "--", ""]).quiet().stdout,
        "<-x><--help><a b><--><>"
    );
    assert_eq!(inside(&["sh", "-c", "exit 7"]).status, 7);
    assert_eq!(inside(&["sh", "-c", "kill -15 $$"]).status, 128 + 15);
    let absent = "ifnetlink: exec netns guest: absent: No such file or directory (os error 2)";
    inside(&["absent"]).refuses(127, absent);
    let not_executable = "ifnetlink: exec netns guest: /etc/resolv.conf: Permission denied (os error 13)";
    inside(&["/etc/resolv.conf"]).refuses(126, not_executable);
    fs::remove_file("/etc/resolv.conf").unwrap();
    fs::remove_dir_all("/etc/netns").unwrap();
    ifdown("-a");
    before.assert_still();
}

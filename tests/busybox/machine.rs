//! The machine: its programs, its network connections, and whether its state is as before.

use crate::lab::{Netns, Ran, command, ip, wait_until};
use std::fs;
use std::path::{Path, PathBuf};

/// All programs: busybox, ifupdown-ng and this one. And scripts.
pub fn userland() {
    let expected = ["/usr/bin/busybox", "/usr/sbin/ifupdown-ng", "/usr/sbin/ifnetlink", "/init", "/program"]
        .map(PathBuf::from);
    let ours = Path::new("/usr/libexec/ifupdown-ng/ifupdown-ng-netlink");
    let mut found = Vec::new();
    for directory in ["/", "/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/libexec/ifupdown-ng"] {
        for entry in fs::read_dir(directory).unwrap() {
            let path = fs::canonicalize(entry.unwrap().path()).unwrap();
            if path.is_file()
                && path.parent() != Some(Path::new("/usr/libexec/ifupdown-ng"))
                && path != Path::new("/job")
            {
                found.push(path);
            } else if fs::read(&path).is_ok_and(|text| !text.starts_with(b"#!")) && path != Path::new("/job")
            {
                assert_eq!(path, ours, "a program");
            }
        }
    }
    found.sort();
    found.dedup();
    let mut expected = expected.to_vec();
    expected.sort();
    assert_eq!(found, expected);
    let said = command("ip -V");
    assert!((said.stdout + &said.stderr).contains("BusyBox"), "no other ip");
}

/// Installs the only interfaces file.
pub fn interfaces(name: &str, change: impl Fn(&str) -> String) {
    let example = Path::new("/usr/share/doc/ifupdown-ng-netlink/interfaces.d").join(name);
    fs::write("/etc/network/interfaces", change(&fs::read_to_string(example).unwrap())).unwrap();
}

/// The real `ifup`.
pub fn ifup(arguments: &str) -> Ran {
    command(&format!("ifup {arguments}")).ok()
}

/// The real `ifdown`.
pub fn ifdown(arguments: &str) -> Ran {
    let ran = command(&format!("ifdown {arguments}")).ok();
    // ifupdown-ng takes `lo` down with the rest.
    ip("link set lo up");
    ran
}

/// A link between the machine (`ours`, down) and a new host (`theirs`, up), which detects no duplicate addresses.
pub fn beside(ours: &str, theirs: &str) -> Netns {
    let host = Netns::new();
    join(&Netns::current(), ours, &host, theirs);
    host
}

/// A veth pair; `ours` is down and `theirs` is up. busybox has no `peer`, and names a namespace by a process (or
/// thread) in it.
pub fn join(here: &Netns, ours: &str, there: &Netns, theirs: &str) {
    here.within(|| {
        // From an earlier test, whose host has services that do not end.
        // Its namespace, and the link with it, may be deleted at this moment.
        let link = Path::new("/sys/class/net").join(ours);
        if link.exists() {
            command(&format!("ip link del {ours}"));
            wait_until("the earlier link is gone", || !link.exists());
        }
        ip(&format!("link add {ours} type veth"));
        // Set it up once, so that the kernel adds nothing new when it goes up later.
        ip(&format!("link set {ours} up"));
        ip(&format!("link set {ours} down"));
    });
    let peer = here.within(|| {
        let all = ip("-o link");
        let mark = format!("@{ours}:");
        let line = all.lines().find(|line| line.contains(&mark)).unwrap_or_else(|| panic!("no peer: {all}"));
        line.split(": ").nth(1).unwrap().split('@').next().unwrap().to_owned()
    });
    there.within(|| {
        fs::write("/proc/sys/net/ipv6/conf/default/accept_dad", "0").unwrap();
        let thread = nix::unistd::gettid();
        here.within(|| ip(&format!("link set {peer} netns {thread}")));
        if peer != theirs {
            ip(&format!("link set {peer} name {theirs}"));
        }
        ip(&format!("link set {theirs} up"));
    });
}

/// Gives a host addresses.
pub fn addresses(host: &Netns, link: &str, addresses: &[&str]) {
    for address in addresses {
        host.within(|| ip(&format!("addr add {address} dev {link}")));
    }
}

/// Waits until no address of the calling thread's namespace is being checked for duplicates.
pub fn settle() {
    wait_until("no tentative address", || !ip("-6 addr").contains("tentative"));
}

/// Everything that could be left behind, as lines.
#[derive(Debug, PartialEq, Eq)]
pub struct State(Vec<String>);

impl State {
    /// The state of the machine.
    pub fn now() -> Self {
        let mut lines = Vec::new();
        for words in
            ["-o link", "-o addr", "route show table all", "-6 route show table all", "rule", "-6 rule"]
        {
            // Interface indexes only increase; the rule at 1000 is the kernel's own and stays.
            let all = command(&format!("ip {words}")).ok().stdout;
            lines.extend(all.lines().filter(|line| !line.starts_with("1000:")).map(|line| {
                match line.split_once(": ") {
                    Some((number, rest)) if number.parse::<u32>().is_ok() && !words.contains("rule") => {
                        rest.to_owned()
                    }
                    _ => line.to_owned(),
                }
            }));
        }
        for protocol in ["tcp", "udp", "raw"] {
            let path = format!("/proc/sys/net/ipv4/{protocol}_l3mdev_accept");
            lines.push(format!("{path}: {}", fs::read_to_string(&path).unwrap_or_default().trim()));
        }
        for found in command("find /run -mindepth 1").ok().stdout.lines() {
            if !found.starts_with("/run/ifstate") && found != "/run/netns" {
                lines.push(found.to_owned());
            }
        }
        lines.sort();
        Self(lines)
    }

    /// Fails unless the state is the same now.
    pub fn assert_still(&self) {
        let now = Self::now();
        let only = |one: &Self, other: &Self| -> Vec<String> {
            one.0.iter().filter(|line| !other.0.contains(line)).cloned().collect()
        };
        assert!(*self == now, "gone: {:#?}, new: {:#?}", only(self, &now), only(&now, self));
    }
}

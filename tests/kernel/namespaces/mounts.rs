//! What other mount namespaces see of ours, and what the host sees of mounts inside; and reading a kernel that changes
//! all the time.

use super::{nothing_left, pair_stanza};
use crate::lab::{command, ip, own_run, program, run, wait_until};
use std::os::unix::fs::symlink;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{fs, thread};

/// The resolv.conf of a namespace is visible inside only, although the host's is a link to a shared /run.
pub fn inside_etc() {
    own_run();
    command("mount -t tmpfs tmpfs /etc").ok();
    for mount in ["/run", "/etc"] {
        command(&format!("mount --make-shared {mount}")).ok();
    }
    fs::create_dir_all("/run/resolve").unwrap();
    fs::write("/run/resolve/stub", "host\n").unwrap();
    symlink("../run/resolve/stub", "/etc/resolv.conf").unwrap();
    fs::create_dir_all("/etc/netns/red").unwrap();
    fs::write("/etc/netns/red/resolv.conf", "red\n").unwrap();
    fs::write("/etc/netns/red/missing", "red\n").unwrap();
    ip("netns add red");
    let mounts = || fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
    let before = mounts();
    let inside = |script: &str| {
        let mut child = Command::new(program("netns-interfaces"));
        child.args(["--inside", "/run/netns/red", "red", "/bin/sh", "-c", script]);
        run(&mut child).ok()
    };
    for _ in 0..2 {
        let ran = inside("cat /etc/resolv.conf");
        assert_eq!(ran.stdout, "red\n", "{ran}");
        let told = "warning: cannot bind /etc/netns/red/missing to /etc/missing: No such file or directory\n";
        assert_eq!(ran.stderr, told);
        assert_eq!(
            fs::read_to_string("/etc/resolv.conf").unwrap(),
            "host\n",
            "the host resolves as red does"
        );
        assert_eq!(mounts(), before);
    }
    inside("ip netns add made-inside");
    ip("netns exec made-inside true");
    for name in ["made-inside", "red"] {
        ip(&format!("netns del {name}"));
    }
}

/// A service in a slave mount namespace, started before any namespace exists, sees namespaces that are created later.
pub fn seen_by_services() {
    own_run();
    command("mount --make-shared /run").ok();
    let mut service = Command::new("unshare");
    let mut service = service.args(["-m", "--propagation", "slave", "sleep", "600"]).spawn().unwrap();
    let pid = service.id();
    let own = fs::read_link("/proc/thread-self/ns/mnt").unwrap();
    let its = format!("/proc/{pid}/ns/mnt");
    wait_until("its own mounts", || fs::read_link(&its).is_ok_and(|theirs| theirs != own));
    let stanza = pair_stanza();
    for _ in 0..2 {
        stanza.up();
        command(&format!("nsenter --mount={its} ip netns exec blue ip link show veth0")).ok();
        stanza.down();
        nothing_left("after down");
        let left = fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap();
        assert!(!left.contains("netns"), "{left}");
    }
    service.kill().unwrap();
    service.wait().unwrap();
}

/// All links are read while other links are created and deleted all the time.
pub fn many_changes() {
    own_run();
    ip("netns add blue");
    for n in 0..100 {
        ip(&format!("-n blue link add name a{n} type veth peer name b{n}"));
    }
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for name in ["x", "y"] {
            let done = &done;
            scope.spawn(move || {
                let batch =
                    format!("link add name {name} type veth peer name {name}2\nlink del {name}\n").repeat(50);
                let file = format!("/run/{name}");
                fs::write(&file, batch).unwrap();
                while !done.load(Ordering::Relaxed) {
                    command(&format!("ip -n blue -b {file}")).ok();
                    // The machine has one processor, on which the reader has to run as well.
                    thread::sleep(Duration::from_millis(5));
                }
            });
        }
        // It reads all links, to find one that another program left inside.
        let check = ["--iface", "eth0", "--phase", "destroy", "--check", "netns=blue"];
        let results: Vec<_> = (0..40).map(|_| run(Command::new(program("netns")).args(check))).collect();
        done.store(true, Ordering::Relaxed);
        for ran in results {
            ran.ok();
        }
    });
}

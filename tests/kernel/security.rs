//! Directories, files and values of other users, which our programs do not trust, since they run as root.

use crate::features::{Feature, needs};
use crate::lab::{Netns, Ran, command, in_lab, ip, own_run, phase, phase_command, program, run, wait_until};
use crate::variable::variable;
use libtest_mimic::Trial;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

mod unprivileged;
pub use unprivileged::by_nobody;
mod weaknesses;

pub fn tests() -> Vec<Trial> {
    let mut tests = Vec::new();
    for (name, test) in [
        ("run-directory", run_directory as fn()),
        ("records", records),
        ("loose-umask", loose_umask),
        ("named-namespaces", named_namespaces),
        ("links-to-namespaces", links_to_namespaces),
        ("held-lock", held_lock),
        ("covered-sysctl", covered_sysctl),
        ("namespace-files", namespace_files),
        ("interfaces-files", interfaces_files),
        ("before-us", unprivileged::before_us),
        ("namespace-paths", unprivileged::namespace_paths),
        ("names-of-links", unprivileged::names_of_links),
        ("parameter-paths", unprivileged::parameter_paths),
        ("delete-by-name", weaknesses::delete_by_name),
        ("rogue-router", weaknesses::rogue_router),
        ("ipv6-left-on", weaknesses::ipv6_left_on),
        ("sockets-of-the-host", weaknesses::sockets_of_the_host),
    ] {
        tests.push(needs(&[], format!("security/{name}"), move || in_lab(test)));
    }
    for (name, features, test) in [
        ("no-shell", &[Feature::Strace][..], no_shell as fn()),
        ("delete-vrf-by-name", &[Feature::Vrf], weaknesses::delete_vrf_by_name),
        ("bound-by-every-user", &[Feature::Vrf], weaknesses::bound_by_every_user),
        ("second-user", &[Feature::Roots], unprivileged::second_user),
        ("interfaces-race", &[Feature::Roots], unprivileged::interfaces_race),
        ("umask-of-the-nested", &[Feature::Roots], unprivileged::umask_of_the_nested),
        ("late-links", &[Feature::Roots, Feature::Vlan, Feature::Strace], unprivileged::late_links),
    ] {
        tests.push(needs(features, format!("security/{name}"), move || in_lab(test)));
    }
    tests
}

/// Our directory below `/run`.
const OURS: &str = "/run/ifupdown-ng-netlink";
/// A user who is not root.
const NOBODY: u32 = 65534;
const PAIR: [&str; 2] = ["veth-peer veth0", "veth-peer-netns blue"];

fn mode(path: &str) -> u32 {
    fs::metadata(path).unwrap_or_else(|error| panic!("{path}: {error}")).permissions().mode() & 0o7777
}

fn set_mode(path: &str, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn create() -> Ran {
    phase("veth", "v0", "create", &PAIR)
}

fn destroy() {
    phase("veth", "v0", "destroy", &PAIR).quiet();
}

/// The program refuses with these words, and creates nothing.
#[track_caller]
fn refuses(ran: &Ran, words: &str) {
    assert!(ran.status == 1 && ran.stderr.lines().count() == 1 && ran.stderr.contains(words), "{ran}");
    assert!(!ip("-br link").contains("v0"), "{ran}");
}

fn run_directory() {
    own_run();
    let number =
        fs::metadata("/proc/thread-self/ns/net").map(|found| std::os::unix::fs::MetadataExt::ino(&found));
    let of_netns = format!("{OURS}/netns-{}", number.unwrap());
    for path in [OURS, of_netns.as_str()] {
        fs::create_dir_all(Path::new(path).parent().unwrap()).unwrap();
        fs::create_dir("/run/elsewhere").unwrap();
        symlink("/run/elsewhere", path).unwrap();
        refuses(&create(), "not a directory that this package created");
        assert_eq!(fs::read_dir("/run/elsewhere").unwrap().count(), 0, "a link was followed");
        fs::remove_file(path).unwrap();
        fs::remove_dir("/run/elsewhere").unwrap();
        fs::create_dir(path).unwrap();
        chown(path, Some(NOBODY), None).unwrap();
        refuses(&create(), "not a directory that this package created");
        chown(path, Some(0), None).unwrap();
        for bad in [0o777, 0o775, 0o1777] {
            set_mode(path, bad);
            refuses(&create(), &format!("others can write {path}"));
        }
        set_mode(path, 0o755);
        create().quiet();
        destroy();
        fs::create_dir_all(path).unwrap();
        let by_nobody = run(phase_command("veth", "v0", "create", &PAIR).uid(NOBODY).gid(NOBODY));
        let line = format!(
            "veth: v0: cannot read the record of the applied stanza: Permission denied (EACCES): {OURS}; this needs root"
        );
        by_nobody.refuses(1, &line);
        fs::remove_dir(path).unwrap();
        // A file of that name, not a directory.
        fs::create_dir_all(Path::new(path).parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
        refuses(&create(), "not a directory that this package created");
        fs::remove_file(path).unwrap();
    }
    // The parent directory, where other users could replace our directory by theirs.
    set_mode("/run", 0o777);
    refuses(&create(), "others can write /run");
    set_mode("/run", 0o1777);
    create().quiet();
    destroy();
    set_mode("/run", 0o755);
}

/// A record that is a symbolic link is neither read nor written.
fn records() {
    own_run();
    let secret = "/run/secret";
    fs::write(secret, "1 1 veth0 - blue").unwrap();
    create().quiet();
    let ours = fs::read_dir(OURS).unwrap().next().unwrap().unwrap().path();
    let record = ours.join("peer:v0");
    assert!(record.is_file(), "{}", command(&format!("find {OURS}")).stdout);
    destroy();
    for name in ["peer:v0", "peer:v0.new", "lock"] {
        let link = ours.join(name);
        fs::create_dir_all(&ours).unwrap();
        symlink(secret, &link).unwrap();
        let ran = create();
        // The lock is refused; the others are replaced.
        assert_eq!(ran.status, i32::from(name == "lock"), "{name}: {ran}");
        assert_eq!(fs::read_to_string(secret).unwrap(), "1 1 veth0 - blue", "{name}");
        let _ = fs::remove_file(&link);
        destroy();
        let _ = fs::remove_dir_all(OURS);
    }
}

/// Whatever the umask of the process that started ifup, other users cannot write our files.
fn loose_umask() {
    own_run();
    let mut shell = Command::new("sh");
    let child = phase_command("veth", "v0", "create", &PAIR);
    shell.args(["-c", "umask 000; exec \"$0\""]).arg(program("veth")).env_clear();
    for (name, value) in child.get_envs() {
        shell.env(name, value.unwrap_or_default());
    }
    run(&mut shell).quiet();
    for path in command(&format!("find {OURS} /run/netns")).stdout.lines() {
        assert_eq!(mode(path) & 0o022, 0, "{path}: {:o}", mode(path));
    }
    destroy();
}

fn named_namespaces() {
    own_run();
    fs::create_dir("/run/theirs").unwrap();
    symlink("/run/theirs", "/run/netns").unwrap();
    refuses(&create(), "/run/netns");
    assert_eq!(fs::read_dir("/run/theirs").unwrap().count(), 0, "a link was followed");
    fs::remove_file("/run/netns").unwrap();
    fs::create_dir("/run/netns").unwrap();
    set_mode("/run/netns", 0o777);
    refuses(&create(), "others can write /run/netns");
    set_mode("/run/netns", 0o755);
    chown("/run/netns", Some(NOBODY), None).unwrap();
    refuses(&create(), "/run/netns belongs to user 65534");
    chown("/run/netns", Some(0), None).unwrap();
    create().quiet();
    destroy();
}

/// A symbolic link in /run/netns is followed only if only root can have created it.
fn links_to_namespaces() {
    own_run();
    ip("link add name eth0 type veth peer name far");
    let mut process = Command::new("unshare").args(["-n", "sleep", "600"]).spawn().unwrap();
    let path = format!("/proc/{}/ns/net", process.id());
    let own = fs::read_link("/proc/thread-self/ns/net").unwrap();
    wait_until("its own namespace", || fs::read_link(&path).is_ok_and(|theirs| theirs != own));
    fs::create_dir("/run/netns").unwrap();
    symlink(&path, "/run/netns/red").unwrap();
    let up = || phase("netns", "eth0", "post-up", &["netns red"]);
    let is_here = || ip("-br link").contains("eth0@");
    set_mode("/run/netns", 0o777);
    let ran = up();
    assert!(ran.status == 1 && ran.stderr.contains("others can write /run/netns") && is_here(), "{ran}");
    set_mode("/run/netns", 0o755);
    std::os::unix::fs::lchown("/run/netns/red", Some(NOBODY), None).unwrap();
    let ran = up();
    assert!(ran.stderr.contains("/run/netns/red belongs to user 65534") && is_here(), "{ran}");
    std::os::unix::fs::lchown("/run/netns/red", Some(0), None).unwrap();
    up().quiet();
    assert!(!is_here(), "a link of root's was not followed");
    process.kill().unwrap();
    process.wait().unwrap();
}

/// Any user can hold the lock that `ip netns` takes.
fn held_lock() {
    own_run();
    ip("netns add theirs");
    let mut holder = Command::new("setpriv");
    holder.args(["--reuid=65534", "--clear-groups", "flock", "/run/netns", "sleep", "600"]);
    let mut holder = holder.spawn().unwrap();
    wait_until("it is held", || command("flock -n /run/netns true").status != 0);
    let begun = Instant::now();
    refuses(&create(), "a process has held a lock on /run/netns for 10 s; `fuser /run/netns` names it");
    assert!(begun.elapsed() >= Duration::from_secs(10));
    command(&format!("pkill -P {}", holder.id()));
    holder.kill().unwrap();
    holder.wait().unwrap();
    wait_until("it is free", || command("flock -n /run/netns true").status == 0);
    create().quiet();
    destroy();
}

/// A file that is mounted over a parameter is not written.
fn covered_sysctl() {
    own_run();
    ip("link add name eth0 type veth peer name far");
    fs::write("/run/file", "").unwrap();
    let parameter = "/proc/sys/net/ipv4/ip_default_ttl";
    ip("netns add blue");
    let inside = Netns::named("blue");
    // Each namespace has its own directory of parameters.
    inside.within(|| command(&format!("mount --bind /run/file {parameter}")).ok());
    let ran = phase("netns", "eth0", "post-up", &["netns blue", "netns-sysctl net.ipv4.ip_default_ttl=7"]);
    let told = format!("{parameter}: not on a proc file system");
    assert!(ran.status == 1 && ran.stderr.contains(&told), "{ran}");
    assert_eq!(fs::read_to_string("/run/file").unwrap(), "");
    inside.within(|| command(&format!("umount {parameter}")).ok());
}

/// A file that is not a network namespace is refused, and not even opened.
fn namespace_files() {
    own_run();
    ip("link add name eth0 type veth peer name far");
    command("mkfifo /run/pipe").ok();
    command("mknod /run/device c 1 5").ok();
    fs::write("/run/file", "").unwrap();
    symlink("/proc/self/ns/uts", "/run/other").unwrap();
    for path in
        ["/run/pipe", "/run/device", "/run/file", "/run/other", "/run", "/proc/self/ns/mnt", "/dev/null"]
    {
        let mut child = phase_command("netns", "eth0", "create", &[&format!("netns {path}")]);
        // Opening a pipe blocks until a process writes to it.
        let mut timeout = Command::new("timeout");
        timeout.arg("600").arg(child.get_program()).env_clear();
        for (name, value) in child.get_envs() {
            timeout.env(name, value.unwrap_or_default());
        }
        child = timeout;
        run(&mut child).refuses(1, &format!("netns: eth0: netns {path}: not a network namespace"));
    }
}

/// Files whose commands would be run as root although other users can write them.
fn interfaces_files() {
    own_run();
    ip("link add name eth0 type veth peer name far");
    fs::create_dir_all("/run/etc/deep").unwrap();
    let file = "/run/etc/deep/interfaces";
    fs::write(file, "").unwrap();
    let create = |path: &str| {
        let keywords = ["netns blue", &format!("netns-interfaces {path}")].map(str::to_owned);
        let ran = phase("netns-interfaces", "eth0", "create", &keywords.each_ref().map(String::as_str));
        if ran.status == 0 { String::new() } else { ran.stderr }
    };
    assert_eq!(create(file), "");
    for bad in [0o666, 0o664, 0o646] {
        set_mode(file, bad);
        assert!(create(file).contains(&format!("others can write {file}")), "{bad:o}: {}", create(file));
    }
    set_mode(file, 0o644);
    chown(file, Some(NOBODY), None).unwrap();
    let told = format!("netns-interfaces {file}: {file}: {file} belongs to user 65534");
    assert!(create(file).contains(&told), "{}", create(file));
    chown(file, Some(0), None).unwrap();
    for directory in ["/run/etc/deep", "/run/etc"] {
        set_mode(directory, 0o775);
        assert!(create(file).contains(&format!("others can write {directory}")), "{}", create(file));
        // Only files of root can be in that directory, and other users cannot delete them.
        set_mode(directory, 0o1777);
        assert_eq!(create(file), "");
        chown(directory, Some(NOBODY), None).unwrap();
        assert!(create(file).contains(&format!("{directory} belongs to user 65534")), "{}", create(file));
        chown(directory, Some(0), None).unwrap();
        set_mode(directory, 0o755);
    }
    // The target of a symbolic link is what counts; a directory or a pipe is not a file.
    symlink("/run/etc/deep", "/run/link").unwrap();
    assert_eq!(create("/run/link/interfaces"), "");
    set_mode("/run/etc/deep", 0o777);
    assert!(create("/run/link/interfaces").contains("others can write /run/etc/deep"));
    set_mode("/run/etc/deep", 0o755);
    command("mkfifo /run/etc/pipe").ok();
    for path in ["/run/etc", "/run/etc/pipe"] {
        let told = format!("netns-interfaces {path}: {path}: not a file");
        assert!(create(path).contains(&told), "{}", create(path));
    }
}

/// No value of any keyword makes our executors start a program.
fn no_shell() {
    own_run();
    let log = "/run/calls";
    for (name, keywords) in [
        ("vrf-table", &["vrf-table", "vrf-member", "vrf-table-range"][..]),
        ("vrf-rules", &["vrf-rules", "vrf-accept", "vrf-rules-local"]),
        ("vrf-route", &["vrf-route", "vrf-member"]),
        ("netns", &["netns", "netns-ifname", "netns-address", "netns-sysctl", "netns-interfaces"]),
        ("veth", &["veth-peer", "veth-peer-netns", "veth-peer-address", "veth-peer-route"]),
        ("bridge", &["bridge-ports", "bridge-vlan", "bridge-member", "bridge-fdb", "bridge-waitport"]),
    ] {
        for value in
            ["$(touch /run/broken)", "`touch /run/broken`", "a;touch /run/broken", "|touch /run/broken"]
        {
            for when in ["depend", "create", "pre-up", "post-up", "pre-down", "destroy"] {
                let mut strace = Command::new("strace");
                strace.args(["-f", "-qq", "-e", "trace=execve,execveat", "-o", log]).arg(program(name));
                strace.env_clear().env("PATH", "/usr/bin:/bin").env("IFACE", "v0").env("PHASE", when);
                for keyword in keywords {
                    strace.env(variable(keyword), value);
                }
                let ran = run(&mut strace);
                let calls = fs::read_to_string(log).unwrap();
                assert_eq!(calls.lines().filter(|line| line.contains("exec")).count(), 1, "{ran}\n{calls}");
                assert!(!Path::new("/run/broken").exists(), "{ran}");
            }
        }
    }
}

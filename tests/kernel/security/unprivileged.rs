//! Another user of the machine, who is not root and has no capability, tries to get past our checks.

use super::{NOBODY, OURS, create, destroy, mode, refuses, set_mode};
use crate::ifupdown::{Ifupdown, Installed};
use crate::lab::{Netns, SCRATCH, command, ip, own_run, phase, phase_command, run, wait_until};
use crate::matrix;
use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The words before a command that this user runs.
const AS_NOBODY: [&str; 5] =
    ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"];

/// A command that this user runs, in the machine's own root.
pub fn by_nobody(words: &[&str]) -> Command {
    let mut command = Command::new(AS_NOBODY[0]);
    command.args(&AS_NOBODY[1..]).args(words);
    command
}

/// The same in the root of an installation.
fn by_nobody_in(installed: &Installed, words: &[&str]) -> Command {
    let mut command = Command::new("chroot");
    command.arg(installed.path("/")).args(AS_NOBODY).args(words);
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command
}

/// A process of this user that runs until it is dropped.
pub struct Process(Child);

impl Process {
    pub fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        Self(command.spawn().expect("setpriv"))
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let group = nix::unistd::Pid::from_raw(i32::try_from(self.0.id()).unwrap());
        let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
        let _ = self.0.wait();
    }
}

/// Tries to read, write, lock, rename and delete everything below some directories, and to add to the directories.
/// Prints what succeeds. Everybody may read the directories, ifup's state file and the names of namespaces.
const TRY_ALL: &str = r#"
    for path in $(find "$@" -depth); do
        if [ -d "$path" ]; then
            ! mkdir "$path/new" 2>/dev/null || echo "mkdir in $path"
            ! ln -s /etc/passwd "$path/link" 2>/dev/null || echo "link in $path"
        else
            case $path in /run/ifstate | /run/netns/*) ;; *) ! cat "$path" >/dev/null 2>&1 || echo "read $path" ;; esac
            ! (: >>"$path") 2>/dev/null || echo "write $path"
            case $path in /run/ifstate | /run/netns/*) ;; *) ! flock -n "$path" true 2>/dev/null || echo "lock $path" ;; esac
        fi
        ! chmod 777 "$path" 2>/dev/null || echo "chmod $path"
        ! mv "$path" "$path.moved" 2>/dev/null || echo "mv $path"
        ! rm -rf "$path" 2>/dev/null || echo "rm $path"
    done
"#;

/// While a change waits for its confirmation: records, journal, locks and namespaces are there.
pub fn second_user() {
    let _host = Netns::beside("eth1", "eth0");
    let pair = "auto v0\niface v0\n    veth-peer veth0\n    veth-peer-netns blue\n    address 192.0.2.1/24\n";
    let installed = Ifupdown::USUAL.install(pair);
    installed.ifup("-a").ok();
    installed.interfaces(&pair.replace("192.0.2.1", "192.0.2.2"));
    let ran = installed.ifnetlink("apply --confirm=3600");
    assert_eq!(ran.status, 5, "{ran}");
    let in_run = fs::read_dir(installed.path("/run")).unwrap().flatten();
    let names = in_run.map(|entry| entry.file_name().into_string().unwrap());
    let names = names
        .filter(|name| ["ifupdown-ng-netlink", "netns"].contains(&&**name) || name.starts_with("ifstate"));
    let paths: Vec<String> = names.map(|name| format!("/run/{name}")).collect();
    let look = || {
        let mut find = Command::new("chroot");
        find.arg(installed.path("/")).arg("find").args(&paths).args(["-printf", "%p %i %m %U %s %T@\n"]);
        let mut lines: Vec<String> = run(&mut find).ok().stdout.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let before = look();
    for record in ["/applied:v0 ", "/pending.journal ", "/pending.watch ", "/run/netns/blue "] {
        assert!(before.iter().any(|line| line.contains(record)), "no {record}: {before:#?}");
    }
    let words: Vec<&str> =
        ["sh", "-c", TRY_ALL, "sh"].into_iter().chain(paths.iter().map(String::as_str)).collect();
    let tried = run(&mut by_nobody_in(&installed, &words));
    assert_eq!((tried.status, tried.stdout.as_str()), (0, ""), "{tried}");
    // The same script finds what is open to everybody.
    let control = ["sh", "-c", TRY_ALL, "sh", "/mnt/control"];
    fs::create_dir(installed.path("/mnt/control")).unwrap();
    fs::write(installed.path("/mnt/control/file"), "text").unwrap();
    set_mode(installed.path("/mnt/control").to_str().unwrap(), 0o777);
    set_mode(installed.path("/mnt/control/file").to_str().unwrap(), 0o666);
    let tried = run(&mut by_nobody_in(&installed, &control)).stdout;
    for success in ["mkdir in", "link in", "read ", "write ", "lock ", "mv "] {
        assert!(tried.contains(success), "{success}: {tried}");
    }
    for arguments in [&["confirm"][..], &["confirm", "--no"], &["apply", "-i", "/mnt/interfaces"]] {
        let ran = run(&mut by_nobody_in(&installed, &[&["/mnt/ifnetlink"], arguments].concat()));
        assert!(ran.status == 1 && ran.stderr.contains("(EACCES)"), "{ran}");
    }
    // With the rights of this user, and no more.
    fs::write(installed.path("/mnt/secret"), "auto eth0\niface eth0\n    key secret\n").unwrap();
    set_mode(installed.path("/mnt/secret").to_str().unwrap(), 0o600);
    let ran = run(&mut by_nobody_in(&installed, &["/mnt/ifnetlink", "lint", "/mnt/secret"]));
    assert!(ran.status == 2 && ran.stdout.contains("Permission denied"), "{ran}");
    for words in [&["nsenter", "--net=/run/netns/blue", "true"][..], &["ip", "netns", "exec", "blue", "true"]]
    {
        assert_ne!(run(&mut by_nobody_in(&installed, words)).status, 0, "{words:?}");
    }
    let ran = run(&mut by_nobody_in(&installed, &["/mnt/ifnetlink", "exec", "netns", "blue", "true"]));
    assert!(ran.status == 1 && ran.stderr.contains("this needs root"), "{ran}");
    assert_eq!(look(), before);
    installed.ifnetlink("confirm").quiet();
    assert!(ip("addr show dev v0").contains("192.0.2.2/24"));
}

/// This user is first: the directories of our package and of `ip netns` are theirs, in a `/run` where everybody may
/// add files.
pub fn before_us() {
    own_run();
    set_mode("/run", 0o1777);
    let they = |script: &str| run(&mut by_nobody(&["sh", "-c", script]));
    for plant in ["mkdir", "ln -s /tmp", "mkfifo", "touch"] {
        they(&format!("{plant} {OURS}")).ok();
        refuses(&create(), "not a directory that this package created");
        command(&format!("rm -rf {OURS}")).ok();
    }
    for (plant, told) in [
        ("mkdir /run/netns", "/run/netns belongs to user 65534"),
        ("ln -s /tmp /run/netns", "/run/netns"),
        ("touch /run/netns", "/run/netns"),
    ] {
        they(plant).ok();
        refuses(&create(), told);
        command("rm -rf /run/netns").ok();
        command(&format!("rm -rf {OURS}")).ok();
    }
    // Ours are there: this user cannot replace them.
    create().quiet();
    for attempt in ["rm -rf", "mv -T /run/theirs", "rmdir"] {
        they("mkdir -p /run/theirs").ok();
        assert_ne!(they(&format!("{attempt} {OURS}")).status, 0, "{attempt}");
        assert_ne!(they(&format!("{attempt} /run/netns")).status, 0, "{attempt}");
    }
    destroy();
    // A directory of root that everybody may write: a name in it leads to a namespace of this user, or anywhere else.
    ip("link add name eth0 type veth peer name far");
    fs::create_dir("/run/netns").unwrap();
    set_mode("/run/netns", 0o777);
    let process = Process::start(&mut by_nobody(&["unshare", "-Urn", "sleep", "9999"]));
    let own = fs::read_link("/proc/thread-self/ns/net").unwrap();
    let path = format!("/proc/{}/ns/net", process.id());
    wait_until("their namespace", || fs::read_link(&path).is_ok_and(|theirs| theirs != own));
    for target in [path.as_str(), "/etc/passwd", "/dev/null"] {
        they(&format!("ln -sfn {target} /run/netns/red")).ok();
        for mode in [0o777, 0o755] {
            set_mode("/run/netns", mode);
            let ran = phase("netns", "eth0", "create", &["netns red"]);
            let told = ["others can write /run/netns", "/run/netns/red belongs to user 65534"];
            assert!(ran.status == 1 && ran.stderr.contains(told[usize::from(mode == 0o755)]), "{ran}");
        }
        set_mode("/run/netns", 0o777);
    }
    assert!(ip("-br link").contains("eth0@"), "the link was moved");
}

/// The files in a directory of this user are not namespaces. They are not even opened: a pipe would block.
pub fn namespace_paths() {
    own_run();
    ip("link add name eth0 type veth peer name far");
    fs::create_dir("/run/theirs").unwrap();
    chown("/run/theirs", Some(NOBODY), None).unwrap();
    let plants = [
        ("pipe", "mkfifo"),
        ("file", "touch"),
        ("terminal", "ln -s /dev/tty"),
        ("watchdog", "ln -s /dev/watchdog"),
        ("uts", "ln -s /proc/1/ns/uts"),
        ("loop", "ln -s /run/theirs/loop"),
        ("up", "ln -s .."),
    ];
    for (name, plant) in plants {
        run(&mut by_nobody(&["sh", "-c", &format!("{plant} /run/theirs/{name}")])).ok();
        let child = phase_command("netns", "eth0", "create", &[&format!("netns /run/theirs/{name}")]);
        let mut timeout = Command::new("timeout");
        timeout.arg("600").arg(child.get_program()).env_clear();
        for (name, value) in child.get_envs() {
            timeout.env(name, value.unwrap_or_default());
        }
        let ran = run(&mut timeout);
        assert!(ran.status == 1 && ran.stderr.lines().count() == 1, "{name}: {ran}");
        assert!(ip("-br link").contains("eth0@"), "{name}");
    }
}

/// The path of an interfaces file leads through a directory of this user, who changes it all the time to a file of their
/// own with a command. That command is never run as root.
pub fn interfaces_race() {
    let _host = Netns::beside("eth0", "eth0");
    ip("link set eth0 down");
    let installed = Ifupdown::USUAL
        .install("iface eth0\n    netns blue\n    netns-interfaces /run/open/link\n    netns-ifname inner\n");
    // This protection of the kernel would hide a fault of ours.
    let protected = "/proc/sys/fs/protected_symlinks";
    let was = fs::read_to_string(protected).unwrap();
    fs::write(protected, "0").unwrap();
    for (directory, who) in [("/run/open", 0), ("/run/good", 0), ("/run/theirs", NOBODY)] {
        fs::create_dir(installed.path(directory)).unwrap();
        chown(installed.path(directory), Some(who), None).unwrap();
    }
    set_mode(installed.path("/run/open").to_str().unwrap(), 0o1777);
    let text = "auto inner\niface inner\n    address 10.1.0.2/24\n    up tr '\\0' ' ' </proc/$PPID/cmdline >/run/good/ran\n";
    installed.file("/run/good/interfaces", text);
    let theirs =
        "printf 'auto inner\\niface inner\\n    up touch /run/good/broken\\n' >/run/theirs/interfaces";
    run(&mut by_nobody_in(&installed, &["sh", "-c", theirs])).ok();
    let link = |to: &str| format!("ln -sfn /run/{to}/interfaces /run/open/link");
    let once = |to: &str| run(&mut by_nobody_in(&installed, &["sh", "-c", &link(to)])).ok();
    once("theirs");
    let ran = installed.ifup("eth0");
    assert!(ran.stderr.contains("/run/theirs/interfaces belongs to user 65534"), "{ran}");
    installed.ifdown("-f eth0");
    once("good");
    installed.ifup("eth0").quiet();
    let ran = || fs::read_to_string(installed.path("/run/good/ran"));
    let command_line = ran().unwrap();
    assert!(
        command_line.contains(" -i /run/good/interfaces ") && !command_line.contains("open"),
        "{command_line}"
    );
    installed.ifdown("eth0").ok();
    let both = format!("while :; do {}; {}; done", link("theirs"), link("good"));
    let swapping = Process::start(&mut by_nobody_in(&installed, &["sh", "-c", &both]));
    for _ in 0..matrix::count(12, 3) {
        installed.ifup("eth0");
        installed.ifdown("-f eth0");
    }
    drop(swapping);
    fs::write(protected, was).unwrap();
    assert!(!installed.path("/run/good/broken").exists(), "a command of another user was run as root");
}

/// The process that started ifup has the umask 0. The ifup inside a namespace makes its state file in our directory.
pub fn umask_of_the_nested() {
    let _host = Netns::beside("eth0", "eth0");
    ip("link set eth0 down");
    let installed = Ifupdown::USUAL.install("iface eth0\n    netns blue\n    netns-interfaces /mnt/inside\n");
    installed.file("/mnt/inside", "auto lo\niface lo\n");
    let ifup = installed.command("ifup", "eth0");
    let mut shell = Command::new("sh");
    shell.args(["-c", "umask 000; exec \"$@\"", "sh"]).arg(ifup.get_program()).args(ifup.get_args());
    run(shell.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")).ok();
    let ours = installed.path(OURS);
    let found = run(Command::new("find").arg(&ours)).ok().stdout;
    assert!(found.contains("/ifstate"), "{found}");
    for path in found.lines() {
        assert_eq!(mode(path) & 0o022, 0, "{path}: {:o}", mode(path));
    }
}

/// A link appears. Its name is text for a shell, and this user has a process that is named like ifup.
pub fn late_links() {
    let installed = Ifupdown::USUAL.install("auto br0\niface br0\n    bridge-ports p1\n");
    installed.ifup("-a").ok();
    let copy = "cp /bin/sleep /tmp/ifup && exec /tmp/ifup 9999";
    let named = Process::start(&mut by_nobody_in(&installed, &["sh", "-c", copy]));
    let name = format!("/proc/{}/comm", named.id());
    // chroot, setpriv and the shell replace each other.
    wait_until("the name", || fs::read_to_string(&name).is_ok_and(|name| name == "ifup\n"));
    ip("link add p1 type dummy");
    let begun = Instant::now();
    installed.ifnetlink("hotplug p1").quiet();
    assert!(begun.elapsed() < Duration::from_secs(200), "it waited for a process of another user");
    assert!(ip("link show p1").contains("master br0"));
    drop(named);
    // The device manager gives the name in the environment.
    fs::create_dir(Path::new(SCRATCH).join("work")).unwrap();
    for name in ["$(id>made)", "`id>made`", "a;id>made", "|id>made", "--help", "-i"] {
        run(Command::new("ip").args(["link", "add", "name", name, "type", "dummy"])).ok();
        let command = installed.ifnetlink_command("hotplug");
        let log = format!("{SCRATCH}/calls");
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-s", "300", "-e", "trace=execve,execveat", "-o", &log]);
        strace.arg(command.get_program()).args(command.get_args()).env_clear();
        strace.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("INTERFACE", name);
        run(strace.current_dir(Path::new(SCRATCH).join("work"))).quiet();
        let calls = fs::read_to_string(&log).unwrap();
        let calls: Vec<&str> = calls.lines().filter(|line| line.contains("execve(\"")).collect();
        // chroot, ifnetlink, and ifnetlink again with the name as its last argument.
        assert_eq!(calls.len(), 3, "{calls:#?}");
        assert!(calls[2].contains(&format!("\"--\", \"{name}\"]")), "{calls:#?}");
        run(Command::new("ip").args(["link", "del", "dev", name])).ok();
    }
    let made = run(Command::new("find").args([SCRATCH, "-xdev", "-name", "made"])).stdout;
    assert!(made.is_empty() && !installed.path("/made").exists(), "a name was run: {made}");
}

/// This user is root in a namespace of their own, and gives links names and aliases that control a terminal.
pub fn names_of_links() {
    own_run();
    let process = Process::start(&mut by_nobody(&["unshare", "-Urn", "sleep", "9999"]));
    let own = fs::read_link("/proc/thread-self/ns/net").unwrap();
    let path = format!("/proc/{}/ns/net", process.id());
    wait_until("their namespace", || fs::read_link(&path).is_ok_and(|theirs| theirs != own));
    let id = process.id().to_string();
    let enter = ["nsenter", "-t", &id, "-U", "-n", "--preserve-credentials"];
    for name in ["\u{1b}[31mred", "a\u{7}b", "\u{9b}2J", "b\u{8}\u{8}"] {
        let words =
            [&enter[..], &["ip", "link", "add", "name", name, "alias", name, "type", "dummy"]].concat();
        run(&mut by_nobody(&words)).ok();
    }
    ip(&format!("netns attach theirs {id}"));
    for arguments in [&["show"][..], &["show", "--json"], &["show", "--dot"], &["check"]] {
        let ran = run(Command::new(crate::lab::program("ifnetlink")).args(arguments));
        let strange = |c: char| c.is_control() && c != '\n';
        let shown = format!("{}{}", ran.stdout, ran.stderr);
        assert!(!shown.contains(strange), "{arguments:?}: {shown:?}");
        assert!(arguments[0] == "check" || ran.stdout.contains("red"), "{ran}");
    }
    // A stanza that takes the namespace as one of its own: messages have one line.
    ip("link add name eth0 type veth peer name far");
    let keywords = [format!("netns {id}"), "netns-ifname a".to_owned()];
    let keywords: Vec<&str> = keywords.iter().map(String::as_str).collect();
    for name in ["create", "pre-up", "post-up", "pre-down", "destroy"] {
        let ran = phase("netns", "eth0", name, &keywords);
        assert!(!ran.stderr.contains(|c: char| c.is_control() && c != '\n'), "{ran}");
    }
}

/// Parameters outside of `net`, by every spelling.
pub fn parameter_paths() {
    own_run();
    ip("link add name eth0 type veth peer name far");
    let hostname = || fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let before = hostname();
    for key in [
        "kernel.hostname",
        "kernel/hostname",
        "net/../kernel/hostname",
        "net.ipv4.../../kernel/hostname",
        "net.ipv4.conf.eth0/../../../../kernel/hostname",
        "net//kernel/hostname",
        "/proc/sys/kernel/hostname",
        "../kernel/hostname",
        "net.ipv4.conf.%2e%2e.x",
        "net",
        "net/",
    ] {
        let keyword = format!("netns-sysctl {key}=broken");
        // A key may be well-formed, and lead to no file.
        phase("netns", "eth0", "create", &["netns blue", &keyword]);
        let ran = phase("netns", "eth0", "post-up", &["netns blue", &keyword]);
        assert_ne!(ran.status, 0, "{ran}");
        assert_eq!(hostname(), before, "{key}");
        phase("netns", "eth0", "pre-down", &["netns blue"]);
        phase("netns", "eth0", "destroy", &["netns blue"]);
    }
    // No part of the path is a link, also if one is there: this user can mount nothing here.
    assert_ne!(run(&mut by_nobody(&["mount", "--bind", "/tmp", "/proc/sys/net/ipv4"])).status, 0);
    let _ = symlink("/etc", "/proc/sys/net/link").expect_err("a link below /proc/sys");
}

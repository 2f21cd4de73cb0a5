//! `ifnetlink exec netns`, compared with `ip netns exec`.

use crate::features::{Feature, needs};
use crate::lab::{Ran, born_with_a_namespace, command, in_lab, ip, own_run, program, run, wait_until};
use libtest_mimic::Trial;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::{Child, Command, Stdio};
use std::{fs, io::Read as _, io::Write as _};

pub fn tests() -> Vec<Trial> {
    let tests: [(&str, fn()); 7] = [
        ("links", links),
        ("references", references),
        ("files", files),
        ("sys", sys),
        ("process", process),
        ("arguments", arguments),
        ("refused", refused),
    ];
    let mut trials: Vec<Trial> = tests
        .into_iter()
        .map(|(name, test)| needs(&[], format!("ifnetlink/exec-{name}"), move || in_lab(test)))
        .collect();
    trials.push(needs(&[Feature::Vrf], "ifnetlink/exec-from-a-vrf", || in_lab(from_a_vrf)));
    trials
}

/// `ip netns exec` and `ifnetlink exec netns`.
fn both() -> [Command; 2] {
    let mut iproute2 = Command::new("ip");
    iproute2.args(["netns", "exec"]);
    [iproute2, ours()]
}

fn ours() -> Command {
    let mut command = Command::new(program("ifnetlink"));
    command.args(["exec", "netns"]);
    command
}

/// Runs a script in the namespace `one` by both. They must do the same.
#[track_caller]
fn same(script: &str) -> Ran {
    let [iproute2, ours] = both().map(|mut command| run(command.args(["one", "sh", "-c", script])));
    assert_eq!(
        (ours.status, &ours.stdout, &ours.stderr),
        (iproute2.status, &iproute2.stdout, &iproute2.stderr),
        "{script}"
    );
    ours
}

/// A namespace `one` with a veth pair, and a link outside.
fn one() {
    own_run();
    ip("netns add one");
    ip("-n one link set lo up");
    ip("-n one link add name v0 type veth peer name v1");
    ip("link add name outside type veth peer name outside2");
}

fn sorted<'a>(words: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let born = born_with_a_namespace();
    let mut words: Vec<&str> = words.filter(|word| !born.contains(*word)).collect();
    words.sort_unstable();
    words
}

/// The command sees only the namespace's links, wherever it looks.
fn links() {
    one();
    let listed: serde_json::Value = serde_json::from_str(&same("ip -j link").ok().stdout).unwrap();
    let names = listed.as_array().unwrap().iter().map(|link| link["ifname"].as_str().unwrap());
    assert_eq!(sorted(names), ["lo", "v0", "v1"]);
    assert_eq!(sorted(same("ls /sys/class/net").quiet().stdout.lines()), ["lo", "v0", "v1"]);
    let devices = same("sed -n 's/^ *\\(.*\\):.*/\\1/p' /proc/net/dev").quiet().stdout;
    assert_eq!(sorted(devices.lines()), ["lo", "v0", "v1"]);
    same("cat /sys/class/net/v0/address; ip -j route; ip -j addr; ping -n -c 1 127.0.0.1 >/dev/null").ok();
    // In a namespace in which a command runs.
    let nested = |word: &str| same(&format!("{word} one ls /sys/class/net")).quiet().stdout;
    let program = program("ifnetlink");
    assert_eq!(nested("ip netns exec"), nested(&format!("{} exec netns", program.display())));
}

/// A process and a path lead to a namespace too.
fn references() {
    one();
    let mut sleep = Command::new("ip");
    let mut sleep = sleep.args(["netns", "exec", "one", "sleep", "600"]).spawn().unwrap();
    let pid = sleep.id().to_string();
    wait_until("it is inside", || command(&format!("ip netns identify {pid}")).stdout == "one\n");
    let path = format!("/proc/{pid}/ns/net");
    for netns in [pid.as_str(), "/run/netns/one", &path] {
        let ran = run(ours().args([netns, "sh", "-c", "ls /sys/class/net; readlink /proc/self/ns/net"]));
        assert_eq!(
            ran.quiet().stdout,
            same("ls /sys/class/net; readlink /proc/self/ns/net").stdout,
            "{netns}"
        );
    }
    // The present one, which `/sys` may show already.
    command("mount -t sysfs sysfs /sys").ok();
    let own = std::process::id().to_string();
    for netns in ["/proc/self/ns/net", &own] {
        let ran = run(ours().args([netns, "cat", "/sys/class/net/lo/ifindex"]));
        assert_eq!(ran.quiet().stdout, "1\n", "{netns}");
    }
    // A name that could also be a process, which is elsewhere.
    ip(&format!("netns add {own}"));
    let [iproute2, ours] =
        both().map(|mut command| run(command.args([&own, "readlink", "/proc/self/ns/net"])));
    assert_eq!(ours.quiet().stdout, iproute2.stdout);
    let own = fs::read_link("/proc/self/ns/net").unwrap();
    assert_ne!(iproute2.stdout.trim(), own.to_str().unwrap());
    sleep.kill().unwrap();
    sleep.wait().unwrap();
}

/// The files of `/etc/netns/one` are visible inside only, and so is what is mounted inside.
fn files() {
    one();
    command("mount -t tmpfs tmpfs /etc").ok();
    for mount in ["/", "/run", "/etc"] {
        command(&format!("mount --make-rshared {mount}")).ok();
    }
    fs::create_dir_all("/run/resolve").unwrap();
    fs::write("/run/resolve/stub", "outside\n").unwrap();
    symlink("../run/resolve/stub", "/etc/resolv.conf").unwrap();
    fs::write("/etc/hosts", "outside\n").unwrap();
    fs::create_dir_all("/etc/bird").unwrap();
    fs::create_dir_all("/etc/netns/one/bird").unwrap();
    fs::write("/etc/netns/one/bird/bird.conf", "inside\n").unwrap();
    fs::write("/etc/netns/one/resolv.conf", "inside\n").unwrap();
    let mounts = || fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
    let before = mounts();
    let ran = same("cat /etc/resolv.conf /etc/bird/bird.conf /etc/hosts");
    assert_eq!(ran.quiet().stdout, "inside\ninside\noutside\n");
    assert_eq!(fs::read_to_string("/etc/resolv.conf").unwrap(), "outside\n");
    same("mount --bind /etc/hosts /etc/resolv.conf; mount -t tmpfs tmpfs /run/resolve; mount -t tmpfs tmpfs /mnt")
        .quiet();
    assert_eq!(mounts(), before);
    // One file that cannot be mounted keeps no other file and no command back.
    fs::write("/etc/netns/one/absent", "inside\n").unwrap();
    let [iproute2, ours] = both().map(|mut command| run(command.args(["one", "cat", "/etc/resolv.conf"])));
    assert_eq!((ours.status, ours.stdout), (iproute2.status, iproute2.stdout));
    assert!(iproute2.stderr.contains("/etc/absent failed: No such file or directory"), "{}", iproute2.stderr);
    let warning = "ifnetlink: warning: exec netns one: cannot bind /etc/netns/one/absent to /etc/absent: No such file or directory\n";
    assert_eq!(ours.stderr, warning);
    assert_eq!(mounts(), before);
    // Unlike with `ip netns exec`.
    run(self::ours().args(["one", "ip", "netns", "add", "made-inside"])).ok();
    ip("netns exec made-inside true");
    // The namespace of a process, while the directory of the names is not a mount.
    for name in ["one", "made-inside"] {
        ip(&format!("netns del {name}"));
    }
    command("umount /run/netns").ok();
    let before = mounts();
    let pid = std::process::id().to_string();
    for path in ["/run/resolve", "/mnt"] {
        run(self::ours().args([&pid, "mount", "-t", "tmpfs", "tmpfs", path])).quiet();
    }
    assert_eq!(mounts(), before);
}

/// `/sys` keeps its options, and what is mounted below it. `ip netns exec` loses both.
fn sys() {
    one();
    command("umount -l /sys");
    // The options of the mount on top, which the kernel lists last; and what is visible.
    let options_of = |path: &str| {
        let script =
            format!("awk '$5 == \"{path}\" {{ last = $6 }} END {{ print last }}' /proc/self/mountinfo");
        run(ours().args(["one", "sh", "-c", &script])).quiet().stdout.trim().to_owned()
    };
    let kind_of =
        |path| run(ours().args(["one", "stat", "-f", "-c", "%T", path])).quiet().stdout.trim().to_owned();
    for options in ["rw,nosuid,nodev,noexec,relatime", "ro,relatime"] {
        command(&format!("mount -t sysfs -o {options} sysfs /sys")).ok();
        command("mount -t cgroup2 -o nosuid cgroup2 /sys/fs/cgroup").ok();
        // As a container runtime hides a directory.
        command("mount -t tmpfs -o ro tmpfs /sys/firmware").ok();
        for (path, kind, options) in [
            ("/sys", "sysfs", options),
            ("/sys/firmware", "tmpfs", "ro,relatime"),
            ("/sys/fs/cgroup", "cgroup2fs", "rw,nosuid,relatime"),
        ] {
            assert_eq!((kind_of(path).as_str(), options_of(path).as_str()), (kind, options), "{path}");
        }
        let own =
            "group=$(sed -n s/^0:://p /proc/self/cgroup); grep -x $$ /sys/fs/cgroup/$group/cgroup.procs";
        run(ours().args(["one", "sh", "-c", own])).quiet();
        assert!(same("ls /sys/class/net").quiet().stdout.contains("v0"));
        let hidden = run(ours().args(["one", "ls", "-A", "/sys/firmware"])).quiet().stdout;
        assert_eq!(hidden, "");
        command("umount -R /sys").ok();
    }
    // Without a `/sys`.
    assert!(same("ls /sys/class/net").quiet().stdout.contains("v0"));
}

/// Starts a script in the namespace, with pipes.
fn start(mut command: Command, script: &str) -> Child {
    let command = command.args(["one", "sh", "-c", script]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

fn ended(mut child: Child) -> (Option<i32>, Option<i32>, String) {
    use std::os::unix::process::ExitStatusExt as _;
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    let status = child.wait().unwrap();
    (status.code(), status.signal(), text)
}

/// The command is the process that was started: its number, exit status, signals, session, terminal and input.
fn process() {
    one();
    for status in [0, 1, 7, 126, 127, 255] {
        assert_eq!(same(&format!("exit {status}")).status, status);
    }
    for signal in [2, 9, 13, 15] {
        assert_eq!(same(&format!("kill -{signal} $$")).status, 128 + signal);
    }
    for command in both() {
        let child = start(command, "echo $$");
        let pid = child.id();
        assert_eq!(ended(child), (Some(0), None, format!("{pid}\n")));
    }
    for command in both() {
        let mut child = start(command, "echo ready; read line; echo $line; exec sleep 600");
        let mut ready = [0; 6];
        child.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
        child.stdin.as_mut().unwrap().write_all(b"input\n").unwrap();
        let mut line = [0; 6];
        child.stdout.as_mut().unwrap().read_exact(&mut line).unwrap();
        assert_eq!((&ready, &line), (b"ready\n", b"input\n"));
        child.kill().unwrap();
        assert_eq!(ended(child), (None, Some(9), String::new()));
    }
    // The parent, process group, session, terminal and its foreground group; what else a process inherits.
    let fields = "set -- $(cat /proc/$$/stat); shift 3; echo $1 $2 $3 $4 $5";
    for script in
        [fields, "pwd; umask; ulimit -n; nice", "grep -E 'Sig(Blk|Ign)|Cap|Groups' /proc/self/status"]
    {
        let direct = run(Command::new("sh").args(["-c", script]));
        let direct = direct.ok().stdout;
        assert_eq!(same(script).ok().stdout, direct, "{script}");
    }
    let [iproute2, ours] = both().map(|mut command| {
        command
            .args(["one", "env"])
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("A", " b\nc ");
        run(&mut command)
    });
    assert_eq!(ours.quiet().stdout, iproute2.stdout);
    // On a terminal.
    let ours = format!("{} exec netns one", program("ifnetlink").display());
    let script =
        "tty; set -- $(cat /proc/$$/stat); shift 3; [ $2 = $$ ] && [ $3 = $$ ] && [ $5 = $$ ] && echo leads";
    let file = "/run/script";
    fs::write(file, script).unwrap();
    for inside in ["", "ip netns exec one", &ours] {
        // A shell executes its last command in its own process.
        let ran =
            run(Command::new("script").args(["-qec", &format!("exec {inside} sh {file}"), "/dev/null"]));
        let lines: Vec<&str> = ran.stdout.lines().map(str::trim).collect();
        assert!(lines[0].starts_with("/dev/pts/") && lines[1..] == ["leads"], "{inside}: {ran}");
    }
}

/// Arguments arrive as they are, also those that look like options.
fn arguments() {
    one();
    let words: Vec<Vec<&OsStr>> = [
        &["printf", "<%s>", "a b", "", "-x", "--help", "--", "-V", "*", "$HOME", "a\nb"][..],
        &["ls", "-l", "-d", "/"],
        &["env", "--", "true"],
        &["sh", "-c", "echo $0 $#", "--version", "--", "netns"],
    ]
    .into_iter()
    .map(|words| words.iter().map(OsStr::new).collect())
    .chain([["printf", "<%s>"].map(OsStr::new).into_iter().chain([OsStr::from_bytes(b"\xff\x80")]).collect()])
    .collect();
    for words in words {
        let [iproute2, ours] = both().map(|mut command| {
            let output = command.arg("one").args(&words).output().unwrap();
            assert!(output.status.success() && output.stderr.is_empty(), "{words:?}: {output:?}");
            output.stdout
        });
        assert_eq!(ours, iproute2, "{words:?}");
    }
    // Before the command: what env(1) and nsenter(1) accept too.
    assert_eq!(run(ours().args(["one", "--", "printf", "%s", "--"])).quiet().stdout, "--");
}

/// What does not work, and the exit statuses of it.
fn refused() {
    one();
    let script = "/run/script";
    fs::write(script, "#!/bin/sh\n").unwrap();
    fs::write("/run/netns/broken", "").unwrap();
    fs::write("/run/interpreter", "#!/nonexistent\n").unwrap();
    fs::set_permissions("/run/interpreter", fs::Permissions::from_mode(0o755)).unwrap();
    let before = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
    for (netns, command, status, line) in [
        (
            "none",
            "true",
            1,
            "none: there is no namespace of that name; `ifnetlink show` prints those that exist",
        ),
        ("broken", "true", 1, "broken: /run/netns/broken: not a namespace"),
        ("one", "nonexistent", 127, "one: nonexistent: No such file or directory (os error 2)"),
        ("one", "/nonexistent", 127, "one: /nonexistent: No such file or directory (os error 2)"),
        ("one", "/run/interpreter", 127, "one: /run/interpreter: No such file or directory (os error 2)"),
        ("one", "-x", 127, "one: -x: No such file or directory (os error 2)"),
        ("one", script, 126, "one: /run/script: Permission denied (os error 13)"),
        ("one", "/run", 126, "one: /run: Permission denied (os error 13)"),
    ] {
        let [iproute2, ours] = both().map(|mut program| run(program.args([netns, command])));
        ours.refuses(status, &format!("ifnetlink: exec netns {line}"));
        assert!(iproute2.status != 0 && iproute2.stdout.is_empty(), "{iproute2}");
    }
    for (netns, line) in [
        ("4194305", "4194305: there is no process with that id"),
        ("/nonexistent", "/nonexistent: No such file or directory (ENOENT): namespace /nonexistent"),
        ("/run", "/run: /run: not a namespace"),
        ("/proc/self/ns/mnt", "/proc/self/ns/mnt: not a network namespace"),
    ] {
        run(ours().args([netns, "true"])).refuses(1, &format!("ifnetlink: exec netns {line}"));
    }
    // Not root.
    let [iproute2, ours] = both().map(|command| {
        let mut user = Command::new("setpriv");
        user.args(["--reuid", "65534", "--clear-groups"]).arg(command.get_program()).args(command.get_args());
        run(user.args(["one", "true"]))
    });
    assert!(iproute2.status != 0, "{iproute2}");
    let line =
        "ifnetlink: exec netns one: Operation not permitted (EPERM): setns; this needs root (CAP_SYS_ADMIN)";
    ours.refuses(1, line);
    // No command, or no namespace.
    for words in [&["one"][..], &[]] {
        let [iproute2, ours] = both().map(|mut command| run(command.args(words)));
        assert!(iproute2.status != 0 && ours.status == 2 && ours.stdout.is_empty(), "{iproute2}\n{ours}");
    }
    let after = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
    assert_eq!(after, before);
}

/// A command of a shell in a VRF: the sockets of such processes are bound to an index of the VRF's namespace.
fn from_a_vrf() {
    one();
    let cgroup = || fs::read_to_string("/proc/self/cgroup").unwrap();
    let before = cgroup();
    ip("link add red up type vrf table 10");
    let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
    let by_ip = words(&["ip", "netns", "exec", "one"]);
    let mut ours = words(&["exec", "netns", "one"]);
    ours.insert(0, program("ifnetlink").into());
    let group = |inside: &[OsString]| {
        let mut command = Command::new("ip");
        command.args(["vrf", "exec", "red"]).args(inside).args(["cat", "/proc/self/cgroup"]);
        run(&mut command).quiet().stdout
    };
    assert!(group(&[]).contains("/vrf/red\n"), "{}", group(&[]));
    assert_eq!(group(&ours), group(&by_ip));
    assert!(!group(&ours).contains("/vrf/red"), "{}", group(&ours));
    let ping = |inside: &[OsString]| {
        let mut command = Command::new("ip");
        command.args(["vrf", "exec", "red"]).args(inside).args([
            "ping",
            "-n",
            "-c",
            "1",
            "-W",
            "5",
            "127.0.0.1",
        ]);
        run(&mut command)
    };
    ping(&ours).quiet();
    // What the control group does: by nsenter the process stays in it.
    let entered = words(&["nsenter", "--net=/run/netns/one"]);
    assert_ne!(ping(&entered).status, 0, "a socket that is not bound");
    // If that is not possible, the command runs all the same.
    let script = "umount -l -a -t cgroup2; exec \"$0\" exec netns one echo ran";
    let mut command = Command::new("ip");
    command.args(["vrf", "exec", "red", "unshare", "-m", "sh", "-c", script]).arg(program("ifnetlink"));
    let ran = run(&mut command);
    let warning =
        "ifnetlink: warning: exec netns one: cannot leave VRF red: cgroup2 is not mounted\n".to_owned();
    assert_eq!((ran.status, ran.stdout, ran.stderr), (0, "ran\n".to_owned(), warning));
    assert_eq!(cgroup(), before);
}

//! A lab for tests: a thread with network and mount namespaces of its own.
//!
//! Namespaces belong to threads here, so commands and sockets need no handle: what a thread starts or opens is in that
//! thread's namespaces. Only [`in_lab`] and [`Netns::within`] enter another namespace. Everything is deleted when the
//! thread ends.

use crate::variable::variable;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The tmpfs of a lab, on a directory that exists everywhere; it is not visible outside.
pub const SCRATCH: &str = "/media";

/// Runs a test in fresh namespaces: `lo` up and nothing else, a tmpfs on [`SCRATCH`], mounts private.
///
/// # Panics
/// Like the test.
pub fn in_lab<T: Send>(test: impl FnOnce() -> T + Send) -> T {
    let body = || {
        unshare(CloneFlags::CLONE_NEWNET).expect("unshare: needs root");
        ip("link set lo up");
        own_mounts(test)
    };
    join(thread::scope(|scope| scope.spawn(body).join()))
}

/// The same in the current network namespace.
///
/// # Panics
/// Like the test.
pub fn own_mounts<T: Send>(test: impl FnOnce() -> T + Send) -> T {
    let body = || {
        unshare(CloneFlags::CLONE_NEWNS).expect("unshare: needs root");
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
            .expect("private mounts");
        tmpfs(Path::new(SCRATCH));
        test()
    };
    join(thread::scope(|scope| scope.spawn(body).join()))
}

/// Mounts a tmpfs on this machine's `/run`, for tests that run our programs outside a root. If something below `/run`
/// is still needed, mount it elsewhere before.
pub fn own_run() {
    tmpfs(Path::new("/run"));
}

/// A network namespace besides the calling thread's. It and everything in it are deleted with this handle.
#[derive(Debug)]
pub struct Netns(File);

impl Netns {
    /// A new one with `lo` up.
    pub fn new() -> Self {
        let new = Self::without_lo();
        new.ip("link set lo up");
        new
    }

    fn without_lo() -> Self {
        let body = || {
            unshare(CloneFlags::CLONE_NEWNET).expect("unshare");
            Self::current()
        };
        join(thread::scope(|scope| scope.spawn(body).join()))
    }

    /// An outside host: one with `lo` up, joined to the calling thread's by a veth pair, `ours` here and `theirs`
    /// there, both up but without addresses.
    pub fn beside(ours: &str, theirs: &str) -> Self {
        Self::all_beside(&[ours], theirs, true).remove(0)
    }

    /// An outside host for each of `ours`, which are up or not. The other ends are up.
    pub fn all_beside(ours: &[&str], theirs: &str, up: bool) -> Vec<Self> {
        let hosts: Vec<Self> = ours.iter().map(|_| Self::without_lo()).collect();
        let pairs: Vec<String> =
            ours.iter().zip(&hosts).map(|(ours, host)| host.pair(ours, theirs, up)).collect();
        ip_batch(&pairs.iter().map(String::as_str).collect::<Vec<_>>());
        for host in &hosts {
            host.ip_batch(&["link set lo up", &format!("link set {theirs} up")]);
        }
        hosts
    }

    /// The calling thread's.
    pub fn current() -> Self {
        Self(File::open("/proc/thread-self/ns/net").expect("own namespace"))
    }

    /// The one with this name in `ip netns`.
    pub fn named(name: &str) -> Self {
        Self(File::open(Path::new("/run/netns").join(name)).expect("named namespace"))
    }

    /// The one that this file refers to.
    pub fn at(path: &Path) -> Self {
        Self(File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
    }

    /// Runs a function inside. Sockets that it opens stay there and may be returned.
    ///
    /// # Panics
    /// Like the function.
    pub fn within<T: Send>(&self, body: impl FnOnce() -> T + Send) -> T {
        let body = || {
            setns(&self.0, CloneFlags::CLONE_NEWNET).expect("setns");
            body()
        };
        join(thread::scope(|scope| scope.spawn(body).join()))
    }

    /// `ip` inside.
    pub fn ip(&self, words: &str) -> String {
        self.within(|| ip(words))
    }

    /// `ip` inside, once for several commands.
    pub fn ip_batch(&self, lines: &[&str]) {
        self.within(|| ip_batch(lines));
    }

    /// A veth pair between the calling thread's namespace (`ours`) and this one (`theirs`), up at both ends.
    pub fn join(&self, ours: &str, theirs: &str) {
        ip(&self.pair(ours, theirs, true));
        self.ip(&format!("link set {theirs} up"));
    }

    /// The command for `ip` that makes a veth pair. The kernel cannot set both ends up with it (drivers/net/veth.c
    /// `veth_open`).
    fn pair(&self, ours: &str, theirs: &str, up: bool) -> String {
        use std::os::fd::AsRawFd as _;
        let path = format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd());
        let up = if up { "up" } else { "" };
        format!("link add name {ours} {up} type veth peer name {theirs} netns {path}")
    }
}

fn join<T>(result: thread::Result<T>) -> T {
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn tmpfs(path: &Path) {
    mount(Some("tmpfs"), path, Some("tmpfs"), MsFlags::empty(), Some("mode=755")).expect("tmpfs");
}

/// Bind-mounts a file or directory to another path, which is created if it is missing.
pub fn bind(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).expect("mount point");
    } else if !to.exists() {
        fs::write(to, "").expect("mount point");
    }
    mount(Some(from), to, None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>)
        .unwrap_or_else(|error| panic!("bind {} to {}: {error}", from.display(), to.display()));
}

/// The result of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// The command, for messages.
    pub words: String,
    /// Its exit status, or 128 and the signal.
    pub status: i32,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Ran {
    /// Itself, if the command succeeded.
    ///
    /// # Panics
    /// If not.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert!(self.status == 0, "{self}");
        self
    }

    /// Itself, if the command succeeded without output on standard error.
    ///
    /// # Panics
    /// If not.
    #[track_caller]
    pub fn quiet(self) -> Self {
        assert!(self.status == 0 && self.stderr.is_empty(), "{self}");
        self
    }

    /// Fails unless the command ended with this status and printed exactly this line on standard error.
    #[track_caller]
    pub fn refuses(&self, status: i32, line: &str) {
        assert_eq!(
            (self.status, self.stderr.as_str()),
            (status, format!("{line}\n").as_str()),
            "{}",
            self.words
        );
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\nstatus {}\nstdout: {}\nstderr: {}", self.words, self.status, self.stdout, self.stderr)
    }
}

/// Runs a command in the calling thread's namespaces; words are separated by blanks.
pub fn command(words: &str) -> Ran {
    let words: Vec<&str> = words.split_whitespace().collect();
    run(Command::new(words[0]).args(&words[1..]))
}

/// Runs a command to its end. It gets no input and a small environment.
pub fn run(command: &mut Command) -> Ran {
    use std::os::unix::process::ExitStatusExt as _;
    let output = command
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran {
        words: format!("{command:?}"),
        status: output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap_or_default()),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    }
}

/// Runs `ip`, which must succeed; its output.
#[track_caller]
pub fn ip(words: &str) -> String {
    command(&format!("ip {words}")).ok().stdout
}

/// Runs `ip` once for several commands, which must all succeed; the output of all. In the virtual machine a start takes
/// longer than most commands.
#[track_caller]
pub fn ip_batch(lines: &[&str]) -> String {
    batch(Command::new("ip").arg("-batch"), lines).ok().stdout
}

/// Adds the name of a file with these lines to a command, and runs it.
pub fn batch(command: &mut Command, lines: &[&str]) -> Ran {
    // A file for each thread: a thread may be in another namespace, but all threads of a test have the same mounts.
    let file = Path::new(SCRATCH).join(format!("batch-{:?}", thread::current().id()));
    fs::write(&file, lines.join("\n") + "\n").expect("a file for the commands");
    run(command.arg(file))
}

/// Runs `ip -j` once for two lists.
#[track_caller]
pub fn ip_two_lists(options: &[&str], questions: [&str; 2]) -> [Vec<serde_json::Value>; 2] {
    let text = batch(Command::new("ip").arg("-j").args(options).arg("-batch"), &questions).ok().stdout;
    let lists = serde_json::Deserializer::from_str(&text).into_iter::<Vec<serde_json::Value>>();
    let lists: Vec<_> = lists.map(|list| list.unwrap_or_else(|error| panic!("{error}: {text}"))).collect();
    // `ip` prints nothing for an empty list. Then it is not known which of the two it is.
    <[_; 2]>::try_from(lists)
        .unwrap_or_else(|_| questions.map(|question| ip_json(&format!("{} {question}", options.join(" ")))))
}

/// Runs `ip -j`, which must succeed; the list that it prints.
#[track_caller]
pub fn ip_json(words: &str) -> Vec<serde_json::Value> {
    let text = ip(&format!("-j {words}"));
    if text.trim().is_empty() {
        return Vec::new();
    }
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("ip -j {words}: {error}\n{text}"))
}

/// Waits until something becomes true.
#[track_caller]
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(300);
    // In the virtual machine sleeping is cheap, and checking is not.
    let mut pause = Duration::from_millis(50);
    while !holds() {
        assert!(Instant::now() < end, "never: {what}");
        thread::sleep(pause);
        pause = (pause * 3 / 2).min(Duration::from_secs(2));
    }
}

/// Waits until the calling thread's namespace no longer changes: carriers are detected, and duplicate address detection
/// is complete.
#[track_caller]
pub fn settle() {
    let see = || ip_batch(&["addr", "route show table all"]);
    let mut last = see();
    for _ in 0..100 {
        // The kernel may take a second to notice a carrier.
        thread::sleep(Duration::from_millis(if last.contains("NO-CARRIER") { 1800 } else { 300 }));
        let now = see();
        if now == last && !now.contains("tentative") {
            return;
        }
        last = now;
    }
    panic!("does not come to rest: {last}\nthen {}", see());
}

/// One of our programs: from the directory `IFNL_EXECUTORS` (a release build), or as built with this test.
pub fn program(name: &str) -> PathBuf {
    if let Some(executors) = std::env::var_os("IFNL_EXECUTORS") {
        return Path::new(&executors).join(name);
    }
    // The directory where cargo puts all programs.
    Path::new(env!("CARGO_BIN_EXE_vrf")).with_file_name(name)
}

/// Runs one phase of one of our programs, outside ifupdown-ng: `keywords` are lines of a stanza.
pub fn phase(program_name: &str, iface: &str, phase: &str, keywords: &[&str]) -> Ran {
    run(&mut phase_command(program_name, iface, phase, keywords))
}

/// The same as a command, not yet run.
pub fn phase_command(program_name: &str, iface: &str, phase: &str, keywords: &[&str]) -> Command {
    let mut command = Command::new(program(program_name));
    command.env_clear().env("IFACE", iface).env("PHASE", phase);
    for line in keywords {
        let (keyword, value) = line.split_once(' ').unwrap_or((line, ""));
        command.env(variable(keyword), value);
    }
    command
}

/// The names of the links that the kernel creates with a namespace: `gre0` and others, if the module of a tunnel is
/// loaded.
pub fn born_with_a_namespace() -> BTreeSet<String> {
    let links = Netns::new().within(|| ip_json("link"));
    links
        .iter()
        .filter_map(|link| link["ifname"].as_str())
        .filter(|name| *name != "lo")
        .map(str::to_owned)
        .collect()
}

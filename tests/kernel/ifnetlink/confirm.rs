//! `ifnetlink apply --confirm`: the changes are rolled back unless they are confirmed, also if the session of the
//! user ends.

use super::trial;
use super::whole::{NOTHING, SETUPS, counted, fresh, now};
use crate::examples::cards;
use crate::ifupdown::{Executors, Ifupdown, Installed, Shell, Version, example};
use crate::lab::{Netns, command, ip_json, settle, wait_until};
use crate::matrix;
use crate::schema::valid;
use crate::state::State;
use libtest_mimic::Trial;
use nix::fcntl::OFlag;
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

pub fn tests() -> Vec<Trial> {
    let mut tests = Vec::new();
    for version in Version::ALL {
        let ifupdown = Ifupdown { version, executors: Executors::Replaced, shell: Shell::Dash };
        tests.push(trial("confirm-setups", ifupdown, setups));
        tests.push(trial("confirm-ifdown", ifupdown, ifdown));
        tests.push(trial("confirm-refused", ifupdown, refused));
        tests.push(trial("confirm-beside", ifupdown, beside));
        tests.push(trial("confirm-killed", ifupdown, killed));
        for fate in Fate::ALL {
            tests.push(trial(&format!("confirm-session/{fate:?}"), ifupdown, move |ifupdown| {
                session(fate, ifupdown);
            }));
        }
    }
    tests
}

/// The state with records, but without the outcome that is left of a rollback and the lock that is left of a killed run.
fn with_files(installed: &Installed) -> State {
    settle();
    State::with_run(installed)
        .without_carriers()
        .without_time(&["veth-vm1"])
        .without_files("pending.")
        .without_files("lock")
}

/// The directory of the records, while a change waits.
fn pending_in(installed: &Installed) -> Option<PathBuf> {
    let directory = installed.path("/run/ifupdown-ng-netlink");
    let mut paths = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    paths.find(|path| path.join("pending.journal").exists())
}

fn is_pending(installed: &Installed) -> bool {
    pending_in(installed).is_some()
}

fn wait_for_the_end(installed: &Installed) {
    wait_until("the change is kept or rolled back", || !is_pending(installed));
}

/// Each setup over another one: not confirmed, refused and confirmed.
fn setups(ifupdown: Ifupdown) {
    let _hosts = cards();
    let installed = ifupdown.install(NOTHING);
    installed.ifup("-a").ok();
    let nothing = with_files(&installed);
    for (place, name) in SETUPS.into_iter().enumerate().step_by(matrix::count(1, 4)) {
        let other = SETUPS[(place + 3) % SETUPS.len()];
        let (from, to) = (example(name), example(other));
        let (of_to, counted_to) = fresh(&to, &installed);
        installed.interfaces(&from);
        installed.ifnetlink("apply").ok();
        let (before, counted_before) = (with_files(&installed), counted(&installed));
        installed.interfaces(&to);
        let apply = |seconds: u32| {
            let ran = installed.ifnetlink(&format!("apply --disruptive --confirm={seconds}"));
            if ran.stderr.contains("cannot be rolled back; apply it without --confirm") {
                assert_eq!(ran.status, 1, "{ran}");
                before.assert_same(&with_files(&installed), &format!("refused\n{ran}"));
                return false;
            }
            assert_eq!(ran.status, 5, "{ran}");
            let line = format!(
                "ifnetlink: pending: `ifnetlink confirm` within {seconds} s keeps the changes; else they are rolled back\n"
            );
            assert!(ran.stderr.ends_with(&line), "{ran}");
            true
        };
        let back = |ran: &str| {
            before.assert_same(&with_files(&installed), &format!("from {name} to {other}\n{ran}"));
            assert_eq!(counted(&installed), counted_before, "{ran}");
        };
        if apply(1) {
            wait_for_the_end(&installed);
            back("not confirmed");
            let check = installed.ifnetlink("check");
            assert_eq!(check.status, 3, "{check}");
            let line = "warning: the last change: nobody confirmed the changes in 1 s: all is as before, and the interfaces \
                        file still has the changes\n";
            assert!(check.stderr.contains(line), "{check}");
            apply(60);
            installed.ifnetlink("confirm --no").quiet();
            back("refused");
            apply(60);
            installed.ifnetlink("confirm").quiet();
            of_to.assert_same(&now(), &format!("confirmed, from {name} to {other}"));
            assert_eq!(counted(&installed), counted_to);
            assert_eq!(installed.ifnetlink("check").quiet().stdout, "");
        }
        installed.interfaces(NOTHING);
        installed.ifnetlink("apply").ok();
        nothing.assert_same(&with_files(&installed), &format!("from {other} to nothing"));
    }
}

/// An interface, with an address.
fn with_address(name: &str, address: &str) -> String {
    format!("auto {name}\niface {name}\n    address {address}\n")
}

fn addresses(name: &str) -> Vec<String> {
    let links = ip_json(&format!("addr show {name}"));
    let all = links[0]["addr_info"].as_array().unwrap().clone();
    let ipv4 = all.into_iter().filter(|address| address["family"] == "inet");
    ipv4.map(|address| address["local"].as_str().unwrap().to_owned()).collect()
}

/// How another `apply` is refused meanwhile.
const WAITING: &str = "ifnetlink: a change waits for its confirmation; keep it with `ifnetlink confirm`, or roll it \
                       back with `ifnetlink confirm --no`";

/// An `apply` that is refused keeps no interface out of the rollback, also if it runs when the rollback begins.
fn beside(ifupdown: Ifupdown) {
    command("ip link add eth1 type dummy").ok();
    let file = |octet: u8| with_address("eth1", &format!("10.1.0.{octet}/24"));
    let installed = ifupdown.install(&file(1));
    installed.ifnetlink("apply").ok();
    installed.interfaces(&file(2));
    let ran = installed.ifnetlink("apply --confirm=2");
    assert_eq!((ran.status, addresses("eth1")), (5, vec!["10.1.0.2".to_owned()]), "{ran}");
    // Longer than the change waits, nothing else can begin.
    let lock = pending_in(&installed).expect("a change that waits").join("lock");
    let mut holder = Command::new("flock").arg(&lock).args(["sleep", "4"]).spawn().unwrap();
    let held = format!("flock -n {} true", lock.display());
    wait_until("the lock is held", || command(&held).status != 0);
    installed.interfaces(&file(3));
    installed.ifnetlink("apply").refuses(1, WAITING);
    assert!(holder.wait().unwrap().success());
    wait_for_the_end(&installed);
    assert_eq!(addresses("eth1"), ["10.1.0.1"]);
}

/// What ifup and ifdown change while the changes wait stays; the rest is rolled back.
fn ifdown(ifupdown: Ifupdown) {
    let _hosts = cards();
    let file = |octet: u8| {
        let all = (1..4).map(|card| with_address(&format!("eth{card}"), &format!("10.{card}.0.{octet}/24")));
        all.collect::<Vec<_>>().concat() + "auto red\niface red\n    vrf-table 10\n"
    };
    let installed = ifupdown.install(&file(1));
    installed.ifnetlink("apply").ok();
    installed.interfaces(&file(2));
    let pending = |seconds: u32| {
        let ran = installed.ifnetlink(&format!("apply --confirm={seconds}"));
        assert_eq!(ran.status, 5, "{ran}");
    };
    pending(60);
    installed.ifnetlink("apply").refuses(1, WAITING);
    installed.ifnetlink("apply --confirm=9").refuses(1, WAITING);
    let check = installed.ifnetlink("check");
    assert!(check.stderr.contains("warning: a change waits for its confirmation; "), "{check}");
    installed.ifdown("eth1").ok();
    installed.ifup("-f eth2").ok();
    // Not one of those that change.
    installed.ifdown("red").ok();
    let ran = installed.ifnetlink("confirm --no");
    assert_eq!(ran.status, 0, "{ran}");
    assert_eq!(addresses("eth1"), [""; 0]);
    assert_eq!(addresses("eth2"), ["10.2.0.2"]);
    assert_eq!(addresses("eth3"), ["10.3.0.1"]);
    assert_eq!(counted(&installed), ["eth2", "eth3"].map(str::to_owned).into());
    assert!(ip_json("link show").iter().all(|link| link["ifname"] != "red"));
    let check = installed.ifnetlink("check");
    for card in ["eth1", "eth2"] {
        let line = format!("{card}: it stays as it is, since ifup or ifdown changed it meanwhile\n");
        assert!(check.stderr.contains(&line), "{check}");
    }
    // Confirmed: what was taken down stays down.
    installed.interfaces(&file(1));
    installed.ifnetlink("apply").ok();
    installed.interfaces(&file(3));
    pending(60);
    installed.ifdown("eth1").ok();
    installed.ifnetlink("confirm").quiet();
    assert_eq!([addresses("eth1"), addresses("eth3")], [vec![], vec!["10.3.0.3".to_owned()]]);
    assert_eq!(counted(&installed), ["eth2", "eth3", "red"].map(str::to_owned).into());
}

/// What is refused, and what it says.
fn refused(ifupdown: Ifupdown) {
    let _hosts = cards();
    let eth1 = with_address("eth1", "10.1.0.1/24");
    let installed = ifupdown.install(&eth1);
    let before = with_files(&installed);
    installed.ifnetlink("confirm").refuses(1, "ifnetlink: no change waits for its confirmation");
    let line = "ifnetlink: --confirm: without a terminal, say how long to wait: --confirm=SECONDS";
    installed.ifnetlink("apply --confirm").refuses(2, line);
    installed.interfaces(&format!("{eth1}    up true\n"));
    let line = "ifnetlink: eth1: ifup brings it up, because of up; that cannot be rolled back; apply it without --confirm";
    installed.ifnetlink("apply --confirm=5").refuses(1, line);
    // A stanza that is wrong, and a change that the kernel refuses.
    installed.interfaces(&eth1.replace("/24", "/240"));
    let ran = installed.ifnetlink("apply --confirm=5");
    assert_eq!(ran.status, 2, "{ran}");
    let red = "auto red\niface red\n    vrf-table 10\n    vrf-route 10.2.0.0/16 via 203.0.113.1 dev eth1\n";
    installed.interfaces(&format!("{eth1}\n{red}"));
    let ran = installed.ifnetlink("apply --confirm=5");
    assert!(ran.status == 1 && ran.stderr.ends_with("; all is as before\n"), "{ran}");
    before.assert_same(&with_files(&installed), "all are refused");
    assert!(!installed.path("/run/ifupdown-ng-netlink").exists(), "nothing is left of them");
    // Both processes are killed.
    installed.interfaces(&eth1);
    let json = valid("apply", &installed.ifnetlink("apply --json --confirm=600").stdout);
    assert!(json["pending"] == true && json["applied"] == false, "{json}");
    let process = worker(None);
    kill(process, Signal::SIGKILL).unwrap();
    wait_until("it is gone", || fs::metadata(format!("/proc/{process}/stat")).is_err() || is_zombie(process));
    let line = "ifnetlink: the last change was neither confirmed nor rolled back: its processes were killed";
    installed.ifnetlink("confirm").refuses(1, line);
    let ran = installed.ifnetlink("apply").ok();
    assert!(ran.stderr.contains("warning: the last change was neither confirmed nor rolled back"), "{ran}");
    assert_eq!(installed.ifnetlink("check").quiet().stdout, "");
    assert!(!is_pending(&installed));
}

fn is_zombie(process: Pid) -> bool {
    fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| stat.contains(") Z "))
}

/// The process that makes the changes and waits, a child of this one or of any.
fn worker(parent: Option<Pid>) -> Pid {
    find_worker(parent).expect("a process that makes the changes")
}

fn find_worker(parent: Option<Pid>) -> Option<Pid> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let mut numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let is_it = |number: &i32| {
        let line = fs::read(format!("/proc/{number}/cmdline")).unwrap_or_default();
        let stat = fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
        let of_parent = |parent: Pid| {
            stat.contains(&format!(") S {parent} ")) || stat.contains(&format!(") R {parent} "))
        };
        line.windows(10).any(|part| part == b"--detached") && parent.is_none_or(of_parent)
    };
    numbers.find(is_it).map(Pid::from_raw)
}

/// `ifnetlink` on a terminal.
struct Session {
    process: Child,
    terminal: File,
}

impl Session {
    fn start(installed: &Installed, arguments: &str, stalled: bool) -> Self {
        let master: PtyMaster = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname_r(&master).unwrap();
        let open = || {
            OpenOptions::new()
                .read(true)
                .write(true)
                .custom_flags(OFlag::O_NOCTTY.bits())
                .open(&name)
                .unwrap()
        };
        if stalled {
            let options = OFlag::O_NOCTTY | OFlag::O_NONBLOCK;
            let mut full = OpenOptions::new().write(true).custom_flags(options.bits()).open(&name).unwrap();
            while full.write(&[b'.'; 100]).is_ok() {}
        }
        let mut command = installed.ifnetlink_command(arguments);
        command.stdin(open()).stdout(open()).stderr(open()).process_group(0);
        Self { process: command.spawn().unwrap(), terminal: File::from(std::os::fd::OwnedFd::from(master)) }
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.process.id()).unwrap())
    }
}

/// What happens to the session while the changes wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Nothing.
    Open,
    /// It hangs up.
    HangUp,
    /// Its processes are killed.
    Kill,
    /// Its terminal does not read.
    Stalled,
    /// The process that made the changes is killed.
    WorkerKilled,
}

impl Fate {
    const ALL: [Self; 5] = [Self::Open, Self::HangUp, Self::Kill, Self::Stalled, Self::WorkerKilled];
}

/// The log daemon.
struct Log(UnixDatagram);

impl Log {
    fn start(installed: &Installed) -> Self {
        let path = installed.path("/dev/log");
        let _ = fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        socket.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        Self(socket)
    }

    /// Waits for a line with this text. Returns when it came.
    fn wait_for(&self, text: &str) -> Instant {
        let mut buffer = [0; 1024];
        loop {
            let length = self.0.recv(&mut buffer).unwrap_or_else(|error| panic!("{text}: {error}"));
            if String::from_utf8_lossy(&buffer[..length]).contains(text) {
                return Instant::now();
            }
        }
    }
}

/// A TCP session over the interface that the change cuts off.
fn session(fate: Fate, ifupdown: Ifupdown) {
    const SECONDS: u64 = 2;
    let host = Netns::beside("eth1", "lan0");
    host.ip("addr add 192.0.2.9/24 dev lan0");
    let installed = ifupdown.install(&with_address("eth1", "192.0.2.1/24"));
    installed.ifup("-a").ok();
    settle();
    // From now on the address is recorded.
    installed.ifnetlink("apply").ok();
    let log = Log::start(&installed);
    let before = with_files(&installed);
    installed.interfaces(&with_address("eth1", "198.51.100.1/24"));
    for round in 0..matrix::count(10, 1) {
        let listener = TcpListener::bind("192.0.2.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut client = host.within(|| TcpStream::connect(address).unwrap());
        let (mut server, _) = listener.accept().unwrap();
        client.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut session = Session::start(
            &installed,
            &format!("apply --disruptive --confirm={SECONDS}"),
            fate == Fate::Stalled,
        );
        // What the terminal shows goes to the client.
        let mut reader = session.terminal.try_clone().unwrap();
        let relay = (fate != Fate::Stalled).then(|| {
            thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(length @ 1..) = reader.read(&mut buffer) {
                    if server.write_all(&buffer[..length]).is_err() {
                        break;
                    }
                }
                server
            })
        });
        let changed = log.wait_for("rolled back in 2 s unless confirmed");
        assert_eq!(addresses("eth1"), ["198.51.100.1"], "round {round}");
        match fate {
            Fate::Open | Fate::Stalled => {}
            Fate::HangUp => killpg(session.pid(), Signal::SIGHUP).unwrap(),
            Fate::Kill => killpg(session.pid(), Signal::SIGKILL).unwrap(),
            Fate::WorkerKilled => kill(worker(Some(session.pid())), Signal::SIGKILL).unwrap(),
        }
        let begun = log.wait_for("nobody confirmed the changes in 2 s; rolling back");
        // The message is sent after the changes, the deadline counts from before it.
        let waited = begun - changed;
        let [least, most] = [SECONDS * 1000 - 500, SECONDS * 1000 + 1000].map(Duration::from_millis);
        assert!((least..most).contains(&waited), "round {round}: the rollback begins after {waited:?}");
        wait_for_the_end(&installed);
        before.assert_same(&with_files(&installed), &format!("round {round}"));
        if fate == Fate::Open || fate == Fate::WorkerKilled {
            // The same session goes on.
            let code = session.process.wait().unwrap().code();
            assert_eq!(code, Some(1), "round {round}");
            drop(session.terminal);
            let shown = read_until(&mut client, "the interfaces file still has the changes");
            assert!(shown.contains("press Enter within 2 s to keep the changes"), "{shown}");
        } else {
            let _ = killpg(session.pid(), Signal::SIGKILL);
            session.process.wait().unwrap();
        }
        drop(relay);
        drop(client);
    }
    // Enter keeps the changes.
    let mut session = Session::start(&installed, "apply --confirm=60", false);
    log.wait_for("rolled back in 60 s unless confirmed");
    session.terminal.write_all(b"\n").unwrap();
    assert_eq!(session.process.wait().unwrap().code(), Some(0));
    assert_eq!(addresses("eth1"), ["198.51.100.1"]);
    assert_eq!(installed.ifnetlink("check").quiet().stdout, "");
}

/// Reads from a session until a text comes.
fn read_until(client: &mut TcpStream, text: &str) -> String {
    let (mut shown, mut buffer) = (String::new(), [0; 4096]);
    while !shown.contains(text) {
        match client.read(&mut buffer) {
            Ok(length @ 1..) => shown.push_str(&String::from_utf8_lossy(&buffer[..length])),
            other => panic!("{other:?} after {shown:?}"),
        }
    }
    shown
}

/// The process that makes the changes is killed at any time: the one on the terminal starts it again, and the state
/// is that before.
fn killed(ifupdown: Ifupdown) {
    let _hosts = cards();
    let installed = ifupdown.install(NOTHING);
    installed.ifup("-a").ok();
    let [from, to] = ["management-vrf", "guests-isolated"].map(example);
    installed.interfaces(&from);
    installed.ifnetlink("apply").ok();
    let before = with_files(&installed);
    installed.interfaces(&to);
    let mut again = 0;
    for round in 0..matrix::count(50, 5) {
        let mut session = Session::start(&installed, "apply --disruptive --confirm=1", false);
        let mut shown = session.terminal.try_clone().unwrap();
        let reader = thread::spawn(move || {
            let mut text = Vec::new();
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = shown.read(&mut buffer) {
                text.extend_from_slice(&buffer[..length]);
            }
            String::from_utf8_lossy(&text).into_owned()
        });
        let parent = session.pid();
        for kills in 0..=round % 3 {
            // Spread over the whole life of the process.
            thread::sleep(Duration::from_millis(u64::try_from(round * 53 % 700 + kills * 31).unwrap()));
            if let Some(process) = find_worker(Some(parent)) {
                again += 1;
                let _ = kill(process, Signal::SIGKILL);
            }
        }
        let code = session.process.wait().unwrap().code();
        drop(session.terminal);
        let shown = reader.join().unwrap();
        assert_eq!(code, Some(1), "round {round}: {shown}");
        assert!(!is_pending(&installed), "round {round}: {shown}");
        before.assert_same(&with_files(&installed), &format!("round {round}: {shown}"));
    }
    assert!(again > 2, "killed {again} times");
}

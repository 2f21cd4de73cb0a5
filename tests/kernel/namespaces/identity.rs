//! A namespace is one, whatever reference leads to it; and what several stanzas share is theirs until the last one goes.

use super::by_ifup::{card, domain, domains, in_root};
use super::nothing_left;
use crate::ifupdown::Ifupdown;
use crate::lab::{bind, command, ip, own_run, phase, wait_until};
use crate::state::State;
use crate::tampered::{DOWN, UP, link};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::{fs, iter};

const TTL: &str = "net.ipv4.ip_default_ttl";
const OURS: &str = "/run/ifupdown-ng-netlink";

/// The phases of one stanza.
fn phases(iface: &str, names: [&str; 4], lines: &[String]) {
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    for name in names {
        phase("netns", iface, name, &lines).quiet();
        link(iface, name);
    }
}

/// Cards with these names; the other ends are here too.
fn cards(names: &[&str]) {
    own_run();
    for name in names {
        ip(&format!("link add name {name} type veth peer name far-{name}"));
        ip(&format!("link set far-{name} up"));
    }
}

/// The files of ours below `/run`.
fn files() -> String {
    command(&format!("find {OURS} -type f")).stdout
}

/// A child that is killed at the end.
struct Process(Child);

impl Process {
    fn new(words: &[&str]) -> Self {
        let mut command = Command::new(words[0]);
        Self(command.args(&words[1..]).stdout(Stdio::null()).spawn().unwrap())
    }

    /// A process in a namespace of its own.
    fn container() -> Self {
        let process = Self::new(&["unshare", "-n", "sleep", "600"]);
        let own = fs::metadata("/proc/thread-self/ns/net").unwrap().ino();
        wait_until("its own namespace", || {
            process.inode().is_some_and(|inode| inode != own) && process.name() == "sleep"
        });
        process
    }

    fn path(&self) -> String {
        format!("/proc/{}/ns/net", self.0.id())
    }

    fn inode(&self) -> Option<u64> {
        fs::metadata(self.path()).ok().map(|found| found.ino())
    }

    fn name(&self) -> String {
        fs::read_to_string(format!("/proc/{}/comm", self.0.id())).unwrap_or_default().trim().to_owned()
    }

    fn inside(&self, words: &str) -> String {
        command(&format!("nsenter --net={} {words}", self.path())).ok().stdout
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Three stanzas name one namespace by its name, its path and a process. The parameter that all of them change is
/// restored when the last one leaves, in any order.
pub fn spellings() {
    cards(&["eth0", "eth1", "eth2"]);
    ip("netns add blue");
    let process = Process::new(&["ip", "netns", "exec", "blue", "sleep", "600"]);
    wait_until("it is inside", || process.inode() == fs::metadata("/run/netns/blue").ok().map(|f| f.ino()));
    let ttl = || ip(&format!("netns exec blue sysctl -n {TTL}"));
    let was = ttl();
    let references = ["blue".to_owned(), "/run/netns/blue".to_owned(), process.0.id().to_string()];
    let stanza = |n: usize| {
        (format!("eth{n}"), [format!("netns {}", references[n]), format!("netns-sysctl {TTL}=77")])
    };
    for order in [[0, 1, 2], [1, 2, 0], [2, 0, 1]] {
        for n in 0..3 {
            let (iface, lines) = stanza(n);
            phases(&iface, UP, &lines);
            // Again, and nothing is recorded twice.
            phases(&iface, UP, &lines);
        }
        for (left, n) in iter::zip([2, 1, 0], order) {
            let (iface, lines) = stanza(n);
            phases(&iface, DOWN, &lines);
            let expected = if left == 0 { was.as_str() } else { "77\n" };
            assert_eq!(ttl(), expected, "{left} left, {order:?}");
        }
        assert_eq!(files(), "", "{order:?}");
    }
    // With another spelling by now, the interface is where the stanza says.
    phases("eth0", UP, &stanza(0).1);
    let by_path = [format!("netns {}", references[1]), format!("netns-sysctl {TTL}=77")];
    phase("netns", "eth0", "post-up", &[&by_path[0], &by_path[1]]).quiet();
    assert!(ip("-n blue link").contains("eth0"), "moved");
    phases("eth0", DOWN, &by_path);
    assert_eq!((ttl(), files()), (was, String::new()));
    // A namespace of ours is deleted by whatever reference leads to it.
    drop(process);
    let green = |reference: &str| [format!("netns {reference}")];
    phases("eth0", UP, &green("green"));
    phases("eth1", UP, &green("/run/netns/green"));
    phases("eth0", DOWN, &green("green"));
    phases("eth1", DOWN, &green("/run/netns/green"));
    assert!(!ip("netns").contains("green"), "kept: {}", ip("netns"));
    assert_eq!(files(), "");
}

/// A changed parameter is restored when the last stanza that changes it goes, also while other links of ours are there.
pub fn owners() {
    cards(&["eth0", "eth1"]);
    let ttl = || ip(&format!("netns exec blue sysctl -n {TTL}"));
    let plain = ["netns blue".to_owned()];
    let changed = ["netns blue".to_owned(), format!("netns-sysctl {TTL}=77")];
    let was = "64\n"; // the kernel's default
    for of_others in [false, true] {
        if of_others {
            ip("netns add blue");
        }
        // Only the first one changes it, and is the first to go.
        phases("eth0", UP, &changed);
        phases("eth1", UP, &plain);
        assert_eq!(ttl(), "77\n");
        phases("eth0", DOWN, &changed);
        assert_eq!(ttl(), was, "still changed");
        phases("eth1", DOWN, &plain);
        assert_eq!(files(), "");
        // The line is removed from the stanza while it is up.
        phases("eth0", UP, &changed);
        phases("eth1", UP, &plain);
        phases("eth0", DOWN, &plain);
        assert_eq!(ttl(), was, "still changed");
        phases("eth1", DOWN, &plain);
        assert_eq!(files(), "");
        assert_eq!(ip("netns").contains("blue"), of_others);
    }
    // Two stanzas that version 0.1 brought up: it recorded the value only, and the last one restores it.
    phases("eth0", UP, &changed);
    phases("eth1", UP, &changed);
    let inode = fs::metadata("/run/netns/blue").unwrap().ino();
    let record = format!("{OURS}/netns-{inode}/sysctl:{TTL}");
    assert!(fs::read_to_string(&record).unwrap().starts_with(was.trim()));
    fs::write(&record, was.trim()).unwrap();
    phases("eth1", UP, &changed);
    phases("eth0", DOWN, &changed);
    assert_eq!(ttl(), "77\n");
    phases("eth1", DOWN, &changed);
    assert_eq!((ttl(), files()), (was.to_owned(), String::new()));
}

/// The named process ends while its namespace lives on: by another process, a mount, or an open file.
pub fn process_gone() {
    cards(&["eth0"]);
    fs::write("/run/held", "").unwrap();
    for holder in ["process", "mount", "file"] {
        let container = Process::container();
        let was = container.inside(&format!("sysctl -n {TTL}"));
        let lines = [
            format!("netns {}", container.0.id()),
            "netns-ifname inner".to_owned(),
            format!("netns-sysctl {TTL}=77"),
            "netns-route unreachable 10.9.0.0/16".to_owned(),
        ];
        phases("eth0", UP, &lines);
        assert_eq!(container.inside(&format!("sysctl -n {TTL}")), "77\n");
        let path = container.path();
        let held = match holder {
            "process" => Some(Process::new(&["nsenter", &format!("--net={path}"), "sleep", "600"])),
            "mount" => {
                // Not by mount(8), which keeps files of its own below /run.
                bind(Path::new(&path), Path::new("/run/held"));
                None
            }
            _ => Some(Process::new(&["sh", "-c", &format!("exec 9<{path}; exec sleep 600")])),
        };
        if let Some(held) = &held {
            wait_until("it has begun", || held.name() == "sleep");
        }
        let there = match (&held, holder) {
            (Some(held), "process") => held.path(),
            (Some(held), _) => format!("/proc/{}/fd/9", held.0.id()),
            (None, _) => "/run/held".to_owned(),
        };
        drop(container);
        let inside = |words: &str| command(&format!("nsenter --net={there} {words}")).ok().stdout;
        assert!(inside("ip link").contains("inner"), "{holder}: not held");
        phases("eth0", DOWN, &lines);
        assert!(ip("-br link").contains("eth0"), "{holder}: not back");
        assert_eq!(inside(&format!("sysctl -n {TTL}")), was, "{holder}");
        assert_eq!(inside("ip route"), "", "{holder}");
        assert_eq!(files(), "", "{holder}");
        let _ = nix::mount::umount("/run/held");
    }
    fs::remove_file("/run/held").unwrap();
    // It dies with its namespace, and takes the card with it: the recorded values go too.
    let container = Process::container();
    let lines = [format!("netns {}", container.0.id()), format!("netns-sysctl {TTL}=77")];
    phases("eth0", UP, &lines);
    drop(container);
    wait_until("the card went with it", || !ip("-br link").contains("far-eth0"));
    for name in DOWN {
        phase("netns", "eth0", name, &[&lines[0], &lines[1]]).quiet();
    }
    nothing_left("after the end of the container");
}

/// The stanza names another namespace while the interface is up.
pub fn edited() {
    cards(&["eth0"]);
    let netns = |name: &str| [format!("netns {name}")];
    for forced in [true, false] {
        phases("eth0", UP, &netns("one"));
        if forced {
            phases("eth0", UP, &netns("two"));
            assert!(!ip("netns").contains("one"), "kept: {}", ip("netns"));
            assert!(ip("-n two link").contains("eth0"));
        }
        phases("eth0", DOWN, &netns("two"));
        assert!(ip("-br link").contains("eth0"), "not back");
        nothing_left(if forced { "after ifup -f and ifdown" } else { "after ifdown" });
    }
    let pair = |name: &str| ["veth-peer v1".to_owned(), format!("veth-peer-netns {name}")];
    let run = |name: &str, lines: &[String]| {
        phase("veth", "v0", name, &[&lines[0], &lines[1]]).quiet();
    };
    for name in UP {
        run(name, &pair("one"));
    }
    for name in DOWN {
        run(name, &pair("two"));
    }
    nothing_left("after ifdown of the pair");
    // Other interfaces in it keep it.
    phases("eth0", UP, &netns("one"));
    for name in UP {
        run(name, &pair("one"));
    }
    phases("eth0", UP, &netns("two"));
    assert!(ip("-n one link").contains("v1"), "deleted in use");
    for name in DOWN {
        run(name, &pair("one"));
    }
    phases("eth0", DOWN, &netns("two"));
    nothing_left("after both");
}

/// `netns-keep yes` of one stanza counts when another one is the last to leave.
pub fn kept() {
    cards(&["eth0", "eth1"]);
    let (keeps, plain) = (["netns blue".to_owned(), "netns-keep yes".to_owned()], ["netns blue".to_owned()]);
    phases("eth0", UP, &keeps);
    phases("eth1", UP, &plain);
    phases("eth0", DOWN, &keeps);
    phases("eth1", DOWN, &plain);
    assert!(ip("netns").contains("blue"), "deleted");
    // The line is gone from the stanza: the next ifup and ifdown delete it.
    phases("eth0", UP, &plain);
    phases("eth0", DOWN, &plain);
    nothing_left("after the last");
    // What is kept is deleted by hand, with what was recorded.
    phases("eth0", UP, &keeps);
    phases("eth0", DOWN, &keeps);
    ip("netns del blue");
    phases("eth1", UP, &plain);
    phases("eth1", DOWN, &plain);
    nothing_left("after it was deleted by hand");
}

fn ttl(installed: &crate::ifupdown::Installed, name: &str) -> String {
    domain(installed, name).within(|| command(&format!("sysctl -n {TTL}")).ok().stdout)
}

/// By ifup: two spellings, and a stanza that changes nothing.
pub fn shared_by_ifup(ifupdown: Ifupdown) {
    let (_outside, installed) = card(
        ifupdown,
        &format!(
            "iface d1\n    link-type dummy\n    netns blue\n    netns-sysctl {TTL}=77\n\n\
             iface d2\n    link-type dummy\n    netns /run/netns/blue\n    netns-sysctl {TTL}=77\n\n\
             iface eth0\n    netns blue\n    netns-ifname inner\n"
        ),
    );
    in_root(&installed, "ip netns add blue").ok();
    let (before, was) = (State::with_run(&installed), ttl(&installed, "blue"));
    for order in [["d1", "d2"], ["d2", "d1"]] {
        for iface in ["d1", "eth0", "d2"] {
            installed.ifup(iface).quiet();
        }
        installed.ifdown(order[0]).quiet();
        assert_eq!(ttl(&installed, "blue"), "77\n", "{order:?}");
        installed.ifdown(order[1]).quiet();
        assert_eq!(ttl(&installed, "blue"), was, "{order:?}");
        installed.ifdown("eth0").quiet();
        before.assert_same(&State::with_run(&installed), &format!("{order:?}"));
    }
}

/// By ifup: `netns one` becomes `netns two` while the card is up.
pub fn edited_by_ifup(ifupdown: Ifupdown) {
    let stanza = |name: &str| format!("iface eth0\n    netns {name}\n    netns-ifname inner\n");
    let (_outside, installed) = card(ifupdown, &stanza("one"));
    let before = State::with_run(&installed);
    for forced in [true, false] {
        installed.interfaces(&stanza("one"));
        installed.ifup("eth0").quiet();
        installed.interfaces(&stanza("two"));
        if forced {
            installed.ifup("-f eth0").quiet();
            assert_eq!(domains(&installed), ["two"]);
            assert!(domain(&installed, "two").ip("link").contains("inner"));
        }
        installed.ifdown("-f eth0").quiet();
        before.assert_same(&State::with_run(&installed), &format!("forced: {forced}"));
    }
}

/// By ifup: the administrator renames the card in its namespace.
pub fn renamed_by_ifup(ifupdown: Ifupdown) {
    let stanza = "iface eth0\n    netns blue\n    netns-ifname inner\n    netns-address 10.1.0.2/24\n";
    let (_outside, installed) = card(ifupdown, stanza);
    let before = State::with_run(&installed);
    for other in [false, true] {
        installed.ifup("eth0").quiet();
        let inside = domain(&installed, "blue");
        inside.ip_batch(&["link set inner down", "link set inner name renamed"]);
        if other {
            inside.ip("link add name inner type dummy");
            let ran = installed.ifdown("eth0").ok();
            assert!(ran.stderr.contains("namespace blue is kept: it contains inner"), "{ran}");
            inside.ip("link del inner");
            installed.ifup("eth0").quiet();
        }
        drop(inside);
        installed.ifdown("eth0").quiet();
        before.assert_same(&State::with_run(&installed), &format!("another inner: {other}"));
    }
}

/// By ifup: `vrf-accept` of one VRF is restored with that VRF, while another one exists.
pub fn accept_by_ifup(ifupdown: Ifupdown) {
    let (_outside, installed) = card(
        ifupdown,
        "iface red\n    vrf-table 10\n    vrf-accept tcp\n\niface blue\n    vrf-table 11\n\n\
         iface green\n    vrf-table 12\n    vrf-accept tcp\n",
    );
    let accept = || command("sysctl -n net.ipv4.tcp_l3mdev_accept net.ipv4.raw_l3mdev_accept").ok().stdout;
    let was = accept();
    let before = State::with_run(&installed);
    for iface in ["red", "blue", "green"] {
        installed.ifup(iface).quiet();
    }
    assert_eq!(accept(), "1\n0\n");
    installed.ifdown("red").quiet();
    assert_eq!(accept(), "1\n0\n", "green wants it");
    installed.ifdown("green").quiet();
    assert_eq!(accept(), was, "blue does not");
    installed.ifdown("blue").quiet();
    before.assert_same(&State::with_run(&installed), "after ifdown");
}

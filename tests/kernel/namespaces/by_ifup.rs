//! By the real ifup: a stanza that fails halfway, goes up again by a forced ifup, or is checked while it is up.

use crate::ifupdown::{Ifupdown, Installed, Version};
use crate::lab::{Netns, Ran, command, ip, run, settle};
use crate::matrix;
use crate::state::State;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

/// A card; its other end is on another host.
const CARD: &str = "iface eth0
    netns blue
    netns-ifname inner
    netns-address 10.1.0.2/24, fd00:1::2/64
    netns-gateway 10.1.0.1
    netns-route unreachable 10.9.0.0/16
    netns-sysctl net.ipv4.ip_default_ttl=77
";
/// A pair with one end in the namespace.
const PAIR: &str = "iface v0
    address 10.2.0.1/24
    hwaddress 02:00:00:00:02:01
    veth-peer veth0
    veth-peer-netns green
    veth-peer-address 10.2.0.2/24, fd00:2::2/64
    veth-peer-gateway 10.2.0.1
";
/// A link between two namespaces; it is moved to one of them.
const BETWEEN: &str = "iface ab
    hwaddress 02:00:00:00:03:01
    netns blue
    netns-address 10.3.0.1/30
    veth-peer to-blue
    veth-peer-netns green
    veth-peer-address 10.3.0.2/30
";

pub fn card(ifupdown: Ifupdown, interfaces: &str) -> (Netns, Installed) {
    let outside = Netns::beside("eth0", "eth0");
    ip("link set eth0 down");
    (outside, ifupdown.install(interfaces))
}

pub fn domain(installed: &Installed, name: &str) -> Netns {
    Netns::at(&installed.path("/run/netns").join(name))
}

pub fn domains(installed: &Installed) -> Vec<String> {
    let ran = in_root(installed, "ip netns").ok();
    let mut names: Vec<_> =
        ran.stdout.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect();
    names.sort();
    names
}

pub fn in_root(installed: &Installed, words: &str) -> Ran {
    command(&format!("chroot {} {words}", installed.path("/").display()))
}

/// Checks that an executor failed, with this line first. 0.11.4 does not report the failure.
#[track_caller]
fn fails(installed: &Installed, ran: &Ran, line: &str) {
    let status = i32::from(installed.ifupdown.version != Version::Bookworm);
    assert_eq!((ran.status, ran.stderr.lines().next()), (status, Some(line)), "{ran}");
}

/// As OpenRC does it: forced, if anything failed.
fn ifup_or_ifdown(installed: &Installed, iface: &str) -> Ran {
    let options = "-E /mnt/executors -i /mnt/interfaces -S /run/ifstate";
    let script = format!("ifup {options} {iface} || ifdown {options} --force {iface}");
    let root = installed.path("/");
    run(Command::new("chroot").arg(root).args(["/bin/sh", "-c", &script]))
}

/// A forced ifdown, or OpenRC's way, cleans up wherever ifup failed; then the stanza can go up.
pub fn half_up(ifupdown: Ifupdown) {
    let (_outside, installed) = card(ifupdown, CARD);
    let before = State::with_run(&installed);
    let stanzas =
        [(CARD, "eth0", vec!["blue"]), (PAIR, "v0", vec!["green"]), (BETWEEN, "ab", vec!["blue", "green"])];
    for (nth, (stanza, iface, home)) in stanzas.into_iter().enumerate() {
        // Three failures: before the move, after it, and one of our own in the last phase.
        let own = if iface == "v0" { "veth-peer-route" } else { "netns-route" };
        let own = format!("{own} 10.7.0.0/16 via 10.250.0.9");
        let failures = [("up false", false), ("post-up false", true), (own.as_str(), false)];
        // In the short form another one for each stanza.
        let some = if matrix::is_whole() { &failures[..] } else { &failures[nth..=nth] };
        for &(failure, has_moved) in some {
            let keyword = own.split(' ').next().unwrap();
            let whole: Vec<_> = stanza.lines().filter(|line| !line.contains(keyword)).collect();
            let whole = whole.join("\n");
            installed.interfaces(&format!("{whole}\n    {failure}\n"));
            let when = format!("{iface}, {failure}");
            let ran = installed.ifup(iface);
            let told = ran.stderr.contains("10.7.0.0/16 via 10.250.0.9") && ran.stderr.contains("undone");
            assert!(ran.status == 1 || told, "{when}: {ran}");
            assert_eq!(domains(&installed), home, "{when}: not half up");
            if iface != "v0" {
                // Ask for the interface by name: an Ethernet address may contain "ab".
                let is_here = command(&format!("ip link show dev {iface}")).status == 0;
                assert_eq!(!is_here, has_moved, "{when}");
            }
            installed.ifdown(&format!("--force {iface}")).quiet();
            before.assert_same(&State::with_run(&installed), &when);
            ifup_or_ifdown(&installed, iface).ok();
            if ran.status == 0 {
                // ifup did not report the failure.
                installed.ifdown(iface).quiet();
            }
            before.assert_same(&State::with_run(&installed), &format!("{when}, by OpenRC"));
            installed.interfaces(stanza);
            installed.ifup(iface).quiet();
            installed.ifdown(iface).quiet();
            before.assert_same(&State::with_run(&installed), &format!("{when}, then whole"));
        }
    }
}

/// A failure inside the namespace makes the stanza outside fail, and the error is reported.
pub fn nested_failure(ifupdown: Ifupdown) {
    let (_outside, installed) = card(
        ifupdown,
        "iface eth0\n    netns blue\n    netns-ifname inner\n    netns-interfaces /mnt/inside\n",
    );
    let before = State::with_run(&installed);
    installed.file(
        "/mnt/inside",
        "auto inner\niface inner\n    address 10.1.0.2/24\n\nauto v0\niface v0\n    veth-peer v0\n",
    );
    let ran = installed.ifup("eth0");
    fails(&installed, &ran, "veth: v0: veth-peer v0: the interface itself; the other end needs another name");
    // The ifup inside has the same fault in 0.11.4, so the failure cannot be detected.
    if ifupdown.version != Version::Bookworm {
        let told = ran.stderr.lines().find(|line| line.contains("netns exec blue")).expect("our own line");
        assert!(told.contains("failed with exit status: 1; see its output above"), "{told}");
    }
    installed.ifdown("--force eth0").ok();
    before.assert_same(&State::with_run(&installed), "after a forced ifdown");
    // With the error corrected, it goes up.
    installed.file(
        "/mnt/inside",
        "auto inner\niface inner\n    address 10.1.0.2/24\n    up ip -br link >/run/seen\n\n\
         auto v0\niface v0\n    veth-peer v1\n",
    );
    installed.ifup("eth0").quiet();
    let links = domain(&installed, "blue").ip("-br addr");
    assert!(links.contains("10.1.0.2/24") && links.contains("v1"), "{links}");
    // Its commands run inside as well.
    let log = installed.path("/run/seen");
    let seen = fs::read_to_string(&log).unwrap();
    assert!(seen.contains("inner") && !seen.contains("eth0"), "{seen}");
    fs::remove_file(log).unwrap();
    installed.ifdown("eth0").quiet();
    before.assert_same(&State::with_run(&installed), "after ifdown");
    // A file that other users can write is not run.
    let file = installed.path("/mnt/inside");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).unwrap();
    let ran = installed.ifup("eth0");
    let expected = "netns: eth0: netns-interfaces /mnt/inside: /mnt/inside: others can write /mnt/inside";
    fails(&installed, &ran, expected);
    installed.ifdown("--force eth0").ok();
    before.assert_same(&State::with_run(&installed), "nothing was run");
}

/// `ifup -f` of what is in the namespace: a card, a pair, a link between two, a dummy.
pub fn forced(ifupdown: Ifupdown) {
    let dummy = "iface dm0\n    link-type dummy\n    hwaddress 02:00:00:00:04:01\n    netns blue\n    \
                 netns-address 10.4.0.1/24\n";
    let (_outside, installed) = card(ifupdown, &[CARD, PAIR, BETWEEN, dummy].concat());
    let before = State::with_run(&installed);
    // The kernel lists new links after the existing ones.
    let inside = || {
        ["blue", "green"].map(|name| {
            let domain = domain(&installed, name);
            domain.within(settle);
            let text = ["-br addr", "route", "-6 route"].map(|words| domain.ip(words)).concat();
            let lines: BTreeSet<_> = text.lines().map(str::to_owned).collect();
            lines
        })
    };
    for iface in ["eth0", "v0", "ab", "dm0"] {
        installed.ifup(iface).quiet();
    }
    settle();
    let (up, was) = (State::with_run(&installed), inside());
    for iface in ["eth0", "v0", "ab", "dm0"] {
        let ran = installed.ifup(&format!("-f {iface}"));
        // The stock `static` reports an error for an address that exists. Newer kernels have a text of their own.
        let texts = ["RTNETLINK answers: File exists", "already assigned."];
        let ours = ran.stderr.lines().filter(|line| !texts.iter().any(|text| line.contains(text)));
        assert_eq!((ran.status, ours.count()), (0, 0), "{ran}");
        settle();
        up.assert_same(&State::with_run(&installed), &format!("ifup -f {iface}"));
        assert_eq!(inside(), was, "inside, ifup -f {iface}");
    }
    for iface in ["eth0", "v0", "ab", "dm0"] {
        installed.ifdown(&format!("-f {iface}")).ok();
    }
    before.assert_same(&State::with_run(&installed), "after ifdown");
}

/// A VLAN, which the stock `link` creates again without checking where it is.
pub fn forced_vlan(ifupdown: Ifupdown) {
    let (_outside, installed) = card(
        ifupdown,
        "iface eth0\n\niface eth0.7\n    requires eth0\n    netns blue\n    use netns\n    netns-address 10.5.0.1/24\n",
    );
    let before = State::with_run(&installed);
    installed.ifup("eth0.7").quiet();
    settle();
    let up = State::with_run(&installed);
    let addresses = || domain(&installed, "blue").ip("-br -4 addr show dev eth0.7");
    let inside = addresses();
    assert!(inside.contains("10.5.0.1/24"), "{inside}");
    // 0.11.4 goes on, 0.12.1 ends here: either way an interface that matches its stanza stays so.
    fails(&installed, &installed.ifup("-f eth0.7"), EXISTS);
    assert_eq!(addresses(), inside);
    settle();
    up.assert_same(&State::with_run(&installed), "ifup -f of what is right");
    // An interface that does not match is moved back, and in the end to its namespace.
    domain(&installed, "blue").ip("addr del 10.5.0.1/24 dev eth0.7");
    fails(&installed, &installed.ifup("-f eth0.7"), EXISTS);
    if ifupdown.version != Version::Bookworm {
        assert!(ip("-br link").contains("eth0.7"), "not back");
        installed.ifup("-f eth0.7").quiet();
    }
    assert_eq!(addresses(), inside);
    for iface in ["eth0.7", "eth0"] {
        installed.ifdown(&format!("-f {iface}")).quiet();
    }
    before.assert_same(&State::with_run(&installed), "after ifdown");
}

/// The kernel's error, as the stock `link` prints it.
const EXISTS: &str = "Error: 8021q: VLAN device already exists.";

/// `--check` by hand of interfaces that are up: first in step, then changed.
pub fn check(ifupdown: Ifupdown) {
    let (_outside, installed) = card(ifupdown, &[CARD, PAIR, BETWEEN].concat());
    let before = State::with_run(&installed);
    for iface in ["eth0", "v0", "ab"] {
        installed.ifup(iface).quiet();
    }
    let check = |program: &str, stanza: &str| {
        let mut command = Command::new("chroot");
        command.arg(installed.path("/")).arg(format!("/mnt/executors/{program}")).arg("--check");
        for line in stanza.lines().map(str::trim_start) {
            let (keyword, value) = line.split_once(' ').unwrap();
            match keyword {
                "iface" => drop(command.args(["--iface", value])),
                _ if keyword.starts_with(&program[..4]) => drop(command.arg(format!("{keyword}={value}"))),
                _ => {}
            }
        }
        run(&mut command)
    };
    let all = [("netns", CARD), ("veth", PAIR), ("veth", BETWEEN), ("netns", BETWEEN), ("veth-peer", PAIR)];
    for (program, stanza) in all {
        let ran = check(program, stanza);
        assert_eq!((ran.status, ran.stdout.as_str(), ran.stderr.as_str()), (0, "", ""), "{ran}");
    }
    domain(&installed, "blue").ip("addr del 10.1.0.2/24 dev inner");
    domain(&installed, "green").ip("link set veth0 down");
    for (program, stanza, difference) in [
        ("netns", CARD, "ip -n blue address add 10.1.0.2/24 dev inner\n"),
        ("veth", PAIR, "ip -n green link set veth0 up\n"),
    ] {
        let ran = check(program, stanza);
        assert_eq!(ran.status, 3, "{ran}");
        assert!(ran.stdout.starts_with(difference), "{ran}");
    }
    // In another namespace than that of the stanza.
    let ran = check("netns", &CARD.replace("blue", "white"));
    assert_eq!(ran.status, 3, "{ran}");
    assert!(ran.stdout.contains("ip -n blue link set inner netns $$ name eth0\n"), "{ran}");
    for iface in ["eth0", "v0", "ab"] {
        installed.ifdown(iface).quiet();
    }
    before.assert_same(&State::with_run(&installed), "after ifdown");
}

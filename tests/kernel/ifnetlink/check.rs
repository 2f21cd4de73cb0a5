//! `ifnetlink check` reports what `ip` and `bridge` changed without ifup, and nothing else.

use super::trial;
use super::whole::NOTHING;
use crate::examples::cards;
use crate::ifupdown::{Executors, Ifupdown, Installed, Shell, Version, example};
use crate::lab::{Netns, command, ip, settle};
use crate::schema::valid;
use crate::state::State;
use libtest_mimic::Trial;

pub fn tests() -> Vec<Trial> {
    let mut tests = Vec::new();
    let mut add = |name: &str, version, executors, test: fn(Ifupdown)| {
        tests.push(trial(name, Ifupdown { version, executors, shell: Shell::Dash }, test));
    };
    for version in Version::ALL {
        for executors in Executors::ALL {
            add("check-vrf", version, executors, vrf);
        }
        add("check-veth", version, Executors::Replaced, veth);
        add("check-vlan", version, Executors::Replaced, vlan);
        add("check-which", version, Executors::Replaced, which);
        add("check-accept", version, Executors::Replaced, accept);
        add("check-order", version, Executors::Replaced, order);
        add("check-yet-to-come", version, Executors::Replaced, yet_to_come);
        add("check-leftovers", version, Executors::Replaced, leftovers);
        add("check-nested", version, Executors::Replaced, nested);
        add("check-terminal", version, Executors::Replaced, terminal);
    }
    add("check-stock", Version::Trixie, Executors::Stock, stock);
    add("check-unread", Version::Trixie, Executors::Stock, unread);
    add("check-unread", Version::Trixie, Executors::Replaced, unread);
    tests
}

/// A change, and the lines that report it.
type Row<'a> = (&'a str, &'a [&'a str]);

/// Makes each change, compares the report, and has ifup correct it for these interfaces.
fn drifts(installed: &Installed, interfaces: &str, rows: &[Row<'_>], mut make: impl FnMut(&str)) {
    for (change, lines) in rows {
        make(change);
        let ran = installed.ifnetlink("check");
        assert_eq!((ran.status, ran.stderr.as_str()), (3, ""), "{change}: {ran}");
        assert_eq!(ran.stdout.lines().collect::<Vec<_>>(), *lines, "{change}");
        // The stock executors report errors for objects that exist already.
        installed.ifup(&format!("-f {interfaces}"));
        settle();
        assert_eq!(installed.ifnetlink("check").quiet().stdout, "", "after {change} and ifup -f");
    }
}

fn vrf(ifupdown: Ifupdown) {
    let _hosts = cards();
    let installed = ifupdown.install(&example("management-vrf"));
    let everything = installed.ifnetlink("check");
    assert_eq!(everything.status, 3, "before ifup: {everything}");
    assert!(everything.stdout.starts_with("vrf-management: ip link add vrf-management type vrf table 1\n"));
    assert!(everything.stdout.contains("\neth0: ip link set eth0 master vrf-management\n"), "{everything}");
    installed.ifup("-a").quiet();
    settle();
    assert_eq!(installed.ifnetlink("check").quiet().stdout, "");
    let json = valid("check", &installed.ifnetlink("check --json").quiet().stdout);
    assert_eq!(json["differences"].as_array().unwrap().len(), 0, "{json}");
    assert_eq!(json["compared"], serde_json::json!(["vrf-management", "eth0"]));
    assert_eq!(json["not_compared"], serde_json::json!([]));
    let rows: &[Row<'_>] = &[
        (
            "ip -6 rule del pref 2000",
            &["vrf-management: ip -6 rule add pref 2000 l3mdev unreachable protocol 73"],
        ),
        ("ip -4 rule add pref 0 table local", &["vrf-management: ip -4 rule del pref 0 table local"]),
        (
            "ip route del 10.20.30.0/24 dev eth0 table main",
            &["eth0: ip -4 route add 10.20.30.0/24 dev eth0 table main protocol 73"],
        ),
        (
            "sysctl -w net.ipv4.tcp_l3mdev_accept=0",
            &["vrf-management: sysctl -w net.ipv4.tcp_l3mdev_accept=1"],
        ),
    ];
    drifts(&installed, "vrf-management eth0", rows, |change| drop(command(change).ok()));
    ip("link set eth0 nomaster");
    let ran = installed.ifnetlink("check eth0");
    assert_eq!((ran.status, ran.stderr.as_str()), (3, ""), "{ran}");
    assert!(ran.stdout.starts_with("eth0: ip link set eth0 master vrf-management\n"), "{ran}");
    let json = valid("check", &installed.ifnetlink("check --json eth0").stdout);
    let differences = json["differences"].as_array().unwrap();
    assert!(differences.iter().all(|difference| difference["kind"] == "step"), "{json}");
    let text = |object: &serde_json::Value, key: &str| object[key].as_str().unwrap().to_owned();
    let line =
        |object: &serde_json::Value| format!("{}: {}", text(object, "interface"), text(object, "text"));
    let steps: Vec<String> = differences.iter().map(line).collect();
    assert_eq!(steps, ran.stdout.lines().collect::<Vec<_>>());
    ip("link set eth0 master vrf-management");
    installed.ifdown("-a");
}

fn veth(ifupdown: Ifupdown) {
    let _hosts = cards();
    let installed = ifupdown.install(&example("veth-peer"));
    installed.ifup("-a").quiet();
    settle();
    let guest = || Netns::at(&installed.path("/run/netns/guest"));
    let rows: &[Row<'_>] = &[
        (
            "addr del 192.0.2.2/24 dev eth0",
            &[
                "veth-guest: ip -n guest address add 192.0.2.2/24 dev eth0",
                "veth-guest: ip -n guest -4 route add default via 192.0.2.1 dev eth0 table main protocol 73",
            ],
        ),
        (
            "-6 route del default",
            &[
                "veth-guest: ip -n guest -6 route add default via 2001:db8:1::1 dev eth0 table main protocol 73",
            ],
        ),
        ("link set eth0 mtu 1300", &["veth-guest: ip -n guest link set eth0 mtu 1400"]),
        (
            "link set eth0 address 02:00:00:00:00:99",
            &["veth-guest: ip -n guest link set eth0 address 02:00:00:00:00:02"],
        ),
    ];
    drifts(&installed, "veth-guest", rows, |change| drop(guest().ip(change)));
    installed.ifdown("-a");
}

fn vlan(ifupdown: Ifupdown) {
    let _hosts = cards();
    let installed = ifupdown.install(&example("vlan-access-trunk"));
    installed.ifup("-a").quiet();
    settle();
    let rows: &[Row<'_>] = &[
        ("bridge vlan add dev eth0 vid 99", &["eth0: bridge vlan del dev eth0 vid 99"]),
        ("bridge vlan del dev eth1 vid 20", &["eth1: bridge vlan add dev eth1 vid 20 pvid untagged"]),
        (
            "ip link set br0 type bridge vlan_filtering 0",
            &["br0: ip link set br0 type bridge vlan_filtering 1"],
        ),
        (
            "ip link set eth2 nomaster",
            &[
                "eth2: ip link set eth2 master br0",
                "eth2: bridge vlan add dev eth2 vid 10 && bridge vlan add dev eth2 vid 20",
            ],
        ),
    ];
    drifts(&installed, "br0 eth0 eth1 eth2", rows, |change| drop(command(change).ok()));
    installed.ifdown("-a");
}

/// Which interfaces are checked: those named; those that are auto; without either, also those that are up. Templates
/// are not interfaces; their lines are reported for those that inherit them.
fn which(ifupdown: Ifupdown) {
    let _hosts = cards();
    let installed = ifupdown.install(
        "template member\n    vrf-member red\n\
         auto red\niface red\n    vrf-table 10\n\
         auto eth0\niface eth0\n    inherit member\n\
         iface eth1\n    inherit member\n\
         iface eth2\n    vrf-member red\n    vrf-route default dev lo table 70000000000\n\
         auto eth3\niface eth3\n    address 192.0.2.1/24\n",
    );
    installed.ifup("-a").quiet();
    let out = |arguments: &str| installed.ifnetlink(arguments).stdout;
    ip("link set eth0 nomaster");
    let eth0 = "eth0: ip link set eth0 master red\n";
    let eth1 = "eth1: ip link set eth1 master red\n";
    let up = format!("{eth1}eth1: ip link set eth1 up\n");
    assert_eq!([out("check"), out("check -a"), out("check eth1")], [eth0, eth0, &up]);
    installed.ifup("eth1").quiet();
    ip("link set eth1 nomaster");
    assert_eq!([out("check"), out("check -a"), out("check eth1")], [&(eth0.to_owned() + eth1), eth0, eth1]);
    assert_eq!(installed.ifnetlink("check eth3 red").quiet().stdout, "");
    installed
        .ifnetlink("check eth9")
        .refuses(2, "ifnetlink: eth9: there is no such stanza in /mnt/interfaces");
    let wrong = installed.ifnetlink("check eth2 eth0");
    assert_eq!((wrong.status, wrong.stdout.as_str()), (2, eth0), "{wrong}");
    assert!(
        wrong
            .stderr
            .starts_with("ifnetlink: /mnt/interfaces:13: vrf-route default dev lo table 70000000000: "),
        "{wrong}"
    );
    let json = valid("check", &installed.ifnetlink("check --json eth2 eth0").stdout);
    let finding = &json["findings"][0];
    let place = (finding["file"].as_str(), finding["line"].as_u64(), finding["keyword"].as_str());
    assert_eq!(place, (Some("/mnt/interfaces"), Some(13), Some("vrf-route")), "{json}");
    // The other line: what the stanza needs is unknown.
    assert_eq!(wrong.stderr.lines().count(), 2, "{wrong}");
}

/// A stanza that none of our executors reads is not reported as correct.
fn unread(ifupdown: Ifupdown) {
    let installed = ifupdown.install("");
    let stock = ifupdown.executors == Executors::Stock;
    for (stanza, reader) in
        [("vrf-table 10", "vrf-table"), ("netns red", "netns"), ("bridge-vlan 10", "bridge-vlan")]
    {
        installed.file("/mnt/interfaces", &format!("auto eth1\niface eth1\n    {stanza}\n"));
        let ran = installed.ifnetlink("check");
        let line = |what: String| {
            format!("ifnetlink: /mnt/interfaces:3: {stanza}: no executor of this package reads it; {what}\n")
        };
        if stock {
            assert_eq!((ran.status, ran.stderr), (2, line(format!("{reader} is not installed"))));
        } else if reader == "netns" {
            assert_eq!((ran.status, ran.stderr), (2, line("add `use netns`".to_owned())));
        } else {
            assert!(!ran.stderr.contains("reads it"), "{ran}");
        }
    }
}

/// What executors that are not ours do is not compared.
fn stock(ifupdown: Ifupdown) {
    let _hosts = cards();
    let installed = ifupdown.install("auto br0\niface br0\n    bridge-ports eth0\n    bridge-fd 3\n");
    let ran = installed.ifnetlink("check");
    let line = "br0: does not exist yet; `ifup br0` creates it\n";
    assert_eq!((ran.status, ran.stdout.as_str(), ran.stderr.as_str()), (3, line, ""));
    installed.ifup("-a");
    ip("link set br0 type bridge forward_delay 400");
    assert_eq!(installed.ifnetlink("check").quiet().stdout, "");
}

/// A VRF that ifdown kept for its members has a record, but its stanza has no `vrf-accept` that another one could
/// conflict with.
fn accept(ifupdown: Ifupdown) {
    ip("link add eth0 type dummy");
    let stanzas = "auto red\niface red\n    vrf-table 10\n    vrf-rules yes\n\n\
        auto eth0\niface eth0\n    vrf-member red\n\n\
        auto blue\niface blue\n    vrf-table 20\n    vrf-accept tcp\n";
    let installed = ifupdown.install(stanzas);
    installed.ifup("red").quiet();
    installed.ifup("eth0").quiet();
    let kept = installed.ifdown("-f red").ok();
    assert!(kept.stderr.contains("red is kept, since it has members: eth0"), "{kept}");
    let ran = installed.ifnetlink("check");
    assert!(ran.stdout.contains("blue: sysctl -w net.ipv4.tcp_l3mdev_accept=1\n"), "{ran}");
    assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("conflicts"), "{ran}");
}

/// Differences are in the order of the file, and of two stanzas that disagree the second is blamed, as by ifup. A rule
/// that only changes its place beside another is no difference.
fn order(ifupdown: Ifupdown) {
    let file = "auto red\niface red\n    vrf-table 10\n    vrf-rules jump\n\n\
                auto blue\niface blue\n    vrf-table 20\n    vrf-rules yes\n";
    let installed = ifupdown.install(file);
    let ran = installed.ifnetlink("check");
    let lines: Vec<&str> = ran.stdout.lines().collect();
    let of = |iface: &str| {
        let lines = lines.iter().filter_map(|line| line.strip_prefix(iface));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(ran.status, 3, "{ran}");
    assert_eq!(lines[0], "red: ip link add red type vrf table 10");
    let first_blue = lines.iter().position(|line| line.starts_with("blue: ")).unwrap();
    assert!(lines[first_blue..].iter().all(|line| line.starts_with("blue: ")), "{ran}");
    assert!(of("blue: ").iter().any(|line| line.contains("uses another layout")), "{ran}");
    let red = of("red: ");
    assert!(red.iter().any(|line| line.contains("goto 1000")), "{ran}");
    assert!(!red.iter().any(|line| line.contains("table local")), "{ran}");
    installed.ifup("red").quiet();
    assert_eq!(installed.ifnetlink("check red").quiet().stdout, "");
    let refused = installed.ifup("blue");
    assert!(refused.stderr.contains("blue: vrf-rules yes: red uses another layout"), "{refused}");
    // The jump behind the rule for local, by hand: then moving that rule is the difference.
    let rule = "pref 0 from all l3mdev goto 1000 protocol 73";
    for change in ["del pref 0 l3mdev", "add pref 0 l3mdev goto 1000 protocol 73"] {
        let made = command(&format!("ip -4 rule {change}"));
        assert_eq!(made.status, 0, "{rule}: {made}");
    }
    let ran = installed.ifnetlink("check red");
    assert_eq!(ran.status, 3, "{ran}");
    assert!(ran.stdout.contains("red: ip -4 rule add pref 0 table local"), "{ran}");
}

/// An interface that ifup has yet to create is no error of its stanza.
fn yet_to_come(ifupdown: Ifupdown) {
    let _hosts = cards();
    let file = "auto red\niface red\n    vrf-table 10\n\n\
                auto pair0\niface pair0\n    create ip link add pair0 type veth\n    vrf red\n    address 192.0.2.1/24\n";
    let installed = ifupdown.install(file);
    installed.ifup("red").quiet();
    let line = "pair0: does not exist yet; `ifup pair0` creates it\n";
    let ran = installed.ifnetlink("check");
    assert_eq!((ran.status, ran.stdout.as_str(), ran.stderr.as_str()), (3, line, ""));
    let json = valid("check", &installed.ifnetlink("check --json").stdout);
    assert_eq!(json["differences"][0]["kind"], "missing", "{json}");
    assert_eq!(installed.ifnetlink("apply --dry-run").quiet().stdout, "pair0: ifup pair0\n");
    assert_eq!(installed.ifnetlink("apply").quiet().stdout, "pair0: ifup pair0\n");
    settle();
    assert_eq!(installed.ifnetlink("check").quiet().stdout, "");
    ip("link del pair0");
    let line = "pair0: does not exist; `ifup -f pair0` creates it";
    let ran = installed.ifnetlink("check");
    assert_eq!((ran.status, ran.stdout.trim_end(), ran.stderr.as_str()), (3, line, ""));
    installed.ifnetlink("apply pair0").refuses(1, &format!("ifnetlink: {line}"));
    installed.ifup("-f pair0");
    settle();
    assert_eq!(installed.ifnetlink("check").quiet().stdout, "");
    installed.ifdown("-a");
}

/// What no stanza has any more is named. If another stanza is invalid, only what is recorded is found, and a warning
/// says why.
fn leftovers(ifupdown: Ifupdown) {
    ip("link add eth0 type dummy");
    let red = |routes: &str| format!("auto red\niface red\n    vrf-table 10\n{routes}\n");
    let eth0 = |member: &str| format!("auto eth0\niface eth0\n    vrf-member {member}\n");
    let routes = "    vrf-route unreachable 10.9.0.0/16\n";
    let installed = ifupdown.install(&(red(routes) + &eth0("red")));
    installed.ifup("-a").quiet();
    installed.interfaces(&(red("") + &eth0("red")));
    let leftover = "red: ip -4 route del unreachable 10.9.0.0/16 table 10 protocol 73\n";
    let ran = installed.ifnetlink("check red");
    assert_eq!((ran.status, ran.stdout.as_str(), ran.stderr.as_str()), (3, leftover, ""));
    let json = valid("check", &installed.ifnetlink("check red --json").stdout);
    assert_eq!(json["differences"][0]["kind"], "leftover", "{json}");
    installed.interfaces(&(red("") + &eth0("a/b")));
    let ran = installed.ifnetlink("check red");
    let warning =
        "ifnetlink: warning: not all that no stanza has any more is found: invalid stanza of eth0\n";
    assert_eq!((ran.status, ran.stdout.as_str(), ran.stderr.as_str()), (3, leftover, warning));
    installed.interfaces(&(red("") + &eth0("blue")));
    let ran = installed.ifnetlink("check red");
    let warning = "ifnetlink: warning: not all that no stanza has any more is found: conflict of eth0\n";
    assert_eq!((ran.status, ran.stdout.as_str(), ran.stderr.as_str()), (3, leftover, warning));
}

/// On a terminal, the last lines say that nothing differs, and what was not compared.
fn terminal(ifupdown: Ifupdown) {
    let _hosts = cards();
    let file = example("management-vrf").replace("\niface eth0\n", "\niface eth0\n    up true\n");
    let installed = ifupdown.install(&file);
    let ptmx = installed.path("/dev/pts/ptmx");
    assert!(ptmx.exists(), "no terminals in this machine");
    let check = || {
        let words = "/mnt/ifnetlink check -E /mnt/executors -i /mnt/interfaces";
        let mut script = std::process::Command::new("chroot");
        script.arg(installed.path("/")).args(["script", "-qec", words, "/dev/null"]);
        crate::lab::run(script.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"))
    };
    let others = "not compared, since other executors read it: eth0 (up)\r\n";
    let ran = check();
    assert!(ran.status == 3 && ran.stdout.ends_with(&format!("\r\n{others}")), "{ran}");
    assert!(!ran.stdout.contains("nothing differs"), "{ran}");
    installed.ifup("-a").quiet();
    settle();
    let ran = check();
    let all = format!("nothing differs: vrf-management, eth0\r\n{others}");
    assert_eq!((ran.status, ran.stdout), (0, all));
    installed.ifdown("-a");
}

/// Routes over the peer that the interfaces file of its namespace adds belong to that file. When the stanza is gone, the
/// namespace goes with what that file made in it, but not with a link of another program.
fn nested(ifupdown: Ifupdown) {
    let file =
        "auto v0\niface v0\n    veth-peer v1\n    veth-peer-netns blue\n    netns-interfaces /mnt/nested\n";
    let inside = "auto v1\niface v1\n    address 192.0.2.1/24\n    vrf-route 203.0.113.0/24 dev v1 table 10\n\n\
                  auto d0\niface d0\n    link-type dummy\n";
    let installed = ifupdown.install(NOTHING);
    let before = State::with_run(&installed);
    installed.file("/mnt/nested", inside);
    for other in [false, true] {
        installed.interfaces(file);
        installed.ifup("-a").quiet();
        settle();
        assert_eq!(installed.ifnetlink("check").quiet().stdout, "");
        assert_eq!(installed.ifnetlink("apply").quiet().stdout, "");
        let blue = Netns::at(&installed.path("/run/netns/blue"));
        assert!(blue.ip("route show table 10").contains("203.0.113.0/24 dev v1"));
        if other {
            blue.ip("link add other type dummy");
        }
        installed.interfaces(NOTHING);
        let ran = installed.ifnetlink("apply").ok();
        assert_eq!(ran.stderr, "", "{ran}");
        if other {
            assert!(installed.path("/run/netns/blue").exists(), "{ran}");
            let dummies = blue.ip("-br link show type dummy");
            assert!(dummies.starts_with("other") && dummies.lines().count() == 1, "{ran}\n{dummies}");
        } else {
            before.assert_same(&State::with_run(&installed), &ran.to_string());
        }
    }
}

//! Every file of interfaces.d, and every stanza of a manual page, goes up, up again, down, and down again. Nothing is
//! left.

use crate::features::{Feature, needs};
use crate::ifupdown::{Executors, Ifupdown, Installed, Shell, Version, example};
use crate::lab::{Netns, command, in_lab, ip, settle};
use crate::matrix;
use crate::pages::{checkout, migrating, pages, readme};
use crate::probe::{PORT, echo, ping, tcp_reaches, unreachable};
use crate::state::State;
use libtest_mimic::Trial;
use std::fs;

pub fn tests() -> Vec<Trial> {
    let directory = checkout().join("interfaces.d");
    let mut names: Vec<String> = fs::read_dir(directory)
        .expect("interfaces.d")
        .map(|entry| entry.expect("an entry"))
        .filter(|entry| entry.path().is_file())
        .map(|entry| entry.file_name().into_string().expect("a name"))
        // These need a server: dhcp.rs.
        .filter(|name| !example(name).contains("inet dhcp"))
        .collect();
    names.sort();
    let mut tests = Vec::new();
    for version in Version::ALL {
        let ifupdown = Ifupdown { version, executors: Executors::Replaced, shell: Shell::Dash };
        for name in names.clone() {
            let mut features = vec![Feature::Vrf, Feature::Roots];
            if example(&name).contains("vlan-") || name.starts_with("three-points") {
                features.push(Feature::Vlan);
            }
            if example(&name).contains("wireguard") {
                features.push(Feature::WireGuard);
            }
            tests.push(needs(&features, format!("examples/{name}/{version:?}"), move || {
                in_lab(|| up_and_down(&example(&name), ifupdown));
            }));
        }
        tests.extend(of_pages(version));
    }
    tests.push(needs(&[Feature::Vrf, Feature::Roots], "examples/forced-and-rounds/Trixie", || {
        in_lab(|| forced_and_rounds(Ifupdown::USUAL));
    }));
    tests.push(needs(&[Feature::Vrf, Feature::Roots], "examples/forced-and-rounds/Bookworm", || {
        in_lab(|| forced_and_rounds(Ifupdown { version: Version::Bookworm, ..Ifupdown::USUAL }));
    }));
    tests.push(needs(&[Feature::Vrf, Feature::Roots], "examples/overlapping-vrfs/reach", || {
        in_lab(overlapping);
    }));
    tests.push(needs(&[Feature::Vrf, Feature::Roots], "examples/management-vrf-plain/reach", || {
        in_lab(plain);
    }));
    tests
}

/// The stanzas of the manual pages and of the README, named by page and position.
fn of_pages(version: Version) -> Vec<Trial> {
    let mut shown: Vec<(String, String)> = Vec::new();
    for page in pages() {
        let stanzas = page.stanzas().into_iter().enumerate();
        shown.extend(stanzas.map(|(place, block)| (format!("{}/{place}", page.name), block.to_owned())));
    }
    for (name, blocks) in [("README", readme()), ("MIGRATING", migrating())] {
        let blocks = blocks.into_iter().enumerate();
        shown.extend(blocks.map(|(place, block)| (format!("{name}/{place}"), block)));
    }
    shown.retain(|(_, interfaces)| !interfaces.contains("inet dhcp"));
    let test = |(name, interfaces): (String, String)| {
        // A stanza that names its executors is for systems that keep the stock ones.
        let beside = interfaces.lines().any(|line| line.trim_start().starts_with("use "));
        let executors = match () {
            () if ["interfaces-link.", "interfaces-static."].iter().any(|page| name.starts_with(page)) => {
                Executors::Native
            }
            () if beside => Executors::Present,
            () => Executors::Replaced,
        };
        let ifupdown = Ifupdown { version, executors, shell: Shell::Dash };
        let needed = [Feature::Vrf, Feature::Vlan, Feature::Roots];
        let name = format!("pages/{name}/{version:?}");
        needs(&needed, name, move || in_lab(|| up_and_down(&interfaces, ifupdown)))
    };
    shown.into_iter().map(test).collect()
}

/// Cards `eth0` to `eth3`, each down, each with an outside host that has no addresses.
pub fn cards() -> Vec<Netns> {
    Netns::all_beside(&["eth0", "eth1", "eth2", "eth3"], "eth0", false)
}

fn up_and_down(interfaces: &str, ifupdown: Ifupdown) {
    let _hosts = cards();
    let installed = ifupdown.install(interfaces);
    let before = State::with_run(&installed);
    installed.ifup("-a").quiet();
    settle();
    let up = State::with_run(&installed);
    installed.ifup("-a").quiet();
    up.assert_same(&State::with_run(&installed), "after a second ifup -a");
    assert_eq!(installed.ifnetlink("check").quiet().stdout, "");
    up.assert_same(&State::with_run(&installed), "after ifnetlink check");
    before.assert_after_ifdown(&installed);
    before.assert_after_ifdown(&installed);
}

/// Brings everything up, and then each of these interfaces by force: each time the same, also in the namespaces.
pub fn as_before_when_forced(installed: &Installed, interfaces: &[&str]) {
    installed.ifup("-a").quiet();
    let up = State::with_namespaces(installed);
    for interface in interfaces {
        installed.ifup(&format!("-f {interface}")).quiet();
        up.assert_same(&State::with_namespaces(installed), &format!("after ifup -f {interface}"));
    }
}

/// A forced ifup counts once more, so more than one ifdown is needed. The last one finds nothing.
pub fn after_ifdown_by_force(installed: &Installed, before: &State) {
    installed.ifdown_by_force();
    before.assert_same(&State::with_run(installed), "after ifdown");
}

fn forced_and_rounds(ifupdown: Ifupdown) {
    let _hosts = cards();
    let installed = ifupdown.install(&example("management-vrf"));
    let before = State::with_run(&installed);
    let up = rounds(&installed, &before, matrix::count(20, 4));
    forced(&installed, &before, &up);
}

/// Up and down as often as this: each time the same, and nothing left. Returns the state when it is up.
fn rounds(installed: &Installed, before: &State, rounds: usize) -> State {
    let mut first = None;
    for _ in 0..rounds {
        installed.ifup("-a").quiet();
        settle();
        let up = State::with_run(installed);
        first.get_or_insert_with(|| up.clone()).assert_same(&up, "after another ifup -a");
        before.assert_after_ifdown(installed);
    }
    first.expect("a round")
}

/// `ifup -f` changes nothing. The stock `static` reports an error for addresses that exist already.
fn forced(installed: &Installed, before: &State, up: &State) {
    installed.ifup("-a").quiet();
    settle();
    let forced = installed.ifup("-f -a");
    let ours: Vec<_> = forced.stderr.lines().filter(|line| line.starts_with("vrf")).collect();
    assert!(ours.is_empty(), "{ours:?}");
    settle();
    up.assert_same(&State::with_run(installed), "after ifup -f -a");
    // A forced ifup counts once more; the second ifdown runs on interfaces that no longer exist.
    installed.ifdown("-a");
    installed.ifdown("-a");
    installed.ifdown("-f -a");
    ip("link set lo up");
    before.assert_same(&State::with_run(installed), "after ifup -f and ifdown");
}

/// The router of a customer: 192.168.77.2, with a network behind it.
fn customer(router: &Netns, port: u16, behind: [&str; 2]) {
    router.ip_batch(&[
        "addr add 192.168.77.2/24 dev eth0",
        "addr add fd00:77::2/64 dev eth0 nodad",
        &format!("addr add {} dev lo", behind[0]),
        &format!("addr add {} dev lo", behind[1]),
        "route add default via 192.168.77.1",
        "route add default via fd00:77::1",
    ]);
    router.within(|| {
        for any in ["0.0.0.0", "::"] {
            echo(std::net::SocketAddr::new(any.parse().expect("an address"), port), None);
        }
    });
}

fn overlapping() {
    command("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1").ok();
    let hosts = cards();
    let (red, blue) = (&hosts[0], &hosts[1]);
    let (red_port, blue_port) = (PORT, PORT + 1);
    customer(red, red_port, ["10.10.0.5/32", "fd00:10::5/128"]);
    customer(blue, blue_port, ["10.20.0.5/32", "fd00:20::5/128"]);
    // Commands that the stanzas do not include.
    red.ip("addr add 10.30.0.5/32 dev lo");
    red.ip("addr add fd00:31::5/128 dev lo");
    let installed = Ifupdown::USUAL.install(&example("overlapping-vrfs"));
    let before = State::with_run(&installed);
    installed.ifup("-a").quiet();
    settle();
    for to in ["192.168.77.2", "fd00:77::2"] {
        for (vrf, own, other) in [("vrf-red", red_port, blue_port), ("vrf-blue", blue_port, red_port)] {
            tcp_reaches(to, own, Some(vrf)).expect("its own customer");
            let refused = tcp_reaches(to, other, Some(vrf)).expect_err("the other customer");
            assert!(refused.contains("ECONNREFUSED"), "{vrf}: {refused}");
        }
    }
    for (server, client, secret) in
        [("10.10.0.5", "10.20.0.5", "10.30.0.5"), ("fd00:10::5", "fd00:20::5", "fd00:31::5")]
    {
        blue.within(|| ping(server, Some(client))).expect("the leaked prefix");
        red.within(|| ping(client, Some(server))).expect("the way back");
        let refused = blue.within(|| ping(secret, Some(client))).expect_err("another prefix");
        assert!(refused.contains("nreachable") || refused.contains("No route"), "{refused}");
        unreachable("bound", secret, Some("vrf-blue"));
    }
    before.assert_after_ifdown(&installed);
}

/// Exactly what the comment in the file says.
fn plain() {
    let outside = crate::management_vrf::outside();
    let installed = Ifupdown::USUAL.install(&example("management-vrf-plain"));
    installed.ifup("-a").quiet();
    settle();
    crate::probe::serve_here();
    for to in crate::tables::INTERNET {
        crate::probe::reaches("unbound", to, None);
        let refused = tcp_reaches(to, PORT, crate::tables::VRF).expect_err("bound");
        // The VRF has no IPv6 source address, which the kernel looks for first.
        let expected = if to.contains(':') { "connect: EADDRNOTAVAIL" } else { "connect: ENETUNREACH" };
        assert_eq!(refused, expected, "{to}");
    }
    for (family, to) in [("-4", "10.20.30.7"), ("-6", "fd00:30::7")] {
        let route = ip(&format!("{family} route get {to} vrf vrf-management"));
        assert!(route.contains("dev eth0"), "{route}");
    }
    outside.lan.within(|| crate::probe::reaches("LAN host", "10.20.30.40", None));
}

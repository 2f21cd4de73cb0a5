//! A container on a network segment of its own: what passes, and what happens when the container is replaced.

use crate::features::{Feature, needs};
use crate::ifupdown::{Executors, Ifupdown, Installed, Shell, Version, example};
use crate::lab::{Netns, command, in_lab, ip, ip_json, settle, wait_until};
use crate::probe::{PORT, echo, ping, reaches, serve, serve_here, tcp_reaches};
use crate::state::State;
use libtest_mimic::Trial;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

const HOST: [&str; 2] = ["192.0.2.10", "2001:db8:1::10"];
const BRIDGE: [&str; 2] = ["10.10.20.1", "fd00:20::1"];
const CONTAINER: [&str; 2] = ["10.10.20.10", "fd00:20::10"];
const OUTSIDE: [&str; 2] = ["192.0.2.20", "2001:db8:1::20"];
/// The error of a socket whose connection got no answer.
const DROPPED: &str = "connect: EINPROGRESS";

pub fn tests() -> Vec<Trial> {
    let mut tests = Vec::new();
    for version in Version::ALL {
        let ifupdown = Ifupdown { version, executors: Executors::Replaced, shell: Shell::Dash };
        // Not without the stock executors: only they and our prefix executor read `bridge-ports`.
        let beside = Ifupdown { executors: Executors::Present, ..ifupdown };
        tests.push(needs(&[Feature::Roots], format!("container-segment/by-name/{beside}"), move || {
            in_lab(|| by_name(beside));
        }));
        for (name, test) in [("ours", ours as fn(Ifupdown)), ("by-name", by_name), ("by-pid", by_pid)] {
            tests.push(needs(&[Feature::Roots], format!("container-segment/{name}/{ifupdown}"), move || {
                in_lab(|| test(ifupdown));
            }));
        }
    }
    tests
}

/// A host on the network of the card, with a route to the segment.
pub fn outside() -> Netns {
    let outside = Netns::beside("eth0", "eth0");
    ip("link set eth0 down");
    for (address, network, host) in
        [(OUTSIDE[0], "10.10.20.0/24", HOST[0]), (OUTSIDE[1], "fd00:20::/64", HOST[1])]
    {
        let (length, nodad) = if address.contains(':') { (64, "nodad") } else { (24, "") };
        outside.ip(&format!("addr add {address}/{length} dev eth0 {nodad}"));
        outside.ip(&format!("route add {network} via {host}"));
    }
    serve(&outside);
    outside
}

/// A host that forwards, with this file; no interface is up yet.
fn host(ifupdown: Ifupdown, interfaces: &str) -> (Netns, Installed) {
    command("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1").ok();
    let outside = outside();
    serve_here();
    (outside, ifupdown.install(interfaces))
}

/// `ip netns` in the root of the installation.
fn ip_netns(installed: &Installed, words: &str) {
    command(&format!("chroot {} ip netns {words}", installed.path("/").display())).ok();
}

fn named(installed: &Installed) -> PathBuf {
    installed.path("/run/netns/vm1")
}

/// The part of the bridge that must not change with a new container or a new pair. The stock executor has no
/// `bridge-hw`, so its bridge has the hardware address of a port.
fn bridge(ifupdown: Ifupdown) -> String {
    let now = &ip_json("addr show dev br0")[0];
    let own = matches!(ifupdown.executors, Executors::Replaced).then_some(&now["address"]);
    let addresses = now["addr_info"].as_array().expect("addresses");
    let addresses: Vec<_> = addresses.iter().map(|address| address["local"].to_string()).collect();
    format!("{} {own:?} {}", now["ifindex"], addresses.join(" "))
}

/// Starts the service of a fresh container, and checks that it has what the stanza sets.
fn start(container: &Path) -> Netns {
    let container = Netns::at(container);
    settle();
    container.within(settle);
    assert!(container.ip("link show dev eth0").contains("00:11:22:33:44:55"));
    for (family, gateway) in ["-4", "-6"].into_iter().zip(BRIDGE) {
        let route = container.ip(&format!("{family} route show default"));
        assert!(route.contains(&format!("via {gateway} dev eth0")), "{route}");
    }
    container.within(|| {
        for (any, port) in [("0.0.0.0", 80), ("::", 80), ("0.0.0.0", 81), ("::", 81)] {
            echo(SocketAddr::new(any.parse().unwrap(), port), None);
        }
    });
    container
}

#[track_caller]
fn no_answer(who: &str, to: &str, port: u16) {
    assert_eq!(tcp_reaches(to, port, None), Err(DROPPED.to_owned()), "{who}: TCP to {to}");
    let lost = ping(to, None).expect_err(who);
    assert!(lost.contains("100% packet loss") && !lost.contains("nreachable"), "{who}: {lost}");
}

fn table(outside: &Netns, container: &Netns) {
    // Only the container listens on port 80.
    for to in HOST.into_iter().chain(CONTAINER) {
        outside
            .within(|| tcp_reaches(to, 80, None))
            .unwrap_or_else(|error| panic!("port 80 of {to}: {error}"));
    }
    for to in CONTAINER {
        tcp_reaches(to, 81, None).expect("the host itself, port 81");
        outside.within(|| no_answer("outside to container", to, 81));
    }
    for to in BRIDGE {
        container.within(|| reaches("container to host", to, None));
    }
    for to in OUTSIDE {
        container.within(|| no_answer("container to outside", to, PORT));
    }
}

/// The rules separate the networks: without them everything passes.
fn without_rules(installed: &Installed, outside: &Netns, container: &Netns) {
    let nft = |file: &str| {
        command(&format!("nft -f {}", installed.path("/etc/nftables.d").join(file).display())).quiet();
    };
    nft("container-segment-off.nft");
    for to in OUTSIDE {
        container.within(|| reaches("without the rules, to the outside", to, None));
    }
    for to in CONTAINER {
        outside.within(|| tcp_reaches(to, 81, None)).expect("without the rules, to the container");
    }
    for to in HOST {
        let refused =
            outside.within(|| tcp_reaches(to, 80, None)).expect_err("without the rules, the host's port");
        assert_eq!(refused, "connect: ECONNREFUSED");
    }
    nft("container-segment.nft");
}

/// Creates the container's link again while its stanza is up: by a forced ifup, or by ifdown and ifup.
fn again(installed: &Installed, by_force: bool) {
    if by_force {
        installed.ifup("-f veth-vm1").quiet();
    } else {
        installed.ifdown("veth-vm1").quiet();
        installed.ifup("veth-vm1").quiet();
    }
}

/// Takes everything down. A forced ifup counts once more, so that this needs a second ifdown.
fn down(installed: &Installed, before: &State) {
    installed.ifdown("-a").quiet();
    before.assert_after_ifdown(installed);
    assert_eq!(command("nft list ruleset").ok().stdout, "", "rules are left");
}

/// The namespace is created by ifup, deleted by another program, and created by ifup again.
fn ours(ifupdown: Ifupdown) {
    let (outside, installed) = host(ifupdown, &example("container-segment"));
    let before = State::with_run(&installed);
    installed.ifup("-a").quiet();
    let container = start(&named(&installed));
    table(&outside, &container);
    without_rules(&installed, &outside, &container);
    table(&outside, &container);
    drop(container);
    let segment = bridge(ifupdown);
    for by_force in [false, true] {
        // The sockets of the service keep the old namespace alive, without a name.
        ip_netns(&installed, "del vm1");
        again(&installed, by_force);
        table(&outside, &start(&named(&installed)));
        assert_eq!(bridge(ifupdown), segment, "by force: {by_force}");
    }
    down(&installed, &before);
}

/// Another program creates and deletes the namespace.
fn by_name(ifupdown: Ifupdown) {
    let (outside, installed) = host(ifupdown, &example("container-segment"));
    ip_netns(&installed, "add vm1");
    Netns::at(&named(&installed)).ip("link set lo up");
    let before = State::with_run(&installed);
    installed.ifup("-a").quiet();
    settle();
    let segment = bridge(ifupdown);
    for by_force in [false, true] {
        // The first time nothing keeps the old namespace, and the pair is deleted with it.
        ip_netns(&installed, "del vm1");
        if !by_force {
            wait_until("the pair is gone", || !ip("-br link").contains("veth-vm1"));
        }
        ip_netns(&installed, "add vm1");
        again(&installed, by_force);
        table(&outside, &start(&named(&installed)));
        assert_eq!(bridge(ifupdown), segment, "by force: {by_force}");
    }
    down(&installed, &before);
    assert!(named(&installed).exists(), "deleted a namespace of another program");
}

/// A process in a network namespace of its own, until it is dropped.
struct Container(Child);

impl Container {
    fn run() -> Self {
        let container =
            Self(Command::new("unshare").args(["-n", "sleep", "100000"]).spawn().expect("unshare"));
        let own = fs::read_link("/proc/thread-self/ns/net").unwrap();
        wait_until("it has its own", || fs::read_link(container.netns()).is_ok_and(|netns| netns != own));
        container
    }

    fn netns(&self) -> PathBuf {
        Path::new("/proc").join(self.0.id().to_string()).join("ns/net")
    }

    fn interfaces(&self) -> String {
        let named = example("container-segment");
        let by_pid = named.replace("veth-peer-netns vm1", &format!("veth-peer-netns {}", self.0.id()));
        assert_ne!(by_pid, named);
        by_pid
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The namespace belongs to a process, and the next container is another process.
fn by_pid(ifupdown: Ifupdown) {
    let mut container = Container::run();
    let (outside, installed) = host(ifupdown, &container.interfaces());
    let before = State::with_run(&installed);
    installed.ifup("-a").quiet();
    table(&outside, &start(&container.netns()));
    let segment = bridge(ifupdown);
    for by_force in [false, true] {
        // The new container runs, and the old one ends.
        container = Container::run();
        if !by_force {
            installed.ifdown("veth-vm1").quiet();
        }
        installed.interfaces(&container.interfaces());
        installed.ifup(if by_force { "-f veth-vm1" } else { "veth-vm1" }).quiet();
        table(&outside, &start(&container.netns()));
        assert_eq!(bridge(ifupdown), segment, "by force: {by_force}");
    }
    down(&installed, &before);
}

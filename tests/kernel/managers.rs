//! Other programs that manage the network of the same host: what they do to our objects, and what we do to theirs.
//! (wg-quick's rules are in flows.rs.)

use crate::features::{Feature, needs};
use crate::ifupdown::{Ifupdown, Installed, example};
use crate::lab::{Netns, bind, command, in_lab, ip, own_run, phase, run, settle, wait_until};
use crate::state::State;
use libtest_mimic::Trial;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

pub fn tests() -> Vec<Trial> {
    vec![
        needs(&[Feature::Vrf], "managers/networkd", || in_lab(networkd)),
        needs(&[Feature::Vrf, Feature::Roots], "managers/bird", || in_lab(bird)),
        needs(&[Feature::Vrf, Feature::Roots], "managers/ip-vrf-exec", || in_lab(ip_vrf_exec)),
    ]
}

/// A process that is ended when this is dropped.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = command(&format!("kill {}", self.0.id()));
        let _ = self.0.wait();
    }
}

const KEYWORDS: [&str; 3] = [
    "vrf-table 10",
    "vrf-rules yes",
    "vrf-route unreachable default metric 1000, 10.9.0.0/16 dev card table main",
];

fn red(names: [&str; 4]) {
    for name in names {
        phase("vrf", "red", name, &KEYWORDS).quiet();
        if name == "pre-up" {
            ip("link set red up");
        }
    }
}

const UP: [&str; 4] = ["create", "pre-up", "up", "post-up"];
const DOWN: [&str; 4] = ["pre-down", "down", "post-down", "destroy"];

fn ours() -> String {
    ["-4 rule", "-6 rule", "-4 route show table 10", "-6 route show table 10", "-4 route show proto 73"]
        .map(ip)
        .join("--\n")
}

/// systemd-networkd may remove rules and routes that are neither its own nor the kernel's, unless it is configured to
/// keep them. (252 does not when it starts; newer ones are known to.) The next ifup restores what it removed.
fn networkd() {
    own_run();
    let _far = Netns::beside("card", "eth0");
    let _other = Netns::beside("theirs", "eth0");
    red(UP);
    let all = ours();
    for (what, configuration) in [
        ("left alone", "[Network]\nManageForeignRoutingPolicyRules=no\nManageForeignRoutes=no\n"),
        ("by default", ""),
    ] {
        drop(run_networkd(configuration));
        if configuration.is_empty() {
            println!("{what}: {} ours", if ours() == all { "leaves" } else { "removes" });
        } else {
            assert_eq!(ours(), all, "{what}");
        }
    }
    red(UP);
    assert_eq!(ours(), all);
    for family in ["-4", "-6"] {
        // It removes the rule for local as well, so nothing reaches the host any more.
        ip(&format!("{family} rule del pref 2000"));
        ip(&format!("{family} rule del pref 32765"));
        ip(&format!("{family} route flush table 10 proto 73"));
    }
    red(UP);
    assert_eq!(ours(), all);
    red(DOWN);
}

/// Runs it until it manages `theirs`.
fn run_networkd(configuration: &str) -> Daemon {
    for (directory, file, text) in [
        ("/run/systemd/networkd.conf.d", "foreign.conf", configuration),
        ("/run/systemd/network", "theirs.network", "[Match]\nName=theirs\n[Network]\nAddress=10.7.0.1/24\n"),
    ] {
        fs::create_dir_all(directory).unwrap();
        fs::write(Path::new(directory).join(file), text).unwrap();
    }
    for directory in ["links", "leases", "lldp"] {
        fs::create_dir_all(Path::new("/run/systemd/netif").join(directory)).unwrap();
    }
    command("chown -R systemd-network /run/systemd/netif").ok();
    ip("addr flush dev theirs");
    // With a read-only /sys it does not wait for udev.
    bind(Path::new("/sys"), Path::new("/sys"));
    command("mount -o remount,bind,ro /sys").ok();
    let daemon = Command::new("/lib/systemd/systemd-networkd")
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("systemd-networkd");
    let daemon = Daemon(daemon);
    wait_until("it manages its link", || ip("addr show dev theirs").contains("10.7.0.1/24"));
    wait_until("it is done", || {
        let state = fs::read_to_string("/run/systemd/netif/state").unwrap_or_default();
        state.contains("OPER_STATE")
    });
    std::thread::sleep(std::time::Duration::from_secs(2));
    daemon
}

/// BIRD on the table of a VRF: it learns our routes, and does not change them; we do not change the routes that it
/// adds.
fn bird() {
    let _hosts = crate::examples::cards();
    let installed = Ifupdown::USUAL.install(
        "auto vrf-red\niface vrf-red\n    vrf-table 10\n    vrf-rules yes\n    \
         vrf-route unreachable default metric 1000, unreachable 10.99.0.0/16\n\n\
         auto eth0\niface eth0\n    vrf-member vrf-red\n    address 10.1.0.1/24\n    vrf-route 10.98.0.0/16 via 10.1.0.2\n",
    );
    let before = State::with_run(&installed);
    installed.ifup("-a").quiet();
    settle();
    let routes = || ip("-4 route show table 10");
    let ours = routes();
    installed.file(
        "/tmp/bird.conf",
        "router id 10.1.0.1;\nipv4 table red;\nprotocol device { scan time 1; }\n\
         protocol static { ipv4 { table red; }; route 10.55.0.0/16 via 10.1.0.3; }\n\
         protocol kernel { vrf \"vrf-red\"; kernel table 10; learn; scan time 1; \
         ipv4 { table red; import all; export where source = RTS_STATIC; }; }\n",
    );
    let daemon = run_bird(&installed);
    let shown = || in_root(&installed, "birdc -s /run/bird.ctl show route table red").stdout;
    wait_until("it has learned", || shown().contains("10.98.0.0/16"));
    wait_until("it has brought its own", || routes().contains("10.55.0.0/16"));
    assert!(shown().contains("10.99.0.0/16"), "{}", shown());
    // Our routes are unchanged, and a second and a forced run change nothing on either side.
    let both = routes();
    assert!(ours.lines().all(|line| both.contains(line)), "{ours}\n{both}");
    installed.ifup("-f vrf-red").quiet();
    assert_eq!(routes(), both);
    // BIRD drops the routes that ifdown removed, and keeps its own.
    let interfaces = fs::read_to_string(installed.path("/mnt/interfaces")).unwrap();
    installed.ifdown("-f eth0");
    wait_until("it notices", || !shown().contains("10.98.0.0/16"));
    installed.interfaces(&interfaces);
    installed.ifup("-f eth0");
    wait_until("it learns it again", || shown().contains("10.98.0.0/16"));
    wait_until("its own is back", || routes().contains("10.55.0.0/16"));
    drop(daemon);
    wait_until("its own is gone with it", || !routes().contains("10.55.0.0/16"));
    assert_eq!(routes(), ours, "BIRD took some of ours away");
    installed.ifdown("-f -a");
    installed.forget();
    let _ = fs::remove_file(installed.path("/run/bird.ctl"));
    ip("link set lo up");
    before.assert_same(&State::with_run(&installed), "after all");
}

fn in_root(installed: &Installed, words: &str) -> crate::lab::Ran {
    command(&format!("chroot {} {words}", installed.path("/").display()))
}

fn run_bird(installed: &Installed) -> Daemon {
    let mut bird = Command::new("chroot");
    bird.arg(installed.path("/")).args(["bird", "-f", "-c", "/tmp/bird.conf", "-s", "/run/bird.ctl"]);
    let bird = bird.env_clear().env("PATH", "/usr/sbin:/usr/bin").stdin(Stdio::null()).stdout(Stdio::null());
    let daemon = Daemon(bird.stderr(Stdio::null()).spawn().expect("bird"));
    wait_until("BIRD listens", || installed.path("/run/bird.ctl").exists());
    daemon
}

/// A VRF that matches its stanza is not created again: sockets that are bound to it stay bound, and no packet is lost.
fn ip_vrf_exec() {
    let outside = crate::management_vrf::outside();
    let installed = Ifupdown::USUAL.install(&example("management-vrf"));
    installed.ifup("-a").quiet();
    settle();
    let index = || ip("-o link show dev vrf-management").split(':').next().map(str::to_owned);
    let was = index();
    let ping = std::thread::spawn(|| {
        run(Command::new("ip").args([
            "vrf",
            "exec",
            "vrf-management",
            "ping",
            "-q",
            "-n",
            "-i",
            "0.01",
            "-w",
            "4",
            "10.20.30.7",
        ]))
    });
    wait_until("it is in the VRF", || command("ip vrf pids vrf-management").stdout.contains("ping"));
    let mut forced = 0;
    while !ping.is_finished() {
        installed.ifup("-f vrf-management").quiet();
        installed.ifup("-f eth0");
        forced += 1;
        assert_eq!(index(), was);
    }
    let pinged = ping.join().unwrap().ok().stdout;
    println!("{forced} forced runs: {pinged}");
    assert!(forced > 0 && pinged.contains(" 0% packet loss"), "{pinged}");
    drop(outside);
}

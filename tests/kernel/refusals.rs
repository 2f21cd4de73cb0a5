//! Errors in stanzas, and refusals of the kernel: the exact line, the exit status, and that nothing changed.

use crate::features::{Feature, needs};
use crate::ifupdown::{Ifupdown, Version, example};
use crate::lab::{Ran, SCRATCH, bind, command, in_lab, ip, own_run, phase, program, run, settle};
use crate::state::State;
use libtest_mimic::Trial;
use std::path::Path;
use std::process::Command;

pub fn tests() -> Vec<Trial> {
    let vrf = [Feature::Vrf];
    let mut tests = vec![
        needs(&[], "refusals/values", || in_lab(values)),
        needs(&vrf, "refusals/conflicts", || in_lab(conflicts)),
        needs(&[], "refusals/no-privilege", || in_lab(no_privilege)),
        needs(&vrf, "refusals/second-route", || in_lab(second_route)),
        needs(&vrf, "refusals/read-only-sysctls", || in_lab(read_only_sysctls)),
    ];
    for version in Version::ALL {
        let vrf = [Feature::Vrf, Feature::Roots];
        tests.push(needs(&vrf, format!("refusals/one-of-many/{version:?}"), move || one_of_many(version)));
        let setups = [Feature::Vrf, Feature::Vlan, Feature::WireGuard, Feature::Roots];
        tests.push(needs(&setups, format!("refusals/one-of-a-setup/{version:?}"), move || {
            one_of_a_setup(version);
        }));
    }
    tests
}

/// To be called before any other test. These tests run at once, since a module cannot be unloaded after another test
/// has checked for VRFs or bridges.
pub fn first_of_all() -> Vec<Trial> {
    let tried = |features: &'static [Feature], name: &str, test: fn()| {
        let here = features.iter().all(|feature| feature.is_here()) && Feature::Root.is_here();
        let outcome = here.then(|| std::panic::catch_unwind(|| in_lab(test)));
        needs(features, name, move || {
            if let Some(Err(panic)) = outcome {
                std::panic::resume_unwind(panic);
            }
        })
    };
    vec![
        tried(&[], "refusals/no-bridge-in-kernel", no_bridge),
        tried(&[Feature::NoVrf], "refusals/no-vrf-in-kernel", no_vrf),
    ]
}

/// A kernel without the bridge module refuses to list VLANs, as does one without VLAN filtering.
fn no_bridge() {
    own_run();
    ip("link add eth0 type veth peer name eth1");
    let shown = run(Command::new(program("ifnetlink")).args(["show", "--json"])).quiet().stdout;
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["namespaces"][0]["bridges"], serde_json::json!([]), "{shown}");
}

/// Runs a phase that must be refused with this line, and must change nothing.
#[track_caller]
fn refused(ran: impl FnOnce() -> Ran, status: i32, line: &str) {
    let before = State::now();
    ran().refuses(status, line);
    before.assert_same(&State::now(), line);
}

fn values() {
    own_run();
    let reserved = "a table of the host itself, not of a VRF";
    let no_table = "not a routing table (1-4294967295)";
    for (value, status, reason) in [
        ("0", 2, no_table),
        ("4294967296", 2, no_table),
        ("253", 2, reserved),
        ("254", 2, reserved),
        ("255", 2, reserved),
        ("abc", 1, "not a name of rt_tables"),
    ] {
        let line = format!("vrf-table: red: vrf-table {value}: {reason}");
        refused(|| phase("vrf-table", "red", "create", &[&format!("vrf-table {value}")]), status, &line);
    }
    refused(
        || phase("vrf", "red", "create", &["vrf-table 0", "vrf-rules maybe", "vrf-accept sctp"]),
        2,
        "vrf: red: vrf-table 0: not a routing table (1-4294967295)\n\
         vrf: red: vrf-rules maybe: not one of yes, jump, no\n\
         vrf: red: vrf-accept sctp: sctp: not one of tcp, udp, raw, nor none",
    );
    for (name, reason) in [
        ("vrf%d", "not an interface name: contains '%'"),
        ("sixteen-bytes-16", "not an interface name: 16 bytes, at most 15 fit"),
        ("default", "not an interface name: a reserved word"),
    ] {
        refused(
            || phase("vrf-table", name, "create", &["vrf-table 10"]),
            2,
            &format!("vrf-table: IFACE {name:?}: {reason}"),
        );
    }
}

fn conflicts() {
    own_run();
    ip("link add name red up type vrf table 10");
    ip("link add name eth0 type veth peer name eth1");
    let table = |iface, keyword| move || phase("vrf-table", iface, "create", &[keyword]);
    refused(table("blue", "vrf-table 10"), 1, "vrf-table: blue: vrf-table 10: already the table of red");
    refused(
        table("eth0", "vrf-table 12"),
        1,
        "vrf-table: eth0: vrf-table 12: eth0 exists and is a veth; ifdown it, or delete it by hand",
    );
    refused(
        table("red", "vrf-table 11"),
        1,
        "vrf-table: red: vrf-table 11: red exists and is a VRF with table 10; ifdown it, or delete it by hand",
    );
    let member = |iface, keyword| move || phase("vrf-table", iface, "pre-up", &[keyword]);
    refused(
        member("eth0", "vrf-member nix"),
        1,
        "vrf-table: eth0: vrf-member nix: there is no such interface; ifup -f nix if nix has a stanza with vrf-table",
    );
    refused(member("eth0", "vrf-member eth1"), 1, "vrf-table: eth0: vrf-member eth1: not a VRF but a veth");
    refused(
        member("lo", "vrf-member red"),
        1,
        "vrf-table: lo: ip link set lo master red: Operation not supported on transport endpoint \
         (EOPNOTSUPP): Can not enslave loopback device to a VRF",
    );
    // ifdown does not delete objects of another program either.
    let before = State::now();
    let down = phase("vrf-table", "red", "destroy", &["vrf-table 11"]);
    down.refuses(
        0,
        "vrf-table: red: warning: not changed: red is a VRF with table 10, not a VRF with table 11",
    );
    phase("vrf-table", "eth0", "post-down", &["vrf-member red"]).quiet();
    before.assert_same(&State::now(), "after going down");
}

/// As another user, and as root without capabilities.
fn no_privilege() {
    own_run();
    let copy = Path::new(SCRATCH).join("vrf-table");
    bind(&program("vrf-table"), &copy);
    for who in ["--reuid=65534 --regid=65534 --clear-groups", "--bounding-set=-all --inh-caps=-all"] {
        let before = State::now();
        let mut setpriv = Command::new("setpriv");
        setpriv.args(who.split(' ')).arg(&copy).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        let ran = run(setpriv.env("IFACE", "red").env("PHASE", "create").env("IF_VRF_TABLE", "10"));
        assert_eq!(ran.status, 1, "{ran}");
        assert!(ran.stderr.lines().count() == 1 && ran.stderr.contains("this needs root"), "{ran}");
        before.assert_same(&State::now(), who);
    }
}

/// The kernel refuses the second of two routes: the first is rolled back.
fn second_route() {
    own_run();
    ip("link add name red up type vrf table 10");
    ip("link add name eth0 up type veth peer name eth1");
    ip("link set eth1 up");
    ip("link set eth0 master red");
    ip("addr add 192.0.2.1/24 dev eth0");
    settle();
    let routes = "vrf-route 198.51.100.0/24 dev eth0, default via 203.0.113.1";
    refused(
        || phase("vrf-route", "eth0", "post-up", &["vrf-member red", routes]),
        1,
        "vrf-route: eth0: ip -4 route add default via 203.0.113.1 table 10 protocol 73: Network is unreachable \
         (ENETUNREACH): Nexthop has invalid gateway; 1 step before it undone",
    );
}

/// The last steps of `vrf-rules` and `vrf-accept` together are refused: all rules are as before.
fn read_only_sysctls() {
    own_run();
    ip("link add name red up type vrf table 10");
    command("mount --bind /proc/sys/net /proc/sys/net").ok();
    command("mount -o remount,bind,ro /proc/sys/net").ok();
    for layout in ["yes", "jump"] {
        refused(
            || {
                phase(
                    "vrf",
                    "red",
                    "pre-up",
                    &["vrf-table 10", &format!("vrf-rules {layout}"), "vrf-accept tcp"],
                )
            },
            1,
            "vrf: red: sysctl -w net.ipv4.tcp_l3mdev_accept=1: Read-only file system (EROFS): \
             /proc/sys/net/ipv4/tcp_l3mdev_accept; 7 steps before it undone",
        );
        // mount(8) stores its state there.
        assert_eq!(command("find /run -mindepth 1 -not -path /run/mount*").stdout, "", "left behind");
    }
}

/// A kernel without the module.
fn no_vrf() {
    own_run();
    let _off = crate::features::without_vrf();
    refused(
        || phase("vrf-table", "red", "create", &["vrf-table 10"]),
        1,
        "vrf-table: red: ip link add red type vrf table 10: Operation not supported on transport endpoint \
         (EOPNOTSUPP): Unknown device type; does this kernel have the module for that type?",
    );
}

/// One stanza has an error: one line, nothing half-done, and the other stanzas are not affected.
fn one_of_many(version: Version) {
    let ifupdown = Ifupdown { version, ..Ifupdown::USUAL };
    let good = "auto red\niface red\n    vrf-table 10\n    vrf-rules yes\n\n\
                auto eth0\niface eth0\n    vrf-member red\n    address 192.0.2.1/24\n";
    for (wrong, line) in [
        (
            "iface bad\n    vrf-table 254\n",
            "vrf: bad: vrf-table 254: a table of the host itself, not of a VRF",
        ),
        ("iface bad\n    vrf-table 10\n", "vrf: bad: vrf-table 10: already the table of red"),
        (
            "iface eth1\n    vrf-member nix\n",
            "vrf: eth1: vrf-member nix: there is no such interface; ifup -f nix if nix has a stanza with vrf-table",
        ),
    ] {
        in_lab(|| one_wrong(ifupdown, good, wrong, line));
    }
}

/// The same in setups with namespaces.
fn one_of_a_setup(version: Version) {
    let ifupdown = Ifupdown { version, ..Ifupdown::USUAL };
    for name in crate::matrix::some(["three-points-routed", "vpn-namespace"], 2) {
        in_lab(|| {
            one_wrong(
                ifupdown,
                &example(name),
                "iface eth1\n    netns netns/4\n    netns-address 192.168.40.1/24\n",
                "netns: eth1: netns netns/4: not a name of a network namespace: contains '/'",
            );
        });
    }
}

fn one_wrong(ifupdown: Ifupdown, good: &str, wrong: &str, line: &str) {
    let _hosts = crate::examples::cards();
    let name = wrong.split_whitespace().nth(1).unwrap();
    let installed = ifupdown.install(good);
    let before = State::with_run(&installed);
    installed.ifup("-a").quiet();
    crate::lab::settle();
    let up = State::with_namespaces(&installed);
    installed.ifdown("-a").quiet();

    installed.interfaces(&format!("{good}\nauto {name}\n{wrong}"));
    let ran = installed.ifup("-a");
    // On 0.11.4, which sets the card up all the same, it is set down again.
    let is_set_down = |line: &&str| line.contains("came up without the isolation of its stanza");
    let program = line.split(':').next().unwrap();
    let mut ours: Vec<_> =
        ran.stderr.lines().filter(|line| line.starts_with(program) && !is_set_down(line)).collect();
    // 0.11.4 goes on after an error, so that each phase reports it.
    ours.dedup();
    assert_eq!(ours, [line], "{ran}");
    crate::lab::settle();
    // 0.11.4 goes on with `link`, which brings the card up.
    ip("link set eth1 down");
    // The record that it went up without its VRF stays until then.
    installed.ifdown(&format!("--force {name}"));
    up.assert_same(&State::with_namespaces(&installed), "the good stanzas");
    installed.ifdown("-a");
    ip("link set lo up");
    before.assert_same(&State::with_run(&installed), "after ifdown -a");
}

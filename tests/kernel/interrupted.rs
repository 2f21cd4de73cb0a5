//! Killed at every step, refused at every step, started twice: the next run completes the work.

use crate::features::{Feature, needs};
use crate::ifupdown::{Ifupdown, example};
use crate::lab::{command, in_lab, ip, ip_json, own_run, phase, run, settle};
use crate::matrix;
use crate::state::State;
use crate::tampered::Stanza;
use libtest_mimic::Trial;
use std::process::Command;
use std::thread;

pub fn tests() -> Vec<Trial> {
    let mut tests = vec![
        needs(&[Feature::Vrf, Feature::Roots], "interrupted/two-at-once", || in_lab(two_at_once)),
        needs(&[Feature::Vrf], "interrupted/many-at-once", || in_lab(many_at_once)),
        needs(&[Feature::Vrf, Feature::Roots], "interrupted/ifup-killed", || in_lab(ifup_killed)),
    ];
    for layout in ["yes", "jump"] {
        tests.push(needs(
            &[Feature::Vrf, Feature::Strace],
            format!("interrupted/killed/{layout}"),
            move || {
                in_lab(|| killed(layout));
            },
        ));
        tests.push(needs(
            &[Feature::Vrf, Feature::Strace],
            format!("interrupted/refused/{layout}"),
            move || {
                in_lab(|| refused(layout));
            },
        ));
    }
    tests
}

fn has_local() -> bool {
    ["-4", "-6"].iter().all(|family| ip(&format!("{family} rule")).contains("lookup local"))
}

fn files_in_run() -> Vec<String> {
    let text = command("find /run -mindepth 1").stdout;
    text.lines().map(str::to_owned).collect()
}

/// A VRF with this layout of rules.
fn vrf(layout: &str) -> Stanza {
    const KEYWORDS: [[&str; 4]; 2] = [keywords("vrf-rules yes"), keywords("vrf-rules jump")];
    Stanza { program: "vrf", iface: "red", keywords: &KEYWORDS[usize::from(layout == "jump")] }
}

const fn keywords(rules: &'static str) -> [&'static str; 4] {
    ["vrf-table 10", rules, "vrf-accept tcp udp", "vrf-route unreachable default metric 1000"]
}

fn killed(layout: &str) {
    own_run();
    let watch = |when: &str| assert!(has_local(), "no rule for local: {when}");
    vrf(layout).killed(State::now, watch, nothing_in_run);
}

fn refused(layout: &str) {
    own_run();
    vrf(layout).refused(State::now, nothing_in_run);
}

fn nothing_in_run(when: &str) {
    assert_eq!(files_in_run(), [""; 0], "{when}");
}

/// Two `ifup` of two VRFs at once, and two `ifdown`. ifupdown-ng itself loses an entry of its state file then, so the
/// ifdown is forced.
fn two_at_once() {
    let stanzas = "iface red\n    vrf-table 10\n    vrf-rules yes\n    vrf-accept tcp\n\n\
                   iface blue\n    vrf-table 11\n    vrf-rules yes\n    vrf-accept tcp\n";
    let installed = Ifupdown::USUAL.install(stanzas);
    let before = State::with_run(&installed);
    let both = |name: &str, option: &str| {
        let commands = ["red", "blue"].map(|iface| installed.command(name, &format!("{option} {iface}")));
        let running = commands.map(|mut command| thread::spawn(move || run(&mut command)));
        running.map(|running| running.join().unwrap().quiet())
    };
    for _ in 0..matrix::count(5, 2) {
        both("ifup", "-f");
        assert_rules("yes");
        both("ifdown", "-f");
        before.assert_same(&State::with_run(&installed), "after two ifdown at once");
    }
}

/// Exactly the rules of the layout, in both families.
fn assert_rules(layout: &str) {
    let expected: &[u64] = match layout {
        "yes" => &[1000, 2000, 32765, 32766],
        _ => &[0, 0, 1000, 2000, 32766],
    };
    for family in ["-4", "-6"] {
        let rules = ip_json(&format!("{family} rule"));
        let priorities: Vec<u64> = rules.iter().filter_map(|rule| rule["priority"].as_u64()).collect();
        let priorities: Vec<u64> = priorities.into_iter().filter(|priority| *priority != 32767).collect();
        assert_eq!(priorities, expected, "{family}");
    }
}

/// Eight runs of one program on eight VRFs.
fn many_at_once() {
    own_run();
    let all = |name: &'static str| {
        let running: Vec<_> = (1..=8)
            .map(|n| {
                thread::spawn(move || {
                    let keywords = [&format!("vrf-table {n}"), "vrf-rules jump", "vrf-accept tcp"];
                    phase("vrf", &format!("red{n}"), name, &keywords).quiet();
                })
            })
            .collect();
        for running in running {
            running.join().unwrap();
        }
    };
    let before = State::now();
    for _ in 0..matrix::count(5, 2) {
        ["create", "pre-up"].into_iter().for_each(all);
        assert_rules("jump");
        ["pre-down", "destroy"].into_iter().for_each(all);
        before.assert_same(&State::now(), "after eight at once");
        assert_eq!(files_in_run(), [""; 0]);
    }
}

/// ifup is killed with all its children, each time a little later; then ifup, then ifdown.
fn ifup_killed() {
    let _hosts = crate::examples::cards();
    let installed = Ifupdown::USUAL.install(&example("management-vrf"));
    let before = State::with_run(&installed);
    installed.ifup("-a").quiet();
    settle();
    let up = State::with_run(&installed);
    before.assert_after_ifdown(&installed);
    for tenths in (1..=15).step_by(matrix::count(1, 5)) {
        // `-s KILL` kills the whole process group that timeout creates.
        let mut ifup = Command::new("timeout");
        ifup.args(["-s", "KILL", &format!("{}", f64::from(tenths) / 20.0)]);
        let inner = installed.command("ifup", "-a");
        ifup.args(inner.get_args().skip_while(|word| *word != "chroot"));
        ifup.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        run(&mut ifup);
        assert!(has_local(), "no rule for local after {tenths} x 50 ms");
        // ifup was killed before it wrote its state file, so it counts nothing as up.
        let again = installed.ifup("-a");
        settle();
        let ours: Vec<_> = again.stderr.lines().filter(|line| line.starts_with("vrf")).collect();
        // The card may already have had its addresses; then the next run no longer makes it a member.
        assert!(ours.iter().all(|line| line.contains("warning")), "{again}");
        up.assert_same(&State::with_run(&installed), &format!("killed after {tenths} x 50 ms, then up"));
        before.assert_after_ifdown(&installed);
    }
}

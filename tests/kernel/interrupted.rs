//! Killed anywhere, refused anywhere, started twice: the next run finds its way.

use crate::{
    features::{Feature, needs},
    ifupdown::{Ifupdown, example},
    lab::{Ran, command, in_lab, ip, ip_json, own_run, phase, program, run, settle},
    state::State,
};
use libtest_mimic::Trial;
use std::{process::Command, thread};

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

/// Runs a phase of `vrf` and has the kernel do something to it at its `number`th message.
fn tampered(name: &str, keywords: &[&str], fate: &str, number: usize) -> Ran {
    let mut strace = Command::new("strace");
    strace.args(["-qq", "-o", "/dev/null", "-e", "trace=sendto", "-e"]);
    strace.arg(format!("inject=sendto:{fate}:when={number}")).arg(program("vrf"));
    strace.env_clear().env("PATH", "/usr/bin:/bin").env("IFACE", "red").env("PHASE", name);
    for line in keywords {
        let (keyword, value) = line.split_once(' ').unwrap();
        strace.env(format!("IF_{}", keyword.replace('-', "_").to_uppercase()), value);
    }
    run(&mut strace)
}

fn up_phases(keywords: &[&str]) {
    for name in ["create", "pre-up", "up", "post-up"] {
        phase("vrf", "red", name, keywords).quiet();
    }
}

fn down_phases(keywords: &[&str]) {
    for name in ["pre-down", "down", "post-down", "destroy"] {
        phase("vrf", "red", name, keywords).quiet();
    }
}

fn has_local() -> bool {
    ["-4", "-6"].iter().all(|family| ip(&format!("{family} rule")).contains("lookup local"))
}

fn files_in_run() -> Vec<String> {
    let text = command("find /run -mindepth 1").stdout;
    text.lines().map(str::to_owned).collect()
}

/// At every message of every phase: then ifup again, or ifdown, and all is as if nothing had happened.
fn killed(layout: &str) {
    own_run();
    let rules = format!("vrf-rules {layout}");
    let keywords =
        ["vrf-table 10", rules.as_str(), "vrf-accept tcp udp", "vrf-route unreachable default metric 1000"];
    let before = State::now();
    up_phases(&keywords);
    let up = State::now();
    down_phases(&keywords);
    before.assert_same(&State::now(), "after one round");
    let mut kills = 0;
    for name in ["create", "pre-up", "post-up"] {
        for number in 1.. {
            let earlier = ["create", "pre-up", "up", "post-up"];
            earlier.iter().take_while(|earlier| **earlier != name).for_each(|earlier| {
                phase("vrf", "red", earlier, &keywords).quiet();
            });
            let was_killed = tampered(name, &keywords, "signal=KILL", number).status != 0;
            assert!(has_local(), "no rule for local after a kill at message {number} of {name}");
            if number % 2 == 0 {
                up_phases(&keywords);
                up.assert_same(&State::now(), &format!("{name} killed at message {number}, then up"));
            }
            down_phases(&keywords);
            before.assert_same(&State::now(), &format!("{name} killed at message {number}, then down"));
            assert_eq!(files_in_run(), [""; 0], "{name} killed at message {number}");
            if !was_killed {
                break;
            }
            kills += 1;
        }
    }
    for name in ["pre-down", "destroy"] {
        for number in 1.. {
            up_phases(&keywords);
            if name == "destroy" {
                phase("vrf", "red", "pre-down", &keywords).quiet();
            }
            let was_killed = tampered(name, &keywords, "signal=KILL", number).status != 0;
            assert!(has_local(), "no rule for local after a kill at message {number} of {name}");
            if number % 2 == 0 {
                up_phases(&keywords);
                up.assert_same(&State::now(), &format!("{name} killed at message {number}, then up"));
            }
            down_phases(&keywords);
            before.assert_same(&State::now(), &format!("{name} killed at message {number}, then down"));
            assert_eq!(files_in_run(), [""; 0], "{name} killed at message {number}");
            if !was_killed {
                break;
            }
            kills += 1;
        }
    }
    println!("{kills} kills");
    assert!(kills > 20, "only {kills} kills");
}

/// The socket refuses the `number`th message: an error that names the step, and the state that was.
fn refused(layout: &str) {
    own_run();
    let rules = format!("vrf-rules {layout}");
    let keywords =
        ["vrf-table 10", rules.as_str(), "vrf-accept tcp udp", "vrf-route unreachable default metric 1000"];
    // The kernel's rule 1000 is there from now on.
    up_phases(&keywords);
    down_phases(&keywords);
    let mut refusals = 0;
    for name in ["create", "pre-up", "post-up"] {
        for number in 1.. {
            let before = State::now();
            let ran = tampered(name, &keywords, "error=ENOBUFS", number);
            if ran.status == 0 {
                break;
            }
            refusals += 1;
            assert!(ran.status == 1 && ran.stderr.lines().count() == 1, "{ran}");
            assert!(ran.stderr.contains("ENOBUFS") && !ran.stderr.contains("not undone"), "{ran}");
            before.assert_same(&State::now(), &format!("{name} refused at message {number}: {}", ran.stderr));
        }
    }
    println!("{refusals} refusals");
    assert!(refusals > 12, "only {refusals} refusals");
    down_phases(&keywords);
}

/// Two `ifup` of two VRFs, and two `ifdown`. ifupdown-ng itself loses an entry of its state file then, so down is
/// forced.
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
    for _ in 0..5 {
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
    for _ in 0..5 {
        ["create", "pre-up"].into_iter().for_each(all);
        assert_rules("jump");
        ["pre-down", "destroy"].into_iter().for_each(all);
        before.assert_same(&State::now(), "after eight at once");
        assert_eq!(files_in_run(), [""; 0]);
    }
}

/// ifup is killed with all that it started, after ever longer; then ifup, then ifdown.
fn ifup_killed() {
    let _hosts = crate::examples::cards();
    let installed = Ifupdown::USUAL.install(&example("management-vrf"));
    let before = State::with_run(&installed);
    installed.ifup("-a").quiet();
    settle();
    let up = State::with_run(&installed);
    before.assert_after_ifdown(&installed);
    for tenths in 1..=15 {
        // `-s KILL` for all in the group that timeout makes.
        let mut ifup = Command::new("timeout");
        ifup.args(["-s", "KILL", &format!("{}", f64::from(tenths) / 20.0)]);
        let inner = installed.command("ifup", "-a");
        ifup.args(inner.get_args().skip_while(|word| *word != "chroot"));
        ifup.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        run(&mut ifup);
        assert!(has_local(), "no rule for local after {tenths} x 50 ms");
        // It had no time to write its state file, so nothing is up for it.
        let again = installed.ifup("-a");
        settle();
        let ours: Vec<_> = again.stderr.lines().filter(|line| line.starts_with("vrf")).collect();
        // The card may have had its addresses already, which the next run joins it with no more.
        assert!(ours.iter().all(|line| line.contains("warning")), "{again}");
        up.assert_same(&State::with_run(&installed), &format!("killed after {tenths} x 50 ms, then up"));
        before.assert_after_ifdown(&installed);
    }
}

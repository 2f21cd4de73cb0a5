//! Every task of docs/COOKBOOK.md: its stanzas come up, its commands print what the page shows, and nothing is left.

use crate::examples::cards;
use crate::features::{Feature, needs};
use crate::ifupdown::{Executors, Ifupdown, Installed, Shell, Version};
use crate::lab::{Netns, Ran, in_lab, ip, run, settle, wait_until};
use crate::pages::{Task, tasks};
use crate::state::State;
use libtest_mimic::Trial;
use std::process::{Child, Command};

pub fn tests() -> Vec<Trial> {
    let mut tests = Vec::new();
    for version in Version::ALL {
        let ifupdown = Ifupdown { version, executors: Executors::Replaced, shell: Shell::Dash };
        for (place, task) in tasks().into_iter().enumerate() {
            let needed = [Feature::Vrf, Feature::Vlan, Feature::Roots];
            let name = format!("cookbook/{}/{version:?}", place + 1);
            tests.push(needs(&needed, name, move || in_lab(|| cook(&task, ifupdown))));
        }
    }
    tests
}

/// The hosts that the page assumes: a gateway at eth0 with a host behind it, a switch at eth1, a customer at eth2 and at
/// eth3.
fn hosts() -> Vec<Netns> {
    let hosts = cards();
    for (host, lines) in hosts.iter().zip([
        &["addr add 10.20.30.1/24 dev eth0", "addr add 198.51.100.7/32 dev lo"][..],
        &["link add link eth0 name vlan10 up type vlan id 10", "addr add 10.10.0.2/24 dev vlan10"],
        &["addr add 192.168.1.2/24 dev eth0"],
        &["addr add 192.168.1.2/24 dev eth0"],
    ]) {
        host.ip("link set eth0 up");
        host.ip_batch(lines);
    }
    hosts
}

/// The shell of the page: the files and executors of the test in place of the usual ones.
const SHELL: &str = r#"
for name in ifup ifdown; do
    eval "$name() { command $name -E /mnt/executors -i /mnt/interfaces -S /run/ifstate \"\$@\"; }"
done
ifnetlink() {
    case $1 in
        lint) set -- "$@" /mnt/interfaces -E /mnt/executors ;;
        apply | check) set -- "$@" -E /mnt/executors -i /mnt/interfaces ;;
    esac
    /mnt/ifnetlink "$@"
}
"#;

fn cook(task: &Task, ifupdown: Ifupdown) {
    let _hosts = hosts();
    let installed = ifupdown.install("");
    let cgroups = installed.path("/sys/fs/cgroup");
    run(Command::new("mount").args(["-t", "cgroup2", "cgroup2"]).arg(cgroups)).ok();
    let before = State::with_run(&installed);
    let mut background = Vec::new();
    for block in &task.blocks {
        if block.starts_with("# ") {
            session(&installed, block, &mut background);
        } else {
            installed.interfaces(block);
        }
    }
    for mut child in background {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    installed.ifdown("-a").ok();
    ip("link set lo up");
    // What `apply` recorded of keywords that stock executors read goes with the next `apply`.
    installed.interfaces("auto lo\niface lo\n");
    installed.ifnetlink("apply").ok();
    before.assert_same(&State::with_run(&installed), "after ifdown -a");
}

fn shell(installed: &Installed, line: &str) -> Command {
    let mut command = Command::new("chroot");
    command.arg(installed.path("/")).args(["sh", "-c", &format!("{SHELL}\n{line}")]);
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C");
    command
}

/// Runs the commands of a block, and compares what they print.
fn session(installed: &Installed, block: &str, background: &mut Vec<Child>) {
    let mut lines = block.lines().peekable();
    while let Some(line) = lines.next() {
        let line = line.strip_prefix("# ").unwrap_or_else(|| panic!("not a command: {line}"));
        let mut shown = Vec::new();
        while let Some(output) = lines.next_if(|line| !line.starts_with("# ")) {
            shown.push(output);
        }
        // On a terminal, `apply --confirm` goes on until another session confirms.
        let is_trial = line.contains(" --confirm").then_some(line);
        if let Some(line) = is_trial.or_else(|| line.strip_suffix(" &")) {
            background
                .push(shell(installed, &format!("exec >/tmp/background 2>&1\n{line}")).spawn().unwrap());
            settle();
        } else if line == "ifnetlink confirm" {
            let told = || std::fs::read_to_string(installed.path("/tmp/background")).unwrap();
            wait_until("a change to confirm", || {
                let ran = run(&mut shell(installed, line));
                let ended = background.iter_mut().any(|child| child.try_wait().unwrap().is_some());
                assert!(ran.status == 0 || !ended, "{}{ran}", told());
                ran.status == 0
            });
        } else if line.starts_with("ip vrf pids") {
            wait_until("the program", || matches(&shown, &run(&mut shell(installed, line))));
        } else {
            let ran = run(&mut shell(installed, line));
            assert!(matches(&shown, &ran), "the page shows {shown:#?}\n{ran}");
            settle();
        }
    }
}

/// Whether a command printed what the page shows. If that is nothing, it must succeed.
fn matches(shown: &[&str], ran: &Ran) -> bool {
    let printed = format!("{}{}", ran.stdout, ran.stderr);
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let printed: Vec<String> =
        printed.lines().map(words).filter(|line| !line.is_empty() && line != "cache").collect();
    if shown.is_empty() {
        return ran.status == 0 && !ran.stderr.contains("error");
    }
    let mut printed = printed.iter();
    let skips = |shown: &str| shown == "…";
    let mut after_skip = false;
    for line in shown {
        if skips(line) {
            after_skip = true;
            continue;
        }
        let is_it = |printed: &&String| like(&words(line), printed);
        // A line with … at its beginning may come after others, such as the lines of ping(8).
        let found = if after_skip || line.starts_with('…') {
            printed.find(is_it)
        } else {
            printed.next().filter(is_it)
        };
        if found.is_none() {
            return false;
        }
        after_skip = false;
    }
    let rest = printed.next();
    rest.is_none() || after_skip || shown.iter().any(|line| line.starts_with('…'))
}

/// Whether a line is as shown.
fn like(shown: &str, printed: &str) -> bool {
    let parts: Vec<&str> = shown.split('…').map(str::trim).collect();
    let (first, last) = (parts[0], parts[parts.len() - 1]);
    if parts.len() == 1 {
        return shown == printed;
    }
    let mut rest = printed;
    for part in &parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    printed.starts_with(first) && printed.ends_with(last)
}

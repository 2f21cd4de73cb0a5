//! `ifnetlink apply` of stanzas that it does not carry out alone: executors of others, commands, and the scripts of
//! `/etc/network/if-*.d`.

use super::trial;
use super::whole::counted_lines as counted;
use crate::examples::cards;
use crate::ifupdown::{Executors, Ifupdown, Installed, Shell, Version};
use crate::lab::{Ran, bind, command, ip, ip_json, run, settle, wait_until};
use crate::schema::valid;
use crate::state::State;
use libtest_mimic::Trial;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

pub fn tests() -> Vec<Trial> {
    let mut tests = Vec::new();
    for version in Version::ALL {
        let ifupdown = Ifupdown { version, executors: Executors::Replaced, shell: Shell::Dash };
        tests.push(trial("apply-foreign", ifupdown, foreign));
        tests.push(trial("apply-foreign-order", ifupdown, order));
        tests.push(trial("apply-foreign-counts", ifupdown, counts));
        tests.push(trial("apply-foreign-locks", ifupdown, locks));
        tests.push(trial("apply-foreign-stock", ifupdown, stock));
        tests.push(trial("apply-scripts", ifupdown, scripts));
        tests.push(trial("apply-scripts-failing", ifupdown, failing));
        tests.push(trial("apply-scripts-again", ifupdown, again));
        tests.push(trial("apply-progress", ifupdown, progress));
        tests.push(trial("apply-file-of-others", ifupdown, file_of_others));
        tests.push(trial("apply-warnings", ifupdown, warnings));
    }
    tests
}

/// The phases, as the directories of scripts are named.
const PHASES: [&str; 8] = ["create", "pre-up", "up", "post-up", "pre-down", "down", "post-down", "destroy"];

/// The options of ifup for a command in a stanza or script.
const OPTIONS: &str = "-i /mnt/interfaces -E /mnt/executors -S /run/ifstate";

/// An empty `/etc/network`.
fn no_scripts(installed: &Installed) {
    let flags = nix::mount::MsFlags::empty();
    let place = installed.path("/etc/network");
    nix::mount::mount(Some("tmpfs"), &place, Some("tmpfs"), flags, None::<&str>).expect("tmpfs");
}

/// Adds a program to the root.
fn add_program(installed: &Installed, path: &str, text: &str) {
    installed.file(path, text);
    fs::set_permissions(installed.path(path), fs::Permissions::from_mode(0o755)).unwrap();
}

/// Adds a script of a phase.
fn add_script(installed: &Installed, phase: &str, name: &str, text: &str) {
    let directory = format!("/etc/network/if-{phase}.d");
    fs::create_dir_all(installed.path(&directory)).unwrap();
    add_program(installed, &format!("{directory}/{name}"), &format!("#!/bin/sh\n{text}\n"));
}

/// The file that commands and scripts write, and removes it.
fn log(installed: &Installed) -> String {
    let path = installed.path("/run/log");
    let text = fs::read_to_string(&path).unwrap_or_default();
    let _ = fs::remove_file(path);
    text
}

/// Commands of a stanza are run by ifup and ifdown: those of the old stanza before all changes, those of the new one
/// after them. Without `--disruptive` they are not run again.
fn foreign(ifupdown: Ifupdown) {
    let _hosts = cards();
    let file = |word: &str, address: &str| {
        format!(
            "auto red\niface red\n    vrf-table 10\n\nauto eth1\niface eth1\n    vrf-member red\n    address {address}\n    \
             up echo {word} up >>/run/log\n    down echo {word} down >>/run/log\n"
        )
    };
    let installed = ifupdown.install(&file("one", "192.0.2.1/24"));
    let log = || fs::read_to_string(installed.path("/run/log")).unwrap_or_default();
    let ran = installed.ifnetlink("apply").quiet();
    assert_eq!(
        ran.stdout,
        "red: ip link add red type vrf table 10\nred: ip link set red up\neth1: ifup eth1\n"
    );
    assert_eq!(log(), "one up\n");
    // Only what is ours changes.
    installed.interfaces(&file("one", "192.0.2.2/24"));
    installed.ifnetlink("apply").quiet();
    assert!(ip("addr show eth1").contains("192.0.2.2/24") && !ip("addr show eth1").contains("192.0.2.1/24"));
    assert_eq!(log(), "one up\n");
    installed.interfaces(&file("two", "192.0.2.3/24"));
    let line = "ifnetlink: eth1: its stanza has changes for down, up, which need ifdown and ifup; ifdown and ifup it, or add \
                --disruptive";
    let before = State::with_run(&installed);
    installed.ifnetlink("apply").refuses(1, line);
    before.assert_same(&State::with_run(&installed), "refused");
    let ran = installed.ifnetlink("apply --disruptive").ok();
    assert_eq!(ran.stdout, "eth1: ifdown eth1\neth1: ifup eth1\n");
    assert_eq!(log(), "one up\none down\ntwo up\n");
    settle();
    assert_eq!(installed.ifnetlink("check").quiet().stdout, "");
    // A command that fails is reported, and the rest stays.
    installed.interfaces(&file("two", "192.0.2.3/24").replace("up echo", "up false && echo"));
    let ran = installed.ifnetlink("apply --disruptive");
    if ifupdown.version == Version::Trixie {
        assert!(
            ran.status == 1 && ran.stderr.contains("ifnetlink: eth1: the command `ifup eth1` failed\n"),
            "{ran}"
        );
    }
    assert_eq!(ip_json("link show red").len(), 1);
}

/// At the old `down` line nothing of the new file is there yet, and at the new `up` line everything. The order of the
/// interfaces is that of their dependencies.
fn order(ifupdown: Ifupdown) {
    let _hosts = cards();
    let line =
        |word: &str| format!("echo {word} $IFACE $(cd /sys/class/net && echo red* eth1/master) >>/run/log");
    let eth = |name: &str, word: &str, more: &str| {
        let (up, down) = (line(&format!("{word}-up")), line(&format!("{word}-down")));
        format!("auto {name}\niface {name}\n{more}    up {up}\n    down {down}\n\n")
    };
    let blue = "auto blue\niface blue\n    vrf-table 20\n\n";
    let first = blue.to_owned()
        + &eth("eth3", "one", "    mtu 1400\n    vrf-member blue\n")
        + &eth("eth2", "one", "    vrf-member blue\n");
    let installed = ifupdown.install(&first);
    installed.ifnetlink("apply").quiet();
    assert_eq!(log(&installed), "one-up eth3 red* eth1/master\none-up eth2 red* eth1/master\n");
    assert_eq!(
        counted(&installed),
        ["blue=blue 3 explicit", "eth2=eth2 1 explicit", "eth3=eth3 1 explicit"].map(str::to_owned).into()
    );
    // eth2 has no stanza any more, eth3 has another one and needs eth1, and eth1 needs a new VRF.
    let second = blue.to_owned()
        + &eth("eth3", "two", "    requires eth1\n    vrf-member blue\n")
        + "auto eth1\niface eth1\n    vrf-member red\n\nauto red\niface red\n    vrf-table 10\n";
    installed.interfaces(&second);
    let planned = installed.ifnetlink("apply --dry-run --disruptive").ok().stdout;
    assert_eq!(log(&installed), "");
    let ran = installed.ifnetlink("apply --disruptive").ok();
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines[..2], ["eth3: ifdown eth3", "eth2: ifdown eth2"], "{ran}");
    assert_eq!(lines[lines.len() - 1], "eth3: ifup eth3", "{ran}");
    assert_eq!(ran.stdout, planned);
    let mut told: Vec<_> = log(&installed).lines().map(str::to_owned).collect();
    told[..2].sort();
    assert_eq!(
        told,
        ["one-down eth2 red* eth1/master", "one-down eth3 red* eth1/master", "two-up eth3 red eth1/master"]
    );
    assert_eq!(ip_json("link show eth1")[0]["master"], "red");
    assert_eq!(installed.ifnetlink("check").quiet().stdout, "");
    // A `down` line that fails: ifdown ends with an error, and then nothing else is changed.
    let failing = second.replace("down echo two-down", "down true\n    down false && echo two-down");
    installed.interfaces(&failing);
    installed.ifnetlink("apply --disruptive").ok();
    log(&installed);
    installed.interfaces(&(failing.replace("echo two-up", "echo three-up") + "    vrf-rules yes\n"));
    // ifdown itself has already run the executors of `down`.
    let others = || {
        let shown =
            ["-d link show red", "addr show eth1", "-4 rule", "-6 rule", "route show table 10"].map(ip);
        (shown, counted(&installed))
    };
    let before = others();
    let ran = installed.ifnetlink("apply --disruptive");
    assert!(ran.status == 1 && ran.stdout.is_empty(), "{ran}");
    assert!(ran.stderr.contains("ifnetlink: eth3: the command `ifdown eth3` failed\n"), "{ran}");
    assert_eq!(others(), before, "a `down` line failed");
    assert_eq!(log(&installed), "");
    installed.interfaces(&second);
    installed.ifdown("-a").ok();
}

/// `apply` counts interfaces as ifup does, also those that ifup brings up.
fn counts(ifupdown: Ifupdown) {
    let _hosts = cards();
    let file = "auto red\niface red\n    vrf-table 10\n\nauto eth1\niface eth1\n    vrf-member red\n    up true\n\n\
                auto eth2\niface eth2\n    vrf-member red\n\nauto eth3\niface eth3\n    requires eth1\n";
    let installed = ifupdown.install(file);
    installed.ifup("-a").ok();
    let of_ifup = counted(&installed);
    installed.ifdown("-a").ok();
    assert_eq!(counted(&installed), BTreeSet::new());
    let ran = installed.ifnetlink("apply").quiet();
    assert_eq!(counted(&installed), of_ifup, "{ran}");
    installed.ifnetlink("apply").quiet();
    assert_eq!(counted(&installed), of_ifup, "again");
    installed.ifdown("-a").ok();
    assert_eq!(counted(&installed), BTreeSet::new());
    // Only the one that ifup brings up, with what it needs.
    let down = || {
        installed.ifdown("eth1").ok();
        installed.ifdown("red").ok();
        assert_eq!(counted(&installed), BTreeSet::new());
    };
    installed.ifup("eth1").ok();
    let of_ifup = counted(&installed);
    down();
    installed.ifnetlink("apply eth1").quiet();
    assert_eq!(counted(&installed), of_ifup);
    down();
}

/// Commands and scripts that run `ifup`, `ifdown`, our executors and `ifnetlink` themselves. A program that waited for a
/// lock of `apply` would fail after half a minute.
fn locks(ifupdown: Ifupdown) {
    let _hosts = cards();
    let installed = ifupdown.install("auto lo\niface lo\n");
    no_scripts(&installed);
    let rules = "env -i IFACE=red PHASE=create IF_VRF_RULES=yes IF_VRF_TABLE=10 /mnt/executors/vrf-rules";
    let others = |iface: &str| {
        let own = "/mnt/ifnetlink";
        [
            format!("ifup {OPTIONS} {iface}"),
            format!("ifup {OPTIONS} -f {iface}"),
            rules.to_owned(),
            format!("{own} check {OPTIONS} red"),
            format!("{own} apply {OPTIONS} red {iface}"),
            format!("ifdown {OPTIONS} {iface}"),
        ]
    };
    let lines = |keyword: &str, iface: &str| {
        let line = |text: &String| format!("    {keyword} {text} >>/run/out 2>&1; echo $? >>/run/log\n");
        others(iface).iter().map(line).collect::<String>()
    };
    let file = |up: &str, more: &str| {
        format!(
            "auto red\niface red\n    vrf-table 10\n    vrf-rules yes\n\nauto eth1\niface eth1\n    vrf-member red\n\
             {up}{}{}\n\niface eth2\n    mtu 1400\n\n{more}",
            lines("up", "eth2"),
            lines("down", "eth2"),
        )
    };
    let eth3 = "auto eth3\niface eth3\n    vrf-member red\n";
    let said = || fs::read_to_string(installed.path("/run/out")).unwrap_or_default();
    installed.interfaces(&file("", ""));
    let ran = installed.ifnetlink("apply").ok();
    assert_eq!(log(&installed), "0\n".repeat(6), "{ran}\n{}", said());
    assert!(!counted(&installed).iter().any(|line| line.starts_with("eth2=")));
    // Those of both stanzas.
    installed.interfaces(&file("    pre-up true\n", ""));
    let ran = installed.ifnetlink("apply --disruptive").ok();
    assert_eq!(log(&installed), "0\n".repeat(12), "{ran}\n{}", said());
    // The same by scripts of interfaces that `apply` brings up itself.
    for phase in PHASES {
        let lines: Vec<_> =
            others("eth2").iter().map(|line| format!("{line} >>/run/out 2>&1; echo $? >>/run/log")).collect();
        let text = format!("[ $IFACE = eth3 ] || exit 0\nsleep 1\n{}", lines.join("\n"));
        add_script(&installed, phase, "others", &text);
    }
    for more in [eth3, ""] {
        installed.interfaces(&file("    pre-up true\n", more));
        let ran = installed.ifnetlink("apply").ok();
        assert_eq!(log(&installed), "0\n".repeat(24), "{ran}\n{}", said());
    }
    assert_eq!(installed.ifnetlink("check").quiet().stdout, "");
}

/// The stock executors `dhcp` and `wireguard`, with programs that write down how they are called.
fn stock(ifupdown: Ifupdown) {
    let _hosts = cards();
    let dhcp = |name: &str| {
        format!(
            "auto eth1\niface eth1 inet dhcp\n    dhcp-program udhcpc\n    dhcp-hostname {name}\n    vrf-member red\n    mtu 1400\n\n"
        )
    };
    let wireguard = "auto wg0\niface wg0\n    use wireguard\n    address 192.0.2.1/24\n    mtu 1380\n    vrf-member red\n\n";
    let red = "auto red\niface red\n    vrf-table 10\n\n";
    let installed = ifupdown.install("auto lo\niface lo\n");
    let local = installed.path("/usr/local/sbin");
    let flags = nix::mount::MsFlags::empty();
    nix::mount::mount(Some("tmpfs"), &local, Some("tmpfs"), flags, None::<&str>).expect("tmpfs");
    add_program(
        &installed,
        "/usr/local/sbin/wg",
        "#!/bin/sh\necho wg $* $(ip -br link show $2 | wc -l) >>/run/log\n",
    );
    let client = "#!/bin/sh\necho udhcpc $* $(ip -br link show red | wc -l) >>/run/log\n\
                  sleep 600 </dev/null >/dev/null 2>&1 &\necho $! >/var/run/udhcpc.eth1.pid\n";
    add_program(&installed, "/mnt/udhcpc", client);
    // Of which `udhcpc` is a link.
    bind(&installed.path("/mnt/udhcpc"), &installed.path("/usr/bin/busybox"));
    installed.interfaces(&(dhcp("one") + wireguard + red));
    let ran = installed.ifnetlink("apply").ok();
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines[lines.len() - 2..], ["eth1: ifup eth1", "wg0: ifup wg0"], "{ran}");
    let calls = "udhcpc -b -R -p /var/run/udhcpc.eth1.pid -i eth1 -x hostname:one 1\n\
                 wg setconf wg0 /etc/wireguard/wg0.conf 1\n";
    assert_eq!(log(&installed), calls);
    let is_up = |name: &str| {
        let link = &ip_json(&format!("link show {name}"))[0];
        link["master"] == "red" && link["flags"].as_array().unwrap().iter().any(|flag| flag == "UP")
    };
    assert!(is_up("eth1") && is_up("wg0"));
    assert_eq!(ip_json("link show wg0")[0]["mtu"], 1380);
    settle();
    assert_eq!(installed.ifnetlink("check").quiet().stdout, "");
    // An edit of what is ours leaves the client alone.
    installed.interfaces(&(dhcp("one").replace("1400", "1450") + &wireguard.replace("2.1/", "2.2/") + red));
    installed.ifnetlink("apply").ok();
    assert_eq!(log(&installed), "");
    assert_eq!(ip_json("link show eth1")[0]["mtu"], 1450);
    assert!(ip("addr show wg0").contains("192.0.2.2/24") && !ip("addr show wg0").contains("192.0.2.1/24"));
    // Another name of the host: the client is stopped and started again.
    let process = || fs::read_to_string(installed.path("/run/udhcpc.eth1.pid")).unwrap().trim().to_owned();
    let runs = |process: &str| {
        let state = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        !state.is_empty() && !state.contains(") Z ")
    };
    let first = process();
    assert!(runs(&first));
    installed.interfaces(&(dhcp("two").replace("1400", "1450") + &wireguard.replace("2.1/", "2.2/") + red));
    let line = "ifnetlink: eth1: its stanza has changes for dhcp, which need ifdown and ifup; ifdown and ifup it, or add \
                --disruptive";
    installed.ifnetlink("apply").refuses(1, line);
    assert!(runs(&first));
    let ran = installed.ifnetlink("apply --disruptive").ok();
    assert_eq!(ran.stdout, "eth1: ifdown eth1\neth1: ifup eth1\n");
    assert_eq!(log(&installed), calls.lines().next().unwrap().replace("one", "two") + "\n");
    wait_until("the client is stopped", || !runs(&first));
    assert!(runs(&process()) && is_up("eth1"));
    // Both stanzas are gone.
    let last = process();
    installed.interfaces(red);
    let ran = installed.ifnetlink("apply").ok();
    assert_eq!(
        ran.stdout.lines().take(2).collect::<BTreeSet<_>>(),
        ["eth1: ifdown eth1", "wg0: ifdown wg0"].into()
    );
    wait_until("the client is stopped", || !runs(&last));
    assert_ne!(command("ip link show wg0").status, 0);
    assert_eq!(counted(&installed), ["red=red 1 explicit".to_owned()].into());
}

/// What the scripts of `/run/log` got: for each interface the phases in their order, and the variables of each.
type Calls = BTreeMap<String, Vec<(String, BTreeMap<String, String>)>>;

/// Scripts that write down their environment.
fn record_scripts(installed: &Installed) {
    no_scripts(installed);
    for phase in PHASES {
        add_script(installed, phase, "record", "{ echo \"= $IFACE $PHASE\"; env | sort; } >>/run/log");
    }
}

/// What they wrote down. The shell adds some variables, and ifupdown-ng ends some values with a blank. It adds to
/// `requires` what executors depend on.
fn recorded(installed: &Installed) -> Calls {
    let mut calls = Calls::new();
    for call in log(installed).split("= ").skip(1) {
        let (begin, variables) = call.split_once('\n').unwrap();
        let (iface, phase) = begin.split_once(' ').unwrap();
        let variables = variables.lines().filter_map(|line| line.split_once('='));
        let others = ["PWD", "OLDPWD", "SHLVL", "_", "IF_REQUIRES"];
        let variables = variables.filter(|(name, _)| !others.contains(name));
        let variables = variables.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect();
        if iface != "lo" {
            calls.entry(iface.to_owned()).or_default().push((phase.to_owned(), variables));
        }
    }
    calls
}

/// The scripts get the environment that they get from ifup and ifdown, in the same order of phases.
fn scripts(ifupdown: Ifupdown) {
    let _hosts = cards();
    let file = "auto red\niface red\n    vrf-table 10\n\n\
                auto eth1\niface eth1\n    vrf-member red\n    address 192.0.2.1/24\n    address 2001:db8::1/64\n    \
                gateway 192.0.2.254\n    mtu 1400\n    x-word some words  here\n\n\
                auto br0\niface br0\n    bridge-ports eth2 eth3\n    bridge-stp no\n    address 198.51.100.1\n    \
                netmask 255.255.255.0\n\n\
                auto eth1.5\niface eth1.5\n    address 203.0.113.1/24\n";
    let installed = ifupdown.install(file);
    record_scripts(&installed);
    installed.ifup("-a").ok();
    settle();
    let state = State::now().without_carriers().without_time(&[]);
    let mut of_ifup = recorded(&installed);
    installed.ifdown("-a").ok();
    for (iface, calls) in recorded(&installed) {
        of_ifup.entry(iface).or_default().extend(calls);
    }
    ip("link set lo up");
    assert_eq!(of_ifup.len(), 6, "{:?}", of_ifup.keys());
    assert!(of_ifup.values().all(|calls| calls.iter().map(|(phase, _)| phase.as_str()).eq(PHASES)));
    let ran = installed.ifnetlink("apply").quiet();
    let lines: Vec<&str> = ran.stdout.lines().filter(|line| line.starts_with("red: run-parts")).collect();
    let up = PHASES[..4].iter().map(|phase| format!("red: run-parts /etc/network/if-{phase}.d"));
    assert_eq!(lines, up.collect::<Vec<_>>(), "{ran}");
    settle();
    let ours = State::now().without_carriers().without_time(&[]);
    let marks = |state: State| {
        let protocols = [",\"protocol\":\"0x49\"", ",\"protocol\":\"73\"", ",\"protocol\":\"boot\""];
        protocols.into_iter().fold(state, |state, mark| state.replace(mark, ""))
    };
    marks(state).assert_same(&marks(ours), "by ifup, by apply");
    let mut of_apply = recorded(&installed);
    assert_eq!(installed.ifnetlink("check").quiet().stdout, "");
    assert_eq!(log(&installed), "", "check runs none");
    installed.interfaces("auto lo\niface lo\n");
    installed.ifnetlink("apply").quiet();
    for (iface, calls) in recorded(&installed) {
        of_apply.entry(iface).or_default().extend(calls);
    }
    for (iface, calls) in &of_ifup {
        let found = of_apply.get(iface).unwrap_or_else(|| panic!("none for {iface}: {of_apply:#?}"));
        assert!(found.iter().map(|(phase, _)| phase.as_str()).eq(PHASES), "{iface}: {found:#?}");
        for ((phase, wanted), (_, found)) in calls.iter().zip(found) {
            assert_eq!(found, wanted, "{iface} {phase}");
        }
    }
    assert_eq!(of_apply.len(), of_ifup.len());
    // Without them.
    installed.file("/etc/network/ifupdown-ng.conf", "allow_addon_scripts = 0\n");
    installed.interfaces(file);
    let ran = installed.ifnetlink("apply").quiet();
    assert!(!ran.stdout.contains("run-parts"), "{ran}");
    installed.ifdown("-a").ok();
    assert_eq!(log(&installed), "");
}

/// Scripts that fail are reported, and everything else is as after ifup.
fn failing(ifupdown: Ifupdown) {
    let _hosts = cards();
    let file = "auto eth1\niface eth1\n    address 192.0.2.1/24\n\nauto eth2\niface eth2\n    address 198.51.100.1/24\n";
    let installed = ifupdown.install(file);
    no_scripts(&installed);
    for phase in ["pre-up", "up", "down", "post-down"] {
        add_script(&installed, phase, "fails", "echo $PHASE on stdout\n[ $IFACE != eth1 ] || exit 3");
        add_script(&installed, phase, "works", "[ $IFACE = lo ] || echo $IFACE $PHASE >>/run/log");
    }
    let told = |phases: [&str; 2]| {
        let lines = |iface: &str| phases.map(|phase| format!("{iface} {phase}\n")).concat();
        lines("eth1") + &lines("eth2")
    };
    // ifup does not care.
    installed.ifup("-a").ok();
    assert_eq!(log(&installed), told(["pre-up", "up"]));
    let of_ifup = counted(&installed);
    installed.ifdown("-a").ok();
    log(&installed);
    ip("link set lo up");
    let reports = |ran: &Ran, phases: [&str; 2], of_run_parts: &str| {
        assert_eq!(ran.status, 1, "{ran}");
        for phase in phases {
            let directory = format!("/etc/network/if-{phase}.d");
            let by_run_parts = of_run_parts.replace("DIRECTORY", &directory);
            assert!(ran.stderr.contains(&by_run_parts), "{by_run_parts}: {ran}");
            let ours = format!("ifnetlink: eth1: the command `run-parts {directory}` failed: exit status: ");
            assert_eq!(ran.stderr.matches(&ours).count(), 1, "{ran}");
            assert!(
                ran.stderr.contains(&format!("{phase} on stdout\n")) && !ran.stdout.contains("on stdout"),
                "{ran}"
            );
        }
        assert!(!ran.stderr.contains("ifnetlink: eth2"), "{ran}");
    };
    let debian = "run-parts: DIRECTORY/fails exited with return code 3";
    let ran = installed.ifnetlink("apply");
    reports(&ran, ["pre-up", "up"], debian);
    assert_eq!(log(&installed), told(["pre-up", "up"]));
    assert_eq!(counted(&installed), of_ifup);
    assert!(ip("addr show eth1").contains("192.0.2.1/24"));
    settle();
    assert_eq!(installed.ifnetlink("check").quiet().stdout, "");
    // What is up is up: they are not run again.
    assert_eq!(installed.ifnetlink("apply").quiet().stdout, "");
    installed.interfaces("auto lo\niface lo\n");
    let ran = installed.ifnetlink("apply");
    reports(&ran, ["down", "post-down"], debian);
    let down = log(&installed);
    assert_eq!(down.lines().collect::<BTreeSet<_>>(), told(["down", "post-down"]).lines().collect(), "{ran}");
    assert_eq!(counted(&installed), BTreeSet::new());
    assert!(!ip("addr show eth1").contains("192.0.2.1/24"));
    // As JSON, whatever they print.
    installed.interfaces(file);
    let ran = installed.ifnetlink("apply --json");
    let json = valid("apply", &ran.stdout);
    assert_eq!(
        (ran.status, json["applied"].as_bool(), json["errors"].as_array().unwrap().len()),
        (1, Some(false), 2)
    );
    // Those of busybox.
    let forward = || {
        installed.interfaces("auto lo\niface lo\n");
        installed.ifnetlink("apply");
        log(&installed);
        installed.interfaces(file);
        installed.ifnetlink("apply")
    };
    bind(&installed.path("/usr/bin/busybox"), &installed.path("/usr/bin/run-parts"));
    reports(&forward(), ["pre-up", "up"], "run-parts: DIRECTORY/fails: exit status 3");
    assert_eq!(log(&installed), told(["pre-up", "up"]));
    // There is none.
    bind(std::path::Path::new("/dev/null"), &installed.path("/usr/bin/run-parts"));
    let ran = forward();
    let line = "ifnetlink: eth2: the command `run-parts /etc/network/if-up.d` failed: Permission denied (EACCES): \
                /bin/run-parts";
    assert!(ran.status == 1 && ran.stderr.contains(line), "{ran}");
    assert!(ip("addr show eth2").contains("198.51.100.1/24"));
}

/// An edit in place runs no scripts. What is taken down and brought up again runs those of both.
fn again(ifupdown: Ifupdown) {
    let _hosts = cards();
    let file = |table: u32, mtu: u32| {
        format!(
            "auto red\niface red\n    vrf-table {table}\n\nauto eth1\niface eth1\n    vrf-member red\n    \
             mtu {mtu}\n    address 192.0.2.1/24\n\nauto eth2\niface eth2\n    address 198.51.100.1/24\n"
        )
    };
    let installed = ifupdown.install(&file(10, 1400));
    record_scripts(&installed);
    installed.ifup("-a").ok();
    log(&installed);
    installed.interfaces(&file(10, 1450));
    let ran = installed.ifnetlink("apply").ok();
    assert_eq!(log(&installed), "", "{ran}");
    assert_eq!(ip_json("link show eth1")[0]["mtu"], 1450);
    installed.interfaces(&file(20, 1450));
    let line = "eth1: run-parts /etc/network/if-pre-down.d\n";
    assert!(installed.ifnetlink("apply --dry-run --disruptive").ok().stdout.contains(line));
    assert_eq!(log(&installed), "");
    let ran = installed.ifnetlink("apply --disruptive").ok();
    assert!(ran.stdout.contains(line), "{ran}");
    let calls = recorded(&installed);
    assert_eq!(calls.keys().collect::<Vec<_>>(), ["eth1", "red"]);
    for (iface, calls) in &calls {
        let phases: Vec<&str> = calls.iter().map(|(phase, _)| phase.as_str()).collect();
        assert_eq!(phases, [&PHASES[4..], &PHASES[..4]].concat(), "{iface}");
    }
    // Down with what it was, up with what it is.
    let tables = calls["red"].iter().map(|(_, variables)| variables["IF_VRF_TABLE"].as_str());
    assert_eq!(tables.collect::<Vec<_>>(), ["10", "10", "10", "10", "20", "20", "20", "20"]);
    // A lost entry in the state file is corrected, and nothing comes up.
    installed.forget();
    installed.ifnetlink("apply").ok();
    assert_eq!(counted(&installed).len(), 3);
    assert_eq!(recorded(&installed), Calls::new());
    // Taken down behind our back, it comes up.
    installed.ifdown("eth2").ok();
    log(&installed);
    installed.ifnetlink("apply").ok();
    let calls = recorded(&installed);
    assert_eq!(calls.keys().collect::<Vec<_>>(), ["eth2"]);
    installed.ifdown("-a").ok();
}

/// On a terminal each interface has a line as soon as it is done. `-q` prints neither these nor the changes.
fn progress(ifupdown: Ifupdown) {
    let _hosts = cards();
    let file = "auto red\niface red\n    vrf-table 10\n\nauto eth1\niface eth1\n    vrf-member red\n    mtu 1400\n\n\
                auto eth2\niface eth2\n    address 192.0.2.1/24\n    up sleep 2\n";
    let installed = ifupdown.install(file);
    no_scripts(&installed);
    add_script(&installed, "up", "slow", "[ $IFACE != eth1 ] || sleep 1");
    let apply = |options: &str| {
        let root = installed.path("/");
        let options = format!("{options} -E /mnt/executors -i /mnt/interfaces");
        let program = format!("chroot {} /mnt/ifnetlink apply {options}", root.display());
        let ran = run(Command::new("script").args(["-qec", &program, "/dev/null"]));
        assert_eq!(ran.status, 0, "{ran}");
        ran.stdout.replace('\r', "")
    };
    let text = apply("");
    let seconds = |what: &str| {
        let begin = format!("ifnetlink: {what}, ");
        let lines: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix(&begin)).collect();
        assert_eq!(lines.len(), 1, "{what}: {text}");
        lines[0].strip_suffix(" s").unwrap().parse::<f64>().unwrap()
    };
    assert!(seconds("red: 2 changes") < 1.0, "{text}");
    assert!(seconds("eth1: 3 changes") < 1.0, "{text}");
    assert!(seconds("eth1: if-up.d") >= 1.0, "{text}");
    assert!(seconds("eth2: ifup") >= 2.0, "{text}");
    let begin = |line: &str| text.find(line).unwrap_or_else(|| panic!("{line}: {text}"));
    let order = ["ifnetlink: red: ", "ifnetlink: eth1: 3", "ifnetlink: eth1: if-up.d", "ifnetlink: eth2: "];
    assert!(order.map(begin).is_sorted(), "{text}");
    assert!(begin("\nred: ip link add red type vrf table 10\n") > begin("ifnetlink: eth2: "), "{text}");
    let json = valid("apply", &apply("--json"));
    assert_eq!(json["applied"], true);
    // Nothing to do, and nothing to say.
    assert_eq!(apply(""), "");
    // The same without a terminal: only the changes.
    installed.interfaces(&file.replace("1400", "1450"));
    assert_eq!(apply("--quiet"), "");
    assert_eq!(ip_json("link show eth1")[0]["mtu"], 1450);
    installed.interfaces(file);
    let ran = installed.ifnetlink("apply").quiet();
    assert_eq!(ran.stdout, "eth1: ip link set eth1 mtu 1400\n");
    installed.interfaces(&file.replace("1400", "1450"));
    assert_eq!(installed.ifnetlink("apply -q").quiet().stdout, "");
    installed.interfaces(&file.replace("10\n", "20\n"));
    let ran = installed.ifnetlink("apply -q");
    assert!(ran.status == 1 && ran.stderr.contains("red exists and is a VRF with table 10"), "{ran}");
    installed.ifdown("-a").ok();
}

/// What is up by another file, or by another state file, is never taken down.
fn file_of_others(ifupdown: Ifupdown) {
    let _hosts = cards();
    let first = "auto red\niface red\n    vrf-table 10\n\nauto eth1\niface eth1\n    vrf-member red\n    \
                 address 192.0.2.1/24\n\nauto eth2\niface eth2\n    address 198.51.100.1/24\n    up true\n\n\
                 auto eth3\niface eth3\n    mtu 1400\n";
    let installed = ifupdown.install("auto blue\niface blue\n    vrf-table 20\n");
    installed.file("/mnt/first", first);
    let apply = |arguments: &str| {
        let mut command = Command::new("chroot");
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.arg(installed.path("/")).args(["/mnt/ifnetlink", "apply", "-E", "/mnt/executors"]);
        run(command.args(arguments.split_whitespace()))
    };
    let seen = || {
        settle();
        (
            ip("-o addr show dev eth1"),
            ip("-o addr show dev eth2"),
            ip("-o link show red"),
            ip("-o link show eth3"),
        )
    };
    // One file by apply, the other one by ifup, and the other way round.
    for by_ifup in [false, true] {
        if by_ifup {
            installed.ifup("-i /mnt/first -a").ok();
        } else {
            apply("-i /mnt/first").quiet();
        }
        let before = seen();
        assert!(before.0.contains("192.0.2.1/24") && before.1.contains("198.51.100.1/24"), "{before:?}");
        let entries = counted(&installed);
        assert_eq!(entries.len(), 4);
        for options in ["", "-a", "--disruptive", "blue"] {
            let ran = apply(&format!("-i /mnt/interfaces {options}")).ok();
            assert!(!ran.stdout.contains("ifdown") && !ran.stdout.contains("eth"), "{ran}");
            assert_eq!(seen(), before, "{options}: {ran}");
            assert!(counted(&installed).is_superset(&entries), "{options}: {ran}");
        }
        // The other way round.
        apply("-i /mnt/first").ok();
        assert!(counted(&installed).contains("blue=blue 1 explicit"));
        assert_eq!(ip_json("link show blue").len(), 1);
        assert_eq!(seen(), before);
        installed.interfaces("auto lo\niface lo\n");
        let ran = apply("-i /mnt/interfaces").ok();
        assert!(ran.stdout.contains("blue: ip link del blue"), "{ran}");
        assert_eq!(seen(), before);
        installed.ifdown("-i /mnt/first -a").ok();
        assert_eq!(counted(&installed), BTreeSet::new());
        ip("link set lo up");
        installed.interfaces("auto blue\niface blue\n    vrf-table 20\n");
    }
    // Another state file: the same interfaces file, and of that one nothing is up.
    let path = installed.path("/mnt/state");
    apply("-i /mnt/first").quiet();
    let (before, entries) = (seen(), fs::read_to_string(installed.path("/run/ifstate")).unwrap());
    apply("-i /mnt/interfaces -S /mnt/state").ok();
    assert_eq!(fs::read_to_string(&path).unwrap(), "blue=blue 1 explicit\n");
    assert_eq!(fs::read_to_string(installed.path("/run/ifstate")).unwrap(), entries);
    assert_eq!(seen(), before);
    // ifdown of ifupdown-ng finds it there.
    installed.ifdown("-S /mnt/state blue").ok();
    assert_eq!(fs::read_to_string(&path).unwrap(), "");
    assert_ne!(command("ip link show blue").status, 0);
    assert_eq!(seen(), before);
    installed.ifdown("-i /mnt/first -a").ok();
}

/// The warnings that `check` prints about the file are printed by `apply` too, once.
fn warnings(ifupdown: Ifupdown) {
    let _hosts = cards();
    let file = "auto eth1\niface eth1\n    address 192.0.2.1/24\n    vrf-colour blue\n\n\
                auto eth1\niface eth1\n    address 198.51.100.1/24\n\n";
    // 0.11 takes no pattern.
    let has_patterns = ifupdown.version == Version::Trixie;
    let source = if has_patterns { "source /mnt/none/*\n" } else { "" };
    let installed = ifupdown.install(&format!("{file}{source}"));
    let of_check = installed.ifnetlink("check").stderr;
    assert_eq!(of_check.matches("warning: ").count(), 2 + usize::from(has_patterns), "{of_check}");
    for command in ["apply --dry-run", "apply", "apply", "apply -q"] {
        let ran = installed.ifnetlink(command).ok();
        assert_eq!(ran.stderr, of_check, "{ran}");
    }
    let json = |command: &str| {
        let ran = installed.ifnetlink(&format!("{command} --json")).ok();
        valid(command, &ran.stdout)
    };
    assert_eq!(json("apply")["findings"], json("check")["findings"]);
    assert_eq!(json("apply")["warnings"], serde_json::json!([]));
    installed.ifdown("-a").ok();
}

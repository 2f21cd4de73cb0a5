//! Stanzas whose interface does not exist: `apply` leaves out what awaits it, as `ifup` does, and `ifnetlink hotplug`
//! completes them. The results are checked with `ip` and `bridge`, and compared with the real ifup.

use super::trial;
use super::whole::{NOTHING, counted};
use crate::bridges::vlans;
use crate::ifupdown::{Executors, Ifupdown, Installed, Shell, Version};
use crate::lab::{Netns, command, ip, ip_batch, ip_json};
use crate::state::State;
use libtest_mimic::Trial;
use std::collections::BTreeSet;
use std::process::Child;
use std::thread;
use std::time::Duration;

pub fn tests() -> Vec<Trial> {
    let mut tests = Vec::new();
    for version in Version::ALL {
        let ifupdown = Ifupdown { version, executors: Executors::Replaced, shell: Shell::Dash };
        tests.push(trial("apply-awaited", ifupdown, awaited));
        tests.push(trial("confirm-awaited", ifupdown, confirmed));
    }
    tests
}

/// A card that exists.
fn eth1(addresses: &[&str]) -> String {
    let lines: Vec<String> = addresses.iter().map(|address| format!("    address {address}\n")).collect();
    format!("auto eth1\niface eth1\n{}\n", lines.concat())
}

const RED: &str = "auto red\niface red\n    vrf-table 10\n\n";

/// A VRF, a bridge, and cards that do not exist.
const CARDS: &str = "auto usb0
iface usb0
    address 198.51.100.1/24

auto red
iface red
    vrf-table 10

auto usb1
iface usb1
    vrf-member red
    address 203.0.113.1/24

auto br0
iface br0
    bridge-vlan-filtering yes
    bridge-default-pvid none

auto usb2
iface usb2
    bridge-member br0
    bridge-vlan 20

auto usb3
iface usb3
    use netns
    netns blue
    address 10.3.0.1/24

";

/// The cards that do not exist at first, and what is said of each.
const LATE: [(&str, &str); 4] = [
    ("usb0", "iface usb0: there is no such interface"),
    ("usb1", "vrf-member red: there is no interface usb1"),
    ("usb2", "bridge-member br0: usb2: there is no such interface"),
    ("usb3", "iface usb3: there is no such interface"),
];

fn make(name: &str) {
    ip(&format!("link add {name} type dummy"));
}

fn addresses(name: &str) -> Vec<String> {
    let links = ip_json(&format!("-4 addr show dev {name}"));
    let infos = links.iter().filter_map(|link| link["addr_info"].as_array()).flatten();
    infos.filter_map(|address| Some(address["local"].as_str()?.to_owned())).collect()
}

fn is_up_in(name: &str, master: &str) -> bool {
    let links = ip_json("link show up");
    let link = links.iter().find(|link| link["ifname"] == name);
    link.is_some_and(|link| link["master"] == master)
}

/// Whether a card is as its stanza says.
fn is_complete(name: &str, installed: &Installed) -> bool {
    match name {
        "usb0" => addresses(name) == ["198.51.100.1"],
        "usb1" => is_up_in(name, "red") && addresses(name) == ["203.0.113.1"],
        "usb2" => is_up_in(name, "br0") && vlans(name) == ["20"],
        _ => {
            let blue = Netns::at(&installed.path("/run/netns/blue"));
            blue.within(|| command("ip addr show dev usb3 up")).stdout.contains("10.3.0.1/24")
        }
    }
}

/// The rest of the file is applied, and the state file is that of a real ifup.
fn awaited(ifupdown: Ifupdown) {
    ip_batch(&["link add eth1 type dummy", "link set eth1 up", "link set eth1 down"]);
    let installed = ifupdown.install(NOTHING);
    installed.ifup("-a").ok();
    let before = State::with_run(&installed);
    let apply = |file: &str| {
        installed.interfaces(file);
        let ran = installed.ifnetlink("apply").ok();
        for (name, text) in LATE.iter().filter(|(name, _)| file.contains(&format!("iface {name}\n"))) {
            let line =
                format!("ifnetlink: warning: {name}: {text}; the stanza is completed when it appears\n");
            assert_eq!(ran.stderr.matches(&line).count(), 1, "{line}{ran}");
        }
        ran
    };
    let file = format!("{CARDS}{}", eth1(&["192.0.2.1/24"]));
    let ran = apply(&file);
    assert_eq!(ran.stderr.lines().count(), LATE.len(), "{ran}");
    assert_eq!(addresses("eth1"), ["192.0.2.1"]);
    let of_apply = counted(&installed);
    // It also goes without them.
    let ran = apply(NOTHING);
    before.assert_same(&State::with_run(&installed), &format!("to nothing\n{ran}"));
    assert_eq!(counted(&installed), BTreeSet::new());
    installed.interfaces(&file);
    installed.ifup("-a").ok();
    assert_eq!(of_apply, counted(&installed));
    // An edit of the card that exists.
    let file = format!("{CARDS}{}", eth1(&["192.0.2.1/24", "192.0.2.2/24"]));
    apply(&file);
    assert_eq!(addresses("eth1"), ["192.0.2.1", "192.0.2.2"]);
    assert_eq!(apply(&file).stdout, "");
    installed.ifnetlink("apply usb0").refuses(1, "ifnetlink: usb0: iface usb0: there is no such interface");
    let check = installed.ifnetlink("check");
    assert!(check.status == 3, "{check}");
    for (name, text) in LATE {
        assert!(check.stdout.contains(&format!("{name}: {text}\n")), "{check}");
        make(name);
        let ran = installed.ifnetlink(&format!("hotplug {name}"));
        assert!(ran.status == 0 && is_complete(name, &installed), "{name}\n{ran}\n{}", ip("-d addr"));
    }
    assert_eq!(installed.ifnetlink("check").quiet().stdout, "");
    // Edits while the card is away.
    ip("link del usb0");
    for octet in [8, 9] {
        installed.interfaces(&file.replace("198.51.100.1/", &format!("198.51.100.{octet}/")));
        let ran = installed.ifnetlink("apply").ok();
        assert!(ran.stderr.lines().count() == 1 && ran.stderr.contains(LATE[0].1), "{ran}");
    }
    make("usb0");
    installed.ifnetlink("hotplug usb0").quiet();
    assert_eq!(addresses("usb0"), ["198.51.100.9"]);
    assert_eq!(installed.ifnetlink("check").quiet().stdout, "");
}

/// A card appears while a change waits for its confirmation: it is completed afterwards, whatever the answer is.
fn confirmed(ifupdown: Ifupdown) {
    make("eth1");
    let installed = ifupdown.install(NOTHING);
    installed.ifup("-a").ok();
    for (answer, left) in [("confirm", "192.0.2.2"), ("confirm --no", "192.0.2.1")] {
        let before = format!("{RED}{}", eth1(&["192.0.2.1/24"]));
        installed.interfaces(&before);
        installed.ifnetlink("apply").quiet();
        let usb1 = "auto usb1\niface usb1\n    vrf-member red\n    address 203.0.113.1/24\n\n";
        installed.interfaces(&format!("{RED}{usb1}{}", eth1(&["192.0.2.2/24"])));
        let ran = installed.ifnetlink("apply --confirm=60");
        assert_eq!((ran.status, addresses("eth1")), (5, vec!["192.0.2.2".to_owned()]), "{ran}");
        make("usb1");
        let mut waiting: Child = installed.ifnetlink_command("hotplug usb1").spawn().unwrap();
        thread::sleep(Duration::from_secs(2));
        assert!(waiting.try_wait().unwrap().is_none() && !is_complete("usb1", &installed), "{answer}");
        installed.ifnetlink(answer).ok();
        assert!(waiting.wait().unwrap().success(), "{answer}");
        assert!(is_complete("usb1", &installed), "{answer}\n{}", ip("-d addr"));
        assert_eq!(addresses("eth1"), [left], "{answer}");
        installed.interfaces(NOTHING);
        installed.ifnetlink("apply").ok();
        ip("link del usb1");
    }
}

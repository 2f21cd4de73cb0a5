//! The tables of nf_tables that `bridge-allow` makes: as nft reads them, beside those of others, and in `check`, `apply`
//! and `show`.

use crate::examples::cards;
use crate::features::{Feature, needs};
use crate::ifupdown::{Executors, Ifupdown, Shell, Version, Way};
use crate::lab::{Netns, command, in_lab, ip, run, wait_until};
use crate::schema::valid;
use crate::state::State;
use libtest_mimic::Trial;
use serde_json::{Value, json};
use std::process::Command;

pub fn tests() -> Vec<Trial> {
    let mut tests = Vec::new();
    let mut add = |name: &str, test: fn(Ifupdown), ifupdown| {
        let needed = [Feature::Vlan, Feature::Roots];
        tests.push(needs(&needed, format!("bridge-allow/{name}/{ifupdown}"), move || {
            in_lab(|| test(ifupdown));
        }));
    };
    for version in Version::ALL {
        let ifupdown = Ifupdown { version, executors: Executors::Replaced, shell: Shell::Dash };
        add("tables", tables, ifupdown);
        add("flushed", flushed, ifupdown);
        add("tampered", tampered, ifupdown);
        add("listed-port", listed_port, ifupdown);
        add("confirm", confirm, ifupdown);
        add("shown", shown, ifupdown);
    }
    tests
}

const LIST: &str = "02:00:00:00:05:01 192.168.5.1 fd00:5::1";
const OTHER: &str = "02:00:00:00:05:01 192.168.5.7 fd00:5::1";

/// A file with a bridge, a port with this list, and one without a list.
fn file(list: &str) -> String {
    format!(
        "auto br0\niface br0\n    bridge-vlan-filtering no\n
auto eth0\niface eth0\n    bridge-member br0\n{list}
auto eth1\niface eth1\n    bridge-member br0\n"
    )
}

fn with(list: &str) -> String {
    file(&format!("    bridge-allow {list}\n"))
}

/// Stations, the first with the listed Ethernet address and both IPv4 addresses.
fn stations() -> Vec<Netns> {
    let hosts = cards();
    for (host, number) in hosts.iter().zip([1, 2]) {
        host.ip_batch(&[
            "link set eth0 down",
            &format!("link set eth0 address 02:00:00:00:05:0{number}"),
            "link set eth0 up",
            &format!("addr add 192.168.5.{number}/24 dev eth0"),
        ]);
    }
    hosts[0].ip("addr add 192.168.5.7/24 dev eth0");
    hosts
}

fn reaches(hosts: &[Netns], from: &str) -> bool {
    hosts[0].within(|| command(&format!("ping -q -c 1 -W 1 -I {from} 192.168.5.2")).status == 0)
}

/// The first address of the station gets through, and its second one does not.
#[track_caller]
fn assert_guarded(hosts: &[Netns]) {
    wait_until("the listed address gets through", || reaches(hosts, "192.168.5.1"));
    assert!(!reaches(hosts, "192.168.5.7"), "another address gets through");
}

fn ruleset() -> String {
    command("nft list ruleset").ok().stdout
}

/// nft reads what it lists, the second time there is nothing to do, and the tables are gone with the last port. Tables of
/// others stay.
fn tables(ifupdown: Ifupdown) {
    let hosts = stations();
    command("nft add table bridge firewall").quiet();
    run(Command::new("nft")
        .arg("add chain bridge firewall forward { type filter hook forward priority 0 ; }"));
    let theirs = ruleset();
    let installed = ifupdown.install(&with(LIST));
    let before = State::with_run(&installed);
    installed.ifup("-a").quiet();
    assert_guarded(&hosts);
    let listed = ruleset();
    let element = "\"eth0\" . 02:00:00:00:05:01 . 192.168.5.1";
    for text in ["table bridge bridge-allow", "table netdev bridge-allow", element] {
        assert!(listed.contains(text), "{listed}");
    }
    std::fs::write("/tmp/ruleset", &listed).unwrap();
    command("nft -c -f /tmp/ruleset").quiet();
    let again = installed.ifnetlink("apply -a --dry-run").ok();
    assert!(!again.stdout.contains("nft"), "{again}");
    installed.ifnetlink("check -a").quiet();
    before.assert_after_ifdown(&installed);
    assert_eq!(ruleset(), theirs);
}

/// A flush of all rules is found by `check`, and ended by `apply` and by `ifup -f`.
fn flushed(ifupdown: Ifupdown) {
    let hosts = stations();
    let installed = ifupdown.install(&with(LIST));
    let before = State::with_run(&installed);
    installed.ifup("-a").quiet();
    for way in ["ifup", "apply"] {
        assert_guarded(&hosts);
        command("nft flush ruleset").quiet();
        wait_until("without rules", || reaches(&hosts, "192.168.5.7"));
        let check = installed.ifnetlink("check -a");
        assert!(
            check.status == 3 && check.stdout.contains("nft 'add element bridge bridge-allow"),
            "{check}"
        );
        match way {
            "ifup" => drop(installed.ifup("-f eth0").quiet()),
            _ => drop(installed.ifnetlink("apply eth0").quiet()),
        }
        assert_guarded(&hosts);
        installed.ifnetlink("check -a").quiet();
    }
    before.assert_after_ifdown(&installed);
}

/// So is every other change of the tables, also one that nft makes when it reads them from a file, and the deletion of a
/// single one.
fn tampered(ifupdown: Ifupdown) {
    let hosts = stations();
    let installed = ifupdown.install(&with(LIST));
    let before = State::with_run(&installed);
    installed.ifup("-a").quiet();
    let listed = ruleset();
    let elements = |set: &str| format!("{set} {{ \"eth0\" . 02:00:00:00:05:01 . 192.168.5.7 }}");
    let foreign = format!("add element bridge bridge-allow {}", elements("addresses4"));
    for change in [
        "flush chain bridge bridge-allow received",
        "insert rule bridge bridge-allow received accept",
        "add rule netdev bridge-allow link-local accept",
        "delete table netdev bridge-allow",
        "delete chain netdev bridge-allow port-eth0",
        "delete element bridge bridge-allow ports { \"eth0\" }",
        "delete element bridge bridge-allow packet-macs { \"eth0\" . 0x20000000501 }",
        "delete table bridge bridge-allow; add table bridge bridge-allow",
        &foreign,
    ] {
        run(Command::new("nft").arg(change)).quiet();
        assert_ne!(ruleset(), listed, "{change}");
        assert_eq!(installed.ifnetlink("check -a").status, 3, "{change}");
        installed.ifnetlink("apply -a").quiet();
        installed.ifnetlink("check -a").quiet();
        assert_eq!(without_counters(&ruleset()), without_counters(&listed), "{change}");
        assert_guarded(&hosts);
    }
    before.assert_after_ifdown(&installed);
}

fn without_counters(ruleset: &str) -> Vec<String> {
    let line = |line: &str| line.split(" counter packets").next().unwrap_or_default().to_owned();
    ruleset.lines().map(line).collect()
}

/// A port that only the stanza of its bridge names: the list is in force while it is a port.
fn listed_port(ifupdown: Ifupdown) {
    let hosts = stations();
    let text = |list: &str| {
        format!(
            "auto br0\niface br0\n    bridge-ports eth0 eth1\n    bridge-maxwait 0\n
auto eth0\niface eth0\n    use bridge\n{list}
auto eth1\niface eth1\n    use link\n"
        )
    };
    let list = format!("    bridge-allow {LIST}\n");
    let installed = ifupdown.install(&text(&list));
    let before = State::with_run(&installed);
    installed.ifup("-a").quiet();
    assert_guarded(&hosts);
    // Without the line, each way removes the list and leaves the port.
    for way in ["ifup", "apply"] {
        installed.interfaces(&text(""));
        match way {
            "ifup" => drop(installed.ifup("-f eth0").quiet()),
            _ => drop(installed.ifnetlink("apply -a").quiet()),
        }
        assert_eq!(ruleset(), "");
        wait_until("another address", || reaches(&hosts, "192.168.5.7"));
        installed.interfaces(&text(&list));
        installed.ifnetlink("apply -a").quiet();
        assert_guarded(&hosts);
    }
    before.assert_after(Way::Apply, &installed);
    assert_eq!(ruleset(), "");
}

/// A list that is changed, added or removed with `--confirm` comes back.
fn confirm(ifupdown: Ifupdown) {
    let hosts = stations();
    let installed = ifupdown.install(&with(LIST));
    let before = State::now();
    installed.ifup("-a").quiet();
    for other in [with(OTHER), file(""), "auto br0\niface br0\n    bridge-vlan-filtering no\n".to_owned()] {
        let was = without_counters(&ruleset());
        installed.interfaces(&other);
        let ran = installed.ifnetlink("apply -a --disruptive --confirm=600");
        assert_eq!(ran.status, 5, "{ran}");
        assert_ne!(without_counters(&ruleset()), was);
        installed.ifnetlink("confirm --no").quiet();
        assert_eq!(without_counters(&ruleset()), was);
        assert_guarded(&hosts);
    }
    installed.interfaces(&file(""));
    installed.ifnetlink("apply -a").quiet();
    assert_eq!(ruleset(), "");
    installed.interfaces(&with(LIST));
    installed.ifnetlink("apply -a --confirm=600");
    assert_guarded(&hosts);
    installed.ifnetlink("confirm --no").quiet();
    assert_eq!(ruleset(), "");
    installed.ifdown("-a").quiet();
    ip("link set lo up");
    before.assert_same(&State::now(), "after ifdown -a");
}

/// `show` has the stations, and counts the frames that were dropped, also of a bridge in a namespace.
fn shown(ifupdown: Ifupdown) {
    let hosts = stations();
    let installed = ifupdown.install(&with(LIST));
    let before = State::with_run(&installed);
    installed.ifup("-a").quiet();
    assert_guarded(&hosts);
    let shown = valid("show", &installed.ifnetlink("show --json eth0").ok().stdout);
    let port = &shown["namespaces"][0]["links"]
        .as_array()
        .unwrap()
        .iter()
        .find(|link| link["name"] == "eth0")
        .unwrap()["allowed"];
    assert!(port["dropped"]["received"].as_u64().unwrap() > 0, "{port}");
    assert_eq!(port["dropped"]["sent"], 0);
    let station = |address: Value| json!({ "mac": "02:00:00:00:05:01", "vlan": null, "address": address });
    let all =
        [Value::Null, "192.168.5.1".into(), "fd00:5::1".into(), "fe80::ff:fe00:501".into()].map(station);
    assert_eq!(port["stations"], json!(all));
    // Frames to another station: the bridge floods them.
    hosts[1].ip("neigh add 192.168.5.99 lladdr 02:00:00:00:05:99 dev eth0 nud permanent");
    hosts[1].within(|| command("ping -q -c 3 -i 0.2 -W 1 192.168.5.99"));
    let text = installed.ifnetlink("show eth0").ok().stdout;
    // The lines have the width of a terminal.
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let about = text.split("bridge-allow dropped ").nth(1).unwrap_or_else(|| panic!("{text}"));
    let numbers: Vec<u64> = about.split([' ', ',']).filter_map(|word| word.parse().ok()).take(2).collect();
    assert!(matches!(numbers[..], [received, sent] if received > 0 && sent >= 3), "{text}");
    before.assert_after_ifdown(&installed);
}

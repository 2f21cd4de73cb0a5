//! Bridges and their ports: what is refused, what is left alone, what is restored, and what is sent.

use crate::examples::cards;
use crate::features::{Feature, needs};
use crate::lab::{Netns, command, in_lab, ip, own_run, phase, phase_command, run};
use crate::probe::lost_while;
use crate::state::State;
use libtest_mimic::Trial;
use std::process::Command;

pub fn tests() -> Vec<Trial> {
    let vlan = [Feature::Vlan];
    vec![
        needs(&vlan, "bridges/refusals", || in_lab(crate::bridges_refused::refusals)),
        needs(&vlan, "bridges/refused-stations", || in_lab(crate::bridges_refused::stations)),
        needs(&vlan, "bridges/mistaken-names", || in_lab(crate::bridges_refused::mistaken_names)),
        needs(&vlan, "bridges/born", || in_lab(born)),
        needs(&vlan, "bridges/exactly", || in_lab(exactly)),
        needs(&[Feature::Vlan, Feature::Strace], "bridges/all-vlans-in-one-message", || in_lab(one_message)),
        needs(&vlan, "bridges/live-settings", || in_lab(live_settings)),
        needs(&vlan, "bridges/foreign-state", || in_lab(foreign_state)),
        needs(&vlan, "bridges/self-vlans", || in_lab(self_vlans)),
        needs(&vlan, "bridges/port-settings", || in_lab(port_settings)),
        needs(&vlan, "bridges/whole-or-not-at-all", || in_lab(crate::bridges_refused::whole_or_not_at_all)),
    ]
}

/// `bridge -j vlan` for a link: VLAN, and its flags.
pub fn vlans(link: &str) -> Vec<String> {
    let text = command("bridge -j vlan show").ok().stdout;
    let all: serde_json::Value = serde_json::from_str(&text).unwrap();
    let of_link = all.as_array().unwrap().iter().find(|entry| entry["ifname"] == link);
    let Some(of_link) = of_link else { return Vec::new() };
    let spell = |vlan: &serde_json::Value| {
        let end = vlan["vlanEnd"].as_u64().map(|end| format!("-{end}")).unwrap_or_default();
        let flags: Vec<&str> =
            vlan["flags"].as_array().into_iter().flatten().map(|flag| flag.as_str().unwrap()).collect();
        format!("{}{end} {}", vlan["vlan"], flags.join(" ")).trim().to_owned()
    };
    of_link["vlans"].as_array().unwrap().iter().map(spell).collect()
}

pub fn lab() {
    own_run();
    for n in 1..=3 {
        ip(&format!("link add name p{n} type veth peer name e{n}"));
        once_up(&format!("p{n}"));
    }
}

/// Up and down again, so that the state which a link keeps after its first time up exists before the test compares.
pub fn once_up(link: &str) {
    ip(&format!("link set {link} up"));
    ip(&format!("link set {link} down"));
}

pub fn aware(name: &str) {
    phase("bridge", name, "create", &["bridge-vlan-filtering yes", "bridge-default-pvid none"]).quiet();
}

pub fn everything() -> (State, String, String) {
    let fdb = command("bridge fdb show").ok().stdout + &command("nft list ruleset").ok().stdout;
    (State::now(), command("bridge -d vlan show").ok().stdout, fdb)
}

fn born() {
    lab();
    phase(
        "bridge",
        "br0",
        "create",
        &["bridge-vlan-filtering yes", "bridge-default-pvid none", "bridge-vlan-protocol 802.1ad"],
    )
    .quiet();
    let shown = ip("-d link show br0");
    for words in ["vlan_filtering 1", "vlan_default_pvid 0", "vlan_protocol 802.1ad"] {
        assert!(shown.contains(words), "{shown}");
    }
    assert!(vlans("br0").is_empty());
    phase("bridge", "br1", "create", &["bridge-vlan-filtering yes", "bridge-default-pvid 100"]).quiet();
    ip("link set p1 master br1");
    assert_eq!(vlans("p1"), ["100 PVID Egress Untagged"]);
}

/// A port ends with the VLANs of its stanza, whatever it had before.
fn exactly() {
    lab();
    aware("br0");
    let set = |vlans: &str| {
        let vlans = format!("bridge-vlan {vlans}");
        phase("bridge-vlan", "p1", "pre-up", &["bridge-member br0", &vlans]).quiet();
    };
    let pairs: [(&str, &[&str]); 8] = [
        ("10 pvid untagged", &["10 PVID Egress Untagged"]),
        // The old PVID is no longer among the port's VLANs.
        ("20 pvid untagged", &["20 PVID Egress Untagged"]),
        ("20 untagged, 21 pvid", &["20 Egress Untagged", "21 PVID"]),
        ("20, 21", &["20", "21"]),
        ("1 pvid, 10 untagged, 20 untagged", &["1 PVID", "10 Egress Untagged", "20 Egress Untagged"]),
        ("100-200, 300", &[]),
        ("150-160 untagged", &[]),
        ("none", &[]),
    ];
    for (declared, shown) in pairs {
        set(declared);
        if !shown.is_empty() {
            assert_eq!(vlans("p1"), shown, "{declared}");
        }
    }
    assert!(vlans("p1").is_empty());
    set("100-200, 300");
    assert_eq!(vlans("p1").len(), 102);
    set("150-160 untagged");
    assert_eq!(vlans("p1").len(), 11);
    assert!(vlans("p1").iter().all(|vlan| vlan.ends_with("Egress Untagged")));
    // Every second VLAN: as many entries as a line of ifupdown-ng can have.
    let all: Vec<String> = (2..=1400).step_by(2).map(|vid| vid.to_string()).collect();
    set(&all.join(", "));
    assert_eq!(vlans("p1"), all);
    set(&all.join(","));
    set("1-4094");
    assert_eq!(vlans("p1").len(), 4094);
    // Set by another program meanwhile.
    command("bridge vlan add dev p1 vid 7 pvid untagged").ok();
    command("bridge vlan del dev p1 vid 8-99").ok();
    set("1-4094");
    assert_eq!(vlans("p1").len(), 4094);
    assert!(vlans("p1").iter().all(|vlan| !vlan.contains(' ')));
}

/// What a command sent over netlink, as strace reads it.
fn sent(command: &Command, message: &str) -> usize {
    let traced = run(Command::new("strace")
        .args(["-f", "-qq", "-e", "trace=sendto,sendmsg", "-s", "4096"])
        .arg(command.get_program())
        .env_clear()
        .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?)))));
    traced.clone().ok();
    traced.stderr.lines().filter(|line| line.contains(message)).count()
}

fn one_message() {
    lab();
    aware("br0");
    let set = |vlans: &str| phase_command("bridge-vlan", "p1", "pre-up", &["bridge-member br0", vlans]);
    // The first RTM_SETLINK makes it a port.
    assert_eq!(sent(&set("bridge-vlan 1-4094"), "RTM_SETLINK"), 2);
    assert_eq!(vlans("p1").len(), 4094);
    assert_eq!(sent(&set("bridge-vlan 1-4094"), "RTM_SETLINK"), 0);
    assert_eq!(sent(&set("bridge-vlan 10, 20 pvid untagged, 30-40"), "RTM_DELLINK"), 1);
    assert_eq!(vlans("p1").len(), 13);
}

fn live_settings() {
    lab();
    phase("bridge", "br0", "create", &["bridge-ports none"]).quiet();
    let keywords = [
        "bridge-ports none",
        "bridge-vlan-filtering yes",
        "bridge-default-pvid 7",
        "bridge-vlan-protocol 802.1ad",
        "bridge-stp yes",
        "bridge-fd 4",
        "bridge-hello 1",
        "bridge-maxage 7.5",
        "bridge-ageing 100",
        "bridge-bridgeprio 7",
        "bridge-hw 02:00:00:00:00:aa",
    ];
    phase("bridge", "br0", "pre-up", &keywords).quiet();
    let shown = ip("-d link show br0");
    for words in [
        "vlan_filtering 1",
        "vlan_default_pvid 7",
        "vlan_protocol 802.1ad",
        "stp_state 1",
        "forward_delay 400",
        "hello_time 100",
        "max_age 750",
        "ageing_time 10000",
        "priority 7",
        "02:00:00:00:00:aa",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let ran = run(phase_command("bridge", "br0", "pre-up", &keywords).env("VERBOSE", "1"));
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "the second time nothing is done");

    // Two stations exchange packets over the bridge while it is changed and changed back repeatedly.
    let (here, hosts) = (Netns::current(), cards());
    let traffic = ["bridge-ports eth0 eth1", "bridge-ageing 200", "bridge-vlan-filtering yes"];
    phase("bridge", "br1", "create", &traffic).quiet();
    phase("bridge", "br1", "pre-up", &traffic).quiet();
    ip("link set br1 up");
    hosts[0].ip("addr add 10.0.0.1/24 dev eth0");
    hosts[1].ip("addr add 10.0.0.2/24 dev eth0");
    let (sent, lost) = hosts[0].within(|| {
        lost_while("10.0.0.2", || {
            let settings = [
                ["bridge-ageing 10", "bridge-bridgeprio 5"],
                ["bridge-vlan-filtering no", "bridge-hello 3"],
                ["bridge-vlan-filtering yes", "bridge-maxage 10"],
                ["bridge-hw 02:00:00:00:00:bb", "bridge-fd 9"],
            ];
            for changed in settings.iter().cycle().take(20) {
                let keywords = ["bridge-ports eth0 eth1", changed[0], changed[1]];
                here.within(|| phase("bridge", "br1", "pre-up", &keywords).quiet());
            }
        })
    });
    assert!(lost <= 2, "{lost} of {sent} lost");
}

fn foreign_state() {
    lab();
    aware("br0");
    ip("link set p3 master br0");
    command("bridge vlan add dev p3 vid 30-32").ok();
    command("bridge fdb add 02:00:00:00:00:33 dev p3 master static vlan 31").ok();
    let mine = ["bridge-member br0", "bridge-vlan 10", "bridge-fdb 02:00:00:00:00:10 vlan 10"];
    phase("bridge", "p1", "pre-up", &mine).quiet();
    command("bridge fdb add 02:00:00:00:00:11 dev p1 master static vlan 10").ok();
    let whole = ["bridge-vlan-filtering yes", "bridge-default-pvid none", "bridge-vlan 10"];
    phase("bridge", "br0", "pre-up", &whole).quiet();
    phase("bridge", "p1", "pre-up", &mine).quiet();
    let fdb = command("bridge fdb show br br0").ok().stdout;
    for entry in [
        "02:00:00:00:00:33 dev p3 vlan 31 master br0 static",
        "02:00:00:00:00:10 dev p1 vlan 10 master br0 static",
        "02:00:00:00:00:11 dev p1 vlan 10 master br0 static",
    ] {
        assert!(fdb.contains(entry), "{fdb}");
    }
    assert_eq!(vlans("p3"), ["30", "31", "32"]);
    phase("bridge", "p1", "post-down", &mine).quiet();
    assert!(ip("link show p3").contains("master br0"));
    assert_eq!(vlans("p3"), ["30", "31", "32"]);
    // Now a port of another bridge, so we do not release it.
    ip("link set p1 nomaster");
    ip("link add name other type bridge");
    ip("link set p1 master other");
    phase("bridge", "p1", "post-down", &mine).quiet();
    assert!(ip("link show p1").contains("master other"));
}

/// The bridge itself as a station, also if another program created the bridge.
fn self_vlans() {
    lab();
    aware("br0");
    let whole =
        ["bridge-vlan-filtering yes", "bridge-default-pvid none", "bridge-vlan 5 pvid untagged, 10-12"];
    phase("bridge", "br0", "pre-up", &whole).quiet();
    assert_eq!(vlans("br0"), ["5 PVID Egress Untagged", "10", "11", "12"]);
    ip("link add name theirs type bridge vlan_filtering 1");
    phase("bridge-vlan", "theirs", "pre-up", &["bridge-vlan 20"]).quiet();
    assert_eq!(vlans("theirs"), ["20"]);
    for name in ["pre-down", "down", "post-down", "destroy"] {
        phase("bridge-vlan", "theirs", name, &["bridge-vlan 20"]).quiet();
    }
    assert_eq!(vlans("theirs"), ["1 PVID Egress Untagged"]);
}

fn port_settings() {
    lab();
    aware("br0");
    let keywords = [
        "bridge-member br0",
        "bridge-isolated yes",
        "bridge-learning no",
        "bridge-locked yes",
        "bridge-vlan 10 pvid untagged",
        "bridge-fdb 02:00:00:00:00:01 vlan 10",
    ];
    phase("bridge", "p1", "pre-up", &keywords).quiet();
    let shown = command("bridge -d link show dev p1").ok().stdout;
    for words in ["isolated on", "learning off", "locked on"] {
        assert!(shown.contains(words), "{shown}");
    }
    let ran = run(phase_command("bridge", "p1", "pre-up", &keywords).env("VERBOSE", "1"));
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "the second time nothing is done");
    phase("bridge", "p1", "pre-up", &["bridge-member br0", "bridge-isolated no", "bridge-learning yes"])
        .quiet();
    let shown = command("bridge -d link show dev p1").ok().stdout;
    assert!(shown.contains("isolated off") && shown.contains("learning on"), "{shown}");
    // Without a keyword for it: unchanged.
    assert!(shown.contains("locked on"), "{shown}");
}

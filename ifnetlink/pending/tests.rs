//! Random edits of random files on the model of the kernel: after each, nothing is pending, and the state is that of a
//! new system with the edited file.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "that is how a test fails")]

#[allow(dead_code, reason = "the tests on a real kernel use the rest")]
#[path = "../../tests/kernel/ifnetlink/files.rs"]
mod files;

use super::{Mode, pending};
use crate::deletions::in_sequence;
use crate::random::Random;
use crate::targets::Targets;
use crate::targets::tests::Installation;
use crate::transaction::deletes_more;
use files::File;
use ifupdown_ng_netlink::kernel::apply;
use ifupdown_ng_netlink::model::Simulated;
use ifupdown_ng_netlink::state::{
    Applied, Details, Link, LinkAddress, LinkKind, Place, Route, Section, Snapshot, Sysctl,
};
use ifupdown_ng_netlink::values::IfName;
use std::collections::{BTreeMap, BTreeSet};

/// The stanzas of a file without errors, while the interfaces with a record are up.
fn sound(installation: &Installation, text: &str, applied: &BTreeMap<IfName, Applied>) -> Targets {
    let targets = installation.targets(text, applied);
    assert_eq!(targets.wrong, [], "{text}");
    targets
}

/// A running system on the model.
#[derive(Clone)]
struct System {
    kernel: Simulated,
    applied: BTreeMap<IfName, Applied>,
}

impl System {
    fn new() -> Self {
        let mut start = Snapshot::default();
        let here = start.here_mut();
        *here = std::mem::take(here).with_default_rules();
        for (index, name) in (1..).zip(["lo", "eth0", "eth1", "eth2", "eth3"]) {
            let name: IfName = name.parse().unwrap();
            let mac = format!("02:00:00:00:00:{index:02}").parse().ok();
            here.details.insert(name.clone(), Details { index, mac, mtu: 1500, alias: None, peer: None });
            here.links.insert(name, Link { kind: LinkKind::Physical, master: None, up: false });
        }
        for protocol in ["tcp", "udp", "raw"] {
            let key = format!("net.ipv4.{protocol}_l3mdev_accept").parse().unwrap();
            here.sysctls.insert(key, if protocol == "raw" { "1" } else { "0" }.to_owned());
        }
        let default = "net.ipv4.conf.default.forwarding".parse().unwrap();
        here.sysctls.insert(default, "0".to_owned());
        // The model does not know the sysctls of new links.
        for link in files::LINKS {
            let key = Sysctl::of_link("ipv4", &link.parse().unwrap(), "forwarding");
            here.sysctls.insert(key, "0".to_owned());
        }
        Self { kernel: Simulated(start), applied: BTreeMap::new() }
    }

    /// Makes all changes, as `apply` does; returns the steps.
    fn apply(&mut self, targets: &Targets) -> Result<String, String> {
        let mut text = String::new();
        for disruptive in [true, false] {
            let found = targets.look(&mut self.kernel).unwrap();
            let mode = if disruptive { Mode::Apply { disruptive } } else { Mode::Rest };
            let changes = pending(targets, &found, mode);
            let problems = changes.pending.iter().flat_map(|pending| &pending.problems);
            let problems: Vec<String> = problems.map(ToString::to_string).collect();
            for (iface, plan) in &changes.steps {
                let lines = plan.steps.iter().map(|step| format!("{iface}: {}\n", step.act));
                text.extend(lines);
            }
            if !problems.is_empty() {
                return Err(format!("{text}{}", problems.join("\n")));
            }
            let (plan, _) = in_sequence(&changes);
            apply::up(&plan, &mut self.kernel).map_err(|failure| format!("{text}{failure}"))?;
            if !deletes_more(&plan, &found) {
                break;
            }
        }
        self.applied.clear();
        for target in &targets.known {
            let index = self.kernel.0.here().details.get(&target.iface).map(|details| details.index);
            let section = Section { index, ..target.section.clone() };
            let applied = Applied { sections: vec![section], ..Applied::default() };
            self.applied.insert(target.iface.clone(), applied);
            let link = self.kernel.0.here_mut().links.get_mut(&target.iface);
            if let Some(link) = link {
                link.up = true;
            }
        }
        Ok(text)
    }

    /// Applies an edited file; returns what differs from a new system.
    fn edit(&mut self, installation: &Installation, text: &str) -> Vec<String> {
        let mut fresh = Self::new();
        if let Err(refused) = fresh.apply(&sound(installation, text, &BTreeMap::new())) {
            return vec![format!("fresh: {refused}")];
        }
        let steps = match self.apply(&sound(installation, text, &self.applied.clone())) {
            Err(refused) => return vec![format!("refused: {refused}")],
            Ok(steps) => steps,
        };
        let (is, should) = (self.lines(), fresh.lines());
        let mut wrong = vec![steps];
        wrong.extend(should.difference(&is).map(|line| format!("- {line}")));
        wrong.extend(is.difference(&should).map(|line| format!("+ {line}")));
        let known = fresh.pending(installation, text);
        let more = self.pending(installation, text).into_iter().filter(|line| !known.contains(line));
        wrong.extend(more.map(|line| format!("check: {line}")));
        if wrong.len() > 1 { wrong } else { Vec::new() }
    }

    /// What `check` finds.
    fn pending(&mut self, installation: &Installation, text: &str) -> Vec<String> {
        let targets = sound(installation, text, &self.applied);
        let found = targets.look(&mut self.kernel).unwrap();
        let steps = pending(&targets, &found, Mode::Check).steps;
        let lines =
            steps.iter().flat_map(|(iface, plan)| plan.steps.iter().map(move |step| (iface, &step.act)));
        lines.map(|(iface, act)| format!("{iface}: {act}")).collect()
    }

    /// The state, a line each.
    fn lines(&self) -> BTreeSet<String> {
        let mut lines = BTreeSet::new();
        for (place, state) in &self.kernel.0.places {
            let mut add = |text: String| lines.insert(format!("{place:?} {text}"));
            for (name, link) in &state.links {
                add(format!("{name} {link:?}"));
            }
            for (name, details) in &state.details {
                add(format!("{name} mtu {} alias {:?}", details.mtu, details.alias));
            }
            for (name, address) in
                state.addresses.iter().flat_map(|(name, all)| all.iter().map(move |one| (name, one)))
            {
                add(format!("{name} {address}"));
            }
            // The model does not delete routes whose link it does not know with the link.
            let is_known = |route: &&Route| route.dev.is_some() || route.via.is_none();
            for route in state.routes.iter().filter(is_known) {
                add(route.to_string().replace(" onlink", ""));
            }
            for rule in state.rules.values().flatten().filter(|rule| rule.priority != 1000) {
                add(rule.to_string());
            }
            if *place == Place::Here {
                for (key, value) in state.sysctls.iter().filter(|(_, value)| *value != "0") {
                    add(format!("{key} = {value}"));
                }
            }
            for (name, set) in &state.bridging.vlans {
                add(format!("{name} {set:?}"));
            }
            for (name, entry) in
                state.bridging.fdb.iter().flat_map(|(name, all)| all.iter().map(move |one| (name, one)))
            {
                add(format!("{name} {entry:?}"));
            }
        }
        lines
    }
}

#[test]
fn random_edits_lead_where_a_new_system_leads() {
    let installation = Installation::new("random", true);
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds =
        number("IFNL_SEED").map_or_else(|| 0..number("IFNL_SEQUENCES").unwrap_or(8), |seed| seed..seed + 1);
    let mut failed = Vec::new();
    for seed in seeds {
        let mut random = Random(seed);
        let mut system = System::new();
        let mut file = File::new(&mut random);
        let mut old = String::new();
        for edit in 0..10 {
            let text = file.to_string();
            let wrong = system.edit(&installation, &text);
            if !wrong.is_empty() {
                println!("IFNL_SEED={seed} Model, edit {edit}\n--- from\n{old}\n--- to\n{text}\n---");
                println!("{}\nrandom: IFNL_SEED={seed} fails\n", wrong.join("\n"));
                failed.push(seed);
                break;
            }
            file = file.edited(&mut random);
            old = text;
        }
    }
    assert!(failed.is_empty(), "IFNL_SEED={failed:?}");
}

/// A bridge, and a port whose stanza names it. The first text is the rest of the bridge's stanza.
fn bridge(of_bridge: &str, of_port: &str) -> String {
    format!(
        "auto br0\niface br0\n    bridge-hw 02:00:00:00:00:b2\n{of_bridge}\n\
         auto eth0\niface eth0\n    bridge-member br0\n{of_port}\n"
    )
}

/// Two bridges with these ports.
fn bridges(of_first: &str, of_second: &str) -> String {
    [("br0", of_first), ("br1", of_second)]
        .map(|(name, ports)| {
            format!("auto {name}\niface {name}\n    use bridge\n    bridge-ports {ports}\n    bridge-hw 02:00:00:00:00:b2\n")
        })
        .concat()
}

#[test]
fn what_can_only_be_made_again_is_a_problem_while_others_are_on_it() {
    let installation = Installation::new("shared", true);
    let mut system = System::new();
    assert_eq!(system.edit(&installation, &bridge("", "")), [""; 0]);
    let edited =
        bridge("", "").replace("    bridge-hw 02:00:00:00:00:b2\n", "    bridge-vlan-filtering no\n");
    let targets = sound(&installation, &edited, &system.applied);
    let found = targets.look(&mut system.kernel).unwrap();
    for mode in [Mode::Check, Mode::Apply { disruptive: false }] {
        let changes = pending(&targets, &found, mode);
        let problems = changes.pending.iter().flat_map(|pending| &pending.problems);
        assert_eq!(
            problems.map(ToString::to_string).collect::<Vec<_>>(),
            [
                "iface br0: what its former stanza set cannot be undone while others are on it; ifdown those first"
            ]
        );
    }
    assert_eq!(system.edit(&installation, &edited), [""; 0]);
}

/// The kernel has an IPv6 address only once on a link. So it is deleted just before it is added with the prefix of another
/// length, also if nothing shows who added it.
#[test]
fn the_length_of_a_prefix_is_edited() {
    let plain = "auto eth0\niface eth0\n    address 2001:db8::1/64\n";
    let inside = "auto eth0\niface eth0\n    use netns\n    netns net-a\n    netns-address 2001:db8::1/64\n";
    let peer = "auto v0\niface v0\n    use veth\n    veth-peer v1\n    veth-peer-address 2001:db8::1/64, 10.0.0.1/24\n";
    let files = [
        (plain, "eth0: ip address", "eth0"),
        (inside, "eth0: ip -n net-a address", "eth0"),
        (peer, "v0: ip address", "v1"),
    ];
    let installation = Installation::new("length", true);
    for (file, ip, dev) in files {
        for is_marked in [true, false] {
            let mut system = System::new();
            assert_eq!(system.edit(&installation, file), [""; 0], "{file}");
            if !is_marked {
                system.kernel.0.places.update_all(|_, state| {
                    let unmark = |address: &mut LinkAddress| address.protocol = 0;
                    state.addresses.update_all(|_, all| all.iter_mut().for_each(unmark));
                });
            }
            let edited = file.replace("/64", "/48");
            let steps = system.apply(&sound(&installation, &edited, &system.applied.clone()));
            let del_and_add =
                format!("{ip} del 2001:db8::1/64 dev {dev}\n{ip} add 2001:db8::1/48 dev {dev}\n");
            assert_eq!(steps, Ok(del_and_add), "{edited}");
            assert_eq!(system.pending(&installation, &edited), [""; 0]);
        }
    }
}

#[test]
fn what_awaits_a_card_stops_no_other_interface() {
    const RED: &str = "auto red\niface red\n    vrf-table 10\n\n";
    const BR0: &str = "auto br0\niface br0\n    use bridge\n    bridge-vlan-filtering yes\n\n";
    const ETH0: &str = "auto eth0\niface eth0\n    address 192.0.2.1/24\n";
    let installation = Installation::new("awaited", true);
    for lines in [
        "    address 198.51.100.1/24\n    forward-ipv4 yes\n",
        "    vrf-member red\n    vrf-route default via 198.51.100.254\n    address 198.51.100.1/24\n",
        "    bridge-member br0\n    bridge-vlan 10\n",
        "    use netns\n    netns net-a\n    address 198.51.100.1/24\n",
    ] {
        let mut system = System::new();
        let text = format!("{RED}{BR0}auto usb0\niface usb0\n{lines}\n{ETH0}");
        let targets = sound(&installation, &text, &system.applied);
        let found = targets.look(&mut system.kernel).unwrap();
        for mode in [Mode::Apply { disruptive: false }, Mode::Apply { disruptive: true }, Mode::Check] {
            let changes = pending(&targets, &found, mode);
            let wrong = changes.pending.iter().filter(|pending| !pending.problems.is_empty());
            let wrong: Vec<&str> = wrong.map(|pending| pending.iface.as_str()).collect();
            let awaited: Vec<&str> = changes.awaited().map(IfName::as_str).collect();
            let expected = if mode == Mode::Check { (vec!["usb0"], vec![]) } else { (vec![], vec!["usb0"]) };
            assert_eq!((wrong, awaited), expected, "{mode:?} {text}");
            let steps = changes.steps.iter().flat_map(|(_, plan)| &plan.steps);
            let steps: Vec<String> = steps.map(|step| step.act.to_string()).collect();
            assert!(steps.iter().any(|step| step.contains("192.0.2.1/24")), "{mode:?} {steps:?}\n{text}");
            assert!(!steps.iter().any(|step| step.contains("usb0")), "{steps:?}");
        }
        assert_eq!(system.edit(&installation, &text), [""; 0]);
        assert_eq!(system.edit(&installation, ETH0), [""; 0]);
    }
}

#[test]
fn edits_lead_where_a_new_system_leads() {
    const ON: &str = "    bridge-vlan-filtering yes\n";
    let pvid = |vid: &str| format!("{ON}    bridge-default-pvid {vid}\n");
    let inside = "    use netns\n    netns net-a\n    netns-ifname lan0\n";
    let card = |lines: &str| format!("auto eth0\niface eth0\n{lines}");
    let station = "    bridge-fdb 02:00:00:00:0f:04\n";
    let edits = [
        // The port had VLANs, which its stanza cannot have on a bridge without VLAN filtering.
        [bridge(ON, "    bridge-vlan 10 pvid untagged, 20\n"), bridge("", "")],
        [bridge(&pvid("6"), "    bridge-vlan 10 pvid untagged, 20\n"), bridge("", "")],
        // A static entry without a VLAN is in each VLAN of the port.
        [bridge(&pvid("5"), ""), bridge("", station)],
        [bridge(&pvid("5"), station), bridge("", station)],
        [bridge(&pvid("5"), station), bridge(&pvid("6"), station)],
        [bridge(&pvid("5"), station), bridge(&pvid("none"), station)],
        [bridge(&pvid("5"), station), bridge(&pvid("6"), "")],
        [bridge(&pvid("6"), &format!("    bridge-vlan 10\n{station}")), bridge("", station)],
        [
            bridge(&pvid("6"), "    bridge-vlan 10, 30\n    bridge-fdb 02:00:00:00:0f:04 vlan 10\n"),
            bridge("", station),
        ],
        [
            bridge(ON, &format!("    bridge-vlan 10, 20\n{station}")),
            bridge(ON, &format!("    bridge-vlan 10\n{station}")),
        ],
        // The kernel deletes no entry of a VLAN that the port has left.
        [
            bridge(ON, "    bridge-vlan 10\n    bridge-fdb 02:00:00:00:0f:04 vlan 10\n"),
            bridge(ON, "    bridge-vlan 20\n    bridge-fdb 02:00:00:00:0f:04 vlan 20\n"),
        ],
        // A bridge without a default VLAN gets one only while it has no ports.
        [bridge(&pvid("none"), "    bridge-vlan 10\n"), bridge("", "")],
        [bridge(&pvid("none"), "    bridge-vlan 10\n"), bridge(ON, "    bridge-vlan 10\n")],
        // A port goes from one list to another one.
        [bridges("eth0", "eth1 eth2"), bridges("eth0 eth1", "eth2")],
        [bridges("eth0 eth1", "eth2"), bridges("eth0", "eth1 eth2")],
        [bridges("eth0 eth1", "eth2 eth3"), bridges("eth2 eth3", "eth0 eth1")],
        // The settings of a link that moves to a namespace.
        [card("    mtu 1400\n    alias uplink\n"), card(inside)],
        [
            card("    mtu 1400\n    alias uplink\n"),
            card(&format!("{inside}    hwaddress 02:00:00:00:77:04\n")),
        ],
    ];
    let installation = Installation::new("edits", true);
    let mut failed = Vec::new();
    for [from, to] in &edits {
        let mut system = System::new();
        assert_eq!(system.edit(&installation, from), [""; 0], "{from}");
        let wrong = system.edit(&installation, to);
        if !wrong.is_empty() {
            failed.push(format!("--- from\n{from}\n--- to\n{to}\n---\n{}", wrong.join("\n")));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

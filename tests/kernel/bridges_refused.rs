//! Errors in stanzas of bridges and VLANs are reported in one line that says what to change, and nothing is changed.

use crate::bridges::{aware, everything, lab};
use crate::lab::{command, ip, phase};

/// Stations in VLANs that their frames cannot be in.
pub fn stations() {
    lab();
    aware("br0");
    ip("link add name plain type bridge");
    ip("link add name provider type bridge vlan_filtering 1 vlan_protocol 802.1ad");
    let before = everything();
    let member = |port, keywords: &[&str], line: &str| {
        phase("bridge-vlan", port, "pre-up", keywords).refuses(1, &format!("bridge-vlan: {port}: {line}"));
    };
    member(
        "p1",
        &["bridge-member br0", "bridge-vlan 10", "bridge-allow 02:00:00:00:00:01 vlan 20 10.0.0.1"],
        "bridge-allow 02:00:00:00:00:01 vlan 20: p1 is not in VLAN 20",
    );
    member(
        "p1",
        &["bridge-member plain", "bridge-allow 02:00:00:00:00:01 vlan 20"],
        "bridge-allow 02:00:00:00:00:01 vlan 20: VLAN filtering is off on plain; add bridge-vlan-filtering yes to its stanza",
    );
    member(
        "p1",
        &["bridge-member provider", "bridge-allow 02:00:00:00:00:01 vlan 20"],
        "bridge-allow 02:00:00:00:00:01 vlan 20: the VLANs of provider are those of 802.1ad; leave out `vlan 20`",
    );
    assert_eq!(everything(), before);
    assert_eq!(command("nft list ruleset").ok().stdout, "");
}

pub fn refusals() {
    lab();
    aware("br0");
    ip("link add name plain type bridge");
    phase("bridge", "p2", "pre-up", &["bridge-member br0", "bridge-vlan 7 pvid untagged"]).quiet();
    let before = everything();
    for (value, why) in [
        ("0", "0: not a VLAN (1-4094)"),
        ("4095", "4095: not a VLAN (1-4094)"),
        ("5000", "5000: not a VLAN (1-4094)"),
        ("10-5", "10-5: ends before it begins; write 5-10"),
        (",", "a list without an entry"),
        ("10 pvid, 20 pvid", "both 10 and 20 are pvid; a port has one"),
        ("10-20 pvid", "10-20 pvid: a range cannot be pvid; name the one VLAN that is"),
        ("10-20, 15 untagged", "VLAN 15 is named twice"),
        ("10 untaged", "10 untaged: untaged is not pvid, untagged or tagged"),
    ] {
        let vlan = format!("bridge-vlan {value}");
        for program in ["bridge", "bridge-vlan"] {
            let keywords = ["bridge-member br0", &vlan];
            let line = format!("{program}: p1: bridge-vlan {value}: {why}");
            phase(program, "p1", "create", &keywords).refuses(2, &line);
            // Reported once; the later phases do not run.
            let ran = phase(program, "p1", "pre-up", &keywords);
            assert_eq!((ran.status, ran.stderr.as_str()), (2, ""), "{ran}");
        }
    }
    let member = |port, keywords: &[&str], line: &str| {
        phase("bridge-vlan", port, "pre-up", keywords).refuses(1, &format!("bridge-vlan: {port}: {line}"));
    };
    member(
        "p1",
        &["bridge-vlan 10"],
        "bridge-vlan 10: p1 is not a port of a bridge; add bridge-member BRIDGE",
    );
    member("p1", &["bridge-member p3"], "bridge-member p3: not a bridge but a veth");
    member(
        "p1",
        &["bridge-member br9"],
        "bridge-member br9: there is no such interface; give it a stanza with bridge-vlan-filtering",
    );
    phase("bridge-vlan", "p9", "pre-up", &["bridge-member br0"]).refuses(
        0,
        "bridge-vlan: p9: warning: bridge-member br0: p9: there is no such interface; the stanza is completed when it appears",
    );
    member(
        "plain",
        &["bridge-member br0"],
        "bridge-member br0: plain: a bridge cannot be a port of a bridge",
    );
    member("p2", &["bridge-member plain"], "bridge-member plain: p2: a port of br0");
    member(
        "p1",
        &["bridge-member plain", "bridge-vlan 10"],
        "bridge-vlan 10: VLAN filtering is off on plain; add bridge-vlan-filtering yes to its stanza",
    );
    member(
        "p1",
        &["bridge-member br0", "bridge-vlan 10", "bridge-fdb 02:00:00:00:00:01 vlan 20"],
        "bridge-fdb 02:00:00:00:00:01 vlan 20: p1 is not in VLAN 20",
    );
    let made = |iface: &str, status, keywords: &[&str], line: &str| {
        phase("bridge", iface, "create", keywords).refuses(status, &format!("bridge: {iface}: {line}"));
    };
    made(
        "p1",
        1,
        &["bridge-vlan-filtering yes"],
        "bridge-vlan-filtering p1: p1 exists and is a veth; ifdown it, or delete it by hand",
    );
    made(
        "br1",
        1,
        &["bridge-vlan-filtering no", "bridge-vlan 10"],
        "bridge-vlan 10: VLAN filtering is off on br1; add bridge-vlan-filtering yes to its stanza",
    );
    made(
        "br1",
        2,
        &["bridge-default-pvid 4095"],
        "bridge-default-pvid 4095: neither a VLAN (1-4094) nor none",
    );
    made(
        "br1",
        2,
        &["bridge-vlan-protocol 802.1x"],
        "bridge-vlan-protocol 802.1x: neither 802.1Q nor 802.1ad",
    );
    made("br1", 2, &["bridge-ports p1", "bridge-fd 31"], "bridge-fd 31: not a time from 0 to 30 seconds");
    assert_eq!(everything(), before);
    // Without a default PVID before, the kernel would set a new default as the PVID of every port.
    phase("bridge", "br0", "pre-up", &["bridge-vlan-filtering yes", "bridge-default-pvid 9"]).refuses(
        1,
        "bridge: br0: bridge-default-pvid 9: br0 has no default VLAN, and the kernel would put p2 into VLAN 9; ifdown br0 first",
    );
    assert_eq!(everything(), before);
}

/// Names that a stanza may have by mistake, including its own name.
pub fn mistaken_names() {
    lab();
    aware("br0");
    let before = everything();
    let filtering = "bridge-vlan-filtering yes";
    for (iface, name, keywords, status, line) in [
        (
            "lo",
            "create",
            vec!["bridge-ports none"],
            1,
            "lo: bridge-ports lo: lo exists but is not a bridge; give the bridge another name",
        ),
        (
            "lo",
            "pre-up",
            vec!["bridge-member br0"],
            1,
            "lo: bridge-member br0: lo: the loopback interface cannot be a port",
        ),
        (
            "lo",
            "destroy",
            vec!["bridge-ports none"],
            0,
            "lo: warning: not changed: lo is a physical link, not a bridge",
        ),
        ("p1", "pre-up", vec!["bridge-member p1"], 1, "p1: bridge-member p1: not a bridge but a veth"),
        (
            "br0",
            "pre-up",
            vec!["bridge-ports lo", filtering],
            1,
            "br0: bridge-ports lo: the loopback interface cannot be a port",
        ),
        (
            "br0",
            "pre-up",
            vec!["bridge-ports br0", filtering],
            1,
            "br0: bridge-ports br0: a bridge cannot be a port of a bridge",
        ),
        ("", "create", vec!["bridge-ports none"], 2, "IFACE is not set; run by ifup, or see --help"),
        (
            "../x",
            "create",
            vec!["bridge-ports none"],
            2,
            "IFACE \"../x\": not an interface name: contains '/'",
        ),
        (
            "br1",
            "create",
            vec!["bridge-ports a/b"],
            2,
            "br1: bridge-ports a/b: a/b: not an interface name: contains '/'",
        ),
    ] {
        phase("bridge", iface, name, &keywords).refuses(status, &format!("bridge: {line}"));
    }
    phase("bridge", "lo", "post-down", &["bridge-ports none"]).quiet();
    assert_eq!(everything(), before);
}

/// The second of two ports cannot join: the first one is restored.
pub fn whole_or_not_at_all() {
    lab();
    // A bridge with an address of its own does not take that of a port.
    let own = ["bridge-vlan-filtering yes", "bridge-default-pvid none", "bridge-hw 02:00:00:00:00:99"];
    phase("bridge", "br0", "create", &own).quiet();
    // Whether a link is a port of another bridge is checked only when it joins; this link can never be a port.
    ip("link add name tun0 type ipip local 10.0.0.1 remote 10.0.0.2");
    // A bridge keeps limits of the ports that it once had.
    ip("link set p3 master br0");
    ip("link set p3 nomaster");
    let before = everything();
    let ran = phase("bridge", "br0", "pre-up", &["bridge-ports p1 tun0", "bridge-vlan-filtering yes"]);
    assert_eq!(ran.status, 1, "{ran}");
    assert_eq!(ran.stderr.lines().count(), 1, "{ran}");
    assert!(ran.stderr.starts_with("bridge: br0: ip link set tun0 master br0: "), "{ran}");
    assert!(ran.stderr.contains("2 steps before it undone"), "{ran}");
    crate::lab::settle();
    before.0.assert_same(&everything().0, "after a refusal");
    assert_eq!(everything().1, before.1);
}

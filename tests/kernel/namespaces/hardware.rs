//! A hardware card: the kernel does not delete it with its namespace but moves it to the first namespace. There it
//! keeps its name or, if that is taken, gets one that the kernel chooses.
//!
//! The first namespace is the guest's own, so only this test is not in a lab.

use super::{Stanza, moved_stanza, nothing_left, state};
use crate::lab::{Netns, command, ip, ip_json, own_mounts, own_run, wait_until};

/// The namespace of the card, found by its hardware address, and its name there.
fn card() -> Option<String> {
    let links = ip_json("link");
    let ours = links.iter().find(|link| link["address"] == MAC)?;
    Some(ours["ifname"].as_str()?.to_owned())
}

/// As set in tests/lane/vm.
const MAC: &str = "52:54:00:00:00:01";

/// The name of the virtual machine's first card, once its driver is loaded.
fn plug_in() {
    command("modprobe virtio_net").ok();
    wait_until("the card is there", || card().is_some());
    assert_eq!(card().as_deref(), Some("eth0"), "the kernel numbers them in order");
    ip("link set eth0 down");
}

/// Its namespace is deleted while it is inside; the card is back here under this name.
fn thrown_back(stanza: &Stanza, expected: impl Fn(&str) -> bool) {
    stanza.up();
    assert!(Netns::named("blue").ip("link show inner").contains(MAC), "not in there");
    ip("netns del blue");
    wait_until("the kernel has thrown it back", || card().is_some());
    let name = card().unwrap();
    assert!(expected(&name), "moved back as {name}");
}

pub fn thrown() {
    own_mounts(|| {
        own_run();
        plug_in();
        let (stanza, before) = (moved_stanza(), state());
        let home = |when: &str| {
            assert_eq!(card().as_deref(), Some("eth0"), "{when}");
            assert_eq!(state(), before, "{when}");
            nothing_left(when);
        };
        stanza.up();
        stanza.down();
        home("a round");
        // With the name that it has inside.
        thrown_back(&stanza, |name| name == "inner");
        stanza.down();
        home("ifdown of inner");
        // The name is taken.
        ip("link add name inner type veth peer name theirs");
        thrown_back(&stanza, |name| name.starts_with("dev"));
        ip("link del inner");
        stanza.down();
        home("ifdown of devN");
        // By a forced ifup, which moves it to a new namespace.
        thrown_back(&stanza, |name| name == "inner");
        stanza.up();
        assert!(Netns::named("blue").ip("-br addr").contains("10.1.0.2/24"));
        stanza.down();
        home("ifup -f of inner");
        // Now its own name is taken as well.
        thrown_back(&stanza, |name| name == "inner");
        ip("link add name eth0 type veth peer name theirs");
        let back = stanza.phase("pre-down").ok();
        assert_eq!(
            back.stderr,
            "netns: eth0: warning: another eth0 exists; the interface that returns from blue is named eth0-1\n"
        );
        assert_eq!(card().as_deref(), Some("eth0-1"));
        ip("link del eth0");
        ip("link set eth0-1 name eth0");
        stanza.down();
        home("another eth0");
    });
}

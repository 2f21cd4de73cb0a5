//! Namespaces: runs that are killed, namespaces that other programs use or delete, many at once; a link is never lost.
//!
//! `eth0` stands for a card: it is one end of a pair whose other end, `far`, our programs cannot reach.

mod by_ifup;
mod hardware;
mod identity;
mod mounts;
mod moved;
mod pairs;
mod refusals;

use crate::features::{Feature, needs};
use crate::ifupdown::{Ifupdown, Version};
use crate::lab::{command, in_lab, ip, own_run};
use crate::tampered::Stanza;
use libtest_mimic::Trial;
use std::fs;

pub fn tests() -> Vec<Trial> {
    let mut tests = Vec::new();
    for (name, test) in [
        ("round", moved::round as fn()),
        ("as-ip-netns-has-it", moved::like_iproute2),
        ("closed-on-the-way-in", moved::closed),
        ("kept-while-used", moved::kept_while_used),
        ("name-deleted-while-held", moved::name_deleted_while_held),
        ("taken-names", moved::taken_names),
        ("foreign-namespace", moved::foreign_namespace),
        ("next-container", moved::next_container),
        ("next-of-the-name", moved::next_of_the_name),
        ("another-of-the-name", moved::another_of_the_name),
        ("long-parameters", moved::long_parameters),
        ("inside-etc", mounts::inside_etc),
        ("seen-by-services", mounts::seen_by_services),
        ("many-changes", mounts::many_changes),
        ("ports", refusals::ports),
        ("failed-in-post-up", refusals::failed_in_post_up),
        ("alternative-names", moved::alternative_names),
        ("strange-names", moved::strange_names),
        ("fresh-source", moved::fresh_source),
        ("spellings", identity::spellings),
        ("owners", identity::owners),
        ("process-gone", identity::process_gone),
        ("edited", identity::edited),
        ("kept", identity::kept),
        ("refusals", refusals::refusals),
        ("pair", pairs::pair),
        ("pair-replaced-namespace", pairs::pair_replaced),
        ("both", pairs::both),
        ("address-of-the-kernel", pairs::address_of_kernel),
        ("many-at-once", pairs::many_at_once),
        ("rounds", pairs::rounds),
    ] {
        tests.push(needs(&[], format!("namespaces/{name}"), move || in_lab(test)));
    }
    let deleted = || in_lab(pairs::unfinished_deleted);
    tests.push(needs(&[Feature::Strace], "namespaces/unfinished-deleted", deleted));
    tests.push(needs(&[Feature::Cards], "namespaces/hardware", hardware::thrown));
    let vrf = || in_lab(refusals::vrf);
    tests.push(needs(&[Feature::Vrf], "namespaces/vrf-cannot-move", vrf));
    for version in Version::ALL {
        let ifupdown = Ifupdown { version, ..Ifupdown::USUAL };
        for (name, test) in [
            ("half-up", by_ifup::half_up as fn(Ifupdown)),
            ("nested-failure", by_ifup::nested_failure),
            ("forced", by_ifup::forced),
            ("forced-vlan", by_ifup::forced_vlan),
            ("check", by_ifup::check),
            ("shared", identity::shared_by_ifup),
            ("edited", identity::edited_by_ifup),
            ("renamed", identity::renamed_by_ifup),
        ] {
            tests.push(needs(
                &[Feature::Vlan, Feature::Roots],
                format!("namespaces/by-ifup/{name}/{version:?}"),
                move || in_lab(|| test(ifupdown)),
            ));
        }
    }
    for version in Version::ALL {
        let ifupdown = Ifupdown { version, ..Ifupdown::USUAL };
        tests.push(needs(
            &[Feature::Vrf, Feature::Roots],
            format!("namespaces/by-ifup/accept/{version:?}"),
            move || in_lab(|| identity::accept_by_ifup(ifupdown)),
        ));
    }
    for (name, stanza) in [("netns", moved_stanza()), ("veth", pair_stanza())] {
        tests.push(needs(&[Feature::Strace], format!("namespaces/killed/{name}"), move || {
            in_lab(|| killed(&stanza));
        }));
        tests.push(needs(&[Feature::Strace], format!("namespaces/refused/{name}"), move || {
            in_lab(|| refused(&stanza));
        }));
    }
    tests
}

pub fn moved_stanza() -> Stanza {
    Stanza {
        program: "netns",
        iface: "eth0",
        keywords: &[
            "netns blue",
            "netns-ifname inner",
            "netns-address 10.1.0.2/24, fd00:1::2/64",
            "netns-gateway 10.1.0.1",
            "netns-route unreachable 10.9.0.0/16, 10.8.0.0/16 via 10.1.0.3",
            "netns-sysctl net.ipv4.ip_forward=1, net.ipv4.conf.inner.rp_filter=2",
        ],
    }
}

pub fn pair_stanza() -> Stanza {
    Stanza {
        program: "veth",
        iface: "veth-blue",
        keywords: &[
            "veth-peer veth0",
            "veth-peer-netns blue",
            "veth-peer-hwaddress 02:00:00:00:00:01",
            "hwaddress 02:00:00:00:00:02",
            "veth-peer-address 10.1.0.2/24, fd00:1::2/64",
            "veth-peer-gateway 10.1.0.1",
            "veth-peer-route unreachable 10.9.0.0/16",
        ],
    }
}

/// What exists before the stanza goes up.
fn prepare(stanza: &Stanza) {
    if stanza.iface == "eth0" { card() } else { own_run() }
}

fn killed(stanza: &Stanza) {
    prepare(stanza);
    let watch = |when: &str| {
        if stanza.iface == "eth0" {
            card_is_somewhere(when);
        }
    };
    stanza.killed(state, watch, nothing_left);
}

fn refused(stanza: &Stanza) {
    prepare(stanza);
    stanza.refused(state, nothing_left);
}

/// A card with its other end up, as on a real machine.
pub fn card() {
    own_run();
    ip("link add name eth0 address 02:00:00:00:00:0a type veth peer name far");
    ip("link set far address 02:00:00:00:00:0b up");
}

/// The state here and in `blue`, without what changes by itself.
pub fn state() -> String {
    let mut text = ip("-br link") + &ip("-br -4 addr") + &command("ip rule").stdout;
    text += &command("sysctl net.ipv6.conf.eth0.disable_ipv6").stdout;
    for words in ["-br link", "-br addr", "route", "-6 route show proto 73"] {
        text += &command(&format!("ip -n blue {words}")).stdout;
    }
    text += &command("ip netns exec blue sysctl net.ipv4.ip_forward").stdout;
    // Interface indexes, carriers, and addresses that the kernel generates.
    let kept = text.lines().map(|line| {
        let words = line.split_whitespace().filter(|word| !word.starts_with("fe80:"));
        let words = words.map(|word| word.split('@').next().unwrap_or_default());
        let still =
            words.filter(|word| !matches!(*word, "UP" | "DOWN" | "UNKNOWN" | "LOWERLAYERDOWN" | "linkdown"));
        still.filter(|word| !word.starts_with('<')).collect::<Vec<_>>().join(" ")
    });
    let mut lines: Vec<String> = kept.collect();
    lines.sort();
    lines.join("\n")
}

/// Nothing of ours is left below `/run`, and nothing is mounted there.
#[track_caller]
pub fn nothing_left(when: &str) {
    let files = command("find /run -mindepth 1").stdout;
    assert!(files.is_empty(), "{when}: {files}");
    let mounts = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
    let netns: Vec<_> = mounts.lines().filter(|line| line.contains("netns")).collect();
    assert!(netns.is_empty(), "{when}: {netns:#?}");
}

/// The card is here or in `blue`.
#[track_caller]
pub fn card_is_somewhere(when: &str) {
    let links = ip("link") + &command("ip -n blue link").stdout;
    assert!(links.contains("02:00:00:00:00:0a"), "{when}: the card is lost: {links}");
}

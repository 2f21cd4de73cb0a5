//! The sessions that ifnetlink(8) shows, run as written: each printed line has the page's words.

use crate::features::{Feature, needs};
use crate::ifupdown::{Ifupdown, Installed};
use crate::lab::{born_with_a_namespace, command, in_lab, ip, settle};
use crate::pages::{Page, pages};
use libtest_mimic::Trial;
use std::collections::BTreeSet;

pub fn tests() -> Vec<Trial> {
    let needed = [Feature::Vrf, Feature::Vlan, Feature::Roots];
    vec![needs(&needed, "pages/ifnetlink.8", || in_lab(sessions))]
}

/// The stanzas that a page shows first.
fn shown(name: &str) -> String {
    let all = pages();
    let page = all.iter().find(|page| page.name == name).expect("the page");
    page.stanzas()[0].to_owned()
}

fn sessions() {
    let all: Vec<Page> = pages();
    let sessions: Vec<_> = all.iter().flat_map(Page::sessions).collect();
    let [drifted, linted, changed, drawn] = sessions[..] else { panic!("another session: {sessions:?}") };
    // Not a card: their other ends are in other namespaces.
    for card in ["eth0", "eth1", "eth2"] {
        ip(&format!("link add {card} type dummy"));
    }
    let bridge = shown("interfaces-bridge-vlan.5");
    let with_vrf = shown("interfaces-vrf-rules.5") + "\n" + &bridge;
    let installed = Ifupdown::USUAL.install(&with_vrf);
    installed.ifup("-a").quiet();
    settle();
    ip("-4 rule del pref 2000");
    command("bridge vlan add dev eth0 vid 99").ok();
    typed(drifted, &installed, "");
    installed.file("/tmp/interfaces", "auto eth0\niface eth0\n    vrf-memeber red\n");
    typed(linted, &installed, "");
    typed(changed, &installed, &with_vrf.replace("bridge-vlan 10, 20", "bridge-vlan 10, 20, 30"));
    installed.ifdown_by_force();
    installed.interfaces(&(bridge + "\n" + &shown("interfaces-veth-peer.5")));
    installed.ifup("-a").quiet();
    settle();
    typed(drawn, &installed, "");
    installed.ifdown("-a");
}

/// Runs each command of a session and compares its output; `editor` writes this file.
fn typed(session: &str, installed: &Installed, edited: &str) {
    let born = born_with_a_namespace();
    for part in session.strip_prefix("# ").expect("a prompt").split("\n# ") {
        let (line, printed) = part.split_once('\n').unwrap_or((part, ""));
        let (line, echo) = line.split_once(" && echo ").unwrap_or((line, ""));
        let ran = match line.split_once(' ').expect("arguments") {
            ("ifnetlink", arguments) => installed.ifnetlink(arguments),
            // The stock executors report errors for objects that exist already.
            ("ifup", arguments) => {
                installed.ifup(arguments);
                continue;
            }
            ("editor", _) => {
                installed.interfaces(edited);
                continue;
            }
            _ => panic!("{line}: what is this?"),
        };
        let status = match line.split_once(' ') {
            Some((_, "check")) if !printed.is_empty() && echo.is_empty() => 3,
            Some((_, arguments)) if arguments.starts_with("lint ") => 2,
            _ => 0,
        };
        assert_eq!((ran.status, ran.stderr.as_str()), (status, ""), "{line}: {ran}");
        let echoed = if echo.is_empty() { String::new() } else { format!("{echo}\n") };
        // The page shows cards, which have no kind.
        let lines = ran.stdout.lines().map(|line| line.strip_suffix("dummy").unwrap_or(line).trim_end());
        let output: String = lines.flat_map(|line| [line, "\n"]).collect();
        assert_eq!(words(&(output.clone() + &echoed), &born), words(printed, &born), "{line}");
        // README.md has the same; the test of `show` in tests/plain compares them.
        assert!(line != "ifnetlink show" || output.trim_end() == printed.trim_end(), "{ran}");
    }
}

/// The words of each line, without the links that every namespace has once a tunnel's module is loaded. These links
/// would make the columns wider.
fn words<'a>(text: &'a str, born: &BTreeSet<String>) -> Vec<Vec<&'a str>> {
    let lines = text.trim_end().lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    lines.filter(|words| words.first().is_none_or(|name| !born.contains(*name))).collect()
}

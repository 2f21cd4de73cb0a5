//! `ifnetlink apply` of each edit of the table leads where a fresh `ifup` of the edited file leads.

use super::trial;
use super::whole::counted;
use crate::edit_table::{EDITS, Edit, MORE, TABLES};
use crate::edits::{end, hosts, install, is_up, now};
use crate::ifupdown::{Executors, Ifupdown, Installed, Shell, Version};
use crate::lab::{Ran, ip, ip_batch};
use crate::matrix;
use crate::pages::pages;
use crate::state::State;
use libtest_mimic::Trial;
use std::collections::BTreeSet;

/// The short form takes one edit of so many.
const EACH: usize = 71;

pub fn tests() -> Vec<Trial> {
    let all = TABLES.into_iter().flatten().enumerate();
    let all = all.flat_map(|(place, edit)| (0..3).map(move |which| (3 * place + which, edit, which)));
    matrix::some(all, EACH)
        .map(|(place, edit, which)| {
            let name = format!("edited-{}-{}-{place}", edit.keyword, ["changed", "removed", "added"][which]);
            let by_ifup = place % 2 == 0;
            // The stock executors restore no settings.
            let is_stock = place < 3 * (EDITS.len() + MORE.len());
            let executors = if is_stock { Executors::Replaced } else { Executors::Native };
            // The versions take turns.
            let ifupdown = Ifupdown { version: Version::ALL[place / 2 % 2], executors, shell: Shell::Dash };
            trial(&name, ifupdown, move |ifupdown| edited(edit, which, by_ifup, ifupdown))
        })
        .collect()
}

/// An edit. The file before is brought up by ifup or by `apply`.
fn edited(edit: &Edit, which: usize, by_ifup: bool, ifupdown: Ifupdown) {
    let (_, from, to) = &edit.files_in_use()[which];
    let _hosts = hosts();
    // The state of a port of a bridge that is down depends on what came first.
    ip_batch(&["link set dummybr0 up", "link set dummybr1 up"]);
    let installed = install(ifupdown);
    let before = now(edit, &installed);
    let when = format!("{from}\nto\n{to}");
    installed.interfaces(to);
    let ran = installed.ifup("-a");
    // The interface, and those that depend on it.
    let all_are_up = |file: &str, ran: &Ran| {
        file.lines().filter_map(|line| line.strip_prefix("iface ")).all(|iface| is_up(iface, ran))
    };
    let fresh = all_are_up(to, &ran);
    let wanted = fresh.then(|| (seen(edit, &installed), counted(&installed)));
    end(edit, &installed, &before, &format!("a fresh {to}"));
    installed.interfaces(from);
    let ran = if by_ifup { installed.ifup("-a") } else { installed.ifnetlink("apply") };
    let told = told(edit.keyword, which);
    if !all_are_up(from, &ran) {
        assert_eq!(told, "-", "{when}\n{ran}");
        return;
    }
    let was = now(edit, &installed);
    installed.interfaces(to);
    let mut ran = installed.ifnetlink("apply");
    if ran.status != 0 {
        was.assert_same(&now(edit, &installed), &format!("refused, {when}\n{ran}"));
    }
    let Some((wanted, wanted_counted)) = wanted else {
        assert!(ran.status != 0 && told == "-", "ifnetlink(8) says {told}: {when}\n{ran}");
        let lines: BTreeSet<&str> = ran.stderr.lines().collect();
        assert_eq!(lines.len(), ran.stderr.lines().count(), "a line twice: {when}\n{ran}");
        // ifdown takes down the card below with the VLAN only if the file still says that the VLAN needs it.
        if edit.keyword.starts_with("vlan-") {
            installed.interfaces(from);
        }
        return down(edit, &installed, &before, &format!("refused, then ifdown, {when}\n{ran}"));
    };
    let is_alone = TABLES.into_iter().flatten().filter(|other| other.keyword == edit.keyword).count() == 1;
    let is_right = if ran.status == 0 { told == "in place" || !is_alone } else { told.starts_with('_') };
    let steps = || installed.ifnetlink("apply --dry-run --disruptive");
    assert!(is_right, "ifnetlink(8) says {told}: {when}\n{ran}\n{}", steps());
    if ran.status != 0 {
        assert!(ran.status == 1 && ran.stderr.contains("--disruptive"), "{when}\n{ran}");
        ran = installed.ifnetlink("apply --disruptive").ok();
    }
    let when = format!("{when}\n{ran}");
    let mut followed = seen(edit, &installed);
    if ran.stderr.contains("eth1 keeps its cost 10 until it joins br0 again") {
        followed = followed.replace("\"cost\":10,", "\"cost\":2,");
    }
    wanted.assert_same(&followed, &when);
    assert_eq!(counted(&installed), wanted_counted, "{when}");
    assert_eq!(installed.ifnetlink("check").quiet().stdout, "", "{when}");
    down(edit, &installed, &before, &format!("then ifdown, {when}"));
}

/// What the page says of an edit. If the table has several edits of a keyword, that is the one that costs most.
fn told(keyword: &str, which: usize) -> String {
    let page = pages().into_iter().find(|page| page.name == "ifnetlink.8").expect("ifnetlink(8)");
    let section = page.section("EDITS THAT INTERRUPT");
    if let Some((_, row)) = section.split_once(&format!("\n|  *{keyword}*\n")) {
        return row.lines().nth(which).unwrap().trim_start_matches(':').trim().to_owned();
    }
    assert!(section.contains(&format!("*{keyword}*")), "{keyword} is not in ifnetlink(8)");
    "in place".to_owned()
}

/// Takes everything down once. Nothing may be left but the records of stanzas that the stock executors took down, which
/// the next `apply` removes.
fn down(edit: &Edit, installed: &Installed, before: &State, when: &str) {
    let ran = installed.ifdown("-a").ok();
    ip("link set lo up");
    let is_kept = edit.keyword == "netns-keep" && installed.path("/run/netns/one").exists();
    if !is_kept {
        let left = before.clone().without("files").differences(&now(edit, installed));
        assert!(left.is_empty(), "{when}\n{ran}\n{}", left.join("\n"));
        installed.interfaces("auto lo\niface lo\n");
        installed.ifnetlink("apply").ok();
    }
    end(edit, installed, before, when);
}

/// The state of the kernel, without who added an address or a default route: the stock `static` does not mark them.
fn seen(edit: &Edit, installed: &Installed) -> State {
    let state = now(edit, installed).without("files");
    state.replace(",\"protocol\":\"0x49\"", "").replace("\"protocol\":\"boot\"", "\"protocol\":\"73\"")
}

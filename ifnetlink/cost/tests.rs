//! Which edits interrupt an interface that is in use, on the model of the kernel: the list in ifnetlink(8).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "that is how a test fails")]

#[path = "../../tests/kernel/edit_table.rs"]
mod edit_table;

use super::{Verdict, judge};
use crate::deletions::in_sequence;
use crate::pending::{Mode, pending};
use crate::targets::Targets;
use crate::targets::tests::Installation;
use crate::transaction::deletes_more;
use edit_table::TABLES;
use ifupdown_ng_netlink::kernel::Kernel as _;
use ifupdown_ng_netlink::model::Simulated;
use ifupdown_ng_netlink::plan::op::{Act, NewLink, Op};
use ifupdown_ng_netlink::stanza::Phase;
use ifupdown_ng_netlink::state::{Applied, BridgeOptions, Details, Link, LinkKind, Section, Snapshot, State};
use ifupdown_ng_netlink::values::IfName;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// The links that the files of the table name, and what else their stanzas need.
fn start(files: &[&Targets]) -> Simulated {
    let mut start = Snapshot::default();
    for target in files.iter().flat_map(|targets| &targets.known) {
        let needed = target.configuration.simulated(&target.iface, Phase::Create);
        start.netns.extend(needed.netns);
        for (place, state) in needed.places {
            start.places.entry(place).or_default().sysctls.extend(state.sysctls.clone());
        }
    }
    let forwarding = ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"];
    start.of_new_namespaces = forwarding.map(|key| (key.parse().unwrap(), "0".to_owned())).into();
    let here = start.here_mut();
    *here = std::mem::take(here).with_default_rules();
    for (index, name) in (1..).zip(["lo", "eth1", "eth2", "eth3"]) {
        let name: IfName = name.parse().unwrap();
        let mac = format!("02:00:00:00:00:{index:02}").parse().ok();
        here.details.insert(name.clone(), Details { index, mac, mtu: 1500, alias: None, peer: None });
        here.links.insert(name, Link { kind: LinkKind::Physical, master: None, up: false });
    }
    let mut start = Simulated(start);
    for name in ["dummybr0", "dummybr1"] {
        let kind = LinkKind::Bridge(BridgeOptions::default());
        start.apply(&Act::here(Op::LinkAdd(NewLink { name: name.parse().unwrap(), kind }))).unwrap();
    }
    start
}

/// The records of stanzas that were applied.
fn records(targets: &Targets, state: &State) -> BTreeMap<IfName, Applied> {
    let record = |iface: &IfName, section: &Section| {
        let index = state.details.get(iface).map(|details| details.index);
        Applied { sections: vec![Section { index, ..section.clone() }], ..Applied::default() }
    };
    let known = targets.known.iter();
    known.map(|target| (target.iface.clone(), record(&target.iface, &target.section))).collect()
}

/// Makes all changes on the model, as `transaction` does. False if there is a conflict, or not all can be made.
fn apply(targets: &Targets, kernel: &mut Simulated) -> bool {
    for disruptive in [true, false] {
        let found = targets.look(kernel).unwrap();
        let mode = if disruptive { Mode::Apply { disruptive } } else { Mode::Rest };
        let changes = pending(targets, &found, mode);
        let is_wrong = changes.pending.iter().any(|pending| !pending.problems.is_empty());
        if is_wrong || changes.awaited().next().is_some() {
            return false;
        }
        let (plan, _) = in_sequence(&changes);
        kernel.assume_all(&plan);
        if !deletes_more(&plan, &found) {
            break;
        }
    }
    // The stock `link` does this, which is read as ours.
    for target in &targets.known {
        kernel.0.here_mut().links.get_mut(&target.iface).into_iter().for_each(|link| link.up = true);
    }
    // The sysctls of a link are where it is.
    let located: Vec<IfName> = kernel.0.located.keys().cloned().collect();
    for iface in located {
        kernel.0.here_mut().sysctls.retain(|key, _| !key.to_string().contains(&format!(".{iface}.")));
    }
    // The kernel picks an address for each new link.
    kernel.0.places.update_all(|_, state| {
        let has_none = |_: &IfName, details: &Details| details.mac.is_none();
        state.details.update(has_none, |_, details| details.mac = "02:00:00:00:00:99".parse().ok());
    });
    true
}

/// What stays although it was removed from the stanza of the bridge or the card.
const KEPT: [(&str, &str); 1] = [(
    "    use bridge\n    bridge-pathcost 10\n",
    "the kernel computes the cost when the port joins; a warning says so",
)];

/// The costs of an edit; `None` if one of the files cannot be applied.
fn costs(installation: &Installation, from: &str, to: &str) -> Option<Vec<String>> {
    let old = installation.targets(from, &BTreeMap::new());
    let new = installation.targets(to, &BTreeMap::new());
    if !old.wrong.is_empty() || !new.wrong.is_empty() {
        return None;
    }
    let mut kernel = start(&[&old, &new]);
    let mut fresh = kernel.clone();
    if !apply(&old, &mut kernel) {
        return None;
    }
    let new = installation.targets(to, &records(&old, kernel.0.here()));
    let found = new.look(&mut kernel).unwrap();
    let changes = pending(&new, &found, Mode::Apply { disruptive: false });
    let Verdict { refused, .. } = judge(&new, &found, &changes, false, &mut kernel).unwrap();
    let is_possible = refused.is_empty() || refused.iter().any(|line| line.ends_with("--disruptive"));
    let about = format!("{from}\nto\n{to}");
    assert_eq!(apply(&new, &mut kernel), is_possible, "{about}");
    assert_eq!(apply(&installation.targets(to, &BTreeMap::new()), &mut fresh), is_possible, "{about}");
    if !is_possible {
        return None;
    }
    let (is, should) = (lines(&kernel.0), lines(&fresh.0));
    let missing = should.difference(&is).map(|line| format!("- {line}"));
    let difference: Vec<_> = missing.chain(is.difference(&should).map(|line| format!("+ {line}"))).collect();
    let is_kept = KEPT.iter().any(|(line, _)| from.contains(line) && !to.contains(line));
    assert!(is_kept || difference.is_empty(), "{about}\n{difference:#?}");
    Some(refused)
}

/// The state, a line each object.
fn lines(state: &Snapshot) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for (place, state) in &state.places {
        lines.extend(state.links.iter().map(|link| format!("{place:?} {link:?}")));
        let details = state.details.iter();
        lines.extend(details.map(|(name, details)| {
            let details = Details { index: 0, peer: None, ..details.clone() };
            format!("{place:?} {name} {details:?}")
        }));
        lines.extend(state.rules.iter().map(|rules| format!("{place:?} {rules:?}")));
        lines.extend(state.routes.iter().map(|route| format!("{place:?} {route:?}")));
        let addresses = state.addresses.iter();
        let addresses =
            addresses.flat_map(|(name, all)| all.iter().map(move |address| format!("{name} {address:?}")));
        lines.extend(addresses.map(|address| format!("{place:?} {address:?}")));
        lines.extend(state.sysctls.iter().map(|sysctl| format!("{place:?} {sysctl:?}")));
        lines.extend(state.records.iter().map(|record| format!("{place:?} {record:?}")));
        let bridging = &state.bridging;
        lines.extend(bridging.ports.iter().map(|port| format!("{place:?} {port:?}")));
        lines.extend(bridging.vlans.iter().map(|vlans| format!("{place:?} {vlans:?}")));
        lines.extend(
            bridging.fdb.iter().filter(|(_, all)| !all.is_empty()).map(|fdb| format!("{place:?} {fdb:?}")),
        );
    }
    // The model forgets the sysctls of a link that is elsewhere.
    lines.retain(|line| !line.contains(".eth1.disable_ipv6"));
    lines
}

/// What an edit costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cost {
    /// No stanza that can be applied.
    Invalid,
    Nothing,
    /// A link leaves its bridge or VRF, or joins one.
    Master,
    /// The interface leaves one namespace for another one.
    Moved,
    /// The interface is taken down and made again.
    Again,
}

impl Cost {
    fn of(costs: Option<&[String]>) -> Self {
        let has = |costs: &[String], text: &str| costs.iter().any(|line| line.contains(text));
        match costs {
            None => Self::Invalid,
            Some([]) => Self::Nothing,
            Some(costs) if has(costs, " ends its connections") => Self::Moved,
            Some(costs)
                if costs
                    .iter()
                    .any(|line| line.contains(" down` interrupts") && !line.contains("nomaster down")) =>
            {
                Self::Again
            }
            Some(costs) if has(costs, "master") => Self::Master,
            Some(costs) => panic!("{costs:?}"),
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Invalid => "-",
            Self::Nothing => "in place",
            Self::Master => "_master_",
            Self::Moved => "_moved_",
            Self::Again => "_again_",
        }
    }
}

/// What the kernel test `ifnetlink/edited` shows and the model does not: what an ifup inside a namespace did.
const BESIDE_THE_MODEL: [(&str, usize, Cost); 1] = [("netns-interfaces", 0, Cost::Moved)];

/// The list for the page: a table of the keywords of which an edit interrupts, and the others. If several edits of the
/// table have a keyword, the one that costs most counts.
fn list() -> String {
    let installation = Installation::new("interrupts", false);
    let mut all: BTreeMap<&str, [Cost; 3]> = BTreeMap::new();
    for edit in TABLES.into_iter().flatten() {
        let of_keyword = all.entry(edit.keyword).or_insert([Cost::Invalid; 3]);
        for (known, (_, from, to)) in of_keyword.iter_mut().zip(edit.files_in_use()) {
            *known = Cost::of(costs(&installation, &from, &to).as_deref()).max(*known);
        }
    }
    for (keyword, which, cost) in BESIDE_THE_MODEL {
        if let Some(known) = all.get_mut(keyword).and_then(|costs| costs.get_mut(which)) {
            *known = cost.max(*known);
        }
    }
    let interrupts = |costs: &[Cost; 3]| costs.iter().any(|cost| *cost > Cost::Nothing);
    let mut text = "[[ *keyword*\n:[ *changed*\n:[ *removed*\n:[ *added*\n".to_owned();
    for (keyword, costs) in all.iter().filter(|(_, costs)| interrupts(costs)) {
        let [changed, removed, added] = costs.map(Cost::text);
        let _ = write!(text, "|  *{keyword}*\n:  {changed}\n:  {removed}\n:  {added}\n");
    }
    text += "\n";
    let rest: Vec<String> = all
        .iter()
        .filter(|(_, costs)| !interrupts(costs))
        .map(|(keyword, _)| format!("*{keyword}*"))
        .collect();
    let words = format!("{BEGIN_OF_REST} {}.", rest.join(", "));
    let mut width = 0;
    for word in words.split(' ') {
        if width + word.len() > 118 {
            text.push('\n');
            width = 0;
        } else if width > 0 {
            text.push(' ');
        }
        text += word;
        width += word.len() + 1;
    }
    text + "\n"
}

const BEGIN_OF_REST: &str = "All edits of these keywords are made in place:";

#[test]
fn the_page_says_which_edits_interrupt() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ifnetlink.8.scd");
    let page = fs::read_to_string(&path).unwrap();
    let start = page.find("[[ *keyword*\n").expect("the table");
    let rest = start + page[start..].find(BEGIN_OF_REST).expect(BEGIN_OF_REST);
    let end = rest + page[rest..].find("\n\n").unwrap() + 1;
    let list = list();
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, format!("{}{list}{}", &page[..start], &page[end..])).unwrap();
    } else {
        assert!(page[start..end] == list, "run `BLESS=1 cargo test --bin ifnetlink`, which writes\n{list}");
    }
}

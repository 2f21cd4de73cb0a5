//! The output of `ifnetlink show`, as text.

use super::view::{Bridge, End, View, Vrf, Within};
use ifupdown_ng_netlink::stanza::one_line;
use ifupdown_ng_netlink::state::{OUR_PROTOCOL, Place, Route};
use ifupdown_ng_netlink::values::{Family, IfName, Vid, VlanSet};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// How a word looks in a terminal with colours: the parameter of SGR (ECMA-48).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    Plain = 0,
    Heading = 1,
    Up = 32,
    Down = 31,
    Ours = 36,
}

/// A word in a column.
struct Cell(String, Look);

impl<T: ToString> From<T> for Cell {
    fn from(text: T) -> Self {
        Self(one_line(&text.to_string()), Look::Plain)
    }
}

/// The text so far.
struct Drawing {
    text: String,
    colours: bool,
    indent: usize,
}

/// Draws everything; with colours or without.
pub fn draw(view: &View, colours: bool) -> String {
    let mut drawing = Drawing { text: String::new(), colours, indent: 0 };
    for within in &view.places {
        drawing.within(within);
    }
    if !view.pairs.is_empty() {
        drawing.heading("veth pairs", None);
        let row = |[one, other]: &[End; 2]| {
            let mut row = end_cells(one, true);
            row.push("--".into());
            row.extend(end_cells(other, true));
            row
        };
        drawing.table(view.pairs.iter().map(row).collect());
    }
    drawing.text
}

fn up_or_down(up: bool) -> Cell {
    if up { Cell("up".to_owned(), Look::Up) } else { Cell("down".to_owned(), Look::Down) }
}

fn end_cells(end: &End, placed: bool) -> Vec<Cell> {
    let name = match &end.place {
        Place::In(netns) if placed => format!("{netns}: {}", end.name),
        _ => end.name.to_string(),
    };
    let addresses: Vec<String> = end.addresses.iter().map(ToString::to_string).collect();
    vec![name.into(), up_or_down(end.up), addresses.join(" ").into()]
}

fn ours(protocol: u8) -> Cell {
    let text = if protocol == OUR_PROTOCOL { "ours" } else { "" };
    Cell(text.to_owned(), Look::Ours)
}

impl Drawing {
    fn within(&mut self, within: &Within) {
        if let Some(netns) = &within.netns {
            let made = if within.ours { Cell("ours".to_owned(), Look::Ours) } else { "".into() };
            self.heading(&format!("namespace {netns}"), Some(made));
            self.indent += 2;
            self.table(within.links.iter().map(|link| end_cells(link, false)).collect());
        }
        within.vrfs.iter().for_each(|vrf| self.vrf(vrf));
        for family in Family::BOTH {
            let rules: Vec<_> = within.rules.iter().filter(|rule| rule.family == family).collect();
            if rules.is_empty() {
                continue;
            }
            self.heading(&format!("{family} rules"), None);
            let row = |rule: &&ifupdown_ng_netlink::state::Rule| {
                let selective = if rule.selective { "for some packets" } else { "" };
                let place = format!("{:>5}", rule.priority);
                vec![place.into(), rule.action.into(), selective.into(), ours(rule.protocol)]
            };
            self.table(rules.iter().map(row).collect());
        }
        within.bridges.iter().for_each(|bridge| self.bridge(bridge));
        if within.netns.is_some() {
            self.indent -= 2;
        }
    }

    fn vrf(&mut self, vrf: &Vrf) {
        self.heading(&format!("VRF {} table {}", vrf.name, vrf.table), Some(up_or_down(vrf.up)));
        let members: Vec<&str> = vrf.members.iter().map(IfName::as_str).collect();
        if !members.is_empty() {
            self.table(vec![vec!["members".into(), members.join(" ").into()]]);
        }
        let route = |route: &Route| vec![route_words(route).into(), ours(route.protocol)];
        self.table(vrf.routes.iter().map(route).collect());
    }

    fn bridge(&mut self, bridge: &Bridge) {
        let filtering = if bridge.options.filtering == Some(true) { " VLANs" } else { "" };
        self.heading(&format!("bridge {}{filtering}", bridge.name), Some(up_or_down(bridge.up)));
        if filtering.is_empty() {
            let ports: Vec<&str> = bridge.members.iter().skip(1).map(|(port, _)| port.as_str()).collect();
            if !ports.is_empty() {
                self.table(vec![vec!["ports".into(), ports.join(" ").into()]]);
            }
            return;
        }
        let columns = columns(bridge.members.iter().map(|(_, set)| set));
        let mut head: Vec<Cell> = vec!["".into()];
        head.extend(columns.iter().map(|(first, last)| {
            Cell::from(if first == last { first.to_string() } else { format!("{first}-{last}") })
        }));
        let row = |(name, set): &(_, VlanSet)| {
            let mut row: Vec<Cell> = vec![Cell::from(name)];
            row.extend(columns.iter().map(|(first, _)| Cell::from(membership(set, *first))));
            row
        };
        let mut rows = vec![head];
        rows.extend(bridge.members.iter().map(row));
        self.table(rows);
    }

    fn heading(&mut self, text: &str, state: Option<Cell>) {
        if self.indent == 0 && !self.text.is_empty() {
            self.text.push('\n');
        }
        let _ = write!(self.text, "{:1$}", "", self.indent);
        self.word(&one_line(text), Look::Heading);
        if let Some(Cell(text, look)) = state.filter(|Cell(text, _)| !text.is_empty()) {
            self.text.push(' ');
            self.word(&text, look);
        }
        self.text.push('\n');
    }

    /// Rows in columns, each as wide as its widest word.
    fn table(&mut self, rows: Vec<Vec<Cell>>) {
        let mut widths: Vec<usize> = Vec::new();
        for row in &rows {
            for (place, Cell(text, _)) in row.iter().enumerate() {
                widths.resize(widths.len().max(place + 1), 0);
                widths[place] = widths[place].max(text.chars().count());
            }
        }
        for row in rows {
            let _ = write!(self.text, "{:1$}", "", self.indent + 2);
            for (Cell(text, look), width) in row.iter().zip(&widths) {
                self.word(text, *look);
                let blanks = width - text.chars().count() + if *width == 0 { 0 } else { 2 };
                let _ = write!(self.text, "{:blanks$}", "");
            }
            self.text.truncate(self.text.trim_end_matches(' ').len());
            self.text.push('\n');
        }
    }

    fn word(&mut self, text: &str, look: Look) {
        if self.colours && look != Look::Plain && !text.is_empty() {
            let _ = write!(self.text, "\u{1b}[{}m{text}\u{1b}[0m", look as u8);
        } else {
            self.text.push_str(text);
        }
    }
}

/// A route without what its VRF's heading already shows.
fn route_words(route: &Route) -> String {
    let text = Route { protocol: 0, ..route.clone() }.to_string();
    text.replace(&format!(" table {}", route.table), "")
}

/// The VLANs of all these sets, in as few ranges as possible. Each set has all of a range or none of it.
fn columns<'a>(sets: impl Iterator<Item = &'a VlanSet> + Clone) -> Vec<(Vid, Vid)> {
    let (mut begins, mut known) = (BTreeSet::new(), VlanSet::default());
    for range in sets.flat_map(VlanSet::ranges) {
        begins.extend([range.first.get(), range.last.get() + 1]);
        known.insert(range);
    }
    let begins: Vec<u16> = begins.into_iter().collect();
    let columns = begins.windows(2).filter_map(|pair| Some((Vid::new(pair[0])?, Vid::new(pair[1] - 1)?)));
    columns.filter(|(first, _)| known.contains(*first)).collect()
}

/// How a member of a bridge carries a VLAN: `P` if it is the PVID, `U` if frames go out untagged, `T` if tagged.
fn membership(set: &VlanSet, vid: Vid) -> String {
    let range = set.ranges().into_iter().find(|range| (range.first..=range.last).contains(&vid));
    range.map_or_else(
        || ".".to_owned(),
        |range| format!("{}{}", if range.pvid { "P" } else { "" }, if range.untagged { "U" } else { "T" }),
    )
}

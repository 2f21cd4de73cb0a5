//! The output of `ifnetlink show` as text.

use super::view::{Both, Bridge, Far, Shown, View, Vrf, Within};
use super::vlans;
use ifupdown_ng_netlink::stanza::environment::Output;
use ifupdown_ng_netlink::stanza::one_line;
use ifupdown_ng_netlink::state::{OUR_PROTOCOL, Place, Route};
use ifupdown_ng_netlink::values::{Vid, VlanSet};
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

/// Words in a column.
struct Cell(String, Look);

impl<T: ToString> From<T> for Cell {
    fn from(text: T) -> Self {
        Self(one_line(&text.to_string()), Look::Plain)
    }
}

/// The meaning of each mark.
const LEGEND: [(&str, &str); 4] = [
    ("P", "untagged frames that arrive belong to this VLAN (PVID)"),
    ("U", "frames of this VLAN leave untagged"),
    ("T", "frames of this VLAN leave tagged"),
    ("ours", "added by ifupdown-ng-netlink"),
];

/// The shortest line that text is wrapped to.
const NARROWEST: usize = 40;

/// The text so far.
struct Drawing {
    text: String,
    colours: bool,
    width: usize,
    indent: usize,
    /// The marks that the text has.
    marks: BTreeSet<&'static str>,
}

/// Draws everything.
pub fn draw(view: &View, output: &Output) -> String {
    let mut drawing = Drawing {
        text: String::new(),
        colours: output.colours,
        width: output.width.max(NARROWEST),
        indent: 0,
        marks: BTreeSet::new(),
    };
    for within in &view.places {
        drawing.within(within);
    }
    if output.terminal {
        drawing.legend();
    }
    drawing.text
}

fn up_or_down(up: bool) -> Cell {
    if up { Cell("up".to_owned(), Look::Up) } else { Cell("down".to_owned(), Look::Down) }
}

fn addresses(link: &Shown) -> Cell {
    let texts: Vec<String> = link.addresses.iter().map(ToString::to_string).collect();
    texts.join(" ").into()
}

/// What a link is: its kind, and the links that it refers to.
fn about(link: &Shown, own: &Place, with_master: bool) -> String {
    let mut words = Vec::new();
    let at = |far: &Far| match far {
        Far::At(place, name) if place == own => name.to_string(),
        Far::At(Place::In(netns), name) => format!("{name} in {netns}"),
        Far::At(Place::Here, name) => format!("{name} outside"),
        Far::Elsewhere => "in another namespace".to_owned(),
    };
    words.extend(link.kind.clone());
    if let Some(lower) = &link.lower {
        let text = format!("{} on {}", words.pop().unwrap_or_default(), at(lower));
        words.push(text.trim_start().to_owned());
    }
    words.extend(link.peer.as_ref().map(|peer| format!("peer {}", at(peer))));
    words.extend(
        link.allowed.as_ref().map(|(_, dropped)| {
            format!("bridge-allow dropped {} in, {} out", dropped.received, dropped.sent)
        }),
    );
    if with_master {
        words.extend(link.master.as_ref().map(|master| format!("master {master}")));
    }
    words.join(", ")
}

impl Drawing {
    fn within(&mut self, within: &Within) {
        if let Some(netns) = &within.netns {
            let ours = if within.ours { self.ours() } else { "".into() };
            self.heading(&format!("namespace {netns}"), &[ours]);
            self.indent += 2;
        }
        self.links(within);
        within.vrfs.iter().for_each(|vrf| self.vrf(within, vrf));
        within.bridges.iter().for_each(|bridge| self.bridge(within, bridge));
        if within.has_notable_rules() {
            self.rules(&within.rules);
        }
        if within.netns.is_some() {
            self.indent -= 2;
        }
    }

    /// The links that are neither VRFs nor bridges, and are shown with none.
    fn links(&mut self, within: &Within) {
        let is_alone = |link: &&Shown| {
            let has_block = link.master.as_ref().is_some_and(|master| within.is_master(master));
            link.notable && !has_block && !within.is_master(&link.name)
        };
        let links: Vec<&Shown> = within.links.iter().filter(is_alone).collect();
        if links.is_empty() {
            return;
        }
        if within.netns.is_none() {
            self.heading("links", &[]);
        }
        let place = within.place();
        let rows = links.into_iter().map(|link| {
            let vlans = link.vlans.as_ref().filter(|_| link.filtering).map(|set| self.vlans(set));
            let vlans = vlans.unwrap_or_default();
            let vlans = if vlans.is_empty() { vlans } else { format!("VLANs {vlans}") };
            vec![
                Cell::from(&link.name),
                up_or_down(link.up),
                about(link, &place, true).into(),
                vlans.into(),
                addresses(link),
            ]
        });
        let rows = rows.collect();
        self.table(rows);
    }

    fn rules(&mut self, rules: &[Both]) {
        self.heading("rules", &[]);
        let rows = rules.iter().map(|Both { families, rule }| {
            let priority = format!("{:>5}", rule.priority);
            let families: Vec<String> =
                families.iter().map(|family| family.to_string().to_lowercase()).collect();
            let selective = if rule.selective { "for some packets" } else { "" };
            let ours = self.ours_if(rule.protocol);
            vec![priority.into(), rule.action.into(), families.join(" ").into(), selective.into(), ours]
        });
        let rows = rows.collect();
        self.table(rows);
    }

    fn vrf(&mut self, within: &Within, vrf: &Vrf) {
        let (state, own) = own_cells(within.link(&vrf.name));
        self.heading(&format!("VRF {} table {}", vrf.name, vrf.table), &[state, own]);
        let place = within.place();
        let members = vrf.members.iter().filter_map(|name| within.link(name));
        let members = members.map(|link| {
            let about = about(link, &place, false);
            vec![Cell::from(&link.name), up_or_down(link.up), about.into(), addresses(link)]
        });
        self.table(members.collect());
        let routes =
            vrf.routes.iter().map(|route| vec![route_words(route).into(), self.ours_if(route.protocol)]);
        let routes = routes.collect();
        self.table(routes);
    }

    fn bridge(&mut self, within: &Within, bridge: &Bridge) {
        let own = within.link(&bridge.name);
        let filtering = own.is_some_and(|link| link.filtering);
        let (state, address) = own_cells(own);
        let vlans = if filtering { " VLANs" } else { "" };
        self.heading(&format!("bridge {}{vlans}", bridge.name), &[state, address]);
        let ports = bridge.ports.iter().filter_map(|name| within.link(name));
        let members: Vec<&Shown> = own.filter(|_| filtering).into_iter().chain(ports).collect();
        let place = within.place();
        let last = |link: &Shown| {
            // The heading has those of the bridge itself.
            if link.name == bridge.name {
                return Vec::new();
            }
            vec![about(link, &place, false).into(), addresses(link)]
        };
        let first = |link: &Shown| vec![Cell::from(&link.name), up_or_down(link.up)];
        if !filtering {
            let rows = members.iter().map(|link| [first(link), last(link)].into_iter().flatten().collect());
            return self.table(rows.collect());
        }
        let set = |link: &&Shown| link.vlans.clone().unwrap_or_default();
        let sets: Vec<VlanSet> = members.iter().map(set).collect();
        let columns = vlans::columns(sets.iter());
        let numbers: Vec<String> = columns.iter().map(|range| vlans::numbers(*range)).collect();
        let names = members.iter().map(|link| link.name.as_str().chars().count()).max().unwrap_or_default();
        let table = numbers.iter().map(|text| text.len().max(2) + 2).sum::<usize>();
        let as_columns = self.indent + 2 + names + "  down".len() + table <= self.width;
        let mut rows: Vec<Vec<Cell>> = Vec::new();
        if as_columns {
            let head = ["", ""].into_iter().map(Cell::from);
            rows.push(head.chain(numbers.into_iter().map(Cell::from)).collect());
        }
        for (link, set) in members.iter().zip(&sets) {
            let mut row = first(link);
            if as_columns {
                row.extend(columns.iter().map(|(vid, _)| Cell::from(self.membership(set, *vid))));
            } else {
                row.push(self.vlans(set).into());
            }
            row.extend(last(link));
            rows.push(row);
        }
        self.table(rows);
    }

    fn ours(&mut self) -> Cell {
        self.marks.insert("ours");
        Cell("ours".to_owned(), Look::Ours)
    }

    fn ours_if(&mut self, protocol: u8) -> Cell {
        if protocol == OUR_PROTOCOL { self.ours() } else { "".into() }
    }

    fn vlans(&mut self, set: &VlanSet) -> String {
        let text = vlans::words(set);
        self.note(&text);
        text
    }

    fn membership(&mut self, set: &VlanSet, vid: Vid) -> &'static str {
        let text = vlans::membership(set, vid);
        self.note(text);
        text
    }

    /// Notes the marks in the text of some VLANs.
    fn note(&mut self, text: &str) {
        self.marks.extend(["P", "U", "T"].into_iter().filter(|mark| text.contains(*mark)));
    }

    fn legend(&mut self) {
        let marks = std::mem::take(&mut self.marks);
        let used = LEGEND.into_iter().filter(|(mark, _)| marks.contains(mark));
        let rows: Vec<Vec<Cell>> = used.map(|(mark, text)| vec![mark.into(), text.into()]).collect();
        if !rows.is_empty() {
            self.text.push('\n');
            self.table(rows);
        }
    }

    fn heading(&mut self, text: &str, cells: &[Cell]) {
        if self.indent == 0 && !self.text.is_empty() {
            self.text.push('\n');
        }
        let _ = write!(self.text, "{:1$}", "", self.indent);
        let text = one_line(text);
        self.word(&text, Look::Heading);
        let mut at = self.indent + text.chars().count();
        for cell in cells.iter().filter(|Cell(text, _)| !text.is_empty()) {
            let start = at + if cell.1 == Look::Plain { 2 } else { 1 };
            self.cell(cell, &mut at, start, self.indent + 4);
        }
        self.text.push('\n');
    }

    /// Rows in columns. What does not fit into a line continues on the next one.
    fn table(&mut self, rows: Vec<Vec<Cell>>) {
        let indent = self.indent + 2;
        let length = |Cell(text, _): &Cell| text.chars().count();
        // A long text, such as a list of addresses, does not widen its column.
        let longest = self.width.saturating_sub(indent) * 3 / 4;
        let mut widths: Vec<usize> = Vec::new();
        for (place, cell) in rows.iter().flat_map(|row| row.iter().enumerate()) {
            widths.resize(widths.len().max(place + 1), 0);
            if length(cell) <= longest {
                widths[place] = widths[place].max(length(cell));
            }
        }
        for row in rows {
            let _ = write!(self.text, "{:indent$}", "");
            let (mut at, mut column) = (indent, indent);
            for (cell, width) in row.iter().zip(&widths) {
                if !cell.0.is_empty() {
                    let start = if at > column { at + 2 } else { column };
                    self.cell(cell, &mut at, start, indent + 4);
                }
                column += width + if *width == 0 { 0 } else { 2 };
            }
            self.text.push('\n');
        }
    }

    /// Words from a column on. If they do not fit, they continue below that column, or below `back` if too little room
    /// is left there. `at` is the column where the line ends.
    fn cell(&mut self, Cell(text, look): &Cell, at: &mut usize, start: usize, back: usize) {
        // A number may have blanks before it.
        let begin = text.len() - text.trim_start().len();
        let ends = text[begin..].split(' ').map(|word| word.chars().count()).max().unwrap_or_default();
        let below = if start + begin + ends <= self.width { start } else { back };
        let mut gap = start.saturating_sub(*at) + begin;
        for word in text[begin..].split(' ') {
            let length = word.chars().count();
            if *at + gap + length > self.width && *at > back.min(below) {
                let _ = write!(self.text, "\n{:below$}", "");
                *at = below;
                gap = 0;
            }
            let _ = write!(self.text, "{:gap$}", "");
            self.word(word, *look);
            *at += gap + length;
            gap = 1;
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

/// The state and the addresses of a VRF or bridge.
fn own_cells(link: Option<&Shown>) -> (Cell, Cell) {
    link.map_or_else(|| ("".into(), "".into()), |link| (up_or_down(link.up), addresses(link)))
}

/// A route without what its VRF's heading already shows.
fn route_words(route: &Route) -> String {
    let text = Route { protocol: 0, ..route.clone() }.to_string();
    text.replace(&format!(" table {}", route.table), "")
}

//! The output of `ifnetlink show` as a graph for graphviz: namespaces, VRFs and bridges are clusters; memberships, veth
//! pairs and links on top of others are edges.

use super::view::{Far, Shown, View, Within};
use super::vlans;
use ifupdown_ng_netlink::stanza::one_line;
use ifupdown_ng_netlink::state::Place;
use ifupdown_ng_netlink::values::IfName;
use std::fmt::Write as _;

/// How many clusters can be in each other: more than the kernel lets links be stacked (net/core/dev.c `MAX_NEST_DEV`).
/// It ends the nesting if links change meanwhile.
const DEEPEST: usize = 10;

/// The graph, in the language of dot(1).
pub fn dot(view: &View) -> String {
    let mut graph = Graph { text: "graph ifnetlink {\n  node [shape=box];\n".to_owned(), indent: 2 };
    for within in &view.places {
        match &within.netns {
            None => graph.roots(within),
            Some(netns) => {
                let name = format!("namespace {netns}");
                graph.cluster(&name, &name, |graph| graph.roots(within));
            }
        }
    }
    for within in &view.places {
        graph.edges(view, within);
    }
    graph.text.push_str("}\n");
    graph.text
}

struct Graph {
    text: String,
    indent: usize,
}

impl Graph {
    fn line(&mut self, line: &str) {
        let _ = writeln!(self.text, "{:1$}{line}", "", self.indent);
    }

    fn cluster(&mut self, name: &str, label: &str, inner: impl FnOnce(&mut Self)) {
        // Graphviz draws a subgraph as a cluster if its name begins so.
        self.line(&format!("subgraph {} {{", quoted(&format!("cluster {name}"))));
        self.indent += 2;
        self.line(&format!("label={};", quoted(label)));
        inner(self);
        self.indent -= 2;
        self.line("}");
    }

    /// The links that are in no VRF or bridge of this namespace, each with all that is in it.
    fn roots(&mut self, within: &Within) {
        let is_in = |link: &Shown| link.master.as_ref().is_some_and(|master| within.is_master(master));
        within
            .links
            .iter()
            .filter(|link| link.notable && !is_in(link))
            .for_each(|link| self.link(within, link, 0));
    }

    fn link(&mut self, within: &Within, link: &Shown, depth: usize) {
        let vrf = within.vrfs.iter().find(|vrf| vrf.name == link.name);
        let label = match vrf {
            Some(vrf) => format!("VRF {}, table {}", vrf.name, vrf.table),
            None => format!("bridge {}", link.name),
        };
        if within.is_master(&link.name) && depth < DEEPEST {
            let name =
                format!("{} {}", link.kind.as_deref().unwrap_or_default(), id(&within.place(), &link.name));
            self.cluster(&name, &label, |graph| {
                graph.node(within, link);
                let members = within.links.iter().filter(|member| member.master.as_ref() == Some(&link.name));
                members.for_each(|member| graph.link(within, member, depth + 1));
            });
        } else {
            self.node(within, link);
        }
    }

    fn node(&mut self, within: &Within, link: &Shown) {
        let mut label = link.name.to_string();
        for address in &link.addresses {
            let _ = write!(label, "\n{address}");
        }
        let style = if link.up { "" } else { ", style=dashed" };
        let node = quoted(&id(&within.place(), &link.name));
        self.line(&format!("{node} [label={}{style}];", quoted(&label)));
    }

    fn edges(&mut self, view: &View, within: &Within) {
        let place = within.place();
        for link in within.links.iter().filter(|link| link.notable) {
            let own = (&place, &link.name);
            if let Some(master) = link.master.as_ref().filter(|master| within.link(master).is_some()) {
                let vlans = link.vlans.as_ref().filter(|_| link.filtering).map(vlans::words);
                self.edge((&place, master), own, &vlans.unwrap_or_default(), "");
            }
            if let Some(Far::At(there, name)) = &link.peer {
                let other = (there, name);
                // Both ends name each other.
                if own < other || !has(view, other) {
                    self.edge(own, other, "veth", "bold");
                }
            }
            if let Some(Far::At(there, name)) = &link.lower {
                self.edge((there, name), own, link.kind.as_deref().unwrap_or_default(), "dashed");
            }
        }
    }

    fn edge(&mut self, one: (&Place, &IfName), other: (&Place, &IfName), label: &str, style: &str) {
        let mut line = format!("{} -- {}", quoted(&id(one.0, one.1)), quoted(&id(other.0, other.1)));
        let attributes =
            [("label", label), ("style", style)].into_iter().filter(|(_, value)| !value.is_empty());
        let attributes: Vec<String> =
            attributes.map(|(name, value)| format!("{name}={}", quoted(value))).collect();
        if !attributes.is_empty() {
            let _ = write!(line, " [{}]", attributes.join(", "));
        }
        self.line(&(line + ";"));
    }
}

/// Whether a link is in the graph.
fn has(view: &View, (place, name): (&Place, &IfName)) -> bool {
    let within = view.places.iter().find(|within| within.place() == *place);
    within.and_then(|within| within.link(name)).is_some_and(|link| link.notable)
}

/// The name of a node. Neither part can contain a slash.
fn id(place: &Place, name: &IfName) -> String {
    match place {
        Place::Here => name.to_string(),
        Place::In(netns) => format!("{netns}/{name}"),
    }
}

/// A string of the language. In labels, a backslash begins an escape too.
fn quoted(text: &str) -> String {
    let lines: Vec<String> =
        text.lines().map(|line| one_line(line).replace('\\', "\\\\").replace('"', "\\\"")).collect();
    format!("\"{}\"", lines.join("\\n"))
}

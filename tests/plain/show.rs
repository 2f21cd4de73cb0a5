//! What `ifnetlink show` prints of a state.
//!
//! The JSON is validated by an independent program with docs/ifnetlink.schema.json; the graph is read by graphviz.

#[path = "../../ifnetlink/show/dot.rs"]
mod dot;
#[path = "../../ifnetlink/show/draw.rs"]
mod draw;
#[path = "../../ifnetlink/show/filter.rs"]
mod filter;
#[path = "../../ifnetlink/show/json.rs"]
mod json;
#[path = "../../ifnetlink/show/view.rs"]
mod view;
#[path = "../../ifnetlink/show/vlans.rs"]
mod vlans;

use super::notation;
use super::pages::{checkout, pages};
use super::random::case;
use super::schema::Schema;
use super::support::skip;
use filter::{Filter, Missing};
use ifupdown_ng_netlink::stanza::environment::Output;
use ifupdown_ng_netlink::state::{Details, Peer, Place, Snapshot, State};
use ifupdown_ng_netlink::values::NetnsRef;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use view::View;

const KERNEL: &str = "
rule 4 0 lookup local proto kernel
rule 4 1000 l3mdev proto kernel
rule 4 2000 l3mdev unreachable proto 73
rule 4 32766 lookup main proto kernel
rule 6 0 lookup local proto kernel
rule 6 1000 l3mdev proto kernel
rule 6 2000 l3mdev unreachable proto 3
rule 6 5270 lookup 52 proto 3 selective
link lo physical up
address lo 127.0.0.1/8
address lo ::1/128
link sit0 sit
link red vrf 10 up
address red 127.0.0.1/8
link eth0 physical master red up
address eth0 10.20.30.40/24 proto 73
address eth0 fd00:30::40/64
link eth1 physical master red
link eth9 physical up
address eth9 203.0.113.7/24
route 192.0.2.0/24 via 10.0.0.1 dev eth0 table 10 proto 73
route unreachable 0.0.0.0/0 table 10 metric 4278198272 proto 3
link br0 bridge vlan_filtering 1 vlan_default_pvid 0 up
address br0 192.0.2.1/24
link br0.100 vlan up
address br0.100 10.1.0.1/24
link p1 physical master br0 up
link p2 physical master br0 up
vlan p1 10 pvid untagged
vlan p1 5 untagged
vlan p2 9-20
link br1 bridge
link p3 physical master br1 up
vlan p3 1 pvid untagged
link v0 veth up
address v0 10.0.0.1/24
link v9 veth
netns blue ours
in blue link eth0 veth
in blue address eth0 10.0.0.2/24
in blue rule 4 32766 lookup main proto kernel
netns office foreign
";

/// Adds indexes, and the links that these refer to: the ends of a pair, one end of another pair, and a VLAN.
fn found() -> Snapshot {
    let mut found = indexed(notation::parse(KERNEL));
    let blue = Place::In(NetnsRef::Name("blue".to_owned()));
    let peer = |index, nsid| Some(Peer { index, nsid });
    let (v0, eth0) = (index(&found, &Place::Here, "v0"), index(&found, &blue, "eth0"));
    let br0 = index(&found, &Place::Here, "br0");
    for (place, name, peer) in [
        (&Place::Here, "v0", peer(eth0, Some(4))),
        (&blue, "eth0", peer(v0, Some(0))),
        (&Place::Here, "v9", peer(7, Some(9))),
        (&Place::Here, "br0.100", peer(br0, None)),
        (&Place::Here, "sit0", peer(0, None)),
    ] {
        found.places.get_mut(place).unwrap().details.get_mut(name).unwrap().peer = peer;
    }
    let lower = ("br0.100".parse().unwrap(), "br0".parse().unwrap());
    found.here_mut().bridging.lower.extend([lower]);
    found.here_mut().nsids.insert(blue.clone(), 4);
    found.places.get_mut(&blue).unwrap().nsids.insert(Place::Here, 0);
    found
}

/// Gives each link an index and a MTU.
fn indexed(mut found: Snapshot) -> Snapshot {
    found.places.update_all(|_, state| {
        let state: &mut State = state;
        for (index, name) in (100..).zip(state.links.keys()) {
            let details =
                Details { index, mac: "02:00:00:00:00:01".parse().ok(), mtu: 1500, alias: None, peer: None };
            state.details.entry(name.clone()).or_insert(details);
        }
    });
    found
}

fn index(found: &Snapshot, place: &Place, name: &str) -> u32 {
    found.at(place).details.get(name).unwrap().index
}

const FILE: Output = Output { terminal: false, colours: false, width: 80 };

fn view(found: &Snapshot) -> View {
    View::new(found, &Filter::default()).unwrap()
}

#[test]
fn everything_is_drawn_as_written() {
    let expected = "\
links
  br0.100  up    vlan on br0                      10.1.0.1/24
  eth9     up                                     203.0.113.7/24
  v0       up    veth, peer eth0 in blue          10.0.0.1/24
  v9       down  veth, peer in another namespace

VRF red table 10 up  127.0.0.1/8
  eth0  up    10.20.30.40/24 fd00:30::40/64
  eth1  down
  192.0.2.0/24 via 10.0.0.1 dev eth0     ours
  unreachable default metric 4278198272

bridge br0 VLANs up  192.0.2.1/24
           5  9  10  11-20
  br0  up  .  .  .   .
  p1   up  U  .  PU  .
  p2   up  .  T  T   T

bridge br1 down
  p3  up

rules
      0  table local         ipv4 ipv6
   1000  l3mdev              ipv4 ipv6
   2000  l3mdev unreachable  ipv4                         ours
   2000  l3mdev unreachable  ipv6
   5270  table 52            ipv6       for some packets
  32766  table main          ipv4

namespace blue ours
    eth0  down  veth, peer v0 outside  10.0.0.2/24
    lo    down

namespace office
    lo  down
";
    assert_eq!(draw::draw(&view(&found()), &FILE), expected);
}

/// The kernel keeps its rule for VRFs after the last one is gone.
#[test]
fn rules_are_drawn_if_one_is_not_of_the_kernel() {
    let usual = "
rule 4 0 lookup local proto kernel
rule 4 1000 l3mdev proto kernel
rule 4 32766 lookup main proto kernel
rule 4 32767 lookup default proto kernel
rule 6 0 lookup local proto kernel
rule 6 1000 l3mdev proto kernel
rule 6 32766 lookup main proto kernel
";
    let drawn = |text: &str| draw::draw(&view(&indexed(notation::parse(text))), &FILE);
    assert_eq!(drawn(usual), "");
    for other in [
        "rule 4 2000 l3mdev unreachable proto 73",
        "rule 6 5 lookup main proto kernel selective",
        "link red vrf 10",
    ] {
        assert!(drawn(&format!("{usual}{other}\n")).contains("rules\n"), "{other}");
    }
    assert_eq!(
        json::json(&view(&notation::parse(usual)))["namespaces"][0]["rules"].as_array().unwrap().len(),
        4
    );
}

#[test]
fn many_vlans_are_ranges_and_every_line_fits() {
    let mut kernel =
        "link br0 bridge vlan_filtering 1 up\nlink p1 physical master br0 up\nlink p2 veth master br0\n"
            .to_owned();
    kernel += "vlan p1 1 pvid untagged\nvlan p2 10\nvlan p2 20-30\nvlan p2 4094\nvlan p2 7 untagged\n";
    // As many ranges as cannot be columns of 80 characters.
    let odd: Vec<u16> = (101..183).step_by(2).collect();
    for vid in odd {
        let _ = writeln!(kernel, "vlan p1 {vid}");
    }
    let found = indexed(notation::parse(&kernel));
    let expected = "\
bridge br0 VLANs up
  br0  up
  p1   up    PU 1; T 101, 103, 105, 107, 109, 111, 113, 115, 117, 119, 121, 123,
             125, 127, 129, 131, 133, 135, 137, 139, 141, 143, 145, 147, 149,
             151, 153, 155, 157, 159, 161, 163, 165, 167, 169, 171, 173, 175,
             177, 179, 181
  p2   down  U 7; T 10, 20-30, 4094                                     veth
";
    let drawn = draw::draw(&view(&found), &FILE);
    assert_eq!(
        drawn.replace("  veth", "").split_whitespace().collect::<Vec<_>>(),
        expected.replace("  veth", "").split_whitespace().collect::<Vec<_>>()
    );
    assert_eq!(drawn.lines().take(6).collect::<Vec<_>>(), expected.lines().take(6).collect::<Vec<_>>());
    assert!(drawn.lines().last().unwrap().ends_with("  veth"), "{drawn}");
    assert!(drawn.lines().all(|line| line.chars().count() <= 80), "{drawn}");
    // A wide terminal has room for the columns.
    let wide = draw::draw(&view(&found), &Output { width: 400, ..FILE });
    assert!(wide.lines().nth(1).unwrap().contains("20-30  101  103"), "{wide}");
}

#[test]
fn no_line_is_longer_than_the_terminal_is_wide() {
    let mut long = found();
    let addresses =
        (1..30).map(|host| format!("address eth9 fd00:1111:2222:3333:4444:5555:6666:{host:x}/64"));
    let more = notation::parse(&addresses.collect::<Vec<_>>().join("\n"));
    long.here_mut().addresses.extend(more.here().addresses.clone());
    let route = "route fd00:1:2:3:4:5:6:7/128 via fe80::1 dev eth0 src fd00:30::40 metric 77 table 10 onlink proto 73";
    long.here_mut().routes.extend(notation::parse(route).here().routes.iter().cloned());
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let widest = draw::draw(&view(&long), &Output { width: 10_000, ..FILE });
    for width in (1..=120).chain([200]) {
        let drawn = draw::draw(&view(&long), &Output { width, ..FILE });
        for line in drawn.lines() {
            // One address alone may need 43 characters.
            let fits = line.chars().count() <= width.max(40) || line.split_whitespace().count() == 1;
            assert!(fits, "{width}: {line}");
        }
        if width >= 60 {
            assert_eq!(words(&drawn), words(&widest), "{width}");
        }
        assert_eq!(drawn.matches("fd00:1111").count(), 29, "{width}: {drawn}");
    }
}

#[test]
fn terminals_have_a_legend_of_the_marks_that_are_used() {
    let legend = |found: &Snapshot| {
        let (file, terminal) = (view(found), Output { terminal: true, ..FILE });
        let (file, terminal) = (draw::draw(&file, &FILE), draw::draw(&file, &terminal));
        terminal.strip_prefix(&file).expect("the same, then a legend").to_owned()
    };
    let expected = "
  P     untagged frames that arrive belong to this VLAN (PVID)
  U     frames of this VLAN leave untagged
  T     frames of this VLAN leave tagged
  ours  added by ifupdown-ng-netlink
";
    assert_eq!(legend(&found()), expected);
    let tagged = "link br0 bridge vlan_filtering 1 up\nvlan br0 9";
    assert_eq!(legend(&indexed(notation::parse(tagged))), "\n  T  frames of this VLAN leave tagged\n");
    assert_eq!(legend(&indexed(notation::parse("link eth0 physical"))), "");
}

#[test]
fn colours_change_nothing_but_colours() {
    let view = view(&found());
    let (plain, coloured) = (draw::draw(&view, &FILE), draw::draw(&view, &Output { colours: true, ..FILE }));
    let mut stripped = String::new();
    for (place, part) in coloured.split("\u{1b}[").enumerate() {
        let part = if place == 0 { part } else { part.split_once('m').unwrap().1 };
        stripped.push_str(part);
    }
    assert_eq!(stripped, plain);
    for heading in ["\u{1b}[1mVRF red table 10\u{1b}[0m \u{1b}[32mup\u{1b}[0m  ", "\u{1b}[31mdown\u{1b}[0m"] {
        assert!(coloured.contains(heading), "{coloured}");
    }
}

/// `show` with these words, each `netns=N`, `vrf=V` or a name: the links as `NAMESPACE/NAME`, or what is missing.
fn filtered(found: &Snapshot, words: &str) -> Result<Vec<String>, Vec<Missing>> {
    let mut filter = Filter::default();
    for word in words.split_whitespace() {
        match word.split_once('=') {
            Some(("netns", netns)) => filter.netns = Some(netns.to_owned()),
            Some((_, vrf)) => filter.vrf = Some(vrf.to_owned()),
            None => filter.names.push(word.to_owned()),
        }
    }
    let shown = json::json(&View::new(found, &filter)?);
    assert_eq!(Schema::of("show").validate(&shown), Ok(()), "{words}");
    let within = |within: &Value| {
        let netns = within["namespace"].as_str().unwrap_or_default().to_owned();
        let links = within["links"].as_array().unwrap().clone();
        links.into_iter().map(move |link| format!("{netns}/{}", link["name"].as_str().unwrap()))
    };
    Ok(shown["namespaces"].as_array().unwrap().iter().flat_map(within).collect())
}

#[test]
fn names_select_what_belongs_to_them() {
    let found = found();
    for (words, links) in [
        ("eth9", "/eth9"),
        ("eth0", "/eth0 blue/eth0"),
        ("red", "/eth0 /eth1 /red"),
        ("vrf=red", "/eth0 /eth1 /red"),
        ("br0", "/br0 /br0.100 /p1 /p2"),
        ("br0 v0", "/br0 /br0.100 /p1 /p2 /v0"),
        ("p1", "/p1"),
        ("lo", "/lo blue/lo office/lo"),
        ("blue", "blue/eth0 blue/lo"),
        ("netns=blue", "blue/eth0 blue/lo"),
        ("netns=blue eth0", "blue/eth0"),
        ("blue br1", "/br1 /p3 blue/eth0 blue/lo"),
        ("vrf=red eth1", "/eth1"),
    ] {
        let expected: Vec<String> = links.split(' ').map(str::to_owned).collect();
        assert_eq!(filtered(&found, words), Ok(expected), "{words}");
    }
    let name = |name: &str| Missing::Name(name.to_owned());
    for (words, missing) in [
        ("eth9 nil void", vec![name("nil"), name("void")]),
        ("vrf=nil", vec![Missing::Vrf("nil".to_owned())]),
        ("vrf=eth9", vec![Missing::Vrf("eth9".to_owned())]),
        ("netns=nil", vec![Missing::Netns("nil".to_owned())]),
        ("netns=blue eth9", vec![name("eth9")]),
        ("netns=blue vrf=red", vec![Missing::Vrf("red".to_owned())]),
        ("vrf=red eth9", vec![name("eth9")]),
    ] {
        assert_eq!(filtered(&found, words), Err(missing), "{words}");
    }
}

#[test]
fn what_is_named_is_drawn() {
    let drawn = |names: &[&str]| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        draw::draw(&View::new(&found(), &Filter { names, ..Filter::default() }).unwrap(), &FILE)
    };
    assert_eq!(drawn(&["p1"]), "links\n  p1  up  master br0  VLANs PU 10; U 5\n");
    assert_eq!(drawn(&["p3"]), "links\n  p3  up  master br1\n");
    assert_eq!(drawn(&["eth1"]), "links\n  eth1  down  master red\n");
    let text = "\
links
  lo  up  127.0.0.1/8 ::1/128

namespace blue ours
    lo  down

namespace office
    lo  down
";
    assert_eq!(drawn(&["lo"]), text);
    assert_eq!(drawn(&["office"]), "namespace office\n    lo  down\n");
}

#[test]
fn json_is_what_the_schema_says() {
    let shown = json::json(&view(&found()));
    assert_eq!(Schema::of("show").validate(&shown), Ok(()));
    let here = &shown["namespaces"][0];
    assert_eq!(here["namespace"], Value::Null);
    assert_eq!(here["vrfs"][0]["members"], json!(["eth0", "eth1"]));
    assert_eq!(here["vrfs"][0]["routes"][0]["kind"], "unicast");
    let protocols =
        |list: &Value| list.as_array().unwrap().iter().map(|of| of["protocol"].clone()).collect::<Vec<_>>();
    assert_eq!(protocols(&here["vrfs"][0]["routes"]), ["73", "boot"]);
    assert_eq!(protocols(&here["rules"]), ["kernel", "kernel", "73", "boot", "boot", "kernel"]);
    let link = |name: &str| {
        here["links"].as_array().unwrap().iter().find(|link| link["name"] == name).unwrap().clone()
    };
    assert_eq!(link("eth0")["addresses"], json!(["10.20.30.40/24", "fd00:30::40/64"]));
    assert_eq!(link("lo")["addresses"], json!(["127.0.0.1/8", "::1/128"]));
    assert_eq!(link("br0.100")["lower"], json!({"namespace": null, "name": "br0"}));
    assert_eq!(link("v0")["peer"], json!({"namespace": "blue", "name": "eth0"}));
    assert_eq!(link("v9")["peer"], Value::Null);
    assert_eq!(link("p1")["vlans"][1], json!({"first": 10, "last": 10, "pvid": true, "untagged": true}));
    assert_eq!(shown["namespaces"][1]["namespace"], "blue");
    assert_eq!(shown["namespaces"][1]["ours"], true);
}

/// Every part of a value, by its path.
fn paths(value: &Value, path: &str, found: &mut Vec<String>) {
    found.push(path.to_owned());
    match value {
        Value::Object(parts) => {
            parts.iter().for_each(|(name, part)| paths(part, &format!("{path}/{name}"), found));
        }
        Value::Array(parts) => {
            parts.iter().enumerate().for_each(|(place, part)| paths(part, &format!("{path}/{place}"), found));
        }
        _ => {}
    }
}

/// A member more, a member less and another type are each refused, wherever they are.
#[test]
fn the_schema_accepts_nothing_else() {
    let shown = json::json(&view(&found()));
    let mut all = Vec::new();
    paths(&shown, "", &mut all);
    let (schema, mut more, mut less) = (Schema::of("show"), 0, 0);
    for path in all {
        let mut changed = shown.clone();
        let part = changed.pointer_mut(&path).unwrap();
        if let Some(object) = part.as_object_mut() {
            object.insert("unknown".to_owned(), Value::Null);
            assert!(schema.validate(&changed).is_err(), "{path}");
            more += 1;
            let names: Vec<String> =
                shown.pointer(&path).unwrap().as_object().unwrap().keys().cloned().collect();
            for name in names {
                let mut changed = shown.clone();
                changed.pointer_mut(&path).unwrap().as_object_mut().unwrap().remove(&name);
                assert!(schema.validate(&changed).is_err(), "{path}/{name}");
                less += 1;
            }
        } else {
            *part = json!(1.5);
            assert!(schema.validate(&changed).is_err(), "{path}");
        }
    }
    assert!(more > 30 && less > 200, "{more} {less}");
    for (path, wrong) in [
        ("/namespaces/0/links/0/kind", json!("")),
        ("/namespaces/0/vrfs/0/routes/0/kind", json!("")),
        ("/namespaces/0/vrfs/0/routes/0/protocol", json!(73)),
        ("/namespaces/0/vrfs/0/routes/0/via", json!("nowhere")),
        ("/namespaces/0/rules/0/families", json!([])),
        ("/namespaces/0/links/0/addresses", json!(["10.0.0.1"])),
    ] {
        let mut changed = shown.clone();
        *changed.pointer_mut(path).expect(path) = wrong;
        assert!(schema.validate(&changed).is_err(), "{path}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_state_can_be_shown(case in case(), width in 1..200_usize) {
        if let Some(interface) = case.interface() {
            let (schema, found) = (Schema::of("show"), indexed(case.start(&interface)));
            let view = view(&found);
            prop_assert_eq!(schema.validate(&json::json(&view)), Ok(()));
            let drawn = draw::draw(&view, &Output { width, ..FILE });
            for line in drawn.lines().filter(|line| line.split_whitespace().count() > 1) {
                prop_assert!(line.chars().count() <= width.max(40), "{}: {}", width, line);
            }
        }
    }
}

/// The graph as graphviz understands it, by the text of its parts: the nodes with their clusters, outermost first, and
/// the edges.
fn graph(text: &str) -> Option<(BTreeSet<String>, BTreeSet<String>)> {
    let started = Command::new("dot")
        .arg("-Tjson0")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut dot = started.ok()?;
    dot.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = dot.wait_with_output().unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{}\n{text}",
        String::from_utf8_lossy(&output.stderr)
    );
    let graph: Value = serde_json::from_slice(&output.stdout).unwrap();
    let objects = graph["objects"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let number = |value: &Value| value.as_u64().unwrap();
    let has = |object: &Value, key: &str, id: u64| {
        object[key].as_array().is_some_and(|list| list.iter().any(|one| number(one) == id))
    };
    let mut nodes = BTreeSet::new();
    for node in objects.iter().filter(|object| object["nodes"].is_null() && object["label"].is_string()) {
        let id = number(&node["_gvid"]);
        let mut clusters: Vec<&Value> = objects.iter().filter(|object| has(object, "nodes", id)).collect();
        clusters.sort_by_key(|cluster| std::cmp::Reverse(cluster["nodes"].as_array().unwrap().len()));
        let labels: Vec<String> =
            clusters.iter().map(|cluster| format!("[{}]", text(&cluster["label"]))).collect();
        nodes.insert(format!("{} {}", labels.join(" "), text(&node["label"])).trim_start().to_owned());
    }
    let name = |id: &Value| text(&objects.iter().find(|object| object["_gvid"] == *id).unwrap()["name"]);
    let edges = graph["edges"].as_array().cloned().unwrap_or_default();
    let edge =
        |edge: &Value| format!("{} -- {} {}", name(&edge["tail"]), name(&edge["head"]), text(&edge["label"]));
    Some((nodes, edges.iter().map(edge).map(|edge| edge.trim_end().to_owned()).collect()))
}

#[test]
fn graphviz_understands_the_graph() {
    let set = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<BTreeSet<String>>();
    let Some((nodes, edges)) = graph(&dot::dot(&view(&found()))) else {
        return skip("graphviz_understands_the_graph", "graphviz");
    };
    let expected = set(&[
        "br0.100\\n10.1.0.1/24",
        "eth9\\n203.0.113.7/24",
        "v0\\n10.0.0.1/24",
        "v9",
        "[VRF red, table 10] red\\n127.0.0.1/8",
        "[VRF red, table 10] eth0\\n10.20.30.40/24\\nfd00:30::40/64",
        "[VRF red, table 10] eth1",
        "[bridge br0] br0\\n192.0.2.1/24",
        "[bridge br0] p1",
        "[bridge br0] p2",
        "[bridge br1] br1",
        "[bridge br1] p3",
        "[namespace blue] eth0\\n10.0.0.2/24",
        "[namespace blue] lo",
        "[namespace office] lo",
    ]);
    assert_eq!(nodes, expected);
    let expected = set(&[
        "red -- eth0",
        "red -- eth1",
        "br0 -- p1 PU 10; U 5",
        "br0 -- p2 T 9-20",
        "br1 -- p3",
        "br0 -- br0.100 vlan",
        "v0 -- blue/eth0 veth",
    ]);
    assert_eq!(edges, expected);
    // A bridge in a VRF in a namespace, and names that would end a string or a line.
    let mut deep = notation::parse(
        "
netns n ours
in n link red vrf 10
in n link br0 bridge master red
in n link p\"1\\ physical master br0
",
    );
    let strange = Place::In(NetnsRef::Name("a\"\n\u{1b}\\N".to_owned()));
    deep.places
        .entry(strange)
        .or_default()
        .links
        .extend(notation::parse("link x dummy").here().links.clone());
    let (nodes, edges) = graph(&dot::dot(&view(&indexed(deep)))).unwrap();
    let deepest = nodes.iter().find(|node| node.contains("p\"1")).expect("the port");
    assert!(deepest.starts_with("[namespace n] [VRF red, table 10] [bridge br0] p\"1\\\\"), "{nodes:?}");
    assert!(nodes.iter().any(|node| node.ends_with("] x")), "{nodes:?}");
    assert_eq!(edges.len(), 2, "{edges:?}");
    assert_eq!(graph(&dot::dot(&view(&Snapshot::default()))).unwrap(), Default::default());
}

/// Every user who may create namespaces may choose any name for them.
#[test]
fn names_cannot_drive_a_terminal() {
    let mut found = Snapshot::default();
    found.places.entry(Place::In(NetnsRef::Name("a\u{1b}[2J".to_owned()))).or_default();
    assert_eq!(draw::draw(&view(&found), &FILE), "namespace a\\u{1b}[2J\n");
}

#[test]
fn nothing_is_nothing() {
    assert_eq!(
        draw::draw(&view(&Snapshot::default()), &Output { terminal: true, colours: true, width: 80 }),
        ""
    );
}

/// tests/kernel/ifnetlink/page.rs compares the session in the manual page with a real run.
#[test]
fn the_readme_shows_what_the_page_shows() {
    let pages = pages();
    let page = pages.iter().find(|page| page.name == "ifnetlink.8").unwrap();
    let sessions = page.sessions();
    let session = sessions.iter().find(|session| session.starts_with("# ifnetlink show\n")).unwrap();
    let readme = std::fs::read_to_string(checkout().join("README.md")).unwrap();
    let indented =
        session.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("    {line}\n") });
    assert!(readme.contains(&indented.collect::<String>()), "README.md has another\n{session}");
}

//! The drawing of `ifnetlink show`.

#[path = "../../ifnetlink/show/draw.rs"]
mod draw;
#[path = "../../ifnetlink/show/view.rs"]
mod view;

use super::notation;
use ifupdown_ng_netlink::state::{Details, Peer, Place, Snapshot};
use ifupdown_ng_netlink::values::NetnsRef;
use view::View;

const KERNEL: &str = "
rule 4 0 lookup local proto kernel
rule 4 1000 l3mdev proto kernel
rule 4 2000 l3mdev unreachable proto 73
rule 4 32766 lookup main proto kernel
rule 6 5270 lookup 52 proto 3 selective
link red vrf 10 up
link eth0 physical master red up
link eth1 physical master red
route 192.0.2.0/24 via 10.0.0.1 dev eth0 table 10 proto 73
route unreachable 0.0.0.0/0 table 10 metric 4278198272
link br0 bridge vlan_filtering 1 vlan_default_pvid 0 up
link p1 physical master br0 up
link p2 physical master br0 up
vlan p1 10 pvid untagged
vlan p1 5 untagged
vlan p2 9-20
link br1 bridge
link p3 physical master br1 up
link v0 veth up
address v0 10.0.0.1/24
netns blue ours
in blue link eth0 veth
in blue address eth0 10.0.0.2/24
netns office foreign
";

/// Adds indexes to the ends of the pair, so that each refers to the other.
fn found() -> Snapshot {
    let mut found = notation::parse(KERNEL);
    let blue = Place::In(NetnsRef::Name("blue".to_owned()));
    for (place, name, index, peer, other, nsid) in
        [(Place::Here, "v0", 7, 2, blue.clone(), 4), (blue, "eth0", 2, 7, Place::Here, 0)]
    {
        let state = found.places.get_mut(&place).unwrap();
        let peer = Some(Peer { index: peer, nsid: Some(nsid) });
        state.details.insert(name.parse().unwrap(), Details { index, mac: None, mtu: 1500, peer });
        state.nsids.insert(other, nsid);
    }
    found
}

#[test]
fn everything_is_drawn_as_written() {
    let expected = "\
VRF red table 10 up
  members  eth0 eth1
  192.0.2.0/24 via 10.0.0.1 dev eth0     ours
  unreachable default metric 4278198272

IPv4 rules
      0  table local
   1000  l3mdev
   2000  l3mdev unreachable  ours
  32766  table main

IPv6 rules
   5270  table 52  for some packets

bridge br0 VLANs up
       5  9  10  11-20
  br0  .  .  .   .
  p1   U  .  PU  .
  p2   .  T  T   T

bridge br1 down
  ports  p3

namespace blue ours
    eth0  down  10.0.0.2/24
    lo    down

namespace office
    lo  down

veth pairs
  v0  up  10.0.0.1/24  --  blue: eth0  down  10.0.0.2/24
";
    assert_eq!(draw::draw(&View::new(&found()), false), expected);
}

#[test]
fn colours_change_nothing_but_colours() {
    let view = View::new(&found());
    let (plain, coloured) = (draw::draw(&view, false), draw::draw(&view, true));
    let mut stripped = String::new();
    for (place, part) in coloured.split("\u{1b}[").enumerate() {
        let part = if place == 0 { part } else { part.split_once('m').unwrap().1 };
        stripped.push_str(part);
    }
    assert_eq!(stripped, plain);
    for heading in ["\u{1b}[1mVRF red table 10\u{1b}[0m \u{1b}[32mup\u{1b}[0m\n", "\u{1b}[31mdown\u{1b}[0m"] {
        assert!(coloured.contains(heading), "{coloured}");
    }
}

#[test]
fn machines_are_told_the_same() {
    let told = View::new(&found()).json();
    assert_eq!(told["namespaces"][0]["namespace"], serde_json::Value::Null);
    assert_eq!(told["namespaces"][0]["vrfs"][0]["members"], serde_json::json!(["eth0", "eth1"]));
    assert_eq!(told["namespaces"][1]["namespace"], "blue");
    assert_eq!(told["namespaces"][1]["ours"], true);
    assert_eq!(told["pairs"][0][1]["addresses"], serde_json::json!(["10.0.0.2/24"]));
}

/// Every user who may create namespaces may choose any name for them.
#[test]
fn names_cannot_drive_a_terminal() {
    let mut found = Snapshot::default();
    found.places.entry(Place::In(NetnsRef::Name("a\u{1b}[2J".to_owned()))).or_default();
    assert_eq!(draw::draw(&View::new(&found), false), "namespace a\\u{1b}[2J\n");
}

#[test]
fn nothing_is_nothing() {
    assert_eq!(draw::draw(&View::new(&Snapshot::default()), true), "");
}

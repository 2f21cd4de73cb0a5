//! How the port becomes guarded: not at all, or by the keyword.

use super::frames::{Station, mac_text};
use crate::ifupdown::{Ifupdown, Installed, Way};
use crate::lab::{command, ip, ip_batch, ip_json};

/// A station of the list, with its VLAN.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    pub station: Station,
    pub vid: Option<u16>,
}

/// The bridge of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Without VLANs.
    Plain,
    /// eth0 has the PVID 10 untagged, and 20; eth1 has both with tags.
    Vlans,
}

/// Does something with a list.
type Act = Box<dyn Fn(&[Entry])>;

/// What happens to eth0, the port. br0 exists, with its other port eth1.
pub struct Actions {
    /// It joins the bridge with this list.
    pub up: Act,
    /// It gets another list.
    pub change: Act,
    /// It leaves the bridge.
    pub down: Box<dyn Fn()>,
}

/// Without rules: everything arrives.
pub fn unguarded(layout: Layout) -> Actions {
    bridge(layout);
    Actions {
        up: Box::new(move |_| join(layout)),
        change: Box::new(|_| {}),
        down: Box::new(|| drop(ip("link set eth0 down nomaster"))),
    }
}

/// With the keyword, by real ifup and ifdown. A list is changed by `ifup -f` or by `ifnetlink apply`.
pub fn by_keyword(layout: Layout, ifupdown: Ifupdown, way: Way) -> Actions {
    let installed: &'static Installed = Box::leak(Box::new(ifupdown.install(&stanzas(layout, &[]))));
    installed.ifup("br0 eth1").quiet();
    hear_everything();
    Actions {
        up: Box::new(move |list| {
            installed.interfaces(&stanzas(layout, list));
            installed.ifup("eth0").quiet();
        }),
        change: Box::new(move |list| {
            installed.interfaces(&stanzas(layout, list));
            match way {
                Way::Ifup => installed.ifup("-f eth0").quiet(),
                Way::Apply => installed.ifnetlink("apply eth0").quiet(),
            };
        }),
        down: Box::new(|| {
            installed.ifdown("-f eth0");
            let port = ip_json("link show eth0").remove(0);
            assert!(port["master"].is_null(), "{port}");
            // A forced ifup counted once more, and eth0 would count as up.
            installed.forget();
            installed.ifup("br0 eth1").quiet();
        }),
    }
}

/// The interfaces file.
fn stanzas(layout: Layout, list: &[Entry]) -> String {
    let [filtering, port, trunk] = match layout {
        Layout::Plain => [""; 3],
        Layout::Vlans => [
            "    bridge-vlan-filtering yes\n    bridge-default-pvid none\n    bridge-vlan 10, 20\n",
            "    bridge-vlan 10 pvid untagged, 20\n",
            "    bridge-vlan 10, 20\n",
        ],
    };
    let entry = |Entry { station, vid }: &Entry| {
        let vlan = vid.map(|vid| format!(" vlan {vid}")).unwrap_or_default();
        format!("{}{vlan} {} {}", mac_text(station.mac), station.v4, station.v6)
    };
    let list: Vec<String> = list.iter().map(entry).collect();
    let list = list.join(", ");
    format!(
        "iface br0\n    bridge-ports none\n{filtering}\
         iface eth0\n    bridge-member br0\n{port}    bridge-allow {list}\n\
         iface eth1\n    bridge-member br0\n{trunk}"
    )
}

fn bridge(layout: Layout) {
    let filtering = if layout == Layout::Vlans { "vlan_filtering 1 vlan_default_pvid 0" } else { "" };
    ip_batch(&[
        &format!("link add br0 type bridge {filtering}"),
        "link set eth1 master br0",
        "link set eth1 up",
        "link set br0 up",
    ]);
    if layout == Layout::Vlans {
        for vid in ["10", "20"] {
            command(&format!("bridge vlan add dev eth1 vid {vid}")).quiet();
            command(&format!("bridge vlan add dev br0 vid {vid} self")).quiet();
        }
    }
    hear_everything();
}

/// The host sees the frames that the bridge floods, and the bridge forwards multicast to every port.
fn hear_everything() {
    ip("link set br0 promisc on type bridge mcast_snooping 0");
}

fn join(layout: Layout) {
    ip("link set eth0 master br0");
    if layout == Layout::Vlans {
        command("bridge vlan add dev eth0 vid 10 pvid untagged").quiet();
        command("bridge vlan add dev eth0 vid 20").quiet();
    }
    ip("link set eth0 up");
}

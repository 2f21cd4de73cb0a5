//! Three points of which nothing exists before: bridge, links, namespaces and addresses are all created by stanzas.

use super::{FIRST, MAC, SECOND, listen, table, up, vlans};
use crate::capture::Capture;
use crate::ifupdown::{Ifupdown, Installed, example};
use crate::lab::{Netns, command, ip, settle};
use crate::probe::{Pinging, serve};

/// The stations, once they are settled.
pub fn stations(installed: &Installed) -> Vec<Netns> {
    let named = |name| Netns::at(&installed.path("/run/netns").join(name));
    let stations: Vec<_> = ["netns1", "netns2", "netns3"].into_iter().map(named).collect();
    for station in &stations {
        station.within(settle);
    }
    stations
}

pub fn tagged(ifupdown: Ifupdown) {
    let installed = ifupdown.install(&example("vlan-access-trunk-netns"));
    let before = up(&installed);
    assert_eq!(vlans("veth-netns1"), ["10 PVID Egress Untagged"]);
    assert_eq!(vlans("veth-netns3"), ["10", "20"]);
    let stations = stations(&installed);
    stations.iter().for_each(serve);
    table(&stations, ["192.168.5.10", "fd00:5::10"], ["192.168.5.20", "fd00:5::20"]);
    drop(stations);
    before.assert_after_ifdown(&installed);
}

pub fn untagged(ifupdown: Ifupdown) {
    let installed = ifupdown.install(&example("vlan-asymmetric-netns"));
    let before = up(&installed);
    assert_eq!(vlans("veth-netns1"), ["1 Egress Untagged", "10 PVID Egress Untagged"]);
    let stations = stations(&installed);
    stations.iter().for_each(serve);
    let third = ["192.168.5.3", "fd00:5::3"];
    table(&stations, third, third);
    // Nor does one see the packets between the third station and the other; except broadcasts.
    let seen =
        Capture::start(&stations[1], "eth0", &format!("ether host {} and not ether multicast", MAC[0]));
    for to in FIRST {
        stations[2].within(|| command(&format!("ping -q -i 0.02 -c 20 {to}")).ok());
    }
    let frames = seen.frames();
    assert!(frames.is_empty(), "{frames:#?}");
    drop(stations);
    before.assert_after_ifdown(&installed);
}

/// Stations send as soon as they have a link, and nothing passes between them while links and bridge are created and
/// deleted.
pub fn never_a_frame(ifupdown: Ifupdown) {
    let trunk = example("vlan-access-trunk-netns");
    let installed = ifupdown.install(&trunk);
    for name in ["netns1", "netns2", "netns3"] {
        // Created by another program, so that these namespaces stay, with the processes that send and capture.
        command(&format!("chroot {} ip netns add {name}", installed.path("/").display())).ok();
    }
    up(&installed);
    let stations = stations(&installed);
    let mut pinging = Pinging::default();
    for (from, to) in [(0, SECOND), (1, FIRST)] {
        for to in to.into_iter().chain(["192.168.5.99", "fd00:5::99"]) {
            pinging.start(&stations[from], to);
        }
    }
    // The links are created again each time: capture on all of them.
    let heard = [(1, MAC[0]), (0, MAC[1])].map(|(at, mac)| (Capture::start(&stations[at], "any", ""), mac));
    for name in ["vlan-asymmetric-netns", "vlan-access-trunk-netns"] {
        installed.ifdown("-a").quiet();
        installed.interfaces(&example(name));
        installed.ifup("-a").quiet();
        installed.ifup("-f -a");
        for single in ["veth-netns1", "veth-netns2"] {
            installed.ifdown(&format!("-f {single}"));
            installed.ifup(&format!("-f {single}")).quiet();
        }
        installed.ifdown_by_force();
        assert!(!["br0", "veth-"].iter().any(|link| ip("link").contains(link)));
    }
    for (capture, mac) in heard {
        let frames: Vec<_> = capture.frames().into_iter().filter(|frame| frame.contains(mac)).collect();
        assert!(frames.is_empty(), "{frames:#?}");
    }
    // They send, and would be received: both are in one VLAN now.
    installed.interfaces(&trunk.replace("20 pvid", "10 pvid"));
    installed.ifup("-a").quiet();
    let heard = listen(&stations[1], MAC[0]);
    heard.wait_for(11, MAC[0]);
    drop(pinging);
    installed.ifdown("-a").quiet();
}

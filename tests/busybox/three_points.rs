//! Three points on a bridge, tagged: two stations that must never receive anything from each other, and one that
//! reaches both.

use crate::lab::{Netns, ip};
use crate::machine::{State, addresses, beside, ifdown, ifup, interfaces, settle};
use crate::probe::{PORT, ping, reaches, serve, tcp_reaches};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, setsockopt, socket, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike as _};
use std::net::{IpAddr, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

const FIRST: [&str; 2] = ["192.168.5.1", "fd00:5::1"];
const SECOND: [&str; 2] = ["192.168.5.4", "fd00:5::4"];
const MAC: [&str; 3] = ["02:00:00:00:05:01", "02:00:00:00:05:02", "02:00:00:00:05:03"];

/// Counts the frames that come in from a station, and sends to broadcast addresses, until it is dropped.
struct Listener {
    heard: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
}

impl Listener {
    fn start(host: &Netns, from: &str) -> Self {
        let from: Vec<u8> = from.split(':').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
        let listener = Self { heard: Arc::default(), over: Arc::default() };
        let (heard, over) = (Arc::clone(&listener.heard), Arc::clone(&listener.over));
        let (frames, chatter) = host.within(|| {
            let all = SockProtocol::EthAll;
            let frames =
                socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, all).expect("packet");
            setsockopt(&frames, sockopt::ReceiveTimeout, &TimeVal::milliseconds(5)).unwrap();
            let chatter = UdpSocket::bind("0.0.0.0:0").unwrap();
            chatter.set_broadcast(true).unwrap();
            (frames, chatter)
        });
        thread::spawn(move || {
            let mut frame = [0; 128];
            while !over.load(Ordering::Relaxed) {
                let _ = chatter.send_to(b"broadcast", ("192.168.5.255".parse::<IpAddr>().unwrap(), 9));
                while let Ok(length @ 14..) = recv(frames.as_raw_fd(), &mut frame, MsgFlags::empty()) {
                    assert!(length <= frame.len());
                    if frame[6..12] == from {
                        heard.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
        });
        listener
    }

    fn heard(&self) -> usize {
        // Frames on their way arrive.
        thread::sleep(Duration::from_millis(300));
        self.heard.load(Ordering::Relaxed)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// Stations behind eth0, eth1 and eth2, the third with a link and routes for each VLAN.
fn stations() -> Vec<Netns> {
    let hosts: Vec<_> = (0..3).map(|number| beside(&format!("eth{number}"), "eth0")).collect();
    for (host, mac) in hosts.iter().zip(MAC) {
        host.within(|| {
            ip("link set eth0 down");
            ip(&format!("link set eth0 address {mac}"));
            ip("link set eth0 up");
        });
    }
    addresses(&hosts[0], "eth0", &["192.168.5.1/24", "fd00:5::1/64"]);
    addresses(&hosts[1], "eth0", &["192.168.5.4/24", "fd00:5::4/64"]);
    for (vid, own, to) in [
        (10, ["192.168.5.10/32", "fd00:5::10/128"], FIRST),
        (20, ["192.168.5.20/32", "fd00:5::20/128"], SECOND),
    ] {
        let link = format!("eth0.{vid}");
        hosts[2].within(|| {
            ip(&format!("link add link eth0 name {link} type vlan id {vid}"));
            ip(&format!("link set {link} up"));
        });
        addresses(&hosts[2], &link, &own);
        for (to, own) in to.into_iter().zip(own) {
            let own = own.split('/').next().unwrap();
            let family = if to.contains(':') { "-6" } else { "-4" };
            hosts[2].within(|| ip(&format!("{family} route add {to} dev {link} src {own}")));
        }
    }
    for host in &hosts {
        serve(host);
    }
    hosts
}

/// Every row except those of the second bridge.
pub fn table() {
    let hosts = stations();
    let before = State::now();
    let apart = [Listener::start(&hosts[1], MAC[0]), Listener::start(&hosts[0], MAC[1])];
    let allowed = Listener::start(&hosts[2], MAC[0]);
    interfaces("vlan-access-trunk", str::to_owned);
    ifup("-a").quiet();
    settle();
    for to in FIRST.into_iter().chain(SECOND) {
        hosts[2].within(|| reaches("third", to, None));
    }
    for (host, to) in [(0, ["192.168.5.10", "fd00:5::10"]), (1, ["192.168.5.20", "fd00:5::20"])] {
        for to in to {
            hosts[host].within(|| reaches("a station", to, None));
        }
    }
    for (from, to) in [(0, SECOND), (1, FIRST)] {
        for to in to {
            hosts[from].within(|| ping(to, None)).expect_err("the other station answered");
            hosts[from].within(|| tcp_reaches(to, PORT, None)).expect_err("the other station answered TCP");
        }
    }
    ifdown("-a");
    before.assert_still();
    // No frame while it went up or down. The same counter sees what is allowed to pass.
    assert_eq!(apart.map(|listener| listener.heard()), [0, 0]);
    assert!(allowed.heard() > 0);
}

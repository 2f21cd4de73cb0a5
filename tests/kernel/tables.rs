//! Which hosts reach which, in the setups that the busybox machine also brings up: a table of rows for each, for tests
//! that have created the hosts.

use crate::lab::Netns;
use crate::probe::{PORT, ping, reaches, tcp_reaches, unreachable};

/// The port of the service that is bound to the VRF.
pub const BOUND_PORT: u16 = PORT + 1;
/// The addresses behind the gateway.
pub const INTERNET: [&str; 2] = ["8.8.8.8", "2001:db8:8::8"];
/// The VRF of management-vrf.
pub const VRF: Option<&str> = Some("vrf-management");

const OWN: [&str; 2] = ["10.20.30.40", "fd00:30::40"];
const LAN: [&str; 2] = ["10.20.30.7", "fd00:30::7"];

/// Every row of management-vrf, with a host of the LAN.
pub fn management_vrf(lan: &Netns) {
    for to in LAN.into_iter().chain(INTERNET) {
        reaches("unbound", to, None);
    }
    for to in LAN {
        reaches("bound", to, VRF);
    }
    for to in INTERNET {
        unreachable("bound", to, VRF);
    }
    for to in OWN {
        lan.within(|| reaches("LAN host to unbound service", to, None));
        lan.within(|| tcp_reaches(to, BOUND_PORT, None)).expect("LAN host to bound service");
    }
    for to in ["127.0.0.1", "::1"].into_iter().chain(OWN) {
        reaches("unbound, own address", to, None);
    }
}

/// Every row of routing-domains but those of its tunnel.
pub fn routing_domains(private: &Netns, hostile: &Netns) {
    // Each namespace reaches the host, and the host reaches each.
    for (domain, device, there, host) in [
        (private, None, ["10.30.0.2", "fd00:30::2"], ["10.30.0.1", "fd00:30::1"]),
        (hostile, Some("vrf-hostile"), ["10.31.0.2", "fd00:31::2"], ["10.31.0.1", "fd00:31::1"]),
    ] {
        for to in there {
            ping(to, device).expect("host to domain");
        }
        for to in host.into_iter().chain(["192.168.77.1", "fd00:77::1"]) {
            domain.within(|| ping(to, None)).expect("domain to host, and to its own of the same addresses");
        }
    }
    // Private reaches the outside through the host, hostile does not.
    for to in ["192.0.2.20", "2001:db8:1::20"] {
        private.within(|| ping(to, None)).expect("private to the outside");
        hostile.within(|| ping(to, None)).expect_err("hostile to the outside");
    }
    // Hostile reaches the one prefix of private that a route names, and nothing else there.
    for to in ["10.99.0.1", "fd00:99::1"] {
        hostile.within(|| ping(to, None)).expect("the named prefix");
    }
    for to in ["10.30.0.2", "fd00:30::2", "10.32.0.1", "fd00:32::1", "10.97.0.1", "fd00:97::1"] {
        hostile.within(|| ping(to, None)).expect_err("the rest of private");
    }
}

//! The error when the kernel refuses a change: which step, why, which steps were rolled back and which could not be.

use super::all::PROGRAMS;
use super::faulty::{Fault, Faulty};
use super::interfaces::{End, Interface};
use super::notation;
use super::properties::vrf_with;
use ifupdown_ng_netlink::kernel::{Kernel, Refusal, apply};
use ifupdown_ng_netlink::plan::Plan;
use ifupdown_ng_netlink::plan::op::{Act, NewLink, Op};
use ifupdown_ng_netlink::stanza::Phase;
use ifupdown_ng_netlink::state::{LinkAddress, LinkKind, Place, Query, Snapshot};
use ifupdown_ng_netlink::values::IfName;
use nix::errno::Errno;

/// The rules for a VRF, in IPv4 alone.
fn rules() -> (Interface, Snapshot) {
    let red = vrf_with("red", "10", &[("vrf-rules", "yes"), ("vrf-rules-family", "ipv4")]);
    let mut kernel = Faulty::new(notation::parse("rules default"));
    assert_eq!(red.phase(Phase::Create, &mut kernel), End::Done);
    (red, kernel.snapshot().clone())
}

fn said(at: usize, fault: Fault, for_good: bool) -> String {
    let (red, before) = rules();
    match red.phase(Phase::PreUp, &mut Faulty::with(before, at, fault, for_good)) {
        End::Failed(lines) => lines.join("\n"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_step_is_named_and_what_was_taken_back() {
    assert_eq!(
        said(0, Fault::Refused(Errno::EPERM), false),
        "ip -4 rule add pref 2000 l3mdev unreachable protocol 73: Operation not permitted (EPERM); this needs root (CAP_NET_ADMIN)"
    );
    assert_eq!(
        said(1, Fault::Refused(Errno::ENOMEM), false),
        "ip -4 rule add pref 32765 table local protocol 73: Out of memory (ENOMEM); 1 step before it undone"
    );
    assert_eq!(
        said(3, Fault::Refused(Errno::EBUSY), false),
        "ip -4 rule del pref 0 table local protocol kernel: Device or resource busy (EBUSY); 2 steps before it undone"
    );
    assert_eq!(
        said(1, Fault::LostButMade, false),
        "ip -4 rule add pref 32765 table local protocol 73: no answer; 1 step before it undone"
    );
}

#[test]
fn what_could_not_be_taken_back_is_named_too() {
    assert_eq!(
        said(2, Fault::Refused(Errno::EIO), true),
        "ip -4 rule show pref 32765 table local protocol 73: I/O error (EIO); \
         not undone: ip -4 rule del pref 32765 table local protocol 73: Operation not permitted (EPERM); this needs root (CAP_NET_ADMIN); \
         not undone: ip -4 rule del pref 2000 l3mdev unreachable protocol 73: Operation not permitted (EPERM); this needs root (CAP_NET_ADMIN)"
    );
    // If the rule for local cannot be restored, the one that was to replace it stays.
    assert_eq!(
        said(3, Fault::LostButMade, true),
        "ip -4 rule del pref 0 table local protocol kernel: no answer; \
         not undone: ip -4 rule add pref 0 table local protocol kernel: Operation not permitted (EPERM); this needs root (CAP_NET_ADMIN); \
         not undone: ip -4 rule del pref 32765 table local protocol 73: its replacement is missing; \
         not undone: ip -4 rule del pref 2000 l3mdev unreachable protocol 73: its replacement is missing"
    );
}

/// The link-local address that the kernel added is not in the state that a plan starts from. It was there before, so it
/// stays.
#[test]
fn an_address_that_the_kernel_added_is_not_taken_back() {
    let before = notation::parse("link eth1 physical up\naddress eth1 fe80::7/64");
    let dev: IfName = "eth1".parse().unwrap();
    let mut plan = Plan::default();
    for address in ["fe80::7/64", "fe80::8/64", "2001:db8::7/64"] {
        let address = LinkAddress::ours(address.parse().unwrap());
        let undo = Op::AddressDel { dev: dev.clone(), address };
        plan.push(Op::AddressAdd { dev: dev.clone(), address }, Some(undo));
    }
    let mut kernel = Faulty::with(before.clone(), 2, Fault::Refused(Errno::EBUSY), false);
    let failure = apply::up(&plan, &mut kernel).unwrap_err().to_string();
    assert!(failure.ends_with("(EBUSY); 1 step before it undone"), "{failure}");
    assert_eq!(kernel.snapshot().here().addresses, before.here().addresses);
    // Any other one that is there by now is a failure.
    let mut kernel = Faulty::with(before, 2, Fault::Refused(Errno::EEXIST), false);
    assert!(apply::up(&plan, &mut kernel).is_err());
}

/// A kernel that refuses everything with its own text.
struct Refuses(Refusal);

impl Kernel for Refuses {
    fn read(&mut self, _: &Query) -> Result<Snapshot, Refusal> {
        Err(self.0.clone())
    }

    fn apply(&mut self, _: &Act) -> Result<(), Refusal> {
        Err(self.0.clone())
    }
}

#[test]
fn the_kernels_own_words_are_passed_on() {
    let link = NewLink { name: "red".parse().unwrap(), kind: LinkKind::Other("vrf".to_owned()) };
    let mut plan = Plan::default();
    plan.push(Op::LinkAdd(link), None);
    let words = Some("Unknown device type".to_owned());
    let mut kernel = Refuses(Refusal { errno: Some(Errno::EOPNOTSUPP), text: words, answer_lost: false });
    let failure = apply::up(&plan, &mut kernel).unwrap_err().to_string();
    assert!(failure.starts_with("ip link add red type vrf: Operation not supported"), "{failure}");
    let end = "(EOPNOTSUPP): Unknown device type; does this kernel have the module for that type?";
    assert!(failure.ends_with(end), "{failure}");
}

/// A kernel that knows tag protocols of bridges, but not this one. One that knows none reports no error
/// (src/kernel/netlink/bridge).
#[test]
fn a_tag_that_the_kernel_does_not_know() {
    let program = PROGRAMS.iter().find(|program| program.name == "bridge-vlan").unwrap();
    let keywords = [("bridge-vlan-filtering", "yes"), ("bridge-vlan-protocol", "802.1ad")];
    let bridge = Interface::new(program, "br0", &keywords).unwrap();
    let fault = Fault::Refused(Errno::EPROTONOSUPPORT);
    let mut kernel = Faulty::with(notation::parse(""), 0, fault, false);
    assert_eq!(
        bridge.phase(Phase::Create, &mut kernel),
        End::Failed(vec![
            "ip link add br0 type bridge vlan_filtering 1 vlan_protocol 802.1ad: \
             Protocol not supported (EPROTONOSUPPORT)"
                .to_owned()
        ])
    );
    assert_eq!(*kernel.snapshot(), notation::parse(""));
}

#[test]
fn on_the_way_down_every_failure_is_told_and_what_is_gone_is_none() {
    let red = vrf_with("red", "10", &[("vrf-rules", "yes"), ("vrf-rules-family", "ipv4")]);
    let mut kernel = Faulty::new(notation::parse("rules default"));
    assert_eq!(red.up(&mut kernel), End::Done);
    let up = kernel.snapshot().clone();
    let lines = |fault| match red.down(&mut Faulty::with(up.clone(), 0, fault, false)) {
        End::Failed(lines) => lines,
        End::Done => Vec::new(),
        other @ End::Conflict(_) => panic!("{other:?}"),
    };
    assert_eq!(lines(Fault::Refused(Errno::ENODEV)), [""; 0]);
    let busy = "ip link del red type vrf table 10: Device or resource busy (EBUSY)";
    assert_eq!(lines(Fault::Refused(Errno::EBUSY)), [busy]);
}

/// A route of a moved link has nothing to do with the rules of VRFs: if it cannot be deleted, all else is restored.
#[test]
fn a_route_that_stays_in_a_namespace_keeps_no_sysctl() {
    let program = PROGRAMS.iter().find(|program| program.name == "netns").unwrap();
    let keywords = [
        ("netns", "4711"),
        ("netns-address", "192.0.2.10/24"),
        ("netns-gateway", "192.0.2.1"),
        ("netns-sysctl", "net.ipv4.ip_forward=1"),
    ];
    let card = Interface::new(program, "eth1", &keywords).unwrap();
    let before = ["link eth1 physical up", "netns 4711 foreign", "in 4711 sysctl net.ipv4.ip_forward=0"];
    let mut kernel = Faulty::new(notation::parse(&before.join("\n")));
    assert_eq!(card.up(&mut kernel), End::Done);
    let up = kernel.snapshot().clone();
    let mut kernel = Faulty::with(up, 0, Fault::Refused(Errno::EBUSY), false);
    let route = "ip -n 4711 -4 route del default via 192.0.2.1 dev eth1 table main protocol 73: Device or resource busy (EBUSY)";
    assert_eq!(card.phase(Phase::PreDown, &mut kernel), End::Failed(vec![route.to_owned()]));
    let inside = kernel.snapshot().at(&Place::In("4711".parse().unwrap())).clone();
    assert_eq!(inside.sysctls.values().collect::<Vec<_>>(), ["0"]);
    assert!(inside.records.is_empty(), "{:?}", inside.records);
}

/// A sysctl that cannot be restored keeps its record, and the record of the link that leads there: the next ifdown
/// restores it.
#[test]
fn a_sysctl_that_stays_in_a_namespace_keeps_the_record_of_the_link() {
    let program = PROGRAMS.iter().find(|program| program.name == "netns").unwrap();
    let keywords = [("netns", "4711"), ("netns-sysctl", "net.ipv4.ip_forward=1")];
    let card = Interface::new(program, "eth1", &keywords).unwrap();
    let before = ["link eth1 physical up", "netns 4711 foreign", "in 4711 sysctl net.ipv4.ip_forward=0"];
    let mut kernel = Faulty::new(notation::parse(&before.join("\n")));
    assert_eq!(card.up(&mut kernel), End::Done);
    let mut kernel = Faulty::with(kernel.snapshot().clone(), 0, Fault::Refused(Errno::EBUSY), false);
    let line = "ip netns exec 4711 sysctl -w net.ipv4.ip_forward=0: Device or resource busy (EBUSY)";
    assert_eq!(card.phase(Phase::PreDown, &mut kernel), End::Failed(vec![line.to_owned()]));
    assert!(kernel.snapshot().here().links.contains_key(&card.name), "the interface is back all the same");
    assert_eq!(kernel.snapshot().netns_links.len(), 1);
    let mut again = Faulty::new(kernel.snapshot().clone());
    assert_eq!(card.phase(Phase::PreDown, &mut again), End::Done);
    let inside = again.snapshot().at(&Place::In("4711".parse().unwrap())).clone();
    assert_eq!(inside.sysctls.values().collect::<Vec<_>>(), ["0"]);
    assert!(inside.records.is_empty() && again.snapshot().netns_links.is_empty());
}

/// A card that the kernel moved back under a name of its own, and that cannot be renamed, is found again.
#[test]
fn a_card_that_cannot_be_renamed_keeps_its_record() {
    let program = PROGRAMS.iter().find(|program| program.name == "netns").unwrap();
    let card = Interface::new(program, "eth1", &[("netns", "4711")]).unwrap();
    let lines = ["link dev7 physical", "netns 4711 absent", "moved eth1 4711 inner physical"];
    let mut found = notation::parse(&lines.join("\n"));
    let located = found.located.get_mut(&card.name).unwrap();
    (located.place, located.name) = (Place::Here, "dev7".parse().unwrap());
    let mut kernel = Faulty::with(found, 0, Fault::Refused(Errno::EBUSY), false);
    let line = "ip link set dev7 name eth1: Device or resource busy (EBUSY)";
    assert_eq!(card.phase(Phase::PreDown, &mut kernel), End::Failed(vec![line.to_owned()]));
    assert_eq!(kernel.snapshot().netns_links.len(), 1);
}

//! Which links are the two ends of a pair, and whether a pair is where it should be.

use crate::{
    plan::netns::namespace,
    state::{Link, LinkKind, Netns, NetnsLinkRecord, Place, Role, Snapshot},
    values::{IfName, NetnsRef},
};

/// Whether a link is an end of a pair.
pub fn is_veth(link: &Link) -> bool {
    matches!(&link.kind, LinkKind::Other(kind) if kind == "veth")
}

/// Whether the two, one here and one in a namespace or here as well, are the ends of one pair: each has the
/// other's number, and the number of the namespace is right.
pub fn is_pair(iface: &IfName, peer: &IfName, netns: Option<&NetnsRef>, found: &Snapshot) -> bool {
    let place = netns.cloned().map_or(Place::Here, Place::In);
    let (here, there) = (found.here(), found.at(&place));
    let nsid = netns.and_then(|netns| found.existing(netns)?.nsid);
    let both = here.links.get(iface).zip(there.links.get(peer));
    let ends = here.details.get(iface).zip(there.details.get(peer));
    both.is_some_and(|(ours, theirs)| is_veth(ours) && is_veth(theirs))
        && ends.is_some_and(|(ours, theirs)| {
            ours.peer.map(|peer| (peer.index, peer.nsid)) == Some((theirs.index, nsid))
                && theirs.peer.map(|peer| peer.index) == Some(ours.index)
        })
}

/// The record of the pair whose end an interface is. An interface with another index only has its name.
pub fn record<'a>(iface: &IfName, found: &'a Snapshot) -> Option<&'a NetnsLinkRecord> {
    let now = found.here().details.get(iface).map(|details| details.index);
    namespace::recorded(iface, Role::Peer, found)
        .filter(|record| record.index.zip(now).is_none_or(|(was, now)| was == now))
}

/// Whether we put the peer of an interface into a namespace that is gone, or whose name or number is another's by now.
/// The stanza may name a third one: the next container has another number.
pub fn is_orphan(iface: &IfName, found: &Snapshot) -> bool {
    let Some(record) = record(iface, found) else { return false };
    let was = &record.link.netns;
    match found.netns.get(was) {
        Some(Netns::Is(now)) => !now.id.same(record.id),
        Some(Netns::Absent | Netns::Broken { .. }) => true,
        None => false,
    }
}

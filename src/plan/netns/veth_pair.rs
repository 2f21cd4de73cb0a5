//! Recognizes the two ends of a veth pair, and whether the peer is in its namespace.

use crate::plan::netns::namespace;
use crate::state::{Link, LinkKind, Netns, NetnsLinkRecord, Place, Role, Snapshot};
use crate::values::{IfName, NetnsRef};

/// Whether a link is an end of a veth pair.
pub fn is_veth(link: &Link) -> bool {
    matches!(&link.kind, LinkKind::Other(kind) if kind == "veth")
}

/// Whether the two links are the ends of one pair: the peer of each is the index of the other, and the nsid is right.
/// The peer is in `netns`, or without one in the executor's own namespace.
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

/// The record of the pair that an interface is an end of. An interface with another index only has the same name.
pub fn record<'a>(iface: &IfName, found: &'a Snapshot) -> Option<&'a NetnsLinkRecord> {
    let now = found.here().details.get(iface).map(|details| details.index);
    namespace::recorded(iface, Role::Peer, found)
        .filter(|record| record.index.zip(now).is_none_or(|(was, now)| was == now))
}

/// Whether we put the peer of an interface into a namespace that is gone, or whose name or process id now belongs to
/// another namespace. The stanza may already name a third namespace: a new container has another process id.
pub fn is_orphan(iface: &IfName, found: &Snapshot) -> bool {
    let Some(record) = record(iface, found) else { return false };
    let was = &record.link.netns;
    match found.netns_at(was) {
        Some(Netns::Is(now)) => !now.id.same(record.id),
        Some(Netns::Absent | Netns::Broken { .. }) => true,
        None => false,
    }
}

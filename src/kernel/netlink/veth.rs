//! Veth pairs in netlink messages.

use crate::kernel::Refusal;
use crate::kernel::netlink::Channel;
use crate::kernel::netlink::link_message::named;
use crate::kernel::netlink::message::RouteNetlinkMessage;
use crate::plan::op::{End, NewVeth};
use crate::values::Queues;
use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use rtnetlink::packet_route::link::{InfoData, InfoKind, InfoVeth, LinkAttribute, LinkInfo, LinkMessage};
use std::os::fd::{AsRawFd as _, BorrowedFd};

impl Channel {
    /// Makes both ends in one message, the peer in the namespace `there` if there is one.
    ///
    /// The end in another namespace is always the peer. The kernel looks up the peer's name in that namespace, but
    /// looks up the name of the outer end here, even if it is created elsewhere (net/core/rtnetlink.c
    /// `__rtnl_newlink`). The peer cannot be up yet, since it has no other end at that moment (drivers/net/veth.c
    /// `veth_open`).
    ///
    /// # Errors
    /// The kernel refuses. Then it has created nothing.
    pub fn veth_add(&mut self, new: &NewVeth, there: Option<BorrowedFd<'_>>) -> Result<(), Refusal> {
        let mut peer = end(&new.peer, new.queues);
        peer.attributes.extend(there.map(|netns| LinkAttribute::NetNsFd(netns.as_raw_fd())));
        let mut message = end(&new.end, new.queues);
        let info = vec![LinkInfo::Kind(InfoKind::Veth), LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer)))];
        message.attributes.push(LinkAttribute::LinkInfo(info));
        if let Some(master) = &new.master {
            message.attributes.push(LinkAttribute::Controller(self.index(master)?));
        }
        self.change_links(|channel| {
            channel.change(RouteNetlinkMessage::NewLink(message), NLM_F_CREATE | NLM_F_EXCL)
        })
    }
}

fn end(end: &End, queues: Option<Queues>) -> LinkMessage {
    let mut message = named(&end.name);
    let attributes = &mut message.attributes;
    attributes.extend(end.mac.map(|mac| LinkAttribute::Address(mac.bytes().to_vec())));
    attributes.extend(end.mtu.map(|mtu| LinkAttribute::Mtu(mtu.0)));
    if let Some(Queues(queues)) = queues {
        attributes.extend([LinkAttribute::NumTxQueues(queues), LinkAttribute::NumRxQueues(queues)]);
    }
    message
}

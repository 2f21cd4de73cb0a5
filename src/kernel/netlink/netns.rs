//! Moves between namespaces in netlink messages.

use crate::kernel::Refusal;
use crate::kernel::netlink::Channel;
use crate::kernel::netlink::link_message::named;
use crate::kernel::netlink::message::RouteNetlinkMessage;
use crate::values::IfName;
use rtnetlink::packet_route::link::{LinkAttribute, LinkMessage};
use rtnetlink::packet_route::nsid::{NsidAttribute, NsidMessage};
use std::os::fd::{AsRawFd as _, BorrowedFd};

impl Channel {
    /// Moves a link to another namespace and gives it a name there. It arrives down, without addresses,
    /// routes or master.
    ///
    /// # Errors
    /// The kernel refuses. If another link took the new name meanwhile, the link may have been moved all the same.
    pub fn link_move(&mut self, name: &IfName, to: BorrowedFd<'_>, new_name: &IfName) -> Result<(), Refusal> {
        // An unchanged name is left out, since it may be an alternative one.
        let mut message = if name == new_name { LinkMessage::default() } else { named(new_name) };
        message.attributes.push(LinkAttribute::NetNsFd(to.as_raw_fd()));
        self.change_links(|channel| {
            message.header.index = channel.index(name)?;
            // Never with NLM_F_CREATE, which could create a link instead.
            channel.change(RouteNetlinkMessage::SetLink(message), 0)
        })
    }

    /// The id (nsid) of another namespace in this channel's namespace, if it has one.
    ///
    /// # Errors
    /// The kernel refuses to answer.
    pub fn nsid(&mut self, of: BorrowedFd<'_>) -> Result<Option<i32>, Refusal> {
        let mut query = NsidMessage::default();
        let fd = u32::try_from(of.as_raw_fd()).map_err(|error| Refusal::text(error.to_string()))?;
        query.attributes.push(NsidAttribute::Fd(fd));
        let Some(RouteNetlinkMessage::NewNsId(answer)) = self.get(RouteNetlinkMessage::GetNsId(query))?
        else {
            return Ok(None);
        };
        Ok(answer.attributes.iter().find_map(|attribute| match attribute {
            NsidAttribute::Id(id) if *id >= 0 => Some(*id),
            _ => None,
        }))
    }
}

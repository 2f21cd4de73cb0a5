//! Moves between namespaces as messages.

use crate::{
    kernel::{
        Refusal,
        netlink::{Channel, link_message::named, message::RouteNetlinkMessage},
    },
    values::IfName,
};
use rtnetlink::packet_route::{
    link::{LinkAttribute, LinkMessage},
    nsid::{NsidAttribute, NsidMessage},
};
use std::os::fd::{AsRawFd as _, BorrowedFd};

impl Channel {
    /// Moves a link to another namespace and gives it a name there. It arrives down, without addresses,
    /// routes or master.
    ///
    /// # Errors
    /// When the kernel refuses. It is then where it was.
    pub fn link_move(&mut self, name: &IfName, to: BorrowedFd<'_>, new_name: &IfName) -> Result<(), Refusal> {
        // A name that stays need not be given, and may be an alternative one.
        let mut message = if name == new_name { LinkMessage::default() } else { named(new_name) };
        message.header.index = self.index(name)?;
        message.attributes.push(LinkAttribute::NetNsFd(to.as_raw_fd()));
        // Never as a request that may create (NLM_F_CREATE): that could make a link instead.
        self.change(RouteNetlinkMessage::SetLink(message), 0)
    }

    /// The number by which this channel's namespace knows another one, if it does.
    ///
    /// # Errors
    /// When the kernel refuses to answer.
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

//! Links that are deleted together, as a group.

use crate::kernel::Refusal;
use crate::kernel::netlink::Channel;
use crate::kernel::netlink::link_message::{all, decode, group, named};
use crate::kernel::netlink::message::RouteNetlinkMessage;
use crate::values::IfName;
use rtnetlink::packet_route::link::{LinkAttribute, LinkMessage};
use std::collections::BTreeMap;

/// The group of links that are about to be deleted. It is unlikely that another program uses this number.
const DELETED: u32 = 0x6966_6e6c;

impl Channel {
    /// Deletes links at once (net/core/rtnetlink.c `rtnl_group_dellink`). If it is false, none is deleted, and they are
    /// in their former groups.
    ///
    /// # Errors
    /// The kernel refuses. Then none is deleted either.
    pub fn delete_links(&mut self, names: &[&IfName]) -> Result<bool, Refusal> {
        let groups = self.dump(&RouteNetlinkMessage::GetLink(all()), |answer| {
            let RouteNetlinkMessage::NewLink(message) = answer else { return None };
            Some((decode(&message)?.0, group(&message)?))
        })?;
        let groups: BTreeMap<IfName, u32> = groups.into_iter().collect();
        let is_used = groups.values().any(|group| *group == DELETED);
        if is_used || !names.iter().all(|name| groups.contains_key(*name)) {
            return Ok(false);
        }
        let put = names.iter().try_for_each(|name| self.set_group(name, DELETED));
        let deleted = put.and_then(|()| {
            let mut message = LinkMessage::default();
            message.attributes.push(LinkAttribute::Group(DELETED));
            self.change_links(|channel| channel.change(RouteNetlinkMessage::DelLink(message), 0))
        });
        if let Err(refusal) = deleted {
            for (name, group) in groups.iter().filter(|(name, _)| names.contains(name)) {
                let _ = self.set_group(name, *group);
            }
            return Err(refusal);
        }
        Ok(true)
    }

    fn set_group(&mut self, name: &IfName, group: u32) -> Result<(), Refusal> {
        let mut message = named(name);
        message.attributes.push(LinkAttribute::Group(group));
        self.change(RouteNetlinkMessage::SetLink(message), 0)
    }
}

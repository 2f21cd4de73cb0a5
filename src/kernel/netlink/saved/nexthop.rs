//! Restores nexthop objects. The kernel deletes them when their link goes down.

use crate::kernel::Refusal;
use crate::kernel::netlink::raw::Object;
use crate::kernel::netlink::saved::{Change, Restoration};
use crate::state::{Noun, Subject};
use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use std::collections::BTreeMap;

const RTM_NEWNEXTHOP: u16 = 104;

// Attributes (include/uapi/linux/nexthop.h).
const NHA_ID: u16 = 1;
const NHA_OIF: u16 = 5;
/// Id, group, type of the group, blackhole, OIF, gateway, ENCAP_TYPE, ENCAP, FDB.
const KEPT: [u16; 9] = [NHA_ID, 2, 3, 4, NHA_OIF, 6, 7, 8, 11];
const NHA_GROUP: u16 = 2;
/// The flag of a nexthop that can be set: `onlink`.
const SETTABLE: u32 = 4;

impl Restoration {
    /// Restores the nexthop objects over restored links that are missing or changed, and the groups.
    pub fn restore_nexthops(&mut self) {
        let Some(view) = self.view() else { return };
        for site in 0..self.sites.len() {
            let saved = self.saved(site, Noun::Nexthop);
            if saved.is_empty() {
                continue;
            }
            let Some(now) = self.now(site, Noun::Nexthop) else { continue };
            let has: BTreeMap<u32, Object> = now.iter().filter_map(|answer| settings(answer)).collect();
            for (id, mut object) in saved.iter().filter_map(|answer| settings(answer)) {
                let device = object.attributes.number(NHA_OIF);
                let is_group = object.attributes.get(NHA_GROUP).is_some();
                if !is_group && !device.is_some_and(|index| view.touched.contains(&(site, index))) {
                    continue;
                }
                let subject = Subject::new(Noun::Nexthop, id.to_string());
                if let Some(device) = device {
                    let Some(index) = view.index(site, device) else {
                        self.note(site, subject, Err(Refusal::text("a link that it needs is missing")));
                        continue;
                    };
                    object.attributes.replace(NHA_OIF, index);
                }
                // A group loses the members that are deleted.
                let flag = match has.get(&id) {
                    Some(has) if *has == object => continue,
                    Some(_) => NLM_F_REPLACE,
                    None => NLM_F_EXCL,
                };
                self.change(
                    site,
                    subject,
                    Change { number: RTM_NEWNEXTHOP, flags: NLM_F_CREATE | flag, object },
                );
            }
        }
    }
}

/// The id of a nexthop, and a request that leads to it.
fn settings(answer: &[u8]) -> Option<(u32, Object)> {
    let Object { mut header, attributes } = Object::parse(answer, 8)?;
    let id = attributes.number(NHA_ID)?;
    // The scope, and most flags, are set by the kernel only.
    header[1] = 0;
    let mut object = Object { header, attributes: attributes.only(&KEPT) };
    let flags = object.number(4) & SETTABLE;
    object.set_number(4, flags);
    Some((id, object))
}

/// Decodes and encodes a message, whatever it is.
#[cfg(any(test, fuzzing))]
pub(super) fn parse_any(message: &[u8]) {
    drop(settings(message));
}

//! Messages about the tables `bridge-allow`.

use crate::kernel::netlink::nftables::{Family, Message, text};
use crate::kernel::netlink::raw::Attributes;
use rtnetlink::packet_core::{NLM_F_APPEND, NLM_F_CREATE};

/// The name of the tables.
pub(super) const TABLE: &str = "bridge-allow";

pub(super) const NEWTABLE: u16 = 0;
pub(super) const NEWCHAIN: u16 = 3;
pub(super) const NEWRULE: u16 = 6;
pub(super) const NEWSET: u16 = 9;
pub(super) const NEWSETELEM: u16 = 12;

/// The attribute with the name of the table, in every message.
const OF_TABLE: u16 = 1;

pub(super) fn message(family: Family, number: u16, attributes: Attributes) -> Message {
    let flags = match number {
        NEWRULE => NLM_F_CREATE | NLM_F_APPEND,
        NEWTABLE | NEWCHAIN | NEWSET | NEWSETELEM => NLM_F_CREATE,
        _ => 0,
    };
    Message { family, number, flags, attributes }
}

pub(super) fn of_table() -> Attributes {
    Attributes::default().with(OF_TABLE, text(TABLE))
}

//! Routing rules in netlink messages.

use crate::kernel::Refusal;
use crate::kernel::netlink::Channel;
use crate::kernel::netlink::message::RouteNetlinkMessage;
use crate::state::{Action, Rule};
use crate::values::{Family, TableId};
use nix::errno::Errno;
use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use rtnetlink::packet_route::route::RouteProtocol;
use rtnetlink::packet_route::rule::{RuleAction, RuleAttribute, RuleFlags, RuleMessage};

impl Channel {
    /// All rules of a family, in the kernel's order.
    pub(super) fn read_rules(&mut self, family: Family) -> Result<Vec<Rule>, Refusal> {
        let mut query = RuleMessage::default();
        query.header.family = family.address_family();
        self.dump(&RouteNetlinkMessage::GetRule(query), |answer| match answer {
            RouteNetlinkMessage::NewRule(message) => Some(decode(family, &message)),
            _ => None,
        })
    }

    /// Adds a rule. The kernel checks for duplicates only with `NLM_F_EXCL`.
    pub(super) fn rule_add(&mut self, rule: &Rule, again: bool) -> Result<(), Refusal> {
        self.change(RouteNetlinkMessage::NewRule(encode(rule)), add_flags(again))
    }

    /// Fails if the kernel does not show the rule.
    pub(super) fn rule_expect(&mut self, rule: &Rule) -> Result<(), Refusal> {
        if self.read_rules(rule.family)?.iter().any(|found| found.same(rule)) {
            return Ok(());
        }
        Err(Refusal::text("the kernel accepted this rule but does not report it; nothing was deleted"))
    }

    /// Deletes the first rule that matches all attributes of the message, including the protocol.
    pub(super) fn rule_del(&mut self, rule: &Rule) -> Result<(), Refusal> {
        self.change(RouteNetlinkMessage::DelRule(encode(rule)), 0)
    }

    /// Deletes the first rule that matches, unless no other does the same.
    pub(super) fn rule_del_duplicate(&mut self, rule: &Rule) -> Result<(), Refusal> {
        if self.read_rules(rule.family)?.iter().filter(|found| found.same(rule)).count() < 2 {
            return Err(Refusal::errno(Errno::ENOENT));
        }
        self.rule_del(rule)
    }
}

fn add_flags(again: bool) -> u16 {
    if again { NLM_F_CREATE } else { NLM_F_CREATE | NLM_F_EXCL }
}

fn encode(rule: &Rule) -> RuleMessage {
    let mut message = RuleMessage::default();
    message.header.family = rule.family.address_family();
    let attributes = &mut message.attributes;
    attributes.push(RuleAttribute::Priority(rule.priority));
    attributes.push(RuleAttribute::Protocol(RouteProtocol::from(rule.protocol)));
    let (action, l3mdev) = match rule.action {
        Action::Lookup(table) => {
            // Numbers above 255 fit only into the attribute; the kernel prefers it.
            attributes.push(RuleAttribute::Table(table.get()));
            (RuleAction::ToTable, false)
        }
        Action::LookupL3mdev => (RuleAction::ToTable, true),
        Action::UnreachableL3mdev => (RuleAction::Unreachable, true),
        Action::GotoL3mdev(target) => {
            attributes.push(RuleAttribute::Goto(target));
            (RuleAction::Goto, true)
        }
        Action::Other => (RuleAction::Unspec, false),
    };
    message.header.action = action;
    if l3mdev {
        attributes.push(RuleAttribute::L3MDev(true));
    }
    message
}

pub(super) fn decode(family: Family, message: &RuleMessage) -> Rule {
    let header = &message.header;
    let mut rule = Rule::new(family, 0, Action::Other, 0);
    let (mut l3mdev, mut table, mut target) = (false, u32::from(header.table), 0);
    for attribute in &message.attributes {
        match attribute {
            RuleAttribute::Priority(priority) => rule.priority = *priority,
            RuleAttribute::Protocol(protocol) => rule.protocol = u8::from(*protocol),
            RuleAttribute::L3MDev(set) => l3mdev = *set,
            RuleAttribute::Table(id) => table = *id,
            RuleAttribute::Goto(priority) => target = *priority,
            // The kernel sends these with every rule, -1 if they are not set. They do not select packets.
            RuleAttribute::SuppressPrefixLen(u32::MAX) | RuleAttribute::SuppressIfGroup(u32::MAX) => {}
            _ => rule.selective = true,
        }
    }
    if header.dst_len != 0
        || header.src_len != 0
        || header.tos != 0
        || header.flags.contains(RuleFlags::Invert)
    {
        rule.selective = true;
    }
    rule.action = match (header.action, l3mdev) {
        (RuleAction::ToTable, true) => Action::LookupL3mdev,
        (RuleAction::ToTable, false) => TableId::new(table).map_or(Action::Other, Action::Lookup),
        (RuleAction::Unreachable, true) => Action::UnreachableL3mdev,
        (RuleAction::Goto, true) => Action::GotoL3mdev(target),
        _ => Action::Other,
    };
    rule
}

#[cfg(test)]
mod tests;

//! Route netlink: the only directory that uses rtnetlink.
//!
//! [`channel`] sends messages to the kernel of one namespace and receives its answers. The other files, one for each
//! kind of object, encode our requests and changes, and decode the answers. [`crate::kernel::live`] chooses the
//! namespace of a channel, and does everything without netlink.

mod address;
mod bridge;
mod bridge_allow;
mod bridge_message;
mod channel;
mod fdb;
#[cfg(test)]
mod fixture;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod group;
mod link;
mod link_message;
mod message;
mod netns;
mod nftables;
mod raw;
mod route;
mod rule;
pub mod saved;
mod socket;
mod veth;
mod vlan;
mod vlan_message;

pub use channel::Channel;

use crate::kernel::Refusal;
use crate::plan::op::Op;
use crate::state::{State, TableRef, Wants};
use crate::values::{Family, IfName, TableId};
use nix::errno::Errno;
use rtnetlink::packet_core::{NLM_F_APPEND, NLM_F_EXCL, NLM_F_REPLACE};
use rtnetlink::packet_route::AddressFamily;
use std::collections::{BTreeMap, BTreeSet};

impl Family {
    /// The family in netlink's headers.
    fn address_family(self) -> AddressFamily {
        match self {
            Self::Ipv4 => AddressFamily::Inet,
            Self::Ipv6 => AddressFamily::Inet6,
        }
    }
}

/// The names of the links that were read, but for those with two: one of these is an alternative name.
fn names_by_index(state: &State) -> BTreeMap<u32, IfName> {
    let (mut names, mut with_two) = (BTreeMap::new(), BTreeSet::new());
    for (name, details) in &state.details {
        if names.insert(details.index, name.clone()).is_some() {
            with_two.insert(details.index);
        }
    }
    names.retain(|index, _| !with_two.contains(index));
    names
}

impl Channel {
    /// Reads the wanted state, as far as netlink shows it, and adds it to `state`. `names` are those of rt_tables.
    ///
    /// # Errors
    /// The kernel refuses to answer.
    pub fn read(
        &mut self,
        wants: &Wants,
        names: &BTreeMap<String, TableId>,
        state: &mut State,
    ) -> Result<(), Refusal> {
        self.read_links(wants, state)?;
        self.read_bridging(&wants.bridging, state)?;
        if wants.rules {
            for family in Family::BOTH {
                match self.read_rules(family) {
                    Ok(rules) => drop(state.rules.insert(family, rules)),
                    // A kernel started with ipv6.disable=1 has no rules of that family.
                    Err(refusal) if refusal.errno == Some(Errno::EAFNOSUPPORT) => {}
                    Err(refusal) => return Err(refusal),
                }
            }
        }
        self.read_addresses(&wants.addresses, state)?;
        if wants.all_addresses {
            self.read_all_addresses(state)?;
        }
        if wants.used_tables {
            state.used_tables = self.used_tables()?.into();
        }
        let tables = state.tables(&wants.routes, names);
        let mut links = names_by_index(state);
        for table in &tables {
            self.read_routes(Some(*table), &tables, &mut links, state)?;
        }
        if wants.routes.contains(&TableRef::Ours) {
            self.read_routes(None, &tables, &mut links, state)?;
        }
        // A table that never existed belongs to no VRF. This is found out without reading all VRFs.
        let mut all_vrfs = wants.vrfs.all;
        for table in state.tables(&wants.vrfs.with, names) {
            let is_known = state.vrfs().any(|(_, theirs)| theirs == table);
            all_vrfs = all_vrfs || (!is_known && self.has_table(table)?);
        }
        // This is last, since the channel may be broken afterwards.
        if all_vrfs || wants.vrfs.some {
            self.read_vrfs(all_vrfs, state)?;
        }
        Ok(())
    }

    /// Makes a change that is one message.
    ///
    /// # Errors
    /// The kernel refuses. A change that netlink cannot make is an error of the caller, and refused too.
    pub fn apply(&mut self, op: &Op) -> Result<(), Refusal> {
        let keeps_names = match op {
            Op::LinkSet { change, .. } => change.name.is_none(),
            Op::AddressAdd { .. }
            | Op::AddressDel { .. }
            | Op::RouteAdd(_)
            | Op::RouteAppend(_)
            | Op::RouteReplace(_)
            | Op::RouteDel(_) => true,
            _ => false,
        };
        if !keeps_names {
            return self.change_links(|channel| channel.make(op));
        }
        // Another program may have made a link anew.
        self.make(op).inspect_err(|_| self.forget_indexes())
    }

    /// Makes a change of links, after which a name may mean another one.
    fn change_links(&mut self, change: impl FnOnce(&mut Self) -> Result<(), Refusal>) -> Result<(), Refusal> {
        self.forget_indexes();
        let outcome = change(self);
        self.forget_indexes();
        outcome
    }

    /// Forgets the indexes of links. Only this channel's own changes of links in its own namespace do that by themselves.
    pub fn forget_indexes(&mut self) {
        self.indexes.clear();
    }

    fn make(&mut self, op: &Op) -> Result<(), Refusal> {
        match op {
            Op::LinkAdd(new) => self.link_add(new),
            Op::LinkDel { name, .. } => self.link_del(name),
            Op::Bridge(op) => self.bridge_apply(op),
            Op::RuleAdd { rule, again } => self.rule_add(rule, *again),
            Op::RuleDel(rule) => self.rule_del(rule),
            Op::RuleDelDuplicate(rule) => self.rule_del_duplicate(rule),
            Op::RuleExpect(rule) => self.rule_expect(rule),
            Op::RouteAdd(route) => self.route_add(route, NLM_F_EXCL),
            Op::RouteAppend(route) => self.route_add(route, NLM_F_APPEND),
            Op::RouteReplace(route) => self.route_add(route, NLM_F_REPLACE),
            Op::RouteDel(route) => self.route_del(route),
            Op::LinkSet { name, change } => self.link_set(name, change),
            Op::AddressAdd { dev, address } => self.address_add(dev, address),
            Op::AddressDel { dev, address } => self.address_del(dev, address),
            Op::VethAdd(_)
            | Op::LinkMove(_)
            | Op::SysctlSet { .. }
            | Op::RecordSet { .. }
            | Op::RecordDel(_)
            | Op::NetnsAdd(_)
            | Op::NetnsDel(_)
            | Op::NetnsLinkSet(_)
            | Op::NetnsLinkDel(_)
            | Op::Nested(_) => Err(Refusal::text("not a change that netlink makes in one namespace")),
        }
    }

    /// The index of a link that must exist.
    ///
    /// # Errors
    /// There is no such link (ENODEV), or the kernel does not answer.
    pub fn index(&mut self, name: &IfName) -> Result<u32, Refusal> {
        if let Some(index) = self.indexes.get(name) {
            return Ok(*index);
        }
        let index = self.index_of(name)?.ok_or_else(|| Refusal {
            errno: Some(Errno::ENODEV),
            text: Some(format!("there is no interface {name}")),
            answer_lost: false,
        })?;
        self.indexes.insert(name.clone(), index);
        Ok(index)
    }
}

//! The changes that a plan consists of, and the command line for each.
//!
//! An [`Op`] names its objects by name, never by index. It prints as the `ip`, `bridge` or `sysctl` command line with
//! the same effect: MOCK, `--dry-run`, VERBOSE and errors show that text. [`crate::kernel::netlink`] makes the message
//! to the kernel.

mod bridge;
mod link;
mod nested;
mod veth;

pub use bridge::BridgeOp;
pub use link::{LinkChange, Move, NewLink};
pub use nested::Nested;
pub use veth::{End, NewVeth};

use crate::state::{LinkAddress, LinkKind, NetnsLink, Place, Record, Route, Rule, Sysctl};
use crate::values::IfName;
use std::fmt;

/// One change. The kernel makes it completely or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Makes a link; no link of that name may exist.
    LinkAdd(NewLink),
    /// Deletes a link.
    LinkDel {
        /// Its name.
        name: IfName,
        /// Its kind, as a reminder in the printed line.
        kind: LinkKind,
    },
    /// Changes a bridge, one of its ports, its VLANs or its forwarding database.
    Bridge(BridgeOp),
    /// Adds a rule.
    RuleAdd {
        /// The rule.
        rule: Rule,
        /// Add it even if the same rule exists (then it lands behind that one).
        again: bool,
    },
    /// Deletes the first rule that matches.
    RuleDel(Rule),
    /// Deletes the first rule that matches, if another one does the same. If it is the only one, it counts as already
    /// gone.
    RuleDelDuplicate(Rule),
    /// Reads the rules back and fails if this one does not exist. It stands before the deletion of the rule that it
    /// replaces, so that a host never loses its rule for `local` if the kernel behaves unexpectedly.
    RuleExpect(Rule),
    /// Adds a route.
    RouteAdd(Route),
    /// Adds a route beside others with the same prefix, table and metric.
    RouteAppend(Route),
    /// Replaces the route with the same prefix, table and metric.
    RouteReplace(Route),
    /// Deletes a route.
    RouteDel(Route),
    /// Sets a sysctl.
    SysctlSet {
        /// The sysctl.
        key: Sysctl,
        /// Its new value.
        value: String,
    },
    /// Writes a record, which later invocations read.
    RecordSet {
        /// The key of the record.
        key: Record,
        /// Its value.
        value: String,
    },
    /// Deletes the record.
    RecordDel(Record),
    /// Makes a veth pair.
    VethAdd(NewVeth),
    /// Changes a link.
    LinkSet {
        /// The link.
        name: IfName,
        /// The changes.
        change: LinkChange,
    },
    /// Moves a link to another namespace, where it is down and without addresses.
    LinkMove(Move),
    /// Adds an address to a link, with its protocol number, which not every version of `ip` can set.
    AddressAdd {
        /// The link.
        dev: IfName,
        /// The address.
        address: LinkAddress,
    },
    /// Deletes an address.
    AddressDel {
        /// The link.
        dev: IfName,
        /// The address.
        address: LinkAddress,
    },
    /// Makes a namespace of this name, as `ip netns` does, and records that we made it.
    NetnsAdd(String),
    /// Deletes the name of a namespace. The kernel deletes the namespace when nothing uses it any more.
    NetnsDel(String),
    /// Records that one of our links is in a namespace.
    NetnsLinkSet(NetnsLink),
    /// Deletes the record.
    NetnsLinkDel(NetnsLink),
    /// Brings the interfaces of a file up or down inside a namespace.
    Nested(Nested),
}

impl Act {
    /// The links that it changes, by the names before and after it.
    pub fn links(&self) -> Vec<(Place, IfName)> {
        let here = |name: &IfName| (self.at.clone(), name.clone());
        match &self.op {
            Op::LinkAdd(new) => vec![here(&new.name)],
            Op::LinkDel { name, .. } => vec![here(name)],
            Op::LinkSet { name, change } => {
                let master = change.master.iter().flatten();
                std::iter::once(name).chain(&change.name).chain(master).map(here).collect()
            }
            Op::LinkMove(moved) => vec![here(&moved.name), (moved.to.clone(), moved.new_name.clone())],
            Op::VethAdd(new) => {
                let ends = [here(&new.end.name), (new.at.clone(), new.peer.name.clone())];
                ends.into_iter().chain(new.master.as_ref().map(here)).collect()
            }
            Op::AddressAdd { dev, .. } | Op::AddressDel { dev, .. } => vec![here(dev)],
            Op::RouteAdd(route) | Op::RouteAppend(route) | Op::RouteReplace(route) | Op::RouteDel(route) => {
                route.dev.iter().map(here).collect()
            }
            Op::Bridge(op) => vec![here(op.link())],
            Op::RuleAdd { .. }
            | Op::RuleDel(_)
            | Op::RuleDelDuplicate(_)
            | Op::RuleExpect(_)
            | Op::SysctlSet { .. }
            | Op::RecordSet { .. }
            | Op::RecordDel(_)
            | Op::NetnsAdd(_)
            | Op::NetnsDel(_)
            | Op::NetnsLinkSet(_)
            | Op::NetnsLinkDel(_)
            | Op::Nested(_) => Vec::new(),
        }
    }
}

impl Op {
    /// Sets a link up or down.
    pub fn set_up(name: &IfName, up: bool) -> Self {
        Self::LinkSet { name: name.clone(), change: LinkChange { up: Some(up), ..LinkChange::default() } }
    }

    /// Gives a link a master, or none.
    pub fn set_master(name: &IfName, master: Option<&IfName>) -> Self {
        let change = LinkChange { master: Some(master.cloned()), ..LinkChange::default() };
        Self::LinkSet { name: name.clone(), change }
    }

    /// Sets a port down and removes it from its bridge, in one message: if only one of the two were done, a later run
    /// would not find the other.
    pub fn release(port: &IfName) -> Self {
        let change = LinkChange { master: Some(None), up: Some(false), ..LinkChange::default() };
        Self::LinkSet { name: port.clone(), change }
    }

    /// Whether it is about a routing rule.
    pub fn is_of_rule(&self) -> bool {
        matches!(
            self,
            Self::RuleAdd { .. } | Self::RuleDel(_) | Self::RuleDelDuplicate(_) | Self::RuleExpect(_)
        )
    }

    /// Whether it does not change the network, but only records, or only reads.
    pub fn is_a_note(&self) -> bool {
        matches!(
            self,
            Self::RuleExpect(_)
                | Self::RecordSet { .. }
                | Self::RecordDel(_)
                | Self::NetnsLinkSet(_)
                | Self::NetnsLinkDel(_)
        )
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LinkAdd(link) => write!(f, "ip link add {link}"),
            Self::LinkDel { name, kind } => write!(f, "ip link del {name}{}", kind.type_words()),
            Self::Bridge(op) => op.fmt(f),
            Self::RuleAdd { rule, .. } => write!(f, "ip {} rule add {rule}", rule.family.option()),
            Self::RuleDel(rule) | Self::RuleDelDuplicate(rule) => {
                write!(f, "ip {} rule del {rule}", rule.family.option())
            }
            Self::RuleExpect(rule) => write!(f, "ip {} rule show {rule}", rule.family.option()),
            Self::RouteAdd(route) => write!(f, "ip {} route add {route}", route.family().option()),
            Self::RouteAppend(route) => write!(f, "ip {} route append {route}", route.family().option()),
            Self::RouteReplace(route) => write!(f, "ip {} route replace {route}", route.family().option()),
            Self::RouteDel(route) => write!(f, "ip {} route del {route}", route.family().option()),
            Self::SysctlSet { key, value } => write!(f, "sysctl -w {key}={value}"),
            Self::RecordSet { key, value } => write!(f, "echo {value} > {key}"),
            Self::RecordDel(key) => write!(f, "rm {key}"),
            Self::VethAdd(new) => write!(f, "ip link add {new}"),
            Self::LinkSet { name, change } => write!(f, "ip link set {name}{change}"),
            Self::LinkMove(moving) => write!(f, "ip link set {moving}"),
            Self::AddressAdd { dev, address } => write!(f, "ip address add {address} dev {dev}"),
            Self::AddressDel { dev, address } => write!(f, "ip address del {address} dev {dev}"),
            Self::NetnsAdd(name) => write!(f, "ip netns add {name}"),
            Self::NetnsDel(name) => write!(f, "ip netns del {name}"),
            Self::NetnsLinkSet(link) => {
                write!(f, "echo {} {} > {}", link.netns, link.name, Record::netns_link(link))
            }
            Self::NetnsLinkDel(link) => write!(f, "rm {}", Record::netns_link(link)),
            Self::Nested(nested) => nested.fmt(f),
        }
    }
}

/// A change, and the namespace to make it in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// The namespace.
    pub at: Place,
    /// The change.
    pub op: Op,
}

impl Act {
    /// A change in the namespace that the executor was started in.
    pub fn here(op: Op) -> Self {
        Self { at: Place::Here, op }
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // One message to the kernel may print as several commands.
        for (place, line) in self.op.to_string().split(" && ").enumerate() {
            f.write_str(if place == 0 { "" } else { " && " })?;
            match (&self.at, line.split_once(' ')) {
                (Place::Here, _) | (_, None) => f.write_str(line)?,
                (Place::In(netns), Some((command @ ("ip" | "bridge"), rest))) => {
                    write!(f, "{command} -n {netns} {rest}")?;
                }
                (Place::In(netns), Some(_)) => write!(f, "ip netns exec {netns} {line}")?,
            }
        }
        Ok(())
    }
}

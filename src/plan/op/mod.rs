//! The changes that a plan is made of, and how each would be typed by hand.
//!
//! An [`Op`] names its objects by name, never by index, and prints as the `ip`, `bridge` or `sysctl`
//! command line that does the same: that text is what MOCK, `--dry-run`, VERBOSE and errors show. What
//! is sent to the kernel instead is [`crate::kernel::netlink`]'s business.

mod bridge;
mod link;
mod nested;
mod veth;

pub use bridge::BridgeOp;
pub use link::{LinkChange, Move, NewLink};
pub use nested::Nested;
pub use veth::{End, NewVeth};

use crate::{
    state::{LinkKind, NetnsLink, Place, Record, Route, Rule, Sysctl},
    values::IfName,
};
use ipnet::IpNet;
use std::fmt;

/// One change, which the kernel makes wholly or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Makes a link; one of that name must not exist.
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
        /// Add it even if there is such a rule (then it lands behind that one).
        again: bool,
    },
    /// Deletes the first rule that matches.
    RuleDel(Rule),
    /// Deletes the first rule that matches, if another one does the same; if it is the only one, it is as if
    /// it was gone already.
    RuleDelDuplicate(Rule),
    /// Reads the rules back and fails if this one is not there. Stands before the deletion of what it
    /// replaces, so that no surprise of the kernel leaves a host without a way to itself.
    RuleExpect(Rule),
    /// Adds a route.
    RouteAdd(Route),
    /// Adds a route beside others with the same prefix, table and metric.
    RouteAppend(Route),
    /// Puts a route in the place of the one with the same prefix, table and metric.
    RouteReplace(Route),
    /// Deletes a route.
    RouteDel(Route),
    /// Sets a sysctl.
    SysctlSet {
        /// Which.
        key: Sysctl,
        /// To what.
        value: String,
    },
    /// Remembers something across invocations.
    RecordSet {
        /// What about.
        key: Record,
        /// What.
        value: String,
    },
    /// Forgets it.
    RecordDel(Record),
    /// Makes a pair of links.
    VethAdd(NewVeth),
    /// Changes a link.
    LinkSet {
        /// The link.
        name: IfName,
        /// What of it.
        change: LinkChange,
    },
    /// Moves a link to another namespace, where it is down and without addresses.
    LinkMove(Move),
    /// Adds an address to a link, with our mark, for which not every `ip` has a word.
    AddressAdd {
        /// The link.
        dev: IfName,
        /// The address with its prefix.
        address: IpNet,
    },
    /// Deletes one.
    AddressDel {
        /// The link.
        dev: IfName,
        /// The address with its prefix.
        address: IpNet,
    },
    /// Makes a namespace of this name, as `ip netns` does, and remembers that we did.
    NetnsAdd(String),
    /// Takes the name of a namespace away; the namespace goes with its last user.
    NetnsDel(String),
    /// Remembers that a link of ours is in a namespace.
    NetnsLinkSet(NetnsLink),
    /// Forgets it.
    NetnsLinkDel(NetnsLink),
    /// Brings the interfaces of a file up or down inside a namespace.
    Nested(Nested),
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

    /// Sets a port down and takes it out of its bridge: what is done by halves is not found again.
    pub fn release(port: &IfName) -> Self {
        let change = LinkChange { master: Some(None), up: Some(false), ..LinkChange::default() };
        Self::LinkSet { name: port.clone(), change }
    }

    /// Whether the change takes something away. What is already gone is then as good as done.
    pub fn is_removal(&self) -> bool {
        matches!(
            self,
            Self::LinkDel { .. }
                | Self::LinkSet { change: LinkChange { master: Some(None), .. }, .. }
                | Self::RuleDel(_)
                | Self::RuleDelDuplicate(_)
                | Self::RouteDel(_)
                | Self::RecordDel(_)
                | Self::AddressDel { .. }
                | Self::NetnsDel(_)
                | Self::NetnsLinkDel(_)
        ) || matches!(self, Self::Bridge(op) if op.is_removal())
    }

    /// Whether the change adds something of which there can be only one. If it is there (EEXIST), that is as
    /// good as done where it is put back.
    pub fn is_addition(&self) -> bool {
        matches!(
            self,
            Self::RuleAdd { again: false, .. }
                | Self::RouteAdd(_)
                | Self::RouteAppend(_)
                | Self::AddressAdd { .. }
                | Self::NetnsAdd(_)
                | Self::VethAdd(_)
        )
    }

    /// Whether it changes nothing of the network, but what is remembered of it, or only looks.
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

    /// Whether the change takes away or sets something that is there. Taking something back, one that is not there
    /// is where it was before, or gone with what brought it.
    pub fn is_of_existing(&self) -> bool {
        self.is_removal() || matches!(self, Self::LinkMove(_) | Self::LinkSet { .. } | Self::SysctlSet { .. })
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

/// A change and where to make it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// Where.
    pub at: Place,
    /// What.
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
        // Several commands where the kernel is sent one message.
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

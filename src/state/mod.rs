//! What an executor asks about the kernel, and the answers.
//!
//! Both are plain data: a plan depends on nothing else.

mod address;
mod applied;
mod bridge;
mod bridge_allow;
mod link;
mod map;
mod netns;
mod query;
mod record;
mod route;
mod rule;
mod saved;
mod shared;
mod sysctl;

pub use address::LinkAddress;
pub use applied::{Applied, Section};
pub use bridge::{BridgeOptions, Bridging, FdbEntry, PortOptions, PortState, VlanDevice};
#[cfg(test)]
pub(crate) use bridge_allow::any_allowed;
pub use bridge_allow::{AllowTable, Allowed, Dropped, Stations, link_local};
pub use link::{Details, Link, LinkKind, Peer, VlanFlags, VlanLink};
pub use map::Map;
pub use netns::{Existing, Located, Netns, NetnsId, NetnsLink, NetnsLinkRecord, Place, Role};
pub use query::{BridgingWants, Query, TableRef, Until, VrfWants, Wait, Wants};
pub use record::{APPLIED, DIRECTORY, LinkOriginal, NestedRecord, ORIGINAL, Original, PENDING, Record};
pub use route::Route;
pub use rule::{Action, Rule};
pub use saved::{Kept, Links, Noun, Saved, SavedPlace, Subject};
pub use shared::Shared;
pub use sysctl::Sysctl;

use crate::stanza::Stanzas;
use crate::values::{Family, IfName, NetnsRef, RouteSpec, TableId, unspecified};
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// The protocol number of the rules, routes and addresses that we add, as FRA_PROTOCOL, `rtm_protocol` and IFA_PROTO.
/// By it we recognize our own, and other managers see that another program owns them. Unused in iproute2's rt_protos.
pub const OUR_PROTOCOL: u8 = 73;
/// The protocol number of objects that the kernel added by itself (`RTPROT_KERNEL`).
pub const KERNEL_PROTOCOL: u8 = 2;

/// The state of one namespace. Parts that were not asked for are empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// Links by name.
    pub links: Map<IfName, Link>,
    /// More about these links.
    pub details: Map<IfName, Details>,
    /// Rules in the kernel's order; a family that the kernel does not have is missing.
    pub rules: Shared<BTreeMap<Family, Vec<Rule>>>,
    /// Routes.
    pub routes: Shared<Vec<Route>>,
    /// The tables that have routes.
    pub used_tables: Shared<BTreeSet<TableId>>,
    /// Addresses by link, without the IPv6 link-local addresses that the kernel adds by itself. Before Linux 5.18 it does not
    /// show which these are: then without any link-local address.
    pub addresses: Map<IfName, Vec<LinkAddress>>,
    /// Sysctls; one that the kernel does not have is missing.
    pub sysctls: Map<Sysctl, String>,
    /// Records; one that does not exist is missing.
    pub records: Map<Record, String>,
    /// Bridges and their ports.
    pub bridging: Bridging,
    /// The ids (nsid) of other namespaces in this namespace.
    pub nsids: Map<Place, i32>,
    /// For [`crate::model`].
    pub highest: Highest,
}

/// The highest index of a link in a namespace, once it is needed. It follows from the links, so all are equal.
#[derive(Debug, Clone, Copy, Default)]
pub struct Highest(pub Option<u32>);

impl PartialEq for Highest {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Highest {}

impl State {
    /// Whether a link is on top of another one, directly or not, as a VLAN on a bridge.
    pub fn is_above(&self, link: &IfName, other: &IfName) -> bool {
        let mut below = self.bridging.lower.get(link);
        // The kernel's limit for stacked links (net/core/dev.c `MAX_NEST_DEV`). It ends the loop if links change
        // meanwhile.
        for _ in 0..8 {
            match below {
                Some(name) if name == other => return true,
                Some(name) => below = self.bridging.lower.get(name),
                None => return false,
            }
        }
        false
    }

    /// Whether the master of a link is up.
    pub fn master_is_up(&self, port: &IfName) -> bool {
        let master = self.links.get(port).and_then(|link| self.links.get(link.master.as_ref()?));
        master.is_some_and(|master| master.up)
    }

    /// Whether VLANs can be set on a bridge and its ports: a kernel without VLAN filtering shows no default PVID.
    pub fn keeps_vlans(&self, bridge: &IfName) -> bool {
        let keeps =
            |options: &BridgeOptions| options.filtering == Some(true) || options.default_pvid.is_some();
        self.bridge(bridge).is_some_and(keeps)
    }

    /// The settings of a bridge; `None` if there is no bridge of that name.
    pub fn bridge(&self, name: &IfName) -> Option<&BridgeOptions> {
        match &self.links.get(name)?.kind {
            LinkKind::Bridge(options) => Some(options),
            _ => None,
        }
    }

    /// All VRFs and their tables.
    pub fn vrfs(&self) -> impl Iterator<Item = (&IfName, TableId)> {
        self.links.iter().filter_map(|(name, link)| match link.kind {
            LinkKind::Vrf(table) => Some((name, table)),
            _ => None,
        })
    }

    /// The links whose master is this one.
    pub fn members(&self, master: &IfName) -> impl Iterator<Item = &IfName> {
        self.links.iter().filter(move |(_, link)| link.master.as_ref() == Some(master)).map(|(name, _)| name)
    }

    /// The table of a VRF.
    pub fn vrf_table(&self, vrf: &IfName) -> Option<TableId> {
        match self.links.get(vrf)?.kind {
            LinkKind::Vrf(table) => Some(table),
            _ => None,
        }
    }

    /// The families that the kernel has, as the rules show. If there are no rules at all, they were not read.
    pub fn families(&self) -> impl Iterator<Item = Family> {
        let has = |family: &Family| self.rules.is_empty() || self.rules.contains_key(family);
        Family::BOTH.into_iter().filter(has)
    }

    /// The prefixes of a route: its own, or the default routes of all these families.
    pub fn prefixes(&self, route: &RouteSpec) -> Vec<IpNet> {
        route.prefix.map_or_else(|| self.families().map(unspecified).collect(), |prefix| vec![prefix])
    }

    /// The number of a table that is asked for, if it is known.
    pub fn table(&self, table: &TableRef) -> Option<TableId> {
        match table {
            TableRef::Id(id) => Some(*id),
            TableRef::Name(_) | TableRef::Ours => None,
            TableRef::Vrf(vrf) => self.vrf_table(vrf),
            TableRef::VrfOf(link) => self.vrf_table(self.links.get(link)?.master.as_ref()?),
        }
    }

    /// The known numbers of the tables that are asked for. `names` are those of rt_tables.
    pub fn tables(&self, asked: &BTreeSet<TableRef>, names: &BTreeMap<String, TableId>) -> BTreeSet<TableId> {
        let number = |table: &TableRef| match table {
            TableRef::Name(name) => names.get(name).copied(),
            known => self.table(known),
        };
        asked.iter().filter_map(number).collect()
    }
}

/// The records of our links in other namespaces, by the interface of the stanza.
pub type NetnsLinks = Map<(IfName, Role), NetnsLinkRecord>;

/// All that was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// By namespace; one that does not exist is missing.
    pub places: Map<Place, Shared<State>>,
    /// The numbers that rt_tables gives to names.
    pub table_names: Shared<BTreeMap<String, TableId>>,
    /// The namespaces that were asked for, and those that links of the interfaces in question were put into, by a
    /// reference that leads there now.
    pub netns: Map<NetnsRef, Netns>,
    /// Each namespace has one reference in `netns`, and one place in `places`. Another reference that leads to the same
    /// namespace stands here with that one.
    pub same: Map<NetnsRef, NetnsRef>,
    /// The records of our links in other namespaces.
    pub netns_links: NetnsLinks,
    /// Where our moved interfaces are now, unless they are back here under their own name.
    pub located: Map<IfName, Located>,
    /// Our interfaces that were not found for certain, each with a message about the link in its place.
    pub uncertain: Map<IfName, String>,
    /// The files that cannot be trusted, and why.
    pub untrusted: Map<PathBuf, String>,
    /// Sysctls of a namespace that was just made: those that were asked for in a namespace that does not exist.
    pub of_new_namespaces: Map<Sysctl, String>,
    /// The stanzas of the interfaces file in use, if they could be read.
    pub stanzas: Option<Shared<Stanzas>>,
}

impl Snapshot {
    /// The reference by which the state of a namespace is found here.
    pub fn canonical<'a>(&'a self, netns: &'a NetnsRef) -> &'a NetnsRef {
        self.same.get(netns).unwrap_or(netns)
    }

    /// The same for a place.
    pub fn place(&self, place: &Place) -> Place {
        match place {
            Place::Here => Place::Here,
            Place::In(netns) => Place::In(self.canonical(netns).clone()),
        }
    }

    /// Whether two places are the same namespace.
    pub fn is_same(&self, one: &Place, other: &Place) -> bool {
        self.place(one) == self.place(other)
    }

    /// The state of a place; empty if the place does not exist.
    pub fn at(&self, place: &Place) -> &State {
        let known = match place {
            Place::In(netns) if self.same.contains_key(netns) => self.places.get(&self.place(place)),
            _ => self.places.get(place),
        };
        match known {
            Some(state) => state,
            None => Self::nothing(),
        }
    }

    /// What a reference leads to, if it was asked for.
    pub fn netns_at(&self, netns: &NetnsRef) -> Option<&Netns> {
        self.netns.get(self.canonical(netns))
    }

    /// The namespace of this reference, if it exists.
    pub fn existing(&self, netns: &NetnsRef) -> Option<&Existing> {
        match self.netns_at(netns)? {
            Netns::Is(existing) => Some(existing),
            Netns::Absent | Netns::Broken { .. } => None,
        }
    }

    /// The state of the namespace that the executor was started in.
    pub fn here(&self) -> &State {
        self.at(&Place::Here)
    }

    fn nothing() -> &'static State {
        thread_local!(static NOTHING: &'static State = Box::leak(Box::default()));
        NOTHING.with(|nothing| *nothing)
    }

    /// The same, mutable.
    pub fn here_mut(&mut self) -> &mut State {
        self.places.entry(Place::Here).or_default()
    }
}

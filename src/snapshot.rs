//! What an executor asks about the kernel, and what it was told.
//!
//! Both are plain data: a plan is a function of them and of nothing else.

mod query;

pub use query::{Query, TableRef, Until, VrfWants, Wait, Wants};

use crate::{
    bridging::Bridging,
    op::{LinkAddress, LinkKind, NetnsId, Place, Record, Residence, Route, Rule, Sysctl},
    stanzas::Stanzas,
    values::{Family, IfName, Mac, NetnsRef, TableId},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

/// A link that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// What it is.
    pub kind: LinkKind,
    /// The link that it is a port of.
    pub master: Option<IfName>,
    /// Whether it is administratively up.
    pub up: bool,
}

/// What else there is to know about a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Details {
    /// Its number within its namespace.
    pub index: u32,
    /// Its hardware address, if it is an Ethernet-like link.
    pub mac: Option<Mac>,
    /// Its MTU.
    pub mtu: u32,
    /// The link that it belongs to: the other end of a veth pair, or what a VLAN is on.
    pub peer: Option<Peer>,
}

/// A link as another link's attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Its number within its namespace.
    pub index: u32,
    /// The number of that namespace, if it is another one, as the one of the observer knows it.
    pub nsid: Option<i32>,
}

/// What was found in one namespace. What was not asked for is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// Links by name.
    pub links: BTreeMap<IfName, Link>,
    /// More about those.
    pub details: BTreeMap<IfName, Details>,
    /// Rules in the kernel's order; a family that the kernel does not have is missing.
    pub rules: BTreeMap<Family, Vec<Rule>>,
    /// Routes.
    pub routes: Vec<Route>,
    /// The tables that have routes.
    pub used_tables: BTreeSet<TableId>,
    /// Addresses by link, those that the kernel makes by itself (IPv6 link-local) left out.
    pub addresses: BTreeMap<IfName, Vec<LinkAddress>>,
    /// Sysctls; one that the kernel does not have is missing.
    pub sysctls: BTreeMap<Sysctl, String>,
    /// Records; one that was never made is missing.
    pub records: BTreeMap<Record, String>,
    /// What bridges do.
    pub bridging: Bridging,
    /// The numbers by which it knows other namespaces.
    pub nsids: BTreeMap<Place, i32>,
}

impl State {
    /// All VRFs and their tables.
    pub fn vrfs(&self) -> impl Iterator<Item = (&IfName, TableId)> {
        self.links.iter().filter_map(|(name, link)| match link.kind {
            LinkKind::Vrf(table) => Some((name, table)),
            _ => None,
        })
    }

    /// The links that have this one for a master.
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

    /// The number of a table that is asked for, if it can be told.
    pub fn table(&self, table: &TableRef) -> Option<TableId> {
        match table {
            TableRef::Id(id) => Some(*id),
            TableRef::Name(_) | TableRef::Ours => None,
            TableRef::Vrf(vrf) => self.vrf_table(vrf),
            TableRef::VrfOf(link) => self.vrf_table(self.links.get(link)?.master.as_ref()?),
        }
    }

    /// The numbers of tables that are asked for, as far as they can be told, with the names of rt_tables.
    pub fn tables(&self, asked: &BTreeSet<TableRef>, names: &BTreeMap<String, TableId>) -> BTreeSet<TableId> {
        let number = |table: &TableRef| match table {
            TableRef::Name(name) => names.get(name).copied(),
            known => self.table(known),
        };
        asked.iter().filter_map(number).collect()
    }
}

/// A reference to a network namespace, as it turned out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Netns {
    /// There is nothing of that name, no such process, no such file.
    Absent,
    /// A file that is no network namespace; `ours` if we were stopped before we made it one.
    Broken {
        /// Whether it is what we left.
        ours: bool,
    },
    /// A namespace.
    Is(Existing),
}

/// A namespace that exists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Existing {
    /// Which one.
    pub id: NetnsId,
    /// It is the one that the executor was started in.
    pub own: bool,
    /// We made it.
    pub ours: bool,
    /// Its number as the executor's own namespace knows it, if it has one.
    pub nsid: Option<i32>,
    /// The processes in it, if they were asked for.
    pub processes: Vec<u32>,
}

/// Where an interface of ours is that was moved to another namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Away {
    /// The namespace, by a reference that leads there now; [`Place::Here`] if the kernel brought it back
    /// under another name.
    pub place: Place,
    /// Its name there.
    pub name: IfName,
    /// What it is.
    pub kind: LinkKind,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// By namespace; one that does not exist is missing.
    pub places: BTreeMap<Place, State>,
    /// The numbers that rt_tables gives to names.
    pub table_names: BTreeMap<String, TableId>,
    /// The namespaces that were asked for.
    pub netns: BTreeMap<NetnsRef, Netns>,
    /// What of ours is in which namespace, as it was recorded.
    pub residences: Vec<Residence>,
    /// Where interfaces of ours are, if not where and what they should be when their stanza is down.
    pub away: BTreeMap<IfName, Away>,
    /// What is in the place of interfaces of ours that were not found, or may be in their place.
    pub doubtful: BTreeMap<IfName, String>,
    /// The files that cannot be trusted, and why.
    pub untrusted: BTreeMap<PathBuf, String>,
    /// The stanzas of the interfaces file in use, if they can be told.
    pub stanzas: Option<Stanzas>,
}

impl Snapshot {
    /// What was found in a place; nothing if it does not exist.
    pub fn at(&self, place: &Place) -> &State {
        match place {
            Place::Here => self.here(),
            Place::In(_) => self.places.get(place).unwrap_or_else(|| Self::nothing()),
        }
    }

    /// The namespace of this reference, if there is one.
    pub fn existing(&self, netns: &NetnsRef) -> Option<&Existing> {
        match self.netns.get(netns)? {
            Netns::Is(existing) => Some(existing),
            Netns::Absent | Netns::Broken { .. } => None,
        }
    }

    /// What was found in the namespace that the executor was started in.
    pub fn here(&self) -> &State {
        self.places.get(&Place::Here).unwrap_or_else(|| Self::nothing())
    }

    fn nothing() -> &'static State {
        static NOTHING: State = State {
            links: BTreeMap::new(),
            details: BTreeMap::new(),
            rules: BTreeMap::new(),
            routes: Vec::new(),
            used_tables: BTreeSet::new(),
            addresses: BTreeMap::new(),
            sysctls: BTreeMap::new(),
            records: BTreeMap::new(),
            bridging: Bridging::new(),
            nsids: BTreeMap::new(),
        };
        &NOTHING
    }

    /// The same, to be changed.
    pub fn here_mut(&mut self) -> &mut State {
        self.places.entry(Place::Here).or_default()
    }
}

//! What an executor asks about the kernel, and what it was told.
//!
//! Both are plain data: a plan is a function of them and of nothing else.

use crate::{
    bridging::{Bridging, BridgingWants},
    op::{LinkAddress, LinkKind, NetnsId, Place, Record, Residence, Route, Rule, Sysctl},
    stanzas::Stanzas,
    values::{Family, IfName, Mac, NetnsRef, TableId},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

/// A table to be looked at, by number or as the table of a VRF.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum TableRef {
    /// By number.
    Id(TableId),
    /// By a name of rt_tables.
    Name(String),
    /// The table of this VRF, if there is one of that name.
    Vrf(IfName),
    /// The table of this link's master, if that is a VRF.
    VrfOf(IfName),
    /// Every table, but of the routes only ours.
    Ours,
}

/// What to look at in one namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wants {
    /// These links, if they exist, and their masters.
    pub links: BTreeSet<IfName>,
    /// All links.
    pub all_links: bool,
    /// All VRFs.
    pub vrfs: bool,
    /// All rules of both families.
    pub rules: bool,
    /// The routes in these tables.
    pub routes: BTreeSet<TableRef>,
    /// The addresses on these links.
    pub addresses: BTreeSet<IfName>,
    /// The values of these sysctls.
    pub sysctls: BTreeSet<Sysctl>,
    /// These records.
    pub records: BTreeSet<Record>,
    /// What bridges do.
    pub bridging: BridgingWants,
    /// The numbers by which it knows these.
    pub nsids: BTreeSet<Place>,
}

/// What to look at before planning.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// By namespace.
    pub places: BTreeMap<Place, Wants>,
    /// The names of rt_tables.
    pub table_names: bool,
    /// These namespaces, and for those that say so the processes in them.
    pub netns: BTreeMap<NetnsRef, bool>,
    /// What of ours is in which namespace, and where these interfaces of ours are now.
    pub away: BTreeSet<IfName>,
    /// Whether these files can be trusted to be run as interfaces files.
    pub files: BTreeSet<PathBuf>,
    /// The stanzas of the interfaces file in use.
    pub stanzas: bool,
    /// What to wait for before looking.
    pub wait: Option<Wait>,
}

/// Something that comes about without our doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// How long to wait for it at most, in seconds.
    pub seconds: u32,
    /// The links that it is about.
    pub links: BTreeSet<IfName>,
    /// What it is.
    pub until: Until,
}

/// What links are waited for to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// To exist.
    Exist,
    /// As ports of a bridge, to have made up their minds whether to forward.
    Settled,
}

impl Query {
    /// What to look at in the namespace that the executor was started in.
    pub fn here(&mut self) -> &mut Wants {
        self.places.entry(Place::Here).or_default()
    }

    /// What to look at in a place.
    pub fn at(&mut self, place: &Place) -> &mut Wants {
        self.places.entry(place.clone()).or_default()
    }

    /// Whether nothing is to be looked at.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

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

//! What an executor asks about the kernel, and what it was told.
//!
//! Both are plain data: a plan is a function of them and of nothing else.

use crate::{
    bridging::{Bridging, BridgingWants},
    op::{LinkKind, Place, Record, Route, Rule, Sysctl},
    stanzas::Stanzas,
    values::{Family, IfName, TableId},
};
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};

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
}

/// What to look at in one namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wants {
    /// These links, if they exist, and their masters.
    pub links: BTreeSet<IfName>,
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
}

/// What to look at before planning.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// By namespace.
    pub places: BTreeMap<Place, Wants>,
    /// The names of rt_tables.
    pub table_names: bool,
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

/// What was found in one namespace. What was not asked for is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// Links by name.
    pub links: BTreeMap<IfName, Link>,
    /// Rules in the kernel's order; a family that the kernel does not have is missing.
    pub rules: BTreeMap<Family, Vec<Rule>>,
    /// Routes.
    pub routes: Vec<Route>,
    /// Addresses by link, those that the kernel makes by itself (IPv6 link-local) left out.
    pub addresses: BTreeMap<IfName, Vec<IpNet>>,
    /// Sysctls; one that the kernel does not have is missing.
    pub sysctls: BTreeMap<Sysctl, String>,
    /// Records; one that was never made is missing.
    pub records: BTreeMap<Record, String>,
    /// What bridges do.
    pub bridging: Bridging,
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
            TableRef::Name(_) => None,
            TableRef::Vrf(vrf) => self.vrf_table(vrf),
            TableRef::VrfOf(link) => self.vrf_table(self.links.get(link)?.master.as_ref()?),
        }
    }
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// By namespace; one that does not exist is missing.
    pub places: BTreeMap<Place, State>,
    /// The numbers that rt_tables gives to names.
    pub table_names: BTreeMap<String, TableId>,
    /// The stanzas of the interfaces file in use, if they can be told.
    pub stanzas: Option<Stanzas>,
}

impl Snapshot {
    /// What was found in the namespace that the executor was started in.
    pub fn here(&self) -> &State {
        static NOTHING: State = State {
            links: BTreeMap::new(),
            rules: BTreeMap::new(),
            routes: Vec::new(),
            addresses: BTreeMap::new(),
            sysctls: BTreeMap::new(),
            records: BTreeMap::new(),
            bridging: Bridging::new(),
        };
        self.places.get(&Place::Here).unwrap_or(&NOTHING)
    }

    /// The same, to be changed.
    pub fn here_mut(&mut self) -> &mut State {
        self.places.entry(Place::Here).or_default()
    }
}

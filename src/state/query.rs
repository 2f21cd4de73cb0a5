//! What an executor asks about the kernel.

use crate::{
    state::{Place, Record, Sysctl},
    values::{IfName, NetnsRef, TableId},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv6Addr,
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

/// Which VRFs to look at. More may be found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VrfWants {
    /// All.
    pub all: bool,
    /// Some: two at least, if there are as many.
    pub some: bool,
    /// For each of these tables one that has it, if there is one.
    pub with: BTreeSet<TableRef>,
}

/// What to look at, of bridges and their ports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BridgingWants {
    /// All links that a bridge could take or has taken.
    pub links: bool,
    /// The VLANs of these links, ports or bridges, which are looked at as well.
    pub vlans: BTreeSet<IfName>,
    /// The VLANs of all ports and bridges, and [`Self::links`].
    pub all_vlans: bool,
    /// The static entries in the forwarding databases of these bridges.
    pub fdb: BTreeSet<IfName>,
}

/// What to look at in one namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wants {
    /// These links, if they exist, and their masters.
    pub links: BTreeSet<IfName>,
    /// All links.
    pub all_links: bool,
    /// The links that have one of these for a master.
    pub members: BTreeSet<IfName>,
    /// These VRFs.
    pub vrfs: VrfWants,
    /// All rules of both families.
    pub rules: bool,
    /// The routes in these tables.
    pub routes: BTreeSet<TableRef>,
    /// Which tables have routes.
    pub used_tables: bool,
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
    pub located: BTreeSet<IfName>,
    /// Whether these files can be trusted to be run as interfaces files.
    pub files: BTreeSet<PathBuf>,
    /// The stanzas of the interfaces file in use.
    pub stanzas: bool,
    /// The same if there is a bridge, whose port the interface may be.
    pub stanzas_beside_bridge: bool,
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Until {
    /// To exist.
    Exist,
    /// As ports of a bridge, to have made up their minds whether to forward.
    Settled,
    /// These addresses, on whichever links, to have been checked for duplicates. It takes a carrier.
    Checked(BTreeSet<Ipv6Addr>),
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

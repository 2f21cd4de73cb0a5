//! What an executor asks about the kernel.

use crate::state::{Place, Record, Sysctl};
use crate::values::{IfName, NetnsRef, TableId};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;
use std::path::PathBuf;

/// A table to read.
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
    /// Every table, but only the routes that we added.
    Ours,
}

/// Which VRFs to read. More may be returned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VrfWants {
    /// All.
    pub all: bool,
    /// Some of them: at least two, if so many exist.
    pub some: bool,
    /// For each of these tables, one VRF that has it, if one exists.
    pub with: BTreeSet<TableRef>,
}

/// What to read of bridges and their ports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BridgingWants {
    /// All ports, and all links that can be ports.
    pub links: bool,
    /// The VLANs of these links, ports or bridges. The links themselves are read as well.
    pub vlans: BTreeSet<IfName>,
    /// The VLANs of all ports and bridges, and [`Self::links`].
    pub all_vlans: bool,
    /// The static entries in the forwarding databases of these bridges.
    pub fdb: BTreeSet<IfName>,
    /// The stations that ports with `bridge-allow` have.
    pub allowed: bool,
}

/// What to read in one namespace.
#[allow(clippy::struct_excessive_bools, reason = "each asks for another part")]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wants {
    /// These links, if they exist, and their masters.
    pub links: BTreeSet<IfName>,
    /// All links.
    pub all_links: bool,
    /// The links whose master is one of these.
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
    /// The addresses on all links, with the IPv6 link-local addresses that another program added.
    pub all_addresses: bool,
    /// The values of these sysctls.
    pub sysctls: BTreeSet<Sysctl>,
    /// These records.
    pub records: BTreeSet<Record>,
    /// All recorded former values of sysctls, and the present values of these sysctls.
    pub originals: bool,
    /// Bridges and their ports.
    pub bridging: BridgingWants,
    /// The ids (nsid) of these namespaces in this namespace.
    pub nsids: BTreeSet<Place>,
}

impl Wants {
    /// Also what these want.
    pub fn extend(&mut self, other: Self) {
        // All fields are named, so that a new one cannot be forgotten.
        let Self {
            links,
            all_links,
            members,
            vrfs,
            rules,
            routes,
            used_tables,
            addresses,
            all_addresses,
            sysctls,
            records,
            originals,
            bridging,
            nsids,
        } = other;
        self.links.extend(links);
        self.all_links |= all_links;
        self.members.extend(members);
        self.vrfs.all |= vrfs.all;
        self.vrfs.some |= vrfs.some;
        self.vrfs.with.extend(vrfs.with);
        self.rules |= rules;
        self.routes.extend(routes);
        self.used_tables |= used_tables;
        self.addresses.extend(addresses);
        self.all_addresses |= all_addresses;
        self.sysctls.extend(sysctls);
        self.records.extend(records);
        self.originals |= originals;
        self.bridging.links |= bridging.links;
        self.bridging.vlans.extend(bridging.vlans);
        self.bridging.all_vlans |= bridging.all_vlans;
        self.bridging.fdb.extend(bridging.fdb);
        self.bridging.allowed |= bridging.allowed;
        self.nsids.extend(nsids);
    }
}

/// What to read before planning.
#[allow(clippy::struct_excessive_bools, reason = "each asks for another part")]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// By namespace.
    pub places: BTreeMap<Place, Wants>,
    /// The names of rt_tables.
    pub table_names: bool,
    /// These namespaces. If the value is true, also the processes in the namespace.
    pub netns: BTreeMap<NetnsRef, bool>,
    /// The records of the links that these interfaces have in other namespaces, and where the interfaces are now.
    pub located: BTreeSet<IfName>,
    /// The records of all our links in other namespaces.
    pub netns_links: bool,
    /// In a query for many interfaces: what to read in the namespace where each of them is now. If it is empty, that is
    /// what is asked about all other namespaces.
    pub elsewhere: BTreeMap<IfName, Wants>,
    /// The sysctls of a namespace that was just made, beside those that are asked about one that does not exist.
    pub of_new_namespaces: BTreeSet<Sysctl>,
    /// Whether these files can be trusted as interfaces files, whose commands run as root.
    pub files: BTreeSet<PathBuf>,
    /// The stanzas of the interfaces file in use.
    pub stanzas: bool,
    /// The same, but only if a bridge exists, since the interface may be a port of it.
    pub stanzas_beside_bridge: bool,
    /// The stations that ports with `bridge-allow` have, if the stanza of any interface has that keyword.
    pub allowed_of_ports: bool,
    /// What to wait for before reading.
    pub wait: Option<Wait>,
}

/// An event that another program or the kernel causes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// How long to wait for it at most, in seconds.
    pub seconds: u32,
    /// The links to wait for.
    pub links: BTreeSet<IfName>,
    /// The event.
    pub until: Until,
}

/// The event that a wait ends with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Until {
    /// The links exist.
    Exist,
    /// The links are ports, and the spanning tree has decided whether they forward.
    Settled,
    /// The kernel has checked these addresses for duplicates, on any links. The check needs a carrier.
    Checked(BTreeSet<Ipv6Addr>),
}

impl Query {
    /// Adds the query for one of many interfaces.
    pub fn add(&mut self, iface: &IfName, own: Self) {
        self.elsewhere.entry(iface.clone()).or_default().extend(own.of_others());
        for (place, wants) in own.places {
            self.places.entry(place).or_default().extend(wants);
        }
        self.table_names |= own.table_names;
        for (netns, processes) in own.netns {
            *self.netns.entry(netns).or_default() |= processes;
        }
        self.located.extend(own.located);
        self.netns_links |= own.netns_links;
        self.files.extend(own.files);
        self.stanzas |= own.stanzas;
        self.stanzas_beside_bridge |= own.stanzas_beside_bridge;
        self.allowed_of_ports |= own.allowed_of_ports;
        self.of_new_namespaces.extend(own.of_new_namespaces);
    }

    /// What to read in the namespace where an interface is now.
    pub fn wherever(&self, iface: &IfName) -> Wants {
        if !self.elsewhere.is_empty() {
            return self.elsewhere.get(iface).cloned().unwrap_or_default();
        }
        self.of_others()
    }

    /// The sysctls to read in a namespace that was just made: also those of places that do not exist.
    pub fn sysctls_of_new_namespaces(&self, exists: impl Fn(&Place) -> bool) -> BTreeSet<&Sysctl> {
        let absent = self.places.iter().filter(|(place, _)| **place != Place::Here && !exists(place));
        absent.flat_map(|(_, wants)| &wants.sysctls).chain(&self.of_new_namespaces).collect()
    }

    /// What to read in all other namespaces, as if they were one.
    pub fn of_others(&self) -> Wants {
        let mut all = Wants::default();
        let others = self.places.iter().filter(|(place, _)| **place != Place::Here);
        others.for_each(|(_, wants)| all.extend(wants.clone()));
        all
    }

    /// What to read in the namespace that the executor was started in.
    pub fn here(&mut self) -> &mut Wants {
        self.places.entry(Place::Here).or_default()
    }

    /// What to read in a place.
    pub fn at(&mut self, place: &Place) -> &mut Wants {
        self.places.entry(place.clone()).or_default()
    }

    /// Whether there is nothing to read.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

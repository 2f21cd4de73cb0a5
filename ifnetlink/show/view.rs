//! The output of `ifnetlink show`, as data: a pure function of the state that was read.

use super::filter::{Chosen, Filter, Missing, choose};
use ifupdown_ng_netlink::state::{
    Action, BridgeOptions, Dropped, KERNEL_PROTOCOL, Link, LinkKind, Place, Route, Rule, Snapshot, State,
    Stations,
};
use ifupdown_ng_netlink::values::{Family, IfName, Mac, NetnsRef, TableId, VlanSet};
use ipnet::IpNet;

/// All of it.
pub struct View {
    /// By namespace, this one first.
    pub places: Vec<Within>,
}

/// What is in one namespace.
pub struct Within {
    /// The namespace; `None` is the one that the command was started in.
    pub netns: Option<NetnsRef>,
    /// We created it.
    pub ours: bool,
    /// Its links.
    pub links: Vec<Shown>,
    /// Its VRFs, which are links too.
    pub vrfs: Vec<Vrf>,
    /// Its bridges, which are links too.
    pub bridges: Vec<Bridge>,
    /// Its rules in the kernel's order.
    pub rules: Vec<Both>,
}

/// A link.
pub struct Shown {
    pub name: IfName,
    /// The kernel's word for its kind; `None` is hardware or loopback.
    pub kind: Option<String>,
    pub up: bool,
    pub mac: Option<Mac>,
    /// In bytes.
    pub mtu: Option<u32>,
    /// The VRF, bridge or other link that it is a member of.
    pub master: Option<IfName>,
    /// The other end of a veth pair.
    pub peer: Option<Far>,
    /// The link that it is on, as a VLAN is on a bridge.
    pub lower: Option<Far>,
    pub addresses: Vec<IpNet>,
    /// Its VLANs, if it is a bridge or a port of one.
    pub vlans: Option<VlanSet>,
    /// VLAN filtering is on.
    pub filtering: bool,
    /// The stations that it may have, if it is a port with `bridge-allow`, and how many frames were dropped.
    pub allowed: Option<(Stations, Dropped)>,
    /// A person looks for it. JSON has the others too.
    pub notable: bool,
}

/// A link that another one refers to.
pub enum Far {
    /// A link in one of the namespaces that were read.
    At(Place, IfName),
    /// A link in a namespace that has no name.
    Elsewhere,
}

/// A VRF.
pub struct Vrf {
    pub name: IfName,
    pub table: TableId,
    pub members: Vec<IfName>,
    pub routes: Vec<Route>,
}

/// A bridge.
pub struct Bridge {
    pub name: IfName,
    pub options: BridgeOptions,
    pub ports: Vec<IfName>,
}

/// A rule that exists in these families.
pub struct Both {
    pub families: Vec<Family>,
    pub rule: Rule,
}

impl View {
    /// Selects what is shown from the state that was read.
    ///
    /// # Errors
    /// The names of the filter that nothing has.
    pub fn new(found: &Snapshot, filter: &Filter) -> Result<Self, Vec<Missing>> {
        let chosen = choose(found, filter)?;
        let within = |chosen: &Chosen| within(chosen, found.at(&chosen.place), found);
        Ok(Self { places: chosen.iter().map(within).collect() })
    }
}

impl Within {
    /// Its namespace.
    pub fn place(&self) -> Place {
        self.netns.clone().map_or(Place::Here, Place::In)
    }

    /// One of its links.
    pub fn link(&self, name: &IfName) -> Option<&Shown> {
        self.links.iter().find(|link| link.name == *name)
    }

    /// Whether a link is a VRF or a bridge of this namespace.
    pub fn is_master(&self, name: &IfName) -> bool {
        self.vrfs.iter().any(|vrf| vrf.name == *name)
            || self.bridges.iter().any(|bridge| bridge.name == *name)
    }

    /// Whether a person looks for the rules: there is a VRF, or a rule that the kernel does not add by itself. It adds
    /// the rule of VRFs with the first VRF, and keeps it (drivers/net/vrf.c `vrf_add_fib_rules`).
    pub fn has_notable_rules(&self) -> bool {
        let by_default = |rule: &Rule| {
            let numbers = [(0, TableId::LOCAL), (32766, TableId::MAIN), (32767, TableId::DEFAULT)];
            let known = numbers
                .into_iter()
                .any(|(priority, table)| rule.priority == priority && rule.action == Action::Lookup(table));
            (known || rule.action == Action::LookupL3mdev)
                && !rule.selective
                && rule.protocol == KERNEL_PROTOCOL
        };
        !self.rules.is_empty()
            && (!self.vrfs.is_empty() || !self.rules.iter().all(|both| by_default(&both.rule)))
    }
}

fn within(chosen: &Chosen, state: &State, found: &Snapshot) -> Within {
    let (netns, existing) = match &chosen.place {
        Place::Here => (None, None),
        Place::In(netns) => (Some(netns.clone()), found.existing(netns)),
    };
    let members = |master: &IfName| {
        let members = state.members(master).filter(|name| chosen.links.contains_key(*name));
        members.cloned().collect::<Vec<_>>()
    };
    let (mut links, mut vrfs, mut bridges) = (Vec::new(), Vec::new(), Vec::new());
    for (name, named) in &chosen.links {
        let Some(link) = state.links.get(name) else { continue };
        links.push(shown(chosen, name, link, *named, found));
        match &link.kind {
            LinkKind::Vrf(table) => vrfs.push(Vrf {
                name: name.clone(),
                table: *table,
                members: members(name),
                routes: state.routes.iter().filter(|route| route.table == *table).cloned().collect(),
            }),
            LinkKind::Bridge(options) => {
                bridges.push(Bridge { name: name.clone(), options: options.clone(), ports: members(name) });
            }
            LinkKind::Vlan(_) | LinkKind::Other(_) | LinkKind::Physical => {}
        }
    }
    let rules = if chosen.whole { merged(state) } else { Vec::new() };
    Within { netns, ours: existing.is_some_and(|existing| existing.ours), links, vrfs, bridges, rules }
}

fn shown(chosen: &Chosen, name: &IfName, link: &Link, named: bool, found: &Snapshot) -> Shown {
    let state = found.at(&chosen.place);
    let kind = match &link.kind {
        LinkKind::Vrf(_) => Some("vrf".to_owned()),
        LinkKind::Bridge(_) => Some("bridge".to_owned()),
        LinkKind::Vlan(_) => Some("vlan".to_owned()),
        LinkKind::Other(kind) => Some(kind.clone()),
        LinkKind::Physical => None,
    };
    let far = far(chosen, name, found);
    let (peer, lower) = if kind.as_deref() == Some("veth") { (far, None) } else { (None, far) };
    let details = state.details.get(name);
    let addresses: Vec<IpNet> =
        state.addresses.get(name).into_iter().flatten().map(|address| address.net).collect();
    let bridge = state.bridge(name).or_else(|| state.bridge(link.master.as_ref()?));
    let allowed = &state.bridging.allowed;
    let dropped = allowed.dropped.get(name).copied().unwrap_or_default();
    Shown {
        allowed: allowed.ports.get(name).map(|stations| (stations.clone(), dropped)),
        notable: named || is_notable(name, link, &addresses),
        name: name.clone(),
        kind,
        up: link.up,
        mac: details.and_then(|details| details.mac),
        mtu: details.map(|details| details.mtu),
        master: link.master.clone(),
        peer,
        lower,
        addresses,
        vlans: bridge.map(|_| state.bridging.vlans.get(name).cloned().unwrap_or_default()),
        filtering: bridge.is_some_and(|options| options.filtering == Some(true)),
    }
}

/// The links that the kernel adds to every namespace once the module of a tunnel is loaded
/// (`fb_tunnels_only_for_init_net` in Documentation/admin-guide/sysctl/net.rst).
const FALLBACK_TUNNELS: [&str; 9] =
    ["tunl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "sit0", "ip6tnl0", "ip6gre0"];

/// Whether a person looks for a link: not for `lo` as it usually is, and not for the tunnels that nothing uses.
fn is_notable(name: &IfName, link: &Link, addresses: &[IpNet]) -> bool {
    let usual = |address: &IpNet| ["127.0.0.1/8", "::1/128"].contains(&address.to_string().as_str());
    match name.as_str() {
        "lo" => !link.up || link.master.is_some() || !addresses.iter().all(usual),
        tunnel if FALLBACK_TUNNELS.contains(&tunnel) => {
            link.up || link.master.is_some() || !addresses.is_empty()
        }
        _ => true,
    }
}

/// The link that a link refers to: the other end of a pair, or the link below.
fn far(chosen: &Chosen, name: &IfName, found: &Snapshot) -> Option<Far> {
    let state = found.at(&chosen.place);
    // Tunnels have the index 0 if they are on no link.
    let peer = state.details.get(name)?.peer.filter(|peer| peer.index != 0)?;
    let place = match peer.nsid {
        None => Some(chosen.place.clone()),
        Some(nsid) => {
            state.nsids.iter().find(|(_, known)| **known == nsid).map(|(place, _)| found.place(place))
        }
    };
    let known = place.and_then(|place| {
        let mut there = found.places.get(&place)?.details.iter();
        let (name, _) = there.find(|(_, details)| details.index == peer.index)?;
        let name = name.clone();
        Some(Far::At(place, name))
    });
    Some(known.unwrap_or(Far::Elsewhere))
}

/// The rules of both families in their order. A rule that exists in both is one. Rules for some packets stay apart,
/// since their conditions are not read.
fn merged(state: &State) -> Vec<Both> {
    let of = |family| state.rules.get(&family).map(Vec::as_slice).unwrap_or_default();
    let (mut left, mut other) = (of(Family::Ipv4), of(Family::Ipv6));
    let same = |one: &Rule, two: &Rule| {
        let comparable = !one.selective && one.action != Action::Other;
        comparable && Rule { family: two.family, ..one.clone() } == *two
    };
    let mut rules = Vec::new();
    let one = |rule: &Rule| Both { families: vec![rule.family], rule: rule.clone() };
    loop {
        match (left.split_first(), other.split_first()) {
            (Some((v4, rest4)), Some((v6, rest6))) => {
                let later = rest6.iter().any(|rule| same(v4, rule));
                if same(v4, v6) {
                    rules.push(Both { families: Family::BOTH.to_vec(), rule: v4.clone() });
                    (left, other) = (rest4, rest6);
                } else if v6.priority < v4.priority || (v6.priority == v4.priority && later) {
                    rules.push(one(v6));
                    other = rest6;
                } else {
                    rules.push(one(v4));
                    left = rest4;
                }
            }
            (Some((v4, rest)), None) => {
                rules.push(one(v4));
                left = rest;
            }
            (None, Some((v6, rest))) => {
                rules.push(one(v6));
                other = rest;
            }
            (None, None) => return rules,
        }
    }
}

//! The output of `ifnetlink show`, as data: a pure function of the state that was read.

use ifupdown_ng_netlink::state::{BridgeOptions, Link, LinkKind, Place, Route, Rule, Snapshot, State};
use ifupdown_ng_netlink::values::{IfName, NetnsRef, TableId, Vid, VlanSet};
use ipnet::IpNet;
use serde_json::{Value, json};

/// All of it.
pub struct View {
    /// By namespace, this one first.
    pub places: Vec<Within>,
    /// Both ends of each veth pair that has both ends in these namespaces.
    pub pairs: Vec<[End; 2]>,
}

/// What is in one namespace.
pub struct Within {
    /// The namespace; `None` is the one that the command was started in.
    pub netns: Option<NetnsRef>,
    /// We created it.
    pub ours: bool,
    /// Its VRFs.
    pub vrfs: Vec<Vrf>,
    /// Its rules in the kernel's order, IPv4 first; empty without a VRF.
    pub rules: Vec<Rule>,
    /// Its bridges.
    pub bridges: Vec<Bridge>,
    /// Its links; empty for this namespace.
    pub links: Vec<End>,
}

/// A VRF.
pub struct Vrf {
    pub name: IfName,
    pub up: bool,
    pub table: TableId,
    pub members: Vec<IfName>,
    pub routes: Vec<Route>,
}

/// A bridge.
pub struct Bridge {
    pub name: IfName,
    pub up: bool,
    pub options: BridgeOptions,
    /// Its ports with their VLANs, after the bridge itself.
    pub members: Vec<(IfName, VlanSet)>,
}

/// A link.
#[derive(Clone)]
pub struct End {
    pub place: Place,
    pub name: IfName,
    pub up: bool,
    pub addresses: Vec<IpNet>,
}

impl View {
    /// Selects what is shown from the state that was read.
    pub fn new(found: &Snapshot) -> Self {
        let places = found.places.iter().map(|(place, state)| within(place, state, found)).collect();
        Self { places, pairs: pairs(found) }
    }

    /// The same as JSON.
    pub fn json(&self) -> Value {
        let places = self.places.iter().map(Within::json).collect::<Value>();
        let pairs = self.pairs.iter().map(|ends| ends.iter().map(End::json).collect::<Value>());
        json!({ "namespaces": places, "pairs": pairs.collect::<Value>() })
    }
}

fn within(place: &Place, state: &State, found: &Snapshot) -> Within {
    let (netns, existing) = match place {
        Place::Here => (None, None),
        Place::In(netns) => (Some(netns.clone()), found.existing(netns)),
    };
    let ports = |master: &IfName| {
        let is_port = |link: &Link| link.master.as_ref() == Some(master);
        state
            .links
            .iter()
            .filter(move |(_, link)| is_port(link))
            .map(|(name, _)| name.clone())
            .collect::<Vec<_>>()
    };
    let (mut vrfs, mut bridges) = (Vec::new(), Vec::new());
    for (name, link) in &state.links {
        match &link.kind {
            LinkKind::Vrf(table) => vrfs.push(Vrf {
                name: name.clone(),
                up: link.up,
                table: *table,
                members: ports(name),
                routes: state.routes.iter().filter(|route| route.table == *table).cloned().collect(),
            }),
            LinkKind::Bridge(options) => {
                let vlans = |name: IfName| {
                    let set = state.bridging.vlans.get(&name).cloned().unwrap_or_default();
                    (name, set)
                };
                let members = std::iter::once(name.clone()).chain(ports(name)).map(vlans).collect();
                bridges.push(Bridge { name: name.clone(), up: link.up, options: options.clone(), members });
            }
            LinkKind::Other(_) | LinkKind::Physical => {}
        }
    }
    let rules = if vrfs.is_empty() { Vec::new() } else { state.rules.values().flatten().cloned().collect() };
    let own = *place == Place::Here;
    let links = state.links.keys().filter(|_| !own).map(|name| end(place, name, state)).collect();
    Within { netns, ours: existing.is_some_and(|existing| existing.ours), vrfs, rules, bridges, links }
}

fn end(place: &Place, name: &IfName, state: &State) -> End {
    End {
        place: place.clone(),
        name: name.clone(),
        up: state.links.get(name).is_some_and(|link| link.up),
        addresses: state.addresses.get(name).into_iter().flatten().map(|address| address.net).collect(),
    }
}

fn pairs(found: &Snapshot) -> Vec<[End; 2]> {
    let mut pairs: Vec<[End; 2]> = Vec::new();
    for (place, state) in &found.places {
        for (name, link) in &state.links {
            let is_veth = matches!(&link.kind, LinkKind::Other(kind) if kind == "veth");
            let told = |end: &End| end.place == *place && end.name == *name;
            if !is_veth || pairs.iter().any(|[_, other]| told(other)) {
                continue;
            }
            let Some(peer) = state.details.get(name).and_then(|details| details.peer) else { continue };
            let there = match peer.nsid {
                None => Some(place),
                Some(nsid) => state.nsids.iter().find(|(_, known)| **known == nsid).map(|(place, _)| place),
            };
            let Some(there) = there.filter(|there| found.places.contains_key(there)) else { continue };
            let other = found.at(there);
            let is_it = other.details.iter().find(|(_, details)| details.index == peer.index);
            pairs.extend(is_it.map(|(peer, _)| [end(place, name, state), end(there, peer, other)]));
        }
    }
    pairs
}

impl Within {
    fn json(&self) -> Value {
        let rules = self.rules.iter().map(|rule| {
            json!({ "family": rule.family.to_string(), "priority": rule.priority, "action": rule.action.to_string(),
                    "protocol": rule.protocol })
        });
        json!({
            "namespace": self.netns.as_ref().map(ToString::to_string),
            "ours": self.ours,
            "vrfs": self.vrfs.iter().map(Vrf::json).collect::<Value>(),
            "rules": rules.collect::<Value>(),
            "bridges": self.bridges.iter().map(Bridge::json).collect::<Value>(),
            "links": self.links.iter().map(End::json).collect::<Value>(),
        })
    }
}

impl Vrf {
    fn json(&self) -> Value {
        let routes = self.routes.iter().map(|route| {
            json!({ "kind": route.kind.word().trim(), "prefix": route.prefix.to_string(),
                    "via": route.via.map(|via| via.to_string()), "dev": route.dev.as_ref().map(IfName::as_str),
                    "metric": route.metric, "protocol": route.protocol })
        });
        json!({
            "name": self.name.as_str(),
            "up": self.up,
            "table": self.table.get(),
            "members": self.members.iter().map(IfName::as_str).collect::<Value>(),
            "routes": routes.collect::<Value>(),
        })
    }
}

impl Bridge {
    fn json(&self) -> Value {
        let members = self.members.iter().map(|(name, vlans)| {
            let vlans = vlans.ranges().into_iter().map(|range| {
                json!({ "first": range.first.get(), "last": range.last.get(), "pvid": range.pvid,
                        "untagged": range.untagged })
            });
            json!({ "name": name.as_str(), "vlans": vlans.collect::<Value>() })
        });
        json!({
            "name": self.name.as_str(),
            "up": self.up,
            "filtering": self.options.filtering,
            "default_pvid": self.options.default_pvid.flatten().map(Vid::get),
            "members": members.collect::<Value>(),
        })
    }
}

impl End {
    fn json(&self) -> Value {
        let netns = match &self.place {
            Place::Here => None,
            Place::In(netns) => Some(netns.to_string()),
        };
        json!({
            "namespace": netns,
            "name": self.name.as_str(),
            "up": self.up,
            "addresses": self.addresses.iter().map(ToString::to_string).collect::<Value>(),
        })
    }
}

//! The keywords of bridges and ports, read.

use crate::{
    op::{BridgeOptions, FdbEntry, PortOptions},
    snapshot::Snapshot,
    stanza::Stanza,
    values::{
        Centiseconds, DefaultPvid, IfName, Invalid, List, Mac, Switch, Vid, Vids, VlanProtocol, VlanSet,
    },
};
use std::{collections::BTreeMap, ops::RangeInclusive, str::FromStr};

/// Which keywords a program reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Those of the executor `bridge-vlan`.
    Vlan,
    /// Those of the stock executor `bridge` as well.
    All,
}

/// Keywords that only a bridge has, `bridge-ports` left out.
const OF_BRIDGES: [&str; 13] = [
    "bridge-vlan-filtering",
    "bridge-vlan-aware",
    "bridge-default-pvid",
    "bridge-vlan-protocol",
    "bridge-ageing",
    "bridge-bridgeprio",
    "bridge-fd",
    "bridge-hello",
    "bridge-maxage",
    "bridge-stp",
    "bridge-hw",
    "bridge-waitport",
    "bridge-maxwait",
];

/// What an interface is, by its stanza.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A bridge.
    Bridge,
    /// A port that joins its bridge by itself.
    Port,
    /// To be told from the interface, or from other stanzas: a bridge that somebody else makes, or a port
    /// that its bridge takes.
    Unclear,
}

/// The ports of a bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ports {
    /// These.
    Listed(Vec<IfName>),
    /// Every link that a bridge can take.
    All,
}

impl FromStr for Ports {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let mut ports = Vec::new();
        for word in text.split_whitespace() {
            match word {
                "all" => return Ok(Self::All),
                "none" => {}
                _ => ports.push(word.parse().map_err(|error| Invalid::new(format!("{word}: {error}")))?),
            }
        }
        Ok(Self::Listed(ports))
    }
}

/// The VLANs of a port or of a bridge itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Vlans {
    /// These.
    Exactly(VlanSet),
    /// By the stock keywords, which start from the bridge's default.
    Stock {
        /// `bridge-pvid`.
        pvid: Option<Vid>,
        /// `bridge-vids`.
        vids: Vids,
        /// `bridge-allow-untagged`.
        untagged: bool,
    },
}

impl Vlans {
    /// The VLANs, on a bridge with this default.
    pub fn resolve(&self, default: Option<Vid>) -> VlanSet {
        match self {
            Self::Exactly(set) => set.clone(),
            Self::Stock { pvid, vids, untagged } => {
                let mut set = VlanSet::access(pvid.or(default.filter(|_| *untagged)));
                vids.0.iter().for_each(|range| set.insert(*range));
                set
            }
        }
    }
}

/// What a port is to be, whoever makes it one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PortConfig {
    /// Its VLANs, with the keyword and the text that they are from.
    pub vlans: Option<(&'static str, String, Vlans)>,
    /// Its settings.
    pub options: PortOptions,
    /// Stations behind it.
    pub fdb: Vec<FdbEntry>,
    /// It is the VXLAN end of an EVPN.
    pub evpn: bool,
}

impl PortConfig {
    /// Reads the keywords of ports.
    pub fn read(stanza: &Stanza, scope: Scope) -> Self {
        let switch = |keyword| stanza.get::<Switch>(keyword).map(|Switch(on)| on);
        let mut options = PortOptions {
            isolated: switch("bridge-isolated"),
            learning: switch("bridge-learning"),
            locked: switch("bridge-locked"),
            ..PortOptions::default()
        };
        let evpn = scope == Scope::All && switch("vxlan-evpn") == Some(true);
        if scope == Scope::All {
            options.neigh_suppress = switch("bridge-arp-nd-suppress");
        }
        if evpn {
            options.learning = options.learning.or(Some(false));
            options.neigh_suppress = options.neigh_suppress.or(Some(true));
        }
        let fdb = stanza.get::<List<Station>>("bridge-fdb").map_or_else(Vec::new, |List(stations)| {
            stations.into_iter().map(|Station(entry)| entry).collect()
        });
        Self { vlans: read_vlans(stanza, scope), options, fdb, evpn }
    }

    /// Whether nothing but stock keywords speak of it.
    pub fn is_stock(&self) -> bool {
        let own = PortOptions { neigh_suppress: None, ..self.options.clone() };
        own.is_empty()
            && self.fdb.is_empty()
            && self.vlans.as_ref().is_none_or(|(key, ..)| *key != "bridge-vlan")
    }
}

fn read_vlans(stanza: &Stanza, scope: Scope) -> Option<(&'static str, String, Vlans)> {
    let written = |keyword: &'static str, vlans| {
        Some((keyword, stanza.text(keyword).unwrap_or_default().to_owned(), vlans))
    };
    let own = stanza.get::<VlanSet>("bridge-vlan").map(Vlans::Exactly);
    let own = own.and_then(|vlans| written("bridge-vlan", vlans));
    if scope == Scope::Vlan {
        return own;
    }
    let stock = ["bridge-access", "bridge-pvid", "bridge-vids", "bridge-allow-untagged"];
    let first = stock.into_iter().find(|keyword| stanza.text(keyword).is_some());
    if let (Some(first), Some(_)) = (first, stanza.text("bridge-vlan")) {
        stanza.reject("bridge-vlan", format!("{first} says otherwise; keep one of the two"));
    }
    let access = stanza.get::<Vid>("bridge-access");
    let pvid = stanza.get("bridge-pvid");
    let vids = stanza.get("bridge-vids").unwrap_or(Vids(Vec::new()));
    let untagged = stanza.get("bridge-allow-untagged").is_none_or(|Switch(on)| on);
    match (own, first, access) {
        (Some(own), ..) => Some(own),
        (_, None, _) => None,
        // As the stock executor has it: the other keywords say nothing to a port of one VLAN.
        (_, _, Some(vid)) => written("bridge-access", Vlans::Exactly(VlanSet::access(Some(vid)))),
        (_, Some(first), None) => written(first, Vlans::Stock { pvid, vids, untagged }),
    }
}

/// `MAC [vlan VID]`.
struct Station(FdbEntry);

impl FromStr for Station {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let words: Vec<&str> = text.split_whitespace().collect();
        match words[..] {
            [mac] => Ok(Self(FdbEntry { mac: mac.parse()?, vid: None })),
            [mac, "vlan", vid] => Ok(Self(FdbEntry { mac: mac.parse()?, vid: Some(vid.parse()?) })),
            _ => Err(Invalid::new("not MAC [vlan VID]")),
        }
    }
}

/// A stanza.
#[derive(Debug, Clone)]
pub struct Config {
    /// Who reads it.
    pub scope: Scope,
    /// What it says that the interface is.
    pub role: Role,
    /// `bridge-member`.
    pub member: Option<IfName>,
    /// `bridge-ports` as it was handed over. ifupdown-ng puts every dependency there, so this may say too much.
    pub ports: Option<Ports>,
    /// The settings of the bridge.
    pub options: BridgeOptions,
    /// The interface itself: the port, or the bridge as a station of its VLANs.
    pub own: PortConfig,
    /// Settings of all ports of the bridge.
    pub all_ports: PortOptions,
    /// Settings of single ports of the bridge.
    pub some_ports: BTreeMap<IfName, PortOptions>,
    /// Ports to wait for, and for how many seconds.
    pub wait_port: Option<WaitPort>,
    /// For how many seconds to wait until the ports forward.
    pub max_wait: Option<u32>,
}

impl Config {
    /// Reads a stanza; `None` if it has nothing to do with bridges.
    pub fn read(stanza: &Stanza, scope: Scope) -> Option<Self> {
        let own = PortConfig::read(stanza, scope);
        let options = read_options(stanza, scope);
        let member = stanza.get::<IfName>("bridge-member");
        let named = stanza
            .text("bridge-ports")
            .filter(|_| scope == Scope::All && stanza.text("bridge-member").is_none());
        let ports = named.and_then(|_| stanza.get("bridge-ports"));
        let of_bridge = OF_BRIDGES.into_iter().find(|keyword| stanza.text(keyword).is_some());
        let role = match (stanza.text("bridge-member"), of_bridge, named) {
            (Some(_), Some(keyword), _) => {
                stanza.reject(keyword, "a port of a bridge, as bridge-member makes it, cannot be a bridge");
                return None;
            }
            (Some(_), None, _) => Role::Port,
            (None, Some(_), _) => Role::Bridge,
            // What is required also arrives as ports (lifecycle.c): then other evidence is needed.
            (None, None, Some(ports)) if stanza.text("requires") != Some(ports) => Role::Bridge,
            _ => Role::Unclear,
        };
        if role == Role::Bridge {
            for keyword in ["bridge-isolated", "bridge-learning", "bridge-locked", "bridge-fdb"] {
                if stanza.text(keyword).is_some() {
                    stanza.reject(keyword, "for a port, not for a bridge");
                }
            }
        }
        let mut config = Self {
            scope,
            role,
            member,
            ports,
            options,
            own,
            all_ports: PortOptions::default(),
            some_ports: BTreeMap::new(),
            wait_port: None,
            max_wait: None,
        };
        if scope == Scope::All {
            config.wait_port = stanza.get("bridge-waitport");
            config.max_wait = stanza.get::<Number<u32>>("bridge-maxwait").map(|Number(seconds)| seconds);
            config.read_port_settings(stanza);
        }
        Some(config)
    }

    /// Reads the stanza of an interface that another stanza makes a port.
    pub fn read_as_port(stanza: &Stanza) -> Self {
        let mut config = Self {
            scope: Scope::All,
            role: Role::Port,
            member: stanza.get("bridge-member"),
            ports: None,
            options: BridgeOptions::default(),
            own: PortConfig::read(stanza, Scope::All),
            all_ports: PortOptions::default(),
            some_ports: BTreeMap::new(),
            wait_port: None,
            max_wait: None,
        };
        config.read_port_settings(stanza);
        config
    }

    fn read_port_settings(&mut self, stanza: &Stanza) {
        let costs = stanza.get::<List<PerPort<1, 65535>>>("bridge-pathcost");
        for PerPort { port, value } in costs.into_iter().flat_map(|List(costs)| costs) {
            self.settings_of(port).cost = Some(value);
        }
        let priorities = stanza.get::<List<PerPort<0, 63>>>("bridge-portprio");
        for PerPort { port, value } in priorities.into_iter().flat_map(|List(priorities)| priorities) {
            self.settings_of(port).priority = u16::try_from(value).ok();
        }
    }

    fn settings_of(&mut self, port: Option<IfName>) -> &mut PortOptions {
        match port {
            Some(port) => self.some_ports.entry(port).or_default(),
            None => &mut self.all_ports,
        }
    }

    /// What is asked of one port by the stanza of its bridge.
    pub fn settings(&self, port: &IfName) -> PortOptions {
        let mut options = self.all_ports.clone();
        self.some_ports.get(port).iter().for_each(|own| options.update(own));
        options
    }

    /// Whether other stanzas have to be asked: what the interface is, or what its ports are to be.
    pub fn asks_stanzas(&self) -> bool {
        let has_ports = self.ports.as_ref().is_some_and(|ports| *ports != Ports::Listed(Vec::new()));
        self.member.is_none() && has_ports
    }

    /// What the interface is, by all that is known.
    pub fn role_in(&self, iface: &IfName, found: &Snapshot) -> Role {
        let written = found.stanzas.as_ref().map(|stanzas| stanzas.text(iface, "bridge-ports").is_some());
        match (self.role, written) {
            (Role::Unclear, Some(true)) => Role::Bridge,
            (Role::Unclear, None) if self.ports.is_some() => Role::Bridge,
            (role, _) => role,
        }
    }

    /// The ports that the stanza itself names.
    pub fn own_ports(&self, iface: &IfName, found: &Snapshot) -> Vec<IfName> {
        let state = found.here();
        let written = found
            .stanzas
            .as_ref()
            .and_then(|stanzas| Some(stanzas.text(iface, "bridge-ports")?.parse().ok()));
        // A stanza that ifquery does not know by that name (a mapping) is taken by what was handed over.
        match written.flatten().as_ref().or(self.ports.as_ref()) {
            Some(Ports::Listed(ports)) => ports.clone(),
            // What is a port of something else is spoken for.
            Some(Ports::All) => state
                .bridging
                .eligible
                .iter()
                .filter(|port| *port != iface)
                .filter(|port| {
                    let master = state.links.get(*port).and_then(|link| link.master.as_ref());
                    master.is_none_or(|master| master == iface)
                })
                .cloned()
                .collect(),
            None => Vec::new(),
        }
    }
}

fn read_options(stanza: &Stanza, scope: Scope) -> BridgeOptions {
    let switch = |keyword| stanza.get::<Switch>(keyword).map(|Switch(on)| on);
    let filtering = (switch("bridge-vlan-filtering"), switch("bridge-vlan-aware"));
    if let (Some(filtering), Some(aware)) = filtering
        && filtering != aware
    {
        stanza.reject("bridge-vlan-aware", "bridge-vlan-filtering says otherwise; keep one of the two");
    }
    let mut options = BridgeOptions {
        filtering: filtering.0.or(filtering.1),
        default_pvid: stanza.get("bridge-default-pvid").map(|DefaultPvid(vid)| vid),
        protocol: stanza.get::<VlanProtocol>("bridge-vlan-protocol"),
        ..BridgeOptions::default()
    };
    if scope == Scope::Vlan {
        return options;
    }
    options.address = stanza.get::<Mac>("bridge-hw");
    options.stp = switch("bridge-stp");
    options.ageing = seconds(stanza, "bridge-ageing", 0..=u32::MAX / 100);
    let shortest = if options.stp == Some(true) { 2 } else { 0 };
    options.forward_delay = seconds(stanza, "bridge-fd", shortest..=30);
    options.hello = seconds(stanza, "bridge-hello", 1..=10);
    options.max_age = seconds(stanza, "bridge-maxage", 6..=40);
    options.priority = stanza.get::<Number<u16>>("bridge-bridgeprio").map(|Number(priority)| priority);
    options
}

fn seconds(stanza: &Stanza, keyword: &str, limits: RangeInclusive<u32>) -> Option<Centiseconds> {
    let time = stanza.get::<Centiseconds>(keyword)?;
    if (limits.start() * 100..=limits.end() * 100).contains(&time.0) {
        return Some(time);
    }
    stanza.reject(keyword, format!("not a time from {} to {} seconds", limits.start(), limits.end()));
    None
}

/// A number.
struct Number<T>(T);

impl<T: FromStr> FromStr for Number<T> {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let largest = u64::MAX >> (64 - 8 * size_of::<T>());
        text.parse().map(Self).map_err(|_| Invalid::new(format!("not a number (0-{largest})")))
    }
}

/// `VALUE` for all ports, or `PORT VALUE` (also with an equals sign between) for one.
struct PerPort<const LEAST: u32, const MOST: u32> {
    port: Option<IfName>,
    value: u32,
}

impl<const LEAST: u32, const MOST: u32> FromStr for PerPort<LEAST, MOST> {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let words: Vec<&str> = text.split([' ', '\t', '=']).filter(|word| !word.is_empty()).collect();
        let (port, value) = match words[..] {
            [value] => (None, value),
            [port, value] => (Some(port.parse()?), value),
            _ => return Err(Invalid::new("not [PORT] NUMBER")),
        };
        let value = value.parse().ok().filter(|value| (LEAST..=MOST).contains(value));
        let value = value.ok_or_else(|| Invalid::new(format!("not a number from {LEAST} to {MOST}")))?;
        Ok(Self { port, value })
    }
}

/// `SECONDS [PORT…]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitPort {
    /// How long.
    pub seconds: u32,
    /// For which ports; with none named, for all of the bridge.
    pub ports: Vec<IfName>,
}

impl FromStr for WaitPort {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let mut words = text.split_whitespace();
        let seconds = words.next().and_then(|word| word.parse().ok());
        let seconds = seconds.ok_or_else(|| Invalid::new("not SECONDS [PORT ...]"))?;
        let ports = words.map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self { seconds, ports })
    }
}

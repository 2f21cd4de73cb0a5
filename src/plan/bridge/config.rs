//! Reads the keywords of bridges and ports.

use crate::plan::bridge::port_config::PortConfig;
use crate::plan::bridge::scope::Scope;
use crate::stanza::Stanza;
use crate::state::{BridgeOptions, PortOptions, Snapshot};
use crate::values::bridge::{Number, PerPort, Ports, WaitPort};
use crate::values::{Centiseconds, DefaultPvid, IfName, List, Mac, Switch, VlanProtocol};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// Keywords that only a port can have.
const OF_PORTS: [&str; 8] = [
    "bridge-allow",
    "bridge-isolated",
    "bridge-learning",
    "bridge-locked",
    "bridge-unicast-flood",
    "bridge-multicast-flood",
    "bridge-broadcast-flood",
    "bridge-fdb",
];

/// Keywords that only a bridge has, without `bridge-ports`.
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

/// The role of an interface, by its stanza.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A bridge.
    Bridge,
    /// A port whose own stanza names its bridge.
    Port,
    /// To be found out from the link or from other stanzas: a bridge that another program makes, or a port that the
    /// stanza of its bridge names.
    Unclear,
}

/// A stanza.
#[derive(Debug, Clone)]
pub struct Config {
    /// The program that reads it.
    pub scope: Scope,
    /// The role of the interface, by this stanza.
    pub role: Role,
    /// `bridge-member`.
    pub member: Option<IfName>,
    /// `bridge-ports` as it was handed over. ifupdown-ng adds every dependency to it, so it may have too many names.
    pub ports: Option<Ports>,
    /// The settings of the bridge.
    pub options: BridgeOptions,
    /// The interface itself: the port, or the VLANs of the bridge itself (`self`).
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
                Role::Port
            }
            (Some(_), None, _) => Role::Port,
            (None, Some(_), _) => Role::Bridge,
            // ifupdown-ng also hands over `requires` as ports (lifecycle.c). Then `bridge-ports` alone does not make a
            // bridge.
            (None, None, Some(ports)) if stanza.text("requires") != Some(ports) => Role::Bridge,
            _ => Role::Unclear,
        };
        let own = PortConfig::read(stanza, scope, role == Role::Unclear);
        if role == Role::Bridge {
            for keyword in OF_PORTS {
                if stanza.text(keyword).is_some() {
                    stanza.reject(keyword, "for a port, not for a bridge");
                }
            }
        }
        let mut config = Self { member, ports, options, ..Self::empty(scope, role, own) };
        if scope == Scope::All {
            config.wait_port = stanza.get("bridge-waitport");
            config.max_wait = stanza.get::<Number<u32>>("bridge-maxwait").map(|Number(seconds)| seconds);
            config.read_port_settings(stanza);
        }
        Some(config)
    }

    /// Reads the stanza of an interface that another stanza names as a port.
    pub fn read_as_port(stanza: &Stanza) -> Self {
        let own = PortConfig::read(stanza, Scope::All, true);
        let member = stanza.get("bridge-member");
        let mut config = Self { member, ..Self::empty(Scope::All, Role::Port, own) };
        config.read_port_settings(stanza);
        config
    }

    fn empty(scope: Scope, role: Role, own: PortConfig) -> Self {
        Self {
            scope,
            role,
            member: None,
            ports: None,
            options: BridgeOptions::default(),
            own,
            all_ports: PortOptions::default(),
            some_ports: BTreeMap::new(),
            wait_port: None,
            max_wait: None,
        }
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

    /// The settings of one port in the stanza of its bridge.
    pub fn settings(&self, port: &IfName) -> PortOptions {
        let mut options = self.all_ports.clone();
        self.some_ports.get(port).iter().for_each(|own| options.update(own));
        options
    }

    /// Whether other stanzas are needed to know the role of the interface, or the configuration of its ports.
    pub fn asks_stanzas(&self) -> bool {
        let has_ports = self.ports.as_ref().is_some_and(|ports| *ports != Ports::Listed(Vec::new()));
        self.member.is_none() && has_ports
    }

    /// The role of the interface, by its stanza and the interfaces file.
    pub fn role_in(&self, iface: &IfName, found: &Snapshot) -> Role {
        let written = found.stanzas.as_ref().map(|stanzas| stanzas.text(iface, "bridge-ports").is_some());
        match (self.role, written) {
            (Role::Unclear, Some(true)) => Role::Bridge,
            (Role::Unclear, None) if self.ports.is_some() => Role::Bridge,
            (role, _) => role,
        }
    }

    /// The ports that the stanza itself names, without the dependencies that ifupdown-ng adds.
    pub fn own_ports(&self, iface: &IfName, found: &Snapshot) -> Vec<IfName> {
        let state = found.here();
        let written = found.stanzas.as_ref().filter(|stanzas| stanzas.stanza(iface).is_some());
        let written =
            written.map(|stanzas| stanzas.text(iface, "bridge-ports").and_then(|ports| ports.parse().ok()));
        // If ifquery does not know the stanza by that name (a mapping), the value that was handed over counts.
        match written.unwrap_or_else(|| self.ports.clone()) {
            Some(Ports::Listed(ports)) => ports,
            Some(ports) => {
                let mut all = ports.named().to_vec();
                // A port of another link is not taken.
                let found = state
                    .bridging
                    .eligible
                    .iter()
                    .filter(|port| ports == Ports::All || ports.has(port))
                    .filter(|port| *port != iface && !state.is_above(port, iface) && !all.contains(port))
                    .filter(|port| {
                        let master = state.links.get(*port).and_then(|link| link.master.as_ref());
                        master.is_none_or(|master| master == iface)
                    });
                let found: Vec<IfName> = found.cloned().collect();
                all.extend(found);
                all
            }
            None => Vec::new(),
        }
    }
}

fn read_options(stanza: &Stanza, scope: Scope) -> BridgeOptions {
    let switch = |keyword| stanza.get::<Switch>(keyword).map(|Switch(on)| on);
    let filtering = (switch("bridge-vlan-filtering"), switch("bridge-vlan-aware"));
    if matches!(filtering, (Some(filtering), Some(aware)) if filtering != aware) {
        stanza.reject("bridge-vlan-aware", "conflicts with bridge-vlan-filtering; keep one of the two");
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

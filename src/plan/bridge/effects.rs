//! The effects of changes on bridges and ports in the kernel (net/bridge/br_if.c, br_vlan.c).

use crate::plan::op::{BridgeOp, LinkChange, Op};
use crate::state::{BridgeOptions, FdbEntry, LinkKind, PortOptions, PortState, State};
use crate::values::{Centiseconds, IfName, Mtu, Vid, VlanProtocol, VlanRange, VlanSet};
use nix::errno::Errno;
use std::collections::BTreeSet;

/// The default settings of a new bridge.
fn new_bridge() -> BridgeOptions {
    BridgeOptions {
        address: None,
        filtering: Some(false),
        default_pvid: Some(Vid::new(1)),
        protocol: Some(VlanProtocol::Ieee8021q),
        stp: Some(false),
        ageing: Some(Centiseconds(30000)),
        forward_delay: Some(Centiseconds(1500)),
        hello: Some(Centiseconds(200)),
        max_age: Some(Centiseconds(2000)),
        priority: Some(0x8000),
    }
}

/// Adds the ageing time to a change that ends the spanning tree, if the bridge would keep a wrong one. While the topology
/// changes, a bridge uses and shows twice its forward delay, and it returns to its own ageing time only if the spanning
/// tree is still on then (net/bridge/br_stp.c `__br_set_topology_change`). `wanted` are all settings that are wanted.
pub(crate) fn with_ageing(
    change: BridgeOptions,
    found: &BridgeOptions,
    wanted: &BridgeOptions,
) -> BridgeOptions {
    let ends = change.stp == Some(false) && found.stp == Some(true);
    let during = found.forward_delay.map(|delay| Centiseconds(delay.0.saturating_mul(2)));
    if !ends || change.ageing.is_some() || found.ageing.is_none() || found.ageing != during {
        return change;
    }
    BridgeOptions { ageing: wanted.ageing.or(new_bridge().ageing), ..change }
}

/// The settings of a new port. Its path cost depends on its speed.
pub(super) fn new_port() -> PortOptions {
    PortOptions {
        isolated: Some(false),
        learning: Some(true),
        locked: Some(false),
        neigh_suppress: Some(false),
        unicast_flood: Some(true),
        multicast_flood: Some(true),
        broadcast_flood: Some(true),
        cost: None,
        priority: Some(32),
    }
}

impl State {
    /// The VLANs of a new port of a bridge, whether VLAN filtering is on or not.
    pub(super) fn default_vlans(&self, bridge: &IfName) -> VlanSet {
        VlanSet::access(self.bridge(bridge).and_then(|options| options.default_pvid).flatten())
    }

    pub(crate) fn bridge_made(&mut self, name: &IfName, kind: &LinkKind) {
        let LinkKind::Bridge(options) = kind else { return };
        let mut all = new_bridge();
        all.update(options);
        if let Some(link) = self.links.get_mut(name) {
            link.kind = LinkKind::Bridge(all);
        }
        self.bridging.vlans.insert(name.clone(), self.default_vlans(name));
    }

    /// Removes all that is deleted with a bridge. Its ports have no master any more.
    pub(crate) fn bridge_gone(&mut self, name: &IfName) {
        self.bridging.vlans.remove(name);
        let left: Vec<IfName> = self
            .bridging
            .ports
            .keys()
            .filter(|port| self.links.get(*port).is_none_or(|link| link.master.is_none()))
            .cloned()
            .collect();
        for port in &left {
            self.port_moved(port, None);
        }
    }

    /// Removes the VLANs and settings of a port that leaves its bridge.
    pub(crate) fn port_moved(&mut self, port: &IfName, master: Option<&IfName>) {
        self.bridging.ports.remove(port);
        // A bridge that joins or leaves a VRF keeps its own VLANs.
        if self.bridge(port).is_none() {
            self.bridging.vlans.remove(port);
        }
        self.bridging.fdb.remove(port);
        if let Some(bridge) = master.filter(|master| self.bridge(master).is_some()) {
            let state = PortState { options: new_port(), ..PortState::default() };
            self.bridging.ports.insert(port.clone(), state);
            self.bridging.vlans.insert(port.clone(), self.default_vlans(bridge));
        }
    }

    /// Applies a change to a bridge or a port, and fails where the kernel would fail; other changes have no effect
    /// here.
    ///
    /// # Errors
    /// The error of the kernel.
    pub fn change_port(&mut self, op: &Op) -> Result<(), Errno> {
        match op {
            Op::LinkSet { name, change } => self.set_link(name, change),
            Op::Bridge(op) => self.apply_bridge(op),
            Op::SysctlSet { key, value } => {
                self.sysctls.get_mut(key).ok_or(Errno::ENOENT)?.clone_from(value);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn set_link(&mut self, name: &IfName, change: &LinkChange) -> Result<(), Errno> {
        if change.name.as_ref().is_some_and(|new| self.links.contains_key(new)) {
            return Err(Errno::EEXIST);
        }
        if let Some(master) = &change.master {
            self.set_master(name, master.as_ref())?;
        }
        let link = self.links.get_mut(name).ok_or(Errno::ENODEV)?;
        link.up = change.up.unwrap_or(link.up);
        if let Some(details) = self.details.get_mut(name) {
            details.mac = change.mac.or(details.mac);
            details.mtu = change.mtu.map_or(details.mtu, |Mtu(mtu)| mtu);
            if let Some(alias) = &change.alias {
                details.alias = Some(alias.clone()).filter(|alias| !alias.is_empty());
            }
        }
        if let Some(new) = &change.name {
            let (link, details) = (self.links.remove(name), self.details.remove(name));
            self.links.extend(link.map(|link| (new.clone(), link)));
            self.details.extend(details.map(|details| (new.clone(), details)));
        }
        Ok(())
    }

    fn set_master(&mut self, name: &IfName, master: Option<&IfName>) -> Result<(), Errno> {
        if let Some(master) = master {
            match self.links.get(master).map(|link| &link.kind) {
                None => return Err(Errno::ENODEV),
                Some(LinkKind::Vrf(_) | LinkKind::Bridge(_)) => {}
                Some(_) => return Err(Errno::EOPNOTSUPP),
            }
        }
        let link = self.links.get_mut(name).ok_or(Errno::ENODEV)?;
        if master.is_some() && matches!(link.kind, LinkKind::Vrf(_)) {
            return Err(Errno::EINVAL);
        }
        if link.master.as_ref() != master {
            let former = std::mem::replace(&mut link.master, master.cloned());
            self.port_moved(name, master);
            // A link loses its routes when it becomes a member of a VRF or leaves it (drivers/net/vrf.c
            // `cycle_netdev`).
            if former.iter().chain(master).any(|master| self.vrf_table(master).is_some()) {
                self.lose_routes(name);
            }
        }
        Ok(())
    }

    fn apply_bridge(&mut self, op: &BridgeOp) -> Result<(), Errno> {
        match op {
            BridgeOp::Set { bridge, options } => self.set_bridge(bridge, options),
            BridgeOp::PortSet { port, options } => {
                self.bridging.ports.get_mut(port).ok_or(Errno::EINVAL)?.options.update(options);
                Ok(())
            }
            BridgeOp::VlanAdd { device, vlans } => {
                let set = self.bridging.vlans.get_mut(&device.name).ok_or(Errno::EOPNOTSUPP)?;
                for range in vlans {
                    set.insert(*range);
                }
                Ok(())
            }
            BridgeOp::VlanDel { device, vlans } => {
                let set = self.bridging.vlans.get_mut(&device.name).ok_or(Errno::EOPNOTSUPP)?;
                for range in vlans {
                    set.remove(*range);
                }
                Ok(())
            }
            BridgeOp::FdbAdd { port, entry } => {
                self.bridging.ports.get(port).ok_or(Errno::EINVAL)?;
                for entry in self.entries_of(port, *entry) {
                    let has_it = |_: &IfName, entries: &BTreeSet<FdbEntry>| entries.contains(&entry);
                    self.bridging.fdb.update(has_it, |_, entries| {
                        entries.remove(&entry);
                    });
                    self.bridging.fdb.entry(port.clone()).or_default().insert(entry);
                }
                Ok(())
            }
            BridgeOp::FdbDel { port, entry } => {
                self.in_vlan_of(port, *entry)?;
                let each = self.entries_of(port, *entry);
                let entries = self.bridging.fdb.get_mut(port).ok_or(Errno::ENOENT)?;
                let removed = each.iter().filter(|entry| entries.remove(entry)).count();
                if removed > 0 { Ok(()) } else { Err(Errno::ENOENT) }
            }
            BridgeOp::Allow { port, add, del } => {
                self.bridging.allowed.change(port, add, del);
                Ok(())
            }
        }
    }

    /// Fails if a port is not in the VLAN of an entry: then older kernels do not delete it (net/bridge/br_fdb.c
    /// `br_fdb_delete`).
    fn in_vlan_of(&self, port: &IfName, entry: FdbEntry) -> Result<(), Errno> {
        let is_in = |vid| self.bridging.vlans.get(port).is_some_and(|set| set.contains(vid));
        entry.vid.is_none_or(is_in).then_some(()).ok_or(Errno::EINVAL)
    }

    /// The entries without a VLAN that ports have also in a VLAN which they leave by a change of their bridge: those in
    /// this VLAN, which would stay.
    pub(crate) fn stations_left(&self, bridge: &IfName, change: &BridgeOptions) -> Vec<(IfName, FdbEntry)> {
        let mut after = self.clone();
        let _ = after.set_bridge(bridge, change);
        let mut left = Vec::new();
        for (port, entries) in &self.bridging.fdb {
            let leaves = |entry: FdbEntry| {
                self.in_vlan_of(port, entry).is_ok() && after.in_vlan_of(port, entry).is_err()
            };
            let of_all = |entry: &FdbEntry| entries.contains(&FdbEntry { vid: None, ..*entry });
            let gone = entries.iter().copied().filter(|entry| of_all(entry) && leaves(*entry));
            left.extend(gone.map(|entry| (port.clone(), entry)));
        }
        left
    }

    /// The entries that the kernel makes for one: without a VLAN, also one in each VLAN of the port
    /// (net/bridge/br_fdb.c `br_fdb_add`, `br_fdb_delete`).
    pub(super) fn entries_of(&self, port: &IfName, entry: FdbEntry) -> Vec<FdbEntry> {
        let vlans = self.bridging.vlans.get(port).filter(|_| entry.vid.is_none());
        let each = vlans.map(VlanSet::vids).unwrap_or_default();
        [entry].into_iter().chain(each.into_iter().map(|vid| FdbEntry { vid: Some(vid), ..entry })).collect()
    }

    fn set_bridge(&mut self, bridge: &IfName, change: &BridgeOptions) -> Result<(), Errno> {
        let former = self.bridge(bridge).ok_or(Errno::EOPNOTSUPP)?.default_pvid.flatten();
        if let Some(LinkKind::Bridge(options)) = self.links.get_mut(bridge).map(|link| &mut link.kind) {
            options.update(change);
        }
        // The default PVID changes on the bridge, and on every port whose PVID it was (`__br_vlan_set_default_pvid`).
        let Some(default) = change.default_pvid.filter(|default| *default != former) else { return Ok(()) };
        let on_bridge = |name: &IfName| {
            name == bridge || self.links.get(name).is_some_and(|link| link.master.as_ref() == Some(bridge))
        };
        // A VLAN that is the PVID and tagged was not given by the bridge (`vlan_default_pvid`).
        let is_default = |range: &VlanRange| range.pvid && range.untagged && Some(range.first) == former;
        let follows = |name: &IfName, set: &VlanSet| {
            let had_default = former.is_none() || set.ranges().iter().any(is_default);
            on_bridge(name) && had_default && default.is_none_or(|default| !set.contains(default))
        };
        self.bridging.vlans.update(follows, |_, set| {
            VlanSet::access(former).ranges().into_iter().for_each(|range| set.remove(range));
            VlanSet::access(default).ranges().into_iter().for_each(|range| set.insert(range));
        });
        Ok(())
    }
}

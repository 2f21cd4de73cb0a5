//! Plans the phases of ifdown.

use crate::plan::bridge::config::{Config, Role};
use crate::plan::op::{BridgeOp, Op};
use crate::plan::{At, Plan};
use crate::stanza::Phase;
use crate::state::{BridgeOptions, Link, LinkKind, Snapshot, Stations, VlanDevice};
use crate::values::IfName;

impl Config {
    /// The plan for a phase of ifdown.
    pub fn plan_down(&self, at: At<'_>, found: &Snapshot) -> Plan {
        match (at.phase, self.role_in(at.iface, found)) {
            (Phase::PostDown, Role::Port) => self.leave_bridge(at.iface, found),
            (Phase::PostDown, Role::Bridge) => self.release_ports(at.iface, found),
            (Phase::PostDown, Role::Unclear) => {
                let mut plan = self.leave_vlans(at.iface, found);
                let is_port = found.here().links.get(at.iface).is_some_and(|link| link.master.is_some());
                if self.own.allow.is_some() && !is_port {
                    allow_all(&mut plan, at.iface, found);
                }
                plan
            }
            (Phase::Destroy, Role::Bridge) => destroy(at.iface, found),
            _ => Plan::default(),
        }
    }

    fn leave_bridge(&self, iface: &IfName, found: &Snapshot) -> Plan {
        let mut plan = Plan::default();
        if found
            .here()
            .links
            .get(iface)
            .is_some_and(|link| link.master.is_some() && link.master == self.member)
        {
            plan.push(Op::set_master(iface, None), None);
        }
        allow_all(&mut plan, iface, found);
        plan
    }

    /// Releases the ports, and never deletes them. A named interface that is not a port is left alone.
    fn release_ports(&self, iface: &IfName, found: &Snapshot) -> Plan {
        let (state, mut plan) = (found.here(), Plan::default());
        if state.bridge(iface).is_none() {
            return plan;
        }
        for port in self.own_ports(iface, found) {
            if state.links.get(&port).is_some_and(|link| link.master.as_ref() == Some(iface)) {
                plan.push(Op::release(&port), None);
                allow_all(&mut plan, &port, found);
            }
        }
        plan
    }

    /// Removes a bridge that another program made from the VLANs that the stanza put it into.
    fn leave_vlans(&self, iface: &IfName, found: &Snapshot) -> Plan {
        let (state, mut plan) = (found.here(), Plan::default());
        let Some((_, _, vlans)) = self.own.vlans.as_ref().filter(|_| state.bridge(iface).is_some()) else {
            return plan;
        };
        let default = state.default_vlans(iface);
        let wanted = vlans.resolve(default.pvid());
        let present = state.bridging.vlans.get(iface).cloned().unwrap_or_default();
        let mut rest = present.clone();
        wanted.ranges().into_iter().for_each(|range| rest.remove(range));
        default.ranges().into_iter().for_each(|range| rest.insert(range));
        let device = VlanDevice { name: iface.clone(), is_bridge: true };
        let (gone, back) = (present.without(&rest), rest.differing(&present));
        if !gone.is_empty() {
            plan.push(Op::Bridge(BridgeOp::VlanDel { device: device.clone(), vlans: gone }), None);
        }
        if !back.is_empty() {
            plan.push(Op::Bridge(BridgeOp::VlanAdd { device, vlans: back }), None);
        }
        plan
    }
}

/// Removes a port from the table `bridge-allow`, after it has left its bridge.
fn allow_all(plan: &mut Plan, port: &IfName, found: &Snapshot) {
    let del = found.here().bridging.allowed.of(port);
    if !del.is_empty() {
        plan.push(Op::Bridge(BridgeOp::Allow { port: port.clone(), add: Stations::default(), del }), None);
    }
}

/// Deletes the bridge. Before that, it sets the remaining ports down. Any other link of that name is left alone.
fn destroy(iface: &IfName, found: &Snapshot) -> Plan {
    let (state, mut plan) = (found.here(), Plan::default());
    match state.links.get(iface).map(|link| &link.kind) {
        Some(LinkKind::Bridge(_)) => {
            // The kernel would leave the ports up. The frames that they receive would then reach the host, and the
            // networks that it routes to.
            let is_port = |(_, link): &(&IfName, &Link)| link.master.as_ref() == Some(iface);
            for (port, link) in state.links.iter().filter(is_port) {
                plan.push(Op::release(port), None);
                if link.up {
                    plan.warnings.push(format!(
                        "{port} was a port of {iface} and is set down; ifup {iface}, then ifup -f {port}"
                    ));
                }
            }
            let kind = LinkKind::Bridge(BridgeOptions::default());
            plan.push(Op::LinkDel { name: iface.clone(), kind }, None);
        }
        Some(kind) => plan.warnings.push(format!("not changed: {iface} is a {kind}, not a bridge")),
        None => {}
    }
    plan
}

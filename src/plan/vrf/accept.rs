//! The unbound sockets that accept packets from VRFs: `vrf-accept`.

use crate::plan::vrf::{end, l3mdev_accept};
use crate::plan::{At, Plan, Planner};
use crate::stanza::{Phase, Problem};
use crate::state::{Original, Place, Query, Record, Snapshot, State};
use crate::values::IfName;

/// `vrf-accept`: the protocols whose unbound sockets accept packets from VRFs.
pub struct VrfAccept {
    /// Some of `tcp`, `udp`, `raw`.
    pub protocols: Vec<&'static str>,
}

impl Planner for VrfAccept {
    fn acts(&self, phase: Phase) -> bool {
        matches!(phase, Phase::PreUp | Phase::Destroy)
    }

    fn query(&self, at: At<'_>, query: &mut Query) {
        end::query_rules(at.phase, query);
        let here = query.here();
        l3mdev_accept::query(here);
        here.links.insert(at.iface.clone());
    }

    fn plan(&self, at: At<'_>, found: &Snapshot) -> Result<Plan, Vec<Problem>> {
        let (state, mut plan) = (found.here(), Plan::default());
        if at.phase == Phase::Destroy {
            return Ok(end::release_unless_needed(at.iface, state));
        }
        let (mut overruled, other) = (Vec::new(), other_owner(at.iface, state));
        for (protocol, key) in l3mdev_accept::PROTOCOLS.into_iter().zip(l3mdev_accept::sysctls()) {
            let wanted = if self.protocols.contains(&protocol) { "1" } else { "0" };
            let Some(now) = state.sysctls.get(&key) else { continue };
            if now != wanted {
                overruled.push(protocol);
            }
            plan.set_sysctl(&Place::Here, &key, wanted, at.iface, state);
        }
        // The stanza of another VRF set them before. They hold for that VRF as well.
        if let Some(vrf) = other.filter(|_| !overruled.is_empty()) {
            plan.warnings.push(format!(
                "{} conflicts with the value for {vrf}: `vrf-accept` applies to all VRFs of a namespace; use one value",
                overruled.join(", ")
            ));
        }
        Ok(plan)
    }

    fn assume(&self, _iface: &IfName, simulated: &mut Snapshot) {
        let defaults = l3mdev_accept::sysctls().zip(["0", "0", "1"]);
        simulated.here_mut().sysctls.extend(defaults.map(|(key, value)| (key, value.to_owned())));
    }
}

/// Another VRF whose stanza set any of the sysctls. A record of version 0.1 does not say which VRF that was.
fn other_owner(iface: &IfName, state: &State) -> Option<IfName> {
    let texts = l3mdev_accept::sysctls().filter_map(|key| state.records.get(&Record::original(&key)));
    let mut vrfs = state.vrfs().map(|(vrf, _)| vrf).filter(|vrf| *vrf != iface);
    let vrf = vrfs.next()?;
    texts.into_iter().find_map(|text| match Original::parse(text).owners {
        None => Some(vrf.clone()),
        Some(owners) => owners.into_iter().find(|owner| owner != iface),
    })
}

//! The unbound sockets that accept packets from VRFs: `vrf-accept`.

use crate::plan::op::Op;
use crate::plan::vrf::{end, l3mdev_accept};
use crate::plan::{At, Plan, Planner};
use crate::stanza::{Phase, Problem};
use crate::state::{Query, Record, Snapshot};
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
        l3mdev_accept::query(query.here());
    }

    fn plan(&self, at: At<'_>, found: &Snapshot) -> Result<Plan, Vec<Problem>> {
        let (state, mut plan) = (found.here(), Plan::default());
        if at.phase == Phase::Destroy {
            return Ok(end::restore_unless_needed(state));
        }
        let (mut overruled, others) = (Vec::new(), state.vrfs().find(|(vrf, _)| *vrf != at.iface));
        let set_before =
            l3mdev_accept::sysctls().any(|key| state.records.contains_key(&Record::original(&key)));
        for (protocol, key) in l3mdev_accept::PROTOCOLS.into_iter().zip(l3mdev_accept::sysctls()) {
            let wanted = if self.protocols.contains(&protocol) { "1" } else { "0" };
            let Some(now) = state.sysctls.get(&key) else { continue };
            if now == wanted {
                continue;
            }
            // The stanza of another VRF set it before. The sysctl holds for that VRF as well.
            overruled.extend(others.filter(|_| set_before).map(|(vrf, _)| (protocol, vrf)));
            let record = Record::original(&key);
            if !state.records.contains_key(&record) {
                plan.push(
                    Op::RecordSet { key: record.clone(), value: now.clone() },
                    Some(Op::RecordDel(record)),
                );
            }
            plan.push(
                Op::SysctlSet { key: key.clone(), value: wanted.to_owned() },
                Some(Op::SysctlSet { key, value: now.clone() }),
            );
        }
        if let Some((_, vrf)) = overruled.first() {
            let protocols: Vec<&str> = overruled.iter().map(|(protocol, _)| *protocol).collect();
            plan.warnings.push(format!(
                "{} conflicts with the value for {vrf}: `vrf-accept` applies to all VRFs of a namespace; use one value",
                protocols.join(", ")
            ));
        }
        Ok(plan)
    }

    fn assume(&self, _iface: &IfName, simulated: &mut Snapshot) {
        let defaults = l3mdev_accept::sysctls().zip(["0", "0", "1"]);
        simulated.here_mut().sysctls.extend(defaults.map(|(key, value)| (key, value.to_owned())));
    }
}

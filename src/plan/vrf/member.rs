//! Members of VRFs: `vrf-member`.

use crate::plan::op::Op;
use crate::plan::vrf::end;
use crate::plan::vrf::end::{end, left_mark};
use crate::plan::vrf::table::RANGE;
use crate::plan::{At, Plan, Planner};
use crate::stanza::{Phase, Problem};
use crate::state::{Link, LinkKind, Query, Record, Snapshot, State};
use crate::values::{IfName, TableId};

/// `vrf-member`: the VRF that the interface belongs to.
pub struct VrfMember {
    /// The VRF.
    pub vrf: IfName,
    /// The keyword as it was written.
    pub keyword: &'static str,
}

impl Planner for VrfMember {
    fn acts(&self, phase: Phase) -> bool {
        matches!(phase, Phase::PreUp | Phase::PostDown)
    }

    fn query(&self, at: At<'_>, query: &mut Query) {
        let here = query.here();
        here.links.extend([at.iface.clone(), self.vrf.clone()]);
        if at.phase == Phase::PreUp {
            here.addresses.insert(at.iface.clone());
        } else {
            end::query(&self.vrf, here);
        }
    }

    fn plan(&self, at: At<'_>, found: &Snapshot) -> Result<Plan, Vec<Problem>> {
        let (state, iface) = (found.here(), at.iface);
        let link = state.links.get(iface);
        let mut plan = Plan::default();
        if at.phase == Phase::PostDown {
            if link.is_some_and(|link| link.master.as_ref() == Some(&self.vrf)) {
                plan.push(Op::set_master(iface, None), None);
            }
            let record = state.records.get(&Record::left(&self.vrf));
            // If the VRF does not exist, a run that deleted it was killed.
            let is_it =
                !state.links.contains_key(&self.vrf) || left_mark(&self.vrf, state).as_ref() == record;
            if record.is_some() && is_it && state.members(&self.vrf).all(|member| member == iface) {
                end(&self.vrf, None, state, &mut plan);
            }
            return Ok(plan);
        }
        self.can_join(iface, state).map_err(|reason| vec![Problem::new(self.keyword, &self.vrf, reason)])?;
        if link.is_some_and(|link| link.master.is_none()) {
            plan.push(Op::set_master(iface, Some(&self.vrf)), Some(Op::set_master(iface, None)));
            if let Some(addresses) = state.addresses.get(iface).filter(|addresses| !addresses.is_empty()) {
                let addresses: Vec<String> =
                    addresses.iter().map(|address| address.net.to_string()).collect();
                plan.warnings.push(format!(
                    "{iface} had {} when it joined {}: its TCP sessions end, and IPv6 addresses and routes are lost",
                    addresses.join(", "),
                    self.vrf
                ));
            }
        }
        Ok(plan)
    }

    fn assume(&self, iface: &IfName, simulated: &mut Snapshot) {
        let links = &mut simulated.here_mut().links;
        let link = |kind, up| Link { kind, master: None, up };
        links.entry(iface.clone()).or_insert_with(|| link(LinkKind::Physical, false));
        if let Some(table) = TableId::new(*RANGE.start()) {
            links.entry(self.vrf.clone()).or_insert_with(|| link(LinkKind::Vrf(table), true));
        }
    }
}

impl VrfMember {
    fn can_join(&self, iface: &IfName, state: &State) -> Result<(), String> {
        let link = state.links.get(iface).ok_or_else(|| format!("there is no interface {iface}"))?;
        let vrf = state.links.get(&self.vrf).ok_or_else(|| {
            format!("there is no such interface; ifup -f {0} if {0} has a stanza with vrf-table", self.vrf)
        })?;
        if !matches!(vrf.kind, LinkKind::Vrf(_)) {
            return Err(format!("not a VRF but a {}", vrf.kind));
        }
        match &link.master {
            Some(master) if *master != self.vrf => Err(format!("{iface} is a port of {master}")),
            // The ifup of the VRF may have failed before its rules were added.
            None if !vrf.up => Err(format!("{0} is down; ifup -f {0}", self.vrf)),
            _ => Ok(()),
        }
    }
}

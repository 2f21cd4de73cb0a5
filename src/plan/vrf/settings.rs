//! The settings in stanzas of VRFs that hold for all VRFs of a namespace: `vrf-accept`, `vrf-strict-mode`.

use crate::plan::vrf::end;
use crate::plan::vrf::sysctls::{self, PROTOCOLS};
use crate::plan::{At, Plan, Planner};
use crate::stanza::{Phase, Problem};
use crate::state::{Original, Place, Query, Record, Snapshot, State, Sysctl};
use crate::values::IfName;
use std::borrow::Cow;

/// A sysctl for all VRFs of a namespace, and the value that a stanza wants.
pub struct Wanted {
    /// Its name in messages.
    pub name: &'static str,
    /// The sysctl.
    pub key: Sysctl,
    /// 1 or 0.
    pub is_on: bool,
}

/// The sysctls of one keyword.
pub struct VrfSysctls {
    /// `vrf-accept` or `vrf-strict-mode`.
    pub keyword: &'static str,
    /// All sysctls of the keyword.
    pub wanted: Vec<Wanted>,
}

impl VrfSysctls {
    /// `vrf-accept`: unbound sockets of these protocols, and of no others, accept packets from VRFs.
    pub fn accept(protocols: &[&str]) -> Self {
        let wanted = PROTOCOLS.into_iter().filter_map(|name| {
            Some(Wanted { name, key: sysctls::l3mdev_accept(name)?, is_on: protocols.contains(&name) })
        });
        Self { keyword: "vrf-accept", wanted: wanted.collect() }
    }

    /// `vrf-strict-mode`: the kernel lets no two VRFs have the same table.
    pub fn strict_mode(is_on: bool) -> Self {
        let wanted = sysctls::strict_mode().map(|key| Wanted { name: "strict_mode", key, is_on });
        Self { keyword: "vrf-strict-mode", wanted: wanted.into_iter().collect() }
    }
}

impl Planner for VrfSysctls {
    fn acts(&self, phase: Phase) -> bool {
        matches!(phase, Phase::PreUp | Phase::Destroy)
    }

    fn query(&self, at: At<'_>, query: &mut Query) {
        end::query_rules(at.phase, query);
        let here = query.here();
        sysctls::query(here);
        here.vrfs.all |= self.is_strict();
        here.links.insert(at.iface.clone());
    }

    fn plan(&self, at: At<'_>, found: &Snapshot) -> Result<Plan, Vec<Problem>> {
        let mut plan = Plan::default();
        if at.phase == Phase::Destroy {
            return Ok(end::release_unless_needed(at.iface, found.here()));
        }
        let mut state = Cow::Borrowed(found.here());
        if self.is_strict() {
            if let Some((one, other)) = same_table(&state) {
                let reason = format!("{one} and {other} have the same table; delete one of the two");
                return Err(vec![Problem::new(self.keyword, "yes", reason)]);
            }
            // Before the first VRF the module may not be loaded. Then this has its default, 0.
            if let Some(key) = sysctls::strict_mode().filter(|key| !state.sysctls.contains_key(key)) {
                state.to_mut().sysctls.insert(key, "0".to_owned());
            }
        }
        let (mut overruled, other) = (Vec::new(), self.other_owner(at.iface, &state));
        for Wanted { name, key, is_on } in &self.wanted {
            let wanted = if *is_on { "1" } else { "0" };
            let Some(now) = state.sysctls.get(key) else { continue };
            if now != wanted {
                overruled.push(*name);
            }
            plan.set_sysctl(&Place::Here, key, wanted, at.iface, &state);
        }
        // The stanza of another VRF set them before. They hold for that VRF as well.
        if let Some(vrf) = other.filter(|_| !overruled.is_empty()) {
            plan.warnings.push(format!(
                "{} conflicts with the value for {vrf}: `{}` applies to all VRFs of a namespace; use one value",
                overruled.join(", "),
                self.keyword
            ));
        }
        Ok(plan)
    }

    fn assume(&self, _iface: &IfName, simulated: &mut Snapshot) {
        let defaults = sysctls::all().zip(["0", "0", "1", "0"]);
        simulated.here_mut().sysctls.extend(defaults.map(|(key, value)| (key, value.to_owned())));
    }
}

/// Two VRFs with the same table.
fn same_table(state: &State) -> Option<(&IfName, &IfName)> {
    state.vrfs().find_map(|(one, table)| {
        let other = state.vrfs().find(|(other, theirs)| *other > one && *theirs == table);
        other.map(|(other, _)| (one, other))
    })
}

impl VrfSysctls {
    fn is_strict(&self) -> bool {
        self.keyword == "vrf-strict-mode" && self.wanted.iter().any(|wanted| wanted.is_on)
    }

    /// Another VRF whose stanza set any of the sysctls. A record of version 0.1 does not say which VRF that was.
    fn other_owner(&self, iface: &IfName, state: &State) -> Option<IfName> {
        let text = |wanted: &Wanted| state.records.get(&Record::original(&wanted.key));
        let mut vrfs = state.vrfs().map(|(vrf, _)| vrf).filter(|vrf| *vrf != iface);
        let vrf = vrfs.next()?;
        self.wanted.iter().filter_map(text).find_map(|text| match Original::parse(text).owners {
            None => Some(vrf.clone()),
            Some(owners) => owners.into_iter().find(|owner| owner != iface),
        })
    }
}

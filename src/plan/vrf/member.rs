//! Members of VRFs: `vrf-member`.

use crate::plan::op::Op;
use crate::plan::vrf::end;
use crate::plan::vrf::end::{end, left_mark};
use crate::plan::vrf::table::RANGE;
use crate::plan::{At, Plan, Planner};
use crate::stanza::{Phase, Problem};
use crate::state::{Link, LinkAddress, LinkKind, Original, Query, Record, Snapshot, State, Sysctl};
use crate::values::{IfName, TableId};

/// `vrf-member`: the VRF that the interface belongs to.
pub struct VrfMember {
    /// The VRF.
    pub vrf: IfName,
    /// The keyword as it was written.
    pub keyword: &'static str,
    /// A DHCP client adds its routes to the table main.
    pub leases_to_main: bool,
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
            let key = keep_addresses(at.iface);
            here.records.insert(Record::original(&key));
            here.sysctls.insert(key);
        } else {
            end::query(&self.vrf, here);
        }
    }

    fn plan(&self, at: At<'_>, found: &Snapshot) -> Result<Plan, Vec<Problem>> {
        let (state, iface) = (found.here(), at.iface);
        let link = state.links.get(iface);
        let mut plan = Plan::default();
        if at.phase == Phase::PostDown {
            if let Some(link) = link.filter(|link| link.master.as_ref() == Some(&self.vrf)) {
                // Otherwise it would be up in the host's own routing, also if it only moves to another VRF.
                if link.up {
                    plan.push(Op::set_up(iface, false), None);
                }
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
        self.can_join(iface, state).map_err(|reason| {
            let problem = Problem::new(self.keyword, &self.vrf, reason);
            vec![if link.is_none() { problem.awaiting() } else { problem }]
        })?;
        if let Some(link) = link {
            self.join(iface, link, state, &mut plan);
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

/// The sysctl by which permanent IPv6 addresses stay when the interface is set down (net/ipv6/addrconf.c
/// `addrconf_ifdown`).
fn keep_addresses(iface: &IfName) -> Sysctl {
    Sysctl::of_link("ipv6", iface, "keep_addr_on_down")
}

impl VrfMember {
    /// Joins the VRF, if the interface is in none. The kernel sets an interface that is up down and up again meanwhile, so
    /// that its routes move (drivers/net/vrf.c `cycle_netdev`). If it has IPv6 addresses, the sysctl is set for that time.
    /// Its value is recorded for a run that is killed.
    fn join(&self, iface: &IfName, link: &Link, state: &State, plan: &mut Plan) {
        let joins = link.master.is_none();
        let addresses = state.addresses.get(iface).filter(|_| joins).map(Vec::as_slice).unwrap_or_default();
        let is_kept = |address: &LinkAddress| {
            let net = address.net;
            // The kernel keeps none of these (net/ipv6/addrconf.c `addr_is_local`).
            let is_local = net.addr().is_loopback() || address.is_link_local();
            net.addr().is_ipv6() && !is_local && !address.is_dynamic
        };
        let key = keep_addresses(iface);
        let (record, now) = (Record::original(&key), state.sysctls.get(&key));
        let recorded = state.records.get(&record).map(|text| (Original::parse(text).value, text.clone()));
        let needed = now.filter(|now| *now != "1" && link.up && addresses.iter().any(is_kept));
        let original = recorded
            .clone()
            .or_else(|| needed.map(|now| (now.clone(), Original::new(now, iface).to_string())));
        let set = |value: &str| Op::SysctlSet { key: key.clone(), value: value.to_owned() };
        let write = |text: &str| Op::RecordSet { key: record.clone(), value: text.to_owned() };
        if let Some((_, text)) = original.as_ref().filter(|_| recorded.is_none()) {
            plan.push(write(text), Some(Op::RecordDel(record.clone())));
        }
        if let Some(now) = needed {
            plan.push(set("1"), Some(set(now)));
        }
        if joins {
            plan.push(Op::set_master(iface, Some(&self.vrf)), Some(Op::set_master(iface, None)));
            if self.leases_to_main {
                plan.warnings.push(format!(
                    "the routes of its DHCP client are not in the table of {} without a dhcp-script or dhcp-config; see \
                     interfaces-vrf-table(5)",
                    self.vrf
                ));
            }
        }
        if let Some((value, text)) = &original {
            let now = if needed.is_some() { "1" } else { now.map_or(value.as_str(), String::as_str) };
            if now != value {
                plan.push(set(value), Some(set(now)));
            }
            plan.push(Op::RecordDel(record.clone()), Some(write(text)));
        }
        if !addresses.is_empty() {
            let addresses: Vec<String> = addresses.iter().map(|address| address.net.to_string()).collect();
            plan.warnings.push(format!(
                "{iface} had {} when it joined {}: its TCP sessions end, and routes of other programs are lost",
                addresses.join(", "),
                self.vrf
            ));
        }
    }

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

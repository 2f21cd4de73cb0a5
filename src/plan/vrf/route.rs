//! Routes in the tables of VRFs: `vrf-route`.

use crate::plan::op::Op;
use crate::plan::{At, Plan, Planner};
use crate::stanza::{Phase, Problem};
use crate::state::{Link, LinkKind, Place, Query, Route, Snapshot, TableRef, Until, Wait};
use crate::values::{IfName, RouteSpec, RouteTable, TableId, TableSpec};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

/// How long the check of a source address for duplicates may take, in seconds: about two after the link has got its
/// carrier.
const CHECK_SECONDS: u32 = 10;

/// `vrf-route`.
pub struct VrfRoute {
    /// The routes.
    pub routes: Vec<RouteSpec>,
    /// Whether the interface is a VRF itself.
    pub is_vrf: bool,
    /// The table that `vrf-table` gives to the VRF, unless it is `auto`.
    pub own_table: Option<TableSpec>,
    /// The value as it was written, for messages.
    pub written: String,
}

impl Planner for VrfRoute {
    fn acts(&self, phase: Phase) -> bool {
        matches!(phase, Phase::PostUp | Phase::PreDown)
    }

    fn query(&self, at: At<'_>, query: &mut Query) {
        if self.is_vrf && at.phase == Phase::PreDown {
            query.here().links.insert(at.iface.clone());
            query.here().members.insert(at.iface.clone());
        }
        let sources: BTreeSet<_> = self.routes.iter().filter_map(|route| ipv6(route.src?)).collect();
        if at.phase == Phase::PostUp && !sources.is_empty() {
            // The kernel refuses a source address that it has not checked, and the stock executor has only just added
            // it.
            let until = Until::Checked(sources);
            query.wait = Some(Wait { seconds: CHECK_SECONDS, links: BTreeSet::new(), until });
        }
        query.table_names |= matches!(self.own_table, Some(TableSpec::Name(_)));
        for route in &self.routes {
            if let RouteTable::Table(TableSpec::Name(_)) = route.table {
                query.table_names = true;
            }
            let here = query.here();
            // The rules show which families the kernel has.
            here.rules |= route.prefix.is_none();
            here.links.extend(self.dev(route, at.iface).cloned());
            here.links.extend(match &route.table {
                RouteTable::Vrf(vrf) => Some(vrf.clone()),
                RouteTable::Own => Some(at.iface.clone()),
                RouteTable::Table(_) => None,
            });
            here.routes.extend(match &route.table {
                RouteTable::Table(TableSpec::Id(id)) => Some(TableRef::Id(*id)),
                RouteTable::Table(TableSpec::Name(name)) => Some(TableRef::Name(name.clone())),
                RouteTable::Vrf(_) | RouteTable::Own => self.own_table(route, at.iface),
            });
        }
    }

    fn plan(&self, at: At<'_>, found: &Snapshot) -> Result<Plan, Vec<Problem>> {
        let (mut plan, mut problems) = (Plan::default(), Vec::new());
        let mut wanted: Vec<Route> = Vec::new();
        for spec in &self.routes {
            let table = match &spec.table {
                RouteTable::Own if at.phase == Phase::PostUp => self.check_own_table(at.iface, found),
                _ => Ok(()),
            };
            match table.and_then(|()| self.resolve(spec, at.iface, found)) {
                Ok(mut routes) => wanted.append(&mut routes),
                // Without its VRF or interface, the route is already gone.
                Err(_) if at.phase == Phase::PreDown => {}
                Err(reason) => {
                    let problem = Problem::new("vrf-route", &self.written, reason);
                    let needs_it =
                        spec.table == RouteTable::Own || self.dev(spec, at.iface) == Some(at.iface);
                    let is_absent = needs_it && !self.is_vrf && !found.here().links.contains_key(at.iface);
                    problems.push(if is_absent { problem.awaiting() } else { problem });
                }
            }
        }
        if at.phase == Phase::PostUp && self.routes.iter().any(|route| route.prefix.is_none()) {
            plan.warn_of_missing_family(found.here());
        }
        if self.is_vrf && at.phase == Phase::PreDown && found.here().members(at.iface).next().is_some() {
            // The VRF is kept for its members. The routes in its table are kept with it, and deleted with it.
            let own = found.here().vrf_table(at.iface);
            wanted.retain(|route| Some(route.table) != own);
        }
        for (place, route) in wanted.iter().enumerate() {
            let added = match wanted[..place].iter().find(|earlier| earlier.competes_with(route)) {
                Some(twin) if twin.same(route) => continue,
                _ if at.phase == Phase::PreDown => {
                    remove(&mut plan, route, found);
                    continue;
                }
                Some(twin) => Err(format!("{route}: this stanza also has {twin}; give one a metric")),
                None => add(&mut plan, route, found),
            };
            problems.extend(added.err().map(|reason| Problem::new("vrf-route", &self.written, reason)));
        }
        if problems.is_empty() { Ok(plan) } else { Err(problems) }
    }

    fn assume(&self, iface: &IfName, simulated: &mut Snapshot) {
        let table = TableId::new(1001);
        let state = simulated.here_mut();
        for route in &self.routes {
            if let (RouteTable::Vrf(vrf), Some(table)) = (&route.table, table) {
                let link = Link { kind: LinkKind::Vrf(table), master: None, up: true };
                state.links.entry(vrf.clone()).or_insert(link);
            }
            for name in route.dev.iter().chain([iface].into_iter().filter(|_| !self.is_vrf)) {
                let link = Link { kind: LinkKind::Physical, master: None, up: true };
                state.links.entry(name.clone()).or_insert(link);
            }
        }
    }
}

impl VrfRoute {
    /// The interface of a route. For a link-local gateway it is the interface of the stanza.
    fn dev<'a>(&self, spec: &'a RouteSpec, iface: &'a IfName) -> Option<&'a IfName> {
        spec.dev.as_ref().or(Some(iface).filter(|_| !self.is_vrf && is_link_local(spec)))
    }

    fn own_table(&self, spec: &RouteSpec, iface: &IfName) -> Option<TableRef> {
        match &spec.table {
            RouteTable::Table(_) => None,
            RouteTable::Vrf(vrf) => Some(TableRef::Vrf(vrf.clone())),
            RouteTable::Own if self.is_vrf => Some(TableRef::Vrf(iface.clone())),
            RouteTable::Own => Some(TableRef::VrfOf(iface.clone())),
        }
    }

    /// Checks that a VRF has the table of its stanza, and is not another program's VRF of the same name.
    fn check_own_table(&self, iface: &IfName, found: &Snapshot) -> Result<(), String> {
        let wanted = match &self.own_table {
            Some(TableSpec::Id(id)) => Some(id),
            Some(TableSpec::Name(name)) => found.table_names.get(name),
            None => None,
        };
        match (found.here().vrf_table(iface), wanted) {
            (Some(running), Some(wanted)) if running != *wanted => {
                Err(format!("{iface} is a VRF with table {running}, not {wanted}"))
            }
            _ => Ok(()),
        }
    }

    /// The route with the number of its table. A default route without a family becomes one route for each family.
    fn resolve(&self, spec: &RouteSpec, iface: &IfName, found: &Snapshot) -> Result<Vec<Route>, String> {
        let state = found.here();
        let of_vrf = self.own_table(spec, iface).and_then(|table| state.table(&table));
        let table = match &spec.table {
            RouteTable::Table(TableSpec::Id(id)) => *id,
            RouteTable::Table(TableSpec::Name(name)) => *found
                .table_names
                .get(name)
                .ok_or_else(|| format!("table {name}: not a name of rt_tables"))?,
            RouteTable::Vrf(vrf) => of_vrf.ok_or_else(|| format!("vrf {vrf}: there is no such VRF"))?,
            RouteTable::Own => {
                of_vrf.ok_or_else(|| format!("{iface} is neither a VRF nor a member of one"))?
            }
        };
        let spec = &RouteSpec { dev: self.dev(spec, iface).cloned(), ..spec.clone() };
        if let Some(dev) = spec.dev.as_ref().filter(|dev| !state.links.contains_key(*dev)) {
            return Err(format!("dev {dev}: there is no such interface"));
        }
        Ok(state.prefixes(spec).into_iter().map(|prefix| Route::ours(spec, prefix, table)).collect())
    }
}

fn ipv6(address: IpAddr) -> Option<Ipv6Addr> {
    match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(v6) => Some(v6),
    }
}

/// Whether the gateway is a link-local address.
pub fn is_link_local(route: &RouteSpec) -> bool {
    route.via.and_then(ipv6).is_some_and(|via| via.is_unicast_link_local())
}

/// Adds a route, unless another program's route has its place.
fn add(plan: &mut Plan, route: &Route, found: &Snapshot) -> Result<(), String> {
    plan.add_route(&Place::Here, route, found.here())
        .map_err(|rival| format!("{route}: conflicts with another route: {rival}; give this one a metric"))
}

/// Deletes a route, if it exists and is ours.
fn remove(plan: &mut Plan, route: &Route, found: &Snapshot) {
    let ours = found.here().routes.iter().find(|rival| rival.is_ours() && route.same(rival));
    if let Some(ours) = ours {
        plan.push(Op::RouteDel(ours.clone()), None);
    }
}

//! Addresses and default routes of an interface, as the stock executor `static` adds them: `address`, `gateway`.
//!
//! The kernel may refuse one of them. That is reported, and the others stay.

use crate::plan::op::Op;
use crate::plan::{At, Plan, Planner};
use crate::stanza::{Phase, Problem};
use crate::state::{
    Link, LinkAddress, LinkKind, OUR_PROTOCOL, Place, Query, Route, Snapshot, State, TableRef,
};
use crate::values::{Family, IfName, RouteKind, TableId, TableSpec, unspecified};
use std::net::IpAddr;

/// The addresses and default routes of an interface.
pub struct Static {
    /// The addresses.
    pub addresses: Vec<LinkAddress>,
    /// The gateways, and whether each one is on-link although no prefix of the addresses covers it.
    pub gateways: Vec<(IpAddr, bool)>,
    /// The metric of the default routes.
    pub metric: u32,
    /// The table of the default routes.
    pub table: Table,
}

/// The table of the default routes.
pub enum Table {
    /// `main`.
    Main,
    /// The table that `vrf-table` names.
    Named(TableSpec),
    /// The table of the VRF that the interface is itself.
    Own,
    /// The table of the VRF that the interface is a member of.
    Of {
        /// The VRF.
        vrf: IfName,
        /// The keyword that names it.
        keyword: &'static str,
    },
}

impl Table {
    fn asked(&self, iface: &IfName) -> TableRef {
        match self {
            Self::Main => TableRef::Id(TableId::MAIN),
            Self::Named(TableSpec::Id(id)) => TableRef::Id(*id),
            Self::Named(TableSpec::Name(name)) => TableRef::Name(name.clone()),
            Self::Own => TableRef::Vrf(iface.clone()),
            Self::Of { vrf, .. } => TableRef::Vrf(vrf.clone()),
        }
    }

    fn number(&self, iface: &IfName, found: &Snapshot) -> Result<TableId, Problem> {
        let no_vrf = |keyword, vrf| Problem::new(keyword, vrf, "there is no such VRF");
        match self {
            Self::Main => Ok(TableId::MAIN),
            Self::Named(TableSpec::Id(id)) => Ok(*id),
            Self::Named(TableSpec::Name(name)) => {
                let number = found.table_names.get(name).copied();
                number.ok_or_else(|| Problem::new("vrf-table", name, "not a name of rt_tables"))
            }
            Self::Own => found.here().vrf_table(iface).ok_or_else(|| no_vrf("iface", iface)),
            Self::Of { vrf, keyword } => found.here().vrf_table(vrf).ok_or_else(|| no_vrf(keyword, vrf)),
        }
    }
}

impl Planner for Static {
    fn acts(&self, phase: Phase) -> bool {
        matches!(phase, Phase::Up | Phase::Down)
    }

    fn query(&self, at: At<'_>, query: &mut Query) {
        query.located.insert(at.iface.clone());
        let here = query.here();
        here.links.insert(at.iface.clone());
        here.addresses.insert(at.iface.clone());
        if self.gateways.is_empty() {
            return;
        }
        let table = self.table.asked(at.iface);
        here.links.extend(match &table {
            TableRef::Vrf(vrf) => Some(vrf.clone()),
            _ => None,
        });
        let is_name = matches!(table, TableRef::Name(_));
        here.routes.insert(table);
        query.table_names |= is_name;
    }

    fn plan(&self, at: At<'_>, found: &Snapshot) -> Result<Plan, Vec<Problem>> {
        let is_here = found.here().links.contains_key(at.iface);
        if at.phase == Phase::Down {
            return Ok(if is_here { self.flush(at.iface, found) } else { Plan::default() });
        }
        // A link that is in another namespace gets its addresses there.
        if !is_here && found.located.contains_key(at.iface) {
            return Ok(Plan::default());
        }
        if !is_here {
            return Err(vec![Problem::new("iface", at.iface, "there is no such interface").awaiting()]);
        }
        let routes = self.routes(at.iface, found).map_err(|problem| vec![problem])?;
        Ok(self.add(at.iface, routes, found.here()))
    }

    fn assume(&self, iface: &IfName, simulated: &mut Snapshot) {
        let here = simulated.here_mut();
        let link = |kind, up| Link { kind, master: None, up };
        let table = TableId::new(1001);
        let vrf = |vrf: &IfName, here: &mut State| {
            if let Some(table) = table {
                here.links.entry(vrf.clone()).or_insert_with(|| link(LinkKind::Vrf(table), true));
            }
        };
        match &self.table {
            Table::Own => vrf(iface, here),
            Table::Of { vrf: other, .. } => vrf(other, here),
            Table::Main | Table::Named(_) => {}
        }
        here.links.entry(iface.clone()).or_insert_with(|| link(LinkKind::Physical, false));
        if let Table::Named(TableSpec::Name(name)) = &self.table {
            simulated.table_names.extend(table.map(|table| (name.clone(), table)));
        }
    }
}

impl Static {
    /// The default routes.
    fn routes(&self, iface: &IfName, found: &Snapshot) -> Result<Vec<Route>, Problem> {
        if self.gateways.is_empty() {
            return Ok(Vec::new());
        }
        let table = self.table.number(iface, found)?;
        let mut routes: Vec<Route> = Vec::new();
        for &(gateway, onlink) in &self.gateways {
            let family = Family::of(gateway);
            let route = Route {
                table,
                prefix: unspecified(family),
                kind: RouteKind::Unicast,
                via: Some(gateway),
                dev: Some(iface.clone()),
                src: None,
                metric: if self.metric == 0 { Route::default_metric(family) } else { self.metric },
                onlink,
                protocol: OUR_PROTOCOL,
            };
            if !routes.iter().any(|other| other.same(&route)) {
                routes.push(route);
            }
        }
        Ok(routes)
    }

    /// Whether a route is one of these default routes. In a VRF's own stanza its interface is that of the member which
    /// reaches the gateway: the kernel looks it up in the table of the VRF (net/ipv4/fib_semantics.c
    /// `fib_check_nh_v4_gw`).
    fn is(&self, route: &Route, rival: &Route) -> bool {
        let is_vrf = matches!(self.table, Table::Named(_) | Table::Own);
        route.same(rival) || (is_vrf && Route { dev: None, ..route.clone() }.same(rival))
    }

    /// Deletes our default routes and every address, as the stock executor does, last first: with the first address of a
    /// prefix the kernel deletes the later ones (net/ipv4/devinet.c `__inet_del_ifa`).
    fn flush(&self, iface: &IfName, found: &Snapshot) -> Plan {
        let (state, mut plan) = (found.here(), Plan::default());
        for route in self.routes(iface, found).unwrap_or_default() {
            if let Some(ours) = state.routes.iter().find(|rival| rival.is_ours() && self.is(&route, rival)) {
                plan.push(Op::RouteDel(ours.clone()), Some(Op::RouteAdd(ours.clone())));
            }
        }
        for &address in state.addresses.get(iface).into_iter().flatten().rev() {
            let undo = Op::AddressAdd { dev: iface.clone(), address };
            plan.push(Op::AddressDel { dev: iface.clone(), address }, Some(undo));
        }
        plan
    }

    /// Adds the addresses and routes that are missing.
    fn add(&self, iface: &IfName, routes: Vec<Route>, state: &State) -> Plan {
        let mut plan = Plan::default();
        plan.add_addresses(&Place::Here, iface, &self.addresses, state, true);
        let mut taken: Vec<Route> = Vec::new();
        for route in routes {
            let rivals: Vec<&Route> = state
                .routes
                .iter()
                .filter(|rival| rival.competes_with(&route) && !rival.is_automatic())
                .collect();
            let twin = taken.iter().find(|earlier| earlier.competes_with(&route));
            let own = rivals.iter().find(|rival| rival.is_ours() && rival.dev.as_ref() == Some(iface));
            if rivals.iter().any(|rival| self.is(&route, rival)) {
                taken.push(route);
                continue;
            }
            match (twin.or(rivals.first().copied()), own) {
                (None, _) => {
                    plan.try_push(Op::RouteAdd(route.clone()), Some(Op::RouteDel(route.clone())));
                    taken.push(route);
                }
                (Some(_), Some(own)) if twin.is_none() => {
                    let undo = Op::RouteReplace((*own).clone());
                    plan.try_push(Op::RouteReplace(route.clone()), Some(undo));
                    taken.push(route);
                }
                (Some(rival), _) => plan.warnings.push(format!(
                    "{route}: conflicts with another route: {rival}; set another metric with `metric`"
                )),
            }
        }
        plan
    }
}

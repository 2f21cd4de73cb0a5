//! The configuration inside a namespace: addresses and routes of a link. The modules beside this one configure kernel
//! parameters ([`sysctls`](super::sysctls)), make and delete the namespace (`namespace`), recognize veth pairs
//! (`veth_pair`), and move links ([`move_link`](super::move_link)).
//!
//! Pure parts of plans, shared by `netns` (a moved link) and `veth-peer` (a peer that is created inside the namespace).

use crate::plan::Plan;
use crate::plan::op::Op;
use crate::stanza::{Problem, Stanza};
use crate::state::{LinkAddress, OUR_PROTOCOL, Place, Query, Route, Snapshot, State, TableRef};
use crate::values::{
    Address, AddressOrNone, Family, Gateway, IfName, List, RouteKind, RouteSpec, RouteTable, TableId,
    TableSpec, Words, unspecified,
};
use ipnet::IpNet;
use std::net::IpAddr;

/// Addresses, gateways and routes that a stanza gives to a link.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inside {
    /// Addresses with their prefixes.
    pub addresses: Vec<IpNet>,
    /// Gateways of default routes, and whether a gateway is on-link although no prefix covers it.
    pub gateways: Vec<(IpAddr, bool)>,
    /// Other routes.
    pub routes: Vec<RouteSpec>,
    /// The keyword that routes are reported under.
    keyword: String,
}

impl Inside {
    /// The values of `PREFIX-address`, `PREFIX-gateway` and `PREFIX-route`.
    pub fn parse(prefix: &str, stanza: &Stanza) -> Self {
        let keyword = |end: &str| format!("{prefix}-{end}");
        let addresses = stanza.get::<Words<Address>>(&keyword("address"));
        let gateways = stanza.get::<Words<Gateway>>(&keyword("gateway"));
        let routes = stanza.get::<List<RouteSpec>>(&keyword("route"));
        let addresses: Vec<IpNet> = addresses.into_iter().flat_map(|Words(all)| all).map(|a| a.0).collect();
        let mut inside = Self {
            gateways: Vec::new(),
            routes: routes.map(|List(all)| all).unwrap_or_default(),
            keyword: keyword("route"),
            addresses,
        };
        for Gateway(gateway) in gateways.into_iter().flat_map(|Words(all)| all) {
            if inside.reaches(gateway) {
                inside.gateways.push((gateway, false));
            } else {
                let reason = format!(
                    "{gateway} is in no prefix of {}; or write `default via {gateway} dev … onlink` in {}",
                    keyword("address"),
                    keyword("route")
                );
                stanza.reject(&keyword("gateway"), reason);
            }
        }
        inside
    }

    /// Adds the `address` and `gateway` lines of the stanza: ifupdown-ng hands them over all together.
    #[must_use]
    pub fn with_plain_lines(mut self, stanza: &Stanza) -> Self {
        for word in stanza.whole("addresses").unwrap_or_default().split_whitespace() {
            match word.parse() {
                Ok(AddressOrNone(Some(address))) if !self.addresses.contains(&address) => {
                    self.addresses.push(address);
                }
                Ok(_) => {}
                Err(error) => stanza.reject("addresses", format_args!("{word}: {error}")),
            }
        }
        for word in stanza.whole("gateways").unwrap_or_default().split_whitespace() {
            match word.parse() {
                Ok(Gateway(gateway)) => {
                    let onlink = !self.reaches(gateway);
                    self.gateways.push((gateway, onlink));
                }
                Err(error) => stanza.reject("gateways", format_args!("{word}: {error}")),
            }
        }
        self
    }

    fn reaches(&self, gateway: IpAddr) -> bool {
        let link_local = matches!(gateway, IpAddr::V6(v6) if v6.is_unicast_link_local());
        link_local || self.addresses.iter().any(|net| net.contains(&gateway) && net.prefix_len() > 0)
    }

    /// What to read to plan for a link of this name.
    pub fn query(&self, name: &IfName, place: &Place, query: &mut Query) {
        let named = |route: &RouteSpec| matches!(route.table, RouteTable::Table(TableSpec::Name(_)));
        query.table_names |= self.routes.iter().any(named);
        // They show which families the kernel has. The namespace may have yet to be made.
        query.here().rules |= self.names_no_family();
        let wants = query.at(place);
        wants.links.insert(name.clone());
        wants.addresses.insert(name.clone());
        if !self.gateways.is_empty() {
            wants.routes.insert(TableRef::Id(TableId::MAIN));
        }
        for route in &self.routes {
            wants.routes.insert(match &route.table {
                RouteTable::Own => TableRef::Id(TableId::MAIN),
                RouteTable::Table(TableSpec::Id(id)) => TableRef::Id(*id),
                RouteTable::Table(TableSpec::Name(name)) => TableRef::Name(name.clone()),
                RouteTable::Vrf(vrf) => TableRef::Vrf(vrf.clone()),
            });
            if let RouteTable::Vrf(vrf) = &route.table {
                wants.links.insert(vrf.clone());
            }
        }
    }

    /// Whether it has a default route without a family, which becomes one route for each family.
    fn names_no_family(&self) -> bool {
        self.routes.iter().any(|route| route.prefix.is_none())
    }

    /// Sets up the link: addresses, default routes, routes. Existing addresses and routes are left as they are.
    ///
    /// # Errors
    /// Routes that conflict with another program's route, or whose table is unknown.
    pub fn set_up(&self, name: &IfName, place: &Place, found: &Snapshot) -> Result<Plan, Vec<Problem>> {
        let (state, mut plan, mut problems) = (found.at(place), Plan::default(), Vec::new());
        let addresses: Vec<_> = self.addresses.iter().copied().map(LinkAddress::ours).collect();
        plan.add_addresses(place, name, &addresses, state, false);
        if self.names_no_family() {
            plan.warn_of_missing_family(found.here());
        }
        match self.resolved(name, state, found) {
            Ok(routes) => {
                problems.extend(routes.iter().filter_map(|route| add(&mut plan, place, route, state).err()));
            }
            Err(problem) => problems.push(problem),
        }
        let problems: Vec<_> = problems.into_iter().map(|(value, why)| self.problem(&value, &why)).collect();
        if problems.is_empty() { Ok(plan) } else { Err(problems) }
    }

    /// Deletes our routes. Most are deleted with the link, but not every route goes through it.
    pub fn take_routes(&self, name: &IfName, place: &Place, found: &Snapshot) -> Plan {
        let (state, mut plan) = (found.at(place), Plan::default());
        for route in self.resolved(name, state, found).unwrap_or_default() {
            if let Some(ours) = state.routes.iter().find(|rival| rival.is_ours() && route.same(rival)) {
                plan.push_at(place, Op::RouteDel(ours.clone()), None);
            }
        }
        plan
    }

    fn problem(&self, value: &str, why: &str) -> Problem {
        Problem::new(&self.keyword, value, why)
    }

    /// The default routes and the other routes, with the numbers of their tables; or the table that does not exist, and
    /// why.
    fn resolved(
        &self,
        name: &IfName,
        state: &State,
        found: &Snapshot,
    ) -> Result<Vec<Route>, (String, String)> {
        let missing = |table: String, why: &str| (table, why.to_owned());
        let mut routes = Vec::new();
        for &(gateway, onlink) in &self.gateways {
            let family = Family::of(gateway);
            routes.push(Route {
                table: TableId::MAIN,
                prefix: unspecified(family),
                kind: RouteKind::Unicast,
                via: Some(gateway),
                dev: Some(name.clone()),
                src: None,
                metric: Route::default_metric(family),
                onlink,
                protocol: OUR_PROTOCOL,
            });
        }
        for spec in &self.routes {
            let table = match &spec.table {
                RouteTable::Own => TableId::MAIN,
                RouteTable::Table(TableSpec::Id(id)) => *id,
                RouteTable::Table(TableSpec::Name(name)) => *found
                    .table_names
                    .get(name)
                    .ok_or_else(|| missing(format!("table {name}"), "not a name of rt_tables"))?,
                RouteTable::Vrf(vrf) => state
                    .vrf_table(vrf)
                    .ok_or_else(|| missing(format!("vrf {vrf}"), "there is no such VRF"))?,
            };
            let prefixes = found.here().prefixes(spec);
            routes.extend(prefixes.into_iter().map(|prefix| Route::ours(spec, prefix, table)));
        }
        Ok(routes)
    }
}

/// Adds a route. If another program's route has its place, returns the route and the reason.
fn add(plan: &mut Plan, place: &Place, route: &Route, state: &State) -> Result<(), (String, String)> {
    plan.add_route(place, route, state)
        .map_err(|rival| (route.to_string(), format!("conflicts with another route: {rival}")))
}

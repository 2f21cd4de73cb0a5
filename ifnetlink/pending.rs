//! The pending steps: those that the executors would still make for the stanzas, and the removal of our objects that no
//! stanza has any more.

use crate::targets::{Target, Targets};
use ifupdown_ng_netlink::model::Simulated;
use ifupdown_ng_netlink::plan::Plan;
use ifupdown_ng_netlink::plan::op::Op;
use ifupdown_ng_netlink::plan::vrf::restore;
use ifupdown_ng_netlink::stanza::Problem;
use ifupdown_ng_netlink::state::{LinkAddress, OUR_PROTOCOL, Place, Query, Route, Snapshot, State};
use ifupdown_ng_netlink::values::{Family, IfName};
use ipnet::IpNet;
use std::collections::BTreeSet;

/// What is pending for one interface.
pub struct Pending<'a> {
    /// The interface.
    pub iface: &'a IfName,
    /// The changes.
    pub plan: Plan,
    /// What conflicts with the changes.
    pub problems: Vec<Problem>,
    /// What is kept although no stanza has it, and why.
    pub kept: Option<String>,
}

/// What is pending for the interfaces that were asked for. Each plan starts from the state that the plans before it
/// lead to.
pub fn pending<'a>(targets: &'a Targets, found: &Snapshot) -> Vec<Pending<'a>> {
    let wanted = Wanted::of(targets, found);
    let (mut simulated, mut all) = (Simulated(found.clone()), Vec::new());
    for target in targets.known.iter().filter(|target| target.chosen) {
        let (mut plan, problems) = match target.configuration.plan_up(&target.iface, &simulated.0) {
            Ok(plan) => (plan, Vec::new()),
            Err(conflict) => conflict,
        };
        let mut kept = None;
        simulated.assume_all(&plan);
        assume_up(&mut simulated, &target.iface);
        if let (true, Some(wanted)) = (problems.is_empty(), &wanted) {
            let (surplus, routes) = wanted.surplus(target, targets, &simulated.0);
            simulated.assume_all(&surplus);
            plan.append(surplus);
            kept = routes;
        }
        all.push(Pending { iface: &target.iface, plan, problems, kept });
    }
    all
}

/// The stock `link` sets an interface up. Interfaces that depend on it may need it up.
fn assume_up(simulated: &mut Simulated, iface: &IfName) {
    if let Some(link) = simulated.0.here_mut().links.get_mut(iface) {
        link.up = true;
    }
}

/// The addresses, routes and rules of ours that the stanzas ask for.
struct Wanted {
    addresses: Vec<(Place, IfName, IpNet)>,
    routes: Vec<(Place, Route)>,
    /// The families that have rules.
    rules: BTreeSet<Family>,
}

impl Wanted {
    /// What all stanzas would add if the kernel had nothing of ours. `None` if this is unknown.
    fn of(targets: &Targets, found: &Snapshot) -> Option<Self> {
        let mut simulated = Simulated(found.clone());
        for state in simulated.0.places.values_mut() {
            state.routes.retain(|route| !route.is_ours());
            for addresses in state.addresses.values_mut() {
                addresses.retain(|address| !address.is_ours());
            }
            for rules in state.rules.values_mut() {
                rules.retain(|rule| rule.protocol != OUR_PROTOCOL);
            }
        }
        let mut wanted = Self { addresses: Vec::new(), routes: Vec::new(), rules: BTreeSet::new() };
        for target in &targets.known {
            let plan = target.configuration.plan_up(&target.iface, &simulated.0).ok()?;
            simulated.assume_all(&plan);
            assume_up(&mut simulated, &target.iface);
            for step in plan.steps {
                match step.act.op {
                    Op::AddressAdd { dev, address } => wanted.addresses.push((step.act.at, dev, address)),
                    Op::RouteAdd(route) | Op::RouteReplace(route) => wanted.routes.push((step.act.at, route)),
                    Op::RuleAdd { rule, .. } if rule.protocol == OUR_PROTOCOL => {
                        wanted.rules.insert(rule.family);
                    }
                    _ => {}
                }
            }
        }
        targets.complete.then_some(wanted)
    }

    /// Our objects of an interface that no stanza has any more: its addresses and those of its peer; routes over it,
    /// over its peer and in its table; the rules, if it is a VRF. The text is a warning about routes that are kept, because
    /// an interface whose stanza is not in this file may need them. The rules are kept while a VRF exists whose stanza
    /// is unknown.
    fn surplus(&self, target: &Target, targets: &Targets, found: &Snapshot) -> (Plan, Option<String>) {
        let mut query = Query::default();
        target.query(&mut query);
        let own_table = found.here().vrf_table(&target.iface);
        let (mut plan, mut routes_left) = (Plan::default(), Vec::new());
        let others = targets.may_need_routes(found);
        for (place, wants) in &query.places {
            let (here, state) = (*place == Place::Here, found.at(place));
            let devices: BTreeSet<&IfName> =
                wants.addresses.iter().chain(Some(&target.iface).filter(|_| here)).collect();
            // A route in the VRF's table over an interface without a stanza may belong to another stanza.
            let own = |route: &Route| {
                let over = route.dev.as_ref().is_none_or(|dev| targets.has_stanza(dev));
                here && own_table == Some(route.table) && over
            };
            let its = |route: &&Route| {
                let over = route.dev.as_ref().is_some_and(|dev| devices.contains(&dev));
                route.is_ours() && (over || own(route))
            };
            for dev in devices.iter().map(|&dev| dev.clone()) {
                let present = state.addresses.get(&dev).map_or(&[][..], Vec::as_slice);
                for address in
                    present.iter().filter(|address| is_deletable(address, present)).map(|found| found.net)
                {
                    if !self.addresses.contains(&(place.clone(), dev.clone(), address)) {
                        let undo = Op::AddressAdd { dev: dev.clone(), address };
                        plan.push_at(place, Op::AddressDel { dev: dev.clone(), address }, Some(undo));
                    }
                }
            }
            let wanted = |route: &&Route| self.routes.iter().any(|(at, own)| at == place && own.same(route));
            for route in state.routes.iter().filter(its).filter(|route| !wanted(route)) {
                if here && !others.is_empty() {
                    routes_left.push(route.clone());
                } else {
                    let op = Op::RouteDel(route.clone());
                    plan.push_at(place, op, Some(Op::RouteAdd(route.clone())));
                }
            }
        }
        if own_table.is_some() && targets.may_need_rules(found).is_empty() {
            let unwanted = found.here().rules.iter().filter(|(family, _)| !self.rules.contains(family));
            let rules = unwanted.map(|(family, rules)| (*family, rules.clone())).collect();
            plan.append(restore(&State { rules, ..State::default() }));
        }
        (plan, kept(&routes_left, &others))
    }
}

/// A warning about routes that no stanza of the file has. They are kept if an interface whose stanza was not read may
/// need them.
fn kept(routes: &[Route], others: &BTreeSet<String>) -> Option<String> {
    let join = |names: Vec<String>| names.join(", ");
    let routes = join(routes.iter().map(ToString::to_string).collect());
    let names = join(others.iter().cloned().collect());
    let line = format!(
        "routes that no stanza has are kept: {routes}; {names} may need them, whose stanzas are in another file"
    );
    (!routes.is_empty()).then_some(line)
}

/// Whether an address can be deleted: it is ours, and no other address is deleted with it. The kernel also deletes the
/// later addresses of the same prefix (net/ipv4/devinet.c `__inet_del_ifa`).
fn is_deletable(address: &LinkAddress, among: &[LinkAddress]) -> bool {
    let beside = |other: &LinkAddress| !other.is_ours() && other.net.trunc() == address.net.trunc();
    address.is_ours() && (address.net.addr().is_ipv6() || !among.iter().any(beside))
}

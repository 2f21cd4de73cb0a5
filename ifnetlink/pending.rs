//! The pending steps: those that the executors would still make for the stanzas, and the removal of our objects that no
//! stanza has any more.

#[cfg(test)]
mod tests;

use crate::targets::{Target, Targets, in_order};
use ifupdown_ng_netlink::model::Simulated;
use ifupdown_ng_netlink::plan::op::{BridgeOp, Op};
use ifupdown_ng_netlink::plan::vrf::restore;
use ifupdown_ng_netlink::plan::{Plan, Planned, Step, without_awaited};
use ifupdown_ng_netlink::program::edit::{self, Removal};
use ifupdown_ng_netlink::stanza::Problem;
use ifupdown_ng_netlink::state::{
    Link, LinkAddress, LinkKind, NestedRecord, NetnsId, OUR_PROTOCOL, Place, Query, Record, Route, Rule,
    Shared, Snapshot, State,
};
use ifupdown_ng_netlink::values::{Family, IfName};
use ipnet::IpNet;
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

/// What is pending for one interface.
pub struct Pending {
    /// The interface.
    pub iface: IfName,
    /// The removal of what conflicts with the stanza, or of all if there is none any more.
    pub former: Plan,
    /// No stanza of the file has keywords of ours for it any more.
    pub is_gone: bool,
    /// The changes that the stanza asks for.
    pub plan: Plan,
    /// The removal of what no stanza asks for.
    pub surplus: Plan,
    /// The interface does not exist, and another executor or a command of the stanza creates it.
    pub is_missing: bool,
    /// What conflicts with the changes.
    pub problems: Vec<Problem>,
    /// What the stanza leaves out until its interface appears.
    pub awaited: Vec<Problem>,
    /// What is kept although no stanza has it, and why.
    pub kept: Vec<String>,
}

impl Pending {
    fn new(iface: &IfName, is_gone: bool) -> Self {
        Self {
            iface: iface.clone(),
            former: Plan::default(),
            is_gone,
            plan: Plan::default(),
            surplus: Plan::default(),
            is_missing: false,
            problems: Vec::new(),
            awaited: Vec::new(),
            kept: Vec::new(),
        }
    }

    /// Adds a removal that is made before the changes.
    fn remove_first(&mut self, removal: Plan, simulated: &mut Simulated, steps: &mut Vec<(IfName, Plan)>) {
        simulated.assume_all(&removal);
        steps.push((self.iface.clone(), removal.clone()));
        self.former.append(removal);
    }
}

/// What is pending for the interfaces that were asked for, in the order of the changes.
pub struct Changes {
    /// For each interface.
    pub pending: Vec<Pending>,
    /// All changes in order, each with the interface of its stanza.
    pub steps: Vec<(IfName, Plan)>,
    /// From here on, `steps` only removes what no stanza has any more.
    pub removals: usize,
    /// The interfaces that are taken down and brought up again.
    pub again: BTreeSet<IfName>,
    /// The interfaces without a stanza that others need, but that do not exist. The stanzas of the others say what that
    /// means: a VLAN needs its link, a bridge comes up without a port.
    pub absent: BTreeSet<IfName>,
    /// A warning if it is unknown what no stanza asks for, so that it is not removed.
    pub unknown: Option<String>,
}

impl Changes {
    /// The interfaces whose stanzas are not complete until they appear.
    pub fn awaited(&self) -> impl Iterator<Item = &IfName> {
        self.pending.iter().filter(|pending| !pending.awaited.is_empty()).map(|pending| &pending.iface)
    }

    /// What these stanzas leave out, a warning each.
    pub fn left_out(&self) -> impl Iterator<Item = String> {
        let of = |pending: &Pending| {
            let iface = pending.iface.clone();
            let line = move |problem: &Problem| format!("{iface}: {}", problem.until_it_appears());
            pending.awaited.iter().map(line).collect::<Vec<_>>()
        };
        self.pending.iter().flat_map(of)
    }
}

/// For which command the changes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// `check`, which prints them.
    Check,
    /// `apply`, which makes them. Stanzas that ifup has to bring up are left out.
    Apply {
        /// Interfaces may be taken down and brought up again.
        disruptive: bool,
    },
    /// `apply`, after the changes: what the kernel removed beside them is added again. What only former stanzas had is
    /// gone, but for namespaces.
    Rest,
}

/// In which order things are removed.
#[derive(Debug, Clone, Default)]
struct Order {
    /// What has no stanza any more goes first: it is in the way.
    gone_first: bool,
    /// The interfaces that are taken down first, and brought up again.
    again: BTreeSet<IfName>,
}

/// What is pending for the interfaces that were asked for. Each plan starts from the state that the plans before it
/// lead to. What is removed is removed last, unless it is in the way. Interfaces whose stanzas cannot be followed in
/// place are taken down and brought up again, with those that depend on them, if the mode allows it.
pub fn pending(targets: &Targets, found: &Snapshot, mode: Mode) -> Changes {
    let wanted = Wanted::of(targets, found);
    let mut order = Order::default();
    let first = attempt(targets, found, mode, &wanted, &order);
    let conflict = |changes: &Changes| {
        let mut conflicts = changes.pending.iter().filter(|pending| !pending.problems.is_empty());
        conflicts.next().map(|pending| pending.iface.clone())
    };
    let mut at = conflict(&first);
    if at.is_none() {
        return first;
    }
    order.gone_first = true;
    if mode == (Mode::Apply { disruptive: true }) {
        // A VRF is only deleted when it has no members any more.
        targets.gone().for_each(|gone| with_dependents(gone, targets, &mut order.again));
    }
    loop {
        let changes = attempt(targets, found, mode, &wanted, &order);
        let before = std::mem::replace(&mut at, conflict(&changes));
        let Some(iface) = at.as_ref().filter(|_| mode == Mode::Apply { disruptive: true }) else {
            return if at.is_none() || before == at { changes } else { first };
        };
        let known = order.again.len();
        with_dependents(iface, targets, &mut order.again);
        if order.again.len() == known {
            // All VRFs of the namespace share the rules.
            found.here().vrfs().for_each(|(vrf, _)| with_dependents(vrf, targets, &mut order.again));
        }
        if order.again.len() == known {
            return first;
        }
    }
}

/// Adds an interface and those that depend on it.
fn with_dependents(iface: &IfName, targets: &Targets, to: &mut BTreeSet<IfName>) {
    if to.insert(iface.clone()) {
        let dependents =
            targets.known.iter().filter(|target| targets.dependencies_of(&target.iface).contains(iface));
        dependents.for_each(|target| with_dependents(&target.iface, targets, to));
    }
}

/// The state that a plan leads to.
fn simulated_after(planned: &Planned, before: &Simulated) -> Simulated {
    let mut after = before.clone();
    if let Ok(plan) = planned {
        after.assume_all(plan);
    }
    after
}

fn attempt(
    targets: &Targets,
    found: &Snapshot,
    mode: Mode,
    wanted: &Result<Wanted, String>,
    order: &Order,
) -> Changes {
    let mut simulated = Simulated(found.clone());
    let mut steps: Vec<(IfName, Plan)> = Vec::new();
    let gone: Vec<_> = targets.former.iter().filter(|former| !targets.is_known(&former.iface)).collect();
    let is_left_out = |target: &Target| mode != Mode::Check && target.by_ifup;
    let chosen = targets.known.iter().filter(|target| target.chosen && !is_left_out(target));
    let chosen: Vec<&Target> = chosen.collect();
    let mut pending: Vec<Pending> = gone.iter().map(|former| Pending::new(&former.iface, true)).collect();
    pending.extend(chosen.iter().map(|target| Pending::new(&target.iface, target.configuration.is_empty())));
    let (of_gone, of_known) = pending.split_at_mut(gone.len());
    let is_first =
        |iface: &IfName| order.again.contains(iface) || (order.gone_first && !targets.is_known(iface));
    let first = of_gone.iter_mut().chain(of_known.iter_mut()).filter(|pending| is_first(&pending.iface));
    let depends = |pending: &&mut Pending| targets.dependencies_of(&pending.iface);
    let first = in_order(first.collect(), |pending| &pending.iface, depends);
    for pending in first.into_iter().rev() {
        pending.former = match chosen.iter().find(|target| target.iface == pending.iface) {
            Some(target) => taken_down(target, targets, &mut simulated),
            None => removed(&pending.iface, mode, targets, &mut simulated),
        };
        steps.push((pending.iface.clone(), pending.former.clone()));
    }
    // Those of which nothing else is to be removed. What goes with a whole interface would go again.
    let (mut settled, mut absent) = (BTreeSet::<&IfName>::new(), BTreeSet::new());
    for (place, target) in chosen.iter().enumerate() {
        for (other, freed) in free(target, &chosen, targets, mode, order, &simulated) {
            of_known[other].remove_first(freed, &mut simulated, &mut steps);
        }
        let pending = &mut of_known[place];
        let (mut planned, mut is_missing) = plan(target, &mut simulated);
        if target.is_implied && planned.is_err() && !exists(&target.iface, &simulated.0) {
            absent.insert(target.iface.clone());
            continue;
        }
        (planned, pending.awaited) = awaited(planned, target, targets, mode, found);
        // What only a former stanza has goes last, unless it conflicts with the present one.
        if order.again.contains(&target.iface) || mode == Mode::Rest || !targets.has_former(&target.iface) {
            settled.insert(&target.iface);
        } else if is_inside(&target.iface, &planned, &simulated) && targets.has_other_settings(target) {
            // The link gets its settings before it moves.
            settled.insert(&target.iface);
            let down = edit::take_down(&target.iface, &targets.old(target), &simulated.0);
            pending.remove_first(down, &mut simulated, &mut steps);
            (planned, is_missing) = plan(target, &mut simulated);
        } else if let Ok(removal) = former(&target.iface, targets, &mut simulated.clone()) {
            let is_in_the_way = || {
                let mut after = simulated_after(&planned, &simulated);
                let then = former(&target.iface, targets, &mut after).unwrap_or_default();
                then.is_down
                    || is_of_settings(&removal.plan)
                    || is_of_default_vlan(&removal.plan)
                    || interrupts(&then.plan, &target.iface)
                    || plan(target, &mut after).0.is_ok_and(|again| !again.is_empty())
            };
            let is_first = planned.is_err() || (!removal.plan.is_empty() && is_in_the_way());
            if is_first || removal.plan.is_empty() {
                settled.insert(&target.iface);
            }
            if is_first {
                pending.remove_first(removal.plan, &mut simulated, &mut steps);
                (planned, is_missing) = plan(target, &mut simulated);
            } else if removal.plan.is_empty() {
                // It may still warn of what stays.
                pending.surplus = removal.plan;
            }
        }
        pending.is_missing = is_missing;
        match planned {
            Ok(plan) => pending.plan = plan,
            Err((plan, problems)) => (pending.plan, pending.problems) = (plan, problems),
        }
        simulated.assume_all(&pending.plan);
        assume_up(&mut simulated, &target.iface);
        steps.push((pending.iface.clone(), pending.plan.clone()));
    }
    let removals = steps.len();
    for (target, pending) in chosen.iter().zip(of_known.iter_mut()) {
        // A former stanza stays recorded until the present one is complete.
        let is_complete = pending.problems.is_empty() && pending.awaited.is_empty() && !pending.is_missing;
        if is_complete && !absent.contains(&target.iface) {
            if !settled.contains(&target.iface) {
                match former(&target.iface, targets, &mut simulated) {
                    Ok(former) => pending.surplus = former.plan,
                    // What the former stanza made is all that lets the present one go up.
                    Err(problems) => {
                        pending.problems = problems;
                        continue;
                    }
                }
            }
            if let Some(wanted) = wanted.as_ref().ok().filter(|_| !target.is_implied) {
                let (plan, others) = wanted.surplus(target, targets, &simulated.0);
                simulated.assume_all(&plan);
                pending.surplus.append(plan);
                pending.kept.extend(others);
            }
            pending.kept.extend(unmarked(target, found, &simulated.0));
            steps.push((pending.iface.clone(), pending.surplus.clone()));
        }
    }
    for pending in of_gone.iter_mut().rev().filter(|_| !order.gone_first) {
        pending.former = removed(&pending.iface, mode, targets, &mut simulated);
        steps.push((pending.iface.clone(), pending.former.clone()));
    }
    pending.retain(|pending| !absent.contains(&pending.iface));
    let unknown = wanted.as_ref().err().filter(|_| !pending.is_empty()).cloned();
    Changes { pending, steps, removals, again: order.again.clone(), absent, unknown }
}

/// What takes an interface down that is brought up again.
fn taken_down(target: &Target, targets: &Targets, simulated: &mut Simulated) -> Plan {
    let plan = edit::take_down(&target.iface, &targets.old(target), &simulated.0);
    simulated.assume_all(&plan);
    plan
}

/// The removal of what the stanza of an interface needs and only the former stanzas of others have, such as a port of
/// another bridge. Each with the place of the other interface.
fn free(
    target: &Target,
    chosen: &[&Target],
    targets: &Targets,
    mode: Mode,
    order: &Order,
    found: &Simulated,
) -> Vec<(usize, Plan)> {
    let conflicts = |simulated: &Simulated| {
        let planned = plan(target, &mut simulated.clone()).0;
        planned.err().map_or(0, |(_, problems)| problems.len())
    };
    let (mut left, mut simulated, mut freed) = (conflicts(found), found.clone(), Vec::new());
    if mode == Mode::Rest {
        return freed;
    }
    for (place, other) in chosen.iter().enumerate() {
        if left == 0 {
            break;
        }
        let is_other = other.iface != target.iface && !order.again.contains(&other.iface);
        let mut after = simulated.clone();
        let removal = is_other.then(|| former(&other.iface, targets, &mut after)).and_then(Result::ok);
        let Some(removal) = removal.filter(|removal| !removal.is_down && conflicts(&after) < left) else {
            continue;
        };
        (left, simulated) = (conflicts(&after), after);
        freed.push((place, removal.plan));
    }
    freed
}

/// What only the former stanzas of an interface have; or why the present one could not go up from nothing.
fn former(iface: &IfName, targets: &Targets, simulated: &mut Simulated) -> Result<Removal, Vec<Problem>> {
    let Some(former) = targets.former.of(iface) else {
        return Ok(Removal::default());
    };
    let removal = if targets.is_taken_down(iface) {
        Removal { plan: edit::take_down(iface, &former.stanzas, &simulated.0), is_down: true }
    } else {
        edit::plan(iface, &former.stanzas, targets.configuration(iface), &simulated.0)?
    };
    simulated.assume_all(&removal.plan);
    Ok(removal)
}

/// The same, if it is still to be removed. A stanza that cannot go up has its own problems.
///
/// Afterwards only namespaces are left to be deleted: what ifdown removed inside them is only known then.
fn removed(iface: &IfName, mode: Mode, targets: &Targets, simulated: &mut Simulated) -> Plan {
    if mode != Mode::Rest {
        return former(iface, targets, simulated).unwrap_or_default().plan;
    }
    let plan = former(iface, targets, &mut simulated.clone()).unwrap_or_default().plan;
    if !plan.steps.iter().all(|step| matches!(step.act.op, Op::NetnsDel(_))) {
        return Plan::default();
    }
    simulated.assume_all(&plan);
    plan
}

/// Whether a plan changes settings of links. The settings from before are recorded, which is decided when the former
/// stanza is still up.
fn is_of_settings(plan: &Plan) -> bool {
    plan.steps.iter().any(|step| match &step.act.op {
        Op::LinkSet { change, .. } => change.mac.is_some() || change.mtu.is_some() || change.alias.is_some(),
        _ => false,
    })
}

/// Whether a plan changes the default VLAN of a bridge, which decides about the VLANs and static entries of its ports.
fn is_of_default_vlan(plan: &Plan) -> bool {
    plan.steps.iter().any(|step| match &step.act.op {
        Op::Bridge(BridgeOp::Set { options, .. }) => options.default_pvid.is_some(),
        _ => false,
    })
}

/// Whether an interface is in another namespace, or moves to one.
fn is_inside(iface: &IfName, planned: &Planned, simulated: &Simulated) -> bool {
    let moves = |step: &Shared<Step>| matches!(&step.act.op, Op::LinkMove(moved) if moved.name == *iface);
    simulated.0.located.contains_key(iface) || planned.as_ref().is_ok_and(|plan| plan.steps.iter().any(moves))
}

/// Whether a plan sets an interface down, changes its master, moves or deletes it: it then loses what was set up before.
fn interrupts(plan: &Plan, iface: &IfName) -> bool {
    plan.steps.iter().any(|step| match &step.act.op {
        Op::LinkSet { name, change } => name == iface && change.interrupts(),
        Op::LinkMove(moved) => moved.name == *iface || moved.new_name == *iface,
        Op::LinkDel { name, .. } => name == iface,
        _ => false,
    })
}

/// The plan for an interface. If it does not exist, and another executor creates it, the plan is made as if it existed,
/// and the flag says so.
fn plan(target: &Target, simulated: &mut Simulated) -> (Planned, bool) {
    let Target { iface, configuration, is_created_by_others, .. } = target;
    let mut planned = configuration.plan_up(iface, &simulated.0);
    if let Ok(plan) = &mut planned {
        plan.join_at_creation(|master| simulated.0.here().links.contains_key(master));
    }
    let is_created_by_us = planned.as_ref().is_ok_and(|plan| !plan.is_empty());
    if !is_created_by_others || exists(iface, &simulated.0) || is_created_by_us {
        return (planned, false);
    }
    let link = Link { kind: LinkKind::Physical, master: None, up: false };
    simulated.0.here_mut().links.insert(iface.clone(), link);
    (configuration.plan_up(iface, &simulated.0), true)
}

/// Takes out of the problems of a stanza what it leaves out until its interface appears, as `ifup` does: one card that
/// is not there stops no other interface. An interface that was named has to be complete. One that the changes delete
/// does not appear.
fn awaited(
    planned: Planned,
    target: &Target,
    targets: &Targets,
    mode: Mode,
    found: &Snapshot,
) -> (Planned, Vec<Problem>) {
    let may_wait = mode != Mode::Check && !targets.is_named(&target.iface) && !exists(&target.iface, found);
    if may_wait { without_awaited(planned) } else { (planned, Vec::new()) }
}

/// Whether an interface exists, here or in the namespace that it was moved to.
fn exists(iface: &IfName, found: &Snapshot) -> bool {
    found.here().links.contains_key(iface) || found.located.contains_key(iface)
}

/// What to do about an interface that does not exist and that another executor creates. `ifup` of an interface that is
/// up, as ifupdown-ng counts it, does nothing.
pub fn missing(iface: &IfName, is_running: bool) -> String {
    if is_running {
        format!("does not exist; `ifup -f {iface}` creates it")
    } else {
        format!("does not exist yet; `ifup {iface}` creates it")
    }
}

/// The stock `link` sets an interface up. Interfaces that depend on it may need it up.
fn assume_up(simulated: &mut Simulated, iface: &IfName) {
    if let Some(link) = simulated.0.here_mut().links.get_mut(iface) {
        link.up = true;
    }
}

/// Removes our addresses, routes and rules.
fn without_ours(state: &mut State) {
    if state.routes.iter().any(Route::is_ours) {
        state.routes.retain(|route| !route.is_ours());
    }
    let has_ours = |_: &IfName, addresses: &Vec<LinkAddress>| addresses.iter().any(LinkAddress::is_ours);
    state.addresses.update(has_ours, |_, addresses| addresses.retain(|address| !address.is_ours()));
    let is_ours = |rule: &Rule| rule.protocol == OUR_PROTOCOL;
    if state.rules.values().flatten().any(is_ours) {
        state.rules.values_mut().for_each(|rules| rules.retain(|rule| !is_ours(rule)));
    }
}

/// The addresses, routes and rules of ours that the stanzas ask for.
struct Wanted {
    addresses: BTreeSet<(Place, IfName, IpNet)>,
    routes: Vec<(Place, Route)>,
    /// The families that have rules.
    rules: BTreeSet<Family>,
    /// The namespaces in which an interfaces file of their own is up: its stanzas add more of ours there.
    nested: Vec<NetnsId>,
}

impl Wanted {
    /// What all stanzas would add if the kernel had nothing of ours.
    ///
    /// # Errors
    /// Why this is unknown, as a warning.
    fn of(targets: &Targets, found: &Snapshot) -> Result<Self, String> {
        if !targets.unsound.is_empty() {
            let names: Vec<_> = targets.unsound.iter().map(ToString::to_string).collect();
            return Err(format!(
                "not all that no stanza has any more is found: invalid stanza of {}",
                names.join(", ")
            ));
        }
        let mut simulated = Simulated(found.clone());
        simulated.0.places.update_all(|_, state| without_ours(state));
        let record = |target: &Target| found.here().records.get(&Record::nested(&target.iface));
        let nested = targets.known.iter().filter_map(record);
        let nested = nested.filter_map(|text| Some(NestedRecord::parse(text)?.id)).collect();
        let mut wanted =
            Self { addresses: BTreeSet::new(), routes: Vec::new(), rules: BTreeSet::new(), nested };
        for target in &targets.known {
            let (mut planned, _) = plan(target, &mut simulated);
            if planned.is_err() {
                let _ = former(&target.iface, targets, &mut simulated);
                (planned, _) = plan(target, &mut simulated);
            }
            if planned.is_err() && !exists(&target.iface, &simulated.0) {
                // Nothing is on it.
                continue;
            }
            let plan = planned.map_err(|_| {
                format!("not all that no stanza has any more is found: conflict of {}", target.iface)
            })?;
            simulated.assume_all(&plan);
            assume_up(&mut simulated, &target.iface);
            for step in plan.steps {
                let at = &step.act.at;
                match &step.act.op {
                    Op::AddressAdd { dev, address } => {
                        wanted.addresses.insert((at.clone(), dev.clone(), address.net));
                    }
                    Op::RouteAdd(route) | Op::RouteReplace(route) => {
                        wanted.routes.push((at.clone(), route.clone()));
                    }
                    Op::RuleAdd { rule, .. } if rule.protocol == OUR_PROTOCOL => {
                        wanted.rules.insert(rule.family);
                    }
                    _ => {}
                }
            }
        }
        Ok(wanted)
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
        let others = OnceCell::new();
        let others = || others.get_or_init(|| targets.may_need_routes(found));
        let is_known = |place: &Place| match place {
            Place::In(netns) => {
                let existing = found.existing(netns);
                !self.nested.iter().any(|id| existing.is_some_and(|existing| existing.id.same(*id)))
            }
            Place::Here => true,
        };
        for (place, wants) in query.places.iter().filter(|(place, _)| is_known(place)) {
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
                for address in present.iter().filter(|address| address.is_deletable(present)).copied() {
                    if !self.addresses.contains(&(place.clone(), dev.clone(), address.net)) {
                        let undo = Op::AddressAdd { dev: dev.clone(), address };
                        plan.push_at(place, Op::AddressDel { dev: dev.clone(), address }, Some(undo));
                    }
                }
            }
            let wanted = |route: &&Route| self.routes.iter().any(|(at, own)| at == place && own.same(route));
            for route in state.routes.iter().filter(its).filter(|route| !wanted(route)) {
                if here && !others().is_empty() {
                    routes_left.push(route.clone());
                } else {
                    let op = Op::RouteDel(route.clone());
                    plan.push_at(place, op, Some(Op::RouteAdd(route.clone())));
                }
            }
        }
        let unwanted = found.here().rules.iter().filter(|(family, _)| !self.rules.contains(family));
        let rules: Shared<BTreeMap<_, _>> =
            unwanted.map(|(family, rules)| (*family, rules.clone())).collect();
        if own_table.is_some() && !rules.is_empty() && targets.may_need_rules(found).is_empty() {
            plan.append(restore(&State { rules, ..State::default() }));
        }
        let kept = (!routes_left.is_empty()).then(|| kept(&routes_left, others()));
        (plan, kept)
    }
}

/// A warning about addresses that the stanza does not have and that stay, because nothing shows who added them: the stock
/// executor `static`, with a former stanza, or another program.
fn unmarked(target: &Target, found: &Snapshot, then: &Snapshot) -> Option<String> {
    let iface = &target.iface;
    if !target.foreign.is_empty() || target.is_implied || iface.as_str() == "lo" {
        return None;
    }
    let addresses = |state: &Snapshot| state.here().addresses.get(iface).cloned().unwrap_or_default();
    let mut without = found.clone();
    without.here_mut().addresses.remove(iface);
    let planned = target.configuration.plan_up(iface, &without).ok()?;
    let is_wanted = |address: &LinkAddress| {
        planned.steps.iter().any(|step| match &step.act.op {
            Op::AddressAdd { dev, address: wanted } => dev == iface && wanted.same(address),
            _ => false,
        })
    };
    let is_kept =
        |address: &&LinkAddress| address.protocol == 0 && !address.is_dynamic && !is_wanted(address);
    let kept: Vec<_> = addresses(then).iter().filter(is_kept).map(ToString::to_string).collect();
    let list = kept.join(", ");
    (!kept.is_empty())
        .then(|| format!("addresses that the stanza does not have are kept: {list}; delete them by hand"))
}

/// A warning about routes that no stanza of the file has. They are kept if an interface whose stanza was not read may
/// need them.
fn kept(routes: &[Route], others: &BTreeSet<String>) -> String {
    let join = |names: Vec<String>| names.join(", ");
    let routes = join(routes.iter().map(ToString::to_string).collect());
    let names = join(others.iter().cloned().collect());
    format!(
        "routes that no stanza has are kept: {routes}; {names} may need them, whose stanzas are in another file"
    )
}

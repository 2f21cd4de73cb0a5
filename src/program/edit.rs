//! The step from the stanza that was applied to the edited one: what only the old stanza has goes.
//!
//! What the new stanza adds or changes is the work of the usual phases. So the step is the difference between two
//! states: the one that these phases lead to now, and the one that they would lead to after an `ifdown` with the old
//! stanza. Both are found on the model of the kernel. Only objects that the old stanza touches are compared. Where
//! no change in place leads there (another VRF table, another peer), the step is that `ifdown`.

mod difference;

use crate::kernel::Kernel as _;
use crate::model::Simulated;
use crate::plan::op::{Act, Op};
use crate::plan::{At, Plan, Planned, Step, Steps};
use crate::program::executor::Configuration;
use crate::stanza::{Phase, Problem, Stanzas};
use crate::state::{Link, LinkKind, Place, Query, Record, Route, Section, Shared, Snapshot, Stations};
use crate::values::IfName;
use difference::Difference;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A stanza that was applied, as the program reads it now.
pub struct Old {
    /// The stanza.
    pub configuration: Configuration,
    values: Values,
    ports: Ports,
    /// The stanzas that other interfaces had then: a bridge gives its ports the VLANs of theirs.
    beside: Beside,
    /// Once it is known.
    reads_stanzas: OnceCell<bool>,
}

/// The values of a recorded stanza, by keyword.
type Values = Shared<BTreeMap<String, String>>;

/// Recorded stanzas of several interfaces, beside each of which the others were applied. Those with ports are left out.
#[derive(Clone, Default)]
pub struct Beside(Rc<[(IfName, Values)]>);

impl Beside {
    /// These stanzas.
    pub fn of<'a>(stanzas: impl Iterator<Item = (&'a IfName, &'a Section)>) -> Self {
        let stanzas = stanzas.filter(|(_, section)| !section.values.contains_key("bridge-ports"));
        Self(stanzas.map(|(iface, section)| (iface.clone(), section.values.clone())).collect())
    }
}

/// The value of `bridge-ports` in a recorded stanza.
enum Ports {
    Known(Option<String>),
    /// The value that was handed over may be that of `requires`.
    Unknown,
}

impl Old {
    /// A recorded stanza. `configuration` is what the program reads in it.
    pub fn new(section: &Section, configuration: Configuration) -> Self {
        let mut values = section.values.clone();
        let requires = values.get("requires").cloned();
        // Only a change copies them.
        let handed_over =
            if values.contains_key("bridge-ports") { values.remove("bridge-ports") } else { None };
        let ports = match (&section.ports, handed_over) {
            (Some(written), _) => Ports::Known(Some(written.clone())),
            (None, Some(ports)) if requires.as_ref() == Some(&ports) => Ports::Unknown,
            (None, ports) => Ports::Known(ports),
        };
        Self { configuration, values, ports, beside: Beside::default(), reads_stanzas: OnceCell::new() }
    }

    /// The same beside other recorded stanzas.
    #[must_use]
    pub fn beside(self, beside: Beside) -> Self {
        Self { beside, ..self }
    }

    /// What to read for this phase.
    pub fn query(&self, at: At<'_>, query: &mut Query) {
        self.configuration.query(at, query);
    }

    /// Whether planners read the interfaces file in any phase.
    fn reads_stanzas(&self, iface: &IfName) -> bool {
        *self.reads_stanzas.get_or_init(|| {
            let mut query = Query::default();
            Phase::UP
                .into_iter()
                .chain(Phase::DOWN)
                .for_each(|phase| self.query(at(iface, phase), &mut query));
            query.stanzas || query.stanzas_beside_bridge
        })
    }

    /// The plan for one phase. The stanza in the file, which planners of bridges and their ports read, is another one by
    /// now.
    ///
    /// # Errors
    /// As for [`Configuration::plan`].
    pub fn plan(&self, at: At<'_>, found: &Snapshot) -> Planned {
        let Some(stanzas) = found.stanzas.as_ref().filter(|_| self.reads_stanzas(at.iface)) else {
            return self.configuration.plan(at, found);
        };
        let ports = match &self.ports {
            Ports::Known(written) => written.as_deref(),
            Ports::Unknown => stanzas.text(at.iface, "bridge-ports"),
        };
        let values = self.values.iter().map(|(keyword, value)| (keyword.as_str(), value.as_str()));
        let values = values.chain(ports.map(|ports| ("bridge-ports", ports)));
        let mut stanzas = Stanzas::clone(stanzas).with_stanza(at.iface, values);
        for (iface, values) in self.beside.0.iter().filter(|(other, _)| other != at.iface) {
            let values = values.iter().map(|(keyword, value)| (keyword.as_str(), value.as_str()));
            stanzas = stanzas.with_stanza(iface, values);
        }
        self.configuration.plan(at, &Snapshot { stanzas: Some(stanzas.into()), ..found.clone() })
    }
}

fn at(iface: &IfName, phase: Phase) -> At<'_> {
    At { iface, phase, alone: false }
}

/// What to read before [`plan`].
pub fn query(iface: &IfName, old: &[Old], new: &Configuration, query: &mut Query) {
    for phase in Phase::DOWN.into_iter().chain(Phase::UP) {
        for old in old {
            old.query(at(iface, phase), query);
        }
        if !phase.is_down() {
            new.query(at(iface, phase), query);
        }
    }
    query.here().links.insert(iface.clone());
    query.wait = None;
}

/// The removal of what only old stanzas have.
#[derive(Debug, Default)]
pub struct Removal {
    /// The steps.
    pub plan: Plan,
    /// The steps are those of an ifdown: the phases of ifup have to follow.
    pub is_down: bool,
}

/// The steps that remove what only the old stanzas have.
///
/// # Errors
/// Why the new stanza cannot go up even after an ifdown with the old ones; or that this ifdown would also end what other
/// stanzas have on the interface.
pub fn plan(
    iface: &IfName,
    old: &[Old],
    new: &Configuration,
    found: &Snapshot,
) -> Result<Removal, Vec<Problem>> {
    let down = |simulated: &mut Simulated| down(iface, old, simulated);
    let mut clean = Simulated(without_members(iface, found));
    let mut touched = down(&mut clean).steps;
    as_joined_now(iface, &mut clean);
    let mut made = Vec::new();
    let then = with_filtering(&clean);
    for old in old {
        let plan = |at: At<'_>, found: &Snapshot| old.plan(at, found);
        made.extend(up(iface, &plan, &mut then.clone()).unwrap_or_else(|(steps, _)| steps));
    }
    // With a bridge or a VRF go also the ports and the routes of other stanzas.
    let is_own = |step: &Shared<Step>| match &step.act.op {
        Op::LinkSet { name, .. } => name == iface || made.iter().any(|made| sets_link(made, name)),
        Op::RouteDel(route) => made.iter().any(|made| adds_route(made, route)),
        _ => true,
    };
    let is_shared = !touched.iter().all(is_own);
    touched.retain(is_own);
    touched.extend(made.iter().cloned());
    let plan = |at: At<'_>, found: &Snapshot| new.plan(at, found);
    let mut fresh = clean;
    let wanted = up(iface, &plan, &mut fresh).map_err(|(_, problems)| problems)?;
    // Where the new stanza can go up over the old one, only its own objects are left to it.
    let mut base = Simulated(found.clone());
    if up(iface, &plan, &mut base).is_err() {
        base = Simulated(found.clone());
    }
    keep_table(iface, &base.0, &mut fresh.0);
    keep_nested(iface, found, &mut base.0);
    keep_sysctls(found, &wanted, &mut base.0);
    let in_place = Difference { touched: &touched, made: &made, wanted: &wanted, fresh: &fresh.0, iface };
    if let Some(steps) = in_place.steps(&base) {
        let mut after = Simulated(found.clone());
        let steps = possible(steps, &mut after);
        let removed = after.0.clone();
        let is_up = up(iface, &plan, &mut after).is_ok();
        keep_sysctls(&removed, &wanted, &mut after.0);
        if is_up && in_place.steps(&after).is_some_and(|left| left.is_empty()) {
            return Ok(Removal { plan: steps, is_down: false });
        }
    }
    let mut after = Simulated(found.clone());
    let steps = down(&mut after);
    if up(iface, &plan, &mut after).is_err() {
        // The phases of ifup report the reason.
        return Ok(Removal::default());
    }
    if is_shared {
        let reason = "what its former stanza set cannot be undone while others are on it; ifdown those first";
        return Err(vec![Problem::new("iface", iface, reason)]);
    }
    Ok(Removal { plan: steps, is_down: true })
}

/// The plan of an ifdown with the recorded stanzas.
pub fn take_down(iface: &IfName, old: &[Old], found: &Snapshot) -> Plan {
    down(iface, old, &mut Simulated(found.clone()))
}

fn sets_link(step: &Step, name: &IfName) -> bool {
    matches!(&step.act.op, Op::LinkSet { name: set, .. } if set == name)
}

fn adds_route(step: &Step, route: &Route) -> bool {
    let (Op::RouteAdd(added) | Op::RouteAppend(added) | Op::RouteReplace(added)) = &step.act.op else {
        return false;
    };
    added.same(route)
}

/// The steps of ifup, or those before a conflict and the conflict. The stock executor `link` sets the interface up.
fn up(
    iface: &IfName,
    plan: &dyn Fn(At<'_>, &Snapshot) -> Planned,
    simulated: &mut Simulated,
) -> Result<Steps, (Steps, Vec<Problem>)> {
    let mut steps = Vec::new();
    for phase in Phase::UP {
        match plan(at(iface, phase), &simulated.0) {
            Ok(plan) => {
                simulated.assume_all(&plan);
                steps.extend(plan.steps);
            }
            Err((plan, problems)) => {
                steps.extend(plan.steps);
                return Err((steps, problems));
            }
        }
        if phase == Phase::Up {
            let _ = simulated.apply(&Act::here(Op::set_up(iface, true)));
        }
    }
    Ok(steps)
}

/// The plan of ifdown. The stock executor `link` sets the interface down.
fn down(iface: &IfName, old: &[Old], simulated: &mut Simulated) -> Plan {
    let mut whole = Plan::default();
    for phase in Phase::DOWN {
        if phase == Phase::PostDown && simulated.0.here().links.get(iface).is_some_and(|link| link.up) {
            let down = Op::set_up(iface, false);
            whole.push(down.clone(), None);
            let _ = simulated.apply(&Act::here(down));
        }
        for old in old.iter().rev() {
            let plan = old.plan(at(iface, phase), &simulated.0).unwrap_or_else(|(plan, _)| plan);
            simulated.assume_all(&plan);
            whole.append(plan);
        }
    }
    // What it keeps, and why, is of no interest: the interface is not taken down.
    whole.warnings.clear();
    whole
}

/// The state in which a VRF has no members: it is deleted only then.
fn without_members(iface: &IfName, found: &Snapshot) -> Snapshot {
    let mut found = found.clone();
    let here = found.here_mut();
    if here.vrf_table(iface).is_some() {
        let is_member = |_: &IfName, link: &Link| link.master.as_ref() == Some(iface);
        here.links.update(is_member, |_, link| link.master = None);
    }
    found
}

/// A port that stays in its bridge, because the stanza of the bridge lists it, as if it had just joined.
fn as_joined_now(iface: &IfName, simulated: &mut Simulated) {
    let here = simulated.0.here_mut();
    let stations = here.bridging.allowed.of(iface);
    if !stations.is_empty() {
        here.bridging.allowed.change(iface, &Stations::default(), &stations);
    }
    let master = here.links.get(iface).and_then(|link| link.master.clone());
    if let Some(bridge) = master.filter(|master| here.bridge(master).is_some()) {
        here.port_moved(iface, Some(&bridge));
    }
}

/// The state in which a port could get VLANs from its old stanza: VLAN filtering may be off by now.
fn with_filtering(clean: &Simulated) -> Simulated {
    let mut then = clean.clone();
    let is_bridge = |_: &IfName, link: &Link| matches!(link.kind, LinkKind::Bridge(_));
    then.0.here_mut().links.update(is_bridge, |_, link| {
        if let LinkKind::Bridge(options) = &mut link.kind {
            options.filtering = Some(true);
        }
    });
    then
}

/// Gives a VRF the table that it has: `auto` keeps it.
fn keep_table(iface: &IfName, base: &Snapshot, fresh: &mut Snapshot) {
    let (Some(kept), Some(picked)) = (base.here().vrf_table(iface), fresh.here().vrf_table(iface)) else {
        return;
    };
    let here = fresh.here_mut();
    if let Some(link) = here.links.get_mut(iface) {
        link.kind = LinkKind::Vrf(kept);
    }
    here.routes.iter_mut().filter(|route| route.table == picked).for_each(|route| route.table = kept);
}

/// The interfaces inside a namespace stay as they are until they are taken down. In the phases of ifup, the interface
/// comes back and moves again, and they do so with it; `ifnetlink apply` leaves it there.
fn keep_nested(iface: &IfName, found: &Snapshot, base: &mut Snapshot) {
    let key = Record::nested(iface);
    let records = &mut base.here_mut().records;
    match found.here().records.get(&key) {
        Some(record) => records.insert(key, record.clone()),
        None => records.remove(&key),
    };
}

/// The sysctls inside a namespace, if they are recorded: the same. Those that the new stanza sets have its values.
fn keep_sysctls(before: &Snapshot, wanted: &[Shared<Step>], base: &mut Snapshot) {
    for (place, state) in before.places.iter().filter(|(place, _)| **place != Place::Here) {
        let Some(kept) = base.places.get_mut(place) else { continue };
        for (record, text) in &state.records {
            let Some(key) = record.sysctl() else { continue };
            kept.records.insert(record.clone(), text.clone());
            let sets =
                |step: &Shared<Step>| matches!(&step.act.op, Op::SysctlSet { key: set, .. } if *set == key);
            if !wanted.iter().any(|step| step.act.at == *place && sets(step)) {
                kept.sysctls.extend(state.sysctls.get(&key).map(|value| (key, value.clone())));
            }
        }
    }
}

/// The steps that are possible, one after the other.
fn possible(mut plan: Plan, simulated: &mut Simulated) -> Plan {
    plan.steps.retain(|step| simulated.apply(&step.act).is_ok());
    plan
}

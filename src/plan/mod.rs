//! A plan: steps in order, each with the changes that roll it back.

pub mod address;
pub mod bridge;
pub mod forward;
pub mod link;
pub mod netns;
pub mod op;
pub mod vrf;

use crate::plan::op::{Act, BridgeOp, LinkChange, NewVeth, Op};
use crate::stanza::{Phase, Problem};
use crate::state::{
    LinkAddress, Original, Place, Query, Record, Route, Rule, Shared, Snapshot, State, Sysctl,
};
use crate::values::{Family, IfName};
use std::collections::BTreeSet;
use std::fmt;

/// The interface and the phase that a plan is for.
#[derive(Debug, Clone, Copy)]
pub struct At<'a> {
    /// The interface of the stanza.
    pub iface: &'a IfName,
    /// The phase.
    pub phase: Phase,
    /// Whether this program plans all phases alone, without other executors between them: for example `--check`, where
    /// one program plans all phases of ifup.
    pub alone: bool,
}

/// A stanza as one executor read it: the phases in which there is something to do, what to read from the kernel, and
/// what to change.
pub trait Planner {
    /// Whether there may be something to do in this phase.
    fn acts(&self, phase: Phase) -> bool;

    /// What to read before planning.
    fn query(&self, at: At<'_>, query: &mut Query);

    /// What to change: a pure function of the stanza and of the state.
    ///
    /// # Errors
    /// Why the state does not allow the changes.
    fn plan(&self, at: At<'_>, found: &Snapshot) -> Result<Plan, Vec<Problem>>;

    /// What to do when a phase of ifup failed: earlier phases may have prepared for it. Its own steps are already
    /// rolled back, and the interface is set down if this ifup had set it up. `found` is the state before the phase.
    fn give_up(&self, _at: At<'_>, _found: &Snapshot) -> Plan {
        Plan::default()
    }

    /// Adds to a simulated state what must exist before this stanza can go up. MOCK plans from such a state.
    fn assume(&self, iface: &IfName, simulated: &mut Snapshot);
}

/// A change and the changes that roll it back, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The change.
    pub act: Act,
    /// The changes that roll it back; empty if there is nothing to roll back.
    pub undo: Vec<Act>,
    /// If the kernel refuses the change, that is reported, and the other steps stay.
    pub best_effort: bool,
}

/// Steps in their order. Many plans have the same ones.
pub type Steps = Vec<Shared<Step>>;

/// A plan; or the part of it before the conflicts, and the conflicts.
pub type Planned = Result<Plan, (Plan, Vec<Problem>)>;

/// Takes the conflicts out of a plan, if all of them await the interface: `ifup` does not fail for a link that may appear
/// later.
pub fn without_awaited(planned: Planned) -> (Planned, Vec<Problem>) {
    match planned {
        Err((plan, problems)) if problems.iter().all(|problem| problem.awaits_link) => (Ok(plan), problems),
        planned => (planned, Vec::new()),
    }
}

/// The steps of a phase, and warnings about them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The steps.
    pub steps: Steps,
    /// Messages to the user although nothing failed, a line each.
    pub warnings: Vec<String>,
}

impl Plan {
    /// Adds a step in the executor's own namespace.
    pub fn push(&mut self, op: Op, undo: Option<Op>) {
        self.push_at(&Place::Here, op, undo);
    }

    /// Adds a step in a namespace.
    pub fn push_at(&mut self, at: &Place, op: Op, undo: Option<Op>) {
        let act = |op| Act { at: at.clone(), op };
        let undo = undo.map(act).into_iter().collect();
        self.steps.push(Step { act: act(op), undo, best_effort: false }.into());
    }

    /// Adds a step in the executor's own namespace that the kernel may refuse.
    pub fn try_push(&mut self, op: Op, undo: Option<Op>) {
        self.push(op, undo);
        if let Some(step) = self.steps.last_mut() {
            step.best_effort = true;
        }
    }

    /// Adds the addresses that a link does not have. An IPv6 address that it has with a prefix of another length is deleted
    /// first, because the kernel has it only once on a link. With a lifetime, it is left to the program that renews it.
    pub fn add_addresses(
        &mut self,
        at: &Place,
        dev: &IfName,
        wanted: &[LinkAddress],
        state: &State,
        best_effort: bool,
    ) {
        let add = |address| Op::AddressAdd { dev: dev.clone(), address };
        let del = |address| Op::AddressDel { dev: dev.clone(), address };
        let present = state.addresses.get(dev).map_or(&[][..], Vec::as_slice);
        for &address in wanted.iter().filter(|address| !present.iter().any(|found| found.same(address))) {
            let is_in_the_way = |found: &&LinkAddress| {
                let is_wanted = wanted.iter().any(|other| other.same(found));
                found.excludes(&address) && !found.is_dynamic && !is_wanted
            };
            if let Some(&former) = present.iter().find(is_in_the_way) {
                self.push_at(at, del(former), Some(add(former)));
            }
            self.push_at(at, add(address), Some(del(address)));
            if let Some(step) = self.steps.last_mut() {
                step.best_effort = best_effort;
            }
        }
    }

    /// Warns if a default route without a family is one route only.
    pub fn warn_of_missing_family(&mut self, state: &State) {
        let missing = Family::BOTH.into_iter().filter(|family| !state.families().any(|has| has == *family));
        self.warnings.extend(missing.map(|family| {
            format!("{family} is disabled in this kernel: default route for the other family only")
        }));
    }

    /// Adds a route that is missing, or replaces one that we added for an earlier stanza.
    ///
    /// # Errors
    /// Another program's route with the same table, prefix and metric.
    pub fn add_route<'a>(&mut self, at: &Place, route: &Route, state: &'a State) -> Result<(), &'a Route> {
        let (automatic, rivals): (Vec<_>, Vec<_>) = state
            .routes
            .iter()
            .filter(|rival| rival.competes_with(route))
            .partition(|rival| rival.is_automatic());
        if rivals.iter().any(|rival| route.same(rival)) {
            return Ok(());
        }
        if automatic.iter().any(|rival| route.same(rival)) {
            self.warnings.push(format!(
                "{route}: the kernel has this route from a router advertisement; give this one a metric if it is to stay"
            ));
            return Ok(());
        }
        let route = route.clone();
        match rivals.first() {
            None if !automatic.is_empty() => {
                self.push_at(at, Op::RouteAppend(route.clone()), Some(Op::RouteDel(route)));
            }
            None => self.push_at(at, Op::RouteAdd(route.clone()), Some(Op::RouteDel(route))),
            Some(rival) if rival.is_ours() => {
                self.push_at(at, Op::RouteReplace(route), Some(Op::RouteReplace((*rival).clone())));
            }
            Some(rival) => return Err(rival),
        }
        Ok(())
    }

    /// Adds a rule; rolled back by deleting it.
    pub fn add_rule(&mut self, rule: Rule) {
        self.push(Op::RuleAdd { rule: rule.clone(), again: false }, Some(Op::RuleDel(rule)));
    }

    /// Deletes rules; rolled back by adding them again. Of several equal rules, only one is added again.
    pub fn delete_rules<'a>(&mut self, rules: impl IntoIterator<Item = &'a Rule>) {
        for rule in rules {
            let undo = Op::RuleAdd { rule: rule.clone(), again: false };
            self.push(Op::RuleDel(rule.clone()), Some(undo));
        }
    }

    /// Sets a sysctl because the stanza of an interface wants it. The former value is recorded before the first change,
    /// with each interface that wants the sysctl changed.
    pub fn set_sysctl(&mut self, at: &Place, key: &Sysctl, value: &str, owner: &IfName, state: &State) {
        let (record, now) = (Record::original(key), state.sysctls.get(key));
        let is_set = now.is_some_and(|now| now.split_whitespace().eq(value.split_whitespace()));
        let write = |text: String| Op::RecordSet { key: record.clone(), value: text };
        match (state.records.get(&record), now) {
            (Some(text), _) => {
                if let Some(original) = Original::parse(text).with(owner) {
                    self.push_at(at, write(original.to_string()), Some(write(text.clone())));
                }
            }
            (None, Some(now)) if !is_set => {
                let original = Original::new(now, owner).to_string();
                self.push_at(at, write(original), Some(Op::RecordDel(record)));
            }
            (None, _) => {}
        }
        if !is_set {
            let set = |value: &str| Op::SysctlSet { key: key.clone(), value: value.to_owned() };
            self.push_at(at, set(value), now.map(|now| set(now)));
        }
    }

    /// Restores the recorded value of a sysctl and deletes the record, unless an interface that `is_needed_by` accepts
    /// still wants the sysctl changed. A record of version 0.1 has no owners: its value is restored.
    pub fn restore_sysctl(
        &mut self,
        at: &Place,
        key: &Sysctl,
        is_needed_by: impl Fn(&IfName) -> bool,
        state: &State,
    ) {
        let record = Record::original(key);
        let Some(text) = state.records.get(&record) else { return };
        let Original { value, owners } = Original::parse(text);
        let rest: BTreeSet<_> = owners.into_iter().flatten().filter(|owner| is_needed_by(owner)).collect();
        if !rest.is_empty() {
            let kept = Original { value, owners: Some(rest) }.to_string();
            if kept != *text {
                let undo = Op::RecordSet { key: record.clone(), value: text.clone() };
                self.push_at(at, Op::RecordSet { key: record, value: kept }, Some(undo));
            }
            return;
        }
        if state.sysctls.get(key).is_some_and(|now| *now != value) {
            self.push_at(at, Op::SysctlSet { key: key.clone(), value }, None);
        }
        self.push_at(at, Op::RecordDel(record), None);
    }

    /// Lets the end of a new pair join its bridge or VRF in the message that makes the pair, if it joins by a message of
    /// its own, its master `exists` before, and no step between them is about the master.
    pub fn join_at_creation(&mut self, exists: impl Fn(&IfName) -> bool) {
        let mut at = 0;
        while let Some(step) = self.steps.get(at) {
            let found = match &step.act {
                Act { op: Op::VethAdd(NewVeth { end, master: None, .. }), at: Place::Here } => {
                    self.joins(at, &end.name).filter(|(_, master)| exists(master))
                }
                _ => None,
            };
            if let Some((later, master)) = found {
                if let Op::VethAdd(new) = &mut self.steps[at].act.op {
                    new.master = Some(master);
                }
                self.steps.remove(later);
            }
            at += 1;
        }
    }

    /// The step that gives a link its master, if it is only that and no step before it is about the master.
    fn joins(&self, after: usize, link: &IfName) -> Option<(usize, IfName)> {
        let is_it = |step: &Shared<Step>| match &step.act.op {
            Op::LinkSet { name, change: LinkChange { master: Some(Some(master)), .. } }
                if name == link && step.act.op == Op::set_master(link, Some(master)) =>
            {
                Some(master.clone())
            }
            _ => None,
        };
        let mut later = self.steps.iter().enumerate().skip(after + 1);
        let (place, master) = later.find_map(|(place, step)| Some((place, is_it(step)?)))?;
        let between = self.steps.get(after + 1..place)?;
        // The stations that a port may have are set before it joins.
        let is_about = |step: &Shared<Step>| {
            let is_for_port =
                matches!(&step.act.op, Op::Bridge(BridgeOp::Allow { port, .. }) if port == link);
            is_for_port || step.act.links().iter().any(|(_, name)| *name == master)
        };
        (!between.iter().any(is_about)).then_some((place, master))
    }

    /// Appends another plan.
    pub fn append(&mut self, mut other: Self) {
        self.steps.append(&mut other.steps);
        self.warnings.append(&mut other.warnings);
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

/// The steps, a command line each.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.steps.iter().try_for_each(|step| writeln!(f, "{}", step.act))
    }
}

//! The layouts of routing rules that isolate VRFs, how to install them, and how to restore the kernel's rules.
//!
//! A kernel with VRFs has the rules `0 local, 1000 l3mdev, 32766 main`. With them, two kinds of packets leave their
//! VRF: packets to an address of the host itself (`local` comes first), and packets for which the VRF's table has no
//! route (they fall through to `main`). Both layouts close both gaps, in IPv4 and IPv6:
//!
//! - `yes`: `1000 l3mdev, 2000 l3mdev unreachable, 32765 local`
//! - `jump`: `0 l3mdev goto 1000, 0 local, 1000 l3mdev, 2000 l3mdev unreachable`
//!
//! A rule for `local` exists at every moment: it is added at the new priority, read back, and only then deleted at the
//! old one. Rules that we add carry [`OUR_PROTOCOL`]. By it we recognize them, and delete them after the last VRF.

mod shadowed;

use crate::plan::Plan;
use crate::plan::op::Op;
use crate::state::{Action, KERNEL_PROTOCOL, OUR_PROTOCOL, Rule, State};
use crate::values::{Family, TableId};

/// Where the kernel puts its own l3mdev rule (drivers/net/vrf.c `FIB_RULE_PREF`).
pub const L3MDEV_PRIORITY: u32 = 1000;

/// The rule that the kernel adds with the first VRF of a namespace, and never again.
pub fn kernel_l3mdev(family: Family) -> Rule {
    Rule::new(family, L3MDEV_PRIORITY, Action::LookupL3mdev, KERNEL_PROTOCOL)
}

/// The rule that every new namespace has.
pub fn kernel_local(family: Family) -> Rule {
    Rule::new(family, 0, Action::Lookup(TableId::LOCAL), KERNEL_PROTOCOL)
}

/// The wanted rules; `None` leaves a rule as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// The priority at which VRFs look up their tables.
    pub l3mdev: Option<u32>,
    /// The priority at which packets of a VRF without a route are refused.
    pub unreachable: Option<u32>,
    /// The place of the rule for `local`.
    pub local: Local,
}

/// The place of the rule for `local`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Local {
    /// It stays at 0, for VRFs too.
    Stays,
    /// It moves to this priority (layout `yes`).
    MovesTo(u32),
    /// It stays at 0, and VRFs jump over it (layout `jump`).
    IsJumped,
}

impl Layout {
    /// The rules of the layout that we would add.
    fn ours(&self, family: Family) -> Vec<Rule> {
        let at = |priority, action| Rule::new(family, priority, action, OUR_PROTOCOL);
        let l3mdev = self.l3mdev.unwrap_or(L3MDEV_PRIORITY);
        let local = match self.local {
            Local::Stays => None,
            Local::MovesTo(priority) => Some(at(priority, Action::Lookup(TableId::LOCAL))),
            Local::IsJumped => Some(jump(family, l3mdev)),
        };
        let unreachable = self.unreachable.map(|priority| at(priority, Action::UnreachableL3mdev));
        [Some(at(l3mdev, Action::LookupL3mdev)), unreachable, local].into_iter().flatten().collect()
    }
}

/// Our rules that belong to another layout.
pub fn foreign_to(layout: &Layout, family: Family, state: &State) -> Vec<Rule> {
    let wanted = layout.ours(family);
    let rules = state.rules.get(&family).into_iter().flatten();
    rules.filter(|rule| is_ours(rule) && !wanted.iter().any(|ours| ours.same(rule))).cloned().collect()
}

fn is_ours(rule: &Rule) -> bool {
    rule.protocol == OUR_PROTOCOL && !rule.selective
}

/// The rule of the layout `jump` that makes packets of VRFs jump over `local`.
fn jump(family: Family, target: u32) -> Rule {
    Rule::new(family, 0, Action::GotoL3mdev(target), OUR_PROTOCOL)
}

/// Installs the layout for one family, and deletes our rules that belong to another layout.
///
/// # Errors
/// Another program's rule that keeps the layout from working, and what to do about it.
pub fn install(layout: &Layout, family: Family, state: &State) -> Result<Plan, String> {
    let mut plan = Plan::default();
    let rules = state.rules.get(&family).map_or(&[][..], Vec::as_slice);
    if let (Local::MovesTo(priority), Some(rule)) = (layout.local, local_in_front(layout, rules)) {
        let option = family.option();
        return Err(format!(
            "another program's rule for local comes before the VRFs; `ip {option} rule del {rule}`, then it is added at {priority}"
        ));
    }
    if let Some(priority) = layout.l3mdev {
        let wanted = Rule::new(family, priority, Action::LookupL3mdev, OUR_PROTOCOL);
        let wanted = if priority == L3MDEV_PRIORITY { kernel_l3mdev(family) } else { wanted };
        ensure(&mut plan, rules, &wanted);
        if priority != L3MDEV_PRIORITY {
            plan.delete_rules(all(rules, &kernel_l3mdev(family)).filter(|rule| !is_of_others(rule)));
        }
    }
    if let Some(priority) = layout.unreachable {
        ensure(&mut plan, rules, &Rule::new(family, priority, Action::UnreachableL3mdev, OUR_PROTOCOL));
    }
    match layout.local {
        Local::Stays => bring_local_back(&mut plan, rules, family),
        Local::MovesTo(priority) => move_local(&mut plan, rules, family, priority),
        Local::IsJumped => jump_local(&mut plan, rules, family, layout.l3mdev.unwrap_or(L3MDEV_PRIORITY)),
    }
    plan.delete_rules(&foreign_to(layout, family, state));
    shadowed::refuse(plan, rules)
}

/// A rule for `local` that is neither at the kernel's priority nor behind the priority at which VRFs look up their
/// tables.
fn local_in_front<'a>(layout: &Layout, rules: &'a [Rule]) -> Option<&'a Rule> {
    let in_front = 1..=layout.l3mdev.unwrap_or(L3MDEV_PRIORITY);
    let local = Action::Lookup(TableId::LOCAL);
    let found = |rule: &&Rule| rule.action == local && !rule.selective && in_front.contains(&rule.priority);
    rules.iter().find(found)
}

/// Adds a rule that is missing. If it exists several times, deletes all but one, except those of other programs.
fn ensure(plan: &mut Plan, rules: &[Rule], wanted: &Rule) {
    if all(rules, wanted).next().is_none() {
        plan.add_rule(wanted.clone());
    }
    plan.delete_rules(surplus(all(rules, wanted)));
}

/// The rules that the kernel or we added, without the first of them.
fn surplus<'a>(rules: impl Iterator<Item = &'a Rule>) -> impl Iterator<Item = &'a Rule> {
    rules.filter(|rule| !is_of_others(rule)).skip(1)
}

fn is_of_others(rule: &Rule) -> bool {
    ![OUR_PROTOCOL, KERNEL_PROTOCOL].contains(&rule.protocol)
}

/// The rules that do the same at the same priority, whichever program added them.
fn all<'a>(rules: &'a [Rule], wanted: &'a Rule) -> impl Iterator<Item = &'a Rule> {
    rules.iter().filter(|rule| rule.same(wanted))
}

/// Whether another program has moved the rule for `local` to another priority. It is accepted there.
fn moved_by_others(rules: &[Rule], family: Family) -> bool {
    let at_0 = kernel_local(family);
    let mut locals = rules.iter().filter(|rule| rule.action == at_0.action && !rule.selective);
    all(rules, &at_0).next().is_none() && locals.any(|rule| rule.protocol != OUR_PROTOCOL)
}

fn move_local(plan: &mut Plan, rules: &[Rule], family: Family, priority: u32) {
    let at_0 = kernel_local(family);
    let moved = Rule::new(family, priority, at_0.action, OUR_PROTOCOL);
    if moved_by_others(rules, family) && all(rules, &moved).next().is_none() {
        return;
    }
    ensure(plan, rules, &moved);
    if all(rules, &at_0).next().is_some() {
        plan.push(Op::RuleExpect(moved.clone()), None);
        plan.delete_rules(all(rules, &at_0));
    }
    let in_front = rules.iter().filter(|rule| {
        rule.priority < priority
            && rule.protocol != OUR_PROTOCOL
            && matches!(rule.action, Action::Lookup(_) | Action::Other)
            && !rule.same(&at_0)
            && !rule.same(&moved)
    });
    let mut in_front: Vec<String> = in_front.map(|rule| rule.priority.to_string()).collect();
    in_front.dedup();
    if !in_front.is_empty() {
        plan.warnings.push(format!(
            "{family} rules of other programs at priority {} now come before local ({priority}); `vrf-rules jump` keeps local first",
            in_front.join(", ")
        ));
    }
}

/// Both rules have priority 0, where a new rule lands behind the existing ones: the jump is added behind `local`, then
/// a second `local` behind the jump, then the first `local` is deleted.
///
/// The two `local` rules look the same, so each is deleted only if both exist. The deletion of the first one is not
/// rolled back: the second one has the same effect. (If no `local` is at 0, only one is added.)
fn jump_local(plan: &mut Plan, rules: &[Rule], family: Family, target: u32) {
    let local = kernel_local(family);
    let jump = jump(family, target);
    ensure(plan, rules, &jump);
    if moved_by_others(rules, family) {
        return;
    }
    let jump_at = rules.iter().position(|rule| rule.same(&jump)).unwrap_or(rules.len());
    let locals = |range: &[Rule]| all(range, &local).cloned().collect::<Vec<_>>();
    let (mut surplus, mut behind) = (locals(&rules[..jump_at]), locals(&rules[jump_at..]));
    if !behind.is_empty() {
        surplus.extend(behind.drain(1..).filter(|rule| !is_of_others(rule)));
    } else if surplus.is_empty() {
        plan.add_rule(local.clone());
        plan.push(Op::RuleExpect(local.clone()), None);
    } else {
        let undo = Op::RuleDelDuplicate(local.clone());
        plan.push(Op::RuleAdd { rule: local.clone(), again: true }, Some(undo));
        plan.push(Op::RuleExpect(jump), None);
    }
    // The kernel deletes the first rule that matches, so the rules before the jump are deleted first.
    for rule in surplus {
        if rule == local {
            plan.push(Op::RuleDelDuplicate(rule), None);
        } else {
            plan.delete_rules([&rule]);
        }
    }
}

/// The rules for `local` that we added at other priorities.
fn moved_by_us(rules: &[Rule]) -> impl Iterator<Item = &Rule> {
    rules.iter().filter(|rule| is_ours(rule) && rule.action == Action::Lookup(TableId::LOCAL))
}

/// Adds the kernel's rule for `local`, if we moved it. Ours is deleted after that.
fn bring_local_back(plan: &mut Plan, rules: &[Rule], family: Family) {
    if moved_by_us(rules).next().is_none() {
        return;
    }
    let local = kernel_local(family);
    if all(rules, &local).next().is_none() {
        plan.add_rule(local.clone());
    }
    plan.push(Op::RuleExpect(local), None);
}

/// Deletes our rules, and restores the kernel's own.
pub fn restore(state: &State) -> Plan {
    let mut plan = Plan::default();
    for (&family, rules) in state.rules.iter() {
        let ours = || rules.iter().filter(|rule| is_ours(rule));
        bring_local_back(&mut plan, rules, family);
        plan.delete_rules(moved_by_us(rules));
        if ours().any(|rule| rule.action == Action::LookupL3mdev) {
            ensure(&mut plan, rules, &kernel_l3mdev(family));
        }
        // A run was killed before it had deleted the first of the two rules for `local`.
        if ours().any(|rule| matches!(rule.action, Action::GotoL3mdev(_))) {
            let local = kernel_local(family);
            for surplus in rules.iter().filter(|rule| **rule == local).skip(1) {
                plan.push(Op::RuleDelDuplicate(surplus.clone()), None);
            }
        }
        // The jump is deleted before its target, `unreachable` last.
        let rank = |action| match action {
            Action::GotoL3mdev(_) => Some(0),
            Action::LookupL3mdev => Some(1),
            Action::UnreachableL3mdev => Some(2),
            _ => None,
        };
        let mut rest: Vec<_> = ours().filter_map(|rule| Some((rank(rule.action)?, rule))).collect();
        rest.sort_by_key(|(rank, _)| *rank);
        plan.delete_rules(rest.into_iter().map(|(_, rule)| rule));
        shadowed::leave_out(&mut plan, rules);
    }
    plan
}

/// Whether a rule sends packets to this table.
pub fn looks_up(state: &State, table: TableId) -> bool {
    state.rules.values().flatten().any(|rule| rule.action == Action::Lookup(table))
}

//! Rules of other programs that the kernel would delete instead of ours.
//!
//! A request to delete a rule names its priority, its action and its protocol. The kernel does not compare attributes
//! that the request does not name (net/core/fib_rules.c `rule_exists`, `fib_nl_delrule`): it deletes the first rule
//! that matches, even if that rule is only for some packets.

use crate::plan::op::Op;
use crate::plan::{Plan, Step};
use crate::state::Rule;

/// Another program's rule that the kernel deletes in place of this one.
fn instead<'a>(rule: &Rule, rules: &'a [Rule]) -> Option<&'a Rule> {
    let fits = |found: &&Rule| Rule { selective: rule.selective, ..(*found).clone() } == *rule;
    rules.iter().find(fits).filter(|found| found.selective && !rule.selective)
}

fn deletes<'a>(step: &Step, rules: &'a [Rule]) -> Option<&'a Rule> {
    match &step.act.op {
        Op::RuleDel(rule) | Op::RuleDelDuplicate(rule) => instead(rule, rules),
        _ => None,
    }
}

fn told(rule: &Rule) -> String {
    format!(
        "the kernel would delete another program's {} rule `{rule}`, which has a selector, in place of the one without; give it another priority",
        rule.family
    )
}

/// Fails if a plan would delete another program's rule.
///
/// # Errors
/// The rule, and what to do about it.
pub(super) fn refuse(plan: Plan, rules: &[Rule]) -> Result<Plan, String> {
    match plan.steps.iter().find_map(|step| deletes(step, rules)) {
        Some(rule) => Err(told(rule)),
        None => Ok(plan),
    }
}

/// Removes from a plan the steps that would delete another program's rule, and adds a warning.
pub(super) fn leave_out(plan: &mut Plan, rules: &[Rule]) {
    let mut left: Vec<String> = plan
        .steps
        .iter()
        .filter_map(|step| deletes(step, rules))
        .map(|rule| told(rule) + "; not deleted")
        .collect();
    left.dedup();
    plan.steps.retain(|step| deletes(step, rules).is_none());
    plan.warnings.append(&mut left);
}

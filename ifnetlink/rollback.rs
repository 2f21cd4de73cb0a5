//! The state before a transaction, to which a failed one returns, and one that nobody confirms.
//!
//! The undo of single steps is not enough: the kernel changes more than a step says. A link that goes down loses its
//! IPv6 addresses and routes, also those of other programs.

use ifupdown_ng_netlink::kernel::live::Live;
use ifupdown_ng_netlink::kernel::netlink::saved::affected;
use ifupdown_ng_netlink::kernel::run_dir::RunDir;
use ifupdown_ng_netlink::kernel::{Kernel as _, Refusal};
use ifupdown_ng_netlink::plan::Plan;
use ifupdown_ng_netlink::plan::op::{Act, BridgeOp, Op};
use ifupdown_ng_netlink::state::{
    Kept, Links, Netns, Noun, OUR_PROTOCOL, Place, Query, Record, Rule, Saved, Snapshot, Sysctl,
};
use ifupdown_ng_netlink::values::{IfName, NetnsRef};
use std::collections::{BTreeMap, BTreeSet};

/// The state before a transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Before {
    /// What the kernel had.
    pub saved: Saved,
    /// Our records of this namespace, by name.
    pub records: Vec<(String, String)>,
    /// What the changes of each stanza touch.
    pub parts: BTreeMap<IfName, Part>,
}

/// What the changes of a stanza touch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part {
    /// The links, each once. A list, because most stanzas have two.
    pub links: Vec<(Place, IfName)>,
    /// The sysctls.
    pub sysctls: BTreeSet<Sysctl>,
    /// The records.
    pub records: BTreeSet<Record>,
    /// It changes routing rules.
    pub has_rules: bool,
    /// The rules that it adds in the name of the kernel, and that did not exist.
    pub kernel_rules: Vec<Rule>,
    /// The namespaces that it makes.
    pub netns: BTreeSet<String>,
}

impl Part {
    /// Adds what a change touches.
    fn add(&mut self, act: &Act, kept: &mut BTreeMap<Place, Kept>) {
        for link in act.links() {
            kept.entry(link.0.clone()).or_default();
            if !self.links.contains(&link) {
                self.links.push(link);
            }
        }
        let kept = kept.entry(act.at.clone()).or_default();
        kept.rules |= act.op.is_of_rule();
        self.has_rules |= act.op.is_of_rule();
        match &act.op {
            Op::SysctlSet { key, .. } => {
                self.sysctls.insert(key.clone());
                kept.sysctls.insert(key.clone());
            }
            Op::RecordSet { key, .. } | Op::RecordDel(key) => {
                self.records.insert(key.clone());
                kept.records.insert(key.clone());
            }
            Op::Bridge(BridgeOp::Allow { port, .. }) => drop(kept.allowed.insert(port.clone())),
            _ => {}
        }
    }
}

impl Before {
    /// Reads what the plans of some stanzas change. `found` is what was read under the same lock.
    ///
    /// # Errors
    /// The kernel or our records cannot be read.
    pub fn read(steps: &[(IfName, Plan)], found: &Snapshot, kernel: &mut Live) -> Result<Self, Refusal> {
        let mut kept: BTreeMap<Place, Kept> = BTreeMap::from([(Place::Here, Kept::default())]);
        let mut parts: BTreeMap<IfName, Part> = BTreeMap::new();
        for (iface, plan) in steps.iter().filter(|(_, plan)| !plan.is_empty()) {
            let part = parts.entry(iface.clone()).or_default();
            for step in &plan.steps {
                std::iter::once(&step.act).chain(&step.undo).for_each(|act| part.add(act, &mut kept));
                match &step.act.op {
                    Op::NetnsAdd(name) => drop(part.netns.insert(name.clone())),
                    Op::RuleAdd { rule, .. } if rule.protocol != OUR_PROTOCOL => {
                        part.kernel_rules.push(rule.clone());
                    }
                    _ => {}
                }
            }
        }
        if parts.values().any(|part| !part.kernel_rules.is_empty()) {
            let mut query = Query::default();
            query.here().rules = true;
            let rules = kernel.read(&query)?.here().rules.clone();
            let has = |rule: &Rule| rules.values().flatten().any(|known| known == rule);
            for part in parts.values_mut() {
                part.kernel_rules.retain(|rule| !has(rule));
            }
        }
        let saved = if parts.is_empty() { Saved::default() } else { kernel.save(&kept, found)? };
        Ok(Self { saved, records: RunDir::list("")?, parts })
    }

    /// Returns to that state. The changes of some stanzas stay, since other programs have changed these interfaces since;
    /// then `after` are the records after the transaction. What could not be restored, a line each.
    pub fn restore(
        &self,
        without: &BTreeSet<IfName>,
        after: Option<&[(String, String)]>,
        kernel: &mut Live,
    ) -> Vec<String> {
        let (left_out, parts): (Vec<_>, Vec<_>) =
            self.parts.iter().partition(|(iface, _)| without.contains(*iface));
        let parts: Vec<&Part> = parts.into_iter().map(|(_, part)| part).collect();
        let mut saved = self.saved.clone();
        let is_left_out = |touches: &dyn Fn(&Part) -> bool| {
            left_out.iter().any(|(_, part)| touches(part)) && !parts.iter().any(|part| touches(part))
        };
        // The rules are one for all VRFs.
        let has_rules =
            parts.iter().any(|part| part.has_rules) && !left_out.iter().any(|(_, part)| part.has_rules);
        for of in saved.places.values_mut() {
            of.sysctls.retain(|key, _| !is_left_out(&|part| part.sysctls.contains(key)));
            of.records.retain(|key, _| !is_left_out(&|part| part.records.contains(key)));
            of.allowed
                .retain(|port, _| !is_left_out(&|part| part.links.iter().any(|(_, name)| name == port)));
            if !has_rules {
                of.messages.remove(&Noun::Rule);
            }
        }
        let mut links = Links::new();
        for (place, name) in parts.iter().flat_map(|part| &part.links) {
            links.entry(place.clone()).or_default().insert(name.clone());
        }
        let failures = kernel.restore(&saved, &affected(&saved, &links));
        let mut left: Vec<String> = failures.iter().map(ToString::to_string).collect();
        if failures.is_empty() {
            left.extend(remove_made(&parts, has_rules, kernel));
        }
        let records = RunDir::open().and_then(|directory| directory.restore(&self.records, after));
        left.extend(records.err().map(|refusal| refusal.to_string()));
        left
    }
}

/// Removes what the restoration leaves since it may be that of another program: rules in the name of the kernel, and
/// namespaces. All else is restored by then.
fn remove_made(parts: &[&Part], with_rules: bool, kernel: &mut Live) -> Vec<String> {
    let rules = parts.iter().flat_map(|part| &part.kernel_rules).filter(|_| with_rules);
    let mut ops: Vec<Op> = rules.map(|rule| Op::RuleDel(rule.clone())).collect();
    let names: BTreeSet<&String> = parts.iter().flat_map(|part| &part.netns).collect();
    let mut query = Query::default();
    let references = names.into_iter().map(|name| NetnsRef::Name(name.clone()));
    query.netns.extend(references.map(|netns| (netns, false)));
    match kernel.read(&query) {
        Ok(found) => {
            let is_ours = |is: &Netns| matches!(is, Netns::Is(existing) if existing.ours);
            let ours = query.netns.keys().filter(|netns| found.netns_at(netns).is_some_and(is_ours));
            ops.extend(ours.map(|netns| Op::NetnsDel(netns.to_string())));
        }
        Err(refusal) => return vec![refusal.to_string()],
    }
    let outcomes = ops.into_iter().map(Act::here).map(|act| (kernel.apply(&act), act));
    let failed = outcomes.filter_map(|(outcome, act)| Some((outcome.err()?, act)));
    failed
        .filter(|(refusal, _)| !refusal.is_gone())
        .map(|(refusal, act)| format!("{act}: {refusal}"))
        .collect()
}

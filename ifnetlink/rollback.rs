//! The state before a transaction, to which a failed one returns.
//!
//! The undo of single steps is not enough: the kernel changes more than a step says. A link that goes down loses its
//! IPv6 addresses and routes, also those of other programs.

use ifupdown_ng_netlink::kernel::live::Live;
use ifupdown_ng_netlink::kernel::netlink::saved::affected;
use ifupdown_ng_netlink::kernel::run_dir::RunDir;
use ifupdown_ng_netlink::kernel::{Kernel as _, Refusal};
use ifupdown_ng_netlink::plan::Plan;
use ifupdown_ng_netlink::plan::op::{Act, Op};
use ifupdown_ng_netlink::state::{Kept, Links, Place, Saved};
use std::collections::BTreeMap;

/// The state before a transaction.
pub struct Before {
    saved: Saved,
    /// The links that the transaction changes, and those that the kernel changes with them.
    links: Links,
    /// Our records of this namespace, by name.
    records: Vec<(String, String)>,
    /// The undo of the changes of rules, last first.
    rules: Vec<Act>,
}

impl Before {
    /// Reads what a plan changes.
    ///
    /// # Errors
    /// The kernel or our records cannot be read.
    pub fn read(plan: &Plan, kernel: &mut Live) -> Result<Self, Refusal> {
        let mut kept: BTreeMap<Place, Kept> = BTreeMap::from([(Place::Here, Kept::default())]);
        let mut links = Links::new();
        for step in &plan.steps {
            for act in std::iter::once(&step.act).chain(&step.undo) {
                for (place, name) in act.links() {
                    kept.entry(place.clone()).or_default();
                    links.entry(place).or_default().insert(name);
                }
                keep(act, kept.entry(act.at.clone()).or_default());
            }
        }
        let saved = kernel.save(&kept)?;
        let of_rules = plan.steps.iter().rev().filter(|step| step.act.op.is_of_rule());
        let rules = of_rules.flat_map(|step| step.undo.clone()).collect();
        Ok(Self { links: affected(&saved, &links), saved, records: RunDir::list("")?, rules })
    }

    /// Returns to that state. What could not be restored, a line each.
    pub fn restore(&self, kernel: &mut Live) -> Vec<String> {
        // What is restored next leaves rules of others, such as the kernel's own for `local`. It also reports what is
        // wrong here.
        for act in &self.rules {
            let _ = kernel.apply(act);
        }
        let failures = kernel.restore(&self.saved, &self.links);
        let mut lines: Vec<String> = failures.iter().map(ToString::to_string).collect();
        let records = RunDir::open().and_then(|directory| directory.restore(&self.records));
        lines.extend(records.err().map(|refusal| refusal.to_string()));
        lines
    }
}

/// Adds the sysctls and records that a change touches.
fn keep(act: &Act, kept: &mut Kept) {
    match &act.op {
        Op::SysctlSet { key, .. } => drop(kept.sysctls.insert(key.clone())),
        Op::RecordSet { key, .. } | Op::RecordDel(key) => drop(kept.records.insert(key.clone())),
        _ => {}
    }
}

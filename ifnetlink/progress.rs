//! The progress of changes: which interface is done, and how long that took.

use crate::report::Report;
use ifupdown_ng_netlink::plan::Step;
use ifupdown_ng_netlink::state::Shared;
use ifupdown_ng_netlink::values::IfName;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The progress of the steps of a plan.
pub struct Progress<'a> {
    /// The interface of each step, unless the step is only a note.
    steps: Vec<Option<&'a IfName>>,
    /// How many steps are made.
    made: usize,
    of: BTreeMap<&'a IfName, Spent>,
    since: Instant,
}

/// What was done for one interface.
#[derive(Default)]
struct Spent {
    changes: usize,
    time: Duration,
    /// How many changes are left.
    left: usize,
}

impl<'a> Progress<'a> {
    /// Before the first of these steps, which are of these interfaces.
    pub fn of(steps: &[Shared<Step>], ifaces: &[&'a IfName]) -> Self {
        let of_each = steps.iter().zip(ifaces);
        let steps: Vec<_> =
            of_each.map(|(step, iface)| (!step.act.op.is_a_note()).then_some(*iface)).collect();
        let mut of = BTreeMap::<_, Spent>::new();
        for iface in steps.iter().flatten() {
            let spent = of.entry(*iface).or_default();
            spent.changes += 1;
            spent.left += 1;
        }
        Self { steps, made: 0, of, since: Instant::now() }
    }

    /// This many steps are made. Prints a line for each interface of which that was the last one.
    pub fn reach(&mut self, made: usize, report: &Report) {
        let reached = self.steps.get(self.made..made).unwrap_or_default();
        let Ok(number) = u32::try_from(reached.len()) else { return };
        if number == 0 {
            return;
        }
        // Links that are deleted together share the time.
        let each = self.since.elapsed() / number;
        for iface in reached.iter().flatten() {
            let Some(spent) = self.of.get_mut(iface) else { continue };
            spent.time += each;
            spent.left -= 1;
            if spent.left == 0 {
                let changes = if spent.changes == 1 { "change" } else { "changes" };
                report.took(iface, &format!("{} {changes}", spent.changes), spent.time);
            }
        }
        (self.made, self.since) = (made, Instant::now());
    }
}

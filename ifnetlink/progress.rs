//! The progress of changes: which interface is done, and how long that took.

use crate::pending::Changes;
use crate::report::Report;
use ifupdown_ng_netlink::values::IfName;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The progress of the steps of a plan.
pub struct Progress<'a> {
    /// The interfaces, in the order of their steps, each with the number of steps of the plan up to its last one there.
    /// An interface may come several times.
    ends: Vec<(&'a IfName, usize)>,
    /// How many of these are done.
    done: usize,
    of: BTreeMap<&'a IfName, Spent>,
    since: Instant,
}

/// What was done for one interface.
#[derive(Default)]
struct Spent {
    changes: usize,
    time: Duration,
    /// How many entries of `ends` are left.
    left: usize,
}

impl<'a> Progress<'a> {
    /// Before the first step.
    pub fn of(changes: &Changes<'a>) -> Self {
        let (mut ends, mut of, mut end) = (Vec::new(), BTreeMap::<_, Spent>::new(), 0);
        for (iface, plan) in &changes.steps {
            end += plan.steps.len();
            let count = plan.steps.iter().filter(|step| !step.act.op.is_a_note()).count();
            if count > 0 {
                ends.push((*iface, end));
                let spent = of.entry(*iface).or_default();
                spent.changes += count;
                spent.left += 1;
            }
        }
        Self { ends, done: 0, of, since: Instant::now() }
    }

    /// This many steps are made. Prints a line for each interface of which that was the last one.
    pub fn reach(&mut self, steps: usize, report: &Report) {
        while let Some((iface, _)) = self.ends.get(self.done).filter(|(_, end)| *end <= steps) {
            self.done += 1;
            let Some(spent) = self.of.get_mut(iface) else { continue };
            spent.time += self.since.elapsed();
            spent.left -= 1;
            self.since = Instant::now();
            if spent.left == 0 {
                let changes = if spent.changes == 1 { "change" } else { "changes" };
                report.took(iface, &format!("{} {changes}", spent.changes), spent.time);
            }
        }
    }
}

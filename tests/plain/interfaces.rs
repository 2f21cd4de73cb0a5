//! ifup and ifdown of one stanza on a kernel of the tests, as [`ifupdown_ng_netlink::program::run`] does them.

use super::asked::asked_for;
use super::faulty::{Faulty, Kill};
use ifupdown_ng_netlink::kernel::apply;
use ifupdown_ng_netlink::plan::{At, Plan};
use ifupdown_ng_netlink::program::executor::{Configuration, Program};
use ifupdown_ng_netlink::stanza::{Phase, Stanza};
use ifupdown_ng_netlink::state::{Query, Snapshot};
use ifupdown_ng_netlink::values::IfName;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// A stanza without errors, and the program that reads it.
pub struct Interface {
    /// The interface.
    pub name: IfName,
    /// The keywords.
    pub configuration: Configuration,
    /// The stanza as text, for the messages of tests.
    pub text: String,
}

/// The result of a phase.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// Everything was done.
    Done,
    /// Nothing was begun: there is a conflict.
    Conflict(Vec<String>),
    /// The kernel refused a change.
    Failed(Vec<String>),
}

impl Interface {
    /// The stanza with these keywords; `None` if it has an error.
    pub fn new<V: AsRef<str>>(program: &Program, name: &str, keywords: &[(&str, V)]) -> Option<Self> {
        let pairs = || keywords.iter().map(|(keyword, value)| (*keyword, value.as_ref()));
        let (configuration, problems) = program.configure(&Stanza::new(pairs()));
        let lines = pairs().map(|(keyword, value)| format!("    {keyword} {value}\n"));
        let text = format!("iface {name}  # read by {}\n{}", program.name, lines.collect::<String>());
        problems.is_empty().then(|| Self { name: name.parse().unwrap(), configuration, text })
    }

    /// One phase.
    pub fn phase(&self, phase: Phase, kernel: &mut Faulty) -> End {
        let at = At { iface: &self.name, phase, alone: false };
        let text = |lines: Vec<_>| lines.iter().map(ToString::to_string).collect();
        match self.configuration.plan(at, &self.look(at, kernel)) {
            Err((_, problems)) if !phase.is_down() => {
                End::Conflict(problems.iter().map(ToString::to_string).collect())
            }
            Ok(plan) if !phase.is_down() => match apply::up(&plan, kernel) {
                Ok(refused) if refused.is_empty() => End::Done,
                Ok(refused) => End::Failed(text(refused)),
                Err(failure) => End::Failed(vec![failure.to_string()]),
            },
            Ok(plan) | Err((plan, _)) => match apply::down(&plan, kernel) {
                Ok(()) => End::Done,
                Err(failures) => End::Failed(text(failures)),
            },
        }
    }

    fn look(&self, at: At<'_>, kernel: &Faulty) -> Snapshot {
        let mut query = Query::default();
        self.configuration.query(at, &mut query);
        asked_for(&query, kernel.snapshot())
    }

    /// ifup: up to the first phase that fails.
    pub fn up(&self, kernel: &mut Faulty) -> End {
        for phase in Phase::UP {
            self.link(phase, kernel);
            let end = self.phase(phase, kernel);
            if end != End::Done {
                return end;
            }
        }
        End::Done
    }

    /// What the executor `link` of ifupdown-ng does in a phase.
    pub fn link(&self, phase: Phase, kernel: &mut Faulty) {
        if let Phase::Up | Phase::Down = phase {
            kernel.others(|state| {
                state.links.get_mut(&self.name).into_iter().for_each(|link| link.up = phase == Phase::Up);
            });
        }
    }

    /// ifdown, which ends with the phase that fails, as ifupdown-ng 0.12 does.
    pub fn down(&self, kernel: &mut Faulty) -> End {
        let ends = Phase::DOWN.into_iter().map(|phase| self.down_phase(phase, kernel));
        ends.into_iter().find(|end| *end != End::Done).unwrap_or(End::Done)
    }

    /// ifdown, which goes on with the next phase, as ifupdown-ng 0.11 does.
    pub fn down_regardless(&self, kernel: &mut Faulty) {
        for phase in Phase::DOWN {
            self.down_phase(phase, kernel);
        }
    }

    fn down_phase(&self, phase: Phase, kernel: &mut Faulty) -> End {
        self.link(phase, kernel);
        self.phase(phase, kernel)
    }

    /// The steps that any of these phases would still make.
    pub fn left_to_do(&self, phases: impl IntoIterator<Item = Phase>, kernel: &Faulty) -> Vec<String> {
        let steps = phases.into_iter().flat_map(|phase| self.plan(phase, kernel).steps);
        steps.map(|step| step.act.to_string()).collect()
    }

    /// The plan of a phase.
    pub fn plan(&self, phase: Phase, kernel: &Faulty) -> Plan {
        let at = At { iface: &self.name, phase, alone: false };
        self.configuration.plan(at, &self.look(at, kernel)).unwrap_or_else(|(plan, _)| plan)
    }
}

/// Whether a run came to its end; false if the fault killed it.
pub fn survives(run: impl FnOnce()) -> bool {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(()) => true,
        Err(reason) if reason.is::<Kill>() => false,
        Err(reason) => resume_unwind(reason),
    }
}

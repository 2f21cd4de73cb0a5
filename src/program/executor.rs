//! Executors, and the programs composed of them.
//!
//! An executor is a short file: it lists its keywords and reads them. [`crate::plan`] plans the changes, and
//! [`crate::program::run`] runs the program.

use crate::model::Simulated;
use crate::plan::{At, Plan, Planned, Planner};
use crate::stanza::{Phase, Problem, Stanza};
use crate::state::{Query, Snapshot};
use crate::values::IfName;

/// A keyword that an executor reads, for `--help`, the man pages and the tests that compare them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keyword {
    /// Its name.
    pub name: &'static str,
    /// The syntax of its value.
    pub syntax: &'static str,
    /// What it does, in one line.
    pub help: &'static str,
}

/// Some keywords of a stanza, and the function that reads them.
#[derive(Clone, Copy)]
pub struct Executor {
    /// The keywords.
    pub keywords: &'static [Keyword],
    /// Reads the keywords; wrong values are recorded in the stanza. `None` if there is nothing to do.
    pub parse: fn(&Stanza) -> Option<Box<dyn Planner>>,
    /// The interfaces that must be up before this one, which is given if its name is known. Must not record problems.
    pub depends: fn(Option<&str>, &Stanza) -> Vec<IfName>,
    /// There may be something to do although the stanza has none of the keywords.
    pub always: bool,
    /// The phase of ifup after which the interface is isolated, if the keywords isolate it. If this ifup sets the
    /// interface up and it is not isolated then, `guard.rs` sets it down again. The values may be wrong.
    pub isolates: fn(&Stanza) -> Option<Phase>,
}

impl Executor {
    /// An executor that needs no other interface, and isolates nothing.
    pub const fn new(keywords: &'static [Keyword], parse: fn(&Stanza) -> Option<Box<dyn Planner>>) -> Self {
        Self { keywords, parse, depends: |_, _| Vec::new(), always: false, isolates: |_| None }
    }
}

/// The planner that was read, in the type that [`Executor::parse`] returns.
pub fn boxed<P: Planner + 'static>(planner: Option<P>) -> Option<Box<dyn Planner>> {
    planner.map(|planner| Box::new(planner) as Box<dyn Planner>)
}

/// A program: one or several executors in one process.
#[derive(Clone, Copy)]
pub struct Program {
    /// The name it is installed under.
    pub name: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
    /// Its components, in the order of ifup; ifdown runs them in reverse.
    pub parts: &'static [Executor],
    /// Command lines for the end of `--help`. None of them changes anything, and each is a stanza without a problem.
    pub examples: [&'static str; 2],
}

impl Program {
    /// All keywords.
    pub fn keywords(&self) -> impl Iterator<Item = &'static Keyword> + use<> {
        self.parts.iter().flat_map(|part| part.keywords)
    }

    /// Whether there may be something to do although the stanza has none of the keywords.
    pub fn is_for_every_stanza(&self) -> bool {
        self.parts.iter().any(|part| part.always)
    }

    /// The phase after which an interface with this stanza is isolated, if the stanza isolates it. The values may be
    /// wrong.
    pub fn isolates(&self, stanza: &Stanza) -> Option<Phase> {
        self.parts.iter().filter_map(|part| (part.isolates)(stanza)).max()
    }

    /// The interfaces that must be up before this one, shorter names first: ifupdown-ng skips a name that is a part of
    /// an earlier one in the list (lifecycle.c).
    pub fn depends(&self, iface: Option<&str>, stanza: &Stanza) -> Vec<IfName> {
        let mut names: Vec<IfName> =
            self.parts.iter().flat_map(|part| (part.depends)(iface, stanza)).collect();
        names.retain(|name| Some(name.as_str()) != iface);
        names.sort_by(|a, b| (a.as_str().len(), a).cmp(&(b.as_str().len(), b)));
        names.dedup();
        names
    }

    /// Reads a stanza. Returns the problems of all components.
    pub fn configure(&self, stanza: &Stanza) -> (Configuration, Vec<Problem>) {
        configure(&[self], stanza)
    }
}

/// Reads a stanza as several programs read it one after the other. Returns the problems of all of them.
pub fn configure(programs: &[&Program], stanza: &Stanza) -> (Configuration, Vec<Problem>) {
    let (mut parts, mut problems) = (Vec::new(), stanza.take_problems());
    for part in programs.iter().flat_map(|program| program.parts) {
        let read = (part.parse)(stanza);
        let mut wrong = stanza.take_problems();
        if let Some(planner) = read {
            parts.push(ReadPart { planner, sound: wrong.is_empty(), isolates: (part.isolates)(stanza) });
        }
        problems.append(&mut wrong);
    }
    (Configuration { parts }, each_once(problems))
}

/// Programs that read the same keyword, or need the same interface, find the same problem.
fn each_once(problems: Vec<Problem>) -> Vec<Problem> {
    let mut told: Vec<Problem> = Vec::new();
    for problem in problems {
        if !told.contains(&problem) {
            told.push(problem);
        }
    }
    told
}

/// A stanza as a program read it.
#[derive(Default)]
pub struct Configuration {
    parts: Vec<ReadPart>,
}

/// A stanza as one executor read it.
struct ReadPart {
    planner: Box<dyn Planner>,
    /// It was read without a problem.
    sound: bool,
    isolates: Option<Phase>,
}

impl Configuration {
    fn planners(&self) -> impl Iterator<Item = &dyn Planner> {
        self.parts.iter().map(|part| part.planner.as_ref())
    }

    fn isolating(&self) -> impl Iterator<Item = (Phase, &dyn Planner)> {
        self.parts.iter().filter_map(|part| Some((part.isolates?, part.planner.as_ref())))
    }

    /// Whether there is nothing to do in any phase.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Whether there may be something to do in this phase.
    pub fn acts(&self, phase: Phase) -> bool {
        self.planners().any(|part| part.acts(phase))
    }

    /// The same without the components that were read with problems.
    #[must_use]
    pub fn without_problems(self) -> Self {
        Self { parts: self.parts.into_iter().filter(|part| part.sound).collect() }
    }

    /// What to read from the kernel.
    pub fn query(&self, at: At<'_>, query: &mut Query) {
        self.planners().filter(|part| part.acts(at.phase)).for_each(|part| part.query(at, query));
    }

    /// The plan for one phase. Each component plans for the state after the components before it.
    ///
    /// # Errors
    /// The conflicts. In a phase of ifdown, the components without conflicts are planned all the same, and their plan
    /// comes with the error.
    pub fn plan(&self, at: At<'_>, found: &Snapshot) -> Planned {
        // Made only for the components after the first: the snapshot may be large.
        let mut simulated: Option<Simulated> = None;
        let (mut whole, mut problems) = (Plan::default(), Vec::new());
        let mut acting: Vec<_> = self.planners().filter(|part| part.acts(at.phase)).collect();
        if at.phase.is_down() {
            acting.reverse();
        }
        for (place, part) in acting.iter().enumerate() {
            match part.plan(at, simulated.as_ref().map_or(found, |simulated| &simulated.0)) {
                Ok(plan) => {
                    if place + 1 < acting.len() && !plan.is_empty() {
                        simulated.get_or_insert_with(|| Simulated(found.clone())).assume_all(&plan);
                    }
                    whole.append(plan);
                }
                Err(mut conflicts) => problems.append(&mut conflicts),
            }
        }
        if problems.is_empty() { Ok(whole) } else { Err((whole, each_once(problems))) }
    }

    /// What to do after a phase of ifup failed.
    pub fn give_up(&self, at: At<'_>, found: &Snapshot) -> Plan {
        let mut whole = Plan::default();
        self.planners()
            .filter(|part| part.acts(at.phase))
            .for_each(|part| whole.append(part.give_up(at, found)));
        whole
    }

    /// What to read before [`Self::plan_isolated`].
    pub fn query_isolated(&self, iface: &IfName, query: &mut Query) {
        for (phase, part) in self.isolating() {
            part.query(At { iface, phase, alone: true }, query);
        }
    }

    /// What isolates the interface as the stanza says; nothing if it is isolated.
    ///
    /// # Errors
    /// The conflicts.
    pub fn plan_isolated(&self, iface: &IfName, found: &Snapshot) -> Result<Plan, Vec<Problem>> {
        let mut whole = Plan::default();
        for (phase, part) in self.isolating() {
            whole.append(part.plan(At { iface, phase, alone: true }, found)?);
        }
        Ok(whole)
    }

    /// What to read before [`Self::plan_up`].
    pub fn query_up(&self, iface: &IfName, query: &mut Query) {
        let acting = Phase::UP.into_iter().filter(|phase| self.acts(*phase));
        acting.for_each(|phase| self.query(At { iface, phase, alone: true }, query));
    }

    /// The plan for all phases of ifup together: what still differs from the stanza on an interface that is up.
    ///
    /// # Errors
    /// The conflicts, with the plan of the phases before.
    pub fn plan_up(&self, iface: &IfName, found: &Snapshot) -> Planned {
        let (mut simulated, mut whole) = (Simulated(found.clone()), Plan::default());
        for phase in Phase::UP.into_iter().filter(|phase| self.acts(*phase)) {
            match self.plan(At { iface, phase, alone: true }, &simulated.0) {
                Ok(plan) => {
                    simulated.assume_all(&plan);
                    whole.append(plan);
                }
                Err((_, problems)) => return Err((whole, problems)),
            }
        }
        Ok(whole)
    }

    /// The smallest simulated state in which the stanza can go up, changed by the phases before this one.
    pub fn simulated(&self, iface: &IfName, phase: Phase) -> Snapshot {
        let mut simulated = Simulated(Snapshot::default());
        self.planners().for_each(|part| part.assume(iface, &mut simulated.0));
        for phase in Phase::UP.into_iter().chain(Phase::DOWN).take_while(|before| *before != phase) {
            if let Ok(plan) = self.plan(At { iface, phase, alone: false }, &simulated.0) {
                simulated.assume_all(&plan);
            }
        }
        simulated.0
    }
}

//! A kernel that fails on demand, and remembers every state that it went through.

use ifupdown_ng_netlink::{
    apply::{Kernel, Refusal},
    op::Act,
    simulate::Simulated,
    snapshot::{Query, Snapshot, State},
};
use nix::errno::Errno;
use std::panic::resume_unwind;

/// What happens to one change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The kernel refuses it.
    Refused(Errno),
    /// It is made, and the answer does not arrive.
    LostButMade,
    /// It never arrives at the kernel, and so there is no answer.
    LostOnTheWay,
    /// The process is killed before it.
    Killed,
}

/// What a killed run unwinds with; [`super::interfaces`] catches it.
#[derive(Debug)]
pub struct Kill;

/// [`Simulated`], which fails at one change, and if wished at each one after it.
pub struct Faulty {
    kernel: Simulated,
    /// What happens to the changes with these numbers, counted from 0.
    fault: Option<(usize, Fault)>,
    /// All changes after the first that fails are refused as well: nothing can be taken back.
    for_good: bool,
    /// How many changes were asked for.
    pub count: usize,
    /// The state after each of them, and what was asked for.
    pub history: Vec<(String, State)>,
}

impl Faulty {
    /// A kernel without faults in this state.
    pub fn new(state: Snapshot) -> Self {
        Self { kernel: Simulated(state), fault: None, for_good: false, count: 0, history: Vec::new() }
    }

    /// The same, with a fault at this change.
    pub fn with(state: Snapshot, at: usize, fault: Fault, for_good: bool) -> Self {
        Self { fault: Some((at, fault)), for_good, ..Self::new(state) }
    }

    /// All there is.
    pub fn snapshot(&self) -> &Snapshot {
        &self.kernel.0
    }

    /// What others do to the kernel in the meantime.
    pub fn others(&mut self, change: impl FnOnce(&mut State)) {
        change(self.kernel.0.here_mut());
    }
}

impl Kernel for Faulty {
    fn read(&mut self, query: &Query) -> Result<Snapshot, Refusal> {
        self.kernel.read(query)
    }

    fn apply(&mut self, act: &Act) -> Result<(), Refusal> {
        let number = self.count;
        self.count += 1;
        let lost = || Refusal { answer_lost: true, ..Refusal::text("no answer") };
        let answer = match self.fault {
            Some((at, Fault::Killed)) if at == number => resume_unwind(Box::new(Kill)),
            Some((at, Fault::Refused(errno))) if at == number => Err(Refusal::errno(errno)),
            Some((at, Fault::LostOnTheWay)) if at == number => Err(lost()),
            Some((at, Fault::LostButMade)) if at == number => {
                self.kernel.apply(act).and_then(|()| Err(lost()))
            }
            Some((at, _)) if at < number && self.for_good => Err(Refusal::errno(Errno::EPERM)),
            _ => self.kernel.apply(act),
        };
        self.history.push((act.to_string(), self.kernel.0.here().clone()));
        answer
    }
}

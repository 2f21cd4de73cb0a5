//! A kernel that fails on demand, and remembers every state that it went through.

use ifupdown_ng_netlink::{
    kernel::{Kernel, Refusal},
    model::Simulated,
    plan::op::{Act, BridgeOp, Move, NewLink, NewVeth, Op},
    state::{LinkKind, Query, Snapshot, State},
    values::IfName,
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
    /// The process is killed after it.
    KilledAfter,
    /// Another process does something just before it, which is then tried all the same.
    Rival(Rival),
}

/// What another process does between our look at the kernel and our change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rival {
    /// The same.
    Same,
    /// It takes the name of what is to be made, for something else.
    TakesName,
    /// It deletes the link that is to be changed.
    DeletesLink,
}

impl Rival {
    /// What it does; `None` if it has nothing to do with this change.
    pub fn act(self, act: &Act) -> Option<Act> {
        let at = act.at.clone();
        let dummy = |name: &IfName| {
            Op::LinkAdd(NewLink { name: name.clone(), kind: LinkKind::Other("dummy".to_owned()) })
        };
        let (at, op) = match (self, &act.op) {
            // Read by nobody but us, who lock each other out; or changes nothing.
            (_, Op::RecordSet { .. } | Op::RecordDel(_) | Op::NetnsLinkSet(_) | Op::NetnsLinkDel(_)) => {
                return None;
            }
            (_, Op::Nested(_) | Op::RuleExpect(_)) => return None,
            (Self::Same, op) => (at, op.clone()),
            (Self::TakesName, Op::LinkAdd(new)) => (at, dummy(&new.name)),
            (Self::TakesName, Op::VethAdd(NewVeth { peer, at, .. })) => (at.clone(), dummy(&peer.name)),
            (Self::TakesName, Op::LinkMove(Move { to, new_name, .. })) => (to.clone(), dummy(new_name)),
            (
                Self::DeletesLink,
                Op::LinkSet { name, .. }
                | Op::LinkMove(Move { name, .. })
                | Op::AddressAdd { dev: name, .. }
                | Op::AddressDel { dev: name, .. }
                | Op::Bridge(
                    BridgeOp::Set { bridge: name, .. }
                    | BridgeOp::PortSet { port: name, .. }
                    | BridgeOp::FdbAdd { port: name, .. }
                    | BridgeOp::FdbDel { port: name, .. },
                ),
            ) => (at, Op::LinkDel { name: name.clone(), kind: LinkKind::Physical }),
            (
                Self::DeletesLink,
                Op::Bridge(BridgeOp::VlanAdd { device, .. } | BridgeOp::VlanDel { device, .. }),
            ) => (at, Op::LinkDel { name: device.name.clone(), kind: LinkKind::Physical }),
            (Self::DeletesLink, Op::RouteAdd(route) | Op::RouteReplace(route)) => {
                (at, Op::LinkDel { name: route.dev.clone()?, kind: LinkKind::Physical })
            }
            _ => return None,
        };
        Some(Act { at, op })
    }
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
    /// What another process did, and whether it could.
    pub rival: Option<(Act, bool)>,
}

impl Faulty {
    /// A kernel without faults in this state.
    pub fn new(state: Snapshot) -> Self {
        Self {
            kernel: Simulated(state),
            fault: None,
            for_good: false,
            count: 0,
            history: Vec::new(),
            rival: None,
        }
    }

    /// The same, with a fault at this change.
    pub fn with(state: Snapshot, at: usize, fault: Fault, for_good: bool) -> Self {
        Self { fault: Some((at, fault)), for_good, ..Self::new(state) }
    }

    /// All there is.
    pub fn snapshot(&self) -> &Snapshot {
        &self.kernel.0
    }

    fn disturb(&mut self, rival: Rival, act: &Act) {
        self.rival = rival.act(act).map(|act| {
            let could = self.kernel.apply(&act).is_ok();
            (act, could)
        });
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
            // No message: it fails with what ifup said, and may have done a part.
            Some((at, Fault::Refused(_))) if at == number && matches!(act.op, Op::Nested(_)) => Err(lost()),
            Some((at, Fault::Refused(errno))) if at == number => {
                // The kernel says so where it is so: somebody else was faster.
                if errno == Errno::ENODEV && act.op.is_removal() {
                    self.rival = Some((act.clone(), self.kernel.apply(act).is_ok()));
                } else if errno == Errno::ENODEV {
                    self.disturb(Rival::DeletesLink, act);
                }
                Err(Refusal::errno(errno))
            }
            Some((at, Fault::LostOnTheWay)) if at == number => Err(lost()),
            Some((at, Fault::LostButMade)) if at == number => {
                self.kernel.apply(act).and_then(|()| Err(lost()))
            }
            Some((at, Fault::KilledAfter)) if at == number => {
                let _ = self.kernel.apply(act);
                resume_unwind(Box::new(Kill))
            }
            Some((at, Fault::Rival(rival))) if at == number => {
                self.disturb(rival, act);
                self.kernel.apply(act)
            }
            Some((at, _)) if at < number && self.for_good => Err(Refusal::errno(Errno::EPERM)),
            _ => self.kernel.apply(act),
        };
        self.history.push((act.to_string(), self.kernel.0.here().clone()));
        answer
    }
}

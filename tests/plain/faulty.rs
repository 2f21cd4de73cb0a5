//! A kernel that fails on demand, and records every state that it goes through.

use ifupdown_ng_netlink::kernel::{Kernel, Refusal, When};
use ifupdown_ng_netlink::model::Simulated;
use ifupdown_ng_netlink::plan::op::{Act, BridgeOp, Move, NewLink, NewVeth, Op};
use ifupdown_ng_netlink::state::{LinkKind, Query, Snapshot, State};
use ifupdown_ng_netlink::values::IfName;
use nix::errno::Errno;
use std::panic::resume_unwind;

/// What happens to one change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The kernel refuses it.
    Refused(Errno),
    /// It is made, and the answer does not arrive.
    LostButMade,
    /// It never arrives at the kernel, so no answer arrives.
    LostOnTheWay,
    /// The process is killed before it.
    Killed,
    /// The process is killed after it.
    KilledAfter,
    /// Another process does something just before the change, which is then still tried.
    Rival(Rival),
}

/// What another process does between our read of the kernel and our change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rival {
    /// The same change.
    Same,
    /// It uses the name of the object to be created, for another object.
    TakesName,
    /// It deletes the link that is to be changed.
    DeletesLink,
}

impl Rival {
    /// Its act; `None` if it has nothing to do with this change.
    pub fn act(self, act: &Act) -> Option<Act> {
        let at = act.at.clone();
        let dummy = |name: &IfName| {
            Op::LinkAdd(NewLink { name: name.clone(), kind: LinkKind::Other("dummy".to_owned()) })
        };
        let (at, op) = match (self, &act.op) {
            // Only our programs read these, and they lock each other out; or the change has no effect.
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

/// The panic value of a killed run; [`super::interfaces`] catches it.
#[derive(Debug)]
pub struct Kill;

/// [`Simulated`], which fails at one change and optionally at each one after it.
pub struct Faulty {
    kernel: Simulated,
    /// What happens to the changes with these numbers, counted from 0.
    fault: Option<(usize, Fault)>,
    /// All changes after the first that fails are refused as well: nothing can be rolled back.
    for_good: bool,
    /// The number of changes so far.
    pub count: usize,
    /// The state after each change, and the change.
    pub history: Vec<(String, State)>,
    /// What another process did, and whether it succeeded.
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

    /// The whole state.
    pub fn snapshot(&self) -> &Snapshot {
        &self.kernel.0
    }

    fn disturb(&mut self, rival: Rival, act: &Act) {
        self.rival = rival.act(act).map(|act| {
            let could = self.kernel.apply(&act).is_ok();
            (act, could)
        });
    }

    /// What other programs change in the kernel meanwhile.
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
            // Not a netlink message: it fails with the output of ifup, and may be partly done.
            Some((at, Fault::Refused(_))) if at == number && matches!(act.op, Op::Nested(_)) => Err(lost()),
            Some((at, Fault::Refused(errno))) if at == number => {
                // The kernel returns this error when it is true: another process was faster.
                if Refusal::errno(errno).means_done(&act.op, When::Up) {
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

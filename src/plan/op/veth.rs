//! Veth pairs (veth(4)).

use crate::state::Place;
use crate::values::{IfName, Mac, Mtu, Queues};
use std::fmt;

/// One end of a new pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// Its name.
    pub name: IfName,
    /// Its hardware address; without one the kernel picks a random address.
    pub mac: Option<Mac>,
    /// Its MTU; without one 1500.
    pub mtu: Option<Mtu>,
}

/// A new pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVeth {
    /// The end in the namespace of the change.
    pub end: End,
    /// The other end.
    pub peer: End,
    /// The namespace in which the other end is created.
    pub at: Place,
    /// The number of queues of both ends.
    pub queues: Option<Queues>,
    /// The bridge or VRF of the end in the namespace of the change.
    pub master: Option<IfName>,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        self.mac.map_or(Ok(()), |mac| write!(f, " address {mac}"))?;
        self.mtu.map_or(Ok(()), |mtu| write!(f, " mtu {mtu}"))
    }
}

impl fmt::Display for NewVeth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let queues = |f: &mut fmt::Formatter<'_>| {
            self.queues.map_or(Ok(()), |Queues(n)| write!(f, " numtxqueues {n} numrxqueues {n}"))
        };
        write!(f, "{}", self.end)?;
        queues(f)?;
        self.master.iter().try_for_each(|master| write!(f, " master {master}"))?;
        write!(f, " type veth peer name {}", self.peer)?;
        queues(f)?;
        if let Place::In(netns) = &self.at {
            write!(f, " netns {netns}")?;
        }
        Ok(())
    }
}

//! Pairs of virtual Ethernet links (veth(4)).

use crate::{
    state::Place,
    values::{IfName, Mac, Mtu, Queues},
};
use std::fmt;

/// One end of a new pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// Its name.
    pub name: IfName,
    /// Its hardware address; the kernel picks one at random if there is none.
    pub mac: Option<Mac>,
    /// Its MTU, 1500 if there is none.
    pub mtu: Option<Mtu>,
}

/// A pair to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVeth {
    /// The end that is where the change is made.
    pub end: End,
    /// The other end.
    pub peer: End,
    /// Where the other end comes to be.
    pub at: Place,
    /// The queues of both.
    pub queues: Option<Queues>,
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
        write!(f, " type veth peer name {}", self.peer)?;
        queues(f)?;
        if let Place::In(netns) = &self.at {
            write!(f, " netns {netns}")?;
        }
        Ok(())
    }
}

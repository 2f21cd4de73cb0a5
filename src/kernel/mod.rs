//! Reads and changes the running kernel.

pub mod applied;
pub mod apply;
pub mod ifstate;
pub mod ifupdown;
pub mod interfaces_file;
pub mod live;
pub mod lock;
pub mod mounts;
pub mod netlink;
pub mod netns;
pub mod rt_tables;
pub mod run_dir;
mod sysctls;
pub mod syslog;
pub mod trust;

use crate::plan::op::{Act, BridgeOp, LinkChange, Op};
use crate::state::{Place, Query, Snapshot};
use crate::values::IfName;
use nix::errno::Errno;
use std::fmt;

/// A kernel that plans are made for and applied to: the running kernel ([`crate::kernel::live`]), or a model of it
/// ([`crate::model`]).
pub trait Kernel {
    /// Reads the state that the query names.
    ///
    /// # Errors
    /// The kernel does not answer. A missing object is not an error.
    fn read(&mut self, query: &Query) -> Result<Snapshot, Refusal>;

    /// Makes one change.
    ///
    /// # Errors
    /// The kernel refuses the change, or its answer is lost.
    fn apply(&mut self, act: &Act) -> Result<(), Refusal>;

    /// Deletes several links at once, which takes about as long as one. If it is false, none is deleted.
    fn delete_links(&mut self, _at: &Place, _names: &[&IfName]) -> bool {
        false
    }
}

/// The reason why the kernel refused a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The error, if it has a number.
    pub errno: Option<Errno>,
    /// The kernel's error text (extended ACK), or our text if the kernel gives none.
    pub text: Option<String>,
    /// No answer came, so that the change may have been made all the same.
    pub answer_lost: bool,
}

impl Refusal {
    /// A refusal with this error number only.
    pub fn errno(errno: Errno) -> Self {
        Self { errno: Some(errno), text: None, answer_lost: false }
    }

    /// A failure without an error number.
    pub fn text(text: impl Into<String>) -> Self {
        Self { errno: None, text: Some(text.into()), answer_lost: false }
    }

    /// An input or output error, with its subject.
    pub fn io(error: &std::io::Error, about: impl fmt::Display) -> Self {
        let errno = error.raw_os_error().map(Errno::from_raw);
        let text = if errno.is_some() { about.to_string() } else { format!("{about}: {error}") };
        Self { errno, text: Some(text), answer_lost: false }
    }

    /// Whether the object in question does not exist.
    pub fn is_gone(&self) -> bool {
        matches!(self.errno, Some(Errno::ENODEV | Errno::ENOENT | Errno::ESRCH | Errno::EADDRNOTAVAIL))
    }

    /// Whether the error means that what a change adds is there, and that it may be the kernel's: a link-local address, which
    /// a state does not have if the kernel added it. It is not rolled back.
    pub fn means_present(&self, op: &Op) -> bool {
        let is_link_local = matches!(op, Op::AddressAdd { address, .. } if address.is_link_local());
        is_link_local && self.errno == Some(Errno::EEXIST)
    }

    /// Whether the error means that the change is done already: what it deletes is gone, or what it adds exists.
    pub fn means_done(&self, op: &Op, when: When) -> bool {
        match op {
            Op::LinkDel { .. }
            | Op::LinkSet { change: LinkChange { master: Some(None), .. }, .. }
            | Op::RuleDel(_)
            | Op::RuleDelDuplicate(_)
            | Op::RouteDel(_)
            | Op::RecordDel(_)
            | Op::AddressDel { .. }
            | Op::NetnsDel(_)
            | Op::NetnsLinkDel(_)
            | Op::Bridge(BridgeOp::VlanDel { .. } | BridgeOp::FdbDel { .. }) => self.is_gone(),
            Op::RuleAdd { again: false, .. }
            | Op::RouteAdd(_)
            | Op::RouteAppend(_)
            | Op::AddressAdd { .. }
            | Op::NetnsAdd(_)
            | Op::VethAdd(_) => self.errno == Some(Errno::EEXIST) && when != When::Up,
            // The link was never moved, or is gone.
            Op::LinkSet { .. } | Op::LinkMove(_) => self.is_gone() && when != When::Up,
            // The parameter was deleted with its link. With any other error it keeps its value.
            Op::SysctlSet { .. } => self.errno == Some(Errno::ENOENT) && when != When::Up,
            // The tables do not need the port.
            Op::RecordSet { .. } | Op::Bridge(BridgeOp::Allow { .. }) => false,
            // Its object is gone.
            _ => self.is_gone() && when == When::Down,
        }
    }
}

/// When a change is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// In a phase of ifup. Only a deletion may find that it is done already: what is added must be ours.
    Up,
    /// In the rollback of such a phase. If the answer of a change was lost, it may not have been made.
    Rollback,
    /// In a phase of ifdown.
    Down,
}

/// The kernel's error texts for a device whose sysctl disable_ipv6 is 1 (net/ipv6/addrconf.c, net/ipv6/route.c).
const IPV6_IS_DISABLED: [&str; 2] = ["IPv6 is disabled on this device", "IPv6 is disabled on nexthop device"];

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(errno) = self.errno {
            write!(f, "{} ({errno:?})", errno.desc())?;
        }
        match (&self.text, self.errno) {
            (Some(text), Some(_)) => write!(f, ": {text}")?,
            (Some(text), None) => f.write_str(text)?,
            (None, _) => {}
        }
        match self.errno {
            Some(Errno::EPERM) => f.write_str("; this needs root (CAP_NET_ADMIN)"),
            // The kernel also uses EACCES for other errors, with other texts.
            Some(Errno::EACCES)
                if self.text.as_ref().is_some_and(|text| {
                    IPV6_IS_DISABLED.iter().any(|disabled| text.starts_with(disabled))
                }) =>
            {
                f.write_str("; its sysctl disable_ipv6 is 1")
            }
            Some(Errno::EACCES) => f.write_str("; this needs root"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Refusal {}

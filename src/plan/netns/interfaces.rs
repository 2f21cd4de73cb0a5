//! Interfaces inside a namespace, configured from their own interfaces file: `netns-interfaces`.

use crate::plan::netns::namespace;
use crate::plan::op::{Nested, Op};
use crate::plan::{At, Plan, Planner};
use crate::stanza::{Phase, Problem};
use crate::state::{Existing, Netns, Place, Query, Record, Snapshot, State};
use crate::values::{IfName, NetnsRef};
use std::path::{Path, PathBuf};

/// The directory in which ip-netns(8) finds replacements for files in `/etc`, by the name of the namespace.
pub const ETC: &str = "/etc/netns";

/// The default interfaces file of a named namespace.
pub fn default_file(name: &str) -> PathBuf {
    Path::new(ETC).join(name).join("network/interfaces")
}

/// `netns-interfaces`: interfaces inside a namespace, configured from their own interfaces file.
pub struct Interfaces {
    /// The namespace.
    pub netns: NetnsRef,
    /// The interfaces file.
    pub file: PathBuf,
    /// The value as it was written, for messages.
    pub written: String,
}

impl Planner for Interfaces {
    fn acts(&self, phase: Phase) -> bool {
        matches!(phase, Phase::Create | Phase::PostUp | Phase::PreDown)
    }

    fn query(&self, at: At<'_>, query: &mut Query) {
        query.netns.entry(self.netns.clone()).or_default();
        query.located.insert(at.iface.clone());
        query.here().records.insert(Record::nested(at.iface));
        if !at.phase.is_down() {
            query.files.insert(self.file.clone());
        }
    }

    fn plan(&self, at: At<'_>, found: &Snapshot) -> Result<Plan, Vec<Problem>> {
        let iface = at.iface;
        if at.phase == Phase::PreDown {
            return Ok(namespace::nested_down(iface, &self.netns, found));
        }
        if let Some(reason) = found.untrusted.get(&self.file) {
            let reason = format!("{}: {reason}", self.file.display());
            return Err(vec![Problem::new("netns-interfaces", &self.written, reason)]);
        }
        let mut plan = Plan::default();
        if at.phase == Phase::PostUp && namespace::nested(iface, &self.netns, found).is_none() {
            let nested = |up| {
                let (iface, netns, file) = (iface.clone(), self.netns.clone(), self.file.clone());
                Op::Nested(Nested { iface, netns, file, up })
            };
            plan.push(nested(true), Some(nested(false)));
        }
        Ok(plan)
    }

    fn assume(&self, _iface: &IfName, simulated: &mut Snapshot) {
        // If another program makes the namespace, it exists by then. If another component of this program makes it, it
        // is in the simulated state already, as one that does not exist yet.
        if !simulated.netns.contains_key(&self.netns) {
            simulated.netns.insert(self.netns.clone(), Netns::Is(Existing::default()));
            simulated.places.insert(Place::In(self.netns.clone()), State::new_namespace().into());
        }
    }
}

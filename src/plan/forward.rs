//! Forwarding of packets that an interface receives, as the stock executor `forward` sets it.

use crate::plan::op::Op;
use crate::plan::{At, Plan, Planner};
use crate::stanza::{Phase, Problem};
use crate::state::{Link, LinkKind, Place, Query, Record, Snapshot, State, Sysctl};
use crate::values::IfName;
use std::borrow::Cow;

/// The forwarding of an interface.
pub struct Forward {
    /// The settings, each with its keyword.
    pub settings: Vec<Setting>,
    /// The interface moves to another namespace, where it gets the settings of that namespace.
    pub moves: bool,
}

/// A setting: a keyword, the sysctl that it stands for, and whether it is on.
pub struct Setting {
    /// The keyword.
    pub keyword: &'static str,
    /// The directory of the sysctl, `ipv4` or `ipv6`.
    pub family: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its value.
    pub on: bool,
}

impl Setting {
    fn key(&self, iface: &IfName) -> Sysctl {
        Sysctl::of_link(self.family, iface, self.name)
    }

    /// The same of new links.
    fn default(&self) -> Sysctl {
        Sysctl::of_new_links(self.family, self.name)
    }

    /// The state; for a link that does not exist yet, with the setting that it will have.
    fn known<'a>(&self, key: &Sysctl, state: &'a State) -> Cow<'a, State> {
        match state.sysctls.get(&self.default()) {
            Some(value) if !state.sysctls.contains_key(key) => {
                let mut known = state.clone();
                known.sysctls.insert(key.clone(), value.clone());
                Cow::Owned(known)
            }
            _ => Cow::Borrowed(state),
        }
    }
}

impl Planner for Forward {
    fn acts(&self, phase: Phase) -> bool {
        matches!(phase, Phase::Up | Phase::Down)
    }

    fn query(&self, at: At<'_>, query: &mut Query) {
        let here = query.here();
        for setting in &self.settings {
            let key = setting.key(at.iface);
            here.records.insert(Record::original(&key));
            here.sysctls.extend([key, setting.default()]);
        }
    }

    fn plan(&self, at: At<'_>, found: &Snapshot) -> Result<Plan, Vec<Problem>> {
        let (state, mut plan) = (found.here(), Plan::default());
        for setting in &self.settings {
            let (key, value) = (setting.key(at.iface), if setting.on { "1" } else { "0" });
            match at.phase {
                Phase::Down => {
                    plan.restore_sysctl(&Place::Here, &key, |owner| owner != at.iface, state);
                }
                _ if self.moves => plan.warnings.push(format!(
                    "{}: has no effect, since the interface moves; set it there with `netns-sysctl`",
                    setting.keyword
                )),
                _ => {
                    let known = setting.known(&key, state);
                    plan.set_sysctl(&Place::Here, &key, value, at.iface, &known);
                    // The kernel lets nobody change the forwarding of multicast packets (net/ipv4/devinet.c).
                    let is_it = |op: &Op| matches!(op, Op::SysctlSet { key: set, .. } if *set == key);
                    if let Some(step) = plan.steps.last_mut().filter(|step| is_it(&step.act.op)) {
                        step.best_effort = true;
                    }
                }
            }
        }
        Ok(plan)
    }

    fn assume(&self, iface: &IfName, simulated: &mut Snapshot) {
        let here = simulated.here_mut();
        let link = Link { kind: LinkKind::Physical, master: None, up: false };
        here.links.entry(iface.clone()).or_insert(link);
        for setting in &self.settings {
            here.sysctls.entry(setting.key(iface)).or_insert_with(|| "0".to_owned());
        }
    }
}

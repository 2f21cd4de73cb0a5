//! The rules that isolate VRFs: `vrf-rules`.

use crate::plan::vrf::layout::Layout;
use crate::plan::vrf::{end, layout};
use crate::plan::{At, Plan, Planner};
use crate::stanza::{Phase, Problem};
use crate::state::{Query, Snapshot};
use crate::values::{Family, IfName};

/// `vrf-rules` and its options.
pub struct VrfRules {
    /// The wanted rules.
    pub layout: Layout,
    /// The families of the rules.
    pub families: Vec<Family>,
    /// The stanza names the families, so a family that the kernel lacks is an error.
    pub named: bool,
    /// The value as it was written, for messages.
    pub written: String,
}

impl Planner for VrfRules {
    fn acts(&self, phase: Phase) -> bool {
        matches!(phase, Phase::PreUp | Phase::Destroy)
    }

    fn query(&self, at: At<'_>, query: &mut Query) {
        end::query_rules(at.phase, query);
    }

    fn plan(&self, at: At<'_>, found: &Snapshot) -> Result<Plan, Vec<Problem>> {
        let state = found.here();
        if at.phase == Phase::Destroy {
            return Ok(end::restore_unless_needed(state));
        }
        let problem = |reason: String| vec![Problem::new("vrf-rules", &self.written, reason)];
        let mut plan = Plan::default();
        for &family in &self.families {
            if !state.rules.contains_key(&family) {
                if self.named {
                    return Err(problem(format!("vrf-rules-family {family}: this kernel has it disabled")));
                }
                plan.warnings
                    .push(format!("{family} is disabled in this kernel: rules for the other family only"));
                continue;
            }
            let foreign = layout::foreign_to(&self.layout, family, state);
            let other = || state.vrfs().find(|(vrf, _)| *vrf != at.iface);
            if let Some((rule, (vrf, _))) = foreign.first().and_then(|rule| Some((rule, other()?))) {
                return Err(problem(format!(
                    "{vrf} uses another layout ({family} rule {rule}); all VRFs of a namespace share one"
                )));
            }
            plan.append(layout::install(&self.layout, family, state).map_err(problem)?);
        }
        Ok(plan)
    }

    fn assume(&self, _iface: &IfName, simulated: &mut Snapshot) {
        let state = simulated.here_mut();
        *state = std::mem::take(state).with_default_rules();
    }
}

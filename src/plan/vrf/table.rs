//! The VRF itself: `vrf-table`.

use crate::plan::op::{NewLink, Op};
use crate::plan::vrf::end::{end, forget_left, left_mark};
use crate::plan::vrf::{end, layout};
use crate::plan::{At, Plan, Planner};
use crate::stanza::{Phase, Problem};
use crate::state::{LinkKind, Query, Record, Snapshot, TableRef};
use crate::values::{IfName, Invalid, TableId, TableSpec};
use std::ops::RangeInclusive;
use std::str::FromStr;

/// The tables that `auto` picks from without `vrf-table-range`.
pub const RANGE: RangeInclusive<u32> = 1001..=5000;

/// `vrf-table`: the interface is a VRF with this table.
pub struct VrfTable {
    /// The table.
    pub table: Wanted,
    /// The value as it was written, for messages.
    pub written: String,
}

/// The values of `vrf-table`.
pub enum Wanted {
    /// This table.
    Table(TableSpec),
    /// The lowest free one of these.
    Auto(RangeInclusive<u32>),
}

impl FromStr for Wanted {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text.parse()? {
            TableSpec::Name(name) if name == "auto" => Ok(Self::Auto(RANGE)),
            TableSpec::Id(table) if table.is_reserved() => {
                Err(Invalid::new("a table of the host itself, not of a VRF"))
            }
            table => Ok(Self::Table(table)),
        }
    }
}

impl Planner for VrfTable {
    fn acts(&self, phase: Phase) -> bool {
        matches!(phase, Phase::Create | Phase::Destroy)
    }

    fn query(&self, at: At<'_>, query: &mut Query) {
        query.table_names |= matches!(self.table, Wanted::Auto(_) | Wanted::Table(TableSpec::Name(_)));
        let here = query.here();
        here.links.insert(at.iface.clone());
        here.records.insert(Record::left(at.iface));
        let named = match &self.table {
            Wanted::Auto(_) => None,
            Wanted::Table(TableSpec::Id(table)) => Some(TableRef::Id(*table)),
            Wanted::Table(TableSpec::Name(name)) => Some(TableRef::Name(name.clone())),
        };
        here.vrfs.with.extend(named.clone());
        if at.phase == Phase::Destroy {
            end::query(at.iface, here);
            here.routes.extend(named);
        } else if matches!(self.table, Wanted::Auto(_)) {
            (here.vrfs.all, here.rules, here.used_tables) = (true, true, true);
        }
    }

    fn plan(&self, at: At<'_>, found: &Snapshot) -> Result<Plan, Vec<Problem>> {
        let state = found.here();
        if at.phase == Phase::Destroy {
            return Ok(self.destroy(at.iface, found));
        }
        let conflict = |reason: String| vec![Problem::new("vrf-table", &self.written, reason)];
        let table = self.table(at.iface, found).map_err(conflict)?;
        let mut plan = Plan::default();
        // The VRF is configured again, so it is no longer deleted with its last member.
        forget_left(at.iface, state, &mut plan);
        if let Some(link) = state.links.get(at.iface) {
            return match link.kind {
                LinkKind::Vrf(running) if running == table => Ok(plan),
                _ => Err(conflict(format!(
                    "{} exists and is a {}; ifdown it, or delete it by hand",
                    at.iface, link.kind
                ))),
            };
        }
        if let Some((other, _)) = state.vrfs().find(|(_, theirs)| *theirs == table) {
            return Err(conflict(format!("already the table of {other}")));
        }
        let (name, kind) = (at.iface.clone(), LinkKind::Vrf(table));
        plan.push(
            Op::LinkAdd(NewLink { name: name.clone(), kind: kind.clone() }),
            Some(Op::LinkDel { name, kind }),
        );
        Ok(plan)
    }

    fn assume(&self, _iface: &IfName, simulated: &mut Snapshot) {
        if let Wanted::Table(TableSpec::Name(name)) = &self.table {
            simulated.table_names.extend(TableId::new(*RANGE.start()).map(|table| (name.clone(), table)));
        }
    }
}

impl VrfTable {
    /// The number of the table. An existing VRF keeps the table that `auto` once picked, if the range still has it.
    fn table(&self, iface: &IfName, found: &Snapshot) -> Result<TableId, String> {
        match &self.table {
            Wanted::Table(TableSpec::Id(table)) => Ok(*table),
            Wanted::Table(TableSpec::Name(name)) => match found.table_names.get(name) {
                None => Err("not a name of rt_tables".to_owned()),
                Some(table) if table.is_reserved() => {
                    Err("a table of the host itself, not of a VRF".to_owned())
                }
                Some(table) => Ok(*table),
            },
            Wanted::Auto(range) => {
                let state = found.here();
                let taken = |table: &TableId| {
                    state.vrfs().any(|(_, theirs)| theirs == *table)
                        || found.table_names.values().any(|named| named == table)
                        || layout::looks_up(state, *table)
                        || state.used_tables.contains(table)
                };
                let mut free =
                    range.clone().filter_map(TableId::new).filter(|t| !t.is_reserved() && !taken(t));
                state
                    .vrf_table(iface)
                    .filter(|table| range.contains(&table.get()))
                    .or_else(|| free.next())
                    .ok_or_else(|| format!("no table from {} to {} is free", range.start(), range.end()))
            }
        }
    }

    /// Deletes the VRF if it has the table of the stanza and no members. A VRF with members is kept, since the kernel
    /// would release them into the host's own routing. It is set up again, because the stock executor has set it down
    /// by now, and is deleted with its last member.
    fn destroy(&self, iface: &IfName, found: &Snapshot) -> Plan {
        let (state, mut plan) = (found.here(), Plan::default());
        let wanted = self.table(iface, found);
        let Some(link) = state.links.get(iface) else {
            end(iface, wanted.ok(), state, &mut plan);
            return plan;
        };
        match (&link.kind, wanted) {
            (LinkKind::Vrf(running), Ok(table)) if *running == table => {}
            (kind, _) => {
                plan.warnings
                    .push(format!("not changed: {iface} is a {kind}, not a VRF with table {}", self.written));
                return plan;
            }
        }
        let members: Vec<&str> = state.members(iface).map(IfName::as_str).collect();
        if members.is_empty() {
            end(iface, None, state, &mut plan);
            return plan;
        }
        if let Some(mark) = left_mark(iface, state) {
            let key = Record::left(iface);
            if state.records.get(&key) != Some(&mark) {
                plan.push(Op::RecordSet { key, value: mark }, None);
            }
        }
        if !link.up {
            plan.push(Op::set_up(iface, true), None);
        }
        plan.warnings.push(format!(
            "{iface} is kept, since it has members: {}; it is deleted with the ifdown of the last one",
            members.join(", ")
        ));
        plan
    }
}

//! `vrf-table` makes an interface a VRF; `vrf-member` makes it belong to one.

use ifupdown_ng_netlink::{
    plan::{
        At, Plan,
        op::{NewLink, Op},
        vrf::rules,
    },
    program::{
        executor::{Executor, Keyword, Program, part},
        run::run,
    },
    stanza::{Phase, Problem, Stanza},
    state::{Link, LinkKind, Query, Record, Route, Snapshot, State, TableRef, Wants},
    values::{IfName, Invalid, TableId, TableRange, TableSpec},
};
use std::{ops::RangeInclusive, process::ExitCode, str::FromStr};

/// The program.
pub const PROGRAM: Program = Program {
    name: "vrf-table",
    about: "Makes an interface a VRF, or a member of one",
    parts: &[part::<VrfTable>(), part::<VrfMember>()],
};

#[allow(dead_code, reason = "the programs that contain this one have a main of their own")]
fn main() -> ExitCode {
    run(&PROGRAM)
}

/// The tables that `auto` picks from, unless `vrf-table-range` says otherwise.
const RANGE: RangeInclusive<u32> = 1001..=5000;

/// `vrf-table`: the table of the VRF that the interface is.
pub struct VrfTable {
    table: Wanted,
    written: String,
}

enum Wanted {
    Table(TableSpec),
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

impl Executor for VrfTable {
    const KEYWORDS: &'static [Keyword] = &[
        Keyword {
            name: "vrf-table",
            syntax: "ID|NAME|auto",
            help: "Make the interface a VRF with this routing table; auto takes the lowest free one",
        },
        Keyword {
            name: "vrf-table-range",
            syntax: "FIRST-LAST",
            help: "The tables that auto picks from, 1001-5000 by default",
        },
    ];
    const EXCLUSIVE: bool = true;

    fn parse(stanza: &Stanza) -> Option<Self> {
        let range = stanza.get::<TableRange>("vrf-table-range");
        if range.is_some() && stanza.text("vrf-table") != Some("auto") {
            stanza.reject("vrf-table-range", "says nothing without `vrf-table auto`");
        }
        let mut table = stanza.get("vrf-table")?;
        if let (Wanted::Auto(picked), Some(TableRange(range))) = (&mut table, range) {
            *picked = range;
        }
        Some(Self { table, written: stanza.text("vrf-table")?.to_owned() })
    }

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
            look_at_the_end_of(at.iface, here);
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
        // It is up again, so that it does not go with its last member.
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

    fn assume(&self, _iface: &IfName, world: &mut Snapshot) {
        if let Wanted::Table(TableSpec::Name(name)) = &self.table {
            world.table_names.extend(TableId::new(*RANGE.start()).map(|table| (name.clone(), table)));
        }
    }
}

impl VrfTable {
    /// The number of the table. A VRF that is running keeps what `auto` once gave it.
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
                        || rules::looks_up(state, *table)
                        || state.used_tables.contains(table)
                };
                let mut free =
                    range.clone().filter_map(TableId::new).filter(|t| !t.is_reserved() && !taken(t));
                state
                    .vrf_table(iface)
                    .or_else(|| free.next())
                    .ok_or_else(|| format!("no table from {} to {} is free", range.start(), range.end()))
            }
        }
    }

    /// Deletes the VRF if it is ours and has no members. One that has is left, since the kernel would release them into
    /// the host's own routing: it is set up again, for the stock executor has set it down by now, and goes with the last
    /// of them.
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
                    .push(format!("left alone: {iface} is a {kind}, not a VRF with table {}", self.written));
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
            plan.push(Op::LinkUp { name: iface.clone(), up: true }, None);
        }
        plan.warnings.push(format!(
            "{iface} is kept, since it has members: {}; it is deleted with the ifdown of the last one",
            members.join(", ")
        ));
        plan
    }
}

/// What [`end`] needs to know of a VRF.
fn look_at_the_end_of(vrf: &IfName, here: &mut Wants) {
    here.links.insert(vrf.clone());
    here.members.insert(vrf.clone());
    here.records.insert(Record::left(vrf));
    here.routes.insert(TableRef::Vrf(vrf.clone()));
    // Whether it is the last.
    here.vrfs.some = true;
    here.rules = true;
    rules::look_at_accept(here);
}

/// Deletes a VRF that has no members, and what only made sense with it: the routes of ours in its table, and with the
/// last VRF the rules. Nothing gets out meanwhile, since it is down. If it is gone already, the table may be told.
fn end(vrf: &IfName, table: Option<TableId>, state: &State, plan: &mut Plan) {
    let table = state.vrf_table(vrf).or(table);
    let link = state.links.get(vrf);
    if link.is_some_and(|link| link.up) {
        plan.push(Op::LinkUp { name: vrf.clone(), up: false }, None);
    }
    let is_others = state.vrfs().any(|(other, theirs)| other != vrf && Some(theirs) == table);
    let own = |route: &&Route| {
        // Those over it go with it.
        route.is_ours() && Some(route.table) == table && route.dev.as_ref() != Some(vrf)
    };
    for route in state.routes.iter().filter(own).filter(|_| !is_others) {
        plan.push(Op::RouteDel(route.clone()), None);
    }
    if let Some(Link { kind, .. }) = link {
        plan.push(Op::LinkDel { name: vrf.clone(), kind: kind.clone() }, None);
    }
    if rules::is_last_vrf(vrf, state) {
        plan.append(rules::restore(state));
    }
    forget_left(vrf, state, plan);
}

/// What is recorded of a VRF that is left: by this it is known again.
fn left_mark(vrf: &IfName, state: &State) -> Option<String> {
    let index = state.details.get(vrf).map_or(0, |details| details.index);
    state.vrf_table(vrf).map(|table| format!("{index} {}", table.get()))
}

fn forget_left(vrf: &IfName, state: &State, plan: &mut Plan) {
    let key = Record::left(vrf);
    if let Some(value) = state.records.get(&key) {
        plan.push(Op::RecordDel(key.clone()), Some(Op::RecordSet { key, value: value.clone() }));
    }
}

/// `vrf-member`: the VRF that the interface belongs to.
pub struct VrfMember {
    vrf: IfName,
    /// As it was written.
    keyword: &'static str,
}

impl Executor for VrfMember {
    const KEYWORDS: &'static [Keyword] = &[
        Keyword {
            name: "vrf-member",
            syntax: "VRF",
            help: "Make the interface a member of this VRF, before it is up and has addresses",
        },
        Keyword { name: "vrf", syntax: "VRF", help: "The same" },
    ];
    const EXCLUSIVE: bool = true;

    fn parse(stanza: &Stanza) -> Option<Self> {
        let keyword = if stanza.text("vrf-member").is_some() { "vrf-member" } else { "vrf" };
        if keyword == "vrf-member" && stanza.text("vrf").is_some_and(|vrf| Some(vrf) != stanza.text(keyword))
        {
            stanza.reject("vrf", "conflicts with vrf-member; keep one of the two");
            return None;
        }
        let vrf = stanza.get(keyword)?;
        if stanza.text("vrf-table").is_some() {
            stanza.reject(keyword, "a VRF cannot be a member of a VRF");
            return None;
        }
        Some(Self { vrf, keyword })
    }

    fn isolates(stanza: &Stanza) -> Option<Phase> {
        stanza.uses(["vrf-member", "vrf"]).then_some(Phase::PreUp)
    }

    fn depends(stanza: &Stanza) -> Vec<IfName> {
        let texts = [stanza.text("vrf-member"), stanza.text("vrf")];
        texts.into_iter().flatten().filter_map(|text| text.parse().ok()).collect()
    }

    fn acts(&self, phase: Phase) -> bool {
        matches!(phase, Phase::PreUp | Phase::PostDown)
    }

    fn query(&self, at: At<'_>, query: &mut Query) {
        let here = query.here();
        here.links.extend([at.iface.clone(), self.vrf.clone()]);
        if at.phase == Phase::PreUp {
            here.addresses.insert(at.iface.clone());
        } else {
            look_at_the_end_of(&self.vrf, here);
        }
    }

    fn plan(&self, at: At<'_>, found: &Snapshot) -> Result<Plan, Vec<Problem>> {
        let (state, iface) = (found.here(), at.iface);
        let link = state.links.get(iface);
        let mut plan = Plan::default();
        if at.phase == Phase::PostDown {
            if link.is_some_and(|link| link.master.as_ref() == Some(&self.vrf)) {
                plan.push(Op::LinkMaster { name: iface.clone(), master: None }, None);
            }
            let record = state.records.get(&Record::left(&self.vrf));
            // Without it, a run that deleted it was killed.
            let is_it =
                !state.links.contains_key(&self.vrf) || left_mark(&self.vrf, state).as_ref() == record;
            if record.is_some() && is_it && state.members(&self.vrf).all(|member| member == iface) {
                end(&self.vrf, None, state, &mut plan);
            }
            return Ok(plan);
        }
        self.can_join(iface, state).map_err(|reason| vec![Problem::new(self.keyword, &self.vrf, reason)])?;
        if link.is_some_and(|link| link.master.is_none()) {
            plan.push(
                Op::LinkMaster { name: iface.clone(), master: Some(self.vrf.clone()) },
                Some(Op::LinkMaster { name: iface.clone(), master: None }),
            );
            if let Some(addresses) = state.addresses.get(iface).filter(|addresses| !addresses.is_empty()) {
                let addresses: Vec<String> =
                    addresses.iter().map(|address| address.net.to_string()).collect();
                plan.warnings.push(format!(
                    "{iface} had {} when it joined {}: its TCP sessions end, and IPv6 addresses and routes are lost",
                    addresses.join(", "),
                    self.vrf
                ));
            }
        }
        Ok(plan)
    }

    fn assume(&self, iface: &IfName, world: &mut Snapshot) {
        let links = &mut world.here_mut().links;
        let link = |kind, up| Link { kind, master: None, up };
        links.entry(iface.clone()).or_insert_with(|| link(LinkKind::Physical, false));
        if let Some(table) = TableId::new(*RANGE.start()) {
            links.entry(self.vrf.clone()).or_insert_with(|| link(LinkKind::Vrf(table), true));
        }
    }
}

impl VrfMember {
    fn can_join(&self, iface: &IfName, state: &State) -> Result<(), String> {
        let link = state.links.get(iface).ok_or_else(|| format!("there is no interface {iface}"))?;
        let vrf = state.links.get(&self.vrf).ok_or_else(|| {
            format!("there is no such interface; ifup -f {0} if {0} has a stanza with vrf-table", self.vrf)
        })?;
        if !matches!(vrf.kind, LinkKind::Vrf(_)) {
            return Err(format!("not a VRF but a {}", vrf.kind));
        }
        match &link.master {
            Some(master) if *master != self.vrf => Err(format!("{iface} is a port of {master}")),
            // Its own ifup may have failed before its rules were set.
            None if !vrf.up => Err(format!("{0} is down; ifup -f {0}", self.vrf)),
            _ => Ok(()),
        }
    }
}

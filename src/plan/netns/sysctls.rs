//! Kernel parameters inside a namespace.
//!
//! In a namespace that we made, they are gone with the namespace. In another program's namespace, their former values
//! are recorded there, and restored after the last of our links has left.

use crate::plan::Plan;
use crate::plan::netns::namespace;
use crate::plan::op::Op;
use crate::state::{NetnsLink, NetnsLinkRecord, Place, Record, Role, Snapshot, Sysctl};
use crate::values::{Invalid, NetnsRef};
use std::str::FromStr;

/// `KEY=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The sysctl.
    pub key: Sysctl,
    /// Its value, words separated by single blanks.
    pub value: String,
}

impl FromStr for Setting {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (key, value) = text.split_once('=').ok_or_else(|| Invalid::new("not KEY=VALUE"))?;
        let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
        if value.is_empty() {
            return Err(Invalid::new("no value"));
        }
        Ok(Self { key: key.trim().parse()?, value })
    }
}

/// Settings separated by commas. A value may contain a comma too: the text after a comma begins a new setting only if
/// it is a setting, or looks like one without a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings(pub Vec<Setting>);

impl FromStr for Settings {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let mut entries: Vec<String> = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            match entries.last_mut() {
                Some(before) if !part.contains('=') && !part.starts_with("net.") => {
                    before.push(',');
                    before.push_str(part);
                }
                _ => entries.push(part.to_owned()),
            }
        }
        let parse = |entry: &String| entry.parse().map_err(|error| Invalid::new(format!("{entry}: {error}")));
        if entries.is_empty() {
            return Err(Invalid::new("not KEY=VALUE"));
        }
        entries.iter().map(parse).collect::<Result<_, _>>().map(Self)
    }
}

/// Deletes the recorded values if none of our links is in the namespace yet: then they are from an earlier namespace
/// with the same inode.
pub fn forget(settings: &[Setting], arriving: &NetnsLink, found: &Snapshot) -> Plan {
    let (place, mut plan) = (Place::In(arriving.netns.clone()), Plan::default());
    let inside = found.at(&place);
    if others(arriving, found).next().is_some() {
        return plan;
    }
    let records = settings.iter().map(|setting| Record::original(&setting.key));
    for record in records.filter(|record| inside.records.contains_key(record)) {
        plan.push_at(&place, Op::RecordDel(record), None);
    }
    plan
}

/// Sets the parameters that differ. `forgotten` is the plan of [`forget`].
pub fn set(settings: &[Setting], netns: &NetnsRef, forgotten: &Plan, found: &Snapshot) -> Plan {
    let (place, mut plan) = (Place::In(netns.clone()), Plan::default());
    let inside = found.at(&place);
    let foreign = found.existing(netns).is_some_and(|existing| !existing.ours);
    for Setting { key, value } in settings {
        let now = inside.sysctls.get(key);
        if now.is_some_and(|now| now.split_whitespace().eq(value.split_whitespace())) {
            continue;
        }
        let record = Record::original(key);
        let is_forgotten = forgotten.steps.iter().any(|step| step.act.op == Op::RecordDel(record.clone()));
        let is_remembered = inside.records.contains_key(&record) && !is_forgotten;
        if let Some(now) = now.filter(|_| foreign && !is_remembered) {
            let undo = Op::RecordDel(record.clone());
            plan.push_at(&place, Op::RecordSet { key: record, value: now.clone() }, Some(undo));
        }
        let undo = now.map(|now| Op::SysctlSet { key: key.clone(), value: now.clone() });
        plan.push_at(&place, Op::SysctlSet { key: key.clone(), value: value.clone() }, undo);
    }
    plan
}

/// The other interfaces that were moved to the same namespace.
fn others<'a>(link: &'a NetnsLink, found: &'a Snapshot) -> impl Iterator<Item = &'a NetnsLinkRecord> {
    found.netns_links.iter().filter(|other| {
        other.link.role == Role::Moved
            && other.link.iface != link.iface
            && namespace::is_where(other, &link.netns, found)
    })
}

/// Restores the recorded values, unless another of our links is still in the namespace, or the reference leads to
/// another namespace by now.
pub fn restore(settings: &[Setting], leaving: &NetnsLink, found: &Snapshot) -> Plan {
    let (place, mut plan) = (Place::In(leaving.netns.clone()), Plan::default());
    let inside = found.at(&place);
    if others(leaving, found).next().is_some() {
        return plan;
    }
    let is_another = namespace::recorded(&leaving.iface, Role::Moved, found)
        .is_some_and(|record| !namespace::is_where(record, &leaving.netns, found));
    // The parameters of the link itself are reset when it comes back.
    let of_the_link = format!(".{}.", leaving.name.as_str().replace('.', "/"));
    for Setting { key, .. } in settings {
        let record = Record::original(key);
        let Some(value) = inside.records.get(&record) else { continue };
        if !is_another && inside.sysctls.contains_key(key) && !key.to_string().contains(&of_the_link) {
            plan.push_at(&place, Op::SysctlSet { key: key.clone(), value: value.clone() }, None);
        }
        plan.push_at(&place, Op::RecordDel(record), None);
    }
    plan
}

//! Kernel parameters inside a namespace.
//!
//! Their former values are recorded there with the interfaces whose stanzas want them changed, and restored when the
//! last of these leaves.

use crate::plan::Plan;
use crate::plan::netns::namespace;
use crate::plan::op::Op;
use crate::state::{
    NetnsLink, NetnsLinkRecord, Original, Place, Query, Record, Role, Snapshot, State, Sysctl,
};
use crate::values::{IfName, Invalid};
use std::collections::BTreeSet;
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

/// What to read.
pub fn query(settings: &[Setting], place: &Place, query: &mut Query) {
    query.netns_links = true;
    let wants = query.at(place);
    wants.originals = true;
    wants.sysctls.extend(settings.iter().map(|setting| setting.key.clone()));
    wants.records.extend(settings.iter().map(|setting| Record::original(&setting.key)));
}

/// Deletes the recorded values if none of our links is in the namespace yet: then they are from an earlier namespace
/// with the same inode.
pub fn forget(arriving: &NetnsLink, found: &Snapshot) -> Plan {
    let (place, mut plan) = (Place::In(arriving.netns.clone()), Plan::default());
    if !others(arriving, &place, found).is_empty() {
        return plan;
    }
    for record in found.at(&place).records.keys().filter(|record| record.sysctl().is_some()) {
        plan.push_at(&place, Op::RecordDel(record.clone()), None);
    }
    plan
}

/// Sets the parameters that differ. `forgotten` is the plan of [`forget`].
pub fn set(settings: &[Setting], link: &NetnsLink, forgotten: &Plan, found: &Snapshot) -> Plan {
    let (place, mut plan) = (Place::In(link.netns.clone()), Plan::default());
    let inside = found.at(&place);
    let deleted = |record: &Record| {
        forgotten.steps.iter().any(|step| matches!(&step.act.op, Op::RecordDel(deleted) if deleted == record))
    };
    let mut known = State { sysctls: inside.sysctls.clone(), ..State::default() };
    known.records.extend(inside.records.clone().into_iter().filter(|(record, _)| !deleted(record)));
    for Setting { key, value } in settings {
        plan.set_sysctl(&place, key, value, &link.iface, &known);
    }
    plan
}

/// The other interfaces that were moved to the namespace of this place.
fn others<'a>(link: &NetnsLink, place: &Place, found: &'a Snapshot) -> BTreeSet<&'a IfName> {
    let Place::In(netns) = place else { return BTreeSet::new() };
    let other = |other: &&NetnsLinkRecord| {
        other.link.role == Role::Moved
            && other.link.iface != link.iface
            && namespace::is_where(other, netns, found)
    };
    found.netns_links.values().filter(other).map(|other| &other.link.iface).collect()
}

/// Restores the recorded values that only the stanza of this interface wanted changed, in the namespace that the
/// interface was moved to. A record of version 0.1 has no owners: its value is restored when the last of our interfaces
/// leaves, if the stanza names the parameter.
pub fn restore(settings: &[Setting], leaving: &NetnsLink, found: &Snapshot) -> Plan {
    let mut plan = Plan::default();
    // Without a record of the link, recorded values are from an earlier namespace with the same inode.
    if namespace::recorded(&leaving.iface, Role::Moved, found).is_none() {
        return plan;
    }
    let Some(place) = namespace::place_of(&leaving.iface, Role::Moved, &leaving.netns, found) else {
        return plan;
    };
    let (inside, others) = (found.at(&place), others(leaving, &place, found));
    // The parameters of the link itself are reset when it comes back.
    let of_the_link = format!(".{}.", leaving.name.as_str().replace('.', "/"));
    for (record, text) in &inside.records {
        let Some(key) = record.sysctl() else { continue };
        let is_named = settings.iter().any(|setting| setting.key == key);
        let is_ours = match Original::parse(text).owners {
            Some(owners) => is_named || owners.contains(&leaving.iface),
            None => is_named && others.is_empty(),
        };
        if is_ours && key.to_string().contains(&of_the_link) {
            plan.push_at(&place, Op::RecordDel(record.clone()), None);
        } else if is_ours {
            plan.restore_sysctl(&place, &key, |owner| others.contains(owner), inside);
        }
    }
    plan
}

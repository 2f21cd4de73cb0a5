//! The tables `bridge-allow` of nf_tables: what ports with `bridge-allow` may receive and send.
//!
//! The rules are always the same. The ports and their stations are elements of sets, so that a change is one batch
//! without rules. One table is in the bridge family. The other one, in the family netdev, has a chain for each port:
//! some frames to 01:80:c2:00:00:0X pass the hooks of bridges by, but the bridge learns their source, and the host
//! receives them (net/bridge/br_input.c `br_handle_frame`). `nft list ruleset` shows both.

mod messages;
mod rules;
mod sets;

use crate::kernel::Refusal;
use crate::kernel::netlink::Channel;
use crate::kernel::netlink::bridge_allow::messages::{
    NEWCHAIN, NEWRULE, NEWSETELEM, NEWTABLE, TABLE, message, of_table,
};
use crate::kernel::netlink::bridge_allow::rules::{
    CHAINS, HOOKS, LINK_LOCAL, RULES_OF_NETDEV, Rule, expressions, numbers, rule_of_port, rules, same,
};
use crate::kernel::netlink::bridge_allow::sets::{
    DELSETELEM, Element, change, elements, in_order, item, port, sets, stations,
};
use crate::kernel::netlink::nftables::{Family, Message, Nftables, number, text};
use crate::kernel::netlink::raw::Attributes;
use crate::state::{AllowTable, BridgingWants, State, Stations};
use crate::values::IfName;
use std::collections::{BTreeMap, BTreeSet};

/// The comment on the tables, which nft(8) shows.
const COMMENT: &str = "ifupdown-ng-netlink";
const FAMILIES: [Family; 2] = [Family::Bridge, Family::Netdev];

const GETTABLE: u16 = 1;
const DELTABLE: u16 = 2;
const GETCHAIN: u16 = 4;
const DELCHAIN: u16 = 5;
const GETRULE: u16 = 7;

/// The table is switched off (`NFT_TABLE_F_DORMANT`).
const DORMANT: u32 = 1;
/// The hook of the family netdev (`NF_NETDEV_INGRESS`), and a priority before others.
const INGRESS: (u32, i32) = (0, -300);

fn new_rule(family: Family, chain: &str, rule: &Rule) -> Message {
    message(family, NEWRULE, of_table().with(2, text(chain)).nest(4, &expressions(rule)))
}

/// A chain that the kernel calls. The policy is to accept: other ports are not our concern.
fn base_chain(family: Family, name: &str, (hook, priority): (u32, i32), device: Option<&IfName>) -> Message {
    let mut at = numbers(&[(1, hook)]).with(2, priority.to_be_bytes());
    if let Some(device) = device {
        at.push(3, text(device.as_str()));
    }
    let new = of_table().with(3, text(name)).nest(4, &at).with(5, number(1)).with(7, text("filter"));
    message(family, NEWCHAIN, new)
}

/// The tables without ports.
fn whole_tables() -> Vec<Message> {
    let comment = item(0, &text(COMMENT));
    let new = |family| message(family, NEWTABLE, of_table().with(6, comment.clone()));
    let mut messages: Vec<Message> = FAMILIES.map(new).into();
    messages.extend((1..).zip(sets()).map(|(id, set)| set.make(id)));
    for (name, hook) in HOOKS {
        messages.push(base_chain(Family::Bridge, name, hook, None));
    }
    let chain = |family, name| message(family, NEWCHAIN, of_table().with(3, text(name)));
    messages.extend(CHAINS.map(|name| chain(Family::Bridge, name)));
    messages.push(chain(Family::Netdev, LINK_LOCAL));
    messages.extend(rules().map(|rule| new_rule(Family::Bridge, rule.0, rule)));
    messages.extend(RULES_OF_NETDEV.iter().map(|rule| new_rule(Family::Netdev, rule.0, rule)));
    messages
}

/// The name of the chain of a port.
fn chain_of(port: &IfName) -> String {
    format!("port-{port}")
}

fn add_chain(port: &IfName) -> [Message; 2] {
    let chain = chain_of(port);
    let base = base_chain(Family::Netdev, &chain, INGRESS, Some(port));
    [base, new_rule(Family::Netdev, &chain, &rule_of_port())]
}

/// What there is of the tables.
struct Found {
    table: AllowTable,
    /// The tables that exist.
    families: Vec<Family>,
}

/// A rule of a table: its chain, its expressions.
type Read = (String, Attributes);

fn read_rules(nftables: &mut Nftables, family: Family) -> Result<Vec<Read>, Refusal> {
    let rules = nftables.get(family, GETRULE, true, &of_table())?;
    Ok(rules.into_iter().map(|rule| (rule.text(2).unwrap_or_default(), rule.nested(4))).collect())
}

/// Whether the chains have these rules, in their order, and there are no others.
fn are_rules(shown: &[Read], rules: &[&Rule]) -> bool {
    let mut taken = vec![false; shown.len()];
    for rule in rules {
        let next = shown.iter().zip(&mut taken).find(|((chain, _), taken)| chain == rule.0 && !**taken);
        match next {
            Some(((_, shown), taken)) if same(&expressions(rule), shown) => *taken = true,
            _ => return false,
        }
    }
    taken.iter().all(|taken| *taken)
}

/// The ports whose chain is there, on the device of this name and with its rule alone. Their rules are taken out.
fn ports_with_chain(nftables: &mut Nftables, rules: &mut Vec<Read>) -> Result<BTreeSet<IfName>, Refusal> {
    let mut found = BTreeSet::new();
    let wanted = expressions(&rule_of_port());
    let mut alone: BTreeMap<String, bool> = BTreeMap::new();
    for (chain, shown) in rules.iter() {
        let is_alone = !alone.contains_key(chain) && same(&wanted, shown);
        alone.insert(chain.clone(), is_alone);
    }
    for chain in nftables.get(Family::Netdev, GETCHAIN, true, &of_table())? {
        let name = chain.text(3).unwrap_or_default();
        let device = chain.nested(4).text(3).map(|device| IfName::of_kernel(&device));
        let Some(device) = device.filter(|_| chain.text(1).as_deref() == Some(TABLE)) else { continue };
        if name == chain_of(&device) && alone.get(&name) == Some(&true) {
            alone.remove(&name);
            found.insert(device);
        }
    }
    rules.retain(|(chain, _)| alone.contains_key(chain));
    Ok(found)
}

/// Reads the tables.
fn read_tables(nftables: &mut Nftables) -> Result<Found, Refusal> {
    let mut found = Found { table: AllowTable::default(), families: Vec::new() };
    let mut is_on = true;
    for family in FAMILIES {
        if let Some(table) = nftables.get(family, GETTABLE, false, &of_table())?.first() {
            found.families.push(family);
            is_on &= table.be32(2).is_some_and(|flags| flags & DORMANT == 0);
        }
    }
    if found.families.is_empty() {
        return Ok(found);
    }
    let mut present: Vec<Element> = Vec::new();
    for set in sets() {
        for (key, counter) in set.read(nftables)? {
            if let (Some(counter), Some(port)) = (counter, port(&key)) {
                let dropped = found.table.dropped.entry(port).or_default();
                *(if set.name == "dropped-in" { &mut dropped.received } else { &mut dropped.sent }) +=
                    counter;
            }
            present.push((set.family, set.name, key));
        }
    }
    let present = in_order(present);
    let ports = stations(&present);
    let wanted: Vec<Element> = ports.iter().flat_map(|(port, all)| elements(port, all)).collect();
    let mut in_netdev = read_rules(nftables, Family::Netdev)?;
    let with_chain = ports_with_chain(nftables, &mut in_netdev)?;
    found.table.intact = is_on
        && found.families.len() == FAMILIES.len()
        && in_order(wanted) == present
        && are_rules(&read_rules(nftables, Family::Bridge)?, &rules().collect::<Vec<_>>())
        && are_rules(&in_netdev, &RULES_OF_NETDEV.iter().collect::<Vec<_>>());
    let bare: BTreeSet<IfName> = ports.keys().filter(|port| !with_chain.contains(*port)).cloned().collect();
    found.table.bare = bare.into();
    found.table.ports = ports;
    Ok(found)
}

/// The tables with all their ports.
fn all_ports(table: &AllowTable) -> Vec<Message> {
    let mut messages = whole_tables();
    let all = table.ports.iter().flat_map(|(port, stations)| elements(port, stations));
    messages.extend(change(NEWSETELEM, &in_order(all.collect())));
    messages.extend(table.ports.keys().filter(|port| !table.bare.contains(*port)).flat_map(add_chain));
    messages
}

/// The change of one port.
fn one_port(port: &IfName, before: &AllowTable, after: &AllowTable) -> Vec<Message> {
    let (old, new) = (elements(port, &before.of(port)), elements(port, &after.of(port)));
    let without = |all: &[Element], other: &[Element]| -> Vec<Element> {
        all.iter().filter(|element| other.binary_search(element).is_err()).cloned().collect()
    };
    let mut messages = change(DELSETELEM, &without(&old, &new));
    messages.extend(change(NEWSETELEM, &without(&new, &old)));
    let had_chain = before.ports.contains_key(port) && !before.bare.contains(port);
    match (had_chain, after.ports.contains_key(port)) {
        (true, false) => {
            let chain = of_table().with(3, text(&chain_of(port)));
            messages.push(message(Family::Netdev, DELCHAIN, chain));
        }
        (false, true) => messages.extend(add_chain(port)),
        _ => {}
    }
    messages
}

impl Channel {
    /// Reads the tables, if they are wanted.
    pub(super) fn read_allowed(&mut self, wants: &BridgingWants, state: &mut State) -> Result<(), Refusal> {
        if wants.allowed {
            let table = match self.nftables() {
                Ok(nftables) => read_tables(nftables)?.table,
                // A kernel without nf_tables has no tables.
                Err(_) => AllowTable::default(),
            };
            self.allowed = Some(table.clone()).filter(|table| table.intact);
            state.bridging.allowed = table;
        }
        Ok(())
    }

    /// Opens the socket for nf_tables in the calling thread's namespace. If the kernel has none, reading finds no table.
    pub fn open_nftables(&mut self) {
        let _ = self.nftables();
    }

    fn nftables(&mut self) -> Result<&mut Nftables, Refusal> {
        match &mut self.nftables {
            Some(open) => Ok(open),
            none => Ok(none.insert(Nftables::open()?)),
        }
    }

    /// Changes the stations of a port, in one batch.
    pub(super) fn allow(&mut self, port: &IfName, add: &Stations, del: &Stations) -> Result<(), Refusal> {
        let known = self.allowed.take();
        let was_known = known.is_some();
        let outcome = self.allow_from(known, port, add, del);
        if outcome.is_err() && was_known {
            // Another program may have changed the tables.
            return self.allow_from(None, port, add, del);
        }
        outcome
    }

    /// The same, for tables as they are known since our last reading or change, or else as they are.
    fn allow_from(
        &mut self,
        known: Option<AllowTable>,
        port: &IfName,
        add: &Stations,
        del: &Stations,
    ) -> Result<(), Refusal> {
        let nftables = self.nftables()?;
        let Found { table: before, families } = match known {
            Some(table) => Found { table, families: FAMILIES.to_vec() },
            None => read_tables(nftables)?,
        };
        let mut after = before.clone();
        after.change(port, add, del);
        let mut messages = Vec::new();
        if after.ports.is_empty() || !before.intact {
            messages.extend(families.into_iter().map(|family| message(family, DELTABLE, of_table())));
        }
        if !after.ports.is_empty() {
            messages.extend(if before.intact { one_port(port, &before, &after) } else { all_ports(&after) });
        }
        if !messages.is_empty() {
            nftables.change(messages)?;
        }
        self.allowed = Some(after).filter(|table| table.intact);
        Ok(())
    }
}

/// Reads a datagram in every way in which the answers of nf_tables are read.
#[cfg(any(test, fuzzing))]
pub(super) fn read_any(datagram: &[u8]) {
    use crate::kernel::netlink::bridge_allow::sets::counted;
    use crate::kernel::netlink::nftables::{HEADER, answers};
    use crate::kernel::netlink::raw::Object;
    let (mut elements, mut shown) = (Vec::new(), Vec::new());
    for answer in answers(datagram) {
        let _ = answer.outcome();
        let Some(Object { attributes, .. }) = Object::parse(answer.payload, HEADER) else { continue };
        for (key, _) in counted(&attributes) {
            let _ = sets::port(&key);
            elements.extend(sets().map(|set| (set.family, set.name, key.clone())));
        }
        shown.push((attributes.text(2).unwrap_or_default(), attributes.nested(4)));
    }
    let _ = (stations(&in_order(elements)), are_rules(&shown, &rules().collect::<Vec<_>>()));
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

//! Restores routing rules.

use crate::kernel::netlink::raw::{Attributes, Object};
use crate::kernel::netlink::saved::{Change, Restoration};
use crate::state::{Noun, OUR_PROTOCOL, Subject};
use rtnetlink::packet_core::NLM_F_CREATE;
use std::collections::BTreeMap;

const RTM_NEWRULE: u16 = 32;
const RTM_DELRULE: u16 = 33;

// Attributes (include/uapi/linux/fib_rules.h).
const FRA_PRIORITY: u16 = 6;
const FRA_PAD: u16 = 18;
const FRA_PROTOCOL: u16 = 21;
/// The flag of a rule that can be set: `not`.
const FIB_RULE_INVERT: u32 = 2;

/// A rule without the state that only the kernel sets.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule(Object);

impl Rule {
    fn parse(answer: &[u8]) -> Option<Self> {
        let mut object = Object::parse(answer, 12)?;
        let flags = object.number(8) & FIB_RULE_INVERT;
        object.set_number(8, flags);
        let Attributes(mut attributes) = object.attributes.without(&[FRA_PAD]);
        // The kernel does not show the priority 0, and gives a new rule without a priority another one
        // (net/core/fib_rules.c `fib_nl_fill_rule`, `fib_default_rule_pref`).
        if object.attributes.get(FRA_PRIORITY).is_none() {
            attributes.push((FRA_PRIORITY, 0_u32.to_ne_bytes().to_vec()));
        }
        attributes.sort();
        object.attributes = Attributes(attributes);
        Some(Self(object))
    }

    /// Family and priority.
    fn place(&self) -> (u8, u32) {
        (self.0.byte(0), self.0.attributes.number(FRA_PRIORITY).unwrap_or_default())
    }

    fn is_ours(&self) -> bool {
        self.0.attributes.get(FRA_PROTOCOL) == Some(&[OUR_PROTOCOL])
    }

    fn subject(&self) -> Subject {
        let (family, priority) = self.place();
        let family = if family == super::AF_INET { "IPv4" } else { "IPv6" };
        Subject::new(Noun::Rule, format!("{priority} {family}"))
    }

    fn change(&self, number: u16, flags: u16) -> Change {
        Change { number, flags, object: self.0.clone() }
    }
}

/// The rules of one priority as they are to be: the saved ones, then those that another program has added since.
fn wanted(saved: &[Rule], now: &[Rule]) -> Vec<Rule> {
    let is_foreign = |rule: &&Rule| !saved.contains(rule) && !rule.is_ours();
    saved.iter().chain(now.iter().filter(is_foreign)).cloned().collect()
}

impl Restoration {
    /// Restores the rules in their order, where rules are saved. Rules that another program has added since stay.
    pub fn restore_rules(&mut self) {
        for site in 0..self.sites.len() {
            if self.saved(site, Noun::Rule).is_empty() {
                continue;
            }
            let Some(now) = self.now(site, Noun::Rule) else { continue };
            let mut places: BTreeMap<(u8, u32), (Vec<Rule>, Vec<Rule>)> = BTreeMap::new();
            for rule in self.saved(site, Noun::Rule).iter().filter_map(|answer| Rule::parse(answer)) {
                places.entry(rule.place()).or_default().0.push(rule);
            }
            for rule in now.iter().filter_map(|answer| Rule::parse(answer)) {
                places.entry(rule.place()).or_default().1.push(rule);
            }
            let lists = places.into_values().map(|(saved, now)| (wanted(&saved, &now), now));
            let lists: Vec<(Vec<Rule>, Vec<Rule>, usize)> = lists
                .map(|(wanted, now)| {
                    let same = wanted.iter().zip(&now).take_while(|(wanted, now)| wanted == now).count();
                    (wanted, now, same)
                })
                .collect();
            // A new rule is the last one of its priority. All are added before any is deleted: the rule for `local` may
            // be among both.
            let mut added = Vec::new();
            for (wanted, now, same) in lists {
                let is_added = wanted.iter().skip(same).fold(true, |all, rule| {
                    all & self.change(site, rule.subject(), rule.change(RTM_NEWRULE, NLM_F_CREATE))
                });
                added.push((now, same, is_added));
            }
            for (now, same, _) in added.into_iter().filter(|(_, _, is_added)| *is_added) {
                for rule in now.iter().skip(same) {
                    self.delete(site, rule.subject(), rule.change(RTM_DELRULE, 0));
                }
            }
        }
    }
}

/// Decodes and encodes a message, whatever it is.
#[cfg(any(test, fuzzing))]
pub(super) fn parse_any(message: &[u8]) {
    drop(Rule::parse(message).map(|rule| rule.subject()));
}

//! A model of the kernel: the effect of each [`Op`] on a [`State`], and when the kernel refuses it.
//!
//! Programs of several components plan on it, MOCK gets its worlds from it, and tests try plans on it without
//! privileges. The tests on a real kernel check it.

mod netns;

use crate::kernel::{Kernel, Refusal};
use crate::plan::Plan;
use crate::plan::op::{Act, Op};
use crate::state::{Link, LinkKind, Query, Route, Rule, Snapshot, State};
use crate::values::{Family, IfName, RouteKind, TableId};
use nix::errno::Errno;

/// A kernel that is only its state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Simulated(pub Snapshot);

impl Simulated {
    /// Makes changes that should succeed; a refused change has no effect.
    pub fn assume_all(&mut self, plan: &Plan) {
        for step in &plan.steps {
            let _ = self.apply(&step.act);
        }
    }
}

impl Kernel for Simulated {
    /// Answers with the whole state, which includes all that was asked for.
    fn read(&mut self, _query: &Query) -> Result<Snapshot, Refusal> {
        Ok(self.0.clone())
    }

    fn apply(&mut self, act: &Act) -> Result<(), Refusal> {
        let at = self.0.place(&act.at);
        let outcome = self.apply_across(&at, &act.op);
        let here = || self.0.places.entry(at.clone()).or_default().apply(&act.op);
        outcome.unwrap_or_else(here).map_err(Refusal::errno)
    }
}

impl State {
    /// The same with the rules that every new namespace has (net/ipv4/fib_rules.c, net/ipv6/fib6_rules.c).
    #[must_use]
    pub fn with_default_rules(mut self) -> Self {
        for family in Family::BOTH {
            let rule = |priority, table| {
                Rule::new(
                    family,
                    priority,
                    crate::state::Action::Lookup(table),
                    crate::state::KERNEL_PROTOCOL,
                )
            };
            let mut rules = vec![rule(0, TableId::LOCAL), rule(32766, TableId::MAIN)];
            if family == Family::Ipv4 {
                rules.push(rule(32767, TableId::DEFAULT));
            }
            self.rules.insert(family, rules);
        }
        self
    }

    fn apply(&mut self, op: &Op) -> Result<(), Errno> {
        match op {
            Op::LinkAdd(new) => {
                if self.links.contains_key(&new.name) {
                    return Err(Errno::EEXIST);
                }
                let is_vrf = matches!(new.kind, LinkKind::Vrf(_));
                let is_first = is_vrf && self.vrfs().next().is_none();
                let kind = self.kind_of_new(&new.kind)?;
                let link = Link { kind, master: None, up: false };
                self.links.insert(new.name.clone(), link);
                self.details_of_new(&new.name, &new.kind);
                self.bridge_made(&new.name, &new.kind);
                if is_first {
                    self.add_l3mdev_rules();
                }
                Ok(())
            }
            Op::LinkDel { name, .. } => {
                let link = self.links.remove(name).ok_or(Errno::ENODEV)?;
                self.details.remove(name);
                self.addresses.remove(name);
                if matches!(link.kind, LinkKind::Vrf(_) | LinkKind::Bridge(_)) {
                    let is_member = |_: &IfName, link: &Link| link.master.as_ref() == Some(name);
                    self.links.update(is_member, |_, link| link.master = None);
                }
                self.bridge_gone(name);
                self.lose_routes(name);
                // The VLANs on it go with it (net/8021q/vlan.c `vlan_device_event`).
                let is_on_it = |kind: &LinkKind| matches!(kind, LinkKind::Vlan(vlan) if vlan.lower.as_ref() == Some(name));
                let on_it: Vec<_> = self
                    .links
                    .iter()
                    .filter(|(_, link)| is_on_it(&link.kind))
                    .map(|(name, link)| (name.clone(), link.kind.clone()))
                    .collect();
                on_it.into_iter().try_for_each(|(name, kind)| self.apply(&Op::LinkDel { name, kind }))
            }
            Op::LinkSet { .. } | Op::Bridge(_) | Op::SysctlSet { .. } => self.change_port(op),
            Op::RuleAdd { rule, again } => self.add_rule(rule, *again),
            Op::RuleDel(rule) => self.delete_rule(rule, 1),
            Op::RuleDelDuplicate(rule) => self.delete_rule(rule, 2),
            Op::RuleExpect(rule) => match self.rules.get(&rule.family) {
                Some(rules) if rules.iter().any(|found| found.same(rule)) => Ok(()),
                _ => Err(Errno::EIO),
            },
            Op::RouteAdd(route) => self.add_route(route),
            Op::RouteAppend(route) => {
                let automatic = |found: &Route| found.competes_with(route) && found.is_automatic();
                let (beside, others): (Vec<Route>, Vec<Route>) = self.routes.drain(..).partition(automatic);
                self.routes = others.into();
                let outcome = self.add_route(route);
                self.routes.splice(0..0, beside);
                outcome
            }
            Op::RouteReplace(route) => {
                let former = self.routes.clone();
                self.routes.retain(|found| !found.competes_with(route));
                self.add_route(route).inspect_err(|_| self.routes = former)
            }
            Op::RouteDel(route) => {
                let matching = |found: &Route| found.same(route) && found.protocol == route.protocol;
                let first = self.routes.iter().position(matching).ok_or(Errno::ESRCH)?;
                self.routes.remove(first);
                Ok(())
            }
            Op::RecordSet { key, value } => {
                self.records.insert(key.clone(), value.clone());
                Ok(())
            }
            Op::RecordDel(key) => self.records.remove(key).map(drop).ok_or(Errno::ENOENT),
            Op::AddressAdd { dev, address } => {
                let addresses = self.addresses.entry(dev.clone()).or_default();
                if !self.links.contains_key(dev) {
                    return Err(Errno::ENODEV);
                }
                if addresses.iter().any(|found| found.excludes(address)) {
                    return Err(Errno::EEXIST);
                }
                addresses.push(*address);
                Ok(())
            }
            Op::AddressDel { dev, address } => {
                let addresses = self.addresses.get_mut(dev).ok_or(Errno::EADDRNOTAVAIL)?;
                let place = addresses.iter().position(|found| found.same(address));
                addresses.remove(place.ok_or(Errno::EADDRNOTAVAIL)?);
                Ok(())
            }
            // Concerns more than one namespace: see above.
            Op::VethAdd(_)
            | Op::LinkMove(_)
            | Op::NetnsAdd(_)
            | Op::NetnsDel(_)
            | Op::NetnsLinkSet(_)
            | Op::NetnsLinkDel(_)
            | Op::Nested(_) => Err(Errno::EINVAL),
        }
    }

    /// Adds the rules that the kernel adds with the first VRF of a namespace (drivers/net/vrf.c `vrf_add_fib_rules`). A
    /// rule counts as existing only if its protocol is the same too.
    fn add_l3mdev_rules(&mut self) {
        for family in
            Family::BOTH.into_iter().filter(|family| self.rules.contains_key(family)).collect::<Vec<_>>()
        {
            let _ = self.add_rule(&crate::plan::vrf::layout::kernel_l3mdev(family), false);
        }
    }

    fn add_rule(&mut self, rule: &Rule, again: bool) -> Result<(), Errno> {
        let rules = self.rules.get_mut(&rule.family).ok_or(Errno::EAFNOSUPPORT)?;
        if !again && rules.contains(rule) {
            return Err(Errno::EEXIST);
        }
        let place = rules.iter().position(|found| found.priority > rule.priority).unwrap_or(rules.len());
        rules.insert(place, rule.clone());
        Ok(())
    }

    /// Deletes the first rule that matches, if at least `at_least` rules do the same.
    fn delete_rule(&mut self, rule: &Rule, at_least: usize) -> Result<(), Errno> {
        let rules = self.rules.get_mut(&rule.family).ok_or(Errno::EAFNOSUPPORT)?;
        if rules.iter().filter(|found| found.same(rule)).count() < at_least {
            return Err(Errno::ENOENT);
        }
        // The kernel does not compare attributes that the message does not name (net/core/fib_rules.c
        // `fib_nl_delrule`).
        let fits = |found: &Rule| Rule { selective: rule.selective, ..found.clone() } == *rule;
        let first = rules.iter().position(fits).ok_or(Errno::ENOENT)?;
        rules.remove(first);
        Ok(())
    }

    /// Removes the routes over a link.
    pub(crate) fn lose_routes(&mut self, dev: &IfName) {
        let is_over = |route: &Route| route.dev.as_ref() == Some(dev);
        if self.routes.iter().any(is_over) {
            self.routes.retain(|route| !is_over(route));
        }
    }

    fn add_route(&mut self, route: &Route) -> Result<(), Errno> {
        if route.dev.as_ref().is_some_and(|dev| !self.links.contains_key(dev)) {
            return Err(Errno::ENODEV);
        }
        if route.kind == RouteKind::Unicast && route.via.is_none() && route.dev.is_none() {
            return Err(Errno::EINVAL);
        }
        if self.routes.iter().any(|found| found.competes_with(route)) {
            return Err(Errno::EEXIST);
        }
        self.routes.push(route.clone());
        Ok(())
    }
}

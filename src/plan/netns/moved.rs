//! An interface that moves to another namespace, and is set up there: `netns`.
//!
//! It moves last in ifup, after all executors that work on it outside the namespace, and comes back first in ifdown.

use crate::plan::netns::inside::Inside;
use crate::plan::netns::sysctls::Setting;
use crate::plan::netns::{move_link, namespace, sysctls};
use crate::plan::op::Op;
use crate::plan::{At, Plan, Planner};
use crate::stanza::{Phase, Problem};
use crate::state::{Link, LinkKind, Located, NetnsLink, Place, Query, Record, Role, Snapshot};
use crate::values::{IfName, NetnsRef};

/// `netns`, and the configuration of the interface inside the namespace.
pub struct Moved {
    /// The namespace.
    pub netns: NetnsRef,
    /// The name inside the namespace; without one, the name of the interface.
    pub ifname: Option<IfName>,
    /// Addresses and routes inside the namespace.
    pub inside: Inside,
    /// Kernel parameters inside the namespace.
    pub sysctls: Vec<Setting>,
    /// Whether a namespace of ours stays when it is empty.
    pub keep: bool,
    /// The stanza has IPv6 addresses that the stock executor puts on the interface before it moves.
    pub ipv6_outside: bool,
    /// The kind of link that other executors make of the interface.
    pub made: Made,
}

/// The kind of link that the stock `link` executor makes if the interface does not exist in its namespace.
#[derive(PartialEq)]
pub enum Made {
    /// A dummy link.
    Dummy,
    /// A VLAN.
    Vlan,
    /// Nothing, unless its name says that it is a VLAN.
    ByName,
}

impl Planner for Moved {
    fn acts(&self, phase: Phase) -> bool {
        matches!(phase, Phase::Create | Phase::PreUp | Phase::PostUp | Phase::PreDown | Phase::Destroy)
    }

    fn query(&self, at: At<'_>, query: &mut Query) {
        let (iface, place) = (at.iface, self.place());
        query.located.insert(iface.clone());
        namespace::query(&self.netns, at.phase == Phase::Destroy, query);
        let here = query.here();
        here.links.insert(iface.clone());
        here.records.extend([Record::nested(iface), Record::original(&move_link::ipv6(iface))]);
        here.sysctls.insert(move_link::ipv6(iface));
        if at.phase == Phase::PreDown {
            here.links.extend(move_link::other_names(iface));
        }
        query.at(&place).links.insert(self.inner(iface).clone());
        if matches!(at.phase, Phase::Create | Phase::PostUp | Phase::PreDown) {
            self.inside.query(self.inner(iface), &place, query);
            sysctls::query(&self.sysctls, &place, query);
        }
    }

    fn plan(&self, at: At<'_>, found: &Snapshot) -> Result<Plan, Vec<Problem>> {
        let iface = at.iface;
        match at.phase {
            Phase::PreDown => Ok(self.move_out(iface, found)),
            Phase::Destroy => Ok(self.destroy(iface, found)),
            phase => match (move_link::immovable(iface, found.here()), phase) {
                (Some(why), _) => Err(vec![self.problem(why)]),
                (None, Phase::Create) if self.stays(at, found) => {
                    let mut plan = self.ensure(found)?;
                    plan.append(namespace::keep(&self.netns, iface, self.keep, found));
                    Ok(plan)
                }
                (None, Phase::Create) => self.create(iface, found),
                (None, Phase::PreUp) if self.ipv6_outside => Ok(Plan::default()),
                (None, Phase::PreUp) => Ok(move_link::close(iface, found.here())),
                (None, _) => self.move_in(iface, found),
            },
        }
    }

    fn give_up(&self, at: At<'_>, found: &Snapshot) -> Plan {
        // The interface stays outside. If the stanza is changed or removed next, no later run would turn IPv6 on again.
        let stays = at.phase == Phase::PostUp && found.here().links.contains_key(at.iface);
        if stays { move_link::reopen(at.iface, found.here()) } else { Plan::default() }
    }

    fn assume(&self, iface: &IfName, simulated: &mut Snapshot) {
        let link = |kind| Link { kind, master: None, up: false };
        let here = simulated.here_mut();
        here.links.entry(iface.clone()).or_insert_with(|| link(LinkKind::Physical));
        here.sysctls.insert(move_link::ipv6(iface), "0".to_owned());
        namespace::assume(&self.netns, simulated);
    }
}

impl Moved {
    fn place(&self) -> Place {
        Place::In(self.netns.clone())
    }

    fn inner<'a>(&'a self, iface: &'a IfName) -> &'a IfName {
        self.ifname.as_ref().unwrap_or(iface)
    }

    fn link(&self, iface: &IfName) -> NetnsLink {
        let name = self.inner(iface).clone();
        NetnsLink { iface: iface.clone(), role: Role::Moved, netns: self.netns.clone(), name }
    }

    fn problem(&self, reason: impl std::fmt::Display) -> Problem {
        Problem::new("netns", &self.netns, reason)
    }

    fn ensure(&self, found: &Snapshot) -> Result<Plan, Vec<Problem>> {
        namespace::ensure("netns", &self.netns, found).map_err(|problem| vec![problem])
    }

    /// Whether the interface is in its namespace, under its name.
    fn is_inside(&self, iface: &IfName, found: &Snapshot) -> bool {
        let is_it = |located: &Located| {
            found.is_same(&located.place, &self.place()) && located.name == *self.inner(iface)
        };
        found.located.get(iface).is_some_and(is_it) && !found.here().links.contains_key(iface)
    }

    /// Whether the interface may stay in its namespace for another `ifup`. For a VLAN it has to, if nothing differs:
    /// the stock `link` executor fails when it makes a VLAN that is in another namespace, and ifup may end with that
    /// phase.
    fn stays(&self, at: At<'_>, found: &Snapshot) -> bool {
        let is_vlan = self.made == Made::Vlan || at.iface.as_str().contains('.');
        let is_right = || self.move_in(at.iface, found).is_ok_and(|plan| plan.is_empty());
        self.is_inside(at.iface, found) && (at.alone || is_vlan && is_right())
    }

    /// Makes the namespace. If the interface is already in it (`ifup -f`), moves it back, since the other executors
    /// expect it here.
    fn create(&self, iface: &IfName, found: &Snapshot) -> Result<Plan, Vec<Problem>> {
        let mut plan = self.ensure(found)?;
        plan.append(namespace::keep(&self.netns, iface, self.keep, found));
        let Some(located) = found.located.get(iface) else {
            // An earlier run was stopped before it deleted the former namespace, or the interface is gone.
            let former = self.abandon_former(iface, found);
            if !former.is_empty() && !found.uncertain.contains_key(iface) {
                plan.append(former);
                move_link::forget(iface, found, &mut plan);
            }
            return Ok(plan);
        };
        plan.append(namespace::nested_down(iface, &self.netns, found));
        plan.append(sysctls::restore(&self.sysctls, &self.link(iface), found));
        match found.here().links.get(iface) {
            None => move_link::bring_back(iface, located, &mut plan),
            // A stock executor ran before, did not see the moved link, and made another one.
            Some(link) if link.kind == located.kind && self.makes_another(link) => {
                let del = Op::LinkDel { name: located.name.clone(), kind: located.kind.clone() };
                plan.push_at(&located.place, del, None);
                plan.append(self.abandon_former(iface, found));
                // The record is replaced when the new link moves in.
                return Ok(plan);
            }
            Some(link) => {
                let (kind, inner) = (&link.kind, &located.name);
                let reason = format!(
                    "{iface} is in the namespace as {inner}, and a {kind} of that name exists outside"
                );
                return Err(vec![self.problem(reason + "; rename the one outside")]);
            }
        }
        plan.append(self.abandon_former(iface, found));
        move_link::forget(iface, found, &mut plan);
        Ok(plan)
    }

    /// Whether a stock executor makes such a link without checking whether the stanza has one in a namespace: `link`
    /// makes a dummy, and `wireguard` a link that is down and that it has yet to configure.
    fn makes_another(&self, link: &Link) -> bool {
        let is_wireguard = matches!(&link.kind, LinkKind::Other(kind) if kind == "wireguard");
        self.made == Made::Dummy || is_wireguard && !link.up
    }

    /// Deletes the namespace that the interface leaves, if the stanza names another one by now.
    /// The record of the interface leads there, so it is deleted afterwards.
    fn abandon_former(&self, iface: &IfName, found: &Snapshot) -> Plan {
        let leaving: Vec<&IfName> =
            found.located.get(iface).map(|located| &located.name).into_iter().collect();
        namespace::abandon_former((iface, Role::Moved), Some(&self.netns), &leaving, found)
    }

    /// Moves the interface into the namespace and sets it up. If it is already there, it is only set up.
    fn move_in(&self, iface: &IfName, found: &Snapshot) -> Result<Plan, Vec<Problem>> {
        let (place, inner) = (self.place(), self.inner(iface));
        let mut plan = self.ensure(found)?;
        let inside = found.at(&place);
        let is_here = found.here().links.contains_key(iface);
        match found.located.get(iface) {
            None if !is_here => {
                return Err(vec![self.problem(format!("there is no interface {iface}")).awaiting()]);
            }
            None => {
                if let Some(taken) = inside.links.get(inner) {
                    let reason = format!("a {} named {inner} exists in the namespace", taken.kind);
                    return Err(vec![self.problem(reason + "; choose another name with `netns-ifname`")]);
                }
                plan.append(sysctls::forget(&self.link(iface), found));
                move_link::set_out(self.link(iface), found.here(), &mut plan);
            }
            Some(_) if self.is_inside(iface, found) => {}
            Some(located) => {
                return Err(vec![
                    self.problem(format!("{iface} is in another namespace as {}; ifdown it", located.name)),
                ]);
            }
        }
        plan.append(sysctls::set(&self.sysctls, &self.link(iface), &plan, found));
        if !inside.links.get(inner).is_some_and(|link| link.up) {
            let change = |up| Op::set_up(inner, up);
            plan.push_at(&place, change(true), Some(change(false)));
        }
        plan.append(self.inside.set_up(inner, &place, found)?);
        Ok(plan)
    }

    /// Moves the interface back from its present namespace.
    fn move_out(&self, iface: &IfName, found: &Snapshot) -> Plan {
        let (here, mut plan) = (found.here(), Plan::default());
        if let Some(place) = namespace::place_of(iface, Role::Moved, &self.netns, found) {
            plan.append(self.inside.take_routes(self.inner(iface), &place, found));
        }
        plan.append(sysctls::restore(&self.sysctls, &self.link(iface), found));
        let Some(located) = found.located.get(iface) else {
            if let Some(what) = found.uncertain.get(iface) {
                plan.warnings.push(format!("not changed: {what}"));
            }
            plan.append(self.abandon_former(iface, found));
            move_link::forget(iface, found, &mut plan);
            return plan;
        };
        let mut names = std::iter::once(iface.clone()).chain(move_link::other_names(iface));
        let Some(name) = names.find(|name| !here.links.contains_key(name)) else {
            plan.warnings
                .push(format!("{iface} stays in {}: its name and nine others are taken", self.netns));
            return plan;
        };
        if name != *iface {
            plan.warnings.push(format!(
                "another {iface} exists; the interface that returns from {} is named {name}",
                self.netns
            ));
        }
        move_link::bring_back(&name, located, &mut plan);
        plan.append(self.abandon_former(iface, found));
        move_link::forget(iface, found, &mut plan);
        plan
    }

    /// Turns IPv6 on again, and deletes the namespace after its last user.
    fn destroy(&self, iface: &IfName, found: &Snapshot) -> Plan {
        let mut plan = move_link::reopen(iface, found.here());
        plan.append(namespace::leave(&self.netns, iface, self.keep, &[], found));
        plan
    }
}

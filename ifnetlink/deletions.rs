//! The order of the steps: links of different stanzas are deleted one after the other, so that the kernel can delete
//! them together. It waits each time until nothing uses a deleted link any more (net/core/dev.c
//! `unregister_netdevice_many_notify`), which takes longer than all other steps.

use crate::pending::Changes;
use ifupdown_ng_netlink::plan::op::{LinkChange, Op};
use ifupdown_ng_netlink::plan::{Plan, Step};
use ifupdown_ng_netlink::state::{Place, Route, Shared};
use ifupdown_ng_netlink::values::{IfName, NetnsRef};
use std::collections::BTreeSet;

/// All steps in the order in which they are made, and the interface of each. Left out are steps whose object goes with a
/// link that is deleted anyway.
pub fn in_sequence(changes: &Changes) -> (Plan, Vec<&IfName>) {
    let (first, removals) = changes.steps.split_at(changes.removals);
    let mut all = Steps::new();
    for (iface, plan) in first {
        all.extend(plan.steps.iter().map(|step| (iface, step.clone())));
    }
    let mut group = Group::default();
    for (iface, plan) in removals {
        let removal = Removal::new(iface, &plan.steps);
        if !group.takes(&removal) {
            std::mem::take(&mut group).end(&mut all);
        }
        group.add(removal);
    }
    group.end(&mut all);
    let (ifaces, steps) = all.into_iter().unzip();
    let warnings = changes.steps.iter().flat_map(|(_, plan)| plan.warnings.clone()).collect();
    (Plan { steps, warnings }, ifaces)
}

type Steps<'a> = Vec<(&'a IfName, Shared<Step>)>;

/// The steps of one stanza: those before the first deletion of a link, the deletion, and those after it.
struct Removal<'a> {
    before: Steps<'a>,
    deletion: Option<(&'a IfName, Shared<Step>)>,
    after: Steps<'a>,
}

impl<'a> Removal<'a> {
    fn new(iface: &'a IfName, steps: &[Shared<Step>]) -> Self {
        let is_deletion =
            |step: &Shared<Step>| step.act.at == Place::Here && matches!(step.act.op, Op::LinkDel { .. });
        let mut before: Steps<'a> = steps.iter().map(|step| (iface, step.clone())).collect();
        let Some(place) = steps.iter().position(is_deletion) else {
            return Self { before, deletion: None, after: Vec::new() };
        };
        let after = before.split_off(place + 1);
        let deletion = before.pop();
        if let Some(Op::LinkDel { name, .. }) = deletion.as_ref().map(|(_, step)| &step.act.op) {
            before.retain(|(_, step)| !goes_with(name, &after, step));
        }
        Self { before, deletion, after }
    }
}

/// Whether all that a step does is done by the deletion of this link too, or of its namespace after it.
fn goes_with(link: &IfName, after: &Steps<'_>, Step { act, .. }: &Step) -> bool {
    let only_down = LinkChange { up: Some(false), ..LinkChange::default() };
    let is_here = act.at == Place::Here;
    match &act.op {
        Op::AddressDel { dev, .. } => is_here && dev == link,
        Op::LinkSet { name, change } => is_here && name == link && *change == only_down,
        // A process may keep a namespace alive, but the link in it goes with the other end.
        Op::RouteDel(Route { dev: Some(dev), .. }) => {
            is_here && dev == link || after.iter().any(|(_, step)| deletes(step, &act.at))
        }
        _ => false,
    }
}

fn deletes(step: &Step, place: &Place) -> bool {
    matches!((&step.act.op, place), (Op::NetnsDel(name), Place::In(NetnsRef::Name(of))) if name == of)
}

/// Removals whose links are deleted together.
#[derive(Default)]
struct Group<'a> {
    before: Steps<'a>,
    deletions: Steps<'a>,
    after: Steps<'a>,
    /// The links of the deletions and of what follows them.
    links: BTreeSet<(Place, IfName)>,
    /// The namespaces that are deleted.
    netns: BTreeSet<Place>,
}

impl<'a> Group<'a> {
    /// Whether the steps before a deletion can be made before the deletions of this group, and what follows them.
    fn takes(&self, removal: &Removal<'_>) -> bool {
        removal.before.iter().all(|(_, step)| {
            let act = &step.act;
            let is_of_links = matches!(
                act.op,
                Op::RouteDel(_) | Op::AddressDel { .. } | Op::LinkSet { .. } | Op::Bridge(_)
            );
            let is_free =
                |link: &(Place, IfName)| !self.links.contains(link) && !self.netns.contains(&link.0);
            is_of_links && !self.netns.contains(&act.at) && act.links().iter().all(is_free)
        })
    }

    fn add(&mut self, removal: Removal<'a>) {
        for (_, step) in removal.deletion.iter().chain(&removal.after) {
            let act = &step.act;
            self.links.extend(act.links());
            if let Op::NetnsDel(name) = &act.op {
                self.netns.insert(Place::In(NetnsRef::Name(name.clone())));
            }
        }
        self.before.extend(removal.before);
        self.deletions.extend(removal.deletion);
        self.after.extend(removal.after);
    }

    fn end(self, all: &mut Steps<'a>) {
        all.extend(self.before);
        all.extend(self.deletions);
        all.extend(self.after);
    }
}

#[cfg(test)]
mod tests {
    use super::in_sequence;
    use crate::pending::Changes;
    use ifupdown_ng_netlink::plan::Plan;
    use ifupdown_ng_netlink::plan::op::Op;
    use ifupdown_ng_netlink::state::{LinkAddress, LinkKind, Place};
    use ifupdown_ng_netlink::values::{IfName, NetnsRef};
    use std::collections::BTreeSet;

    fn name(text: &str) -> IfName {
        text.parse().unwrap()
    }

    fn del(text: &str) -> Op {
        Op::LinkDel { name: name(text), kind: LinkKind::Other("veth".to_owned()) }
    }

    fn plan(ops: &[(&Place, Op)]) -> Plan {
        let mut plan = Plan::default();
        for (at, op) in ops {
            plan.push_at(at, op.clone(), None);
        }
        plan
    }

    /// The steps of these plans, which all remove something.
    fn steps(plans: &[(&IfName, Plan)]) -> Vec<String> {
        let changes = Changes {
            pending: Vec::new(),
            steps: plans.iter().map(|(iface, plan)| ((*iface).clone(), plan.clone())).collect(),
            removals: 0,
            again: BTreeSet::new(),
            absent: BTreeSet::new(),
            unknown: None,
        };
        let (plan, ifaces) = in_sequence(&changes);
        ifaces.iter().zip(&plan.steps).map(|(iface, step)| format!("{iface}: {}", step.act)).collect()
    }

    fn netns(text: &str) -> Place {
        Place::In(NetnsRef::Name(text.to_owned()))
    }

    #[test]
    fn links_of_several_stanzas_are_deleted_one_after_the_other() {
        let pair = |iface: &str, blue: &str| {
            let address = LinkAddress::ours("10.0.0.1/24".parse().unwrap());
            plan(&[
                (&netns(blue), Op::set_up(&name("inner"), false)),
                (&Place::Here, Op::AddressDel { dev: name(iface), address }),
                (&Place::Here, Op::set_up(&name(iface), false)),
                (&Place::Here, del(iface)),
                (&Place::Here, Op::NetnsDel(blue.to_owned())),
            ])
        };
        let (w1, w2) = (name("w1"), name("w2"));
        assert_eq!(
            steps(&[(&w2, pair("w2", "two")), (&w1, pair("w1", "one"))]),
            [
                "w2: ip -n two link set inner down",
                "w1: ip -n one link set inner down",
                "w2: ip link del w2 type veth",
                "w1: ip link del w1 type veth",
                "w2: ip netns del two",
                "w1: ip netns del one",
            ]
        );
    }

    #[test]
    fn what_needs_a_deletion_before_it_follows_it() {
        let (w1, w2) = (name("w1"), name("w2"));
        // A step on the other link.
        let other = Op::set_master(&w1, Some(&name("br0")));
        let first = plan(&[(&Place::Here, del("w1"))]);
        let second = plan(&[(&Place::Here, other), (&Place::Here, del("w2"))]);
        assert_eq!(
            steps(&[(&w1, first), (&w2, second)]),
            ["w1: ip link del w1 type veth", "w2: ip link set w1 master br0", "w2: ip link del w2 type veth"]
        );
        // A namespace is deleted after a link, and something is in it.
        let first = plan(&[(&Place::Here, del("w1")), (&Place::Here, Op::NetnsDel("blue".to_owned()))]);
        let second = plan(&[(&netns("blue"), Op::set_up(&name("inner"), false)), (&Place::Here, del("w2"))]);
        let expected = [
            "w1: ip link del w1 type veth",
            "w1: ip netns del blue",
            "w2: ip -n blue link set inner down",
            "w2: ip link del w2 type veth",
        ];
        assert_eq!(steps(&[(&w1, first), (&w2, second)]), expected);
    }
}

//! Compares the model of the kernel that plans are tried on (`src/model/`) with the kernel: random stanzas in random
//! states. Each change of their plans is made to both, and their states are then compared. At the end of each phase,
//! the state that our own reader gives is also compared with `ip` and `bridge`.
//!
//! `IFNL_STANZAS` says how many random stanzas of each program, new ones each time; without it a few, the same each
//! time. The printed line is read by tests/lane/faults.

#[path = "../../executors/all.rs"]
mod all;
#[path = "../plain/asked.rs"]
mod asked;
#[path = "../plain/faulty.rs"]
mod faulty;
#[path = "../plain/interfaces.rs"]
mod interfaces;
#[path = "../plain/notation.rs"]
mod notation;
#[path = "../plain/notation_bridge.rs"]
mod notation_bridge;
#[path = "../plain/notation_write.rs"]
mod notation_write;
#[path = "../plain/random.rs"]
mod random;

mod judge;
mod start;

use crate::features::{Feature, needs};
use crate::lab::{born_with_a_namespace, command, in_lab, own_run};
use all::ALL;
use ifupdown_ng_netlink::kernel::live::Live;
use ifupdown_ng_netlink::kernel::{Kernel as _, Refusal};
use ifupdown_ng_netlink::model::Simulated;
use ifupdown_ng_netlink::plan::op::{Act, BridgeOp, Op};
use ifupdown_ng_netlink::plan::{At, Plan, Step};
use ifupdown_ng_netlink::stanza::Phase;
use ifupdown_ng_netlink::state::{Place, Query, Shared, Snapshot, TableRef};
use interfaces::{End, Interface};
use judge::{as_ip_shows, as_modelled, written};
use libtest_mimic::Trial;
use nix::errno::Errno;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config, TestRunner};
use start::State;
use std::collections::BTreeSet;

pub fn tests() -> Vec<Trial> {
    ALL.iter()
        .enumerate()
        // Another program does its work.
        .filter(|(_, program)| program.name != "netns-interfaces")
        .map(|(which, program)| {
            let mut features = vec![Feature::Root];
            features.extend(program.name.starts_with("vrf").then_some(Feature::Vrf));
            let has_vlans = program.name.starts_with("bridge") || program.name == "link";
            features.extend(has_vlans.then_some(Feature::Vlan));
            needs(&features, format!("compared/{}", program.name), move || compared(which))
        })
        .collect()
}

fn compared(which: usize) {
    let wanted = std::env::var("IFNL_STANZAS").ok().map(|number| number.parse().unwrap());
    let config = Config { failure_persistence: None, ..Config::default() };
    // The few are always the same ones.
    let mut runner = if wanted.is_some() { TestRunner::new(config) } else { TestRunner::deterministic() };
    let wanted = wanted.unwrap_or(1);
    let cases = (random::case_of(which), random::case_of(which), start::state());
    let (mut stanzas, mut changes) = (0, 0);
    // Many stanzas cannot be brought up in many of the states.
    for _ in 0..wanted * 200 {
        if stanzas == wanted {
            break;
        }
        let (former, case, state) = cases.new_tree(&mut runner).unwrap().current();
        if !can_be(&case) || !can_be(&former) {
            continue;
        }
        let made = in_lab(|| {
            own_run();
            let [Some(former), Some(interface)] = [former.interface(), case.interface()] else { return 0 };
            let both = Both::new([&former, &interface], &state);
            let made = both.try_all(&former, &interface, &state);
            made.unwrap_or_else(|why| panic!("{state:?}\nfirst {}then {}{why}", former.text, interface.text))
        });
        if made > 0 {
            (stanzas, changes) = (stanzas + 1, changes + made);
        }
    }
    // The first difference ends the test.
    println!("compared {} {stanzas} {stanzas}, {changes} changes", ALL[which].name);
    assert!(stanzas > 0, "no stanza could be brought up");
}

/// Whether the test can use a stanza: it can be brought up, but no process 4711 and no table name exist here. It leaves
/// out routes that name no device, since the kernel chooses one, and FDB entries that name no VLAN, since the kernel
/// adds them in all of them; also multicast forwarding, which the kernel lets nobody change, and an MTU that is larger
/// than that of the link below.
fn can_be(case: &random::Case) -> bool {
    case.interface().is_some_and(|interface| {
        let mut model = faulty::Faulty::new(case.start(&interface));
        !["4711", "named", "via 10.0.0.7,", "bridge-fdb", "-mc yes", "mtu 9000"]
            .iter()
            .any(|word| interface.text.contains(word))
            && interface.up(&mut model) == End::Done
    })
}

fn is_unreachable(refusal: &Refusal) -> bool {
    matches!(refusal.errno, Some(Errno::ENETDOWN | Errno::ENETUNREACH | Errno::EHOSTUNREACH))
}

/// The model and the kernel.
struct Both {
    model: Simulated,
    kernel: Live,
    /// Everything that the stanzas query, and more.
    query: Query,
    /// Links that the kernel created by itself.
    born: BTreeSet<String>,
    made: usize,
    /// Whether a bridge that lost its last port refused a VLAN.
    lost_address: bool,
}

impl Both {
    fn new(interfaces: [&Interface; 2], state: &State) -> Self {
        let needed = |interface: &Interface| {
            let simulated = interface.configuration.simulated(&interface.name, Phase::Create);
            simulated.here().links.contains_key(&interface.name)
        };
        state.set_up(interfaces.into_iter().any(needed).then_some(&interfaces[1].name));
        let mut query = Query::default();
        for interface in interfaces {
            for phase in Phase::UP.into_iter().chain(Phase::DOWN) {
                let at = At { iface: &interface.name, phase, alone: false };
                interface.configuration.query(at, &mut query);
            }
        }
        for wants in query.places.values_mut() {
            (wants.all_links, wants.vrfs.all, wants.rules) = (true, true, true);
            wants.routes.insert(TableRef::Ours);
            wants.bridging.links = true;
            wants.bridging.all_vlans = true;
        }
        Self {
            model: Simulated::default(),
            kernel: Live::default(),
            query,
            born: born_with_a_namespace(),
            made: 0,
            lost_address: false,
        }
    }

    fn look(&mut self) -> Snapshot {
        self.kernel.read(&self.query).unwrap()
    }

    /// Makes a change to both; returns whether it succeeded.
    fn make(&mut self, act: &Act) -> Result<bool, String> {
        let before = self.model.clone();
        let outcomes = [self.model.apply(act), self.kernel.apply(act)];
        self.made += 1;
        match &outcomes {
            [Ok(()), Ok(())] | [Err(_), Err(_)] => {}
            // The model does not know which gateways can be reached.
            [Ok(()), Err(refusal)]
                if matches!(act.op, Op::RouteAdd(_) | Op::RouteReplace(_)) && is_unreachable(refusal) =>
            {
                self.model = before;
            }
            // A bridge that has lost its last port has no address, and so no FDB entry for one (net/bridge/br_fdb.c
            // `fdb_add_local`).
            [Ok(()), Err(Refusal { errno: Some(Errno::EINVAL), .. })]
                if self.is_vlan_of_empty_bridge(act) =>
            {
                self.model = before;
                self.lost_address = true;
            }
            [model, kernel] => return Err(format!("{act}: {model:?} on the model, {kernel:?} here")),
        }
        let found = self.look();
        let (model, kernel) =
            (written(&self.model.0), written(&as_modelled(found, &self.model.0, &self.born)));
        if model != kernel {
            let only = |mark, these: &[String], those: &[String]| {
                let only = these.iter().filter(|line| !those.contains(line));
                only.map(|line| format!("{mark} {line}")).collect::<Vec<_>>()
            };
            let lines =
                [only("model: ", &model, &kernel), only("kernel:", &kernel, &model)].concat().join("\n");
            return Err(format!("{act}: {:?}\n{lines}", outcomes[1]));
        }
        Ok(outcomes[1].is_ok())
    }

    /// Whether a change puts a bridge without ports into a VLAN.
    fn is_vlan_of_empty_bridge(&self, act: &Act) -> bool {
        let bridge = match &act.op {
            Op::Bridge(BridgeOp::Set { bridge, options }) if options.default_pvid.is_some() => bridge,
            Op::Bridge(BridgeOp::VlanAdd { device, .. }) if device.is_bridge => &device.name,
            _ => return false,
        };
        self.model.0.at(&act.at).members(bridge).next().is_none()
    }

    fn plan(&mut self, interface: &Interface, phase: Phase) -> Option<Plan> {
        let at = At { iface: &interface.name, phase, alone: false };
        let mut query = Query::default();
        interface.configuration.query(at, &mut query);
        let found = self.kernel.read(&query).unwrap();
        match interface.configuration.plan(at, &found) {
            Ok(plan) => Some(plan),
            Err((plan, _)) => phase.is_down().then_some(plan),
        }
    }

    /// One phase; on the way up it is rolled back and made again. Returns whether all of it succeeded.
    fn phase(&mut self, interface: &Interface, phase: Phase) -> Result<bool, String> {
        if let Phase::Up | Phase::Down = phase {
            command(&format!("ip link set {} {phase}", interface.name));
        }
        // Another program runs ifup inside the namespace.
        let Some(plan) = self.plan(interface, phase) else { return Ok(false) };
        if plan.steps.iter().any(|step| matches!(step.act.op, Op::Nested(_))) {
            return Ok(false);
        }
        self.model = Simulated(self.look());
        let before = written(&self.model.0);
        let mut done = 0;
        for step in &plan.steps {
            if !self.make(&step.act)? && !phase.is_down() {
                break;
            }
            done += 1;
        }
        if !phase.is_down() {
            let undo = plan.steps[..done].iter().rev().flat_map(|step| &step.undo);
            self.lost_address = false;
            for act in undo {
                self.make(act).map_err(|why| format!("{phase}, taking back {why}"))?;
            }
            let can_be_taken_back = |step: &Shared<Step>| !step.undo.is_empty();
            let all_taken_back = !self.lost_address && plan.steps[..done].iter().all(can_be_taken_back);
            // The rules that the kernel added with the first VRF stay.
            let without_kernel_rules = |lines: Vec<String>| -> Vec<String> {
                lines
                    .into_iter()
                    .filter(|line| !line.ends_with(" pref 1000 l3mdev protocol kernel"))
                    .collect()
            };
            let [now, before] = [written(&self.look()), before].map(without_kernel_rules);
            if all_taken_back && now != before {
                return Err(format!("{phase} rolled back, {now:#?}\nis not {before:#?}"));
            }
            if done < plan.steps.len() {
                return Ok(false);
            }
            for step in &plan.steps {
                self.make(&step.act).map_err(|why| format!("{phase} once more, {why}"))?;
            }
        }
        if !plan.is_empty() {
            let found = self.look();
            as_ip_shows(&found, &Place::Here).map_err(|why| format!("{phase}: {why}"))?;
        }
        Ok(true)
    }

    /// Both stanzas up, the second one down; returns the number of changes.
    fn try_all(mut self, former: &Interface, interface: &Interface, state: &State) -> Result<usize, String> {
        // Not always to the end of its ifup.
        for phase in Phase::UP.into_iter().take(state.former) {
            if !self.phase(former, phase)? {
                break;
            }
        }
        for phase in Phase::UP {
            if !self.phase(interface, phase)? {
                break;
            }
        }
        for phase in Phase::DOWN {
            self.phase(interface, phase)?;
        }
        Ok(self.made)
    }
}

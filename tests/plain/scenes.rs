//! Phases for fault injection: those of all examples, of all plans, and of random stanzas.

use super::all::ALL;
use super::asked::asked_for;
use super::faulty::Faulty;
use super::interfaces::{End, Interface};
use super::random::case;
use super::{notation, support};
use ifupdown_ng_netlink::plan::At;
use ifupdown_ng_netlink::program::executor::Program;
use ifupdown_ng_netlink::stanza::Phase;
use ifupdown_ng_netlink::stanza::environment::Found;
use ifupdown_ng_netlink::state::{Details, NetnsLink, Peer, Place, Query, Role, Snapshot, State};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::fs;
use std::path::Path;
use std::rc::Rc;

/// One phase of a stanza, with the state of the kernel before it.
pub struct Scene {
    /// The program that reads the stanza.
    pub program: &'static Program,
    /// The stanza.
    pub interface: Rc<Interface>,
    /// The phase.
    pub phase: Phase,
    /// The state before the phase.
    pub before: Snapshot,
    /// The states before the stanza is up, when it is up, and when it is down again, if known.
    pub ends: Option<Rc<[Snapshot; 3]>>,
    /// Objects of other programs.
    pub noise: State,
}

/// A stanza as text and its interface.
type Written = (String, Vec<(String, String)>);

/// The stanzas of an interfaces file. Lines that ifupdown-ng joins are joined.
fn stanzas(text: &str) -> Vec<Written> {
    let mut all: Vec<Written> = Vec::new();
    let joined = text.replace("\\\n", " ");
    for line in joined.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match (word, all.last_mut()) {
            ("auto" | "", _) => {}
            ("iface", _) => {
                all.push((rest.split_whitespace().next().unwrap_or_default().to_owned(), Vec::new()));
            }
            ("address" | "gateway", Some((_, keywords))) => {
                let all = format!("{word}{}", if word == "address" { "es" } else { "s" });
                match keywords.iter_mut().find(|(keyword, _)| *keyword == all) {
                    Some((_, value)) => *value = format!("{value} {}", rest.trim()),
                    None => keywords.push((all, rest.trim().to_owned())),
                }
            }
            (_, Some((_, keywords))) => keywords.push((word.to_owned(), rest.trim().to_owned())),
            (_, None) => {}
        }
    }
    all
}

/// All phases of a stanza that can go up from this state.
fn round(program: &'static Program, interface: Interface, start: Snapshot, noise: &State) -> Vec<Scene> {
    let interface = Rc::new(interface);
    let mut kernel = Faulty::new(start.clone());
    if interface.up(&mut kernel) != End::Done {
        return Vec::new();
    }
    let up = kernel.snapshot().clone();
    assert_eq!(interface.down(&mut kernel), End::Done, "{}", interface.text);
    let ends = Rc::new([start.clone(), up, kernel.snapshot().clone()]);
    let mut kernel = Faulty::new(start);
    let scene = |phase, kernel: &mut Faulty| {
        interface.link(phase, kernel);
        let before = kernel.snapshot().clone();
        assert_eq!(interface.phase(phase, kernel), End::Done, "{}{phase}", interface.text);
        let (interface, ends) = (interface.clone(), Some(ends.clone()));
        Scene { program, interface, phase, before, ends, noise: noise.clone() }
    };
    Phase::UP.into_iter().chain(Phase::DOWN).map(|phase| scene(phase, &mut kernel)).collect()
}

/// Every stanza in interfaces.d, with each program that reads any of its keywords.
fn of_examples() -> Vec<Scene> {
    let mut scenes = Vec::new();
    let texts = support::files("interfaces.d", "")
        .into_iter()
        .filter(|path| !path.to_string_lossy().contains("/etc/"));
    for (name, keywords) in texts.flat_map(|path| stanzas(&fs::read_to_string(path).unwrap())) {
        for program in ALL {
            let read =
                |(keyword, _): &(String, String)| program.keywords().any(|known| known.name == keyword);
            let pairs: Vec<(&str, &str)> = keywords.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
            let interface = Interface::new(program, &name, &pairs).filter(|_| keywords.iter().any(read));
            let Some(interface) = interface else { continue };
            let mut start = interface.configuration.simulated(&interface.name, Phase::Create);
            let state = start.here_mut();
            *state = std::mem::take(state).with_default_rules();
            state.links.get_mut(&interface.name).into_iter().for_each(|link| link.up = false);
            scenes.extend(round(program, interface, start, &State::default()));
        }
    }
    scenes
}

/// Every case in tests/plans that has a plan.
fn of_plans() -> Vec<Scene> {
    let mut scenes = Vec::new();
    for env in support::files("tests/plans", "/env") {
        let case = env.parent().unwrap();
        scenes.extend(of_plan(case));
    }
    scenes
}

fn of_plan(case: &Path) -> Option<Scene> {
    let read = |name| fs::read_to_string(case.join(name)).unwrap();
    let name = case.parent()?.file_name()?.to_str()?;
    let program: &Program = ALL.iter().find(|program| program.name == name)?;
    let env = read("env");
    let variables = env.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    let found = Found::in_environment(variables.map(|(name, value)| (name.into(), value.into())));
    let invocation = found.invocation().unwrap();
    let pairs: Vec<_> = found.keywords.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let interface = Interface::new(program, invocation.iface.as_str(), &pairs)?;
    let (phase, mut before) = (invocation.phases[0], notation::parse(&read("kernel")));
    tie_pairs(&mut before);
    let mut query = Query::default();
    let at = At { iface: &interface.name, phase, alone: false };
    interface.configuration.query(at, &mut query);
    interface.configuration.plan(at, &asked_for(&query, &before)).ok()?;
    let interface = Rc::new(interface);
    let mut kernel = Faulty::new(before.clone());
    let (program, noise) = (*ALL.iter().find(|known| known.name == program.name)?, State::default());
    // The state of a case may be one in which its plan would fail.
    (interface.phase(phase, &mut kernel) == End::Done).then_some(Scene {
        program,
        interface,
        phase,
        before,
        ends: None,
        noise,
    })
}

/// Turns the links that are recorded as pairs into pairs: the notation has no indexes.
fn tie_pairs(found: &mut Snapshot) {
    for (n, (_, record)) in (1..).zip(found.netns_links.clone()) {
        let NetnsLink { iface, role: Role::Peer, netns, name } = record.link else { continue };
        let there = Place::In(netns);
        if found.here().links.contains_key(&iface) && found.at(&there).links.contains_key(&name) {
            for (place, link, index) in [(Place::Here, iface, 2 * n), (there, name, 2 * n + 1)] {
                let peer = Some(Peer { index: index ^ 1, nsid: None });
                let details = Details { index, mac: None, mtu: 1500, alias: None, peer };
                found.places.entry(place).or_default().details.entry(link).or_insert(details);
            }
        }
    }
}

/// Random stanzas in random states, always the same ones.
fn at_random(stanzas: usize) -> Vec<Scene> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[73; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let (mut scenes, mut found) = (Vec::new(), 0);
    while found < stanzas {
        let case = case().new_tree(&mut runner).unwrap().current();
        let Some(interface) = case.interface() else { continue };
        let start = case.start(&interface);
        let of_case = round(case.program(), interface, start, &case.noise());
        found += usize::from(!of_case.is_empty());
        scenes.extend(of_case);
    }
    scenes
}

/// All of them, with this number of random stanzas.
pub fn all(random: usize) -> Vec<Scene> {
    [of_examples(), of_plans(), at_random(random)].into_iter().flatten().collect()
}

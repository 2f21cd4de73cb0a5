//! How the environment is read before any keyword is parsed.

use ifupdown_ng_netlink::stanza::environment::{Found, Mode};
use ifupdown_ng_netlink::stanza::{Phase, Stanza, Stanzas, canonical};
use ifupdown_ng_netlink::values::{IfName, Switch};
use proptest::prelude::*;

fn found(variables: &[(&str, &str)]) -> Found {
    Found::in_environment(variables.iter().map(|(name, value)| (name.into(), value.into())))
}

#[test]
fn empty_variables_count_as_absent_and_blanks_are_trimmed() {
    let found = found(&[
        ("IFACE", "red"),
        ("PHASE", "create"),
        ("MOCK", ""),
        ("VERBOSE", ""),
        ("IF_A_B", " x y \t"),
        ("IF_C", ""),
        ("IF_D", "  "),
    ]);
    let invocation = found.invocation().unwrap();
    assert_eq!((invocation.mode, invocation.verbose, invocation.by_hand), (Mode::Apply, false, false));
    let stanza = &invocation.stanza;
    assert_eq!((stanza.text("a-b"), stanza.text("c"), stanza.text("d")), (Some("x y"), None, None));
    assert!(stanza.uses(["c", "a-b"]) && !stanza.uses(["c", "d", "a_b"]));
}

#[test]
fn mock_and_verbose_are_set_by_any_value() {
    let invocation =
        found(&[("IFACE", "red"), ("PHASE", "up"), ("MOCK", "echo"), ("VERBOSE", "1")]).invocation().unwrap();
    assert_eq!((invocation.mode, invocation.verbose, invocation.phases), (Mode::Mock, true, vec![Phase::Up]));
}

#[test]
fn all_that_is_missing_or_wrong_is_told() {
    let lines = |variables: &[(&str, &str)]| found(variables).invocation().unwrap_err();
    assert_eq!(
        lines(&[]),
        ["IFACE is not set; run by ifup, or see --help", "PHASE is not set; run by ifup, or see --help"]
    );
    assert_eq!(
        lines(&[("IFACE", "a/b"), ("PHASE", "x")]),
        ["IFACE \"a/b\": not an interface name: contains '/'", "PHASE \"x\": not a phase"]
    );
}

#[test]
fn phases_are_spelled_as_ifupdown_spells_them() {
    for phase in Phase::UP.into_iter().chain(Phase::DOWN).chain([Phase::Depend]) {
        assert_eq!(phase.to_string().parse(), Ok(phase));
    }
    assert!(
        Phase::DOWN.iter().all(|phase| phase.is_down()) && Phase::UP.iter().all(|phase| !phase.is_down())
    );
}

#[test]
fn problems_are_collected_and_taken_once() {
    let stanza = Stanza::new([("a", "maybe"), ("b", "yes"), ("c", "never")]);
    assert_eq!(
        [stanza.get::<Switch>("a"), stanza.get("b"), stanza.get("c")],
        [None, Some(Switch(true)), None]
    );
    assert_eq!(stanza.get::<Switch>("d"), None);
    let problems: Vec<String> = stanza.take_problems().iter().map(ToString::to_string).collect();
    assert_eq!(problems, ["a maybe: neither yes nor no", "c never: neither yes nor no"]);
    assert!(stanza.take_problems().is_empty());
}

/// The output of `ifquery -L -P` of 0.12.1; that of 0.11.4 differs in the order of interfaces.
const IFQUERY: &str = "\
auto lo
iface lo
  use link
  use loopback

template tmpl
  use link
  vrf-member blue
  use vrf

auto eth0
iface eth0
  use link
  inherit tmpl
  vrf-member blue
  use vrf
  vrf-member red
  use static
  address 10.0.0.1/24
  address fd00::1/64
  gateway 10.0.0.254
  gateway fd00::2
  bridge_vlan 10 pvid
  bridge-vlan 20
  mtu 1500  \n
iface br0 no-defaults
  use link
  requires eth0 
  bridge-vlan-aware yes
  use bridge

iface br1
  bridge-ports eth1
  requires eth0
  use bridge-vlan
";

/// A line `auto` begins a stanza without an end for the one before, whose addresses are completed here.
#[test]
fn addresses_are_handed_over_with_their_prefixes() {
    let file = "iface eth0\n  address 192.0.2.1\n  address fd00::1\n  netmask 255.255.255.240\n  gateway 192.0.2.2\nauto eth1\n\
                iface eth1\n  address 192.0.2.3\n  address fd00::3/80\nauto eth2\n";
    let stanzas = Stanzas::parse(file);
    let handed = |iface: &str, keyword: &str| {
        let stanza = stanzas.environment(&iface.parse().unwrap()).unwrap();
        stanza.text(keyword).map(str::to_owned)
    };
    assert_eq!(handed("eth0", "addresses").as_deref(), Some("192.0.2.1/28 fd00::1/28"));
    assert_eq!(handed("eth0", "address").as_deref(), Some("192.0.2.1/28"));
    assert_eq!(handed("eth0", "gateways").as_deref(), Some("192.0.2.2"));
    assert_eq!(handed("eth1", "addresses").as_deref(), Some("192.0.2.3/24 fd00::3/80"));
}

#[test]
fn a_stanza_of_ifquery_is_the_environment_that_ifup_makes() {
    let stanzas = Stanzas::parse(IFQUERY);
    assert_eq!(stanzas.interfaces().collect::<Vec<_>>(), ["br0", "br1", "eth0", "lo"]);
    assert!(stanzas.is_auto("eth0") && !stanzas.is_auto("br0") && !stanzas.is_auto("tmpl"));
    let name = |name: &str| name.parse::<IfName>().unwrap();
    let executors: Vec<_> = stanzas.executors(&name("eth0")).collect();
    assert_eq!(executors, ["link", "vrf", "static"]);
    let eth0 = stanzas.environment(&name("eth0")).unwrap();
    for (keyword, value) in [
        ("vrf-member", "red"),
        ("address", "10.0.0.1/24"),
        ("addresses", "10.0.0.1/24 fd00::1/64"),
        ("gateway", "10.0.0.254"),
        ("gateways", "10.0.0.254 fd00::2"),
        ("bridge-vlan", "10 pvid, 20"),
        ("mtu", "1500"),
    ] {
        assert_eq!(eth0.text(keyword), Some(value), "{keyword}");
    }
    assert_eq!(stanzas.environment(&name("br0")).unwrap().text("bridge-ports"), Some("eth0"));
    assert_eq!(stanzas.environment(&name("br1")).unwrap().text("bridge-ports"), Some("eth1"));
    assert!(stanzas.environment(&name("tmpl")).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_environment_is_sorted_without_a_panic(variables in prop::collection::vec((any::<String>(), any::<String>()), 0..8)) {
        let found = Found::in_environment(variables.iter().map(|(name, value)| (name.into(), value.into())));
        let _ = found.invocation();
        found.stanza();
    }

    #[test]
    fn the_canonical_spelling_is_its_own(keyword in any::<String>()) {
        let once = canonical(&keyword);
        prop_assert_eq!(canonical(&once), once);
    }

    #[test]
    fn a_problem_is_one_line(value in any::<String>()) {
        let stanza = Stanza::new([("a", value)]);
        stanza.reject("a", "no");
        let line = stanza.take_problems()[0].to_string();
        prop_assert!(!line.chars().any(char::is_control), "{line:?}");
    }
}

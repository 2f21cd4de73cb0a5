//! `depend`: if it fails for one interface, ifupdown-ng configures no interface at all, and its output becomes
//! interface names.

use super::all::ALL;
use super::support::{Ran, command, run};
use super::variable::variable;
use ifupdown_ng_netlink::stanza::environment::Found;
use ifupdown_ng_netlink::values::IfName;
use proptest::prelude::*;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

/// The most that ifupdown-ng reads, in one `read` (execute.c).
const MOST: usize = 1023;

/// The keywords that name interfaces, with the output for one name.
fn naming() -> Vec<(&'static str, String)> {
    let names = |(program, keyword): (&'static str, &str)| {
        let variable = variable(keyword);
        let ran = run(command(program, [("IFACE", "eth0"), ("PHASE", "depend"), (&variable, "other0")]));
        (ran.out == "other0\n").then_some((program, variable))
    };
    let keywords =
        ALL.iter().flat_map(|program| program.keywords().map(|keyword| (program.name, keyword.name)));
    keywords.filter_map(names).collect()
}

#[test]
fn the_vrf_of_a_member_comes_first() {
    let naming = naming();
    for expected in
        [("vrf-table", "IF_VRF_MEMBER"), ("vrf-table", "IF_VRF"), ("vrf", "IF_VRF_MEMBER"), ("vrf", "IF_VRF")]
    {
        assert!(
            naming.iter().any(|(program, variable)| (*program, variable.as_str()) == expected),
            "{expected:?}"
        );
    }
}

#[test]
fn a_vrf_that_a_route_is_leaked_into_comes_first_but_never_of_two_vrfs_each() {
    let route = ("IF_VRF_ROUTE", "192.0.2.0/24 dev eth0 vrf blue");
    let of_a_card = [("IFACE", "eth0"), ("PHASE", "depend"), route];
    assert_eq!(run(command("vrf-route", of_a_card)), Ran::new(0, "blue\n", ""));
    let of_a_vrf = [("IFACE", "red"), ("PHASE", "depend"), ("IF_VRF_TABLE", "10"), route];
    assert_eq!(run(command("vrf-route", of_a_vrf)), Ran::new(0, "", ""));
}

#[test]
fn names_that_will_not_do_are_left_out_in_silence() {
    for (program, variable) in naming() {
        for value in ["", " ", "re%d", "abcdefghijklmnop", "a/b", "eth0", "..", "default"] {
            let environment = [("IFACE", "eth0"), ("PHASE", "depend"), (&variable, value)];
            assert_eq!(
                run(command(program, environment)),
                Ran::new(0, "", ""),
                "{program} {variable}={value}"
            );
        }
        let mut started = command(program, [("IFACE", "eth0"), ("PHASE", "depend")]);
        started.env(&variable, OsString::from_vec(b"re\xffd".to_vec()));
        assert_eq!(run(started), Ran::new(0, "", ""), "{program} {variable}");
        // Without IFACE, and with invalid values.
        let environment =
            [("PHASE", "depend"), (&variable, "red"), ("IF_VRF_TABLE", "0"), ("IF_VRF_ROUTE", "%%%")];
        assert_eq!(run(command(program, environment)), Ran::new(0, "red\n", ""), "{program} {variable}");
    }
}

#[test]
fn shorter_names_come_first_and_each_once() {
    let environment =
        [("IFACE", "eth0"), ("PHASE", "depend"), ("IF_VRF_MEMBER", "red10"), ("IF_VRF", "red1")];
    assert_eq!(run(command("vrf-table", environment)), Ran::new(0, "red1 red10\n", ""));
    let environment = [("IFACE", "eth0"), ("PHASE", "depend"), ("IF_VRF_MEMBER", "red"), ("IF_VRF", "red")];
    assert_eq!(run(command("vrf", environment)), Ran::new(0, "red\n", ""));
}

#[test]
fn by_hand_it_is_the_same() {
    let mut started = command("vrf-table", []);
    started.args(["--iface", "eth0", "--phase", "depend", "vrf=red"]);
    assert_eq!(run(started), Ran::new(0, "red\n", ""));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the environment contains: names of interfaces, shorter first, and no panic.
    #[test]
    fn any_environment_has_an_answer(
        values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 30),
        iface in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        for program in ALL {
            let keywords = program.keywords().zip(&values);
            let mut variables: Vec<(OsString, OsString)> = keywords
                .map(|(keyword, value)| {
                    let name = variable(keyword.name);
                    (name.into(), OsString::from_vec(value.clone()))
                })
                .collect();
            variables.push(("IFACE".into(), OsString::from_vec(iface.clone())));
            let found = Found::in_environment(variables);
            let stanza = found.stanza();
            let names = program.depends(found.iface.as_deref(), &stanza);
            prop_assert!(stanza.take_problems().is_empty());
            prop_assert!(names.is_sorted_by_key(|name| name.as_str().len()));
            prop_assert!(names.iter().all(|name| name.as_str().parse::<IfName>().is_ok()));
            // Reading the whole stanza does not panic either.
            program.configure(&found.stanza());
        }
    }
}

#[test]
fn the_answer_fits_into_one_read() {
    // Each keyword with a list could name any number; two kilobytes of names are more than enough.
    let many: Vec<String> = (0..200).map(|number| format!("eth{number:07}")).collect();
    for (program, variable) in naming() {
        for separator in [" ", ", "] {
            let environment = [("IFACE", "eth0"), ("PHASE", "depend"), (&variable, &many.join(separator))];
            let ran = run(command(program, environment));
            assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{program} {variable}");
            assert!(ran.out.len() <= MOST, "{program} {variable}: {} bytes", ran.out.len());
            assert!(ran.out.is_empty() || ran.out.ends_with('\n'), "{program} {variable}: {}", ran.out);
        }
    }
}

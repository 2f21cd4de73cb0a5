//! The manual pages are correct: their examples are run, their defaults are those of the programs, and their errors are
//! what the programs print.

use super::pages::{Page, pages};
use super::support::{command, files, run};
use super::variable::variable;
use std::fs;

/// A page of options.
fn options() -> impl Iterator<Item = Page> {
    pages().into_iter().filter(|page| page.name.starts_with("interfaces-"))
}

/// The `kernel` tests bring up all stanzas that `Page::stanzas` finds. It must find every stanza.
#[test]
fn every_example_of_a_page_is_found_by_the_tests_that_run_it() {
    for page in pages() {
        let fences = page.text.lines().filter(|line| line.trim_start().starts_with("```"));
        assert!(fences.into_iter().all(|line| line == "```"), "{}: a block of another form", page.name);
        let told = |line: &str| line.trim_start().starts_with("iface ");
        let found = page.stanzas();
        let all = page.text.lines().filter(|line| told(line)).count();
        let run = found.iter().flat_map(|block| block.lines()).filter(|line| told(line)).count();
        assert_eq!(run, all, "{}: a stanza that is in no block", page.name);
        for block in &found {
            for iface in block.lines().filter_map(|line| line.strip_prefix("iface ")) {
                // The method may follow.
                let iface = iface.split(' ').next().unwrap_or_default();
                assert!(block.contains(&format!("auto {iface}\n")), "{}: {iface} is not auto", page.name);
            }
        }
        let examples = page.examples();
        let sessions = page.sessions();
        // The overview has no section of that name.
        assert_eq!(examples.is_empty(), page.name.ends_with(".7"), "{}: no example", page.name);
        for example in examples {
            let known = found.contains(&example) || sessions.contains(&example);
            assert!(known, "{}: no test runs {example}", page.name);
        }
        // tests/kernel/ifnetlink/page.rs runs and counts those of ifnetlink(8).
        assert!(
            sessions.is_empty() || page.name == "ifnetlink.8",
            "{}: no test runs {sessions:?}",
            page.name
        );
    }
}

/// A program, the lines that its stanza needs to have an effect, a keyword, its default, and its text on the page.
type Default = (&'static str, &'static str, &'static str, &'static str, &'static str);

const DEFAULTS: [Default; 10] = [
    ("vrf-table", "IF_VRF_TABLE=auto", "vrf-table-range", "1001-5000", "1001-5000 by default"),
    ("vrf-rules", "IF_VRF_TABLE=10", "vrf-rules", "no", "*no*, the default"),
    ("vrf-rules", "IF_VRF_TABLE=10;IF_VRF_RULES=yes", "vrf-rules-l3mdev", "1000", "1000 by default"),
    ("vrf-rules", "IF_VRF_TABLE=10;IF_VRF_RULES=yes", "vrf-rules-unreachable", "2000", "2000 by default"),
    ("vrf-rules", "IF_VRF_TABLE=10;IF_VRF_RULES=yes", "vrf-rules-local", "32765", "32765 by default"),
    ("vrf-rules", "IF_VRF_TABLE=10;IF_VRF_RULES=yes", "vrf-rules-family", "ipv4 ipv6", "both by default"),
    ("netns", "IF_NETNS=blue", "netns-ifname", "eth0", "its own by default"),
    ("netns", "IF_NETNS=blue", "netns-keep", "no", "no by default"),
    ("veth-peer", "IF_VETH_PEER=v1;IF_VETH_PEER_NETNS=blue", "veth-peer-up", "yes", "yes by default"),
    ("bridge", "IF_BRIDGE_MEMBER=br0;IF_BRIDGE_VIDS=20", "bridge-allow-untagged", "yes", "yes by default"),
];

/// What a program would do in all phases, up and down.
fn plans(program: &str, variables: &str) -> Vec<String> {
    let phases = ["create", "pre-up", "up", "post-up", "pre-down", "down", "post-down", "destroy"];
    let plan = |phase| {
        let all = format!("MOCK=1;IFACE=eth0;PHASE={phase};{variables}");
        let ran = run(command(program, all.split(';').filter_map(|variable| variable.split_once('='))));
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{program}: {all}");
        ran.out
    };
    phases.map(plan).to_vec()
}

#[test]
fn every_default_is_in_its_page_and_is_what_happens_without_the_line() {
    let mut told = Vec::new();
    for (program, needed, keyword, value, words) in DEFAULTS {
        let named = |page: &Page| page.name == format!("interfaces-{program}.5");
        let tells = |page: &Page| page.text.contains(&format!("\n*{keyword}* "));
        let page = options().find(named).or_else(|| options().find(tells)).unwrap();
        assert!(page.entry(keyword).contains(words), "{}: {keyword}: no {words:?}", page.name);
        let line = format!("{}={value}", variable(keyword));
        let without = plans(program, needed);
        assert_eq!(without, plans(program, &format!("{needed};{line}")), "{keyword} {value}");
        assert!(keyword == "vrf-rules" || without.iter().any(|plan| !plan.is_empty()), "{keyword}");
        told.push(keyword);
    }
    for page in options() {
        let text = page.text.replace('\n', " ");
        assert!(text.contains("has no default is left as it is"), "{}: what of the others?", page.name);
        let entries = page.text.lines().filter_map(|line| line.strip_prefix('*')?.split_once("* _"));
        for (keyword, _) in entries.filter(|(keyword, _)| !keyword.contains(' ')) {
            let text = page.entry(keyword);
            let claims = text.contains(" by default") || text.contains(", the default");
            assert!(!claims || told.contains(&keyword), "{}: {keyword}: tested nowhere", page.name);
        }
    }
}

/// Whether a line has these parts, one after the other.
fn has(line: &str, parts: &[&str]) -> bool {
    let mut rest = Some(line);
    for part in parts {
        rest = rest.and_then(|text| text.split_once(part)).map(|(_, rest)| rest);
    }
    rest.is_some()
}

#[test]
fn every_error_of_a_page_is_one_that_a_test_waits_for() {
    let cases = files("tests/plans", "plan").into_iter().chain(files("src", "tests.rs"));
    let tests = files("tests/plain", ".rs").into_iter().chain(files("tests/kernel", ".rs"));
    let sources = cases.chain(tests).map(|path| fs::read_to_string(path).unwrap());
    // A text may continue on the next line.
    let joined: Vec<String> =
        sources.map(|text| text.split("\\\n").map(str::trim_start).collect::<String>()).collect();
    let lines: Vec<&str> = joined.iter().flat_map(|text| text.lines()).collect();
    let mut missing = Vec::new();
    for page in options() {
        let errors = page.diagnostics();
        assert!(!errors.is_empty(), "{}: no error", page.name);
        for error in errors {
            // The dots stand for the part that differs.
            let parts: Vec<&str> = error.split('…').map(|part| part.trim_matches([' ', ':'])).collect();
            if !lines.iter().any(|line| has(line, &parts)) {
                missing.push(format!("{}: {error}", page.name));
            }
        }
    }
    assert!(missing.is_empty(), "no program prints\n{}", missing.join("\n"));
}

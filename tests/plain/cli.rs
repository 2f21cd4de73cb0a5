//! What a user sees: exact output and exit status of the programs, run by ifupdown-ng or by a user.
//!
//! Only what needs no kernel: configuration errors, MOCK, help. The other lanes test the rest.

use super::all::PROGRAMS;
use super::support::{Ran, command, run};
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::process::Stdio;

/// A program, its environment, and the expected result.
pub type Row<'a> = (&'a str, &'a str, i32, &'a str, &'a str);

/// The variables of a row, separated by `;`.
fn variables(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split(';').filter(|part| !part.is_empty()).filter_map(|part| part.split_once('='))
}

/// Runs each row.
pub fn check(rows: &[Row<'_>]) {
    for (program, environment, code, out, err) in rows {
        let ran = run(command(program, variables(environment)));
        assert_eq!(ran, Ran::new(*code, out, err), "{environment} {program}");
    }
}

/// An invalid stanza: one line and status 2, before anything is changed.
pub fn check_wrong(program: &str, keywords: &str, line: &str) {
    let environment = format!("IFACE=red;PHASE=create;{keywords}");
    check(&[(program, &environment, 2, "", &format!("{program}: red: {line}\n"))]);
}

#[test]
fn a_phase_with_nothing_to_do_is_silent() {
    let phases = ["create", "pre-up", "up", "post-up", "pre-down", "down", "post-down", "destroy", "depend"];
    // Not `link`: it has something to do for every stanza, and would do it on this machine.
    for program in PROGRAMS {
        for phase in phases {
            let environment =
                [("IFACE", "eth0"), ("PHASE", phase), ("IF_ADDRESS", "192.0.2.1/24"), ("VERBOSE", "1")];
            assert_eq!(
                run(command(program.name, environment)),
                Ran::new(0, "", ""),
                "{} {phase}",
                program.name
            );
        }
        // Keywords of the program, but not for this phase.
        let environment = [("IFACE", "eth0"), ("PHASE", "up"), ("IF_VRF_TABLE", "10"), ("IF_VRF_MEMBER", "")];
        assert_eq!(run(command(program.name, environment)), Ran::new(0, "", ""), "{}", program.name);
    }
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table")]
fn a_value_that_cannot_be_meant_is_one_line_and_status_2() {
    let table = "not a routing table (1-4294967295)";
    let rows: &[(&str, &str, &str)] = &[
        ("vrf-table", "IF_VRF_TABLE=0", &format!("vrf-table 0: {table}")),
        ("vrf-table", "IF_VRF_TABLE=4294967296", &format!("vrf-table 4294967296: {table}")),
        ("vrf-table", "IF_VRF_TABLE=0x+10", &format!("vrf-table 0x+10: {table}")),
        ("vrf-table", "IF_VRF_TABLE=10abc", &format!("vrf-table 10abc: {table}")),
        (
            "vrf-table",
            "IF_VRF_TABLE=-5",
            "vrf-table -5: not a routing table (1-4294967295) nor a name of rt_tables",
        ),
        ("vrf-table", "IF_VRF_TABLE=010", "vrf-table 010: octal to ip(8); write 10"),
        (
            "vrf-table",
            "IF_VRF_MEMBER=blue;IF_VRF=green",
            "vrf green: conflicts with vrf-member; keep one of the two",
        ),
        ("vrf", "IF_VRF_MEMEBER=red", "vrf-memeber: unknown keyword; did you mean vrf-member?"),
        ("vrf-table", "IF_VRF_TABEL=10", "vrf-tabel: unknown keyword; did you mean vrf-table?"),
        ("vrf-table", "IF_VRF_TABLE=1 2", &format!("vrf-table 1 2: {table}")),
        ("vrf-table", "IF_VRF_TABLE=254", "vrf-table 254: a table of the host itself, not of a VRF"),
        ("vrf-table", "IF_VRF_TABLE=main", "vrf-table main: a table of the host itself, not of a VRF"),
        ("vrf-table", "IF_VRF_TABLE=255", "vrf-table 255: a table of the host itself, not of a VRF"),
        ("vrf-table", "IF_VRF_TABLE=253", "vrf-table 253: a table of the host itself, not of a VRF"),
        ("vrf-table", "IF_VRF_MEMBER=re%d", "vrf-member re%d: not an interface name: contains '%'"),
        (
            "vrf-table",
            "IF_VRF=abcdefghijklmnop",
            "vrf abcdefghijklmnop: not an interface name: 16 bytes, at most 15 fit",
        ),
        ("vrf-table", "IF_VRF_MEMBER=default", "vrf-member default: not an interface name: a reserved word"),
        (
            "vrf-table",
            "IF_VRF_TABLE=10;IF_VRF_MEMBER=blue",
            "vrf-member blue: a VRF cannot be a member of a VRF",
        ),
        (
            "vrf-table",
            "IF_VRF_TABLE=auto;IF_VRF_TABLE_RANGE=7",
            "vrf-table-range 7: not a range of tables (FIRST-LAST)",
        ),
        (
            "vrf-table",
            "IF_VRF_TABLE=auto;IF_VRF_TABLE_RANGE=0-7",
            "vrf-table-range 0-7: not a range of tables (FIRST-LAST)",
        ),
        ("vrf-rules", "IF_VRF_RULES=maybe", "vrf-rules maybe: not one of yes, jump, no"),
        (
            "vrf-rules",
            "IF_VRF_RULES=yes;IF_VRF_RULES_LOCAL=0",
            "vrf-rules-local 0: not a priority of a rule (1-32765) nor no",
        ),
        (
            "vrf-rules",
            "IF_VRF_RULES=yes;IF_VRF_RULES_LOCAL=32766",
            "vrf-rules-local 32766: not a priority of a rule (1-32765) nor no",
        ),
        (
            "vrf-rules",
            "IF_VRF_RULES=yes;IF_VRF_RULES_LOCAL=1500",
            "vrf-rules-local 1500: must come after vrf-rules-unreachable (2000)",
        ),
        (
            "vrf-rules",
            "IF_VRF_RULES=yes;IF_VRF_RULES_UNREACHABLE=999",
            "vrf-rules-unreachable 999: must come after vrf-rules-l3mdev (1000)",
        ),
        (
            "vrf-rules",
            "IF_VRF_RULES=yes;IF_VRF_RULES_L3MDEV=3000",
            "vrf-rules-l3mdev 3000: must come before vrf-rules-unreachable (2000)",
        ),
        (
            "vrf-rules",
            "IF_VRF_RULES=yes;IF_VRF_RULES_FAMILY=ipv4 ipx",
            "vrf-rules-family ipv4 ipx: ipx: neither ipv4 nor ipv6",
        ),
        (
            "vrf-rules",
            "IF_VRF_ACCEPT=tcp sctp",
            "vrf-accept tcp sctp: sctp: not one of tcp, udp, raw, nor none",
        ),
        (
            "vrf-route",
            "IF_VRF_TABLE=1;IF_VRF_ROUTE=10.0.0.1/8 dev x",
            "vrf-route 10.0.0.1/8 dev x: 10.0.0.1/8 dev x: 10.0.0.1/8: has host bits, 10.0.0.0/8 is meant?",
        ),
        (
            "vrf-route",
            "IF_VRF_TABLE=1;IF_VRF_ROUTE=default",
            "vrf-route default: default: neither via nor dev",
        ),
        (
            "vrf-route",
            "IF_VRF_TABLE=1;IF_VRF_ROUTE=nowhere dev x",
            "vrf-route nowhere dev x: nowhere dev x: nowhere: not a prefix (ADDRESS/LENGTH) nor default",
        ),
        (
            "vrf-route",
            "IF_VRF_TABLE=1;IF_VRF_ROUTE=10.0.0.0/8 via fd00::1",
            "vrf-route 10.0.0.0/8 via fd00::1: 10.0.0.0/8 via fd00::1: IPv4 and IPv6 in one route",
        ),
        (
            "vrf-route",
            "IF_VRF_TABLE=1;IF_VRF_ROUTE=10.0.0.0/8 dev",
            "vrf-route 10.0.0.0/8 dev: 10.0.0.0/8 dev: nothing after dev",
        ),
        (
            "vrf-route",
            "IF_VRF_TABLE=1;IF_VRF_ROUTE=unreachable 10.0.0.0/8 dev x",
            "vrf-route unreachable 10.0.0.0/8 dev x: unreachable 10.0.0.0/8 dev x: unreachable takes no via, dev, src or onlink",
        ),
        (
            "vrf-route",
            "IF_VRF_ROUTE=10.0.0.0/8 dev x",
            "vrf-route 10.0.0.0/8 dev x: this stanza has neither vrf-table nor vrf-member; add `table T` or `vrf V`",
        ),
    ];
    for (program, keywords, line) in rows {
        check_wrong(program, keywords, line);
        // The prefix executor prints the same under its own name.
        check_wrong("vrf", keywords, line);
    }
}

#[test]
fn all_problems_are_told_at_once_and_once() {
    let broken =
        "IF_VRF_TABLE=0;IF_VRF_RULES=maybe;IF_VRF_RULES_LOCAL=x;IF_VRF_ACCEPT=sctp;IF_VRF_ROUTE=a, b dev c";
    let told = "\
vrf: red: vrf-table 0: not a routing table (1-4294967295)
vrf: red: vrf-rules-local x: not a priority of a rule (1-32765) nor no
vrf: red: vrf-rules maybe: not one of yes, jump, no
vrf: red: vrf-accept sctp: sctp: not one of tcp, udp, raw, nor none
vrf: red: vrf-route a, b dev c: a: a: not a prefix (ADDRESS/LENGTH) nor default; b dev c: b: not a prefix (ADDRESS/LENGTH) nor default
";
    check(&[
        ("vrf", &format!("IFACE=red;PHASE=create;{broken}"), 2, "", told),
        ("vrf", &format!("IFACE=red;PHASE=up;{broken}"), 2, "", ""),
        ("vrf", &format!("IFACE=red;PHASE=post-up;{broken}"), 2, "", ""),
        ("vrf", &format!("IFACE=red;PHASE=pre-down;{broken}"), 0, "", ""),
        ("vrf", &format!("IFACE=red;PHASE=destroy;{broken}"), 2, "", told),
        ("vrf", &format!("IFACE=red;PHASE=depend;{broken}"), 0, "", ""),
    ]);
}

#[test]
fn an_environment_that_ifup_would_not_make_is_told() {
    check(&[
        (
            "vrf-table",
            "PHASE=create;IF_VRF_TABLE=10",
            2,
            "",
            "vrf-table: IFACE is not set; run by ifup, or see --help\n",
        ),
        (
            "vrf-table",
            "IFACE=red;IF_VRF_TABLE=10",
            2,
            "",
            "vrf-table: PHASE is not set; run by ifup, or see --help\n",
        ),
        (
            "vrf-table",
            "IFACE=red;PHASE=sideways;IF_VRF_TABLE=10",
            2,
            "",
            "vrf-table: PHASE \"sideways\": not a phase\n",
        ),
        (
            "vrf-table",
            "IFACE=re%d;PHASE=create;IF_VRF_TABLE=10",
            2,
            "",
            "vrf-table: IFACE \"re%d\": not an interface name: contains '%'\n",
        ),
        (
            "vrf-table",
            "IFACE=abcdefghijklmnop;PHASE=create;IF_VRF_TABLE=10",
            2,
            "",
            "vrf-table: IFACE \"abcdefghijklmnop\": not an interface name: 16 bytes, at most 15 fit\n",
        ),
    ]);
}

#[test]
fn bytes_that_are_not_utf8_are_refused() {
    let mut started = command("vrf-table", [("IFACE", "eth0"), ("PHASE", "create")]);
    started.env("IF_VRF_MEMBER", std::ffi::OsStr::from_bytes(b"re\xff"));
    let line = "vrf-table: eth0: vrf-member re\u{fffd}: not an interface name: not UTF-8\n";
    assert_eq!(run(started), Ran::new(2, "", line));
}

#[test]
fn output_that_cannot_be_written_is_no_crash() {
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let broken = [("IFACE", "red"), ("PHASE", "create"), ("IF_VRF_TABLE", "0")];
    assert_eq!(command("vrf-table", broken).stderr(full()).status().unwrap().code(), Some(2));
    let depend = [("IFACE", "eth0"), ("PHASE", "depend"), ("IF_VRF_MEMBER", "red")];
    assert_eq!(command("vrf-table", depend).stdout(full()).status().unwrap().code(), Some(0));
    let mut mock = command(
        "vrf-table",
        [("IFACE", "eth0"), ("PHASE", "pre-up"), ("MOCK", "1"), ("IF_VRF_MEMBER", "red")],
    );
    let line = "vrf-table: eth0: cannot print the plan: No space left on device (os error 28)\n";
    mock.stdout(full());
    let ran = Ran::from(mock.stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap());
    assert_eq!(ran, Ran::new(1, "", line));
}

//! The program that contains all others, started by links with their names.

use super::all::ALL;
use super::support::{Ran, binary, command, run};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

/// A directory with links; deleted when dropped.
struct Links(PathBuf);

impl Drop for Links {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Links {
    fn new(name: &str) -> Self {
        let at = std::env::temp_dir().join(format!("ifnl-links-{name}-{}", std::process::id()));
        fs::create_dir_all(&at).unwrap();
        for link in ALL.iter().map(|program| program.name).chain(["strange"]) {
            symlink(binary("ifupdown-ng-netlink"), at.join(link)).unwrap();
        }
        Self(at)
    }

    fn run(&self, name: &str, environment: &[(&str, &str)]) -> Ran {
        let mut command = Command::new(self.0.join(name));
        command.env_clear().envs(environment.iter().copied());
        run(command)
    }
}

#[test]
fn each_link_does_what_the_program_of_that_name_does() {
    let links = Links::new("each");
    let stanza = [
        ("IFACE", "red"),
        ("IF_VRF_TABLE", "10"),
        ("IF_NETNS", "blue"),
        ("IF_VETH_PEER", "red0"),
        ("IF_BRIDGE_VLAN", "10"),
        ("MOCK", "1"),
    ];
    let mut different = std::collections::BTreeSet::new();
    for program in ALL {
        let mut all = String::new();
        for phase in ["depend", "create", "pre-up", "post-up", "destroy"] {
            let environment = [&stanza[..], &[("PHASE", phase)]].concat();
            let expected = run(command(program.name, environment.iter().copied()));
            assert_eq!(links.run(program.name, &environment), expected, "{} {phase}", program.name);
            all += &expected.out;
            all += &expected.err;
        }
        different.insert(all);
    }
    // Otherwise a link to the wrong program would not be noticed.
    assert!(different.len() > 4, "{different:?}");
}

#[test]
fn another_name_is_refused_except_in_depend() {
    let links = Links::new("other");
    assert_eq!(links.run("strange", &[("PHASE", "depend"), ("IFACE", "eth0")]), Ran::new(0, "", ""));
    let refused = links.run("strange", &[("PHASE", "up"), ("IFACE", "eth0")]);
    assert_eq!((refused.code, refused.out.as_str()), (2, ""));
    let line = "strange: start this program by a link that is named bridge-vlan, bridge, vrf-table, ";
    assert!(refused.err.starts_with(line) && refused.err.lines().count() == 1, "{}", refused.err);
}

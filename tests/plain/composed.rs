//! One stanza read by several programs: an executor for each keyword, as `use` lines name them, does the same as the
//! prefix executor that has all keywords. Both together do nothing twice.

use super::all::PROGRAMS;
use super::faulty::Faulty;
use super::interfaces::{End, Interface};
use super::invariants::{same, sealed, stays_sealed};
use super::notation;
use ifupdown_ng_netlink::stanza::Phase;

const STANZA: &[(&str, &str)] = &[
    ("vrf-table", "10"),
    ("vrf-accept", "tcp"),
    ("vrf-strict-mode", "yes"),
    ("vrf-route", "unreachable default metric 4278198272, 192.0.2.0/24 via 10.0.0.1 dev eth0"),
];

const FOUND: &str = "\
rules default
link eth0 physical up
sysctl net.ipv4.tcp_l3mdev_accept=0
sysctl net.ipv4.udp_l3mdev_accept=0
sysctl net.ipv4.raw_l3mdev_accept=1
sysctl net.vrf.strict_mode=0
";

fn read_by(programs: &[&str], layout: &str) -> Vec<Interface> {
    let stanza = [STANZA, &[("vrf-rules", layout)]].concat();
    let program = |name: &&str| PROGRAMS.iter().find(|program| program.name == *name).unwrap();
    programs.iter().map(|name| Interface::new(program(name), "red", &stanza).unwrap()).collect()
}

fn up(parts: &[Interface], kernel: &mut Faulty) {
    for (phase, part) in Phase::UP.iter().flat_map(|phase| parts.iter().map(move |part| (phase, part))) {
        assert_eq!(part.phase(*phase, kernel), End::Done, "{phase}\n{}", part.text);
    }
}

/// In the down phases ifupdown-ng runs the executors in reverse.
fn down(parts: &[Interface], kernel: &mut Faulty) {
    for (phase, part) in
        Phase::DOWN.iter().flat_map(|phase| parts.iter().rev().map(move |part| (phase, part)))
    {
        assert_eq!(part.phase(*phase, kernel), End::Done, "{phase}\n{}", part.text);
    }
}

#[test]
fn one_program_or_several_come_to_the_same() {
    let several: [&[&str]; 5] = [
        &["vrf-table", "vrf-rules", "vrf-route"],
        &["vrf-route", "vrf-rules", "vrf-table"],
        &["vrf", "vrf-table", "vrf-rules", "vrf-route"],
        &["vrf-table", "vrf-rules", "vrf-route", "vrf"],
        &["vrf", "vrf"],
    ];
    for layout in ["yes", "jump"] {
        let start = notation::parse(FOUND);
        let mut whole = Faulty::new(start.clone());
        up(&read_by(&["vrf"], layout), &mut whole);
        for programs in several {
            let about = format!("{layout} {programs:?}\n");
            let parts = read_by(programs, layout);
            let mut kernel = Faulty::new(start.clone());
            up(&parts, &mut kernel);
            same(kernel.snapshot().here(), whole.snapshot().here(), &about);
            // Nothing is done twice.
            assert_eq!(kernel.count, whole.count, "{about}");
            let families = sealed(kernel.snapshot().here());
            assert_eq!(families.len(), 2, "{about}");
            let mut kernel = Faulty::new(kernel.snapshot().clone());
            down(&parts, &mut kernel);
            same(kernel.snapshot().here(), start.here(), &about);
            stays_sealed(&kernel, &families, &about);
        }
    }
}

//! Tests on a real kernel: the real `ifup` and `ifdown` in namespaces of their own. Results are checked with `ip -j`,
//! ping and sockets, never with our own code.
//!
//! They need root. Each test names what else it needs (a kernel with VRFs, the roots with both versions of
//! ifupdown-ng). If that is missing, the test is ignored and counted. If `REQUIRE` names it (`REQUIRE=vrf,vlan`, or
//! `all`), the test runs and fails. `tests/lane/vm` boots a kernel that has everything.
//!
//! [`lab`] creates the namespaces, [`ifupdown`] runs the real ifupdown-ng in them, [`state`] compares before and after,
//! [`probe`] talks over sockets; the other files are the tests, one `pub fn tests()` each.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that fails says so by panicking"
)]
#![allow(dead_code, reason = "what one test needs, the next will")]

mod bridge_allow;
mod bridge_defaults;
mod bridge_stock;
mod bridges;
mod bridges_ifup;
mod bridges_interrupted;
mod bridges_refused;
mod bridges_starts;
mod bridges_use;
mod by_hand;
mod capture;
mod compared;
mod container_segment;
mod cookbook;
mod dhcp;
mod edit_table;
mod edits;
mod examples;
mod faults;
mod features;
mod flows;
mod guests;
mod hotplug;
mod ifnetlink;
mod ifupdown;
mod interference;
mod interrupted;
mod lab;
mod link_stock;
mod management_vrf;
mod managers;
mod matrix;
mod monitor;
mod namespaces;
mod openrc;
#[path = "../plain/pages.rs"]
mod pages;
mod probe;
mod published;
mod random;
mod reader;
mod refusals;
mod repeated_lines;
mod routing_domains;
mod saved;
#[path = "../plain/schema.rs"]
mod schema;
mod security;
mod shown;
mod soak;
mod starts;
mod state;
mod stock;
mod tables;
mod tampered;
mod three_points;
mod upgrade;
mod upstream;
#[path = "../plain/variable.rs"]
mod variable;
mod vpn_namespace;
mod vrfs;
mod walls;
mod windows;

use libtest_mimic::{Arguments, Conclusion};

fn main() -> std::process::ExitCode {
    if saved::restore_if_asked() {
        return std::process::ExitCode::SUCCESS;
    }
    let mut arguments = Arguments::from_args();
    // Some measure time, and the virtual machine has one processor.
    arguments.test_threads.get_or_insert(1);
    let tests = [
        refusals::first_of_all(),
        management_vrf::tests(),
        dhcp::tests(),
        namespaces::tests(),
        routing_domains::tests(),
        container_segment::tests(),
        examples::tests(),
        stock::tests(),
        cookbook::tests(),
        flows::tests(),
        vrfs::tests(),
        walls::tests(),
        refusals::tests(),
        security::tests(),
        faults::tests(),
        compared::tests(),
        interrupted::tests(),
        three_points::tests(),
        guests::tests(),
        vpn_namespace::tests(),
        hotplug::tests(),
        bridge_allow::tests(),
        bridges::tests(),
        bridges_ifup::tests(),
        bridges_interrupted::tests(),
        bridges_starts::tests(),
        bridges_use::tests(),
        bridge_defaults::tests(),
        bridge_stock::tests(),
        link_stock::tests(),
        ifnetlink::tests(),
        by_hand::tests(),
        starts::tests(),
        windows::tests(),
        soak::tests(),
        managers::tests(),
        openrc::tests(),
        published::tests(),
        interference::tests(),
        reader::tests(),
        edits::tests(),
        repeated_lines::tests(),
        saved::tests(),
        upgrade::tests(),
        upstream::tests(),
    ];
    let (share, shares) = share();
    let wanted = std::env::var("IFNL_TESTS").unwrap_or_default();
    let (left_out, wanted): (Vec<&str>, Vec<&str>) =
        wanted.split_whitespace().partition(|word| word.starts_with('!'));
    let tests = matrix::chosen(tests.into_iter().flatten().collect()).into_iter();
    let tests = tests
        .filter(|test| {
            let name = format!("^{}", test.name());
            (wanted.is_empty() || wanted.iter().any(|wanted| name.contains(wanted)))
                && !left_out.iter().any(|word| name.contains(&word[1..]))
        })
        .enumerate();
    let tests = tests.filter(|(place, _)| place % shares == share).map(|(_, test)| test).collect();
    let conclusion: Conclusion = libtest_mimic::run(&arguments, tests);
    conclusion.exit_code()
}

/// `IFNL_TESTS`: only tests whose names contain one of these words, or begin with one after a `^`; not those whose names
/// contain a word after a `!`. `IFNL_SHARE=N/M`:
/// every M-th test from the N-th on, counted from 0, so that several machines can share the tests.
fn share() -> (usize, usize) {
    let text = std::env::var("IFNL_SHARE").unwrap_or_else(|_| "0/1".to_owned());
    let (share, shares) = text.split_once('/').expect("IFNL_SHARE=N/M");
    (share.parse().expect("a number"), shares.parse().expect("a number"))
}

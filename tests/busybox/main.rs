//! Tests on a machine whose only userland is busybox, as on Alpine without iproute2: the package's scripts, and the
//! setups of interfaces.d with the real `ifup` of ifupdown-ng 0.12.1.
//!
//! `tests/lane/busybox` creates that machine; elsewhere this program does nothing. The tests check the machine itself
//! and not namespaces in it, since nothing else runs on it. They check it with busybox and with sockets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that fails says so by panicking"
)]

#[allow(dead_code, reason = "the tests on a real kernel need more of it")]
#[path = "../kernel/lab.rs"]
mod lab;
#[allow(dead_code, reason = "the tests on a real kernel need more of it")]
#[path = "../kernel/probe.rs"]
mod probe;
#[path = "../plain/stock.rs"]
mod stock;
#[path = "../kernel/tables.rs"]
mod tables;
#[path = "../plain/variable.rs"]
mod variable;

mod exec;
mod machine;
mod management_vrf;
mod package;
mod routing_domains;
mod three_points;

use libtest_mimic::{Arguments, Trial};
use std::path::Path;

fn main() -> std::process::ExitCode {
    let mut arguments = Arguments::from_args();
    // All tests share one machine.
    arguments.test_threads = Some(1);
    // In this order: the subpackage has the executors that the other tests need.
    let tests: [(&str, fn()); 9] = [
        ("userland", machine::userland),
        ("package/alone", package::alone),
        ("package/mdev", package::mdev),
        ("package/dropin", package::dropin),
        ("exec", exec::in_a_namespace),
        ("management-vrf", management_vrf::table),
        ("routing-domains", routing_domains::table),
        ("three-points/tagged", three_points::table),
        ("package/removed", package::remove),
    ];
    let here = Path::new("/program").exists();
    let trials = tests.map(|(name, test)| {
        Trial::test(format!("busybox/{name}"), move || {
            test();
            Ok(())
        })
        .with_ignored_flag(!here)
    });
    libtest_mimic::run(&arguments, trials.into()).exit_code()
}

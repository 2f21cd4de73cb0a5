//! Random tests that run for a given time: no panic, and no hang.
//!
//! `IFNL_FUZZ_SECONDS` is that time (the short form is a second). `make fuzz` counts the printed lines.
//! src/kernel/netlink/fuzz.rs has this too.

use proptest::strategy::{Strategy, ValueTree as _};
use proptest::test_runner::{Config, TestRunner};
use std::time::{Duration, Instant};

/// Runs a function until the time is up; prints how often it ran, and returns that number.
pub fn fuzz<S: Strategy>(name: &str, input: S, mut attempt: impl FnMut(S::Value)) -> u64
where
    S::Value: Clone,
{
    let seconds = std::env::var("IFNL_FUZZ_SECONDS").map_or(1, |seconds| seconds.parse().unwrap());
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    let mut executions = 0_u64;
    while Instant::now() < end {
        let value = input.new_tree(&mut runner).unwrap().current();
        let begun = Instant::now();
        let shown = value.clone();
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| attempt(value)));
        assert!(outcome.is_ok(), "{name}: panic with {shown:?}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{name}: {:?} for {shown:?}", begun.elapsed());
        executions += 1;
    }
    println!("fuzz {name} {executions}");
    assert!(executions > 0, "{name}");
    executions
}

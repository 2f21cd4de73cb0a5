//! The matrix: tests that differ only in the version of ifupdown-ng, the set of executors or the shell.

use libtest_mimic::Trial;
use std::ops::Range;

/// The variants, as they appear between slashes in a test's name.
const VARIANTS: [&str; 9] =
    ["Bookworm", "Trixie", "Absent", "Present", "Replaced", "Stock", "Native", "Dash", "Ash"];

/// Whether the whole matrix is run. With `IFNL_MATRIX=one`, as in `make test`, one variant of each test is
/// run, fewer rounds, and only some of the injected faults.
pub fn is_whole() -> bool {
    !std::env::var("IFNL_MATRIX").is_ok_and(|which| which == "one")
}

/// How often something is done: in the whole matrix, or otherwise.
pub fn count(whole: usize, short: usize) -> usize {
    if is_whole() { whole } else { short }
}

/// All of them in the whole matrix, or otherwise one in so many.
pub fn some<T>(all: impl IntoIterator<Item = T>, each: usize) -> impl Iterator<Item = T> {
    all.into_iter().step_by(count(1, each))
}

/// The variants to run. They differ from test to test, so that every variant is run with some test. They also differ by
/// `IFNL_VARIANT` (a number), so that two kernels share the variants.
pub fn chosen(tests: Vec<Trial>) -> Vec<Trial> {
    if is_whole() {
        return tests;
    }
    let shift: usize =
        std::env::var("IFNL_VARIANT").map_or(0, |number| number.parse().expect("IFNL_VARIANT=N"));
    let mut kinds: Vec<(String, Vec<Trial>)> = Vec::new();
    for test in tests {
        let kind: Vec<&str> = test.name().split('/').filter(|part| !VARIANTS.contains(part)).collect();
        let kind = kind.join("/");
        match kinds.iter_mut().find(|(name, _)| *name == kind) {
            Some((_, variants)) => variants.push(test),
            None => kinds.push((kind, vec![test])),
        }
    }
    let one = |(place, (_, mut variants)): (usize, (String, Vec<Trial>))| {
        let which = (place + shift) % variants.len();
        variants.swap_remove(which)
    };
    kinds.into_iter().enumerate().map(one).collect()
}

/// The seeds of a test: the one that `IFNL_SEED` names, or as many as a variable says; without it, this number.
pub fn seeds(variable: &str, number: usize) -> Range<u64> {
    let value = |name: &str| {
        let text = std::env::var(name).ok().filter(|text| !text.is_empty());
        text.map(|text| text.parse::<u64>().unwrap_or_else(|_| panic!("{name}={text}: not a number")))
    };
    match value("IFNL_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..value(variable).unwrap_or(number as u64),
    }
}

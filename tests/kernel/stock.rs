//! The stanza that ifupdown-ng 0.12.1 cannot bring up, and the effect of replacing its `vrf`.

use crate::features::{Feature, needs};
use crate::ifupdown::{Executors, Ifupdown};
use crate::lab::{in_lab, ip};
use crate::state::State;
use libtest_mimic::Trial;

const STANZA: &str = "iface red\n    vrf-table 300\n";

pub fn tests() -> Vec<Trial> {
    let needed = [Feature::Vrf, Feature::Roots];
    vec![
        needs(&needed, "stock/replaced", || in_lab(replaced)),
        needs(&needed, "stock/fails", || in_lab(fails)),
        needs(&needed, "stock/spelled-around", || in_lab(spelled_around)),
    ]
}

fn replaced() {
    let installed = Ifupdown::USUAL.install(STANZA);
    let before = State::with_run(&installed);
    installed.ifup("red").quiet();
    let shown = ip("-d link show red");
    assert!(shown.contains("vrf table 300") && shown.contains(",UP"), "{shown}");
    installed.ifdown("red").quiet();
    before.assert_same(&State::with_run(&installed), "after ifdown");
}

/// Its pre-up ends with the status of a test that is false. If this test fails, upstream has fixed the fault, and the
/// underscore spelling is no longer needed there.
fn fails() {
    let stock = Ifupdown { executors: Executors::Stock, ..Ifupdown::USUAL };
    let ran = stock.install(STANZA).ifup("red");
    assert_eq!(ran.status, 1, "{ran}");
    assert!(ran.stderr.contains("failed to change interface red state to 'up'"), "{ran}");
}

/// With the stock executors installed, the spelling with underscores keeps them from acting on the stanza.
fn spelled_around() {
    let present = Ifupdown { executors: Executors::Present, ..Ifupdown::USUAL };
    let installed = present.install(STANZA);
    let before = State::with_run(&installed);
    installed.ifup("red").quiet();
    installed.ifdown("red").quiet();
    before.assert_same(&State::with_run(&installed), "after ifdown");
}

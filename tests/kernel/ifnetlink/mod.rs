//! `ifnetlink` with the real ifup. The tests in `examples` check that every example of interfaces.d is in step when it
//! is up.

mod apply;
mod awaited;
mod beside;
mod check;
mod confirm;
mod edited;
mod exec;
mod files;
mod foreign;
mod implied;
mod page;
mod random;
mod show;
mod unharmed;
mod whole;

use crate::features::{Feature, needs};
use crate::ifupdown::Ifupdown;
use crate::lab::in_lab;
use libtest_mimic::Trial;

pub fn tests() -> Vec<Trial> {
    [
        check::tests(),
        apply::tests(),
        show::tests(),
        exec::tests(),
        page::tests(),
        whole::tests(),
        confirm::tests(),
        edited::tests(),
        unharmed::tests(),
        random::tests(),
        beside::tests(),
        foreign::tests(),
        implied::tests(),
        awaited::tests(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A test of a subcommand, named by subcommand and test, with this ifup.
fn trial(name: &str, ifupdown: Ifupdown, test: impl Fn(Ifupdown) + Send + Sync + 'static) -> Trial {
    let needed = [Feature::Vrf, Feature::Vlan, Feature::Roots];
    needs(&needed, format!("ifnetlink/{name}/{ifupdown}"), move || in_lab(|| test(ifupdown)))
}

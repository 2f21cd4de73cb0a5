//! `ifnetlink` beside the real ifup. That every example of interfaces.d is in step when it is up, `examples` sees to.

mod apply;
mod check;
mod page;
mod show;

use crate::{
    features::{Feature, needs},
    ifupdown::Ifupdown,
    lab::in_lab,
};
use libtest_mimic::Trial;

pub fn tests() -> Vec<Trial> {
    [check::tests(), apply::tests(), show::tests(), page::tests()].into_iter().flatten().collect()
}

/// A test of a subcommand, named by it and by what is tried, beside this ifup.
fn trial(name: &str, ifupdown: Ifupdown, test: impl Fn(Ifupdown) + Send + Sync + 'static) -> Trial {
    let needed = [Feature::Vrf, Feature::Vlan, Feature::Roots];
    needs(&needed, format!("ifnetlink/{name}/{ifupdown}"), move || in_lab(|| test(ifupdown)))
}

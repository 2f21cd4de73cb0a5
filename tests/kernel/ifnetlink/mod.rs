//! `ifnetlink` beside the real ifup. That every example of interfaces.d is in step when it is up, `examples` sees to.

mod apply;
mod check;
mod page;
mod show;

use libtest_mimic::Trial;

pub fn tests() -> Vec<Trial> {
    [check::tests(), apply::tests(), show::tests(), page::tests()].into_iter().flatten().collect()
}

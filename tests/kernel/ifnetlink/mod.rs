//! `ifnetlink` beside the real ifup. That every example of interfaces.d is in step when it is up, `examples` sees to.

mod check;

use libtest_mimic::Trial;

pub fn tests() -> Vec<Trial> {
    check::tests()
}

//! The error if ifupdown-ng is missing. PATH does not come from the environment, so only a unit test can show this
//! error.

use super::program;

#[test]
fn ifup_and_ifdown_are_looked_for_in_these_directories() {
    let said = |up| program(up, "/nonexistent:/nowhere").unwrap_err().to_string();
    assert_eq!(said(true), "there is neither ifup-ng nor ifup in /nonexistent:/nowhere");
    assert_eq!(said(false), "there is neither ifdown-ng nor ifdown in /nonexistent:/nowhere");
}

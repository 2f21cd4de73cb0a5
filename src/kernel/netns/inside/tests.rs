//! What is said where ifupdown-ng is missing: PATH is no matter of the environment, so nothing else can show it.

use super::program;

#[test]
fn ifup_and_ifdown_are_looked_for_in_these_directories() {
    let said = |up| program(up, "/nonexistent:/nowhere").unwrap_err().to_string();
    assert_eq!(said(true), "there is neither ifup-ng nor ifup in /nonexistent:/nowhere");
    assert_eq!(said(false), "there is neither ifdown-ng nor ifdown in /nonexistent:/nowhere");
}

//! Messages to the user: lines on standard error.

use crate::stanza::one_line;
use std::fmt::Display;
use std::io::Write as _;

/// Prints one line for the user. Names in it may come from elsewhere, so line breaks and terminal controls are escaped.
/// A failure to print is ignored; `eprintln!` would panic.
pub fn complain(line: &dyn Display) {
    let mut text = one_line(&line.to_string());
    text.push('\n');
    let _ = std::io::stderr().write_all(text.as_bytes());
}

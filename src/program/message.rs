//! What is told to the user: lines on standard error.

use crate::stanza::one_line;
use std::{fmt::Display, io::Write as _};

/// Prints a line for the user, which stays one and cannot drive a terminal, whatever is in the names that it has
/// from elsewhere. If that fails there is nobody to tell; `eprintln!` would panic.
pub fn complain(line: &dyn Display) {
    let mut text = one_line(&line.to_string());
    text.push('\n');
    let _ = std::io::stderr().write_all(text.as_bytes());
}

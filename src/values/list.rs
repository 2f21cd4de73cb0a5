//! Lists on one line: entries separated by commas.

use super::Invalid;
use std::{fmt::Display, str::FromStr};

/// Entries separated by commas, each of them a `T`; empty entries (a trailing comma) are skipped.
///
/// One line, since ifupdown-ng hands a repeated keyword to an executor as its last line only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<T>(pub Vec<T>);

impl<T: FromStr<Err: Display>> FromStr for List<T> {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let (mut values, mut wrong) = (Vec::new(), Vec::new());
        for entry in entries {
            match entry.parse::<T>() {
                Ok(value) => values.push(value),
                Err(error) => wrong.push(format!("{entry}: {error}")),
            }
        }
        if wrong.is_empty() { Ok(Self(values)) } else { Err(Invalid::new(wrong.join("; "))) }
    }
}

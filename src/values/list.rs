//! Lists in the value of one keyword.

use crate::values::Invalid;
use std::fmt::Display;
use std::str::FromStr;

/// Entries separated by commas. Each entry is a `T`, and may contain blanks. Empty entries (a trailing comma) are
/// skipped. At least one entry is not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<T>(pub Vec<T>);

impl<T: FromStr<Err: Display>> FromStr for List<T> {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        all(text.split(',').map(str::trim).filter(|entry| !entry.is_empty())).map(Self)
    }
}

/// A list of `T` without blanks, separated by commas, by blanks or by both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words<T>(pub Vec<T>);

impl<T: FromStr<Err: Display>> FromStr for Words<T> {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        all(words(text)).map(Self)
    }
}

/// The words of a list, separated by commas, by blanks or by both.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty())
}

fn all<'a, T: FromStr<Err: Display>>(entries: impl Iterator<Item = &'a str>) -> Result<Vec<T>, Invalid> {
    let (mut values, mut wrong) = (Vec::new(), Vec::new());
    for entry in entries {
        match entry.parse::<T>() {
            Ok(value) => values.push(value),
            Err(error) => wrong.push(format!("{entry}: {error}")),
        }
    }
    match (wrong.is_empty(), values.is_empty()) {
        (true, false) => Ok(values),
        (true, true) => Err(Invalid::new("a list without an entry")),
        (false, _) => Err(Invalid::new(wrong.join("; "))),
    }
}

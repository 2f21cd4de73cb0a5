//! `yes` or `no`, and a value or `no`.

use crate::values::Invalid;
use std::fmt::Display;
use std::str::FromStr;

/// `yes` or `no`, also in the other spellings of the stock executors (`true`, `on`, `1` and their opposites).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Switch(pub bool);

impl FromStr for Switch {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "yes" | "true" | "on" | "1" => Ok(Self(true)),
            "no" | "false" | "off" | "0" => Ok(Self(false)),
            _ => Err(Invalid::new("neither yes nor no")),
        }
    }
}

/// A value, or `no` for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrNo<T>(pub Option<T>);

impl<T: FromStr<Err: Display>> FromStr for OrNo<T> {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        // Not `0`, which may be a value.
        if matches!(text, "no" | "off" | "false") {
            return Ok(Self(None));
        }
        text.parse().map(|value| Self(Some(value))).map_err(|error| Invalid::new(format!("{error}")))
    }
}

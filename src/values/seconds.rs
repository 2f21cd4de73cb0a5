//! Times in the unit of the kernel's bridge.

use crate::values::Invalid;
use std::fmt;
use std::str::FromStr;

/// A time in hundredths of a second (`clock_t`); written in seconds, with up to two decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Centiseconds(pub u32);

impl Centiseconds {
    /// Whether the kernel may show this time as the other one: it counts in its own ticks, and rounds down by less than
    /// two hundredths of a second (kernel/time/time.c `clock_t_to_jiffies`, `jiffies_to_clock_t`).
    pub fn rounds_to(self, other: Self) -> bool {
        self.0.checked_sub(other.0).is_some_and(|less| less <= 1)
    }
}

impl FromStr for Centiseconds {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let parse = || {
            let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
            let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
            if whole.is_empty() || !digits(whole) || !digits(decimals) || decimals.len() > 2 {
                return None;
            }
            let hundredths: u32 = format!("{decimals:0<2}").parse().ok()?;
            whole.parse::<u32>().ok()?.checked_mul(100)?.checked_add(hundredths)
        };
        parse().map(Self).ok_or_else(|| Invalid::new("not a time in seconds"))
    }
}

/// In the unit of `ip link … type bridge`.
impl fmt::Display for Centiseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

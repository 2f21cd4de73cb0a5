//! Routing tables, by number and by the names of rt_tables.

use crate::values::Invalid;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// The number of a routing table, 1 to 4294967295.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableId(u32);

impl TableId {
    /// The table that holds the host's own addresses.
    pub const LOCAL: Self = Self(255);
    /// The table of all packets for which no other table is set.
    pub const MAIN: Self = Self(254);
    /// The table after `main`, empty on most hosts.
    pub const DEFAULT: Self = Self(253);

    /// The table with this number. 0 means "none" in the kernel's interface and is not a table.
    pub fn new(id: u32) -> Option<Self> {
        (id != 0).then_some(Self(id))
    }

    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }

    /// Whether this is one of the three tables of the default rules. The kernel accepts one of them for a VRF, and
    /// would mix the VRF's routes with the host's (drivers/net/vrf.c accepts every number but 0).
    pub fn is_reserved(self) -> bool {
        matches!(self, Self::LOCAL | Self::MAIN | Self::DEFAULT)
    }
}

impl fmt::Display for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::LOCAL => f.write_str("local"),
            Self::MAIN => f.write_str("main"),
            Self::DEFAULT => f.write_str("default"),
            Self(id) => write!(f, "{id}"),
        }
    }
}

/// A table as a user writes it: a number, or a name in rt_tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableSpec {
    /// By number, or one of `local`, `main`, `default`.
    Id(TableId),
    /// By a name of rt_tables.
    Name(String),
}

impl FromStr for TableSpec {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.starts_with(|c: char| c.is_ascii_digit()) {
            let decimal = text.trim_start_matches('0');
            let is_octal = decimal != text && decimal.bytes().all(|byte| byte.is_ascii_digit());
            if is_octal && !decimal.is_empty() {
                return Err(Invalid::new(format!("octal to ip(8); write {decimal}")));
            }
            let number = match text.strip_prefix("0x") {
                Some(hex) if hex.bytes().all(|digit| digit.is_ascii_hexdigit()) => {
                    u32::from_str_radix(hex, 16).ok()
                }
                Some(_) => None,
                None => text.parse::<u32>().ok(),
            };
            return number
                .and_then(TableId::new)
                .map(Self::Id)
                .ok_or_else(|| Invalid::new("not a routing table (1-4294967295)"));
        }
        match text {
            "local" => Ok(Self::Id(TableId::LOCAL)),
            "main" => Ok(Self::Id(TableId::MAIN)),
            "default" => Ok(Self::Id(TableId::DEFAULT)),
            name if name.is_empty() || name.starts_with('-') || name.contains(char::is_whitespace) => {
                Err(Invalid::new("not a routing table (1-4294967295) nor a name of rt_tables"))
            }
            name => Ok(Self::Name(name.to_owned())),
        }
    }
}

impl fmt::Display for TableSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// A range of tables, `FIRST-LAST`, neither of them 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableRange(pub RangeInclusive<u32>);

impl FromStr for TableRange {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let ends =
            text.split_once('-').and_then(|(a, b)| Some((a.trim().parse().ok()?, b.trim().parse().ok()?)));
        match ends {
            Some((first, last)) if 0 < first && first <= last => Ok(Self(first..=last)),
            _ => Err(Invalid::new("not a range of tables (FIRST-LAST)")),
        }
    }
}

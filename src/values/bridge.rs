//! Values that only the keywords of bridges have.

use crate::values::{IfName, Invalid, Words, words};
use std::str::FromStr;

/// The ports of a bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ports {
    /// These ports.
    Listed(Vec<IfName>),
    /// Every link that can be a port.
    All,
}

impl FromStr for Ports {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let Words(mut words) = text.parse::<Words<Port>>()?;
        if words.contains(&Port::All) {
            return Ok(Self::All);
        }
        let names = words.drain(..).filter_map(|word| match word {
            Port::Named(name) => Some(name),
            Port::All | Port::None => None,
        });
        Ok(Self::Listed(names.collect()))
    }
}

/// A word of `bridge-ports`.
#[derive(PartialEq)]
enum Port {
    All,
    None,
    Named(IfName),
}

impl FromStr for Port {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "all" => Ok(Self::All),
            "none" => Ok(Self::None),
            "glob" | "regex" => Err(Invalid::new("patterns are not supported; name each port")),
            _ => text.parse().map(Self::Named),
        }
    }
}

/// A number.
pub struct Number<T>(pub T);

impl<T: FromStr> FromStr for Number<T> {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let largest = u64::MAX >> (64 - 8 * size_of::<T>());
        text.parse().map(Self).map_err(|_| Invalid::new(format!("not a number (0-{largest})")))
    }
}

/// `VALUE` for all ports, or `PORT VALUE` (also with an equals sign between) for one.
pub struct PerPort<const LEAST: u32, const MOST: u32> {
    /// The port; without one, all ports.
    pub port: Option<IfName>,
    /// The number.
    pub value: u32,
}

impl<const LEAST: u32, const MOST: u32> FromStr for PerPort<LEAST, MOST> {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let words: Vec<&str> = text.split([' ', '\t', '=']).filter(|word| !word.is_empty()).collect();
        let (port, value) = match words[..] {
            [value] => (None, value),
            [port, value] => (Some(port.parse()?), value),
            _ => return Err(Invalid::new("not [PORT] NUMBER")),
        };
        let value = value.parse().ok().filter(|value| (LEAST..=MOST).contains(value));
        let value = value.ok_or_else(|| Invalid::new(format!("not a number from {LEAST} to {MOST}")))?;
        Ok(Self { port, value })
    }
}

/// `SECONDS [PORT…]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitPort {
    /// How long to wait.
    pub seconds: u32,
    /// The ports to wait for; without any, all ports of the bridge.
    pub ports: Vec<IfName>,
}

impl FromStr for WaitPort {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let mut words = words(text);
        let seconds = words.next().and_then(|word| word.parse().ok());
        let seconds = seconds.ok_or_else(|| Invalid::new("not SECONDS [PORT …]"))?;
        let ports = words.map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self { seconds, ports })
    }
}

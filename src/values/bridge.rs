//! Values that only the keywords of bridges have.

use crate::values::regex::Regex;
use crate::values::{IfName, Invalid, Mac, Vid, words};
use std::str::FromStr;

/// `MAC [vlan VID]` at the beginning of some words: a station behind a port. Returns the rest of the words too.
///
/// # Errors
/// The first word is no address, or the word after `vlan` is no VLAN.
pub fn station<'a>(words: &'a [&'a str]) -> Result<(Mac, Option<Vid>, &'a [&'a str]), Invalid> {
    let (mac, rest) = words.split_first().unwrap_or((&"", words));
    let mac = mac.parse()?;
    match rest {
        ["vlan", vid, rest @ ..] => Ok((mac, Some(vid.parse()?), rest)),
        rest => Ok((mac, None, rest)),
    }
}

/// The ports of a bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ports {
    /// These ports.
    Listed(Vec<IfName>),
    /// These ports, and every link that can be a port and whose name one of the patterns matches.
    Matching(Vec<IfName>, Vec<Regex>),
    /// Every link that can be a port.
    All,
}

impl Ports {
    /// The ports that are named, not found by a pattern.
    pub fn named(&self) -> &[IfName] {
        match self {
            Self::Listed(ports) | Self::Matching(ports, _) => ports,
            Self::All => &[],
        }
    }

    /// Whether a link of this name is a port, by its name or by a pattern.
    pub fn has(&self, name: &IfName) -> bool {
        let is_matched = |patterns: &[Regex]| patterns.iter().any(|regex| regex.matches(name.as_str()));
        self.named().contains(name) || matches!(self, Self::Matching(_, patterns) if is_matched(patterns))
    }
}

impl FromStr for Ports {
    type Err = Invalid;

    /// As ifupdown2 reads them: `glob` and `regex` are about the next word.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (mut ports, mut patterns, mut all) = (Vec::new(), Vec::new(), false);
        let mut problems: Vec<String> = Vec::new();
        // An expression may contain commas.
        let mut texts = text.split_whitespace();
        while let Some(text) = texts.next() {
            match text {
                "glob" => match texts.next().map_or(Err(Invalid::new("no range follows")), glob) {
                    Ok(mut names) => ports.append(&mut names),
                    Err(error) => problems.push(format!("glob: {error}")),
                },
                "regex" => {
                    match texts.next().map_or(Err(Invalid::new("no expression follows")), str::parse) {
                        Ok(regex) => patterns.push(regex),
                        Err(error) => problems.push(format!("regex: {error}")),
                    }
                }
                _ => {
                    for word in words(text) {
                        match word.parse() {
                            _ if word == "all" => all = true,
                            _ if matches!(word, "none" | "noglob" | "noregex") => {}
                            Ok(name) => ports.push(name),
                            Err(error) => problems.push(format!("{word}: {error}")),
                        }
                    }
                }
            }
        }
        match () {
            () if !problems.is_empty() => Err(Invalid::new(problems.join("; "))),
            () if words(text).next().is_none() => Err(Invalid::new("a list without an entry")),
            () if all => Ok(Self::All),
            () if patterns.is_empty() => Ok(Self::Listed(ports)),
            () => Ok(Self::Matching(ports, patterns)),
        }
    }
}

/// How many names a range may mean.
const MOST_NAMES: usize = 4096;

/// The names of a `glob` of ifupdown2: one range of numbers, `swp1-10.100` or `swp[1-10].100`, or two,
/// `swp[1-10]sub[0-4]`.
fn glob(text: &str) -> Result<Vec<IfName>, Invalid> {
    let invalid = || Invalid::new(format!("{text}: not a range such as swp1-10 or swp[1-10]s[0-3].100"));
    let mut names = vec![String::new()];
    let mut rest = text;
    for _ in 0..2 {
        let Some((prefix, first, last, after)) = range(rest) else { break };
        if names.len().saturating_mul(last.saturating_sub(first)) >= MOST_NAMES {
            return Err(Invalid::new(format!("{text}: more than {MOST_NAMES} names")));
        }
        let each = |name: &String| (first..=last).map(|n| format!("{name}{prefix}{n}")).collect::<Vec<_>>();
        names = names.iter().flat_map(each).collect();
        rest = after;
    }
    if rest == text || names.is_empty() || range(rest).is_some() {
        return Err(invalid());
    }
    names.iter().map(|name| format!("{name}{rest}").parse()).collect()
}

/// The first range of a text: what is before it, its numbers, and what is after it.
fn range(text: &str) -> Option<(&str, usize, usize, &str)> {
    text.match_indices('-').find_map(|(dash, _)| {
        let (before, after) = (&text[..dash], &text[dash + 1..]);
        let digits = |c: char| c.is_ascii_digit();
        let prefix = before.trim_end_matches(digits);
        let rest = after.trim_start_matches(digits);
        let (first, last) = (&before[prefix.len()..], &after[..after.len() - rest.len()]);
        let (prefix, rest) = match (prefix.strip_suffix('['), rest.strip_prefix(']')) {
            (Some(prefix), Some(rest)) => (prefix, rest),
            (None, _) if prefix.ends_with(|c: char| c.is_ascii_alphabetic()) => (prefix, rest),
            _ => return None,
        };
        Some((prefix, first.parse().ok()?, last.parse().ok()?, rest))
    })
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

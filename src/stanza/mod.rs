//! A stanza's keywords and their values, and the problems found while reading them.
//!
//! The values arrive as text and become types ([`crate::values`]). Problems are collected, so that all of them are
//! reported at once. [`crate::stanza::environment`] reads the text.

pub mod environment;
pub mod file;
mod interfaces;
pub mod keywords;
mod phase;

pub use interfaces::{Begin, Line, Origin, Place, Stanzas};
pub use phase::Phase;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

/// Something wrong with one keyword of a stanza, displayed as `vrf-table 0: not a routing table …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The keyword, as the user writes it.
    pub keyword: String,
    /// Its value; empty where only the keyword is wrong.
    pub value: String,
    /// What is wrong with it, and what would be right.
    pub reason: String,
    /// An earlier phase has reported it.
    pub reported: bool,
    /// It ends when the interface of the stanza appears.
    pub awaits_link: bool,
}

impl Problem {
    /// A problem with this keyword and value.
    pub fn new(keyword: &str, value: impl fmt::Display, reason: impl fmt::Display) -> Self {
        let (value, reason) = (value.to_string(), reason.to_string());
        Self { keyword: keyword.to_owned(), value, reason, reported: false, awaits_link: false }
    }

    /// The same, which ends when the interface of the stanza appears.
    #[must_use]
    pub fn awaiting(self) -> Self {
        Self { awaits_link: true, ..self }
    }

    /// What is said of it where the stanza is left incomplete until then.
    pub fn until_it_appears(&self) -> String {
        format!("{self}; the stanza is completed when it appears")
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blank = if self.value.is_empty() { "" } else { " " };
        // One problem is one line, whatever the value contains.
        f.write_str(&one_line(&format!("{}{blank}{}: {}", self.keyword, self.value, self.reason)))
    }
}

/// The text with all control characters escaped, since they could end the line or control a terminal.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}

impl std::error::Error for Problem {}

/// The keywords of one stanza; a keyword without a value counts as absent.
#[derive(Debug, Clone, Default)]
pub struct Stanza {
    values: BTreeMap<String, String>,
    /// Keywords whose values may be truncated.
    cut: BTreeSet<String>,
    problems: RefCell<Vec<Problem>>,
}

/// The shortest `NAME=VALUE` that may be truncated. ifupdown-ng reads 4094 bytes of a line, joined lines and
/// indentation included (fgetline.c), and hands over 4095 bytes of a variable (environment.c), both without a message.
/// The name of a variable is three bytes longer than its keyword, and 32 bytes are allowed here for the indentation of
/// a line.
const SHORTEST_CUT: usize = 4094 + 3 - 32;

impl Stanza {
    /// The stanza with these keywords. Values are trimmed, since ifupdown-ng keeps trailing blanks.
    pub fn new<K: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        let values = pairs
            .into_iter()
            .map(|(keyword, value)| (canonical(keyword.as_ref()), value.as_ref().trim().to_owned()))
            .filter(|(_, value)| !value.is_empty())
            .collect();
        Self { values, cut: BTreeSet::new(), problems: RefCell::default() }
    }

    /// The stanza with the keywords that ifupdown-ng handed over. ifupdown-ng truncates long values.
    pub fn handed_over<K: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        let pairs: Vec<(K, V)> = pairs.into_iter().collect();
        let long = pairs.iter().filter(|(keyword, value)| may_be_cut(keyword.as_ref(), value.as_ref()));
        let cut = long.map(|(keyword, _)| canonical(keyword.as_ref())).collect();
        Self { cut, ..Self::new(pairs) }
    }

    /// Joins the lines of a keyword whose value is a list, if the last one is the value that was handed over. If it is
    /// another one, ifupdown-ng has read another file, and only the value that was handed over counts.
    pub fn join(&mut self, keyword: &str, lines: &[&str]) {
        if lines.len() < 2 || self.text(keyword) != lines.last().copied() {
            return;
        }
        if lines.iter().any(|line| may_be_cut(keyword, line)) {
            self.cut.insert(keyword.to_owned());
        }
        let entries: Vec<&str> = lines.iter().map(|line| line.trim_end_matches([',', ' ', '\t'])).collect();
        self.values.insert(keyword.to_owned(), entries.join(", "));
    }

    /// The value of a keyword as text.
    pub fn text(&self, keyword: &str) -> Option<&str> {
        self.values.get(keyword).map(String::as_str)
    }

    /// The keywords that have a value.
    pub fn keywords(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// Whether any of these keywords has a value.
    pub fn uses(&self, keywords: impl IntoIterator<Item = &'static str>) -> bool {
        keywords.into_iter().any(|keyword| self.values.contains_key(keyword))
    }

    /// Whether a DHCP client is started for the interface. The method `dhcp` is not handed over, but unless a setting
    /// turns it off, ifupdown-ng adds `dhcp-hostname` to a stanza with it.
    pub fn uses_dhcp(&self) -> bool {
        self.values.keys().any(|keyword| keyword.starts_with("dhcp-"))
    }

    /// The value of a keyword as a `T`; a text that is no `T` becomes a [`Problem`] and reads as absent.
    pub fn get<T: FromStr<Err: fmt::Display>>(&self, keyword: &str) -> Option<T> {
        let text = self.whole(keyword)?;
        text.parse().map_err(|error: T::Err| self.reject(keyword, error)).ok()
    }

    /// The value of a keyword as text, if it is complete; a value that may be truncated becomes a [`Problem`].
    pub fn whole(&self, keyword: &str) -> Option<&str> {
        let text = self.text(keyword)?;
        if !self.cut.contains(keyword) {
            return Some(text);
        }
        let begin: String = text.chars().take(16).collect();
        let reason = format!(
            "{} bytes, and ifupdown-ng cuts a line at 4094 bytes without a message; make it shorter, as by ranges",
            text.len()
        );
        self.problems.borrow_mut().push(Problem::new(keyword, format_args!("{begin}…"), reason));
        None
    }

    /// Records that the value of this keyword is invalid.
    pub fn reject(&self, keyword: &str, reason: impl fmt::Display) {
        let value = self.text(keyword).unwrap_or_default();
        self.problems.borrow_mut().push(Problem::new(keyword, value, reason));
    }

    /// Takes the problems found since the last call, in the order in which they were found.
    pub fn take_problems(&self) -> Vec<Problem> {
        self.problems.take()
    }
}

fn may_be_cut(keyword: &str, value: &str) -> bool {
    "IF_=".len() + keyword.len() + value.len() >= SHORTEST_CUT
}

/// The spelling of a keyword in our tables: ifupdown-ng hands `vrf-table`, `vrf_table` and `VRF-Table`
/// to an executor alike.
pub fn canonical(keyword: &str) -> String {
    keyword.to_ascii_lowercase().replace('_', "-")
}

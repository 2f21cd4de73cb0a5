//! The state of namespaces as the kernel showed it, to be restored later, perhaps by another process.
//!
//! The messages are kept as they came, as `ip address save` and `ip route save` do: what nobody here decodes is
//! restored too. [`crate::kernel::live`] reads and restores them.

use crate::state::{Allowed, NetnsId, Place, Record, Stations, Sysctl};
use crate::values::{IfName, NetnsRef};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Names of links, by namespace.
pub type Links = BTreeMap<Place, BTreeSet<IfName>>;

/// The state of some namespaces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Saved {
    /// By the reference that led there.
    pub places: BTreeMap<Place, SavedPlace>,
}

/// The state of one namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SavedPlace {
    /// Its identity.
    pub id: NetnsId,
    /// Its ids (nsid) of the other namespaces.
    pub nsids: BTreeMap<i32, Place>,
    /// The answers of the kernel, without their netlink headers, in its order.
    pub messages: BTreeMap<Noun, Vec<Vec<u8>>>,
    /// Some sysctls; `None` if the kernel had no such sysctl.
    pub sysctls: BTreeMap<Sysctl, Option<String>>,
    /// Some of our records; `None` if there was none.
    pub records: BTreeMap<Record, Option<String>>,
    /// The stations that some ports could have by `bridge-allow`; empty for a port without that keyword.
    pub allowed: BTreeMap<IfName, Stations>,
}

/// What of a namespace is saved beside its network state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// These sysctls.
    pub sysctls: BTreeSet<Sysctl>,
    /// These records.
    pub records: BTreeSet<Record>,
    /// The routing rules.
    pub rules: bool,
    /// What these ports may have by `bridge-allow`.
    pub allowed: BTreeSet<IfName>,
}

/// A kind of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Noun {
    /// A namespace. None is saved.
    Netns,
    /// A link with its settings.
    Link,
    /// The VLANs of a bridge or of a port.
    Vlan,
    /// A static entry of a forwarding database.
    Fdb,
    /// A nexthop object.
    Nexthop,
    /// An address.
    Address,
    /// A route.
    Route,
    /// A routing rule.
    Rule,
    /// A sysctl. It is not a message.
    Sysctl,
    /// A record. It is not a message.
    Record,
    /// The stations that a port may have. They are not messages.
    Allowed,
}

impl Noun {
    /// Those that are messages.
    pub const MESSAGES: [Self; 7] =
        [Self::Link, Self::Vlan, Self::Fdb, Self::Nexthop, Self::Address, Self::Route, Self::Rule];

    /// Its name in texts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Netns => "namespace",
            Self::Link => "link",
            Self::Vlan => "vlan",
            Self::Fdb => "fdb",
            Self::Nexthop => "nexthop",
            Self::Address => "address",
            Self::Route => "route",
            Self::Rule => "rule",
            Self::Sysctl => "sysctl",
            Self::Record => "record",
            Self::Allowed => "bridge-allow",
        }
    }
}

/// An object that is restored, for messages: `address 192.0.2.1/24 dev eth0`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    /// Its kind.
    pub noun: Noun,
    /// Which one.
    pub what: String,
    /// The link that it belongs to.
    pub dev: Option<IfName>,
}

impl Subject {
    /// All objects of a kind.
    pub fn all(noun: Noun) -> Self {
        Self { noun, what: String::new(), dev: None }
    }

    /// An object without a link.
    pub fn new(noun: Noun, what: impl Into<String>) -> Self {
        Self { noun, what: what.into(), dev: None }
    }

    /// An object of a link.
    pub fn of(noun: Noun, what: impl Into<String>, dev: &IfName) -> Self {
        Self { noun, what: what.into(), dev: Some(dev.clone()) }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.noun.word())?;
        if !self.what.is_empty() {
            write!(f, " {}", self.what)?;
        }
        self.dev.iter().try_for_each(|dev| write!(f, " dev {dev}"))
    }
}

/// The first line of the text, and the last one, by which a text that is not complete is recognized.
const FIRST: &str = "saved 1";
const LAST: &str = "end";

impl Saved {
    /// Parses the text that `Display` prints; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        if lines.next()? != FIRST || lines.next_back()? != LAST {
            return None;
        }
        let mut saved = Self::default();
        let mut current: Option<(Place, SavedPlace)> = None;
        for line in lines {
            let mut words = line.split(' ');
            let word = words.next()?;
            if word == "place" {
                let place = parse_place(words.next()?)?;
                let id = NetnsId::take(&mut words)?;
                if saved.places.contains_key(&place) {
                    return None;
                }
                saved.places.extend(current.replace((place, SavedPlace { id, ..SavedPlace::default() })));
            } else {
                current.as_mut()?.1.add(word, &mut words)?;
            }
            if words.next().is_some() {
                return None;
            }
        }
        if current.as_ref().is_some_and(|(place, _)| saved.places.contains_key(place)) {
            return None;
        }
        saved.places.extend(current);
        // There is one text for each state.
        (saved.to_string() == text).then_some(saved)
    }
}

impl SavedPlace {
    /// The messages of a kind.
    pub fn messages(&self, noun: Noun) -> &[Vec<u8>] {
        self.messages.get(&noun).map_or(&[], Vec::as_slice)
    }

    /// Adds what the words of a line say.
    fn add<'a>(&mut self, word: &str, words: &mut impl Iterator<Item = &'a str>) -> Option<()> {
        match word {
            "nsid" => {
                let nsid = words.next()?.parse().ok()?;
                self.nsids.insert(nsid, parse_place(words.next()?)?);
            }
            "sysctl" => {
                let key = words.next()?.parse().ok()?;
                self.sysctls.insert(key, parse_value(words.next()?).ok()?);
            }
            "record" => {
                let name = parse_text(words.next()?)?;
                self.records.insert(Record::of("", &name), parse_value(words.next()?).ok()?);
            }
            "allowed" => {
                let port = parse_text(words.next()?)?.parse().ok()?;
                let text = parse_text(words.next()?)?;
                let stations = text.split(',').filter(|_| !text.is_empty()).map(Allowed::parse);
                self.allowed.insert(port, stations.collect::<Option<_>>()?);
            }
            word => {
                let noun = Noun::MESSAGES.into_iter().find(|noun| noun.word() == word)?;
                self.messages.entry(noun).or_default().push(unhex(words.next()?)?);
            }
        }
        Some(())
    }
}

impl fmt::Display for Saved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST}")?;
        for (place, of) in &self.places {
            writeln!(f, "place {} {}", Word(place), of.id)?;
            for (nsid, other) in &of.nsids {
                writeln!(f, "nsid {nsid} {}", Word(other))?;
            }
            for (noun, messages) in &of.messages {
                messages.iter().try_for_each(|bytes| writeln!(f, "{} {}", noun.word(), Hex(bytes)))?;
            }
            for (key, value) in &of.sysctls {
                writeln!(f, "sysctl {key} {}", Value(value.as_deref()))?;
            }
            for (record, value) in &of.records {
                let name = record.file_name().as_bytes();
                writeln!(f, "record {} {}", Hex(name), Value(value.as_deref()))?;
            }
            for (port, stations) in &of.allowed {
                let stations: Vec<String> = stations.iter().map(Allowed::to_string).collect();
                let (port, stations) = (port.as_str().as_bytes(), stations.join(","));
                writeln!(f, "allowed {} {}", Hex(port), Hex(stations.as_bytes()))?;
            }
        }
        writeln!(f, "{LAST}")
    }
}

/// A namespace as a word: `-` for the process's own.
struct Word<'a>(&'a Place);

impl fmt::Display for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Place::Here => f.write_str("-"),
            Place::In(netns) => Hex(netns.to_string().as_bytes()).fmt(f),
        }
    }
}

fn parse_place(word: &str) -> Option<Place> {
    Some(match word {
        "-" => Place::Here,
        hex => Place::In(parse_text(hex)?.parse::<NetnsRef>().ok()?),
    })
}

/// A text that may be missing, as a word.
struct Value<'a>(Option<&'a str>);

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("-"),
            Some(text) => Hex(text.as_bytes()).fmt(f),
        }
    }
}

/// The value of a word; `None` if it is none.
fn parse_value(word: &str) -> Result<Option<String>, ()> {
    if word == "-" { Ok(None) } else { parse_text(word).map(Some).ok_or(()) }
}

fn parse_text(hex: &str) -> Option<String> {
    String::from_utf8(unhex(hex)?).ok()
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let bytes = text.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    });
    bytes.collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

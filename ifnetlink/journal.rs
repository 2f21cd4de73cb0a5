//! The journal of a change that waits for its confirmation: all that a process needs to roll it back, or to keep it.
//!
//! It is written before the first change and deleted last, as a whole each time. The other files are the answer of the
//! user, and the outcome if the change was not kept: the foreground reads that, and `check` until the next `apply`.

use crate::report::Report;
use crate::rollback::{Before, Part};
use anyhow::Context as _;
use ifupdown_ng_netlink::kernel::ifstate::Entry;
use ifupdown_ng_netlink::kernel::run_dir::RunDir;
use ifupdown_ng_netlink::kernel::{lock, netns};
use ifupdown_ng_netlink::plan::vrf::layout::{kernel_l3mdev, kernel_local};
use ifupdown_ng_netlink::state::{Place, Record, Rule, Saved};
use ifupdown_ng_netlink::values::{Family, IfName, NetnsRef};
use nix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// How far a change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It is being made.
    Changing,
    /// It is made.
    Waiting,
    /// It is confirmed: the deletions are being made.
    Keeping,
    /// It is being rolled back.
    Returning,
}

const PHASES: [(Phase, &str); 4] = [
    (Phase::Changing, "changing"),
    (Phase::Waiting, "waiting"),
    (Phase::Keeping, "keeping"),
    (Phase::Returning, "returning"),
];

/// The journal.
#[derive(Debug, Clone, PartialEq)]
pub struct Journal {
    /// How far the change is.
    pub phase: Phase,
    /// How long to wait.
    pub limit: Duration,
    /// When to roll back, by [`now`].
    pub deadline: Duration,
    /// The state before.
    pub before: Before,
    /// Our records of this namespace after the change, by name.
    pub records: Option<Vec<(String, String)>>,
    /// The entries of the state file that change: before and after.
    pub entries: [Vec<Entry>; 2],
    /// When `ifup` or `ifdown` last ran for each interface, by [`last_use`].
    ///
    /// [`last_use`]: ifupdown_ng_netlink::kernel::ifstate::StateFile::last_use
    pub uses: BTreeMap<IfName, String>,
    /// What to print about the change.
    pub report: Report,
}

/// The answer of the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Keep the change.
    Keep,
    /// Roll it back.
    Return,
}

const ANSWERS: [(Answer, &str); 2] = [(Answer::Keep, "keep"), (Answer::Return, "return")];

/// Whether a change waits for its confirmation.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// None does.
    Nothing,
    /// One does.
    Waiting(Box<Journal>),
    /// One does, but nothing watches it: its processes were killed.
    Abandoned(Box<Journal>),
}

/// The time since the start of this machine, also while it was suspended (clock_gettime(2), CLOCK_BOOTTIME).
///
/// # Errors
/// The kernel has no such clock.
pub fn now() -> anyhow::Result<Duration> {
    Ok(Duration::from(clock_gettime(ClockId::CLOCK_BOOTTIME).context("clock_gettime")?))
}

/// Whether a change waits for its confirmation.
///
/// # Errors
/// The files cannot be read.
pub fn find() -> anyhow::Result<Found> {
    let watched = lock::is_watched()?;
    Ok(match Journal::read()? {
        None => Found::Nothing,
        Some(journal) if watched => Found::Waiting(Box::new(journal)),
        Some(journal) => Found::Abandoned(Box::new(journal)),
    })
}

/// Deletes what the last change left.
///
/// # Errors
/// A file cannot be deleted.
pub fn forget() -> anyhow::Result<()> {
    [JOURNAL, ANSWER, OUTCOME].into_iter().try_for_each(remove)
}

const JOURNAL: &str = "journal";
const ANSWER: &str = "answer";
const OUTCOME: &str = "outcome";

fn read(name: &str) -> anyhow::Result<Option<String>> {
    Ok(RunDir::read(&Record::pending(name))?)
}

fn write(name: &str, text: &str) -> anyhow::Result<()> {
    Ok(RunDir::open()?.write(&Record::pending(name), text)?)
}

fn remove(name: &str) -> anyhow::Result<()> {
    Ok(RunDir::discard(&Record::pending(name))?)
}

impl Answer {
    /// The answer that was given.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read() -> anyhow::Result<Option<Self>> {
        let text = read(ANSWER)?;
        Ok(ANSWERS.iter().find(|(_, word)| text.as_deref() == Some(word)).map(|(answer, _)| *answer))
    }

    /// Gives the answer to the process that waits for it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(self) -> anyhow::Result<()> {
        ANSWERS.iter().filter(|(answer, _)| *answer == self).try_for_each(|(_, word)| write(ANSWER, word))
    }
}

/// The outcome of a change that was not kept, or not completely.
pub struct Outcome {
    /// The exit status.
    pub code: u8,
    /// What to print.
    pub report: Report,
}

impl Outcome {
    /// That of the last change.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read() -> anyhow::Result<Option<Self>> {
        let Some(text) = read(OUTCOME)? else { return Ok(None) };
        let parse = |value: &Value| {
            let code = u8::try_from(value["code"].as_u64()?).ok()?;
            let is_own = value["netns"] == json!(own_id().ok()?);
            is_own.then(|| Some(Self { code, report: Report::parse(&value["report"])? }))?
        };
        Ok(serde_json::from_str(&text).ok().as_ref().and_then(parse))
    }

    /// Leaves it for other processes.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self) -> anyhow::Result<()> {
        let Self { code, report } = self;
        write(OUTCOME, &json!({ "netns": own_id()?, "code": code, "report": report.json() }).to_string())
    }

    /// Deletes it.
    ///
    /// # Errors
    /// The file cannot be deleted.
    pub fn remove() -> anyhow::Result<()> {
        remove(OUTCOME)
    }
}

/// The identity of this namespace. `/run` may survive a restart of a container.
fn own_id() -> anyhow::Result<String> {
    Ok(netns::own_id()?.to_string())
}

impl Journal {
    /// The journal of this namespace. That of an earlier namespace or start is none.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read() -> anyhow::Result<Option<Self>> {
        let Some(text) = read(JOURNAL)? else { return Ok(None) };
        let id = own_id()?;
        let value: Option<Value> = serde_json::from_str(&text).ok();
        Ok(value.filter(|value| value["netns"] == json!(id)).and_then(|value| Self::parse(&value)))
    }

    /// Whether there is one, perhaps an invalid one.
    pub fn exists() -> bool {
        matches!(read(JOURNAL), Ok(Some(_)))
    }

    /// Writes the journal in place of the one before.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self) -> anyhow::Result<()> {
        let mut value = self.json();
        value["netns"] = json!(own_id()?);
        write(JOURNAL, &value.to_string())
    }

    /// Deletes the journal and the answer, and the file of the watch: nothing waits any more.
    ///
    /// # Errors
    /// A file cannot be deleted.
    pub fn remove() -> anyhow::Result<()> {
        remove(ANSWER)?;
        remove(JOURNAL)?;
        Ok(RunDir::discard(&lock::watched())?)
    }

    fn json(&self) -> Value {
        let word = PHASES.iter().find(|(phase, _)| *phase == self.phase).map(|(_, word)| *word);
        let lines = |entries: &[Entry]| entries.iter().map(Entry::line).collect::<Vec<_>>();
        let parts = self.before.parts.iter().map(|(iface, part)| (iface.to_string(), part_json(part)));
        json!({
            "phase": word,
            "limit": self.limit.as_secs(),
            "deadline": u64::try_from(self.deadline.as_millis()).unwrap_or(u64::MAX),
            "parts": parts.collect::<serde_json::Map<_, _>>(),
            "records": self.before.records,
            "saved": self.before.saved.to_string(),
            "records_after": self.records,
            "entries": self.entries.each_ref().map(|entries| lines(entries)),
            "uses": self.uses.iter().map(|(iface, text)| (iface.to_string(), json!(text))).collect::<serde_json::Map<_, _>>(),
            "report": self.report.json(),
        })
    }

    fn parse(value: &Value) -> Option<Self> {
        let word = value["phase"].as_str()?;
        let entries = |place: usize| list(&value["entries"][place], |line| Entry::parse(line.as_str()?));
        Some(Self {
            phase: PHASES.iter().find(|(_, known)| *known == word).map(|(phase, _)| *phase)?,
            limit: Duration::from_secs(value["limit"].as_u64()?),
            deadline: Duration::from_millis(value["deadline"].as_u64()?),
            before: Before {
                saved: Saved::parse(value["saved"].as_str()?)?,
                records: pairs(&value["records"])?,
                parts: by_name(&value["parts"], part)?,
            },
            records: match &value["records_after"] {
                Value::Null => None,
                records => Some(pairs(records)?),
            },
            entries: [entries(0)?, entries(1)?],
            uses: by_name(&value["uses"], |text| Some(text.as_str()?.to_owned()))?,
            report: Report::parse(&value["report"])?,
        })
    }
}

fn part_json(part: &Part) -> Value {
    let place = |place: &Place| match place {
        Place::Here => Value::Null,
        Place::In(netns) => json!(netns.to_string()),
    };
    let rule = |rule: &Rule| json!([rule.family == Family::Ipv6, rule.priority]);
    json!({
        "links": part.links.iter().map(|(at, name)| json!([place(at), name.as_str()])).collect::<Vec<_>>(),
        "sysctls": part.sysctls.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "records": part.records.iter().map(Record::file_name).collect::<Vec<_>>(),
        "has_rules": part.has_rules,
        "kernel_rules": part.kernel_rules.iter().map(rule).collect::<Vec<_>>(),
        "netns": part.netns,
    })
}

fn part(value: &Value) -> Option<Part> {
    let text = |value: &Value| Some(value.as_str()?.to_owned());
    Some(Part {
        links: list(&value["links"], link)?,
        sysctls: list(&value["sysctls"], |key| key.as_str()?.parse().ok())?.into_iter().collect(),
        records: list(&value["records"], |name| Some(Record::of("", name.as_str()?)))?.into_iter().collect(),
        has_rules: value["has_rules"].as_bool()?,
        kernel_rules: list(&value["kernel_rules"], kernel_rule)?,
        netns: list(&value["netns"], text)?.into_iter().collect(),
    })
}

fn link(value: &Value) -> Option<(Place, IfName)> {
    let place = match &value[0] {
        Value::Null => Place::Here,
        netns => Place::In(netns.as_str()?.parse::<NetnsRef>().ok()?),
    };
    Some((place, value[1].as_str()?.parse().ok()?))
}

/// One of the rules that the kernel itself adds.
fn kernel_rule(value: &Value) -> Option<Rule> {
    let family = if value[0].as_bool()? { Family::Ipv6 } else { Family::Ipv4 };
    let known = [kernel_local(family), kernel_l3mdev(family)];
    known.into_iter().find(|rule| Some(u64::from(rule.priority)) == value[1].as_u64())
}

fn list<T>(value: &Value, parse: impl Fn(&Value) -> Option<T>) -> Option<Vec<T>> {
    value.as_array()?.iter().map(parse).collect()
}

fn pairs(value: &Value) -> Option<Vec<(String, String)>> {
    list(value, |pair| Some((pair[0].as_str()?.to_owned(), pair[1].as_str()?.to_owned())))
}

fn by_name<T>(value: &Value, parse: impl Fn(&Value) -> Option<T>) -> Option<BTreeMap<IfName, T>> {
    value.as_object()?.iter().map(|(name, value)| Some((name.parse().ok()?, parse(value)?))).collect()
}

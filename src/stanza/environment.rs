//! How an executor was started: the only reader of its environment.
//!
//! ifupdown-ng hands over IFACE, PHASE, VERBOSE and one `IF_KEYWORD` variable per keyword
//! (ifupdown-executor(7)). By hand the same comes from the command line ([`crate::program::arguments`]).

use crate::{
    stanza::{Phase, Stanza, canonical, keywords::is_unknown},
    values::IfName,
};
use std::{ffi::OsString, io::IsTerminal as _, path::PathBuf};

/// What to do with the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Carry it out.
    Apply,
    /// Print it as if everything it needs were there; ask the kernel nothing (`MOCK`).
    Mock,
    /// Print it for the kernel as it is (`--dry-run`).
    DryRun,
    /// Print it for the kernel as it is, and exit with 3 if there is anything to do (`--check`).
    Check,
}

/// Everything an executor is told.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The interface of the stanza.
    pub iface: IfName,
    /// The phases to run: one, but for `--check` and `--dry-run` by hand.
    pub phases: Vec<Phase>,
    /// What to do with the plan.
    pub mode: Mode,
    /// Print each step.
    pub verbose: bool,
    /// Started with arguments, not by ifupdown-ng.
    pub by_hand: bool,
    /// The keywords of the stanza.
    pub stanza: Stanza,
    /// The interfaces file that the stanza is from; `None` by hand, unless told.
    pub interfaces_file: Option<PathBuf>,
}

/// The parts of an invocation as they were found, before anything is required of them.
#[derive(Debug, Default)]
pub struct Found {
    /// IFACE or `--iface`.
    pub iface: Option<String>,
    /// PHASE or `--phase`.
    pub phase: Option<String>,
    /// VERBOSE or `--verbose`.
    pub verbose: bool,
    /// MOCK.
    pub mock: bool,
    /// `INTERFACES_FILE`.
    pub interfaces_file: Option<PathBuf>,
    /// `RUST_LOG` is set.
    pub log: bool,
    /// The keywords and their values.
    pub keywords: Vec<(String, String)>,
}

/// Whether the environment has a value for any of these keywords, under the name that ifupdown-ng gives it, or for one
/// with the prefix of the program that nobody knows.
///
/// Nothing else of it is kept, since this decides most starts: a stanza with `use vrf` has us started for every phase,
/// and each page of memory that such a start does not touch shortens it.
pub fn mentions(program: &str, keywords: impl IntoIterator<Item = &'static str>) -> bool {
    // Room for any of them at once: each size of memory that is asked for anew is another page.
    let mut name = String::with_capacity(64);
    name.push_str(VARIABLE);
    let known = keywords.into_iter().any(|keyword| {
        name.truncate(VARIABLE.len());
        name.extend(keyword.chars().map(|c| if c == '-' { '_' } else { c.to_ascii_uppercase() }));
        std::env::var_os(&name).is_some_and(|value| !value.is_empty())
    });
    known
        || std::env::vars_os().any(|(name, value)| {
            let keyword = name.to_str().and_then(|name| name.strip_prefix(VARIABLE));
            !value.is_empty() && keyword.is_some_and(|keyword| is_unknown(&canonical(keyword), program))
        })
}

/// What the variables of keywords begin with.
const VARIABLE: &str = "IF_";

impl Found {
    /// What the process was started with.
    pub fn in_process() -> Self {
        Self::in_environment(std::env::vars_os())
    }

    /// Sorts an environment. Variables that are empty count as absent, as upstream's tests set them;
    /// bytes that are not UTF-8 are replaced, and then refused by whichever value they are in.
    pub fn in_environment(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut found = Self::default();
        for (name, value) in variables {
            let Some(name) = name.to_str() else { continue };
            if value.is_empty() {
                continue;
            }
            if name == "INTERFACES_FILE" {
                found.interfaces_file = Some(value.into());
                continue;
            }
            let value = value.to_string_lossy().into_owned();
            match name {
                "IFACE" => found.iface = Some(value),
                "PHASE" => found.phase = Some(value),
                "VERBOSE" => found.verbose = true,
                "MOCK" => found.mock = true,
                "RUST_LOG" => found.log = true,
                _ => {
                    if let Some(keyword) = name.strip_prefix(VARIABLE) {
                        found.keywords.push((keyword.to_owned(), value));
                    }
                }
            }
        }
        found
    }

    /// Whether this asks for dependencies, which must never fail.
    pub fn is_depend(&self) -> bool {
        self.phase.as_deref() == Some(Phase::Depend.as_str())
    }

    /// The stanza.
    pub fn stanza(&self) -> Stanza {
        Stanza::handed_over(self.keywords.iter().map(|(keyword, value)| (keyword, value)))
    }

    /// The invocation that was asked for by environment alone.
    ///
    /// # Errors
    /// A line per part that is missing or wrong.
    pub fn invocation(&self) -> Result<Invocation, Vec<String>> {
        let mut wrong = Vec::new();
        let mut part = |name: &str, value: &Option<String>| {
            if value.is_none() {
                wrong.push(format!("{name} is not set; run by ifup, or see --help"));
            }
            value.clone().unwrap_or_default()
        };
        let (iface, phase) = (part("IFACE", &self.iface), part("PHASE", &self.phase));
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let iface = iface.parse().map_err(|error| wrong.push(format!("IFACE {iface:?}: {error}")));
        let phase = phase.parse().map_err(|error: String| wrong.push(error));
        match (iface, phase) {
            (Ok(iface), Ok(phase)) => Ok(Invocation {
                iface,
                phases: vec![phase],
                mode: if self.mock { Mode::Mock } else { Mode::Apply },
                verbose: self.verbose,
                by_hand: false,
                stanza: self.stanza(),
                interfaces_file: self.interfaces_file.clone(),
            }),
            _ => Err(wrong),
        }
    }
}

/// Whether standard output is for somebody who can see colours and wants them (no-color.org).
pub fn has_colours() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && std::io::stdout().is_terminal()
}

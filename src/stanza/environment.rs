//! How an executor was started: the only reader of its environment.
//!
//! ifupdown-ng hands over IFACE, PHASE, VERBOSE and one `IF_KEYWORD` variable per keyword
//! (ifupdown-executor(7)). By hand the same comes from the command line ([`crate::program::arguments`]).

use crate::stanza::keywords::is_unknown;
use crate::stanza::{Phase, Stanza, canonical};
use crate::values::IfName;
use rustix::termios::tcgetwinsize;
use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::PathBuf;

/// What to do with the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Carry it out.
    Apply,
    /// Print it as if everything that it needs exists; do not ask the kernel (`MOCK`).
    Mock,
    /// Print it for the current state of the kernel (`--dry-run`).
    DryRun,
    /// Print it for the current state of the kernel, and exit with 3 if there is anything to do (`--check`).
    Check,
}

/// The complete input of an executor.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The interface of the stanza.
    pub iface: IfName,
    /// The phases to run: one, or several for `--check` and `--dry-run` by hand.
    pub phases: Vec<Phase>,
    /// What to do with the plan.
    pub mode: Mode,
    /// Print each step.
    pub verbose: bool,
    /// Started with arguments, not by ifupdown-ng.
    pub by_hand: bool,
    /// The keywords of the stanza.
    pub stanza: Stanza,
    /// The interfaces file of the stanza; `None` by hand, unless `INTERFACES_FILE` is set.
    pub interfaces_file: Option<PathBuf>,
}

/// The parts of an invocation as they were found, before they are checked.
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

/// Whether the environment has a value for any of these keywords, under the name that ifupdown-ng gives it, or for an
/// unknown keyword with the prefix of the program.
///
/// No other variable is kept, since this check is all that most starts do: with `use vrf` in a stanza, ifupdown-ng
/// starts the executor for every phase, and each page of memory that such a start does not touch shortens it.
pub fn mentions(program: &str, keywords: impl IntoIterator<Item = &'static str>) -> bool {
    // Room for any of the names: each growth of the string would touch another page.
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

/// The interface of the stanza.
pub fn iface() -> Option<IfName> {
    std::env::var("IFACE").ok()?.parse().ok()
}

/// The prefix of the variables of keywords.
const VARIABLE: &str = "IF_";

impl Found {
    /// Reads the environment of the process.
    pub fn in_process() -> Self {
        Self::in_environment(std::env::vars_os())
    }

    /// Reads an environment. Empty variables count as absent, since upstream's tests set them. Bytes that are not UTF-8
    /// are replaced; the parser of the value then refuses it.
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

    /// The invocation, from the environment alone.
    ///
    /// # Errors
    /// One line for each part that is missing or wrong.
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

/// How text is printed on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Output {
    /// It is a terminal.
    pub terminal: bool,
    /// The text has colours: it is a terminal, and `NO_COLOR` does not turn them off (no-color.org).
    pub colours: bool,
    /// The length of the longest line, in characters: `COLUMNS`, or the width of the terminal; 80 without either.
    pub width: usize,
}

impl Output {
    /// Reads the environment of the process, and asks the terminal.
    pub fn in_process() -> Self {
        let output = std::io::stdout();
        let terminal = output.is_terminal();
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        let size = || tcgetwinsize(output).ok().map(|size| usize::from(size.ws_col));
        // A serial console reports 0 columns.
        let width = columns.or_else(size).filter(|width| *width > 0).unwrap_or(80);
        Self { terminal, colours: terminal && !no_color, width }
    }
}

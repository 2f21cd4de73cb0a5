//! What can be wrong in an interfaces file itself, whatever its keywords mean.

use crate::stanza::Place;
use std::fmt;

/// How deep files may be nested.
pub(super) const DEEPEST: usize = 100;

/// Something wrong in an interfaces file, displayed as `FILE:LINE: REASON`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileProblem {
    /// Where; `None` for the first file itself.
    pub place: Option<Place>,
    /// What.
    pub reason: Reason,
}

/// What is wrong in an interfaces file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// A file cannot be read. ifupdown-ng then reads nothing at all.
    Unreadable {
        /// The file.
        file: String,
        /// Why.
        error: String,
    },
    /// Files are nested too deep. ifupdown-ng fails too, at another depth.
    TooDeep,
    /// The files are too long, or too much is inherited.
    TooLong,
    /// A stanza with an address inherits from itself. ifupdown-ng never ends.
    Endless(String),
    /// A file reads itself, directly or through another one. ifupdown-ng skips it.
    SourceCircle(String),
    /// A file is read for the second time. ifupdown-ng skips it.
    ReadBefore(String),
    /// `source` finds nothing.
    NothingFound(String),
    /// A directory of `source-directory` cannot be read. ifupdown-ng skips it.
    Directory {
        /// The directory.
        directory: String,
        /// Why.
        error: String,
    },
    /// A keyword without its value.
    NoValue(String),
    /// A keyword before the first stanza.
    NoStanza(String),
    /// A value of `address` that ifupdown-ng ignores.
    NotAnAddress(String),
    /// Templates inherit from each other.
    TemplateCircle(String),
    /// Inherits from an interface, and the settings of ifupdown-ng allow only templates. ifup skips the interface.
    NoTemplate(String),
    /// Inherits from what no line before has begun. ifupdown-ng creates an empty template.
    UnknownTemplate(String),
    /// A line that ifupdown-ng cuts, and whose rest it reads as a line of its own.
    Cut,
}

impl fmt::Display for FileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        self.reason.fmt(f)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { file, error } => write!(f, "{file}: {error}"),
            Self::TooDeep => write!(f, "files are nested deeper than {DEEPEST}"),
            Self::TooLong => f.write_str("the files are too long, or too much is inherited"),
            Self::Endless(name) => {
                write!(f, "inherit {name}: inherits its own addresses; ifupdown-ng never ends")
            }
            Self::SourceCircle(file) => write!(f, "source {file}: reads itself; skipped"),
            Self::ReadBefore(file) => write!(f, "source {file}: was read before; skipped"),
            Self::NothingFound(pattern) => write!(f, "source {pattern}: no such file"),
            Self::Directory { directory, error } => write!(f, "source-directory {directory}: {error}"),
            Self::NoValue(keyword) => write!(f, "{keyword}: without a value"),
            Self::NoStanza(keyword) => write!(f, "{keyword}: before the first stanza; ignored"),
            Self::NotAnAddress(value) => write!(f, "address {value}: not an address; ignored"),
            Self::TemplateCircle(name) => write!(f, "inherit {name}: {name} inherits from this stanza"),
            Self::NoTemplate(name) => {
                write!(f, "inherit {name}: {name} is not a template; ifup skips this interface")
            }
            Self::UnknownTemplate(name) => {
                write!(f, "inherit {name}: no line before this one begins {name}")
            }
            Self::Cut => f.write_str("ifupdown-ng cuts this line at 4094 bytes; make it shorter"),
        }
    }
}

impl std::error::Error for FileProblem {}

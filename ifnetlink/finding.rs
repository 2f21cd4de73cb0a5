//! Something wrong in an interfaces file, with its place.

use ifupdown_ng_netlink::stanza::file::{FileProblem, Reason};
use ifupdown_ng_netlink::stanza::keywords::OURS;
use ifupdown_ng_netlink::stanza::{Place, Problem, canonical, one_line};
use serde_json::json;
use std::collections::BTreeSet;
use std::fmt;

/// Something wrong, displayed as `FILE:LINE: KEYWORD VALUE: REASON`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where; `None` for a file that cannot be read.
    pub place: Option<Place>,
    /// The interfaces that it is about; none if it is about the file.
    pub interfaces: BTreeSet<String>,
    /// The keyword; empty if it is about none.
    pub keyword: String,
    /// The keyword, its value, and the reason.
    pub text: String,
    /// It does not make the file wrong.
    pub is_warning: bool,
}

impl Finding {
    /// An error of one interface.
    pub fn new(place: Option<Place>, iface: &str, keyword: &str, text: impl fmt::Display) -> Self {
        let interfaces = BTreeSet::from([iface.to_owned()]);
        let (keyword, text) = (keyword.to_owned(), text.to_string());
        Self { place, interfaces, keyword, text, is_warning: false }
    }

    /// A problem of one keyword.
    pub fn of(place: Option<Place>, iface: &str, problem: &Problem) -> Self {
        Self::new(place, iface, &problem.keyword, problem)
    }

    /// The same, about another interface too.
    #[must_use]
    pub fn and(mut self, iface: &str) -> Self {
        self.interfaces.insert(iface.to_owned());
        self
    }

    /// The same as a warning.
    #[must_use]
    pub fn into_warning(self) -> Self {
        Self { is_warning: true, ..self }
    }

    /// Whether it is about one of these interfaces, or about the file.
    pub fn concerns(&self, chosen: impl Fn(&str) -> bool) -> bool {
        self.interfaces.is_empty() || self.interfaces.iter().any(|name| chosen(name))
    }

    /// For machines, by docs/ifnetlink.schema.json.
    pub fn json(&self) -> serde_json::Value {
        let mut object = json!({
            "severity": if self.is_warning { "warning" } else { "error" },
            "interfaces": self.interfaces,
            "keyword": self.keyword,
            "text": one_line(&self.text),
        });
        if let Some(place) = &self.place {
            object["file"] = json!(&*place.file);
            object["line"] = json!(place.line);
        }
        object
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{}: ", one_line(&place.to_string()))?;
        }
        f.write_str(if self.is_warning { "warning: " } else { "" })?;
        f.write_str(&one_line(&self.text))
    }
}

impl From<FileProblem> for Finding {
    fn from(problem: FileProblem) -> Self {
        let mut text = problem.reason.to_string();
        let is_named = problem.place.is_some();
        if matches!(problem.reason, Reason::Unreadable { .. }) && is_named {
            text.insert_str(0, "source ");
        }
        let keyword = match &problem.reason {
            Reason::Unreadable { .. } if is_named => "source",
            Reason::NoValue(keyword) | Reason::NoStanza(keyword) => keyword.as_str(),
            Reason::NothingFound(_) | Reason::ReadBefore(_) | Reason::SourceCircle(_) => "source",
            Reason::Directory { .. } => "source-directory",
            Reason::NotAnAddress(_) => "address",
            Reason::TemplateCircle(_)
            | Reason::UnknownTemplate(_)
            | Reason::NoTemplate(_)
            | Reason::Endless(_) => "inherit",
            Reason::Unreadable { .. } | Reason::TooDeep | Reason::TooLong | Reason::Cut => "",
        };
        let is_warning = match &problem.reason {
            Reason::ReadBefore(_) => true,
            // Such as `source /etc/network/interfaces.d/*`, which a new system has.
            Reason::NothingFound(pattern) => pattern.contains(['*', '?', '[']),
            // Such as `allow-hotplug`, which ifupdown-ng does not know.
            Reason::NoStanza(keyword) => !OURS.contains(&canonical(keyword).as_str()),
            _ => false,
        };
        let keyword = keyword.to_owned();
        Self { place: problem.place, interfaces: BTreeSet::new(), keyword, text, is_warning }
    }
}

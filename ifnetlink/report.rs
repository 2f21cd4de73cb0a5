//! What `ifnetlink apply` prints.

use crate::apply::Request;
use crate::finding::Finding;
use crate::targets::Targets;
use ifupdown_ng_netlink::kernel::syslog;
use ifupdown_ng_netlink::plan::Plan;
use ifupdown_ng_netlink::program::message::complain;
use ifupdown_ng_netlink::stanza::one_line;
use ifupdown_ng_netlink::values::IfName;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::time::Duration;

/// What to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// The changes, errors and warnings.
    Text,
    /// Errors and warnings only.
    Quiet,
    /// JSON.
    Json,
}

/// The changes wait for their confirmation.
pub const PENDING: u8 = 5;

/// What is printed at the end.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// The changes, each with the interface of its stanza.
    pub lines: Vec<(IfName, String)>,
    /// The warnings.
    pub warnings: Vec<String>,
    /// Why it failed.
    pub errors: Vec<String>,
    /// What is wrong in the stanzas, and warnings about them, as JSON.
    pub findings: Vec<Value>,
    /// The warnings about the file.
    file_warnings: Vec<String>,
    /// Print what is done as soon as it is done.
    shows_progress: bool,
}

impl Report {
    /// Before anything is done.
    pub fn new(request: Request) -> Self {
        let shows_progress = request.output == Output::Text && std::io::stderr().is_terminal();
        Self { shows_progress, ..Self::default() }
    }

    /// Work for an interface is done, and took so long. Prints a line if a person waits for it.
    pub fn took(&self, iface: &IfName, what: &str, time: Duration) {
        if self.shows_progress {
            complain(&format_args!("ifnetlink: {iface}: {what}, {:.1} s", time.as_secs_f64()));
        }
    }

    /// What is wrong in the file, and warnings about it.
    pub fn of_file(&mut self, targets: &Targets) {
        self.findings = targets.wrong.iter().chain(&targets.warnings).map(Finding::json).collect();
        self.errors.extend(targets.wrong.iter().map(ToString::to_string));
        self.file_warnings = targets.warnings.iter().map(ToString::to_string).collect();
    }

    pub fn warn(&mut self, lines: impl IntoIterator<Item = String>) {
        for line in lines {
            if !self.warnings.contains(&line) {
                self.warnings.push(line);
            }
        }
    }

    pub fn command(&mut self, name: &str, iface: &IfName) {
        self.lines.push((iface.clone(), format!("{name} {iface}")));
    }

    pub fn scripts(&mut self, iface: &IfName, directory: &Path) {
        self.lines.push((iface.clone(), format!("run-parts {}", directory.display())));
    }

    pub fn changes<'a>(&mut self, steps: impl IntoIterator<Item = &'a (IfName, Plan)>) {
        for (iface, plan) in steps {
            let acts = plan.steps.iter().map(|step| &step.act).filter(|act| !act.op.is_a_note());
            self.lines.extend(acts.map(|act| ((*iface).clone(), act.to_string())));
        }
    }

    /// The changes were rolled back, but for this.
    pub fn rolled_back(&mut self, left: &[String]) {
        self.errors.extend(left.iter().map(|line| format!("not restored: {line}")));
        self.lines.clear();
    }

    /// Writes to the system log which interfaces changed, or what failed.
    pub fn log(&self, outcome: Result<&u8, &anyhow::Error>) {
        match outcome {
            Err(error) => syslog::log("ifnetlink", true, &format!("apply: {error:#}")),
            Ok(0) if self.lines.is_empty() => {}
            Ok(0) => {
                let names: BTreeSet<&IfName> = self.lines.iter().map(|(iface, _)| iface).collect();
                let names: Vec<&str> = names.into_iter().map(IfName::as_str).collect();
                syslog::log("ifnetlink", false, &format!("apply: changed {}", names.join(", ")));
            }
            Ok(_) => self.errors.iter().for_each(|line| {
                syslog::log("ifnetlink", true, &format!("apply: {}", one_line(line)));
            }),
        }
    }

    /// As other processes read it.
    pub fn json(&self) -> Value {
        let changes = self.lines.iter();
        let changes = changes.map(|(iface, text)| json!({ "interface": iface.as_str(), "text": text }));
        json!({
            "changes": changes.collect::<Vec<_>>(),
            "errors": self.errors,
            "findings": self.findings,
            "of_file": self.file_warnings,
            "warnings": self.warnings,
        })
    }

    /// Reads the text that `json` returns.
    pub fn parse(value: &Value) -> Option<Self> {
        let texts = |key: &str| -> Option<Vec<String>> {
            value[key].as_array()?.iter().map(|text| Some(text.as_str()?.to_owned())).collect()
        };
        let change = |value: &Value| {
            Some((value["interface"].as_str()?.parse().ok()?, value["text"].as_str()?.to_owned()))
        };
        Some(Self {
            lines: value["changes"].as_array()?.iter().map(change).collect::<Option<_>>()?,
            warnings: texts("warnings")?,
            errors: texts("errors")?,
            findings: value["findings"].as_array()?.clone(),
            file_warnings: texts("of_file")?,
            shows_progress: false,
        })
    }

    /// Prints it at the end, or while the changes wait for their confirmation.
    ///
    /// # Errors
    /// Nothing can be printed.
    pub fn print(&self, request: Request, code: u8) -> std::io::Result<()> {
        let text = if request.output == Output::Json {
            let mut whole = self.json();
            whole.as_object_mut().map(|whole| whole.remove("of_file"));
            whole["applied"] = json!(code == 0 && !request.dry_run);
            whole["pending"] = json!(code == PENDING);
            format!("{whole}\n")
        } else {
            let warnings = self.warnings.iter().map(|line| format!("warning: {line}"));
            for line in self.file_warnings.iter().cloned().chain(warnings).chain(self.errors.iter().cloned())
            {
                complain(&format_args!("ifnetlink: {line}"));
            }
            let lines = self.lines.iter().filter(|_| request.output == Output::Text);
            let lines: Vec<_> = lines.map(|(iface, text)| format!("{iface}: {text}\n")).collect();
            lines.concat()
        };
        std::io::stdout().write_all(text.as_bytes())
    }
}

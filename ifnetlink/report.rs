//! What `ifnetlink apply` prints.

use crate::apply::Request;
use crate::pending::Changes;
use ifupdown_ng_netlink::program::message::complain;
use ifupdown_ng_netlink::values::IfName;
use serde_json::json;
use std::io::Write as _;

/// What is printed at the end.
#[derive(Debug, Default)]
pub struct Report {
    /// The changes, each with the interface of its stanza.
    pub lines: Vec<(IfName, String)>,
    /// The warnings.
    pub warnings: Vec<String>,
    /// Why it failed.
    pub errors: Vec<String>,
    /// What is wrong in the stanzas, as JSON.
    pub findings: Vec<serde_json::Value>,
}

impl Report {
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

    pub fn changes(&mut self, changes: &Changes) {
        for (iface, plan) in &changes.steps {
            let acts = plan.steps.iter().map(|step| &step.act).filter(|act| !act.op.is_a_note());
            self.lines.extend(acts.map(|act| ((*iface).clone(), act.to_string())));
        }
    }

    pub fn print(&self, request: Request, code: u8) -> std::io::Result<()> {
        let text = if request.json {
            let lines = self.lines.iter();
            let changes = lines.map(|(iface, text)| json!({ "interface": iface.as_str(), "text": text }));
            let whole = json!({
                "applied": code == 0 && !request.dry_run,
                "changes": changes.collect::<Vec<_>>(),
                "errors": self.errors,
                "findings": self.findings,
                "warnings": self.warnings,
            });
            format!("{whole}\n")
        } else {
            let warnings = self.warnings.iter().map(|line| format!("warning: {line}"));
            for line in warnings.chain(self.errors.iter().cloned()) {
                complain(&format_args!("ifnetlink: {line}"));
            }
            let lines: Vec<_> = self.lines.iter().map(|(iface, text)| format!("{iface}: {text}\n")).collect();
            lines.concat()
        };
        std::io::stdout().write_all(text.as_bytes())
    }
}

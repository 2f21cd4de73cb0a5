//! The stanzas of other interfaces, as ifupdown-ng understands them.
//!
//! A port of a bridge may have its VLANs in a stanza of its own, which an executor of the bridge is not handed.
//! `ifquery` is asked for all stanzas at once: sources, templates and inheritance are its business.

use crate::{
    apply::Refusal,
    stanza::{Stanza, canonical},
    values::IfName,
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Names of the program: where classic ifupdown is installed as well, the second one is its.
const PROGRAMS: [&str; 2] = ["ifquery-ng", "ifquery"];
/// Where it is; ifupdown-ng 0.12.1 and older hand over no PATH.
const DIRECTORIES: [&str; 4] = ["/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/bin"];

/// Stanzas by interface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stanzas(BTreeMap<String, Vec<(String, String)>>);

impl Stanzas {
    /// Reads what `ifquery --list --pretty-print` prints.
    pub fn parse(text: &str) -> Self {
        let mut stanzas: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
        let mut current = None;
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("iface ") {
                current = name.split_whitespace().next().map(str::to_owned);
                if let Some(name) = &current {
                    stanzas.entry(name.clone()).or_default();
                }
            } else if !line.starts_with(' ') {
                current = None;
            } else if let (Some(name), Some((keyword, value))) = (&current, line.trim_start().split_once(' '))
            {
                stanzas.entry(name.clone()).or_default().push((canonical(keyword), value.to_owned()));
            }
        }
        Self(stanzas)
    }

    /// Asks ifquery for the stanzas of a file. No executor is asked for dependencies meanwhile.
    ///
    /// # Errors
    /// When there is no ifquery, or it fails.
    pub fn read(file: &Path) -> Result<Self, Refusal> {
        let candidates = DIRECTORIES
            .iter()
            .flat_map(|directory| PROGRAMS.iter().map(move |program| Path::new(directory).join(program)));
        // In every directory the unambiguous name comes first, and before it the one in no other.
        let mut found: Vec<PathBuf> = candidates.filter(|path| path.exists()).collect();
        found.sort_by_key(|path| !path.ends_with(PROGRAMS[0]));
        let program = found.first().ok_or_else(|| {
            Refusal::text(format!("there is no {} in {}", PROGRAMS.join(" or "), DIRECTORIES.join(", ")))
        })?;
        // A property makes ifquery leave out dependencies altogether; which one does not matter with a list.
        let output = Command::new(program)
            .arg("-i")
            .arg(file)
            .args(["-E", "/nonexistent", "-p", "use", "-L", "-P"])
            .env_clear()
            .stdin(Stdio::null())
            .output()
            .map_err(|error| Refusal::io(&error, program.display()))?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr);
            let first = words.lines().next().unwrap_or("no reason given");
            return Err(Refusal::text(format!("{} -i {}: {first}", program.display(), file.display())));
        }
        Ok(Self::parse(&String::from_utf8_lossy(&output.stdout)))
    }

    /// The stanza of an interface. Lines of a repeated keyword are joined as the keyword's lists are.
    pub fn stanza(&self, iface: &IfName) -> Option<Stanza> {
        let mut values: BTreeMap<&str, String> = BTreeMap::new();
        for (keyword, value) in self.0.get(iface.as_str())? {
            let joined = values.entry(keyword).or_default();
            match keyword.as_str() {
                "bridge-vlan" | "bridge-fdb" | "bridge-vids" if !joined.is_empty() => {
                    joined.push_str(", ");
                    joined.push_str(value);
                }
                _ => joined.clone_from(value),
            }
        }
        Some(Stanza::new(values))
    }

    /// What an interface's stanza says after a keyword.
    pub fn text(&self, iface: &IfName, keyword: &str) -> Option<&str> {
        let lines = self.0.get(iface.as_str())?;
        lines.iter().rev().find(|(found, _)| found == keyword).map(|(_, value)| value.trim())
    }

    /// Whether a stanza names the interface among its bridge-ports.
    pub fn is_port(&self, iface: &IfName) -> bool {
        self.0.values().flatten().any(|(keyword, value)| {
            keyword == "bridge-ports" && value.split_whitespace().any(|port| port == iface.as_str())
        })
    }
}

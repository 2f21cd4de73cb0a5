//! `ifnetlink lint` finds what is wrong in interfaces files, without the kernel.

use crate::file::InterfacesFile;
use crate::finding::Finding;
use crate::stanza::Executors;
use anyhow::Context as _;
use ifupdown_ng_netlink::program::run::MISCONFIGURED;
use ifupdown_ng_netlink::stanza::file::Version;
use serde_json::json;
use std::io::Write as _;
use std::path::Path;

/// Prints what is wrong in these files; returns the exit status.
///
/// # Errors
/// When nothing can be printed.
pub fn lint(
    files: &[String],
    executors: &Path,
    version: Option<Version>,
    machine: bool,
) -> anyhow::Result<u8> {
    let executors = Executors::installed_in(executors);
    let mut findings: Vec<Finding> = Vec::new();
    for file in files {
        match InterfacesFile::read(file, version, &executors) {
            Ok(file) => findings.extend(file.findings),
            Err(problem) => findings.push(problem.into()),
        }
    }
    let text = if machine {
        let findings: Vec<_> = findings.iter().map(Finding::json).collect();
        format!("{}\n", json!({ "findings": findings }))
    } else {
        let lines: Vec<String> = findings.iter().map(|finding| format!("{finding}\n")).collect();
        lines.concat()
    };
    std::io::stdout().write_all(text.as_bytes()).context("cannot print what is wrong")?;
    Ok(if findings.iter().all(|finding| finding.is_warning) { 0 } else { MISCONFIGURED })
}

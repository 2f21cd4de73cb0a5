//! An interfaces file, read as ifupdown-ng and our executors read it, and all that is wrong in it.

use crate::across;
use crate::finding::Finding;
use crate::stanza::{Executors, ReadStanza};
use ifupdown_ng_netlink::kernel::{interfaces_file, rt_tables};
use ifupdown_ng_netlink::stanza::Stanzas;
use ifupdown_ng_netlink::stanza::file::{FileProblem, Reading, Version};
use ifupdown_ng_netlink::stanza::keywords::OURS;
use ifupdown_ng_netlink::values::IfName;

/// A file with the files that it names.
pub struct InterfacesFile {
    /// Its stanzas.
    pub stanzas: Stanzas,
    /// The stanzas as our executors read them, in the order of the file. Those of aliases such as `eth0:1`, which are no
    /// interfaces of the kernel, are left out.
    pub read: Vec<ReadStanza>,
    /// What is wrong, in the order of the lines.
    pub findings: Vec<Finding>,
}

impl InterfacesFile {
    /// Reads a file as this version of ifupdown-ng does; `None`: the installed one.
    ///
    /// # Errors
    /// The problem at which ifupdown-ng reads nothing.
    pub fn read(name: &str, version: Option<Version>, executors: &Executors) -> Result<Self, FileProblem> {
        let reading = match version {
            Some(version) => interfaces_file::read(name, version)?,
            None => interfaces_file::installed(name)?,
        };
        Ok(Self::of(name, reading, executors))
    }

    /// What was read of the file with this name.
    pub fn of(name: &str, reading: Reading, executors: &Executors) -> Self {
        let stanzas = reading.stanzas;
        let mut findings: Vec<Finding> = reading.problems.into_iter().map(Finding::from).collect();
        let mut read = Vec::new();
        for name in stanzas.order() {
            match name.parse::<IfName>() {
                Ok(iface) => read.extend(ReadStanza::read(&iface, &stanzas, executors)),
                Err(error) => {
                    let mut ours = stanzas.lines(name).filter(|(keyword, _)| OURS.contains(keyword));
                    let begin = stanzas.begins(name).first().filter(|_| ours.next().is_some());
                    findings.extend(begin.map(|begin| {
                        Finding::new(
                            Some(begin.place.clone()),
                            name,
                            "iface",
                            format!("iface {name}: {error}"),
                        )
                    }));
                }
            }
        }
        findings.extend(read.iter().flat_map(|stanza| stanza.findings.iter().cloned()));
        findings.extend(across::findings(&stanzas, &read, &rt_tables::read()));
        // Of a template, each stanza that inherits from it has the same.
        let mut distinct: Vec<Finding> = Vec::new();
        for finding in findings {
            let same = |known: &&mut Finding| known.place == finding.place && known.text == finding.text;
            match distinct.iter_mut().find(same) {
                Some(known) => known.interfaces.extend(finding.interfaces),
                None => distinct.push(finding),
            }
        }
        distinct.sort_by_key(|finding| {
            let place = finding.place.as_ref();
            place.map(|place| (&*place.file != name, place.file.to_string(), place.line))
        });
        Self { stanzas, read, findings: distinct }
    }
}

//! The stanzas that ifup and ifdown bring up and down: those with executors of others, or with commands.

use crate::targets::{Options, Target, Targets};
use anyhow::{Context as _, bail};
use ifupdown_ng_netlink::kernel::ifupdown::program;
use ifupdown_ng_netlink::kernel::{Refusal, applied};
use ifupdown_ng_netlink::stanza::Phase;
use ifupdown_ng_netlink::stanza::keywords::OURS;
use ifupdown_ng_netlink::state::Section;
use ifupdown_ng_netlink::values::IfName;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What an `ifdown` and an `ifup` of an interface cost.
pub fn cost(target: &Target, targets: &Targets) -> String {
    let changed: Vec<String> = targets.changed_foreign(target).into_iter().collect();
    format!("{}: its stanza has changes for {}, which need ifdown and ifup", target.iface, changed.join(", "))
}

/// Adds the lines of a stanza to what our executors have recorded of it while ifup ran them.
///
/// # Errors
/// The record cannot be read or written.
pub fn remember(target: &Target) -> Result<(), Refusal> {
    let Some(before) = applied::read(&target.iface)? else { return Ok(()) };
    let mut after = before.clone();
    for section in after.sections.iter_mut().filter(|section| section.is_same(&target.section)) {
        section.lines.clone_from(&target.section.lines);
    }
    if after == before { Ok(()) } else { applied::write(&target.iface, &after) }
}

/// Runs `ifup` for an interface of the file.
///
/// # Errors
/// It does not exist, or it fails. Its own messages went to stderr.
pub fn ifup(options: &Options, iface: &IfName) -> anyhow::Result<()> {
    run("ifup", options, &options.file, iface)
}

/// Runs `ifdown` for an interface with the stanza that was applied. `uses` are executors of others that the interface
/// has now.
///
/// # Errors
/// The stanza cannot be written to a file; ifdown does not exist, or it fails. Its own messages went to stderr.
pub fn ifdown(options: &Options, iface: &IfName, uses: &[String], old: &Section) -> anyhow::Result<()> {
    let path = PathBuf::from(format!("/run/ifnetlink-{}-{iface}", std::process::id()));
    let mut file = OpenOptions::new();
    // A stanza may contain a key.
    file.write(true).create_new(true).mode(0o600);
    let mut file = file.open(&path).with_context(|| path.display().to_string())?;
    let written = file.write_all(stanza(iface, uses, old).as_bytes());
    let done = written.map_err(anyhow::Error::from).and_then(|()| run("ifdown", options, &path, iface));
    fs::remove_file(&path).with_context(|| path.display().to_string())?;
    done
}

/// The text of a recorded stanza. If not all of its lines are recorded, the `use` lines of keywords with the name of an
/// executor are implied, and the rest is taken from the present stanza.
fn stanza(iface: &IfName, uses: &[String], old: &Section) -> String {
    let mut text = format!("iface {iface}\n");
    let mut line = |keyword: &str, value: &str| text.extend(["    ", keyword, " ", value, "\n"]);
    let is_recorded = !old.lines.is_empty();
    for (keyword, value) in old.lines.iter().filter(|(keyword, _)| keyword != "inherit") {
        line(keyword, value);
    }
    let uses = uses.iter().filter(|name| name.parse::<Phase>().is_err()).chain(old.values.get("use"));
    uses.filter(|_| !is_recorded).for_each(|name| line("use", name));
    for (keyword, value) in old.values.iter() {
        match keyword.as_str() {
            _ if is_recorded && !OURS.contains(&keyword.as_str()) => {}
            // ifupdown-ng makes these of other lines.
            "use" | "inherit" | "address" | "gateway" => {}
            "addresses" | "gateways" => {
                let keyword = if keyword == "addresses" { "address" } else { "gateway" };
                value.split_whitespace().for_each(|value| line(keyword, value));
            }
            _ => line(keyword, value.trim()),
        }
    }
    text
}

fn run(name: &'static str, options: &Options, file: &Path, iface: &IfName) -> anyhow::Result<()> {
    let program = program(name)?;
    let mut command = Command::new(&program);
    command.arg("-i").arg(file).arg("-E").arg(&options.executors).arg("-S").arg(&options.state_file);
    // What its commands print is not the list of changes.
    let status = command.arg(iface.as_str()).stdin(Stdio::null()).stdout(std::io::stderr()).status();
    let status = status.with_context(|| program.display().to_string())?;
    if !status.success() {
        bail!("the command `{name} {iface}` failed");
    }
    Ok(())
}

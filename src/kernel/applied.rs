//! Records of applied stanzas.

use crate::kernel::run_dir::RunDir;
use crate::kernel::{Refusal, netns};
use crate::state::{APPLIED, Applied, NetnsId, Record};
use crate::values::IfName;
use std::sync::OnceLock;

/// The applied stanza of an interface in the calling thread's namespace. A record of an earlier boot, of an earlier
/// start of this container or of an earlier namespace is ignored, and so is a text that is not a record.
///
/// # Errors
/// The record exists and cannot be read.
pub fn read(iface: &IfName) -> Result<Option<Applied>, Refusal> {
    match RunDir::read(&Record::applied(iface))? {
        Some(text) => valid(&text),
        None => Ok(None),
    }
}

/// Whether a record of an interface may exist.
pub fn exists(iface: &IfName) -> bool {
    RunDir::read(&Record::applied(iface)).is_ok_and(|record| record.is_some())
}

/// All applied stanzas of the calling thread's namespace, by interface.
///
/// # Errors
/// They cannot be read.
pub fn all() -> Result<Vec<(IfName, Applied)>, Refusal> {
    let mut all = Vec::new();
    for (name, text) in RunDir::list(APPLIED)? {
        if let (Ok(iface), Some(applied)) = (name.parse(), valid(&text)?) {
            all.push((iface, applied));
        }
    }
    Ok(all)
}

fn valid(text: &str) -> Result<Option<Applied>, Refusal> {
    let id = own_id()?;
    Ok(Applied::parse(text).filter(|applied| applied.id == id))
}

/// The identity of the namespace that this process was started in, found once.
fn own_id() -> Result<NetnsId, Refusal> {
    static OWN: OnceLock<NetnsId> = OnceLock::new();
    if let Some(id) = OWN.get() {
        return Ok(*id);
    }
    let id = netns::own_id()?;
    Ok(*OWN.get_or_init(|| id))
}

/// Writes the record, or removes it if no stanza is left.
///
/// # Errors
/// It cannot be written.
pub fn write(iface: &IfName, applied: &Applied) -> Result<(), Refusal> {
    write_in(&RunDir::open()?, iface, applied)
}

/// The same in this directory, which is that of the calling thread's namespace.
///
/// # Errors
/// As for [`write()`].
pub fn write_in(directory: &RunDir, iface: &IfName, applied: &Applied) -> Result<(), Refusal> {
    let record = Record::applied(iface);
    if applied.sections.is_empty() {
        return directory.remove(&record);
    }
    let applied = Applied { id: own_id()?, ..applied.clone() };
    directory.write(&record, &applied.to_string())
}

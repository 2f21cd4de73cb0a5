//! References to namespaces, each resolved once in a run.
//!
//! A name, a path and a process can lead to the same namespace. The first reference that this run resolves becomes the
//! one by which all others find it, so that a namespace is one place with one socket, however stanzas and records spell
//! it. The files stay open: so no two namespaces get the same inode, and a reference that another program changes
//! during the run still means the namespace that was read. Plans and records keep [`NetnsRef`]: command lines and
//! messages need the spelling of the stanza, and only this file has to know that two are equal.

use crate::kernel::Refusal;
use crate::kernel::netns::named::Made;
use crate::kernel::netns::{OWN, attempt, id, inode_of, named};
use crate::state::{Existing, Netns, NetnsId};
use crate::values::NetnsRef;
use nix::errno::Errno;
use std::collections::BTreeMap;
use std::fs::File;
use std::rc::Rc;

/// A namespace, as a reference leads to it.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The open namespace.
    pub file: Rc<File>,
    /// Its identity, seen by this reference.
    pub id: NetnsId,
    /// The reference by which this run finds it: the name under which we made it, otherwise the first one.
    pub canonical: NetnsRef,
}

/// The namespaces that this run has resolved.
#[derive(Debug, Default)]
pub struct References {
    known: BTreeMap<NetnsRef, Resolved>,
    /// The records of those that we made.
    pub made: Made,
}

impl References {
    /// The namespace that a reference leads to.
    ///
    /// # Errors
    /// There is none, or the file is no network namespace (EINVAL, or without a number).
    pub fn resolve(&mut self, netns: &NetnsRef) -> Result<Resolved, Refusal> {
        if let Some(known) = self.known.get(netns) {
            return Ok(known.clone());
        }
        let file = attempt(netns)?
            .ok_or_else(|| Refusal::text(format!("{}: not a namespace", netns.path().display())))?;
        let id = id(netns, &file)?;
        // Both files are open, so an equal number is the same namespace.
        let same = self.known.values().find(|known| known.id.inode == id.inode);
        let (file, canonical) = match same {
            Some(known) => (known.file.clone(), known.canonical.clone()),
            None => (Rc::new(file), made_as(id, &mut self.made)?.unwrap_or_else(|| netns.clone())),
        };
        let resolved = Resolved { file, id, canonical };
        self.known.insert(netns.clone(), resolved.clone());
        Ok(resolved)
    }

    /// What a reference leads to, without the nsid and the processes of the namespace.
    ///
    /// # Errors
    /// It cannot be found out.
    pub fn look(&mut self, netns: &NetnsRef) -> Result<Netns, Refusal> {
        let Resolved { id, canonical, .. } = match self.resolve(netns) {
            Ok(resolved) => resolved,
            // Other cases: only the number of the process is left (ESRCH), or a part of the path is a file.
            Err(Refusal { errno: Some(Errno::ENOENT | Errno::ESRCH | Errno::ENOTDIR), .. }) => {
                let ours = named::is_unfinished(netns, &mut self.made)?;
                return Ok(if ours { Netns::Broken { ours } } else { Netns::Absent });
            }
            // A namespace of another kind.
            Err(Refusal { errno: Some(Errno::EINVAL), .. }) => return Ok(Netns::Broken { ours: false }),
            Err(refusal) => match attempt(netns) {
                Ok(None) => return Ok(Netns::Broken { ours: named::is_unfinished(netns, &mut self.made)? }),
                _ => return Err(refusal),
            },
        };
        Ok(Netns::Is(Existing {
            id,
            own: inode_of(OWN) == Some(id.inode),
            ours: named::is_ours(&canonical, id, &mut self.made)?,
            ..Existing::default()
        }))
    }

    /// Makes a namespace with this name.
    ///
    /// # Errors
    /// A namespace of that name exists, or the kernel refuses.
    pub fn add(&mut self, name: &str) -> Result<(), Refusal> {
        let netns = NetnsRef::Name(name.to_owned());
        let (file, id) = named::add(name, &mut self.made)?;
        self.known.insert(netns.clone(), Resolved { file: Rc::new(file), id, canonical: netns });
        Ok(())
    }

    /// Closes all namespaces: an open file would keep one that is deleted.
    pub fn close(&mut self) {
        self.known.clear();
    }
}

/// The name under which we made a namespace, if the name still leads there.
fn made_as(id: NetnsId, made: &mut Made) -> Result<Option<NetnsRef>, Refusal> {
    let Some(text) = made.text(id.inode)? else { return Ok(None) };
    let Some((_, name)) = text.rsplit_once(' ') else { return Ok(None) };
    let netns = NetnsRef::Name(name.to_owned());
    let leads_there = inode_of(netns.path()) == Some(id.inode);
    Ok((leads_there && made.is_recorded(id, name)?).then_some(netns))
}

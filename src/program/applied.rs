//! What a program remembers of a stanza: the record of an applied stanza, limited to the keywords of the program.
//!
//! The record is written before the first change that a stanza needs. `create` takes the step from an older stanza to
//! the present one; the phases of ifdown take down what the record has.

use crate::kernel::{Refusal, applied};
use crate::program::edit::Old;
use crate::program::executor::{Configuration, Program};
use crate::stanza::environment::Invocation;
use crate::state::{Applied, Section, Snapshot};
use crate::values::IfName;

/// The record of the stanzas that were applied to an interface.
pub struct Memory {
    iface: IfName,
    /// The keywords of the program.
    keywords: Vec<&'static str>,
    applied: Applied,
    /// The stanza of this invocation.
    present: Section,
}

impl Memory {
    /// The memory of a stanza, before the record is read.
    pub fn of(program: &Program, invocation: &Invocation) -> Self {
        let keywords: Vec<&str> = program.keywords().map(|keyword| keyword.name).collect();
        let present = Section::of(&invocation.stanza, &keywords, invocation.interfaces_file.clone());
        Self { iface: invocation.iface.clone(), keywords, applied: Applied::default(), present }
    }

    /// Reads the record.
    ///
    /// # Errors
    /// It exists and cannot be read.
    pub fn read(&mut self) -> Result<(), Refusal> {
        self.applied = applied::read(&self.iface)?.unwrap_or_default();
        Ok(())
    }

    /// Whether a stanza was applied, and this is another one.
    pub fn is_edited(&self) -> bool {
        self.applied.with(&self.keywords).any(|section| !self.is_of(section))
    }

    /// Whether this stanza was applied.
    pub fn is_present(&self) -> bool {
        self.applied.with(&self.keywords).any(|section| self.is_of(section))
    }

    /// The stanzas that were applied, oldest first; without the one of this invocation if `but_present`.
    pub fn old(&self, program: &Program, but_present: bool) -> Vec<Old> {
        let sections = self.applied.with(&self.keywords);
        sections
            .filter(|section| !but_present || !self.is_of(section))
            .map(|section| Old::new(section, read_sound(program, section)))
            .collect()
    }

    /// Whether the interface is another one than that to which the newest stanza was applied: the record is then of no
    /// use.
    pub fn is_stale(&self, found: &Snapshot) -> bool {
        let now = found.here().details.get(&self.iface).map(|details| details.index);
        let newest = self.applied.with(&self.keywords).next_back();
        newest.and_then(|section| section.index).zip(now).is_some_and(|(then, now)| then != now)
    }

    /// Records that this stanza is applied to the interface in this state.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn begin(&mut self, found: &Snapshot) -> Result<(), Refusal> {
        if self.present.keywords.is_empty() {
            return Ok(());
        }
        let index = found.here().details.get(&self.iface).map(|details| details.index);
        let stanzas = found.stanzas.as_ref();
        let ports = stanzas.and_then(|stanzas| stanzas.text(&self.iface, "bridge-ports")).map(str::to_owned);
        let mut applied = self.applied.clone();
        applied.add(Section { index, ports, ..self.present.clone() });
        self.write(applied)
    }

    /// Forgets the older stanzas: what only they had is gone.
    ///
    /// # Errors
    /// The record cannot be written.
    pub fn settle(&mut self) -> Result<(), Refusal> {
        self.remove(|memory, section| !memory.is_of(section))
    }

    /// Forgets all stanzas.
    ///
    /// # Errors
    /// The record cannot be written.
    pub fn end(&mut self) -> Result<(), Refusal> {
        self.remove(|_, _| true)
    }

    /// Removes a record that cannot be used, such as one from before a reboot.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn discard(&self) -> Result<(), Refusal> {
        if self.applied.sections.is_empty() && applied::exists(&self.iface) {
            applied::write(&self.iface, &self.applied)?;
        }
        Ok(())
    }

    /// Forgets this stanza.
    ///
    /// # Errors
    /// The record cannot be written.
    pub fn forget_present(&mut self) -> Result<(), Refusal> {
        self.remove(Self::is_of)
    }

    /// Whether a recorded stanza is that of this invocation.
    fn is_of(&self, section: &Section) -> bool {
        section.has_values_of(&self.present)
    }

    fn remove(&mut self, from: impl Fn(&Self, &Section) -> bool) -> Result<(), Refusal> {
        let mut applied = self.applied.clone();
        applied.remove(&self.keywords, |section| from(self, section));
        self.write(applied)
    }

    fn write(&mut self, applied: Applied) -> Result<(), Refusal> {
        if applied.sections != self.applied.sections {
            applied::write(&self.iface, &applied)?;
            self.applied = applied;
        }
        Ok(())
    }
}

/// What a program reads in a recorded stanza. Another version may have recorded what this one refuses.
fn read_sound(program: &Program, section: &Section) -> Configuration {
    program.configure(&section.stanza()).0.without_problems()
}

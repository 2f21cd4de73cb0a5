//! The stanza of an interface as our executors applied it: what `ifdown` takes down, whatever the file says by then.
//!
//! The record is a text. Its first line is the identity of the namespace, with the start time of process 1 as the time
//! of birth: a container may keep `/run` when it starts again. A section begins with a line
//! `= INDEX FILE`, where `-` stands for an unknown index or file, and a line `: KEYWORD …` of the keywords that were
//! applied. The keywords of the whole stanza follow, `+KEYWORD VALUE` each, for a bridge `>PORTS`, and `*KEYWORD VALUE` for
//! the lines that are not ours.

use crate::stanza::Stanza;
use crate::stanza::keywords::OURS;
use crate::state::{NetnsId, Shared};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

/// The applied stanzas of an interface: one, or those before and after an edit until the step between them is done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// The namespace, and the start time of process 1 in `born`.
    pub id: NetnsId,
    /// The stanzas, oldest first.
    pub sections: Vec<Section>,
}

/// A stanza, and which of its keywords were applied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Section {
    /// The keywords that a program of ours applied.
    pub keywords: Shared<BTreeSet<String>>,
    /// The index of the interface, if it existed.
    pub index: Option<u32>,
    /// The interfaces file.
    pub file: Option<PathBuf>,
    /// The whole stanza, by keyword.
    pub values: Shared<BTreeMap<String, String>>,
    /// `bridge-ports` as it is written in the file, if that was read. ifupdown-ng hands over every interface that the
    /// stanza requires as a port (lifecycle.c).
    pub ports: Option<String>,
    /// The lines of the stanza with other keywords than ours; empty if they are unknown. ifupdown-ng hands over only the
    /// last line of a keyword, such as `use` or `down`.
    pub lines: Shared<Vec<(String, String)>>,
}

impl Section {
    /// A stanza of which programs with these keywords apply what they read.
    pub fn of(stanza: &Stanza, keywords: &[&str], file: Option<PathBuf>) -> Self {
        let text = |keyword: &str| Some((keyword.to_owned(), stanza.text(keyword)?.to_owned()));
        let applied = stanza.keywords().filter(|keyword| keywords.contains(keyword));
        let keywords = applied.map(str::to_owned).collect();
        Self { keywords, file, values: stanza.keywords().filter_map(text).collect(), ..Self::default() }
    }

    /// Whether any of these keywords was applied.
    pub fn has_any(&self, keywords: &[&str]) -> bool {
        self.keywords.iter().any(|keyword| keywords.contains(&keyword.as_str()))
    }

    /// The stanza.
    pub fn stanza(&self) -> Stanza {
        Stanza::new(&*self.values)
    }

    /// Whether both have the same values. `inherit` is not compared: the values include what is inherited, and the head
    /// of ifupdown-ng adds `inherit defaults` to every stanza.
    pub fn has_values_of(&self, other: &Self) -> bool {
        let [values, others] =
            [self, other].map(|section| section.values.iter().filter(|(keyword, _)| *keyword != "inherit"));
        values.eq(others)
    }

    /// Whether both are the same stanza of the file. What ifupdown-ng adds to it when it hands it over is not compared:
    /// the interfaces that it requires, also as ports of a bridge. Nor is `inherit`.
    pub fn is_same(&self, other: &Self) -> bool {
        let values = |section: &Self| -> BTreeMap<String, String> {
            let is_copy = section.values.get("bridge-ports") == section.values.get("requires");
            let is_added = |keyword: &str| {
                ["requires", "inherit"].contains(&keyword) || (is_copy && keyword == "bridge-ports")
            };
            let written = section.values.iter().filter(|(keyword, _)| !is_added(keyword));
            written.map(|(keyword, value)| (keyword.clone(), value.trim().to_owned())).collect()
        };
        let are_known = self.ports.is_some() && other.ports.is_some();
        values(self) == values(other) && (!are_known || self.ports == other.ports)
    }

    /// The stanza without the keywords of ours that were not applied.
    pub fn applied_stanza(&self) -> Stanza {
        let is_applied =
            |keyword: &String| self.keywords.contains(keyword) || !OURS.contains(&keyword.as_str());
        Stanza::new(self.values.iter().filter(|(keyword, _)| is_applied(keyword)))
    }
}

impl Applied {
    /// Parses the text that `Display` prints.
    pub fn parse(text: &str) -> Option<Self> {
        // A value may end with a carriage return.
        let mut lines = text.split_terminator('\n');
        let mut applied = Self { id: NetnsId::take(&mut lines.next()?.split(' '))?, sections: Vec::new() };
        for line in lines {
            let rest = line.get(1..)?;
            match line.chars().next()? {
                '=' => {
                    let (index, file) = rest.strip_prefix(' ')?.split_once(' ')?;
                    let file = Some(unescaped(file)).filter(|file| file != "-").map(PathBuf::from);
                    applied.sections.push(Section { index: index.parse().ok(), file, ..Section::default() });
                }
                ':' => {
                    let keywords = rest.split_whitespace().map(ToOwned::to_owned);
                    applied.sections.last_mut()?.keywords.extend(keywords);
                }
                '+' => {
                    let (keyword, value) = rest.split_once(' ')?;
                    let values = &mut applied.sections.last_mut()?.values;
                    values.insert(keyword.to_owned(), unescaped(value));
                }
                '*' => {
                    let (keyword, value) = rest.split_once(' ')?;
                    applied.sections.last_mut()?.lines.push((keyword.to_owned(), unescaped(value)));
                }
                '>' => applied.sections.last_mut()?.ports = Some(unescaped(rest)),
                _ => return None,
            }
        }
        Some(applied)
    }

    /// The sections with any of these keywords, oldest first.
    pub fn with<'a>(&'a self, keywords: &'a [&str]) -> impl DoubleEndedIterator<Item = &'a Section> {
        self.sections.iter().filter(|section| section.has_any(keywords))
    }

    /// Adds a stanza of which these keywords are applied.
    pub fn add(&mut self, section: Section) {
        let known = self.sections.iter_mut().find(|known| known.has_values_of(&section));
        let Some(known) = known else {
            // Nearly always the only one.
            self.sections.reserve_exact(1);
            self.sections.push(section);
            return;
        };
        known.keywords.extend(section.keywords.iter().cloned());
        known.index = section.index.or(known.index);
        // The stanza may have moved to another file.
        known.file = section.file.or_else(|| known.file.take());
        known.ports = section.ports.or_else(|| known.ports.take());
        if !section.lines.is_empty() {
            known.lines = section.lines;
        }
    }

    /// Removes these keywords from some of the stanzas.
    pub fn remove(&mut self, keywords: &[&str], from: impl Fn(&Section) -> bool) {
        for section in self.sections.iter_mut().filter(|section| from(section)) {
            section.keywords.retain(|keyword| !keywords.contains(&keyword.as_str()));
        }
        self.sections.retain(|section| !section.keywords.is_empty());
    }
}

impl fmt::Display for Applied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.id)?;
        for section in &self.sections {
            let index = section.index.map_or("-".to_owned(), |index| index.to_string());
            let file = section.file.as_ref().map_or("-".into(), |file| file.to_string_lossy());
            writeln!(f, "= {index} {}", escaped(&file))?;
            f.write_str(":")?;
            section.keywords.iter().try_for_each(|keyword| write!(f, " {keyword}"))?;
            writeln!(f)?;
            for (keyword, value) in section.values.iter() {
                writeln!(f, "+{keyword} {}", escaped(value))?;
            }
            section.ports.iter().try_for_each(|ports| writeln!(f, ">{}", escaped(ports)))?;
            for (keyword, value) in section.lines.iter() {
                writeln!(f, "*{keyword} {}", escaped(value))?;
            }
        }
        Ok(())
    }
}

/// A text in one line.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n")
}

fn unescaped(text: &str) -> String {
    let (mut plain, mut chars) = (String::with_capacity(text.len()), text.chars());
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, true) => plain.extend(chars.next().map(|c| if c == 'n' { '\n' } else { c })),
            (c, false) => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

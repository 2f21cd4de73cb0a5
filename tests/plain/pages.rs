//! The manual pages and their contents: options, blocks, examples. The `kernel` tests use this file too, and run every
//! example that it finds.

use std::fs;
use std::path::{Path, PathBuf};

/// The top directory of the package: where it was built, or its copy in the virtual machine of tests/lane/vm.
pub fn checkout() -> PathBuf {
    std::env::var_os("IFNL_CHECKOUT")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).into(), PathBuf::from)
}

/// A manual page.
#[derive(Debug)]
pub struct Page {
    /// Its name, like `interfaces-netns.5`.
    pub name: String,
    /// Its source.
    pub text: String,
}

/// The stanzas in README.md, which are indented.
pub fn readme() -> Vec<String> {
    let text = fs::read_to_string(checkout().join("README.md")).expect("README.md");
    let blocks = text.split("\n\n").filter(|block| block.starts_with("    auto "));
    blocks.map(|block| format!("\n{block}\n").replace("\n    ", "\n")).collect()
}

/// A task of docs/COOKBOOK.md.
#[derive(Debug, Clone)]
pub struct Task {
    /// Its heading.
    pub title: String,
    /// Its stanzas, and its commands with what they print.
    pub blocks: Vec<String>,
}

/// The tasks of docs/COOKBOOK.md.
pub fn tasks() -> Vec<Task> {
    let text = fs::read_to_string(checkout().join("docs/COOKBOOK.md")).expect("docs/COOKBOOK.md");
    let task = |section: &str| Task {
        title: section.lines().next().unwrap_or_default().to_owned(),
        blocks: fenced(section).map(str::to_owned).collect(),
    };
    text.split("\n## ").skip(1).map(task).collect()
}

/// The interfaces files in docs/MIGRATING.md.
pub fn migrating() -> Vec<String> {
    let text = fs::read_to_string(checkout().join("docs/MIGRATING.md")).expect("docs/MIGRATING.md");
    fenced(&text).map(str::to_owned).collect()
}

/// All of them, by name.
pub fn pages() -> Vec<Page> {
    let docs = checkout().join("docs");
    let files = fs::read_dir(docs).expect("docs").map(|entry| entry.expect("an entry").path());
    let mut pages: Vec<Page> = files
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?.strip_suffix(".scd")?.to_owned();
            Some(Page { name, text: fs::read_to_string(&path).expect("a page") })
        })
        .collect();
    pages.sort_by(|one, other| one.name.cmp(&other.name));
    pages
}

/// The text between fences.
fn fenced(text: &str) -> impl Iterator<Item = &str> {
    text.split("```\n").skip(1).step_by(2)
}

/// The text before the next heading. Headings are in capitals; `# ifup` in a block is a prompt.
fn before_heading(text: &str) -> &str {
    let is_heading = |line: &&str| {
        let title = line.trim_end().strip_prefix("# ");
        title.is_some_and(|title| title.chars().all(|c| c.is_ascii_uppercase() || c == ' '))
    };
    let lines = text.split_inclusive('\n').take_while(|line| !is_heading(line));
    &text[..lines.map(str::len).sum()]
}

impl Page {
    /// A section, without its heading; empty if there is none.
    pub fn section(&self, heading: &str) -> &str {
        let rest = self.text.split_once(&format!("\n# {heading}\n"));
        rest.map_or("", |(_, rest)| before_heading(rest))
    }

    /// The text below an option's name.
    pub fn entry(&self, keyword: &str) -> String {
        let heading = format!("\n*{keyword}* ");
        let rest = self.text.split_once(&heading).map(|(_, rest)| rest);
        let lines = rest.unwrap_or_else(|| panic!("{}: {keyword}", self.name)).lines().skip(1);
        let lines = lines.take_while(|line| line.is_empty() || line.starts_with('\t'));
        lines.map(str::trim).collect::<Vec<_>>().join(" ")
    }

    /// The texts under DIAGNOSTICS: lines in bold, each a paragraph or ended by `++`.
    pub fn diagnostics(&self) -> Vec<String> {
        let lines = self.section("DIAGNOSTICS").lines().filter_map(|line| {
            let line = line.strip_suffix("++").unwrap_or(line);
            Some(line.strip_prefix('*')?.strip_suffix('*')?.replace('\\', ""))
        });
        lines.collect()
    }

    /// The blocks of the section EXAMPLES.
    pub fn examples(&self) -> Vec<&str> {
        fenced(self.section("EXAMPLES")).collect()
    }

    /// The blocks that are an interfaces(5) file, in whatever section.
    pub fn stanzas(&self) -> Vec<&str> {
        fenced(&self.text).filter(|block| block.lines().any(|line| line.starts_with("iface "))).collect()
    }

    /// The blocks that are typed after a prompt.
    pub fn sessions(&self) -> Vec<&str> {
        fenced(&self.text).filter(|block| block.starts_with("# ")).collect()
    }
}

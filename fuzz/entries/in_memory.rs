//! Files that interfaces files name, in memory.

use ifupdown_ng_netlink::stanza::file::Files;
use std::collections::BTreeMap;

/// Files by name; every pattern and every directory means all of them.
pub struct InMemory(BTreeMap<String, Vec<u8>>);

impl InMemory {
    /// Files with these texts, with the names `a`, `b` and so on. A text after the last name is left out.
    pub fn new(texts: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self(["a", "b", "br0", "c"].map(str::to_owned).into_iter().zip(texts).collect())
    }

    /// The files of a fuzzer: a NUL ends a file, since none is in an interfaces file.
    pub fn of(bytes: &[u8]) -> Self {
        Self::new(bytes.split(|byte| *byte == 0).map(<[u8]>::to_vec))
    }

    /// The number of lines of all files.
    pub fn lines(&self) -> usize {
        self.0.values().map(|text| text.split(|byte| *byte == b'\n').count()).sum()
    }
}

impl Files for InMemory {
    fn text(&mut self, file: &str) -> Result<Vec<u8>, String> {
        self.0.get(file).cloned().ok_or_else(|| "not found".to_owned())
    }

    fn expand(&mut self, pattern: &str) -> Vec<String> {
        if pattern.contains('*') { self.0.keys().cloned().collect() } else { vec![pattern.to_owned()] }
    }

    fn directory(&mut self, _: &str, _: bool) -> Result<Vec<String>, String> {
        Ok(self.0.keys().cloned().collect())
    }

    fn hostname(&mut self) -> String {
        "host".to_owned()
    }
}

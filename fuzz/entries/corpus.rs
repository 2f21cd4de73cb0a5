//! The corpus of a fuzz target: the inputs that together reach the most code.

use std::fs;
use std::path::Path;

/// Runs a function with each file of the corpus of a target.
pub fn each(target: &str, mut attempt: impl FnMut(&[u8])) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let entries = fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() > 5, "{target}: {} files", paths.len());
    for path in paths {
        // If it panics, this is the last line of the output.
        println!("{}", path.display());
        attempt(&fs::read(&path).unwrap());
    }
}

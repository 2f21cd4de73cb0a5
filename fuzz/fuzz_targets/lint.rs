//! `ifnetlink lint` of an interfaces file.
#![no_main]
#![allow(dead_code, reason = "these files of ifnetlink do more")]

#[path = "../../ifnetlink/across.rs"]
mod across;
#[path = "../../executors/all.rs"]
mod all;
#[path = "../../ifnetlink/file.rs"]
mod file;
#[path = "../../ifnetlink/finding.rs"]
mod finding;
#[path = "../entries/lint.rs"]
mod linted;
#[path = "../../ifnetlink/stanza.rs"]
mod stanza;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| linted::lint(bytes));

//! The captured netlink messages for the unit tests of src/kernel/netlink/: each names the command that sent it, and
//! each is used by a test.

use super::support::{files, root};
use std::fs;

#[test]
fn every_capture_names_its_command_and_is_compared_with() {
    let captures = files("tests/wire", ".hex");
    let script = fs::read_to_string(root().join("tests/wire/capture")).unwrap();
    let tests: String = files("src/kernel/netlink", "tests.rs")
        .iter()
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    assert!(!captures.is_empty());
    for path in captures {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let command = text.lines().next().and_then(|line| line.strip_prefix("# ")).unwrap_or_default();
        assert!(["ip ", "bridge "].iter().any(|tool| command.starts_with(tool)), "{name} names no command");
        assert!(script.contains(&format!(" {name} {command}\n")), "tests/wire/capture does not make {name}");
        assert!(tests.contains(&format!("\"{name}\"")), "no test compares with {name}");
        let hex = |line: &str| line.len() > 2 && line[2..].bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(text.lines().skip(1).count() > 0 && text.lines().skip(1).all(hex), "{name}");
    }
}

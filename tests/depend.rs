//! A program that uses only the library, and whose `depend` panics or names too many interfaces. It still answers, in
//! one write, with exit status 0.
//!
//! Started without PHASE, it runs the test of itself.

#![allow(clippy::unwrap_used, clippy::panic, reason = "that is how a test fails")]

use ifupdown_ng_netlink::program::executor::{Executor, Keyword, Program};
use ifupdown_ng_netlink::program::run::run;
use ifupdown_ng_netlink::stanza::Stanza;
use ifupdown_ng_netlink::values::IfName;
use std::process::{Command, ExitCode, Stdio};

/// Names that many interfaces, or panics.
fn depends(_: Option<&str>, stanza: &Stanza) -> Vec<IfName> {
    match stanza.text("test-depend") {
        Some("panic") => panic!("on request"),
        number => (0..number.unwrap_or("0").parse().unwrap())
            .map(|number: u32| format!("eth{number:09}").parse().unwrap())
            .collect(),
    }
}

const EXECUTOR: Executor = Executor {
    depends,
    ..Executor::new(
        &[Keyword {
            name: "test-depend",
            syntax: "NUMBER|panic",
            help: "Names so many interfaces, or panics",
        }],
        |_| None,
    )
};

const PROGRAM: Program = Program { name: "test", about: "Panics", parts: &[EXECUTOR], examples: ["", ""] };

fn main() -> ExitCode {
    if std::env::var_os("PHASE").is_some() {
        return run(&PROGRAM);
    }
    let answer = |value: &str| {
        // Not `current_exe`: for a program that QEMU runs, that is a file that only QEMU can start (tests/lane/arch).
        let mut command = Command::new(std::env::args_os().next().unwrap());
        command.env_clear().env("PHASE", "depend").env("IFACE", "eth0").env("IF_TEST_DEPEND", value);
        let output = command.stdin(Stdio::null()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), output.stderr)
    };
    assert_eq!(answer("panic"), (Some(0), String::new(), Vec::new()));
    assert_eq!(answer("2"), (Some(0), "eth000000000 eth000000001\n".to_owned(), Vec::new()));
    // 78 names of 12 bytes with their separators are 1014 bytes; one more name would make 1027.
    let (code, names, _) = answer("200");
    assert_eq!((code, names.len(), names.split(' ').count()), (Some(0), 1014, 78));
    println!("test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
    ExitCode::SUCCESS
}

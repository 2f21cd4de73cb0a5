//! The cost of a start, by strace: ifupdown-ng starts every executor for every interface and phase, and `depend` for
//! all interfaces, whichever were asked for.

use super::all::PROGRAMS;
use super::support::{binary, root, skip};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The system calls of one run, and its output; `None` if strace is missing.
fn traced(program: &PathBuf, environment: &[(&str, &str)]) -> Option<(Vec<String>, String)> {
    static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let trace = std::env::temp_dir().join(format!("ifnl-trace-{}-{number}", std::process::id()));
    let mut strace = Command::new("strace");
    strace.arg("-f").arg("-o").arg(&trace);
    for (name, value) in environment {
        strace.arg("-E").arg(format!("{name}={value}"));
    }
    let output = strace.arg(program).stdin(Stdio::null()).output().ok()?;
    let text = fs::read_to_string(&trace).unwrap_or_default();
    let _ = fs::remove_file(&trace);
    // Tracing is not permitted: treated as if strace were missing.
    if !output.status.success() && text.is_empty() {
        return None;
    }
    assert!(output.status.success(), "{} {environment:?}", program.display());
    let calls = text.lines().filter(|line| line.contains('(')).map(ToOwned::to_owned).collect();
    Some((calls, String::from_utf8_lossy(&output.stdout).into_owned()))
}

/// The release build if it exists, since that is installed, and the current build.
fn builds(name: &str) -> Vec<PathBuf> {
    let release = binary("../release").join(name);
    let newest = |path: &PathBuf| path.metadata().and_then(|found| found.modified()).ok();
    let source = root().join("src/program/run.rs");
    // A release build that is older than the source proves nothing about it.
    let fresh = newest(&release) > newest(&source);
    std::iter::once(binary(name)).chain(fresh.then_some(release)).collect()
}

/// All calls of a statically linked program; otherwise those after the calls of the loader, which are many.
fn of_the_program(calls: &[String]) -> &[String] {
    let dynamic = calls.iter().any(|call| call.contains("openat(") && call.contains(".so"));
    // The first call of the standard library, before `main`.
    let first = calls.iter().position(|call| call.contains("poll([{fd=0")).filter(|_| dynamic);
    &calls[first.unwrap_or(0)..]
}

#[test]
fn a_phase_with_nothing_to_do_opens_no_socket_and_starts_no_thread() {
    let stanzas: [&[(&str, &str)]; 3] = [
        &[("IFACE", "eth0"), ("PHASE", "up"), ("IF_ADDRESS", "192.0.2.1/24")],
        &[("IFACE", "red"), ("PHASE", "up"), ("IF_VRF_TABLE", "10"), ("IF_VRF_RULES", "yes")],
        &[("IFACE", "eth0"), ("PHASE", "depend"), ("IF_VRF_MEMBER", "red")],
    ];
    for program in PROGRAMS {
        for (build, stanza) in
            builds(program.name).iter().flat_map(|build| stanzas.map(|stanza| (build, stanza)))
        {
            let Some((calls, _)) = traced(build, stanza) else {
                return skip("startup", "strace");
            };
            for call in &calls {
                // "PID NAME(ARGUMENTS": the arguments may contain any word.
                let name = call.split('(').next().and_then(|start| start.split_whitespace().last());
                for forbidden in ["socket", "clone", "epoll", "unshare", "setns", "mkdir"] {
                    let found = name.is_some_and(|name| name.starts_with(forbidden));
                    assert!(!found, "{} {stanza:?}: {call}", build.display());
                }
            }
            let own = of_the_program(&calls);
            assert!(
                own.len() <= 40,
                "{} {stanza:?}: {} system calls:\n{}",
                build.display(),
                own.len(),
                own.join("\n")
            );
        }
    }
}

#[test]
fn depend_answers_in_one_write() {
    let stanza = [("IFACE", "eth0"), ("PHASE", "depend"), ("IF_VRF_MEMBER", "red10"), ("IF_VRF", "blue")];
    for build in builds("vrf") {
        let Some((calls, out)) = traced(&build, &stanza) else {
            return skip("depend_answers_in_one_write", "strace");
        };
        assert_eq!(out, "blue red10\n");
        let writes: Vec<_> = calls.iter().filter(|call| call.contains("write(1,")).collect();
        assert_eq!(writes.len(), 1, "{writes:?}");
    }
}

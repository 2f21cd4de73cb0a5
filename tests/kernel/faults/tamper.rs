//! Fault injection into a program from outside, by strace.

use super::Scene;
use crate::lab::{Ran, SCRATCH, command, phase_command, program, run};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{fs, thread};

/// The result of a phase with a fault.
pub struct Tampered {
    pub ran: Ran,
    /// The call happened.
    pub happened: bool,
    /// It was the program's last call.
    pub killed: bool,
}

fn log() -> PathBuf {
    Path::new(SCRATCH).join("calls")
}

/// A phase under strace, with these options.
fn strace(scene: &Scene, name: &str, options: &[String]) -> Command {
    let mut strace = Command::new("strace");
    strace.arg("-qq").args(options.iter().flat_map(|option| ["-e", option])).arg("-o").arg(log());
    strace.arg(program(scene.program)).env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C");
    for (key, value) in phase_command(scene.program, scene.iface, name, scene.keywords).get_envs() {
        strace.env(key, value.unwrap_or_default());
    }
    strace
}

/// A phase under strace, with a fault at the `number`th of these calls.
fn injected(scene: &Scene, name: &str, call: &str, fate: &str, number: usize) -> Command {
    strace(scene, name, &[format!("trace={call}"), format!("inject={call}:{fate}:when={number}")])
}

/// Runs a phase without a fault; returns the calls where a fault is possible.
pub fn calls(scene: &Scene, name: &str) -> Vec<String> {
    run(&mut strace(scene, name, &["trace=sendto,recvfrom".to_owned()])).quiet();
    let log = fs::read_to_string(log()).expect("strace's log");
    log.lines().filter_map(|line| Some(line.split_once('(')?.0.to_owned())).collect()
}

/// Runs a phase to its end, refused or killed at one call.
pub fn tampered(scene: &Scene, name: &str, call: &str, fate: &str, number: usize) -> Tampered {
    let ran = run(&mut injected(scene, name, call, fate, number));
    let killed = ran.status > 127;
    let injected = fs::read_to_string(log()).unwrap_or_default().contains("INJECTED");
    Tampered { happened: killed || injected, killed, ran }
}

/// Runs a phase, stops it after its `number`th message, runs `ip` with these arguments, and continues it.
pub fn stopped(scene: &Scene, name: &str, number: usize, rival: &str) -> Ran {
    // The output of the run before must not be mistaken for that of this run.
    let _ = fs::remove_file(log());
    let mut strace = injected(scene, name, "sendto", "signal=STOP", number);
    let strace = strace.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = strace.spawn().expect("strace");
    let children = format!("/proc/{0}/task/{0}/children", child.id());
    let stopped = loop {
        let pids = fs::read_to_string(&children).unwrap_or_default();
        let is_stopped = |pid: &&str| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            // strace stops the process briefly at every call; stopped by the signal, it stays stopped.
            let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
            matches!(state, Some('t' | 'T')) && log_tells_of_stop()
        };
        if let Some(pid) = pids.split_whitespace().find(is_stopped) {
            break pid.to_owned();
        }
        assert!(child.try_wait().expect("strace").is_none(), "{name} has no message {number}");
        thread::sleep(Duration::from_millis(5));
    };
    command(&format!("ip {rival}"));
    command(&format!("kill -CONT {stopped}"));
    let output = child.wait_with_output().expect("strace");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let status = output.status.code().unwrap_or(128);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    Ran { words: format!("{} {name}", scene.program), status, stdout, stderr }
}

/// Whether strace has reported that the program is stopped.
fn log_tells_of_stop() -> bool {
    fs::read_to_string(log()).unwrap_or_default().contains("stopped by SIGSTOP")
}

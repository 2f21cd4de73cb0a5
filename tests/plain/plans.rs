//! Plans as case folders: `tests/plans/PROGRAM/CASE/` with three files.
//!
//! - `env`: the environment, a variable a line (IFACE, PHASE, IF_…);
//! - `kernel`: the state of the kernel, in the words of [`super::notation`];
//! - `plan`: each step as a command line, below it the step that rolls it back (`  undo: …`), then warnings and errors
//!   and the exit status, if it is not 0.
//!
//! `BLESS=1` rewrites the `plan` files. Check by reasoning that what it writes is right.

use super::all::ALL;
use super::asked::asked_for;
use super::{notation, support};
use ifupdown_ng_netlink::plan::{At, Plan};
use ifupdown_ng_netlink::program::executor::Program;
use ifupdown_ng_netlink::stanza::environment::Found;
use ifupdown_ng_netlink::state::Query;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

#[test]
fn every_case_is_planned_as_written() {
    let bless = std::env::var_os("BLESS").is_some();
    let (mut wrong, mut cases) = (Vec::new(), 0);
    for env in support::files("tests/plans", "/env") {
        let case = env.parent().unwrap();
        let program = case.parent().unwrap().file_name().unwrap().to_str().unwrap();
        let program = ALL.iter().find(|known| known.name == program).expect("a program of this name");
        let is = planned(program, case);
        let path = case.join("plan");
        if bless {
            fs::write(&path, &is).unwrap();
        }
        let should = fs::read_to_string(&path).unwrap_or_default();
        if is != should {
            let case = case.strip_prefix(support::root()).unwrap().display();
            wrong.push(format!("{case}\n--- written\n{should}--- planned\n{is}"));
        }
        cases += 1;
    }
    assert!(wrong.is_empty(), "{} of {cases} cases differ:\n{}", wrong.len(), wrong.join("\n"));
    for program in ALL {
        let folder = support::root().join("tests/plans").join(program.name);
        assert!(folder.is_dir(), "{}: no case in tests/plans", program.name);
    }
}

/// The plan of one case as text.
fn planned(program: &Program, case: &Path) -> String {
    let read = |name| fs::read_to_string(case.join(name)).unwrap();
    let env = read("env");
    let variables = env.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    let found = Found::in_environment(variables.map(|(name, value)| (name.into(), value.into())));
    let invocation = found.invocation().unwrap();
    let (configuration, problems) = program.configure(&invocation.stanza);
    let mut text = String::new();
    let mut code = if problems.is_empty() { 0 } else { 2 };
    let mut errors = problems;
    let at = At { iface: &invocation.iface, phase: invocation.phases[0], alone: false };
    if (errors.is_empty() || at.phase.is_down()) && configuration.acts(at.phase) {
        let mut query = Query::default();
        configuration.query(at, &mut query);
        let simulated = asked_for(&query, &notation::parse(&read("kernel")));
        let plan = configuration.plan(at, &simulated).unwrap_or_else(|(plan, mut conflicts)| {
            errors.append(&mut conflicts);
            code = code.max(1);
            // On the way up, nothing of a plan with a conflict is carried out.
            if at.phase.is_down() { plan } else { Plan { steps: Vec::new(), warnings: plan.warnings } }
        });
        for step in &plan.steps {
            let _ = writeln!(text, "{}", step.act);
            for undo in &step.undo {
                let _ = writeln!(text, "  undo: {undo}");
            }
        }
        for warning in &plan.warnings {
            let _ = writeln!(text, "warning: {warning}");
        }
    }
    for error in &errors {
        let _ = writeln!(text, "error: {error}");
    }
    if code != 0 {
        let _ = writeln!(text, "exit: {code}");
    }
    text
}

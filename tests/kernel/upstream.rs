//! docs/UPSTREAM.md: each reproduction prints, with the ifupdown-ng of both roots, what the page shows.

use crate::features::{Feature, needs};
use crate::ifupdown::{Executors, Ifupdown, Shell, Version};
use crate::lab::{in_lab, run};
use crate::pages::checkout;
use libtest_mimic::Trial;
use std::fs;
use std::process::Command;

/// A block for the shell, and what it prints: a line that begins with `Prints` and names versions, and their text.
#[derive(Debug)]
struct Reproduction {
    script: String,
    prints: Vec<(String, String)>,
}

pub fn tests() -> Vec<Trial> {
    let test = |version: Version| {
        let ifupdown = Ifupdown { version, executors: Executors::Stock, shell: Shell::Dash };
        needs(&[Feature::Roots], format!("upstream/{version:?}"), move || in_lab(|| as_shown(ifupdown)))
    };
    Version::ALL.into_iter().map(test).collect()
}

/// All on the page, in order. The first block, which prints nothing, has the functions that the others use.
fn reproductions() -> Vec<Reproduction> {
    let page = fs::read_to_string(checkout().join("docs/UPSTREAM.md")).expect("docs/UPSTREAM.md");
    let mut found: Vec<Reproduction> = Vec::new();
    let mut parts = page.split("\n```");
    let mut before = parts.next().unwrap_or_default();
    while let (Some(block), Some(after)) = (parts.next(), parts.next()) {
        let (language, text) = block.split_once('\n').expect("a block");
        let text = format!("{text}\n");
        if language == "sh" {
            found.push(Reproduction { script: text, prints: Vec::new() });
        } else if let Some(line) = before.lines().rfind(|line| line.starts_with("Prints")) {
            found.last_mut().expect("a script before").prints.push((line.to_owned(), text));
        }
        before = after;
    }
    found
}

fn as_shown(ifupdown: Ifupdown) {
    let installed = ifupdown.install("");
    let name = match ifupdown.version {
        Version::Bookworm => "0.11.4",
        Version::Trixie => "0.12.1",
    };
    let reproductions = reproductions();
    let (functions, others) = reproductions.split_first().expect("functions");
    let mut compared = 0;
    for Reproduction { script, prints } in others {
        let Some((_, shown)) = prints.iter().find(|(versions, _)| versions.contains(name)) else { continue };
        installed.file("/tmp/script", &format!("exec 2>&1\n{}{script}", functions.script));
        let mut command = Command::new("timeout");
        command.args(["-k", "5", "300", "chroot"]).arg(installed.path("/")).args(["sh", "/tmp/script"]);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        let ran = run(&mut command);
        assert_eq!(ran.stdout, *shown, "{name}:\n{script}\n{ran}");
        compared += 1;
    }
    assert!(compared >= 12, "{compared} reproductions");
}

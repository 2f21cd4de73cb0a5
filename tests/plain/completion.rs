//! The completion of `ifnetlink`, in a real bash.

use super::support::{root, run, skip};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Prints the candidates for the last of the words after the script, by the function that the script registers.
const COMPLETE: &str = r#"
    compopt() { :; }
    . "$1" && shift || exit
    function=$(complete -p ifnetlink)
    function=${function##*-F } COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    "${function%% *}" ifnetlink "${!#}" "${COMP_WORDS[COMP_CWORD - 1]}"
    printf '%s\n' "${COMPREPLY[@]}"
"#;

/// The candidates for the last word of a command line; `None` without bash.
fn candidates(script: &Path, words: &[&str]) -> Option<Vec<String>> {
    let mut bash = Command::new("bash");
    bash.args(["--norc", "--noprofile", "-c", COMPLETE, "bash"]).arg(script).args(words);
    bash.env_clear().env("PATH", "/usr/bin:/bin").current_dir(root());
    if bash.output().is_err() {
        skip("completion", "bash");
        return None;
    }
    let ran = run(bash);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{words:?}");
    Some(ran.out.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

#[test]
fn commands_options_and_values_are_completed() {
    let script = root().join("dist/ifnetlink.bash");
    for (words, expected) in [
        (&["ifnetlink", "ch"][..], &["check"][..]),
        (&["ifnetlink", "check", "--j"], &["--json"]),
        (&["ifnetlink", "check", "br0", "--au"], &["--auto"]),
        (&["ifnetlink", "apply", "--d"], &["--dry-run", "--disruptive"]),
        (&["ifnetlink", "show", "--frob"], &[]),
        (&["ifnetlink", "exec", "n"], &["netns"]),
        (&["ifnetlink", "check", "-i", "dist/ifnetlink.b"], &["dist/ifnetlink.bash"]),
    ] {
        let Some(found) = candidates(&script, words) else { return };
        assert_eq!(found, expected, "{words:?}");
    }
}

/// Bash expands the candidates, so the name of an interface or of a namespace could be a command.
#[test]
fn names_are_completed_and_strange_names_are_not_executed() {
    let directory = std::env::temp_dir().join(format!("ifnl-completion-{}", std::process::id()));
    let net = directory.join("net");
    for name in ["eth0", "eth1.7", "en-x_y", "$(exit 3)", "`id`", "$HOME", "a'b", "a\"b"] {
        fs::create_dir_all(net.join(name)).unwrap();
    }
    fs::write(net.join("bonding_masters"), "").unwrap();
    let text = fs::read_to_string(root().join("dist/ifnetlink.bash")).unwrap();
    let script = directory.join("script");
    let net = net.display().to_string();
    fs::write(&script, text.replace("/sys/class/net", &net).replace("/run/netns", &net)).unwrap();
    for command in ["check", "apply"] {
        let Some(mut found) = candidates(&script, &["ifnetlink", command, ""]) else { break };
        found.retain(|candidate| !candidate.starts_with('-'));
        found.sort();
        assert_eq!(found, ["en-x_y", "eth0", "eth1.7"], "{command}");
        assert_eq!(candidates(&script, &["ifnetlink", command, "eth0", "eth1"]).unwrap(), ["eth1.7"]);
    }
    for words in [&["exec", "netns"][..], &["show", "--netns"]] {
        let words = [&["ifnetlink"], words, &["e"]].concat();
        let Some(mut found) = candidates(&script, &words) else { break };
        found.sort();
        assert_eq!(found, ["en-x_y", "eth0", "eth1.7"], "{words:?}");
    }
    fs::remove_dir_all(&directory).unwrap();
}

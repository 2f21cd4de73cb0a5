//! What a user sees of `ifnetlink` without access to a kernel.

use super::support::{Ran, command, run};

fn ifnetlink(arguments: &[&str]) -> Ran {
    let mut started = command("ifnetlink", []);
    started.args(arguments);
    run(started)
}

#[test]
fn help_is_as_written() {
    let ran = ifnetlink(&["--help"]);
    let text = "\
Compares stanzas of VRFs, namespaces, veth pairs and bridges with the running kernel, and applies them

Usage: ifnetlink <COMMAND>

Commands:
  lint     Finds what is wrong in interfaces files, without root and without the kernel
  check    Finds what is wrong in the stanzas, then prints the commands that would bring the kernel in line
  apply    Brings the running system to the interfaces file: all changes, or none
  confirm  Keeps the changes of `ifnetlink apply --confirm`
  hotplug  Completes the stanzas that name a link that has just appeared
  show     Prints links with their addresses, VRFs, bridges with their VLANs, and named namespaces
  exec     Runs a command in a network namespace, as `ip netns exec` does

Options:
  -h, --help     Print help
  -V, --version  Print version
";
    assert_eq!(ran, Ran::new(0, text, ""));
    assert_eq!(ifnetlink(&[]), Ran::new(2, "", text));
    let ran = ifnetlink(&["lint", "--help"]);
    let text = "\
Finds what is wrong in interfaces files, without root and without the kernel

Usage: ifnetlink lint [OPTIONS] [FILE]...

Arguments:
  [FILE]...  Interfaces files [default: /etc/network/interfaces]

Options:
  -E, --executor-path <DIRECTORY>  Where the executors are [default: /usr/libexec/ifupdown-ng]
      --ifupdown <VERSION>         The ifupdown-ng that reads the files; the installed one by default, 0.12 if there is none [possible values: 0.11, 0.12, 0.13]
      --json                       For machines
  -h, --help                       Print help

Exit status: 0 if nothing is wrong, 2 if something is wrong, 1 on other errors.

Examples:
  ifnetlink lint
  ifnetlink lint --ifupdown 0.11 interfaces.d/trunk
";
    assert_eq!(ran, Ran::new(0, text, ""));
    let ran = ifnetlink(&["check", "--help"]);
    let text = "\
Finds what is wrong in the stanzas, then prints the commands that would bring the kernel in line

Usage: ifnetlink check [OPTIONS] [IFACE]...

Arguments:
  [IFACE]...  Interfaces

Options:
  -a, --auto                       The interfaces that are auto; without this and without IFACE, also those that are up
  -i, --interfaces <FILE>          The interfaces file [default: /etc/network/interfaces]
  -E, --executor-path <DIRECTORY>  Where the executors are [default: /usr/libexec/ifupdown-ng]
  -S, --state-file <FILE>          The state file of ifupdown-ng [default: /run/ifstate]
      --json                       For machines
  -h, --help                       Print help

Exit status: 0 if nothing differs, 3 if something differs, 2 if a stanza is invalid, 1 on other errors.

Examples:
  ifnetlink check
  ifnetlink check -i /etc/network/interfaces.new br0
";
    assert_eq!(ran, Ran::new(0, text, ""));
    let ran = ifnetlink(&["apply", "--help"]);
    let text = "\
Brings the running system to the interfaces file: all changes, or none

Usage: ifnetlink apply [OPTIONS] [IFACE]...

Arguments:
  [IFACE]...  Interfaces

Options:
  -a, --auto                       The interfaces that are auto; without this and without IFACE, also those that are up
      --dry-run                    Print the changes and make none
      --disruptive                 Also make changes that cost an interface in use its addresses, routes or sessions
      --confirm[=<SECONDS>]        Roll the changes back unless they are confirmed in this time, 120 s by default on a terminal
  -q, --quiet                      Print errors and warnings only
  -i, --interfaces <FILE>          The interfaces file [default: /etc/network/interfaces]
  -E, --executor-path <DIRECTORY>  Where the executors are [default: /usr/libexec/ifupdown-ng]
  -S, --state-file <FILE>          The state file of ifupdown-ng [default: /run/ifstate]
      --json                       For machines
  -h, --help                       Print help

Exit status: 0 if all is applied, 1 if it is refused or rolled back, 4 if it is rolled back in part, 2 if a stanza is invalid, 5 if it waits for its confirmation.

Examples:
  ifnetlink apply --dry-run
  ifnetlink apply --disruptive br0 eth1
";
    assert_eq!(ran, Ran::new(0, text, ""));
    let ran = ifnetlink(&["show", "--help"]);
    let text = "\
Prints links with their addresses, VRFs, bridges with their VLANs, and named namespaces

Usage: ifnetlink show [OPTIONS] [NAME]...

Arguments:
  [NAME]...  Interfaces, VRFs and namespaces: only these, and what belongs to them

Options:
      --vrf <VRF>      Only this VRF and what belongs to it
      --netns <NETNS>  Only what is in this namespace
      --dot            A graph for dot(1) of graphviz
      --json           For machines
  -h, --help           Print help

Colours and a legend are printed on a terminal; NO_COLOR in the environment turns the colours off.
Exit status: 0, or 1 if a name does not exist, and on other errors.

Examples:
  ifnetlink show
  ifnetlink show --netns guest --json
";
    assert_eq!(ran, Ran::new(0, text, ""));
    let version = format!("ifnetlink {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(ifnetlink(&["--version"]), Ran::new(0, &version, ""));
}

#[test]
fn help_of_exec_is_as_written() {
    let end = "\
Exit status: that of the command; 127 if it does not exist, 126 if it cannot be executed, 1 on other errors.

Examples:
  ifnetlink exec netns guest ping 192.0.2.1
  ifnetlink exec netns 4711 ifnetlink show
";
    let text = format!(
        "\
Runs a command in a network namespace, as `ip netns exec` does

Usage: ifnetlink exec <COMMAND>

Commands:
  netns  A network namespace

Options:
  -h, --help  Print help

{end}"
    );
    assert_eq!(ifnetlink(&["exec", "--help"]), Ran::new(0, &text, ""));
    assert_eq!(ifnetlink(&["exec"]), Ran::new(2, "", &text));
    let text = format!(
        "\
A network namespace

Usage: ifnetlink exec netns <NETNS> <COMMAND>...

Arguments:
  <NETNS>       A name as `ip netns` lists it, the id of a process in the namespace, or the path of its file
  <COMMAND>...  The command, and its arguments

Options:
  -h, --help  Print help

{end}"
    );
    assert_eq!(ifnetlink(&["exec", "netns", "--help"]), Ran::new(0, &text, ""));
}

#[test]
fn arguments_that_make_no_sense_are_told_with_status_2() {
    for (arguments, line) in [
        (&["frob"][..], "error: unrecognized subcommand 'frob'\n"),
        (&["check", "-a", "eth0"], "error: the argument '--auto' cannot be used with '[IFACE]...'\n"),
        (&["apply", "-a", "eth0"], "error: the argument '--auto' cannot be used with '[IFACE]...'\n"),
        (&["show", "--json", "--dot"], "error: the argument '--json' cannot be used with '--dot'\n"),
        (&["show", "--vrf"], "error: a value is required for '--vrf <VRF>' but none was supplied\n"),
        (&["exec", "one", "true"], "error: unrecognized subcommand 'one'\n"),
        (&["exec", "netns"], "error: the following required arguments were not provided:\n"),
        (
            &["exec", "netns", "a b", "true"],
            "error: invalid value 'a b' for '<NETNS>': not a name of a network namespace: contains ' '\n",
        ),
        (&["check", "--frob"], "error: unexpected argument '--frob' found\n"),
    ] {
        let ran = ifnetlink(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{arguments:?}");
        assert!(ran.err.starts_with(line), "{arguments:?}: {}", ran.err);
    }
}

#[test]
fn what_is_mistyped_is_answered_with_what_is_similar() {
    for (arguments, line) in [
        (&["chekk"][..], "  tip: a similar subcommand exists: 'check'\n"),
        (&["applyy", "eth0"], "  tip: a similar subcommand exists: 'apply'\n"),
        (&["check", "--jsno"], "  tip: a similar argument exists: '--json'\n"),
    ] {
        let ran = ifnetlink(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{arguments:?}");
        assert!(ran.err.contains(line), "{arguments:?}: {}", ran.err);
    }
    assert!(!ifnetlink(&["frobnicate"]).err.contains("similar"));
}

#[test]
fn a_file_that_cannot_be_read_is_one_line_with_status_1() {
    let ran = ifnetlink(&["check", "-a", "-i", "/nonexistent/interfaces"]);
    let line = "ifnetlink: cannot read the stanzas: /nonexistent/interfaces: No such file or directory (os error 2)\n";
    assert_eq!(ran, Ran::new(1, "", line));
}

#[test]
fn a_command_in_a_vrf_is_refused_with_what_does_it() {
    let line = "ifnetlink: exec vrf: a command in a VRF needs a BPF program; run `ip vrf exec` of iproute2\n";
    for words in [&["vrf", "red", "ping", "192.0.2.1"][..], &["vrf", "red"], &["vrf"], &["vrf", "--help"]] {
        assert_eq!(ifnetlink(&[&["exec"], words].concat()), Ran::new(2, "", line), "{words:?}");
    }
}

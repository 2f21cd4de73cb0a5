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
  check  Prints what of the stanzas is not so in the kernel, as the commands that would make it so
  apply  Brings interfaces that are up in line with their stanzas, without taking them down
  show   Draws VRFs, named namespaces, bridges with their VLANs, and veth pairs as they are

Options:
  -h, --help     Print help
  -V, --version  Print version
";
    assert_eq!(ran, Ran::new(0, text, ""));
    assert_eq!(ifnetlink(&[]), Ran::new(2, "", text));
    let ran = ifnetlink(&["check", "--help"]);
    let text = "\
Prints what of the stanzas is not so in the kernel, as the commands that would make it so

Usage: ifnetlink check [OPTIONS] [IFACE]...

Arguments:
  [IFACE]...  Interfaces

Options:
  -a, --auto                       The interfaces that are auto; without this and without IFACE, also those that are up
  -i, --interfaces <FILE>          The interfaces file [default: /etc/network/interfaces]
  -E, --executor-path <DIRECTORY>  Where the executors are [default: /usr/libexec/ifupdown-ng]
      --json                       For machines
  -h, --help                       Print help

Exit status: 0 if all is as it should be, 3 if not, 2 if a stanza is wrong, 1 on other failures.
";
    assert_eq!(ran, Ran::new(0, text, ""));
    let ran = ifnetlink(&["apply", "--help"]);
    let text = "\
Brings interfaces that are up in line with their stanzas, without taking them down

Usage: ifnetlink apply [OPTIONS] <IFACE>...

Arguments:
  <IFACE>...  Interfaces

Options:
      --disruptive                 Also what costs an interface in use its addresses, routes or sessions
  -i, --interfaces <FILE>          The interfaces file [default: /etc/network/interfaces]
  -E, --executor-path <DIRECTORY>  Where the executors are [default: /usr/libexec/ifupdown-ng]
  -h, --help                       Print help

What cannot be changed so is told in a line, and nothing is changed.
Exit status: 0 if all is in line, 2 if a stanza is wrong, 1 on other failures.
";
    assert_eq!(ran, Ran::new(0, text, ""));
    let ran = ifnetlink(&["show", "--help"]);
    let text = "\
Draws VRFs, named namespaces, bridges with their VLANs, and veth pairs as they are

Usage: ifnetlink show [OPTIONS]

Options:
      --json  For machines
  -h, --help  Print help

Colours are for terminals; not where NO_COLOR is set in the environment.
";
    assert_eq!(ran, Ran::new(0, text, ""));
    let version = format!("ifnetlink {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(ifnetlink(&["--version"]), Ran::new(0, &version, ""));
}

#[test]
fn arguments_that_make_no_sense_are_told_with_status_2() {
    for (arguments, line) in [
        (&["frob"][..], "error: unrecognized subcommand 'frob'\n"),
        (&["check", "-a", "eth0"], "error: the argument '--auto' cannot be used with '[IFACE]...'\n"),
        (&["apply"], "error: the following required arguments were not provided:\n"),
        (&["show", "eth0"], "error: unexpected argument 'eth0' found\n"),
        (&["check", "--frob"], "error: unexpected argument '--frob' found\n"),
    ] {
        let ran = ifnetlink(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{arguments:?}");
        assert!(ran.err.starts_with(line), "{arguments:?}: {}", ran.err);
    }
}

/// With ifquery, ifquery reports the error; without it, ifnetlink does.
#[test]
fn a_file_that_cannot_be_read_is_one_line_with_status_1() {
    let ran = ifnetlink(&["check", "-a", "-i", "/nonexistent/interfaces"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{}", ran.err);
    assert!(ran.err.starts_with("ifnetlink: cannot read the stanzas: "), "{}", ran.err);
    assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
}

//! `make install` and `make uninstall`, with stand-ins for the programs, into a directory.

use super::all::{ALL, NATIVE, PROGRAMS};
use super::support::{root, run};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const EXECUTORS: &str = "usr/libexec/ifupdown-ng";
const MDEV: &str = "usr/share/ifupdown-ng-netlink/mdev.conf";
const COMPLETION: &str = "usr/share/bash-completion/completions/ifnetlink";
const SCRIPT: &str = "usr/libexec/ifupdown-ng-netlink/dhcp-vrf";

/// A directory to install to, and one with the files to install.
struct Machine {
    directory: PathBuf,
    shell: &'static [&'static str],
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

impl Machine {
    /// With two stock executors.
    fn new(name: &str, shell: &'static [&'static str]) -> Self {
        let directory =
            std::env::temp_dir().join(format!("ifnl-install-{}-{name}-{}", std::process::id(), shell[0]));
        let machine = Self { directory, shell };
        if shell[0] == "busybox" {
            let applets = machine.directory.join("applets");
            fs::create_dir_all(&applets).unwrap();
            let ran = run({
                let mut install = Command::new("busybox");
                install.args(["--install", "-s"]).arg(applets);
                install
            });
            assert_eq!(ran.code, 0, "{}", ran.err);
        }
        for program in ALL {
            machine.write(&format!("built/{}", program.name), "ours\n");
        }
        machine.write("built/ifnetlink", "ours\n");
        machine.stock("vrf", "stock\n");
        machine.stock("link", "stock\n");
        machine
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.directory.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn stock(&self, name: &str, text: &str) {
        self.write(&format!("root/{EXECUTORS}/{name}"), text);
    }

    fn has(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.directory.join("root").join(EXECUTORS).join(name)).ok()
    }

    /// `make` as in the README; its exit status and its output. It builds no program and no page, and the script runs
    /// in the shell of this machine.
    fn make(&self, words: &str) -> (i32, String) {
        let mut command = Command::new("make");
        command.current_dir(root()).args(words.split_whitespace()).args(["-s", "CARGO=false", "SCDOC=none"]);
        command.arg(format!("DESTDIR={}", self.directory.join("root").display()));
        command.arg(format!("RELEASE={}", self.directory.join("built").display()));
        command.arg(format!("FILES={}", self.directory.join("files").display()));
        let applets = self.directory.join("applets");
        command
            .arg(format!("SH={}", self.shell.join(" ").replace("APPLETS", &applets.display().to_string())));
        command.env_remove("MAKEFLAGS").env_remove("DROPIN").env_remove("PREFIX");
        let ran = run(command);
        (ran.code, ran.out + &ran.err)
    }

    #[track_caller]
    fn done(&self, words: &str) -> String {
        let (code, said) = self.make(words);
        assert_eq!(code, 0, "make {words}: {said}");
        said
    }

    /// All files, by path.
    fn state(&self) -> BTreeMap<PathBuf, String> {
        fn add(directory: &Path, found: &mut BTreeMap<PathBuf, String>) {
            for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    add(&path, found);
                } else {
                    found.insert(path.clone(), fs::read_to_string(&path).unwrap());
                }
            }
        }
        let mut found = BTreeMap::new();
        add(&self.directory.join("root"), &mut found);
        found
    }
}

/// Debian's shell and Alpine's, with only busybox's programs in the script.
const SHELLS: [&[&str]; 2] = [&["sh"], &["busybox", "env", "PATH=APPLETS", "sh"]];

fn for_each_shell(name: &str, test: impl Fn(&Machine)) {
    for shell in SHELLS {
        if Command::new(shell[0]).arg("true").output().is_err() {
            super::support::skip(name, shell[0]);
            continue;
        }
        test(&Machine::new(name, shell));
    }
}

#[test]
fn every_program_is_installed_and_stock_ones_are_left_alone() {
    for_each_shell("plain", |machine| {
        let before = machine.state();
        machine.done("install");
        let completion = fs::read_to_string(root().join("dist/ifnetlink.bash")).unwrap();
        assert_eq!(machine.state().get(&machine.directory.join("root").join(COMPLETION)), Some(&completion));
        let script = machine.directory.join("root").join(SCRIPT);
        assert_eq!(fs::read(&script).unwrap(), fs::read(root().join("dist/dhcp-vrf")).unwrap());
        assert_eq!(fs::metadata(&script).unwrap().permissions().mode() & 0o777, 0o755);
        for program in PROGRAMS {
            let dropin = !program.name.contains('-') && program.name != "netns";
            let expected = (!dropin).then_some("ours\n");
            let expected = if program.name == "vrf" { Some("stock\n") } else { expected };
            assert_eq!(machine.has(program.name).as_deref(), expected, "{}", program.name);
        }
        machine.done("uninstall");
        assert_eq!(machine.state(), before);
        assert!(!script.parent().unwrap().exists());
        assert!(machine.done("uninstall").contains("nothing was installed"));
    });
}

/// Each program runs with the rights of the user who starts it, and only root can change it.
#[test]
fn nothing_is_setuid_and_others_write_nothing() {
    for_each_shell("modes", |machine| {
        machine.done("install DROPIN=all");
        let installed = machine.state();
        assert!(installed.len() > 10, "{installed:?}");
        for path in installed.iter().filter(|(_, text)| *text != "stock\n").map(|(path, _)| path) {
            let mode = fs::symlink_metadata(path).unwrap().permissions().mode();
            assert!(
                mode & 0o7000 == 0 && (mode & 0o022 == 0 || path.is_symlink()),
                "{}: {mode:o}",
                path.display()
            );
        }
        machine.done("uninstall");
    });
}

#[test]
fn with_dropin_the_stock_one_is_kept_and_comes_back() {
    for_each_shell("dropin", |machine| {
        let before = machine.state();
        assert!(machine.done("install DROPIN=1").contains("as vrf.ifupdown-ng"));
        for program in PROGRAMS {
            assert_eq!(machine.has(program.name).as_deref(), Some("ours\n"), "{}", program.name);
        }
        assert_eq!(machine.has("vrf.ifupdown-ng").as_deref(), Some("stock\n"));
        // A newer version replaces our files, including the drop-ins, and keeps nothing of them.
        for program in PROGRAMS {
            machine.write(&format!("built/{}", program.name), "newer\n");
        }
        machine.done("install");
        assert_eq!(machine.has("vrf").as_deref(), Some("newer\n"));
        assert_eq!(machine.has("vrf.ifupdown-ng").as_deref(), Some("stock\n"));
        assert_eq!(machine.has("veth.ifupdown-ng"), None);
        machine.done("uninstall");
        assert_eq!(machine.state(), before);
    });
}

/// Those in place of `link`, `static` and `forward` are installed only by this.
#[test]
fn with_dropin_all_every_stock_one_is_kept_and_comes_back() {
    for_each_shell("all", |machine| {
        let before = machine.state();
        machine.done("install DROPIN=1");
        for program in NATIVE {
            let is_stock = program.name == "link";
            assert_eq!(
                machine.has(program.name).as_deref(),
                is_stock.then_some("stock\n"),
                "{}",
                program.name
            );
        }
        assert!(machine.done("install DROPIN=all").contains("as link.ifupdown-ng"));
        for program in ALL {
            assert_eq!(machine.has(program.name).as_deref(), Some("ours\n"), "{}", program.name);
            machine.write(&format!("built/{}", program.name), "newer\n");
        }
        assert_eq!(machine.has("link.ifupdown-ng").as_deref(), Some("stock\n"));
        // A newer version replaces them too.
        for words in ["install", "install DROPIN=1"] {
            machine.done(words);
            for program in ALL {
                assert_eq!(
                    machine.has(program.name).as_deref(),
                    Some("newer\n"),
                    "{words}: {}",
                    program.name
                );
            }
        }
        machine.write("built/ifupdown-ng-netlink", "all\n");
        machine.done("install MULTICALL=1");
        assert_eq!(machine.has("static").as_deref(), Some("all\n"));
        assert_eq!(machine.has("link.ifupdown-ng").as_deref(), Some("stock\n"));
        machine.done("uninstall");
        assert_eq!(machine.state(), before);
    });
}

#[test]
fn what_others_put_there_is_not_overwritten() {
    for_each_shell("foreign", |machine| {
        machine.stock("netns", "of another package\n");
        let before = machine.state();
        let (code, said) = machine.make("install DROPIN=1");
        assert_ne!(code, 0, "{said}");
        assert!(
            said.contains("ifupdown-ng/netns exists and was not installed from here: nothing done"),
            "{said}"
        );
        assert_eq!(machine.state(), before);
    });
}

#[test]
fn what_has_changed_since_is_neither_removed_nor_lost() {
    for_each_shell("changed", |machine| {
        machine.done("install DROPIN=1");
        // The distribution has a new version of the stock executor, the administrator has a modified one.
        machine.stock("vrf", "stock, newer\n");
        machine.stock("netns", "the administrator's\n");
        let said = machine.done("uninstall");
        assert_eq!(said.matches("left alone").count(), 2, "{said}");
        assert_eq!(machine.has("vrf").as_deref(), Some("stock, newer\n"));
        assert_eq!(machine.has("netns").as_deref(), Some("the administrator's\n"));
        assert_eq!(machine.has("veth"), None);
    });
}

/// Only some programs have been installed, and the manifest already names all of them.
#[test]
fn an_install_that_was_stopped_is_done_again_or_undone() {
    for_each_shell("stopped", |machine| {
        let before = machine.state();
        machine.done("install DROPIN=1");
        let complete = machine.state();
        let stopped = || {
            for name in ["veth", "bridge", "veth-peer"] {
                fs::remove_file(machine.directory.join("root").join(EXECUTORS).join(name)).unwrap();
            }
            machine.stock("bridge-vlan.new", "half\n");
            machine.stock("vrf", "ours\n");
        };
        stopped();
        machine.done("install DROPIN=1");
        assert_eq!(machine.state(), {
            let mut expected = complete.clone();
            expected.retain(|path, _| !path.ends_with("bridge-vlan.new"));
            expected
        });
        stopped();
        fs::remove_file(machine.directory.join("root").join(EXECUTORS).join("bridge-vlan.new")).unwrap();
        machine.done("uninstall");
        assert_eq!(machine.state(), before);
    });
}

/// One program for all, and links; in place of an earlier installation, and the other way round.
#[test]
fn links_are_installed_and_removed_like_files() {
    for_each_shell("links", |machine| {
        let before = machine.state();
        machine.write("built/ifupdown-ng-netlink", "all\n");
        machine.done("install DROPIN=1 MULTICALL=1");
        let linked = machine.state();
        for program in PROGRAMS {
            assert_eq!(machine.has(program.name).as_deref(), Some("all\n"), "{}", program.name);
            let path = machine.directory.join("root").join(EXECUTORS).join(program.name);
            assert_eq!(fs::read_link(path).unwrap(), Path::new("ifupdown-ng-netlink"), "{}", program.name);
        }
        assert_eq!(machine.has("vrf.ifupdown-ng").as_deref(), Some("stock\n"));
        // A newer program with the same links.
        machine.write("built/ifupdown-ng-netlink", "newer\n");
        machine.done("install MULTICALL=1");
        assert_eq!(machine.has("vrf").as_deref(), Some("newer\n"));
        machine.done("install");
        assert_eq!(machine.has("vrf").as_deref(), Some("ours\n"));
        machine.write("built/ifupdown-ng-netlink", "all\n");
        machine.done("install MULTICALL=1");
        assert_eq!(machine.state().len(), linked.len());
        assert_eq!(machine.has("vrf.ifupdown-ng").as_deref(), Some("stock\n"));
        machine.done("uninstall");
        assert_eq!(machine.state(), before);
    });
}

/// As a package is built.
#[test]
fn without_a_manifest_nothing_but_the_files_is_there() {
    for_each_shell("package", |machine| {
        fs::remove_dir_all(machine.directory.join("root")).unwrap();
        machine.done("install DROPIN=1 MANIFEST= EXECUTORDIR=/usr/lib/executors");
        let files = machine.state();
        let pages = files.keys().filter(|path| path.to_string_lossy().contains("/usr/share/man/man")).count();
        // And ifnetlink, which is not an executor, with its completion, the script for DHCP clients, the rule of udev and
        // the line of mdev.
        assert_eq!(files.len() - pages, PROGRAMS.len() + 5, "{files:?}");
        for path in [COMPLETION, "usr/lib/udev/rules.d/85-ifnetlink.rules", MDEV] {
            assert!(machine.directory.join("root").join(path).exists(), "{path}");
        }
        assert!(machine.directory.join("root/usr/sbin/ifnetlink").exists());
        assert!(machine.directory.join("root/usr/lib/executors/vrf").exists());
    });
}

#[test]
fn help_names_every_target() {
    let mut command = Command::new("make");
    command.current_dir(root()).arg("help").env_remove("MAKEFLAGS");
    let said = run(command);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let phony = makefile.lines().find_map(|line| line.strip_prefix(".PHONY: ")).expect("the targets");
    for target in phony.split_whitespace() {
        assert!(
            said.out.lines().any(|line| line.starts_with(&format!("{target} "))),
            "{target}: {}",
            said.out
        );
    }
}

//! The real ifupdown-ng, of both versions: without our executors, with them, or with them in place of the stock ones.

use crate::lab::{Ran, SCRATCH, bind, program, run};
use crate::pages::checkout;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fmt, fs};

/// The directory with the roots, if it is named and complete.
pub fn roots() -> Option<PathBuf> {
    let roots = PathBuf::from(std::env::var_os("IFNL_ROOTS")?);
    let whole = Version::ALL.into_iter().all(|version| roots.join(version.root()).join("usr").is_dir());
    whole.then_some(roots)
}

/// A version of ifupdown-ng.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// 0.11.4~rc1, Debian 12.
    Bookworm,
    /// 0.12.1, Debian 13 and others.
    Trixie,
}

impl Version {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Bookworm, Self::Trixie];

    /// The name of its root.
    pub fn root(self) -> &'static str {
        match self {
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
        }
    }
}

/// Which executors are installed besides the stock ones for other keywords.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Executors {
    /// Ours per keyword; without stock executors for our prefixes.
    Absent,
    /// Ours per keyword, together with the stock ones.
    Present,
    /// Our prefix executors in place of the stock ones, and ours per keyword.
    Replaced,
    /// Only the stock ones.
    Stock,
    /// As `Replaced`, and ours in place of the stock `link`, `static` and `forward` (`make install DROPIN=all`).
    Native,
}

impl Executors {
    /// The three that have to work.
    pub const ALL: [Self; 3] = [Self::Absent, Self::Present, Self::Replaced];
}

/// Which program brings a whole file up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// `ifup -a`.
    Ifup,
    /// `ifnetlink apply -a`.
    Apply,
}

impl Way {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Ifup, Self::Apply];
}

/// Which program is `/bin/sh`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shell {
    /// Debian's: dash.
    Dash,
    /// Alpine's: busybox.
    Ash,
}

/// Keyword prefixes for which stock executors exist or could exist.
const PREFIXES: [&str; 3] = ["vrf", "veth", "bridge"];
/// Our executors that are selected by `use`, and the (beginnings of) keywords that each reads.
const PER_KEYWORD: [(&str, &[&str]); 6] = [
    (
        "bridge-vlan",
        &[
            "bridge-vlan",
            "bridge-member",
            "bridge-default-pvid",
            "bridge-isolated",
            "bridge-learning",
            "bridge-locked",
            "bridge-fdb",
            "bridge-allow",
        ],
    ),
    ("vrf-table", &["vrf-table", "vrf-member", "vrf "]),
    ("vrf-rules", &["vrf-rules", "vrf-accept"]),
    ("vrf-route", &["vrf-route"]),
    ("netns", &["netns"]),
    ("veth-peer", &["veth-"]),
];
/// Our executors that replace stock ones.
const REPLACING: [&str; 3] = ["vrf", "veth", "bridge"];
/// Our executors in place of the stock ones that ifup runs for every interface, or for every address.
const NATIVE: [&str; 3] = ["link", "static", "forward"];

/// In seconds. In the virtual machine time is virtual: whenever the guest has nothing to do but wait for a file of the
/// host, its clock leaps to the next timer.
const TIME_LIMIT: &str = "1000";

/// An installation of ifupdown-ng.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ifupdown {
    /// Its version.
    pub version: Version,
    /// Its executors.
    pub executors: Executors,
    /// Its shell.
    pub shell: Shell,
}

impl fmt::Display for Ifupdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}/{:?}/{:?}", self.version, self.executors, self.shell)
    }
}

impl Ifupdown {
    /// Both versions with every set of executors under dash, and each version once under ash.
    pub fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for version in Version::ALL {
            for executors in Executors::ALL {
                all.push(Self { version, executors, shell: Shell::Dash });
            }
            all.push(Self { version, executors: Executors::Replaced, shell: Shell::Ash });
        }
        all
    }

    /// The most common installation, with our prefix executors.
    pub const USUAL: Self =
        Self { version: Version::Trixie, executors: Executors::Replaced, shell: Shell::Dash };

    /// Puts the installation into the calling thread's lab, which can hold one, with this interfaces file.
    pub fn install(self, interfaces: &str) -> Installed {
        let installed = Installed { ifupdown: self, root: Path::new(SCRATCH).join("root") };
        let root = &installed.root;
        bind(&roots().expect("IFNL_ROOTS").join(self.version.root()), root);
        for directory in ["proc", "dev"] {
            bind(&Path::new("/").join(directory), &root.join(directory));
        }
        // Its own mount of /sys/class/net: it shows the namespace in which it is mounted.
        for (kind, directory) in [("sysfs", "sys"), ("tmpfs", "run"), ("tmpfs", "tmp"), ("tmpfs", "mnt")] {
            let flags = nix::mount::MsFlags::empty();
            nix::mount::mount(Some(kind), &root.join(directory), Some(kind), flags, None::<&str>)
                .expect(kind);
        }
        if self.shell == Shell::Ash {
            bind(&root.join("usr/bin/busybox"), &root.join("usr/bin/dash"));
        }
        // The files that belong to examples.
        for beside in ["interfaces.d/etc/.", "nftables.d"] {
            let beside = checkout().join(beside);
            run(Command::new("cp").arg("-r").arg(beside).arg(root.join("etc"))).ok();
        }
        installed.install_executors();
        installed.interfaces(interfaces);
        installed
    }

    /// The same file for this installation: unchanged with our prefix executors. Otherwise with a `use` line for each
    /// of ours, and with spellings that the stock executors do not read, where they are installed.
    fn spell(self, interfaces: &str) -> String {
        if matches!(self.executors, Executors::Replaced | Executors::Native | Executors::Stock) {
            return interfaces.to_owned();
        }
        let mut lines = Vec::new();
        for line in interfaces.lines() {
            let text = line.trim_start();
            let executor = PER_KEYWORD
                .iter()
                .find(|(_, keywords)| keywords.iter().any(|keyword| text.starts_with(keyword)));
            match executor {
                Some((executor, _)) => {
                    lines.push(format!("    use {executor}"));
                    let (keyword, value) = text.split_once(' ').expect("a value");
                    // `vrf` is an alias, and selects the stock executor.
                    let keyword = if keyword == "vrf" { "vrf-member" } else { keyword };
                    let present = self.executors == Executors::Present;
                    let keyword = if present { keyword.replace('-', "_") } else { keyword.to_owned() };
                    lines.push(format!("    {keyword} {value}"));
                }
                None => lines.push(line.to_owned()),
            }
        }
        lines.join("\n") + "\n"
    }
}

/// An installation in a lab.
#[derive(Debug)]
pub struct Installed {
    /// The kind of installation.
    pub ifupdown: Ifupdown,
    root: PathBuf,
}

impl Installed {
    fn install_executors(&self) {
        let executors = self.root.join("mnt/executors");
        fs::create_dir(&executors).unwrap();
        let which = self.ifupdown.executors;
        let stock = self.root.join("usr/libexec/ifupdown-ng");
        for entry in fs::read_dir(stock).expect("stock executors") {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let left_out = match which {
                Executors::Present | Executors::Stock => false,
                Executors::Absent => PREFIXES.contains(&name.as_str()),
                Executors::Replaced => REPLACING.contains(&name.as_str()),
                Executors::Native => REPLACING.iter().chain(&NATIVE).any(|ours| *ours == name),
            };
            if !left_out {
                std::os::unix::fs::symlink(
                    Path::new("/usr/libexec/ifupdown-ng").join(&name),
                    executors.join(&name),
                )
                .unwrap();
            }
        }
        self.put_programs(program);
    }

    /// Puts our programs in place, also over those that are in place already: of each name the file that this function
    /// names.
    pub fn put_programs(&self, program: impl Fn(&str) -> PathBuf) {
        let which = self.ifupdown.executors;
        let executors = self.root.join("mnt/executors");
        let per_keyword = PER_KEYWORD.iter().map(|(name, _)| *name).filter(|_| which != Executors::Stock);
        let is_replaced = matches!(which, Executors::Replaced | Executors::Native);
        let replacing = REPLACING.into_iter().filter(|_| is_replaced);
        let native = NATIVE.into_iter().filter(|_| which == Executors::Native);
        for name in per_keyword.chain(replacing).chain(native) {
            bind(&program(name), &executors.join(name));
        }
        bind(&program("ifnetlink"), &self.root.join("mnt/ifnetlink"));
    }

    /// Writes another interfaces file.
    pub fn interfaces(&self, text: &str) {
        self.file("/mnt/interfaces", &self.ifupdown.spell(text));
    }

    /// Writes a file into the root (its `/run`, `/tmp` and `/mnt` can be written to).
    pub fn file(&self, path: &str, text: &str) {
        fs::write(self.path(path), text).unwrap_or_else(|error| panic!("{path}: {error}"));
    }

    /// The path, outside of the root, of a path inside it.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// `ifup` with these arguments.
    pub fn ifup(&self, arguments: &str) -> Ran {
        run(&mut self.command("ifup", arguments))
    }

    /// Brings all up, without an error.
    #[track_caller]
    pub fn bring_up(&self, way: Way) {
        match way {
            Way::Ifup => self.ifup("-a").quiet(),
            Way::Apply => self.ifnetlink("apply -a").quiet(),
        };
    }

    /// `ifdown` with these arguments.
    pub fn ifdown(&self, arguments: &str) -> Ran {
        run(&mut self.command("ifdown", arguments))
    }

    /// Our `ifnetlink` with these arguments: the first is the command.
    pub fn ifnetlink(&self, arguments: &str) -> Ran {
        run(&mut self.ifnetlink_command(arguments))
    }

    /// The same as a command, not yet run.
    pub fn ifnetlink_command(&self, arguments: &str) -> Command {
        let mut command = Command::new("chroot");
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.arg(&self.root).arg("/mnt/ifnetlink").args(arguments.split_whitespace());
        let name = arguments.split(' ').next().unwrap_or_default();
        if ["lint", "check", "apply", "hotplug"].contains(&name) {
            command.args(["-E", "/mnt/executors"]);
        }
        if ["check", "apply", "hotplug"].contains(&name) {
            command.args(["-i", "/mnt/interfaces"]);
        }
        command
    }

    /// `ifnetlink` under `strace` with these options.
    pub fn traced_ifnetlink(&self, options: &[&str], arguments: &str) -> Ran {
        self.ifnetlink_under("strace", options, arguments)
    }

    /// `ifnetlink`, started by a program with these options.
    pub fn ifnetlink_under(&self, program: &str, options: &[&str], arguments: &str) -> Ran {
        let command = self.ifnetlink_command(arguments);
        run(Command::new(program).args(options).arg(command.get_program()).args(command.get_args()))
    }

    /// Takes all interfaces down, whatever ifupdown-ng has counted: a forced ifup counts once more, and an interface
    /// that others require counts for each of them.
    pub fn ifdown_by_force(&self) {
        for _ in 0..4 {
            self.ifdown("-f -a");
        }
        self.forget();
        // ifupdown-ng does this by itself: it takes `lo` down with the rest.
        crate::lab::ip("link set lo up");
    }

    /// Deletes the state file of ifup and ifdown, as it is lost when they are killed.
    pub fn forget(&self) {
        let _ = fs::remove_file(self.path("/run/ifstate"));
    }

    /// A command for ifup or ifdown, not yet run.
    pub fn command(&self, name: &str, arguments: &str) -> Command {
        let mut command = Command::new("timeout");
        command.args(["-k", "5", TIME_LIMIT, "chroot"]).arg(&self.root).arg(name);
        command.args(["-E", "/mnt/executors", "-i", "/mnt/interfaces", "-S", "/run/ifstate"]);
        // Older versions wait for their executors without a limit.
        if self.ifupdown.version == Version::Trixie && name != "ifquery" {
            command.args(["-T", TIME_LIMIT]);
        }
        command.args(arguments.split_whitespace());
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command
    }
}

/// A file of interfaces.d.
pub fn example(name: &str) -> String {
    let path = checkout().join("interfaces.d").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

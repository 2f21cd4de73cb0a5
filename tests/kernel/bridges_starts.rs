//! The cost of a bridge of eight ports with ten VLANs each, for the stock executor and for ours: programs started, and
//! time. The table in docs/PROCESSES.md comes from this test.

use crate::bridges::{once_up, vlans};
use crate::features::{Feature, needs};
use crate::ifupdown::{Executors, Ifupdown, Installed, Shell, Version};
use crate::lab::{SCRATCH, in_lab, ip, run};
use crate::matrix::is_whole;
use libtest_mimic::Trial;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;

const PORTS: usize = 8;

pub fn tests() -> Vec<Trial> {
    let needed = [Feature::Vlan, Feature::Roots, Feature::Strace];
    let test = |version| needs(&needed, format!("bridges/starts/{version:?}"), move || starts(version));
    // Long, and no promise: starts.rs counts what a phase takes.
    if is_whole() { Version::ALL.into_iter().map(test).collect() } else { Vec::new() }
}

fn interfaces() -> String {
    let ports: Vec<_> = (0..PORTS).map(|n| format!("eth{n}")).collect();
    let mut text = format!("iface br0\n    bridge-ports {}\n    bridge-vlan-aware yes\n", ports.join(" "));
    for port in ports {
        let _ = write!(text, "iface {port}\n    bridge-vids 10 20 30 40 50 60 70 80 90 100\n");
    }
    text
}

/// The cost of one way to bring it up, and the result.
struct Took {
    /// How often each program was started; the executors as `executor NAME`.
    programs: BTreeMap<String, usize>,
    /// Processor time, in milliseconds.
    time: u64,
    vlans: Vec<Vec<String>>,
}

impl Took {
    fn starts(&self) -> usize {
        self.programs.values().sum()
    }

    /// The count without the executors, the shell, and the one `ip` per link that runs them or that the stock `link`
    /// runs.
    fn by_the_executor(&self) -> usize {
        let others = |name: &str| name.starts_with("executor ") || name == "sh";
        let all: usize = self.programs.iter().filter(|(name, _)| !others(name)).map(|(_, count)| count).sum();
        all - (PORTS + 1)
    }
}

/// The processor time of all processes that were started and have ended, in milliseconds.
fn processor_time() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("/proc/self/stat");
    let (_, fields) = stat.rsplit_once(')').expect("a name in parentheses");
    // `cutime` and `cstime` of proc(5), the 16th and 17th field, in hundredths of a second.
    fields.split_whitespace().skip(13).take(2).map(|ticks| 10 * ticks.parse::<u64>().expect("a number")).sum()
}

fn take(version: Version, executors: Executors) -> Took {
    in_lab(|| {
        for n in 0..PORTS {
            ip(&format!("link add name eth{n} type veth peer name far{n}"));
            ip(&format!("link set far{n} up"));
            once_up(&format!("eth{n}"));
        }
        let installed = Ifupdown { version, executors, shell: Shell::Dash }.install(&interfaces());
        // The stock executor calls ifquery without the name of the interfaces file.
        installed.file("/etc/network/interfaces", &interfaces());
        let programs = programs(&installed, "br0");
        let vlans = (0..PORTS).map(|n| vlans(&format!("eth{n}"))).collect();
        installed.ifdown("br0").ok();
        let before = processor_time();
        installed.ifup("br0").ok();
        Took { programs, time: processor_time() - before, vlans }
    })
}

/// What `ifup` of an interface starts, without `ifup` itself; the executors as `executor NAME`.
pub fn programs(installed: &Installed, iface: &str) -> BTreeMap<String, usize> {
    let log = format!("{SCRATCH}/starts");
    let ifup = installed.command("ifup", iface);
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-e", "trace=execve", "-e", "signal=none", "-o", &log]);
    strace.args(ifup.get_args().skip_while(|word| *word != "chroot"));
    strace.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    run(&mut strace).ok();
    let mut programs = BTreeMap::new();
    for line in fs::read_to_string(&log).expect("strace's log").lines() {
        let path =
            line.split_once("execve(\"").and_then(|(_, rest)| rest.split_once('"')).map(|(path, _)| path);
        let (directory, name) = path.and_then(|path| path.rsplit_once('/')).unwrap_or_default();
        if line.ends_with("= 0") && !["chroot", "ifup"].contains(&name) {
            let name =
                if directory == "/mnt/executors" { format!("executor {name}") } else { name.to_owned() };
            *programs.entry(name).or_default() += 1;
        }
    }
    programs
}

fn starts(version: Version) {
    let stock = take(version, Executors::Stock);
    let ours = take(version, Executors::Replaced);
    assert_eq!(stock.vlans, ours.vlans);
    for (who, took) in [("stock", &stock), ("ours", &ours)] {
        println!("{version:?}, {who}: {} starts, {} ms: {:?}", took.starts(), took.time, took.programs);
    }
    // Our executor reads the stanzas of the ports by itself.
    assert_eq!(ours.by_the_executor(), 0);
    assert!(stock.by_the_executor() > 100, "{}", stock.by_the_executor());
}

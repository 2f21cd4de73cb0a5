//! The upgrade from an older version of this package while its interfaces are up, in every setup that the older version
//! has: no packet is lost, nothing differs, and `ifdown` leaves nothing.
//!
//! `IFNL_FORMER` is a directory with the files of the older Debian package (tests/lane/upgrade). Without it, only the
//! records of version 0.1 are tested: those that it left in some setups (records-0.1), in place of our own.

use crate::examples::{after_ifdown_by_force, cards};
use crate::features::{Feature, needs};
use crate::ifupdown::{Ifupdown, Installed, Version, Way, example};
use crate::lab::{command, in_lab, program, settle};
use crate::pages::checkout;
use crate::soak::ours_are_quiet;
use crate::state::State;
use crate::windows::Setup;
use crate::windows::prober::Prober;
use crate::windows::setups::ALL;
use libtest_mimic::Trial;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

pub fn tests() -> Vec<Trial> {
    let needed = [Feature::Vrf, Feature::Roots];
    let mut tests = Vec::new();
    for version in Version::ALL {
        let ifupdown = Ifupdown { version, ..Ifupdown::USUAL };
        tests.push(needs(&needed, format!("records-0.1/{version:?}"), move || {
            for (name, records) in records() {
                in_lab(|| recorded(&name, &records, ifupdown));
            }
        }));
    }
    tests.extend(from_former());
    tests
}

/// The records that version 0.1 left, by the example that was up: file and text. In both, OWN stands for the inode of the
/// namespace of ifup, INODE for that of the namespace of the example, and BORN for the time of its file.
fn records() -> Vec<(String, Vec<(String, String)>)> {
    let text = fs::read_to_string(checkout().join("tests/kernel/records-0.1")).expect("the records");
    let mut found: Vec<(String, Vec<(String, String)>)> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.split_once(" = ") {
            Some((file, text)) => {
                let (_, records) = found.last_mut().expect("an example");
                records.push((file.to_owned(), text.to_owned()));
            }
            None => found.push((line.trim_matches(['[', ']']).to_owned(), Vec::new())),
        }
    }
    found
}

/// With the records of version 0.1, nothing differs from the stanzas, and everything goes down in each way.
fn recorded(name: &str, records: &[(String, String)], ifupdown: Ifupdown) {
    let _hosts = cards();
    let installed = ifupdown.install(&example(name));
    let up = || {
        installed.ifup("-a").quiet();
        put_records(records, &installed);
    };
    in_each_way(&installed, &up, None);
}

/// Puts these records in place of ours.
fn put_records(records: &[(String, String)], installed: &Installed) {
    let directory = installed.path("/run/ifupdown-ng-netlink");
    fs::remove_dir_all(&directory).expect("our records");
    let inode = |path: &Path| fs::metadata(path).expect("a namespace").ino().to_string();
    let own = inode(Path::new("/proc/thread-self/ns/net"));
    let named = fs::read_dir(installed.path("/run/netns")).into_iter().flatten().flatten().next();
    let (of_example, born) = named.map_or_else(Default::default, |named| {
        let found = fs::metadata(named.path()).expect("a namespace");
        let born = i128::from(found.mtime()) * 1_000_000_000 + i128::from(found.mtime_nsec());
        (inode(&named.path()), born.to_string())
    });
    let filled = |text: &str| text.replace("OWN", &own).replace("INODE", &of_example).replace("BORN", &born);
    for (file, text) in records {
        let path = directory.join(filled(file));
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        fs::write(path, filled(text)).expect("a record");
    }
}

fn from_former() -> Vec<Trial> {
    let Some(former) = std::env::var_os("IFNL_FORMER").map(|path| Former(PathBuf::from(path))) else {
        return Vec::new();
    };
    let entries = fs::read_dir(former.examples().join("interfaces.d")).expect("the examples of the package");
    let files = entries.map(|entry| entry.expect("an entry")).filter(|entry| entry.path().is_file());
    let mut names: Vec<String> = files.map(|file| file.file_name().into_string().expect("a name")).collect();
    names.sort();
    let mut tests = Vec::new();
    for name in names {
        for version in Version::ALL {
            let ifupdown = Ifupdown { version, ..Ifupdown::USUAL };
            let (former, name) = (former.clone(), name.clone());
            let needed = [Feature::Vrf, Feature::Vlan, Feature::Roots];
            tests.push(needs(&needed, format!("upgrade/{name}/{version:?}"), move || {
                in_lab(|| upgrade(&former, &name, ifupdown));
            }));
        }
    }
    tests
}

/// The files of the older package.
#[derive(Clone)]
struct Former(PathBuf);

impl Former {
    fn examples(&self) -> PathBuf {
        self.0.join("usr/share/doc/ifupdown-ng-netlink/examples")
    }

    /// Puts its programs in place.
    fn install(&self, installed: &Installed) {
        installed.put_programs(|name| match name {
            "ifnetlink" => self.0.join("usr/sbin/ifnetlink"),
            name => self.0.join("usr/libexec/ifupdown-ng").join(name),
        });
    }

    /// Puts its example in place, with the files that belong to it.
    fn example(&self, name: &str, installed: &Installed) {
        let etc = installed.path("/etc");
        for from in ["interfaces.d/etc/.", "nftables.d"] {
            let from = self.examples().join(from);
            command(&format!("cp -r {} {}", from.display(), etc.display())).ok();
        }
        let path = self.examples().join("interfaces.d").join(name);
        installed.interfaces(&fs::read_to_string(path).expect("the example"));
    }
}

fn upgrade(former: &Former, name: &str, ifupdown: Ifupdown) {
    let in_use = |installed: &Installed, setup: Option<&Setup>| {
        former.example(name, installed);
        let up = || {
            former.install(installed);
            installed.ifup("-a").quiet();
            installed.put_programs(program);
        };
        in_each_way(installed, &up, setup);
    };
    if let Some((.., make)) = ALL.into_iter().find(|(setup, ..)| *setup == name) {
        let setup = make(ifupdown);
        in_use(&setup.installed, Some(&setup));
    } else {
        let _hosts = cards();
        in_use(&ifupdown.install(""), None);
    }
}

/// After `up` has left the state of the older version, nothing differs from the stanzas, and neither ifup nor `apply`
/// changes anything. Nothing is left when it goes down at once, after these, or by `apply`.
fn in_each_way(installed: &Installed, up: &dyn Fn(), setup: Option<&Setup>) {
    settle();
    let before = State::with_run(installed);
    up();
    settle();
    assert_eq!(installed.ifnetlink("check").quiet().stdout, "");
    before.assert_after_ifdown(installed);

    up();
    unchanged(installed, setup, || {
        installed.ifup("-a").quiet();
        ours_are_quiet(&installed.ifup("-f -a"));
    });
    after_ifdown_by_force(installed, &before);

    up();
    unchanged(installed, setup, || drop(installed.ifnetlink("apply -a").quiet()));
    assert_eq!(installed.ifnetlink("check").quiet().stdout, "");
    before.assert_after(Way::Apply, installed);
}

/// Fails if the action changes anything, or if a stream through the setup loses a packet meanwhile.
fn unchanged(installed: &Installed, setup: Option<&Setup>, action: impl FnOnce()) {
    let see = || State::with_namespaces(installed).without("files");
    let up = see();
    let prober = setup.map(|setup| {
        let hosts = &setup.hosts;
        (setup.tell)(hosts);
        thread::sleep(Duration::from_secs(2));
        Prober::start(&[(setup.always)(hosts), (setup.while_up)(hosts)].concat(), &(setup.watches)(hosts))
    });
    action();
    if let Some(prober) = prober {
        let outcome = prober.stop();
        println!("{} sent, {} leaked, {} lost", outcome.sent, outcome.leaked, outcome.lost);
        assert_eq!((outcome.leaked, outcome.lost), (0, 0), "{:#?}", outcome.notes);
        assert!(outcome.sent > 0);
    }
    up.assert_same(&see(), "after the action");
}

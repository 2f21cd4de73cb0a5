//! The packages for Alpine: what APKBUILD says, and which file is in which package. The shell evaluates it, as in abuild.
//!
//! Debian has no abuild. tests/alpine runs it, and apk, where they are installed.

use super::all::{ALL, PROGRAMS};
use super::stock::STOCK;
use super::support::{root, run};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const NAME: &str = "ifupdown-ng-netlink";
const DROPIN: [&str; 3] = ["bridge", "veth", "vrf"];

/// A directory with stand-ins for the built programs, for the files of the packages.
struct Build(PathBuf);

impl Drop for Build {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Build {
    fn new(name: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("ifnl-alpine-{}-{name}", std::process::id()));
        let built = directory.join("built");
        fs::create_dir_all(&built).unwrap();
        for name in ALL.iter().map(|program| program.name).chain([NAME, "ifnetlink"]) {
            fs::write(built.join(name), "ours\n").unwrap();
        }
        Self(directory)
    }

    /// What the script prints after APKBUILD. `make` builds nothing, and `cargo` and `default_prepare` print their
    /// arguments.
    fn says(&self, script: &str) -> String {
        let mut shell = Command::new("sh");
        shell
            .current_dir(root())
            .env("pkgbasedir", &self.0)
            .env("CTARGET", "target")
            .args(["-euc", SHELL, "sh"])
            .arg(script);
        shell.env_remove("MAKEFLAGS").env_remove("PREFIX");
        let ran = run(shell);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{script}");
        ran.out
    }

    /// The names of the executors in a package.
    fn executors(&self, package: &str) -> BTreeSet<String> {
        let directory = self.0.join(package).join("usr/libexec/ifupdown-ng");
        fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }
}

const SHELL: &str = r#"
script=$1
default_prepare() { echo "default_prepare"; }
cargo() { echo "cargo $*"; }
make() { command make "$@" -s CARGO=false SCDOC=none RELEASE="$pkgbasedir/built" FILES="$pkgbasedir/files" >"$pkgbasedir/log"; }
amove() {
    for path; do
        mkdir -p "$subpkgdir/${path%/*}"
        mv "$pkgdir/$path" "$subpkgdir/$path"
    done
}
# A split function, with the variables that it sets.
split() {
    subpkgname=$pkgname-$1 subpkgdir=$pkgbasedir/$pkgname-$1 replaces='' provides=''
    "$1"
}
. ./dist/alpine/APKBUILD
pkgdir=$pkgbasedir/$pkgname
eval "$script"
"#;

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

#[test]
fn every_variable_of_an_aport_is_there() {
    let build = Build::new("variables");
    let value = |name: &str| build.says(&format!("printf %s \"${{{name}-}}\""));
    assert_eq!(value("pkgname"), NAME);
    let description = value("pkgdesc");
    assert!(!description.is_empty() && description.len() <= 128, "{description}");
    let maintainer = value("maintainer");
    let address =
        maintainer.split_once(" <").and_then(|(_, rest)| rest.strip_suffix('>')).expect(&maintainer);
    assert!(
        address.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.')),
        "{address}"
    );
    assert!(!fs::read_to_string(root().join("dist/alpine/APKBUILD")).unwrap().contains("# Maintainer"));
    assert_eq!(value("url"), env!("CARGO_PKG_HOMEPAGE"));
    assert!(!value("url").contains("/ifupdown-ng/"), "the page of another project");
    assert_eq!(value("license"), env!("CARGO_PKG_LICENSE"));
    assert_eq!(value("arch"), "all");
    assert_eq!(words(&value("options")), ["net"]);
    assert_eq!(words(&value("makedepends"))[..2], ["cargo", "cargo-auditable"]);
    // Package bridge can be installed beside the executors that a stanza names.
    assert_eq!(words(&value("depends")), ["ifupdown-ng"]);
    let expected = ["-doc", "-bash-completion", "-udev", "-dropin::noarch"].map(|end| format!("{NAME}{end}"));
    assert_eq!(words(&value("subpackages")), expected);
    let mut lines = build.says("tail -n 3 dist/alpine/APKBUILD");
    lines.retain(|byte| byte != '\n');
    assert!(lines.contains("sha512sums=\""), "`make dist` replaces what follows: {lines}");
}

/// No trigger, and no script that is in the directory without being in a package.
#[test]
fn every_script_is_in_a_package() {
    let build = Build::new("scripts");
    assert_eq!(build.says("printf %s \"${triggers-}\""), "");
    let install = build.says("printf %s \"$install\"");
    let mut listed: Vec<_> = words(&install);
    listed.push("APKBUILD");
    listed.sort_unstable();
    let directory = fs::read_dir(root().join("dist/alpine")).unwrap();
    let mut there: Vec<_> =
        directory.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    there.sort();
    assert_eq!(there, listed);
}

#[test]
fn only_prepare_uses_the_network() {
    let build = Build::new("network");
    assert_eq!(build.says("prepare"), "default_prepare\ncargo fetch --target=target --locked\n");
    let said = build.says("make() { echo \"$CARGO_NET_OFFLINE $*\"; }; build");
    assert!(said.starts_with("true build docs ") && said.ends_with(" CARGO=cargo auditable\n"), "{said}");
    let checked = build.says("check");
    assert!(checked.starts_with("cargo test --frozen "), "{checked}");
    // These need root and a virtual machine.
    assert!(!checked.contains("kernel") && !checked.contains("busybox"), "{checked}");
}

#[test]
fn stock_names_are_in_the_subpackage_only() {
    let build = Build::new("files");
    let said = build.says("package; split dropin; printf '%s\\n' \"$depends\" \"$replaces\" \"$provides\"");
    let [depends, replaces, provides] = said.lines().collect::<Vec<_>>()[..] else { panic!("{said}") };
    let dropin = format!("{NAME}-dropin");
    assert_eq!(build.executors(&dropin), DROPIN.map(str::to_owned).into());
    for name in DROPIN {
        let link = build.0.join(&dropin).join("usr/libexec/ifupdown-ng").join(name);
        assert_eq!(fs::read_link(link).unwrap(), Path::new(NAME), "{name}");
    }
    // Nothing else is in it.
    let found = build.says(&format!("find \"$pkgbasedir/{dropin}\" ! -type d"));
    assert_eq!(found.lines().count(), DROPIN.len(), "{found}");

    let ours = build.executors(NAME);
    for (name, _) in STOCK {
        assert!(!ours.contains(name), "{name} is of ifupdown-ng");
    }
    let mut expected: BTreeSet<_> = PROGRAMS.iter().map(|program| program.name.to_owned()).collect();
    expected.retain(|name| !DROPIN.contains(&name.as_str()));
    expected.insert(NAME.to_owned());
    assert_eq!(ours, expected);

    // Each package that owns one of its names.
    let owners: BTreeSet<_> =
        STOCK.iter().filter(|(name, _)| DROPIN.contains(name)).filter_map(|(_, owner)| *owner).collect();
    assert_eq!(words(replaces).into_iter().collect::<BTreeSet<_>>(), owners);
    // It would have to have every executor of a package that it provides.
    assert_eq!(provides, "");
    let main = build.says("printf %s \"$pkgname=$pkgver-r$pkgrel\"");
    assert_eq!(words(depends), [main.as_str(), "!bridge"]);
}

#[test]
fn documentation_completion_and_rules_are_where_abuild_splits_them() {
    let build = Build::new("split");
    build.says("package");
    for path in [
        "usr/share/doc/ifupdown-ng-netlink/README.md",
        "usr/share/bash-completion/completions/ifnetlink",
        "usr/lib/udev/rules.d/85-ifnetlink.rules",
    ] {
        assert!(build.0.join(NAME).join(path).is_file(), "{path}");
    }
}

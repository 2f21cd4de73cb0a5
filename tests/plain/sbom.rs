//! The bill of materials (dist/sbom) is made from `cargo tree`. Here it is compared with `cargo metadata` of this package
//! without the dependencies of its tests. That also names optional crates that no feature enables, so the bill has a part
//! of them; that it has all that are built, and no other, tests/lane/sbom checks.

use super::support::{root, run};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What each crate needs, both as `pkg:cargo/NAME@VERSION`.
type Needs = BTreeMap<String, BTreeSet<String>>;

/// The sections of Cargo.toml that decide what is linked.
const SECTIONS: [&str; 4] = ["[package]", "[lib]", "[dependencies]", "[target."];

fn printed() -> String {
    let ran = run(Command::new(root().join("dist/sbom")));
    assert_eq!(ran.code, 0, "{}", ran.err);
    ran.out
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value}: no text")).to_owned()
}

/// A package with the same dependencies, without those of tests: cargo would add their features.
fn package() -> PathBuf {
    // Below this package, where a configuration of cargo for it is found.
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("sbom-{}", std::process::id()));
    fs::create_dir_all(directory.join("src")).unwrap();
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let mut is_kept = false;
    let mut kept = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            is_kept = SECTIONS.iter().any(|section| line.starts_with(section));
        }
        if is_kept {
            kept.push(line);
        }
    }
    fs::write(directory.join("Cargo.toml"), kept.join("\n")).unwrap();
    fs::write(directory.join("src/lib.rs"), "").unwrap();
    fs::copy(root().join("Cargo.lock"), directory.join("Cargo.lock")).unwrap();
    directory
}

/// The linked crates for this target.
fn linked(package: &Path, target: &str, needs: &mut Needs) {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(package).args(["metadata", "--offline", "--format-version", "1"]);
    let ran = run({
        cargo.args(["--filter-platform", target]);
        cargo
    });
    assert_eq!(ran.code, 0, "{}", ran.err);
    let metadata: Value = serde_json::from_str(&ran.out).unwrap();
    let mut crates = BTreeMap::new();
    for package in metadata["packages"].as_array().unwrap() {
        let purl = format!("pkg:cargo/{}@{}", text(&package["name"]), text(&package["version"]));
        let is_macro =
            package["targets"].as_array().unwrap().iter().any(|target| target["kind"][0] == "proc-macro");
        crates.insert(text(&package["id"]), (purl, is_macro));
    }
    let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
    let mut todo = vec![text(&metadata["resolve"]["root"])];
    while let Some(id) = todo.pop() {
        let node = nodes.iter().find(|node| node["id"] == id.as_str()).unwrap();
        let entry = needs.entry(crates[&id].0.clone()).or_default();
        for needed in node["deps"].as_array().unwrap() {
            let is_normal = needed["dep_kinds"].as_array().unwrap().iter().any(|kind| kind["kind"].is_null());
            let (purl, is_macro) = &crates[&text(&needed["pkg"])];
            if is_normal && !is_macro && entry.insert(purl.clone()) {
                todo.push(text(&needed["pkg"]));
            }
        }
    }
}

#[test]
fn what_it_lists_is_needed() {
    let package = package();
    let mut expected = Needs::new();
    for machine in ["x86_64", "aarch64"] {
        for library in ["gnu", "musl"] {
            linked(&package, &format!("{machine}-unknown-linux-{library}"), &mut expected);
        }
    }
    fs::remove_dir_all(package).unwrap();
    let bill: Value = serde_json::from_str(&printed()).unwrap();
    let needs: Needs = bill["dependencies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (text(&entry["ref"]), entry["dependsOn"].as_array().unwrap().iter().map(text).collect()))
        .collect();
    for (purl, of_it) in &needs {
        let known = expected.get(purl).unwrap_or_else(|| panic!("{purl}: not a dependency"));
        assert!(of_it.is_subset(known), "{purl}: {of_it:?}, and not {known:?}");
    }
    let own = format!("pkg:cargo/{}@{}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    assert_eq!(bill["metadata"]["component"]["purl"], own.as_str());
    let components: BTreeSet<String> =
        bill["components"].as_array().unwrap().iter().map(|component| text(&component["purl"])).collect();
    assert_eq!(needs[&own], expected[&own]);
    assert_eq!(components, needs.into_keys().filter(|purl| *purl != own).collect());
}

/// Each has the checksum of Cargo.lock and a licence that deny.toml allows.
#[test]
fn it_has_checksums_and_licences() {
    let bill: Value = serde_json::from_str(&printed()).unwrap();
    assert_eq!((&bill["bomFormat"], &bill["specVersion"]), (&"CycloneDX".into(), &"1.5".into()));
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    for component in bill["components"].as_array().unwrap() {
        let (name, version) = (text(&component["name"]), text(&component["version"]));
        let head = format!("name = \"{name}\"\nversion = \"{version}\"\n");
        let entry = lock.split("[[package]]\n").find(|entry| entry.starts_with(&head)).unwrap();
        let sum = text(&component["hashes"][0]["content"]);
        assert!(entry.contains(&format!("checksum = \"{sum}\"")), "{name}");
        let licence = text(&component["licenses"][0]["expression"]);
        assert!(["MIT", "Apache-2.0"].iter().any(|allowed| licence.contains(allowed)), "{name}: {licence}");
    }
}

#[test]
fn it_is_the_same_each_time_and_everywhere() {
    let first = printed();
    assert_eq!(first, printed());
    for place in [root(), Path::new(&std::env::var("HOME").unwrap_or_default())] {
        let place = place.display().to_string();
        assert!(place.len() < 2 || !first.contains(&place), "{place}");
    }
}

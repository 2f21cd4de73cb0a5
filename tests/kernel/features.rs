//! What a test needs of the machine, and what happens to the test if it is missing.

use crate::ifupdown;
use crate::lab::{command, in_lab};
use libtest_mimic::Trial;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

/// A feature that not every machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// Namespaces can be created. Every test needs this.
    Root,
    /// The kernel has VRFs.
    Vrf,
    /// The kernel has 802.1Q links and bridges that filter VLANs.
    Vlan,
    /// The kernel has no VRFs, or can be kept from loading their module: the guest of tests/lane/vm.
    NoVrf,
    /// Network cards that nothing else uses: the guest of tests/lane/vm.
    Cards,
    /// The kernel has WireGuard, and wg is installed.
    WireGuard,
    /// strace is installed and can trace.
    Strace,
    /// `IFNL_ROOTS` names a directory with both versions of ifupdown-ng.
    Roots,
}

impl Feature {
    fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Vrf => "vrf",
            Self::Vlan => "vlan",
            Self::NoVrf => "no-vrf",
            Self::Cards => "cards",
            Self::WireGuard => "wireguard",
            Self::Strace => "strace",
            Self::Roots => "roots",
        }
    }

    /// Whether the machine has it; checked once.
    pub fn is_here(self) -> bool {
        static HERE: [OnceLock<bool>; 8] = [const { OnceLock::new() }; 8];
        *HERE[self as usize].get_or_init(|| match self {
            Self::Root => nix::unistd::geteuid().is_root(),
            Self::Roots => ifupdown::roots().is_some(),
            Self::NoVrf if in_guest() => !Path::new("/sys/module/vrf").exists(),
            Self::NoVrf => !Self::Vrf.is_here(),
            Self::Cards => in_guest(),
            Self::Strace => command("strace -qq -o /dev/null true").status == 0,
            Self::WireGuard => can(&["link add name probe type wireguard"]) && command("wg show").status == 0,
            Self::Vrf => can(&["link add name probe type vrf table 7"]),
            Self::Vlan => can(&[
                "link add name probe type bridge vlan_filtering 1",
                "link add link probe name probe.7 type vlan id 7",
            ]),
        })
    }

    fn is_required(self) -> bool {
        let required = std::env::var("REQUIRE").unwrap_or_default();
        required.split([',', ' ']).any(|name| name == "all" || name == self.name())
    }
}

/// Whether this machine is the guest of tests/lane/vm, which is discarded afterwards.
fn in_guest() -> bool {
    std::env::var_os("IFNL_ROOTS").is_some_and(|roots| roots == "/ifnl/roots")
}

/// Keeps the guest's kernel from loading VRFs until the returned value is dropped.
pub fn without_vrf() -> impl Drop {
    struct Restore(Option<String>);
    impl Drop for Restore {
        fn drop(&mut self) {
            if let Some(modprobe) = &self.0 {
                let _ = fs::write(MODPROBE, modprobe);
            }
        }
    }
    const MODPROBE: &str = "/proc/sys/kernel/modprobe";
    if !in_guest() {
        return Restore(None);
    }
    let modprobe = fs::read_to_string(MODPROBE).expect("modprobe");
    fs::write(MODPROBE, "/nonexistent").expect("modprobe");
    Restore(Some(modprobe))
}

/// Whether `ip` succeeds with each of these arguments in turn.
fn can(commands: &[&str]) -> bool {
    let succeeds = |words: &&str| command(&format!("ip {words}")).status == 0;
    Feature::Root.is_here() && in_lab(|| commands.iter().all(succeeds))
}

/// A test that needs these features (and root). If one is missing the test is ignored, and its kind names the feature.
pub fn needs(features: &[Feature], name: impl Into<String>, test: impl FnOnce() + Send + 'static) -> Trial {
    let mut features = features.to_vec();
    features.push(Feature::Root);
    let missing: Vec<_> = features.iter().filter(|f| !f.is_here()).collect();
    let required = missing.iter().any(|f| f.is_required());
    let names: Vec<_> = missing.iter().map(|f| f.name()).collect();
    let lacking = format!("no {}", names.join(", no "));
    let trial = {
        let lacking = lacking.clone();
        Trial::test(name, move || {
            if required {
                return Err(format!("{lacking}: required by REQUIRE").into());
            }
            test();
            Ok(())
        })
    };
    if missing.is_empty() { trial } else { trial.with_kind(lacking).with_ignored_flag(!required) }
}

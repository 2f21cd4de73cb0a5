//! The settings of ifupdown-ng that change what an interfaces file means (config-file.c, config-parser.c).

use super::Files;
use super::lines::{Lines, Words};
use std::collections::BTreeSet;

/// The file. Its name is compiled into ifupdown-ng.
const FILE: &str = "/etc/network/ifupdown-ng.conf";

/// A setting. All are on by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Setting {
    /// Scripts in if-*.d are run.
    AddonScripts,
    /// An interface inherits from one that is no template too.
    AnyParent,
    /// A keyword selects the executor of its first word.
    SelectExecutors,
    /// A port without a stanza gets one, for the VLANs of its bridge.
    CreatePorts,
    /// Ports get the VLANs of their bridge.
    InheritVlans,
    /// An interface from which others inherit becomes a template.
    ConvertParents,
    /// The name of the host is sent to DHCP servers.
    Hostname,
}

const NAMES: [(&str, Setting); 7] = [
    ("allow_addon_scripts", Setting::AddonScripts),
    ("allow_any_iface_as_template", Setting::AnyParent),
    ("auto_executor_selection", Setting::SelectExecutors),
    ("compat_create_interfaces", Setting::CreatePorts),
    ("compat_ifupdown2_bridge_ports_inherit_vlans", Setting::InheritVlans),
    ("implicit_template_conversion", Setting::ConvertParents),
    ("use_hostname_for_dhcp", Setting::Hostname),
];

/// The settings that are off.
#[derive(Debug, Default)]
pub struct Settings(BTreeSet<Setting>);

impl Settings {
    /// Reads the file; the defaults if there is none. ifupdown-ng stops reading at an invalid value.
    pub fn read(files: &mut impl Files) -> Self {
        let mut off = BTreeSet::new();
        let text = files.text(FILE).unwrap_or_default();
        for line in Lines::new(&text) {
            // `=` separates words as blanks do.
            let separated = |byte: &u8| if *byte == b'=' { b' ' } else { *byte };
            let bytes: Vec<u8> = line.bytes.iter().map(separated).collect();
            let mut words = Words::new(&bytes);
            let (key, value) = (words.word(), words.word());
            let Some((_, setting)) = NAMES.iter().find(|(name, _)| *name == key) else { continue };
            match value.bytes().next() {
                Some(b'1' | b'Y' | b'y' | b'T' | b't') => drop(off.remove(setting)),
                Some(b'0' | b'N' | b'n' | b'F' | b'f') => drop(off.insert(*setting)),
                Some(_) => break,
                None => {}
            }
        }
        Self(off)
    }

    /// Whether a setting is on.
    pub fn is_on(&self, setting: Setting) -> bool {
        !self.0.contains(&setting)
    }
}

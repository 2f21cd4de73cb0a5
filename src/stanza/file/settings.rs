//! The settings of ifupdown-ng that change what an interfaces file means (config-file.c, config-parser.c).

use super::Files;
use super::lines::{Lines, Words};

/// The file. Its name is compiled into ifupdown-ng.
const FILE: &str = "/etc/network/ifupdown-ng.conf";

/// The settings, with their defaults.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// `allow_any_iface_as_template`: an interface inherits from one that is no template too.
    pub any_parent: bool,
    /// `auto_executor_selection`: a keyword selects the executor of its first word.
    pub executors: bool,
    /// `compat_create_interfaces`: a port without a stanza gets one, for the VLANs of its bridge.
    pub create_ports: bool,
    /// `compat_ifupdown2_bridge_ports_inherit_vlans`: ports get the VLANs of their bridge.
    pub inherit_vlans: bool,
    /// `implicit_template_conversion`: an interface from which others inherit becomes a template.
    pub convert_parents: bool,
    /// `use_hostname_for_dhcp`.
    pub hostname: bool,
}

impl Settings {
    /// Reads the file; the defaults if there is none. ifupdown-ng stops reading at an invalid value.
    pub fn read(files: &mut impl Files) -> Self {
        let mut settings = Self {
            any_parent: true,
            executors: true,
            create_ports: true,
            inherit_vlans: true,
            convert_parents: true,
            hostname: true,
        };
        let mut other = true;
        let text = files.text(FILE).unwrap_or_default();
        for line in Lines::new(&text) {
            // `=` separates words as blanks do.
            let bytes: Vec<u8> =
                line.bytes.iter().map(|byte| if *byte == b'=' { b' ' } else { *byte }).collect();
            let mut words = Words::new(&bytes);
            let (key, value) = (words.word(), words.word());
            let setting = match key.as_str() {
                "allow_addon_scripts" => &mut other,
                "allow_any_iface_as_template" => &mut settings.any_parent,
                "auto_executor_selection" => &mut settings.executors,
                "compat_create_interfaces" => &mut settings.create_ports,
                "compat_ifupdown2_bridge_ports_inherit_vlans" => &mut settings.inherit_vlans,
                "implicit_template_conversion" => &mut settings.convert_parents,
                "use_hostname_for_dhcp" => &mut settings.hostname,
                _ => continue,
            };
            match value.bytes().next() {
                Some(b'1' | b'Y' | b'y' | b'T' | b't') => *setting = true,
                Some(b'0' | b'N' | b'n' | b'F' | b'f') => *setting = false,
                Some(_) => break,
                None => {}
            }
        }
        settings
    }
}

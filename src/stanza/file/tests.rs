//! Small interfaces files. tests/kernel/reader.rs compares random ones with ifquery.

use super::*;

/// Files by name, in one directory.
struct Named(Vec<(&'static str, Vec<u8>)>);

impl Files for Named {
    fn text(&mut self, file: &str) -> Result<Vec<u8>, String> {
        let found = self.0.iter().find(|(name, _)| *name == file);
        found.map(|(_, text)| text.clone()).ok_or_else(|| "not found".to_owned())
    }

    fn expand(&mut self, pattern: &str) -> Vec<String> {
        let found = self.0.iter().filter(|(name, _)| {
            pattern.strip_suffix('*').is_some_and(|s| name.starts_with(s)) || pattern == *name
        });
        found.map(|(name, _)| (*name).to_owned()).collect()
    }

    fn directory(&mut self, directory: &str, _: bool) -> Result<Vec<String>, String> {
        let found = self.0.iter().filter(|(name, _)| name.starts_with(directory));
        let found: Vec<_> = found.map(|(name, _)| (*name).to_owned()).collect();
        if found.is_empty() { Err("not found".to_owned()) } else { Ok(found) }
    }

    fn hostname(&mut self) -> String {
        "host".to_owned()
    }
}

fn files(version: Version, files: &[(&'static str, &str)]) -> Result<Reading, FileProblem> {
    let files = files.iter().map(|(name, text)| (*name, text.as_bytes().to_vec())).collect();
    read("f", version, &mut Named(files))
}

fn one(text: &str) -> Reading {
    files(Version::V0_12, &[("f", text)]).unwrap()
}

/// The lines of an interface as `LINE KEYWORD VALUE`.
fn lines(reading: &Reading, name: &str) -> Vec<String> {
    let line = |line: &Line| {
        let place = line.place.as_ref().map_or(0, |place| place.line);
        format!("{place} {} {}", line.keyword, line.value)
    };
    reading.stanzas.written(name).iter().map(line).collect()
}

fn problems(reading: &Reading) -> Vec<String> {
    reading.problems.iter().map(ToString::to_string).collect()
}

#[test]
fn keywords_have_their_values_places_and_executors() {
    let read = one(
        "# first\nauto eth0\niface eth0 inet static\n\tvrf  red # member\n\n  bridge_vlan 10  \n9 x\n  mtu\n",
    );
    let expected = ["2 use link", "4 vrf-member red ", "4 use vrf", "6 bridge-vlan 10  ", "8 mtu "];
    assert_eq!(lines(&read, "eth0"), expected);
    assert_eq!(lines(&read, "lo"), ["0 use link", "0 use loopback"]);
    assert!(read.stanzas.is_auto("eth0") && read.stanzas.is_auto("lo"));
    let begin = Begin { place: Place { file: "f".into(), line: 3 }, words: "inet static".into() };
    assert_eq!(read.stanzas.begins("eth0"), [begin]);
    assert_eq!(read.stanzas.order().collect::<Vec<_>>(), ["lo", "eth0"]);
    assert_eq!(problems(&read), [""; 0]);
}

#[test]
fn continued_lines_have_the_place_of_their_first_word() {
    let read = one("iface a\n\\\n  up one \\\n   two\\#\\x\r\n  down x\\\\y");
    assert_eq!(lines(&read, "a"), ["1 use link", "3 up one two\\x", "5 down x\\\\y"]);
}

#[test]
fn a_long_line_is_cut() {
    let read = one(&format!("iface a\n  up {}mtu 1500\n  alias x\n", "y".repeat(4094 - "  up ".len())));
    assert_eq!(lines(&read, "a").last().unwrap(), "3 alias x");
    assert_eq!(lines(&read, "a")[2], "2 mtu 1500");
    assert_eq!(read.stanzas.written("a")[1].value.len(), 4094 - "  up ".len());
    assert_eq!(problems(&read), ["f:2: ifupdown-ng cuts this line at 4094 bytes; make it shorter"]);
}

#[test]
fn addresses_are_completed_at_the_end_of_a_stanza() {
    let text = "iface a\n  address 192.0.2.1\n  address fd00::1\n  address x\n  netmask 255.255.0.0\niface b\n  address ::1.2.3.4\n";
    let read = one(text);
    assert_eq!(
        lines(&read, "a"),
        ["1 use link", "2 use static", "2 address 192.0.2.1/16", "3 address fd00::1/16"]
    );
    assert_eq!(lines(&read, "b")[2], "7 address ::1.2.3.4/64");
    assert_eq!(problems(&read), ["f:4: address x: not an address; ignored"]);
    // `auto` begins a stanza without an end for the one before.
    assert_eq!(lines(&one("iface a\n  address 192.0.2.1\nauto b\n  mtu 1\n"), "a")[2], "2 address 192.0.2.1");
}

#[test]
fn templates_are_copied_with_the_places_of_their_lines() {
    let text = "template t\n  mtu 9000\n  vrf red\niface a inherits t\n  mtu 1500\niface b\n  inherit a\n  inherit none\n";
    let read = one(text);
    assert_eq!(read.stanzas.interfaces().collect::<Vec<_>>(), ["b", "lo"]);
    let a: Vec<_> =
        read.stanzas.template("a").unwrap().iter().map(|line| (&*line.keyword, line.origin)).collect();
    let expected = [
        ("use", Origin::Implied),
        ("inherit", Origin::Written),
        ("mtu", Origin::Inherited),
        ("vrf-member", Origin::Inherited),
        ("use", Origin::Implied),
        ("mtu", Origin::Written),
    ];
    assert_eq!(a, expected);
    let expected = [
        "6 use link",
        "7 inherit a",
        "4 inherit t",
        "2 mtu 9000",
        "3 vrf-member red",
        "3 use vrf",
        "5 mtu 1500",
        "8 inherit none",
    ];
    assert_eq!(lines(&read, "b"), expected);
    assert_eq!(problems(&read), ["f:8: inherit none: no line before this one begins none"]);
}

#[test]
fn circles_of_templates_are_found() {
    let read = one("template a\n  inherit b\ntemplate b\n  inherit a\niface c inherits c\n");
    let expected = [
        "f:2: inherit b: no line before this one begins b",
        "f:4: inherit a: a inherits from this stanza",
        "f:5: inherit c: c inherits from this stanza",
    ];
    assert_eq!(problems(&read), expected);
    let endless = files(Version::V0_12, &[("f", "iface a\n  address ::1\n  inherit a\n")]).unwrap_err();
    assert_eq!(endless.to_string(), "f:3: inherit a: inherits its own addresses; ifupdown-ng never ends");
    let doubled = format!("iface a\n address ::1\n{}", "iface a inherits b\niface b inherits a\n".repeat(40));
    assert_eq!(files(Version::V0_12, &[("f", &doubled)]).unwrap_err().reason, Reason::TooLong);
}

#[test]
fn a_source_continues_the_stanza() {
    let read = files(
        Version::V0_12,
        &[
            ("f", "source d/a\n  mtu 1\nsource d/*\nsource f\n"),
            ("d/a", "iface a\n"),
            ("d/b", "iface b\nsource f\n"),
        ],
    );
    let read = read.unwrap();
    assert_eq!(lines(&read, "a"), ["1 use link", "2 mtu 1"]);
    assert_eq!(read.stanzas.written("a")[0].place.as_ref().unwrap().to_string(), "d/a:1");
    let expected = [
        "f:3: source d/a: was read before; skipped",
        "d/b:2: source f: reads itself; skipped",
        "f:4: source f: reads itself; skipped",
    ];
    assert_eq!(problems(&read), expected);
}

#[test]
fn a_missing_source_ends_the_reading_of_0_11() {
    let text = [("f", "iface a\nsource x\nsource-directory y\n")];
    let problem = files(Version::V0_11, &text).unwrap_err();
    assert_eq!(problem.to_string(), "f:2: x: not found");
    let read = files(Version::V0_12, &text).unwrap();
    assert_eq!(problems(&read), ["f:2: source x: no such file", "f:3: source-directory y: not found"]);
    assert_eq!(files(Version::Head, &[]).unwrap_err().to_string(), "f: not found");
}

#[test]
fn files_are_nested_to_a_limit() {
    let names: Vec<&'static str> = (0..200).map(|number| &*format!("f{number}").leak()).collect();
    let mut all: Vec<(&str, String)> =
        names.windows(2).map(|pair| (pair[0], format!("source {}\n", pair[1]))).collect();
    all.push(("f", "source f0\n".to_owned()));
    let all: Vec<(&str, &str)> = all.iter().map(|(name, text)| (*name, text.as_str())).collect();
    assert_eq!(files(Version::V0_12, &all).unwrap_err().reason, Reason::TooDeep);
}

#[test]
fn ports_get_the_vlans_of_their_bridge() {
    let read = one("iface br0\n  bridge-ports a b\n  bridge-vids 10 20\niface a\n  bridge-vids 5\n");
    assert_eq!(lines(&read, "a"), ["4 use link", "5 bridge-vids 5", "5 use bridge"]);
    assert_eq!(lines(&read, "b"), ["3 use link", "3 bridge-vids 10 20"]);
}

#[test]
fn defaults_belong_to_the_head() {
    let text = [("f", "defaults\n  mtu 9000\niface a\niface b no-defaults\ntemplate t\n")];
    let read = files(Version::Head, &text).unwrap();
    assert_eq!(lines(&read, "a"), ["3 use link", "3 inherit defaults", "2 mtu 9000"]);
    assert_eq!(lines(&read, "b"), ["4 use link"]);
    let read = files(Version::V0_12, &text).unwrap();
    assert_eq!(lines(&read, "a"), ["3 use link"]);
    assert_eq!(
        problems(&read),
        ["f:1: defaults: before the first stanza; ignored", "f:2: mtu: before the first stanza; ignored"]
    );
}

#[test]
fn dhcp_has_the_name_of_the_host() {
    let read = one("iface a inet dhcp\n  client x\niface b\n  use dhcp\n  hostname y z\n");
    let expected =
        ["1 use link", "1 use dhcp", "1 dhcp-hostname host", "2 dhcp-client-id x", "2 dhcp-hostname host"];
    assert_eq!(lines(&read, "a"), expected);
    assert_eq!(lines(&read, "b"), ["3 use link", "4 use dhcp", "5 dhcp-hostname y"]);
}

#[test]
fn requires_loses_names_that_are_parts_of_others() {
    assert_eq!(lines(&one("iface a\n  requires eth10 eth1  b\n"), "a")[1], "2 requires eth10 b ");
}

/// The settings of ifupdown-ng.conf(5) that change what a file means.
#[test]
fn settings_of_ifupdown_ng_are_read() {
    let text = "iface a\n  vrf-table 10\n  use dhcp\niface b\n  inherit a\niface br\n  bridge-ports p q\n  bridge-vids 7\n\
        iface p\n";
    let with = |settings: &str| {
        let named = [("f", text), ("/etc/network/ifupdown-ng.conf", settings)];
        files(Version::V0_12, &named).unwrap()
    };
    let plain = one(text);
    assert_eq!(with("# none\n").stanzas, plain.stanzas);
    assert_eq!(lines(&plain, "p"), ["9 use link", "8 bridge-vids 7"]);
    assert_eq!(lines(&plain, "q"), ["8 use link", "8 bridge-vids 7"]);
    assert_eq!(
        lines(&with("auto_executor_selection = 0\n"), "br"),
        ["6 use link", "7 bridge-ports p q", "8 bridge-vids 7"]
    );
    let kept = with("implicit_template_conversion=no\nuse_hostname_for_dhcp False\n");
    assert_eq!(lines(&kept, "a"), ["1 use link", "2 vrf-table 10", "2 use vrf", "3 use dhcp"]);
    let refused = with("allow_any_iface_as_template 0\n");
    assert_eq!(lines(&refused, "b"), ["4 use link"]);
    assert_eq!(problems(&refused), ["f:5: inherit a: a is not a template; ifup skips this interface"]);
    let without = with("compat_create_interfaces = 0\n");
    assert!(without.stanzas.interfaces().all(|name| name != "q"));
    assert_eq!(lines(&without, "p"), ["9 use link", "8 bridge-vids 7"]);
    let apart = with("compat_ifupdown2_bridge_ports_inherit_vlans = 0\n");
    assert_eq!(lines(&apart, "p"), ["9 use link"]);
    // The first invalid value ends the file.
    let broken = with("allow_addon_scripts maybe\nauto_executor_selection 0\n");
    assert_eq!(broken.stanzas, plain.stanzas);
}

#[test]
fn the_version_matters_only_where_versions_differ() {
    let depends = |text: &str| one(text).depends_on_version;
    for text in [
        "defaults\n  mtu 1400\niface eth0\n",
        "iface eth0\ntemplate defaults\n  mtu 1400\n",
        "template defaults\n  mtu 1400\niface eth0\n  inherit defaults\n",
        "iface eth0\n  vrrp 1\n",
        "iface eth0\n  vxlan-remote-ip 192.0.2.1\n",
        "iface br0\n  bridge-ports none\niface br0\n  bridge-pvid 7\n",
        "source g*\n",
        "source g\n",
    ] {
        assert!(depends(text), "{text}");
    }
    for text in [
        "",
        "auto eth0\niface eth0 inet static\n  address 192.0.2.1/24\n  vrf red\n  accept-ra 0\n",
        "template t\n  bridge-ports none\niface br0\n  inherit t\n",
        "source f\n",
    ] {
        assert!(!depends(text), "{text}");
    }
}

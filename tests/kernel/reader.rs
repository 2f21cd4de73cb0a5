//! Our reader of interfaces files and the real `ifquery` read the same stanzas from random files: the same interfaces and
//! templates in the same order, the same `auto`, the same keywords in the same order, the same values.
//!
//! `IFNL_FILES` (100) is the number of setups for each version of ifupdown-ng, which are the same each time. `IFNL_SEED`
//! names one, and only this one is read. A failure prints the seed, the files and both results.
//!
//! Differences that the reader has on purpose:
//! - A word that a line lacks, if no newline ends the line: the last line of a file, or a line that is cut at 4094 bytes.
//!   ifquery takes other bytes of its memory for that word. For our reader the word is empty. No such line is made here.
//! - A stanza with an address that inherits from itself: ifquery never ends. Our reader refuses it. Such a file is
//!   counted, and ifquery is not started.
//! - Addresses that are inherited again and again, which doubles them each time: ifquery reads as long as it has memory.
//!   Our reader refuses more than a million lines. Such a file is counted too.
//! - Files that are nested deeper than 100: ifquery reads on until it can open no more files. None is made here.
//! - `source` of 0.12.1 replaces `~` and variables, removes quotes and backslashes, and refuses `| & ; < > ( ) { }`, as
//!   wordexp(3) does. Our reader knows only `*`, `?` and `[…]`. No other such line is made here. (0.12.1 as Debian 13 has
//!   it: the release itself has no patterns.)
//! - An interface without a name, which `auto` alone creates within a stanza: ifquery prints it, our reader omits it.
//! - Bytes that are not UTF-8 are replaced in both results. ifquery keeps names apart that are then the same. The names
//!   here are UTF-8.
//! - A newline in a value (a continued line that ends in CR LF): ifquery prints two lines. Our reader has one value; it
//!   is printed here in the same way before both are compared.

use crate::features::{Feature, needs};
use crate::ifupdown::{self, Version};
use crate::lab::{SCRATCH, bind, in_lab, run};
use crate::matrix::seeds;
use crate::random::Random;
use ifupdown_ng_netlink::kernel::interfaces_file;
use ifupdown_ng_netlink::stanza::Stanzas;
use ifupdown_ng_netlink::stanza::file::{Reason, Version as Rules};
use libtest_mimic::Trial;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

pub fn tests() -> Vec<Trial> {
    // Not the names of the matrix: each version has rules of its own.
    let versions = [("0.11.4", Version::Bookworm, Rules::V0_11), ("0.12.1", Version::Trixie, Rules::V0_12)];
    let test = |(name, version, rules)| {
        needs(&[Feature::Roots], format!("reader/{name}"), move || in_lab(|| compare(name, version, rules)))
    };
    versions.into_iter().map(test).collect()
}

/// The file that is read first.
const FIRST: &str = "/tmp/interfaces";

fn compare(name: &str, version: Version, rules: Rules) {
    enter(version);
    let (mut same, mut refused, mut endless, mut same_in_all) = (0, 0, 0, 0);
    let mut failed = Vec::new();
    for seed in seeds("IFNL_FILES", 100) {
        let files = setup(seed);
        for (name, text) in &files {
            fs::write(name, text).unwrap();
        }
        let ours = interfaces_file::read(FIRST, rules);
        if !ours.as_ref().map_or(true, |reading| reading.depends_on_version) {
            same_in_all += 1;
            for other in [Rules::V0_11, Rules::V0_12, Rules::Head] {
                let theirs = interfaces_file::read(FIRST, other).unwrap();
                let ours = ours.as_ref().unwrap();
                assert_eq!(
                    (comparable(&ours.stanzas), &ours.problems),
                    (comparable(&theirs.stanzas), &theirs.problems),
                    "IFNL_SEED={seed}: {other:?} reads {files:?} differently"
                );
            }
        }
        if let Err(problem) = &ours {
            if matches!(problem.reason, Reason::Endless(_) | Reason::TooLong) {
                endless += 1;
                continue;
            }
        }
        let ifquery = run(Command::new(program())
            .args(["-i", FIRST, "-E", "/nonexistent", "-p", "use", "-L", "-P"])
            .env_clear());
        let ours = ours.map(|reading| Stanzas::parse(&printed(&reading.stanzas)));
        match &ours {
            Ok(ours) if ifquery.status == 0 && *ours == Stanzas::parse(&ifquery.stdout) => same += 1,
            Err(_) if ifquery.status == 1 => refused += 1,
            _ => {
                println!("reader: IFNL_SEED={seed} differs");
                for (name, text) in &files {
                    println!(
                        "-- {name}\n{}",
                        String::from_utf8_lossy(text).escape_debug().to_string().replace("\\n", "\n")
                    );
                }
                let ours = ours.map_or_else(|problem| problem.to_string(), |ours| printed(&ours));
                println!("-- ours\n{ours}\n-- {ifquery:?}");
                failed.push(seed);
            }
        }
        for name in files.keys() {
            fs::remove_file(name).unwrap();
        }
    }
    println!(
        "reader: {name}: {same} the same, {refused} refused by both, {endless} that ifquery never ends to read; \
         {same_in_all} that all versions read alike"
    );
    assert!(failed.is_empty(), "files with IFNL_SEED={failed:?} differ");
    // A test of nothing but refused files would be no test.
    assert!(same > refused && same_in_all > 0, "{same} {refused} {same_in_all}");
}

/// The stanzas without what the head adds: an empty one `defaults`, which the others inherit.
fn comparable(stanzas: &Stanzas) -> String {
    let text = printed(stanzas).replace("  inherit defaults\n", "");
    text.split_inclusive("\n\n").filter(|stanza| !stanza.contains("e defaults\n")).collect()
}

/// Makes the root of a version that of this thread, which is in a lab. Only its /tmp and /etc/network can be written.
fn enter(version: Version) {
    let root = Path::new(SCRATCH).join("root");
    bind(&ifupdown::roots().expect("IFNL_ROOTS").join(version.root()), &root);
    bind(Path::new("/proc"), &root.join("proc"));
    let flags = nix::mount::MsFlags::empty();
    for directory in ["tmp", "etc/network"] {
        nix::mount::mount(Some("tmpfs"), &root.join(directory), Some("tmpfs"), flags, None::<&str>)
            .expect("tmpfs");
    }
    std::os::unix::fs::chroot(&root).expect("chroot");
    std::env::set_current_dir("/tmp").expect("the root's /tmp");
    fs::create_dir("/tmp/d").unwrap();
    fs::create_dir("/tmp/e").unwrap();
}

fn program() -> &'static str {
    let debian = "/usr/sbin/ifquery-ng";
    if Path::new(debian).exists() { debian } else { "/usr/sbin/ifquery" }
}

/// The stanzas as ifquery prints them.
fn printed(stanzas: &Stanzas) -> String {
    let mut text = String::new();
    for name in stanzas.order() {
        if stanzas.is_auto(name) {
            writeln!(text, "auto {name}").unwrap();
        }
        let template = stanzas.template(name);
        let keyword = if template.is_some() { "template" } else { "iface" };
        writeln!(text, "{keyword} {name}").unwrap();
        for line in template.unwrap_or_else(|| stanzas.written(name)) {
            writeln!(text, "  {} {}", line.keyword, line.value).unwrap();
        }
        text.push('\n');
    }
    text
}

const INTERFACES: [&str; 16] = [
    "eth0", "eth1", "eth2", "eth10", "br0", "br0.7", "red", "lo", "a-b", "none", "dhcp", "inherits", "inet",
    "été", "x=y", "address",
];
const KEYWORDS: [&str; 92] = [
    "accept_ra",
    "allow-hotplug",
    "alias",
    "autoconf",
    "a-",
    "bond-ad-sys-priority",
    "bond-members",
    "bond-mode",
    "bond-slaves",
    "bridge-access",
    "bridge-ports",
    "bridge-pvid",
    "bridge-stp",
    "bridge-vids",
    "bridge-vlan",
    "bridge_vlan",
    "Bridge-Vlan",
    "bridge-vlan-aware",
    "client",
    "dad_transmits",
    "dhcp-client-id",
    "dhcp-opts",
    "down",
    "driver-message-level",
    "endpoint",
    "ethernet-autoneg",
    "ethernet-pause-autoneg",
    "ethernet-pause-rx",
    "ethernet-pause-tx",
    "ethernet-port",
    "ethernet-wol",
    "forward-ipv4",
    "gro-offload",
    "gso-offload",
    "hardware-dma-ring-rx",
    "hardware-irq-coalesce-adaptive-rx",
    "hardware-irq-coalesce-tx-usecs-low",
    "hwaddress",
    "key",
    "leasetime",
    "link-autoneg",
    "link-duplex",
    "link-fec",
    "link-speed",
    "link-type",
    "local",
    "lro-offload",
    "mode",
    "mtu",
    "netns",
    "no-defaults",
    "defaults",
    "offload-gro",
    "offload-rx",
    "offload-sg",
    "offload-ufo",
    "pointopoint",
    "point-to-point",
    "post-up",
    "pre-up",
    "provider",
    "rx-offload",
    "script",
    "static-route",
    "tso-offload",
    "ttl",
    "tunnel-endpoint",
    "tunnel-physdev",
    "tx-offload",
    "ufo-offload",
    "up",
    "veth-peer",
    "vendor",
    "vlan-id",
    "vlan-raw-device",
    "vrf",
    "vrf-member",
    "vrf-rules",
    "vrf-table",
    "vrf_table",
    "vrrp",
    "vxlan-id",
    "vxlan-local-tunnelip",
    "vxlan-remote-group",
    "vxlan-remoteip",
    "vxlan-remote-ip",
    "vxlan-svcnodeip",
    "x.y",
    "été",
    "9lives",
    "-x",
    "é",
];
const WORDS: [&str; 24] = [
    "10",
    "10-20",
    "100",
    "1500",
    "auto",
    "yes",
    "no",
    "none",
    "eth0",
    "eth1",
    "eth10",
    "red",
    "=",
    "\"a b\"",
    "$X",
    "~",
    "\\",
    "\\n",
    "ip link set $IFACE up",
    "&&",
    "fe80::1",
    "é",
    "a\x0bb",
    "x",
];
const ADDRESSES: [&str; 40] = [
    "192.0.2.1",
    "192.0.2.2/25",
    "192.0.2.3/0",
    "192.0.2.4/99",
    "192.0.2.5/",
    "192.0.2.6/x",
    "192.0.2.7/24x",
    "192.0.2.08",
    "192.0.2",
    "192.0.2.256",
    "1.2.3.4.5",
    "192.0.2.9/-1",
    "192.0.2.9/+9",
    "192.0.2.9/99999999999999999999",
    "1.2.3.4/5/6",
    "::",
    "::/64",
    "::1",
    "::2:1/64",
    "::1.2.3.4",
    "::ffff:1.2.3.4",
    "::ffff:0:0/96",
    "1::",
    "fd00::1/64",
    "FD00::1",
    "fd00:0:0:1::1",
    "1:0:0:2:0:0:0:3",
    "1:0:2:0:3:0:4:0",
    "1:2:3:4:5:6:7:8",
    "1:2:3:4:5:6:7::",
    "1:2:3:4:5:6:7:8::",
    "::1:2:3:4:5:6:7",
    "1:2:3:4:5:6:1.2.3.4",
    "fd00::00001",
    "fe80::1%eth0",
    "::g",
    "1:::2",
    ":1",
    "example.org",
    "dhcp",
];
const NETMASKS: [&str; 10] = [
    "255.255.255.0",
    "255.255.255.0 ",
    "255.0.255.0",
    "0.0.0.0",
    "25",
    "64",
    "x",
    "255.255.255",
    "255.255.255.255",
    "-1",
];
const FILES: [&str; 6] = [FIRST, "/tmp/a", "/tmp/b", "/tmp/d/a", "/tmp/d/b.cfg", "/tmp/d/.c"];
const SOURCES: [&str; 16] = [
    FIRST,
    "/tmp/a",
    "/tmp/b",
    "b",
    "./a",
    "/tmp/d/a",
    "/tmp/d/*",
    "/tmp/d/*.cfg",
    "/tmp/d/[!b]*",
    "d/.?",
    "/tmp/*/a",
    "/tmp/d",
    "/tmp/e/*",
    "/tmp/d/x*y",
    "/tmp/d/?.cfg /tmp/b",
    "",
];

/// Random files, by name.
fn setup(seed: u64) -> BTreeMap<&'static str, Vec<u8>> {
    let random = &mut Random(seed.wrapping_mul(0x1234_5678_9abc_def1));
    let names = &FILES[..if random.rarely(2) { 1 } else { FILES.len() }];
    let mut files: BTreeMap<_, _> = names.iter().map(|name| (*name, text(random, names.len() > 1))).collect();
    if random.rarely(3) {
        files.insert("/etc/network/ifupdown-ng.conf", settings(random).into_bytes());
    }
    files
}

/// Random settings of ifupdown-ng.
fn settings(random: &mut Random) -> String {
    const SETTINGS: [&str; 8] = [
        "allow_addon_scripts",
        "allow_any_iface_as_template",
        "auto_executor_selection",
        "compat_create_interfaces",
        "compat_ifupdown2_bridge_ports_inherit_vlans",
        "implicit_template_conversion",
        "use_hostname_for_dhcp",
        "unknown",
    ];
    let mut text = String::new();
    for _ in 0..random.below(6) {
        let equals = random.one(&[" = ", "=", " ", "\t", "  =="]);
        let value = random.one(&["0", "1", "no", "no", "False", "yes", "true", "n # c", "", "maybe", "2"]);
        writeln!(text, "{}{equals}{value}", random.one(&SETTINGS)).unwrap();
    }
    text
}

fn text(random: &mut Random, sources: bool) -> Vec<u8> {
    let mut text = Vec::new();
    let lines = random.below(if random.0 % 8 == 0 { 80 } else { 16 });
    for _ in 0..lines {
        let line = line(random, sources);
        end(random, &mut text, &line);
    }
    if random.rarely(8) {
        let (keyword, value) = (random.one(&KEYWORDS), random.one(&WORDS));
        text.extend(
            format!("  {keyword} {value}{}", random.one(&["", " ", " # end", "#", "\\"])).into_bytes(),
        );
    }
    text
}

/// Writes a line with its end: blanks, comments, continued lines, long lines.
fn end(random: &mut Random, text: &mut Vec<u8>, line: &str) {
    text.extend(random.one(&["", "", "  ", "\t", "    "]).as_bytes());
    for byte in line.bytes() {
        let joint = match byte {
            b' ' if random.rarely(12) => {
                random.one(&["\\\n", " \\\n  ", "  ", "\t", "\\\n\t ", "\x0b", " \\\r\n", "\r"])
            }
            // In the name of a source, a backslash quotes.
            _ if !line.starts_with("source ") && random.rarely(400) => {
                random.one(&["\\\n", "\\#", "#", "\\\\", "\0", "\\x", "\r"])
            }
            _ => {
                text.push(byte);
                continue;
            }
        };
        text.extend(joint.as_bytes());
    }
    if random.rarely(60) {
        // The rest of the line is shorter than a line that is cut.
        let most = random.one(&[4080, 4094, 6000]);
        // A word before it, which is the value if a continued line leaves no blank after the keyword.
        text.extend(b" x ");
        text.resize(text.len() + most - random.below(40), b'y');
        text.extend(random.one(&["", " auto eth1", " ", "\\\n z", "#c"]).as_bytes());
    }
    let end = [
        "\n",
        "\n",
        "\n",
        "\n",
        "\n",
        " \n",
        "\t \n",
        " # c\n",
        "#c\n",
        "\r\n",
        "\n\n",
        "\n# c\n",
        "\n  \\\n\n",
    ];
    text.extend(random.one(&end).as_bytes());
}

fn line(random: &mut Random, sources: bool) -> String {
    let name = random.one(&INTERFACES);
    match random.below(40) {
        0..=6 => {
            let keyword = random.one(&["iface", "iface", "iface", "interface", "template"]);
            let name = if random.rarely(30) { "" } else { name };
            let mut line = format!("{keyword} {name}");
            while random.rarely(2) {
                let word = random.one(&[
                    "inet",
                    "inet6",
                    "static",
                    "dhcp",
                    "ppp",
                    "manual",
                    "inherits",
                    "no-defaults",
                ]);
                write!(line, " {word}").unwrap();
                if word == "inherits" && !random.rarely(10) {
                    write!(line, " {}", random.one(&INTERFACES)).unwrap();
                }
            }
            line
        }
        7..=8 => format!("auto {}", random.one(&[name, name, name, "eth0 eth1", ""])),
        9..=10 => format!("inherit {}", random.one(&[name, name, name, name, ""])),
        11..=14 => format!("address {}", random.one(&ADDRESSES)),
        15..=16 => format!("netmask {}", random.one(&NETMASKS)),
        17..=18 => format!("gateway {}", random.one(&["192.0.2.254", "fe80::1 x", "", "x"])),
        19..=20 => {
            format!("use {}", random.one(&["bridge", "bond", "vrf", "dhcp", "static", "", "netns x", "link"]))
        }
        21..=22 => format!(
            "requires {} {} {}",
            random.one(&["eth1", "eth10", ""]),
            random.one(&["eth10  eth1 ", "br0"]),
            name
        ),
        23..=24 => {
            format!("bridge-ports {} {}", random.one(&["none", "eth0", "eth10", ""]), random.one(&INTERFACES))
        }
        25 => format!("{} {}", random.one(&["hostname", "dhcp-hostname"]), random.one(&["a", "b c", ""])),
        26 | 27 if sources => format!("source {}", random.one(&SOURCES)),
        28 if sources => format!("source-directory {}", random.one(&["/tmp/d", "/tmp/e", "/tmp/none", ""])),
        29 if random.rarely(10) => format!("source {}", random.one(&["/tmp/none", "/tmp/none*"])),
        _ => {
            let mut line = random.one(&KEYWORDS).to_owned();
            for _ in 0..random.below(4) {
                write!(line, " {}", random.one(&WORDS)).unwrap();
            }
            line
        }
    }
}

//! Every keyword of the stock executors `link`, `static` and `forward`, applied by them and by ours, and what `ip` shows
//! after ifup and after ifdown. Then what the stock ones do wrong.

use crate::bridges_starts::programs;
use crate::examples::cards;
use crate::features::{Feature, needs};
use crate::ifupdown::{Executors, Ifupdown, Installed, Shell, Version};
use crate::lab::{Netns, Ran, command, in_lab, ip, ip_json, settle};
use crate::matrix::some;
use libtest_mimic::Trial;
use serde_json::Value;
use std::fs;

/// A difference that is intended: why, what the stock one shows, and what ours shows instead. An empty text stands for
/// no line.
type Instead = (&'static str, &'static str, &'static str);

/// A stanza for `iface`, and the intended differences after ifup and after ifdown.
struct Case {
    name: &'static str,
    iface: &'static str,
    stanza: &'static str,
    up: &'static [Instead],
    down: &'static [Instead],
}

const fn same(name: &'static str, iface: &'static str, stanza: &'static str) -> Case {
    Case { name, iface, stanza, up: &[], down: &[] }
}

const MARK: Instead = ("ours carry their mark", "metric 1 protocol null", "metric 1 protocol \"73\"");
const LATER: &str = "unknown to the stock one of these versions; a later one sets it";

const CASES: [Case; 26] = [
    same("no-keyword", "eth0", ""),
    same("link-type-dummy", "d0", "link-type dummy\naddress 192.0.2.1/24"),
    same("link-type-veth", "v0", "link-type veth"),
    same("vlan-by-name", "eth0.8", "address 192.0.2.1/24"),
    same("vlan-by-number", "vlan010", "vlan-raw-device eth0"),
    same("vlan-by-keywords", "servers", "vlan-raw-device eth0\nvlan-id 0x7b"),
    Case {
        name: "vlan-protocol",
        iface: "eth0.8",
        stanza: "vlan-protocol 802.1ad",
        up: &[(
            LATER,
            "eth0.8 linkinfo info_data protocol \"802.1Q\"",
            "eth0.8 linkinfo info_data protocol \"802.1ad\"",
        )],
        down: &[],
    },
    Case {
        name: "vlan-flags",
        iface: "eth0.8",
        stanza: "vlan-reorder-hdr off\nvlan-gvrp on\nvlan-mvrp off\nvlan-loose-binding on\nvlan-bridge-binding off",
        up: &[(LATER, "info_data flags [\"REORDER_HDR\"]", "info_data flags [\"GVRP\",\"LOOSE_BINDING\"]")],
        down: &[],
    },
    Case {
        name: "mtu",
        iface: "eth0",
        stanza: "mtu 1400",
        up: &[],
        down: &[("what ifup changed is restored", " eth0 mtu 1400", " eth0 mtu 1500")],
    },
    Case {
        name: "hwaddress",
        iface: "eth0",
        stanza: "hwaddress 02:00:00:00:00:77",
        up: &[],
        down: &[("the same", "eth0 address \"02:00:00:00:00:77\"", "eth0 address \"02:00:00:00:00:00\"")],
    },
    Case {
        name: "alias",
        iface: "eth0",
        stanza: "alias the card on the left",
        up: &[],
        down: &[("the same", "ip -d -j link eth0 ifalias \"the card on the left\"", "")],
    },
    Case {
        name: "link-options",
        iface: "eth0",
        stanza: "link-options mtu 1400 address 02:00:00:00:00:77",
        up: &[],
        down: &[
            ("the same", " eth0 mtu 1400", " eth0 mtu 1500"),
            ("the same", "eth0 address \"02:00:00:00:00:77\"", "eth0 address \"02:00:00:00:00:00\""),
        ],
    },
    same("address", "eth0", "address 192.0.2.1/24\naddress 192.0.2.7/24\naddress 2001:db8::1/64"),
    same("address-without-length", "eth0", "address 192.0.2.1\nnetmask 255.255.255.0"),
    same("address-none", "eth0", "address 0.0.0.0"),
    same("address-of-this-host", "lo", "address 127.0.0.5/8"),
    Case {
        name: "gateway",
        iface: "eth0",
        stanza: "address 192.0.2.10/24\ngateway 192.0.2.1",
        up: &[MARK],
        down: &[],
    },
    Case {
        name: "gateway-ipv6",
        iface: "eth0",
        stanza: "address 2001:db8::10/64\naddress 192.0.2.10/24\ngateway 2001:db8::1\ngateway 192.0.2.1",
        up: &[MARK],
        down: &[],
    },
    Case {
        name: "gateway-link-local",
        iface: "eth0",
        stanza: "address 2001:db8::10/64\ngateway fe80::1",
        up: &[MARK],
        down: &[],
    },
    Case {
        name: "metric",
        iface: "eth0",
        stanza: "address 192.0.2.10/24\ngateway 192.0.2.1\nmetric 20",
        up: &[("ours carry their mark", "metric 20 protocol null", "metric 20 protocol \"73\"")],
        down: &[],
    },
    Case {
        name: "point-to-point",
        iface: "eth0",
        stanza: "address 203.0.113.2/24\naddress 2001:db8::10/64\npoint-to-point 192.0.2.1\ngateway 192.0.2.1",
        up: &[MARK],
        down: &[],
    },
    Case {
        name: "gateway-of-a-member",
        iface: "eth0",
        stanza: "vrf-member red\naddress 192.0.2.10/24\ngateway 192.0.2.1\n\niface red\nvrf-table 10",
        up: &[MARK],
        down: &[],
    },
    Case {
        name: "forward-ipv4",
        iface: "eth0",
        stanza: "forward-ipv4 yes\nforward-ipv6 yes",
        up: &[],
        down: &[
            ("what ifup changed is restored", "ipv4 eth0 forwarding 1", "ipv4 eth0 forwarding 0"),
            ("the same", "ipv6 eth0 forwarding 1", "ipv6 eth0 forwarding 0"),
        ],
    },
    same("forward-no", "eth0", "forward-ipv4 no\nforward-ipv6 no"),
    same("forward-1", "d0", "link-type dummy\nforward-ipv4 1\nforward-ipv6 0"),
    same("forward-multicast", "eth0", "forward-ipv4-mc yes\nforward-ipv6-mc yes\naddress 192.0.2.1/24"),
];

/// A test of what the stock executors do wrong.
type Right = (&'static str, fn(Version));

const RIGHT: [Right; 12] = [
    ("forced", forced),
    ("link-is-gone", link_is_gone),
    ("gateway-in-a-vrf", gateway_in_a_vrf),
    ("gateway-of-a-vrf", gateway_of_a_vrf),
    ("moved", moved),
    ("moved-vlan", moved_vlan),
    ("no-carrier", no_carrier),
    ("refused-address", refused_address),
    ("gateway-of-another", gateway_of_another),
    ("veth-peer-name", veth_peer_name),
    ("edited", edited),
    ("another-link", another_link),
];

pub fn tests() -> Vec<Trial> {
    let mut tests = Vec::new();
    let needed = [Feature::Vrf, Feature::Vlan, Feature::Roots];
    for version in Version::ALL {
        for case in some(&CASES, 3) {
            let name = format!("link-stock/{}/{version:?}", case.name);
            tests.push(needs(&needed, name, move || compare(case, version)));
        }
        let name = format!("link-stock/right/no-other-program/{version:?}");
        let strace = [Feature::Vlan, Feature::Roots, Feature::Strace];
        tests.push(needs(&strace, name, move || in_lab(|| no_other_program(version))));
        for (name, test) in RIGHT {
            let test = move || in_lab(|| test(version));
            tests.push(needs(&needed, format!("link-stock/right/{name}/{version:?}"), test));
        }
    }
    tests
}

fn stanzas(case: &Case) -> String {
    let is_head = |line: &&str| line.starts_with("iface") || line.is_empty();
    let indent = |line: &str| if is_head(&line) { format!("{line}\n") } else { format!("    {line}\n") };
    format!("iface {}\n{}", case.iface, case.stanza.lines().map(indent).collect::<String>())
}

/// An installation in this lab, with four cards.
fn install(version: Version, executors: Executors, text: &str) -> Installed {
    for n in 0..4 {
        ip(&format!("link set eth{n} address 02:00:00:00:00:{n}0"));
    }
    Ifupdown { version, executors, shell: Shell::Dash }.install(text)
}

/// What is shown after ifup and after ifdown.
fn shown(case: &Case, version: Version, executors: Executors) -> [Vec<String>; 2] {
    in_lab(|| {
        let _hosts = cards();
        let installed = install(version, executors, &stanzas(case));
        let quiet = |ran: Ran| {
            if executors == Executors::Native && case.name != "forward-multicast" {
                ran.quiet();
            }
        };
        quiet(installed.ifup(case.iface));
        settle();
        let up = lines();
        quiet(installed.ifdown(case.iface));
        [up, lines()]
    })
}

/// A line for each value of links, addresses, routes and forwarding, without those that differ from run to run.
fn lines() -> Vec<String> {
    let mut lines = Vec::new();
    for words in
        ["ip -d -j link", "ip -j address", "ip -j -4 route show table all", "ip -j -6 route show table all"]
    {
        let value: Value = serde_json::from_str(&command(words).ok().stdout).unwrap_or_default();
        for object in value.as_array().into_iter().flatten() {
            let name = object["ifname"].as_str();
            if words.contains("route") {
                route(words, object, &mut lines);
            } else {
                let is_up =
                    object["flags"].as_array().is_some_and(|flags| flags.iter().any(|flag| flag == "UP"));
                let name = name.unwrap_or_default();
                lines.push(format!("{words} {name} up {is_up}"));
                flatten(&format!("{words} {name}"), object, &mut lines);
            }
        }
    }
    for family in ["ipv4", "ipv6"] {
        for key in ["forwarding", "mc_forwarding"] {
            for entry in fs::read_dir(format!("/proc/sys/net/{family}/conf")).unwrap() {
                let entry = entry.unwrap();
                let value = fs::read_to_string(entry.path().join(key)).unwrap_or_default();
                let name = entry.file_name().into_string().unwrap();
                lines.push(format!("{family} {name} {key} {}", value.trim()));
            }
        }
    }
    lines.sort();
    lines
}

/// A route as one line.
fn route(words: &str, object: &Value, lines: &mut Vec<String>) {
    let keys = ["dst", "gateway", "dev", "table", "metric", "protocol", "scope", "prefsrc", "type", "flags"];
    // A carrier comes and goes.
    let mut object = object.clone();
    if let Some(flags) = object["flags"].as_array_mut() {
        flags.retain(|flag| flag != "linkdown" && flag != "dead");
    }
    let parts: Vec<String> = keys.iter().map(|key| format!("{key} {}", object[*key])).collect();
    lines.push(format!("{words} {}", parts.join(" ")));
}

fn flatten(about: &str, value: &Value, lines: &mut Vec<String>) {
    const BY_CHANCE: [&str; 9] = [
        "ifindex",
        "link_netnsid",
        "link_index",
        "operstate",
        "flags",
        "permaddr",
        "tentative",
        "valid_life_time",
        "preferred_life_time",
    ];
    match value {
        Value::Array(list) if list.iter().any(Value::is_object) => {
            for part in list {
                let name = part["local"].as_str().unwrap_or_default();
                flatten(&format!("{about} {name}"), part, lines);
            }
        }
        Value::Object(object) => {
            for (key, part) in object {
                let is_flags_of_vlan = about.ends_with("info_data");
                // Ours carry their mark, where the kernel and `ip` show it.
                if about.contains("addr_info") && key == "protocol" {
                    continue;
                }
                if is_flags_of_vlan || !BY_CHANCE.contains(&key.as_str()) {
                    flatten(&format!("{about} {key}"), part, lines);
                }
            }
        }
        plain => lines.push(format!("{about} {plain}")),
    }
}

fn compare(case: &Case, version: Version) {
    let stock = shown(case, version, Executors::Replaced);
    let ours = shown(case, version, Executors::Native);
    for (when, instead) in [case.up, case.down].into_iter().enumerate() {
        let mut expected = stock[when].clone();
        for (why, theirs, own) in instead {
            let hit = expected.iter().filter(|line| line.contains(theirs)).count();
            assert!(hit > 0, "{why}: the stock one shows no {theirs:?} any more: {expected:#?}");
            if own.is_empty() {
                expected.retain(|line| !line.contains(theirs));
            } else {
                for line in &mut expected {
                    *line = line.replace(theirs, own);
                }
            }
        }
        // The kernel picks the addresses of links that the stanza makes.
        let is_picked = |line: &String| {
            let made = ["d0", "v0", "veth0", "red"].iter();
            let mut made = made.flat_map(|name| [format!(" {name} "), format!("\"{name}\"")]);
            made.any(|name| line.contains(&name)) && (line.contains(" address \"") || line.contains("fe80"))
        };
        let only = |these: &[String], those: &[String]| {
            let missing = these.iter().filter(|line| !those.contains(line) && !is_picked(line));
            missing.cloned().collect::<Vec<_>>()
        };
        let (missing, extra) = (only(&expected, &ours[when]), only(&ours[when], &expected));
        let when = ["ifup", "ifdown"][when];
        assert!(
            missing.is_empty() && extra.is_empty(),
            "after {when}, stock, or expected: {missing:#?}\nours: {extra:#?}"
        );
    }
}

fn native(version: Version, text: &str) -> Installed {
    install(version, Executors::Native, text)
}

/// A namespace that the installation made.
fn namespace(installed: &Installed, name: &str) -> Netns {
    Netns::at(&installed.path("/run/netns").join(name))
}

/// The addresses of a link as `ip` shows them, without those that the kernel made.
fn addresses(words: &str) -> Vec<String> {
    let links = ip_json(words);
    let all = links.iter().flat_map(|link| link["addr_info"].as_array().cloned().unwrap_or_default());
    let shown = all
        .map(|address| format!("{}/{}", address["local"].as_str().unwrap_or_default(), address["prefixlen"]));
    shown.filter(|address| !address.starts_with("fe80")).collect()
}

fn defaults(words: &str) -> Vec<String> {
    let routes = ip_json(words);
    let of = |route: &Value, key: &str| route[key].as_str().unwrap_or_default().to_owned();
    let shown = routes.iter().filter(|route| route["dst"] == "default");
    shown
        .map(|route| format!("{} {} {}", of(route, "gateway"), of(route, "dev"), of(route, "protocol")))
        .collect()
}

/// The stock `static` ends with "File exists".
fn forced(version: Version) {
    let _hosts = cards();
    let stanza = "iface eth0\n    address 192.0.2.10/24\n    address 2001:db8::10/64\n    gateway 192.0.2.1\n    \
                  gateway 2001:db8::1\n    mtu 1400\n    alias uplink\n    forward-ipv4 yes\n";
    let installed = native(version, stanza);
    installed.ifup("eth0").quiet();
    settle();
    let up = lines();
    installed.ifup("-f eth0").quiet();
    assert_eq!(lines(), up);
    installed.ifdown("-f eth0").quiet();
    installed.ifdown("-f eth0").quiet();
    assert_eq!(addresses("address show dev eth0"), [""; 0]);
}

/// The stock `static` fails, and ifupdown-ng 0.12.1 cannot end the ifdown.
fn link_is_gone(version: Version) {
    let _hosts = cards();
    let installed = native(
        version,
        "iface d0\n    link-type dummy\n    address 192.0.2.1/24\n    mtu 1400\n    forward-ipv4 yes\n",
    );
    installed.ifup("d0").quiet();
    ip("link del d0");
    installed.ifdown("d0").quiet();
    assert!(!fs::read_to_string(installed.path("/run/ifstate")).unwrap_or_default().contains("d0=d0"));
    installed.ifup("d0").quiet();
    assert_eq!(addresses("address show dev d0"), ["192.0.2.1/24"]);
    installed.ifdown("d0").quiet();
    assert!(!fs::exists(installed.path("/run/ifupdown-ng-netlink")).unwrap());
}

/// The stock `static` knows `vrf-member` alone.
fn gateway_in_a_vrf(version: Version) {
    let _hosts = cards();
    let stanza = "iface red\n    vrf-table auto\n\niface eth0\n    vrf red\n    address 192.0.2.10/24\n    gateway 192.0.2.1\n";
    let installed = native(version, stanza);
    installed.ifup("eth0").quiet();
    assert_eq!(defaults("route show vrf red"), ["192.0.2.1 eth0 73"]);
    assert_eq!(defaults("route show"), [""; 0]);
    installed.ifup("-f eth0").quiet();
    installed.ifdown("-f eth0").quiet();
    assert_eq!(defaults("route show table all"), [""; 0]);
}

/// The stock `static` takes `auto` for the name of a table.
fn gateway_of_a_vrf(version: Version) {
    let _hosts = cards();
    ip("link add red type vrf table 1001");
    ip("link set red up");
    ip("link set eth0 master red up");
    ip("address add 192.0.2.10/24 dev eth0");
    let installed = native(version, "iface red\n    vrf-table auto\n    gateway 192.0.2.1\n");
    installed.ifup("red").quiet();
    let shown = defaults("route show vrf red");
    assert_eq!(shown.len(), 1, "{shown:?}");
    assert!(shown[0].starts_with("192.0.2.1 ") && shown[0].ends_with(" 73"), "{shown:?}");
    installed.ifup("-f red").quiet();
    assert_eq!(defaults("route show vrf red"), shown);
}

/// The stock `static` gives the interface its addresses outside first.
fn moved(version: Version) {
    let _hosts = cards();
    let stanza = "iface eth0\n    use netns\n    netns blue\n    address 192.0.2.10/24\n    gateway 192.0.2.1\n    mtu 1400\n";
    let installed = native(version, stanza);
    for arguments in ["eth0", "-f eth0"] {
        installed.ifup(arguments).quiet();
        namespace(&installed, "blue").within(|| {
            assert_eq!(addresses("address show dev eth0"), ["192.0.2.10/24"]);
            assert_eq!(defaults("route show"), ["192.0.2.1 eth0 73"]);
            assert_eq!(ip_json("link show dev eth0")[0]["mtu"], 1400);
        });
    }
    installed.ifdown("-f eth0").quiet();
    installed.ifdown("-f eth0");
    let link = &ip_json("link show dev eth0")[0];
    assert_eq!((&link["mtu"], addresses("address show dev eth0")), (&Value::from(1500), Vec::new()));
}

/// The stock `link` tries to make a VLAN again that is in a namespace, and fails.
fn moved_vlan(version: Version) {
    let _hosts = cards();
    let stanza = "iface eth0\n\niface eth0.8\n    use netns\n    netns blue\n    address 192.0.2.10/24\n";
    let installed = native(version, stanza);
    installed.ifup("eth0.8").quiet();
    namespace(&installed, "blue").ip("address del 192.0.2.10/24 dev eth0.8");
    installed.ifup("-f eth0.8").quiet();
    let inside = || addresses("address show dev eth0.8");
    assert_eq!(namespace(&installed, "blue").within(inside), ["192.0.2.10/24"]);
    for _ in 0..2 {
        installed.ifdown("-f eth0.8").quiet();
    }
    assert!(!command("ip link show dev eth0.8").stdout.contains("eth0.8"));
}

/// The kernel checks no address for duplicates before the link has a carrier.
fn no_carrier(version: Version) {
    ip("link add v0 type veth peer name v1");
    let stanza = "iface v0\n    address 2001:db8::10/64\n    gateway 2001:db8::1\n";
    let installed = Ifupdown { version, executors: Executors::Native, shell: Shell::Dash }.install(stanza);
    installed.ifup("v0").quiet();
    let shown = ip("-6 address show dev v0");
    assert!(shown.contains("2001:db8::10/64") && shown.contains("tentative"), "{shown}");
    assert_eq!(defaults("-6 route show"), ["2001:db8::1 v0 73"]);
    installed.ifdown("v0").quiet();
}

fn refused_address(version: Version) {
    let _hosts = cards();
    let stanza =
        "iface eth0\n    address 2001:db8::10/64\n    address 192.0.2.10/24\n    gateway 192.0.2.1\n";
    let installed = native(version, stanza);
    fs::write("/proc/sys/net/ipv6/conf/eth0/disable_ipv6", "1").unwrap();
    let ran = installed.ifup("eth0");
    let line = "static: eth0: warning: ip address add 2001:db8::10/64 dev eth0: Permission denied (EACCES)";
    assert!(ran.status == 0 && ran.stderr.contains(line) && ran.stderr.lines().count() == 1, "{ran}");
    assert_eq!(addresses("address show dev eth0"), ["192.0.2.10/24"]);
    assert_eq!(defaults("route show"), ["192.0.2.1 eth0 73"]);
    installed.ifdown("eth0").quiet();
}

fn gateway_of_another(version: Version) {
    let _hosts = cards();
    let stanza = "iface eth0\n    address 192.0.2.10/24\n    gateway 192.0.2.1\n\n\
                  iface eth1\n    address 198.51.100.10/24\n    gateway 198.51.100.1\n";
    let installed = native(version, stanza);
    installed.ifup("eth0").quiet();
    let ran = installed.ifup("eth1");
    let line = "conflicts with another route: default via 192.0.2.1 dev eth0 table main metric 1 protocol 73";
    assert!(ran.status == 0 && ran.stderr.contains(line) && ran.stderr.lines().count() == 1, "{ran}");
    assert_eq!(addresses("address show dev eth1"), ["198.51.100.10/24"]);
    installed.ifdown("eth1").quiet();
    assert_eq!(defaults("route show"), ["192.0.2.1 eth0 73"]);
}

/// The stock `link` has the other end brought up first, which does not exist then.
fn veth_peer_name(version: Version) {
    let installed = Ifupdown { version, executors: Executors::Native, shell: Shell::Dash }
        .install("iface v0\n    link-type veth\n    veth-peer-name v1\n    address 192.0.2.1/24\n");
    installed.ifup("v0").quiet();
    assert_eq!(ip_json("-d link show dev v1")[0]["linkinfo"]["info_kind"], "veth");
    assert_eq!(addresses("address show dev v0"), ["192.0.2.1/24"]);
    installed.ifdown("v0").quiet();
    assert_eq!(
        ip_json("link show").len(),
        1 + ip_json("link show").iter().filter(|link| link["ifname"] != "lo").count()
    );
    assert!(!command("ip link").stdout.contains("v1"));
}

/// What the stanza had goes, what others added stays.
fn edited(version: Version) {
    let _hosts = cards();
    let old = "iface eth0\n    address 192.0.2.10/24\n    address 192.0.2.11/24\n    address 2001:db8::10/64\n    \
               address 2001:db8:2::10/64\n    gateway 192.0.2.1\n    mtu 1400\n    alias uplink\n    hwaddress 02:00:00:00:00:77\n    forward-ipv4 yes\n    forward-ipv6 yes\n";
    let installed = native(version, old);
    installed.ifup("eth0").quiet();
    ip("address add 203.0.113.7/24 dev eth0");
    installed.interfaces(
        "iface eth0\n    address 192.0.2.11/24\n    address 2001:db8:2::10/48\n    gateway 192.0.2.2\n    mtu 1300\n    \
         forward-ipv6 yes\n",
    );
    installed.ifup("-f eth0").quiet();
    settle();
    let mut shown = addresses("address show dev eth0");
    shown.sort();
    assert_eq!(shown, ["192.0.2.11/24", "2001:db8:2::10/48", "203.0.113.7/24"]);
    assert_eq!(defaults("route show"), ["192.0.2.2 eth0 73"]);
    let link = &ip_json("link show dev eth0")[0];
    assert_eq!((&link["mtu"], &link["ifalias"]), (&Value::from(1300), &Value::Null));
    assert_eq!(link["address"], "02:00:00:00:00:00");
    let forwarding =
        |family: &str| fs::read_to_string(format!("/proc/sys/net/{family}/conf/eth0/forwarding")).unwrap();
    assert_eq!([forwarding("ipv4"), forwarding("ipv6")], ["0\n", "1\n"]);
    for _ in 0..2 {
        installed.ifdown("-f eth0").quiet();
    }
    assert_eq!(addresses("address show dev eth0"), [""; 0]);
    assert_eq!(ip_json("link show dev eth0")[0]["mtu"], 1500);
}

/// A link of another kind is neither taken over nor deleted.
fn another_link(version: Version) {
    let installed = Ifupdown { version, executors: Executors::Native, shell: Shell::Dash }
        .install("iface d0\n    link-type dummy\n");
    ip("link add d0 type bridge");
    let ran = installed.ifup("d0");
    let line = "link: d0: link-type dummy: d0 exists and is a bridge; ifdown it, or delete it by hand";
    assert!(ran.stderr.contains(line), "{ran}");
    let ran = installed.ifdown("-f d0");
    assert!(ran.stderr.contains("link: d0: warning: not changed: d0 is a bridge, not a dummy"), "{ran}");
    assert_eq!(ip_json("-d link show dev d0")[0]["linkinfo"]["info_kind"], "bridge");
}

/// The stock `link` starts `ip` and `modprobe`.
fn no_other_program(version: Version) {
    let _hosts = cards();
    let stanza = "iface eth0.8\n    address 192.0.2.10/24\n    gateway 192.0.2.1\n    mtu 1400\n    forward-ipv4 yes\n";
    let installed = native(version, stanza);
    let started = programs(&installed, "eth0.8");
    let others: Vec<&String> =
        started.keys().filter(|name| *name != "sh" && !name.starts_with("executor ")).collect();
    assert_eq!(others, [""; 0], "{started:?}");
    assert!(
        ["link", "static", "forward"].iter().all(|name| started.contains_key(&format!("executor {name}")))
    );
    assert_eq!(addresses("address show dev eth0.8"), ["192.0.2.10/24"]);
}

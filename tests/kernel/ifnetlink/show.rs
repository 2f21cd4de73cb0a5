//! `ifnetlink show`, compared with `ip` and `bridge`.

use crate::examples::cards;
use crate::features::{Feature, needs};
use crate::ifnetlink::trial;
use crate::ifupdown::{Executors, Ifupdown, Installed, Shell, Version, example};
use crate::lab::{Netns, born_with_a_namespace, command, in_lab, ip, ip_json, program, run, settle};
use crate::schema::valid;
use crate::security::by_nobody;
use libtest_mimic::Trial;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::process::Command;

pub fn tests() -> Vec<Trial> {
    let mut tests = Vec::new();
    for name in ["management-vrf", "routing-domains", "vlan-access-trunk"] {
        let ifupdown =
            Ifupdown { version: Version::Trixie, executors: Executors::Replaced, shell: Shell::Dash };
        let needed = [Feature::Vrf, Feature::Vlan, Feature::Roots];
        let test = move || in_lab(|| shows(ifupdown, name));
        tests.push(needs(&needed, format!("ifnetlink/show-{name}"), test));
    }
    tests.push(trial("show-every-link", Ifupdown::USUAL, every_link));
    tests.push(trial("show-names", Ifupdown::USUAL, names_and_filters));
    tests.push(trial("show-terminal", Ifupdown::USUAL, on_a_terminal));
    tests.push(needs(&[], "ifnetlink/show-without-root", || in_lab(without_root)));
    tests
}

fn shows(ifupdown: Ifupdown, name: &str) {
    let _hosts = cards();
    let installed = ifupdown.install(&example(name));
    installed.ifup("-a").ok();
    settle();
    let shown = compared(&installed);
    let named: BTreeSet<&str> =
        list(&shown["namespaces"]).filter_map(|within| within["namespace"].as_str()).collect();
    let listed = command(&format!("ls {}", installed.path("/run/netns").display())).stdout;
    assert_eq!(named, listed.lines().collect());
    for netns in named {
        assert!(wide(&installed, "show").contains(&format!("namespace {netns} ours\n")), "{netns}");
    }
    installed.ifdown("-a");
}

/// The kernel shows the tables of nf_tables to root only. Every user sees the links, also if there are tables.
fn without_root() {
    command("nft add table inet other").ok();
    ip("link add v0 type veth peer name v1");
    let program = program("ifnetlink");
    let ran = run(&mut by_nobody(&[program.to_str().unwrap(), "show"])).quiet();
    assert!(ran.stdout.contains("v0") && ran.stdout.contains("veth, peer v1"), "{ran}");
}

/// Links of many kinds, with addresses, made by hand.
fn every_link(ifupdown: Ifupdown) {
    let _hosts = cards();
    let installed = ifupdown.install("auto lo\niface lo\n");
    for words in [
        "netns add guest",
        "addr add 203.0.113.7/24 dev eth0",
        "addr add 10.255.0.1/32 dev lo",
        "link add br0 up type bridge vlan_filtering 1",
        "addr add 192.0.2.1/24 dev br0",
        "addr add fe80::1/64 dev br0",
        "link set eth1 master br0 up",
        "addr add 198.51.100.9/24 dev eth1",
        "link add link br0 name br0.100 up type vlan id 100",
        "addr add 10.1.0.1/24 dev br0.100",
        "link add red up type vrf table 10",
        "addr add 127.0.0.1/8 dev red",
        "link set eth2 master red up",
        "addr add 10.2.0.1/24 dev eth2",
        "addr add fd00:2::1/64 dev eth2 nodad",
        "link add br1 up master red type bridge",
        "addr add 10.3.0.1/24 dev br1",
        "link add tap0 up master br1 type dummy",
        "link add v0 up type veth peer name eth0 netns guest",
        "addr add 10.4.0.1/24 dev v0",
        "addr add 10.5.0.1 peer 10.5.0.2/32 dev v0",
        "-n guest addr add 10.4.0.2/24 dev eth0",
        "-n guest link add red type vrf table 20",
        "route add default via 10.2.0.254 vrf red",
        "-6 route add unreachable default metric 4278198272 vrf red",
        "rule add pref 100 to 10.9.0.0/16 lookup 10",
        "-6 rule add pref 2000 l3mdev unreachable",
        "rule add pref 2000 l3mdev unreachable",
    ] {
        by_hand(&installed, words);
    }
    // Protocols with a name in iproute2's list, and without one.
    for number in (4..=20).chain([42, 73, 84, 99, 186, 192, 200, 255]) {
        by_hand(&installed, &format!("route add blackhole 10.99.0.{number}/32 proto {number} vrf red"));
    }
    settle();
    let shown = compared(&installed);
    let here = &shown["namespaces"][0];
    let link = |name: &str| list(&here["links"]).find(|link| link["name"] == name).cloned().expect("a link");
    assert_eq!(link("br0.100")["lower"], json!({"namespace": null, "name": "br0"}));
    assert_eq!(link("v0")["peer"], json!({"namespace": "guest", "name": "eth0"}));
    assert!(list(&link("br0")["addresses"]).any(|address| address == "fe80::1/64"), "set by hand");
    let text = wide(&installed, "show");
    for line in ["  br0.100  up", "vlan on br0", "veth, peer eth0 in guest", "veth, peer v0 outside"] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let both = text.lines().filter(|line| line.contains(" 2000 ")).collect::<Vec<_>>();
    assert_eq!(both.len(), 1, "{text}");
    assert!(both[0].contains("l3mdev unreachable") && both[0].ends_with("ipv4 ipv6"), "{text}");
}

fn names_and_filters(ifupdown: Ifupdown) {
    let _hosts = cards();
    let installed = ifupdown.install("auto lo\niface lo\n");
    for words in [
        "netns add guest",
        "link add red up type vrf table 10",
        "link set eth1 master red up",
        "link add br0 up type bridge",
        "link set eth2 master br0",
        "link add link br0 name br0.7 type vlan id 7",
        "link add v0 up type veth peer name eth0 netns guest",
        "link property add dev eth3 altname enp9s0",
    ] {
        by_hand(&installed, words);
    }
    // A second name.
    let netns = installed.path("/run/netns");
    std::os::unix::fs::symlink("guest", netns.join("visitor")).unwrap();
    for name in ["visitor", "--netns visitor"] {
        assert_eq!(wide(&installed, &format!("show {name}")), wide(&installed, "show guest"), "{name}");
    }
    std::fs::remove_file(netns.join("visitor")).unwrap();
    for (arguments, links) in [
        ("eth3", "/eth3"),
        ("enp9s0", "/eth3"),
        ("red", "/eth1 /red"),
        ("--vrf red", "/eth1 /red"),
        ("br0", "/br0 /br0.7 /eth2"),
        ("guest eth3", "/eth3 guest/eth0 guest/lo"),
        ("--netns guest", "guest/eth0 guest/lo"),
        ("--netns guest eth0", "guest/eth0"),
    ] {
        let shown = valid("show", &installed.ifnetlink(&format!("show --json {arguments}")).quiet().stdout);
        let born = born_with_a_namespace();
        let links_of = |within: &Value| {
            let netns = within["namespace"].as_str().unwrap_or_default().to_owned();
            let names = names(list(&within["links"]), "name");
            names
                .into_iter()
                .filter(|name| !born.contains(name))
                .map(move |name| format!("{netns}/{name}"))
                .collect::<Vec<_>>()
        };
        let found: Vec<String> = list(&shown["namespaces"]).flat_map(links_of).collect();
        assert_eq!(found.join(" "), links, "{arguments}");
        let text = wide(&installed, &format!("show {arguments}"));
        let drawn =
            |name: &str| text.lines().any(|line| line.split_whitespace().take(2).any(|word| word == name));
        for name in
            links.split(' ').filter_map(|link| link.split('/').next_back()).filter(|name| *name != "lo")
        {
            assert!(drawn(name), "{arguments}: {name}: {text}");
        }
        assert!(!drawn("v0"), "{arguments}: {text}");
    }
    for (arguments, errors) in [
        ("nil", "ifnetlink: nil: there is no interface or namespace of that name\n"),
        ("--vrf eth3", "ifnetlink: eth3: there is no VRF of that name\n"),
        ("--netns nil", "ifnetlink: nil: there is no namespace of that name\n"),
        ("--netns guest eth3", "ifnetlink: eth3: there is no interface or namespace of that name\n"),
    ] {
        for format in ["", "--json ", "--dot "] {
            let ran = installed.ifnetlink(&format!("show {format}{arguments}"));
            assert_eq!(
                (ran.status, ran.stdout.as_str(), ran.stderr.as_str()),
                (1, "", errors),
                "{arguments}"
            );
        }
    }
}

/// On a terminal: as wide as it is, and with a legend.
fn on_a_terminal(ifupdown: Ifupdown) {
    let _hosts = cards();
    let installed = ifupdown.install("auto lo\niface lo\n");
    ip("link add br0 up type bridge vlan_filtering 1 vlan_default_pvid 0");
    ip("link set eth0 master br0 up");
    for vid in (100..200).step_by(2) {
        command(&format!("bridge vlan add dev eth0 vid {vid}")).ok();
    }
    let show = |before: &str| {
        let program = format!("{before} chroot {} /mnt/ifnetlink show", installed.path("/").display());
        let ran = run(Command::new("script").args(["-qec", &program, "/dev/null"]).env_remove("COLUMNS"));
        assert_eq!(ran.status, 0, "{ran}");
        ran.stdout.replace('\r', "")
    };
    let longest = |text: &str| text.lines().map(|line| line.chars().count()).max().unwrap_or_default();
    for columns in [50, 70, 120] {
        let text = show(&format!("stty cols {columns}; NO_COLOR=1"));
        assert!((columns - 6..=columns).contains(&longest(&text)), "{columns}: {text}");
        assert!(text.contains("\n  T  frames of this VLAN leave tagged\n"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }
    let text = show("stty cols 120; COLUMNS=60 NO_COLOR=1");
    assert!((54..=60).contains(&longest(&text)), "{text}");
    assert!(show("stty cols 120;").contains("\u{1b}[1mbridge br0"), "colours");
    let file = installed.ifnetlink("show").quiet().stdout;
    assert!((74..=80).contains(&longest(&file)), "{file}");
    assert!(!file.contains("leave tagged") && !file.contains('\u{1b}'), "{file}");
}

/// `ip` with these words, in the root, whose namespaces have names of their own.
fn by_hand(installed: &Installed, words: &str) {
    command(&format!("chroot {} ip {words}", installed.path("/").display())).ok();
}

/// The text for a wide terminal: each link and all its addresses in one line.
fn wide(installed: &Installed, arguments: &str) -> String {
    run(installed.ifnetlink_command(arguments).env("COLUMNS", "1000")).quiet().stdout
}

/// What is shown as JSON, after all of it was compared with `ip` and `bridge`, and the text too.
fn compared(installed: &Installed) -> Value {
    let shown = valid("show", &installed.ifnetlink("show --json").quiet().stdout);
    let born = born_with_a_namespace();
    for within in list(&shown["namespaces"]) {
        match within["namespace"].as_str() {
            None => facts(within, &wide(installed, "show"), &born),
            Some(netns) => {
                let text = wide(installed, &format!("show --netns {netns}"));
                Netns::at(&installed.path("/run/netns").join(netns)).within(|| facts(within, &text, &born));
            }
        }
    }
    shown
}

fn list(value: &Value) -> std::slice::Iter<'_, Value> {
    value.as_array().unwrap_or_else(|| panic!("no list: {value}")).iter()
}

fn names<'a>(values: impl IntoIterator<Item = &'a Value>, key: &str) -> BTreeSet<String> {
    values.into_iter().map(|value| value[key].as_str().unwrap().to_owned()).collect()
}

fn words(value: &Value) -> BTreeSet<String> {
    list(value).map(|word| word.as_str().unwrap().to_owned()).collect()
}

/// What is shown of the calling thread's namespace.
fn facts(within: &Value, text: &str, born: &BTreeSet<String>) {
    let kernel = ip_json("-d addr");
    assert_eq!(names(list(&within["links"]), "name"), names(&kernel, "ifname"));
    for found in &kernel {
        let link = list(&within["links"]).find(|link| link["name"] == found["ifname"]).unwrap();
        one_link(link, found, text, born);
    }
    let vrfs = &within["vrfs"];
    let links = ip_json("-d link show type vrf");
    assert_eq!(names(list(vrfs), "name"), names(&links, "ifname"));
    for link in &links {
        let vrf = list(vrfs).find(|vrf| vrf["name"] == link["ifname"]).unwrap();
        one_vrf(vrf, link, text);
    }
    for (family, option) in [("ipv4", "-4"), ("ipv6", "-6")] {
        let kernel: Vec<(Value, Value)> = ip_json(&format!("-d {option} rule"))
            .iter()
            .map(|rule| (rule["priority"].clone(), rule["protocol"].clone()))
            .collect();
        let of_family = |rule: &&Value| list(&rule["families"]).any(|known| known == family);
        let shown: Vec<(Value, Value)> = list(&within["rules"])
            .filter(of_family)
            .map(|rule| (rule["priority"].clone(), rule["protocol"].clone()))
            .collect();
        assert_eq!(shown, kernel, "{family}");
    }
    let bridges = ip_json("-d link show type bridge");
    assert_eq!(names(list(&within["bridges"]), "name"), names(&bridges, "ifname"));
    for bridge in list(&within["bridges"]) {
        let name = bridge["name"].as_str().unwrap();
        let data = &bridges.iter().find(|link| link["ifname"] == name).unwrap()["linkinfo"]["info_data"];
        assert_eq!(bridge["vlan_filtering"], data["vlan_filtering"] == 1, "{name}");
        assert_eq!(
            bridge["vlan_default_pvid"].as_u64().unwrap_or_default(),
            data["vlan_default_pvid"],
            "{name}"
        );
        let ports = words(&bridge["ports"]);
        assert_eq!(ports, names(&ip_json(&format!("link show master {name}")), "ifname"), "{name}");
        for name in ports.iter().map(String::as_str).chain([name]) {
            let link = list(&within["links"]).find(|link| link["name"] == name).unwrap();
            assert_eq!(vlans(&link["vlans"]), crate::bridges::vlans(name), "{name}");
        }
    }
}

/// A link, compared with what `ip -d addr` lists, and its line in the text.
fn one_link(link: &Value, found: &Value, text: &str, born: &BTreeSet<String>) {
    let name = found["ifname"].as_str().unwrap();
    let kind = found["linkinfo"]["info_kind"].clone();
    let up = list(&found["flags"]).any(|flag| flag == "UP");
    let expected = json!({ "kind": kind, "up": up, "mtu": found["mtu"], "master": found["master"] });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&link[key], value, "{name}: {key}");
    }
    // Tunnels that the kernel makes have no address.
    if found["link_type"] == "ether" && found["address"] != "00:00:00:00:00:00" {
        assert_eq!(link["mac"], found["address"], "{name}");
    }
    if let Some(other) = found["link"].as_str() {
        let refers = if kind == "veth" { &link["peer"] } else { &link["lower"] };
        assert_eq!(refers["name"], other, "{name}");
    }
    let by_user = |address: &&Value| address["protocol"] != "kernel_ll";
    let kernel: BTreeSet<String> = list(&found["addr_info"])
        .filter(by_user)
        .map(|address| format!("{}/{}", address["local"].as_str().unwrap(), address["prefixlen"]))
        .collect();
    assert_eq!(words(&link["addresses"]), kernel, "{name}");
    let usual = BTreeSet::from(["127.0.0.1/8".to_owned(), "::1/128".to_owned()]);
    let unused = born.contains(name) && !up && kernel.is_empty();
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| {
            let mut words = line.split_whitespace();
            let first = words.next();
            first == Some(name) || (matches!(first, Some("VRF" | "bridge")) && words.next() == Some(name))
        })
        .collect();
    if unused || (name == "lo" && up && kernel.is_subset(&usual)) {
        assert_eq!(lines, [""; 0], "{text}");
        return;
    }
    let has_all = |line: &&str| {
        let words: BTreeSet<&str> = line.split_whitespace().collect();
        words.contains(if up { "up" } else { "down" })
            && kernel.iter().all(|address| words.contains(address.as_str()))
    };
    assert!(lines.iter().any(has_all), "{name} with {kernel:?}: {text}");
}

/// A VRF, compared with what `ip -d link` and `ip -d route` list.
fn one_vrf(vrf: &Value, link: &Value, text: &str) {
    let name = vrf["name"].as_str().unwrap();
    let table = &link["linkinfo"]["info_data"]["table"];
    assert_eq!(&vrf["table"], table, "{name}");
    assert_eq!(
        words(&vrf["members"]),
        names(&ip_json(&format!("link show master {name}")), "ifname"),
        "{name}"
    );
    let mut kernel = BTreeSet::new();
    for (option, any) in [("-4", "0.0.0.0"), ("-6", "::")] {
        for route in ip_json(&format!("-d {option} route show table {table}")) {
            let kind = route["type"].as_str().unwrap_or("unicast");
            if !["unicast", "unreachable", "blackhole", "prohibit"].contains(&kind) {
                continue;
            }
            let to = route["dst"].as_str().unwrap();
            let (to, host) = (if to == "default" { any } else { to }, if option == "-4" { 32 } else { 128 });
            let length = if route["dst"] == "default" { 0 } else { host };
            let to = if to.contains('/') { to.to_owned() } else { format!("{to}/{length}") };
            let part = |key: &str| route[key].as_str().unwrap_or_default().to_owned();
            // `ip` shows `lo` for IPv6 routes that are not unicast.
            let dev = if kind == "unicast" { part("dev") } else { String::new() };
            kernel.insert([kind, &to, &part("gateway"), &dev, &part("protocol")].join(" "));
        }
    }
    let shown: BTreeSet<String> = list(&vrf["routes"])
        .map(|route| {
            let part = |key: &str| route[key].as_str().unwrap_or_default();
            ["kind", "prefix", "via", "dev", "protocol"].map(part).join(" ")
        })
        .collect();
    assert_eq!(shown, kernel, "{name}");
    let state = if list(&link["flags"]).any(|flag| flag == "UP") { "up" } else { "down" };
    assert!(text.contains(&format!("VRF {name} table {table} {state}")), "{name}: {text}");
}

/// The VLANs of a link as bridge(8) prints them.
fn vlans(shown: &Value) -> Vec<String> {
    let range = |range: &Value| {
        let flag = |key: &str, word: &str| if range[key] == true { word.to_owned() } else { String::new() };
        let end = if range["first"] == range["last"] { String::new() } else { format!("-{}", range["last"]) };
        let words =
            [format!("{}{end}", range["first"]), flag("pvid", "PVID"), flag("untagged", "Egress Untagged")];
        words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    };
    list(shown).map(range).collect()
}

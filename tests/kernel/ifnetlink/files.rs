//! Random interfaces files that are right, and random edits of them.
//!
//! A file is a list of numbers. Each decides about one line of one stanza, and what the line would say depends on the
//! other numbers, so that every file is right: a line that names a VRF is left out if the file has no such VRF. An edit
//! changes some of the numbers.

use crate::random::Random;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// All interfaces, in an order in which none depends on a later one.
pub const LINKS: [&str; 13] =
    ["red", "blue", "br0", "br1", "eth0", "eth1", "eth2", "eth3", "v1", "v2", "d1", "eth0.5", "br0.7"];
/// The cards that exist.
pub const CARDS: [&str; 4] = ["eth0", "eth1", "eth2", "eth3"];
/// The namespaces.
const NAMESPACES: [&str; 2] = ["net-a", "net-b"];

/// What a number decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum About {
    Presence,
    Master,
    Addresses,
    Gateway,
    Mtu,
    Routes,
    Forwarding,
    Vlans,
    Port,
    Requires,
    Peer,
    PeerPlace,
    Inside,
}

/// All of them.
const ALL: [About; 13] = [
    About::Presence,
    About::Master,
    About::Addresses,
    About::Gateway,
    About::Mtu,
    About::Routes,
    About::Forwarding,
    About::Vlans,
    About::Port,
    About::Requires,
    About::Peer,
    About::PeerPlace,
    About::Inside,
];

/// An interfaces file.
#[derive(Debug, Clone)]
pub struct File {
    numbers: BTreeMap<(&'static str, About), usize>,
    /// What VRFs share: the layout of the rules, and the services that accept from all.
    shared: [usize; 2],
    /// The place of the stanza that comes first.
    first: usize,
}

/// One of these, by a number.
fn one<T: Copy>(number: usize, of: &[T]) -> T {
    of[number % of.len()]
}

/// Some of these lines of a list, by the bits of a number.
fn some(number: usize, of: &[String]) -> Vec<String> {
    of.iter().enumerate().filter(|(bit, _)| number >> bit & 1 == 1).map(|(_, line)| line.clone()).collect()
}

impl File {
    /// A random one.
    pub fn new(random: &mut Random) -> Self {
        let mut file = Self { numbers: BTreeMap::new(), shared: [0; 2], first: 0 };
        for link in LINKS {
            file.change_all(link, random);
        }
        file.shared = [(); 2].map(|()| random.below(64));
        file
    }

    fn change_all(&mut self, link: &'static str, random: &mut Random) {
        self.numbers.extend(ALL.map(|about| ((link, about), random.below(1 << 16))));
    }

    /// Another file, by one or a few changes.
    pub fn edited(&self, random: &mut Random) -> Self {
        let before = self.to_string();
        loop {
            let mut file = self.clone();
            for _ in 0..=random.below(3) {
                file.edit(random);
            }
            if file.to_string() != before {
                return file;
            }
        }
    }

    fn edit(&mut self, random: &mut Random) {
        let link = random.one(&LINKS);
        match random.below(24) {
            0 => self.shared[0] = random.below(64),
            1 => self.shared[1] = random.below(64),
            2 => self.first = random.below(LINKS.len()),
            3 | 4 => self.change_all(link, random),
            5 if random.rarely(4) => *self = Self::new(random),
            _ => drop(self.numbers.insert((link, random.one(&ALL)), random.below(1 << 16))),
        }
    }

    fn number(&self, link: &'static str, about: About) -> usize {
        self.numbers[&(link, about)]
    }

    /// Whether the file has a stanza of this name.
    fn has(&self, link: &'static str) -> bool {
        let here = self.number(link, About::Presence) % 4 != 0;
        match link {
            "eth0.5" => here && self.has("eth0") && self.netns("eth0").is_none(),
            "br0.7" => here && self.has("br0"),
            _ => here,
        }
    }

    /// The names of its stanzas.
    pub fn names(&self) -> Vec<&'static str> {
        LINKS.into_iter().filter(|link| self.has(link)).collect()
    }

    /// Where an interface belongs: a VRF, a bridge or a namespace.
    fn place(&self, link: &'static str) -> Option<&'static str> {
        let places: &[&str] = match link {
            "red" | "blue" => &[""],
            "br0" | "br1" | "br0.7" => &["", "", "red", "blue"],
            "v1" | "v2" => &["", "red", "blue", "br0", "br1"],
            "eth0.5" => &["", "red", "blue", "br1"],
            _ => &["", "red", "blue", "br0", "br1", "net-a", "net-b"],
        };
        let place = one(self.number(link, About::Master), places);
        let is_here = NAMESPACES.contains(&place) || (!place.is_empty() && self.has(place));
        is_here.then_some(place)
    }

    fn netns(&self, link: &'static str) -> Option<&'static str> {
        self.place(link).filter(|place| NAMESPACES.contains(place))
    }

    fn vrf(&self, link: &'static str) -> Option<&'static str> {
        self.place(link).filter(|place| ["red", "blue"].contains(place))
    }

    fn bridge(&self, link: &'static str) -> Option<&'static str> {
        self.place(link).filter(|place| place.starts_with("br"))
    }

    /// Where the peer of a pair is; `None` for this namespace.
    fn peer_netns(&self, link: &'static str) -> Option<&'static str> {
        let place = one(self.number(link, About::PeerPlace), &["", "net-a", "net-b"]);
        (!place.is_empty()).then_some(place)
    }

    fn is_filtering(&self, bridge: &'static str) -> bool {
        self.number(bridge, About::Vlans) % 3 != 0
    }

    /// Whether a bridge names its ports.
    fn names_ports(&self, bridge: &'static str) -> bool {
        self.number(bridge, About::Port) % 3 == 0
    }

    /// Whether an interface, or the peer of one, may have the default route of its namespace.
    fn owns_default(&self, link: &'static str) -> bool {
        let place =
            |link| if link == "v1" || link == "v2" { self.peer_netns(link) } else { self.netns(link) };
        place(link).is_some()
            && LINKS.into_iter().find(|other| self.has(other) && place(other) == place(link)) == Some(link)
    }

    /// The tables of the VRFs.
    fn table(&self, vrf: &'static str) -> usize {
        let [red, blue] = ["red", "blue"].map(|vrf| self.number(vrf, About::Vlans) % 3);
        if vrf == "red" { 10 + red } else { 10 + if red == blue { (blue + 1) % 3 } else { blue } }
    }

    fn lines(&self, link: &'static str) -> Vec<String> {
        let n = LINKS.into_iter().position(|name| name == link).unwrap();
        let number = |about| self.number(link, about);
        let mut lines = Vec::new();
        let mut add = |text: &str| lines.push(text.to_owned());
        match link {
            "red" | "blue" => self.of_vrf(link, &mut add),
            "br0" | "br1" => self.of_bridge(link, n, &mut add),
            "v1" | "v2" => self.of_pair(link, n, &mut add),
            "d1" => {
                add("link-type dummy");
                add("hwaddress 02:00:00:00:00:d1");
            }
            _ => {}
        }
        if self.netns(link).is_some() {
            self.of_moved(link, n, &mut add);
        } else if let Some(bridge) = self.bridge(link) {
            self.of_port(link, n, bridge, &mut add);
        } else if !["red", "blue"].contains(&link) {
            self.of_host(link, n, &mut add);
        }
        if ["eth2", "eth3", "v1", "d1"].contains(&link) && self.place(link) != Some("br0") {
            match number(About::Mtu) % 4 {
                0 => add("mtu 1400"),
                1 => add("mtu 1450"),
                _ => {}
            }
        }
        if CARDS.contains(&link) && number(About::Mtu) / 4 % 4 == 0 {
            add(&format!("hwaddress 02:00:00:00:77:{n:02x}"));
        }
        let other = one(number(About::Requires), &LINKS);
        if number(About::Requires) / 16 % 6 == 0
            && LINKS[..n].contains(&other)
            && self.has(other)
            && !(other.starts_with("br") && self.names_ports(other))
            && !lines.iter().any(|line| line.starts_with("bridge-ports"))
        {
            lines.push(format!("requires {other}"));
        }
        lines
    }

    /// Addresses, and gateways on their prefixes.
    fn addresses(&self, link: &'static str, n: usize) -> [Vec<String>; 2] {
        let number = |about| self.number(link, about);
        let all = [
            format!("10.0.{n}.1/24"),
            format!("fd00:{n}::1/64"),
            format!("10.0.{n}.2/24"),
            format!("192.168.{n}.1/32"),
            format!("fd00:{n}::2/64"),
        ];
        let addresses = some(number(About::Addresses), &all);
        let mut gateways = Vec::new();
        if number(About::Addresses) & 0b101 != 0 && number(About::Gateway) % 4 == 1 {
            gateways.push(format!("10.0.{n}.254"));
        }
        if number(About::Addresses) & 0b1_0010 != 0 && number(About::Gateway) / 4 % 4 == 1 {
            gateways.push(format!("fd00:{n}::fe"));
        }
        [addresses, gateways]
    }

    /// Whether it has an IPv4 address on whose prefix a gateway is.
    fn has_prefix(&self, link: &'static str) -> bool {
        self.number(link, About::Addresses) & 0b101 != 0
    }

    fn of_moved(&self, link: &'static str, n: usize, add: &mut impl FnMut(&str)) {
        let number = |about| self.number(link, about);
        let [addresses, gateways] = self.addresses(link, n);
        add("use netns");
        add(&format!("netns {}", self.netns(link).unwrap_or_default()));
        if number(About::Inside) % 2 == 1 {
            add(&format!("netns-ifname lan{n}"));
        }
        list("netns-address", &addresses, add);
        if self.owns_default(link) {
            list("netns-gateway", &gateways, add);
        }
        let all = [format!("unreachable 10.{}.0.0/16", 40 + n), via(3, n)];
        let mut routes = some(number(About::Routes), &all);
        routes.retain(|route| self.has_prefix(link) || !route.contains("via"));
        list("netns-route", &routes, add);
        let sysctls = ["net.ipv4.ip_forward=1", "net.ipv4.ip_default_ttl=65"].map(str::to_owned);
        list("netns-sysctl", &some(number(About::Inside) / 2, &sysctls), add);
    }

    fn of_host(&self, link: &'static str, n: usize, add: &mut impl FnMut(&str)) {
        let number = |about| self.number(link, about);
        let vrf = self.vrf(link);
        let [addresses, gateways] = self.addresses(link, n);
        if let Some(vrf) = vrf {
            add(&format!("vrf-member {vrf}"));
        }
        for address in addresses {
            add(&format!("address {address}"));
        }
        for gateway in &gateways {
            add(&format!("gateway {gateway}"));
        }
        if !gateways.is_empty() {
            add(&format!("metric {}", 10 + n));
        }
        let mut routes = vec![format!("10.{}.0.0/16 dev {link} table main", 80 + n)];
        routes.extend(vrf.map(|_| format!("10.{}.0.0/16 dev {link}", 60 + n)));
        if self.has_prefix(link) {
            let onlink = vrf.map_or_else(String::new, |_| format!(" dev {link} onlink"));
            routes.push(format!("{}{onlink} table main", via(2, n)));
            routes.extend(vrf.map(|_| via(1, n)));
            let others = ["red", "blue"].into_iter().filter(|other| self.has(other) && vrf != Some(other));
            routes.extend(others.map(|other| format!("{} dev {link} onlink vrf {other}", via(5, n))));
        }
        list("vrf-route", &some(number(About::Routes), &routes), add);
        if number(About::Forwarding) % 5 == 1 {
            add("forward-ipv4 yes");
        }
        if number(About::Forwarding) / 5 % 6 == 1 {
            add(&format!("alias uplink {n}"));
        }
    }

    fn of_vrf(&self, link: &'static str, add: &mut impl FnMut(&str)) {
        let number = |about| self.number(link, about);
        add(&format!("vrf-table {}", self.table(link)));
        if number(About::Port) % 4 != 0 {
            add(&format!("vrf-rules {}", one(self.shared[0], &["yes", "jump"])));
        }
        let accept = one(self.shared[1], &["none", "tcp", "tcp udp raw"]);
        if number(About::Mtu) % 3 == 0 {
            add(&format!("vrf-accept {accept}"));
        }
        let routes =
            ["unreachable default metric 4278198272", "blackhole 10.200.0.0/16", "unreachable fd66::/32"]
                .map(str::to_owned);
        list("vrf-route", &some(number(About::Routes), &routes), add);
    }

    fn of_bridge(&self, link: &'static str, n: usize, add: &mut impl FnMut(&str)) {
        let number = |about| self.number(link, about);
        if self.names_ports(link) {
            let ports: Vec<_> =
                LINKS.into_iter().filter(|port| self.has(port) && self.bridge(port) == Some(link)).collect();
            add(&format!(
                "bridge-ports {}",
                if ports.is_empty() { "none".to_owned() } else { ports.join(" ") }
            ));
        }
        add(&format!("bridge-hw 02:00:00:00:00:b{n:x}"));
        if self.is_filtering(link) {
            add("bridge-vlan-filtering yes");
            add(&format!("bridge-default-pvid {}", one(number(About::Peer), &["none", "5", "6"])));
            let vlans = one(number(About::Inside), &["", "7", "7, 10-20", "20 pvid untagged, 7"]);
            if !vlans.is_empty() {
                add(&format!("bridge-vlan {vlans}"));
            }
        }
        for (bit, text) in
            ["bridge-ageing 100", "bridge-fd 4", "bridge-bridgeprio 4096"].into_iter().enumerate()
        {
            if (number(About::Mtu) >> (2 * bit)) % 4 == 0 {
                add(text);
            }
        }
    }

    fn of_port(&self, link: &'static str, n: usize, bridge: &'static str, add: &mut impl FnMut(&str)) {
        let number = |about| self.number(link, about);
        if !self.names_ports(bridge) {
            add(&format!("bridge-member {bridge}"));
        }
        let vlans = one(
            number(About::Vlans),
            &["", "10 pvid untagged", "10 untagged, 20-29, 40", "30 pvid untagged, 10"],
        );
        let has_vlans = self.is_filtering(bridge) && !vlans.is_empty();
        if has_vlans {
            add(&format!("bridge-vlan {vlans}"));
        }
        for (bit, text) in
            ["bridge-isolated yes", "bridge-learning no", "bridge-pathcost 7"].into_iter().enumerate()
        {
            if (number(About::Port) >> (2 * bit)) % 4 == 0 {
                add(text);
            }
        }
        if (number(About::Port) >> 6) % 4 == 0 && (has_vlans || !self.is_filtering(bridge)) {
            let vlan = if has_vlans { " vlan 10" } else { "" };
            add(&format!("bridge-fdb 02:00:00:00:0f:{n:02x}{vlan}"));
        }
    }

    fn of_pair(&self, link: &'static str, n: usize, add: &mut impl FnMut(&str)) {
        let number = |about| self.number(link, about);
        add(&format!("hwaddress 02:00:00:00:01:{n:02x}"));
        add(&format!("veth-peer {}", one(number(About::Peer), &["in", "inside"]).to_owned() + &link[1..]));
        add(&format!("veth-peer-hwaddress 02:00:00:00:02:{n:02x}"));
        if number(About::Peer) / 2 % 5 == 0 {
            add("veth-peer-mtu 1300");
        }
        let peer_addresses =
            some(number(About::Inside), &[format!("10.0.{n}.3/24"), format!("fd00:{n}::3/64")]);
        let Some(netns) = self.peer_netns(link) else { return };
        add(&format!("veth-peer-netns {netns}"));
        list("veth-peer-address", &peer_addresses, add);
        let has_v4 = number(About::Inside) & 1 == 1;
        if self.owns_default(link) && has_v4 && number(About::Inside) >> 2 & 1 == 1 {
            add(&format!("veth-peer-gateway 10.0.{n}.1"));
        }
        if has_v4 && number(About::Inside) >> 3 & 1 == 1 {
            add(&format!("veth-peer-route 10.{}.0.0/16 via 10.0.{n}.9", 180 + n));
        }
    }
}

/// A route over a gateway of the interface with this number.
fn via(k: usize, n: usize) -> String {
    format!("10.{}.0.0/16 via 10.0.{n}.254", 20 * k + n)
}

/// A line of a list, unless the list is empty.
fn list(keyword: &str, entries: &[String], add: &mut impl FnMut(&str)) {
    if !entries.is_empty() {
        add(&format!("{keyword} {}", entries.join(", ")));
    }
}

impl std::fmt::Display for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("auto lo\niface lo inet loopback\n")?;
        let (before, after) = LINKS.split_at(self.first % LINKS.len());
        for link in after.iter().chain(before).copied().filter(|link| self.has(link)) {
            let mut text = format!("\nauto {link}\niface {link}\n");
            for line in self.lines(link) {
                let _ = writeln!(text, "    {line}");
            }
            f.write_str(&text)?;
        }
        Ok(())
    }
}

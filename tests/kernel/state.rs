//! Everything in a network namespace that stanzas could change, to be compared before and after.

use crate::ifupdown::{Installed, Way};
use crate::lab::{Netns, ip, ip_two_lists, settle};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

/// Lines by topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State(BTreeMap<&'static str, Vec<String>>);

impl State {
    /// Links, addresses, rules, routes and l3mdev sysctls of the calling thread's namespace. Left out are indexes and
    /// the kernel's own rule 1000, which cannot be restored.
    pub fn now() -> Self {
        let mut all = BTreeMap::new();
        let [links, addresses] = ip_two_lists(&["-d"], ["link", "addr"]);
        let [ipv4, ipv6] =
            ["-4", "-6"].map(|family| ip_two_lists(&[family], ["rule", "route show table all"]));
        let ([rules4, routes4], [rules6, routes6]) = (ipv4, ipv6);
        for (about, found) in [
            ("links", links),
            ("addresses", addresses),
            ("IPv4 rules", rules4),
            ("IPv6 rules", rules6),
            ("IPv4 routes", routes4),
            ("IPv6 routes", routes6),
        ] {
            let mut seen: Vec<_> = found.into_iter().filter_map(without_noise).collect();
            // The kernel lists links in the order of a hash table of their indexes; the order of rules has a meaning.
            if !about.ends_with("rules") {
                seen.sort_unstable();
            }
            all.insert(about, seen);
        }
        all.insert("sysctls", sysctls());
        all.insert("namespaces", names(Path::new("/run/netns")));
        Self(all)
    }

    /// The same, with the files below `/run` of an installation, without ifupdown-ng's own files.
    pub fn with_run(installed: &Installed) -> Self {
        let mut state = Self::now();
        state.0.insert("files", files_in_run(&installed.path("/run")));
        state
    }

    /// The same, with what is in the named namespaces of the installation, and without what depends on time.
    pub fn with_namespaces(installed: &Installed) -> Self {
        settle();
        let mut state = Self::with_run(installed);
        let directory = installed.path("/run/netns");
        for name in names(&directory) {
            let inside = Netns::at(&directory.join(&name)).within(|| {
                settle();
                Self::now()
            });
            state.join(&name, inside);
        }
        state.without_time(&[])
    }

    /// The same without the carriers of links, which the routes over them show too: a bridge that had a port has none until
    /// it has a port again, and one that never had a port has one.
    pub fn without_carriers(mut self) -> Self {
        for (about, lines) in &mut self.0 {
            for line in lines.iter_mut() {
                *line = line
                    .replace("\"NO-CARRIER\",", "")
                    .replace(",\"LOWER_UP\"", "")
                    .replace("\"operstate\":\"DOWN\"", "\"operstate\":\"UNKNOWN\"")
                    .replace(",\"linkdown\"", "")
                    .replace("[\"linkdown\"]", "[]");
            }
            if !about.ends_with("rules") {
                lines.sort_unstable();
            }
        }
        self
    }

    /// The same without the files whose names begin so.
    pub fn without_files(mut self, prefix: &str) -> Self {
        let files = self.0.get_mut("files").into_iter();
        files.for_each(|files| files.retain(|line| !line.contains(&format!("/{prefix}"))));
        self
    }

    /// The same with another text in all lines.
    pub fn replace(self, from: &str, to: &str) -> Self {
        self.map(|line| line.replace(from, to))
    }

    /// The same with other lines.
    pub fn map(mut self, change: impl Fn(&str) -> String) -> Self {
        for (about, lines) in &mut self.0 {
            for line in lines.iter_mut() {
                *line = change(line);
            }
            if !about.ends_with("rules") {
                lines.sort_unstable();
            }
        }
        self
    }

    /// The same without one topic.
    pub fn without(mut self, about: &str) -> Self {
        self.0.remove(about);
        self
    }

    /// Adds other lines.
    pub fn add(&mut self, about: &'static str, mut lines: Vec<String>) {
        lines.sort_unstable();
        self.0.insert(about, lines);
    }

    /// Adds the state of another namespace.
    pub fn join(&mut self, name: &str, other: Self) {
        let lines = self.0.entry("in namespaces").or_default();
        for (about, of) in other.0 {
            lines.extend(of.iter().map(|line| format!("{name}: {about}: {line}")));
        }
    }

    /// The same without what depends on time or on earlier links: link-local addresses, which the kernel adds when a
    /// link gets a carrier, whether an address is still checked, the state of the carrier, the ids of namespaces, the
    /// numbers of ports, and the limits of offloads; and without some links.
    pub fn without_time(mut self, left_out: &[&str]) -> Self {
        for (about, lines) in &mut self.0 {
            lines.retain(|line| {
                !line.contains("\"dst\":\"fe80::")
                    && !line.contains("\"dst\":\"ff00::/8\"")
                    && !left_out.iter().any(|link| line.contains(&format!("\"ifname\":\"{link}\"")))
            });
            for line in lines.iter_mut() {
                let Some(start) = line.find('{') else { continue };
                let Ok(mut object) = serde_json::from_str::<serde_json::Value>(&line[start..]) else {
                    continue;
                };
                // A bridge keeps the limits of the ports that it had (net/bridge/br_if.c `br_features_recompute`).
                for key in ["link_netnsid", "operstate", "tso_max_size", "tso_max_segs"] {
                    object.as_object_mut().unwrap().remove(key);
                }
                if let Some(port) = object["linkinfo"]["info_slave_data"].as_object_mut() {
                    port.retain(|key, _| !["id", "no", "designated_port"].contains(&key.as_str()));
                }
                if let Some(addresses) = object["addr_info"].as_array_mut() {
                    addresses.retain(|address| address["scope"] != "link");
                    for address in addresses.iter_mut().filter_map(|address| address.as_object_mut()) {
                        address.remove("tentative");
                    }
                }
                line.replace_range(start.., &object.to_string());
            }
            if !about.ends_with("rules") {
                lines.sort_unstable();
            }
        }
        self
    }

    /// Takes everything down, and fails if that prints anything or leaves anything.
    #[track_caller]
    pub fn assert_after_ifdown(&self, installed: &Installed) {
        let ran = installed.ifdown("-a").ok();
        // ifupdown-ng may take a VRF down before an interface that depends on it; then the VRF is deleted with that
        // interface.
        let is_kept = |line: &str| line.contains(" is kept, since it has members: ");
        assert!(ran.stderr.lines().all(is_kept), "{ran}");
        // ifupdown-ng does this by itself: it takes `lo` down with the rest.
        ip("link set lo up");
        self.assert_same(&Self::with_run(installed), "after ifdown -a");
    }

    /// The same with the program that brought everything up: `ifdown -a`, or an `apply` of a file without stanzas. (The
    /// records of stanzas that the stock executors take down are left to the next `apply`.)
    #[track_caller]
    pub fn assert_after(&self, way: Way, installed: &Installed) {
        match way {
            Way::Ifup => self.assert_after_ifdown(installed),
            Way::Apply => {
                installed.interfaces("auto lo\niface lo\n");
                installed.ifnetlink("apply -a").ok();
                self.assert_same(&Self::with_run(installed), "after apply of a file without stanzas");
            }
        }
    }

    /// Fails with the differences only.
    #[track_caller]
    pub fn assert_same(&self, now: &Self, when: &str) {
        let difference = self.differences(now);
        assert!(difference.is_empty(), "{when}:\n{}", difference.join("\n"));
    }

    /// What differs, a line each.
    pub fn differences(&self, now: &Self) -> Vec<String> {
        let mut difference = Vec::new();
        for (about, before) in &self.0 {
            let now = now.0.get(about).cloned().unwrap_or_default();
            for (mark, these, those) in [("-", before, &now), ("+", &now, before)] {
                for line in these.iter().filter(|line| !those.contains(line)) {
                    difference.push(format!("{mark} {about}: {line}"));
                }
            }
            if difference.is_empty() && *before != now {
                difference.push(format!("{about}: other order or number\n{before:#?}\n{now:#?}"));
            }
        }
        difference
    }
}

/// Whether a bridge or a port counts this by itself: its timers, and on newer kernels what it has learned.
pub fn counts_by_itself(key: &str) -> bool {
    key.ends_with("_timer") || ["fdb_n_learned", "mcast_n_groups"].contains(&key)
}

pub fn without_noise(mut value: serde_json::Value) -> Option<String> {
    let object = value.as_object_mut()?;
    for data in ["info_data", "info_slave_data"] {
        let info = object.get_mut("linkinfo").and_then(|info| info.get_mut(data));
        if let Some(data) = info.and_then(|data| data.as_object_mut()) {
            data.retain(|key, _| !counts_by_itself(key));
        }
    }
    for key in ["ifindex", "link_index", "valid_life_time", "preferred_life_time", "expires"] {
        object.remove(key);
    }
    // Chosen at random when the link is made.
    if object.get("linkinfo").is_some_and(|info| info["info_kind"] == "vrf" || info["info_kind"] == "bridge")
    {
        object.remove("address");
    }
    // The kernel chooses one at random for the IPv6 tunnels that each namespace has once their module is loaded
    // (net/ipv6/ip6_tunnel.c). No keyword changes the permanent address of a link.
    object.remove("permaddr");
    // A link that never was up in its namespace has none yet; the kernel sets it when the link goes up.
    if object.get("qdisc").is_some_and(|qdisc| qdisc == "noop" || qdisc == "noqueue") {
        object.remove("qdisc");
    }
    if let Some(addresses) = object.get_mut("addr_info").and_then(|list| list.as_array_mut()) {
        for address in addresses.iter_mut().filter_map(|address| address.as_object_mut()) {
            address.remove("valid_life_time");
            address.remove("preferred_life_time");
        }
    }
    let is_kernels = object.get("priority").and_then(serde_json::Value::as_u64) == Some(1000)
        && object.contains_key("l3mdev")
        // `ip rule` prints the protocol of rules that are not the kernel's.
        && !object.contains_key("protocol");
    (!is_kernels).then(|| value.to_string())
}

/// The sysctls that executors write, or could. Only their files are opened: there are thousands of others.
fn sysctls() -> Vec<String> {
    static NAMES: OnceLock<[Vec<String>; 4]> = OnceLock::new();
    let net = Path::new("/proc/sys/net");
    let wanted =
        |name: &String| name.contains("l3mdev") || name.contains("forward") || name.starts_with("accept_");
    // They are the same in each namespace, and for each interface.
    let [ipv4, of_links4, ipv6, of_links6] = NAMES.get_or_init(|| {
        ["ipv4", "ipv4/conf/lo", "ipv6", "ipv6/conf/lo"]
            .map(|directory| names(&net.join(directory)).into_iter().filter(wanted).collect())
    });
    let mut lines = Vec::new();
    let mut read = |directory: &Path, names: &[String]| {
        for path in names.iter().map(|name| directory.join(name)) {
            let value = fs::read_to_string(&path).unwrap_or_default();
            lines.push(format!("{} = {}", path.display(), value.trim_end()));
        }
    };
    read(&net.join("vrf"), &["strict_mode".to_owned()]);
    for (family, own, of_links) in [("ipv4", ipv4, of_links4), ("ipv6", ipv6, of_links6)] {
        read(&net.join(family), own);
        let conf = net.join(family).join("conf");
        for link in names(&conf) {
            read(&conf.join(link), of_links);
        }
    }
    lines
}

/// The names in a directory, in order; none if it does not exist.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    names
}

/// The files below this directory, which is a machine's `/run`, without ifupdown-ng's own.
pub fn files_in_run(run: &Path) -> Vec<String> {
    let mut files = Vec::new();
    list(run, "/run", &mut files);
    files.sort_unstable();
    files
}

fn list(directory: &Path, above: &str, files: &mut Vec<String>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("ifstate") {
            continue;
        }
        // The kernel chooses the inode numbers of namespaces, and our files are named by them.
        let of_netns = ["netns-", "netns:"].into_iter().find(|start| name.starts_with(start));
        let path = format!("{above}/{}", of_netns.map_or(name, |start| format!("{start}INODE")));
        files.push(path.clone());
        if entry.path().is_dir() {
            list(&entry.path(), &path, files);
        }
    }
}

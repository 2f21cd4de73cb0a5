//! Everything in a network namespace that stanzas could change, to be compared before and after.

use crate::ifupdown::Installed;
use crate::lab::{command, ip, ip_json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Lines by topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State(BTreeMap<&'static str, Vec<String>>);

impl State {
    /// Links, addresses, rules, routes and l3mdev sysctls of the calling thread's namespace. Left out are indexes and
    /// the kernel's own rule 1000, which cannot be restored.
    pub fn now() -> Self {
        let mut all = BTreeMap::new();
        for (about, words) in [
            ("links", "-d link"),
            ("addresses", "-d addr"),
            ("IPv4 rules", "-4 rule"),
            ("IPv6 rules", "-6 rule"),
            ("IPv4 routes", "-4 route show table all"),
            ("IPv6 routes", "-6 route show table all"),
        ] {
            let mut lines: Vec<_> = ip_json(words).into_iter().filter_map(without_noise).collect();
            // The kernel lists links in the order of a hash table of their indexes; the order of rules has a meaning.
            if !about.ends_with("rules") {
                lines.sort_unstable();
            }
            all.insert(about, lines);
        }
        let mut sysctls = Vec::new();
        read_sysctls(Path::new("/proc/sys/net"), &mut sysctls);
        all.insert("sysctls", sysctls);
        let mut namespaces: Vec<_> = command("ip netns").ok().stdout.lines().map(str::to_owned).collect();
        namespaces.sort_unstable();
        all.insert("namespaces", namespaces);
        Self(all)
    }

    /// The same, with the files below `/run` of an installation, without ifupdown-ng's own files.
    pub fn with_run(installed: &Installed) -> Self {
        let mut state = Self::now();
        let mut files = Vec::new();
        list(&installed.path("/run"), "/run", &mut files);
        files.sort_unstable();
        state.0.insert("files", files);
        state
    }

    /// The same without the carriers of links: a bridge that had a port has none until it has a port again, and one
    /// that never had a port has one.
    pub fn without_carriers(mut self) -> Self {
        for (about, lines) in &mut self.0 {
            for line in lines.iter_mut() {
                *line = line
                    .replace("\"NO-CARRIER\",", "")
                    .replace("\"operstate\":\"DOWN\"", "\"operstate\":\"UNKNOWN\"");
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

pub fn without_noise(mut value: serde_json::Value) -> Option<String> {
    let object = value.as_object_mut()?;
    // Timers of bridges.
    for data in ["info_data", "info_slave_data"] {
        let info = object.get_mut("linkinfo").and_then(|info| info.get_mut(data));
        if let Some(data) = info.and_then(|data| data.as_object_mut()) {
            data.retain(|key, _| !key.ends_with("_timer"));
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

/// The sysctls that executors write, or could: `sysctl -a` would read a thousand others.
fn read_sysctls(directory: &Path, lines: &mut Vec<String>) {
    let mut entries: Vec<_> = fs::read_dir(directory).into_iter().flatten().flatten().collect();
    entries.sort_by_key(fs::DirEntry::path);
    for entry in entries {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            // Neighbour tables, which exist for every interface, have nothing of ours.
            if name != "neigh" {
                read_sysctls(&path, lines);
            }
        } else if name.contains("l3mdev") || name.contains("forward") || name.starts_with("accept_") {
            let value = fs::read_to_string(&path).unwrap_or_default();
            lines.push(format!("{} = {}", path.display(), value.trim_end()));
        }
    }
}

/// The files below a directory, by their paths from there.
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

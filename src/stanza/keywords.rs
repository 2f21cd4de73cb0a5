//! Keywords that no executor reads: misspelt keywords of this package are errors, other unknown keywords with its
//! prefixes are warnings.
//!
//! An executor sees the keywords of a stanza, but not which other executors read them. So the names are listed here; a
//! test compares them with the tables of the executors.

use crate::stanza::{Problem, Stanza};

/// The keywords of all executors of this package.
pub const OURS: [&str; 61] = [
    "bridge-access",
    "bridge-ageing",
    "bridge-allow",
    "bridge-allow-untagged",
    "bridge-arp-nd-suppress",
    "bridge-bridgeprio",
    "bridge-broadcast-flood",
    "bridge-default-pvid",
    "bridge-fd",
    "bridge-fdb",
    "bridge-hello",
    "bridge-hw",
    "bridge-isolated",
    "bridge-learning",
    "bridge-locked",
    "bridge-maxage",
    "bridge-maxwait",
    "bridge-member",
    "bridge-multicast-flood",
    "bridge-pathcost",
    "bridge-portprio",
    "bridge-ports",
    "bridge-pvid",
    "bridge-stp",
    "bridge-unicast-flood",
    "bridge-vids",
    "bridge-vlan",
    "bridge-vlan-aware",
    "bridge-vlan-filtering",
    "bridge-vlan-protocol",
    "bridge-waitport",
    "netns",
    "netns-address",
    "netns-gateway",
    "netns-ifname",
    "netns-interfaces",
    "netns-keep",
    "netns-route",
    "netns-sysctl",
    "veth-peer",
    "veth-peer-address",
    "veth-peer-gateway",
    "veth-peer-hwaddress",
    "veth-peer-master",
    "veth-peer-mtu",
    "veth-peer-netns",
    "veth-peer-route",
    "veth-peer-up",
    "veth-queues",
    "vrf",
    "vrf-accept",
    "vrf-member",
    "vrf-route",
    "vrf-rules",
    "vrf-rules-family",
    "vrf-rules-l3mdev",
    "vrf-rules-local",
    "vrf-rules-unreachable",
    "vrf-strict-mode",
    "vrf-table",
    "vrf-table-range",
];

/// The keywords of [`OURS`] whose value is a list. All their lines in a stanza count. ifupdown-ng hands over only the
/// last line, so the others are read from the interfaces file.
pub const LISTS: [&str; 14] = [
    "bridge-allow",
    "bridge-fdb",
    "bridge-pathcost",
    "bridge-portprio",
    "bridge-vids",
    "bridge-vlan",
    "netns-address",
    "netns-gateway",
    "netns-route",
    "netns-sysctl",
    "veth-peer-address",
    "veth-peer-gateway",
    "veth-peer-route",
    "vrf-route",
];

/// Keywords with our prefixes that the stock executors, ifupdown2, bridge-utils or Proxmox read, and our executors do
/// not.
const THEIRS: [&str; 31] = [
    "bridge-always-up",
    "bridge-disable-mac-learning",
    "bridge-gcint",
    "bridge-hashel",
    "bridge-hashmax",
    "bridge-igmp-version",
    "bridge-l2protocol-tunnel",
    "bridge-mclmc",
    "bridge-mclmi",
    "bridge-mcmi",
    "bridge-mcqi",
    "bridge-mcqifaddr",
    "bridge-mcqpi",
    "bridge-mcqri",
    "bridge-mcqv4src",
    "bridge-mcrouter",
    "bridge-mcsqc",
    "bridge-mcsqi",
    "bridge-mcstats",
    "bridge-mld-version",
    "bridge-pathcosts",
    "bridge-port-pvids",
    "bridge-port-vids",
    "bridge-portmcfl",
    "bridge-portmcrouter",
    "bridge-portprios",
    "bridge-ports-condone-regex",
    "bridge-trunk",
    "bridge-vlan-vni-map",
    "veth-peer-name",
    "vrf-default-route",
];

/// More keywords of those programs. Users often set them to change what the bridge does, so each one gets a warning.
const NOT_SUPPORTED: [&str; 4] =
    ["bridge-hwaddress", "bridge-mcquerier", "bridge-mcsnoop", "bridge-vlan-stats"];

/// The first words of our keywords.
const FAMILIES: [&str; 4] = ["bridge", "netns", "veth", "vrf"];

/// The keywords of a stanza that no executor reads, with the message for each.
#[derive(Debug, Default)]
pub struct Unknown {
    /// Keywords that are similar to one of ours.
    pub misspelt: Vec<Problem>,
    /// Warnings about the other keywords with one of our prefixes.
    pub warnings: Vec<String>,
}

impl Unknown {
    /// The unknown keywords of a stanza: with the prefix of one program, or with any prefix.
    pub fn of(stanza: &Stanza, program: Option<&str>) -> Self {
        let mut unknown = Self::default();
        let family = program.map(first_word);
        for keyword in stanza.keywords().filter(|keyword| family.is_none_or(|own| first_word(keyword) == own))
        {
            if OURS.contains(&keyword) || THEIRS.contains(&keyword) {
                continue;
            }
            if keyword == "bridge-hwaddress" {
                unknown.warnings.push(format!("{keyword}: ignored; bridge-hw sets the address of a bridge"));
            } else if NOT_SUPPORTED.contains(&keyword) {
                unknown.warnings.push(format!("{keyword}: not supported; ignored"));
            } else if let Some(meant) = meant(keyword) {
                let reason = format!("unknown keyword; did you mean {meant}?");
                unknown.misspelt.push(Problem::new(keyword, "", reason));
            } else if FAMILIES.contains(&first_word(keyword)) {
                unknown.warnings.push(format!("{keyword}: unknown keyword; ignored"));
            }
        }
        unknown
    }
}

/// Whether a keyword has the prefix of a program and is neither in [`OURS`] nor in `THEIRS`.
pub fn is_unknown(keyword: &str, program: &str) -> bool {
    first_word(keyword) == first_word(program) && !OURS.contains(&keyword) && !THEIRS.contains(&keyword)
}

fn first_word(keyword: &str) -> &str {
    keyword.split('-').next().unwrap_or_default()
}

/// The keyword of ours that is most similar to an unknown one: one or two letters differ, or the end is missing.
fn meant(keyword: &str) -> Option<&'static str> {
    let rest = |keyword: &str| keyword.len() - first_word(keyword).len();
    let near = |ours: &&'static str| {
        let is_begun = ours.starts_with(keyword) && ours.len() - keyword.len() <= 4 && rest(keyword) > 4;
        let letters = if can_be_near(keyword, ours) {
            let most = if rest(keyword).min(rest(ours)) > 4 { MOST } else { 1 };
            distance(keyword, ours, most)
        } else {
            None
        };
        letters.or(is_begun.then_some(3))
    };
    // "vrf" and "netns" are similar to too many words.
    let ours = OURS.into_iter().filter(|ours| ours.contains('-'));
    ours.filter_map(|ours| Some((near(&ours)?, ours)))
        .min_by_key(|(letters, _)| *letters)
        .map(|(_, ours)| ours)
}

/// The most letters by which a keyword may differ from the one that is meant.
const MOST: usize = 2;

/// Whether no more than [`MOST`] letters can differ. It decides quickly for most words: one changed letter adds one to the
/// letters of a word, and takes one from them, at most.
fn can_be_near(a: &str, b: &str) -> bool {
    let letters = |word: &str| word.bytes().fold(0_u32, |letters, byte| letters | 1 << (byte % 32));
    let has_more = |a: u32, b: u32| (a & !b).count_ones() as usize > MOST;
    a.len().abs_diff(b.len()) <= MOST
        && !has_more(letters(a), letters(b))
        && !has_more(letters(b), letters(a))
}

/// How many letters have to be added, removed, changed or swapped with their neighbour; `None` if these are more than `most`.
fn distance(a: &str, b: &str, most: usize) -> Option<usize> {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let (mut before, mut row): (Vec<usize>, Vec<usize>) = (Vec::new(), (0..=b.len()).collect());
    for i in 1..=a.len() {
        let mut next = vec![i];
        for j in 1..=b.len() {
            let changed = row[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = changed.min(row[j] + 1).min(next[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(before[j - 2] + 1);
            }
            next.push(least);
        }
        // A later row is at least as far as this one or the one before.
        if next.iter().chain(&row).all(|letters| *letters > most) {
            return None;
        }
        (before, row) = (row, next);
    }
    row.last().copied().filter(|letters| *letters <= most)
}

//! VLANs of bridges and ports, as words.

use ifupdown_ng_netlink::values::{Vid, VlanRange, VlanSet};
use std::collections::BTreeSet;

/// How a member of a bridge carries the VLANs of a range: `P` if it is the PVID, `U` if frames go out untagged, `T` if
/// tagged.
fn marks(range: VlanRange) -> &'static str {
    match (range.pvid, range.untagged) {
        (true, true) => "PU",
        (true, false) => "PT",
        (false, true) => "U",
        (false, false) => "T",
    }
}

/// The marks of one VLAN, `.` for a VLAN that is not in the set.
pub fn membership(set: &VlanSet, vid: Vid) -> &'static str {
    set.ranges().into_iter().find(|range| (range.first..=range.last).contains(&vid)).map_or(".", marks)
}

/// All VLANs, by marks: `PU 1; T 10, 20-30, 4094`.
pub fn words(set: &VlanSet) -> String {
    let ranges = set.ranges();
    let of = |mark: &str| {
        let ranges = ranges.iter().filter(|range| marks(**range) == mark);
        let texts: Vec<String> = ranges.map(|range| numbers((range.first, range.last))).collect();
        (!texts.is_empty()).then(|| format!("{mark} {}", texts.join(", ")))
    };
    ["PU", "PT", "U", "T"].into_iter().filter_map(of).collect::<Vec<_>>().join("; ")
}

/// A range of VLANs as bridge(8) writes it.
pub fn numbers((first, last): (Vid, Vid)) -> String {
    if first == last { first.to_string() } else { format!("{first}-{last}") }
}

/// The VLANs of all these sets, in as few ranges as possible. Each set has all of a range or none of it.
pub fn columns<'a>(sets: impl Iterator<Item = &'a VlanSet>) -> Vec<(Vid, Vid)> {
    let (mut begins, mut known) = (BTreeSet::new(), VlanSet::default());
    for range in sets.flat_map(VlanSet::ranges) {
        begins.extend([range.first.get(), range.last.get() + 1]);
        known.insert(range);
    }
    let begins: Vec<u16> = begins.into_iter().collect();
    let columns = begins.windows(2).filter_map(|pair| Some((Vid::new(pair[0])?, Vid::new(pair[1] - 1)?)));
    columns.filter(|(first, _)| known.contains(*first)).collect()
}

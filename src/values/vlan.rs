//! VLANs (IEEE 802.1Q) and the membership of ports in them.

use crate::values::Invalid;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// The number of a VLAN, 1 to 4094. 0 marks frames without a VLAN, and 4095 is reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vid(u16);

impl Vid {
    /// The VLAN with this number.
    pub fn new(number: u16) -> Option<Self> {
        (1..=4094).contains(&number).then_some(Self(number))
    }

    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl FromStr for Vid {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let number = if digits { text.parse().ok() } else { None };
        number.and_then(Self::new).ok_or_else(|| Invalid::new("not a VLAN (1-4094)"))
    }
}

impl fmt::Display for Vid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number in the tag of a VLAN link, 0 to 4094. 0 tags frames that have a priority and no VLAN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VlanId(u16);

impl VlanId {
    /// The number of a tag that the kernel accepts (net/8021q/vlan_netlink.c).
    pub fn new(number: u16) -> Option<Self> {
        (number <= 4094).then_some(Self(number))
    }

    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }
}

/// As `ip` reads it: octal after `0`, hexadecimal after `0x`.
impl FromStr for VlanId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let lower = text.to_ascii_lowercase();
        let (digits, radix) = match (lower.strip_prefix("0x"), lower.strip_prefix('0')) {
            (Some(digits), _) => (digits, 16),
            (None, Some(digits)) if !digits.is_empty() => (digits, 8),
            _ => (lower.as_str(), 10),
        };
        let are_digits = !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
        let number = if are_digits { u16::from_str_radix(digits, radix).ok() } else { None };
        number.and_then(Self::new).ok_or_else(|| Invalid::new("not the number of a VLAN tag (0-4094)"))
    }
}

impl fmt::Display for VlanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The PVID of ports without VLANs of their own: a VLAN, or none (`none`, `no`, `0`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DefaultPvid(pub Option<Vid>);

impl FromStr for DefaultPvid {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "none" | "no" | "0" => Ok(Self(None)),
            _ => text
                .parse()
                .map(|vid| Self(Some(vid)))
                .map_err(|_| Invalid::new("neither a VLAN (1-4094) nor none")),
        }
    }
}

/// The protocol of the VLAN tags of a bridge or of a VLAN link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VlanProtocol {
    /// Customer tags (ether type 0x8100).
    Ieee8021q,
    /// Service tags (ether type 0x88a8).
    Ieee8021ad,
}

/// Also `qinq` for 802.1ad, as the stock executor `link` reads it.
impl FromStr for VlanProtocol {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text.to_ascii_lowercase().as_str() {
            "802.1q" => Ok(Self::Ieee8021q),
            "802.1ad" | "qinq" | "q-in-q" => Ok(Self::Ieee8021ad),
            _ => Err(Invalid::new("neither 802.1Q nor 802.1ad")),
        }
    }
}

impl fmt::Display for VlanProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ieee8021q => "802.1Q",
            Self::Ieee8021ad => "802.1ad",
        })
    }
}

/// VLANs with consecutive numbers and the same flags on a port; at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VlanRange {
    /// The first of them.
    pub first: Vid,
    /// The last of them.
    pub last: Vid,
    /// The PVID: incoming untagged frames belong to it. Then the range is one VLAN.
    pub pvid: bool,
    /// Its frames are sent untagged.
    pub untagged: bool,
}

/// As bridge(8) spells it.
impl fmt::Display for VlanRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.fmt(f)?;
        if self.first != self.last {
            write!(f, "-{}", self.last)?;
        }
        f.write_str(if self.pvid { " pvid" } else { "" })?;
        f.write_str(if self.untagged { " untagged" } else { "" })
    }
}

impl FromStr for VlanRange {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let mut words = text.split_whitespace();
        let vids = words.next().unwrap_or_default();
        let (first, last) = match vids.split_once('-') {
            Some((first, last)) => (first.parse()?, last.parse()?),
            None => (vids.parse()?, vids.parse()?),
        };
        if first > last {
            return Err(Invalid::new(format!("ends before it begins; write {last}-{first}")));
        }
        let mut range = Self { first, last, pvid: false, untagged: false };
        let mut tagged = false;
        for word in words {
            match word {
                "pvid" => range.pvid = true,
                "untagged" => range.untagged = true,
                "tagged" => tagged = true,
                _ => return Err(Invalid::new(format!("{word} is not pvid, untagged or tagged"))),
            }
        }
        if tagged && range.untagged {
            return Err(Invalid::new("both tagged and untagged"));
        }
        if range.pvid && first != last {
            return Err(Invalid::new("a range cannot be pvid; name the one VLAN that is"));
        }
        Ok(range)
    }
}

/// The VLANs of a port. The VLANs whose frames it sends untagged are independent of its PVID, the VLAN of incoming
/// untagged frames.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VlanSet {
    /// The VLANs in order, as few runs as possible.
    runs: Vec<Run>,
    pvid: Option<Vid>,
}

/// VLANs with consecutive numbers whose frames are all sent untagged, or all tagged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    first: u16,
    last: u16,
    untagged: bool,
}

impl VlanSet {
    /// An access port: one VLAN, untagged in both directions, or no VLAN at all.
    pub fn access(vid: Option<Vid>) -> Self {
        let run = |Vid(vid)| Run { first: vid, last: vid, untagged: true };
        Self { runs: vid.map(run).into_iter().collect(), pvid: vid }
    }

    /// Adds the VLANs of the range with its flags, and replaces earlier flags. A new PVID replaces the old one.
    pub fn insert(&mut self, range: VlanRange) {
        let Vid(first) = range.first;
        self.cut(range);
        let place = self.runs.partition_point(|run| run.first < first);
        self.runs.insert(place, Run { first, last: range.last.0, untagged: range.untagged });
        self.runs.dedup_by(|next, run| {
            let continues = run.last + 1 == next.first && run.untagged == next.untagged;
            if continues {
                run.last = next.last;
            }
            continues
        });
        if range.pvid {
            self.pvid = Some(range.last);
        } else {
            self.pvid = self.pvid.filter(|vid| !(range.first..=range.last).contains(vid));
        }
    }

    /// Removes these VLANs.
    pub fn remove(&mut self, range: VlanRange) {
        self.cut(range);
        self.pvid = self.pvid.filter(|vid| self.contains(*vid));
    }

    /// Removes these VLANs from the runs.
    fn cut(&mut self, VlanRange { first: Vid(first), last: Vid(last), .. }: VlanRange) {
        let around = |run: Run| {
            let before = Run { last: run.last.min(first.saturating_sub(1)), ..run };
            let after = Run { first: run.first.max(last + 1), ..run };
            [before, after].into_iter().filter(|rest| rest.first <= rest.last)
        };
        self.runs = self.runs.iter().copied().flat_map(around).collect();
    }

    /// The VLAN of incoming untagged frames.
    pub fn pvid(&self) -> Option<Vid> {
        self.pvid
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Whether the set contains this VLAN.
    pub fn contains(&self, vid: Vid) -> bool {
        self.run_of(vid).is_some()
    }

    fn run_of(&self, Vid(vid): Vid) -> Option<&Run> {
        let place = self.runs.partition_point(|run| run.last < vid);
        self.runs.get(place).filter(|run| run.first <= vid)
    }

    /// All VLANs.
    pub fn vids(&self) -> Vec<Vid> {
        self.runs.iter().flat_map(|run| run.first..=run.last).map(Vid).collect()
    }

    /// All VLANs, as the fewest ranges.
    pub fn ranges(&self) -> Vec<VlanRange> {
        self.ranges_where(&Self::default(), |_| true)
    }

    /// The VLANs that `other` does not have.
    pub fn without(&self, other: &Self) -> Vec<VlanRange> {
        self.ranges_where(other, |vid| !other.contains(vid))
    }

    /// The VLANs that `other` does not have, or has with other flags.
    pub fn differing(&self, other: &Self) -> Vec<VlanRange> {
        self.ranges_where(other, |vid| self.treatment(vid) != other.treatment(vid))
    }

    fn treatment(&self, vid: Vid) -> Option<(bool, bool)> {
        self.run_of(vid).map(|run| (run.untagged, self.pvid == Some(vid)))
    }

    /// The VLANs for which the function is true. It must depend only on how they are in both sets.
    fn ranges_where(&self, other: &Self, picked: impl Fn(Vid) -> bool) -> Vec<VlanRange> {
        // Where something changes in one of the sets: between these, all VLANs are alike.
        let runs = self.runs.iter().chain(&other.runs).flat_map(|run| [run.first, run.last + 1]);
        let pvids = self.pvid.into_iter().chain(other.pvid).flat_map(|Vid(vid)| [vid, vid + 1]);
        let changes: BTreeSet<u16> = runs.chain(pvids).collect();
        let mut ranges: Vec<VlanRange> = Vec::new();
        for (first, after) in changes.iter().zip(changes.iter().skip(1)) {
            let (first, last) = (Vid(*first), Vid(after - 1));
            let Some(Run { untagged, .. }) = self.run_of(first).copied().filter(|_| picked(first)) else {
                continue;
            };
            let pvid = self.pvid == Some(first);
            match ranges.last_mut() {
                Some(before)
                    if before.last.0 + 1 == first.0
                        && !pvid
                        && !before.pvid
                        && before.untagged == untagged =>
                {
                    before.last = last;
                }
                _ => ranges.push(VlanRange { first, last, pvid, untagged }),
            }
        }
        ranges
    }
}

/// `none`, or ranges separated by commas.
impl FromStr for VlanSet {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let mut set = Self::default();
        if text == "none" {
            return Ok(set);
        }
        let super::List(ranges) = text.parse::<super::List<VlanRange>>()?;
        for range in ranges {
            let is_in = |run: &&Run| run.first <= range.last.0 && run.last >= range.first.0;
            if let Some(twice) = set.runs.iter().find(is_in).map(|run| run.first.max(range.first.0)) {
                return Err(Invalid::new(format!("VLAN {twice} is named twice")));
            }
            if let (true, Some(other)) = (range.pvid, set.pvid) {
                return Err(Invalid::new(format!(
                    "both {other} and {} are pvid; a port has one",
                    range.first
                )));
            }
            set.insert(range);
        }
        Ok(set)
    }
}

/// The VLANs of the stock keyword bridge-vids: numbers and ranges, all tagged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vids(pub Vec<VlanRange>);

impl FromStr for Vids {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        text.parse().map(|super::Words(ranges)| Self(ranges))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// A set, VLAN by VLAN.
    #[derive(Debug, Clone, Default)]
    struct Plain {
        members: BTreeMap<u16, bool>,
        pvid: Option<u16>,
    }

    impl Plain {
        fn insert(&mut self, range: VlanRange) {
            for vid in range.first.0..=range.last.0 {
                self.members.insert(vid, range.untagged);
                self.pvid = self.pvid.filter(|pvid| *pvid != vid);
                if range.pvid {
                    self.pvid = Some(vid);
                }
            }
        }

        fn remove(&mut self, range: VlanRange) {
            for vid in range.first.0..=range.last.0 {
                self.members.remove(&vid);
                self.pvid = self.pvid.filter(|pvid| *pvid != vid);
            }
        }

        fn treatment(&self, vid: u16) -> Option<(bool, bool)> {
            self.members.get(&vid).map(|untagged| (*untagged, self.pvid == Some(vid)))
        }
    }

    /// Each VLAN of some ranges, with its flags; no range could be joined with the next one.
    fn each(ranges: &[VlanRange]) -> Vec<(u16, bool, bool)> {
        for two in ranges.windows(2) {
            let joins = two[0].last.0 + 1 == two[1].first.0 && two[0].untagged == two[1].untagged;
            assert!(two[0].last < two[1].first && (!joins || two[0].pvid || two[1].pvid), "{ranges:?}");
        }
        let vids =
            ranges.iter().flat_map(|range| (range.first.0..=range.last.0).map(move |vid| (vid, range)));
        vids.map(|(vid, range)| (vid, range.untagged, range.pvid)).collect()
    }

    fn changes() -> impl Strategy<Value = Vec<(bool, VlanRange)>> {
        // Few numbers, at both ends, so that ranges meet.
        let vid = prop_oneof![1u16..9, 4090u16..4095];
        let range = (vid.clone(), vid, any::<bool>(), any::<bool>()).prop_map(|(a, b, untagged, pvid)| {
            let (first, last) = (Vid(a.min(b)), Vid(a.max(b)));
            VlanRange { first, last, pvid: pvid && first == last, untagged }
        });
        prop::collection::vec((prop::bool::weighted(0.7), range), 0..12)
    }

    fn made(changes: &[(bool, VlanRange)]) -> (VlanSet, Plain) {
        let (mut set, mut plain) = (VlanSet::default(), Plain::default());
        for (is_new, range) in changes {
            if *is_new {
                set.insert(*range);
                plain.insert(*range);
            } else {
                set.remove(*range);
                plain.remove(*range);
            }
        }
        (set, plain)
    }

    proptest! {
        #[test]
        fn a_set_is_what_a_list_of_vlans_is(one in changes(), other in changes()) {
            let ((one, plain_one), (other, plain_other)) = (made(&one), made(&other));
            let expected = |picked: &dyn Fn(u16) -> bool| -> Vec<(u16, bool, bool)> {
                let all = plain_one.members.keys().filter(|vid| picked(**vid));
                all.filter_map(|vid| plain_one.treatment(*vid).map(|(untagged, pvid)| (*vid, untagged, pvid))).collect()
            };
            prop_assert_eq!(each(&one.ranges()), expected(&|_| true));
            prop_assert_eq!(each(&one.without(&other)), expected(&|vid| !plain_other.members.contains_key(&vid)));
            let differs = |vid| plain_one.treatment(vid) != plain_other.treatment(vid);
            prop_assert_eq!(each(&one.differing(&other)), expected(&differs));
            prop_assert_eq!(one.pvid().map(Vid::get), plain_one.pvid);
            let same = plain_one.members == plain_other.members && plain_one.pvid == plain_other.pvid;
            prop_assert_eq!(one == other, same);
        }
    }
}

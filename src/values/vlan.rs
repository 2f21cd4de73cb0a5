//! VLANs (IEEE 802.1Q) and what a port of a bridge has to do with them.

use crate::values::Invalid;
use std::{collections::BTreeMap, fmt, str::FromStr};

/// The number of a VLAN, 1 to 4094. 0 marks frames without one and 4095 is reserved.
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

/// The VLAN of untagged frames on ports that are told nothing else: a VLAN, or none (`none`, `no`, `0`).
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

/// The tag that a bridge works by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VlanProtocol {
    /// Customer tags (ether type 0x8100).
    Ieee8021q,
    /// Service tags (ether type 0x88a8).
    Ieee8021ad,
}

impl FromStr for VlanProtocol {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text.to_ascii_lowercase().as_str() {
            "802.1q" => Ok(Self::Ieee8021q),
            "802.1ad" => Ok(Self::Ieee8021ad),
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

/// VLANs with adjoining numbers that a port treats alike; at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VlanRange {
    /// The first of them.
    pub first: Vid,
    /// The last of them.
    pub last: Vid,
    /// Untagged frames that come in belong to it. Then it is one VLAN.
    pub pvid: bool,
    /// Its frames go out untagged.
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

/// The VLANs that a port belongs to. Which of them it sends untagged and which one takes the untagged frames
/// that come in are independent of each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VlanSet {
    /// The VLANs, and whether their frames go out untagged.
    members: BTreeMap<Vid, bool>,
    pvid: Option<Vid>,
}

impl VlanSet {
    /// The one VLAN of a port whose station knows nothing of VLANs, or no VLAN at all.
    pub fn access(vid: Option<Vid>) -> Self {
        Self { members: vid.map(|vid| (vid, true)).into_iter().collect(), pvid: vid }
    }

    /// Makes it a member as described, whatever it was before; a new PVID ends the old one.
    pub fn insert(&mut self, range: VlanRange) {
        for vid in (range.first.0..=range.last.0).map(Vid) {
            self.members.insert(vid, range.untagged);
            if range.pvid {
                self.pvid = Some(vid);
            } else if self.pvid == Some(vid) {
                self.pvid = None;
            }
        }
    }

    /// Ends the membership in these VLANs.
    pub fn remove(&mut self, range: VlanRange) {
        self.members.retain(|vid, _| !(range.first..=range.last).contains(vid));
        self.pvid = self.pvid.filter(|vid| self.members.contains_key(vid));
    }

    /// The VLAN of untagged frames that come in.
    pub fn pvid(&self) -> Option<Vid> {
        self.pvid
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Whether it is one of them.
    pub fn contains(&self, vid: Vid) -> bool {
        self.members.contains_key(&vid)
    }

    /// All of them.
    pub fn vids(&self) -> Vec<Vid> {
        self.members.keys().copied().collect()
    }

    /// All of them as the fewest ranges.
    pub fn ranges(&self) -> Vec<VlanRange> {
        self.ranges_where(|_| true)
    }

    /// Those that `other` does not have.
    pub fn without(&self, other: &Self) -> Vec<VlanRange> {
        self.ranges_where(|vid| !other.members.contains_key(&vid))
    }

    /// Those that `other` does not have, or treats differently.
    pub fn differing(&self, other: &Self) -> Vec<VlanRange> {
        self.ranges_where(|vid| self.treatment(vid) != other.treatment(vid))
    }

    fn treatment(&self, vid: Vid) -> Option<(bool, bool)> {
        self.members.get(&vid).map(|untagged| (*untagged, self.pvid == Some(vid)))
    }

    fn ranges_where(&self, picked: impl Fn(Vid) -> bool) -> Vec<VlanRange> {
        let mut ranges: Vec<VlanRange> = Vec::new();
        for (&vid, &untagged) in self.members.iter().filter(|(vid, _)| picked(**vid)) {
            let pvid = self.pvid == Some(vid);
            match ranges.last_mut() {
                Some(last)
                    if last.last.0 + 1 == vid.0 && !pvid && !last.pvid && last.untagged == untagged =>
                {
                    last.last = vid;
                }
                _ => ranges.push(VlanRange { first: vid, last: vid, pvid, untagged }),
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
            if let Some(twice) = set.members.keys().find(|vid| (range.first..=range.last).contains(*vid)) {
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

/// VLANs as the stock keyword bridge-vids has them: numbers and ranges, all tagged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vids(pub Vec<VlanRange>);

impl FromStr for Vids {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        text.parse().map(|super::Words(ranges)| Self(ranges))
    }
}

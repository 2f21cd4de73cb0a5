//! VLANs (IEEE 802.1Q) and the membership of ports in them.

use crate::values::Invalid;
use std::collections::BTreeMap;
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
    /// The VLANs, and whether their frames are sent untagged.
    members: BTreeMap<Vid, bool>,
    pvid: Option<Vid>,
}

impl VlanSet {
    /// An access port: one VLAN, untagged in both directions, or no VLAN at all.
    pub fn access(vid: Option<Vid>) -> Self {
        Self { members: vid.map(|vid| (vid, true)).into_iter().collect(), pvid: vid }
    }

    /// Adds the VLANs of the range with its flags, and replaces earlier flags. A new PVID replaces the old one.
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

    /// Removes these VLANs.
    pub fn remove(&mut self, range: VlanRange) {
        self.members.retain(|vid, _| !(range.first..=range.last).contains(vid));
        self.pvid = self.pvid.filter(|vid| self.members.contains_key(vid));
    }

    /// The VLAN of incoming untagged frames.
    pub fn pvid(&self) -> Option<Vid> {
        self.pvid
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Whether the set contains this VLAN.
    pub fn contains(&self, vid: Vid) -> bool {
        self.members.contains_key(&vid)
    }

    /// All VLANs.
    pub fn vids(&self) -> Vec<Vid> {
        self.members.keys().copied().collect()
    }

    /// All VLANs, as the fewest ranges.
    pub fn ranges(&self) -> Vec<VlanRange> {
        self.ranges_where(|_| true)
    }

    /// The VLANs that `other` does not have.
    pub fn without(&self, other: &Self) -> Vec<VlanRange> {
        self.ranges_where(|vid| !other.members.contains_key(&vid))
    }

    /// The VLANs that `other` does not have, or has with other flags.
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

/// The VLANs of the stock keyword bridge-vids: numbers and ranges, all tagged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vids(pub Vec<VlanRange>);

impl FromStr for Vids {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        text.parse().map(|super::Words(ranges)| Self(ranges))
    }
}

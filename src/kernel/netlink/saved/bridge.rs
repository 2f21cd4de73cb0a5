//! Restores VLANs and forwarding databases of bridges.

use crate::kernel::netlink::raw::{Attributes, NLA_F_NESTED, Object};
use crate::kernel::netlink::saved::link::{AF_SPEC, Link, header};
use crate::kernel::netlink::saved::links::View;
use crate::kernel::netlink::saved::{AF_BRIDGE, Change, Restoration};
use crate::state::{Noun, Subject};
use crate::values::Mac;
use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use std::collections::BTreeMap;

const RTM_DELLINK: u16 = 17;
const RTM_SETLINK: u16 = 19;
const RTM_NEWNEIGH: u16 = 28;
const RTM_DELNEIGH: u16 = 29;

// In AF_SPEC (include/uapi/linux/if_bridge.h).
const IFLA_BRIDGE_FLAGS: u16 = 0;
const IFLA_BRIDGE_VLAN_INFO: u16 = 2;
/// The bridge itself.
const BRIDGE_FLAGS_SELF: u16 = 2;
const PVID: u16 = 2;
const UNTAGGED: u16 = 4;
const RANGE_BEGIN: u16 = 8;
const RANGE_END: u16 = 16;

/// The flags of VLANs by their numbers.
type Vlans = BTreeMap<u16, u16>;

/// The VLANs of each device, in the answers of a dump.
fn vlans(answers: &[Vec<u8>]) -> BTreeMap<u32, Vlans> {
    let mut found = BTreeMap::new();
    for answer in answers.iter().filter_map(|answer| Object::parse(answer, 16)) {
        let of_device: &mut Vlans = found.entry(answer.number(4)).or_default();
        let mut first = None;
        for (kind, info) in answer.attributes.nested(AF_SPEC).0 {
            let [flags_0, flags_1, vid_0, vid_1] = info[..] else { continue };
            if kind != IFLA_BRIDGE_VLAN_INFO {
                continue;
            }
            let (flags, vid) = (u16::from_ne_bytes([flags_0, flags_1]), u16::from_ne_bytes([vid_0, vid_1]));
            if flags & RANGE_BEGIN != 0 {
                first = Some(vid);
                continue;
            }
            let begin = first.take().filter(|_| flags & RANGE_END != 0).unwrap_or(vid);
            of_device.extend((begin..=vid).map(|vid| (vid, flags & (PVID | UNTAGGED))));
        }
    }
    found
}

/// VLANs as ranges with the same flags. A PVID is never in a range.
fn ranges(vlans: &Vlans) -> Vec<(u16, u16, u16)> {
    let mut ranges: Vec<(u16, u16, u16)> = Vec::new();
    for (vid, flags) in vlans {
        match ranges.last_mut() {
            Some((_, last, of)) if *last + 1 == *vid && of == flags && flags & PVID == 0 => *last = *vid,
            _ => ranges.push((*vid, *vid, *flags)),
        }
    }
    ranges
}

/// A message that adds or deletes these VLANs.
fn encode(number: u16, device: &Link, vlans: &Vlans) -> Change {
    let mut spec = Attributes::default();
    if device.is("bridge") {
        spec.push(IFLA_BRIDGE_FLAGS, BRIDGE_FLAGS_SELF.to_ne_bytes());
    }
    let mut push = |vid: u16, flags: u16| {
        spec.push(IFLA_BRIDGE_VLAN_INFO, [flags.to_ne_bytes(), vid.to_ne_bytes()].concat());
    };
    for (first, last, flags) in ranges(vlans) {
        if first == last {
            push(first, flags);
        } else {
            push(first, flags | RANGE_BEGIN);
            push(last, flags | RANGE_END);
        }
    }
    let attributes = Attributes::default().with(AF_SPEC | NLA_F_NESTED, spec.bytes());
    Change { number, flags: 0, object: Object { header: header(AF_BRIDGE, device.index, 0, 0), attributes } }
}

/// A static entry: its device and what tells it from others.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    device: u32,
    mac: Vec<u8>,
    vid: Option<Vec<u8>>,
    /// `NUD_PERMANENT`, `NUD_NOARP`, or 0 for an entry that another program learned.
    state: u16,
    /// `NTF_EXT_LEARNED` and `NTF_STICKY`.
    flags: u8,
}

impl Entry {
    fn parse(answer: &[u8]) -> Option<Self> {
        let object = Object::parse(answer, 12)?;
        Some(Self {
            device: object.number(4),
            mac: object.attributes.get(2)?.to_vec(),
            vid: object.attributes.get(5).map(<[u8]>::to_vec),
            state: object.short_number(8) & 0xc0,
            flags: object.byte(10) & 0x50,
        })
    }

    fn subject(&self, device: &Link) -> Subject {
        let mac = Mac::from_bytes(&self.mac).map(|mac| mac.to_string()).unwrap_or_default();
        Subject::of(Noun::Fdb, mac, &device.name)
    }

    fn encode(&self, number: u16, flags: u16, device: &Link) -> Change {
        // An entry that is neither permanent nor static has to be reachable.
        let state = if self.state == 0 { 2 } else { self.state };
        let to = if device.is("bridge") { 2 } else { 4 };
        let mut header = vec![AF_BRIDGE, 0, 0, 0];
        header.extend_from_slice(&device.index.to_ne_bytes());
        header.extend_from_slice(&state.to_ne_bytes());
        header.extend_from_slice(&[self.flags | to, 0]);
        let mut attributes = Attributes::default().with(2, self.mac.clone());
        if let Some(vid) = &self.vid {
            attributes.push(5, vid.clone());
        }
        Change { number, flags, object: Object { header, attributes } }
    }
}

/// A part of the work on a forwarding database.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Delete,
    Add,
}

impl Restoration {
    /// Restores the VLANs and the static entries of bridges and ports. The kernel changes only entries of VLANs that the
    /// port has.
    pub fn restore_bridging(&mut self) {
        self.restore_fdb(Part::Delete);
        self.restore_vlans();
        self.restore_fdb(Part::Add);
    }

    fn restore_vlans(&mut self) {
        let Some(view) = self.view() else { return };
        for site in 0..self.sites.len() {
            let devices = self.devices(&view, site);
            if devices.is_empty() {
                continue;
            }
            let (wanted, Some(now)) = (vlans(&self.saved(site, Noun::Vlan)), self.now(site, Noun::Vlan))
            else {
                continue;
            };
            let now = vlans(&now);
            for (saved, device) in devices {
                let wanted = wanted.get(&saved.index).cloned().unwrap_or_default();
                let has = now.get(&device.index).cloned().unwrap_or_default();
                let without = |these: &Vlans, is_there: &dyn Fn(&u16, &u16) -> bool| -> Vlans {
                    let left = these.iter().filter(|(vid, flags)| !is_there(vid, flags));
                    left.map(|(vid, flags)| (*vid, *flags)).collect()
                };
                let more = without(&has, &|vid, _| wanted.contains_key(vid));
                let missing = without(&wanted, &|vid, flags| has.get(vid) == Some(flags));
                let subject = Subject::of(Noun::Vlan, "", &device.name);
                if !more.is_empty() {
                    let plain = more.into_keys().map(|vid| (vid, 0)).collect();
                    self.change(site, subject.clone(), encode(RTM_DELLINK, &device, &plain));
                }
                if !missing.is_empty() {
                    self.change(site, subject, encode(RTM_SETLINK, &device, &missing));
                }
            }
        }
    }

    fn restore_fdb(&mut self, part: Part) {
        let Some(view) = self.view() else { return };
        for site in 0..self.sites.len() {
            let devices = self.devices(&view, site);
            if devices.is_empty() {
                continue;
            }
            let Some(now) = self.now(site, Noun::Fdb) else { continue };
            let entries = |answers: &[Vec<u8>]| -> Vec<Entry> {
                answers.iter().filter_map(|answer| Entry::parse(answer)).collect()
            };
            let (wanted, now) = (entries(&self.saved(site, Noun::Fdb)), entries(&now));
            for (saved, device) in devices {
                // The kernel adds the addresses of the device and of its bridge by itself.
                let of_kernel = |entry: &Entry| {
                    let links = view.links.get(site).into_iter().flatten();
                    let mut own = links.filter(|link| link.is("bridge") || link.index == device.index);
                    entry.state & 0x80 != 0 && own.any(|link| link.address() == Some(&entry.mac))
                };
                let of = |entries: &[Entry], index: u32| -> Vec<Entry> {
                    let own = entries.iter().filter(|entry| entry.device == index && !of_kernel(entry));
                    own.map(|entry| Entry { device: device.index, ..entry.clone() }).collect()
                };
                let (wanted, has) = (of(&wanted, saved.index), of(&now, device.index));
                let (mine, others) = match part {
                    Part::Delete => (&has, &wanted),
                    Part::Add => (&wanted, &has),
                };
                for entry in mine.iter().filter(|entry| !others.contains(entry)) {
                    let subject = entry.subject(&device);
                    match part {
                        Part::Delete => {
                            self.delete(site, subject, entry.encode(RTM_DELNEIGH, 0, &device));
                        }
                        Part::Add => {
                            let flags = NLM_F_CREATE | NLM_F_REPLACE;
                            self.change(site, subject, entry.encode(RTM_NEWNEIGH, flags, &device));
                        }
                    }
                }
            }
        }
    }

    /// The bridges and ports among the links that are restored. Others have neither VLANs nor a database.
    fn devices(&self, view: &View, site: usize) -> Vec<(Link, Link)> {
        let saved = self.sites.get(site).map(|site| site.links.as_slice()).unwrap_or_default();
        let mut devices = view.touched(site, saved);
        devices.retain(|(_, now)| now.is_bridge_or_port());
        devices
    }
}

/// Decodes and encodes a message, whatever it is. Returns the state and the flags of an entry.
#[cfg(any(test, fuzzing))]
pub(super) fn parse_any(message: &[u8]) -> Option<(u16, u8)> {
    let all = vlans(&[message.to_vec()]);
    drop(all.values().map(ranges).collect::<Vec<_>>());
    Entry::parse(message).map(|entry| (entry.state, entry.flags))
}

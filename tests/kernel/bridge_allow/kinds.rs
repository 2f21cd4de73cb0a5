//! The tables of frames: each with a name, and with a mark that says which one arrived.

use super::forged;
use super::frames::{DOT1AD, DOT1Q, Station, snap, tagged};
use super::legitimate;

/// Before the number of a frame, at its end.
const MAGIC: [u8; 8] = *b"\x9espoof\x9e\x01";

/// Named frames without marks.
#[derive(Debug, Clone, Default)]
pub struct Frames(pub Vec<Frame>);

#[derive(Debug, Clone)]
pub struct Frame {
    pub name: String,
    pub bytes: Vec<u8>,
    /// Bytes at its end would become a part of a header. The mark is then in the destination.
    pub is_short: bool,
    /// The kernel drops it in any case.
    pub is_dropped: bool,
}

impl Frames {
    pub fn add(&mut self, name: impl Into<String>, bytes: Vec<u8>) {
        self.0.push(Frame { name: name.into(), bytes, is_short: false, is_dropped: false });
    }

    /// A frame that ends within a header.
    pub fn add_short(&mut self, name: impl Into<String>, bytes: Vec<u8>) {
        self.0.push(Frame { name: name.into(), bytes, is_short: true, is_dropped: false });
    }

    /// A frame that the kernel drops in any case.
    pub fn add_dropped(&mut self, name: impl Into<String>, bytes: Vec<u8>) {
        self.0.push(Frame { name: name.into(), bytes, is_short: false, is_dropped: true });
    }

    /// All of them with these tags.
    fn tagged(&self, name: &str, tags: &[(u16, u16)]) -> Self {
        let mut all = self.each(name, |bytes| tagged(bytes, tags));
        for (tagged, frame) in all.0.iter_mut().zip(&self.0) {
            // The kernel wants two bytes behind a tag (net/core/skbuff.c `skb_vlan_untag`).
            tagged.is_dropped |= frame.is_short && frame.bytes.len() < 16;
        }
        all
    }

    fn each(&self, name: &str, change: impl Fn(&[u8]) -> Vec<u8>) -> Self {
        let change = |frame: &Frame| Frame {
            name: format!("{name}/{}", frame.name),
            bytes: change(&frame.bytes),
            ..frame.clone()
        };
        Self(self.0.iter().map(change).collect())
    }

    fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// The frames with their marks: the first has this number.
    pub fn marked(&self, first: u32) -> Vec<Vec<u8>> {
        (first..).zip(&self.0).map(|(number, frame)| frame.marked(number)).collect()
    }
}

impl Frame {
    pub fn marked(&self, number: u32) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        let number = number.to_be_bytes();
        if self.is_short {
            bytes[..6].copy_from_slice(&[2, 0xaa, number[0], number[1], number[2], number[3]]);
        } else {
            bytes.extend(MAGIC);
            bytes.extend(number);
        }
        bytes
    }
}

/// The number of a frame, if it has a mark.
pub fn number(frame: &[u8]) -> Option<u32> {
    let end = frame.len().checked_sub(4)?;
    let number = if end >= MAGIC.len() && frame[end - MAGIC.len()..end] == MAGIC {
        &frame[end..]
    } else if frame.starts_with(&[2, 0xaa]) {
        &frame[2..6]
    } else {
        return None;
    };
    Some(u32::from_be_bytes(number.try_into().ok()?))
}

/// The frames of a test.
#[derive(Debug, Clone)]
pub struct Kinds {
    pub forged: Frames,
    pub legitimate: Frames,
}

/// A second tag of any kind, and a SNAP header: the outer tag has this VLAN.
fn hidden(all: &mut Frames, inside: &Frames, vid: u16) {
    for (name, tags) in [
        ("8021q-8021q", &[(DOT1Q, vid), (DOT1Q, vid)][..]),
        ("8021q-8021q-other", &[(DOT1Q, vid), (DOT1Q, 99)]),
        ("8021ad-8021q", &[(DOT1AD, vid), (DOT1Q, vid)]),
        ("8021q-8021ad", &[(DOT1Q, vid), (DOT1AD, vid)]),
        ("8021q-9100", &[(DOT1Q, vid), (0x9100, vid)]),
        ("8021q-9200", &[(DOT1Q, vid), (0x9200, vid)]),
        ("priority-8021q", &[(DOT1Q, 0xa000), (DOT1Q, vid)]),
        ("priority-priority", &[(DOT1Q, 0xa000), (DOT1Q, 0xa000)]),
        ("three-tags", &[(DOT1Q, vid), (DOT1Q, vid), (DOT1Q, vid)]),
        ("9100", &[(0x9100, vid)]),
        ("9200", &[(0x9200, vid)]),
    ] {
        all.extend(inside.tagged(name, tags));
    }
    for (name, organisation) in [("snap", [0; 3]), ("snap-bridge", [0, 0, 0xf8]), ("snap-cisco", [0, 0, 12])]
    {
        let snapped = inside.each(name, |bytes| snap(bytes, organisation));
        all.extend(snapped.tagged("8021q", &[(DOT1Q, vid)]));
        all.extend(snapped);
    }
}

/// For a port of a bridge without VLANs that lists one station.
pub fn without_vlans(own: Station, other: Station) -> Kinds {
    let inside = forged::all(own, other);
    let mut forged = inside.clone();
    forged.extend(inside.tagged("8021q", &[(DOT1Q, 7)]));
    forged.extend(inside.tagged("priority", &[(DOT1Q, 0xa000)]));
    forged.extend(inside.tagged("8021ad", &[(DOT1AD, 7)]));
    let sent = legitimate::all(own);
    // What the station may send without it, and the same of another one.
    let mut within = sent.clone();
    within.extend(legitimate::all(other).each("other", <[u8]>::to_vec));
    hidden(&mut forged, &within, 7);
    let mut legitimate = sent.clone();
    legitimate.extend(sent.tagged("8021q", &[(DOT1Q, 7)]));
    legitimate.extend(sent.tagged("priority", &[(DOT1Q, 0xa000)]));
    Kinds { forged, legitimate }
}

/// For a port with the PVID 10 and with the tagged VLAN 20, which lists one station for each.
pub fn with_vlans(untagged: Station, in_20: Station, other: Station) -> Kinds {
    let (first, second) = (legitimate::all(untagged), legitimate::all(in_20));
    let in_own = |frames: &Frames| {
        let mut all = frames.each("untagged", <[u8]>::to_vec);
        all.extend(frames.tagged("priority", &[(DOT1Q, 0xa000)]));
        all.extend(frames.tagged("vlan-10", &[(DOT1Q, 10)]));
        all
    };
    let mut legitimate = in_own(&first);
    legitimate.extend(second.tagged("vlan-20", &[(DOT1Q, 20)]));
    let mut forged = in_own(&forged::all(untagged, other));
    forged.extend(forged::all(in_20, other).tagged("vlan-20", &[(DOT1Q, 20)]));
    // Each is listed, but for the other VLAN.
    forged.extend(in_own(&second).each("other-vlan", <[u8]>::to_vec));
    forged.extend(first.tagged("other-vlan/vlan-20", &[(DOT1Q, 20)]));
    hidden(&mut forged, &first, 10);
    let mut hidden_20 = Frames::default();
    hidden(&mut hidden_20, &second, 20);
    forged.extend(hidden_20.each("second", <[u8]>::to_vec));
    Kinds { forged, legitimate }
}

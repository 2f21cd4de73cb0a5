//! The sets of the tables `bridge-allow`, and their elements.

use crate::kernel::Refusal;
use crate::kernel::netlink::bridge_allow::messages::{NEWSET, message, of_table};
use crate::kernel::netlink::bridge_allow::rules::{LIST_ELEM, constant, expression};
use crate::kernel::netlink::nftables::{Family, Message, Nftables, number, text};
use crate::kernel::netlink::raw::{Attributes, ip};
use crate::state::{Allowed, Map, Stations};
use crate::values::{IfName, Mac, Vid};
use std::net::IpAddr;

const GETSETELEM: u16 = 13;
pub(super) const DELSETELEM: u16 = 14;

/// The most elements of a message: the length of an attribute has 16 bits.
const ELEMENTS: usize = 500;

/// A part of the key of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Port,
    Vlan,
    Mac,
    Ipv4,
    Ipv6,
    /// An Ethernet address for which nft(8) has no name: one in a packet, or that of a frame outside a bridge.
    MacInPacket,
}

impl Part {
    /// The length in a key, in bytes: a multiple of four.
    fn length(self) -> usize {
        match self {
            Self::Port | Self::Ipv6 => 16,
            Self::Mac | Self::MacInPacket => 8,
            Self::Vlan | Self::Ipv4 => 4,
        }
    }

    /// The number of the type in nft(8) (nftables, include/datatype.h).
    fn datatype(self) -> u32 {
        match self {
            Self::Port => 41,
            Self::Vlan | Self::MacInPacket => 4,
            Self::Mac => 9,
            Self::Ipv4 => 7,
            Self::Ipv6 => 8,
        }
    }

    /// An expression of that type, as nft(8) stores it: its number and its attributes (nftables, src/payload.c
    /// `payload_expr_build_udata`, src/meta.c `meta_expr_build_udata`).
    fn typeof_expression(self) -> (u32, &'static [(u8, u32)]) {
        match self {
            Self::Port => (9, &[(0, 6)]),
            Self::Vlan => (7, &[(0, 16), (1, 4), (4, 12)]),
            Self::Mac => (7, &[(0, 17), (1, 2)]),
            Self::Ipv4 => (7, &[(0, 12), (1, 11)]),
            Self::Ipv6 => (7, &[(0, 13), (1, 8)]),
            Self::MacInPacket => (7, &[(0, 0), (1, 0), (2, 3), (3, 80), (4, 48)]),
        }
    }
}

/// A set.
pub(super) struct Set {
    pub family: Family,
    pub name: &'static str,
    key: &'static [Part],
    /// Each element counts the frames that match it.
    counts: bool,
}

const fn bridge(name: &'static str, key: &'static [Part]) -> Set {
    Set { family: Family::Bridge, name, key, counts: false }
}

/// The stations, as [`Allowed::set`] distributes them.
static STATIONS: [Set; 6] = [
    bridge("stations", &[Part::Port, Part::Mac]),
    bridge("addresses4", &[Part::Port, Part::Mac, Part::Ipv4]),
    bridge("addresses6", &[Part::Port, Part::Mac, Part::Ipv6]),
    bridge("vlan-stations", &[Part::Port, Part::Mac, Part::Vlan]),
    bridge("vlan-addresses4", &[Part::Port, Part::Mac, Part::Vlan, Part::Ipv4]),
    bridge("vlan-addresses6", &[Part::Port, Part::Mac, Part::Vlan, Part::Ipv6]),
];

/// What follows from the stations: the ports, their stations in any VLAN, and the counters.
static DERIVED: [Set; 7] = [
    bridge("ports", &[Part::Port]),
    bridge("macs", &[Part::Port, Part::Mac]),
    bridge("packet-macs", &[Part::Port, Part::MacInPacket]),
    Set { counts: true, ..bridge("dropped-in", &[Part::Port]) },
    Set { counts: true, ..bridge("dropped-out", &[Part::Port]) },
    Set { family: Family::Netdev, ..bridge("macs", &[Part::Port, Part::MacInPacket]) },
    Set { family: Family::Netdev, counts: true, ..bridge("dropped-in", &[Part::Port]) },
];

pub(super) fn sets() -> impl Iterator<Item = &'static Set> {
    STATIONS.iter().chain(&DERIVED)
}

impl Set {
    /// The message that makes it. Each set of a batch needs a number of its own.
    pub fn make(&self, id: u32) -> Message {
        let datatype = self.key.iter().fold(0, |all, part| all << 6 | part.datatype());
        let length: usize = self.key.iter().map(|part| part.length()).sum();
        let mut new = of_table().with(2, text(self.name)).with(3, number(0)).with(4, number(datatype));
        new.push(5, number(u32::try_from(length).unwrap_or_default()));
        new.push(10, number(id));
        new.push(13, self.description());
        if self.counts {
            new = new.nest(17, &expression("counter", &Attributes::default()));
        }
        message(self.family, NEWSET, new)
    }

    /// How nft(8) shows the set and reads it again, in its own form: the order of the bytes of a key of one part, or the
    /// expressions whose types the parts of the key have.
    fn description(&self) -> Vec<u8> {
        let of_host = u32::from(self.key.len() == 1);
        if self.key.iter().all(|part| !matches!(part, Part::Vlan | Part::MacInPacket)) {
            return word(0, of_host);
        }
        let parts = (0..).zip(self.key).flat_map(|(place, part)| {
            let (expression, attributes) = part.typeof_expression();
            let attributes: Vec<u8> =
                attributes.iter().flat_map(|(kind, value)| word(*kind, *value)).collect();
            item(place, &[word(0, expression), item(1, &attributes)].concat())
        });
        let parts: Vec<u8> = parts.collect();
        [word(0, of_host), item(3, &[word(0, 13), item(1, &parts)].concat())].concat()
    }

    /// Its elements: the key, and how many frames matched, if the set counts them.
    pub fn read(&self, nftables: &mut Nftables) -> Result<Vec<Counted>, Refusal> {
        let parts = nftables.get(self.family, GETSETELEM, true, &of_table().with(2, text(self.name)))?;
        Ok(parts.iter().flat_map(counted).collect())
    }

    /// The station in a key; `None` if this is not one of the sets of stations.
    fn station(&self, key: &[u8]) -> Option<(IfName, Allowed)> {
        let (mut rest, mut mac, mut vid, mut address) = (key, None, None, None);
        for part in self.key {
            let (bytes, others) = rest.split_at_checked(part.length())?;
            match part {
                Part::Port => {}
                Part::Vlan => vid = Vid::new(bytes.first_chunk().copied().map(u16::from_be_bytes)?),
                Part::Mac | Part::MacInPacket => mac = Mac::from_bytes(bytes.get(..6)?),
                Part::Ipv4 | Part::Ipv6 => address = ip(bytes),
            }
            rest = others;
        }
        Some((port(key)?, Allowed { mac: mac?, vid, address }))
    }
}

/// The elements in a part of an answer.
pub(super) fn counted(part: &Attributes) -> Vec<Counted> {
    let elements = part.nested(3).0;
    let of = |(_, element): &(u16, Vec<u8>)| {
        let element = Attributes::parse(element);
        let key = element.nested(1).get(1).map(<[u8]>::to_vec)?;
        Some((key, element.nested(7).nested(2).be64(2)))
    };
    elements.iter().filter_map(of).collect()
}

/// The key of an element, and how many frames matched it, if the set counts them.
pub(super) type Counted = (Vec<u8>, Option<u64>);

/// A value in the form of nft(8): type, length, value.
pub(super) fn item(kind: u8, value: &[u8]) -> Vec<u8> {
    [&[kind, u8::try_from(value.len()).unwrap_or(u8::MAX)], value].concat()
}

/// A number in that form, in the order of the host.
fn word(kind: u8, value: u32) -> Vec<u8> {
    item(kind, &value.to_ne_bytes())
}

/// An element: its set and its key.
pub(super) type Element = (Family, &'static str, Vec<u8>);

fn padded(bytes: &[u8], part: Part) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes.resize(part.length(), 0);
    bytes
}

/// The port at the beginning of every key.
pub(super) fn port(key: &[u8]) -> Option<IfName> {
    let name = key.get(..Part::Port.length())?.split(|byte| *byte == 0).next()?;
    Some(IfName::of_kernel(std::str::from_utf8(name).ok()?))
}

/// All elements of a port with these stations, each once, in order.
pub(super) fn elements(port: &IfName, stations: &Stations) -> Vec<Element> {
    use Family::{Bridge, Netdev};
    let name = padded(port.as_str().as_bytes(), Part::Port);
    let mut elements = Vec::new();
    for station in stations {
        let vid = station.vid.map(|vid| padded(&vid.get().to_be_bytes(), Part::Vlan)).unwrap_or_default();
        let mac = padded(&station.mac.bytes(), Part::Mac);
        let address = match station.address {
            None => Vec::new(),
            Some(IpAddr::V4(address)) => address.octets().to_vec(),
            Some(IpAddr::V6(address)) => address.octets().to_vec(),
        };
        elements.push((Bridge, station.set(), [&*name, &mac, &vid, &address].concat()));
        for (family, set) in [(Bridge, "macs"), (Bridge, "packet-macs"), (Netdev, "macs")] {
            elements.push((family, set, [&*name, &mac].concat()));
        }
    }
    let of_port =
        [(Bridge, "ports"), (Bridge, "dropped-in"), (Bridge, "dropped-out"), (Netdev, "dropped-in")];
    if !stations.is_empty() {
        elements.extend(of_port.map(|(family, set)| (family, set, name.clone())));
    }
    in_order(elements)
}

/// The elements, each once, in order.
pub(super) fn in_order(mut elements: Vec<Element>) -> Vec<Element> {
    elements.sort_unstable();
    elements.dedup();
    elements
}

/// The stations of all ports that some elements contain.
pub(super) fn stations(elements: &[Element]) -> Map<IfName, Stations> {
    let mut found: Map<IfName, Stations> = Map::new();
    for (family, name, key) in elements {
        let set = STATIONS.iter().find(|set| set.family == *family && set.name == *name);
        if let Some((port, station)) = set.and_then(|set| set.station(key)) {
            found.entry(port).or_default().insert(station);
        }
    }
    found
}

/// Messages that add or delete elements, which are in order.
pub(super) fn change(kind: u16, elements: &[Element]) -> Vec<Message> {
    let of_sets = elements.chunk_by(|(family, set, _), (other, next, _)| family == other && set == next);
    let mut messages = Vec::new();
    for some in of_sets.flat_map(|of_set| of_set.chunks(ELEMENTS)) {
        let Some((family, set, _)) = some.first() else { continue };
        let list = some.iter().fold(Attributes::default(), |all, (_, _, key)| {
            all.nest(LIST_ELEM, &Attributes::default().nest(1, &constant(key)))
        });
        messages.push(message(*family, kind, of_table().with(2, text(set)).nest(3, &list)));
    }
    messages
}

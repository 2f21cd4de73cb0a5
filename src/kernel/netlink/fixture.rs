//! The messages that the `ip` command sent and received, for the unit tests: the files of tests/wire/, see `capture`
//! there.

mod order;

use crate::kernel::netlink::fuzz::messages;
use crate::kernel::netlink::message::RouteNetlinkMessage;
use rtnetlink::packet_core::{NLM_F_ACK, NLM_F_REQUEST, NetlinkMessage};
use std::collections::BTreeMap;

/// The attribute with a table's number, in rules (FRA_TABLE) and in routes (RTA_TABLE).
const TABLE: u16 = 15;
/// The attribute with a link's name (IFLA_IFNAME).
const IFNAME: u16 = 3;
/// The attribute with a link's type (IFLA_LINKINFO), and in it the name of the kind (IFLA_INFO_KIND).
const LINKINFO: u16 = 18;

/// A request, split into its parts. The order of attributes does not matter to the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    kind: u16,
    flags: u16,
    header: Vec<u8>,
    attributes: BTreeMap<u16, Vec<u8>>,
}

/// The datagrams of a file that begin with this sign, in the order of bytes of this machine.
fn datagrams(name: &str, sign: char) -> Vec<Vec<u8>> {
    let all = in_file(name, sign);
    if cfg!(target_endian = "big") { all.iter().map(|bytes| order::reordered(bytes)).collect() } else { all }
}

/// The same as they were recorded, on a little-endian machine.
fn in_file(name: &str, sign: char) -> Vec<Vec<u8>> {
    let path = format!("{}/tests/wire/{name}.hex", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let hex = |line: &str| {
        (0..line.len() / 2).map(|i| u8::from_str_radix(&line[2 * i..2 * i + 2], 16).unwrap()).collect()
    };
    text.lines().filter_map(|line| line.strip_prefix(sign)).map(|line| hex(line.trim())).collect()
}

/// Splits a sequence of attributes, each with its length in front and padded to four bytes.
fn cut(mut bytes: &[u8]) -> BTreeMap<u16, Vec<u8>> {
    let mut found = BTreeMap::new();
    while bytes.len() >= 4 {
        let length = usize::from(u16::from_ne_bytes([bytes[0], bytes[1]]));
        found.insert(u16::from_ne_bytes([bytes[2], bytes[3]]), bytes[4..length].to_vec());
        bytes = &bytes[length.next_multiple_of(4).min(bytes.len())..];
    }
    found
}

impl Request {
    fn parse(bytes: &[u8]) -> Self {
        let kind = u16::from_ne_bytes([bytes[4], bytes[5]]);
        // Links (16 to 19) have a header of 16 bytes, routes and rules of 12.
        let end = 16 + if kind < 20 { 16 } else { 12 };
        let mut request = Self {
            kind,
            flags: u16::from_ne_bytes([bytes[6], bytes[7]]),
            header: bytes[16..end].to_vec(),
            attributes: cut(&bytes[end..]),
        };
        // A table number below 256 may be in the header as well.
        if kind >= 20 && request.header[4] != 0 {
            let table = u32::from(request.header[4]).to_ne_bytes().to_vec();
            request.attributes.entry(TABLE).or_insert(table);
            request.header[4] = 0;
        }
        // A string may end with a NUL or not.
        for text in request.attributes.iter_mut().filter(|(kind_, _)| kind < 20 && **kind_ == IFNAME) {
            text.1.retain(|byte| *byte != 0);
        }
        if let Some(info) = request.attributes.get_mut(&LINKINFO) {
            let parts = cut(info).into_iter();
            *info = parts
                .flat_map(|(kind, value)| [vec![kind.to_be_bytes()[1]], value].concat())
                .filter(|byte| *byte != 0)
                .collect();
        }
        request
    }

    /// The request that `ip` sent.
    pub fn of_ip(name: &str) -> Self {
        let datagrams = datagrams(name, '>');
        assert_eq!(datagrams.len(), 1, "{name}");
        Self::parse(&datagrams[0])
    }

    /// The request that we send, which asks for an answer.
    pub fn ours(message: RouteNetlinkMessage, flags: u16) -> Self {
        let mut message = NetlinkMessage::from(message);
        message.header.flags = NLM_F_REQUEST | NLM_F_ACK | flags;
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        Self::parse(&bytes)
    }

    /// The same, with the name of the link instead of its index, which `ip` looks up first.
    pub fn by_name(mut self, name: &str) -> Self {
        self.header[4..8].fill(0);
        self.attributes.insert(IFNAME, name.as_bytes().to_vec());
        self
    }

    /// The same without an attribute.
    pub fn without(mut self, attribute: u16) -> Self {
        self.attributes.remove(&attribute);
        self
    }

    /// The same as RTM_SETLINK, which is RTM_NEWLINK without creating a link.
    pub fn into_set(self) -> Self {
        Self { kind: 19, ..self }
    }
}

/// The answers in a file, without the closing one.
pub fn answers(name: &str) -> Vec<RouteNetlinkMessage> {
    let all: Vec<_> = datagrams(name, '<').iter().flat_map(|datagram| messages(datagram)).collect();
    assert!(!all.is_empty(), "{name}");
    all
}

/// The names of all files.
fn names() -> Vec<String> {
    let folder = format!("{}/tests/wire", env!("CARGO_MANIFEST_DIR"));
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".hex").map(str::to_owned))
        .collect();
    names.sort();
    names
}

/// All answers that were recorded.
pub fn all_datagrams() -> Vec<Vec<u8>> {
    names().iter().flat_map(|name| datagrams(name, '<')).collect()
}

/// All requests and answers as they were recorded.
fn recorded() -> Vec<Vec<u8>> {
    names().iter().flat_map(|name| ['>', '<'].map(|sign| in_file(name, sign)).concat()).collect()
}

/// Reads the answers of a file with every possible damage of one byte or of the length. Only a panic is an error.
pub fn damaged(name: &str, mut read: impl FnMut(RouteNetlinkMessage)) {
    for datagram in datagrams(name, '<') {
        // The first few hundred bytes contain every kind of attribute.
        let whole = &datagram[..datagram.len().min(3000)];
        for end in 0..whole.len() {
            messages(&whole[..end]).into_iter().for_each(&mut read);
            for byte in [0, 1, 3, 4, 0x7f, 0xff, whole[end].wrapping_add(1)] {
                let mut changed = whole.to_vec();
                changed[end] = byte;
                messages(&changed).into_iter().for_each(&mut read);
            }
        }
    }
}

//! Messages as they came, of which only a header and a list of attributes is known, and the outcome of a request.

use crate::kernel::Refusal;
use nix::errno::Errno;
use rtnetlink::packet_core::{
    DecodeError, NetlinkDeserializable, NetlinkHeader, NetlinkSerializable, NlasIterator,
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The bits of an attribute's type that are not flags.
const NLA_TYPE_MASK: u16 = 0x3fff;
/// Flag on a part of a dump: the data changed during the dump (include/uapi/linux/netlink.h).
pub(super) const NLM_F_DUMP_INTR: u16 = 0x10;
/// That an attribute contains attributes. The kernel requires it in newer messages.
pub(super) const NLA_F_NESTED: u16 = 0x8000;
/// The text of an error, among the attributes of an extended ACK.
const NLMSGERR_ATTR_MSG: u16 = 1;
/// The length of the data before those attributes: the header of the request. With `NETLINK_CAP_ACK` the kernel repeats
/// no more of the request.
pub(super) const REQUEST_HEADER: usize = 16;

/// A message that is not decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawMessage {
    /// The type of the message, such as RTM_NEWLINK.
    pub(super) number: u16,
    /// What follows the netlink header.
    pub(super) payload: Vec<u8>,
}

impl NetlinkSerializable for RawMessage {
    fn message_type(&self) -> u16 {
        self.number
    }

    fn buffer_len(&self) -> usize {
        self.payload.len()
    }

    fn serialize(&self, buffer: &mut [u8]) {
        buffer[..self.payload.len()].copy_from_slice(&self.payload);
    }
}

impl NetlinkDeserializable for RawMessage {
    type Error = DecodeError;

    fn deserialize(header: &NetlinkHeader, payload: &[u8]) -> Result<Self, DecodeError> {
        Ok(Self { number: header.message_type, payload: payload.to_vec() })
    }
}

/// A header and attributes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) header: Vec<u8>,
    pub(super) attributes: Attributes,
}

impl Object {
    /// `None` if the bytes are fewer than the header.
    pub(super) fn parse(bytes: &[u8], header: usize) -> Option<Self> {
        let (header, attributes) = bytes.split_at_checked(header)?;
        Some(Self { header: header.to_vec(), attributes: Attributes::parse(attributes) })
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        [self.header.clone(), self.attributes.bytes()].concat()
    }

    /// A byte of the header.
    pub(super) fn byte(&self, at: usize) -> u8 {
        self.header.get(at).copied().unwrap_or_default()
    }

    /// A number in the header.
    pub(super) fn number(&self, at: usize) -> u32 {
        self.header.get(at..).and_then(number).unwrap_or_default()
    }

    /// A number of two bytes in the header.
    pub(super) fn short_number(&self, at: usize) -> u16 {
        let bytes = self.header.get(at..).and_then(|bytes| bytes.first_chunk().copied());
        bytes.map(u16::from_ne_bytes).unwrap_or_default()
    }

    pub(super) fn set_number(&mut self, at: usize, value: u32) {
        if let Some(bytes) = self.header.get_mut(at..at + 4) {
            bytes.copy_from_slice(&value.to_ne_bytes());
        }
    }
}

/// Attributes in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Attributes(pub(super) Vec<(u16, Vec<u8>)>);

impl Attributes {
    /// The attributes, up to the first one that is damaged.
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let known = NlasIterator::new(bytes).map_while(Result::ok);
        Self(known.map(|attribute| (attribute.kind() & NLA_TYPE_MASK, attribute.value().to_vec())).collect())
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (kind, value) in &self.0 {
            let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
            bytes.extend_from_slice(&length.to_ne_bytes());
            bytes.extend_from_slice(&kind.to_ne_bytes());
            bytes.extend_from_slice(value);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        bytes
    }

    pub(super) fn get(&self, kind: u16) -> Option<&[u8]> {
        let is_it = |(of, _): &&(u16, Vec<u8>)| of & NLA_TYPE_MASK == kind;
        self.0.iter().find(is_it).map(|(_, value)| value.as_slice())
    }

    pub(super) fn number(&self, kind: u16) -> Option<u32> {
        self.get(kind).and_then(number)
    }

    /// A text, without the byte that ends it.
    pub(super) fn text(&self, kind: u16) -> Option<String> {
        let text = self.get(kind)?;
        Some(String::from_utf8_lossy(text.strip_suffix(&[0]).unwrap_or(text)).into_owned())
    }

    /// The attributes in an attribute.
    pub(super) fn nested(&self, kind: u16) -> Self {
        self.get(kind).map(Self::parse).unwrap_or_default()
    }

    pub(super) fn push(&mut self, kind: u16, value: impl Into<Vec<u8>>) {
        self.0.push((kind, value.into()));
    }

    /// The same with an attribute.
    pub(super) fn with(mut self, kind: u16, value: impl Into<Vec<u8>>) -> Self {
        self.push(kind, value);
        self
    }

    /// Replaces an attribute, if it exists.
    pub(super) fn replace(&mut self, kind: u16, value: u32) {
        for (_, old) in self.0.iter_mut().filter(|(of, _)| *of == kind) {
            *old = value.to_ne_bytes().to_vec();
        }
    }

    /// Keeps some attributes.
    pub(super) fn only(&self, kinds: &[u16]) -> Self {
        Self(self.0.iter().filter(|(kind, _)| kinds.contains(kind)).cloned().collect())
    }

    /// Keeps all but some attributes.
    pub(super) fn without(&self, kinds: &[u16]) -> Self {
        Self(self.0.iter().filter(|(kind, _)| !kinds.contains(kind)).cloned().collect())
    }
}

/// The number at the beginning of some bytes.
pub(super) fn number(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().copied().map(u32::from_ne_bytes)
}

/// The IP address that some bytes are.
pub(super) fn ip(bytes: &[u8]) -> Option<IpAddr> {
    match *bytes {
        [a, b, c, d] => Some(IpAddr::V4(Ipv4Addr::new(a, b, c, d))),
        _ => <[u8; 16]>::try_from(bytes).ok().map(|bytes| IpAddr::V6(Ipv6Addr::from(bytes))),
    }
}

/// The outcome of a request: a code that is 0 or a negative errno, and the attributes of an extended ACK.
pub(super) fn outcome(code: i32, attributes: &[u8]) -> Result<(), Refusal> {
    if code >= 0 {
        return Ok(());
    }
    let text = Attributes::parse(attributes).text(NLMSGERR_ATTR_MSG);
    Err(Refusal { errno: Some(Errno::from_raw(code.wrapping_neg())), text, answer_lost: false })
}

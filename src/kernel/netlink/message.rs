//! The messages that we send and receive.
//!
//! rtnetlink's own type of this name also contains traffic control, statistics and more. Their decoders would be in
//! every program, which would take longer to load from disk, although no program asks the kernel for such messages.

use crate::kernel::netlink::vlan_message::VlanMessage;
use rtnetlink::packet_core::{
    DecodeError, Emitable as _, NetlinkDeserializable, NetlinkHeader, NetlinkPayload, NetlinkSerializable,
    Parseable as _,
};
use rtnetlink::packet_route::address::AddressMessage;
use rtnetlink::packet_route::link::LinkMessage;
use rtnetlink::packet_route::neighbour::NeighbourMessage;
use rtnetlink::packet_route::nsid::NsidMessage;
use rtnetlink::packet_route::route::RouteMessage;
use rtnetlink::packet_route::rule::RuleMessage;

/// The answer of which only a part is decoded.
const RTM_NEWLINK: u16 = 16;
/// The length of the header before the attributes of a link (`struct ifinfomsg`).
const LINK_HEADER: usize = 16;
/// The attributes of links that are read: address, name, MTU, link, master, linkinfo, alias, group, link's namespace,
/// properties (include/uapi/linux/if_link.h).
const LINK_ATTRIBUTES: [u16; 10] = [1, 3, 4, 5, 10, 18, 20, 27, 37, IFLA_PROP_LIST];
const IFLA_PROP_LIST: u16 = 52;
/// Those that are text: name, alias, and alternative name, which is a property.
const TEXTS: [u16; 3] = [3, 20, 53];
/// The bits of an attribute's type that are not flags.
const NLA_TYPE_MASK: u16 = 0x3fff;

/// A link without the attributes that are not read, such as its statistics. They are most of the message and most of
/// the work of decoding it, which matters if the kernel shows thousands of links.
fn essential(link: &[u8]) -> Vec<u8> {
    let (header, attributes) = link.split_at(link.len().min(LINK_HEADER));
    let mut kept = Vec::with_capacity(link.len());
    kept.extend_from_slice(header);
    keep(attributes, &|kind| LINK_ATTRIBUTES.contains(&kind), &mut kept);
    kept
}

/// Copies some attributes.
fn keep(mut rest: &[u8], is_kept: &dyn Fn(u16) -> bool, kept: &mut Vec<u8>) {
    while let [length_0, length_1, kind_0, kind_1, ..] = *rest {
        let length = usize::from(u16::from_ne_bytes([length_0, length_1]));
        if length < 4 || length > rest.len() {
            break;
        }
        let kind = u16::from_ne_bytes([kind_0, kind_1]) & NLA_TYPE_MASK;
        let (attribute, others) = rest.split_at(length.next_multiple_of(4).min(rest.len()));
        let (head, content) = attribute.split_at(4);
        if kind == IFLA_PROP_LIST && is_kept(kind) {
            kept.extend_from_slice(head);
            keep(content, &|_| true, kept);
        } else if TEXTS.contains(&kind) && is_kept(kind) && std::str::from_utf8(content).is_err() {
            // The decoder accepts only UTF-8, and would drop the link.
            kept.extend_from_slice(head);
            kept.extend(content.iter().map(|byte| if byte.is_ascii() { *byte } else { b'?' }));
        } else if is_kept(kind) {
            kept.extend_from_slice(attribute);
        }
        rest = others;
    }
    // The decoder refuses damaged data.
    kept.extend_from_slice(rest);
}

/// One line for each content: the message that the kernel answers with, and the messages that are only sent, with their
/// numbers (include/uapi/linux/rtnetlink.h).
macro_rules! messages {
    ($($content:ident: $answer:ident = $number:literal, $($request:ident = $request_number:literal),+;)+) => {
        /// A message.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum RouteNetlinkMessage {
            $($answer($content), $($request($content),)+)+
        }

        impl NetlinkSerializable for RouteNetlinkMessage {
            fn message_type(&self) -> u16 {
                match self {
                    $(Self::$answer(_) => $number, $(Self::$request(_) => $request_number,)+)+
                }
            }

            fn buffer_len(&self) -> usize {
                match self {
                    $(Self::$answer(content) $(| Self::$request(content))+ => content.buffer_len(),)+
                }
            }

            fn serialize(&self, buffer: &mut [u8]) {
                match self {
                    $(Self::$answer(content) $(| Self::$request(content))+ => content.emit(buffer),)+
                }
            }
        }

        impl NetlinkDeserializable for RouteNetlinkMessage {
            type Error = DecodeError;

            fn deserialize(header: &NetlinkHeader, payload: &[u8]) -> Result<Self, DecodeError> {
                let payload = if header.message_type == RTM_NEWLINK { &essential(payload) } else { payload };
                match header.message_type {
                    $($number => $content::parse(payload).map(Self::$answer),)+
                    other => Err(DecodeError::from(format!("a message of type {other}"))),
                }
            }
        }
    };
}

messages! {
    LinkMessage: NewLink = 16, DelLink = 17, GetLink = 18, SetLink = 19;
    AddressMessage: NewAddress = 20, DelAddress = 21, GetAddress = 22;
    RouteMessage: NewRoute = 24, DelRoute = 25, GetRoute = 26;
    NeighbourMessage: NewNeighbour = 28, DelNeighbour = 29, GetNeighbour = 30;
    RuleMessage: NewRule = 32, DelRule = 33, GetRule = 34;
    NsidMessage: NewNsId = 88, GetNsId = 90;
    VlanMessage: NewVlan = 112, GetVlan = 114;
}

impl From<RouteNetlinkMessage> for NetlinkPayload<RouteNetlinkMessage> {
    fn from(message: RouteNetlinkMessage) -> Self {
        Self::InnerMessage(message)
    }
}

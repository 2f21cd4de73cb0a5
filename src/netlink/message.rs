//! The messages that we deal in.
//!
//! rtnetlink's own type of this name holds traffic control, statistics and more besides. Their decoders would be in
//! every program and have to be read from disk with it, though nobody asks the kernel for such messages.

use rtnetlink::{
    packet_core::{
        DecodeError, Emitable as _, NetlinkDeserializable, NetlinkHeader, NetlinkPayload,
        NetlinkSerializable, Parseable as _,
    },
    packet_route::{
        address::AddressMessage, link::LinkMessage, neighbour::NeighbourMessage, nsid::NsidMessage,
        route::RouteMessage, rule::RuleMessage,
    },
};

/// A line for each content: the message that the kernel answers with, and those that are only sent, with their numbers
/// (include/uapi/linux/rtnetlink.h).
macro_rules! messages {
    ($($content:ident: $answer:ident = $number:literal, $($request:ident = $request_number:literal),+;)+) => {
        /// A message.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub(super) enum RouteNetlinkMessage {
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
}

impl From<RouteNetlinkMessage> for NetlinkPayload<RouteNetlinkMessage> {
    fn from(message: RouteNetlinkMessage) -> Self {
        Self::InnerMessage(message)
    }
}

//! Messages of nf_tables (include/uapi/linux/netfilter/nf_tables.h).
//!
//! Changes are sent as a batch, which the kernel applies completely or not at all. All messages of a batch have to be in
//! one datagram, and rtnetlink's connection sends each message in its own. So this module has a socket of its own. The
//! kernel handles these messages while they are sent (net/netfilter/nfnetlink.c `nfnetlink_rcv`): all answers are there
//! when `send` returns, and there is nothing to wait for.

use crate::kernel::Refusal;
use crate::kernel::netlink::raw::{
    Attributes, NLA_F_NESTED, NLM_F_DUMP_INTR, Object, REQUEST_HEADER, outcome,
};
use nix::libc;
use nix::sys::socket::{setsockopt, sockopt};
use rtnetlink::packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR, NetlinkBuffer};
use rtnetlink::sys::Socket;
use rtnetlink::sys::protocols::NETLINK_NETFILTER;
use std::collections::VecDeque;

/// The subsystem, in the upper byte of each message's type.
const SUBSYSTEM: u8 = 10;
const BATCH_BEGIN: u16 = 16;
const BATCH_END: u16 = 17;
/// The header before the attributes (`struct nfgenmsg`).
pub(super) const HEADER: usize = 4;
/// The header of the first and of the last message of a batch: it names the subsystem.
const BATCH: [u8; HEADER] = [0, 0, 0, SUBSYSTEM];
/// How often an interrupted dump is repeated.
const DUMPS: usize = 16;
/// Room for the largest datagram that the kernel answers with.
const ROOM: usize = 64 * 1024;

/// The family of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Family {
    /// Frames that a link receives, before anything else (`NFPROTO_NETDEV`).
    Netdev = 5,
    /// Frames in bridges (`NFPROTO_BRIDGE`).
    Bridge = 7,
}

/// A message without its netlink header.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub family: Family,
    /// Such as `NFT_MSG_NEWTABLE`.
    pub number: u16,
    /// Beside `NLM_F_REQUEST`.
    pub flags: u16,
    pub attributes: Attributes,
}

/// A socket in the namespace in which it was opened.
pub(super) struct Nftables {
    socket: Socket,
    sequence: u32,
}

impl Nftables {
    pub fn open() -> Result<Self, Refusal> {
        let refuse =
            |error: std::io::Error| Refusal::io(&error, "cannot open a netlink socket for nf_tables");
        let socket = Socket::new(NETLINK_NETFILTER).map_err(refuse)?;
        socket.set_ext_ack(true).map_err(refuse)?;
        socket.set_cap_ack(true).map_err(refuse)?;
        Ok(Self { socket, sequence: 0 })
    }

    /// Makes some changes, all or none.
    pub fn change(&mut self, messages: Vec<Message>) -> Result<(), Refusal> {
        let mut bytes = Vec::new();
        self.write(&mut bytes, BATCH_BEGIN, NLM_F_REQUEST, BATCH, &Attributes::default());
        let mut rest: VecDeque<Message> = messages.into();
        while let Some(message) = rest.pop_front() {
            // An error is reported for every message; the last one also reports success.
            let ack = if rest.is_empty() { NLM_F_ACK } else { 0 };
            let (number, flags) =
                (u16::from(SUBSYSTEM) << 8 | message.number, NLM_F_REQUEST | message.flags | ack);
            self.write(&mut bytes, number, flags, [message.family as u8, 0, 0, 0], &message.attributes);
        }
        let last = self.sequence;
        self.write(&mut bytes, BATCH_END, NLM_F_REQUEST, BATCH, &Attributes::default());
        // The limit of an ordinary socket is smaller than a table of many ports. It only limits, so an error of this is
        // an error of `send`.
        let _ = setsockopt(&self.socket, sockopt::SndBufForce, &(2 * bytes.len() + ROOM));
        self.send(&bytes)?;
        let mut done = false;
        while let Some(datagram) = self.receive()? {
            for answer in answers(&datagram) {
                match answer.outcome() {
                    Some(Err(refusal)) => return Err(self.drained(refusal)),
                    Some(Ok(())) => done |= answer.sequence == last,
                    None => {}
                }
            }
        }
        if done {
            Ok(())
        } else {
            Err(Refusal { answer_lost: true, ..Refusal::text("nf_tables did not answer") })
        }
    }

    /// Asks for objects: their attributes. Empty if that which they belong to does not exist.
    pub fn get(
        &mut self,
        family: Family,
        number: u16,
        all: bool,
        attributes: &Attributes,
    ) -> Result<Vec<Attributes>, Refusal> {
        for _ in 0..DUMPS {
            let mut bytes = Vec::new();
            let flags = if all { NLM_F_DUMP } else { 0 };
            let header = [family as u8, 0, 0, 0];
            self.write(
                &mut bytes,
                u16::from(SUBSYSTEM) << 8 | number,
                NLM_F_REQUEST | flags,
                header,
                attributes,
            );
            self.send(&bytes)?;
            let (mut found, mut interrupted) = (Vec::new(), false);
            while let Some(datagram) = self.receive()? {
                for answer in answers(&datagram) {
                    interrupted |= answer.flags & NLM_F_DUMP_INTR != 0;
                    match answer.outcome() {
                        Some(Err(refusal)) if refusal.is_gone() => return Ok(self.drained(Vec::new())),
                        Some(Err(refusal)) => return Err(self.drained(refusal)),
                        Some(Ok(())) => {}
                        None => found
                            .extend(Object::parse(answer.payload, HEADER).map(|object| object.attributes)),
                    }
                }
            }
            if !interrupted {
                return Ok(found);
            }
        }
        Err(Refusal::text(format!("{DUMPS} dumps of nf_tables in a row were interrupted by changes")))
    }

    fn write(
        &mut self,
        bytes: &mut Vec<u8>,
        number: u16,
        flags: u16,
        header: [u8; HEADER],
        attributes: &Attributes,
    ) {
        self.sequence = self.sequence.wrapping_add(1);
        let attributes = attributes.bytes();
        let length = u32::try_from(16 + HEADER + attributes.len()).unwrap_or(u32::MAX);
        bytes.extend(length.to_ne_bytes());
        bytes.extend(number.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(self.sequence.to_ne_bytes());
        // The kernel puts the sender here by itself.
        bytes.extend([0; 4]);
        bytes.extend(header);
        bytes.extend(attributes);
    }

    fn send(&self, bytes: &[u8]) -> Result<(), Refusal> {
        let sent = self.socket.send(bytes, 0);
        sent.map(drop).map_err(|error| Refusal::io(&error, "cannot send to nf_tables"))
    }

    /// The next datagram; `None` if there is none.
    fn receive(&self) -> Result<Option<Vec<u8>>, Refusal> {
        let mut buffer = Vec::with_capacity(ROOM);
        match self.socket.recv(&mut buffer, libc::MSG_DONTWAIT) {
            Ok(_) => Ok(Some(buffer)),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(Refusal::io(&error, "nf_tables")),
        }
    }

    /// Drops the answers that were not read.
    fn drained<T>(&self, outcome: T) -> T {
        while let Ok(Some(_)) = self.receive() {}
        outcome
    }
}

/// An answer.
pub(super) struct Answer<'a> {
    number: u16,
    flags: u16,
    sequence: u32,
    pub payload: &'a [u8],
}

impl Answer<'_> {
    /// Whether the request or the dump is finished, and how; `None` if this is an object.
    pub fn outcome(&self) -> Option<Result<(), Refusal>> {
        if !matches!(self.number, NLMSG_ERROR | NLMSG_DONE) {
            return None;
        }
        let code = self.payload.first_chunk().copied().map_or(0, i32::from_ne_bytes);
        let header = if self.number == NLMSG_DONE { 0 } else { REQUEST_HEADER };
        Some(outcome(code, self.payload.get(4 + header..).unwrap_or_default()))
    }
}

/// The messages of a datagram.
pub(super) fn answers(mut datagram: &[u8]) -> Vec<Answer<'_>> {
    let mut answers = Vec::new();
    while let Ok(message) = NetlinkBuffer::new_checked(datagram) {
        let Ok(length) = usize::try_from(message.length()) else { break };
        let Some(payload) = datagram.get(16..length) else { break };
        answers.push(Answer {
            number: message.message_type(),
            flags: message.flags(),
            sequence: message.sequence_number(),
            payload,
        });
        datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    answers
}

/// Numbers are in network order, unlike those of route netlink.
pub(super) fn number(value: u32) -> Vec<u8> {
    value.to_be_bytes().to_vec()
}

/// A text with the byte that ends it.
pub(super) fn text(value: &str) -> Vec<u8> {
    [value.as_bytes(), &[0]].concat()
}

impl Attributes {
    /// The same with attributes in an attribute.
    pub(super) fn nest(self, kind: u16, inner: &Self) -> Self {
        self.with(kind | NLA_F_NESTED, inner.bytes())
    }

    /// A number of nf_tables.
    pub(super) fn be32(&self, kind: u16) -> Option<u32> {
        self.get(kind)?.first_chunk().copied().map(u32::from_be_bytes)
    }

    /// The same, of 64 bits.
    pub(super) fn be64(&self, kind: u16) -> Option<u64> {
        self.get(kind)?.first_chunk().copied().map(u64::from_be_bytes)
    }
}

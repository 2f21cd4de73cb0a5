//! Requests to the kernel of one namespace, and its answers.
//!
//! rtnetlink's connection does the framing and matches answers to requests. This module adds the kernel's error texts
//! (extended ACK), errors at the end of dumps, interrupted dumps, and answers that never come.

use crate::kernel::Refusal;
use crate::kernel::netlink::message::RouteNetlinkMessage;
use crate::kernel::netlink::nftables::Nftables;
use crate::kernel::netlink::raw::{NLM_F_DUMP_INTR, REQUEST_HEADER, outcome};
use crate::kernel::netlink::socket::{BlockingSocket, Fault};
use crate::state::AllowTable;
use crate::values::IfName;
use futures::Stream;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rtnetlink::packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkDeserializable, NetlinkHeader, NetlinkMessage,
    NetlinkPayload, NetlinkSerializable,
};
use rtnetlink::proto::{Connection, ConnectionHandle, new_connection_with_socket};
use rtnetlink::sys::protocols::NETLINK_ROUTE;
use rtnetlink::sys::{AsyncSocket as _, SocketAddr};
use std::collections::BTreeMap;
use std::future::Future as _;
use std::ops::ControlFlow;
use std::os::fd::AsFd as _;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use std::{fmt, thread};

/// How long to wait before an interrupted dump is repeated, in milliseconds: about two seconds in all.
const DUMP_PAUSES: [u64; 14] = [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 256, 256, 512, 512];
/// How long to wait for an answer that does not come at once, in milliseconds.
const PATIENCE: u16 = 5000;

/// The contents of messages: decoded, or as they came.
pub trait Content: NetlinkSerializable + NetlinkDeserializable + fmt::Debug + Clone + Unpin {}

impl<C: NetlinkSerializable + NetlinkDeserializable + fmt::Debug + Clone + Unpin> Content for C {}

/// A connection to the kernel of the namespace in which it was opened.
pub struct Channel<C: Content = RouteNetlinkMessage> {
    connection: Connection<C, BlockingSocket>,
    handle: ConnectionHandle<C>,
    is_broken: bool,
    /// The indexes of links, from one change of links by this channel to the next.
    pub(super) indexes: BTreeMap<IfName, u32>,
    /// The connection to nf_tables, once it is needed.
    pub(super) nftables: Option<Nftables>,
    /// The tables `bridge-allow`, if they are as they should be, from our last reading or change.
    pub(super) allowed: Option<AllowTable>,
}

impl<C: Content> fmt::Debug for Channel<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").finish_non_exhaustive()
    }
}

impl<C: Content> Channel<C> {
    /// Opens a socket in the calling thread's namespace; the socket stays in that namespace.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn open() -> Result<Self, Refusal> {
        let refuse = |error: std::io::Error| Refusal::io(&error, "cannot open a netlink socket");
        let (mut connection, handle, _unsolicited) =
            new_connection_with_socket::<_, BlockingSocket>(NETLINK_ROUTE).map_err(refuse)?;
        connection.set_forward_ack(true);
        connection.set_forward_done(true);
        let socket = connection.socket_mut().socket_mut();
        socket.set_ext_ack(true).map_err(refuse)?;
        socket.set_cap_ack(true).map_err(refuse)?;
        // Makes the kernel filter dumps by the fields of the request, and refuse fields that it does not know.
        socket.set_netlink_get_strict_chk(true).map_err(refuse)?;
        let indexes = BTreeMap::new();
        Ok(Self { connection, handle, is_broken: false, indexes, nftables: None, allowed: None })
    }

    /// Whether the channel cannot be used any more: the socket failed, or an answer was not read to its end. A new
    /// channel may work.
    pub fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Makes one change and waits until it is made.
    pub(super) fn change(&mut self, message: C, flags: u16) -> Result<(), Refusal> {
        let mut outcome = None;
        self.exchange(message, NLM_F_REQUEST | NLM_F_ACK | flags, &mut |answer| {
            if let Some(closed) = closing(&answer) {
                outcome = Some(closed);
            }
            ControlFlow::Continue(())
        })?;
        outcome.unwrap_or_else(|| Err(lost("no answer to a request")))
    }

    /// Asks for one object; `None` if it does not exist.
    pub(super) fn get(&mut self, message: C) -> Result<Option<C>, Refusal> {
        let (mut outcome, mut found) = (None, None);
        self.exchange(message, NLM_F_REQUEST, &mut |answer| {
            match closing(&answer) {
                None if found.is_none() => found = inner(answer),
                None => {}
                closed => outcome = closed,
            }
            ControlFlow::Continue(())
        })?;
        match outcome {
            Some(Err(refusal)) if refusal.is_gone() => Ok(None),
            Some(Err(refusal)) => Err(refusal),
            _ => Ok(found),
        }
    }

    /// Asks for all objects that the message describes. Each answer is converted as it comes, since thousands of
    /// complete answers would take most of the program's memory. A dump during which the data changed is repeated.
    pub(super) fn dump<T>(
        &mut self,
        message: &C,
        keep: impl FnMut(C) -> Option<T>,
    ) -> Result<Vec<T>, Refusal> {
        self.dump_some(message, usize::MAX, keep)
    }

    /// The same, but at most `most` objects. If it stops there, the rest stays unread and the channel is broken, since
    /// the kernel would send that rest among later answers.
    pub(super) fn dump_some<T>(
        &mut self,
        message: &C,
        most: usize,
        mut keep: impl FnMut(C) -> Option<T>,
    ) -> Result<Vec<T>, Refusal> {
        for pause in DUMP_PAUSES {
            thread::sleep(Duration::from_millis(pause));
            let (mut outcome, mut interrupted, mut kept) = (None, false, Vec::new());
            self.exchange(message.clone(), NLM_F_REQUEST | NLM_F_DUMP, &mut |answer| {
                interrupted |= answer.header.flags & NLM_F_DUMP_INTR != 0;
                match closing(&answer) {
                    None => kept.extend(inner(answer).and_then(&mut keep)),
                    closed => outcome = closed,
                }
                if kept.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })?;
            if kept.len() >= most {
                return Ok(kept);
            }
            outcome.unwrap_or_else(|| Err(lost("the answer is not complete")))?;
            if !interrupted {
                return Ok(kept);
            }
        }
        Err(Refusal::text(format!("{} dumps in a row were interrupted by changes", DUMP_PAUSES.len())))
    }

    /// Sends a request and passes the answers to `take`, including the closing one, until `take` stops.
    fn exchange(
        &mut self,
        message: C,
        flags: u16,
        take: &mut dyn FnMut(NetlinkMessage<C>) -> ControlFlow<()>,
    ) -> Result<(), Refusal> {
        let mut request =
            NetlinkMessage::new(NetlinkHeader::default(), NetlinkPayload::InnerMessage(message));
        request.header.flags = flags;
        let kernel = SocketAddr::new(0, 0);
        let stream =
            self.handle.request(request, kernel).map_err(|_| lost("the netlink connection is closed"))?;
        let mut stream = pin!(stream);
        // No waker is needed: the connection is polled when there may be something to do.
        let mut context = Context::from_waker(Waker::noop());
        // One poll to send, then one for each datagram, and more while the kernel has not answered yet.
        for attempt in 0.. {
            self.connection.socket_mut().may_receive.set(attempt > 0);
            let progress = drive(&mut self.connection, stream.as_mut(), &mut context, take);
            if let Some(Fault { error, answer_lost }) = self.connection.socket_mut().fault.take() {
                self.is_broken = true;
                return Err(Refusal { answer_lost, ..Refusal::io(&error, "netlink") });
            }
            match progress {
                Progress::Finished => break,
                Progress::Enough => {
                    self.is_broken = true;
                    break;
                }
                Progress::Pending => {}
            }
            let came_nothing = self.connection.socket_mut().may_receive.get();
            if came_nothing && !self.wait() {
                return Err(lost("the kernel did not answer"));
            }
        }
        Ok(())
    }

    /// Waits until there is something to read. Returns true if there is, or if a signal interrupted the wait (a stopped
    /// process that continues).
    fn wait(&mut self) -> bool {
        let socket = self.connection.socket_mut().socket_ref();
        let ready = poll(&mut [PollFd::new(socket.as_fd(), PollFlags::POLLIN)], PollTimeout::from(PATIENCE));
        matches!(ready, Ok(1) | Err(Errno::EINTR))
    }
}

/// The progress of an exchange.
enum Progress {
    Pending,
    Finished,
    /// `take` has stopped.
    Enough,
}

/// Lets the connection send and receive once, and passes the answers on.
fn drive<C: Content>(
    connection: &mut Connection<C, BlockingSocket>,
    mut stream: Pin<&mut impl Stream<Item = NetlinkMessage<C>>>,
    context: &mut Context<'_>,
    take: &mut dyn FnMut(NetlinkMessage<C>) -> ControlFlow<()>,
) -> Progress {
    let closed = Pin::new(connection).poll(context).is_ready();
    loop {
        match stream.as_mut().poll_next(context) {
            Poll::Ready(Some(answer)) => {
                if take(answer).is_break() {
                    return Progress::Enough;
                }
            }
            Poll::Ready(None) => return Progress::Finished,
            Poll::Pending if closed => return Progress::Finished,
            Poll::Pending => return Progress::Pending,
        }
    }
}

fn lost(text: &str) -> Refusal {
    Refusal { answer_lost: true, ..Refusal::text(text) }
}

fn inner<C>(answer: NetlinkMessage<C>) -> Option<C> {
    match answer.payload {
        NetlinkPayload::InnerMessage(message) => Some(message),
        _ => None,
    }
}

/// The result in a closing answer; `None` for any other answer.
fn closing<C>(answer: &NetlinkMessage<C>) -> Option<Result<(), Refusal>> {
    match &answer.payload {
        NetlinkPayload::Error(error) => {
            let attributes = error.header.get(REQUEST_HEADER..).unwrap_or_default();
            Some(outcome(error.raw_code(), attributes))
        }
        NetlinkPayload::Done(done) => Some(outcome(done.code, &done.extended_ack)),
        NetlinkPayload::Overrun(_) => Some(Err(lost("too many answers at once"))),
        _ => None,
    }
}

//! A netlink socket under rtnetlink's connection, without a runtime.
//!
//! rtnetlink's own sockets need tokio or smol. This program runs for some milliseconds, and the kernel answers before
//! `sendto` returns (`net/netlink/af_netlink.c`). So a socket that is simply polled is enough, without a thread, epoll
//! or a timer.

use bytes::BufMut;
use nix::libc;
use rtnetlink::sys::{AsyncSocket, Socket, SocketAddr};
use std::cell::{Cell, RefCell};
use std::io;
use std::task::{Context, Poll};

/// The socket.
pub(super) struct BlockingSocket {
    socket: Socket,
    /// The last error. The connection only logs it.
    pub(super) fault: RefCell<Option<Fault>>,
    /// Whether one datagram may be received. The connection also tries to receive before each request and after each
    /// answer, although nothing can have come.
    pub(super) may_receive: Cell<bool>,
}

/// An error of the socket itself. The connection cannot be used afterwards.
pub(super) struct Fault {
    /// The error.
    pub(super) error: io::Error,
    /// It happened during receiving, so the kernel has seen the request.
    pub(super) answer_lost: bool,
}

impl BlockingSocket {
    fn settle<T>(&self, result: io::Result<T>, answer_lost: bool) -> Poll<io::Result<T>> {
        match result {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            Err(error) => {
                let copy = error.raw_os_error().map_or_else(
                    || io::Error::new(error.kind(), error.to_string()),
                    io::Error::from_raw_os_error,
                );
                self.fault.replace(Some(Fault { error: copy, answer_lost }));
                Poll::Ready(Err(error))
            }
            ok => Poll::Ready(ok),
        }
    }

    /// Receives one datagram. A datagram that is larger than the buffer is an error: the truncated part would be lost
    /// without a message.
    fn receive<B: BufMut>(&self, buffer: &mut B) -> io::Result<SocketAddr> {
        if !self.may_receive.get() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let room = buffer.chunk_mut().len();
        let (length, from) = self.socket.recv_from(buffer, libc::MSG_DONTWAIT | libc::MSG_TRUNC)?;
        self.may_receive.set(false);
        if length > room {
            return Err(io::Error::other(format!("an answer of {length} bytes, with room for {room}")));
        }
        Ok(from)
    }
}

impl AsyncSocket for BlockingSocket {
    fn socket_ref(&self) -> &Socket {
        &self.socket
    }

    fn socket_mut(&mut self) -> &mut Socket {
        &mut self.socket
    }

    fn new(protocol: isize) -> io::Result<Self> {
        Ok(Self { socket: Socket::new(protocol)?, fault: RefCell::default(), may_receive: Cell::new(false) })
    }

    fn poll_send(&self, _: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        self.settle(self.socket.send(buffer, 0), false)
    }

    fn poll_send_to(&self, _: &mut Context<'_>, buffer: &[u8], to: &SocketAddr) -> Poll<io::Result<usize>> {
        self.settle(self.socket.send_to(buffer, to, 0), false)
    }

    fn poll_recv<B: BufMut>(&self, _: &mut Context<'_>, buffer: &mut B) -> Poll<io::Result<()>> {
        self.settle(self.receive(buffer).map(drop), true)
    }

    fn poll_recv_from<B: BufMut>(&self, _: &mut Context<'_>, buffer: &mut B) -> Poll<io::Result<SocketAddr>> {
        self.settle(self.receive(buffer), true)
    }

    fn poll_recv_from_full(&self, _: &mut Context<'_>) -> Poll<io::Result<(Vec<u8>, SocketAddr)>> {
        self.settle(self.socket.recv_from_full(), true)
    }
}

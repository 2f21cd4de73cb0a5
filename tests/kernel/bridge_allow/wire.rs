//! Raw Ethernet frames: sent as they are, and received with their marks.

use super::kinds::number;
use crate::lab::Netns;
use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrStorage, bind, recv, sendto,
    setsockopt, socket, sockopt,
};
use std::collections::BTreeSet;
use std::os::fd::{AsRawFd as _, OwnedFd};

/// The address of a link of the calling thread's namespace, for packet sockets.
fn address(link: &str) -> SockaddrStorage {
    let of_link = |entry: nix::ifaddrs::InterfaceAddress| {
        let address = entry.address.filter(|address| address.as_link_addr().is_some());
        address.filter(|_| entry.interface_name == link)
    };
    getifaddrs().expect("getifaddrs").find_map(of_link).unwrap_or_else(|| panic!("no link {link}"))
}

/// Sends frames out of a link.
#[derive(Debug)]
pub struct Sender {
    socket: OwnedFd,
    link: SockaddrStorage,
}

impl Sender {
    pub fn new(at: &Netns, link: &str) -> Self {
        at.within(|| {
            // Without a protocol it receives nothing.
            let flags = SockFlag::SOCK_CLOEXEC;
            let socket = socket(AddressFamily::Packet, SockType::Raw, flags, None).expect("a packet socket");
            Self { socket, link: address(link) }
        })
    }

    #[track_caller]
    pub fn send(&self, frame: &[u8]) {
        loop {
            match sendto(self.socket.as_raw_fd(), frame, &self.link, MsgFlags::empty()) {
                // Not sent while the link is down.
                Ok(_) | Err(Errno::ENETDOWN) => return,
                Err(Errno::ENOBUFS | Errno::EINTR) => {}
                Err(error) => panic!("a frame of {} bytes: {error}", frame.len()),
            }
        }
    }
}

/// Receives all frames of a link, and remembers the numbers of those that have one.
#[derive(Debug)]
pub struct Tap {
    socket: OwnedFd,
    pub arrived: BTreeSet<u32>,
}

impl Tap {
    pub fn new(at: &Netns, link: &str) -> Self {
        at.within(|| {
            let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
            let all = SockProtocol::EthAll;
            let socket = socket(AddressFamily::Packet, SockType::Raw, flags, all).expect("a packet socket");
            setsockopt(&socket, sockopt::RcvBufForce, &(32 << 20)).expect("SO_RCVBUFFORCE");
            bind(socket.as_raw_fd(), &address(link)).expect("bind");
            Self { socket, arrived: BTreeSet::new() }
        })
    }

    /// Reads what there is.
    pub fn read(&mut self) {
        let mut frame = [0; 2048];
        loop {
            match recv(self.socket.as_raw_fd(), &mut frame, MsgFlags::empty()) {
                Ok(length) => self.arrived.extend(number(&frame[..length])),
                Err(Errno::EAGAIN) => return,
                // The link was down.
                Err(Errno::ENETDOWN | Errno::EINTR) => {}
                Err(error) => panic!("a tap: {error}"),
            }
        }
    }
}

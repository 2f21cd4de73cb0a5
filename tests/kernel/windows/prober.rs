//! Packets every millisecond, numbered, and which of them arrived.

use crate::capture::Capture;
use crate::lab::{Netns, command};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, SockaddrStorage, bind, getsockname, recv, sendto,
    setsockopt, socket, sockopt,
};
use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The time between two packets of a stream: a millisecond, or less often in the short form.
fn interval() -> Duration {
    Duration::from_millis(if super::is_short() { 5 } else { 1 })
}
/// The UDP port of forbidden packets.
const NOWHERE: u16 = 9;
/// The text that a [`Watch`] looks for, if nothing else distinguishes these packets from others.
pub const STRAY: &str = "udp dst port 9";

/// UDP packets from a namespace to an address, during a whole run: also while the route there is missing, or the device
/// that they are bound to.
#[derive(Debug, Clone, Copy)]
pub struct Stream<'a> {
    from: &'a Netns,
    device: Option<&'a str>,
    to: IpAddr,
    /// Where every packet must arrive.
    at: Option<&'a Netns>,
}

impl<'a> Stream<'a> {
    /// Packets that may never arrive.
    pub fn forbidden(from: &'a Netns, to: &str) -> Self {
        Self { from, device: None, to: to.parse().expect("an address"), at: None }
    }

    /// Packets that may not be lost.
    pub fn kept(from: &'a Netns, to: &str, at: &'a Netns) -> Self {
        Self { at: Some(at), ..Self::forbidden(from, to) }
    }

    /// The same from a socket that is bound to a device, whenever a device of that name exists; otherwise to the device
    /// that existed before.
    pub fn bound_to(self, device: &'a str) -> Self {
        Self { device: Some(device), ..self }
    }

    fn open(&self) -> Flow {
        let family = if self.to.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        let open = || {
            let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
            let fd = socket(family, SockType::Datagram, flags, None).expect("socket");
            setsockopt(&fd, sockopt::Broadcast, &true).expect("SO_BROADCAST");
            fd
        };
        let sender = self.from.within(open);
        let receiver = self.at.map(|at| {
            let fd = at.within(open);
            setsockopt(&fd, sockopt::RcvBuf, &(1 << 20)).expect("SO_RCVBUF");
            let any = if self.to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            let any: SocketAddr = any.parse().expect("an address");
            bind(fd.as_raw_fd(), &SockaddrStorage::from(any)).expect("bind");
            fd
        });
        let port = receiver.as_ref().map_or(NOWHERE, |fd| {
            let own: SockaddrStorage = getsockname(fd.as_raw_fd()).expect("getsockname");
            let v4 = own.as_sockaddr_in().map(nix::sys::socket::SockaddrIn::port);
            let v6 = own.as_sockaddr_in6().map(nix::sys::socket::SockaddrIn6::port);
            v4.or(v6).expect("a port")
        });
        Flow {
            name: format!("{}{}", self.to, self.device.map(|d| format!(" from {d}")).unwrap_or_default()),
            to: SocketAddr::new(self.to, port).into(),
            device: self.device.map(OsString::from),
            is_bound: false,
            sender,
            receiver,
            sent: 0,
            refused: 0,
            arrived: Vec::new(),
        }
    }
}

/// Where a forbidden packet would be seen: on a link that stays, or on `any`.
#[derive(Debug, Clone, Copy)]
pub struct Watch<'a> {
    /// In this namespace.
    pub at: &'a Netns,
    /// On this link.
    pub link: &'a str,
    /// A tcpdump filter.
    pub filter: &'a str,
}

/// A running stream.
struct Flow {
    name: String,
    to: SockaddrStorage,
    device: Option<OsString>,
    /// Whether a device of that name has existed. An unbound socket may send where this one may not.
    is_bound: bool,
    sender: OwnedFd,
    receiver: Option<OwnedFd>,
    sent: u64,
    /// Refused by the sending kernel.
    refused: u64,
    /// Arrived, by number.
    arrived: Vec<bool>,
}

impl Flow {
    fn send(&mut self) {
        if let Some(device) = &self.device {
            self.is_bound |= setsockopt(&self.sender, sockopt::BindToDevice, device).is_ok();
            if !self.is_bound {
                return;
            }
        }
        let number = self.sent.to_be_bytes();
        let sent = sendto(self.sender.as_raw_fd(), &number, &self.to, MsgFlags::empty());
        self.sent += 1;
        self.refused += u64::from(sent.is_err());
        self.arrived.push(false);
    }

    fn receive(&mut self) {
        let Some(receiver) = &self.receiver else { return };
        let mut number = [0; 8];
        while let Ok(8) = recv(receiver.as_raw_fd(), &mut number, MsgFlags::empty()) {
            let number = usize::try_from(u64::from_be_bytes(number)).expect("a number of ours");
            self.arrived[number] = true;
        }
    }

    fn lost(&self) -> u64 {
        let lost = self.arrived.iter().filter(|arrived| !**arrived).count();
        if self.receiver.is_some() { lost as u64 } else { 0 }
    }

    /// Which were lost, in a line.
    fn losses(&self) -> Option<String> {
        let lost: Vec<usize> = (0..self.arrived.len()).filter(|n| !self.arrived[*n]).collect();
        (self.lost() > 0).then(|| {
            format!(
                "lost on the way to {}: {} of {} ({} refused), from {:?} to {:?}",
                self.name,
                lost.len(),
                self.sent,
                self.refused,
                lost.first(),
                lost.last()
            )
        })
    }
}

/// Running streams and watches.
pub struct Prober {
    stop: Arc<AtomicBool>,
    sender: JoinHandle<Vec<Flow>>,
    captures: Vec<Capture>,
}

/// The results for all packets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Handed to the kernel, even if it refused them.
    pub sent: u64,
    /// Seen where they are forbidden.
    pub leaked: u64,
    /// Not seen where they must arrive.
    pub lost: u64,
    /// Some of those that leaked, and those that were lost.
    pub notes: Vec<String>,
}

impl std::ops::AddAssign for Outcome {
    fn add_assign(&mut self, other: Self) {
        self.sent += other.sent;
        self.leaked += other.leaked;
        self.lost += other.lost;
        self.notes.extend(other.notes);
    }
}

impl Prober {
    /// Begins, and returns when the first packets are on their way.
    pub fn start(streams: &[Stream<'_>], watches: &[Watch<'_>]) -> Self {
        let captures =
            watches.iter().map(|watch| Capture::start(watch.at, watch.link, watch.filter)).collect();
        let flows: Vec<_> = streams.iter().map(Stream::open).collect();
        let stop = Arc::<AtomicBool>::default();
        let stopped = stop.clone();
        let (started, is_started) = mpsc::channel();
        let sender = thread::spawn(move || {
            // With priority over all other processes.
            command(&format!("chrt -f -p 50 {}", nix::unistd::gettid())).ok();
            started.send(()).expect("the receiver is waiting");
            send_all(flows, &stopped)
        });
        is_started.recv().expect("it starts");
        Self { stop, sender, captures }
    }

    /// Waits until each watch has seen so many packets.
    #[track_caller]
    pub fn wait_for_leaks(&self, count: usize) {
        for capture in &self.captures {
            capture.wait_for(count, "");
        }
    }

    /// Ends all; returns the results.
    pub fn stop(self) -> Outcome {
        self.stop.store(true, Ordering::Relaxed);
        let flows = self.sender.join().expect("the sender");
        let mut outcome = Outcome::default();
        for flow in &flows {
            outcome.sent += flow.sent;
            outcome.lost += flow.lost();
            outcome.notes.extend(flow.losses());
        }
        for capture in self.captures {
            let frames = capture.frames();
            outcome.leaked += frames.len() as u64;
            outcome.notes.extend(frames.into_iter().take(3).map(|frame| format!("leaked: {frame}")));
        }
        outcome
    }
}

fn send_all(mut flows: Vec<Flow>, stopped: &AtomicBool) -> Vec<Flow> {
    let begin = Instant::now();
    let (mut next, mut last, mut longest) = (begin, begin, Duration::ZERO);
    while !stopped.load(Ordering::Relaxed) {
        for flow in &mut flows {
            flow.send();
            flow.receive();
        }
        longest = longest.max(last.elapsed());
        last = Instant::now();
        // The next packets make up for a delay: on average the interval holds.
        next += interval();
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    // Packets still on their way.
    for _ in 0..50 {
        thread::sleep(Duration::from_millis(10));
        flows.iter_mut().for_each(Flow::receive);
    }
    println!(
        "{} streams for {:?}, at most {longest:?} between two packets of one",
        flows.len(),
        begin.elapsed()
    );
    flows
}

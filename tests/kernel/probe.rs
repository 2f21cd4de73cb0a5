//! Which hosts reach which: pings, and TCP sessions over sockets that may be bound to an interface.

use crate::lab::{Netns, command};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, bind, connect, listen, setsockopt, socket,
    sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike as _};
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// How long to wait for an answer.
const PATIENCE: i64 = 3;

fn tcp_socket(address: &SocketAddr, device: Option<&str>) -> OwnedFd {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let fd = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).expect("socket");
    if let Some(device) = device {
        setsockopt(&fd, sockopt::BindToDevice, &OsString::from(device)).expect("SO_BINDTODEVICE");
    }
    setsockopt(&fd, sockopt::SendTimeout, &TimeVal::seconds(PATIENCE)).unwrap();
    setsockopt(&fd, sockopt::ReceiveTimeout, &TimeVal::seconds(PATIENCE)).unwrap();
    fd
}

/// Opens a TCP session from the calling thread's namespace, over a socket that may be bound to a device. The error of a
/// time-out is `EINPROGRESS`.
pub fn tcp(to: SocketAddr, device: Option<&str>) -> Result<TcpStream, Errno> {
    let fd = tcp_socket(&to, device);
    connect(fd.as_raw_fd(), &SockaddrStorage::from(to))?;
    Ok(TcpStream::from(fd))
}

/// A server on this address that sends back what it receives, until the namespace's last socket is closed by the end of
/// the test. It may be bound to a device.
pub fn echo(on: SocketAddr, device: Option<&str>) {
    let fd = tcp_socket(&on, device);
    setsockopt(&fd, sockopt::ReuseAddr, &true).unwrap();
    if on.is_ipv6() {
        setsockopt(&fd, sockopt::Ipv6V6Only, &true).unwrap();
    }
    bind(fd.as_raw_fd(), &SockaddrStorage::from(on)).unwrap_or_else(|error| panic!("bind {on}: {error}"));
    listen(&fd, Backlog::new(16).unwrap()).expect("listen");
    // Without the time-out, which would also end accept.
    setsockopt(&fd, sockopt::ReceiveTimeout, &TimeVal::seconds(0)).unwrap();
    let listener = TcpListener::from(fd);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || echo_stream(stream));
        }
    });
}

fn echo_stream(mut stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let mut buffer = [0; 64];
    while let Ok(length @ 1..) = stream.read(&mut buffer) {
        if stream.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
}

/// Whether a TCP session opens and carries data both ways.
pub fn tcp_reaches(to: &str, port: u16, device: Option<&str>) -> Result<(), String> {
    let to = SocketAddr::new(to.parse().expect("an address"), port);
    let mut stream = tcp(to, device).map_err(|errno| format!("connect: {errno:?}"))?;
    stream.write_all(b"ping").map_err(|error| error.to_string())?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).map_err(|error| error.to_string())?;
    Ok(())
}

/// Whether a ping from the calling thread's namespace is answered; with `-I DEVICE` if one is named.
pub fn ping(to: &str, device: Option<&str>) -> Result<(), String> {
    let from = device.map(|device| format!("-I {device} ")).unwrap_or_default();
    let ran = command(&format!("ping -n -c 1 -W {PATIENCE} {from}{to}"));
    if ran.status == 0 { Ok(()) } else { Err(format!("{}{}", ran.stdout, ran.stderr)) }
}

/// Pings from the calling thread's namespace while a function runs, at most one every 10 ms, with some answered pings
/// before and after. Returns how many were sent, and how many of them were lost.
pub fn lost_while(to: &str, body: impl FnOnce()) -> (u32, u32) {
    let mut ping = Command::new("ping")
        .args(["-n", "-i", "0.01", to])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("ping");
    let said = BufReader::new(ping.stdout.take().expect("a pipe"));
    let (tell, told) = mpsc::channel();
    thread::spawn(move || said.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
    let answered = |moment| {
        let mut answers = 0;
        while answers < 10 {
            let line = told.recv_timeout(Duration::from_secs(20));
            answers += i32::from(
                line.unwrap_or_else(|_| panic!("no answer from {to} {moment}")).contains(" bytes from "),
            );
        }
    };
    answered("before");
    body();
    told.try_iter().for_each(drop);
    answered("after");
    command(&format!("kill -INT {}", ping.id())).ok();
    let line = told.iter().find(|line| line.contains("transmitted")).expect("the last lines of ping");
    ping.wait().expect("ping");
    let counts: Vec<u32> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
    let [sent, answered, ..] = counts[..] else { panic!("{line}") };
    (sent, sent - answered)
}

/// Pings that run until this is dropped.
#[derive(Debug, Default)]
pub struct Pinging(Vec<Child>);

impl Pinging {
    /// One more: fifty pings a second from a host, whether they are answered or not.
    pub fn start(&mut self, from: &Netns, to: &str) {
        let mut ping = Command::new("ping");
        ping.args(["-q", "-n", "-i", "0.02", to]);
        ping.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.0.push(from.within(|| ping.spawn().expect("ping")));
    }
}

impl Drop for Pinging {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Fails unless ping and TCP reach the address. All servers of these tests listen on [`PORT`] of their addresses.
#[track_caller]
pub fn reaches(who: &str, to: &str, device: Option<&str>) {
    if let Err(error) = ping(to, device) {
        panic!("{who}: ping {to} from {device:?}: {error}");
    }
    if let Err(error) = tcp_reaches(to, PORT, device) {
        panic!("{who}: TCP to {to} from {device:?}: {error}");
    }
}

/// Fails unless the kernel here refuses TCP and ping at once with ENETUNREACH.
#[track_caller]
pub fn unreachable(who: &str, to: &str, device: Option<&str>) {
    let begin = std::time::Instant::now();
    let refused = tcp(SocketAddr::new(to.parse().expect("an address"), PORT), device).err();
    assert_eq!(refused, Some(Errno::ENETUNREACH), "{who}: TCP to {to} from {device:?}");
    assert!(begin.elapsed().as_millis() < 100, "{who}: {to} was refused after {:?} only", begin.elapsed());
    let error = ping(to, device).expect_err(&format!("{who}: ping {to} from {device:?} was answered"));
    assert!(error.contains("Network is unreachable"), "{who}: ping {to} from {device:?}: {error}");
}

/// The port that servers listen on.
pub const PORT: u16 = 7;

/// A server on every address of a namespace, both families.
pub fn serve(host: &Netns) {
    host.within(serve_here);
}

/// The same in the calling thread's namespace.
pub fn serve_here() {
    for any in ["0.0.0.0", "::"] {
        echo(SocketAddr::new(any.parse::<IpAddr>().unwrap(), PORT), None);
    }
}

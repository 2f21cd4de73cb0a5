//! Messages to the system log.
//!
//! This is not syslog(3): there, a log daemon that does not read its socket stops the caller, and the rollback of a
//! change must not wait for it.

use nix::libc;
use std::os::unix::net::UnixDatagram;

/// The socket of the log daemon (syslog(3)).
const SOCKET: &str = "/dev/log";

/// Writes a line. Without a log daemon, or if it does not read, the line is lost.
pub fn log(program: &str, is_error: bool, line: &str) {
    let level = if is_error { libc::LOG_ERR } else { libc::LOG_NOTICE };
    // Without a time: the daemon adds it (RFC 3164, section 4.3.2).
    let message = format!("<{}>{program}[{}]: {line}", libc::LOG_DAEMON | level, std::process::id());
    let _ = UnixDatagram::unbound().and_then(|socket| {
        socket.set_nonblocking(true)?;
        socket.send_to(message.as_bytes(), SOCKET)
    });
}

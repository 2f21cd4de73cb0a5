//! Network namespaces, as files.
//!
//! [`named`] makes and deletes the namespaces that `ip netns` lists; [`inside`] runs ifup inside one; [`resolved`] finds
//! out which references lead to the same one.
//! [`crate::kernel::netlink`] reads the state inside a namespace.

pub mod inside;
pub mod named;
pub mod resolved;

use crate::kernel::Refusal;
use crate::kernel::mounts::{self, Mount};
use crate::state::NetnsId;
use crate::values::NetnsRef;
use nix::errno::Errno;
use nix::fcntl::{self, OFlag};
use nix::sched::{CloneFlags, setns};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, getsockopt, socket};
use nix::sys::stat::Mode;
use nix::sys::statfs::{NSFS_MAGIC, fstatfs};
use nix::{getsockopt_impl, libc, sockopt_impl};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The calling thread's own namespace.
pub const OWN: &str = "/proc/thread-self/ns/net";

/// Opens the calling thread's own namespace, to return to it later.
///
/// # Errors
/// `/proc` is not mounted.
pub fn own() -> Result<File, Refusal> {
    File::open(OWN).map_err(|error| Refusal::io(&error, OWN))
}

/// Opens a namespace.
///
/// # Errors
/// The namespace does not exist.
pub fn open(netns: &NetnsRef) -> Result<File, Refusal> {
    match attempt(netns) {
        Ok(Some(file)) => Ok(file),
        Ok(None) => Err(Refusal::text(format!("{}: not a namespace", netns.path().display()))),
        Err(refusal) => Err(refusal),
    }
}

/// Opens a namespace; `None` if the file is not a namespace. Such a file is not really opened: opening a device or a
/// pipe can have effects.
fn attempt(netns: &NetnsRef) -> Result<Option<File>, Refusal> {
    if let NetnsRef::Name(name) = netns {
        named::check(name)?;
    }
    let refuse = |errno: Errno| Refusal::io(&errno.into(), format!("namespace {netns}"));
    // O_PATH gives a handle that keeps referring to the same file, whatever happens to the path.
    let handle =
        fcntl::open(&netns.path(), OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()).map_err(refuse)?;
    if fstatfs(&handle).map_err(refuse)?.filesystem_type() != NSFS_MAGIC {
        return Ok(None);
    }
    let path = format!("/proc/self/fd/{}", handle.as_raw_fd());
    fcntl::open(path.as_str(), OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())
        .map(|file| Some(file.into()))
        .map_err(refuse)
}

sockopt_impl!(
    /// The kernel's number of the namespace of a socket.
    NetnsCookie,
    GetOnly,
    libc::SOL_SOCKET,
    libc::SO_NETNS_COOKIE,
    u64
);

/// The number of the boot.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The identity of the namespace that a reference leads to.
///
/// # Errors
/// The kernel does not show it, or the file is a namespace of another kind (EINVAL).
pub fn id(netns: &NetnsRef, file: &File) -> Result<NetnsId, Refusal> {
    let found = file.metadata().map_err(|error| Refusal::io(&error, "namespace"))?;
    let boot = boot()?;
    let cookie = within(file, || {
        let socket = socket(AddressFamily::Unix, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
        getsockopt(&socket, NetnsCookie)
    })?;
    let born = match process(netns) {
        Some(pid) => start_time(pid).unwrap_or_default(),
        None => i128::from(found.mtime()) * 1_000_000_000 + i128::from(found.mtime_nsec()),
    };
    Ok(NetnsId { boot, inode: found.ino(), cookie: cookie.ok(), born })
}

/// That number, read once.
fn boot() -> Result<u128, Refusal> {
    static BOOT: OnceLock<u128> = OnceLock::new();
    if let Some(boot) = BOOT.get() {
        return Ok(*boot);
    }
    let text = fs::read_to_string(BOOT_ID).map_err(|error| Refusal::io(&error, BOOT_ID))?;
    let boot = u128::from_str_radix(&text.trim_end().replace('-', ""), 16).unwrap_or_default();
    Ok(*BOOT.get_or_init(|| boot))
}

/// The identity of the calling thread's own namespace, with the start time of process 1 as its time of birth. It is
/// another one after a reboot, and after a restart of a container.
///
/// # Errors
/// The kernel does not show it.
pub fn own_id() -> Result<NetnsId, Refusal> {
    id(&NetnsRef::Pid(1), &own()?)
}

/// The process that a reference uses.
fn process(netns: &NetnsRef) -> Option<u32> {
    match netns {
        NetnsRef::Pid(pid) => Some(*pid),
        NetnsRef::Path(path) => path.to_str()?.strip_prefix("/proc/")?.strip_suffix("/ns/net")?.parse().ok(),
        NetnsRef::Name(_) => None,
    }
}

/// The start time of a process, in ticks since the boot: the 22nd field of its `stat`, the 20th after its name.
fn start_time(pid: u32) -> Option<i128> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(19)?.parse().ok()
}

/// Runs a function inside a namespace. Sockets that it opens, and files under `/proc/sys/net`, belong to that
/// namespace.
///
/// # Errors
/// The namespace cannot be entered. If the thread cannot return, the process ends: all later actions would be in the
/// wrong namespace.
pub fn within<T>(netns: &File, work: impl FnOnce() -> T) -> Result<T, Refusal> {
    within_and_back(netns, &own()?, work)
}

/// The same with the thread's own namespace, to which it returns.
///
/// # Errors
/// As for [`within`].
pub fn within_and_back<T>(netns: &File, back: &File, work: impl FnOnce() -> T) -> Result<T, Refusal> {
    setns(netns, CloneFlags::CLONE_NEWNET).map_err(Refusal::errno)?;
    let result = work();
    if let Err(errno) = setns(back, CloneFlags::CLONE_NEWNET) {
        stranded(errno);
    }
    Ok(result)
}

/// Ends a process that cannot return to its own namespace: all later actions would be in the wrong namespace.
fn stranded(errno: Errno) -> ! {
    let mut line = format!("cannot return to my own network namespace: {}", errno.desc());
    line.push('\n');
    let _ = std::io::stderr().write_all(line.as_bytes());
    std::process::exit(1);
}

/// The processes that are visible to us, by the inode of their namespace.
pub fn processes() -> BTreeMap<u64, BTreeSet<u32>> {
    let mut known: BTreeMap<u64, BTreeSet<u32>> = BTreeMap::new();
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    for pid in pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok()) {
        if let Some(inode) = inode_of(NetnsRef::Pid(pid).path()) {
            known.entry(inode).or_default().insert(pid);
        }
    }
    known
}

/// References that may lead to the namespace with this inode after its recorded reference no longer does: another name,
/// a process in it, a mount, or an open file of a process.
pub fn search(inode: u64) -> impl Iterator<Item = NetnsRef> {
    let processes = std::iter::once_with(move || processes().remove(&inode).unwrap_or_default());
    let processes = processes.flatten().map(NetnsRef::Pid);
    let mounts = std::iter::once_with(move || mounts(inode)).flatten();
    let files = std::iter::once_with(move || open_files(inode)).flatten();
    let names = named::all().filter(move |name| inode_of(name.path()) == Some(inode));
    names.chain(processes).chain(mounts).chain(files)
}

/// The places where the namespace with this inode is mounted.
fn mounts(inode: u64) -> Vec<NetnsRef> {
    let mounts = mounts::all().unwrap_or_default();
    let is_it = |mount: &Mount| mount.root == Path::new(&link(inode));
    mounts.into_iter().filter(is_it).map(|mount| NetnsRef::Path(mount.point)).collect()
}

/// The open files of other processes that are the namespace with this inode.
fn open_files(inode: u64) -> Vec<NetnsRef> {
    let own = std::process::id().to_string();
    let entries = |path: PathBuf| fs::read_dir(path).into_iter().flatten().flatten();
    let is_other = |entry: &fs::DirEntry| {
        let name = entry.file_name();
        name.to_str().is_some_and(|name| name != own && name.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let files =
        entries("/proc".into()).filter(is_other).flat_map(|process| entries(process.path().join("fd")));
    let is_it = |path: &PathBuf| fs::read_link(path).is_ok_and(|target| target == Path::new(&link(inode)));
    files.map(|file| file.path()).filter(is_it).map(NetnsRef::Path).collect()
}

/// The name that the kernel shows for the namespace with this inode.
fn link(inode: u64) -> String {
    format!("net:[{inode}]")
}

fn inode_of(path: impl AsRef<Path>) -> Option<u64> {
    let found = fs::metadata(path).ok()?;
    Some(found.ino())
}

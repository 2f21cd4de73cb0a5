//! Programs in a namespace that reach the hosts behind a WireGuard tunnel, and nothing else.

use crate::capture::Capture;
use crate::examples::{after_ifdown_by_force, as_before_when_forced};
use crate::features::{Feature, needs};
use crate::ifupdown::{Executors, Ifupdown, Installed, Shell, Version, Way, example};
use crate::lab::{Netns, Ran, SCRATCH, command, in_lab, ip, ip_batch, settle, wait_until};
use crate::matrix;
use crate::probe::{reaches, serve, unreachable};
use crate::state::State;
use crate::tables::INTERNET;
use libtest_mimic::Trial;
use std::fs;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::thread;

/// Behind the tunnel.
const SERVERS: [&str; 2] = ["10.66.0.1", "fd00:66::1"];
const PHONE: [&str; 2] = ["10.66.1.5", "fd00:66:1::5"];
const NAME: &str = "phone.example";
const NAME_IN_QUERIES: &[u8] = b"\x05phone\x07example\x00";
/// On the card's network: the provider's end of the tunnel, and the host.
const PROVIDER: [&str; 2] = ["192.0.2.1", "2001:db8:1::1"];
const HOST: [&str; 2] = ["192.0.2.10", "2001:db8:1::10"];
/// The key that belongs to the peer in the example.
const PROVIDERS_KEY: &str = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pn8=";
/// What may never be seen on the host's card: whatever programs in the namespace send.
const FROM_INSIDE: &str = "port 53 or net 10.66.0.0/16 or net fd00:66::/32";

pub fn tests() -> Vec<Trial> {
    let mut tests = Vec::new();
    for version in Version::ALL {
        let ifupdown = Ifupdown { version, executors: Executors::Replaced, shell: Shell::Dash };
        for (name, test) in
            [("table", table as fn(Ifupdown)), ("never-outside", never_outside), ("again", again)]
        {
            let needed = [Feature::WireGuard, Feature::Roots];
            tests.push(needs(&needed, format!("vpn-namespace/{name}/{ifupdown}"), move || {
                in_lab(|| test(ifupdown));
            }));
        }
    }
    tests
}

/// The provider: the gateway on the card's network, the Internet behind it, the other end of the tunnel, and what is
/// behind the tunnel. So the answer to a packet that left by the card would come from the same host.
pub fn outside() -> Netns {
    let provider = Netns::beside("eth0", "eth0");
    ip("link set eth0 down");
    for (address, length) in PROVIDER.iter().zip([24, 64]) {
        let nodad = if length == 64 { "nodad" } else { "" };
        provider.ip(&format!("addr add {address}/{length} dev eth0 {nodad}"));
    }
    provider.ip("link add wg0 type wireguard");
    let key = format!("{SCRATCH}/provider.key");
    fs::write(&key, PROVIDERS_KEY).unwrap();
    let conf =
        fs::read_to_string(crate::pages::checkout().join("interfaces.d/etc/wireguard/wg0.conf")).unwrap();
    let own = conf.lines().find_map(|line| line.strip_prefix("PrivateKey = ")).expect("a key");
    let file = format!("{SCRATCH}/host.key");
    fs::write(&file, own).unwrap();
    let public = crate::lab::run(Command::new("sh").args(["-c", "wg pubkey <\"$0\"", &file])).ok().stdout;
    provider.within(|| {
        let peer = format!("peer {} allowed-ips 10.66.0.2/32,fd00:66::2/128", public.trim());
        command(&format!("wg set wg0 listen-port 51820 private-key {key} {peer}")).quiet();
    });
    let own = INTERNET.map(|address| format!("addr add {address} dev lo"));
    let behind = SERVERS.into_iter().chain(PHONE).map(|address| format!("addr add {address} dev wg0"));
    let lines = own.into_iter().chain(behind).chain(
        ["link set wg0 up", "route add 10.66.0.2 dev wg0", "route add fd00:66::2 dev wg0"].map(str::to_owned),
    );
    let lines: Vec<_> = lines.collect();
    provider.ip_batch(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    serve(&provider);
    for server in SERVERS {
        provider.within(|| name_server(server));
    }
    provider
}

/// A name server that knows one name.
fn name_server(on: &str) {
    let on = SocketAddr::new(on.parse().unwrap(), 53);
    let socket = UdpSocket::bind(on).unwrap_or_else(|error| panic!("bind {on}: {error}"));
    thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut query) {
            if let Some(answer) = answer(&query[..length]) {
                let _ = socket.send_to(&answer, from);
            }
        }
    });
}

/// The answer to a query (RFC 1035, section 4): its header and question, and the address of the family in question.
fn answer(query: &[u8]) -> Option<Vec<u8>> {
    let kind = query.get(12..)?.strip_prefix(NAME_IN_QUERIES)?.get(..2)?;
    let (length, data) = match (kind, PHONE.map(|address| address.parse().unwrap())) {
        ([0, 1], [IpAddr::V4(address), _]) => (4, address.octets().to_vec()),
        ([0, 28], [_, IpAddr::V6(address)]) => (16, address.octets().to_vec()),
        _ => return None,
    };
    let mut answer = query.get(..12 + NAME_IN_QUERIES.len() + 4)?.to_vec();
    // A response without an error, with one question and one answer.
    answer[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
    answer.extend([0xc0, 12, kind[0], kind[1], 0, 1, 0, 0, 0, 60, 0, length]);
    answer.extend(data);
    Some(answer)
}

fn vpn(installed: &Installed) -> Netns {
    Netns::at(&installed.path("/run/netns/vpn"))
}

fn in_root(installed: &Installed, words: &str) -> Ran {
    command(&format!("chroot {} {words}", installed.path("/").display()))
}

/// A command in the namespace, by `ip netns exec` and by `ifnetlink exec`.
fn executed(installed: &Installed, words: &str) -> [Ran; 2] {
    ["ip netns exec vpn", "/mnt/ifnetlink exec netns vpn"]
        .map(|program| in_root(installed, &format!("{program} {words}")))
}

/// Whatever is not behind the tunnel.
#[track_caller]
fn nothing_else(vpn: &Netns) {
    vpn.within(|| {
        for to in PROVIDER.into_iter().chain(HOST).chain(INTERNET) {
            unreachable("in the namespace", to, None);
        }
    });
}

#[track_caller]
fn cut_off(vpn: &Netns) {
    vpn.within(|| {
        for to in SERVERS.into_iter().chain(PHONE) {
            unreachable("in the namespace, without the tunnel", to, None);
        }
    });
    nothing_else(vpn);
}

/// The rows of a process in the namespace.
#[track_caller]
fn works(installed: &Installed, vpn: &Netns) {
    vpn.within(|| {
        settle();
        for to in SERVERS.into_iter().chain(PHONE) {
            reaches("in the namespace", to, None);
        }
    });
    nothing_else(vpn);
    for ran in executed(installed, &format!("getent ahosts {NAME}")) {
        assert!(PHONE.iter().all(|address| ran.stdout.contains(address)), "{ran}");
    }
    assert_eq!(in_root(installed, &format!("getent ahosts {NAME}")).status, 2, "an unbound process");
}

/// The keys, the peers and all that belongs to them, without the port, which the kernel chooses each time.
fn configuration(vpn: &Netns) -> String {
    let shown = vpn.within(|| command("wg showconf wg0").quiet().stdout);
    let lines: Vec<&str> = shown.lines().filter(|line| !line.starts_with("ListenPort")).collect();
    assert!(lines.iter().any(|line| line.starts_with("PublicKey = ")), "{shown}");
    lines.join("\n")
}

fn table(ifupdown: Ifupdown) {
    let provider = outside();
    let installed = ifupdown.install("");
    let conf = fs::read_to_string(installed.path("/etc/wireguard/wg0.conf")).unwrap();
    let before = State::with_run(&installed);
    for (way, endpoint) in Way::ALL.into_iter().zip(["192.0.2.1:51820", "[2001:db8:1::1]:51820"]) {
        installed.file("/etc/wireguard/wg0.conf", &conf.replace("192.0.2.1:51820", endpoint));
        installed.interfaces(&example("vpn-namespace"));
        installed.bring_up(way);
        settle();
        assert!(!ip("link").contains("wg0"), "the link is outside");
        let vpn = vpn(&installed);
        let seen = Capture::start(&provider, "eth0", FROM_INSIDE);
        works(&installed, &vpn);
        for program in executed(&installed, "ping -n -c 1 -W 3 8.8.8.8") {
            assert!(program.stderr.contains("Network is unreachable"), "{program}");
        }
        let frames = seen.frames();
        assert!(frames.is_empty(), "{frames:#?}");
        assert!(configuration(&vpn).contains(&format!("Endpoint = {endpoint}")));
        for to in INTERNET {
            reaches("unbound", to, None);
        }
        drop(vpn);
        before.assert_after(way, &installed);
    }
}

/// A program in the namespace that looks up the name all the time, as the softphone does.
struct Softphone(Child);

impl Softphone {
    fn start(installed: &Installed) -> Self {
        let script = format!("while :; do getent ahosts {NAME}; sleep 0.3; done");
        let mut chroot = Command::new("chroot");
        chroot.arg(installed.path("/")).args(["ip", "netns", "exec", "vpn", "sh", "-c", &script]);
        Self(chroot.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("chroot"))
    }
}

impl Drop for Softphone {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The tunnel is gone, and there is a way out by the host.
pub fn way_out(vpn: &Netns) {
    vpn.ip("link del wg0");
    vpn.join("way-out", "way-out");
    ip("addr add 10.67.0.1/30 dev way-out");
    vpn.ip_batch(&["addr add 10.67.0.2/30 dev way-out", "route add default via 10.67.0.1"]);
}

/// The tunnel comes and goes in all ways while a program runs in the namespace. Nothing of it is seen on the card.
fn never_outside(ifupdown: Ifupdown) {
    let provider = outside();
    let installed = ifupdown.install(&example("vpn-namespace"));
    let before = State::with_run(&installed);
    installed.ifup("-a").quiet();
    let seen = Capture::start(&provider, "eth0", FROM_INSIDE);
    let phone = Softphone::start(&installed);
    let vpn = vpn(&installed);
    works(&installed, &vpn);
    let configured = configuration(&vpn);
    let as_before = |when: &str| {
        works(&installed, &vpn);
        assert_eq!(configuration(&vpn), configured, "{when}");
        assert!(!ip("link").contains("wg0"), "{when}: the link is outside");
    };
    installed.ifup("-f wg0").quiet();
    as_before("ifup -f");
    vpn.ip("link set wg0 down");
    cut_off(&vpn);
    installed.ifup("-f wg0").quiet();
    as_before("ifup -f of a link that was down");
    vpn.ip("link del wg0");
    cut_off(&vpn);
    installed.ifup("-f wg0").quiet();
    as_before("ifup -f of a link that was deleted");
    let ran = installed.ifdown("-f wg0").ok();
    assert!(ran.stderr.contains("namespace vpn is kept: it contains process"), "{ran}");
    cut_off(&vpn);
    installed.ifup("-f wg0").quiet();
    as_before("ifdown and ifup");
    let frames = seen.frames();
    assert!(frames.is_empty(), "{frames:#?}");
    // With a way out, the same capture sees the lookups.
    command("sysctl -qw net.ipv4.ip_forward=1").ok();
    way_out(&vpn);
    let seen = Capture::start(&provider, "eth0", FROM_INSIDE);
    seen.wait_for(2, "10.66.0.1.53");
    command("sysctl -qw net.ipv4.ip_forward=0").ok();
    ip_batch(&["link del way-out"]);
    drop((phone, seen));
    wait_until("the program has ended", || in_root(&installed, "ip netns pids vpn").stdout.is_empty());
    drop(vpn);
    after_ifdown_by_force(&installed, &before);
}

/// Up, by force, and down, repeated: each time the same.
fn again(ifupdown: Ifupdown) {
    let _provider = outside();
    let installed = ifupdown.install(&example("vpn-namespace"));
    let before = State::with_run(&installed);
    for _ in 0..matrix::count(10, 1) {
        as_before_when_forced(&installed, &["wg0"]);
        after_ifdown_by_force(&installed, &before);
    }
}

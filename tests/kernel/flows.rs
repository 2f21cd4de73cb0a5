//! Rules move while sessions run: no session is interrupted.

use crate::features::{Feature, needs};
use crate::lab::{Netns, Ran, command, in_lab, ip, ip_batch, own_run, phase, run, wait_until};
use crate::matrix;
use crate::probe::{PORT, ping, tcp};
use libtest_mimic::Trial;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The longest time without data, in milliseconds.
const LONGEST_STALL: u64 = 100;

pub fn tests() -> Vec<Trial> {
    vec![
        needs(&[Feature::Vrf], "flows/rules-move", || in_lab(rules_move)),
        needs(&[Feature::Vrf], "flows/last-vrf-goes", || in_lab(last_vrf_goes)),
        needs(&[Feature::Vrf], "flows/wireguard-rules", || in_lab(wireguard_rules)),
    ]
}

/// A TCP session that carries a byte back and forth, and the longest wait at each end.
pub struct Flow {
    name: String,
    stop: Arc<AtomicBool>,
    longest: [Arc<AtomicU64>; 2],
    trips: Arc<AtomicU64>,
    client: JoinHandle<()>,
}

impl Flow {
    pub fn open(to: &str, port: u16, device: Option<&str>, far: &Netns) -> Self {
        let to = SocketAddr::new(to.parse().unwrap(), port);
        let longest = [Arc::<AtomicU64>::default(), Arc::default()];
        let (stop, trips) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let listener = far.within(|| std::net::TcpListener::bind(to).unwrap());
        let at_server = longest[1].clone();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_nodelay(true).unwrap();
            exchange(&mut stream, &at_server, || true);
        });
        let mut stream = tcp(to, device).unwrap();
        stream.set_nodelay(true).unwrap();
        let (stopped, at_client, counted) = (stop.clone(), longest[0].clone(), trips.clone());
        let client = thread::spawn(move || {
            stream.write_all(b"x").unwrap();
            exchange(&mut stream, &at_client, || {
                counted.fetch_add(1, Ordering::Relaxed);
                thread::sleep(Duration::from_millis(5));
                !stopped.load(Ordering::Relaxed)
            });
        });
        Self { name: format!("{to} {}", device.unwrap_or("unbound")), stop, longest, trips, client }
    }

    /// Ends it. It must not have stalled.
    pub fn close(self) {
        wait_until("it goes on", || self.trips.load(Ordering::Relaxed) > 50);
        self.stop.store(true, Ordering::Relaxed);
        self.client.join().unwrap();
        let [client, server] = self.longest.map(|longest| longest.load(Ordering::Relaxed));
        let trips = self.trips.load(Ordering::Relaxed);
        println!("{}: {trips} round trips, longest stall {client} ms here, {server} ms there", self.name);
        assert!(client.max(server) <= LONGEST_STALL, "{}: stalled for {client} / {server} ms", self.name);
    }
}

/// Sends back every byte until the session ends.
fn exchange(stream: &mut TcpStream, longest: &AtomicU64, mut goes_on: impl FnMut() -> bool) {
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut byte = [0];
    let mut last = Instant::now();
    while let Ok(1) = stream.read(&mut byte) {
        let waited = u64::try_from(last.elapsed().as_millis()).unwrap();
        longest.fetch_max(waited, Ordering::Relaxed);
        last = Instant::now();
        if !goes_on() || stream.write_all(&byte).is_err() {
            break;
        }
    }
}

/// Pings every 10 ms, ended by [`Pings::end`].
struct Pings(Vec<(String, JoinHandle<Ran>)>);

impl Pings {
    fn begin(addresses: &[&str], seconds: usize) -> Self {
        let ping = |to: &&str| {
            let mut ping = Command::new("ping");
            ping.args(["-n", "-q", "-i", "0.01", "-W", "1", "-w", &seconds.to_string(), to]);
            ((*to).to_owned(), thread::spawn(move || run(&mut ping)))
        };
        Self(addresses.iter().map(ping).collect())
    }

    fn are_running(&self) -> bool {
        self.0.iter().any(|(_, pings)| !pings.is_finished())
    }

    /// All but a last one on its way were answered, none late.
    fn end(self) {
        for (to, pings) in self.0 {
            let ran = pings.join().unwrap();
            let line = ran.stdout.lines().find(|line| line.contains("transmitted")).unwrap_or_default();
            let counts: Vec<u32> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
            let slowest = ran
                .stdout
                .lines()
                .find_map(|line| line.strip_prefix("rtt min/avg/max/mdev = "))
                .and_then(|times| times.split('/').nth(2)?.parse::<f64>().ok());
            println!("{to}: {line}, slowest {slowest:?} ms");
            assert!(counts[0] > 50 && counts[0] - counts[1] <= 1, "{to}: {ran}");
            assert!(slowest.is_some_and(|ms| ms <= 100.0), "{to}: {ran}");
        }
    }
}

/// A host behind a card: `eth0` in the VRF `red` (table 10), `eth1` outside.
fn network() -> [Netns; 2] {
    let hosts = [Netns::beside("eth0", "eth0"), Netns::beside("eth1", "eth0")];
    for (n, host) in hosts.iter().enumerate() {
        let addresses = |end: u8, link: &str| {
            [
                format!("addr add 10.{n}.0.{end}/24 dev {link}"),
                format!("addr add fd00:{n}::{end}/64 dev {link} nodad"),
            ]
        };
        ip_batch(&addresses(1, &format!("eth{n}")).each_ref().map(String::as_str));
        host.ip_batch(&addresses(2, "eth0").each_ref().map(String::as_str));
    }
    hosts
}

fn red_with_eth0() {
    phase("vrf", "red", "create", &["vrf-table 10"]).quiet();
    ip("link set red up");
    command("sysctl -qw net.ipv6.conf.eth0.keep_addr_on_down=1").ok();
    phase("vrf", "eth0", "pre-up", &["vrf-member red"]);
    ip("link set eth0 up");
}

/// The rules as the kernel has them, in the order that leaves no gap.
fn reset_rules() {
    for family in ["-4", "-6"] {
        for (list, words) in [
            ("pref 32765", "rule add pref 0 table local protocol kernel"),
            ("pref 32765", "rule del pref 32765"),
            ("goto", "rule del pref 0 l3mdev goto 1000"),
            ("pref 2000", "rule del pref 2000"),
        ] {
            let rules = ip(&format!("{family} rule"));
            let there = match list {
                "goto" => rules.contains("goto 1000"),
                priority => rules.contains(&priority.replace("pref ", "")),
            };
            if there {
                ip(&format!("{family} {words}"));
            }
        }
    }
}

fn rules_move() {
    own_run();
    let [far_red, far_main] = network();
    red_with_eth0();
    let mut flows = Vec::new();
    for (to, device, far) in [
        ("10.0.0.2", Some("red"), &far_red),
        ("fd00:0::2", Some("red"), &far_red),
        ("10.1.0.2", None, &far_main),
        ("fd00:1::2", None, &far_main),
    ] {
        flows.push(Flow::open(to, PORT, device, far));
    }
    let pings = Pings::begin(&["127.0.0.1", "::1", "10.1.0.1", "fd00:1::1"], matrix::count(10, 4));
    let mut moves = 0;
    while moves < 12 || pings.are_running() {
        for layout in ["yes", "jump", "yes", "reset", "jump", "reset"] {
            if layout == "reset" {
                reset_rules();
            } else {
                let rules = format!("vrf-rules {layout}");
                phase("vrf-rules", "red", "pre-up", &["vrf-table 10", &rules]).quiet();
            }
            moves += 1;
        }
    }
    println!("{moves} moves");
    pings.end();
    flows.into_iter().for_each(Flow::close);
}

/// The only VRF goes up and down, while sessions outside of it run.
fn last_vrf_goes() {
    own_run();
    let [_far_red, far_main] = network();
    let flows =
        [Flow::open("10.1.0.2", PORT, None, &far_main), Flow::open("fd00:1::2", PORT, None, &far_main)];
    let pings = Pings::begin(&["127.0.0.1", "::1", "10.1.0.1", "fd00:1::1"], matrix::count(10, 4));
    let mut rounds = 0;
    while pings.are_running() {
        for layout in ["vrf-rules yes", "vrf-rules jump"] {
            let keywords = ["vrf-table 10", layout, "vrf-accept tcp udp raw"];
            for name in ["create", "pre-up", "up", "post-up", "pre-down", "down", "post-down", "destroy"] {
                phase("vrf", "red", name, &keywords).quiet();
            }
            rounds += 1;
        }
    }
    println!("{rounds} rounds");
    pings.end();
    flows.into_iter().for_each(Flow::close);
}

/// Two rules without a priority, as wg-quick adds them: the kernel puts them before the second rule.
fn wireguard_rules() {
    own_run();
    let [_far_red, _far_main] = network();
    let own = ["127.0.0.1", "::1", "10.1.0.1", "fd00:1::1"];
    let add = || {
        for family in ["-4", "-6"] {
            // All packets go into the tunnel, which leads nowhere here.
            ip(&format!("{family} route replace unreachable default table 51820"));
            ip(&format!("{family} rule add not fwmark 51820 table 51820"));
            ip(&format!("{family} rule add table main suppress_prefixlength 0"));
        }
    };
    red_with_eth0();
    phase("vrf-rules", "red", "pre-up", &["vrf-table 10", "vrf-rules jump"]).quiet();
    add();
    for to in own {
        ping(to, None).unwrap_or_else(|error| panic!("jump: {to}: {error}"));
    }
    // Another ifup with those rules present changes nothing and reports no error.
    phase("vrf-rules", "red", "pre-up", &["vrf-table 10", "vrf-rules jump"]).quiet();
    for to in own {
        ping(to, None).unwrap_or_else(|error| panic!("jump, again: {to}: {error}"));
    }
    in_lab(|| {
        let [_far_red, _far_main] = network();
        red_with_eth0();
        add();
        let ran = phase("vrf-rules", "red", "pre-up", &["vrf-table 10", "vrf-rules yes"]);
        let line = |family| {
            format!(
                "vrf-rules: red: warning: {family} rules of other programs at priority 998, 999 now come before local (32765); `vrf-rules jump` keeps local first\n"
            )
        };
        assert_eq!(ran.stderr, line("IPv4") + &line("IPv6"), "{ran}");
        assert_eq!(ran.status, 0, "{ran}");
    });
}

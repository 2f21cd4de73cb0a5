//! DHCP and router advertisements in a VRF, with real clients and a real server. What the network hands out is in the
//! table of the VRF, and no route is ever in the table main.

use crate::capture::Capture;
use crate::features::{Feature, needs};
use crate::ifupdown::{Executors, Ifupdown, Installed, Shell, Version, example};
use crate::lab::{Netns, Ran, SCRATCH, bind, command, in_lab, ip, ip_json, run, settle, wait_until};
use crate::management_vrf::{Outside, outside};
use crate::matrix;
use crate::monitor::Monitor;
use crate::pages::checkout;
use crate::probe::{PORT, reaches, serve_here, tcp_reaches};
use crate::state::State;
use crate::tables::{INTERNET, VRF};
use libtest_mimic::Trial;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};

pub fn tests() -> Vec<Trial> {
    let both = |test: fn(Ifupdown), name: &str| -> Vec<Trial> {
        let versions = [Version::Bookworm, Version::Trixie];
        let of = |version| Ifupdown { version, executors: Executors::Replaced, shell: Shell::Dash };
        versions.map(|version| lab(format!("{name}/{version:?}"), move || test(of(version)))).into()
    };
    let mut tests: Vec<Trial> = Ifupdown::all()
        .into_iter()
        .map(|ifupdown| lab(format!("udhcpc/{ifupdown}"), move || management_vrf(ifupdown)))
        .collect();
    if matrix::is_whole() {
        tests.extend(both(leases, "leases"));
        tests.push(lab("hostile", hostile));
        tests.push(lab("left", left));
    }
    tests.extend(both(advertised, "advertised"));
    tests.push(lab("busybox-ip", busybox_ip));
    tests.push(lab("two-cards", two_cards));
    tests.push(lab("dhclient", dhclient));
    tests.push(lab("dhcpcd", dhcpcd));
    tests.push(lab("warned", warned));
    tests.extend(both(in_netns, "netns"));
    tests.push(lab("apply", apply));
    tests
}

fn lab(name: impl Into<String>, test: impl FnOnce() + Send + 'static) -> Trial {
    needs(&[Feature::Vrf, Feature::Roots], format!("dhcp/{}", name.into()), move || in_lab(test))
}

/// Where the pages say that the script is.
const SCRIPT: &str = "/usr/libexec/ifupdown-ng-netlink/dhcp-vrf";
/// The address of every lease, but in [`leases`].
const OWN: &str = "10.20.30.40";
/// The time of a lease, in seconds. udhcpc takes none that is shorter than 122.
const LEASE: u32 = 130;

/// A DHCP server on the gateway, busybox's udhcpd.
struct Server<'a> {
    gateway: &'a Netns,
    child: Option<Child>,
}

impl<'a> Server<'a> {
    fn start(gateway: &'a Netns, options: &[&str]) -> Self {
        let mut server = Self { gateway, child: None };
        server.restart(options);
        server
    }

    /// Starts it again with other options. It knows its leases.
    fn restart(&mut self, options: &[&str]) {
        self.stop();
        let path = |name: &str| format!("{SCRATCH}/{name}");
        let pool = options.iter().find_map(|option| option.strip_prefix("pool ")).unwrap_or(OWN);
        let given = options.iter().filter(|option| !option.starts_with("pool "));
        let mut text = format!(
            "start {pool}\nend {pool}\nmax_leases 1\ninterface eth0\nlease_file {}\npidfile {}\nmin_lease 60\n\
             opt lease {LEASE}\nopt subnet 255.255.255.0\nopt dns 10.20.30.1\nopt domain example.net\n",
            path("leases"),
            path("udhcpd.pid")
        );
        given.for_each(|option| text.extend(["opt ", option, "\n"]));
        fs::write(path("udhcpd.conf"), text).unwrap();
        let _ = File::options().create(true).append(true).open(path("leases")).unwrap();
        let log = File::options().create(true).append(true).open(path("udhcpd.log")).unwrap();
        let mut udhcpd = Command::new("busybox");
        udhcpd.args(["udhcpd", "-f", &path("udhcpd.conf")]);
        udhcpd.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let started = said().matches("started").count();
        self.child = Some(self.gateway.within(|| udhcpd.spawn().expect("udhcpd")));
        wait_until("udhcpd is started", || said().matches("started").count() > started);
    }

    fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The log of the server.
fn said() -> String {
    fs::read_to_string(format!("{SCRATCH}/udhcpd.log")).unwrap_or_default()
}

/// How many leases the server has given or renewed.
fn given() -> usize {
    said().matches("sending ACK").count()
}

/// Puts the script where packages install it, and a `resolv.conf` that nobody may change.
fn with_script(installed: &Installed) {
    fs::create_dir_all(installed.path(SCRIPT).parent().unwrap()).unwrap();
    bind(&checkout().join("dist/dhcp-vrf"), &installed.path(SCRIPT));
    let resolv = Path::new(SCRATCH).join("resolv.conf");
    fs::write(&resolv, RESOLV).unwrap();
    bind(&resolv, &installed.path("/etc/resolv.conf"));
    // The leases of dhclient and dhcpcd stay in the lab.
    for directory in ["/var/lib/dhcp", "/var/lib/dhcpcd"] {
        let kept = Path::new(SCRATCH).join(directory.rsplit('/').next().unwrap());
        fs::create_dir_all(&kept).unwrap();
        bind(&kept, &installed.path(directory));
    }
}

const RESOLV: &str = "nameserver 192.0.2.53\n";

#[track_caller]
fn has_own_name_servers(installed: &Installed) {
    assert_eq!(fs::read_to_string(installed.path("/etc/resolv.conf")).unwrap(), RESOLV);
}

/// The routes that the client has added, of `eth0` in the VRF's table: `PREFIX via GATEWAY`.
fn leased() -> Vec<String> {
    let mut routes: Vec<String> = ip_json("-4 route show table 1 dev eth0 proto dhcp")
        .iter()
        .map(|route| {
            let via = route["gateway"].as_str().map(|gateway| format!(" via {gateway}"));
            format!("{}{}", route["dst"].as_str().unwrap(), via.unwrap_or_default())
        })
        .collect();
    routes.sort_unstable();
    routes
}

#[track_caller]
fn wait_for_routes(routes: &[&str]) {
    wait_until(&format!("{routes:?}"), || leased() == routes);
}

fn addresses() -> Vec<String> {
    let links = ip_json("-4 addr show dev eth0");
    let addresses = links.iter().flat_map(|link| link["addr_info"].as_array().into_iter().flatten());
    addresses
        .map(|address| format!("{}/{}", address["local"].as_str().unwrap(), address["prefixlen"]))
        .collect()
}

/// The client that its file names, as a process.
fn client(installed: &Installed, name: &str) -> String {
    fs::read_to_string(installed.path(&format!("/run/{name}.eth0.pid"))).unwrap().trim().to_owned()
}

fn is_running(process: &str) -> bool {
    let state = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    !state.is_empty() && !state.contains(") Z ")
}

/// Renews the lease of udhcpc now.
fn renew(installed: &Installed) {
    let before = given();
    command(&format!("kill -USR1 {}", client(installed, "udhcpc"))).ok();
    wait_until("a renewal", || given() > before);
}

/// Takes everything down; the client ends, and nothing is left.
fn is_down(installed: &Installed, before: &State, process: &str) {
    let ran = installed.ifdown("-a");
    assert_eq!(ran.status, 0, "{ran}");
    ip("link set lo up");
    wait_until("the client ends", || !is_running(process));
    // The stock executor kills dhclient, which leaves its file.
    before.assert_same(&State::with_run(installed).without_files("dhclient.eth0.pid"), "after ifdown -a");
}

/// Nothing but messages of the client.
#[track_caller]
fn only(ran: &Ran, client: &str) {
    let other: Vec<_> = ran.stderr.lines().filter(|line| !line.starts_with(client)).collect();
    assert!(ran.status == 0 && other.is_empty(), "{ran}");
}

/// The example, with the table that its comment describes.
fn management_vrf(ifupdown: Ifupdown) {
    let Outside { gateway, lan, switch: _switch } = outside();
    let installed = ifupdown.install(&example("management-vrf-dhcp"));
    with_script(&installed);
    let mut server = Server::start(&gateway, &["router 10.20.30.1"]);
    let (before, monitor) = (State::with_run(&installed), Monitor::start());
    only(&installed.ifup("-a"), "udhcpc: ");
    wait_for_routes(&["default via 10.20.30.1"]);
    assert_eq!(addresses(), ["10.20.30.40/24"]);
    assert!(ip("-4 route show table 1").contains("10.20.30.0/24 dev eth0 proto kernel"));
    assert_eq!(ip("-4 route show"), "");
    has_own_name_servers(&installed);

    serve_here();
    lan.within(|| reaches("LAN host", OWN, None));
    // The client is behind the gateway: it has an address that is not of the LAN.
    gateway.ip(&format!("route add {OWN} dev eth0 src {}", INTERNET[0]));
    gateway.within(|| tcp_reaches(OWN, PORT, None)).expect("a client behind the gateway");
    reaches("bound", INTERNET[0], VRF);
    reaches("bound", "10.20.30.7", VRF);
    tcp_reaches("10.20.30.7", PORT, None).expect_err("unbound");

    // Half of the time has passed: the client asks its server.
    let asked = Capture::start(&gateway, "eth0", "udp and dst port 67");
    let first = given();
    wait_until("the renewal in time", || given() > first);
    asked.wait_for(1, &format!("{OWN}.68 > 10.20.30.1.67"));
    drop(asked);
    assert_eq!(leased(), ["default via 10.20.30.1"]);
    settle();
    assert_eq!(installed.ifnetlink("check").quiet().stdout, "");
    installed.ifup("-a").quiet();

    // Another gateway.
    gateway.ip("addr add 10.20.30.2/24 dev eth0");
    server.restart(&["router 10.20.30.2"]);
    renew(&installed);
    wait_for_routes(&["default via 10.20.30.2"]);
    reaches("bound", INTERNET[0], VRF);
    has_own_name_servers(&installed);

    is_down(&installed, &before, &client(&installed, "udhcpc"));
    monitor.saw_none_in_main(1);
    has_own_name_servers(&installed);
}

/// What a lease may contain, and how it ends.
fn leases(ifupdown: Ifupdown) {
    let Outside { gateway, lan: _lan, switch: _switch } = outside();
    gateway.ip("addr add 10.20.30.2/24 dev eth0");
    // A route of the stanza with the same interface, in the same table, is not of the lease.
    let interfaces = example("management-vrf-dhcp")
        + "    vrf-route 10.97.0.0/16 via 10.20.30.9 dev eth0 onlink metric 500\n";
    let installed = ifupdown.install(&interfaces);
    with_script(&installed);
    let mut server = Server::start(&gateway, &["router 10.20.30.1 10.20.30.2"]);
    let (before, monitor) = (State::with_run(&installed), Monitor::start());
    only(&installed.ifup("-a"), "udhcpc: ");
    // The router that the server prefers.
    wait_for_routes(&["default via 10.20.30.1"]);
    let routes = "staticroutes 10.99.0.0/16 10.20.30.2, 10.98.1.1/32 10.20.30.1, 172.16.0.0/12 0.0.0.0";
    let of_lease = ["10.98.1.1 via 10.20.30.1", "10.99.0.0/16 via 10.20.30.2", "172.16.0.0/12"];
    // They replace the router (RFC 3442).
    server.restart(&["router 10.20.30.1", routes]);
    renew(&installed);
    wait_for_routes(&of_lease);
    server.restart(&[&format!("{routes}, 0.0.0.0/0 192.0.2.1")]);
    renew(&installed);
    // The gateway need not be on the link.
    wait_for_routes(&[&of_lease[..], &["default via 192.0.2.1"]].concat());
    // Another address: the server refuses the old one.
    server.restart(&["pool 10.20.30.50", "router 10.20.30.2"]);
    command(&format!("kill -USR1 {}", client(&installed, "udhcpc"))).ok();
    wait_until("another address", || addresses() == ["10.20.30.50/24"]);
    wait_for_routes(&["default via 10.20.30.2"]);
    // No router.
    server.restart(&["pool 10.20.30.50"]);
    renew(&installed);
    wait_for_routes(&[]);
    // The server is gone, and the lease ends.
    server.restart(&["pool 10.20.30.50", "router 10.20.30.2"]);
    renew(&installed);
    wait_for_routes(&["default via 10.20.30.2"]);
    server.stop();
    wait_until("the end of the lease", || addresses().is_empty());
    wait_for_routes(&[]);
    assert_eq!(ip("-4 route show table 1"), "");
    server.restart(&["router 10.20.30.1"]);
    wait_for_routes(&["default via 10.20.30.1"]);
    // Released: the server hears of it.
    let asked = Capture::start(&gateway, "eth0", "udp and dst port 67");
    let process = client(&installed, "udhcpc");
    command(&format!("kill -USR2 {process}")).ok();
    asked.wait_for(1, &format!("{OWN}.68 > 10.20.30.1.67"));
    wait_for_routes(&[]);
    assert!(addresses().is_empty());
    is_down(&installed, &before, &process);
    monitor.saw_none_in_main(1);
    has_own_name_servers(&installed);
}

/// The prefix and the router of advertisements, in the table of the VRF by the kernel alone.
fn advertised(ifupdown: Ifupdown) {
    let Outside { gateway, lan, switch: _switch } = outside();
    let installed = ifupdown.install(&example("management-vrf-dhcp"));
    with_script(&installed);
    let path = |name: &str| format!("{SCRATCH}/{name}");
    let text = "protocol device {}\nprotocol radv {\n  interface \"eth0\" {\n    min ra interval 3;\n    max ra interval 4;\n    \
                default lifetime 30;\n    prefix fd00:30::/64 { valid lifetime 60; preferred lifetime 50; };\n  };\n}\n";
    fs::write(path("bird.conf"), text).unwrap();
    let bird = format!("bird -c {} -s {} -P {}", path("bird.conf"), path("bird.ctl"), path("bird.pid"));
    let (before, monitor) = (State::with_run(&installed), Monitor::start());
    installed.ifup("-a");
    gateway.within(|| command(&bird).ok());
    let router = || {
        ip_json("-6 route show table 1 dev eth0 proto ra").into_iter().find(|route| route["dst"] == "default")
    };
    let own = || {
        let links = ip_json("-6 addr show dev eth0 scope global -tentative");
        links.first().and_then(|link| link["addr_info"][0]["local"].as_str().map(str::to_owned))
    };
    wait_until("an advertised router and prefix", || router().is_some() && own().is_some());
    let own = own().unwrap();
    assert!(own.starts_with("fd00:30:"), "{own}");
    let prefix = ip("-6 route show table 1 dev eth0");
    assert!(prefix.contains("fd00:30::/64 proto kernel"), "{prefix}");
    assert_eq!(ip("-6 route show dev eth0"), "");
    serve_here();
    lan.within(|| reaches("LAN host", &own, None));
    gateway.ip(&format!("route add {own} dev eth0 src {}", INTERNET[1]));
    gateway.within(|| tcp_reaches(&own, PORT, None)).expect("a client behind the gateway");
    reaches("bound", INTERNET[1], VRF);
    // Another advertisement renews it.
    let expires = || router().and_then(|route| route["expires"].as_u64()).unwrap_or_default();
    wait_until("some time", || expires() < 29);
    wait_until("another advertisement", || expires() >= 29);
    // The router leaves: the last advertisement says so.
    command(&format!("birdcl -s {} down", path("bird.ctl"))).ok();
    wait_until("no router", || router().is_none());
    settle();
    is_down(&installed, &before, &client(&installed, "udhcpc"));
    monitor.saw_none_in_main(1);
}

/// With the `ip` of busybox, as on an Alpine without iproute2.
fn busybox_ip() {
    let Outside { gateway, lan: _lan, switch: _switch } = outside();
    let installed =
        Ifupdown { shell: Shell::Ash, ..Ifupdown::USUAL }.install(&example("management-vrf-dhcp"));
    with_script(&installed);
    bind(&installed.path("/usr/bin/busybox"), &installed.path("/usr/bin/ip"));
    let mut server = Server::start(&gateway, &["router 10.20.30.1"]);
    let (before, monitor) = (State::with_run(&installed), Monitor::start());
    installed.ifup("-a");
    wait_for_routes(&["default via 10.20.30.1"]);
    server.restart(&["staticroutes 10.99.0.0/16 10.20.30.2, 10.98.1.1/32 10.20.30.1"]);
    renew(&installed);
    wait_for_routes(&["10.98.1.1 via 10.20.30.1", "10.99.0.0/16 via 10.20.30.2"]);
    server.restart(&["router 10.20.30.2"]);
    renew(&installed);
    wait_for_routes(&["default via 10.20.30.2"]);
    is_down(&installed, &before, &client(&installed, "udhcpc"));
    monitor.saw_none_in_main(1);
}

/// The script alone, with this environment of a client.
fn script(installed: &Installed, event: &[&str], lease: &[(&str, &str)]) -> Ran {
    let mut script = Command::new("chroot");
    script.arg(installed.path("/")).arg(SCRIPT).args(event).env_clear();
    script.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").envs(lease.iter().copied());
    run(&mut script)
}

/// Members of a VRF with table 1, which are up, and the script.
fn members(cards: &[&str]) -> Installed {
    let installed = Ifupdown::USUAL.install("");
    with_script(&installed);
    ip("link add vrf-management up type vrf table 1");
    for card in cards {
        ip(&format!("link set {card} up master vrf-management"));
    }
    installed
}

/// Two interfaces of one VRF have a default route each.
fn two_cards() {
    let _hosts = Netns::all_beside(&["eth0", "eth1"], "eth0", false);
    let installed = members(&["eth0", "eth1"]);
    let lease = |card, own, gateway| [("interface", card), ("ip", own), ("mask", "24"), ("router", gateway)];
    let [first, second] =
        [lease("eth0", "10.20.30.40", "10.20.30.1"), lease("eth1", "10.20.31.40", "10.20.31.1")];
    for _ in 0..2 {
        script(&installed, &["bound"], &first).quiet();
        script(&installed, &["renew"], &second).quiet();
    }
    let both = ip("-4 route show table 1 proto dhcp");
    assert_eq!(both.lines().count(), 2, "{both}");
    assert!(both.contains("via 10.20.30.1 dev eth0") && both.contains("via 10.20.31.1 dev eth1"), "{both}");
    // The keyword `metric`, which the client hands on.
    script(&installed, &["deconfig"], &second).quiet();
    let with_metric = [&second[..], &[("IF_METRIC", "50")]].concat();
    script(&installed, &["bound"], &with_metric).quiet();
    let routes = ip("-4 route show table 1 proto dhcp");
    assert!(routes.contains("via 10.20.31.1 dev eth1 metric 50 onlink"), "{routes}");
    // An address without a prefix: the gateway is on the link all the same.
    let alone = [("interface", "eth0"), ("ip", "192.0.2.40"), ("mask", "32"), ("router", "10.0.0.1")];
    script(&installed, &["renew"], &alone).quiet();
    wait_for_routes(&["default via 10.0.0.1"]);
    assert_eq!(addresses(), ["192.0.2.40/32"]);
    script(&installed, &["deconfig"], &alone).quiet();
    wait_for_routes(&[]);
    assert_eq!(ip("-4 route show table 1 proto dhcp").lines().count(), 1);
}

/// Values that no client should hand over. Nothing of them is evaluated, and no route is in the table main.
fn hostile() {
    let _hosts = Netns::all_beside(&["eth0"], "eth0", false);
    let installed = members(&["eth0"]);
    let monitor = Monitor::start();
    let values = [
        "$(touch /mnt/made)",
        "`touch /mnt/made`",
        "10.20.30.1; touch /mnt/made",
        "10.20.30.1 table main",
        "10.20.30.1 dev lo table main",
        "/*",
        "* *",
        "default table main",
        "-batch /mnt/interfaces",
        "0.0.0.0/0 $(touch${IFS}/mnt/made)",
        "a[$(touch /mnt/made)]",
        "33 1 2 3 4 5 6 7 8",
        "24 10 20",
        "a[$(touch${IFS}/mnt/made)] 1 2 3 4 5 6 7 8",
    ];
    for value in values {
        let lease = |name| {
            let sound = [("interface", "eth0"), ("ip", OWN), ("mask", "24"), ("broadcast", "10.20.30.255")];
            [&sound[..], &[(name, value)]].concat()
        };
        for name in ["router", "staticroutes", "ip", "mask", "broadcast"] {
            script(&installed, &["bound"], &lease(name)).ok();
        }
        for name in ["new_routers", "new_rfc3442_classless_static_routes"] {
            let lease = [
                ("interface", "eth0"),
                ("reason", "BOUND"),
                ("new_ip_address", OWN),
                ("new_subnet_mask", "255.255.255.0"),
                (name, value),
            ];
            script(&installed, &[], &lease).ok();
        }
        let ended = [("interface", "eth0"), ("reason", "EXPIRE"), ("old_ip_address", OWN)];
        script(&installed, &[], &ended).ok();
        assert!(!installed.path("/mnt/made").exists(), "{value} was run");
        assert_eq!(leased(), [""; 0], "{value}");
    }
    monitor.saw_none_in_main(1);
    has_own_name_servers(&installed);
    // Not run by a client.
    let ran = script(&installed, &[], &[]);
    ran.refuses(2, "dhcp-vrf: run by DHCP clients, see interfaces-vrf-table(5)");
}

/// The stanzas for dhclient, as the page has them.
fn with_dhclient(installed: &Installed) {
    let line = format!("interface \"eth0\" {{ script \"{SCRIPT}\"; }}\n");
    let stock = fs::read_to_string(installed.path("/etc/dhcp/dhclient.conf")).unwrap();
    installed.file("/tmp/dhclient.conf", &(stock + &line));
    let interfaces =
        example("management-vrf-dhcp").replace("dhcp-program udhcpc", "dhcp-program dhclient").replace(
            &format!("dhcp-script {SCRIPT}"),
            "dhcp-config /tmp/dhclient.conf\n    down ip -4 addr flush dev eth0",
        );
    installed.interfaces(&interfaces);
}

fn dhclient() {
    let Outside { gateway, lan, switch: _switch } = outside();
    let installed = Ifupdown::USUAL.install("");
    with_script(&installed);
    with_dhclient(&installed);
    let mut server = Server::start(&gateway, &["router 10.20.30.1"]);
    let (before, monitor) = (State::with_run(&installed), Monitor::start());
    installed.ifup("-a").ok();
    wait_for_routes(&["default via 10.20.30.1"]);
    assert_eq!(addresses(), ["10.20.30.40/24"]);
    serve_here();
    lan.within(|| reaches("LAN host", OWN, None));
    reaches("bound", INTERNET[0], VRF);
    let first = given();
    let routes = "staticroutes 10.99.0.0/16 10.20.30.2, 10.98.1.1/32 10.20.30.1, 0.0.0.0/0 10.20.30.2, 172.16.0.0/12 0.0.0.0";
    server.restart(&["router 10.20.30.1", routes]);
    wait_until("the renewal in time", || given() > first);
    wait_for_routes(&[
        "10.98.1.1 via 10.20.30.1",
        "10.99.0.0/16 via 10.20.30.2",
        "172.16.0.0/12",
        "default via 10.20.30.2",
    ]);
    let second = given();
    server.restart(&["router 10.20.30.1"]);
    wait_until("another renewal in time", || given() > second);
    wait_for_routes(&["default via 10.20.30.1"]);
    has_own_name_servers(&installed);
    is_down(&installed, &before, &client(&installed, "dhclient"));
    monitor.saw_none_in_main(1);
    has_own_name_servers(&installed);
}

/// Why dhcpcd is refused: it deletes the kernel's route to the LAN, and adds its own to the table main, where the kernel
/// refuses them. So the interface has an address and no route.
fn dhcpcd() {
    let Outside { gateway, lan: _lan, switch: _switch } = outside();
    let interfaces = example("management-vrf-dhcp").replace("dhcp-program udhcpc", "dhcp-program dhcpcd");
    let installed = Ifupdown { executors: Executors::Replaced, ..Ifupdown::USUAL }.install(&interfaces);
    with_script(&installed);
    let line = "vrf: eth0: dhcp-program dhcpcd: conflicts with vrf-member: dhcpcd adds routes only to the table main; \
                use udhcpc or dhclient";
    let ran = installed.ifup("-a");
    assert_eq!(ran.stderr.lines().next(), Some(line), "{ran}");
    assert_eq!(
        ip_json("link show eth0")[0]["flags"].as_array().unwrap().iter().find(|flag| *flag == "UP"),
        None
    );
    installed.ifdown("-f eth0");
    installed.ifdown("-f vrf-management");
    // The reason.
    let _server = Server::start(&gateway, &["router 10.20.30.1"]);
    ip("link add vrf-management up type vrf table 1");
    ip("link set eth0 master vrf-management");
    ip("link set eth0 up");
    let chroot = |words: &str| command(&format!("chroot {} {words}", installed.path("/").display()));
    chroot("/sbin/dhcpcd eth0").ok();
    wait_until("an address of dhcpcd", || addresses() == ["10.20.30.40/24"]);
    let routes = ip("-4 route show table all dev eth0");
    let unicast: Vec<_> = routes
        .lines()
        .filter(|line| !line.starts_with("local ") && !line.starts_with("broadcast "))
        .collect();
    assert!(unicast.is_empty(), "{routes}");
    chroot("/sbin/dhcpcd -x eth0");
}

/// The interface leaves the VRF while the client goes on. A renewal adds no route to the table main.
fn left() {
    let Outside { gateway, lan: _lan, switch: _switch } = outside();
    let installed = Ifupdown::USUAL.install(&example("management-vrf-dhcp"));
    with_script(&installed);
    let mut server = Server::start(&gateway, &["router 10.20.30.1"]);
    installed.ifup("-a").ok();
    wait_for_routes(&["default via 10.20.30.1"]);
    ip("link set eth0 nomaster");
    renew(&installed);
    server.restart(&["router 10.20.30.1", "staticroutes 10.99.0.0/16 10.20.30.2"]);
    renew(&installed);
    // The script has ended by the time at which the client answers another signal.
    renew(&installed);
    let routes = ip("-4 route show table all dev eth0");
    assert!(!routes.contains("dhcp"), "{routes}");
    // It returns.
    ip("link set eth0 master vrf-management");
    server.restart(&["router 10.20.30.1"]);
    renew(&installed);
    wait_for_routes(&["default via 10.20.30.1"]);
    let ran = installed.ifdown("-a");
    assert_eq!(ran.status, 0, "{ran}");
}

/// A stanza without the script.
fn warned() {
    let _outside = outside();
    let interfaces = example("management-vrf-dhcp").replace(&format!("dhcp-script {SCRIPT}"), "");
    let installed = Ifupdown::USUAL.install(&interfaces);
    let ran = installed.ifup("-a");
    let line = "vrf: eth0: warning: the routes of its DHCP client are not in the table of vrf-management without a dhcp-script \
                or dhcp-config; see interfaces-vrf-table(5)";
    assert_eq!(ran.stderr.lines().next(), Some(line), "{ran}");
    installed.ifdown("-a");
}

/// `netns`: refused. `netns-interfaces`: the client runs inside.
fn in_netns(ifupdown: Ifupdown) {
    let Outside { gateway, lan: _lan, switch: _switch } = outside();
    let installed = ifupdown.install(
        "auto eth0\niface eth0 inet dhcp\n    dhcp-program udhcpc\n    use netns\n    netns isolated\n",
    );
    with_script(&installed);
    let _server = Server::start(&gateway, &["router 10.20.30.1"]);
    let line = format!("netns: eth0: {NETNS}");
    let ran = installed.ifup("-a");
    assert!(ran.stderr.lines().any(|said| said == line), "{ran}");
    // 0.11.4 starts the client all the same. The card is down afterwards.
    let is_up = || ip_json("link show eth0")[0]["flags"].as_array().unwrap().iter().any(|flag| flag == "UP");
    assert!(!is_up());
    installed.ifdown_by_force();
    if let Ok(process) = fs::read_to_string(installed.path("/run/udhcpc.eth0.pid")) {
        command(&format!("kill {}", process.trim()));
        wait_until("the client ends", || !is_running(process.trim()));
        let _ = fs::remove_file(installed.path("/run/udhcpc.eth0.pid"));
    }
    ip("addr flush dev eth0");
    ip("link set eth0 down");
    fs::write(installed.path("/etc/resolv.conf"), RESOLV).unwrap();
    installed.forget();

    let before = State::with_run(&installed);
    installed.interfaces("auto eth0\niface eth0\n    netns isolated\n    netns-interfaces /mnt/isolated\n");
    installed.file(
        "/mnt/isolated",
        "auto lo\niface lo\nauto eth0\niface eth0 inet dhcp\n    dhcp-program udhcpc\n",
    );
    // What Debian's script of udhcpc writes there is of the namespace.
    let etc = Path::new(SCRATCH).join("isolated");
    fs::create_dir_all(&etc).unwrap();
    fs::write(etc.join("resolv.conf"), "").unwrap();
    fs::create_dir_all(installed.path("/etc/netns/isolated")).unwrap();
    bind(&etc, &installed.path("/etc/netns/isolated"));
    installed.ifup("-a").ok();
    let inside = Netns::at(&installed.path("/run/netns/isolated"));
    wait_until("an address inside", || inside.within(addresses) == ["10.20.30.40/24"]);
    wait_until("a route inside", || inside.ip("-4 route show").contains("default via 10.20.30.1 dev eth0"));
    wait_until("its name server", || {
        fs::read_to_string(etc.join("resolv.conf")).unwrap().contains("10.20.30.1")
    });
    has_own_name_servers(&installed);
    assert_eq!(ip("-4 route show"), "");
    drop(inside);
    is_down(&installed, &before, &client(&installed, "udhcpc"));
}

const NETNS: &str = "inet dhcp: conflicts with `netns`: the DHCP client stays outside; give the namespace its own interfaces file, with netns-interfaces";

/// `ifnetlink apply` brings the same up and down.
fn apply() {
    let Outside { gateway, lan: _lan, switch: _switch } = outside();
    let installed = Ifupdown::USUAL.install(&example("management-vrf-dhcp"));
    with_script(&installed);
    let _server = Server::start(&gateway, &["router 10.20.30.1"]);
    let (before, monitor) = (State::with_run(&installed), Monitor::start());
    installed.ifnetlink("apply").ok();
    wait_for_routes(&["default via 10.20.30.1"]);
    settle();
    assert_eq!(installed.ifnetlink("check").quiet().stdout, "");
    let first = client(&installed, "udhcpc");
    // An edit that is ours leaves the client and its routes alone.
    installed.interfaces(
        &(example("management-vrf-dhcp") + "    vrf-route 10.97.0.0/16 via 10.20.30.9 dev eth0 onlink\n"),
    );
    installed.ifnetlink("apply").ok();
    assert_eq!(client(&installed, "udhcpc"), first);
    assert_eq!(leased(), ["default via 10.20.30.1"]);
    // One of the client ends it, and starts it again.
    installed.interfaces(&(example("management-vrf-dhcp") + "    dhcp-hostname other\n"));
    assert_eq!(installed.ifnetlink("apply").status, 1);
    installed.ifnetlink("apply --disruptive").ok();
    wait_until("the client is stopped", || !is_running(&first));
    wait_for_routes(&["default via 10.20.30.1"]);
    assert_eq!(installed.ifnetlink("check").quiet().stdout, "");
    let second = client(&installed, "udhcpc");
    installed.interfaces("");
    installed.ifnetlink("apply --disruptive").ok();
    wait_until("the client is stopped", || !is_running(&second));
    before.assert_same(&State::with_run(&installed), "after the last apply");
    monitor.saw_none_in_main(1);
}

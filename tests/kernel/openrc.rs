//! Services that OpenRC starts in a VRF or in a namespace: `vrf=` and `netns=` in /etc/conf.d find the VRF or namespace
//! that our executors created.
//!
//! Only Alpine has these two words. Its openrc puts `ip netns exec` and `ip vrf exec` with the names, in this order, in
//! front of the command that starts a service, start-stop-daemon or supervise-daemon. Debian's openrc (0.56 here) reads
//! the files of /etc/conf.d and starts services with the same shell functions, but ignores the two words; the test puts
//! the commands into its functions. Alpine's own package with its script `networking` is therefore not tested. The
//! script here does the same: `ifup` for each interface that `ifquery` lists.

use crate::features::{Feature, needs};
use crate::ifupdown::{Ifupdown, Installed};
use crate::lab::{Netns, SCRATCH, bind, command, in_lab, ip, settle, wait_until};
use crate::probe::tcp_reaches;
use crate::state::State;
use libtest_mimic::Trial;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

pub fn tests() -> Vec<Trial> {
    vec![needs(&[Feature::Vrf, Feature::Roots], "openrc/services", || in_lab(services))]
}

const INTERFACES: &str = "auto red
iface red
    vrf-table 10
    vrf-rules yes

auto eth0
iface eth0
    vrf-member red
    address 192.0.2.1/24

auto veth-office
iface veth-office
    address 198.51.100.1/24
    veth-peer eth0
    veth-peer-netns office
    veth-peer-address 198.51.100.2/24
";

const NETWORKING: &str = "#!/sbin/openrc-run
depend() { provide net; }
start() {
    for iface in $(ifquery -i /mnt/interfaces --list -a); do
        ifup -E /mnt/executors -i /mnt/interfaces -S /run/ifstate $iface || return 1
    done
}
";

/// Sends back what it receives.
const SERVICE: &str = "#!/sbin/openrc-run
command=/usr/bin/busybox
command_args='nc -ll -p 7777 -e cat'
pidfile=/run/$RC_SVCNAME.pid
depend() { need net; }
";

const PORT: u16 = 7777;

/// A service, the line of its script with the way it is started, the line of its file in /etc/conf.d.
const SERVICES: [(&str, &str, &str); 4] = [
    ("in-vrf", "command_background=yes", "vrf=red"),
    ("in-vrf-supervised", "supervisor=supervise-daemon", "vrf=red"),
    ("in-netns", "command_background=yes", "netns=office"),
    ("in-netns-supervised", "supervisor=supervise-daemon", "netns=office"),
];

/// Creates what openrc creates when the machine starts.
fn boot(installed: &Installed) {
    command(&format!("mount -t cgroup2 cgroup2 {}", installed.path("/sys/fs/cgroup").display())).ok();
    for directory in ["exclusive", "started", "starting", "stopping", "daemons", "options", "scheduled"] {
        fs::create_dir_all(installed.path("/run/openrc").join(directory)).unwrap();
    }
    installed.file("/run/openrc/softlevel", "");
}

/// Installs the files of the test.
fn files(installed: &Installed) {
    for directory in ["init.d", "conf.d"] {
        let own = Path::new(SCRATCH).join(directory);
        fs::create_dir(&own).unwrap();
        bind(&own, &installed.path("/etc").join(directory));
    }
    let scripts = SERVICES.map(|(name, how, _)| (name, format!("{SERVICE}{how}\n")));
    for (name, text) in scripts.into_iter().chain([("networking", NETWORKING.to_owned())]) {
        let path = installed.path("/etc/init.d").join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    for (name, _, line) in SERVICES {
        installed.file(&format!("/etc/conf.d/{name}"), &format!("{line}\n"));
    }
    for program in ["start-stop-daemon", "supervise-daemon"] {
        let path = installed.path(&format!("/usr/lib/rc/sh/{program}.sh"));
        let text = fs::read_to_string(&path).unwrap();
        let start = format!("\teval {program} ");
        assert_eq!(text.matches(&start).count(), 1, "{program}.sh");
        let inside = "${netns:+ip netns exec $netns} ${vrf:+ip vrf exec $vrf}";
        let own = Path::new(SCRATCH).join(program);
        fs::write(&own, text.replace(&start, &format!("\teval {inside} {program} "))).unwrap();
        bind(&own, &path);
    }
}

fn rc_service(installed: &Installed, words: &str) {
    let root = installed.path("/");
    command(&format!("chroot {} rc-service --nocolor {words}", root.display())).ok();
}

fn services() {
    let outside = Netns::beside("eth0", "eth0");
    outside.ip("addr add 192.0.2.9/24 dev eth0");
    ip("link set eth0 down");
    let installed = Ifupdown::USUAL.install(INTERFACES);
    let before = State::with_run(&installed);
    boot(&installed);
    files(&installed);
    let in_vrf = || outside.within(|| tcp_reaches("192.0.2.1", PORT, None));
    let in_netns = || tcp_reaches("198.51.100.2", PORT, None);
    for (place, (name, ..)) in SERVICES.into_iter().enumerate() {
        // The first service makes openrc start `networking`, which it needs.
        rc_service(&installed, &format!("{name} start"));
        assert!(place > 0 || ip("link show dev red").contains("red"));
        settle();
        // The service is in one place, and nowhere else.
        let (reached, refused): (&dyn Fn() -> _, &dyn Fn() -> _) =
            if name.starts_with("in-vrf") { (&in_vrf, &in_netns) } else { (&in_netns, &in_vrf) };
        wait_until(name, || reached().is_ok());
        assert_eq!(refused(), Err("connect: ECONNREFUSED".to_owned()), "{name}");
        assert_eq!(tcp_reaches("127.0.0.1", PORT, None), Err("connect: ECONNREFUSED".to_owned()), "{name}");
        rc_service(&installed, &format!("{name} stop"));
        wait_until("it has ended", || reached().is_err());
    }
    // Nothing of openrc is left in /run.
    for entry in ["openrc", "in-vrf.pid", "in-netns.pid"] {
        let path = installed.path("/run").join(entry);
        let _ = fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path));
    }
    before.assert_after_ifdown(&installed);
}

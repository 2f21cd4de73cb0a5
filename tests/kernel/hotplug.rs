//! Links that appear after ifup: `ifnetlink hotplug`, run by hand, by mdev and by udev. The other interfaces come up
//! without them. The results are checked with `ip` and `bridge`.

use crate::bridges::vlans;
use crate::features::{Feature, needs};
use crate::ifupdown::{Executors, Ifupdown, Installed, Shell, Version};
use crate::lab::{Netns, Ran, SCRATCH, command, in_lab, ip, ip_json, wait_until};
use crate::pages::checkout;
use libtest_mimic::Trial;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

pub fn tests() -> Vec<Trial> {
    let mut tests = Vec::new();
    for version in Version::ALL {
        let ifupdown = Ifupdown { version, executors: Executors::Replaced, shell: Shell::Dash };
        let mut add = |name: &str, test: fn(Ifupdown)| {
            let needed = [Feature::Vrf, Feature::Vlan, Feature::Roots];
            let name = format!("hotplug/{name}/{ifupdown}");
            tests.push(needs(&needed, name, move || in_lab(|| test(ifupdown))));
        };
        add("stanzas", stanzas);
        add("again", again);
        add("made-in-up", made_in_up);
        add("undisturbed", undisturbed);
        add("mdev", mdev);
        add("udev", udev);
    }
    tests
}

const INTERFACES: &str = "auto red
iface red
    vrf-table 10

auto br0
iface br0
    bridge-ports p1 regex ^q[0-9]$
    bridge-vlan-filtering yes
    bridge-default-pvid none
    bridge-pathcost p1 7

iface p1
    bridge-vlan 10 pvid untagged

auto eth1
iface eth1
    vrf red
    address 192.0.2.1/24
    vrf-route default via 192.0.2.254

auto p2
iface p2
    bridge-member br0
    bridge-vlan 20

auto lan0
iface lan0
    use netns
    netns blue
    address 198.51.100.1/24

auto last
iface last
    link-type dummy
    address 203.0.113.1/24
";

/// The links of these stanzas that do not exist at first.
const LATE: [&str; 5] = ["p1", "q1", "eth1", "p2", "lan0"];

fn install(ifupdown: Ifupdown) -> Installed {
    let installed = ifupdown.install(INTERFACES);
    let ran = installed.ifup("-a").ok();
    for line in [
        "bridge: br0: warning: bridge-ports p1: there is no such interface; br0 comes up without it",
        "vrf: eth1: warning: vrf-member red: there is no interface eth1; the stanza is completed when it appears",
        "bridge: p2: warning: bridge-member br0: p2: there is no such interface; the stanza is completed when it appears",
        "netns: lan0: warning: netns blue: there is no interface lan0; the stanza is completed when it appears",
    ] {
        assert_eq!(ran.stderr.matches(line).count(), 1, "{line}\n{ran}");
    }
    assert!(ip("addr show dev last").contains("203.0.113.1/24"), "{ran}");
    installed
}

fn make(name: &str) {
    ip(&format!("link add {name} type dummy"));
}

/// The output of a command in the namespace of the stanzas, which ifup made in its own root.
fn inside(words: &str) -> String {
    let path = Path::new(SCRATCH).join("root/run/netns/blue");
    if path.exists() { Netns::at(&path).within(|| command(words)).stdout } else { String::new() }
}

fn master(name: &str) -> Option<String> {
    ip_json(&format!("link show {name}"))[0]["master"].as_str().map(str::to_owned)
}

/// Whether a late link is as its stanza says.
fn is_complete(name: &str) -> bool {
    let exists = command(&format!("ip link show {name}")).status == 0;
    if name == "lan0" {
        return !exists && inside("ip addr show dev lan0 up").contains("198.51.100.1/24");
    }
    let of_bridge = |set: &[&str]| exists && master(name).as_deref() == Some("br0") && vlans(name) == set;
    match name {
        "eth1" => {
            exists
                && master(name).as_deref() == Some("red")
                && ip("addr show dev eth1 up").contains("192.0.2.1/24")
                && ip("route show table 10").contains("default via 192.0.2.254 dev eth1")
        }
        "p1" => of_bridge(&["10 PVID Egress Untagged"]) && ip("-d link show p1").contains(" cost 7 "),
        "p2" => of_bridge(&["20"]),
        _ => of_bridge(&[]),
    }
}

fn hotplug(installed: &Installed, name: &str) -> Ran {
    installed.ifnetlink(&format!("hotplug {name}"))
}

/// Each late link is completed. A setting that was changed by hand meanwhile stays.
fn stanzas(ifupdown: Ifupdown) {
    let installed = install(ifupdown);
    ip("link set br0 type bridge ageing_time 12300");
    for name in LATE {
        make(name);
        assert!(!is_complete(name), "{name}");
        let ran = hotplug(&installed, name).quiet();
        assert!(is_complete(name), "{name}\n{ran}\n{}", ip("-d addr"));
    }
    assert_eq!(ip_json("-d link show br0")[0]["linkinfo"]["info_data"]["ageing_time"], 12300);
    // A link that no stanza names, one whose name cannot be in a stanza, and one that is gone.
    make("other");
    let before = || (ip("addr"), command("bridge vlan").stdout);
    let all = before();
    for name in ["other", "a%d", "gone", "br0", "red", "last", "p1", "eth1"] {
        hotplug(&installed, name).quiet();
    }
    assert_eq!(before(), all);
    // What ifdown returns is not taken again.
    installed.ifdown("lan0").quiet();
    hotplug(&installed, "lan0").quiet();
    assert!(!ip("link show lan0").contains("UP") && !is_complete("lan0"));
    // ifup fails: the stock executor cannot add the route of a link that does not exist. As OpenRC does, it is then taken
    // down by force, or as ifup -a does, not.
    for force in [false, true] {
        let _ = command("ip link del eth1");
        let text = INTERFACES.replace("vrf-route default via", "gateway");
        installed.interfaces(&text);
        installed.ifdown("eth1");
        let _ = installed.ifup("eth1");
        if force {
            installed.ifdown("-f eth1");
        }
        make("eth1");
        hotplug(&installed, "eth1").quiet();
        assert!(is_complete("eth1"), "{}", ip("-d addr"));
    }
    installed.ifdown("-a").ok();
    assert!(master("eth1").is_none() && master("p1").is_none());
    // Before the first ifup, nothing is done.
    installed.forget();
    hotplug(&installed, "eth1").quiet();
    assert!(master("eth1").is_none());
}

/// A link that goes and comes again is completed again, also if another link is named so as an alternative.
fn again(ifupdown: Ifupdown) {
    let installed = install(ifupdown);
    for _ in 0..2 {
        for name in ["p1", "p2", "eth1"] {
            make(name);
            hotplug(&installed, name).quiet();
            assert!(is_complete(name), "{name}\n{}", ip("-d addr"));
            ip(&format!("link del {name}"));
        }
    }
    for (name, alternative) in [("enp1s0", "p1"), ("enp2s0", "p2"), ("enp3s0", "eth1")] {
        make(name);
        ip(&format!("link property add dev {name} altname {alternative}"));
        hotplug(&installed, name).quiet();
        let wanted = if alternative == "eth1" { "red" } else { "br0" };
        assert_eq!(master(name).as_deref(), Some(wanted), "{name}");
        match alternative {
            "p1" => assert_eq!(vlans(name), ["10 PVID Egress Untagged"]),
            "p2" => assert_eq!(vlans(name), ["20"]),
            _ => assert!(ip("addr show dev enp3s0 up").contains("192.0.2.1/24")),
        }
    }
}

/// Links that a command in `up` makes: at once, when they are isolated in post-up, or a second after ifup has ended.
fn made_in_up(ifupdown: Ifupdown) {
    let late = "up sh -c '(sleep 1; ip link add $IFACE type dummy) >/dev/null 2>&1 &'";
    let installed = ifupdown.install(&format!(
        "auto red\niface red\n    vrf-table 10\n\
         auto br0\niface br0\n    bridge-vlan-filtering yes\n\
         auto tun1\niface tun1\n    vrf red\n    up ip link add $IFACE up type dummy\n\
         auto tap1\niface tap1\n    bridge-member br0\n    up ip link add $IFACE up type dummy\n\
         auto ns1\niface ns1\n    use netns\n    netns blue\n    up ip link add $IFACE type dummy\n\
         auto tun2\niface tun2\n    vrf red\n    {late}\n\
         auto tap2\niface tap2\n    bridge-member br0\n    bridge-vlan 30\n    {late}\n\
         auto ns2\niface ns2\n    use netns\n    netns blue\n    {late}\n\
         auto last\niface last\n    link-type dummy\n"
    ));
    installed.ifup("-a").ok();
    assert_eq!(master("tun1").as_deref(), Some("red"));
    assert_eq!(master("tap1").as_deref(), Some("br0"));
    assert!(ip("link show tun1 up").contains("tun1") && inside("ip link show ns1 up").contains("ns1"));
    assert!(ip("link show last up").contains("last"));
    for name in ["tun2", "tap2", "ns2"] {
        wait_until(name, || command(&format!("ip link show {name}")).status == 0);
        hotplug(&installed, name).quiet();
    }
    assert_eq!(master("tun2").as_deref(), Some("red"));
    assert_eq!(vlans("tap2"), ["1 PVID Egress Untagged", "30"][1..]);
    assert!(inside("ip link show ns2 up").contains("ns2"));
}

/// `ifnetlink hotplug` waits for an ifup, and does nothing that ifup does.
fn undisturbed(ifupdown: Ifupdown) {
    let installed = ifupdown.install(&format!(
        "{INTERFACES}\nauto slow\niface slow\n    link-type dummy\n    up touch /run/begun\n    up sleep 20\n    up ip link set p2 alias before\n"
    ));
    let mut ifup = installed.command("ifup", "-a").stderr(Stdio::null()).spawn().unwrap();
    wait_until("ifup has begun", || installed.path("/run/begun").exists());
    make("p2");
    let waiting = installed.ifnetlink_command("hotplug p2").spawn().unwrap();
    assert!(ifup.wait().unwrap().success());
    assert!(waiting.wait_with_output().unwrap().status.success());
    assert!(is_complete("p2") && ip("link show p2").contains("alias before"));
}

/// A program that runs until the test ends.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The late links appear one after the other, while a device manager runs: each is completed, again when it comes again.
fn with_manager(installed: &Installed, renames: bool) {
    // It may first look at what exists.
    wait_until("the device manager runs", || {
        make("probe");
        ip("link del probe");
        installed.path("/run/is-ready").exists()
    });
    for name in LATE {
        make(name);
        wait_until(name, || is_complete(name));
    }
    for name in ["p1", "eth1"] {
        ip(&format!("link del {name}"));
        make(name);
        wait_until(name, || is_complete(name));
    }
    // The events of these are of our own making.
    installed.ifdown("lan0").quiet();
    installed.ifup("lan0").quiet();
    installed.ifdown("lan0").quiet();
    make("p9");
    ip("link set p9 name q9");
    make("q2");
    wait_until("q2", || is_complete("q2"));
    assert!(!ip("link show lan0").contains("UP"));
    // mdev does not know renamed links.
    if renames {
        wait_until("q9", || is_complete("q9"));
        ip("link del p2");
        make("enp7s0");
        wait_until("enp7s0", || master("enp7s0").as_deref() == Some("br0") && vlans("enp7s0") == ["20"]);
    }
}

/// Prepares the root for a device manager: the paths that its files name.
fn programs(installed: &Installed) {
    installed.file(
        "/mnt/hotplug",
        "#!/bin/sh\ntouch /run/is-ready\nexec /mnt/ifnetlink hotplug -i /mnt/interfaces -E /mnt/executors\n",
    );
    command(&format!("chmod 755 {}", installed.path("/mnt/hotplug").display())).ok();
}

/// A file of dist/, with the program in the place where the test has it.
fn of_dist(name: &str) -> String {
    let text = fs::read_to_string(checkout().join("dist").join(name)).unwrap();
    let replaced = text.replace("/usr/sbin/ifnetlink hotplug", "/mnt/hotplug");
    assert_ne!(text, replaced);
    replaced
}

fn mdev(ifupdown: Ifupdown) {
    let installed = install(ifupdown);
    programs(&installed);
    installed.file("/mnt/mdev.conf", &of_dist("mdev.conf"));
    let conf = installed.path("/etc/mdev.conf");
    crate::lab::bind(&installed.path("/mnt/mdev.conf"), &conf);
    // It changes the modes of the files there.
    command(&format!("mount -t tmpfs dev {}", installed.path("/dev").display())).ok();
    let mut mdev = Command::new("chroot");
    mdev.arg(installed.path("/")).args(["busybox", "mdev", "-df"]);
    let _mdev = Daemon(mdev.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").spawn().unwrap());
    with_manager(&installed, false);
}

fn udev(ifupdown: Ifupdown) {
    let installed = install(ifupdown);
    programs(&installed);
    // udev is in the root of the machine only.
    fs::create_dir_all("/run/udev/rules.d").unwrap();
    let rule = of_dist("udev.rules")
        .replace("/mnt/hotplug", &format!("/usr/sbin/chroot {} /mnt/hotplug", installed.path("/").display()));
    fs::write("/run/udev/rules.d/85-ifnetlink.rules", rule).unwrap();
    // udev gives a link its alternative names before it runs programs.
    fs::create_dir_all("/run/systemd/network").unwrap();
    let link = "[Match]\nOriginalName=enp7s0\n[Link]\nAlternativeName=p2\n";
    fs::write("/run/systemd/network/10-ifnetlink.link", link).unwrap();
    let _udev = Daemon(Command::new("/usr/lib/systemd/systemd-udevd").stderr(Stdio::null()).spawn().unwrap());
    with_manager(&installed, true);
    for file in ["/run/udev/rules.d/85-ifnetlink.rules", "/run/systemd/network/10-ifnetlink.link"] {
        fs::remove_file(file).unwrap();
    }
}

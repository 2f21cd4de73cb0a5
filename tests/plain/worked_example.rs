//! The executor that docs/ARCHITECTURE.md walks through, on a kernel that is only a state in memory.

#[path = "../../examples/link-proxy-arp.rs"]
mod link_proxy_arp;

use super::support::root;
use ifupdown_ng_netlink::kernel::{Kernel as _, apply};
use ifupdown_ng_netlink::model::Simulated;
use ifupdown_ng_netlink::plan::At;
use ifupdown_ng_netlink::stanza::{Phase, Stanza};
use ifupdown_ng_netlink::state::{Query, Snapshot, Sysctl};
use ifupdown_ng_netlink::values::IfName;
use link_proxy_arp::PROGRAM;

const KEYWORD: &str = "link-proxy-arp";

#[test]
fn it_goes_up_stays_up_and_goes_down_without_a_trace() {
    let iface: IfName = "eth0".parse().unwrap();
    let (configuration, problems) = PROGRAM.configure(&Stanza::new([(KEYWORD, "yes")]));
    assert!(problems.is_empty());
    let key = Sysctl::of_link("ipv4", &iface, "proxy_arp");
    let mut kernel = Simulated::default();
    kernel.0.here_mut().sysctls.insert(key.clone(), "0".to_owned());
    let before = kernel.clone();
    let phase = |phase: Phase, kernel: &mut Simulated| {
        let at = At { iface: &iface, phase, alone: false };
        let mut query = Query::default();
        configuration.query(at, &mut query);
        let plan = configuration.plan(at, &kernel.read(&query).unwrap()).unwrap();
        apply::up(&plan, kernel).unwrap();
        plan.to_string()
    };
    let set = "echo 0 @eth0 > /run/ifupdown-ng-netlink/sysctl:net.ipv4.conf.eth0.proxy_arp
sysctl -w net.ipv4.conf.eth0.proxy_arp=1
";
    assert_eq!(phase(Phase::PreUp, &mut kernel), set);
    assert_eq!(kernel.0.here().sysctls.get(&key).unwrap(), "1");
    assert_eq!(phase(Phase::PreUp, &mut kernel), "", "again");
    let back = "sysctl -w net.ipv4.conf.eth0.proxy_arp=0
rm /run/ifupdown-ng-netlink/sysctl:net.ipv4.conf.eth0.proxy_arp
";
    assert_eq!(phase(Phase::PostDown, &mut kernel), back);
    assert_eq!(kernel, before);
    assert_eq!(phase(Phase::PostDown, &mut kernel), "", "again");
    // In the state of MOCK it does the same.
    let at = At { iface: &iface, phase: Phase::PreUp, alone: false };
    assert_eq!(
        configuration.plan(at, &configuration.simulated(&iface, Phase::PreUp)).unwrap().to_string(),
        set
    );
}

#[test]
fn what_is_wrong_is_told_with_keyword_and_value() {
    let (_, problems) = PROGRAM.configure(&Stanza::new([(KEYWORD, "maybe")]));
    assert_eq!(problems[0].to_string(), "link-proxy-arp maybe: neither yes nor no");
    let (configuration, _) = PROGRAM.configure(&Stanza::new([(KEYWORD, "no")]));
    let at = At { iface: &"eth9".parse().unwrap(), phase: Phase::PreUp, alone: false };
    let (_, problems) = configuration.plan(at, &Snapshot::default()).unwrap_err();
    assert_eq!(problems[0].to_string(), "link-proxy-arp no: there is no interface eth9");
}

#[test]
fn the_architecture_walks_through_it() {
    let text = std::fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap();
    let code = std::fs::read_to_string(root().join("examples/link-proxy-arp.rs")).unwrap();
    for word in ["Executor", "acts", "query", "plan", "assume", "PROGRAM"] {
        assert!(text.contains(&format!("`{word}`")) && code.contains(word), "{word}");
    }
}

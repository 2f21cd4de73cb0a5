//! The sysctls that let unbound sockets accept packets from VRFs (`net.ipv4.tcp_l3mdev_accept` and so on).

use crate::plan::Plan;
use crate::state::{Original, Place, Record, State, Sysctl, Wants};
use crate::values::IfName;

/// The protocols whose unbound sockets can accept packets from VRFs.
pub const PROTOCOLS: [&str; 3] = ["tcp", "udp", "raw"];

/// The sysctl of one of [`PROTOCOLS`].
pub fn sysctl(protocol: &str) -> Option<Sysctl> {
    format!("net.ipv4.{protocol}_l3mdev_accept").parse().ok()
}

/// All of them.
pub fn sysctls() -> impl Iterator<Item = Sysctl> {
    PROTOCOLS.into_iter().filter_map(sysctl)
}

/// Reads these sysctls and their recorded values.
pub fn query(wants: &mut Wants) {
    wants.sysctls.extend(sysctls());
    wants.records.extend(sysctls().map(|key| Record::original(&key)));
}

/// Restores the sysctls that we set, after the last VRF.
pub fn restore(state: &State) -> Plan {
    let mut plan = Plan::default();
    sysctls().for_each(|key| plan.restore_sysctl(&Place::Here, &key, |_| false, state));
    plan
}

/// Restores those sysctls that no other VRF wants changed. In a record of version 0.1 it is unknown which VRF does:
/// [`restore`] restores its value.
pub fn release(vrf: &IfName, state: &State) -> Plan {
    let mut plan = Plan::default();
    for key in sysctls() {
        let text = state.records.get(&Record::original(&key));
        let owners = text.and_then(|text| Original::parse(text).owners);
        if owners.is_some_and(|owners| owners.contains(vrf)) {
            plan.restore_sysctl(&Place::Here, &key, |owner| owner != vrf, state);
        }
    }
    plan
}

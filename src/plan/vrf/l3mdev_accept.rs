//! The sysctls that let unbound sockets accept packets from VRFs (`net.ipv4.tcp_l3mdev_accept` and so on).

use crate::plan::Plan;
use crate::state::{Record, State, Sysctl, Wants};

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

/// Restores the sysctls that we set.
pub fn restore(state: &State) -> Plan {
    let mut plan = Plan::default();
    sysctls().for_each(|key| plan.restore_sysctl(key, state));
    plan
}

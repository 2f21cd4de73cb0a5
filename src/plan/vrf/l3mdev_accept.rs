//! The sysctls that let unbound sockets take what arrives in a VRF (`net.ipv4.tcp_l3mdev_accept` and such).

use crate::{
    plan::{Plan, op::Op},
    state::{Record, State, Sysctl, Wants},
};

/// The protocols whose unbound sockets can be made to take what arrives in a VRF.
pub const PROTOCOLS: [&str; 3] = ["tcp", "udp", "raw"];

/// The sysctl of one of [`PROTOCOLS`].
pub fn sysctl(protocol: &str) -> Option<Sysctl> {
    format!("net.ipv4.{protocol}_l3mdev_accept").parse().ok()
}

/// All of them.
pub fn sysctls() -> impl Iterator<Item = Sysctl> {
    PROTOCOLS.into_iter().filter_map(sysctl)
}

/// Has these sysctls and what was recorded about them looked at.
pub fn query(wants: &mut Wants) {
    wants.sysctls.extend(sysctls());
    wants.records.extend(sysctls().map(|key| Record::original(&key)));
}

/// Sets those back that we set.
pub fn restore(state: &State) -> Plan {
    let mut plan = Plan::default();
    for key in sysctls() {
        let record = Record::original(&key);
        if let Some(value) = state.records.get(&record) {
            if state.sysctls.get(&key).is_some_and(|now| now != value) {
                plan.push(Op::SysctlSet { key, value: value.clone() }, None);
            }
            plan.push(Op::RecordDel(record), None);
        }
    }
    plan
}

//! The sysctls that stanzas of VRFs set for all VRFs of a namespace.

use crate::plan::Plan;
use crate::state::{Original, Place, Record, State, Sysctl, Wants};
use crate::values::IfName;

/// The protocols whose unbound sockets can accept packets from VRFs.
pub const PROTOCOLS: [&str; 3] = ["tcp", "udp", "raw"];

/// The sysctl of one of [`PROTOCOLS`].
pub fn l3mdev_accept(protocol: &str) -> Option<Sysctl> {
    format!("net.ipv4.{protocol}_l3mdev_accept").parse().ok()
}

/// The sysctl by which the kernel lets no two VRFs have the same table (drivers/net/vrf.c `vrf_map_register_dev`).
pub fn strict_mode() -> Option<Sysctl> {
    "net.vrf.strict_mode".parse().ok()
}

/// All of them.
pub fn all() -> impl Iterator<Item = Sysctl> {
    PROTOCOLS.into_iter().filter_map(l3mdev_accept).chain(strict_mode())
}

/// Reads all of them and their recorded values.
pub fn query(wants: &mut Wants) {
    wants.sysctls.extend(all());
    wants.records.extend(all().map(|key| Record::original(&key)));
}

/// Restores those that we set, after the last VRF.
pub fn restore(state: &State) -> Plan {
    let mut plan = Plan::default();
    all().for_each(|key| plan.restore_sysctl(&Place::Here, &key, |_| false, state));
    plan
}

/// Restores those that no other VRF wants changed. In a record of version 0.1 it is unknown which VRF does: [`restore`]
/// restores its value.
pub fn release(vrf: &IfName, state: &State) -> Plan {
    let mut plan = Plan::default();
    for key in all() {
        let text = state.records.get(&Record::original(&key));
        let owners = text.and_then(|text| Original::parse(text).owners);
        if owners.is_some_and(|owners| owners.contains(vrf)) {
            plan.restore_sysctl(&Place::Here, &key, |owner| owner != vrf, state);
        }
    }
    plan
}

//! Other namespaces: moved links, veth pairs into a namespace, and the configuration inside it.

pub mod inside;
pub mod interfaces;
pub mod move_link;
pub mod moved;
mod namespace;
pub mod sysctls;
mod veth_pair;
pub mod veth_peer;

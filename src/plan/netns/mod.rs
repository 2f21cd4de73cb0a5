//! Other namespaces: links that move there, veth pairs that lead there, and what is set up inside.

pub mod inside;
pub mod interfaces;
pub mod move_link;
pub mod moved;
mod namespace;
pub mod sysctls;
mod veth_pair;
pub mod veth_peer;

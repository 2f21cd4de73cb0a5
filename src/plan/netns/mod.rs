//! Other namespaces: links that move there, veth pairs that lead there, and what is set up inside.

pub mod inside;
pub mod move_link;
pub mod namespace;
pub mod sysctls;
pub mod veth_pair;

//! Bridges: what a stanza says of them, and how one is brought in line with it.
//!
//! [`config`] and [`port_config`] read the keywords, [`up`] and [`down`] plan, and [`effects`] is what the kernel does to
//! bridges and ports.

pub mod config;
pub mod down;
pub mod effects;
mod planner;
mod port;
pub mod port_config;
pub mod scope;
pub mod up;

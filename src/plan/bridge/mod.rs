//! Bridges: the stanza, and the plan that brings a bridge in line with it.
//!
//! [`config`] and [`port_config`] read the keywords, [`up`] and [`down`] plan, and [`effects`] models the kernel.

pub mod config;
pub mod down;
pub mod effects;
mod planner;
mod port;
pub mod port_config;
pub mod scope;
pub mod up;

//! VRFs: their tables, members, routes, and the rules that keep what is in them there.

pub mod rules;

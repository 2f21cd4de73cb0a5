//! VRFs: their tables, members and routes, and the rules that isolate them.

pub mod accept;
mod end;
pub mod l3mdev_accept;
pub mod layout;
pub mod member;
pub mod route;
pub mod rules;
pub mod table;

pub use end::restore;

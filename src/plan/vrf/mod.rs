//! VRFs: their tables, members and routes, and the rules that isolate them.

mod end;
pub mod layout;
pub mod member;
pub mod route;
pub mod rules;
pub mod settings;
pub mod sysctls;
pub mod table;

pub use end::restore;

//! Executors, and how they run.

pub mod arguments;
pub mod executor;
mod guard;
pub mod inside;
pub mod message;
pub mod run;

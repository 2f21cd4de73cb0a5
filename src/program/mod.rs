//! Executors, and how they run.

mod applied;
pub mod arguments;
pub mod edit;
pub mod executor;
mod guard;
pub mod inside;
mod lists;
pub mod message;
pub mod run;

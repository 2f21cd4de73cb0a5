//! The core of native executors for ifupdown-ng: a stanza becomes a plan, and the plan becomes netlink messages.
//!
//! Each module uses only those before it:
//!
//! 1. [`values`]: what a user may write, as types that cannot be wrong.
//! 2. [`stanza`]: the keywords of a stanza. [`stanza::environment`] reads the environment.
//! 3. [`state`]: what the kernel has, as plain data.
//! 4. [`plan`]: changes ([`plan::op`]), and pure functions from what is wanted and what exists to a [`plan::Plan`].
//! 5. [`kernel`]: reads the state, carries a plan out, and rolls it back. [`kernel::netlink`] alone knows rtnetlink.
//! 6. [`model`]: a model of the kernel that plans can be tried on.
//! 7. [`program`]: what an executor is, and the `main` that all share.
//!
//! A file in `executors/` is the keywords of one program.

pub mod kernel;
pub mod model;
pub mod plan;
pub mod program;
pub mod stanza;
pub mod state;
pub mod values;

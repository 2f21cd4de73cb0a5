//! The core of native executors for ifupdown-ng: a stanza becomes a plan, and the plan becomes netlink messages.
//!
//! Each module uses only those before it:
//!
//! 1. [`values`]: the values that a user may write, as types that can hold only valid values.
//! 2. [`stanza`]: the keywords of a stanza. [`stanza::environment`] reads the environment.
//! 3. [`state`]: the state of the kernel, as plain data.
//! 4. [`plan`]: changes ([`plan::op`]), and pure functions from the stanza and the state to a [`plan::Plan`].
//! 5. [`kernel`]: reads the state, applies a plan, and rolls it back. Only [`kernel::netlink`] uses rtnetlink.
//! 6. [`model`]: a model of the kernel, on which plans are tried.
//! 7. [`program`]: the definition of an executor, and the `main` that all executors share.
//!
//! A file in `executors/` defines the keywords of one program.

pub mod kernel;
pub mod model;
pub mod plan;
pub mod program;
pub mod stanza;
pub mod state;
pub mod values;

/// That of musl asks the kernel for memory by the page, and returns it at once: a tenth of the time of a start that makes a
/// veth pair, and thousands of times in an `ifnetlink apply`.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

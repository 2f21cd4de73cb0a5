//! The core of native executors for ifupdown-ng: what an executor is told becomes a plan, and the plan
//! becomes netlink messages.
//!
//! Data flows one way:
//!
//! 1. [`invocation`] reads the environment, [`command_line`] the arguments: the only places that do.
//! 2. [`stanza`] turns keywords into types of [`values`], and collects what is wrong.
//! 3. An [`executor::Executor`] (a file in `executors/`) says what to look at, as a [`snapshot::Query`].
//! 4. [`live`] looks, through [`netlink`], and answers with a [`snapshot::Snapshot`].
//! 5. The executor plans: a pure function from what is wanted and what was found to a [`plan::Plan`] of
//!    [`op::Op`]s, each with what takes it back.
//! 6. [`apply`] carries the plan out, or [`run`] prints it.
//!
//! [`simulate`] is a model of the kernel that plans can be tried on; [`rules`] holds the layouts of routing
//! rules, [`bridging`] what bridges, ports and VLANs are planned by, [`interior`] what executors set up inside a
//! namespace. [`netns`] holds the files that are namespaces, [`stanzas`] the stanzas of other interfaces,
//! [`rt_tables`] the names of tables, [`run_dir`] the files under `/run`, [`lock`] what keeps two runs apart,
//! [`trust`] what others must not be able to change.

pub mod apply;
pub mod bridging;
pub mod command_line;
pub mod executor;
pub mod guard;
pub mod interior;
pub mod invocation;
pub mod keywords;
pub mod live;
pub mod lock;
pub mod netlink;
pub mod netns;
pub mod op;
pub mod plan;
pub mod rt_tables;
pub mod rules;
pub mod run;
pub mod run_dir;
pub mod simulate;
pub mod snapshot;
pub mod stanza;
pub mod stanzas;
pub mod trust;
pub mod values;

//! The tests without privilege: no namespace, no socket, only files and processes of this package.
//!
//! The other lanes test what a real kernel does; here the kernel is the model in [`ifupdown_ng_netlink::model`].

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "that is how a test fails")]

#[path = "../../executors/all.rs"]
mod all;

mod alpine;
mod architecture;
mod asked;
mod by_hand;
mod cli;
mod completion;
mod composed;
mod depend;
mod diagnostics;
mod docs;
mod edits;
mod failures;
mod faults;
mod faulty;
mod fuzz;
mod ifnetlink;
mod install;
mod interfaces;
mod invariants;
mod keywords;
mod links;
mod lint;
mod manual;
mod mock;
mod notation;
mod notation_bridge;
mod notation_write;
mod pages;
mod plans;
mod properties;
mod random;
mod records;
mod repeated;
mod sbom;
mod scenes;
mod schema;
mod show;
mod stanza;
mod startup;
mod stock;
mod strange_rules;
mod support;
mod timed;
mod values;
mod variable;
mod version;
mod wire;
mod worked_example;
mod wrong;

//! The lane without privilege: no namespace, no socket, nothing but files and processes of this package.
//!
//! What a kernel really does is asked in the other lanes; here it is [`ifupdown_ng_netlink::model`]'s model.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "that is how a test fails")]

#[path = "../../executors/all.rs"]
mod all;

mod architecture;
mod asked;
mod by_hand;
mod cli;
mod composed;
mod depend;
mod diagnostics;
mod docs;
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
mod manual;
mod mock;
mod notation;
mod notation_bridge;
mod notation_write;
mod pages;
mod plans;
mod properties;
mod random;
mod scenes;
mod show;
mod stanza;
mod startup;
mod strange_rules;
mod support;
mod timed;
mod values;
mod variable;
mod wire;
mod worked_example;
mod wrong;

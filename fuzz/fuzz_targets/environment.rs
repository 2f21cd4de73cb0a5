//! The environment of an executor.
#![no_main]
#![allow(dead_code, reason = "each target uses a part of these files")]

#[path = "../../executors/all.rs"]
mod all;
#[path = "../entries/inputs.rs"]
mod inputs;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| inputs::environment(bytes));

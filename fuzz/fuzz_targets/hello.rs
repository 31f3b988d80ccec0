//! A body that is taken for a hello is one.
#![no_main]

#[allow(dead_code)]
#[path = "../../net/tests/targets/mod.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::hello(data));

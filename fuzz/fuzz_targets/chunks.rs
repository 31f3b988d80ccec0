//! A body that is taken for a chunk is one.
#![no_main]

#[allow(dead_code)]
#[path = "../../net/tests/targets/mod.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::chunk(data));

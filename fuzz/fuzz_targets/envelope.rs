//! Any bytes in any envelope are a message, or an error.
#![no_main]

#[allow(dead_code)]
#[path = "../../net/tests/targets/mod.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::envelope(data));

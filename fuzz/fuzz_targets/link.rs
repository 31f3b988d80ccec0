//! A link takes any bytes after a good hello.
#![no_main]

#[allow(dead_code)]
#[path = "../../net/tests/targets/mod.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::link(data));

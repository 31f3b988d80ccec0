//! Frames are the same in whatever pieces the bytes come.
#![no_main]

#[allow(dead_code)]
#[path = "../../net/tests/targets/mod.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::frames(data));

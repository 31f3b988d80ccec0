//! Frames are the same in whatever pieces the bytes come.
#![no_main]

#[path = "../../net/tests/counting/mod.rs"]
mod counting;
#[path = "../../net/tests/targets/frames.rs"]
mod frames;
#[path = "../../net/tests/targets/reading.rs"]
mod reading;

libfuzzer_sys::fuzz_target!(|data: &[u8]| frames::check(data));

//! A link takes any bytes after a good hello.
#![no_main]

#[path = "../../net/tests/counting/mod.rs"]
mod counting;
#[path = "../../net/tests/targets/link.rs"]
mod link;
#[path = "../../net/tests/targets/reading.rs"]
mod reading;

libfuzzer_sys::fuzz_target!(|data: &[u8]| link::check(data));

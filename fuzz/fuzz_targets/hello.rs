//! A body that is taken for a hello is one.
#![no_main]

#[path = "../../net/tests/targets/hello.rs"]
mod hello;

libfuzzer_sys::fuzz_target!(|data: &[u8]| hello::check(data));

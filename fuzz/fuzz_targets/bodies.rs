//! A body that is taken for a chunk is one.
#![no_main]

#[path = "../../net/tests/targets/chunk.rs"]
mod chunk;

libfuzzer_sys::fuzz_target!(|data: &[u8]| chunk::check(data));

//! A body that is taken for a hello is one, and so is one that is taken for a chunk.
#![no_main]

#[path = "../../net/tests/targets/chunk.rs"]
mod chunk;
#[path = "../../net/tests/counting/mod.rs"]
mod counting;
#[path = "../../net/tests/targets/hello.rs"]
mod hello;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    hello::check(data);
    chunk::check(data);
});

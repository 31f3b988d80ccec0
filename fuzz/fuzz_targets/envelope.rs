//! Any bytes in any envelope are a message, or an error.
#![no_main]

#[path = "../../net/tests/counting/mod.rs"]
mod counting;
#[path = "../../net/tests/targets/envelope.rs"]
mod envelope;
#[path = "../../net/tests/targets/messages.rs"]
mod messages;

libfuzzer_sys::fuzz_target!(|data: &[u8]| envelope::check(data));

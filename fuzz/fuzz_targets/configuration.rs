//! Any configuration is one, or so many problems that have a place.
#![no_main]

#[path = "../../net/tests/targets/configuration.rs"]
mod configuration;
#[path = "../../net/tests/counting/mod.rs"]
mod counting;

libfuzzer_sys::fuzz_target!(|data: &[u8]| configuration::check(data));

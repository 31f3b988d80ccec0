//! Death watch: whoever watches is told of the end exactly once, whatever the order of things.

#[path = "../common/mod.rs"]
mod common;

mod afar;
mod memory;
mod notices;
mod order;
mod pacts;
mod races;

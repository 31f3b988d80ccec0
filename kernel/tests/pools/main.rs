//! Pools: routees that their owner spawns, counts, grows and retires.

#[path = "../common/mod.rs"]
mod common;

mod model;
mod resizing;
mod rig;
mod routees;

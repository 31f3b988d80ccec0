//! Families on several shards: a child elsewhere is its parent's as any other.

#[path = "../common/mod.rs"]
mod common;

mod births;
mod ends;
mod failures;
mod memory;
mod restarts;
mod retiring;
mod rig;
mod waiting;

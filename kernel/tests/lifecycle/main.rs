//! An actor's life: its start, its place in the tree, and its end in order.

#[path = "../common/mod.rs"]
mod common;

mod belongings;
mod failing;
mod starting;
mod stopping;

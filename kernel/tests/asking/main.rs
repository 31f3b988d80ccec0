//! Ask: a question, its answer as a message, and everything that can come between; and adapters.

#[path = "../common/mod.rs"]
mod common;

mod adapters;
mod answers;
mod reply_addresses;
mod rig;

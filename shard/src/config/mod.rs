//! Settings of a system.
//!
//! `builder` collects them and starts the system.

mod builder;

pub use builder::{Builder, REGION_BYTES_MAX};

//! The subcommands, one module each.

pub(crate) mod bench;
pub(crate) mod config;
pub(crate) mod sim;
pub(crate) mod topology;

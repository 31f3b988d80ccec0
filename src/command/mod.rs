//! The subcommands, one module each, and what they have in common (`process`).

pub(crate) mod bench;
pub(crate) mod config;
mod process;
pub(crate) mod sim;
pub(crate) mod topology;

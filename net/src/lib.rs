//! Corelane's sockets: one reactor for each core, and what actors do with it.
//!
//! # Reading order
//!
//! [`reactor`] (operations, tokens, completions; three backends behind one contract) → [`buffers`] (memory that is shared
//! with the operating system).

pub mod buffers;
pub mod reactor;

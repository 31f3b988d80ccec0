//! Corelane's sockets: one reactor for each core, and what actors do with it.
//!
//! # Reading order
//!
//! [`reactor`] (operations, tokens, completions; three backends behind one contract) → [`buffers`] (memory that is shared
//! with the operating system) → `net`, `sockets` (a reactor on each shard, driven in its turn) → `credit`, `stream`, `serving` (what
//! actors do with it).

pub mod buffers;
mod credit;
mod net;
pub mod reactor;
mod serving;
mod sockets;
mod stream;

pub use credit::Received;
pub use net::{Net, NetConfig, SimulatedHost};
pub use serving::{ServeError, Service, serve};
pub use sockets::{Sink, Sockets};
pub use stream::{Accepted, ListenEvent, Listener, SocketCtx, Stream, StreamEvent, StreamOptions};

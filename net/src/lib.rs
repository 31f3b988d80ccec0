//! Corelane beyond the process: sockets for actors, and what hosts say to each other.
//!
//! # Reading order
//!
//! [`reactor`] (operations, tokens, completions; three backends behind one contract) → [`buffers`] (memory that is shared
//! with the operating system) → `net`, `sockets` (a reactor on each shard, driven in its turn) → `credit`, `stream`,
//! `datagrams`, `serving` (what actors do with it), [`framing`] (frames in a stream).
//!
//! Beside them, without sockets, clocks or threads, bytes and times in, bytes and actions out: [`wire`] (the frames, byte by
//! byte) → [`codec`] (how messages are written in them, and how they may change) → [`liveness`] (whether a peer is still there,
//! by its heartbeats) → [`link`] (the state machine of one link between two shards).
//!
//! Both meet in `tls` (what stands between a connection and its link) → `peer` (what is known of other hosts) → `trust` (what
//! untrusted ones may reach) → `memory` (streams between processes of one machine) → `gate` (a shard's links on its sockets, below
//! the kernel's uplink) → `resolve`, `named` (look-up on
//! other hosts), `spawning`, `pool` (children there, and pools of them) → `endpoint` (the extension, and its configuration) → `settings` (what of it stands in
//! configuration files, with the feature `config`) and [`sim`] (clusters in one thread).

// What only io_uring needs is there all the same.
#![cfg_attr(not(target_os = "linux"), allow(dead_code))]

pub mod buffers;
pub mod codec;
mod credit;
mod datagrams;
mod endpoint;
pub mod framing;
mod gate;
pub mod link;
pub mod liveness;
mod memory;
mod named;
mod net;
mod peer;
mod pool;
pub mod reactor;
mod resolve;
mod serving;
#[cfg(feature = "config")]
mod settings;
pub mod sim;
mod sockets;
mod spawning;
mod stream;
mod tls;
mod trust;
pub mod wire;

pub use credit::Received;
pub use datagrams::{DatagramCtx, DatagramEvent, Datagrams};
pub use endpoint::{Endpoint, EndpointConfig, EndpointError};
pub use gate::{Gate, GateStats, LinkEvent, LinkState};
pub use named::Resolver;
pub use net::{Net, NetConfig, SimulatedHost};
pub use pool::{PoolTrouble, RemotePool};
pub use resolve::{RemoteCtx, RemoteHandle, RemoteHost, RemoteLookupError, RemoteUrl};
pub use serving::{ServeError, Service, serve};
pub use sockets::{Sink, Sockets};
pub use spawning::{RemoteChildSpawner, RemoteSpawnError};
pub use stream::{Accepted, ListenEvent, Listener, SocketCtx, Stream, StreamEvent, StreamOptions};
pub use tls::{PeerNames, Pem, TlsConfig, TlsConfigError, TlsPart, TlsRefusal, TlsStats};
pub use trust::{Export, Rights, Untrusted};

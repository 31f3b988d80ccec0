//! The reactor: a core's sockets, driven by the thread that owns them, on one of three backends behind one contract.
//!
//! | backend | how | where |
//! |---|---|---|
//! | [`Backend::Uring`] | completions of io_uring | Linux 6.1 and later, where it is permitted and passes its self-test |
//! | [`Backend::Poll`] | readiness, by `mio` | every Unix |
//! | [`Backend::Simulated`] | a network in memory, from a seed, on a virtual clock | everywhere |
//!
//! # The contract
//!
//! A [`Reactor`] is asked for something (connect, read, write, close) and answers later with [`Event`]s: [`Reactor::turn`]
//! collects what has come to an end, [`Reactor::next_event`] hands it out, [`Reactor::submit`] passes on what was asked for
//! meanwhile: one system call for all of it where the backend is io_uring. Nothing here waits but [`Reactor::park`], which
//! ends when something comes, when a [`Waker`] is used, or when its time is over. Time-outs are the caller's: a kernel has
//! timers.
//!
//! Beneath, there are **operations** (accept, connect, receive, send). The operating system is a second owner of what they
//! use, so:
//!
//! 1. An operation's slot owns its buffers, addresses and the use of its socket's descriptor until the *last* completion. A
//!    zero-copy send has two, a receive that repeats itself has many.
//! 2. A completion names a slot and its generation. One that is not of this generation is counted and dropped.
//! 3. Nobody's disappearance frees anything. A socket that is closed or aborted *orphans* its operations and cancels them; its
//!    descriptor is closed, and its number free to be used again, only when the last of them has ended.
//! 4. A reactor that is dropped takes nothing up any more, cancels everything, waits until nothing is in flight, and then
//!    unmaps its rings. Memory of which this cannot be shown is never freed.
//! 5. Full queues, used-up buffers, interrupted calls and short sends are normal, and [counted](Counters).
//! 6. io_uring is used only after its operations were found and permitted, on a ring that is restricted to them, and a mebibyte was sent over the loopback device and came out
//!    unharmed; else the reason is [told](Reactor::reason), and readiness is used.
//!
//! In the steady state nothing allocates: slots, queues and chunks are used again.
//!
//! # Streams
//!
//! - A stream begins with reading *paused*: [`Reactor::resume`] starts it. After [`Reactor::pause`] no [`EventKind::Received`]
//!   comes until it is resumed; what had been received meanwhile waits, in at most the reactor's chunks.
//! - Writes are queued, gathered into as few calls as possible, and sent in order; [`Reactor::write`] refuses what exceeds
//!   the socket's limit. A write with a token is answered by [`EventKind::Written`] or [`EventKind::NotWritten`], which give
//!   its buffer back.
//! - [`Reactor::finish`] closes the sending half, after what is queued. [`Reactor::close`] closes both, after what is queued.
//!   [`Reactor::abort`] throws away what is queued and resets the connection.
//! - Every socket ends with [`EventKind::Closed`], after which its [`SocketId`] names nothing.
//!
//! ```
//! use corelane_net::reactor::{EventKind, Options, Reactor, ReactorConfig};
//!
//! let mut reactor = Reactor::open(&ReactorConfig::default())?;
//! let options = Options::default();
//! let listener = reactor.listen(&"127.0.0.1:0".parse()?, &options)?;
//! let client = reactor.connect(&reactor.local_address(listener)?, &options)?;
//! reactor.write(client, b"hello", None).unwrap();
//! let mut heard = Vec::new();
//! while heard != b"hello" {
//!     reactor.submit();
//!     reactor.park(None);
//!     reactor.turn();
//!     while let Some(event) = reactor.next_event() {
//!         match event.kind {
//!             EventKind::Accepted(socket) => reactor.resume(socket),
//!             EventKind::Received(bytes) => heard.extend_from_slice(&bytes),
//!             _ => {}
//!         }
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod address;
mod backend;
mod choose;
mod complete;
mod config;
mod counters;
#[cfg(unix)]
mod descriptor;
mod driving;
mod engine;
mod error;
mod event;
mod peer_user;
#[cfg(unix)]
mod poll;
pub mod sim;
mod slab;
mod spare;
mod store;
#[cfg(test)]
mod suite;
mod taken;
#[cfg(target_os = "linux")]
mod uring;
mod work;

pub use address::{Address, AddressError};
pub use backend::Waker;
pub use choose::OpenError;
pub use config::{Backend, Choice, Options, ReactorConfig};
pub use counters::Counters;
pub use engine::Reactor;
pub use error::{SocketError, WriteError};
pub use event::{Event, EventKind, SocketId};
pub use peer_user::PeerUser;
pub(crate) use taken::Taken;

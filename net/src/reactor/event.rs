//! What a reactor tells its caller.

use std::io;

use super::address::Address;
use super::slab::Key;
use crate::buffers::{Buffer, Chunk};

/// The name of a socket of one reactor, until it was closed. It is never given again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(pub(crate) Key);

/// Something has happened at a socket.
#[derive(Debug)]
pub struct Event {
    /// Where.
    pub socket: SocketId,
    /// What the caller has [noted](super::Reactor::set_tag) at the socket; 0 if nothing.
    pub tag: u64,
    /// What.
    pub kind: EventKind,
}

/// What has happened at a socket.
#[derive(Debug)]
pub enum EventKind {
    /// A listener has a new connection. Its reading is paused.
    Accepted(SocketId),
    /// A listener cannot accept (descriptors are used up, for example), and is paused. Whoever resumes it waits a while.
    NotAccepted(io::Error),
    /// A stream that was being connected is.
    Connected,
    /// Bytes have come over a stream.
    Received(Chunk),
    /// A datagram has come.
    ReceivedFrom {
        /// Its sender; without a path if that has a Unix socket without a name.
        from: Address,
        /// What it says.
        bytes: Chunk,
        /// It was longer than a chunk, and the rest is lost.
        truncated: bool,
    },
    /// The peer sends nothing more. What is written still reaches it, if it has not closed its other half.
    Finished,
    /// A write with this token has been passed to the operating system, which needs its buffer no more. No proof that the
    /// peer has it.
    Written {
        /// The write's.
        token: u64,
        /// What was written.
        buffer: Buffer,
    },
    /// A write with this token was not, or not wholly, passed on: the connection has failed, or is aborted.
    NotWritten {
        /// The write's.
        token: u64,
        /// What was to be written.
        buffer: Buffer,
    },
    /// A stream could not be connected, or its connection has failed: it was refused, reset, or timed out. Nothing is
    /// received or sent any more. It is to be closed.
    Failed(io::Error),
    /// The socket was closed. The last of its events.
    Closed,
}

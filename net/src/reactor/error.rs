//! Why a reactor refuses.

use std::fmt;
use std::io;

use super::address::Address;
use crate::buffers::Buffer;

/// Why a socket could not be made.
#[derive(Debug)]
pub enum SocketError {
    /// The reactor has as many as it may.
    TooMany,
    /// The operating system refused.
    Refused {
        /// The address that it was to have, or to be connected to.
        address: Address,
        /// Why.
        error: io::Error,
    },
    /// No such socket, or none of that kind.
    NoSuch,
}

impl fmt::Display for SocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SocketError::TooMany => f.write_str("the reactor has as many sockets as it may"),
            SocketError::Refused { address, error } => write!(f, "{address}: {error}"),
            SocketError::NoSuch => f.write_str("there is no such socket"),
        }
    }
}

impl std::error::Error for SocketError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            SocketError::Refused { error, .. } => Some(error),
            _ => None,
        }
    }
}

/// Why a write was refused. The buffer comes back.
#[derive(Debug)]
pub enum WriteError {
    /// As many bytes wait as may; the memory of their queue counts, too. When a write with a token is answered, there is room
    /// again: whoever may meet this gives each write a token, or looks at what is unsent before.
    Full(Buffer),
    /// The socket is closed, has failed, or its sending half was finished.
    Closed(Buffer),
}

impl WriteError {
    /// What was to be written.
    pub fn into_buffer(self) -> Buffer {
        match self {
            WriteError::Full(buffer) | WriteError::Closed(buffer) => buffer,
        }
    }
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WriteError::Full(_) => "as many bytes wait to be sent as may",
            WriteError::Closed(_) => "the socket sends nothing any more",
        })
    }
}

impl std::error::Error for WriteError {}

//! What a system under measurement must offer.
//!
//! Between two processes on two cores an actor plays balls of 64 bytes back, and the one that measures keeps so many under way;
//! each has a number, and they must come back in order. What is timed is from the first ball to the last that comes back;
//! processes that start, and connections that are made, are not.

use std::fmt;
use std::time::Duration;

use core_affinity::CoreId;

/// The two cores.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places {
    /// Of the process that measures.
    pub near: CoreId,
    /// Of the other.
    pub far: CoreId,
}

/// Bytes of a ball; its number is at its front, in little-endian.
pub(crate) const BALL: usize = 64;

/// One system under measurement. Every method is called on a thread of its own.
pub(crate) trait System: Sync {
    /// The name in the table and in the JSON.
    fn name(&self) -> &'static str;

    /// Why it cannot be measured on this machine, if it cannot.
    fn missing(&self) -> Option<String> {
        None
    }

    /// Nanoseconds for a round trip, with so many under way.
    fn round_trip(&self, places: Places, window: u64, quick: bool) -> Result<f64, RunError>;
}

/// Round trips in a run of a peer: as many as take some seconds on the slowest.
pub(crate) fn rounds(window: u64, quick: bool) -> u64 {
    let full = if window == 1 { 10_000 } else { 200_000 };
    if quick { full / 10 } else { full }
}

/// Why a run gave no figure.
#[derive(Debug)]
pub(crate) enum RunError {
    /// A thread could not be pinned to its core.
    Pin(usize),
    /// The operating system refused something; which, and what it said.
    Os(&'static str, std::io::Error),
    /// A system refused something that it must not; what, and what it said.
    Refused(&'static str, String),
    /// A ball came twice, or out of order.
    WrongBall,
    /// The run's thread ended without an answer.
    Panicked,
    /// The run did not end within this time.
    Stalled(Duration),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pin(core) => write!(f, "cannot pin a thread to core {core}"),
            Self::Os(what, error) => write!(f, "{what}: {error}"),
            Self::Refused(what, reason) => write!(f, "{what}: {reason}"),
            Self::WrongBall => f.write_str("a ball came twice, or out of order"),
            Self::Panicked => f.write_str("the run panicked"),
            Self::Stalled(limit) => write!(f, "the run did not end within {} s", limit.as_secs()),
        }
    }
}

impl std::error::Error for RunError {}

impl RunError {
    /// For `map_err`: the named thing was refused, with the system's own words.
    pub(crate) fn refused<E: fmt::Display>(what: &'static str) -> impl Fn(E) -> Self {
        move |error| Self::Refused(what, error.to_string())
    }
}

//! What a system under measurement must offer, and what it hands back.
//!
//! A system runs a workload of a given size at a given place and answers with the time that passed and a check value
//! made from the messages that its actors handled. It does not judge itself: `workload` knows the value that is right,
//! and no figure is made from a run whose value differs.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use crate::place::Place;

/// Messages that a source sends, or actors that it spawns, before it lets its thread do other work.
pub(crate) const BURST: u64 = 256;

/// One system under measurement. Every method is called on a thread of its own, and leaves no thread behind.
pub(crate) trait System: Sync {
    /// The name in the table, in the JSON and for `--only`.
    fn name(&self) -> &'static str;

    /// `sources` senders tell one actor the numbers below `messages`, split evenly, in bursts of [`BURST`]; when all
    /// have been sent, the actor is asked for the sum. Timed from the first send to the answer. Check: the sum.
    fn tell(&self, place: Place, sources: u64, messages: u64) -> Result<Ran, RunError>;

    /// Two actors pass one number to and fro, each adding one, `round_trips` times. Check: the number at the end.
    fn pingpong(&self, place: Place, round_trips: u64) -> Result<Ran, RunError>;

    /// A caller asks an actor with each number below `asks`, one at a time; the answer is the number plus one.
    /// Check: the sum of the answers.
    fn ask(&self, place: Place, asks: u64) -> Result<Ran, RunError>;

    /// Spawns an actor for each number below `actors`, its whole state being that number, in bursts of [`BURST`];
    /// each handles one message and stops. Timed until the last is gone. Check: for each actor, state plus message.
    fn spawn(&self, place: Place, actors: u64) -> Result<Ran, RunError>;

    /// Spawns the same actors, and keeps them until all have started and the growth of resident memory has been read;
    /// then each handles its one message. An address is kept for each actor in a vector whose own memory does not
    /// count. Check: as for [`spawn`](Self::spawn).
    fn idle(&self, place: Place, actors: u64) -> Result<Idle, RunError>;
}

/// What a timed run hands back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ran {
    /// The time that the messages took; starting and stopping threads is not part of it.
    pub elapsed: Duration,
    /// Made from every message handled.
    pub check: u64,
}

/// What a memory run hands back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Idle {
    /// Growth of resident memory, in bytes, from before the first spawn until all actors were idle.
    pub grown: u64,
    /// Made from every message handled.
    pub check: u64,
}

/// Why a run gave no figure.
#[derive(Debug)]
pub(crate) enum RunError {
    /// A thread could not be pinned to its core.
    Pin(usize),
    /// The operating system refused something; which, and what it said.
    Os(&'static str, std::io::Error),
    /// A system lost or refused something that it must not; what, and what it said.
    Refused(&'static str, String),
    /// The check value is wrong.
    WrongCheck { expected: u64, found: u64 },
    /// The run's thread ended without an answer.
    Panicked,
    /// The run did not end within this time.
    Stalled(Duration),
    /// The child process that measures memory gave no figure; what it said.
    Child(String),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pin(core) => write!(f, "cannot pin a thread to core {core}"),
            Self::Os(what, error) => write!(f, "{what}: {error}"),
            Self::Refused(what, reason) => write!(f, "{what}: {reason}"),
            Self::WrongCheck { expected, found } => {
                write!(f, "wrong count: the messages add up to {found}, not to {expected}")
            }
            Self::Panicked => f.write_str("the run panicked"),
            Self::Stalled(limit) => write!(f, "the run did not end within {} s", limit.as_secs()),
            Self::Child(said) => write!(f, "the child process gave no figure: {said}"),
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

/// The numbers that source `index` of `sources` sends, of all those below `messages`.
pub(crate) fn share(index: u64, sources: u64, messages: u64) -> Range<u64> {
    index * messages / sources..(index + 1) * messages / sources
}

/// `range` in pieces of at most [`BURST`].
pub(crate) fn bursts(range: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let end = range.end;
    range.step_by(BURST as usize).map(move |first| first..end.min(first + BURST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_bursts_cover_every_number_once() {
        for (sources, messages) in [(1, 0), (1, 1), (1, 1000), (8, 1000), (8, 3), (3, 256 * 7)] {
            let numbers: Vec<u64> =
                (0..sources).flat_map(|i| bursts(share(i, sources, messages))).flatten().collect();
            assert_eq!(numbers, (0..messages).collect::<Vec<_>>());
            assert!(bursts(0..messages).all(|burst| burst.end - burst.start <= BURST));
        }
    }
}

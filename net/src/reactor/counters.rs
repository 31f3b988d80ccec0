//! What a reactor counts: how much it did, and how often something went a rarer way.

/// Counts since the reactor was opened. None goes down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Operations begun.
    pub operations: u64,
    /// Completions of them, several for those that repeat themselves.
    pub completions: u64,
    /// Connections accepted.
    pub accepted: u64,
    /// Connections closed at once, since the reactor has as many sockets as it may.
    pub turned_away: u64,
    /// Bytes received, over streams and in datagrams.
    pub bytes_received: u64,
    /// Bytes passed to the operating system.
    pub bytes_sent: u64,
    /// Operations that were orphaned: their socket was closed or aborted before their end.
    pub orphaned: u64,
    /// Completions that named no operation in flight. They were dropped.
    pub stale: u64,
    /// Sends that took less than they were given.
    pub short_sends: u64,
    /// Receives that ended since no chunk was left. They begin again when one is.
    pub out_of_chunks: u64,
    /// Submission queues found full: what was to go in waited, or was passed on early.
    pub full_submissions: u64,
    /// Completion queues found overflown.
    pub overflows: u64,
    /// System calls that were interrupted.
    pub interrupted: u64,
    /// Receives over a stream that was asked itself, and not by io_uring, while nothing else was to be done.
    pub direct: u64,
    /// Descriptors registered with io_uring.
    pub registered: u64,
    /// Sends without a copy.
    pub zero_copies: u64,
    /// Sends without a copy that the operating system copied all the same.
    pub copied_zero_copies: u64,
    /// Backends that could not be used though they would have been preferred: 1 where sockets are polled since io_uring cannot
    /// be used. [`Reactor::reason`](super::Reactor::reason) says why.
    pub fallbacks: u64,
    /// Waits for something to happen.
    pub parks: u64,
    /// Waits that were to go on until several things had happened.
    pub coalesced: u64,
    /// System calls that pass operations on and collect their ends, or that ask for readiness.
    pub enters: u64,
}

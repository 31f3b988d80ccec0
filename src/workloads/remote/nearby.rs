//! Hosts of one machine: `unix.pingpong` and `unix.tell` go over Unix sockets, `memory.pingpong`, `memory.tell` and
//! `memory.pipelined` through memory that the two processes share, as they do unless they are told not to.
//!
//! The raw loops move the same bytes, without a frame around them, between two threads on the same cores: over a pair of Unix
//! sockets, or through rings of a library.

use corelane_shard::Idle;

use super::host::Speech;
use super::{WINDOW, messages, pipelined_rounds, pour, rally, rounds};
use crate::workloads::raw::hop;
use crate::workloads::raw::socket::{self, ECHO, WRITE};
use crate::workloads::{Cost, Plan, WorkloadError};

/// `remote.unix.pingpong`: one ball, two shards that never park, over Unix sockets.
pub(in crate::workloads) fn unix_pingpong(plan: &Plan) -> Result<Cost, WorkloadError> {
    pingpong(plan, Speech::Unix)
}

/// `remote.memory.pingpong`: the same through shared memory.
pub(in crate::workloads) fn memory_pingpong(plan: &Plan) -> Result<Cost, WorkloadError> {
    pingpong(plan, Speech::Memory)
}

fn pingpong(plan: &Plan, speech: Speech) -> Result<Cost, WorkloadError> {
    let rounds = rounds(plan);
    rally(plan, Idle::Latency, speech, 1, rounds, None).map(|report| Cost::time(report.elapsed, rounds))
}

/// Beside `remote.unix.pingpong`: an echo over a pair of Unix sockets that spins.
///
/// # Errors
/// See [`WorkloadError`].
pub(in crate::workloads) fn raw_unix_pingpong(plan: &Plan) -> Result<Cost, WorkloadError> {
    let rounds = rounds(plan);
    let client = |stream| socket::call(stream, rounds, None);
    socket::over_a_pair(plan, client, |peer| socket::answer(peer, rounds))
}

/// Beside `remote.memory.pingpong`: an echo through two rings.
///
/// # Errors
/// See [`WorkloadError`].
pub(in crate::workloads) fn raw_memory_pingpong(plan: &Plan) -> Result<Cost, WorkloadError> {
    hop::echo(plan, rounds(plan))
}

/// `remote.memory.pipelined`: a thousand balls under way, through shared memory.
pub(in crate::workloads) fn memory_pipelined(plan: &Plan) -> Result<Cost, WorkloadError> {
    let rounds = pipelined_rounds(plan);
    rally(plan, Idle::Latency, Speech::Memory, WINDOW, rounds, None)
        .map(|report| Cost::time(report.elapsed, rounds))
}

/// Beside `remote.memory.pipelined`: an echo through two rings with as many under way.
///
/// # Errors
/// See [`WorkloadError`].
pub(in crate::workloads) fn raw_memory_pipelined(plan: &Plan) -> Result<Cost, WorkloadError> {
    hop::juggle(plan, WINDOW, pipelined_rounds(plan))
}

/// `remote.unix.tell`: balls one way, over Unix sockets.
pub(in crate::workloads) fn unix_tell(plan: &Plan) -> Result<Cost, WorkloadError> {
    pour(plan, Speech::Unix)
}

/// `remote.memory.tell`: the same through shared memory.
pub(in crate::workloads) fn memory_tell(plan: &Plan) -> Result<Cost, WorkloadError> {
    pour(plan, Speech::Memory)
}

/// Beside `remote.unix.tell`: a stream of the same bytes over a pair of Unix sockets.
///
/// # Errors
/// See [`WorkloadError`].
pub(in crate::workloads) fn raw_unix_tell(plan: &Plan) -> Result<Cost, WorkloadError> {
    let each = (WRITE / ECHO) as u64;
    let writes = messages(plan) / each;
    let cost =
        socket::over_a_pair(plan, |stream| socket::pour(stream, writes), |peer| socket::drain(peer, writes))?;
    Ok(cost.split(each))
}

/// Beside `remote.memory.tell`: a stream of the same bytes through a ring.
///
/// # Errors
/// See [`WorkloadError`].
pub(in crate::workloads) fn raw_memory_tell(plan: &Plan) -> Result<Cost, WorkloadError> {
    hop::pour(plan, messages(plan))
}

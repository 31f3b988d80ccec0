//! The seven micro benchmarks of the Savina suite, at their published parameters.
//!
//! Protocols and counts are those of the suite's own actors, so that figures can be set beside those of other
//! actor systems; what is measured is the time from the first message to the last, without starting and ending
//! the system. Each runs on one shard and checks its result. The suite's random numbers (sixteen bits, poorly
//! spread) are not copied; [`Dice`](super::dice::Dice) takes their place.

pub(super) mod big;
pub(super) mod chameneos;
pub(super) mod count;
pub(super) mod forkjoin;
pub(super) mod pingpong;

use super::{Cost, Plan, WorkloadError, ring};

/// `savina.threadring`: a token around a hundred actors, a hundred thousand hops.
pub(super) fn threadring(plan: &Plan) -> Result<Cost, WorkloadError> {
    ring::hops(plan, 100, 100_000)
}

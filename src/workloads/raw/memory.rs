//! The raw loops of workloads about actors rather than messages.

use std::hint::black_box;
use std::time::Instant;

use crate::workloads::error::{check, sum_below};
use crate::workloads::{Cost, Plan, WorkloadError, pin};

/// Bytes that an idle actor with a `u64` of state may occupy: a header of 32, a state of 8, and 8 to spare.
const BOUND: u64 = 48;

/// Words of an actor with a `u64` of state: four of header, one of state.
type Cell = [u64; 5];

/// Bounds `spawn`: as many bytes as the actors have, pushed to a vector that starts empty.
///
/// # Errors
/// A core that cannot be used, or a wrong sum.
pub(in crate::workloads) fn push(plan: &Plan) -> Result<Cost, WorkloadError> {
    let cells = plan.pick(1_000_000, 200_000);
    let (elapsed, sum) = pin::run(plan.core(), || {
        let began = Instant::now();
        let mut arena: Vec<Cell> = Vec::new();
        for state in 0..cells {
            arena.push(black_box([0, 0, 0, 0, state]));
        }
        let elapsed = began.elapsed();
        (elapsed, arena.iter().fold(0, |sum: u64, cell| sum.wrapping_add(cell[4])))
    })?;
    check("the sum of the cells", sum_below(cells), sum)?;
    Ok(Cost::time(elapsed, cells))
}

/// Bounds `actor.bytes`: the size that an idle actor is designed to have. A constant, not a measurement.
///
/// # Errors
/// None; the signature is that of every raw loop.
pub(in crate::workloads) fn bound(_plan: &Plan) -> Result<Cost, WorkloadError> {
    Ok(Cost::bytes(BOUND, 1))
}

//! The raw loop of everything that stays on one core: a ring of words and one indirect call for each record.

use std::time::{Duration, Instant};

use super::{BURST, Record, Target};
use crate::workloads::error::{check, sum_below};
use crate::workloads::{Cost, Plan, WorkloadError, pin};

/// Words of the ring: room for a burst, and small enough to stay in the first cache.
const WORDS: usize = 1024;

const _: () = assert!(WORDS.is_power_of_two() && WORDS >= 3 * BURST as usize, "a burst must fit in the ring");

/// A contiguous ring of words with free-running positions.
struct Ring {
    words: Box<[u64; WORDS]>,
    head: usize,
    tail: usize,
}

impl Ring {
    fn new() -> Self {
        Self { words: Box::new([0; WORDS]), head: 0, tail: 0 }
    }

    #[inline(always)]
    fn push(&mut self, record: Record) {
        for (offset, word) in record.into_iter().enumerate() {
            self.words[(self.tail + offset) % WORDS] = word;
        }
        self.tail += 3;
    }

    #[inline(always)]
    fn pop(&mut self) -> Option<Record> {
        if self.head == self.tail {
            return None;
        }
        let record = std::array::from_fn(|offset| self.words[(self.head + offset) % WORDS]);
        self.head += 3;
        Some(record)
    }
}

/// Bounds `local.tell`: 10 M records pushed in bursts of 256, popped, one indirect call for each.
///
/// # Errors
/// A core that cannot be used, or a wrong sum.
pub(in crate::workloads) fn tell(plan: &Plan) -> Result<Cost, WorkloadError> {
    let records = plan.pick(10_000_000, 2_000_000);
    Ok(Cost::time(drive(plan.core(), records)?, records))
}

/// Bounds `local.pingpong`: twice the work of [`tell`] for each round trip.
///
/// # Errors
/// As [`tell`].
pub(in crate::workloads) fn pingpong(plan: &Plan) -> Result<Cost, WorkloadError> {
    let rounds = plan.pick(5_000_000, 1_000_000);
    Ok(Cost::time(drive(plan.core(), 2 * rounds)?, rounds))
}

/// The time that `records` records take on `core`.
fn drive(core: usize, records: u64) -> Result<Duration, WorkloadError> {
    let (elapsed, sum) = pin::run(core, || {
        let mut ring = Ring::new();
        let mut targets = Target::cells();
        let target = Target::index();
        let began = Instant::now();
        let mut sent = 0;
        while sent < records {
            let until = records.min(sent + BURST);
            for payload in sent..until {
                ring.push([0, target, payload]);
            }
            sent = until;
            while let Some([_, index, payload]) = ring.pop() {
                targets[index as usize].deliver(payload);
            }
        }
        (began.elapsed(), targets.iter().map(|target| target.state).sum::<u64>())
    })?;
    check("the sum of the records", sum_below(records), sum)?;
    Ok(elapsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_keeps_the_order_across_its_end() {
        let mut ring = Ring::new();
        for lap in 0..10 {
            for n in 0..300 {
                ring.push([lap, n, lap * n]);
            }
            for n in 0..300 {
                assert_eq!(ring.pop(), Some([lap, n, lap * n]));
            }
            assert_eq!(ring.pop(), None);
        }
    }
}

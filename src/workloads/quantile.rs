//! Quantiles of times, in a table of fixed size: within 1/32 of the true one, and cheap enough to count every message.

use std::time::Duration;

/// Cells for each power of two.
const STEPS: u64 = 32;
const CELLS: usize = 64 * STEPS as usize;

/// How often each time was seen, in nanoseconds: one by one below [`STEPS`], above in [`STEPS`] equal steps to a doubling.
pub(super) struct Times {
    counts: Box<[u64; CELLS]>,
    count: u64,
}

impl Times {
    pub(super) fn new() -> Self {
        Self { counts: Box::new([0; CELLS]), count: 0 }
    }

    #[inline]
    pub(super) fn add(&mut self, nanos: u64) {
        self.counts[cell(nanos)] += 1;
        self.count += 1;
    }

    /// How many were added.
    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    /// The upper bound of the cell in which the time lies that so many of a thousand do not exceed; zero if there is none.
    pub(super) fn per_mille(&self, of_thousand: u64) -> Duration {
        let rank = (self.count * of_thousand).div_ceil(1000).max(1);
        let mut seen = 0;
        for (cell, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Duration::from_nanos(upper(cell as u64));
            }
        }
        Duration::ZERO
    }
}

const fn cell(nanos: u64) -> usize {
    if nanos < STEPS {
        return nanos as usize;
    }
    // The power of two above the steps, and the bits behind the leading one.
    let shift = nanos.ilog2() - STEPS.ilog2();
    (shift as u64 * STEPS + (nanos >> shift)) as usize
}

/// The largest time of a cell.
const fn upper(cell: u64) -> u64 {
    if cell < 2 * STEPS {
        return cell;
    }
    let shift = cell / STEPS - 1;
    // Of the last cell, this is the largest number there is.
    ((cell % STEPS + STEPS) << shift) | ((1 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_is_in_the_cell_whose_bound_is_the_next_above_it() {
        for power in 0..64 {
            for nanos in [1u64 << power, (1 << power) + 1, (1 << power) - 1, u64::MAX >> power] {
                let cell = cell(nanos) as u64;
                assert!(nanos <= upper(cell), "{nanos}");
                assert!(cell == 0 || nanos > upper(cell - 1), "{nanos}");
                assert!(upper(cell) - nanos <= nanos / STEPS, "{nanos}");
            }
        }
    }

    #[test]
    fn the_99th_of_a_hundred() {
        let mut times = Times::new();
        assert_eq!(times.per_mille(990), Duration::ZERO);
        for nanos in 1..=20 {
            (0..5).for_each(|_| times.add(nanos));
        }
        assert_eq!((times.count(), times.per_mille(990)), (100, Duration::from_nanos(20)));
        assert_eq!(times.per_mille(950), Duration::from_nanos(19));
        assert_eq!(times.per_mille(0), Duration::from_nanos(1));
    }
}

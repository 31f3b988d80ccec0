//! How large a workload is to be and which cores it may use.
//!
//! A plan holds no counts: each workload states its own full and quick count beside its code, so that a
//! reader finds the two together. Savina's benchmarks run at their published parameters in both scales.

use super::error::WorkloadError;

/// The size at which a workload runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// The counts of the table in the README.
    Full,
    /// Smaller counts: the whole suite ends within half a minute on a slow machine with two cores.
    Quick,
}

/// What every workload is given: its scale and its cores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    scale: Scale,
    cores: Vec<usize>,
}

impl Plan {
    /// A plan for `cores`, the operating system's numbers, in the order in which workloads take them: the
    /// first is used by the workloads on one core, the first two by those between two.
    ///
    /// # Errors
    /// [`WorkloadError::NoCores`] if the list is empty.
    pub fn new(scale: Scale, cores: Vec<usize>) -> Result<Self, WorkloadError> {
        if cores.is_empty() { Err(WorkloadError::NoCores) } else { Ok(Self { scale, cores }) }
    }

    /// `full` at full scale, `quick` at the quick one.
    #[must_use]
    pub const fn pick(&self, full: u64, quick: u64) -> u64 {
        match self.scale {
            Scale::Full => full,
            Scale::Quick => quick,
        }
    }

    /// The scale.
    #[must_use]
    pub const fn scale(&self) -> Scale {
        self.scale
    }

    /// Every core of the plan; at least one.
    #[must_use]
    pub fn cores(&self) -> &[usize] {
        &self.cores
    }

    /// The core of the workloads on one core.
    #[must_use]
    pub fn core(&self) -> usize {
        self.cores[0]
    }

    /// The two cores of the workloads between two.
    ///
    /// # Errors
    /// [`WorkloadError::TooFewCores`] if the plan has one core only.
    pub fn pair(&self) -> Result<[usize; 2], WorkloadError> {
        match self.cores[..] {
            [first, second, ..] => Ok([first, second]),
            _ => Err(WorkloadError::TooFewCores { needed: 2, given: self.cores.len() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_without_cores_is_refused() {
        assert!(matches!(Plan::new(Scale::Quick, Vec::new()), Err(WorkloadError::NoCores)));
    }

    #[test]
    fn a_pair_needs_two_cores() {
        let one = Plan::new(Scale::Full, vec![3]).expect("one core is enough for a plan");
        assert!(matches!(one.pair(), Err(WorkloadError::TooFewCores { needed: 2, given: 1 })));
        let three = Plan::new(Scale::Full, vec![3, 5, 7]).expect("three cores are enough for a plan");
        assert_eq!(three.pair().expect("three cores hold a pair"), [3, 5]);
    }

    #[test]
    fn pick_follows_the_scale() {
        let plan = |scale| Plan::new(scale, vec![0]).expect("one core is enough for a plan");
        assert_eq!(plan(Scale::Full).pick(10, 1), 10);
        assert_eq!(plan(Scale::Quick).pick(10, 1), 1);
    }
}

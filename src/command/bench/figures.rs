//! From the runs of a workload to its row: median, smallest, largest, and the ratio to the raw loop.

use corelane::workloads::{Unit, Workload};

/// The figures of one workload.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) unit: Unit,
    /// Messages in one unit of the figure; zero where the unit is an actor.
    pub(super) messages: u32,
    pub(super) cost: Summary,
    /// The median of the raw loop in the same runs, where the workload has one.
    pub(super) raw: Option<f64>,
}

impl Row {
    /// The row of `workload` from its costs and those of its raw loop, if it has one. `None` without runs.
    pub(super) fn of(workload: &Workload, costs: &[f64], raw: &[f64]) -> Option<Self> {
        Some(Self {
            name: workload.name,
            unit: workload.unit,
            messages: workload.messages,
            cost: Summary::of(costs)?,
            raw: Summary::of(raw).map(|summary| summary.median),
        })
    }

    /// How many times the raw loop's cost; 1.0 is the bound.
    pub(super) fn ratio(&self) -> Option<f64> {
        self.raw.map(|raw| self.cost.median / raw)
    }
}

/// The middle and the ends of several runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Summary {
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
}

impl Summary {
    /// The summary of `runs`, or `None` if there are none. The median of an even number of runs is the mean of
    /// the middle two.
    pub(super) fn of(runs: &[f64]) -> Option<Self> {
        let mut sorted = runs.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (&min, &max) = (sorted.first()?, sorted.last()?);
        let middle = sorted.len() / 2;
        let median =
            if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 };
        Some(Self { median, min, max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_odd_number_is_the_middle_one() {
        assert_eq!(Summary::of(&[9.0, 1.0, 4.0]), Some(Summary { median: 4.0, min: 1.0, max: 9.0 }));
    }

    #[test]
    fn the_median_of_an_even_number_is_the_mean_of_the_middle_two() {
        assert_eq!(Summary::of(&[8.0, 1.0, 2.0, 4.0]), Some(Summary { median: 3.0, min: 1.0, max: 8.0 }));
    }

    #[test]
    fn no_runs_have_no_summary() {
        assert_eq!(Summary::of(&[]), None);
    }

    #[test]
    fn the_ratio_is_the_median_over_the_raw_median() {
        let workload = &corelane::workloads::WORKLOADS[0];
        let row = Row::of(workload, &[6.0, 5.0, 7.0], &[4.0, 3.0, 5.0]).expect("there are runs");
        assert_eq!((row.raw, row.ratio()), (Some(4.0), Some(1.5)));
        let alone = Row::of(workload, &[6.0], &[]).expect("there is a run");
        assert_eq!((alone.raw, alone.ratio()), (None, None));
    }
}

//! Runs everything, interleaved, and sums up the figures.
//!
//! Run 1 of every workload on every system comes before run 2 of any, so that a machine whose speed drifts drifts for
//! all. Which system goes first changes from run to run. Every run has a thread of its own and a time limit: a system
//! that loses a message ends in an error, not in waiting.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use core_affinity::CoreId;

use crate::system::{RunError, System};
use crate::workload::Workload;

/// Far more than the slowest run takes.
const RUN_LIMIT: Duration = Duration::from_secs(120);

/// What to run.
pub(crate) struct Plan {
    pub systems: Vec<&'static dyn System>,
    pub workloads: Vec<&'static Workload>,
    /// As many as the workloads need.
    pub cores: Vec<CoreId>,
    /// At least one.
    pub runs: usize,
    pub quick: bool,
}

/// The figures of one workload on one system.
#[derive(Debug)]
pub(crate) struct Row {
    pub system: &'static str,
    pub workload: &'static Workload,
    pub summary: Summary,
}

/// Of all runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Summary {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

impl Summary {
    /// `None` without figures.
    pub(crate) fn of(mut figures: Vec<f64>) -> Option<Self> {
        figures.sort_by(f64::total_cmp);
        let middle = figures.len() / 2;
        let median = match figures.len() {
            0 => return None,
            n if n % 2 == 1 => figures[middle],
            _ => (figures[middle - 1] + figures[middle]) / 2.0,
        };
        Some(Self { median, min: figures[0], max: figures[figures.len() - 1] })
    }
}

/// A run that gave no figure.
pub(crate) struct Failure {
    pub system: &'static str,
    pub workload: &'static str,
    pub error: RunError,
}

/// Runs the plan; `progress` is told before each run. Rows are in the order of the workloads, then of the systems.
pub(crate) fn run(plan: &Plan, mut progress: impl FnMut(usize, &str, &str)) -> Result<Vec<Row>, Failure> {
    let mut figures = vec![vec![Vec::with_capacity(plan.runs); plan.systems.len()]; plan.workloads.len()];
    for run in 0..plan.runs {
        for (&workload, figures) in plan.workloads.iter().zip(&mut figures) {
            for turn in 0..plan.systems.len() {
                let index = (run + turn) % plan.systems.len();
                let system = plan.systems[index];
                progress(run, workload.name, system.name());
                let (cores, quick) = (plan.cores.clone(), plan.quick);
                let figure = within_limit(move || workload.run(system, &cores, quick))
                    .map_err(|error| Failure { system: system.name(), workload: workload.name, error })?;
                figures[index].push(figure);
            }
        }
    }
    let rows = plan.workloads.iter().zip(figures).flat_map(|(&workload, figures)| {
        plan.systems.iter().zip(figures).filter_map(move |(system, figures)| {
            Some(Row { system: system.name(), workload, summary: Summary::of(figures)? })
        })
    });
    Ok(rows.collect())
}

/// Runs `job` on a thread of its own. A job that goes on past the limit is left behind; the program is about to end.
pub(crate) fn within_limit<T: Send + 'static>(
    job: impl FnOnce() -> Result<T, RunError> + Send + 'static,
) -> Result<T, RunError> {
    let (answer, answered) = channel();
    let thread = thread::Builder::new()
        .spawn(move || drop(answer.send(job())))
        .map_err(|error| RunError::Os("cannot start a thread", error))?;
    match answered.recv_timeout(RUN_LIMIT) {
        Ok(result) => {
            thread.join().map_err(|_| RunError::Panicked)?;
            result
        }
        Err(RecvTimeoutError::Disconnected) => Err(RunError::Panicked),
        Err(RecvTimeoutError::Timeout) => Err(RunError::Stalled(RUN_LIMIT)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_is_the_middle_or_between_the_two() {
        let summary = |figures: &[f64]| Summary::of(figures.to_vec());
        assert_eq!(summary(&[]), None);
        assert_eq!(summary(&[3.0, 1.0, 9.0]), Some(Summary { median: 3.0, min: 1.0, max: 9.0 }));
        assert_eq!(summary(&[4.0, 1.0, 2.0, 9.0]), Some(Summary { median: 3.0, min: 1.0, max: 9.0 }));
    }

    #[test]
    fn a_panicking_run_is_an_error() {
        assert!(matches!(within_limit::<()>(|| panic!("on purpose")), Err(RunError::Panicked)));
    }
}

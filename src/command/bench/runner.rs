//! Measures workloads: several runs each, the workload and its raw loop in turn within every run.
//!
//! The machine under a measurement changes while it runs: another tenant wakes up, the clock rises, the two
//! cores move apart. So a workload and its raw loop are measured within moments of each other, and the one that
//! goes first changes from run to run.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use corelane::workloads::{Cost, Plan, Workload, WorkloadError};
use indicatif::{ProgressBar, ProgressStyle};

use super::child::{self, ChildError};
use super::figures::Row;

/// How a suite ended that no error ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Every workload was measured, or cannot be on this machine.
    Complete,
    /// An interruption came between two runs.
    Interrupted,
}

/// Why a suite gave up.
#[derive(Debug)]
pub(super) enum RunError {
    /// A workload failed or counted wrong.
    Workload { name: &'static str, source: WorkloadError },
    /// The raw loop beside a workload failed.
    Raw { name: &'static str, source: WorkloadError },
    /// A workload's own process failed.
    Child { name: &'static str, source: ChildError },
    /// A workload's row could not be written.
    Output { name: &'static str, source: io::Error },
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workload { name, source } => write!(f, "{name}: {source}"),
            Self::Raw { name, source } => write!(f, "{name}: the raw loop beside it: {source}"),
            Self::Child { name, source } => write!(f, "{name}: {source}"),
            Self::Output { name, source } => write!(f, "{name}: the row could not be written: {source}"),
        }
    }
}

impl Error for RunError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Workload { source, .. } | Self::Raw { source, .. } => Some(source),
            Self::Child { source, .. } => Some(source),
            Self::Output { source, .. } => Some(source),
        }
    }
}

/// Runs workloads under one plan.
pub(super) struct Runner<'a> {
    plan: &'a Plan,
    runs: u32,
    interrupted: &'a AtomicBool,
    bar: ProgressBar,
}

impl<'a> Runner<'a> {
    /// A runner of `workloads` workloads, `runs` times each, that looks at `interrupted` between runs.
    pub(super) fn new(plan: &'a Plan, runs: u32, workloads: usize, interrupted: &'a AtomicBool) -> Self {
        // Drawn to standard error, and not at all where that is no terminal. Nothing redraws it from a thread
        // of its own, which would take time from the cores that are measured.
        let bar = ProgressBar::new(workloads as u64 * u64::from(runs));
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}") {
            bar.set_style(style);
        }
        Self { plan, runs, interrupted, bar }
    }

    /// Measures `workloads` in their order and hands each row to `report`. One that this machine cannot
    /// measure is named on standard error and left out.
    pub(super) fn run<R>(self, workloads: &[&Workload], mut report: R) -> Result<Outcome, RunError>
    where
        R: FnMut(Row) -> io::Result<()>,
    {
        for workload in workloads {
            let name = workload.name;
            match self.measure(workload) {
                Ok(Some(row)) => {
                    self.bar.suspend(|| report(row)).map_err(|source| RunError::Output { name, source })?;
                }
                Ok(None) => {
                    self.bar.finish_and_clear();
                    return Ok(Outcome::Interrupted);
                }
                Err(RunError::Workload { source, .. } | RunError::Raw { source, .. })
                    if source.is_unavailable() =>
                {
                    self.bar.suspend(|| eprintln!("left out: {name} {source}"));
                }
                Err(error) => {
                    self.bar.finish_and_clear();
                    // After an interrupt from the keyboard a child process fails because it got one too.
                    return if self.interrupted() { Ok(Outcome::Interrupted) } else { Err(error) };
                }
            }
        }
        self.bar.finish_and_clear();
        Ok(Outcome::Complete)
    }

    /// All runs of one workload; `None` if an interruption came.
    fn measure(&self, workload: &Workload) -> Result<Option<Row>, RunError> {
        let (mut costs, mut raws) = (Vec::new(), Vec::new());
        for run in 0..self.runs {
            self.bar.set_message(workload.name);
            let raw_first = run % 2 == 1;
            for raw in [raw_first, !raw_first] {
                if self.interrupted() {
                    return Ok(None);
                }
                if raw {
                    raws.extend(self.raw(workload)?.map(|cost| cost.each()));
                } else {
                    costs.push(self.workload(workload)?.each());
                }
            }
            self.bar.inc(1);
        }
        Ok(Row::of(workload, &costs, &raws))
    }

    fn workload(&self, workload: &Workload) -> Result<Cost, RunError> {
        let name = workload.name;
        if workload.own_process {
            child::measure(workload, self.plan).map_err(|source| RunError::Child { name, source })
        } else {
            (workload.run)(self.plan).map_err(|source| RunError::Workload { name, source })
        }
    }

    fn raw(&self, workload: &Workload) -> Result<Option<Cost>, RunError> {
        let Some(raw) = &workload.raw else { return Ok(None) };
        (raw.run)(self.plan).map(Some).map_err(|source| RunError::Raw { name: workload.name, source })
    }

    fn interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;
    use std::time::Duration;

    use corelane::workloads::{Raw, Scale, Unit};

    use super::*;

    fn workload(
        name: &'static str,
        run: fn(&Plan) -> Result<Cost, WorkloadError>,
        raw: Option<Raw>,
    ) -> Workload {
        Workload {
            name,
            unit: Unit::NanosPerMessage,
            what: "a test",
            messages: 1,
            own_process: false,
            run,
            raw,
        }
    }

    fn ten(_: &Plan) -> Result<Cost, WorkloadError> {
        Ok(Cost::time(Duration::from_nanos(100), 10))
    }

    fn five(_: &Plan) -> Result<Cost, WorkloadError> {
        Ok(Cost::time(Duration::from_nanos(50), 10))
    }

    fn wrong(_: &Plan) -> Result<Cost, WorkloadError> {
        Err(WorkloadError::WrongResult { what: "the sum", expected: 2, found: 1 })
    }

    fn unavailable(plan: &Plan) -> Result<Cost, WorkloadError> {
        plan.pair().and_then(|_| ten(plan))
    }

    fn rows(workloads: &[Workload], interrupted: &AtomicBool) -> (Result<Outcome, RunError>, Vec<Row>) {
        let plan = Plan::new(Scale::Quick, vec![0]).expect("one core is enough for a plan");
        let workloads: Vec<_> = workloads.iter().collect();
        let mut rows = Vec::new();
        let outcome = Runner::new(&plan, 3, workloads.len(), interrupted).run(&workloads, |row| {
            rows.push(row);
            Ok(())
        });
        (outcome, rows)
    }

    #[test]
    fn a_row_has_the_costs_and_the_raw_loop_of_all_runs() {
        let raw = Some(Raw { what: "a test", run: five });
        let (outcome, rows) = rows(&[workload("w", ten, raw)], &AtomicBool::new(false));
        assert!(matches!(outcome, Ok(Outcome::Complete)));
        assert_eq!((rows[0].cost.median, rows[0].raw, rows[0].ratio()), (10.0, Some(5.0), Some(2.0)));
    }

    #[test]
    fn a_wrong_count_ends_the_suite_and_names_the_workload() {
        let (outcome, rows) = rows(
            &[workload("good", ten, None), workload("bad", wrong, None), workload("never", ten, None)],
            &AtomicBool::new(false),
        );
        let error = outcome.expect_err("a wrong count is an error").to_string();
        assert!(error.starts_with("bad: wrong result"), "{error}");
        assert_eq!(rows.iter().map(|row| row.name).collect::<Vec<_>>(), ["good"]);
    }

    #[test]
    fn a_wrong_raw_loop_is_an_error_too() {
        let raw = Some(Raw { what: "a test", run: wrong });
        let (outcome, _) = rows(&[workload("w", ten, raw)], &AtomicBool::new(false));
        assert!(outcome.expect_err("a wrong count is an error").to_string().starts_with("w: the raw loop"));
    }

    #[test]
    fn what_the_machine_cannot_do_is_left_out() {
        let (outcome, rows) =
            rows(&[workload("two", unavailable, None), workload("one", ten, None)], &AtomicBool::new(false));
        assert!(matches!(outcome, Ok(Outcome::Complete)));
        assert_eq!(rows.iter().map(|row| row.name).collect::<Vec<_>>(), ["one"]);
    }

    #[test]
    fn an_interruption_ends_the_suite_before_the_next_run() {
        static RUNS: AtomicU64 = AtomicU64::new(0);
        fn counted(plan: &Plan) -> Result<Cost, WorkloadError> {
            RUNS.fetch_add(1, Ordering::Relaxed);
            ten(plan)
        }
        let (outcome, rows) = rows(&[workload("w", counted, None)], &AtomicBool::new(true));
        assert!(matches!(outcome, Ok(Outcome::Interrupted)));
        assert!(rows.is_empty());
        assert_eq!(RUNS.load(Ordering::Relaxed), 0);
    }
}

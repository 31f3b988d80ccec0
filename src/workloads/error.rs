//! Why a workload gives no figure.
//!
//! A run that counted wrong is an error like any other: there is no way to get a [`Cost`](super::Cost) out
//! of it.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use corelane_shard::topology::PinError;

/// Why a workload, or the raw loop beside it, gave no figure.
#[derive(Debug)]
pub enum WorkloadError {
    /// The plan names no core.
    NoCores,
    /// The workload needs more cores than the plan has; on such a machine it has no meaning.
    TooFewCores {
        /// Cores that the workload needs.
        needed: usize,
        /// Cores that the plan has.
        given: usize,
    },
    /// The machine has no way to measure it.
    Unsupported {
        /// What is missing.
        reason: String,
    },
    /// A thread could not be pinned to its core.
    Pinning {
        /// Why not, and which core.
        source: PinError,
    },
    /// The run ended with another result than its parameters dictate: a message lost, doubled or garbled.
    WrongResult {
        /// What was counted.
        what: &'static str,
        /// The value that the parameters dictate.
        expected: u64,
        /// The value that the run gave.
        found: u64,
    },
    /// The system could not be started, filled or asked.
    Runtime {
        /// What was being done.
        doing: &'static str,
        /// The error of the layer below.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The system did not end in order.
    Unclean {
        /// How it ended, in words.
        report: String,
    },
    /// A thread of the workload panicked.
    Panicked,
    /// No result came in time: a message was lost on the way, or the machine stood still.
    NoReport {
        /// How long was waited.
        waited: Duration,
        /// Dead letters of the system until then.
        dead_letters: u64,
    },
}

impl WorkloadError {
    /// Wraps an error of the layer below; for `map_err`.
    pub fn runtime<E>(doing: &'static str) -> impl FnOnce(E) -> Self
    where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        move |source| Self::Runtime { doing, source: source.into() }
    }

    /// Whether the machine or the plan, rather than the run, is the reason: such a workload is left out of
    /// the results, and no other is affected.
    #[must_use]
    pub const fn is_unavailable(&self) -> bool {
        matches!(self, Self::TooFewCores { .. } | Self::Unsupported { .. })
    }
}

impl fmt::Display for WorkloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCores => f.write_str("the list of cores is empty"),
            Self::TooFewCores { needed, given } => write!(f, "needs {needed} cores and was given {given}"),
            Self::Unsupported { reason } => write!(f, "cannot be measured here: {reason}"),
            Self::Pinning { source } => write!(f, "{source}"),
            Self::WrongResult { what, expected, found } => {
                write!(f, "wrong result: {what} should be {expected} and is {found}")
            }
            Self::Runtime { doing, source } => write!(f, "{doing}: {source}"),
            Self::NoReport { waited, dead_letters } => {
                write!(f, "no result came within {} s, with {dead_letters} dead letters", waited.as_secs())
            }
            Self::Unclean { report } => write!(f, "the system did not end in order: {report}"),
            Self::Panicked => f.write_str("a thread of the workload panicked"),
        }
    }
}

impl Error for WorkloadError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Runtime { source, .. } => Some(&**source),
            Self::Pinning { source } => Some(source),
            _ => None,
        }
    }
}

/// Passes if `found` is what the parameters dictate.
///
/// # Errors
/// [`WorkloadError::WrongResult`] if it is not.
pub(super) fn check(what: &'static str, expected: u64, found: u64) -> Result<(), WorkloadError> {
    if expected == found { Ok(()) } else { Err(WorkloadError::WrongResult { what, expected, found }) }
}

/// The sum of `0..count`, wrapping: what a target that adds up numbered messages must hold in the end.
pub(super) const fn sum_below(count: u64) -> u64 {
    ((count as u128 * (count as u128).saturating_sub(1)) / 2) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_count_names_both_values() {
        let error = check("the sum", 10, 9).expect_err("9 is not 10");
        assert_eq!(error.to_string(), "wrong result: the sum should be 10 and is 9");
        assert!(!error.is_unavailable());
        assert!(check("the sum", 10, 10).is_ok());
    }

    #[test]
    fn sum_below_equals_the_loop() {
        for count in [0, 1, 2, 3, 1_000] {
            assert_eq!(sum_below(count), (0..count).sum::<u64>());
        }
    }
}

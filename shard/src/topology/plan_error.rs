//! What may be wrong with a plan: warnings about one that works, and errors in place of one.

use std::fmt;

use super::{Quota, counted, format_core_list};

/// Something about a plan that works, but is likely to disappoint.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Warning {
    /// There are more shards than cores for them.
    CoresShared {
        /// The shards.
        shards: usize,
        /// The cores for them.
        cores: usize,
    },
    /// The shards, all busy, use up the CPU time of the control group before its period ends, and are then
    /// stopped until the next one.
    QuotaBelowShards {
        /// The shards.
        shards: usize,
        /// The limit.
        quota: Quota,
    },
    /// Fewer shards were asked for than cores were listed.
    ListedUnused {
        /// The listed cores that no shard got.
        cores: Vec<usize>,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CoresShared { shards, cores } => {
                write!(
                    f,
                    "{shards} shards share {}: they take turns, and none of them may spin",
                    counted(*cores, "core")
                )
            }
            Self::QuotaBelowShards { shards, quota } => write!(
                f,
                "the CPU quota of {quota} is below the number of shards ({shards}): busy shards will be \
                 stopped for the rest of each period of {} µs ({})",
                quota.period_us,
                quota.source.display()
            ),
            Self::ListedUnused { cores } => {
                let cores = format_core_list(cores);
                write!(f, "no shard for cores {cores}: fewer shards asked for than cores listed")
            }
        }
    }
}

/// Why there is no plan. The request is at fault, except for `NoUsableCore`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlanError {
    /// No shard was asked for.
    NoShards,
    /// More shards were asked for than a system can have.
    TooManyShards {
        /// Shards asked for, or cores listed.
        asked: usize,
        /// The most that can be.
        most: usize,
    },
    /// The list of cores is empty.
    EmptyList,
    /// A core was listed twice.
    Duplicate {
        /// The core.
        core: usize,
    },
    /// There is no such core.
    NoSuchCore {
        /// The core listed.
        core: usize,
        /// Those that there are.
        online: Vec<usize>,
    },
    /// The core is there, but switched off.
    Offline {
        /// The core listed.
        core: usize,
        /// Those that are on.
        online: Vec<usize>,
    },
    /// The core runs, but this thread may not run there.
    NotAllowed {
        /// The core listed.
        core: usize,
        /// Those that may be used.
        allowed: Vec<usize>,
    },
    /// The topology has no core that is online and allowed; one that was read from a machine always has.
    NoUsableCore,
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoShards => f.write_str("at least one shard is needed, 0 were asked for"),
            Self::TooManyShards { asked, most } => {
                write!(f, "{asked} shards are too many: the most is {most}")
            }
            Self::EmptyList => f.write_str("the list of cores is empty"),
            Self::Duplicate { core } => write!(f, "core {core} is listed twice: one shard for a core"),
            Self::NoSuchCore { core, online } => {
                write!(f, "there is no core {core} (online: {})", format_core_list(online))
            }
            Self::Offline { core, online } => {
                write!(f, "core {core} is switched off (online: {})", format_core_list(online))
            }
            Self::NotAllowed { core, allowed } => write!(
                f,
                "core {core} may not be used here (allowed: {}; the container's CPU set or taskset decides)",
                format_core_list(allowed)
            ),
            Self::NoUsableCore => f.write_str("no core is both online and allowed"),
        }
    }
}

impl std::error::Error for PlanError {}

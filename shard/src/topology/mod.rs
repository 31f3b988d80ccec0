//! The machine's cores, and which of them the shards should run on.
//!
//! Two halves that meet in one value, [`Topology`]:
//!
//! 1. **Reading** ([`Topology::read`], files `read` and `cgroup`): what the operating system says about
//!    cores, their siblings, caches, memory nodes, the set this thread may use, and the CPU time its control
//!    group is given. Never fails: what is missing or garbled becomes `None` or is derived from what is
//!    there, and [`Topology::notes`] says so.
//! 2. **Choosing** ([`plan()`]): a pure function from a topology and a [`Request`] to a [`Plan`], one core
//!    and one reason for each shard.
//!
//! Words: a **core** is a logical CPU, numbered as the operating system numbers it; a **physical core** is
//! the set of cores (its *threads*, each other's *siblings*) that share one set of execution units.
//!
//! Binding a thread to its core is [`pin_current_thread`]; starting the threads is left to the system.
//!
//! ```
//! use corelane_shard::topology::{Request, Topology, plan};
//!
//! let machine = Topology::read();
//! let plan = plan(&machine, &Request::auto().shards(1))?;
//! for placement in plan.placements() {
//!     println!("{placement:?}");
//! }
//! assert!(machine.usable().contains(&plan.cores()[0]));
//! # Ok::<(), corelane_shard::topology::PlanError>(())
//! ```

mod cgroup;
mod list;
mod plan;
mod plan_error;
mod read;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;

pub use self::list::{CORE_NUMBER_MAX, CoreList, CoreListError, format_core_list, parse_core_list};
pub use self::plan::{Placement, Plan, Request, plan};
pub use self::plan_error::{PlanError, Warning};
pub use self::read::Roots;
pub use crate::affinity::{PinError, pin_current_thread};

/// What is known about the machine. All lists of cores are in ascending order without repetitions.
///
/// A value as any other: [`Topology::read`] fills it from this machine, a test or a tool may fill it by hand.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Topology {
    /// The cores that run.
    pub online: Vec<usize>,
    /// The cores that are there, but switched off.
    pub offline: Vec<usize>,
    /// The cores on which the reading thread may run: what the container's CPU set, `taskset` and the like
    /// leave over.
    pub allowed: Vec<usize>,
    /// The cores that the kernel keeps free of other work (`isolcpus`). Rarely in `allowed` unless asked for
    /// by `taskset`.
    pub isolated: Vec<usize>,
    /// What is known of each online core, by ascending number.
    pub cores: Vec<Core>,
    /// The caches of the online cores, each once, by level, kind and cores.
    pub caches: Vec<Cache>,
    /// The memory nodes by ascending number; empty where the system tells none.
    pub nodes: Vec<Node>,
    /// The tightest limit on CPU time above this process; `None` if there is no limit or none can be read.
    pub quota: Option<Quota>,
    /// What could not be read as expected, in words for a person.
    pub notes: Vec<String>,
}

/// One logical CPU.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Core {
    /// Its number.
    pub core: usize,
    /// The socket that it sits in, if told.
    pub package: Option<usize>,
    /// The cores of its physical core, itself included.
    pub siblings: Vec<usize>,
    /// The memory node that is near to it, if told.
    pub node: Option<usize>,
}

/// One cache.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cache {
    /// 1 is nearest to the core.
    pub level: usize,
    /// What it holds.
    pub kind: CacheKind,
    /// Its size in bytes, if told.
    pub bytes: Option<u64>,
    /// The cores that share it.
    pub cores: Vec<usize>,
}

impl fmt::Display for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "L{}", self.level)?;
        if self.kind != CacheKind::Unified {
            write!(f, " {}", self.kind)?;
        }
        match self.bytes {
            Some(bytes) => write!(f, " ({})", format_bytes(bytes)),
            None => Ok(()),
        }
    }
}

/// What a cache holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CacheKind {
    /// Data only.
    Data,
    /// Instructions only.
    Instruction,
    /// Both.
    Unified,
}

impl fmt::Display for CacheKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Data => "data",
            Self::Instruction => "instruction",
            Self::Unified => "unified",
        })
    }
}

/// One memory node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Node {
    /// Its number.
    pub node: usize,
    /// The online cores near to it; none for a node of memory alone.
    pub cores: Vec<usize>,
    /// Its memory in bytes, if told.
    pub memory_bytes: Option<u64>,
}

/// A limit on CPU time: so many microseconds in each period, over all cores together.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quota {
    /// CPU time in each period, in microseconds; above 0.
    pub quota_us: u64,
    /// The period in microseconds; above 0.
    pub period_us: u64,
    /// The file that says so.
    pub source: PathBuf,
}

impl Quota {
    /// A limit of `quota_us` in every `period_us`, or `None` if one of them is 0.
    pub fn new(quota_us: u64, period_us: u64, source: PathBuf) -> Option<Self> {
        (quota_us > 0 && period_us > 0).then_some(Self { quota_us, period_us, source })
    }

    /// How many cores it keeps busy; a fraction is usual.
    pub fn cores(&self) -> f64 {
        self.quota_us as f64 / self.period_us as f64
    }

    /// How many cores can be busy all the time: rounded down, because a shard that is stopped in the middle
    /// of each period is worse than a shard less; but at least 1.
    pub fn whole_cores(&self) -> usize {
        usize::try_from(self.quota_us / self.period_us.max(1)).unwrap_or(usize::MAX).max(1)
    }

    /// Whether that many busy cores would use it up before the period ends.
    pub fn is_below(&self, cores: usize) -> bool {
        u128::from(self.quota_us) < cores as u128 * u128::from(self.period_us)
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} cores", self.cores())
    }
}

impl Topology {
    /// What is known of `core`, if it is online.
    pub fn core(&self, core: usize) -> Option<&Core> {
        self.cores.binary_search_by_key(&core, |known| known.core).ok().map(|at| &self.cores[at])
    }

    /// The cache of the highest level that `core` uses for data: what it shares with its nearest neighbours.
    pub fn last_level_cache(&self, core: usize) -> Option<&Cache> {
        self.caches
            .iter()
            .filter(|cache| cache.kind != CacheKind::Instruction && cache.cores.contains(&core))
            .max_by_key(|cache| cache.level)
    }

    /// The cores on which a shard may run: online and allowed.
    pub fn usable(&self) -> Vec<usize> {
        self.allowed.iter().copied().filter(|core| self.online.binary_search(core).is_ok()).collect()
    }

    /// The physical cores, each as its online threads, by their lowest thread.
    pub fn physical_cores(&self) -> Vec<Vec<usize>> {
        group_by_physical_core(self, &self.online).into_values().collect()
    }
}

/// `cores` by the lowest thread of the physical core to which they belong.
fn group_by_physical_core(
    topology: &Topology,
    cores: &[usize],
) -> std::collections::BTreeMap<usize, Vec<usize>> {
    let mut groups = std::collections::BTreeMap::<usize, Vec<usize>>::new();
    for &core in cores {
        let lowest = topology.core(core).and_then(|known| known.siblings.first().copied()).unwrap_or(core);
        groups.entry(lowest).or_default().push(core);
    }
    groups
}

/// `1 core`, `2 cores`.
fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// A number of bytes in the largest unit that keeps it at 1 or above, with a decimal place where it is not
/// whole: `32 KiB`, `1.5 MiB`.
pub fn format_bytes(bytes: u64) -> String {
    let (unit, name) = match bytes {
        0..0x400 => return format!("{bytes} bytes"),
        0x400..0x10_0000 => (0x400, "KiB"),
        0x10_0000..0x4000_0000 => (0x10_0000, "MiB"),
        _ => (0x4000_0000_u64, "GiB"),
    };
    if bytes.is_multiple_of(unit) {
        format!("{} {name}", bytes / unit)
    } else {
        format!("{:.1} {name}", bytes as f64 / unit as f64)
    }
}

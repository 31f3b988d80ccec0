//! Settings of a system, and the builder that collects them.

use std::ops::RangeInclusive;
use std::time::Duration;

use corelane_kernel::KernelConfig;

use crate::coordinated::ShutdownPhase;
use crate::deploy::{Decision, Deployment, Origins};
use crate::error::{BoxError, StartError};
use crate::extensions::{self, Extension, Loading};
use crate::idle::Idle;
use crate::system::System;
use crate::topology::{Request, Topology, plan};

/// Largest region of one shard, in bytes: what a kernel can address.
pub const REGION_BYTES_MAX: usize = corelane_kernel::limits::REGION_MAX as usize;

/// Bounds of a lane, in bytes.
pub(crate) const LANE_BYTES: RangeInclusive<usize> = 4096..=1 << 30;
/// Smallest region of one shard, in bytes.
pub(crate) const REGION_BYTES_MIN: usize = 1 << 20;
/// Threads that the blocking pool may have.
pub(crate) const BLOCKING_THREADS: RangeInclusive<usize> = 1..=65_536;
/// Longest time for a shutdown: deadlines are points in time, and those far off cannot be told apart from an overflow.
pub(crate) const SHUTDOWN_WITHIN_MAX: Duration = Duration::from_hours(365 * 24);
/// What may count as a stall.
pub(crate) const STALL_AFTER: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_hours(24);

/// Collects the settings of a [`System`]; [`Builder::start`] starts it.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `start` is called"]
pub struct Builder {
    pub(crate) name: String,
    pub(crate) request: Request,
    pub(crate) pin: bool,
    pub(crate) idle: Idle,
    pub(crate) region_bytes: Option<usize>,
    pub(crate) lane_bytes: usize,
    pub(crate) gateway_bytes: usize,
    pub(crate) blocking_threads: usize,
    pub(crate) kernel: KernelConfig,
    pub(crate) log_letters: u32,
    pub(crate) stall_after: Option<Duration>,
    pub(crate) shutdown_within: Duration,
    pub(crate) phases: Vec<ShutdownPhase>,
    pub(crate) extensions: extensions::Plan,
    pub(crate) decisions: Vec<Decision>,
}

impl Default for Builder {
    fn default() -> Builder {
        Builder {
            name: "corelane".to_owned(),
            request: Request::auto(),
            pin: true,
            idle: Idle::default(),
            region_bytes: None,
            lane_bytes: 64 << 10,
            gateway_bytes: 16 << 10,
            blocking_threads: 4,
            kernel: KernelConfig::default(),
            log_letters: 10,
            stall_after: Some(Duration::from_millis(100)),
            shutdown_within: Duration::from_secs(10),
            phases: Vec::new(),
            extensions: extensions::Plan::default(),
            decisions: Vec::new(),
        }
    }
}

impl Builder {
    /// The system's name, which its threads bear: not empty, no control characters. Default `corelane`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// How many shards, from 1 to 1,024. Default: one for each physical core that the process may use, within its CPU quota. More
    /// shards than cores share cores, and then never spin; a warning says so.
    pub fn shards(mut self, shards: usize) -> Self {
        self.request = self.request.shards(shards);
        self
    }

    /// Which cores, one shard each. A core that does not exist or may not be used is a [`StartError`].
    pub fn cores(mut self, cores: &[usize]) -> Self {
        self.request = self.request.cores(cores);
        self
    }

    /// Whether each shard is pinned to its core. Default yes. Unpinned shards go where the operating system puts them:
    /// for tests, and for machines that are shared.
    pub fn pinned(mut self, pinned: bool) -> Self {
        self.pin = pinned;
        self
    }

    /// What a shard does when nothing moves. Default [`Idle::Balanced`].
    pub fn idle(mut self, idle: Idle) -> Self {
        self.idle = idle;
        self
    }

    /// Bytes of virtual memory that each shard reserves: the most that its actors and waiting messages can take.
    /// Pages are committed as they are first used. From 1 MiB to [`REGION_BYTES_MAX`]. Default: the machine's (or container's)
    /// memory divided by the shards, or the largest if that is more.
    pub fn region_bytes(mut self, bytes: usize) -> Self {
        self.region_bytes = Some(bytes);
        self
    }

    /// Bytes of each lane between two shards, rounded up to a power of two, from 4 KiB to 1 GiB. Small lanes stay in the
    /// cache, large ones take longer bursts before they spill. Default 64 KiB.
    pub fn lane_bytes(mut self, bytes: usize) -> Self {
        self.lane_bytes = bytes;
        self
    }

    /// Bytes of each lane from a gateway to a shard, rounded up to a power of two, from 4 KiB to 1 GiB. Default 16 KiB.
    pub fn gateway_bytes(mut self, bytes: usize) -> Self {
        self.gateway_bytes = bytes;
        self
    }

    /// Threads of the pool for blocking work, started as needed. From 1 to 65,536. Default 4.
    pub fn blocking_threads(mut self, threads: usize) -> Self {
        self.blocking_threads = threads;
        self
    }

    /// Settings of each shard's kernel: shares of scheduling groups, budgets, bounds, the strategy for top-level actors.
    /// A seed of zero means that the system draws one.
    pub fn kernel(mut self, kernel: KernelConfig) -> Self {
        self.kernel = kernel;
        self
    }

    /// Dead letters that each shard logs before it falls silent for five minutes; all are counted. Default 10.
    pub fn log_dead_letters(mut self, most: u32) -> Self {
        self.log_letters = most;
        self
    }

    /// How long a shard may be held up until it is reported; `None` never reports it. From 1 ms to a day. Default 100 ms.
    ///
    /// A handler that computes or blocks keeps all actors of its shard waiting. A watchdog, one thread for the system, looks at
    /// every shard twice in this time. What holds one up is told to the log (`tracing`, level `WARN`) twice: when it is found,
    /// between once and one and a half times this long after it began, with the shard (it may never end); and when it has
    /// ended, with the actor's path, its type and the time. It is counted once, in [`ShardStats::stalls`].
    ///
    /// What is watched is a turn, and the actor that is named is the one whose code ran when the stall was found: where many
    /// handlers of a turn take long together, it is one of them. A thread that the operating system does not run for so long
    /// is reported as well. Nothing is done for a message on account of this; a turn costs one store. A simulation has no
    /// watchdog.
    ///
    /// [`ShardStats::stalls`]: crate::ShardStats::stalls
    pub fn stall_after(mut self, after: impl Into<Option<Duration>>) -> Self {
        self.stall_after = after.into();
        self
    }

    /// How long dropping the [`System`] waits for its coordinated shutdown and for its shards to end, at most a year.
    /// Default 10 s.
    pub fn shutdown_within(mut self, within: Duration) -> Self {
        self.shutdown_within = within;
        self
    }

    /// Adds a phase to the coordinated shutdown, or changes one of the usual ones; see [`ShutdownPhase`]. Phases that make
    /// no order are a [`StartError`].
    pub fn shutdown_phase(mut self, phase: ShutdownPhase) -> Self {
        self.phases.push(phase);
        self
    }

    /// Loads an extension: `make` makes it, once, when the system starts. See [`Extension`]. Those before it can be used by
    /// it. One that fails is a [`StartError`] that names it, as is one of a type that is loaded already.
    pub fn extension<X: Extension>(
        mut self,
        make: impl Fn(&Loading<'_>) -> Result<X, BoxError> + Send + Sync + 'static,
    ) -> Self {
        self.extensions.want(make);
        self
    }

    /// Makes an extension known by its name, so that [`Builder::load_extension`], or the key `extensions` of a
    /// configuration, can have it loaded. Of two of one name, the one that was offered last counts.
    pub fn offer_extension<X: Extension>(
        mut self,
        make: impl Fn(&Loading<'_>) -> Result<X, BoxError> + Send + Sync + 'static,
    ) -> Self {
        self.extensions.offer(make);
        self
    }

    /// Loads an extension that is offered under a name, also if it is offered later. A name that is not is a
    /// [`StartError`] that says which there are. Those that a configuration lists come first.
    pub fn load_extension(mut self, name: impl Into<String>) -> Self {
        self.extensions.want_named(name.into());
        self
    }

    /// Changes the settings of a layer above, by their type: those that were read for it (with the feature `config`, by a
    /// `Section`), else its defaults. The layer's extension gets them by [`Loading::settings`].
    pub fn configure<S: Clone + Default + Send + Sync + 'static>(
        mut self,
        change: impl FnOnce(&mut S),
    ) -> Self {
        let mut settings = self.extensions.settings.get::<S>().unwrap_or_default();
        change(&mut settings);
        self.extensions.settings.put(settings);
        self
    }

    /// Decides where and how the actor of a path is spawned, before what the code says that spawns it; see
    /// [`SystemSpawner`](crate::SystemSpawner). The path is `/user/` and a name for each level, or a pattern where a `*`
    /// stands for one name: `/user/*`, `/user/orders/*`. An actor's own path comes before patterns, and of these the one
    /// with the fewest stars, then the one whose first star comes last. Of two deployments of one path, the later wins
    /// in each of its parts.
    ///
    /// A path that is none, or a shard that is not there, is a [`StartError`].
    pub fn deploy(mut self, path: impl Into<String>, deployment: Deployment) -> Self {
        self.decisions.push(Decision { path: path.into(), deployment, origins: Origins::default() });
        self
    }

    /// Starts the system's threads, and returns when all of them run.
    ///
    /// The first system of a process puts a panic hook in front of the one that is set: of the panics of each shard, all of
    /// which are caught, logged and counted as failures, it shows ten, then none for five minutes. Panics of other threads are
    /// shown as ever. A hook that is set later is called for each.
    ///
    /// # Errors
    /// [`StartError`] says what is wrong; no thread runs then.
    pub fn start(self) -> Result<System, StartError> {
        let topology = Topology::read();
        let plan = plan(&topology, &self.request)?;
        if self.name.is_empty() || self.name.contains(char::is_control) {
            let name = &self.name;
            return Err(StartError::Config(format!(
                "name is {name:?}, and must not be empty or hold control characters"
            )));
        }
        if self.blocking_threads == 0 {
            return Err(StartError::Config("the blocking pool needs at least one thread".to_owned()));
        }
        if self.blocking_threads > *BLOCKING_THREADS.end() {
            let threads = self.blocking_threads;
            return Err(StartError::Config(format!(
                "blocking_threads is {threads}, and must be 1 to 65,536"
            )));
        }
        if self.shutdown_within > SHUTDOWN_WITHIN_MAX {
            let within = self.shutdown_within;
            return Err(StartError::Config(format!(
                "shutdown_within is {within:?}, and must be at most a year"
            )));
        }
        if let Some(after) = self.stall_after.filter(|after| !STALL_AFTER.contains(after)) {
            return Err(StartError::Config(format!("stall_after is {after:?}, and must be 1 ms to a day")));
        }
        for (what, bytes) in [("lane_bytes", self.lane_bytes), ("gateway_bytes", self.gateway_bytes)] {
            if !LANE_BYTES.contains(&bytes) {
                return Err(StartError::Config(format!("{what} is {bytes}, and must be 4 KiB to 1 GiB")));
            }
        }
        let region = match self.region_bytes {
            Some(bytes) if (REGION_BYTES_MIN..=REGION_BYTES_MAX).contains(&bytes) => bytes,
            Some(bytes) => {
                return Err(StartError::Config(format!(
                    "region_bytes is {bytes}, and must be 1 MiB to {REGION_BYTES_MAX}"
                )));
            }
            None => default_region(plan.placements().len()),
        };
        System::launch(self, &plan, region)
    }
}

/// An equal part of the memory that this machine or container has.
fn default_region(shards: usize) -> usize {
    let bytes = memory_limit().unwrap_or(8 << 30) / shards as u64;
    let bytes = bytes.clamp(64 << 20, REGION_BYTES_MAX as u64);
    usize::try_from(bytes).unwrap_or(REGION_BYTES_MAX)
}

/// The smaller of the machine's memory and the process's control group limit, where the system tells.
fn memory_limit() -> Option<u64> {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let total = read("/proc/meminfo").and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()?.checked_mul(1024)
    });
    let group = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        .iter()
        .find_map(|path| read(path)?.trim().parse::<u64>().ok());
    match (total, group) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
